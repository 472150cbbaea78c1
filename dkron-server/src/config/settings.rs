//! What the options mean: checked together, with every fault told at once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use dkron_core::Zone;

use super::address::{self, InterfaceAddress};
use super::options::OPTIONS;
use super::reader::Reader;
use super::sources::Sources;
use super::{file, server_zone};

/// Port for other nodes when an address names none.
const BIND_PORT: u16 = 8946;

/// Port of the API when its address names none.
const HTTP_PORT: u16 = 8080;

/// The settings of `dkron agent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file they came from, in part.
    pub file: Option<PathBuf>,
    /// What should be told though it is no fault.
    pub remarks: Vec<String>,
    /// Take part in the cluster and serve the API.
    pub is_server: bool,
    /// Identity of the node.
    pub node_name: String,
    /// Host and port of this node for other nodes.
    pub peer_address: (String, u16),
    /// RPC port of this node for other nodes.
    pub rpc_port: u16,
    /// Host and port of the HTTP API; an empty host = every address.
    pub http_address: (String, u16),
    /// How many servers form a new cluster; 0 = not said.
    pub bootstrap_expect: u32,
    /// Where log and state are.
    pub data_dir: PathBuf,
    /// Tag `dc`.
    pub datacenter: String,
    /// Region.
    pub region: String,
    /// Tags of the user.
    pub tags: BTreeMap<String, String>,
    /// Least level of log lines.
    pub log_level: LogLevel,
    /// Form of log lines.
    pub log_format: LogFormat,
    /// How many commands run at once; `None` = as many as the library chooses.
    pub shell_runs: Option<usize>,
    /// How long a stop waits for running jobs.
    pub shutdown_timeout: Duration,
    /// Serve metrics.
    pub has_metrics_page: bool,
    /// Host and port of the statsd server that metrics are sent to.
    pub statsd_address: Option<(String, u16)>,
    /// Host and port of the DogStatsD agent that metrics are sent to.
    pub dog_statsd_address: Option<(String, u16)>,
    /// Tags of each metric that is sent there.
    pub dog_statsd_tags: Vec<String>,
    /// The zone of schedules that name none.
    pub server_zone: Zone,
    /// What is in force for each option, as it was written; for [`Settings::changed_since`].
    in_force: BTreeMap<&'static str, Vec<String>>,
}

/// Least level of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens.
    #[default]
    Info,
    /// What should not.
    Warn,
    /// What failed; `fatal` and `panic` are the same.
    Error,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// As Dkron writes them: `time="…" level=info msg="…" key=value`.
    #[default]
    Text,
    /// One object of JSON a line.
    Json,
}

/// Everything that is wrong with a configuration, one fault a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults(pub Vec<String>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigFaults {}

