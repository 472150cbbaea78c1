//! The REST API of the daemon, as clients of the Go Dkron know it: shapes, statuses, and what an
//! answer means.
//!
//! What the process does with its command line, its signals, its data and its clients' malice is in
//! `daemon`; each thing is tested in one of the two.

mod events;
mod extensions;
mod output;
mod react_admin;
mod recordings;
mod restore;
mod runs;
