//! Which format a client gets, and how each kind of metric is written in it.

use super::*;

#[test]
fn a_client_gets_the_format_it_likes_best_and_else_the_text() {
    let check = |accept: &str, want: Format| {
        assert_eq!(Format::accepted(accept), want, "{accept:?}");
    };
    check("", Format::Text);
    check("*/*", Format::Text);
    check("text/html, */*;q=0.1", Format::Text);
    check("application/openmetrics-text", Format::OpenMetrics);
    check("application/OpenMetrics-text; version=\"1.0.0\"", Format::OpenMetrics);
    check("application/openmetrics-text;version=0.0.1", Format::Text);
    check("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", Format::Text);
    check("application/openmetrics-text;q=0", Format::Text);
    check("application/openmetrics-text;q=nonsense", Format::Text);
    check("text/plain, application/openmetrics-text;q=0.9", Format::Text);
    // As Prometheus 2 and 3 ask.
    check(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
         q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        Format::OpenMetrics,
    );
    check(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;\
         escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        Format::OpenMetrics,
    );
}

/// Writes one metric of a kind.
fn page(kind: Kind, name: &'static str, values: &Values<'_>, format: Format) -> String {
    let (label, help) = (Some("job"), "Help.");
    let metric = Metric { name, kind, label, help, read: |_| Values::None };
    let mut page = String::new();
    write_metric(&mut page, &metric, values, format).unwrap();
    page
}

#[test]
fn a_counter_is_described_with_its_suffix_in_one_format_and_without_in_the_other() {
    let values = Values::Labelled(vec![("a\"\\\n", 3.0), ("b", 0.5)]);
    let lines = "a_total{job=\"a\\\"\\\\\\n\"} 3\na_total{job=\"b\"} 0.5\n";
    let head = "# HELP a_total Help.\n# TYPE a_total counter\n";
    let text = page(Kind::Counter, "a_total", &values, Format::Text);
    assert_eq!(text, format!("{head}{lines}"));
    let head = "# HELP a Help.\n# TYPE a counter\n";
    let open = page(Kind::Counter, "a_total", &values, Format::OpenMetrics);
    assert_eq!(open, format!("{head}{lines}"));
}

#[test]
fn what_is_not_known_is_not_described() {
    for format in [Format::Text, Format::OpenMetrics] {
        assert_eq!(page(Kind::Gauge, "a", &Values::None, format), "");
        assert_eq!(page(Kind::Gauge, "a", &Values::Labelled(Vec::new()), format), "");
    }
}

#[test]
fn a_unit_is_told_where_there_is_a_place_for_it() {
    let text = page(Kind::Gauge, "a_bytes", &Values::Number(1.0), Format::Text);
    assert!(!text.contains("# UNIT"), "{text}");
    let open = page(Kind::Counter, "a_seconds_total", &Values::Number(1.0), Format::OpenMetrics);
    assert!(open.contains("# UNIT a_seconds seconds\n"), "{open}");
}
