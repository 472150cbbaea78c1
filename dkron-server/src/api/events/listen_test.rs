//! Listening: what is sent, from where on, and what becomes of those who are slow.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use dkron_core::{Cluster, Config, JobBuilder};
use futures_util::StreamExt as _;

use super::*;

const BOUND: Duration = Duration::from_secs(20);

/// One who listens.
struct Ear {
    body: BodyDataStream,
    heard: String,
}

impl Ear {
    fn new(body: Body) -> Self {
        Self { body: body.into_data_stream(), heard: String::new() }
    }

    fn at(hub: &EventHub, cluster: &Cluster, query: &str, from: Option<&str>) -> Self {
        let filter = Filter::parse(&Query::parse(query)).unwrap();
        Self::new(hub.listen(cluster, filter, from).unwrap().expect("a place").into_body())
    }

    /// Takes what comes up to `end` and the end of its block.
    async fn hear(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.heard.find(end)
                && let Some(rest) = self.heard[at..].find("\n\n")
            {
                let rest = self.heard.split_off(at + rest + 2);
                return std::mem::replace(&mut self.heard, rest);
            }
            let piece = tokio::time::timeout(BOUND, self.body.next()).await;
            let piece = piece.unwrap_or_else(|_| panic!("no {end:?} in {:?}", self.heard));
            let piece = piece.unwrap_or_else(|| panic!("the end, no {end:?}: {:?}", self.heard));
            self.heard.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
    }
}

async fn node() -> Cluster {
    Cluster::start(Config::new("n1").in_memory()).await.unwrap()
}

fn hub() -> EventHub {
    EventHub::keeping(8, 1 << 20, BOUND)
}

async fn write(cluster: &Cluster, name: &str) {
    let job = JobBuilder::new(name).schedule("@manually").handler("work").build().unwrap();
    cluster.set_job(job).await.unwrap();
}

/// Returns the ids in a text.
fn ids(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("id: ")).collect()
}

/// Returns the types of events in a text.
fn types(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("event: ")).collect()
}

