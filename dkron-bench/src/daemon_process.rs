//! The daemon as a process to measure.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a daemon may take to answer before the bench gives up.
const ANSWER_BOUND: Duration = Duration::from_secs(30);

/// Between two tries: far below what is measured.
const TRY_EVERY: Duration = Duration::from_micros(200);

/// A running daemon. Dropping it kills it.
pub struct DaemonProcess {
    child: Child,
    /// Where its API listens.
    pub address: SocketAddr,
    /// From its start to its first answer.
    pub first_answer: Duration,
}

impl DaemonProcess {
    /// Starts the daemon that lies beside this program and waits for its first answer.
    ///
    /// # Errors
    ///
    /// If it is not built, or does not answer.
    pub fn start(data_dir: &Path) -> Result<Self> {
        let binary = binary()?;
        // A port that was free a moment ago: its number must be known before the daemon says it.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let begun = Instant::now();
        let child = Command::new(&binary)
            .args(["agent", "--server", "--bootstrap-expect=1", "--node-name=bench"])
            .arg("--bind-addr=127.0.0.1:0")
            .arg(format!("--http-addr={free}"))
            .arg(format!("--data-dir={}", data_dir.display()))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let mut daemon = Self { child, address: free, first_answer: Duration::ZERO };
        while daemon.ask("/v1").is_err() {
            if let Some(status) = daemon.child.try_wait()? {
                bail!("the daemon ended: {status}");
            }
            if begun.elapsed() > ANSWER_BOUND {
                bail!("the daemon did not answer in {ANSWER_BOUND:?}");
            }
            std::thread::sleep(TRY_EVERY);
        }
        daemon.first_answer = begun.elapsed();
        Ok(daemon)
    }

    /// Returns the id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends GET and returns the status code.
    ///
    /// # Errors
    ///
    /// If there is no whole answer.
    pub fn ask(&self, path: &str) -> Result<u16> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_BOUND))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let status =
            answer.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
        status.context("no status in the answer")
    }

    /// Waits until writes are accepted.
    ///
    /// # Errors
    ///
    /// After a bound.
    pub fn wait_for_leader(&self) -> Result<()> {
        let begun = Instant::now();
        while self.ask("/v1/isleader")? != 200 {
            if begun.elapsed() > ANSWER_BOUND {
                bail!("no leader in {ANSWER_BOUND:?}");
            }
            std::thread::sleep(TRY_EVERY);
        }
        Ok(())
    }
}

impl Drop for DaemonProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the release binary.
///
/// # Errors
///
/// If it is not built.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    let binary = own.with_file_name("dkron");
    if !binary.is_file() {
        bail!("{} is not built: cargo build --release -p dkron-server", binary.display());
    }
    Ok(binary)
}
