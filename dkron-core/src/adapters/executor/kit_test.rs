//! One run under test: its context, its output, its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::kernel::model::{ExecutionId, JobName};
use crate::kernel::time::Timestamp;
use crate::ports::{
    CapturedOutput, ExecutorPort, Output, OutputCapture, OutputNews, OutputWriter, RunContext,
    RunEnd, RunOutcome,
};

/// One run, and what it writes.
pub(super) struct TestRun {
    executor: Arc<dyn ExecutorPort>,
    pub(super) context: RunContext,
    pub(super) capture: Arc<OutputCapture>,
}

impl TestRun {
    /// Prepares a run of the job `backup`, second attempt, with this configuration.
    pub(super) fn new(executor: Arc<dyn ExecutorPort>, keys: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let capture = OutputCapture::new();
        let keys: BTreeMap<String, String> =
            keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let execution = format!("{count}-test-{}", std::process::id());
        let context = RunContext {
            job: JobName::parse("backup").unwrap(),
            execution: ExecutionId::parse(&execution).unwrap(),
            fire_time: Timestamp::parse_rfc3339("2026-03-01T04:05:06Z").unwrap(),
            attempt: 2,
            token: 77,
            instance: u64::from(std::process::id()) << 32 | count as u64,
            config: keys.into(),
            timeout: None,
            output: capture.writer(),
            cancel: CancellationToken::new(),
        };
        Self { executor, context, capture }
    }

    /// Sends its output to a slow place, and returns that.
    pub(super) fn slow_down(&mut self) -> Arc<SlowOutput> {
        let output = Arc::new(SlowOutput::default());
        self.context.output = OutputWriter::new(Arc::clone(&output) as Arc<dyn Output>);
        output
    }

    /// Starts it without waiting for its end.
    pub(super) fn start(&self) -> JoinHandle<RunEnd> {
        tokio::spawn(self.executor.run(self.context.clone()))
    }

    /// Runs it, with a bound that no test comes near.
    pub(super) async fn end(&self) -> RunEnd {
        let run = self.executor.run(self.context.clone());
        timeout(Duration::from_secs(120), run).await.expect("the run ends")
    }

    /// Runs it and returns what is kept, error in front.
    pub(super) async fn output(&self) -> CapturedOutput {
        let end = self.end().await;
        self.capture.finish(end.error.as_deref())
    }

    /// Waits until the run has written a line that begins so; returns the line.
    pub(super) async fn line(&self, start: &str) -> String {
        let mut follower = self.capture.follow(0);
        let mut text = String::new();
        let seen = async {
            loop {
                match follower.next().await {
                    Some(OutputNews::Output { bytes, .. }) => {
                        text.push_str(std::str::from_utf8(&bytes).unwrap());
                    }
                    other => panic!("the output ended with {text:?}, {other:?}"),
                }
                let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
                if let Some(line) = whole.lines().find(|line| line.starts_with(start)) {
                    return line.to_owned();
                }
            }
        };
        timeout(Duration::from_secs(30), seen).await.expect("the run gets so far")
    }
}

/// Takes its time with what it is given: who writes to it is always behind who writes to the run.
#[derive(Default)]
pub(super) struct SlowOutput {
    /// Tells of each write.
    pub(super) wrote: Notify,
}

impl Output for SlowOutput {
    fn write(&self, _: &[u8]) {
        self.wrote.notify_one();
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
    }

    fn progress(&self, _: f64, _: &str) {}
}

/// Compares what was kept with a text.
#[track_caller]
pub(super) fn assert_output(output: &CapturedOutput, want: &str) {
    assert_eq!(String::from_utf8_lossy(&output.bytes), want);
}

/// The end of a run; no error if it is empty.
pub(super) fn ended(outcome: RunOutcome, error: &str) -> RunEnd {
    RunEnd { outcome, error: (!error.is_empty()).then(|| error.to_owned()) }
}

/// Sees that output that never lets up holds off neither a timeout nor a cancellation.
///
/// Both runs write faster than their output is taken; `timed` has a short timeout. The texts are
/// the errors with which they shall end.
pub(super) async fn check_flood(
    mut timed: TestRun,
    timed_out: &str,
    mut cancelled: TestRun,
    was_cancelled: &str,
) {
    timed.slow_down();
    let started = Instant::now();
    assert_eq!(timed.end().await, ended(RunOutcome::Failed, timed_out));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());

    let output = cancelled.slow_down();
    let end = cancelled.start();
    output.wrote.notified().await;
    cancelled.context.cancel.cancel();
    let started = Instant::now();
    let end = timeout(Duration::from_secs(30), end).await.unwrap().unwrap();
    assert_eq!(end, ended(RunOutcome::Cancelled, was_cancelled));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// Runs a test again in a process of its own, prepared by a line of shell; true in that process.
///
/// For what a process has once: its environment, its limits, its open files, its children.
#[track_caller]
pub(super) fn is_alone(module: &str, test: &str, setup: &str) -> bool {
    const INSIDE: &str = "TEST_IN_A_PROCESS_OF_ITS_OWN";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let (_, module) = module.split_once("::").unwrap();

    let output = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("{setup}\nexec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::{test}"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();

    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{stderr}");
    false
}

/// Returns the memory that this process holds, in bytes.
pub(super) fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
