//! The jobs of a source: those that can be written together, on disk; the others with a reason.
//!
//! A job costs disk by its size, and memory by its names. Which of them can be written is known
//! only at the end: a backup must hold the parents of its jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};

use super::assess::{Carried, LeftOut, assess};
use crate::client::ClientError;

/// What is being done, for messages.
const KEEPING: &str = "keep the jobs in a temporary file";

/// Jobs on their way.
pub(super) struct Intake {
    spool: BufWriter<File>,
    end: u64,
    entries: BTreeMap<String, Entry>,
    left_out: Vec<(String, String)>,
    notes: Vec<(String, String)>,
    count: u64,
}

/// A job in the spool.
struct Entry {
    at: u64,
    bytes: u64,
    parent: String,
    dependents: BTreeSet<String>,
}

/// What was taken.
pub(super) struct Taken {
    /// The jobs as a backup.
    pub(super) backup: File,
    /// Its length.
    pub(super) bytes: u64,
    /// How many jobs it holds.
    pub(super) jobs: usize,
    /// The jobs that cannot be written, each with its reason.
    pub(super) left_out: Vec<(String, String)>,
    /// What of a job has no effect here.
    pub(super) notes: Vec<(String, String)>,
}

impl Intake {
    pub(super) fn new() -> Result<Self, ClientError> {
        let file = tempfile::tempfile().map_err(|error| ClientError::file(KEEPING, &error))?;
        Ok(Self {
            spool: BufWriter::new(file),
            end: 0,
            entries: BTreeMap::new(),
            left_out: Vec::new(),
            notes: Vec::new(),
            count: 0,
        })
    }

