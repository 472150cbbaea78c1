//! Jobs by page: those that match, from a cursor on.
//!
//! A page costs what it looks at, and that is bounded: where few jobs match, a page may be shorter
//! than asked for, or empty, and still name where to go on. `jobs` has the short form for whoever
//! wants the first page of everything.

use std::collections::BTreeMap;

use super::Cluster;
use crate::error::Error;
use crate::kernel::model::{Job, JobName, RunStatus};
use crate::kernel::state::query::{self, JobRow, JobView};
use crate::kernel::state::{TableError, Tables};
use crate::limits::LIST_ROWS_PER_PAGE_MAX;

/// Entries of a page unless the query says otherwise.
pub(super) const PAGE_ENTRIES_DEFAULT: usize = 100;

/// Which jobs are wanted; see [`Cluster::list_jobs`]. All conditions must hold.
///
/// Starts as: every job, from the first, 100 to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobQuery {
    after: Option<JobName>,
    limit: usize,
    name_prefix: String,
    metadata: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    disabled: Option<bool>,
    status: Option<RunStatus>,
}

impl Default for JobQuery {
    fn default() -> Self {
        Self::new()
    }
}

impl JobQuery {
    /// Asks for every job.
    pub fn new() -> Self {
        Self {
            after: None,
            limit: PAGE_ENTRIES_DEFAULT,
            name_prefix: String::new(),
            metadata: BTreeMap::new(),
            tags: BTreeMap::new(),
            disabled: None,
            status: None,
        }
    }

    /// Begins behind this name, whether or not there is such a job: the cursor of a page.
    #[must_use]
    pub fn after(mut self, name: JobName) -> Self {
        self.after = Some(name);
        self
    }

    /// Asks for at most so many jobs to a page. A page is held in memory.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Names begin with this. Others are not looked at.
    #[must_use]
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = prefix.into();
        self
    }

    /// The metadata holds exactly this value under `key`. May be asked for several keys.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// The tags hold exactly this text under `key`, a count included. May be asked for several
    /// keys.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// The job is disabled, or is not.
    #[must_use]
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.disabled = Some(disabled);
        self
    }

    /// The last complete run went like this.
    #[must_use]
    pub fn status(mut self, status: RunStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Returns whether a job is wanted; decodes what is asked for, and no more.
    fn accepts<T: Tables>(&self, row: &JobRow<'_, T>) -> Result<bool, TableError> {
        if self.needs_definition() && !self.accepts_definition(&row.definition()?) {
            return Ok(false);
        }
        match self.status {
            Some(wanted) => Ok(row.status()?.status == wanted),
            None => Ok(true),
        }
    }

    fn needs_definition(&self) -> bool {
        self.disabled.is_some() || !self.metadata.is_empty() || !self.tags.is_empty()
    }

    fn accepts_definition(&self, job: &Job) -> bool {
        let holds = |map: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
            wanted.iter().all(|(key, value)| map.get(key) == Some(value))
        };
        self.disabled.is_none_or(|disabled| job.disabled == disabled)
            && holds(&job.metadata, &self.metadata)
            && holds(&job.tags, &self.tags)
    }
}

/// A page of jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobPage {
    /// Those that match, in the order of their names.
    pub jobs: Vec<JobView>,
    /// Hand it to [`JobQuery::after`] for the next page; `None` = there is none.
    pub next: Option<JobName>,
}

impl Cluster {
    /// Returns a page of the jobs that match, in the order of their names.
    ///
    /// Reads this node's state, from disk where it is not in memory, in one consistent view; what
    /// was acknowledged here is seen. Without conditions on anything but the name a page costs what
    /// it holds, wherever it begins; with others it looks at
    /// [`limits::LIST_ROWS_PER_PAGE_MAX`](crate::limits::LIST_ROWS_PER_PAGE_MAX) jobs at most. So a
    /// page may be shorter than asked for, even empty: [`JobPage::next`] says whether it is the
    /// last.
    ///
    /// ```
    /// use dkron_core::{Cluster, Config, JobBuilder, JobQuery};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let cluster = Cluster::start(Config::new("node-1").in_memory()).await?;
    /// for (name, team) in [("etl-a", "data"), ("etl-b", "web"), ("etl-c", "data")] {
    ///     let job = JobBuilder::new(name).schedule("@daily").metadata("team", team);
    ///     cluster.set_job(job.build()?).await?;
    /// }
    ///
    /// let query = JobQuery::new().name_prefix("etl-").metadata("team", "data").limit(1);
    /// let first = cluster.list_jobs(&query)?;
    /// assert_eq!(first.jobs[0].job.name.as_str(), "etl-a");
    /// let second = cluster.list_jobs(&query.after(first.next.unwrap()))?;
    /// assert_eq!(second.jobs[0].job.name.as_str(), "etl-c");
    /// # cluster.shutdown().await?;
    /// # Ok::<(), dkron_core::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the state cannot be read,
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) after a shutdown.
    pub fn list_jobs(&self, query: &JobQuery) -> Result<JobPage, Error> {
        let range = query::JobRange {
            prefix: &query.name_prefix,
            after: query.after.as_ref(),
            limit: query.limit,
            rows_max: LIST_ROWS_PER_PAGE_MAX,
        };
        let found = self
            .node()?
            .query(|view| query::jobs_matching(view, range, |row| query.accepts(row)))?;
        Ok(JobPage { jobs: found.items, next: found.next })
    }
}
