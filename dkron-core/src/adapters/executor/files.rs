//! How many runs the files suffice for that the process may open.

use nix::sys::resource::{Resource, getrlimit};

/// Files of one run: the output of a command, its input, and what tells of its end; or the
/// connections of a request. Each kind of run may so use up all that are, but never does at a time.
const FILES_PER_RUN: u64 = 3;
/// What a process may open as a rule, if the system does not tell.
const FILES_DEFAULT: u64 = 1_024;

/// Returns how many runs of one kind may go on at once: `wanted`, or as many as there are files
/// for, and one at least.
///
/// A run beyond it would fail for want of files; one that waits does not.
pub(crate) fn runs_within_files(wanted: usize) -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(FILES_DEFAULT, |(soft, _)| soft);
    runs_within(wanted, files)
}

fn runs_within(wanted: usize, files: u64) -> usize {
    let runs = usize::try_from(files / FILES_PER_RUN).unwrap_or(usize::MAX);
    wanted.min(runs).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_many_as_are_wanted_and_files_suffice_for() {
        assert_eq!(runs_within(1_000, u64::MAX), 1_000);
        assert_eq!(runs_within(1_000, 300), 100);
        assert_eq!(runs_within(1_000, 1), 1);
        assert!(runs_within_files(5) <= 5);
    }
}
