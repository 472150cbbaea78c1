//! What a program declares as its own: its jobs made what its code says, all or nothing.

use super::{Applied, Cluster};
use crate::adapters::consensus::weight_of_job;
use crate::error::{Error, ErrorKind};
use crate::kernel::model::Job;
use crate::kernel::state::{ApplyJobs, Command, Outcome, query};
use crate::limits::{DECLARED_BYTES_MAX, DECLARED_JOBS_MAX};

impl Cluster {
    /// Makes the jobs of one program what it declares: creates, updates and, if `prune`, deletes
    /// those it declared before and does not any more. All or nothing; other jobs are not touched.
    ///
    /// `declared_by` is the program's tag: stable over its versions, other than that of any other
    /// program. Declaring the same again changes nothing, so every instance may do it at its start.
    ///
    /// A call takes at most [`limits::DECLARED_JOBS_MAX`] jobs of [`limits::DECLARED_BYTES_MAX`]
    /// bytes, and with `prune` the tag may have as many. A program with more declares them in
    /// parts, each under a tag of its own: all or nothing then holds for each part.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for the first job that is not accepted, by name, or if there
    /// are too many; [`ErrorKind::Conflict`] if a job of that name belongs to somebody else: then
    /// nothing has changed. And those of [every write](Cluster#writes). Safe to retry.
    ///
    /// [`limits::DECLARED_JOBS_MAX`]: crate::limits::DECLARED_JOBS_MAX
    /// [`limits::DECLARED_BYTES_MAX`]: crate::limits::DECLARED_BYTES_MAX
    pub async fn apply(
        &self,
        declared_by: &str,
        jobs: impl IntoIterator<Item = Job>,
        prune: bool,
    ) -> Result<Applied, Error> {
        let node = self.node()?;
        if declared_by.is_empty() {
            let text = "declared_by is empty; name the program that declares the jobs";
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        let prepare = |mut job: Job| {
            job.declared_by = Some(declared_by.to_owned());
            let name = job.name.clone();
            node.prepare(job).map_err(|error| {
                let text = format!("declare job \"{name}\": {}", error.message());
                Error::new(error.kind(), text).with_source(error)
            })
        };
        let (mut writes, mut bytes) = (Vec::new(), 0);
        for job in jobs {
            bytes += weight_of_job(&job);
            if writes.len() == DECLARED_JOBS_MAX || bytes > DECLARED_BYTES_MAX {
                return Err(too_many_declared(declared_by));
            }
            writes.push(prepare(job)?);
        }
        let has_more =
            || node.query(|view| query::has_declared_more(view, declared_by, DECLARED_JOBS_MAX));
        if prune && has_more()? {
            return Err(too_many_declared(declared_by));
        }
        let jobs = writes;
        let command = ApplyJobs { declared_by: declared_by.to_owned(), jobs, prune };
        match node.propose_one(Command::ApplyJobs(Box::new(command))).await? {
            Outcome::Applied { created, updated, unchanged, pruned } => {
                Ok(Applied { created, updated, unchanged, pruned })
            }
            other => Err(node.unexpected("declare jobs", declared_by, &other)),
        }
    }
}

/// The error of declaring more than one transaction should hold.
fn too_many_declared(declared_by: &str) -> Error {
    let text = format!(
        "declare jobs of \"{declared_by}\": at most {DECLARED_JOBS_MAX} jobs of \
         {DECLARED_BYTES_MAX} bytes at once, and under a tag that is pruned; declare them in \
         parts, each under a tag of its own"
    );
    Error::new(ErrorKind::InvalidArgument, text)
}
