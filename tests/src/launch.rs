//! How a daemon is started: its arguments, its environment, and the wait until it is of use.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::daemon::{Daemon, Ended, STREAM_BOUND, end_of};
use crate::log::Log;
use crate::processes::MARK;
use crate::wait::wait_for;

/// How long a daemon may take until it can commit a write. Idle, it takes a tenth of a second.
const START_BOUND: Duration = Duration::from_secs(30);

/// How to start a daemon; [`Daemon::at`] begins one.
pub struct Launch {
    data_dir: PathBuf,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    wrapper: Vec<String>,
    is_stdout_unread: bool,
}

impl Launch {
    pub(crate) fn at(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            args: Vec::new(),
            variables: Vec::new(),
            wrapper: Vec::new(),
            is_stdout_unread: false,
        }
    }

    /// Adds arguments of `dkron agent`.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives it a standard output whose reader has gone.
    #[must_use]
    pub fn stdout_unread(mut self) -> Self {
        self.is_stdout_unread = true;
        self
    }

    /// Makes it the first process of a namespace of its own, as in a container; `None` where that
    /// is not permitted.
    ///
    /// [`Daemon::pid`] is then the process around it.
    #[must_use]
    pub fn as_first_process(mut self) -> Option<Self> {
        let mut wrapper = vec!["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
        if !nix::unistd::geteuid().is_root() {
            wrapper.extend(["--user", "--map-root-user"]);
        }
        self.wrapper = wrapper.into_iter().map(str::to_owned).collect();
        let (program, args) = self.wrapper.split_first()?;
        let tried = Command::new(program).args(args).arg("true").stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success()).then_some(self)
    }

    /// Has a shell run `line` first, which then becomes the daemon: for what a process hands on.
    #[must_use]
    pub fn prepared_by(mut self, line: &str) -> Self {
        let script = format!("{line} && exec \"$0\" \"$@\"");
        self.wrapper = vec!["sh".to_owned(), "-c".to_owned(), script];
        self
    }

    /// Starts it and waits until it can commit a write.
    ///
    /// # Panics
    ///
    /// If it ends, or takes too long; with its log.
    #[track_caller]
    pub fn start(self) -> Daemon {
        match self.try_start() {
            Ok(daemon) => daemon,
            Err(ended) => panic!("the daemon ended ({}):\n{}", ended.status, ended.log),
        }
    }

    /// Starts it, and waits until it can commit a write or has ended.
    ///
    /// # Errors
    ///
    /// How it ended.
    ///
    /// # Panics
    ///
    /// If it does neither in time.
    #[track_caller]
    pub fn try_start(self) -> Result<Daemon, Ended> {
        let (mut child, mark) = self.spawn();
        let mut log = follow(&mut child);
        let Some(address) = log.wait_for(START_BOUND, listening_address) else {
            if !matches!(child.try_wait(), Ok(Some(_))) && child_is_silent(&mut child) {
                let _ = child.kill();
                panic!("the daemon did not say where it listens:\n{}", log.text());
            }
            return Err(end_of(&mut child, &mut log, START_BOUND));
        };
        let mut daemon = Daemon { child, address, log, mark };
        let mut http = daemon.http();
        let has_ended = wait_for("a leader", START_BOUND, || {
            if matches!(daemon.child.try_wait(), Ok(Some(_))) {
                return Some(true);
            }
            http.get("/v1/isleader").ok().filter(|answer| answer.status == 200).map(|_| false)
        });
        if has_ended {
            return Err(end_of(&mut daemon.child, &mut daemon.log, STREAM_BOUND));
        }
        Ok(daemon)
    }

    /// Starts it and waits for nothing; its API is nowhere.
    pub fn spawn_only(self) -> Daemon {
        let (mut child, mark) = self.spawn();
        let log = follow(&mut child);
        Daemon { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log, mark }
    }

    fn spawn(&self) -> (Child, String) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut command = match self.wrapper.split_first() {
            None => Command::new(binary()),
            Some((program, args)) => {
                let mut command = Command::new(program);
                command.args(args).arg(binary());
                command
            }
        };
        command
            .args(["agent", "--server", "--bootstrap-expect=1", "--node-name=e2e"])
            .args(["--bind-addr=127.0.0.1:0", "--http-addr=127.0.0.1:0"])
            .arg(format!("--data-dir={}", self.data_dir.display()))
            .args(&self.args)
            .env(MARK, &mark)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            // No configuration file of the machine's, or of the repository's, is to be found.
            .current_dir("/")
            .env("HOME", "/nonexistent")
            .stdin(Stdio::null())
            .stdout(if self.is_stdout_unread { unread() } else { Stdio::piped() })
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        (child, mark)
    }
}

/// The end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("make a pipe");
    drop(reader);
    writer.into()
}

/// Follows the standard streams of a daemon.
fn follow(child: &mut Child) -> Log {
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as _),
        child.stderr.take().map(|stream| Box::new(stream) as _),
    ];
    Log::follow(streams.into_iter().flatten().collect())
}

/// Returns the daemon's program, which lies in the folder above the test's own.
///
/// # Panics
///
/// If it is not built.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let found = own.ancestors().skip(1).map(|folder| folder.join("dkron")).find(|p| p.is_file());
    found.unwrap_or_else(|| {
        panic!("there is no dkron beside {}; run: cargo build -p dkron-server", own.display())
    })
}

/// Waits a moment for an end that has already begun; returns whether there was none.
fn child_is_silent(child: &mut Child) -> bool {
    for _ in 0..100 {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return false;
        }
        crate::wait::let_pass(Duration::from_millis(10));
    }
    true
}

/// Reads the address from the line in which the daemon says where its API listens.
fn listening_address(line: &str) -> Option<SocketAddr> {
    if !line.to_ascii_lowercase().contains("http") {
        return None;
    }
    let at = line.find("127.0.0.1:")?;
    let text: String = line[at..].chars().take_while(|c| !"\"/ ,)".contains(*c)).collect();
    text.parse().ok().filter(|address: &SocketAddr| address.port() != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_line_that_names_the_api() {
        let check = |line: &str, want: Option<&str>| {
            assert_eq!(listening_address(line).map(|a| a.to_string()).as_deref(), want, "{line}");
        };

        check(
            "msg=\"api: Running HTTP server\" address=\"127.0.0.1:4711\"",
            Some("127.0.0.1:4711"),
        );
        check("  HTTP API   http://127.0.0.1:4711/ui/", Some("127.0.0.1:4711"));
        check("http-addr=127.0.0.1:0", None);
        check("bind 127.0.0.1:4711", None);
    }
}