impl Settings {
    /// Reads the settings, given what stands on the command line.
    ///
    /// `env` answers for the name of an environment variable; the file is looked for where `config`
    /// says, else in `/etc/dkron`, `$HOME/.dkron` and `./config`.
    ///
    /// # Errors
    ///
    /// [`ConfigFaults`]: every option that is not accepted, or just the file if it is broken.
    pub fn load(
        mut sources: Sources,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigFaults> {
        sources.add_env(&env);
        let named = sources.get("config").and_then(|given| given.values.first()).map(PathBuf::from);
        let home = env("HOME").map(PathBuf::from);
        let directories = file::directories(home.as_deref().filter(|home| home.is_absolute()));
        file::add(&mut sources, named.as_deref(), &directories)
            .map_err(|fault| ConfigFaults(vec![fault]))?;
        Self::from_sources(sources, env("TZ").as_deref(), &address::interfaces(), host_name())
    }

    fn from_sources(
        mut sources: Sources,
        tz: Option<&str>,
        interfaces: &[InterfaceAddress],
        host_name: String,
    ) -> Result<Self, ConfigFaults> {
        let mut reader = Reader::new(&sources, interfaces);
        reader.look_for_missing();
        let bind = reader.address("bind-addr", BIND_PORT);
        // Set without a port, it shares the port on which the node listens.
        let advertise = match reader.text("advertise-addr").as_str() {
            "" => bind.clone(),
            _ => reader.address("advertise-addr", bind.port),
        };
        let rpc_port = reader.number("rpc-port", 0..=65_535);
        let rpc_port = match reader.number("advertise-rpc-port", 0..=65_535) {
            0 => rpc_port,
            advertised => advertised,
        };
        let http = reader.address("http-addr", HTTP_PORT);
        let log_level = reader.log_level();
        let mut settings = Self {
            file: None,
            remarks: Vec::new(),
            is_server: reader.bool("server"),
            node_name: Some(reader.text("node-name"))
                .filter(|n| !n.is_empty())
                .unwrap_or(host_name),
            peer_address: (address::shown_host(advertise.host, interfaces), advertise.port),
            rpc_port: u16::try_from(rpc_port).unwrap_or_default(),
            http_address: (http.host, http.port),
            bootstrap_expect: reader.number("bootstrap-expect", 0..=u32::MAX),
            data_dir: PathBuf::from(reader.text("data-dir")),
            datacenter: reader.text("datacenter"),
            region: reader.text("region"),
            tags: reader.tags(),
            log_level: log_level.unwrap_or_default(),
            log_format: reader.log_format(),
            shell_runs: reader.shell_runs(),
            shutdown_timeout: reader.duration("shutdown-timeout"),
            has_metrics_page: reader.bool("enable-prometheus"),
            statsd_address: reader.collector("statsd-addr"),
            dog_statsd_address: reader.collector("dog-statsd-addr"),
            dog_statsd_tags: reader.list("dog-statsd-tags"),
            server_zone: server_zone::server_zone(tz),
            in_force: OPTIONS
                .iter()
                .map(|option| (option.name, sources.in_force(option)))
                .collect(),
        };
        if settings.bootstrap_expect > 1 {
            let missing = "servers beside this one; clusters of several nodes are not available \
                           in this version, use 1";
            reader.fault("bootstrap-expect", &format!("waits for {missing}"));
        }
        let faults = std::mem::take(&mut reader.faults);
        if !faults.is_empty() {
            return Err(ConfigFaults(faults));
        }
        if log_level.is_none() {
            let remark =
                "log-level is none of debug, info, warn, error, fatal, panic; info is used";
            settings.remarks.push(remark.to_owned());
        }
        settings.remarks.append(&mut reader.remarks);
        settings.remarks.append(&mut sources.remarks);
        settings.file = sources.file;
        Ok(settings)
    }

    /// Returns the names of the options that say something else than in `before`.
    pub fn changed_since(&self, before: &Self) -> Vec<&'static str> {
        let is_changed =
            |name: &&&'static str| self.in_force.get(*name) != before.in_force.get(*name);
        let mut changed: Vec<_> = self.in_force.keys().filter(is_changed).copied().collect();
        // They may also stand in a map of the file.
        if self.tags != before.tags && !changed.contains(&"tag") {
            changed.push("tags");
        }
        changed
    }

    /// Takes over what other settings say for one option, so that it no longer counts as changed.
    pub fn adopt(&mut self, name: &'static str, other: &Self) {
        if let Some(values) = other.in_force.get(name) {
            self.in_force.insert(name, values.clone());
        }
    }

    /// Returns the data directory as an absolute path, where that can be told.
    pub fn data_dir_absolute(&self) -> PathBuf {
        std::path::absolute(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone())
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

impl LogLevel {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_lowercase().as_str() {
            "debug" | "trace" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "error" | "fatal" | "panic" => Some(Self::Error),
            _ => None,
        }
    }
}

fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "dkron".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::options::Opt;
    use super::super::sources::Origin;
    use super::*;

    /// Reads settings from flags alone, on a machine with one private address.
    fn read(flags: &[(&str, &[&str])]) -> Result<Settings, ConfigFaults> {
        let mut sources = Sources::default();
        for (name, values) in flags {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            sources.add(Opt::find(name).unwrap(), values, Origin::Flag);
        }
        let interfaces = [InterfaceAddress {
            interface: "eth0".to_owned(),
            ip: "10.0.0.7".parse().unwrap(),
            is_loopback: false,
            is_default: true,
        }];
        Settings::from_sources(sources, Some("UTC"), &interfaces, "host1".to_owned())
    }

