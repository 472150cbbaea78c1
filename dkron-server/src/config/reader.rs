//! Options read one by one, from wherever they were set, with what is wrong with each noted.

use std::collections::BTreeMap;
use std::time::Duration;

use dkron_core::limits::RUNS_MAX;
use dkron_core::parse_go_bool;

use super::address::{self, HostPort, InterfaceAddress};
use super::options::{Availability, Opt, OptKind};
use super::settings::{LogFormat, LogLevel};
use super::sources::{Given, Sources};
use super::values::parse_duration;

/// Port of collectors of metrics when their address names none.
const STATSD_PORT: u16 = 8125;

/// Reads options one by one and notes what is wrong with each.
pub(super) struct Reader<'a> {
    pub(super) sources: &'a Sources,
    pub(super) interfaces: &'a [InterfaceAddress],
    pub(super) faults: Vec<String>,
    /// What is told though it is no fault.
    pub(super) remarks: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Begins to read, with nothing noted.
    pub(super) fn new(sources: &'a Sources, interfaces: &'a [InterfaceAddress]) -> Self {
        Self { sources, interfaces, faults: Vec::new(), remarks: Vec::new() }
    }

    /// Refuses, or remarks, what this version cannot do, unless the value asks for nothing.
    pub(super) fn look_for_missing(&mut self) {
        for given in self.sources.iter().filter(|given| !is_default(given)) {
            match given.option.availability {
                Availability::Works => {}
                Availability::NoEffectYet(what) => {
                    self.check_form(given.option);
                    let text = "has no effect yet: this version has no";
                    self.remarks.push(format!("{given} {text} {what}"));
                }
                Availability::Missing(what) => {
                    let text = "is not available in this version, which has no";
                    self.faults.push(format!("{given} {text} {what}"));
                }
            }
        }
    }

    /// Checks a value that nobody reads yet, so that a broken one is not found by an upgrade.
    fn check_form(&mut self, option: &'static Opt) {
        match option.kind {
            OptKind::Bool => drop(self.bool(option.name)),
            OptKind::Number => drop(self.number(option.name, 0..=u32::MAX)),
            OptKind::Duration => drop(self.duration(option.name)),
            OptKind::Text | OptKind::List => {}
        }
    }

    pub(super) fn text(&self, name: &str) -> String {
        match self.sources.get(name).and_then(|given| given.values.last()) {
            Some(value) => value.clone(),
            None => Opt::find(name).map_or("", |option| option.default).to_owned(),
        }
    }

    pub(super) fn bool(&mut self, name: &str) -> bool {
        let text = self.text(name);
        parse_go_bool(&text).unwrap_or_else(|| {
            self.fault(name, &format!("\"{text}\" must be true or false"));
            false
        })
    }

    pub(super) fn number(&mut self, name: &str, accepted: std::ops::RangeInclusive<u32>) -> u32 {
        let text = self.text(name);
        let number = text.parse().ok().filter(|number| accepted.contains(number));
        number.unwrap_or_else(|| {
            let (min, max) = (accepted.start(), accepted.end());
            self.fault(name, &format!("\"{text}\" must be a number within {min}..={max}"));
            *min
        })
    }

    pub(super) fn shell_runs(&mut self) -> Option<usize> {
        let runs_max = u32::try_from(RUNS_MAX).unwrap_or(u32::MAX);
        let runs = usize::try_from(self.number("shell-runs", 0..=runs_max)).unwrap_or(RUNS_MAX);
        (runs > 0).then_some(runs)
    }

    pub(super) fn duration(&mut self, name: &str) -> Duration {
        let text = self.text(name);
        parse_duration(&text).unwrap_or_else(|fault| {
            self.fault(name, &format!("\"{text}\": {fault}"));
            Duration::ZERO
        })
    }

    pub(super) fn address(&mut self, name: &str, port_default: u16) -> HostPort {
        let text = self.text(name);
        address::parse(&text, port_default, self.interfaces).unwrap_or_else(|fault| {
            self.fault(name, &fault);
            HostPort { host: String::new(), port: port_default }
        })
    }

    /// Reads the address of a collector of metrics; `None` if there is none to tell.
    pub(super) fn collector(&mut self, name: &str) -> Option<(String, u16)> {
        if self.text(name).is_empty() {
            return None;
        }
        let HostPort { host, port } = self.address(name, STATSD_PORT);
        // As in Go, a port alone is one of this machine.
        let host = if host.is_empty() { "localhost".to_owned() } else { host };
        Some((host, port))
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let given = self.sources.get(name).map(|given| given.values.clone());
        given.unwrap_or_default().into_iter().filter(|value| !value.is_empty()).collect()
    }

    pub(super) fn log_level(&self) -> Option<LogLevel> {
        LogLevel::parse(&self.text("log-level"))
    }

    pub(super) fn log_format(&mut self) -> LogFormat {
        let text = self.text("log-format");
        match text.to_lowercase().as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => {
                self.fault("log-format", &format!("\"{text}\" must be text or json"));
                LogFormat::default()
            }
        }
    }

    pub(super) fn tags(&mut self) -> BTreeMap<String, String> {
        let Some(given) = self.sources.get("tag").filter(|given| !given.values.is_empty()) else {
            return self.sources.file_tags.clone();
        };
        let mut tags = BTreeMap::new();
        for tag in &given.values {
            match tag.split_once('=') {
                Some((key, value)) => {
                    tags.insert(key.to_owned(), value.to_owned());
                }
                None => self.faults.push(format!("{given}: invalid tag: '{tag}', not key=value")),
            }
        }
        tags
    }

    pub(super) fn fault(&mut self, name: &str, fault: &str) {
        let origin = self.sources.get(name).map_or_else(|| name.to_owned(), Given::to_string);
        self.faults.push(format!("{origin}: {fault}"));
    }
}

/// Returns whether what was given is what holds without it.
fn is_default(given: &Given) -> bool {
    let option = given.option;
    match option.kind {
        OptKind::List => given.values.iter().all(String::is_empty),
        OptKind::Bool => {
            given.values.iter().all(|value| parse_go_bool(value) == parse_go_bool(option.default))
        }
        OptKind::Duration => {
            let default = parse_duration(option.default);
            given.values.iter().all(|value| parse_duration(value) == default)
        }
        OptKind::Number | OptKind::Text => given.values.iter().all(|value| value == option.default),
    }
}
