//! How a node is set up: every setting with its default and range, checked as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;
use crate::kernel::time::Zone;
use crate::limits::{JOB_MAP_ENTRIES_MAX, JOB_TEXT_BYTES_MAX, POLICY_SPAN_MAX, RUNS_MAX};

/// Where a node keeps the log and the state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataLocation {
    /// In a directory, which is made if it is missing; one process at a time.
    Dir(PathBuf),
    /// In memory: everything is gone with the process. For tests.
    Memory,
}

/// The settings of a node.
///
/// Starts from defaults that suit a program that embeds the scheduler; [`Cluster::start`] checks
/// them and reports every fault at once.
///
/// ```
/// use dkron_core::Config;
///
/// let config = Config::new("web-1").data_dir("./dkron.data").tag("pool", "web");
/// assert!(config.validate().is_ok());
/// assert!(Config::new("").raft_multiplier(11).validate().is_err());
/// ```
///
/// [`Cluster::start`]: crate::Cluster::start
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) node_name: String,
    pub(crate) data: DataLocation,
    pub(crate) region: String,
    pub(crate) datacenter: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) server_timezone: String,
    pub(crate) raft_multiplier: u32,
    pub(crate) worker_threads: usize,
    pub(crate) handler_threads: usize,
    pub(crate) shell_runs: Option<usize>,
    pub(crate) shell_open_files: Option<u64>,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) job_metrics: bool,
    pub(crate) allow_network_storage: bool,
}

/// The greatest `raft_multiplier`.
const RAFT_MULTIPLIER_MAX: u32 = 10;

/// Most threads of either kind.
const THREADS_MAX: usize = 1_024;

impl Config {
    /// Tags that every node sets itself: where it is, what it is, and which version.
    ///
    /// `dkron_server` is how old guides select servers.
    pub const RESERVED_TAGS: [&'static str; 6] =
        ["dc", "dkron_server", "region", "role", "server", "version"];

    /// Starts from the defaults, with data in `./dkron.data`.
    ///
    /// The name is the node's identity in the cluster, whatever its address becomes: 1 to
    /// [`limits::NODE_NAME_BYTES_MAX`](crate::limits::NODE_NAME_BYTES_MAX) bytes, and the same
    /// each time the node starts on the same data.
    pub fn new(node_name: impl Into<String>) -> Self {
        Self {
            node_name: node_name.into(),
            data: DataLocation::Dir(PathBuf::from("dkron.data")),
            region: "global".to_owned(),
            datacenter: "dc1".to_owned(),
            tags: BTreeMap::new(),
            server_timezone: "UTC".to_owned(),
            raft_multiplier: 1,
            worker_threads: 2,
            handler_threads: 16,
            shell_runs: None,
            shell_open_files: None,
            shutdown_timeout: Duration::from_secs(10),
            job_metrics: false,
            allow_network_storage: false,
        }
    }

    /// Keeps log and state in `path`, relative to the working directory.
    ///
    /// Its disk should have four times the size of the state: snapshots and the log take the rest.
    #[must_use]
    pub fn data_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.data = DataLocation::Dir(path.as_ref().to_owned());
        self
    }

