//! How a node takes part in the log, in our words and in openraft's.

use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use super::log_budget::LogBudget;
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;
use crate::ports::Clock;

/// Time between two heartbeats of a leader, at a multiplier of 1.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// The shortest silence of a leader after which others stand for election, at a multiplier of 1.
const ELECTION_MIN: Duration = Duration::from_millis(1_000);
/// The longest one, so that they do not all stand at once.
const ELECTION_MAX: Duration = Duration::from_millis(2_000);
/// How long the transfer of a snapshot may take.
const SNAPSHOT_TRANSFER_MAX: Duration = Duration::from_secs(300);
/// Entries that one message to another node holds at most.
const ENTRIES_PER_MESSAGE_MAX: u64 = 1_024;

/// How a node takes part.
pub struct ConsensusConfig {
    /// The name of this node: its identity in the cluster.
    pub node: NodeName,
    /// Stretches all times of the protocol: 1 to 10. Default in Dkron: 1.
    pub raft_multiplier: u32,
    /// How large the log may become.
    pub log_budget: LogBudget,
    /// The clock that gives entries their time.
    pub clock: Arc<dyn Clock>,
}

pub(super) fn raft_config(config: &ConsensusConfig) -> Result<Arc<Config>, Error> {
    let multiplier = config.raft_multiplier;
    if !(1..=10).contains(&multiplier) {
        let message = format!("raft-multiplier must be within 1 to 10, found {multiplier}");
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    let ms = |time: Duration| (time * multiplier).as_millis() as u64;
    let raft_config = Config {
        cluster_name: "dkron".to_owned(),
        heartbeat_interval: ms(HEARTBEAT),
        election_timeout_min: ms(ELECTION_MIN),
        election_timeout_max: ms(ELECTION_MAX),
        install_snapshot_timeout: SNAPSHOT_TRANSFER_MAX.as_millis() as u64,
        // Both by the size of the log in bytes instead, see `log_budget`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        max_payload_entries: ENTRIES_PER_MESSAGE_MAX,
        enable_pre_vote: Some(true),
        // A new start is a new term: whoever led before it is told apart by that.
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    raft_config.validate().map(Arc::new).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "times of the protocol").with_source(error)
    })
}
