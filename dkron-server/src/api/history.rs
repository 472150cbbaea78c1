//! The order of a job's list of executions: a reader that hands out which one comes next.
//!
//! It knows no request and no JSON; `executions` has the routes.
//!
//! In the order of the store nothing is held but a page; in another order, of each execution what
//! decides its place.

use dkron_core::{
    Error, ErrorKind, Execution, ExecutionId, ExecutionQuery, JobName, JobView, Timestamp,
};

use super::Api;
use super::bodies::ListPlace;

/// Executions read at a time.
const EXECUTIONS_PER_PAGE: usize = 256;

/// What a history is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// By the instant an execution was due, and its node: the order of the store.
    Id,
    FinishedAt,
    Attempt,
}

impl Sort {
    /// Reads what a query asks for.
    ///
    /// # Errors
    ///
    /// What is accepted, if it is something else.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            // That of the start differs where an execution had to wait; but a list by it would have
            // to be read as a whole before its first line is known, and it is what the UI asks for.
            "" | "id" | "started_at" => Ok(Self::Id),
            "finished_at" => Ok(Self::FinishedAt),
            "attempt" => Ok(Self::Attempt),
            _ => Err(format!(
                "_sort must be id, started_at, finished_at or attempt, found \"{text}\""
            )),
        }
    }

    /// Returns what of an execution decides its place; those of equal keys stand by id.
    fn key(self, execution: &Execution) -> SortKey {
        match self {
            Self::Id => SortKey::None,
            // One that runs has no end yet: Go's zero time.
            Self::FinishedAt => SortKey::Time(execution.finished_at),
            Self::Attempt => SortKey::Number(execution.attempt),
        }
    }
}

/// The part of an execution that decides its place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    None,
    Time(Option<Timestamp>),
    Number(u32),
}

/// The executions of a list that are still to be written.
pub(super) struct History {
    /// How many there were at first.
    total: u64,
    rest: Rest,
}

enum Rest {
    /// Those that were read, and the page that follows them.
    InOrder { read: std::vec::IntoIter<Execution>, next_page: Option<ExecutionQuery> },
    /// What is known of those that are still to be read, in the order of the list.
    Keyed { keyed: std::vec::IntoIter<(SortKey, ExecutionId)>, _place: ListPlace },
}

impl History {
    /// In the order of the store: read a page at a time, so that memory does not grow with it.
    pub(super) fn in_order(view: &JobView, is_descending: bool) -> Self {
        let query = ExecutionQuery::new().limit(EXECUTIONS_PER_PAGE);
        let query = if is_descending { query } else { query.oldest_first() };
        let total = u64::from(view.status.executions);
        Self { total, rest: Rest::InOrder { read: Vec::new().into_iter(), next_page: Some(query) } }
    }

    /// In another order: all of it is looked at first, and of each execution its key and id are
    /// held until the list is written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LimitExceeded`] if it is long and too many such lists are held already; and
    /// those of reading it.
    pub(super) fn sorted(
        api: &Api,
        job: &JobName,
        sort: Sort,
        is_descending: bool,
    ) -> Result<Self, Error> {
        let (mut keyed, mut place) = (Vec::new(), api.bodies.list_place());
        let mut next_page = Some(ExecutionQuery::new().limit(EXECUTIONS_PER_PAGE));
        while let Some(query) = next_page {
            let page = api.cluster.list_executions(job.as_str(), &query)?;
            place.hold(keyed.len() + page.executions.len())?;
            keyed.extend(page.executions.into_iter().map(|run| (sort.key(&run), run.id)));
            next_page = page.next.map(|next| query.after(next));
        }
        keyed.sort_unstable();
        if is_descending {
            keyed.reverse();
        }
        let total = keyed.len() as u64;
        Ok(Self { total, rest: Rest::Keyed { keyed: keyed.into_iter(), _place: place } })
    }

