//! The table of all options of `dkron agent`, in alphabetical order.

/// How an option is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptKind {
    /// `true` or `false`; a flag alone is `true`.
    Bool,
    /// A whole number.
    Number,
    /// A Go duration: `30s`, `1h30m`.
    Duration,
    /// Any text.
    Text,
    /// A list: repeated, or separated by commas.
    List,
}

/// Whether this version does what an option asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It does.
    Works,
    /// It does not yet, and a node does well without it: its form is checked, and that it has no
    /// effect is told. What is missing, in a few words.
    NoEffectYet(&'static str),
    /// It does not: any value but the default is refused. What is missing, in a few words.
    Missing(&'static str),
}

/// An option of `dkron agent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opt {
    /// Its name as a flag and in a file; in the environment `DKRON_` and upper case.
    pub name: &'static str,
    /// How it is written.
    pub kind: OptKind,
    /// The value without it, as text; `""` = none.
    pub default: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Whether it works.
    pub availability: Availability,
}

/// Letters by which a name may be mistyped and still be told.
const LIKE_EDITS_MAX: usize = 3;

const CLUSTER: Availability = Availability::NoEffectYet("clusters of several nodes");
const NOTICES: Availability = Availability::Missing("notifications");

const fn works(
    name: &'static str,
    kind: OptKind,
    default: &'static str,
    help: &'static str,
) -> Opt {
    Opt { name, kind, default, help, availability: Availability::Works }
}

const fn missing(
    name: &'static str,
    kind: OptKind,
    default: &'static str,
    availability: Availability,
    help: &'static str,
) -> Opt {
    Opt { name, kind, default, help, availability }
}

