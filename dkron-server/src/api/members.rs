//! The cluster as the API shows it: status, members, leader, health, statistics, pause, leave.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use dkron_core::{Health, Member};

use super::Api;
use super::answer::{TOTAL_COUNT, failure, json, layout, text, typed, with_header};
use super::query::Query;
use crate::go_json::{GoTime, Layout, Writer};

/// Days of statistics without a number, and at most.
const STATS_DAYS_DEFAULT: u32 = 30;
const STATS_DAYS_MAX: u32 = 365;

/// A member's state in the words and numbers of Dkron's gossip.
const ALIVE: (u8, &str) = (1, "alive");

/// A tag by which old guides select servers: matched, but not shown, as Dkron has no such tag.
const HIDDEN_TAG: &str = "dkron_server";

/// Answers `GET /v1`.
pub(super) fn status(api: &Api, query: &Query) -> Response {
    let members = match api.cluster.members() {
        Ok(members) => members,
        Err(error) => return failure(&error),
    };
    json(StatusCode::OK, layout(query), |json| {
        json.begin_object();
        json.key("agent").begin_object();
        json.key("name").string(api.node_name());
        json.key("version").string(env!("CARGO_PKG_VERSION"));
        json.end_object();
        write_gossip(json.key("serf"), members.len());
        json.key("tags");
        let own = members.iter().find(|member| member.name.as_str() == api.node_name());
        write_tags(json, own);
        json.end_object();
    })
}

/// Answers `GET /v1/members`.
pub(super) fn members(api: &Api, query: &Query) -> Response {
    let members = match api.cluster.members() {
        Ok(members) => members,
        Err(error) => return failure(&error),
    };
    let response = json(StatusCode::OK, layout(query), |json| {
        json.begin_array();
        for member in &members {
            json.begin_object();
            write_member(json, api, member);
            json.key("id").string(&member_id(member));
            json.key("statusText").string(ALIVE.1);
            json.end_object();
        }
        json.end_array();
    });
    with_header(response, TOTAL_COUNT, &members.len().to_string())
}

