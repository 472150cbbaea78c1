//! The `dkron` command.

fn main() {}
