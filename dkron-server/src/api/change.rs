//! Changes of one job: made whatever is stored, or on the conditions of a request.
//!
//! What is checked is what is written: the revision that the conditions hold of goes with the
//! change, and the cluster refuses it if the job has another one by then.

use dkron_core::{Error, ErrorKind, JobView, WriteJob};

use super::Api;
use super::job_check::CheckedJob;
use super::precondition::Preconditions;

/// How often a change is tried anew when the job moved between the check and the write.
const MOVED_TRIES_MAX: usize = 16;

/// A change of one job.
pub(super) enum Change<'a> {
    /// Creates or replaces it.
    Store(Box<CheckedJob>),
    /// Disables it if it is enabled, and the other way round.
    Toggle(&'a str),
    /// Deletes it.
    Delete(&'a str),
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum Unchanged {
    /// A condition does not hold: what does.
    Condition(String),
    /// It failed, or was refused for itself.
    Error(Error),
}

impl Change<'_> {
    /// Makes the change if the conditions hold, and returns the job as it is then; a deleted one as
    /// it was.
    pub(super) async fn make(
        self,
        api: &Api,
        conditions: &Preconditions,
    ) -> Result<JobView, Unchanged> {
        if conditions.is_empty() {
            return self.make_on_any(api).await.map_err(Unchanged::Error);
        }
        let mut revision = self.stored_revision(api)?;
        for _ in 0..MOVED_TRIES_MAX {
            // A request that would fail without conditions fails in the same way with them.
            if revision.is_none() && !matches!(self, Self::Store(_)) {
                return self.make_on_any(api).await.map_err(Unchanged::Error);
            }
            if let Some(fault) = conditions.fault(revision) {
                return Err(Unchanged::Condition(fault));
            }
            let error = match self.make_on(api, revision.unwrap_or(0)).await {
                Ok(view) => return Ok(view),
                Err(error) => error,
            };
            let before = std::mem::replace(&mut revision, self.stored_revision(api)?);
            if error.kind() != ErrorKind::Conflict || before == revision {
                return Err(Unchanged::Error(error));
            }
        }
        let text = format!("write job \"{}\": others keep changing it", self.job());
        Err(Unchanged::Error(Error::new(ErrorKind::Conflict, text)))
    }

    async fn make_on_any(self, api: &Api) -> Result<JobView, Error> {
        match self {
            Self::Store(checked) => store(api, *checked).await,
            Self::Toggle(job) => api.cluster.toggle_job(job).await,
            Self::Delete(job) => api.cluster.delete_job(job).await,
        }
    }

    /// Makes the change if the job has this revision; 0 = if there is none.
    async fn make_on(&self, api: &Api, revision: u64) -> Result<JobView, Error> {
        match self {
            Self::Store(checked) => {
                let mut write = write_of(CheckedJob::clone(checked));
                write.if_revision = Some(revision);
                api.cluster.write_job(write).await
            }
            Self::Toggle(job) => api.cluster.toggle_job_if_revision(job, revision).await,
            Self::Delete(job) => api.cluster.delete_job_if_revision(job, revision).await,
        }
    }

    fn job(&self) -> &str {
        match self {
            Self::Store(checked) => checked.job.name.as_str(),
            Self::Toggle(job) | Self::Delete(job) => job,
        }
    }

    fn stored_revision(&self, api: &Api) -> Result<Option<u64>, Unchanged> {
        let view = api.cluster.job(self.job()).map_err(Unchanged::Error)?;
        Ok(view.map(|view| view.status.revision))
    }
}

/// Creates or replaces a job, whatever is stored.
pub(super) async fn store(api: &Api, checked: CheckedJob) -> Result<JobView, Error> {
    api.cluster.write_job(write_of(checked)).await
}

fn write_of(checked: CheckedJob) -> WriteJob {
    let mut write = WriteJob::new(checked.job);
    write.restored = checked.restored;
    write
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, header};
    use dkron_core::{Job, JobName};

    use super::*;

    fn store(name: &str, parent: Option<&str>) -> Change<'static> {
        let mut job = Job::new(JobName::parse(name).unwrap());
        job.schedule = "@manually".to_owned();
        job.parent_job = parent.map(|parent| JobName::parse(parent).unwrap());
        Change::Store(Box::new(CheckedJob { job, restored: None }))
    }

    fn on(name: HeaderName, value: &str) -> Preconditions {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        Preconditions::of(&headers).unwrap()
    }

    /// Makes a change; `Err` is the kind of its failure, or none if a condition did not hold.
    async fn make(
        api: &Api,
        change: Change<'_>,
        conditions: &Preconditions,
    ) -> Result<u64, Option<ErrorKind>> {
        match change.make(api, conditions).await {
            Ok(view) => Ok(view.status.revision),
            Err(Unchanged::Condition(_)) => Err(None),
            Err(Unchanged::Error(error)) => Err(Some(error.kind())),
        }
    }

    #[tokio::test]
    async fn a_condition_decides_between_writers_and_hides_no_other_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let api = Api::in_memory(folder.path()).await;
        let (any, none) = (on(header::IF_MATCH, "*"), on(header::IF_NONE_MATCH, "*"));

        assert_eq!(make(&api, store("a", None), &any).await, Err(None), "there is none");
        let first = make(&api, store("a", None), &none).await.unwrap();
        assert_eq!(make(&api, store("a", None), &none).await, Err(None), "there is one");
        let same = on(header::IF_MATCH, &format!("\"{first}\""));
        let second = make(&api, Change::Toggle("a"), &same).await.unwrap();
        assert!(second > first);
        assert_eq!(make(&api, Change::Toggle("a"), &same).await, Err(None));
        assert_eq!(make(&api, Change::Delete("a"), &same).await, Err(None));
        assert_eq!(make(&api, store("a", None), &same).await, Err(None));

        make(&api, store("b", Some("a")), &Preconditions::default()).await.unwrap();
        let conflict = Err(Some(ErrorKind::Conflict));
        assert_eq!(make(&api, Change::Delete("a"), &any).await, conflict, "b depends on it");
        let not_found = Err(Some(ErrorKind::NotFound));
        assert_eq!(make(&api, store("c", Some("nobody")), &none).await, not_found);
        assert_eq!(make(&api, Change::Toggle("nobody"), &any).await, not_found);
        assert_eq!(make(&api, Change::Delete("nobody"), &same).await, not_found);
        api.cluster.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn of_many_who_write_on_one_tag_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let api = Api::in_memory(folder.path()).await;
        let first = make(&api, store("a", None), &Preconditions::default()).await.unwrap();
        let same = on(header::IF_MATCH, &format!("\"{first}\""));

        let all = (0..16).map(|_| make(&api, Change::Toggle("a"), &same));
        let made = futures_util::future::join_all(all).await;

        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
        assert!(made.iter().all(|made| matches!(made, Ok(_) | Err(None))), "{made:?}");
        api.cluster.shutdown().await.unwrap();
    }
}