    /// Keeps log and state in memory: everything is gone with the process.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.data = DataLocation::Memory;
        self
    }

    /// Sets the region: jobs run on nodes of the leader's region only. Default `global`.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets the tag `dc`. Default `dc1`.
    #[must_use]
    pub fn datacenter(mut self, datacenter: impl Into<String>) -> Self {
        self.datacenter = datacenter.into();
        self
    }

    /// Adds a tag that jobs can select nodes by.
    ///
    /// Those of [`Config::RESERVED_TAGS`] are set by the node, and refused here.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Sets the IANA zone of schedules that name none. Default `UTC`.
    #[must_use]
    pub fn server_timezone(mut self, zone: impl Into<String>) -> Self {
        self.server_timezone = zone.into();
        self
    }

    /// Stretches the timing of elections and heartbeats: 1 (default) to 10.
    #[must_use]
    pub fn raft_multiplier(mut self, multiplier: u32) -> Self {
        self.raft_multiplier = multiplier;
        self
    }

    /// Sets how many threads async handlers and executors have: 1 to 1024, default 2.
    ///
    /// As many further ones, made when something starts, take the first step of each run. The
    /// node's own tasks have another thread: a handler that blocks holds up other runs at most.
    #[must_use]
    pub fn worker_threads(mut self, threads: usize) -> Self {
        self.worker_threads = threads;
        self
    }

    /// Sets how many synchronous handlers run at once: 1 to 1024, default 16.
    ///
    /// Threads are made when they are first needed; further runs wait in a queue.
    #[must_use]
    pub fn handler_threads(mut self, threads: usize) -> Self {
        self.handler_threads = threads;
        self
    }

    /// Sets how many commands of `shell` jobs run at once on this node: 1 to
    /// [`limits::RUNS_MAX`](crate::limits::RUNS_MAX).
    ///
    /// Further ones wait for a place, in the order of their claims, and are counted by
    /// [`Health::waiting`](crate::Health::waiting). Default
    /// [`limits::SHELL_RUNS_DEFAULT`](crate::limits::SHELL_RUNS_DEFAULT), or as many as the files
    /// that the process may open suffice for if that is less: 56 with a soft limit of 1,024. A
    /// number that is set here is kept, with a warning in the log if there are too few files.
    #[must_use]
    pub fn shell_runs(mut self, runs: usize) -> Self {
        self.shell_runs = Some(runs);
        self
    }

    /// Sets how many files commands of `shell` jobs may open: the soft limit that they start with.
    /// 1 or more; above the hard limit of this process it is that.
    ///
    /// For a program that has raised its own limit: commands should get the one it was started
    /// with, for some misbehave with a large one. Default: the limit that the program has when a
    /// command starts.
    #[must_use]
    pub fn shell_open_files(mut self, files: u64) -> Self {
        self.shell_open_files = Some(files);
        self
    }

    /// Sets how long a shutdown waits for running jobs before it ends them. Default 10 s.
    ///
    /// Ending them, and everything else, takes well under a second as a rule, and at most 23 s
    /// more.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Counts executions for each job by itself as well, for
    /// [`Cluster::job_metrics`](crate::Cluster::job_metrics). Default false.
    ///
    /// For at most [`limits::METRIC_JOBS_MAX`](crate::limits::METRIC_JOBS_MAX) jobs: those of which
    /// an execution ends first.
    #[must_use]
    pub fn job_metrics(mut self, counted: bool) -> Self {
        self.job_metrics = counted;
        self
    }

    /// Permits a data directory on a network or translated file system (NFS, SMB, 9p, FUSE).
    ///
    /// Memory-mapped databases are known to break there; the default is to refuse.
    #[must_use]
    pub fn allow_network_storage(mut self, allow: bool) -> Self {
        self.allow_network_storage = allow;
        self
    }

    /// Checks all settings together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] with every fault, one a line, each naming the setting, its
    /// value and what is accepted.
    pub fn validate(&self) -> Result<(), Error> {
        let mut faults = Faults::default();
        if let Err(error) = NodeName::parse(&self.node_name) {
            faults.add("node_name", &self.node_name, error);
        }
        if let Err(error) = Zone::parse(&self.server_timezone, Zone::UTC) {
            faults.add("server_timezone", &self.server_timezone, error);
        }
        if !(1..=RAFT_MULTIPLIER_MAX).contains(&self.raft_multiplier) {
            let accepted = format!("must be between 1 and {RAFT_MULTIPLIER_MAX}");
            faults.add("raft_multiplier", self.raft_multiplier, accepted);
        }
        for (name, threads) in
            [("worker_threads", self.worker_threads), ("handler_threads", self.handler_threads)]
        {
            if !(1..=THREADS_MAX).contains(&threads) {
                faults.add(name, threads, format!("must be between 1 and {THREADS_MAX}"));
            }
        }
        if let Some(runs) = self.shell_runs.filter(|runs| !(1..=RUNS_MAX).contains(runs)) {
            faults.add("shell_runs", runs, format!("must be between 1 and {RUNS_MAX}"));
        }
        if self.shell_open_files == Some(0) {
            faults.add("shell_open_files", 0, "must be at least 1");
        }
        if self.region.is_empty() {
            faults.add("region", "", "must not be empty");
        }
        if self.data == DataLocation::Dir(PathBuf::new()) {
            faults.add("data_dir", "", "must name a directory");
        }
        self.check_tags(&mut faults);
        if self.shutdown_timeout > POLICY_SPAN_MAX {
            let days = POLICY_SPAN_MAX.as_secs() / 86_400;
            let timeout = format!("{:?}", self.shutdown_timeout);
            faults.add("shutdown_timeout", timeout, format!("must be at most {days} days"));
        }
        faults.into_result()
    }

    fn check_tags(&self, faults: &mut Faults) {
        if self.tags.len() > JOB_MAP_ENTRIES_MAX {
            let accepted = format!("there must be at most {JOB_MAP_ENTRIES_MAX}");
            faults.add("tag", self.tags.len(), accepted);
        }
        for (key, value) in &self.tags {
            if key.is_empty() {
                faults.add("tag", key, "must have a name");
            } else if Self::RESERVED_TAGS.contains(&key.as_str()) {
                faults.add("tag", key, "is set by the node itself; choose another name");
            }
            if key.len().max(value.len()) > JOB_TEXT_BYTES_MAX {
                let shown: String = key.chars().take(64).collect();
                let accepted = format!("must have at most {JOB_TEXT_BYTES_MAX} bytes");
                faults.add("tag", shown, accepted);
            }
        }
    }

    /// Returns the tags the node shows: the user's and the reserved ones.
    pub(crate) fn all_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.insert("dc".to_owned(), self.datacenter.clone());
        tags.insert("dkron_server".to_owned(), "true".to_owned());
        tags.insert("region".to_owned(), self.region.clone());
        tags.insert("role".to_owned(), "dkron".to_owned());
        tags.insert("server".to_owned(), "true".to_owned());
        tags.insert("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        tags
    }
}

