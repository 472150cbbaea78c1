//! The life of one command: started, fed, read, ended.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin};
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{sleep, timeout};

use super::config::ShellConfig;
use super::exit::exit_text;
use super::identity::Identity;
use super::launch::{Launched, launch};
use crate::adapters::executor::error_text;
use crate::adapters::executor::process::{ProcessScanner, ProcessTree};
use crate::limits;
use crate::ports::{OutputWriter, RunContext, RunEnd};

/// Bytes read from a command at once: what a pipe holds.
const READ_BYTES: usize = 1 << 16;

/// How long the output is read on after the last process of a run is gone, in case somebody outside
/// was given the pipe.
const LAST_READ_GRACE: Duration = Duration::from_millis(200);

/// Why a run is ended before its time.
enum Stop {
    /// Somebody asked for it.
    Cancelled,
    /// It exceeded a bound; the text says which, and closes the output.
    Killed(String),
}

/// Runs a command to its end.
///
/// It may open `open_files` files, or as many as this process.
pub(super) async fn run(
    context: RunContext,
    scanner: Arc<ProcessScanner>,
    open_files: Option<u64>,
) -> RunEnd {
    if context.cancel.is_cancelled() {
        return RunEnd::cancelled("before it started");
    }
    let config = match ShellConfig::parse(&context.config) {
        Ok(config) => config,
        Err(text) => return RunEnd::failed(text),
    };
    match start(config, context.clone(), open_files).await {
        Ok((launched, config)) => supervise(launched, config, &context, &scanner).await,
        Err(text) => RunEnd::failed(text),
    }
}

/// Starts a command off the runtime's threads: a name service may be slow, a mounted disk may hang,
/// and each new process takes its time.
async fn start(
    config: ShellConfig,
    context: RunContext,
    open_files: Option<u64>,
) -> Result<(Launched, ShellConfig), String> {
    let started = spawn_blocking(move || {
        let identity = config.su.as_deref().map(Identity::look_up).transpose()?;
        Ok((launch(&config, identity, open_files, &context)?, config))
    });
    started.await.unwrap_or_else(|error| Err(format!("start a command: {error}")))
}

/// Watches a command until nothing of it is left.
async fn supervise(
    launched: Launched,
    mut config: ShellConfig,
    context: &RunContext,
    scanner: &Arc<ProcessScanner>,
) -> RunEnd {
    let Launched { mut child, owned, mut tree, output: pipe, input } = launched;
    let output = &context.output;
    let payload = config.payload.take().unwrap_or_default();
    let stopped = {
        let finished = pin!(finished(&mut child, &pipe, output, input, payload));
        let stop = pin!(stop(&config, context, &mut tree, scanner));
        // What finished by itself has finished, even if it was to be stopped at that moment.
        tokio::select! {
            biased;
            status = finished => Ok(status),
            stop = stop => Err(stop),
        }
    };
    let end = match stopped {
        Ok(Ok(status)) if status.success() => RunEnd::succeeded(),
        Ok(Ok(status)) => RunEnd::failed(exit_text(status)),
        Ok(Err(error)) => RunEnd::failed(format!("wait for the process: {}", error_text(&error))),
        Err(Stop::Cancelled) => {
            let status = cancel(&mut child, &mut tree, &pipe, output).await;
            RunEnd::cancelled(&status.map_or_else(|error| error_text(&error), exit_text))
        }
        Err(Stop::Killed(text)) => {
            // Whatever it answers, the run was killed: the first process may have ended before.
            let _ = kill(&mut child, &mut tree, &pipe, output).await;
            output.write(text.as_bytes());
            RunEnd::failed("signal: killed".to_owned())
        }
    };
    tree.disarm();
    drop(owned);
    end
}

/// Resolves when the process has ended and nobody holds its output any more.
async fn finished(
    child: &mut Child,
    pipe: &pipe::Receiver,
    output: &OutputWriter,
    input: Option<ChildStdin>,
    payload: Vec<u8>,
) -> io::Result<ExitStatus> {
    let ended = async { tokio::join!(child.wait(), read(pipe, output)).0 };
    let fed = feed(input, payload);
    let (mut ended, fed) = (pin!(ended), pin!(fed));
    tokio::select! {
        biased;
        status = &mut ended => status,
        () = fed => ended.await,
    }
}

