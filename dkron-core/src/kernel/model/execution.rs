//! What became of a fire: attempts on nodes, or a skip with its reason.

use std::fmt;

use super::{JobName, NodeName};
use crate::kernel::time::Timestamp;

/// The identity of one attempt on one node: derived from the decision, never drawn.
///
/// Written `<nanoseconds since 1970>-<node name>`, as in Dkron. The number is the instant the
/// attempt was due; two attempts of one job never share it on one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId {
    /// When the attempt was due, in nanoseconds since 1970; not negative.
    pub due_ns: u64,
    /// The node it runs on.
    pub node: NodeName,
}

impl ExecutionId {
    /// Returns the instant the attempt was due. One so late that no clock shows it is the latest.
    pub fn due_at(&self) -> Timestamp {
        Timestamp::from_unix_ns(i64::try_from(self.due_ns).unwrap_or(i64::MAX))
    }

    /// Returns the number of attempts that are due at `at`; those due before 1970 share 0.
    pub(crate) fn due_ns_of(at: Timestamp) -> u64 {
        u64::try_from(at.as_unix_ns()).unwrap_or(0)
    }

    /// Reads what `Display` writes.
    ///
    /// # Errors
    ///
    /// [`ParseExecutionIdError`] with the text, if it is of another form.
    pub fn parse(text: &str) -> Result<Self, ParseExecutionIdError> {
        let refused = || ParseExecutionIdError { text: text.to_owned() };
        let (due_ns, node) = text.split_once('-').ok_or_else(refused)?;
        let is_canonical = due_ns.bytes().all(|b| b.is_ascii_digit())
            && (due_ns.len() == 1 || !due_ns.starts_with('0'));
        if !is_canonical {
            return Err(refused());
        }
        let due_ns = due_ns.parse().map_err(|_| refused())?;
        Ok(Self { due_ns, node: NodeName::parse(node).map_err(|_| refused())? })
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.due_ns, self.node)
    }
}

/// A text that is not an execution id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an execution id such as 1763707258000000000-node1")]
pub struct ParseExecutionIdError {
    /// The text as given.
    pub text: String,
}

/// Why a fire came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The job's schedule.
    Schedule,
    /// Somebody asked for a run.
    Manual,
    /// A run of the parent succeeded.
    Parent,
}

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecutionState {
    /// Claimed for its node: about to start, or running.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended badly, or could not be started.
    Failed,
    /// It was ended on request, and nothing of it is left.
    Cancelled,
    /// Its process was killed, or was shut down and ended the run; what it did is not known.
    /// Whether it is attempted again is for the job's [`LostRunPolicy`](super::LostRunPolicy) to
    /// say.
    Lost,
}

impl ExecutionState {
    /// Returns whether the execution is over.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Running)
    }
}

impl fmt::Display for ExecutionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        })
    }
}

/// One attempt of one fire on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The job.
    pub job: JobName,
    /// The attempt's identity, with the node.
    pub id: ExecutionId,
    /// The instant the fire was due: shared by all its nodes and attempts.
    ///
    /// Its nanoseconds since 1970 are Dkron's `group`.
    pub fire_time: Timestamp,
    /// Why the fire came about.
    pub cause: Cause,
    /// Counts from 1.
    pub attempt: u32,
    /// Fencing token: grows with every claim in the cluster.
    pub token: u64,
    /// The process instance of the node that the attempt was claimed for.
    pub instance: u64,
    /// When it started by its node's clock. Until the node has reported: the instant it was due, or
    /// when it was claimed if that was later.
    pub started_at: Timestamp,
    /// When it ended by its node's clock (the leader's, if it was lost); `None` while running.
    pub finished_at: Option<Timestamp>,
    /// Where it stands.
    pub state: ExecutionState,
    /// Somebody asked for its end.
    pub is_cancel_requested: bool,
    /// Bytes of output the run wrote in all; what is kept may be less.
    pub output_bytes_total: u64,
}