#[tokio::test]
async fn a_listener_is_told_what_happens_in_its_order() {
    let cluster = node().await;
    cluster.handle("work", async |_| Ok("done".to_owned())).unwrap();
    let mut ear = Ear::at(&hub(), &cluster, "", None);
    let opening = ear.hear("id: ").await;
    assert!(opening.starts_with(": ") && opening.contains("\nretry: 2000\n"), "{opening}");

    write(&cluster, "a").await;
    cluster.run("a").await.unwrap().wait().await.unwrap();
    cluster.toggle_job("a").await.unwrap();
    cluster.delete_job("a").await.unwrap();

    let heard = ear.hear("\"change\":\"deleted\"").await;
    let mut told = types(&heard);
    told.retain(|told| *told != "execution_output");
    let executed = ["execution_started", "execution_finished"];
    let changed = ["job_changed", "job_changed"];
    assert_eq!(told, [&["job_changed"][..], &executed, &changed].concat());
    assert!(heard.contains("\"change\":\"toggled\",\"disabled\":true"), "{heard}");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_comes_back_misses_nothing_and_hears_nothing_twice() {
    let (cluster, hub) = (node().await, hub());
    let mut first = Ear::at(&hub, &cluster, "", None);
    write(&cluster, "a").await;
    let heard = first.hear("\"job_name\":\"a\"").await;
    let last = ids(&heard).last().unwrap().to_string();
    drop(first);
    write(&cluster, "b").await;

    let mut again = Ear::at(&hub, &cluster, "", Some(&last));
    write(&cluster, "c").await;

    let heard = again.hear("\"job_name\":\"c\"").await;
    assert_eq!(types(&heard), ["job_changed", "job_changed"], "{heard}");
    assert!(heard.contains("\"job_name\":\"b\""), "{heard}");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_filter_lets_pass_what_was_asked_for_alone() {
    let (cluster, hub) = (node().await, hub());
    let mut ear = Ear::at(&hub, &cluster, "job=b&types=job_changed", None);
    for name in ["a", "b", "c", "b2"] {
        write(&cluster, name).await;
    }
    cluster.delete_job("b").await.unwrap();

    let heard = ear.hear("deleted").await;

    let data: Vec<&str> = heard.lines().filter(|line| line.starts_with("data: ")).collect();
    assert_eq!(data.len(), 2, "{heard}");
    assert!(data.iter().all(|line| line.contains("\"job_name\":\"b\"")), "{heard}");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_listener_that_hears_nothing_is_sent_a_comment_and_its_position() {
    let cluster = node().await;
    let hub = EventHub::keeping(8, 1 << 20, Duration::from_millis(50));
    let mut ear = Ear::at(&hub, &cluster, "job=b", None);
    let begun = ids(&ear.hear("id: ").await)[0].to_owned();

    let beat = ear.hear(": still here").await;
    assert_eq!(ids(&beat), [begun.as_str()]);
    write(&cluster, "a").await;
    let mut ear_of_a = Ear::at(&hub, &cluster, "", Some(&begun));
    let heard = ear_of_a.hear("\"job_name\":\"a\"").await;
    let id = ids(&heard).last().unwrap().to_string();

    // It is not told of the job, and would come back behind it.
    ear.hear(&format!("id: {id}")).await;
    cluster.shutdown().await.unwrap();
}

/// Goal: who is slow loses the oldest events and is told how many; others lose none.
/// Method: a ring of a few events; one who listens and takes nothing meanwhile.
#[tokio::test]
async fn who_is_too_slow_is_told_how_much_is_missing_and_holds_nobody_up() {
    let cluster = node().await;
    let hub = EventHub::keeping(8, 2_000, BOUND);
    let mut slow = Ear::at(&hub, &cluster, "", None);
    let mut quick = Ear::at(&hub, &cluster, "", None);
    for number in 0..100 {
        write(&cluster, &format!("job-{number}")).await;
        quick.hear(&format!("\"job_name\":\"job-{number}\"")).await;
    }
    assert!(!quick.heard.contains("gap"));

    let heard = slow.hear("job-99\"").await;

    assert_eq!(types(&heard)[0], "gap");
    let missed = heard.split("\"missed\":").nth(1).and_then(|rest| rest.split(',').next());
    let missed: usize = missed.unwrap().parse().unwrap();
    assert_eq!(missed + types(&heard).len() - 1, 100, "{heard}");
    assert!(missed > 50, "{heard}");
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn beyond_the_bound_nobody_listens_until_another_one_leaves() {
    let cluster = node().await;
    let hub = EventHub::keeping(1, 2_000, BOUND);
    let listen = || hub.listen(&cluster, Filter::default(), None).unwrap();
    let first = listen();
    assert!(first.is_some() && listen().is_none());
    drop(first);
    assert!(listen().is_some());
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_node_that_stops_ends_every_answer_with_a_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::in_memory(folder.path()).await;
    let response = listen(&api, &Query::default(), &HeaderMap::new());
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
    assert_eq!(response.headers()[NO_BUFFERING], "no");
    let mut ear = Ear::new(response.into_body());
    ear.hear("id: ").await;

    api.cluster.shutdown().await.unwrap();

    assert!(ear.hear("stops").await.starts_with(": "));
    assert!(tokio::time::timeout(BOUND, ear.body.next()).await.unwrap().is_none());
    let late = listen(&api, &Query::default(), &HeaderMap::new());
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_id_is_read_from_the_header_or_else_from_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::in_memory(folder.path()).await;
    let check = async |query: &str, header: Option<&'static [u8]>, want: &str| {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(LAST_EVENT_ID, axum::http::HeaderValue::from_bytes(header).unwrap());
        }
        let response = listen(&api, &Query::parse(query), &headers);
        let opening = Ear::new(response.into_body()).hear("id: ").await;
        assert!(opening.contains(want), "{query} {header:?}: {opening}");
        assert_eq!(opening.contains("event: gap"), want.contains("reason"), "{opening}");
    };

    check("", None, "id: ").await;
    check("last_event_id=", Some(b""), "id: ").await;
    check("last_event_id=1-2-3", None, "\"reason\":\"new_row\"").await;
    check("last_event_id=1-2-3", Some(b"x"), "\"reason\":\"unknown_id\"").await;
    check("", Some(b"\xff"), "\"reason\":\"unknown_id\"").await;
    api.cluster.shutdown().await.unwrap();
}
