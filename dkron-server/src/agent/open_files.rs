//! How many files the daemon may open: as many as it is permitted to.
//!
//! Systems start a process with a soft limit of 1,024, for the sake of old programs, and with a far
//! higher hard limit that it may raise it to. A program of Go does so as it starts, and starts
//! others with the limit that it had; so did Dkron. A library must not: the limit is the process's.

use std::io;

use dkron_core::limits::OPEN_FILES_MAX;
use dkron_core::{Error, ErrorKind};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of this process to its hard limit, or to [`OPEN_FILES_MAX`], and returns
/// what it was before; `None` if it stays as it is.
///
/// It is never lowered. What cannot be raised is told in the log: few files are no reason not to
/// start.
pub(super) fn raise() -> Option<u64> {
    match try_raise() {
        Ok((from, to)) if from == to => None,
        Ok((from, to)) => {
            tracing::info!(from, to, "agent: raised the limit of open files");
            Some(from)
        }
        Err(error) => {
            let error = Error::new(ErrorKind::LimitExceeded, "raise the limit of open files")
                .with_source(error);
            tracing::warn!(error = error.report(), "agent: the limit of open files stays");
            None
        }
    }
}

/// Returns the limit before and after.
fn try_raise() -> io::Result<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let raised = raised(soft, hard);
    if raised != soft {
        setrlimit(Resource::RLIMIT_NOFILE, raised, hard)?;
    }
    Ok((soft, raised))
}

fn raised(soft: u64, hard: u64) -> u64 {
    hard.min(OPEN_FILES_MAX).max(soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_is_permitted_and_never_lowered() {
        let check = |soft: u64, hard: u64, want: u64| {
            assert_eq!(raised(soft, hard), want, "{soft} of {hard}");
        };

        check(1_024, 524_288, 524_288);
        check(1_024, u64::MAX, 1 << 20);
        check(1_024, 1_024, 1_024);
        check(1 << 20, 1 << 20, 1 << 20);
        check(1 << 21, u64::MAX, 1 << 21);
        check(u64::MAX, u64::MAX, u64::MAX);
    }
}
