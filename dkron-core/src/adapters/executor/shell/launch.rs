//! Starts the process of a command.

use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};

use super::config::ShellConfig;
use super::environment;
use super::identity::Identity;
use super::open_files;
use super::program::find_program;
use crate::adapters::executor::error_text;
use crate::adapters::executor::process::{OwnedChild, ProcessTree};
use crate::ports::RunContext;

/// A command that has started.
pub(super) struct Launched {
    /// The process; it leads a process group of its own.
    pub(super) child: Child,
    /// Keeps the reaper of orphans away from it.
    pub(super) owned: OwnedChild,
    /// All processes of the run.
    pub(super) tree: ProcessTree,
    /// Standard output and error, in the order of arrival; ends when nobody holds them any more.
    pub(super) output: pipe::Receiver,
    /// Where the payload goes; absent without a payload.
    pub(super) input: Option<ChildStdin>,
}

/// Starts a command as `identity`, or as this process; it may open `open_files` files, or as many
/// as this process.
///
/// # Errors
///
/// The text the run fails with; it names the program, and the working directory if there is one.
pub(super) fn launch(
    config: &ShellConfig,
    identity: Option<Identity>,
    open_files: Option<u64>,
    context: &RunContext,
) -> Result<Launched, String> {
    let program = find_program(&config.program, std::env::var_os("PATH").as_deref())?;
    if let Some(cwd) = &config.cwd {
        check_directory(cwd)
            .map_err(|reason| format!("fork/exec {}: chdir {cwd}: {reason}", program.display()))?;
    }
    let start_error = |error: &io::Error| {
        let reason = error_text(error);
        match &config.cwd {
            Some(cwd) => format!("fork/exec {} in {cwd}: {reason}", program.display()),
            None => format!("fork/exec {}: {reason}", program.display()),
        }
    };
    let (output, mut command) = command(config, &program).map_err(|error| start_error(&error))?;
    command.env_clear().envs(environment::variables(
        std::env::vars_os(),
        context,
        &config.variables,
    ));
    if let Some(identity) = identity {
        command.uid(identity.uid.as_raw()).gid(identity.gid.as_raw());
    }
    if let Some(files) = open_files {
        open_files::limit(&mut command, files).map_err(|error| start_error(&error))?;
    }
    let mut child = command.spawn().map_err(|error| start_error(&error))?;
    // It holds the writing ends of the pipe, which must be the child's alone.
    drop(command);
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or("the process has no id")?;
    let marker = environment::marker(context);
    Ok(Launched {
        owned: OwnedChild::claim(pid, &marker),
        tree: ProcessTree::new(pid, &marker, context),
        input: child.stdin.take(),
        child,
        output,
    })
}

/// Describes the process, all but its environment and its user.
fn command(config: &ShellConfig, program: &Path) -> io::Result<(pipe::Receiver, Command)> {
    // One pipe for both streams: two would lose the order between them.
    let (output, stdout) = io::pipe()?;
    let stderr = stdout.try_clone()?;
    let output = pipe::Receiver::from_owned_fd(output.into())?;
    let mut command = Command::new(program);
    command
        .arg0(&config.program)
        .args(&config.arguments)
        .stdin(if config.payload.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    if let Some(cwd) = &config.cwd {
        command.current_dir(cwd);
    }
    Ok((output, command))
}

/// Says why a directory cannot be worked in; the system's own answer would not tell it from the
/// program that is missing.
fn check_directory(directory: &str) -> Result<(), String> {
    match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err("not a directory".to_owned()),
        Err(error) => Err(error_text(&error)),
    }
}