/// Collects what is wrong, so that nobody has to mend one setting after the other.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, setting: &str, value: impl fmt::Display, fault: impl fmt::Display) {
        self.0.push(format!("{setting} \"{value}\": {fault}"));
    }

    fn into_result(self) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let message = format!("invalid configuration: {}", self.0.join("\n"));
        Err(Error::new(ErrorKind::InvalidArgument, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_reported_at_once() {
        let config = Config::new("")
            .raft_multiplier(0)
            .worker_threads(0)
            .server_timezone("Mars/Phobos")
            .region("");

        let error = config.validate().unwrap_err();

        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        for setting in
            ["node_name", "raft_multiplier", "worker_threads", "server_timezone", "region"]
        {
            assert!(error.message().contains(setting), "{setting} in {}", error.message());
        }
    }

    #[test]
    fn a_node_carries_its_tags_and_the_reserved_ones() {
        let tags = Config::new("n").tag("pool", "web").all_tags();

        assert_eq!(tags.get("pool").map(String::as_str), Some("web"));
        assert_eq!(tags.get("region").map(String::as_str), Some("global"));
        for tag in Config::RESERVED_TAGS {
            assert!(tags.contains_key(tag), "{tag}");
        }
    }

    #[test]
    fn what_the_node_would_not_heed_is_refused() {
        let check = |config: Config, word: &str| {
            let error = config.validate().unwrap_err();
            assert!(error.message().contains(word), "{word} in {}", error.message());
        };
        let config = || Config::new("n").in_memory();
        config().validate().unwrap();
        for tag in Config::RESERVED_TAGS {
            check(config().tag(tag, "mine"), tag);
        }
        check(config().shell_runs(0), "shell_runs");
        check(config().shell_runs(RUNS_MAX + 1), "shell_runs");
        check(config().shell_open_files(0), "shell_open_files");
        check(config().tag("", "x"), "must have a name");
        check(config().tag("k", "x".repeat(JOB_TEXT_BYTES_MAX + 1)), "bytes");
        check(config().shutdown_timeout(Duration::MAX), "shutdown_timeout");
    }
}