/// Why a fire was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// The job was disabled.
    Disabled,
    /// The fire lies before `starts_at`.
    NotStarted,
    /// The fire lies after `expires_at`.
    Expired,
    /// An execution of the job was running, and `concurrency` is `forbid`.
    Forbidden {
        /// The execution in the way.
        running: ExecutionId,
    },
    /// No node is alive that has the tags, or the handler, that the job asks for.
    NoCapableNode {
        /// What was asked for, in words: `tag role=web`, `handler "mail"`.
        wanted: String,
    },
    /// It fell due while nobody scheduled, and catch-up takes a later one instead, or none.
    CaughtUp,
    /// It was found later than the job's `misfire_deadline` allows.
    TooLate,
    /// It was claimed, but before its instant the job was deleted, disabled, or changed so that the
    /// fire is none of its any more; or its instant had come undecided when a write gave the job
    /// another schedule or parent.
    ///
    /// A claim that is cancelled before its instant is an execution that is
    /// [`Cancelled`](ExecutionState::Cancelled).
    Withdrawn,
    /// The instant was decided before: the job was written while the clock was behind that instant.
    AlreadyDecided,
}

impl SkipReason {
    /// One word for each reason, as [`SkipReason::label`] gives it.
    pub const LABELS: [&'static str; 9] = [
        "disabled",
        "not_started",
        "expired",
        "forbidden",
        "no_capable_node",
        "caught_up",
        "too_late",
        "withdrawn",
        "already_decided",
    ];

    /// Returns the word of this reason, for metrics and for programs: one of
    /// [`SkipReason::LABELS`], and never another one in a later version.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::NotStarted => "not_started",
            Self::Expired => "expired",
            Self::Forbidden { .. } => "forbidden",
            Self::NoCapableNode { .. } => "no_capable_node",
            Self::CaughtUp => "caught_up",
            Self::TooLate => "too_late",
            Self::Withdrawn => "withdrawn",
            Self::AlreadyDecided => "already_decided",
        }
    }
}

impl fmt::Display for SkipReason {
    /// Writes the reason as an operator reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "the job is disabled",
            Self::NotStarted => "before the job's starts_at",
            Self::Expired => "after the job's expires_at",
            Self::Forbidden { running } => {
                return write!(f, "execution {running} is running, and concurrency is forbid");
            }
            Self::NoCapableNode { wanted } => return write!(f, "no capable node: {wanted}"),
            Self::CaughtUp => "fell due while nobody scheduled, and the job's catch-up leaves it",
            Self::TooLate => "found later than the job's misfire deadline",
            Self::Withdrawn => "the job was changed, disabled or deleted before the instant",
            Self::AlreadyDecided => {
                "decided before: the job was written while the clock was behind"
            }
        })
    }
}

/// A fire, or a row of consecutive fires, that was deliberately not started; or a further attempt
/// of a fire that did start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The job.
    pub job: JobName,
    /// Instant of the first fire.
    pub first: Timestamp,
    /// Instant of the last; equal to `first` for a single one.
    pub last: Timestamp,
    /// The first attempt that was not made, counted from 1.
    ///
    /// 1: the skip is the outcome of its fires. More: the fire has started, and failed; its outcome
    /// is the execution before this attempt.
    pub attempt: u32,
    /// How many fires that is, both ends counted; at least 1.
    ///
    /// A lower bound when [`limits::CATCH_UP_COUNT_MAX`](crate::limits::CATCH_UP_COUNT_MAX) was
    /// reached while counting.
    pub fires: u32,
    /// Why.
    pub reason: SkipReason,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_as_what_an_operator_looks_for() {
        let running = ExecutionId::parse("1763707258000000000-n1").unwrap();
        let check = |reason: SkipReason, want: &str| assert_eq!(reason.to_string(), want);
        check(
            SkipReason::Forbidden { running },
            "execution 1763707258000000000-n1 is running, and concurrency is forbid",
        );
        let wanted = "tag role=web".to_owned();
        check(SkipReason::NoCapableNode { wanted }, "no capable node: tag role=web");
    }

    #[test]
    fn an_id_names_the_instant_it_was_made_of() {
        let id = |due_ns| ExecutionId { due_ns, node: NodeName::parse("n1").unwrap() };
        let check = |ns: i64, want: i64| {
            let due_ns = ExecutionId::due_ns_of(Timestamp::from_unix_ns(ns));
            assert_eq!(id(due_ns).due_at(), Timestamp::from_unix_ns(want), "{ns}");
        };
        check(0, 0);
        check(1_763_707_258_000_000_001, 1_763_707_258_000_000_001);
        check(-1, 0);
        check(i64::MAX, i64::MAX);
        assert_eq!(id(u64::MAX).due_at(), Timestamp::from_unix_ns(i64::MAX), "what nobody made");
    }
}
