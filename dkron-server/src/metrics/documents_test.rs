//! The page of metrics, its description, the dashboard and the alerts: they name the same metrics.

use std::collections::BTreeSet;

use dkron_core::{Cluster, Config, JobBuilder, Timestamp};
use serde_json::Value;

use super::catalog::{CATALOG, Kind};
use super::{Format, Monitor};

const DOCUMENT: &str = include_str!("../../../docs/operate/metrics.md");
const DASHBOARD: &str = include_str!("../../../docs/operate/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../../docs/operate/prometheus-alerts.yml");

/// Returns the pages, in both formats, of a node that has done what there is to show.
async fn pages(name: &str) -> [String; 2] {
    let config = Config::new(name).in_memory().job_metrics(true);
    let cluster = Cluster::start(config).await.unwrap();
    cluster.handle("good", async |_| Ok(String::new())).unwrap();
    cluster.handle("bad", async |_| Err("no".to_owned())).unwrap();
    for name in ["good", "bad"] {
        let job = JobBuilder::new(name).schedule("@manually").build().unwrap();
        cluster.set_job(job).await.unwrap();
        cluster.run(name).await.unwrap().wait().await.unwrap();
    }
    let monitor = Monitor::new(cluster.clone(), Timestamp::UNIX_EPOCH);
    let pages = [Format::Text, Format::OpenMetrics].map(|format| monitor.page(format));
    cluster.shutdown().await.unwrap();
    pages
}

#[tokio::test]
async fn the_page_shows_every_metric_of_the_list_and_no_other() {
    let [text, _] = pages("page").await;
    let shown: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let listed: Vec<&str> = CATALOG
        .iter()
        // There is no snapshot yet.
        .filter(|metric| metric.name != "dkron_log_snapshot_index")
        .map(|metric| metric.name)
        .filter(|name| !name.starts_with("process_") || shown.contains(name))
        .collect();
    assert_eq!(shown, listed);
    assert!(text.contains("dkron_job_executions_failed_total{job_name=\"bad\"} 1\n"), "{text}");
    assert!(text.contains("dkron_run_seconds_count 2\n"), "{text}");
}

/// The row of the document for each metric.
fn rows() -> Vec<String> {
    let row = |metric: &super::catalog::Metric| {
        let kind = match metric.kind {
            Kind::Counter | Kind::OldCounter => "counter",
            Kind::Gauge => "gauge",
            Kind::Info => "info",
            Kind::Histogram => "histogram",
        };
        let unit = metric.unit().map_or(" ".to_owned(), |unit| format!(" {unit} "));
        let label = metric.label.map_or(" ".to_owned(), |label| format!(" `{label}` "));
        format!("| `{}` | {kind} |{unit}|{label}| {} |", metric.name, metric.help)
    };
    CATALOG.iter().map(row).collect()
}

#[test]
fn the_document_lists_the_metrics_as_they_are() {
    let (_, table) = DOCUMENT.split_once("| Name | Type | Unit | Label | Meaning |\n").unwrap();
    let listed: Vec<&str> =
        table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    assert_eq!(listed, rows(), "the table should be:\n{}", rows().join("\n"));
}

/// Returns the names of metrics in an expression of PromQL, as the catalog has them.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("dkron_") || word.starts_with("process_"));
    let own = |word: &str| {
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
        let is_histogram = |name: &&str| {
            CATALOG.iter().any(|metric| metric.name == *name && metric.kind == Kind::Histogram)
        };
        histogram.filter(is_histogram).unwrap_or(word).to_owned()
    };
    names.map(own).collect()
}

/// Adds the strings that stand under one of `keys`, however deep.
fn texts_under(value: &Value, keys: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| texts_under(value, keys, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str().filter(|_| keys.contains(&key.as_str())) {
                    Some(text) => found.push(text.to_owned()),
                    None => texts_under(value, keys, found),
                }
            }
        }
        _ => {}
    }
}

#[track_caller]
fn check_names(expressions: &[String]) {
    for expression in expressions {
        let names = names(expression);
        assert!(!names.is_empty(), "no metric in {expression}");
        for name in names {
            let is_known = CATALOG.iter().any(|metric| metric.name == name);
            assert!(is_known, "there is no {name}: {expression}");
        }
        let pairs = [('(', ')'), ('{', '}'), ('[', ']')];
        for (open, close) in pairs {
            let [opened, closed] = [open, close].map(|c| expression.matches(c).count());
            assert_eq!(opened, closed, "{open}{close} in {expression}");
        }
    }
}

#[test]
fn the_dashboard_shows_metrics_that_exist() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = Vec::new();
    texts_under(&dashboard, &["expr", "query"], &mut expressions);
    expressions.retain(|expression| expression != "prometheus");
    assert!(expressions.len() > 20, "{}", expressions.len());
    check_names(&expressions);

    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}

#[test]
fn the_alerts_are_about_metrics_that_exist() {
    let source = config::File::from_str(ALERTS, config::FileFormat::Yaml);
    let parsed = config::Config::builder().add_source(source).build().unwrap();
    let rules: Value = parsed.try_deserialize().unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
    let mut names = BTreeSet::new();
    for rule in &rules {
        let alert = rule["alert"].as_str().unwrap();
        assert!(names.insert(alert.to_owned()), "{alert} twice");
        check_names(&[rule["expr"].as_str().unwrap().to_owned()]);
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].is_string(), "{alert} has no {text}");
        }
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning"].contains(&severity), "{alert}: {severity}");
    }
    assert!(names.len() > 10, "{names:?}");
}
