//! The REST API of Dkron over a [`Cluster`]: its routes, shapes, statuses and texts.
//!
//! JSON lives here and nowhere else: `dkron_core`'s types are converted at this edge. Every server
//! answers every route; what it reads is its own state, what it writes goes through the cluster.
//!
//! # Where to begin reading
//!
//! [`router`] makes the service. `route` is the table of paths, `frame` what surrounds every
//! answer, `handle` below leads from a route to its handler; one file for each kind of thing.
//!
//! # Invariants
//!
//! * Long answers are written, and long bodies read, in pieces: never a whole list of jobs, a whole
//!   history or a whole backup. What is held for each entry, and for how many, is bounded:
//!   - a list in the order of the store (jobs by name, executions by the instant they were due)
//!     holds nothing; one in another order what it is sorted by and the name or the id of each
//!     entry that matches: 64 bytes of an execution, and of a job its name and 128 characters;
//!   - of such lists with more than a thousand entries four are held at a time, until their clients
//!     have taken them (`bodies`);
//!   - a restore holds of each job its name and its parent's, of the others 4 MiB (`restore`);
//!   - bodies of jobs share one room (`bodies`);
//!   - answers without an end share a part of the connections (`streams`).
//! * No request stops the process or another request: what may be long is read on threads that may
//!   block.
//!
//! May use: `dkron_core`'s public names, `explanation`, `go_json`, `metrics`, `clock`.

mod answer;
mod bodies;
mod cancel;
mod cascade;
mod change;
mod duration_text;
mod events;
mod executions;
mod frame;
mod history;
mod job_body;
mod job_check;
mod job_json;
mod job_list;
mod leave;
mod list_query;
mod members;
mod metrics;
mod output;
mod percent;
mod pieces;
mod policy_text;
mod precondition;
mod query;
mod restore;
mod route;
mod run;
mod schedule;
mod skips;
mod streams;
mod unread;
mod write;

pub use bodies::Bodies;
pub use job_body::JobBody;
pub use job_check::{CheckedJob, JobRefusal};
#[doc(hidden)]
pub use job_json::checked_job_text;
pub use leave::Leave;
pub use streams::Streams;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use dkron_core::{Cluster, Zone};

use self::job_json::Moment;
use self::query::Query;
use self::route::{Route, RouteId};
use crate::clock;
use crate::metrics::Monitor;

/// What the handlers work with.
pub struct Api {
    /// The node.
    pub cluster: Cluster,
    /// The zone of schedules that name none; the cluster's own.
    pub server_zone: Zone,
    /// Host and port of this node for other nodes, as the member list shows them.
    pub peer_address: (String, u16),
    /// Where bodies are kept that are too long for memory.
    pub spool_dir: PathBuf,
    /// The room for bodies of requests.
    pub bodies: Bodies,
    /// The places of answers without an end.
    pub streams: Streams,
    /// Asks the process to leave.
    pub leave: Leave,
    /// Shows the metrics; `None` = there is no such page.
    pub monitor: Option<Monitor>,
}

impl Api {
    /// A node that keeps all in memory, for a test.
    #[cfg(test)]
    pub(crate) async fn in_memory(spool_dir: &std::path::Path) -> Self {
        let cluster = Cluster::start(dkron_core::Config::new("n1").in_memory()).await;
        Self {
            cluster: cluster.unwrap(),
            server_zone: Zone::UTC,
            peer_address: ("127.0.0.1".to_owned(), 8946),
            spool_dir: spool_dir.to_owned(),
            bodies: Bodies::default(),
            streams: Streams::default(),
            leave: Leave::default(),
            monitor: None,
        }
    }

    fn node_name(&self) -> &str {
        self.cluster.node_name().as_str()
    }

    fn moment(&self) -> Moment {
        Moment { now: clock::now(), server_zone: self.server_zone }
    }
}

/// Makes the HTTP service.
pub fn router(api: Api) -> Router {
    frame::router(Arc::new(api))
}

/// Leads a request to its handler.
async fn handle(api: Arc<Api>, route: Route, query: Query, request: Request) -> Response {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned();
    match route.id {
        RouteId::Health => members::health(&api),
        RouteId::Ready => members::ready(&api),
        RouteId::Metrics => metrics::metrics(&api, request.headers()).await,
        RouteId::Status => members::status(&api, &query),
        RouteId::Members => members::members(&api, &query),
        RouteId::Leader => members::leader(&api, &query),
        RouteId::IsLeader => members::is_leader(&api),
        RouteId::Leave => members::leave(&api, &query),
        RouteId::Restore => restore::restore(api, query, request).await,
        RouteId::Busy => executions::busy(api, &query).await,
        RouteId::PauseState => members::pause_state(&api, &query),
        RouteId::Pause => members::set_paused(&api, true, &query).await,
        RouteId::Unpause => members::set_paused(&api, false, &query).await,
        RouteId::Stats => members::stats(&api, &query),
        RouteId::Schedule => schedule::explain(api, query).await,
        RouteId::Events => events::listen(&api, &query, request.headers()),
        RouteId::Jobs => job_list::list_jobs(api, query).await,
        RouteId::WriteJob => write::write(api, query, request).await,
        RouteId::Job => write::show(&api, route.job(), &query),
        RouteId::DeleteJob => write::delete(&api, route.job(), &query, request.headers()).await,
        RouteId::Run => run::run(api, route.job(), query, &target).await,
        RouteId::Toggle => {
            write::toggle(&api, route.job(), &query, &target, request.headers()).await
        }
        RouteId::Executions => executions::list(api, route.job(), query).await,
        RouteId::DeleteExecutions => executions::delete(api, route.job(), query).await,
        RouteId::Skips => skips::list(api, route.job(), &query).await,
        RouteId::Execution => executions::show(api, route.job(), route.execution(), &query).await,
        RouteId::CancelExecution => cancel::cancel(api, route.job(), route.execution()).await,
        RouteId::Output => {
            let headers = request.headers().clone();
            output::show(api, route.job(), route.execution(), &query, &headers).await
        }
    }
}