    /// Takes one job as the source has it. Of several with one name the last counts.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    pub(super) fn take(&mut self, text: &[u8]) -> Result<(), ClientError> {
        self.count += 1;
        let carried = match assess(text) {
            Ok(carried) => carried,
            Err(LeftOut { name, reason }) => {
                let name = if name.is_empty() { format!("number {}", self.count) } else { name };
                self.left_out.push((name, reason));
                return Ok(());
            }
        };
        let Carried { name, parent, job, dependents, notes } = carried;
        let text = job.to_string();
        let kept = self.spool.write_all(text.as_bytes());
        kept.map_err(|error| ClientError::file(KEEPING, &error))?;
        let (at, bytes) = (self.end, text.len() as u64);
        self.end += bytes;
        self.notes.extend(notes.into_iter().map(|note| (name.clone(), note)));
        if self.entries.insert(name.clone(), Entry { at, bytes, parent, dependents }).is_some() {
            self.notes.push((name, "it stands in the source twice; the later one counts".into()));
        }
        Ok(())
    }

    /// Returns what can be written.
    ///
    /// # Errors
    ///
    /// If what was kept cannot be read again.
    pub(super) fn finish(mut self) -> Result<Taken, ClientError> {
        self.leave_out_orphans();
        self.leave_out_cycles();
        self.note_lost_dependents();
        let failed = |error| ClientError::file(KEEPING, &error);
        let mut spool = self.spool.into_inner().map_err(|error| failed(error.into_error()))?;
        let mut backup = BufWriter::new(tempfile::tempfile().map_err(failed)?);
        let mut separator = "[";
        for entry in self.entries.values() {
            backup.write_all(separator.as_bytes()).map_err(failed)?;
            separator = ",";
            spool.seek(SeekFrom::Start(entry.at)).map_err(failed)?;
            std::io::copy(&mut (&spool).take(entry.bytes), &mut backup).map_err(failed)?;
        }
        backup.write_all(if separator == "[" { b"[]" } else { b"]" }).map_err(failed)?;
        let mut backup = backup.into_inner().map_err(|error| failed(error.into_error()))?;
        Ok(Taken {
            bytes: backup.stream_position().map_err(failed)?,
            backup,
            jobs: self.entries.len(),
            left_out: self.left_out,
            notes: self.notes,
        })
    }

    /// Leaves out the jobs whose parent is not there, and those below them.
    fn leave_out_orphans(&mut self) {
        loop {
            let is_orphan = |entry: &Entry| {
                !entry.parent.is_empty() && !self.entries.contains_key(&entry.parent)
            };
            let orphans = self.entries.iter().filter(|(_, entry)| is_orphan(entry));
            let orphans: Vec<(String, String)> =
                orphans.map(|(name, entry)| (name.clone(), entry.parent.clone())).collect();
            if orphans.is_empty() {
                return;
            }
            for (name, parent) in orphans {
                self.entries.remove(&name);
                let reason = format!("its parent \"{parent}\" is not carried over");
                self.left_out.push((name, reason));
            }
        }
    }

    /// Leaves out the jobs that are their own ancestors, and those below them.
    fn leave_out_cycles(&mut self) {
        // Whoever reaches a job without a parent is in no cycle.
        let mut rooted: BTreeSet<&str> = BTreeSet::new();
        let mut lost: Vec<String> = Vec::new();
        for start in self.entries.keys() {
            let mut path: Vec<&str> = Vec::new();
            let mut on_path: BTreeSet<&str> = BTreeSet::new();
            let mut at = start.as_str();
            let is_rooted = loop {
                if at.is_empty() || rooted.contains(at) {
                    break true;
                }
                if !on_path.insert(at) {
                    break false;
                }
                path.push(at);
                at = self.entries.get(at).map_or("", |entry| entry.parent.as_str());
            };
            if is_rooted {
                rooted.extend(path);
            } else {
                lost.push(start.clone());
            }
        }
        for name in lost {
            self.entries.remove(&name);
            self.left_out.push((name, "its parents form a cycle".to_owned()));
        }
    }

    /// Notes the dependents that a job lists and that do not name it as their parent.
    fn note_lost_dependents(&mut self) {
        let told: BTreeSet<&str> = self.left_out.iter().map(|(name, _)| name.as_str()).collect();
        for (name, entry) in &self.entries {
            for dependent in &entry.dependents {
                let is_child =
                    self.entries.get(dependent).is_some_and(|child| child.parent == *name);
                if !is_child && !told.contains(dependent.as_str()) {
                    let note = format!(
                        "it lists \"{dependent}\" as a dependent, which does not name it as its \
                         parent_job; it will not run after it"
                    );
                    self.notes.push((name.clone(), note));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn taken(jobs: &[Value]) -> (Taken, Vec<String>) {
        let mut intake = Intake::new().unwrap();
        for job in jobs {
            intake.take(job.to_string().as_bytes()).unwrap();
        }
        let mut taken = intake.finish().unwrap();
        taken.backup.rewind().unwrap();
        let mut text = String::new();
        taken.backup.read_to_string(&mut text).unwrap();
        assert_eq!(text.len() as u64, taken.bytes);
        let backup: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(backup.len(), taken.jobs);
        let names = backup.iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect();
        (taken, names)
    }

    fn job(name: &str, parent: &str) -> Value {
        match parent {
            "" => json!({"name": name, "schedule": "@daily"}),
            parent => json!({"name": name, "parent_job": parent}),
        }
    }

    #[test]
    fn what_is_below_a_job_that_is_left_out_is_left_out_too() {
        let (taken, names) = taken(&[
            job("Bad", ""),
            job("child", "Bad"),
            job("grandchild", "child"),
            job("good", ""),
            job("follower", "good"),
        ]);
        assert_eq!(names, ["follower", "good"]);
        let left_out: Vec<&str> = taken.left_out.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left_out, ["Bad", "child", "grandchild"]);
        assert!(taken.left_out[2].1.contains("parent \"child\""), "{:?}", taken.left_out);
    }

    #[test]
    fn a_cycle_is_left_out_with_what_hangs_on_it() {
        let (taken, names) = taken(&[job("a", "b"), job("b", "a"), job("c", "a"), job("d", "")]);
        assert_eq!(names, ["d"]);
        assert_eq!(taken.left_out.len(), 3);
        assert!(taken.left_out.iter().all(|(_, why)| why.contains("cycle")));
    }

    #[test]
    fn a_dependent_that_is_no_child_is_noted() {
        let parent = json!({"name": "a", "schedule": "@daily", "dependent_jobs": ["b", "ghost"]});
        let (taken, names) = taken(&[parent, job("b", "a")]);
        assert_eq!(names, ["a", "b"]);
        assert_eq!(taken.notes.len(), 1);
        assert!(taken.notes[0].1.contains("\"ghost\""), "{:?}", taken.notes);
    }

    #[test]
    fn of_two_jobs_with_one_name_the_later_counts() {
        assert_eq!(taken(&[]).1, Vec::<String>::new());
        let (taken, names) = taken(&[job("a", ""), job("a", "")]);
        assert_eq!((names.len(), taken.notes.len()), (1, 1));
    }
}
