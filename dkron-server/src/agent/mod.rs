//! The life of a daemon process: start, serve, stop in good order.
//!
//! Everything that belongs to a process and not to a library is here: the logger, the limit of open
//! files, the signals, the orphans of process 1, the exit code.
//!
//! # Where to begin reading
//!
//! [`run`] and `live`.
//!
//! May use: `dkron_core`'s public names, [`api`](crate::api), [`config`](crate::config),
//! [`metrics`](crate::metrics), `clock`, `terminal`.

mod connections;
mod http;
mod log;
mod open_files;
mod reload;
mod signals;
mod stall;
mod summary;

use std::process::ExitCode;
use std::time::Duration;

use dkron_core::{Cluster, Config, Error, ErrorKind, Timestamp};

use self::http::HttpServer;
use self::reload::Reload;
use self::signals::{Signals, Wish};
use self::summary::Summary;
use crate::api::{Api, Bodies, Leave, Streams};
use crate::clock;
use crate::config::{ConfigFaults, LogFormat, Settings};
use crate::metrics::{Collector, Feed, Monitor};
use crate::terminal::complain;

/// Exit code of a start that failed, of a node that stopped itself, and of a stop that was cut off.
const FAILED: u8 = 1;

/// Threads that serve the API.
const HTTP_THREADS: usize = 2;

/// How long answers that are being written may take after the node has stopped.
const HTTP_GRACE: Duration = Duration::from_secs(2);

/// Runs a node until it is told to stop. `load` reads its settings again.
///
/// Exit codes: 0 after a stop in good order, 1 otherwise.
pub(crate) fn run(
    settings: Settings,
    load: impl Fn() -> Result<Settings, ConfigFaults> + Send + 'static,
) -> ExitCode {
    let started_at = clock::now();
    let level = log::install(settings.log_level, settings.log_format);
    let reload = Reload::new(settings.clone(), load, level);
    // Before anybody asks how many files there are to share.
    let open_files = open_files::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(HTTP_THREADS)
        .thread_name("dkron-http")
        .enable_all()
        .build();
    let lived = match runtime {
        Ok(runtime) => {
            let lived = runtime.block_on(live(&settings, open_files, reload, started_at));
            // What still runs has had its time.
            runtime.shutdown_background();
            lived
        }
        Err(error) => Err(format!("start the runtime: {error}")),
    };
    match lived {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            match settings.log_format {
                LogFormat::Text => complain(fault),
                LogFormat::Json => tracing::error!(fault, "agent: ended with a fault"),
            }
            ExitCode::from(FAILED)
        }
    }
}

/// Starts the node, serves until somebody wishes otherwise, stops it.
///
/// `open_files` is the limit that commands get, unless they get this process's.
async fn live(
    settings: &Settings,
    open_files: Option<u64>,
    reload: Reload,
    started_at: Timestamp,
) -> Result<(), String> {
    tell_sources(settings);
    if !settings.is_server {
        return Err(NOT_A_SERVER.to_owned());
    }
    let mut signals =
        Signals::listen(reload).map_err(|error| format!("listen for signals: {error}"))?;
    // The address is taken before the data is opened: of two faults the quicker one is told first.
    let http = HttpServer::bind(&settings.http_address).await?;
    tracing::info!(node = %settings.node_name, "agent: Dkron agent starting");
    let cluster = tokio::select! {
        started = start_node(settings, open_files) => started.map_err(|error| error.report())?,
        // What is on disk is whole at any instant; the end of the process ends the start.
        wish = signals.next() => return Err(format!("{wish} during the start: ended at once")),
    };
    if settings.bootstrap_expect == 0 && !cluster.health().has_rejoined {
        tracing::info!(
            "agent: neither bootstrap-expect nor anybody to join: formed a cluster of one"
        );
    }
    let reaper = tokio::spawn(signals::reap_orphans_if_first_process());

    let leave = Leave::default();
    let monitor = Monitor::new(cluster.clone(), started_at);
    let api = Api {
        cluster: cluster.clone(),
        server_zone: settings.server_zone,
        peer_address: settings.peer_address.clone(),
        spool_dir: settings.data_dir.clone(),
        bodies: Bodies::default(),
        streams: Streams::within(connections::affordable()),
        leave: leave.clone(),
        monitor: settings.has_metrics_page.then(|| monitor.clone()),
    };
    Summary::of(settings, &cluster, http.address()).print();
    let (address, node) = (http.address(), &settings.node_name);
    tracing::info!(%address, %node, "api: Running HTTP server");
    let served = http.serve(crate::api::router(api));
    let feed = tokio::spawn(feed(settings, monitor).run());

    let ended = tokio::select! {
        wish = signals.next() => Ok(wish),
        () = leave.asked() => Ok(Wish::Leave),
        fault = cluster.stopped_itself() => Err(fault),
    };
    let stopped = match ended {
        Ok(wish) => stop(&cluster, wish, &mut signals).await,
        Err(fault) => Err(give_up(&cluster, fault, &mut signals).await),
    };
    served.stop(HTTP_GRACE).await;
    reaper.abort();
    feed.abort();
    stopped
}

