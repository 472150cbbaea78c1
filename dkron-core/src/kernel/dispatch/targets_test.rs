//! Which nodes a fire starts on.

use super::*;
use crate::kernel::model::JobName;

fn node(name: &str, tags: &str, handlers: &str) -> NodeView {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let pair = |word: String| word.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    NodeView {
        name: NodeName::parse(name).unwrap(),
        instance: 7,
        tags: words(tags).into_iter().filter_map(pair).collect(),
        handlers: words(handlers).into_iter().collect(),
    }
}

/// Three nodes of region eu, two of them `web`; one of region us.
fn nodes() -> Vec<NodeView> {
    vec![
        node("a", "region=eu role=web addr=127.0.0.1:80:1", "mail job"),
        node("b", "region=eu role=web empty=", "mail"),
        node("c", "region=eu role=db", ""),
        node("u", "region=us role=web", "mail"),
    ]
}

fn job(tags: &str) -> Job {
    let mut job = Job::new(JobName::parse("job").unwrap());
    for pair in tags.split_whitespace() {
        let (key, value) = pair.split_once('=').unwrap();
        job.tags.insert(key.to_owned(), value.to_owned());
    }
    job
}

fn handler_job(handler: Option<&str>) -> Job {
    let mut job = job("");
    job.executor = "handler".to_owned();
    if let Some(handler) = handler {
        job.executor_config.insert("handler".to_owned(), handler.to_owned());
    }
    job
}

/// The names of the nodes chosen for `job`, or what it wants.
fn choose(job: &Job, seed: u64) -> Result<String, String> {
    let nodes = nodes();
    let chosen = Candidates::new(&nodes, "eu").choose(job, &mut SplitMix64::new(seed))?;
    let mut names: Vec<_> = chosen.iter().map(|target| target.node.as_str()).collect();
    names.sort_unstable();
    Ok(names.join(" "))
}

/// `want` is the nodes of all possible choices.
#[track_caller]
fn check(job: &Job, want: &[&str]) {
    let mut seen = BTreeSet::new();
    for seed in 0..64 {
        seen.insert(choose(job, seed).unwrap());
    }
    let want: BTreeSet<String> = want.iter().map(|&names| names.to_owned()).collect();
    assert_eq!(seen, want, "{:?}", job.tags);
}

#[track_caller]
fn check_none(job: &Job, want: &str) {
    assert_eq!(choose(job, 1), Err(want.to_owned()), "{:?}", job.tags);
}

#[test]
fn without_tags_every_node_of_the_region_runs() {
    check(&job(""), &["a b c"]);
}

#[test]
fn every_tag_must_have_exactly_the_value() {
    check(&job("role=web"), &["a b"]);
    check(&job("role=web empty="), &["b"]);
    check_none(&job("role=we"), "tag role=we");
    check_none(&job("role=WEB"), "tag role=WEB");
    check_none(&job("role=web other=1"), "tag other=1, tag role=web");
    check_none(&job("region=us"), "tag region=us");
}

#[test]
fn a_count_chooses_at_random_without_replacement() {
    check(&job("role=web:1"), &["a", "b"]);
    check(&job("region=eu:2"), &["a b", "a c", "b c"]);
    check(&job("region=eu:3"), &["a b c"]);
    check(&job("region=eu:9"), &["a b c"]);
    check(&job("role=web:+1"), &["a", "b"]);
    check(&job("role=web:01"), &["a", "b"]);
}

#[test]
fn the_least_count_of_all_tags_counts() {
    check(&job("role=web:2 region=eu:1"), &["a", "b"]);
    check_none(
        &job("role=web:2 region=eu:0"),
        "tag region=eu:0 (a count of no node), tag role=web:2",
    );
}

#[test]
fn a_bad_count_chooses_no_node() {
    for tag in ["web:0", "web:-1", "web:abc", "web:", "web:1.5", "web:99999999999999999999"] {
        let tag = format!("role={tag}");
        check_none(&job(&tag), &format!("tag {tag} (a count of no node)"));
    }
}

