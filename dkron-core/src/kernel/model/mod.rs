//! The vocabulary: what users define, what nodes are, what became of a fire.
//!
//! Constructing a name is validating it; a [`Job`] is plain data. Nothing here decides anything.
//!
//! # Where to begin reading
//!
//! [`Job`], then [`Execution`]; the policies a job carries are in `policy`.
//!
//! May use: `time`, `limits`, `error`.

mod error;
mod execution;
mod few;
mod go_bool;
mod job;
mod letter;
mod mem_limit;
mod name;
mod node;
mod policy;
mod status;
mod validate;

pub use error::ModelError;
pub use execution::{
    Cause, Execution, ExecutionId, ExecutionState, ParseExecutionIdError, Skip, SkipReason,
};
pub use few::Few;
pub use go_bool::parse_go_bool;
pub use job::Job;
pub use mem_limit::{MemLimitError, parse_mem_limit};
pub use name::{JobName, NameError, NodeName};
pub use node::NodeView;
pub use policy::{
    CatchUpPolicy, ConcurrencyPolicy, DstPolicy, LostRunPolicy, PlacementPolicy, Retention,
    RetryBackoff,
};
pub use status::{JobStatus, RunStatus};
