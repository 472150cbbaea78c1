//! How the files that the process may open are shared among all that open them in number.
//!
//! There is one rule, so that the shares fit together; who takes one asks here and nowhere else.
//! A share bounds what goes on at once, and what is beyond it waits: without files it would fail.
//! The limit itself is left alone, for it belongs to the process and not to a library.
//!
//! | who | takes | files of each | of 1,024 files | of 65,536 files |
//! |---|---|---|---|---|
//! | everything else | an eighth, 64 at least | | 128 | 8,192 |
//! | commands of `shell` jobs | half of the rest | 8 | 56 | 3,584 |
//! | requests of `http` jobs | a quarter of the rest | 3 | 74 | 4,778 |
//! | connections to the API | a quarter of the rest, 16 at least | 1 | 224 | 14,336 |
//!
//! "Everything else" is the databases, the log, the runtimes, what other nodes and the functions of
//! the host program open. A host program without the daemon's API has the share of that as well.
//! Each taker has a limit of its own too, which is the lower one where files abound.

use nix::sys::resource::{Resource, getrlimit};

/// Of the files, the part that is kept for everything else.
const RESERVE_DIVISOR: u64 = 8;
/// Files that are kept for everything else at least; an idle daemon has about thirty open.
const RESERVE_MIN: u64 = 64;

/// Of what remains, the part of commands.
const COMMANDS_DIVISOR: u64 = 2;
/// Files of one command while it starts, and one to spare: two ends of its input, three of its
/// output, two that tell of a failed start. Once it runs there are three: its input, its output,
/// and what tells of its end; a look for its processes takes two more for a moment.
const FILES_PER_COMMAND: u64 = 8;

/// Of what remains, the part of requests.
const REQUESTS_DIVISOR: u64 = 4;
/// Files of one request: its connection, and a second address that is tried beside it, or a lookup
/// of the name, or a file of its TLS settings.
const FILES_PER_REQUEST: u64 = 3;

/// Of what remains, the part of connections to the API; each is one file.
const CONNECTIONS_DIVISOR: u64 = 4;
/// Connections at least: an operator must get through to a node that has hardly any files.
const CONNECTIONS_MIN: u64 = 16;

/// What a process may open as a rule, if the system does not tell.
const FILES_DEFAULT: u64 = 1_024;

/// How many of each kind the files of a process suffice for at once, if all others take their whole
/// shares; at least one command and one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileShares {
    /// Commands of `shell` jobs.
    pub commands: usize,
    /// Requests of `http` jobs.
    pub requests: usize,
    /// Connections to the API.
    pub connections: usize,
}

impl FileShares {
    /// Shares what this process may open at present: its soft limit.
    pub fn of_this_process() -> Self {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(FILES_DEFAULT, |(soft, _)| soft);
        Self::of(files)
    }

    /// Shares so many files. From 128 on the shares and the reserve are within them.
    fn of(files: u64) -> Self {
        let rest = files.saturating_sub(reserve(files));
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            commands: count((rest / COMMANDS_DIVISOR / FILES_PER_COMMAND).max(1)),
            requests: count((rest / REQUESTS_DIVISOR / FILES_PER_REQUEST).max(1)),
            connections: count((rest / CONNECTIONS_DIVISOR).max(CONNECTIONS_MIN)),
        }
    }
}

/// Returns how many of so many files are kept for everything else.
fn reserve(files: u64) -> u64 {
    (files / RESERVE_DIVISOR).max(RESERVE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_share_of_the_files() {
        let check = |files: u64, commands: usize, requests: usize, connections: usize| {
            let want = FileShares { commands, requests, connections };
            assert_eq!(FileShares::of(files), want, "{files}");
        };

        check(0, 1, 1, 16);
        check(64, 1, 1, 16);
        check(128, 4, 5, 16);
        check(256, 12, 16, 48);
        check(1_024, 56, 74, 224);
        check(4_096, 224, 298, 896);
        check(65_536, 3_584, 4_778, 14_336);
        check(1 << 20, 57_344, 76_458, 229_376);
    }

    #[test]
    fn the_shares_and_the_reserve_are_within_the_files() {
        let powers = (12..64).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]);
        for files in (128..5_000).chain(powers).chain([u64::MAX]) {
            let FileShares { commands, requests, connections } = FileShares::of(files);
            let taken = u128::from(reserve(files))
                + commands as u128 * u128::from(FILES_PER_COMMAND)
                + requests as u128 * u128::from(FILES_PER_REQUEST)
                + connections as u128;
            assert!(taken <= u128::from(files), "{taken} of {files}");
        }
    }

    #[test]
    fn the_shares_are_those_of_the_soft_limit() {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(FileShares::of_this_process(), FileShares::of(soft));
    }
}
