//! Who leads, as the rest of the node is told.

use std::collections::BTreeSet;

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::metrics::RaftServerMetrics;
use openraft::type_config::alias::WatchReceiverOf;
use tokio::sync::watch;

use super::apply_thread::ApplyProgress;
use super::raft_types::{Membership, PeerId, Raft, TypeConfig};
use crate::kernel::model::NodeName;

/// Who leads, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// Whether this node leads.
    pub is_leader: bool,
    /// Who leads, if that is known.
    pub leader: Option<NodeName>,
    /// The term; grows with every election, and with every start of the only member.
    pub term: u64,
    /// Whether this node leads and has applied everything that earlier leaders had committed: from
    /// then on its state is the truth, and it may decide.
    pub has_applied_former_terms: bool,
}

/// What openraft tells of this node's role.
pub type ServerMetrics = WatchReceiverOf<TypeConfig, RaftServerMetrics<TypeConfig>>;

/// Follows openraft and the state, and tells `leadership`.
///
/// *Owner*: the node's runtime. *Inputs*: two watched values. *Bound*: none is needed, only the
/// newest counts. *Ends* when openraft does; then nobody leads.
pub async fn follow(
    mut server: ServerMetrics,
    mut progress: watch::Receiver<ApplyProgress>,
    leadership: watch::Sender<Leadership>,
) {
    loop {
        let applied = progress.borrow_and_update().position.map(|position| position.term);
        let now = leadership_of(&server.borrow_watched(), applied);
        let is_waiting = now.is_leader && !now.has_applied_former_terms;
        leadership.send_if_modified(|shown| {
            let is_news = *shown != now;
            if is_news {
                tracing::info!(
                    term = now.term,
                    is_leader = now.is_leader,
                    leader = now.leader.as_ref().map_or("none", NodeName::as_str),
                    is_ready = now.has_applied_former_terms,
                    "leadership"
                );
                *shown = now;
            }
            is_news
        });
        let is_over = if is_waiting {
            tokio::select! {
                changed = server.changed() => changed.is_err(),
                changed = progress.changed() => changed.is_err(),
            }
        } else {
            server.changed().await.is_err()
        };
        if is_over {
            leadership.send_modify(|shown| {
                *shown = Leadership { term: shown.term, ..Leadership::default() };
            });
            return;
        }
    }
}

fn leadership_of(server: &RaftServerMetrics<TypeConfig>, applied: Option<u64>) -> Leadership {
    let is_leader = server.state == ServerState::Leader;
    let term = server.vote.leader_id.term;
    let leader = server.current_leader.as_ref();
    Leadership {
        is_leader,
        // The name was checked when its node was opened.
        leader: leader.and_then(|leader| NodeName::parse(leader.as_str()).ok()),
        term,
        // The first entry of a term follows everything of the terms before.
        has_applied_former_terms: is_leader && applied == Some(term),
    }
}

/// Lets openraft's clock rest while `node` leads a cluster of itself alone: there is nobody to send
/// a heartbeat to, and nobody else to elect. It is what an idle node would wake up for.
///
/// *Owner*: the node's runtime. *Inputs*: one watched value. *Ends* when openraft does.
pub async fn rest_if_alone(raft: Raft, node: PeerId) {
    let mut server = raft.server_metrics();
    loop {
        let is_resting = {
            let now = server.borrow_watched();
            let is_alone = now.membership_config.membership().nodes().count() == 1;
            now.state == ServerState::Leader
                && is_alone
                && is_only_voter(&now.membership_config, &node)
        };
        raft.runtime_config().tick(!is_resting);
        if server.changed().await.is_err() {
            return;
        }
    }
}

/// Tells whether `node` is the only voter: then it need not wait before it elects itself.
pub fn is_only_voter(membership: &Membership, node: &PeerId) -> bool {
    let voters: BTreeSet<PeerId> = membership.membership().voter_ids().collect();
    voters.len() == 1 && voters.contains(node)
}
