//! Which answer belongs to a method and a path: the table of routes, matched as by Dkron's router.
//!
//! Paths are percent-decoded before they are matched. What is not in the table is unknown, also
//! with another method; a slash too many at the end is redirected.

use dkron_core::ExecutionId;

use super::percent::percent_decode;

/// Every route of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouteId {
    Health,
    Ready,
    Metrics,
    Status,
    Members,
    Leader,
    IsLeader,
    Leave,
    Restore,
    Busy,
    PauseState,
    Pause,
    Unpause,
    Stats,
    Schedule,
    Events,
    Jobs,
    WriteJob,
    Job,
    DeleteJob,
    Run,
    Toggle,
    Executions,
    DeleteExecutions,
    Execution,
    CancelExecution,
    Output,
    Skips,
}

/// Method, path and route. `*` stands for one segment, which is handed over; `**` for all that is
/// left but for what follows it: the id of an execution ends with the name of a node, and that may
/// hold a slash.
const ROUTES: &[(&str, &str, RouteId)] = &[
    ("GET", "/health", RouteId::Health),
    ("GET", "/health/ready", RouteId::Ready),
    ("GET", "/metrics", RouteId::Metrics),
    ("GET", "/v1", RouteId::Status),
    ("GET", "/v1/", RouteId::Status),
    ("GET", "/v1/members", RouteId::Members),
    ("GET", "/v1/leader", RouteId::Leader),
    ("GET", "/v1/isleader", RouteId::IsLeader),
    ("POST", "/v1/leave", RouteId::Leave),
    ("POST", "/v1/restore", RouteId::Restore),
    ("GET", "/v1/busy", RouteId::Busy),
    ("GET", "/v1/pause", RouteId::PauseState),
    ("POST", "/v1/pause", RouteId::Pause),
    ("POST", "/v1/unpause", RouteId::Unpause),
    ("GET", "/v1/stats", RouteId::Stats),
    ("GET", "/v1/schedule", RouteId::Schedule),
    ("GET", "/v1/events", RouteId::Events),
    ("GET", "/v1/jobs", RouteId::Jobs),
    ("POST", "/v1/jobs", RouteId::WriteJob),
    ("PATCH", "/v1/jobs", RouteId::WriteJob),
    ("PUT", "/v1/jobs/*", RouteId::WriteJob),
    ("GET", "/v1/jobs/*", RouteId::Job),
    ("DELETE", "/v1/jobs/*", RouteId::DeleteJob),
    ("POST", "/v1/jobs/*", RouteId::Run),
    ("POST", "/v1/jobs/*/run", RouteId::Run),
    ("POST", "/v1/jobs/*/toggle", RouteId::Toggle),
    ("GET", "/v1/jobs/*/executions", RouteId::Executions),
    ("DELETE", "/v1/jobs/*/executions", RouteId::DeleteExecutions),
    ("GET", "/v1/jobs/*/executions/**/output", RouteId::Output),
    ("GET", "/v1/jobs/*/executions/**", RouteId::Execution),
    ("POST", "/v1/jobs/*/executions/**/cancel", RouteId::CancelExecution),
    ("GET", "/v1/jobs/*/skips", RouteId::Skips),
];

/// A route with what its path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) id: RouteId,
    /// What stands for `*` and `**`.
    pub(super) parts: Vec<String>,
}

impl Route {
    /// Returns the name of the job in the path; empty if there is none.
    pub(super) fn job(&self) -> &str {
        self.parts.first().map_or("", String::as_str)
    }

    /// Returns the id of the execution in the path; empty if there is none.
    pub(super) fn execution(&self) -> &str {
        self.parts.get(1).map_or("", String::as_str)
    }

    /// Returns whether answers name the node that gave them.
    pub(super) fn is_in_group(&self) -> bool {
        !matches!(self.id, RouteId::Health | RouteId::Ready)
    }
}

/// What a method and a path lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// An answer.
    Route(Route),
    /// The same path without its last slash, decoded.
    Redirect(String),
    /// Nothing.
    Unknown,
    /// A path whose percent-encoding is broken.
    Malformed,
}

/// Resolves the path of a request as it was sent.
pub(super) fn resolve(method: &str, raw_path: &str) -> Resolved {
    let Some(path) = percent_decode(raw_path) else { return Resolved::Malformed };
    if let Some(route) = find(method, &path) {
        return Resolved::Route(route);
    }
    match path.strip_suffix('/') {
        Some(shorter) if find(method, shorter).is_some() => Resolved::Redirect(shorter.to_owned()),
        _ => Resolved::Unknown,
    }
}

/// Returns the methods that a path answers to, for a browser that asks before it sends.
pub(super) fn methods_of(raw_path: &str) -> Vec<&'static str> {
    let Some(path) = percent_decode(raw_path) else { return Vec::new() };
    let mut methods: Vec<_> =
        ROUTES.iter().filter(|(_, pattern, _)| parts_of(pattern, &path).is_some()).collect();
    methods.dedup_by_key(|(method, _, _)| *method);
    methods.into_iter().map(|(method, _, _)| *method).collect()
}

fn find(method: &str, path: &str) -> Option<Route> {
    let candidates = ROUTES.iter().filter(|(wanted, _, _)| *wanted == method);
    candidates
        .filter_map(|(_, pattern, id)| Some(Route { id: *id, parts: parts_of(pattern, path)? }))
        .next()
}

