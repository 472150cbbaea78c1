//! JSON as Go's `encoding/json` reads and writes it, which is what Dkron's clients have been
//! written against.
//!
//! Reading: keys match whatever their case, unknown ones are skipped, of duplicates the last one
//! wins (maps merge), `null` is as good as absent, invalid UTF-8 becomes U+FFFD, and only the first
//! value of a body counts. What is refused is refused in Go's words, because the texts reach users.
//! Writing: `<`, `>`, `&`, U+2028 and U+2029 are escaped, and an indented form has four spaces.
//!
//! This is not a general JSON library: it reads and writes the shapes of the API, nothing else.
//!
//! # Where to begin reading
//!
//! [`Decoder`] walks a body, after `scan` has found its end and every syntax error in it;
//! [`Writer`] builds an answer, in pieces if it is a long one.
//!
//! # Invariants
//!
//! * Nothing here recurses: the nesting of a body costs a byte of heap per level, at most
//!   [`DEPTH_MAX`] of them.
//! * The decoder walks only what `scan` has accepted.
//!
//! May use: `dkron_core`'s instants, `std`.

mod decode;
mod elements;
mod encode;
mod error;
mod fill;
mod scan;
mod text;
mod time;

pub use decode::{Decoder, Kind};
pub use elements::{Elements, ElementsError};
pub use encode::{Layout, Writer};
pub use error::{DecodeError, SyntaxError, TypeError};
pub use fill::{Field, find_field};
pub use scan::{DEPTH_MAX, value_end};
pub use time::{GoTime, read_nullable_time, read_time};
