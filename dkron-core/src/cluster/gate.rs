//! What all handles of a node share: the way in, while there is one.
//!
//! A shutdown takes the node out, waits for calls that are under way, and closes it; the data
//! directory is free when it returns, whoever still holds a handle.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::node::Node;
use crate::error::{Error, ErrorKind};
use crate::kernel::model::NodeName;

/// How long a shutdown waits for calls that are under way.
///
/// Whatever they wait for has been told that it is over.
pub(super) const CALLS_WAIT_MAX: Duration = Duration::from_secs(2);

/// The way to a node.
pub(super) struct Gate {
    name: NodeName,
    /// The process that started the node; a forked child is another one.
    pid: u32,
    node: RwLock<Option<Arc<Node>>>,
    /// Held while the node is being closed, so that a second caller waits for the same end.
    closing: Mutex<()>,
}

impl Gate {
    /// Leads to `node`.
    pub(super) fn open(node: Node) -> Self {
        Self {
            name: node.name.clone(),
            pid: std::process::id(),
            node: RwLock::new(Some(Arc::new(node))),
            closing: Mutex::new(()),
        }
    }

    /// Returns the node's name.
    pub(super) fn name(&self) -> &NodeName {
        &self.name
    }

    /// Returns the node.
    pub(super) fn node(&self) -> Result<Arc<Node>, Error> {
        self.check_process()?;
        let node = self.node.read().unwrap_or_else(PoisonError::into_inner);
        node.clone().ok_or_else(|| Error::new(ErrorKind::Stopped, "the node was shut down"))
    }

    /// Closes the node, if that has not been done. Blocks.
    pub(super) fn close(&self) -> Result<(), Error> {
        self.check_process()?;
        let _closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(node) = self.node.read().unwrap_or_else(PoisonError::into_inner).clone() else {
            return Ok(());
        };
        // Handles go on to work while the runs drain: a handler may want to write a last job.
        let is_alive = node.fatal.get().is_none();
        let patience = if is_alive { node.config.shutdown_timeout } else { Duration::ZERO };
        let drained = node.drain(patience);
        drop(node);
        drained.and(self.end())
    }

    /// Ends the node now.
    fn end(&self) -> Result<(), Error> {
        let taken = self.node.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut node) = taken else { return Ok(()) };
        let stopped = node.stop();
        let pause = Duration::from_millis(1);
        for _ in 0..CALLS_WAIT_MAX.as_millis() {
            match Arc::try_unwrap(node) {
                Ok(node) => return stopped.and(node.end()),
                Err(shared) => node = shared,
            }
            pause_thread(pause);
        }
        let text = "calls are still under way on the node; the data directory stays locked until \
                    they end";
        stopped.and(Err(Error::new(ErrorKind::DeadlineExceeded, text)))
    }

    fn check_process(&self) -> Result<(), Error> {
        if std::process::id() == self.pid {
            return Ok(());
        }
        let text = "this process is a forked child: threads and files of the node belong to its \
                    parent; start a node of its own, with a data directory of its own";
        Err(Error::new(ErrorKind::Stopped, text))
    }
}

/// Waits on a thread that may wait: those who stop a node have one of their own.
#[expect(clippy::disallowed_methods, reason = "nothing tells when the last call under way ends")]
fn pause_thread(pause: Duration) {
    std::thread::sleep(pause);
}

impl Drop for Gate {
    fn drop(&mut self) {
        let taken = self.node.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(node) = taken else { return };
        if std::process::id() != self.pid {
            // Threads and files belong to the parent: closing them here would take them from it.
            std::mem::forget(node);
            return;
        }
        // The last handle was dropped, perhaps on a runtime that must not be blocked.
        let close = move || {
            let drained = node.drain(Duration::ZERO);
            let stopped = node.stop();
            let ended = drained.and(stopped).and(Arc::try_unwrap(node).map_or(Ok(()), Node::end));
            if let Err(error) = ended {
                tracing::warn!(error = error.report(), "a node was dropped and did not end well");
            }
        };
        let thread = std::thread::Builder::new().name("dkron-stop".to_owned());
        if let Err(error) = thread.spawn(close) {
            let message = "start a thread to stop a node that was dropped";
            let error = Error::new(ErrorKind::LimitExceeded, message).with_source(error);
            tracing::error!(error = error.report(), "a node was dropped and was not stopped");
        }
    }
}
