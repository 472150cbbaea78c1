//! Answering a list of jobs, in pieces: by name nothing is held but a piece, in another order the
//! name and the key of each job that matches.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use dkron_core::{Error, JobName, JobView};

use super::Api;
use super::answer::{TOTAL_COUNT, failure, json_body, layout, text, with_header};
use super::bodies::ListPlace;
use super::job_json::{Moment, write_job};
use super::list_query::{Filter, ListQuery, arrange};
use super::pieces::{Piece, Pieces, blocking, body_of};
use super::query::Query;
use crate::go_json::{Layout, Writer};

/// Jobs read and written at a time: a view of the store is open that long, and a piece of the
/// answer is a few hundred kilobytes at most for jobs of common size.
const JOBS_PER_PIECE: usize = 256;

/// Answers `GET /v1/jobs`.
pub(super) async fn list_jobs(api: Arc<Api>, query: Query) -> Response {
    let list = match ListQuery::parse(&query) {
        Ok(list) => list,
        Err(fault) => return text(StatusCode::BAD_REQUEST, fault),
    };
    let planner = Arc::clone(&api);
    // Filtering and sorting look at every job.
    let plan = match blocking(move || ListPlan::make(&planner, list)).await {
        Ok(plan) => plan,
        Err(error) => return failure(&error),
    };
    let total = plan.total.to_string();
    let response = match body_of(ListWriter::new(api, plan, layout(&query))).await {
        Ok(body) => json_body(StatusCode::OK, body),
        Err(error) => failure(&error),
    };
    with_header(response, TOTAL_COUNT, &total)
}

/// Which jobs an answer shows.
struct ListPlan {
    /// How many match.
    total: u64,
    shown: Shown,
}

enum Shown {
    /// Those that match, by name: so many are passed over, so many are shown.
    ByName { filter: Filter, skip: u64, limit: u64 },
    /// These, in this order.
    Names { names: std::vec::IntoIter<JobName>, _place: ListPlace },
}

impl ListPlan {
    fn make(api: &Api, query: ListQuery) -> Result<Self, Error> {
        if query.is_by_name() && query.filter.names.is_none() {
            let total = if query.filter.is_open() {
                api.cluster.jobs_count()?
            } else {
                count_matching(api, &query.filter)?
            };
            let (skip, limit) = (query.start, query.shown_of(total));
            let shown = Shown::ByName { filter: query.filter, skip, limit };
            return Ok(Self { total, shown });
        }
        let moment = api.moment();
        let (mut keyed, mut place) = (Vec::new(), api.bodies.list_place());
        walk_matching(api, &query.filter, |view| {
            keyed.push((query.sort.key(&view, moment), view.job.name));
            place.hold(keyed.len())
        })?;
        let total = keyed.len() as u64;
        let mut names = arrange(&query, keyed);
        // Of many that match few may be shown.
        names.shrink_to_fit();
        place.hold(names.len())?;
        Ok(Self { total, shown: Shown::Names { names: names.into_iter(), _place: place } })
    }
}

fn count_matching(api: &Api, filter: &Filter) -> Result<u64, Error> {
    let mut total = 0;
    walk_matching(api, filter, |_| {
        total += 1;
        Ok(())
    })?;
    Ok(total)
}

/// Shows every job that matches, by name; ends with the first error of `visit`.
fn walk_matching(
    api: &Api,
    filter: &Filter,
    mut visit: impl FnMut(JobView) -> Result<(), Error>,
) -> Result<(), Error> {
    if let Some(names) = &filter.names {
        for name in names {
            if let Some(view) = api.cluster.job(name.as_str())?.filter(|view| filter.accepts(view))
            {
                visit(view)?;
            }
        }
        return Ok(());
    }
    let mut next_page = filter.to_query().map(|query| query.limit(JOBS_PER_PIECE));
    while let Some(query) = next_page {
        let page = api.cluster.list_jobs(&query)?;
        page.jobs.into_iter().filter(|view| filter.accepts(view)).try_for_each(&mut visit)?;
        next_page = page.next.map(|next| query.after(next));
    }
    Ok(())
}

/// Writes a list piece by piece.
struct ListWriter {
    api: Arc<Api>,
    shown: Shown,
    /// The last job read by name.
    last: Option<JobName>,
    json: Writer,
    moment: Moment,
    is_done: bool,
}

