//! `GET /v1/schedule`: what an expression means and when it fires next. An extension.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use dkron_core::Timestamp;
use dkron_core::limits::EXPLAINED_FIRES_MAX;
use dkron_core::schedule::{self, DstPolicy, ScheduleContext};

use super::Api;
use super::answer::{failure, json, layout, text};
use super::pieces::blocking;
use super::policy_text::parse_dst;
use super::query::Query;
use crate::clock;
use crate::explanation::{write_explanation, write_refusal};

/// Fire times shown without a count.
const COUNT_DEFAULT: usize = 5;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    expr: String,
    timezone: String,
    /// The name of the job, from which `~` is derived.
    job: String,
    dst: DstPolicy,
    count: usize,
    /// What is shown is later than this; `None` = now.
    from: Option<Timestamp>,
}

impl Question {
    /// Reads a query; otherwise what is wrong with it, in words.
    fn parse(query: &Query) -> Result<Self, String> {
        let text = |key| query.get(key).unwrap_or_default().to_owned();
        let Some(expr) = query.get("expr") else {
            return Err("expr is missing, such as ?expr=0+30+2+*+*+*".to_owned());
        };
        let count = match query.get_some("n") {
            None => COUNT_DEFAULT,
            Some(count) => {
                count.parse().ok().filter(|count| *count <= EXPLAINED_FIRES_MAX).ok_or_else(
                    || format!("n must be 0 to {EXPLAINED_FIRES_MAX}, found \"{count}\""),
                )?
            }
        };
        let from = query.get_some("from").map(Timestamp::parse_rfc3339).transpose();
        Ok(Self {
            expr: expr.to_owned(),
            timezone: text("tz"),
            job: text("job"),
            dst: parse_dst(&text("dst"))?,
            count,
            from: from.map_err(|error| format!("from: {error}"))?,
        })
    }
}

/// Answers `GET /v1/schedule`.
pub(super) async fn explain(api: Arc<Api>, query: Query) -> Response {
    let question = match Question::parse(&query) {
        Ok(question) => question,
        Err(fault) => return text(StatusCode::BAD_REQUEST, fault),
    };
    let server_zone = api.server_zone;
    // A thousand fire times of a rare date are a search through many years.
    let explained = blocking(move || {
        let context = ScheduleContext {
            timezone: &question.timezone,
            job: &question.job,
            dst: question.dst,
            server_zone,
        };
        let from = question.from.unwrap_or_else(clock::now);
        Ok(schedule::explain(&question.expr, &context, from, question.count))
    });
    match explained.await {
        Ok(Ok(explanation)) => json(StatusCode::OK, layout(&query), |json| {
            json.begin_object();
            write_explanation(json, &explanation);
            json.end_object();
        }),
        Ok(Err(refused)) => json(StatusCode::BAD_REQUEST, layout(&query), |json| {
            json.begin_object();
            write_refusal(json, &refused);
            json.end_object();
        }),
        Err(error) => failure(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(query: &str, want: &str) {
        let fault = Question::parse(&Query::parse(query)).unwrap_err();
        assert!(fault.contains(want), "{query}: {fault}");
    }

    #[test]
    fn a_query_is_a_question_about_a_schedule() {
        let query = "expr=0+30+2+*+*+*&tz=Europe%2FBerlin&n=1000&dst=wall&job=a\
                     &from=2026-03-28T00:00:00Z";
        let question = Question::parse(&Query::parse(query)).unwrap();
        let want = Question {
            expr: "0 30 2 * * *".to_owned(),
            timezone: "Europe/Berlin".to_owned(),
            job: "a".to_owned(),
            dst: DstPolicy::Wall,
            count: 1_000,
            from: Some(Timestamp::parse_rfc3339("2026-03-28T00:00:00Z").unwrap()),
        };
        assert_eq!(question, want);

        let question = Question::parse(&Query::parse("expr=@daily&n=")).unwrap();
        assert_eq!((question.count, question.dst, question.from), (5, DstPolicy::Once, None));
    }

    #[test]
    fn a_question_that_is_none_is_refused_with_the_parameter() {
        check_refused("", "expr is missing");
        check_refused("expr=@daily&n=1001", "n must be 0 to 1000, found \"1001\"");
        check_refused("expr=@daily&n=-1", "n must be");
        check_refused("expr=@daily&n=99999999999999999999", "n must be");
        check_refused("expr=@daily&dst=twice", "dst must be \"once\" or \"wall\"");
        check_refused("expr=@daily&from=now", "from: ");
    }
}
