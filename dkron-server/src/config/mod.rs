//! How the daemon is set up: flags, environment and file, in that order of precedence.
//!
//! One table names every option; the command line, the environment and the file are three ways to
//! give it, so that none of them can know an option that another does not. An option whose function
//! this version does not have is refused rather than ignored, unless a node does well without it:
//! then that it has no effect is told.
//!
//! # Where to begin reading
//!
//! [`OPTIONS`] is the table. `sources` collects what was given and where, [`Settings`] is what it
//! means, with every fault told at once: `reader` notes them one by one.
//!
//! May use: `dkron_core`'s names and zones, `std`, the parsers of the file formats.

mod address;
mod file;
mod options;
mod reader;
mod server_zone;
mod settings;
mod sources;
mod values;

pub(crate) use address::fill_in_address;
pub use options::{Availability, OPTIONS, Opt, OptKind};
pub use settings::{ConfigFaults, LogFormat, LogLevel, Settings};
pub use sources::{Given, Origin, Sources};
