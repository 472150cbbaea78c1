//! The REST API of the daemon, as clients of the Go Dkron know it.

mod lifecycle;
mod recordings;
mod restore;
