//! The node behind a handle: its parts, and how they are asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::jobs::not_found;
use super::owned::{EngineThread, Fatal, NodeRuntime, NodeStorage};
use super::{Config, Health, Member};
use crate::adapters::consensus::Consensus;
use crate::adapters::executor::HandlerRegistry;
use crate::adapters::storage::StateView;
use crate::driver::{Courier, EngineNews, NewsSender, Runs, Tally, Watch};
use crate::error::{Error, ErrorKind};
use crate::kernel::dispatch::{
    self, ManualRun, ManualRunError, first_due, first_due_by, parse_schedule,
};
use crate::kernel::model::{Job, JobName, ModelError, NodeName, NodeView};
use crate::kernel::state::{
    Command, Envelope, Fire, JobWrite, Outcome, Overdue, Rejection, TableError, query,
};
use crate::kernel::time::Timestamp;
use crate::kernel::time::Zone;
use crate::ports::{Clock, Entropy, Store};

/// The parts of a node; `life` starts it, `ending` ends it.
pub(super) struct Node {
    pub(super) name: NodeName,
    /// The zone of schedules that name none.
    pub(super) zone: Zone,
    pub(super) config: Config,
    /// Whether it belonged to a cluster before this start.
    pub(super) has_rejoined: bool,
    /// Tells this process from others under the node's name.
    pub(super) instance: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Decides; dropped before what it reads and writes.
    pub(super) engine: EngineThread,
    pub(super) storage: NodeStorage,
    pub(super) consensus: Arc<Consensus>,
    pub(super) runs: Arc<Runs>,
    pub(super) courier: Arc<Courier>,
    pub(super) watch: Arc<Watch>,
    pub(super) tally: Arc<Tally>,
    pub(super) handlers: Arc<HandlerRegistry>,
    /// Brings news to the engine.
    pub(super) news: NewsSender,
    /// Why the node has stopped itself, if it has.
    pub(super) fatal: Arc<Fatal>,
    pub(super) runtime: NodeRuntime,
    /// Where async handlers and executors run.
    pub(super) workers: NodeRuntime,
    /// Where runs take their first step.
    pub(super) starters: NodeRuntime,
}

