//! Sends the metrics to collectors that speak statsd or DogStatsD, over UDP.
//!
//! What was counted since the last time is sent every [`FLUSH_PERIOD`], in datagrams that no
//! network has to cut. Nobody answers: whether somebody listens is not known, and nothing waits for
//! it. A collector that cannot be reached is told of in the log, once until it can be.
//!
//! # Where to begin reading
//!
//! [`Feed`] is the task. `changes` says what there is to tell, `lines` writes it.
//!
//! # Concurrency
//!
//! One task. *Owner*: the agent. *Inputs*: the clock. *Bound*: one flush at a time, each within
//! [`FLUSH_WAIT_MAX`] for each collector. *Ends* when it is dropped.

mod changes;
mod lines;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use dkron_core::{Error, ErrorKind};
use tokio::net::UdpSocket;
use tokio::time::MissedTickBehavior;

use self::changes::Told;
use self::lines::{Dialect, datagrams};
use super::Monitor;
use super::figures::Figures;

/// How often the metrics are sent: as long as statsd itself gathers before it passes them on.
const FLUSH_PERIOD: Duration = Duration::from_secs(10);

/// How long one collector may keep a flush: for the look-up of its name, mostly.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(3);

/// A collector.
pub(crate) struct Collector {
    /// Host and port.
    address: (String, u16),
    dialect: Dialect,
    /// Whether the last flush left for it.
    is_reached: bool,
}

impl Collector {
    /// A collector that speaks statsd.
    pub(crate) fn statsd((host, port): (String, u16)) -> Self {
        Self { address: (host, port), dialect: Dialect::Statsd, is_reached: true }
    }

    /// A collector that speaks DogStatsD; each metric gets `tags`.
    pub(crate) fn dog_statsd((host, port): (String, u16), tags: &[String]) -> Self {
        let dialect = Dialect::dog_statsd(tags);
        Self { address: (host, port), dialect, is_reached: true }
    }

    /// Sends datagrams; says in the log when that begins to fail, and when it works again.
    async fn send(&mut self, datagrams: Vec<String>) {
        let (host, port) = &self.address;
        let sent = tokio::time::timeout(FLUSH_WAIT_MAX, send(host, *port, &datagrams)).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let was_reached = std::mem::replace(&mut self.is_reached, sent.is_ok());
        match sent {
            Ok(()) if !was_reached => {
                tracing::info!(collector = %format!("{host}:{port}"), "metrics: sent again");
            }
            Err(error) if was_reached => {
                let text = format!("send metrics to {host}:{port}");
                let error = Error::new(ErrorKind::Unavailable, text).with_source(error);
                tracing::warn!(error = error.report(), "metrics: not sent; trying on");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Sends datagrams to the first address of a host.
async fn send(host: &str, port: u16, datagrams: &[String]) -> io::Result<()> {
    let mut addresses = tokio::net::lookup_host((host, port)).await?;
    let address = addresses.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    // A socket for each flush: what one collector's host answers to the last one is none of ours.
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    for datagram in datagrams {
        socket.send_to(datagram.as_bytes(), address).await?;
    }
    Ok(())
}

/// Sends the metrics to collectors, again and again.
pub(crate) struct Feed {
    monitor: Monitor,
    collectors: Vec<Collector>,
    told: Told,
}

impl Feed {
    /// Begins with nothing told.
    pub(crate) fn new(monitor: Monitor, collectors: Vec<Collector>) -> Self {
        Self { monitor, collectors, told: Told::default() }
    }

    /// Sends until it is dropped; ends at once if nobody collects.
    pub(crate) async fn run(mut self) {
        if self.collectors.is_empty() {
            return;
        }
        let mut ticks = tokio::time::interval(FLUSH_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one is due at once, when there is nothing to tell yet.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.flush().await;
        }
    }

    /// Sends what has changed.
    async fn flush(&mut self) {
        let monitor = self.monitor.clone();
        // It reads the state, and the files of the process.
        let read = tokio::task::spawn_blocking(move || Figures::read(&monitor)).await;
        let Ok(figures) = read else { return };
        let changes = self.told.changes(&figures);
        for collector in &mut self.collectors {
            let datagrams = datagrams(&changes, &collector.dialect);
            collector.send(datagrams).await;
        }
    }
}

#[cfg(test)]
#[path = "statsd_test.rs"]
mod tests;
