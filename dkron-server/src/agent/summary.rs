//! What the operator reads when a node has started.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use dkron_core::{Cluster, Error, ErrorKind};

use crate::config::Settings;
use crate::terminal::say;

/// The node in a few lines.
pub(super) struct Summary {
    node: String,
    region: String,
    datacenter: String,
    has_rejoined: bool,
    data_dir: PathBuf,
    jobs: Option<u64>,
    zone: &'static str,
    address: SocketAddr,
}

impl Summary {
    /// Describes a node that has started.
    pub(super) fn of(settings: &Settings, cluster: &Cluster, address: SocketAddr) -> Self {
        Self {
            node: settings.node_name.clone(),
            region: settings.region.clone(),
            datacenter: settings.datacenter.clone(),
            has_rejoined: cluster.health().has_rejoined,
            data_dir: settings.data_dir_absolute(),
            jobs: cluster.jobs_count().ok(),
            zone: settings.server_zone.name(),
            address,
        }
    }

    /// Writes it to standard output, as far as anybody reads that.
    pub(super) fn print(&self) {
        if let Err(error) = say(self) {
            let message = "write the summary of the start to standard output";
            let error = Error::new(ErrorKind::Unavailable, message).with_source(error);
            tracing::warn!(error = error.report(), "agent: nobody reads what has started");
        }
    }

    /// Returns the URL under which the API is found on this machine.
    fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}/v1")
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "dkron {} is running", env!("CARGO_PKG_VERSION"))?;
        let (node, region, datacenter) = (&self.node, &self.region, &self.datacenter);
        writeln!(f, "  node     {node} (region {region}, datacenter {datacenter})")?;
        let cluster = if self.has_rejoined { "rejoined with its data" } else { "formed" };
        writeln!(f, "  cluster  {cluster}: this node alone")?;
        writeln!(f, "  data     {}", self.data_dir.display())?;
        if let Some(jobs) = self.jobs {
            writeln!(f, "  jobs     {jobs}")?;
        }
        writeln!(f, "  zone     {} for schedules that name none", self.zone)?;
        write!(f, "  API      {}", self.url())?;
        if !self.address.ip().is_loopback() {
            write!(
                f,
                "\n  WARNING  the API asks nobody who they are, and it listens on {}: whoever \
                 reaches it can run commands here",
                self.address
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(address: &str, has_rejoined: bool) -> String {
        let summary = Summary {
            node: "n1".to_owned(),
            region: "global".to_owned(),
            datacenter: "dc1".to_owned(),
            has_rejoined,
            data_dir: PathBuf::from("/data"),
            jobs: Some(3),
            zone: "UTC",
            address: address.parse().unwrap(),
        };
        summary.to_string()
    }

    #[test]
    fn an_open_api_is_warned_of() {
        let text = summary("0.0.0.0:8080", false);
        assert!(text.contains("formed: this node alone"), "{text}");
        assert!(text.contains("http://127.0.0.1:8080/v1"), "{text}");
        assert!(text.contains("WARNING"), "{text}");

        let text = summary("127.0.0.1:9000", true);
        assert!(text.contains("rejoined"), "{text}");
        assert!(!text.contains("WARNING"), "{text}");
    }
}
