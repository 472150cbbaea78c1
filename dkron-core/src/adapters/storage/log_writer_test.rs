//! The writer of the log: order, group commit, full disks, and what a reader sees meanwhile.