#[test]
fn with_more_than_one_colon_there_is_no_count() {
    let parse = TagDemand::parse;
    assert_eq!(parse("127.0.0.1:80:1"), TagDemand { value: "127.0.0.1", count: None });
    assert_eq!(parse("web::"), TagDemand { value: "web", count: None });
    assert_eq!(parse(":2"), TagDemand { value: "", count: Some(2) });
    // A value with a colon of its own cannot be matched.
    check_none(&job("addr=127.0.0.1:80:1"), "tag addr=127.0.0.1:80:1");
}

#[test]
fn one_node_is_one_node_whatever_the_counts() {
    let one = |tags| Job { placement: PlacementPolicy::One, ..job(tags) };
    check(&one(""), &["a", "b", "c"]);
    check(&one("role=web:2"), &["a", "b"]);
    check_none(&one("role=web:0"), "tag role=web:0 (a count of no node)");
}

#[test]
fn a_handler_runs_where_it_is_registered() {
    check(&handler_job(Some("mail")), &["a b"]);
    check(&handler_job(None), &["a"]);
    check(&handler_job(Some("")), &["a"]);
    check_none(&handler_job(Some("pdf")), "handler \"pdf\"");
    let mut tagged = handler_job(Some("mail"));
    tagged.tags.insert("role".to_owned(), "db".to_owned());
    check_none(&tagged, "tag role=db, handler \"mail\"");
}

#[test]
fn a_region_without_nodes_is_named() {
    let nodes = nodes();
    let chosen = Candidates::new(&nodes, "asia").choose(&job(""), &mut SplitMix64::new(1));
    assert_eq!(chosen, Err("tag region=asia".to_owned()));
}

#[test]
fn many_nodes_are_chosen_as_few_are() {
    let nodes: Vec<_> = (0..100)
        .map(|n| node(&format!("n{n:03}"), &format!("region=eu rack=r{}", n % 10), ""))
        .collect();
    let mut candidates = Candidates::new(&nodes, "eu");
    for round in 0..3 {
        for rack in 0..40 {
            let chosen =
                candidates.choose(&job(&format!("rack=r{rack}:4")), &mut SplitMix64::new(round));
            assert_eq!(chosen.map_or(0, |chosen| chosen.len()), if rack < 10 { 4 } else { 0 });
        }
    }
    assert!(candidates.remembered.len() <= REMEMBERED_MAX);
}

#[test]
fn what_is_wanted_is_kept_short() {
    let tags: Vec<_> = (0..1_000).map(|n| format!("tag{n}=ü")).collect();
    let wanted = choose(&job(&tags.join(" ")), 1).unwrap_err();
    assert!(wanted.len() <= WANTED_BYTES_MAX + '…'.len_utf8(), "{}", wanted.len());
    assert!(wanted.ends_with('…'));
}

#[test]
fn a_further_attempt_prefers_its_node_and_may_move() {
    let nodes = nodes();
    let mut candidates = Candidates::new(&nodes, "eu");
    let random = &mut SplitMix64::new(1);
    let name = |text: &str| NodeName::parse(text).unwrap();
    let one = job("role=web:1");

    assert_eq!(candidates.choose_node(&one, &name("b")).unwrap().node, name("b"));
    assert_eq!(candidates.choose_node(&one, &name("c")), None);
    assert_eq!(candidates.choose_node(&one, &name("gone")), None);

    let free = BTreeSet::new();
    let busy = BTreeSet::from([name("a")]);
    let mut instead = |job: &Job, busy: &BTreeSet<NodeName>| {
        candidates.choose_instead(job, &name("gone"), busy, random).map(|target| target.node)
    };
    assert!(instead(&one, &free).is_ok());
    assert_eq!(instead(&one, &busy), Ok(name("b")));
    assert_eq!(instead(&job("role=web"), &free), Err("node \"gone\"".to_owned()));
    let none = Err("node \"gone\" or another with tag role=x:1".to_owned());
    assert_eq!(instead(&job("role=x:1"), &free), none);
}
