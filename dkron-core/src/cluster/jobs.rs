//! Jobs: write, read, list, toggle, delete.

use std::ops::ControlFlow;

use super::Cluster;
use super::builder::job_name;
use super::node::refused;
use crate::error::{Error, ErrorKind};
use crate::kernel::model::{Job, JobName, JobStatus};
use crate::kernel::state::query::{self, JobView, Part};
use crate::kernel::state::{Command, Order, Outcome, Rejection};

/// Jobs that a walk holds in memory at a time.
const WALK_PAGE_JOBS: usize = 256;

/// How often a write, or a run, is tried anew when the job moved between reading and writing.
pub(super) const MOVED_TRIES_MAX: usize = 16;

/// A write of a job, with its conditions; see [`Cluster::write_job`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WriteJob {
    /// The definition.
    pub job: Job,
    /// Write only if the stored job has this revision: 0 = only if there is none.
    pub if_revision: Option<u64>,
    /// Counters of a backup: the greater of stored and restored wins, so they never go down.
    pub restored: Option<JobStatus>,
}

impl WriteJob {
    /// Writes `job` whatever is stored.
    pub fn new(job: Job) -> Self {
        Self { job, if_revision: None, restored: None }
    }
}

impl Cluster {
    /// Creates a job or replaces the one of its name, and returns it as it is stored.
    ///
    /// Durable and visible to every later call on this node when it returns. Replacing keeps the
    /// history and, unless something that it depends on changed (schedule, zone, rule for clock
    /// changes, bounds, parent, or that it is disabled), the instant of the next fire. Safe to
    /// retry.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for the first field that is not accepted, with Dkron's text
    /// where it has one, and its typed cause as source; [`ErrorKind::NotFound`] if the parent does
    /// not exist; and those of [every write](Cluster#writes).
    pub async fn set_job(&self, job: Job) -> Result<JobView, Error> {
        self.write_job(WriteJob::new(job)).await
    }

    /// Writes a job as [`Cluster::set_job`] does, on conditions.
    ///
    /// # Errors
    ///
    /// Beside those of [`Cluster::set_job`]: [`ErrorKind::Conflict`] if the stored job has another
    /// revision than the one asked for; read it again. With `if_revision` a repeated write that has
    /// happened is refused in that way.
    pub async fn write_job(&self, request: WriteJob) -> Result<JobView, Error> {
        let node = self.node()?;
        let name = request.job.name.clone();
        let mut write = node.prepare(request.job)?;
        write.if_revision = request.if_revision;
        write.restored = request.restored;
        let written = write.job.clone();
        let outcome = node.propose_one(Command::SetJob(Box::new(write))).await?;
        as_written(self.job(name.as_str()), written, &outcome)
    }

    /// Returns a job, if it exists. Reads this node's state: what was acknowledged here is seen.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the state cannot be read. A text that is no job name is no job.
    pub fn job(&self, name: &str) -> Result<Option<JobView>, Error> {
        let node = self.node()?;
        let Ok(name) = JobName::parse(name) else { return Ok(None) };
        node.query(|view| query::job(view, &name))
    }

    /// Returns at most `limit` jobs in the order of their names, beginning after `after`.
    ///
    /// One consistent view; costs O(limit), in memory too. [`Cluster::list_jobs`] chooses among
    /// them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the state cannot be read.
    pub fn jobs(&self, after: Option<&JobName>, limit: usize) -> Result<Vec<JobView>, Error> {
        self.node()?.query(|view| query::jobs_after(view, after, limit, |_| Ok(true)))
    }

    /// Returns at most `limit` jobs in the order of their names, after passing over `skip`.
    ///
    /// One consistent view; those passed over are not decoded, so that a list of a million can be
    /// paged through by position. [`Cluster::jobs`] goes on from a name at no cost.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the state cannot be read.
    pub fn jobs_at(&self, skip: u64, limit: usize) -> Result<Vec<JobView>, Error> {
        let part = Part { order: Order::Ascending, skip, limit };
        let page = self.node()?.query(|view| query::jobs_page(view, part))?;
        Ok(page.items)
    }

