//! A file that jobs write to themselves: what ran is known without asking the daemon.
//!
//! Each run appends one line when it starts and one when it ends. A line is written with one short
//! `write` in append mode, so lines of many processes never mix, and one that is there was reached.

use std::fs;
use std::path::{Path, PathBuf};

/// A ledger on disk.
pub struct Ledger {
    path: PathBuf,
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The run has begun.
    Start,
    /// The run is about to end.
    End,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which end of the run.
    pub moment: Moment,
    /// The job.
    pub job: String,
    /// The instant of the fire, RFC 3339.
    pub fire_time: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// Its fencing token.
    pub token: u64,
    /// Its process.
    pub pid: u32,
}

impl Ledger {
    /// Uses a new file at `path`.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Returns a shell command that writes the first line, does `body`, and writes the last.
    pub fn command(&self, body: &str) -> String {
        let line = |moment: &str| {
            format!(
                "echo \"{moment} $DKRON_JOB $DKRON_FIRE_TIME $DKRON_ATTEMPT $DKRON_TOKEN $$\" \
                 >> '{}'",
                self.path.display()
            )
        };
        format!("{}; {body}; code=$?; {}; exit $code", line("start"), line("end"))
    }

    /// Returns how many bytes have been written.
    pub fn len_bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Returns the lines in the order in which they were written.
    ///
    /// # Panics
    ///
    /// If the file holds anything else: a variable that was not set, a line cut off.
    pub fn read(&self) -> Vec<Line> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => panic!("read {}: {error}", self.path.display()),
        };
        text.lines()
            .map(|line| parse(line).unwrap_or_else(|| panic!("the ledger holds {line:?}")))
            .collect()
    }
}

fn parse(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.split(' ').collect();
    let [moment, job, fire_time, attempt, token, pid] = words.as_slice() else { return None };
    Some(Line {
        moment: match *moment {
            "start" => Moment::Start,
            "end" => Moment::End,
            _ => return None,
        },
        job: (*job).to_owned(),
        fire_time: (*fire_time).to_owned(),
        attempt: attempt.parse().ok()?,
        token: token.parse().ok()?,
        pid: pid.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_writes_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(&folder.path().join("ledger"));
        let status = std::process::Command::new("sh")
            .args(["-c", &ledger.command("false")])
            .env("DKRON_JOB", "a")
            .env("DKRON_FIRE_TIME", "2026-11-21T06:40:58Z")
            .env("DKRON_ATTEMPT", "2")
            .env("DKRON_TOKEN", "77")
            .status()
            .unwrap();

        let lines = ledger.read();

        assert_eq!(status.code(), Some(1), "the body decides how the run ends");
        let moments: Vec<_> = lines.iter().map(|line| line.moment).collect();
        assert_eq!(moments, [Moment::Start, Moment::End]);
        assert_eq!((lines[0].job.as_str(), lines[0].attempt, lines[0].token), ("a", 2, 77));
    }
}