/// Every option, by name.
pub const OPTIONS: [Opt; 50] = [
    works(
        "advertise-addr",
        OptKind::Text,
        "",
        "Address shown to other nodes and in the member list",
    ),
    works(
        "advertise-rpc-port",
        OptKind::Number,
        "0",
        "RPC port shown to other nodes; 0 = rpc-port",
    ),
    missing(
        "agent-run-max-retries",
        OptKind::Number,
        "3",
        CLUSTER,
        "Further attempts to hand a run to a node that cannot be reached",
    ),
    missing(
        "agent-run-retry-initial-interval",
        OptKind::Duration,
        "1s",
        CLUSTER,
        "Pause before the first of these attempts; doubled each time",
    ),
    missing(
        "agent-run-retry-max-interval",
        OptKind::Duration,
        "30s",
        CLUSTER,
        "Longest pause between these attempts",
    ),
    works(
        "bind-addr",
        OptKind::Text,
        "{{ GetPrivateIP }}:8946",
        "Address of this node for other nodes; templates such as {{ GetPrivateIP }} are filled in",
    ),
    works(
        "bootstrap-expect",
        OptKind::Number,
        "0",
        "Number of servers that form a new cluster; 1 = this one alone",
    ),
    works("config", OptKind::Text, "", "Configuration file (TOML, YAML or JSON)"),
    missing("cronitor-endpoint", OptKind::Text, "", NOTICES, "Cronitor URL to tell of each run"),
    works("data-dir", OptKind::Text, "dkron.data", "Directory of the log and the state"),
    works("datacenter", OptKind::Text, "dc1", "Tag dc of this node"),
    works(
        "disable-usage-stats",
        OptKind::Bool,
        "false",
        "Accepted for old command lines: nothing is ever reported to anybody",
    ),
    works("dog-statsd-addr", OptKind::Text, "", "Send metrics to the DogStatsD agent at host:port"),
    works(
        "dog-statsd-tags",
        OptKind::List,
        "",
        "Tag of each DogStatsD metric, key:value; may be repeated",
    ),
    works(
        "enable-prometheus",
        OptKind::Bool,
        "false",
        "Serve metrics at /metrics, for Prometheus and others that read its format",
    ),
    missing(
        "encrypt",
        OptKind::Text,
        "",
        CLUSTER,
        "Key of the traffic between nodes: 16, 24 or 32 bytes in base64; see dkron keygen",
    ),
    works("http-addr", OptKind::Text, ":8080", "Address of the HTTP API; :0 takes any free port"),
    missing("join", OptKind::List, "", CLUSTER, "Node to join at start, once; may be repeated"),
    works("log-format", OptKind::Text, "text", "Form of log lines: text or json"),
    works(
        "log-level",
        OptKind::Text,
        "info",
        "Least level of log lines: debug, info, warn, error, fatal or panic",
    ),
    missing("mail-from", OptKind::Text, "", NOTICES, "Sender of mails"),
    missing("mail-host", OptKind::Text, "", NOTICES, "SMTP server"),
    missing("mail-password", OptKind::Text, "", NOTICES, "Password for the SMTP server"),
    missing("mail-payload", OptKind::Text, "", NOTICES, "Template of a mail's body"),
    missing("mail-port", OptKind::Number, "0", NOTICES, "Port of the SMTP server"),
    missing("mail-subject-prefix", OptKind::Text, "[Dkron]", NOTICES, "Begin of a mail's subject"),
    missing("mail-username", OptKind::Text, "", NOTICES, "User name for the SMTP server"),
    works(
        "node-name",
        OptKind::Text,
        "",
        "Name of this node, its identity in the cluster; the host name if not given",
    ),
    missing(
        "otel-endpoint",
        OptKind::Text,
        "",
        Availability::Missing("tracing"),
        "OpenTelemetry collector, host:port",
    ),
    missing("pre-webhook-endpoint", OptKind::Text, "", NOTICES, "URL called when a run starts"),
    missing(
        "pre-webhook-headers",
        OptKind::List,
        "",
        NOTICES,
        "Header of that request; repeatable",
    ),
    missing("pre-webhook-payload", OptKind::Text, "", NOTICES, "Template of its body"),
    missing("profile", OptKind::Text, "lan", CLUSTER, "Timing between nodes: lan, wan or local"),
    missing(
        "raft-multiplier",
        OptKind::Number,
        "1",
        CLUSTER,
        "Stretches the timing of elections, 1 to 10",
    ),
    works("region", OptKind::Text, "global", "Region of this node; jobs run in the leader's"),
    missing("retry-interval", OptKind::Duration, "30s", CLUSTER, "Pause between attempts to join"),
    missing(
        "retry-join",
        OptKind::List,
        "",
        CLUSTER,
        "Node to join, tried until it works; repeatable",
    ),
    missing("retry-max", OptKind::Number, "0", CLUSTER, "Attempts to join; 0 = for ever"),
    works("rpc-port", OptKind::Number, "6868", "Port of this node for other nodes"),
    missing(
        "serf-reconnect-timeout",
        OptKind::Duration,
        "24h",
        CLUSTER,
        "How long a failed node is tried again",
    ),
    works("server", OptKind::Bool, "false", "Take part in the cluster and serve the API"),
    works(
        "shell-runs",
        OptKind::Number,
        "0",
        "Commands that run at once, further ones wait; 0 = 1024, or fewer for want of files",
    ),
    works(
        "shutdown-timeout",
        OptKind::Duration,
        // Ending the jobs takes five seconds more: together less than Kubernetes' thirty.
        "20s",
        "How long a stop waits for running jobs before it ends them",
    ),
    works("statsd-addr", OptKind::Text, "", "Send metrics to the statsd server at host:port"),
    works("tag", OptKind::List, "", "Tag of this node, key=value; may be repeated"),
    works(
        "ui",
        OptKind::Bool,
        "true",
        "Serve the web UI (this version has none yet, so both values do the same)",
    ),
    missing("webhook-endpoint", OptKind::Text, "", NOTICES, "URL called when a run has ended"),
    missing("webhook-headers", OptKind::List, "", NOTICES, "Header of that request; repeatable"),
    missing("webhook-payload", OptKind::Text, "", NOTICES, "Template of its body"),
    missing("webhook-url", OptKind::Text, "", NOTICES, "Never had an effect; use webhook-endpoint"),
];

impl Opt {
    /// Finds an option by its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        OPTIONS.iter().find(|option| option.name == name)
    }

    /// Returns the option whose name is most like a word that names none, if one is like it.
    pub fn nearest(word: &str) -> Option<&'static Self> {
        let distance = |option: &&Self| strsim::osa_distance(option.name, word);
        let nearest = OPTIONS.iter().min_by_key(distance)?;
        (distance(&nearest) <= LIKE_EDITS_MAX.min(word.len() / 3)).then_some(nearest)
    }

    /// Returns the name of its environment variable.
    pub fn env_name(&self) -> String {
        format!("DKRON_{}", self.name.replace('-', "_").to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_named_once() {
        for pair in OPTIONS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
    }

    #[test]
    fn a_mistyped_name_leads_to_the_option_that_was_meant() {
        let check = |word: &str, want: Option<&str>| {
            assert_eq!(Opt::nearest(word).map(|option| option.name), want, "{word}");
        };
        check("regoin", Some("region"));
        check("data_dir", Some("data-dir"));
        check("http-adr", Some("http-addr"));
        check("bootstrap-expct", Some("bootstrap-expect"));
        check("colour", None);
        check("x", None);
        check("", None);
    }

    #[test]
    fn environment_variables_are_upper_case() {
        let option = Opt::find("rpc-port").unwrap();
        assert_eq!(option.env_name(), "DKRON_RPC_PORT");
        assert_eq!(Opt::find("no-such"), None);
    }
}
