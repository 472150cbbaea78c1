//! The life of one request: sent, redirected, judged.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::response::Parts;
use hyper::{HeaderMap, Method};
use rustls::ClientConfig;
use tokio::task::{spawn_blocking, unconstrained};
use tokio::time::sleep;

use super::config::HttpConfig;
use super::exchange::{Receiver, exchange};
use super::redirect::{Request, next_request};
use super::search::BodySearch;
use super::tls::{TlsConfigs, TlsKeys};
use crate::kernel::time::StrconvQuoted;
use crate::limits;
use crate::ports::{OutputWriter, RunContext, RunEnd};

/// Sends a request and judges its answer.
pub(super) async fn run(context: RunContext, tls: Arc<TlsConfigs>) -> RunEnd {
    if context.cancel.is_cancelled() {
        return RunEnd::cancelled("before it started");
    }
    let config = match HttpConfig::parse(&context.config) {
        Ok(config) => config,
        Err(text) => return RunEnd::failed(text),
    };
    context.output.write(config.preface.as_bytes());
    let mut journey = Journey::new(&config, &context, tls);
    let limit = over_time(config.timeout, context.timeout);
    let answered = {
        let travel = pin!(journey.travel());
        tokio::select! {
            biased;
            answered = travel => answered,
            () = context.cancel.cancelled() => return RunEnd::cancelled("request abandoned"),
            is_of_the_job = limit => Err(Fault::OverTime { is_of_the_job }),
        }
    };
    match answered {
        Ok(status) => journey.judge(status),
        Err(fault) => RunEnd::failed(journey.describe(&fault, context.timeout)),
    }
}

/// Resolves when the time is up; tells whether it was the job's own bound.
async fn over_time(of_the_request: Option<Duration>, of_the_job: Option<Duration>) -> bool {
    let bounds = [(of_the_request, false), (of_the_job, true)];
    let bounds =
        bounds.into_iter().filter_map(|(limit, is_of_the_job)| Some((limit?, is_of_the_job)));
    match bounds.min() {
        Some((limit, is_of_the_job)) => {
            // A body that arrives without a pause uses up the task's budget at each turn, and would
            // leave none to look at the clock.
            unconstrained(sleep(limit)).await;
            is_of_the_job
        }
        None => pending().await,
    }
}

/// Why a request got no answer.
enum Fault {
    /// It could not be sent, or the answer not be read.
    Transport(String),
    /// It took too long.
    OverTime {
        /// By the job's own bound, rather than the request's.
        is_of_the_job: bool,
    },
}

/// A request on its way.
struct Journey<'a> {
    config: &'a HttpConfig,
    output: &'a OutputWriter,
    tls: Arc<TlsConfigs>,
    request: Request,
    /// The search for `expectBody`; `None` if there is none, or the pattern is invalid.
    search: Option<BodySearch>,
    /// The last answer has begun.
    has_head: bool,
    /// What is wrong with the TLS settings has been told.
    has_warned: bool,
}

impl<'a> Journey<'a> {
    fn new(config: &'a HttpConfig, context: &'a RunContext, tls: Arc<TlsConfigs>) -> Self {
        let mut headers = config.headers.clone();
        add_run_headers(&mut headers, context);
        Self {
            config,
            output: &context.output,
            tls,
            request: Request {
                method: config.method.clone(),
                url: config.url.clone(),
                headers,
                body: config.body.clone(),
            },
            search: config.expect_body.as_deref().and_then(BodySearch::new),
            has_head: false,
            has_warned: false,
        }
    }

    /// Goes from redirect to redirect; returns the status of the last answer.
    async fn travel(&mut self) -> Result<u16, Fault> {
        if !self.config.tls.is_default() && self.request.url.scheme() != "https" {
            // Nothing will be encrypted; still, say what is wrong with the files.
            self.load_tls().await;
        }
        for _ in 0..=limits::HTTP_REDIRECTS_MAX {
            let tls = match self.request.url.scheme() {
                "https" => Some(self.load_tls().await),
                _ => None,
            };
            let request = self.request.clone();
            let mut answer = Answer { request: &request, journey: self, next: Ok(None) };
            let head = exchange(&request, tls, &mut answer).await.map_err(Fault::Transport)?;
            match answer.next.map_err(Fault::Transport)? {
                Some(next) => self.request = next,
                None => return Ok(head.status.as_u16()),
            }
        }
        let count = limits::HTTP_REDIRECTS_MAX;
        Err(Fault::Transport(format!("stopped after {count} redirects")))
    }