/// Says where the settings come from, and what is odd about them.
fn tell_sources(settings: &Settings) {
    for remark in &settings.remarks {
        tracing::warn!("config: {remark}");
    }
    match &settings.file {
        Some(file) => tracing::info!(file = %file.display(), "config: using file"),
        None => tracing::info!("config: no file found: applying default values"),
    }
}

/// Makes what sends the metrics to those who collect them.
fn feed(settings: &Settings, monitor: Monitor) -> Feed {
    let statsd = settings.statsd_address.clone().map(Collector::statsd);
    let tags = &settings.dog_statsd_tags;
    let dog_statsd = settings.dog_statsd_address.clone();
    let dog_statsd = dog_statsd.map(|address| Collector::dog_statsd(address, tags));
    Feed::new(monitor, statsd.into_iter().chain(dog_statsd).collect())
}

const NOT_A_SERVER: &str = "an agent without --server needs servers to join, and joining is not \
                            available in this version; start a node of its own with: dkron agent \
                            --server --bootstrap-expect=1";

async fn start_node(settings: &Settings, open_files: Option<u64>) -> Result<Cluster, Error> {
    let mut config = Config::new(&settings.node_name)
        .data_dir(&settings.data_dir)
        .region(&settings.region)
        .datacenter(&settings.datacenter)
        .server_timezone(settings.server_zone.name())
        .shutdown_timeout(settings.shutdown_timeout)
        .job_metrics(settings.has_metrics_page || settings.dog_statsd_address.is_some());
    if let Some(runs) = settings.shell_runs {
        config = config.shell_runs(runs);
    }
    if let Some(files) = open_files {
        config = config.shell_open_files(files);
    }
    // As in Dkron, what a node says of itself wins silently over what a file says of it.
    let is_own = |key: &String| !Config::RESERVED_TAGS.contains(&key.as_str());
    for (key, value) in settings.tags.iter().filter(|(key, _)| is_own(key)) {
        config = config.tag(key, value);
    }
    // What other nodes, and jobs, know a Dkron server by. Dkron's users cannot change these either.
    let rpc_addr = format!("{}:{}", settings.peer_address.0, settings.rpc_port);
    config = config.tag("port", settings.rpc_port.to_string()).tag("rpc_addr", rpc_addr);
    if settings.bootstrap_expect > 0 {
        config = config.tag("expect", settings.bootstrap_expect.to_string());
    }
    Cluster::start(config).await
}

/// Ends what still runs on a node that has stopped itself, and says why it has.
async fn give_up(cluster: &Cluster, fault: String, signals: &mut Signals) -> String {
    tracing::error!(fault, "agent: the node has stopped itself, ending what runs");
    tokio::select! {
        // Its error is the fault, or what follows from it.
        _ = cluster.shutdown() => {}
        wish = signals.next() => end_at_once(cluster, &format!("{wish}: ended at once")).await,
    }
    format!("the node has stopped itself: {fault}")
}

/// Stops the node in good order; a second wish cuts that short.
async fn stop(cluster: &Cluster, wish: Wish, signals: &mut Signals) -> Result<(), String> {
    tracing::info!("agent: {wish}, stopping; a second signal ends the process at once");
    let running = cluster.health().running;
    if running > 0 {
        tracing::info!(running, "agent: waiting for jobs to finish");
    }
    tokio::select! {
        stopped = cluster.shutdown() => match stopped {
            Ok(()) => {
                tracing::info!("agent: stopped");
                Ok(())
            }
            Err(error) => Err(format!("stop the node: {}", error.report())),
        },
        wish = signals.next() => {
            let why = format!("{wish} again: ended at once");
            end_at_once(cluster, &why).await;
            Err(why)
        }
    }
}

/// Ends what runs, within two seconds, for the process does not wait for it any longer: nobody
/// would watch it afterwards.
async fn end_at_once(cluster: &Cluster, why: &str) {
    tracing::warn!("agent: {why}");
    match cluster.end_runs_at_once().await {
        Ok(0) => {}
        Ok(left) => tracing::error!(left, "agent: runs do not end: left behind"),
        // They have ended with the node.
        Err(error) if error.kind() == ErrorKind::Stopped => {}
        Err(error) => tracing::error!(error = error.report(), "agent: runs are left behind"),
    }
}