    /// Walks all jobs in the order of their names until `visit` breaks.
    ///
    /// Reads `WALK_PAGE_JOBS` at a time, each page from a view of its own: memory does not grow
    /// with their number, and a slow `visit` holds nothing open. A job that is written meanwhile
    /// may be seen before or after that.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the state cannot be read.
    pub fn walk_jobs(
        &self,
        mut visit: impl FnMut(JobView) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.jobs(after.as_ref(), WALK_PAGE_JOBS)?;
            let is_last = page.len() < WALK_PAGE_JOBS;
            for view in page {
                after = Some(view.job.name.clone());
                if visit(view).is_break() {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Returns how many jobs there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] if the state cannot be read.
    pub fn jobs_count(&self) -> Result<u64, Error> {
        self.node()?.query(|view| query::job_count(view))
    }

    /// Deletes a job with its history, and returns it as it was. Safe to retry: a job that is gone
    /// is not found.
    ///
    /// Its running executions go on and may still be cancelled; their results are dropped, unless
    /// a job of the same name is made meanwhile: that takes them over, as if the job had been
    /// changed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] without such a job; [`ErrorKind::Conflict`] while it has dependents;
    /// and those of [every write](Cluster#writes).
    pub async fn delete_job(&self, name: &str) -> Result<JobView, Error> {
        let name = job_name(name)?;
        let view = self.job_view(&name)?;
        self.node()?.propose_one(Command::DeleteJob { job: name }).await?;
        Ok(view)
    }

    /// Deletes a job as [`Cluster::delete_job`] does, if it has this revision.
    ///
    /// # Errors
    ///
    /// Beside those of [`Cluster::delete_job`]: [`ErrorKind::Conflict`] if it has another one.
    pub async fn delete_job_if_revision(
        &self,
        name: &str,
        revision: u64,
    ) -> Result<JobView, Error> {
        let view = self.job_view_at(name, revision)?;
        let job = view.job.name.clone();
        self.node()?.propose_one(Command::DeleteJobIfRevision { job, revision }).await?;
        Ok(view)
    }

    /// Disables an enabled job, enables a disabled one, and returns it as it is then.
    ///
    /// Not safe to retry where it may have happened: a second toggle undoes the first. Then
    /// [`Cluster::set_job_disabled`] is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] without such a job; [`ErrorKind::Conflict`] if others keep changing
    /// it; and those of [every write](Cluster#writes).
    pub async fn toggle_job(&self, name: &str) -> Result<JobView, Error> {
        let name = job_name(name)?;
        self.change_disabled(&name, |disabled| !disabled).await
    }

    /// Toggles a job as [`Cluster::toggle_job`] does, if it has this revision. Safe to retry: a
    /// toggle that has happened is refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] without such a job; [`ErrorKind::Conflict`] if it has another
    /// revision; and those of [every write](Cluster#writes).
    pub async fn toggle_job_if_revision(
        &self,
        name: &str,
        revision: u64,
    ) -> Result<JobView, Error> {
        let view = self.job_view_at(name, revision)?;
        let disabled = !view.job.disabled;
        self.propose_disabled(view, disabled).await
    }

    /// Enables or disables a job, and returns it as it is then. Safe to retry.
    ///
    /// # Errors
    ///
    /// As [`Cluster::toggle_job`].
    pub async fn set_job_disabled(&self, name: &str, disabled: bool) -> Result<JobView, Error> {
        let name = job_name(name)?;
        self.change_disabled(&name, |_| disabled).await
    }

    /// Returns a job that is known to exist.
    pub(super) fn job_view(&self, name: &JobName) -> Result<JobView, Error> {
        self.node()?.query(|view| query::job(view, name))?.ok_or_else(|| not_found(name))
    }

    /// Returns a job that is known to have a revision.
    fn job_view_at(&self, name: &str, revision: u64) -> Result<JobView, Error> {
        let view = self.job_view(&job_name(name)?)?;
        let stored = view.status.revision;
        if stored != revision {
            let moved = Rejection::Moved { job: view.job.name, revision: stored };
            return Err(refused(moved, Some(revision)));
        }
        Ok(view)
    }

    /// Writes `disabled` as `decide` wants it, anew whenever the job moved in between.
    async fn change_disabled(
        &self,
        name: &JobName,
        decide: impl Fn(bool) -> bool,
    ) -> Result<JobView, Error> {
        for _ in 0..MOVED_TRIES_MAX {
            let view = self.job_view(name)?;
            let disabled = decide(view.job.disabled);
            match self.propose_disabled(view, disabled).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => return done,
            }
        }
        let text = format!("toggle job \"{name}\": others keep changing it");
        Err(Error::new(ErrorKind::Conflict, text))
    }

    /// Writes `disabled` if the job still has the revision of `view`.
    async fn propose_disabled(&self, view: JobView, disabled: bool) -> Result<JobView, Error> {
        let node = self.node()?;
        let stored = view.job;
        let job = Job { disabled, ..stored.clone() };
        let command = Command::SetDisabled {
            job: job.name.clone(),
            revision: view.status.revision,
            disabled,
            first: node.first_due(&job)?,
            overdue: node.overdue(&stored, view.status.next),
        };
        let outcome = node.propose_one(command).await?;
        as_written(self.job(job.name.as_str()), job, &outcome)
    }
}

/// Returns a job that was written, as it was read since; if somebody has deleted it since, as it
/// was written. A read that failed does not hide that the write has happened.
fn as_written(
    read: Result<Option<JobView>, Error>,
    written: Job,
    outcome: &Outcome,
) -> Result<JobView, Error> {
    if let Some(view) = read.map_err(Error::maybe_happened)? {
        return Ok(view);
    }
    let mut status = JobStatus::default();
    if let Outcome::Written { revision } = outcome {
        status.revision = *revision;
    }
    Ok(JobView { job: written, status, children: Vec::new() })
}

/// The error of a job that does not exist.
pub(super) fn not_found(job: &JobName) -> Error {
    Error::new(ErrorKind::NotFound, format!("job \"{job}\" not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: Outcome = Outcome::Written { revision: 7 };

    #[test]
    fn a_job_that_was_deleted_right_after_its_write_is_answered_as_it_was_written() {
        let job = Job::new(JobName::parse("a").unwrap());
        let view = as_written(Ok(None), job.clone(), &WRITTEN).unwrap();
        assert_eq!((view.job, view.status.revision), (job, 7));
    }

    #[test]
    fn a_read_that_fails_after_a_write_says_that_the_write_may_have_happened() {
        let job = Job::new(JobName::parse("a").unwrap());
        let error = as_written(Err(Error::new(ErrorKind::Storage, "read")), job, &WRITTEN);
        assert!(error.unwrap_err().may_have_happened());
    }
}
