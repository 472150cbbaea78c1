//! The handle of a node: start, health, shutdown.

use std::future::Future;
use std::sync::Arc;

use super::gate::Gate;
use super::node::Node;
use super::{Config, Health, Member};
use crate::adapters::executor::HandlerContext;
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;

/// A node of a cluster, running inside this program.
///
/// Cheap to clone; all clones are the same node. It has threads and a runtime of its own, so it
/// can be used from any runtime, or none. Dropping the last clone stops the node without waiting;
/// [`Cluster::shutdown`] stops it in good order.
///
/// Starting one installs nothing in the process: no signal handler, no logger, no panic hook. It
/// logs through the `tracing` facade, which is silent until the program chooses a subscriber.
///
/// # Writes
///
/// Every method that changes something is async: it proposes a command to the log and returns once
/// that is on disk at a majority and visible to every later call on this node. Dropping the future
/// does not take it back. What it writes is checked, and the state read for it, on the caller's
/// thread, as for [reads](#reads): microseconds as a rule. [`Cluster::apply`] does that on a thread
/// of the node. Beside its own errors each may fail with
///
/// * [`ErrorKind::NotLeader`], [`ErrorKind::Unavailable`]: nobody could commit it;
/// * [`ErrorKind::LimitExceeded`]: [`limits::PROPOSAL_BYTES_QUEUED_MAX`] wait for the log already;
/// * [`ErrorKind::DiskFull`]: until there is space;
/// * [`ErrorKind::DeadlineExceeded`]: no answer within [`limits::PROPOSAL_WAIT_MAX`];
/// * [`ErrorKind::Stopped`]: the node was shut down, or this is a forked child;
/// * [`ErrorKind::Storage`], [`ErrorKind::Internal`]: the node is broken.
///
/// [`Error::may_have_happened`] then says whether it may have taken effect all the same.
///
/// [`limits::PROPOSAL_BYTES_QUEUED_MAX`]: crate::limits::PROPOSAL_BYTES_QUEUED_MAX
/// [`limits::PROPOSAL_WAIT_MAX`]: crate::limits::PROPOSAL_WAIT_MAX
///
/// # Reads
///
/// Methods that return at once read this node's own state: what was acknowledged here is seen, what
/// others wrote follows within moments. They run on the caller's thread and may touch the disk, so
/// a large page belongs on a thread that may block. What they return is held in memory whole: a
/// limit of a million is a million entries.
///
/// Reads of executions, outputs and skips belong there as well: after a start on a long history
/// they wait until its pages were checked, which takes a part of a second for a million executions,
/// and tens of seconds if they come from a slow disk.
///
/// Beside its own errors each may fail with
///
/// * [`ErrorKind::Stopped`]: the node was shut down, or this is a forked child;
/// * [`ErrorKind::Storage`]: the state cannot be read, or is damaged.
///
/// A child made by `fork` cannot use it: every call there fails with
/// [`ErrorKind::Stopped`], and the parent goes on.
///
/// ```
/// use dkron_core::{Cluster, Config, JobBuilder};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let cluster = Cluster::start(Config::new("node-1").in_memory()).await?;
/// cluster.handle("greet", async |context| Ok(format!("hello from {}", context.job())))?;
/// cluster.set_job(JobBuilder::new("greet").schedule("@every 1h").build()?).await?;
///
/// let run = cluster.run("greet").await?;
/// let executions = run.wait().await?;
/// let output = cluster.output("greet", &executions[0].id)?.unwrap();
/// assert_eq!(output.bytes, b"hello from greet");
///
/// cluster.shutdown().await?;
/// # Ok::<(), dkron_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Cluster {
    gate: Arc<Gate>,
}