    #[test]
    fn the_defaults_are_those_of_dkron() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.node_name, "host1");
        assert_eq!(settings.peer_address, ("10.0.0.7".to_owned(), 8946));
        assert_eq!(settings.rpc_port, 6868);
        assert_eq!(settings.http_address, (String::new(), 8080));
        assert_eq!(settings.data_dir, Path::new("dkron.data"));
        assert_eq!((settings.datacenter.as_str(), settings.region.as_str()), ("dc1", "global"));
        assert_eq!(settings.log_level, LogLevel::Info);
        assert!(!settings.is_server);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = read(&[
            ("rpc-port", &["x"]),
            ("server", &["maybe"]),
            ("tag", &["a=b", "nonsense"]),
            ("http-addr", &["{{ Nothing }}"]),
            ("shutdown-timeout", &["5"]),
            ("shell-runs", &["65537"]),
        ])
        .unwrap_err();
        for wanted in
            ["rpc-port", "server", "'nonsense'", "http-addr", "shutdown-timeout", "shell-runs"]
        {
            assert!(faults.to_string().contains(wanted), "{wanted} in {faults}");
        }
        assert_eq!(faults.0.len(), 6);
    }

    #[test]
    fn commands_are_bounded_as_asked_or_as_the_library_chooses() {
        for (given, want) in [("0", None), ("1", Some(1)), ("65536", Some(65_536))] {
            assert_eq!(read(&[("shell-runs", &[given])]).unwrap().shell_runs, want);
        }
    }

    #[test]
    fn options_without_their_function_are_refused_unless_they_ask_for_nothing() {
        let faults = read(&[("otel-endpoint", &["n2:4317"])]).unwrap_err();
        assert!(faults.to_string().contains("--otel-endpoint is not available"), "{faults}");
        assert!(read(&[("otel-endpoint", &[""])]).is_ok());
        assert!(read(&[("bootstrap-expect", &["3"])]).is_err());
    }

    #[test]
    fn options_of_clusters_are_checked_and_remarked_unless_they_ask_for_nothing() {
        let settings = read(&[("retry-join", &["n2"]), ("raft-multiplier", &["5"])]).unwrap();
        assert_eq!(settings.remarks.len(), 2, "{:?}", settings.remarks);
        let wanted = "--retry-join has no effect yet: this version has no clusters";
        assert!(settings.remarks.iter().any(|it| it.contains(wanted)), "{:?}", settings.remarks);
        let plain = read(&[("raft-multiplier", &["1"]), ("serf-reconnect-timeout", &["24h0m"])]);
        assert_eq!(plain.unwrap().remarks, Vec::<String>::new());
        assert!(read(&[("retry-interval", &["soon"])]).is_err());
    }

    #[test]
    fn what_changed_between_two_readings_is_named_until_it_is_adopted() {
        let before = read(&[("log-level", &["info"]), ("tag", &["a=b"])]).unwrap();
        let after = read(&[("log-level", &["debug"]), ("rpc-port", &["7000"])]).unwrap();
        assert_eq!(after.changed_since(&before), ["log-level", "rpc-port", "tag"]);
        assert_eq!(after.changed_since(&after), Vec::<&str>::new());

        let mut adopted = before;
        adopted.adopt("log-level", &after);
        assert_eq!(after.changed_since(&adopted), ["rpc-port", "tag"]);
    }

    #[test]
    fn an_advertised_address_without_port_has_the_port_of_the_bound_one() {
        let flags: [(&str, &[&str]); 2] =
            [("bind-addr", &["0.0.0.0:7000"]), ("advertise-addr", &["n1.example.org"])];
        let settings = read(&flags).unwrap();
        assert_eq!(settings.peer_address, ("n1.example.org".to_owned(), 7000));
    }

    #[test]
    fn log_lines_are_text_or_json_and_nothing_else() {
        let read_format = |format| read(&[("log-format", &[format])]).map(|read| read.log_format);
        assert_eq!(read(&[]).unwrap().log_format, LogFormat::Text);
        assert_eq!(read_format("JSON"), Ok(LogFormat::Json));
        let faults = read_format("xml").unwrap_err();
        assert!(faults.to_string().contains("text or json"), "{faults}");
    }

    #[test]
    fn a_collector_has_a_port_and_is_this_machine_unless_said_otherwise() {
        let collector = |address| read(&[("statsd-addr", &[address])]).unwrap().statsd_address;
        assert_eq!(collector(""), None);
        assert_eq!(collector("stats.example.org:8126"), Some(("stats.example.org".into(), 8126)));
        assert_eq!(collector(":8126"), Some(("localhost".into(), 8126)));
        assert_eq!(collector("[::1]"), Some(("::1".into(), 8125)));
        assert!(read(&[("dog-statsd-addr", &["host:x"])]).is_err());
        let tags = read(&[("dog-statsd-tags", &["a:b", "c"])]).unwrap().dog_statsd_tags;
        assert_eq!(tags, ["a:b", "c"]);
    }

    #[test]
    fn an_unknown_log_level_is_remarked_and_info_is_used() {
        let settings = read(&[("log-level", &["loud"])]).unwrap();
        assert_eq!(settings.log_level, LogLevel::Info);
        assert_eq!(settings.remarks.len(), 1);
    }
}