/// Answers `GET /v1/leader`; without a leader as readiness probes expect it.
pub(super) fn leader(api: &Api, query: &Query) -> Response {
    // A node that has stopped knows of no leader either.
    let members = api.cluster.members().unwrap_or_default();
    match members.iter().find(|member| member.is_leader) {
        Some(member) => json(StatusCode::OK, layout(query), |json| {
            json.begin_object();
            write_member(json, api, member);
            json.end_object();
        }),
        None => typed(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", Body::from("null")),
    }
}

/// Answers `GET /v1/isleader`.
pub(super) fn is_leader(api: &Api) -> Response {
    let (status, text) = if api.cluster.is_leader() {
        (StatusCode::OK, "I am a leader")
    } else {
        (StatusCode::NOT_FOUND, "I am a follower")
    };
    json(status, Layout::Compact, |json| {
        json.string(text);
    })
}

/// Answers `GET /health`: whether the process is worth keeping.
pub(super) fn health(api: &Api) -> Response {
    liveness(&api.cluster.health())
}

fn liveness(health: &Health) -> Response {
    let status = match health.fatal {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(status, Layout::Compact, |json| {
        json.begin_object();
        if let Some(issue) = &health.fatal {
            json.key("issues").begin_array().string(issue).end_array();
        }
        json.key("leader").bool(health.is_leader);
        json.key("status").string(if health.fatal.is_none() { "healthy" } else { "unhealthy" });
        json.end_object();
    })
}

/// Answers `GET /health/ready`: whether a write would be accepted now.
pub(super) fn ready(api: &Api) -> Response {
    readiness(&api.cluster.health())
}

fn readiness(health: &Health) -> Response {
    let reason = match (&health.fatal, &health.storage_fault, &health.leader) {
        (Some(fault), ..) | (None, Some(fault), _) => Some(fault.as_str()),
        (None, None, None) => Some("no leader"),
        (None, None, Some(_)) => None,
    };
    let status = match reason {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(status, Layout::Compact, |json| {
        json.begin_object();
        json.key("ready").bool(reason.is_none());
        if let Some(reason) = reason {
            json.key("reason").string(reason);
        }
        json.end_object();
    })
}

/// Answers `GET /v1/stats`.
pub(super) fn stats(api: &Api, query: &Query) -> Response {
    let days = query.get("days").and_then(|days| days.parse::<u32>().ok()).filter(|days| *days > 0);
    let days = days.unwrap_or(STATS_DAYS_DEFAULT).min(STATS_DAYS_MAX);
    match api.cluster.stats(days) {
        Ok(stats) => json(StatusCode::OK, layout(query), |json| {
            json.begin_object().key("stats").begin_array();
            for day in &stats {
                json.begin_object();
                json.key("date").display_string(GoTime::utc(day.date));
                json.key("success_count").display(day.success_count);
                json.key("failed_count").display(day.failed_count);
                json.end_object();
            }
            json.end_array().end_object();
        }),
        Err(error) => failure(&error),
    }
}

/// Answers `GET /v1/pause`.
pub(super) fn pause_state(api: &Api, query: &Query) -> Response {
    match api.cluster.is_paused() {
        Ok(paused) => paused_answer(paused, query),
        Err(error) => failure(&error),
    }
}

/// Answers `POST /v1/pause` and `POST /v1/unpause`.
pub(super) async fn set_paused(api: &Api, paused: bool, query: &Query) -> Response {
    match api.cluster.set_paused(paused).await {
        Ok(()) => paused_answer(paused, query),
        Err(error) => failure(&error),
    }
}

/// Answers `POST /v1/leave`: the node stops in good order, and the process with it.
pub(super) fn leave(api: &Api, query: &Query) -> Response {
    if !api.leave.ask() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the node is leaving already");
    }
    json(StatusCode::OK, layout(query), |json| {
        json.begin_object().end_object();
    })
}

fn paused_answer(paused: bool, query: &Query) -> Response {
    json(StatusCode::OK, layout(query), |json| {
        json.begin_object().key("paused").bool(paused).end_object();
    })
}

/// Writes what Dkron tells of its gossip, as far as there is anything to tell.
fn write_gossip(json: &mut Writer, members: usize) {
    const ZEROS_BEFORE: [&str; 8] = [
        "event_queue",
        "event_time",
        "failed",
        "health_score",
        "intent_queue",
        "left",
        "member_time",
        "members",
    ];
    json.begin_object();
    json.key("coordinate_resets").string("0");
    json.key("encrypted").string("false");
    for key in ZEROS_BEFORE {
        let value = if key == "members" { members } else { 0 };
        json.key(key).display_string(value);
    }
    json.key("query_queue").string("0");
    json.key("query_time").string("0");
    json.end_object();
}

/// Writes what a member is, without the braces.
fn write_member(json: &mut Writer, api: &Api, member: &Member) {
    json.key("Name").string(member.name.as_str());
    json.key("Addr").string(&api.peer_address.0);
    json.key("Port").display(api.peer_address.1);
    json.key("Tags");
    write_tags(json, Some(member));
    json.key("Status").display(ALIVE.0);
    for (key, version) in [
        ("ProtocolMin", 1),
        ("ProtocolMax", 5),
        ("ProtocolCur", 2),
        ("DelegateMin", 2),
        ("DelegateMax", 5),
        ("DelegateCur", 4),
    ] {
        json.key(key).display(version);
    }
}

fn write_tags(json: &mut Writer, member: Option<&Member>) {
    json.begin_object();
    let tags = member.into_iter().flat_map(|member| &member.tags);
    for (key, value) in tags.filter(|(key, _)| key.as_str() != HIDDEN_TAG) {
        json.key(key).string(value);
    }
    json.end_object();
}

/// Returns an id of the form of a UUID that stays the same for a name.
fn member_id(member: &Member) -> String {
    let mut id = 0xcbf2_9ce4_8422_2325_u64;
    let mut halves = [0; 2];
    for half in &mut halves {
        for byte in member.name.as_str().bytes() {
            id = (id ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        *half = id;
    }
    let hex = format!("{:016x}{:016x}", halves[0], halves[1]);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    // Version 8: a value of the application's own making.
    let (a, b, c, d, e) = (part(0..8), part(8..12), part(13..16), part(17..20), part(20..32));
    format!("{a}-{b}-8{c}-8{d}-{e}")
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use dkron_core::{Cluster, Config};

    use super::*;

    async fn check(response: Response, status: u16, wanted: &str) {
        assert_eq!(response.status().as_u16(), status);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&body), wanted);
    }

    #[tokio::test]
    async fn health_is_503_once_the_node_has_stopped_and_ready_while_it_takes_writes() {
        let cluster = Cluster::start(Config::new("n1").in_memory()).await.unwrap();
        check(liveness(&cluster.health()), 200, r#"{"leader":true,"status":"healthy"}"#).await;
        check(readiness(&cluster.health()), 200, r#"{"ready":true}"#).await;

        let mut full = cluster.health();
        full.storage_fault = Some("no space".to_owned());
        check(liveness(&full), 200, r#"{"leader":true,"status":"healthy"}"#).await;
        check(readiness(&full), 503, r#"{"ready":false,"reason":"no space"}"#).await;

        let mut broken = cluster.health();
        broken.fatal = Some("broken".to_owned());
        let issues = r#"{"issues":["broken"],"leader":true,"status":"unhealthy"}"#;
        check(liveness(&broken), 503, issues).await;
        check(readiness(&broken), 503, r#"{"ready":false,"reason":"broken"}"#).await;
        cluster.shutdown().await.unwrap();
    }
}
