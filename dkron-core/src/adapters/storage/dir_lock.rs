//! The lock that keeps a second process, or a second copy of the library, out of a data dir.
//!
//! The kernel's lock on the file `lock` is what counts: it goes with its holder, however that ends.
//! The text in the file only says who holds it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::error::{Error, ErrorKind};

/// The name of the file.
const FILE_NAME: &str = "lock";
/// How long a process that was killed may still be heard of: a child that it forked holds its files
/// until it runs its program, which on a busy machine takes a moment.
const AFTERLIFE_STEPS: u32 = 500;
/// How long one look lasts.
const AFTERLIFE_STEP: Duration = Duration::from_millis(10);
/// Where Linux tells one boot from the next.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Holds the lock until it is dropped.
pub struct DirLock {
    file: Option<Flock<File>>,
    pid: u32,
}

impl DirLock {
    /// Locks `dir`, which exists. Blocks for at most five seconds, and only if the process that
    /// had the lock is dead.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] with the process that holds the lock, if there is one;
    /// [`ErrorKind::Storage`] if the file cannot be opened or written.
    pub fn acquire(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE_NAME);
        let failed =
            |action: &str| Error::new(ErrorKind::Storage, format!("{action} {}", path.display()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed("open").with_source(error))?;
        let mut file = match lock(file) {
            Ok(file) => file,
            Err((holder, Errno::EWOULDBLOCK)) => {
                let message = format!("data dir {} is in use by {holder}", dir.display());
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            Err((_, errno)) => return Err(failed("lock").with_source(errno)),
        };
        let text = format!("pid {}\nboot {}\n", std::process::id(), boot_id());
        // Who holds the lock is only a hint: a full disk must not keep the node from starting.
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.set_len(0));
        if let Err(error) = written.and_then(|()| file.write_all(text.as_bytes())) {
            let error = failed("write the holder's name to").with_source(error);
            tracing::warn!(error = error.report(), "the lock does not tell who holds it");
        }
        Ok(Self { file: Some(file), pid: std::process::id() })
    }
}

impl Drop for DirLock {
    /// Lets go of the lock; a forked child does not, for it would let go of its parent's.
    fn drop(&mut self) {
        if std::process::id() != self.pid {
            std::mem::forget(self.file.take());
        }
    }
}

/// Who holds the lock, as far as the text in the file tells.
#[derive(Debug, PartialEq, Eq)]
enum Holder {
    /// Nobody wrote a name.
    Unknown,
    /// This very process.
    Own(i32),
    /// Another one, alive or of another boot.
    Process(i32),
    /// One that is dead, so that somebody else holds what it held.
    Dead(i32),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("another process"),
            Self::Own(pid) => write!(f, "this process ({pid})"),
            Self::Process(pid) => write!(f, "process {pid}"),
            Self::Dead(pid) => write!(
                f,
                "a process that process {pid} forked and left behind, or one in another container"
            ),
        }
    }
}

/// Locks the file; waits a moment for what a dead holder left behind.
fn lock(mut file: File) -> Result<Flock<File>, (Holder, Errno)> {
    let mut steps_left = AFTERLIFE_STEPS;
    loop {
        let errno;
        (file, errno) = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err(refused) => refused,
        };
        let holder = holder(&mut file);
        let may_pass = errno == Errno::EWOULDBLOCK && matches!(holder, Holder::Dead(_));
        if !may_pass || steps_left == 0 {
            return Err((holder, errno));
        }
        steps_left -= 1;
        #[expect(clippy::disallowed_methods, reason = "no event tells that a process let go")]
        std::thread::sleep(AFTERLIFE_STEP);
    }
}

/// Reads who holds the lock.
fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(256).read_to_string(&mut text));
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let pid: Option<i32> = field("pid").and_then(|pid| pid.parse().ok());
    let Some(pid) = pid else {
        return Holder::Unknown;
    };
    if u32::try_from(pid) == Ok(std::process::id()) {
        return Holder::Own(pid);
    }
    let is_this_boot = field("boot") == Some(boot_id().as_str());
    if is_this_boot && kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return Holder::Dead(pid);
    }
    Holder::Process(pid)
}

fn boot_id() -> String {
    fs::read_to_string(BOOT_ID).map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DirLock::acquire(dir.path()).unwrap();

        let error = DirLock::acquire(dir.path()).err().unwrap();

        assert_eq!(error.kind(), ErrorKind::Conflict);
        let pid = std::process::id().to_string();
        assert!(error.message().contains(&pid), "{error}");

        drop(lock);
        DirLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn what_a_dead_process_left_behind_may_take_a_moment_to_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        let text = format!("pid {}\nboot {}\n", dead.id(), boot_id());
        dead.wait().unwrap();
        fs::write(&path, text).unwrap();
        // A lock belongs to the open file, as it does in a child that was forked.
        let held = Flock::lock(File::open(&path).unwrap(), FlockArg::LockExclusive).unwrap();
        let (begun, has_begun) = std::sync::mpsc::channel();

        let waiting = std::thread::spawn(move || {
            begun.send(()).unwrap();
            DirLock::acquire(dir.path()).map(drop)
        });
        has_begun.recv().unwrap();
        drop(held);

        waiting.join().unwrap().unwrap();
    }
}