impl Cluster {
    /// Starts a node and returns once it can commit a write.
    ///
    /// May be awaited on any runtime; the work is done on a thread of its own. A node with data
    /// goes on where it was; one without forms a cluster of its own.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::InvalidArgument`]: the configuration is wrong, and every fault is named; or
    ///   the data directory belongs to a node of another name, or lies on a file system of the
    ///   network, which [`Config::allow_network_storage`] permits.
    /// * [`ErrorKind::Conflict`]: another process, or another `Cluster` of this one, uses the data
    ///   directory.
    /// * [`ErrorKind::Storage`]: the data directory cannot be used, its content is damaged, or a
    ///   newer version wrote it.
    /// * [`ErrorKind::DiskFull`]: the disk is full, or all but a reserve, so that nobody can lead.
    /// * [`ErrorKind::Unavailable`]: the system gives no randomness or no more threads; or there is
    ///   no leader within ten seconds, and the text says what was in the way, such as results of an
    ///   earlier start that cannot be handed in, or processes of it that do not end. The time that
    ///   the check of a long history takes is not counted.
    /// * [`ErrorKind::Internal`]: a bug of ours.
    pub async fn start(config: Config) -> Result<Self, Error> {
        config.validate()?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let open = move || {
            // Fails only if the caller has gone; then the node goes as well.
            let _ = sender.send(Self::start_blocking(config));
        };
        spawn_plain("dkron-start", open)?;
        receiver.await.map_err(|_| {
            Error::new(ErrorKind::Internal, "the start of the node panicked; please report it")
        })?
    }

    /// Starts a node as [`Cluster::start`] does, and blocks until it can commit a write.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`].
    pub fn start_blocking(config: Config) -> Result<Self, Error> {
        config.validate()?;
        let node = Node::start(config)?;
        Ok(Self { gate: Arc::new(Gate::open(node)) })
    }

    /// Registers an async function as the handler `name`, on this node, from now on.
    ///
    /// It runs on the node's runtime: it must not block. What it returns becomes the output; an
    /// error makes the attempt a failed one with that text; a panic likewise. A second function of
    /// the same name replaces the first for runs to come; those that go on are not touched.
    ///
    /// Known to the scheduler moments later. Never touches the disk; may block while the scheduler
    /// is a thousand pieces of news behind, which takes milliseconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the name is not a job name (handlers are called by it),
    /// [`ErrorKind::Stopped`] after a shutdown.
    pub fn handle<F, Fut>(&self, name: &str, handler: F) -> Result<(), Error>
    where
        F: Fn(HandlerContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.node()?.register(name, |handlers| handlers.register_async(name, handler))
    }

    /// Registers a blocking function as the handler `name`, on this node, from now on.
    ///
    /// It runs on one of [`Config::handler_threads`] threads; the rest is as for
    /// [`Cluster::handle`].
    ///
    /// # Errors
    ///
    /// As [`Cluster::handle`].
    pub fn handle_blocking<F>(&self, name: &str, handler: F) -> Result<(), Error>
    where
        F: Fn(HandlerContext) -> Result<String, String> + Send + Sync + 'static,
    {
        self.node()?.register(name, |handlers| handlers.register_blocking(name, handler))
    }

    /// Returns the node's name.
    pub fn node_name(&self) -> &NodeName {
        self.gate.name()
    }

    /// Returns who leads, as far as this node knows; `None` while nobody does, or after a shutdown.
    ///
    /// Never blocks. May be outdated: a leader that was cut off learns of its successor later than
    /// others do, and cannot commit anything meanwhile.
    pub fn leader(&self) -> Option<NodeName> {
        self.node().ok()?.leader()
    }

    /// Returns whether this node leads, as [`Cluster::leader`] knows it.
    pub fn is_leader(&self) -> bool {
        self.leader().as_ref() == Some(self.gate.name())
    }

    /// Returns the nodes of the cluster, as far as this node knows: others may know of a change
    /// some moments earlier. Never blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] after a shutdown.
    pub fn members(&self) -> Result<Vec<Member>, Error> {
        Ok(self.node()?.members())
    }

