//! The lock that keeps a second process, or a second copy of the library, out of a data dir.
//!
//! The kernel's lock on the file `lock` is what counts: it goes with its holder, however that ends.
//! The text in the file only says who holds it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::error::{Error, ErrorKind};

/// The name of the file.
const FILE_NAME: &str = "lock";
/// Where Linux tells one boot from the next.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Holds the lock until it is dropped.
pub struct DirLock {
    file: Option<Flock<File>>,
    pid: u32,
}

impl DirLock {
    /// Locks `dir`, which exists.
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
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((file, Errno::EWOULDBLOCK)) => {
                let message = format!("data dir {} is in use by {}", dir.display(), holder(file));
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            Err((_, errno)) => return Err(failed("lock").with_source(errno)),
        };
        let text = format!("pid {}\nboot {}\n", std::process::id(), boot_id());
        // Who holds the lock is only a hint: a full disk must not keep the node from starting.
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.set_len(0));
        if let Err(error) = written.and_then(|()| file.write_all(text.as_bytes())) {
            tracing::warn!(path = %path.display(), %error, "cannot write the holder's name");
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

/// Says who holds the lock, as far as the text in the file tells.
fn holder(file: File) -> String {
    let mut text = String::new();
    let _ = file.take(256).read_to_string(&mut text);
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let pid: Option<i32> = field("pid").and_then(|pid| pid.parse().ok());
    let Some(pid) = pid else {
        return "another process".to_owned();
    };
    if u32::try_from(pid) == Ok(std::process::id()) {
        return format!("this process ({pid})");
    }
    let is_this_boot = field("boot") == Some(boot_id().as_str());
    if is_this_boot && kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return format!(
            "a process that process {pid} forked and left behind, or one in another container"
        );
    }
    format!("process {pid}")
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
}
