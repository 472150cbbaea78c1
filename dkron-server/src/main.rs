//! The `dkron` command.

use std::process::ExitCode;

/// A run is made by one thread and freed by another; the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dkron_server::cli::run(std::env::args_os())
}
