//! The command line that asks a running node: the real program against a real daemon.

mod apply;
mod backup;
mod cluster;
mod jobs;
mod kit;
mod watching;