    /// Returns how this node is. Never waits for others; asks the disk how much space is left.
    pub fn health(&self) -> Health {
        match self.node() {
            Ok(node) => node.health(),
            Err(error) => Health::of_stopped(error.message()),
        }
    }

    /// Resolves once the node has stopped itself, with the reason: [`Health::fatal`].
    ///
    /// For whoever owns the process and wants to end or to start anew with it. Pends for ever if
    /// that never happens, also after [`Cluster::shutdown`]; does not keep a shutdown waiting.
    pub async fn stopped_itself(&self) -> String {
        let Ok(fatal) = self.node().map(|node| Arc::clone(&node.fatal)) else {
            return std::future::pending().await;
        };
        fatal.told().await
    }

    /// Stops the node in good order, within [`Config::shutdown_timeout`] plus 23 seconds; without
    /// deaf handlers and broken disks, plus well under one.
    ///
    /// Claims nothing more, waits for running executions up to the timeout, then ends them; hands
    /// their results in, or keeps them in the outbox for the next start; closes the data
    /// directory. Calling it again waits for the same end.
    ///
    /// An execution that it has to end is [`Lost`](crate::ExecutionState::Lost), as after a crash,
    /// and follows its job's [`LostRunPolicy`](crate::LostRunPolicy): `Rerun` runs it again at the
    /// next start.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] in a forked child; [`ErrorKind::Storage`] if results could neither
    /// be handed in nor kept; [`ErrorKind::DeadlineExceeded`] if something uses the node still,
    /// which keeps the data directory locked until that ends. If the node had stopped itself
    /// before, the error that it did so for. Whatever of these the error, the node is stopped.
    ///
    /// [`ErrorKind::Unavailable`] if the system gives no thread to stop it on: nothing has
    /// happened, and [`Cluster::shutdown_blocking`] needs none.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let gate = Arc::clone(&self.gate);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        spawn_plain("dkron-stop", move || {
            // Fails only if the caller does not wait; the node stops all the same.
            let _ = sender.send(gate.close());
        })?;
        receiver.await.map_err(|_| {
            Error::new(ErrorKind::Internal, "the shutdown panicked; please report it")
        })?
    }

    /// Stops the node as [`Cluster::shutdown`] does, and blocks until it has stopped.
    ///
    /// # Errors
    ///
    /// As [`Cluster::shutdown`].
    pub fn shutdown_blocking(&self) -> Result<(), Error> {
        self.gate.close()
    }

    /// Ends all executions on this node, now: for a process that ends without waiting for
    /// [`Cluster::shutdown`], and would leave the processes of its commands behind.
    ///
    /// Asks them to end, and half a second later kills the processes of those that have not, with
    /// all they have started; no other process is touched. Takes no longer than two seconds,
    /// whatever happens; dropping the future does not take it back. Returns how many had not ended
    /// by then: functions of the program that do not heed their cancellation, or processes that
    /// the kernel cannot end. Executions that end so are [`Lost`](crate::ExecutionState::Lost), as
    /// in a shutdown.
    ///
    /// Keeps nothing from starting afterwards: begin a shutdown first. May be called while one
    /// goes on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] if the node has stopped, and its executions with it, or this is a
    /// forked child; [`ErrorKind::Unavailable`] if the system gives no thread for it.
    pub async fn end_runs_at_once(&self) -> Result<usize, Error> {
        let node = self.node()?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        spawn_plain("dkron-rush", move || {
            // Fails only if the caller does not wait; the runs end all the same.
            let _ = sender.send(node.end_runs_at_once());
        })?;
        receiver.await.map_err(|_| {
            Error::new(ErrorKind::Internal, "the end of the runs panicked; please report it")
        })
    }

    /// Returns the node, unless it is of no use any more.
    pub(super) fn node(&self) -> Result<Arc<Node>, Error> {
        self.gate.node()
    }
}

/// Runs something that blocks on a thread of its own, whatever runtime the caller has.
fn spawn_plain(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("start thread \"{name}\"")).with_source(error)
    })
}
