//! The reaper of orphans, in a process of its own that inherits them.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::table;
use super::{OwnedChild, reap_orphans};
use crate::adapters::executor::ShellExecutor;
use crate::adapters::executor::kit_test::is_alone;
use crate::kernel::model::{ExecutionId, JobName};
use crate::kernel::time::Timestamp;
use crate::ports::{ExecutorPort, OutputCapture, RunContext};

/// Runs a command and returns its error text.
async fn error_of(shell: &ShellExecutor, command: &str, number: usize) -> Option<String> {
    let keys = [("command", command), ("shell", "true")];
    let keys = keys.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let execution = format!("{number}-reap-{}", std::process::id());
    let context = RunContext {
        job: JobName::parse("orphans").unwrap(),
        execution: ExecutionId::parse(&execution).unwrap(),
        fire_time: Timestamp::UNIX_EPOCH,
        attempt: 1,
        token: number as u64,
        instance: u64::from(std::process::id()) << 32,
        config: BTreeMap::from(keys).into(),
        timeout: None,
        output: OutputCapture::new().writer(),
        cancel: CancellationToken::new(),
    };
    shell.run(context).await.error
}

fn children() -> Vec<table::Process> {
    let me = i32::try_from(std::process::id()).unwrap();
    table::scan().unwrap().into_iter().filter(|process| process.parent == me).collect()
}

/// What happens in the process that inherits orphans.
async fn inherit() {
    set_child_subreaper(true).unwrap();
    let stop = CancellationToken::new();
    let reaper = tokio::spawn(reap_orphans(stop.clone()));
    let mut slow = Command::new("true").spawn().unwrap();
    let claim = OwnedChild::claim(i32::try_from(slow.id()).unwrap(), "");
    let shell = ShellExecutor::new();

    // Each leaves an orphan behind that ends at once, and one that lives for a moment.
    let started = Instant::now();
    let mut runs = 0;
    while started.elapsed() < Duration::from_secs(3) {
        runs += 1;
        let command = "(true &) ; (sleep 0.2 >/dev/null 2>&1 &) ; exit 7";
        assert_eq!(error_of(&shell, command, runs).await.as_deref(), Some("exit status 7"));
    }

    let mut ticks = interval(Duration::from_millis(50));
    let all_reaped = async {
        while children().iter().any(|child| child.pid as u32 != slow.id()) {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(20), all_reaped).await.expect("all orphans are reaped");
    assert_eq!(children().len(), 1, "the claimed child is still there");
    assert!(slow.wait().unwrap().success());
    drop(claim);
    stop.cancel();
    timeout(Duration::from_secs(5), reaper).await.expect("the reaper stops").unwrap();
    assert!(runs > 20, "{runs}");
}

/// Goal: orphans go, and no run loses its status.
/// Method: this very test again, in a process that inherits orphans, so that no other test does.
#[test]
fn orphans_are_reaped_and_no_run_loses_its_status() {
    if is_alone(module_path!(), "orphans_are_reaped_and_no_run_loses_its_status", "") {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(inherit());
    }
}