impl ListWriter {
    fn new(api: Arc<Api>, plan: ListPlan, layout: Layout) -> Self {
        let mut json = Writer::new(layout);
        json.begin_array();
        let moment = api.moment();
        Self { api, shown: plan.shown, last: None, json, moment, is_done: false }
    }

    fn next_by_name(&mut self) -> Result<Vec<JobView>, Error> {
        let Shown::ByName { filter, skip, limit } = &mut self.shown else { return Ok(Vec::new()) };
        if *limit == 0 {
            self.is_done = true;
            return Ok(Vec::new());
        }
        let page = if filter.is_open() && *skip > 0 {
            let page = self.api.cluster.jobs_at(std::mem::take(skip), JOBS_PER_PIECE)?;
            self.is_done = page.len() < JOBS_PER_PIECE;
            self.last = page.last().map(|view| view.job.name.clone());
            page
        } else {
            let Some(mut query) = filter.to_query() else {
                self.is_done = true;
                return Ok(Vec::new());
            };
            if let Some(last) = self.last.take() {
                query = query.after(last);
            }
            let page = self.api.cluster.list_jobs(&query.limit(JOBS_PER_PIECE))?;
            self.is_done = page.next.is_none();
            self.last = page.next;
            page.jobs
        };
        let mut views: Vec<_> = page.into_iter().filter(|view| filter.accepts(view)).collect();
        let passed_over = views.len().min(usize::try_from(*skip).unwrap_or(usize::MAX));
        views.drain(..passed_over);
        *skip -= passed_over as u64;
        views.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
        *limit -= views.len() as u64;
        self.is_done |= *limit == 0;
        Ok(views)
    }
}

impl Pieces for ListWriter {
    fn next_piece(&mut self) -> Result<Piece, Error> {
        let views = match &mut self.shown {
            Shown::ByName { .. } => self.next_by_name()?,
            Shown::Names { names, .. } => {
                let names: Vec<_> = names.take(JOBS_PER_PIECE).collect();
                self.is_done = names.len() < JOBS_PER_PIECE;
                // A job that was deleted meanwhile is left out.
                let views = names.iter().map(|name| self.api.cluster.job(name.as_str()));
                views.filter_map(Result::transpose).collect::<Result<_, _>>()?
            }
        };
        for view in &views {
            write_job(&mut self.json, view, self.moment);
        }
        if self.is_done {
            self.json.end_array();
        }
        Ok(Piece { text: self.json.take(), is_last: self.is_done })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use dkron_core::JobBuilder;
    use dkron_core::limits::{SORTED_LIST_ENTRIES_FREE, SORTED_LISTS_MAX};

    use super::*;

    #[tokio::test]
    async fn a_long_list_that_was_sorted_has_its_place_until_it_was_taken() {
        let folder = tempfile::tempdir().unwrap();
        let api = Arc::new(Api::in_memory(folder.path()).await);
        let writes = (0..=SORTED_LIST_ENTRIES_FREE).map(|number| {
            let job = JobBuilder::new(format!("job-{number}")).schedule("@manually");
            api.cluster.set_job(job.build().unwrap())
        });
        for written in futures_util::future::join_all(writes).await {
            written.unwrap();
        }
        let list = async |query: &str| list_jobs(Arc::clone(&api), Query::parse(query)).await;

        let mut taken = Vec::new();
        for _ in 0..SORTED_LISTS_MAX {
            taken.push(list("_sort=displayname").await);
            assert_eq!(taken.last().unwrap().status(), StatusCode::OK);
        }
        let refused = list("_sort=displayname").await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        for free in ["", "_sort=displayname&q=job-77"] {
            assert_eq!(list(free).await.status(), StatusCode::OK, "{free}");
        }

        let body = to_bytes(taken.remove(0).into_body(), usize::MAX).await.unwrap();
        let jobs: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        assert_eq!(jobs.len(), SORTED_LIST_ENTRIES_FREE + 1);
        // A part of a long list is soon let go of.
        for _ in 0..2 {
            assert_eq!(list("_sort=displayname&_end=10").await.status(), StatusCode::OK);
        }
        drop(taken);
        api.cluster.shutdown().await.unwrap();
    }
}
