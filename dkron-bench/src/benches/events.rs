//! A thousand clients that listen to a thousand events a second: what reaches them, how soon, and
//! what that costs those who wait for their fire.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dkron_core::{Timestamp, parse_go_rfc3339};
use dkron_e2e::http::Http;
use dkron_e2e::stream::Stream;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Settings;
use crate::daemon_process::DaemonProcess;
use crate::node::now;
use crate::report::{Bound, Row};
use crate::sample::Sample;

const LISTENERS: usize = 1_000;

/// Writes a second, each an event; the runs below make forty more.
const WRITES_PER_S: usize = 960;

/// Clients that write, each one after the other.
const WRITERS: usize = 8;

/// Jobs that fire, each once in twenty seconds: twenty runs a second, whose lateness is measured.
const JOBS: usize = 400;
const PERIOD_S: usize = 20;

/// How long each of the three phases is measured.
const MEASURED: Duration = Duration::from_secs(40);

/// The longest wait for anything.
const BOUND: Duration = Duration::from_secs(30);

const FACTOR_MAX: f64 = 2.0;

/// Measures quiet, with writes alone, and with all who listen.
pub fn run(settings: &Settings) -> Result<Vec<Row>> {
    let folder = settings.folder()?;
    let daemon = DaemonProcess::start(folder.path())?;
    daemon.wait_for_leader()?;
    let mut http = Http::new(daemon.address);
    for number in 0..settings.count(JOBS) {
        let (name, second) = (format!("late-{number:03}"), number % PERIOD_S);
        let seconds = format!("{second},{},{}", second + PERIOD_S, second + 2 * PERIOD_S);
        create(&mut http, &name, &format!("{seconds} * * * * *"))?;
    }
    for number in 0..WRITERS {
        create(&mut http, &format!("written-{number}"), "@manually")?;
    }

    let quiet = lateness(daemon.address, settings)?;
    let writers = Writers::start(daemon.address);
    let written = lateness(daemon.address, settings)?;
    let listeners = settings.count(LISTENERS);
    let crowd = Crowd::start(daemon.address, listeners, settings.span(MEASURED))?;
    let crowded = lateness(daemon.address, settings)?;
    let heard = crowd.heard()?;
    writers.stop()?;

    let factor = crowded.quantile(0.99) / quiet.quantile(0.99);
    let told = heard.told as f64 / settings.span(MEASURED).as_secs_f64() / listeners as f64;
    let mut rows = vec![
        Row::free("clients that listen", listeners as f64, ""),
        Row::free("events told to each", told, "1/s"),
        Row::free("delivered", heard.delivered as f64, ""),
        Row::free("told to be missing", heard.missed as f64, ""),
        Row::new("neither", heard.lost() as f64, "", Bound::AtMost(0.0)),
    ];
    rows.extend(heard.delays.rows("from the event to the client", "ms", Bound::Free, Bound::Free));
    rows.extend(quiet.rows("lateness, quiet", "ms", Bound::Free, Bound::Free));
    rows.extend(written.rows(
        "lateness, events and nobody listens",
        "ms",
        Bound::Free,
        Bound::Free,
    ));
    rows.extend(crowded.rows("lateness, all listen", "ms", Bound::Free, Bound::Free));
    rows.push(Row::new("p99, all listen", factor, "× quiet", Bound::AtMost(FACTOR_MAX)));
    Ok(rows)
}

fn create(http: &mut Http, name: &str, schedule: &str) -> Result<()> {
    let job = json!({"name": name, "schedule": schedule, "executor": "shell",
                     "executor_config": {"command": "true"}});
    let answer = http.post("/v1/jobs", job.to_string())?;
    ensure!(answer.status == 201, "{}: {}", answer.status, answer.text());
    Ok(())
}

/// Measures how late runs start, as their events say.
fn lateness(address: SocketAddr, settings: &Settings) -> Result<Sample> {
    let path = "/v1/events?types=execution_started";
    let mut stream = Stream::open(address, path, &[], BOUND)?;
    let begun = Instant::now();
    let mut late_ms = Vec::new();
    while begun.elapsed() < settings.span(MEASURED) {
        let block = stream.read_until("\n\n", BOUND);
        let Some(data) = block.lines().find_map(|line| line.strip_prefix("data: ")) else {
            continue;
        };
        let run: Value = serde_json::from_str(data)?;
        let due = Timestamp::from_unix_ns(run["group"].as_i64().context("no group")?);
        let started = run["started_at"].as_str().and_then(|text| parse_go_rfc3339(text).ok());
        late_ms.push(started.context("no start")?.since(due).as_secs_f64() * 1e3);
    }
    ensure!(!late_ms.is_empty(), "nothing has started");
    Ok(Sample::new(late_ms))
}

