//! What starts, where, or why not.
//!
//! Decides every due row of the state: claims it for nodes, or skips it with a reason. Writes
//! nothing and remembers nothing but parsed schedules: the decisions are commands, which `apply`
//! checks against the state they meet.
//!
//! # Where to begin reading
//!
//! [`plan_due`] decides what is due, [`plan_manual`] a run that somebody asked for, [`first_due()`]
//! when a job is due first. One rule a file: `runnable`, `catch_up`, `overlap`, `targets`, `retry`.
//!
//! # Invariants
//!
//! * Equal arguments give an equal plan (D3).
//! * Each due row gets one decision, or waits with an instant at which its decision falls (D1).
//! * Every skip has a reason (D2).
//! * The work of a plan is bounded, however long nobody scheduled.
//!
//! Checked by `plan_test`, `late_test`, `follow_up_test` and by the tests of `node`.
//!
//! May use: `state`, `schedule`, `model`, `time`, `limits`, `error`.

mod catch_up;
mod chain;
#[cfg(test)]
mod desk;
mod facts;
mod first_due;
#[cfg(test)]
mod follow_up_test;
mod job_fires;
#[cfg(test)]
mod late_test;
mod manual;
mod overdue;
mod overlap;
mod plan;
#[cfg(test)]
mod plan_test;
mod present;
mod random;
mod retry;
mod runnable;
mod schedules;
mod targets;
mod waiting;
mod withdraw;

pub use first_due::{first_due, first_due_by};
pub use manual::{ManualRun, ManualRunError, plan_manual};
pub use overdue::overdue;
#[cfg(any(test, feature = "testing"))]
pub use plan::Plan;
pub use plan::{Circumstances, plan_due};
pub use present::Present;
pub use schedules::{Schedules, parse_schedule};
pub use waiting::WaitingRows;
pub use withdraw::must_withdraw;
