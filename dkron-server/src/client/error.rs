//! What can go wrong when a node is asked.

use std::io;

use axum::http::StatusCode;

use crate::terminal::printable;

/// A request that did not do what it was to do.
///
/// `what` is what was being done, as in `delete job "a"`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody answers there.
    #[error(
        "{what}: connect to {url}: {why}; is `dkron agent --server` running there? \
         Say where it is with --http-addr or DKRON_HTTP_ADDR"
    )]
    Connect {
        /// What was being done.
        what: String,
        /// Where.
        url: String,
        /// The reason of the system.
        why: String,
    },
    /// The connection failed before the answer was complete.
    #[error("{what}: {url}: {why}{}", if *.is_write { MAY_HAVE_HAPPENED } else { "" })]
    Broken {
        /// What was being done.
        what: String,
        /// Where.
        url: String,
        /// What happened.
        why: String,
        /// The request was to change something.
        is_write: bool,
    },
    /// The node answered with a failure.
    #[error("{what}: {url} answered {status}{}{}", reason(.text),
            if *.may_have_happened { MAY_HAVE_HAPPENED } else { "" })]
    Refused {
        /// What was being done.
        what: String,
        /// Where.
        url: String,
        /// The status.
        status: StatusCode,
        /// The body; often empty.
        text: String,
        /// The answer says that it may have taken effect all the same.
        may_have_happened: bool,
    },
    /// The answer is not what the API answers.
    #[error("{what}: {url} answered with what is not an answer of Dkron's API: {why}")]
    Strange {
        /// What was being done.
        what: String,
        /// Where.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Standard output, or another file of ours, could not be written or read.
    #[error("{what}: {why}")]
    File {
        /// What was being done.
        what: String,
        /// The reason of the system.
        why: String,
    },
}

/// What a user has to know before the command is given again.
const MAY_HAVE_HAPPENED: &str = " (it may have taken effect all the same: look before you repeat)";

impl ClientError {
    /// Makes the error of a file of ours.
    pub(crate) fn file(what: impl Into<String>, error: &io::Error) -> Self {
        Self::File { what: what.into(), why: system_text(error) }
    }

    /// Returns the status, if the node answered with a failure.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Returns what the system says, without the number of its error.
pub(super) fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_lowercase(),
        None => text,
    }
}

fn reason(text: &str) -> String {
    match text.trim() {
        "" | "404 page not found" | "null" => String::new(),
        text => format!(": {}", printable(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_was_done_where_and_what_to_do() {
        let refused = |text: &str, may_have_happened| ClientError::Refused {
            what: "delete job \"a\"".to_owned(),
            url: "http://n1:8080/v1/jobs/a".to_owned(),
            status: StatusCode::NOT_FOUND,
            text: text.to_owned(),
            may_have_happened,
        };
        assert_eq!(
            refused("", false).to_string(),
            "delete job \"a\": http://n1:8080/v1/jobs/a answered 404 Not Found"
        );
        assert!(refused("why \n", false).to_string().ends_with("404 Not Found: why"));
        assert!(refused("", true).to_string().ends_with("look before you repeat)"));
        let nobody = ClientError::Connect {
            what: "list jobs".to_owned(),
            url: "http://n1:8080".to_owned(),
            why: system_text(&io::Error::from_raw_os_error(111)),
        };
        let text = nobody.to_string();
        assert!(text.starts_with("list jobs: connect to http://n1:8080: connection refused; "));
        assert!(text.ends_with("DKRON_HTTP_ADDR"), "{text}");
    }
}