/// Those who write.
struct Writers {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Writers {
    fn start(address: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let period = Duration::from_secs(1) * WRITERS as u32 / WRITES_PER_S as u32;
        let threads = (0..WRITERS).map(|number| {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                let (mut http, path) = (Http::new(address), format!("/v1/jobs/written-{number}"));
                let mut next = Instant::now();
                while !is_over.load(Ordering::Relaxed) {
                    let answer = http.post(&format!("{path}/toggle"), "")?;
                    ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
                    next += period;
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                }
                Ok(())
            })
        });
        let threads = threads.collect();
        Self { is_over, threads }
    }

    fn stop(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(_) => anyhow::bail!("a writer panicked"),
        })
    }
}

/// Those who listen, on a thread of their own.
struct Crowd {
    thread: JoinHandle<Result<Vec<Ear>>>,
}

/// What all of them heard.
struct Heard {
    told: u64,
    delivered: u64,
    missed: u64,
    delays: Sample,
}

impl Crowd {
    fn start(address: SocketAddr, listeners: usize, span: Duration) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let until = tokio::time::Instant::now() + span;
                let ears: Vec<_> =
                    (0..listeners).map(|_| tokio::spawn(Ear::listen(address, until))).collect();
                let mut heard = Vec::new();
                for ear in ears {
                    heard.push(ear.await??);
                }
                Ok(heard)
            })
        });
        Ok(Self { thread })
    }

    fn heard(self) -> Result<Heard> {
        let ears = self.thread.join().ok().context("the listeners panicked")??;
        let sum = |count: fn(&Ear) -> u64| ears.iter().map(count).sum();
        let delays = ears.iter().flat_map(|ear| ear.delays_ms.iter().copied()).collect();
        Ok(Heard {
            told: sum(|ear| ear.last - ear.first.unwrap_or(ear.last)),
            delivered: sum(|ear| ear.delivered),
            missed: sum(|ear| ear.missed),
            delays: Sample::new(delays),
        })
    }
}

impl Heard {
    fn lost(&self) -> u64 {
        self.told.saturating_sub(self.delivered + self.missed)
    }
}

/// One who listens and counts.
#[derive(Default)]
struct Ear {
    /// The number of the event behind which it began to listen.
    first: Option<u64>,
    last: u64,
    delivered: u64,
    missed: u64,
    delays_ms: Vec<f64>,
    is_gap: bool,
}

impl Ear {
    async fn listen(address: SocketAddr, until: tokio::time::Instant) -> Result<Self> {
        let mut ear = Self::default();
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: bench\r\n\r\n").await?;
        let mut bytes = Vec::with_capacity(1 << 16);
        while let Ok(read) = tokio::time::timeout_at(until, stream.read_buf(&mut bytes)).await {
            ensure!(read? > 0, "a listener was hung up on");
            let Some(end) = bytes.windows(2).rposition(|ends| ends == b"\n\n") else { continue };
            let at_ms = ear.take(bytes.get(..end).unwrap_or_default());
            bytes.drain(..end + 2);
            if let Some(at_ms) = at_ms {
                let now_ms = now().as_unix_ns() / 1_000_000;
                ear.delays_ms.push((now_ms - at_ms) as f64);
            }
        }
        Ok(ear)
    }

    /// Takes whole lines; returns when the last event in them was told, in milliseconds.
    fn take(&mut self, lines: &[u8]) -> Option<i64> {
        let mut told_ms = None;
        for line in lines.split(|byte| *byte == b'\n') {
            if let Some(kind) = line.strip_prefix(b"event: ") {
                self.is_gap = kind == b"gap";
                self.delivered += u64::from(!self.is_gap);
            } else if let Some(id) = line.strip_prefix(b"id: ") {
                let mut parts = std::str::from_utf8(id).ok()?.split('-').skip(1);
                self.last = parts.next()?.parse().ok()?;
                self.first.get_or_insert(self.last);
                told_ms = parts.next()?.parse().ok();
            } else if self.is_gap
                && let Some(data) = line.strip_prefix(b"data: ")
            {
                let gap: Value = serde_json::from_slice(data).ok()?;
                self.missed += gap["missed"].as_u64().unwrap_or(0);
            }
        }
        told_ms
    }
}
