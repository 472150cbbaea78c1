//! What a program declares as its own: its jobs made what its code says, all or nothing.

use super::node::Node;
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
    /// Jobs are taken from the iterator on the caller's thread, and checked on one of the node's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for the first job that is not accepted, by name; if there are
    /// too many; or if the tag is empty, holds a control character or has more than
    /// [`limits::DECLARED_BY_BYTES_MAX`] bytes. [`ErrorKind::Conflict`] if a job of that name
    /// belongs to somebody else: then nothing has changed. And those of
    /// [every write](Cluster#writes). Safe to retry.
    ///
    /// [`limits::DECLARED_JOBS_MAX`]: crate::limits::DECLARED_JOBS_MAX
    /// [`limits::DECLARED_BYTES_MAX`]: crate::limits::DECLARED_BYTES_MAX
    /// [`limits::DECLARED_BY_BYTES_MAX`]: crate::limits::DECLARED_BY_BYTES_MAX
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
        let (mut drafts, mut bytes) = (Vec::new(), 0);
        for job in jobs {
            bytes += weight_of_job(&job);
            if drafts.len() == DECLARED_JOBS_MAX || bytes > DECLARED_BYTES_MAX {
                return Err(too_many_declared(declared_by));
            }
            drafts.push(job);
        }
        let tag = declared_by.to_owned();
        // A second of work if they are as many as may be.
        let command = node.blocking(move |node| prepare_all(node, tag, drafts, prune)).await?;
        match node.propose_one(Command::ApplyJobs(Box::new(command))).await? {
            Outcome::Applied { created, updated, unchanged, pruned } => {
                Ok(Applied { created, updated, unchanged, pruned })
            }
            other => Err(node.unexpected("declare jobs", declared_by, &other)),
        }
    }
}

/// Checks the jobs that a program declares and computes what the state must not. Blocks.
fn prepare_all(
    node: &Node,
    declared_by: String,
    drafts: Vec<Job>,
    prune: bool,
) -> Result<ApplyJobs, Error> {
    let prepare = |mut job: Job| {
        job.declared_by = Some(declared_by.clone());
        let name = job.name.clone();
        node.prepare(job).map_err(|error| {
            let text = format!("declare job \"{name}\": {}", error.message());
            Error::new(error.kind(), text).with_source(error)
        })
    };
    let jobs = drafts.into_iter().map(prepare).collect::<Result<_, _>>()?;
    let has_more =
        || node.query(|view| query::has_declared_more(view, &declared_by, DECLARED_JOBS_MAX));
    if prune && has_more()? {
        return Err(too_many_declared(&declared_by));
    }
    Ok(ApplyJobs { declared_by, jobs, prune })
}

/// The error of declaring more than one transaction should hold.
fn too_many_declared(declared_by: &str) -> Error {
    let text = format!(
        "declare jobs of \"{declared_by}\": at most {DECLARED_JOBS_MAX} jobs, together \
         of {DECLARED_BYTES_MAX} bytes, at once, and under a tag that is pruned; declare them in \
         parts, each under a tag of its own"
    );
    Error::new(ErrorKind::InvalidArgument, text)
}
