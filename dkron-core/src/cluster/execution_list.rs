//! Executions of a job by page: those that match, from a cursor on.
//!
//! A page costs what it looks at, as a page of jobs does. `runs` has the short form for whoever
//! wants the first page of everything.

use super::Cluster;
use super::builder::job_name;
use super::job_list::PAGE_ENTRIES_DEFAULT;
use super::runs::as_it_runs;
use crate::error::Error;
use crate::kernel::model::{Execution, ExecutionId, ExecutionState};
use crate::kernel::state::{Order, query};
use crate::limits::LIST_ROWS_PER_PAGE_MAX;

/// Which executions of a job are wanted; see [`Cluster::list_executions`].
///
/// Starts as: all of them, the newest first, 100 to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionQuery {
    after: Option<ExecutionId>,
    limit: usize,
    order: Order,
    states: Vec<ExecutionState>,
}

impl Default for ExecutionQuery {
    fn default() -> Self {
        Self::new()
    }
}

impl ExecutionQuery {
    /// Asks for every execution, the newest first.
    pub fn new() -> Self {
        Self {
            after: None,
            limit: PAGE_ENTRIES_DEFAULT,
            order: Order::Descending,
            states: Vec::new(),
        }
    }

    /// Begins behind this one in the order of the list, whether or not it is kept: the cursor of a
    /// page.
    #[must_use]
    pub fn after(mut self, id: ExecutionId) -> Self {
        self.after = Some(id);
        self
    }

    /// Asks for at most so many executions to a page. A page is held in memory.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The oldest first.
    #[must_use]
    pub fn oldest_first(mut self) -> Self {
        self.order = Order::Ascending;
        self
    }

    /// The execution is in this state. If asked for several, in one of them.
    #[must_use]
    pub fn state(mut self, state: ExecutionState) -> Self {
        self.states.push(state);
        self
    }
}

/// A page of executions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutionPage {
    /// Those that match, in the order asked for.
    pub executions: Vec<Execution>,
    /// Hand it to [`ExecutionQuery::after`] for the next page; `None` = there is none.
    pub next: Option<ExecutionId>,
}

impl Cluster {
    /// Returns a page of the executions of a job that match, running ones among them, in the order
    /// of the instants they were due.
    ///
    /// Reads as [`Cluster::list_jobs`] does, at the same cost: a page of any part of a history of a
    /// million costs what it looks at.
    ///
    /// ```
    /// use dkron_core::{Cluster, Config, ExecutionQuery, ExecutionState, JobBuilder};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let cluster = Cluster::start(Config::new("node-1").in_memory()).await?;
    /// cluster.handle("flaky", async |context| {
    ///     if context.token() % 2 == 0 { Ok(String::new()) } else { Err("odd".to_owned()) }
    /// })?;
    /// cluster.set_job(JobBuilder::new("flaky").schedule("@manually").build()?).await?;
    /// for _ in 0..4 {
    ///     cluster.run("flaky").await?.wait().await?;
    /// }
    ///
    /// let mut query = ExecutionQuery::new().state(ExecutionState::Failed).oldest_first().limit(1);
    /// let mut failures = Vec::new();
    /// loop {
    ///     let page = cluster.list_executions("flaky", &query)?;
    ///     failures.extend(page.executions);
    ///     let Some(next) = page.next else { break };
    ///     query = query.after(next);
    /// }
    /// assert_eq!(failures.len(), 2);
    /// # cluster.shutdown().await?;
    /// # Ok::<(), dkron_core::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) without such a job,
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is no job name,
    /// and those of [`Cluster::list_jobs`].
    pub fn list_executions(
        &self,
        job: &str,
        query: &ExecutionQuery,
    ) -> Result<ExecutionPage, Error> {
        let name = job_name(job)?;
        let range = query::ExecutionRange {
            order: query.order,
            after: query.after.as_ref(),
            limit: query.limit,
            rows_max: LIST_ROWS_PER_PAGE_MAX,
        };
        let accepts = |execution: &Execution| {
            query.states.is_empty() || query.states.contains(&execution.state)
        };
        let node = self.node()?;
        let found =
            node.query_job(&name, |view| query::executions_matching(view, &name, range, accepts))?;
        let executions =
            found.items.into_iter().map(|execution| as_it_runs(&node, execution)).collect();
        Ok(ExecutionPage { executions, next: found.next })
    }
}
