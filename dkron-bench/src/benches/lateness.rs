//! How late do handlers start, beside timers of the runtime for the same instants?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use dkron_core::{Job, JobBuilder, Timestamp};

use crate::Settings;
use crate::node::{Node, idle_jobs, now};
use crate::report::{Bound, Row};
use crate::sample::Sample;

/// Jobs that are held and fire, each once in twenty seconds: fifty runs a second.
const JOBS: usize = 1_000;
const PERIOD_S: usize = 20;

/// Jobs that are held beside them.
const IDLE: usize = 100_000;

/// How long is measured: an instant that the machine slept through is one in a hundred of them.
const MEASURED: Duration = Duration::from_secs(110);

/// How long timers are measured.
const TIMERS_MEASURED: Duration = Duration::from_secs(20);

const P50_MS_MAX: f64 = 0.5;
const P99_MS_MAX: f64 = 3.0;

/// How much greater the p99 may be with a hundred thousand jobs beside.
const CROWDED_FACTOR_MAX: f64 = 1.5;

/// Measures alone, beside timers, and in a crowd.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    let folder = settings.folder()?;
    let node = Node::on_disk(folder.path())?;
    let lateness = Lateness::prepare(&node, settings)?;
    let alone = lateness.measure(settings)?;
    let timers = timers(settings)?;
    node.declare(idle_jobs(settings.count(IDLE)))?;
    let crowded = lateness.measure(settings)?;
    node.stop()?;

    let (p50, p99) = (Bound::AtMost(P50_MS_MAX), Bound::AtMost(P99_MS_MAX));
    let mut rows = alone.rows("handlers", "ms", p50, p99);
    rows.extend(timers.rows("tokio timers, same instants", "ms", Bound::Free, Bound::Free));
    let name = format!("handlers, {} idle jobs beside", settings.count(IDLE));
    rows.extend(crowded.rows(&name, "ms", p50, p99));
    rows.push(in_the_crowd(&alone, &crowded));
    Ok(rows)
}

/// Returns how much later handlers start with many jobs beside them.
pub fn in_the_crowd(alone: &Sample, crowded: &Sample) -> Row {
    let factor = crowded.quantile(0.99) / alone.quantile(0.99);
    Row::new("p99 in the crowd", factor, "× alone", Bound::AtMost(CROWDED_FACTOR_MAX))
}

/// Jobs whose handler notes how late it starts.
pub struct Lateness {
    noted_ms: Arc<Mutex<Vec<f64>>>,
    jobs: usize,
}

impl Lateness {
    /// Declares the jobs: fifty of them due at each second.
    ///
    /// # Errors
    ///
    /// If the node refuses them.
    pub fn prepare(node: &Node, settings: &Settings) -> Result<Self> {
        let noted_ms = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noted_ms);
        node.cluster.handle("note", move |context| {
            let late = now().since(context.fire_time());
            notes.lock().unwrap_or_else(PoisonError::into_inner).push(late.as_secs_f64() * 1e3);
            std::future::ready(Ok(String::new()))
        })?;
        let jobs = settings.count(JOBS);
        node.declare((0..jobs).map(job))?;
        Ok(Self { noted_ms, jobs })
    }

    /// Measures for a while.
    ///
    /// # Errors
    ///
    /// If fires are missing.
    pub fn measure(&self, settings: &Settings) -> Result<Sample> {
        let span = settings.span(MEASURED);
        // What was due while something else went on does not count.
        std::thread::sleep(Duration::from_secs(2));
        let take = || std::mem::take(&mut *self.noted_ms.lock().unwrap_or_else(|e| e.into_inner()));
        take();
        std::thread::sleep(span);
        let sample = Sample::new(take());
        let expected = self.jobs as f64 / PERIOD_S as f64 * span.as_secs_f64();
        // A second more or less may fall into the span.
        ensure!(
            sample.len() as f64 > expected * 0.9 - self.jobs as f64 / PERIOD_S as f64,
            "{} runs instead of {expected}",
            sample.len()
        );
        Ok(sample)
    }
}

fn job(number: usize) -> Result<Job> {
    let second = number % PERIOD_S;
    let seconds = format!("{second},{},{}", second + PERIOD_S, second + 2 * PERIOD_S);
    let job = JobBuilder::new(format!("late-{number:04}"));
    Ok(job.schedule(format!("{seconds} * * * * *")).handler("note").build()?)
}

/// Measures timers of a runtime like the node's: as many, for the same instants.
fn timers(settings: &Settings) -> Result<Sample> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let at_once = settings.count(JOBS) / PERIOD_S;
    let seconds = settings.span(TIMERS_MEASURED).as_secs();
    runtime.block_on(async move {
        let mut waiting = Vec::new();
        let begun = now();
        for second in 1..=seconds {
            let due = begun.truncate_to_s().saturating_add(Duration::from_secs(second + 1));
            for _ in 0..at_once {
                waiting.push(tokio::spawn(async move {
                    tokio::time::sleep(due.since(now())).await;
                    late_ms(due)
                }));
            }
        }
        let mut late = Vec::new();
        for timer in waiting {
            late.push(timer.await?);
        }
        Ok(Sample::new(late))
    })
}

fn late_ms(due: Timestamp) -> f64 {
    now().since(due).as_secs_f64() * 1e3
}
