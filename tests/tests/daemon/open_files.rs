//! The limit of open files: the daemon's own is raised, its commands have the one it was given.

use std::fs;
use std::time::Duration;

use dkron_core::limits::OPEN_FILES_MAX;
use dkron_e2e::daemon::Daemon;
use serde_json::json;

const END_BOUND: Duration = Duration::from_secs(30);

/// Returns the soft and the hard limit of open files of a process; above all numbers if there is
/// none.
fn limits_of(process: &str) -> (u64, u64) {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().map(|word| word.parse().unwrap_or(u64::MAX));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Goal: a daemon may open what it is permitted to, and its commands what they always could.
/// Method: daemons that are started with a low soft limit, and with a hard one as low.
#[test]
fn a_daemon_raises_its_limit_of_open_files_and_its_commands_start_with_the_one_before() {
    let (_, hard) = limits_of("self");
    let check = |prepare: &str, own: (u64, u64), of_commands: u64| {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::at(folder.path()).prepared_by(prepare).start();

        let settings = json!({"command": "ulimit -Sn", "shell": "true"});
        let of_a_shell = daemon.run_in_shell("shell", settings);
        let settings = json!({"command": "sh -c 'ulimit -Sn'"});
        let of_a_program = daemon.run_in_shell("program", settings);

        assert_eq!(limits_of(&daemon.pid().to_string()), own, "{prepare}");
        assert_eq!(of_a_shell, format!("{of_commands}\n"), "{prepare}");
        assert_eq!(of_a_program, format!("{of_commands}\n"), "{prepare}");
        daemon.terminate(END_BOUND);
    };

    check("ulimit -Sn 256", (hard.clamp(256, OPEN_FILES_MAX), hard), 256);
    check("ulimit -n 512", (512, 512), 512);
}
