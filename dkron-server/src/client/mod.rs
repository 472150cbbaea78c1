//! Asks a running node over its REST API: what the command line does, for people and scripts.
//!
//! A client blocks, and opens a connection for each request: commands are short, and none of them
//! can meet a connection that the server has closed meanwhile. Answers are taken in pieces, so that
//! a list of a million jobs is never in memory. It knows nothing of jobs: paths and shapes are the
//! business of whoever asks. Only plain HTTP is spoken, as the daemon does.
//!
//! # Where to begin reading
//!
//! [`Client`] in `exchange`; `address` is where it asks, `answer` what it hears, `error` what goes
//! wrong.
//!
//! May use: `go_json`'s splitter of arrays, `hyper`, `axum`'s bodies, `tokio`.

mod address;
mod answer;
mod error;
mod exchange;

pub(crate) use address::{ADDRESS_DEFAULT, Address, encode};
pub(crate) use answer::Answer;
pub(crate) use error::ClientError;
pub(crate) use exchange::{Ask, Client};
