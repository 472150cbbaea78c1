//! The rules of the state that hold between any two commands, by id. Ids are never reused.
//!
//! [`check_integrity`](super::check_integrity) checks them all.

use std::fmt;

/// A rule of the replicated state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// A job has a definition and a status, or neither.
    S1,
    /// The due table holds a row of the job's schedule exactly where the status says `next`.
    S2,
    /// A disabled job and a child have no row of the schedule.
    S3,
    /// Retries and dependent runs are found by instant and by job alike.
    S4,
    /// Whatever is kept of a job is gone when the job is, but for what runs and its open fires, and
    /// a history that is marked to be swept; that of a job that exists never is.
    S5,
    /// The status counts what the tables hold: executions, running ones, output bytes, skips.
    S6,
    /// Edges and declarations are those of the definitions; every parent exists; no job is its own
    /// ancestor; no tree is deeper than the limit.
    S7,
    /// Running executions run; the others have ended, at an instant.
    S8,
    /// An open fire has as many open rows of attempts as attempts of it run or are due.
    S9,
    /// No token and no revision is used twice, or above its counter.
    S10,
    /// Each remembered request has one answer and one place in the order, up to the limit.
    S11,
}

impl Invariant {
    /// Returns the id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::S4 => "S4",
            Self::S5 => "S5",
            Self::S6 => "S6",
            Self::S7 => "S7",
            Self::S8 => "S8",
            Self::S9 => "S9",
            Self::S10 => "S10",
            Self::S11 => "S11",
        }
    }
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// Where, and what was found.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.invariant.id(), self.detail)
    }
}