impl Node {
    /// Returns the present instant.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads one consistent view of the state.
    pub(super) fn query<R>(
        &self,
        read: impl FnOnce(&StateView<'_>) -> Result<R, TableError>,
    ) -> Result<R, Error> {
        let view = self.storage.state.read()?;
        read(&view)
            .map_err(|error| Error::new(ErrorKind::Storage, "read the state").with_source(error))
    }

    /// Reads what belongs to a job that must exist.
    pub(super) fn query_job<R>(
        &self,
        job: &JobName,
        read: impl FnOnce(&StateView<'_>) -> Result<R, TableError>,
    ) -> Result<R, Error> {
        let found = self.query(|view| {
            if query::job_exists(view, job)? { read(view).map(Some) } else { Ok(None) }
        })?;
        found.ok_or_else(|| not_found(job))
    }

    /// Proposes one command; a rejection is an error.
    pub(super) async fn propose_one(&self, command: Command) -> Result<Outcome, Error> {
        let request = Some(self.entropy.request_id());
        let expected = expected_revision(&command);
        let outcomes = self.consensus.propose(vec![Envelope { request, command }]).await?;
        match outcomes.into_iter().next() {
            Some(Outcome::Rejected(rejection)) => Err(refused(rejection, expected)),
            Some(outcome) => Ok(outcome),
            None => {
                let text = "the log answered without an outcome";
                Err(Error::new(ErrorKind::Internal, text).maybe_happened())
            }
        }
    }

    /// Checks a job and computes what the state must not: when it is due first.
    pub(super) fn prepare(&self, job: Job) -> Result<JobWrite, Error> {
        let parsed = parse_schedule(&job, self.zone);
        if let Err(error) = job.validate(parsed.as_ref().map(drop)) {
            let refused = Error::new(ErrorKind::InvalidArgument, error.to_string());
            return Err(match (error, parsed) {
                (ModelError::Schedule { .. }, Err(fault)) => refused.with_source(fault),
                (error, _) => refused.with_source(error),
            });
        }
        // Only a child may do without one, and nothing of it is due by itself.
        let first = parsed.ok().and_then(|schedule| first_due_by(&job, &schedule, self.now()));
        let until = self.now().max(self.passed());
        let overdue = self.query(|view| {
            let next = query::status(view, &job.name)?.and_then(|status| status.next);
            match next.filter(|next| *next <= until) {
                Some(_) => Ok(query::definition(view, &job.name)?.zip(next)),
                None => Ok(None),
            }
        })?;
        let overdue = overdue.and_then(|(stored, next)| self.overdue(&stored, Some(next)));
        Ok(JobWrite { job, first, overdue, if_revision: None, restored: None })
    }

    /// Returns the time of the last entry applied.
    fn passed(&self) -> Timestamp {
        self.consensus.progress().borrow().at.unwrap_or(Timestamp::MIN)
    }

    /// Computes what a stored job has due already.
    pub(super) fn overdue(&self, stored: &Job, next: Option<Timestamp>) -> Option<Overdue> {
        dispatch::overdue(stored, next, self.now(), self.passed(), self.zone)
    }

    /// Computes when a job is due first, were it new now.
    pub(super) fn first_due(&self, job: &Job) -> Result<Option<Timestamp>, Error> {
        first_due(job, self.now(), self.zone).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, error.to_string()).with_source(error)
        })
    }

    /// Decides where a run by hand goes.
    pub(super) fn plan_run(&self, job: &JobName, is_forced: bool) -> Result<Fire, Error> {
        let nodes = self.nodes();
        let run = ManualRun {
            job,
            now: self.now(),
            nodes: &nodes,
            region: &self.config.region,
            seed: self.entropy.random_u64(),
            is_forced,
        };
        dispatch::plan_manual(&self.storage.state.read()?, &run).map_err(|error| {
            let kind = match &error {
                ManualRunError::JobNotFound { .. } => ErrorKind::NotFound,
                ManualRunError::Disabled { .. } => ErrorKind::Conflict,
                ManualRunError::NoCapableNode { .. } => ErrorKind::Unavailable,
                ManualRunError::Overloaded { .. } => ErrorKind::LimitExceeded,
                ManualRunError::Table(_) => ErrorKind::Storage,
            };
            Error::new(kind, error.to_string()).with_source(error)
        })
    }

    /// Returns the nodes that are alive: with one member, this one.
    pub(super) fn nodes(&self) -> Vec<NodeView> {
        vec![NodeView {
            name: self.name.clone(),
            instance: self.instance,
            tags: self.config.all_tags(),
            handlers: self.handlers.names(),
        }]
    }

    /// Registers a handler and lets the engine know that this node has it.
    pub(super) fn register(
        &self,
        name: &str,
        add: impl FnOnce(&HandlerRegistry),
    ) -> Result<(), Error> {
        super::builder::job_name(name)?;
        add(&self.handlers);
        // Fails only after the engine has stopped, and then nobody needs to know.
        let _ = self.news.send(EngineNews::Nodes(self.nodes()));
        Ok(())
    }

    /// Returns who leads.
    pub(super) fn leader(&self) -> Option<NodeName> {
        self.consensus.leadership().borrow().leader.clone()
    }

    /// Returns the nodes of the cluster.
    pub(super) fn members(&self) -> Vec<Member> {
        let leader = self.leader();
        let member = |node: NodeView| Member {
            is_leader: leader.as_ref() == Some(&node.name),
            name: node.name,
            tags: node.tags,
        };
        self.nodes().into_iter().map(member).collect()
    }

    /// Returns how the node is.
    pub(super) fn health(&self) -> Health {
        let leader = self.leader();
        Health {
            is_leader: leader.as_ref() == Some(&self.name),
            leader,
            has_rejoined: self.has_rejoined,
            storage_fault: self.storage.health.check_writable().err().map(|error| error.report()),
            running: self.runs.running_count(),
            waiting: self.runs.waiting_count(),
            applied_index: self.consensus.metrics().applied_index,
            fatal: self.fatal.get().map(str::to_owned),
        }
    }

    /// Does on a thread of the node's what would keep the caller's for long.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let node = Arc::clone(self);
        let done = self.runtime.spawn_blocking(move || work(&node)).await;
        done.unwrap_or_else(|error| {
            Err(if error.is_panic() {
                Error::new(ErrorKind::Internal, "a thread of the node panicked; please report it")
            } else {
                Error::new(ErrorKind::Stopped, "the node was shut down")
            })
        })
    }

    /// Gives `work` at most `limit`; `None` if that passes first. Works on any runtime.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let (sender, expired) = oneshot::channel::<()>();
        // Goes with this call.
        let _timer = AbortOnDropHandle::new(self.runtime.spawn(async move {
            tokio::time::sleep(limit).await;
            drop(sender);
        }));
        tokio::select! {
            done = work => Some(done),
            _ = expired => None,
        }
    }

    /// The error of an outcome that the command cannot have.
    pub(super) fn unexpected(
        &self,
        action: &str,
        what: impl std::fmt::Display,
        outcome: &Outcome,
    ) -> Error {
        let text = format!("{action} \"{what}\": the log answered {outcome:?}");
        Error::new(ErrorKind::Internal, text).maybe_happened()
    }
}

/// Returns the revision of its job that a command was made for; `None` = any.
fn expected_revision(command: &Command) -> Option<u64> {
    match command {
        Command::SetJob(write) => write.if_revision,
        Command::DeleteJobIfRevision { revision, .. } | Command::SetDisabled { revision, .. } => {
            Some(*revision)
        }
        Command::Fire(fire) => Some(fire.revision),
        _ => None,
    }
}

/// The error of a command that all servers agreed to refuse, made for the revision `expected`.
pub(super) fn refused(rejection: Rejection, expected: Option<u64>) -> Error {
    let kind = match &rejection {
        Rejection::JobNotFound { .. }
        | Rejection::ParentNotFound { .. }
        | Rejection::ExecutionNotRunning { .. } => ErrorKind::NotFound,
        Rejection::ParentCycle { .. }
        | Rejection::ParentTooDeep { .. }
        | Rejection::TagRefused { .. }
        | Rejection::JobTooLarge { .. } => ErrorKind::InvalidArgument,
        Rejection::HasChildren { .. }
        | Rejection::Moved { .. }
        | Rejection::NotDeclaredBy { .. }
        | Rejection::FireDecided { .. }
        | Rejection::Overlap { .. }
        | Rejection::Fenced { .. } => ErrorKind::Conflict,
    };
    let text = match (&rejection, expected) {
        (Rejection::Moved { job, revision }, Some(expected)) => {
            format!("job \"{job}\" has revision {revision}, not the expected {expected}")
        }
        _ => rejection.to_string(),
    };
    Error::new(kind, text)
}
