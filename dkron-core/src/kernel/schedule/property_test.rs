//! Random expressions, zones and dates against naive oracles.
//!
//! `DKRON_TEST_CASES` sets the number of cases (each test scales it to its cost) and
//! `DKRON_TEST_SEED` the seed. Replay a failure with
//! `DKRON_TEST_SEED=<seed> cargo test -p dkron-core property_test`.

use std::collections::BTreeSet;

use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::kernel::model::DstPolicy;
use crate::kernel::time::{Timestamp, Zone};

use super::oracle_test::{Meaning, due_by_seconds, next_by_days};
use super::{Field, Schedule, ScheduleContext, ScheduleError};

/// 1900-01-01 and 2100-01-01.
const YEARS_S: std::ops::Range<i64> = -2_208_988_800..4_102_444_800;

/// Runs a property on `factor` times the number of cases asked for.
#[track_caller]
fn check_property<S: Strategy>(
    factor: u32,
    strategy: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let number = |name, default| {
        std::env::var(name).map_or(default, |text| text.parse::<u64>().expect("a number"))
    };
    let seed = number("DKRON_TEST_SEED", 42);
    let cases = number("DKRON_TEST_CASES", 20) as u32 * factor;
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng).run(&strategy, property);
    if let Err(error) = outcome {
        panic!("DKRON_TEST_SEED={seed}: {error}");
    }
}

/// A field as text, and what it means.
#[derive(Clone, Debug)]
struct GeneratedField {
    text: String,
    values: BTreeSet<u32>,
    has_star: bool,
    is_wild: bool,
}

/// An item of a field: any form, any case of names, steps beyond the range included.
fn item(field: Field) -> impl Strategy<Value = GeneratedField> {
    let (min, max) = (field.min(), field.max());
    let number = min..=max;
    let step = prop_oneof![Just(1), 2..=5_u32, 1..=90_u32];
    let shape = prop_oneof![
        2 => Just(0),
        4 => Just(1),
        3 => Just(2),
        2 => Just(3),
        2 => Just(4),
        1 => Just(5),
    ];
    (shape, number.clone(), number, step, any::<bool>()).prop_map(
        move |(shape, a, b, step, is_named)| {
            let (low, high) = (a.min(b), a.max(b));
            let name = |value: u32| match field.names().get((value - min) as usize) {
                Some(name) if is_named && value.is_multiple_of(2) => (*name).to_owned(),
                Some(name) if is_named => name.to_lowercase(),
                _ => value.to_string(),
            };
            let star = if is_named { "*" } else { "?" };
            let (text, range, step) = match shape {
                0 => (star.to_owned(), min..=max, 1),
                1 => (name(a), a..=a, 1),
                2 => (format!("{}-{}", name(low), name(high)), low..=high, 1),
                3 => (format!("{star}/{step}"), min..=max, step),
                4 => (format!("{}-{}/{step}", name(low), name(high)), low..=high, step),
                _ => (format!("{}/{step}", name(a)), a..=max, step),
            };
            GeneratedField {
                has_star: (shape == 0 || shape == 3) && step == 1,
                is_wild: text.contains(['*', '?', '/']),
                values: range.step_by(step as usize).collect(),
                text,
            }
        },
    )
}

/// A field of one to three items.
fn field(field: Field) -> impl Strategy<Value = GeneratedField> {
    prop::collection::vec(item(field), 1..=3).prop_map(|items| GeneratedField {
        text: items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join(","),
        values: items.iter().flat_map(|item| item.values.iter().copied()).collect(),
        has_star: items.iter().any(|item| item.has_star),
        is_wild: items.iter().any(|item| item.is_wild),
    })
}

/// A field that holds one value, so that fixed times and rare dates are common.
fn single(field: Field) -> impl Strategy<Value = GeneratedField> {
    (field.min()..=field.max()).prop_map(|value| GeneratedField {
        text: value.to_string(),
        values: BTreeSet::from([value]),
        has_star: false,
        is_wild: false,
    })
}

fn star(field: Field) -> impl Strategy<Value = GeneratedField> {
    Just(GeneratedField {
        text: "*".to_owned(),
        values: (field.min()..=field.max()).collect(),
        has_star: true,
        is_wild: true,
    })
}