    /// Returns how many there were at first.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Reads the next one; `None` at the end. Blocks.
    pub(super) fn next(&mut self, api: &Api, job: &JobName) -> Result<Option<Execution>, Error> {
        loop {
            match &mut self.rest {
                Rest::Keyed { keyed, .. } => {
                    let Some((_, id)) = keyed.next() else { return Ok(None) };
                    // One that was removed since is left out.
                    if let Some(execution) = api.cluster.execution(job.as_str(), &id)? {
                        return Ok(Some(execution));
                    }
                }
                Rest::InOrder { read, next_page } => {
                    if let Some(execution) = read.next() {
                        return Ok(Some(execution));
                    }
                    let Some(query) = next_page.take() else { return Ok(None) };
                    let page = match api.cluster.list_executions(job.as_str(), &query) {
                        // The job was deleted since, and its history with it.
                        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                        page => page?,
                    };
                    *read = page.executions.into_iter();
                    *next_page = page.next.map(|next| query.after(next));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dkron_core::JobBuilder;

    use super::*;
    use crate::api::answer::TOTAL_COUNT;
    use crate::api::executions::list;
    use crate::api::executions::tests::execution;
    use crate::api::query::Query;

    #[test]
    fn executions_of_one_second_are_sorted_by_its_parts() {
        let ended_at = |due_ns| execution(due_ns, Some(Timestamp::from_unix_ns(due_ns as i64)));
        for field in ["finished_at", "id", "started_at", ""] {
            // As texts "0.1" comes before "0.095", and "0" behind both.
            let executions = [ended_at(100_000_000), ended_at(95_000_000), ended_at(0)];
            let sort = Sort::parse(field).unwrap();

            let mut keyed = executions.map(|run| (sort.key(&run), run.id));
            keyed.sort_unstable();

            let order = keyed.each_ref().map(|(_, id)| id.due_ns);
            assert_eq!(order, [0, 95_000_000, 100_000_000], "{field}");
        }
    }

    #[test]
    fn what_is_held_of_a_long_history_to_sort_it_is_small() {
        // Of the million executions that a job may keep, 64 MB.
        assert!(size_of::<(SortKey, ExecutionId)>() <= 64);
        for field in ["", "id", "started_at"] {
            assert_eq!(Sort::parse(field), Ok(Sort::Id), "{field}: nothing at all");
        }
    }

    #[tokio::test]
    async fn a_history_is_shown_in_the_order_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let api = Arc::new(Api::in_memory(folder.path()).await);
        // The first fails and is tried again: its second attempt is the last to end.
        api.cluster
            .handle("flaky", async |context| match context.attempt() {
                1 => Err("once more".into()),
                _ => Ok(String::new()),
            })
            .unwrap();
        let job = JobBuilder::new("flaky").schedule("@manually").handler("flaky").retries(1);
        api.cluster.set_job(job.build().unwrap()).await.unwrap();
        for _ in 0..2 {
            api.cluster.run("flaky").await.unwrap().wait().await.unwrap();
        }
        let stored: Vec<String> = {
            let runs = api.cluster.executions("flaky", 10).unwrap();
            runs.iter().rev().map(|run| run.id.to_string()).collect()
        };
        let [a, b, c, d] = &*stored else { panic!("{stored:?}") };

        for (text, want) in [
            ("", [d, c, b, a]),
            ("_sort=id&_order=ASC", [a, b, c, d]),
            ("_sort=started_at&_order=DESC", [d, c, b, a]),
            ("_sort=finished_at&_order=ASC", [a, b, c, d]),
            ("_sort=attempt&_order=ASC", [a, c, b, d]),
            ("_sort=attempt", [d, b, c, a]),
        ] {
            let response = list(Arc::clone(&api), "flaky", Query::parse(text)).await;
            assert_eq!(response.headers()[TOTAL_COUNT], "4", "{text}");
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let shown: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
            let ids: Vec<_> = shown.iter().filter_map(|run| run["id"].as_str()).collect();
            assert_eq!(ids, want, "{text}");
        }
        api.cluster.shutdown().await.unwrap();
    }
}