/// Writes the payload; a command that does not want all of it is fine.
async fn feed(input: Option<ChildStdin>, payload: Vec<u8>) {
    if let Some(mut input) = input {
        let _ = input.write_all(&payload).await;
    }
}

/// Reads until nobody holds the writing end any more.
async fn read(pipe: &pipe::Receiver, output: &OutputWriter) {
    while pipe.readable().await.is_ok() {
        match read_some(pipe, output) {
            Ok(0) => return,
            // A pipe that is never empty never makes this wait, and what is beside it would not
            // be looked at: the clock, and whether the run shall end.
            Ok(_) => yield_now().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Moves what is there. The buffer is on the stack, so that a waiting run holds none.
fn read_some(pipe: &pipe::Receiver, output: &OutputWriter) -> io::Result<usize> {
    let mut buffer = [0; READ_BYTES];
    let count = pipe.try_read(&mut buffer)?;
    output.write(buffer.get(..count).unwrap_or_default());
    Ok(count)
}

/// Resolves when the run has to be ended before its time.
async fn stop(
    config: &ShellConfig,
    context: &RunContext,
    tree: &mut ProcessTree,
    scanner: &Arc<ProcessScanner>,
) -> Stop {
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => Stop::Cancelled,
        text = over_time(config, context.timeout) => Stop::Killed(text),
        text = over_memory(config, tree, scanner) => Stop::Killed(text),
    }
}

/// Resolves at the earlier of the command's own timeout and the job's.
async fn over_time(config: &ShellConfig, of_the_job: Option<Duration>) -> String {
    let own = config.timeout.as_ref();
    let is_own_first = own.is_some_and(|(own, _)| of_the_job.is_none_or(|other| *own <= other));
    match (own, of_the_job) {
        (Some((limit, text)), _) if is_own_first => {
            sleep(*limit).await;
            over(config, &format!("execution time exceeding defined timeout {text}"))
        }
        (_, Some(limit)) => {
            sleep(limit).await;
            over(config, &format!("execution time exceeding the job's timeout {limit:?}"))
        }
        _ => pending().await,
    }
}

/// Resolves when the processes of the run hold more memory than they may.
async fn over_memory(
    config: &ShellConfig,
    tree: &mut ProcessTree,
    scanner: &Arc<ProcessScanner>,
) -> String {
    let Some(limit) = config.mem_limit_bytes else {
        return pending().await;
    };
    loop {
        sleep(limits::PROCESS_LOOK_PERIOD).await;
        let used = tree.resident_bytes(scanner, limits::PROCESS_LOOK_PERIOD / 2).await;
        if used > limit {
            return over(
                config,
                &format!("memory usage ({used} bytes) exceeding defined limit ({limit} bytes)"),
            );
        }
    }
}

/// Says in Dkron's words that a bound was exceeded.
fn over(config: &ShellConfig, what: &str) -> String {
    format!("shell: Job '{}' {what}. Job was killed", config.command)
}

/// Asks the whole tree to end, kills what is left after the grace; returns once all is gone.
async fn cancel(
    child: &mut Child,
    tree: &mut ProcessTree,
    pipe: &pipe::Receiver,
    output: &OutputWriter,
) -> io::Result<ExitStatus> {
    tree.terminate().await;
    let gently = timeout(limits::CANCEL_GRACE, async {
        let status = child.wait().await;
        tree.gone().await;
        status
    });
    match while_reading(pipe, output, gently).await {
        Ok(status) => status,
        Err(_) => kill(child, tree, pipe, output).await,
    }
}

/// Kills the whole tree; returns once all is gone.
async fn kill(
    child: &mut Child,
    tree: &mut ProcessTree,
    pipe: &pipe::Receiver,
    output: &OutputWriter,
) -> io::Result<ExitStatus> {
    let ending = async { tokio::join!(tree.kill(), child.wait()).1 };
    while_reading(pipe, output, ending).await
}

/// Reads the output until `ending` resolves, then what is still in the pipe.
async fn while_reading<T>(
    pipe: &pipe::Receiver,
    output: &OutputWriter,
    ending: impl Future<Output = T>,
) -> T {
    let (mut ending, mut reading) = (pin!(ending), pin!(read(pipe, output)));
    tokio::select! {
        biased;
        () = &mut reading => ending.await,
        ended = &mut ending => {
            let _ = timeout(LAST_READ_GRACE, reading).await;
            ended
        }
    }
}