/// Any field: now and then a single value or a star, often a list.
fn any_field(of: Field) -> BoxedStrategy<GeneratedField> {
    prop_oneof![3 => field(of), 2 => single(of), 2 => star(of)].boxed()
}

/// A field of few values, for the oracle that lists all times of a date.
fn sparse_field(of: Field) -> BoxedStrategy<GeneratedField> {
    let two = (single(of), single(of)).prop_map(|(a, b)| GeneratedField {
        text: format!("{},{}", a.text, b.text),
        values: a.values.union(&b.values).copied().collect(),
        has_star: false,
        is_wild: false,
    });
    prop_oneof![3 => single(of), 1 => two].boxed()
}

/// A field of values and ranges alone: such minutes and hours make a fixed time.
fn fixed_field(of: Field) -> BoxedStrategy<GeneratedField> {
    let part = (of.min()..=of.max(), 0..=8_u32).prop_map(move |(start, length)| {
        let end = (start + length).min(of.max());
        let text = if start == end { start.to_string() } else { format!("{start}-{end}") };
        (text, start..=end)
    });
    prop::collection::vec(part, 1..=3)
        .prop_map(|parts| GeneratedField {
            text: parts.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(","),
            values: parts.into_iter().flat_map(|(_, range)| range).collect(),
            has_star: false,
            is_wild: false,
        })
        .boxed()
}

/// A six-field expression and its meaning under a policy.
#[derive(Clone, Debug)]
struct Expression {
    text: String,
    meaning: Meaning,
    dst: DstPolicy,
}

fn expression(fields: [BoxedStrategy<GeneratedField>; 6]) -> impl Strategy<Value = Expression> {
    let [second, minute, hour, day, month, weekday] = fields;
    let policy = prop_oneof![3 => Just(DstPolicy::Once), 1 => Just(DstPolicy::Wall)];
    (second, minute, hour, day, month, weekday, policy).prop_map(
        |(second, minute, hour, day, month, weekday, dst)| {
            let fields = [second, minute, hour, day, month, weekday];
            let [_, minute, hour, day, _, weekday] = &fields;
            Expression {
                text: fields.each_ref().map(|field| field.text.as_str()).join(" "),
                meaning: Meaning {
                    both_days: day.has_star || weekday.has_star,
                    is_fixed: dst == DstPolicy::Once && !minute.is_wild && !hour.is_wild,
                    values: fields.each_ref().map(|field| field.values.clone()),
                },
                dst,
            }
        },
    )
}

/// An instant in a zone: mostly as many hours as given from one of its changes, else anywhere.
fn place(hours: std::ops::Range<i64>) -> impl Strategy<Value = (Tz, i64)> {
    let near = prop_oneof![9 => hours.start * 3_600..hours.end * 3_600, 1 => -1..=1_i64];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), near, YEARS_S, 0..4_u32).prop_map(
        |(zone, change, near_s, anywhere_s, choice)| {
            let zone = TZ_VARIANTS[zone.index(TZ_VARIANTS.len())];
            let changes: Vec<_> = Zone::parse(zone.name(), Zone::UTC)
                .unwrap()
                .transitions()
                .spans()
                .iter()
                .map(|span| span.start_unix_s)
                .filter(|start_s| YEARS_S.contains(start_s))
                .collect();
            if choice == 0 || changes.is_empty() {
                return (zone, anywhere_s);
            }
            (zone, changes[change.index(changes.len())] + near_s)
        },
    )
}

/// Parses an expression of the generator; `None` if no date can satisfy it.
fn parse(expression: &Expression, zone: Tz) -> Option<Schedule> {
    let context = ScheduleContext {
        timezone: zone.name(),
        dst: expression.dst,
        ..ScheduleContext::default()
    };
    match Schedule::parse(&expression.text, &context) {
        Ok(schedule) => Some(schedule),
        Err(ScheduleError::NeverFires { .. }) => None,
        Err(error) => panic!("{}: {error}", expression.text),
    }
}

fn at(unix_s: i64) -> Timestamp {
    Timestamp::from_unix_s(unix_s).unwrap()
}

