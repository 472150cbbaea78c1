//! How many files a command may open: what its node was told, whatever the node itself may.
//!
//! A process that handles thousands of connections raises its own limit. Its commands must not
//! inherit that: `select(2)` cannot handle files numbered 1,024 and above, and there are programs
//! that close every number up to the limit when they start.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::process::Command;

/// Makes `command` start with this soft limit of open files, or with its hard limit if that is
/// lower; the hard limit stays.
///
/// A limit that this process has itself costs nothing. Another one has to be set in the new
/// process, which is then made by a `fork` that copies the page tables of this one, and not by a
/// `vfork` that shares them. On a small virtual machine that took 1 to 2 ms more with 30 MB of
/// memory in use, 30 to 45 ms with 300 MB, and other threads may have to wait for it.
/// Also, the C library then hands a script without `#!` to a shell, as it does for a command that
/// runs as another user.
///
/// # Errors
///
/// Those of asking for the limit of this process.
pub(super) fn limit(command: &mut Command, files: u64) -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = files.min(hard);
    if wanted == soft {
        return Ok(());
    }
    let set = move || setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_err(io::Error::from);
    // SAFETY: between `fork` and `exec` only this closure of ours runs: one system call on two
    // numbers and a conversion of its error number. It allocates nothing and takes no lock.
    #[expect(unsafe_code, reason = "there is no other way to give a child limits of its own")]
    unsafe {
        command.pre_exec(set);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::adapters::executor::kit_test::{TestRun, assert_output};
    use crate::adapters::executor::shell::ShellExecutor;

    use super::*;

    fn run(files: Option<u64>, keys: &[(&str, &str)]) -> TestRun {
        TestRun::new(Arc::new(ShellExecutor::new().with_open_files(files)), keys)
    }

    #[tokio::test]
    async fn a_command_starts_with_the_limit_it_is_given_and_this_process_keeps_its_own() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let shown = |limit: u64| match limit {
            u64::MAX => "unlimited".to_owned(),
            limit => limit.to_string(),
        };
        let check = async |files: Option<u64>, want: u64| {
            let keys = [("command", "ulimit -Sn; ulimit -Hn"), ("shell", "true")];
            let output = run(files, &keys).output().await;
            assert_output(&output, &format!("{}\n{}\n", shown(want), shown(hard)));
        };

        check(None, soft).await;
        check(Some(soft), soft).await;
        check(Some(100), 100).await;
        check(Some(u64::MAX), hard).await;

        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE), Ok((soft, hard)));
    }

    #[tokio::test]
    async fn a_command_with_a_limit_of_its_own_runs_and_fails_as_any_other() {
        for keys in [
            &[("command", "cat"), ("payload", "YWJj"), ("cwd", "/")][..],
            &[("command", "/etc/passwd")],
            &[("command", "sh -c 'exit 7'"), ("env", "A=1")],
            &[("command", "sleep 300"), ("timeout", "20ms")],
        ] {
            let plain = run(None, keys).output().await;
            let limited = run(Some(100), keys).output().await;
            assert_output(&limited, &String::from_utf8_lossy(&plain.bytes));
        }
    }
}
