//! What the system tells the process: to end, and which orphans it has.

use std::fmt;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::reload::Reload;

/// Who wishes the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
    /// A request to leave.
    Leave,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "caught signal terminated",
            Self::Interrupt => "caught signal interrupt",
            Self::Leave => "asked to leave",
        })
    }
}

/// The signals that the process heeds.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    reload: Reload,
}

impl Signals {
    /// Begins to listen: from now on these signals do not end the process by themselves.
    pub(super) fn listen(reload: Reload) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            reload,
        })
    }

    /// Waits for the next wish to end; meanwhile reads the configuration anew at every hangup.
    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Wish {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Wish::Terminate,
                _ = self.interrupt.recv() => return Wish::Interrupt,
                _ = self.hangup.recv() => self.reload.again(),
            }
        }
    }
}

/// Reaps, in a container's first process, what has lost its parent.
///
/// Owner: the agent. Bound: one look a second. Ends when it is aborted.
pub(super) async fn reap_orphans_if_first_process() {
    #[cfg(target_os = "linux")]
    if std::process::id() == 1 {
        dkron_core::reap_orphans(tokio_util::sync::CancellationToken::new()).await;
    }
}
