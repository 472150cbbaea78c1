//! The end of a process, in the words users know from Dkron.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Says how a process ended: `exit status 3`, `signal: killed`.
pub(super) fn exit_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let core = if status.core_dumped() { " (core dumped)" } else { "" };
            format!("signal: {}{core}", signal_text(signal))
        }
        (None, None) => status.to_string(),
    }
}

/// Names a signal.
fn signal_text(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_signals_and_cores_are_told_apart() {
        let check = |wait_status: i32, want: &str| {
            assert_eq!(exit_text(ExitStatus::from_raw(wait_status)), want);
        };

        check(3 << 8, "exit status 3");
        check(127 << 8, "exit status 127");
        check(9, "signal: killed");
        check(15, "signal: terminated");
        check(11 | 0x80, "signal: segmentation fault (core dumped)");
        check(35, "signal: signal 35");
    }
}