    /// Makes the TLS settings ready, off the runtime's threads, and warns once of what is wrong.
    async fn load_tls(&mut self) -> Arc<ClientConfig> {
        let (tls, keys): (_, TlsKeys) = (Arc::clone(&self.tls), self.config.tls.clone());
        let loaded = match spawn_blocking(move || tls.load(&keys)).await {
            Ok(loaded) => loaded,
            // The runtime is shutting down; what is asked now ends with it.
            Err(_) => self.tls.load(&self.config.tls),
        };
        if !std::mem::replace(&mut self.has_warned, true) {
            self.output.write(loaded.warnings.as_bytes());
        }
        loaded.client
    }

    /// Decides whether an answer is what the job expects.
    fn judge(self, status: u16) -> RunEnd {
        let config = self.config;
        if let Some(codes) = &config.expect_code
            && !format!("{codes},").contains(&format!("{status},"))
        {
            return RunEnd::failed(
                "received response code does not match the expected code".to_owned(),
            );
        }
        if config.expect_body.is_some() && !self.search.is_some_and(BodySearch::finish) {
            return RunEnd::failed(
                "received response body did not match the expected body".to_owned(),
            );
        }
        RunEnd::succeeded()
    }

    /// Says what went wrong, with method and address: `Get "http://a/": …`.
    fn describe(&self, fault: &Fault, of_the_job: Option<Duration>) -> String {
        let reason = match fault {
            Fault::Transport(reason) => reason.clone(),
            Fault::OverTime { is_of_the_job: true } => {
                format!("the job's timeout of {:?} was exceeded", of_the_job.unwrap_or_default())
            }
            Fault::OverTime { is_of_the_job: false } if self.has_head => {
                "context deadline exceeded (Client.Timeout or context cancellation while reading \
                 body)"
                    .to_owned()
            }
            Fault::OverTime { is_of_the_job: false } => {
                "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
                    .to_owned()
            }
        };
        let mut url = self.request.url.clone();
        if url.password().is_some() {
            let _ = url.set_password(Some("***"));
        }
        format!("{} {}: {reason}", operation(&self.request.method), StrconvQuoted(url.as_str()))
    }
}

/// Writes a method as the verb that an error begins with: `Get`.
fn operation(method: &Method) -> String {
    let mut letters = method.as_str().chars();
    let first = letters.next().unwrap_or_default();
    format!("{first}{}", letters.as_str().to_lowercase())
}

/// Adds what tells the server which run this is, where the job does not say otherwise.
fn add_run_headers(headers: &mut HeaderMap, context: &RunContext) {
    let values = [
        ("x-dkron-job", context.job.to_string()),
        ("x-dkron-execution-id", context.execution.to_string()),
        ("x-dkron-fire-time", context.fire_time.to_string()),
        ("x-dkron-attempt", context.attempt.to_string()),
        ("x-dkron-token", context.token.to_string()),
    ];
    for (name, value) in values {
        if let Ok(value) = value.try_into()
            && !headers.contains_key(name)
        {
            headers.insert(name, value);
        }
    }
}

/// One answer of several: followed on, or passed to the output.
struct Answer<'j, 'a> {
    request: &'j Request,
    journey: &'j mut Journey<'a>,
    next: Result<Option<Request>, String>,
}

impl Receiver for Answer<'_, '_> {
    fn head(&mut self, head: &Parts) -> bool {
        self.next = next_request(self.request, head.status, &head.headers);
        self.journey.has_head = matches!(self.next, Ok(None));
        self.journey.has_head
    }

    fn body(&mut self, bytes: &[u8]) {
        self.journey.output.write(bytes);
        if let Some(search) = &mut self.journey.search {
            search.feed(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn an_operation_is_the_method_as_a_verb() {
        for (method, want) in [("GET", "Get"), ("get", "get"), ("DELETE", "Delete"), ("X", "X")] {
            assert_eq!(operation(&method.parse().unwrap()), want);
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let mut url = Url::parse("http://u:secret@a/").unwrap();
        url.set_password(Some("***")).unwrap();
        assert_eq!(url.as_str(), "http://u:***@a/");
    }
}