/// Goal: around changes of the clock, exactly the due seconds are given.
/// Method: list all fire times of seven hours and compare with a look at every second of them.
#[test]
fn fire_times_agree_with_a_look_at_every_second() {
    let [second, minute, hour, day, month, weekday] = Field::ALL;
    let fields = [
        any_field(second),
        prop_oneof![fixed_field(minute), any_field(minute)].boxed(),
        prop_oneof![fixed_field(hour), any_field(hour)].boxed(),
        prop_oneof![3 => star(day).boxed(), 1 => any_field(day)].boxed(),
        prop_oneof![3 => star(month).boxed(), 1 => any_field(month)].boxed(),
        prop_oneof![3 => star(weekday).boxed(), 1 => any_field(weekday)].boxed(),
    ];
    check_property(30, (expression(fields), place(-6..0)), |(expression, (zone, start_s))| {
        let end_s = start_s + 7 * 3_600;
        let Some(schedule) = parse(&expression, zone) else { return Ok(()) };
        let want = due_by_seconds(&expression.meaning, zone, start_s, end_s);
        let got: Vec<_> = schedule
            .upcoming(at(start_s - 1))
            .map(Timestamp::as_unix_s)
            .take_while(|&at_s| at_s < end_s)
            .collect();
        prop_assert_eq!(got, want, "{} in {:?} from {}", expression.text, zone, at(start_s));
        Ok(())
    });
}

/// Goal: the next fire time is right however far away it is, up to the end of the search.
/// Method: compare with a walk over all dates that asks the time-zone library for each local time.
#[test]
fn the_next_fire_time_agrees_with_a_walk_over_the_dates() {
    let [second, minute, hour, day, month, weekday] = Field::ALL;
    let fields = [
        single(second).boxed(),
        sparse_field(minute),
        sparse_field(hour),
        any_field(day),
        prop_oneof![single(month).boxed(), any_field(month)].boxed(),
        prop_oneof![star(weekday).boxed(), any_field(weekday)].boxed(),
    ];
    check_property(20, (expression(fields), place(-36..36)), |(expression, (zone, after_s))| {
        let want = next_by_days(&expression.meaning, zone, after_s);
        let Some(schedule) = parse(&expression, zone) else {
            prop_assert_eq!(want, None, "{} was refused", expression.text);
            return Ok(());
        };
        let got = schedule.next_after(at(after_s)).map(Timestamp::as_unix_s);
        prop_assert_eq!(got, want, "{} in {:?} after {}", expression.text, zone, at(after_s));
        Ok(())
    });
}

#[test]
fn the_next_fire_time_is_always_later() {
    let fields = Field::ALL.map(any_field);
    let span = 0..1_000_000_000_u32;
    check_property(
        200,
        (expression(fields), place(-36..36), span),
        |(expression, (zone, at_s), ns)| {
            let Some(schedule) = parse(&expression, zone) else { return Ok(()) };
            let after = Timestamp::from_parts(at_s, ns).unwrap();
            if let Some(next) = schedule.next_after(after) {
                prop_assert!(
                    next > after,
                    "{} in {:?}: {} after {}",
                    expression.text,
                    zone,
                    next,
                    after
                );
                prop_assert_eq!(next.subsec_ns(), 0);
            }
            Ok(())
        },
    );
}

#[test]
fn any_text_is_parsed_or_refused_without_a_panic() {
    let grammar = concat!(
        "(@(every|at|after|daily|x)? ?)?((CRON_)?TZ=[A-Za-z/]{0,12} ?)?",
        "[-*?/,~0-9A-Za-z@<:. \t\u{a0}]{0,40}"
    );
    let text = prop_oneof![any::<String>(), grammar.prop_map(|text: String| text)];
    check_property(200, (text, any::<String>()), |(text, job)| {
        let context = ScheduleContext { job: &job, ..ScheduleContext::default() };
        match Schedule::parse(&text, &context) {
            Ok(schedule) => {
                let _ = schedule.next_after(Timestamp::UNIX_EPOCH);
                let _ = schedule.first_at(Timestamp::MAX);
            }
            Err(error) => {
                let _ = (error.to_string(), error.hint(), error.value().map(str::len));
                prop_assert!(error.at().is_none_or(|at| text.is_char_boundary(at)), "{error:?}");
            }
        }
        Ok(())
    });
}
