//! Sends an HTTP request, as Dkron's `http` executor does.
//!
//! Configuration: `url`, `method`, `headers`, `body`, `timeout`, `expectCode`, `expectBody`,
//! `debug`, `tlsNoVerifyPeer`, `tlsCertificateFile`, `tlsCertificateKeyFile`, `tlsRootCAsFile`;
//! other keys are ignored. An empty value counts as absent. The output is what there is to warn of,
//! then the body of the answer. Without `expectCode` any status is a success.
//!
//! # Where to begin reading
//!
//! `run` is the life of one request; `config` reads the keys. `exchange` speaks HTTP over one
//! connection, `connect` opens it, `redirect` says where to go next, `tls` and `trust` whom to
//! believe, `pattern` and `search` are `expectBody`.
//!
//! # What differs from Dkron
//!
//! * A header's value may hold colons, `Host` takes effect, and headers of one name are all sent.
//!   An entry without a colon fails the run with a message.
//! * A `timeout` that is no number is warned of every time. One of zero or less is none.
//! * Certificate files are read again when they have changed.
//! * The body is never held in memory: its last bytes are kept as for any output, and `expectBody`
//!   is searched while the body arrives, in constant memory, however large it is.
//! * Every request carries `X-Dkron-Job`, `X-Dkron-Execution-Id`, `X-Dkron-Fire-Time`,
//!   `X-Dkron-Attempt` and `X-Dkron-Token`, unless `headers` has its own.
//!   They follow a redirect where credentials do.
//! * Credentials do not follow a redirect from https to http.
//!
//! Kept: one connection per request, closed after it. A pooled one would save a handshake and
//! fail runs whenever the other side closes it at the moment of the next fire. No proxy is used,
//! at most ten redirects are followed, and no cookie is remembered.

mod config;
mod connect;
#[cfg(test)]
mod end_test;
mod exchange;
mod headers;
mod pattern;
mod redirect;
mod run;
#[cfg(test)]
mod run_test;
mod search;
#[cfg(test)]
mod server_test;
mod tls;
#[cfg(test)]
mod tls_test;
mod trust;

use std::sync::Arc;

#[cfg(feature = "testing")]
pub(super) use self::search::BodySearch;
use self::tls::TlsConfigs;
use crate::ports::{ExecutorPort, RunContext, RunFuture};

/// The executor named `http`.
#[derive(Default)]
pub(crate) struct HttpExecutor {
    tls: Arc<TlsConfigs>,
}

impl HttpExecutor {
    /// Makes the executor of a node.
    pub(crate) fn new() -> Self {
        Self::default()
    }
}

impl ExecutorPort for HttpExecutor {
    fn run(&self, context: RunContext) -> RunFuture {
        Box::pin(run::run(context, Arc::clone(&self.tls)))
    }
}
