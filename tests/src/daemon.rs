//! The daemon as a process: started, killed, ended, and never left behind.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::http::Http;
use crate::launch::Launch;
use crate::log::Log;
use crate::processes;
use crate::wait::wait_for;

/// How long the streams of an ended daemon may stay open.
pub(crate) const STREAM_BOUND: Duration = Duration::from_secs(10);

/// A running daemon. Dropping it kills it and every process it started.
pub struct Daemon {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
    pub(crate) mark: String,
}

/// A daemon that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// All it wrote to its standard streams.
    pub log: String,
}

impl Daemon {
    /// Begins a daemon with its data in `data_dir`, ports chosen by the system, on loopback.
    pub fn at(data_dir: &Path) -> Launch {
        Launch::at(data_dir)
    }

    /// Starts a daemon as [`Daemon::at`] describes it and waits until it can commit a write.
    ///
    /// # Panics
    ///
    /// If it ends, or takes too long; with its log.
    #[track_caller]
    pub fn start(data_dir: &Path) -> Self {
        Self::at(data_dir).start()
    }

    /// Returns where its API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a job of `settings` for the shell, runs it by hand, and returns its output.
    ///
    /// # Panics
    ///
    /// If it cannot be made, or fails.
    pub fn run_in_shell(&self, job: &str, settings: serde_json::Value) -> String {
        let body = serde_json::json!({"name": job, "schedule": "@manually", "executor": "shell",
                                      "executor_config": settings});
        let mut http = self.http();
        assert_eq!(http.post("/v1/jobs", body.to_string()).unwrap().status, 201);
        http.post(&format!("/v1/jobs/{job}"), "").unwrap();
        let executions = http.get(&format!("/v1/jobs/{job}/executions")).unwrap().json();
        assert_eq!(executions[0]["success"], true, "{executions}");
        executions[0]["output"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns a new connection to its API.
    pub fn http(&self) -> Http {
        Http::new(self.address)
    }

    /// Returns the id of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has written to its standard streams so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for the first line of its log that contains `text`.
    ///
    /// # Panics
    ///
    /// After `bound`, or when it ends.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str, bound: Duration) {
        let found = self.log.wait_for(bound, |line| line.contains(text).then_some(()));
        assert!(found.is_some(), "no line with {text:?} in {bound:?}:\n{}", self.log());
    }

    /// Sends SIGKILL to the daemon alone and waits until it is gone. What it started lives on.
    ///
    /// # Panics
    ///
    /// If it has ended before by itself.
    #[track_caller]
    pub fn kill_9(mut self) -> Survivors {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("the daemon had ended ({status}) before it was killed:\n{}", self.log());
        }
        self.child.kill().expect("send SIGKILL");
        self.child.wait().expect("wait for the killed daemon");
        Survivors { mark: std::mem::take(&mut self.mark) }
    }

    /// Sends SIGTERM without waiting.
    pub fn ask_to_end(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends SIGINT, as Ctrl-C does, without waiting.
    pub fn interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    /// Returns the ids and command lines of the daemon and of all it started that still live.
    pub fn processes(&self) -> Vec<(i32, String)> {
        processes::marked(&self.mark)
    }

    /// Ends the daemon by SIGTERM and waits until it, and all it started, is gone.
    ///
    /// # Panics
    ///
    /// After `bound`; or if a process is left behind.
    #[track_caller]
    pub fn terminate(self, bound: Duration) -> Ended {
        self.ask_to_end();
        self.wait_for_end(bound)
    }

    /// Waits until the daemon has ended by itself, and all it started is gone.
    ///
    /// # Panics
    ///
    /// After `bound`; or if a process is left behind.
    #[track_caller]
    pub fn wait_for_end(self, bound: Duration) -> Ended {
        let (ended, survivors) = self.wait_for_end_alone(bound);
        let left = survivors.list();
        assert!(left.is_empty(), "the daemon left processes behind: {left:?}\n{}", ended.log);
        ended
    }

    /// Waits until the daemon has ended by itself; returns what it left behind.
    ///
    /// # Panics
    ///
    /// After `bound`.
    #[track_caller]
    pub fn wait_for_end_alone(mut self, bound: Duration) -> (Ended, Survivors) {
        let ended = end_of(&mut self.child, &mut self.log, bound);
        (ended, Survivors { mark: std::mem::take(&mut self.mark) })
    }

    /// Sends it a signal without waiting.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Fails only if it has ended already, which the wait after it finds out.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // An empty mark has been handed on to `Survivors`.
        if !self.mark.is_empty() {
            processes::kill_marked(&self.mark);
        }
        if std::thread::panicking() {
            eprintln!("log of the daemon:\n{}", self.log.text());
        }
    }
}

/// The processes that a killed daemon started. Dropping it kills those that still live.
pub struct Survivors {
    mark: String,
}

impl Survivors {
    /// Returns the ids and command lines of those that still live.
    pub fn list(&self) -> Vec<(i32, String)> {
        processes::marked(&self.mark)
    }
}

impl Drop for Survivors {
    fn drop(&mut self) {
        processes::kill_marked(&self.mark);
    }
}

#[track_caller]
pub(crate) fn end_of(child: &mut Child, log: &mut Log, bound: Duration) -> Ended {
    let status = wait_for("the end of the daemon", bound, || child.try_wait().ok().flatten());
    log.finish(STREAM_BOUND);
    Ended { status, log: log.text() }
}