/// Matches a path and returns the segments that stand for `*`.
fn parts_of(pattern: &str, path: &str) -> Option<Vec<String>> {
    // What follows `**` is taken from the end of the path first.
    let (pattern, behind) = match pattern.find("**/") {
        Some(at) => pattern.split_at(at + 2),
        None => (pattern, ""),
    };
    let mut parts = Vec::new();
    let mut left = Some(path.strip_suffix(behind)?);
    for wanted in pattern.split('/') {
        if wanted == "**" {
            let rest = left.take().filter(|rest| !rest.is_empty() && !rest.ends_with('/'))?;
            // What is no id is no path either, as in Dkron.
            if rest.contains('/') && ExecutionId::parse(rest).is_err() {
                return None;
            }
            parts.push(rest.to_owned());
            continue;
        }
        let (segment, behind) = match left?.split_once('/') {
            Some((segment, behind)) => (segment, Some(behind)),
            None => (left?, None),
        };
        left = behind;
        if wanted == "*" && !segment.is_empty() {
            parts.push(segment.to_owned());
        } else if wanted != segment {
            return None;
        }
    }
    left.is_none().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, want: RouteId, parts: &[&str]) {
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        assert_eq!(resolve(method, path), Resolved::Route(Route { id: want, parts }), "{path}");
    }

    #[track_caller]
    fn check_redirect(method: &str, path: &str, want: &str) {
        assert_eq!(resolve(method, path), Resolved::Redirect(want.to_owned()), "{path}");
    }

    #[test]
    fn paths_lead_to_their_routes() {
        check("GET", "/v1", RouteId::Status, &[]);
        check("GET", "/v1/", RouteId::Status, &[]);
        check("PUT", "/v1/jobs/a", RouteId::WriteJob, &["a"]);
        check("POST", "/v1/jobs/run", RouteId::Run, &["run"]);
        check("POST", "/v1/jobs/run/run", RouteId::Run, &["run"]);
        check("GET", "/v1/jobs/a/executions/1-n", RouteId::Execution, &["a", "1-n"]);
    }

    #[test]
    fn an_execution_of_a_node_with_a_slash_in_its_name_is_found() {
        for path in ["/v1/jobs/a/executions/1-x/y", "/v1/jobs/a/executions/1-x%2Fy"] {
            check("GET", path, RouteId::Execution, &["a", "1-x/y"]);
        }
        check("GET", "/v1/jobs/a/executions/1-/x//y", RouteId::Execution, &["a", "1-/x//y"]);
        let cancel = "/v1/jobs/a/executions/1-x/y/cancel";
        check("POST", cancel, RouteId::CancelExecution, &["a", "1-x/y"]);
        check_redirect("POST", &format!("{cancel}/"), cancel);
        check_redirect("GET", "/v1/jobs/a/executions/1-n/", "/v1/jobs/a/executions/1-n");
        check_redirect("GET", "/v1/jobs/a/executions/", "/v1/jobs/a/executions");
    }

    #[test]
    fn what_follows_an_id_is_no_part_of_it() {
        check("GET", "/v1/jobs/a/executions/1-n/output", RouteId::Output, &["a", "1-n"]);
        check("GET", "/v1/jobs/a/executions/1-x/y/output", RouteId::Output, &["a", "1-x/y"]);
        check("GET", "/v1/jobs/a/executions/output", RouteId::Execution, &["a", "output"]);
        let shorter = "/v1/jobs/a/executions/1-n/output";
        check_redirect("GET", "/v1/jobs/a/executions/1-n/output/", shorter);
        for path in ["/v1/jobs/a/executions//output", "/v1/jobs/a/executions/b/c/output"] {
            assert_eq!(resolve("GET", path), Resolved::Unknown, "{path}");
        }
    }

    #[test]
    fn paths_are_decoded_before_they_are_matched() {
        check("GET", "/v1/jobs/x%2Fexecutions", RouteId::Executions, &["x"]);
        check("GET", "/v1/jobs/a%5fb", RouteId::Job, &["a_b"]);
        check("GET", "/v1/jobs/%E6%97%A5", RouteId::Job, &["日"]);
        check("GET", "/v1/jobs/a+b", RouteId::Job, &["a+b"]);
        for path in ["/v1/jobs/%zz", "/v1/jobs/%4", "/v1/jobs/%"] {
            assert_eq!(resolve("GET", path), Resolved::Malformed, "{path}");
        }
    }

    #[test]
    fn a_last_slash_is_redirected() {
        check_redirect("GET", "/v1/jobs/", "/v1/jobs");
        check_redirect("POST", "/v1/jobs/a/run/", "/v1/jobs/a/run");
        check_redirect("GET", "/health/", "/health");
    }

    #[test]
    fn everything_else_is_unknown() {
        for (method, path) in [
            ("HEAD", "/v1/jobs"),
            ("PATCH", "/v1/jobs/a"),
            ("POST", "/v1/members"),
            ("GET", "/v1/jobs/a/run"),
            ("GET", "//v1/jobs"),
            ("GET", "/v1//jobs"),
            ("GET", "/v1/./jobs"),
            ("GET", "/V1/jobs"),
            ("GET", "/v1/jobs//"),
            ("GET", "/v1/jobs/a/b"),
            ("GET", "/v1/jobs/a/executions/b/c"),
            ("POST", "/v1/jobs/a/executions/1-n"),
            ("POST", "/v1/jobs/a/executions/b/c/cancel"),
            ("POST", "/v1/jobs/a/executions//cancel"),
            ("GET", ""),
        ] {
            assert_eq!(resolve(method, path), Resolved::Unknown, "{method} {path}");
        }
    }

    #[test]
    fn browsers_are_told_the_methods() {
        assert_eq!(methods_of("/v1/jobs"), ["GET", "POST", "PATCH"]);
        assert_eq!(methods_of("/v1/jobs/a"), ["PUT", "GET", "DELETE", "POST"]);
        assert_eq!(methods_of("/nope"), Vec::<&str>::new());
    }
}
