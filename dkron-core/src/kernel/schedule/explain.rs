//! What a schedule means, in English, and when it fires next.

use std::time::Duration;

use crate::kernel::model::DstPolicy;
use crate::kernel::time::{Timestamp, Transition, Zone};
use crate::limits::EXPLAINED_FIRES_MAX;

use super::clock_changes::ClockRule;
use super::error::ScheduleError;
use super::fire_times::{Schedule, ScheduleContext};
use super::parse::{self, Body};
use super::words::{describe_fields, describe_span};

/// What a schedule means. The texts are for people and may change; the rest is for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The expression as it is understood: six fields, with descriptors written out and `~`
    /// replaced, without the zone's prefix; or the descriptor that has no fields.
    pub expression: String,
    /// One sentence without a full stop: `At 02:30:00 every day, in Europe/Berlin`.
    pub sentence: String,
    /// What a change of the zone's clock does to the schedule: one sentence without a full stop.
    pub clock_changes: String,
    /// What a change of the zone's clock does to the schedule, as a value.
    pub clock_rule: ClockRule,
    /// The zone in which the expression is read.
    pub zone: Zone,
    /// The next change of the zone's clock after the reference, if the schedule heeds the clock
    /// and a change is known.
    pub next_clock_change: Option<Transition>,
    /// The next fire times after the reference, in order.
    pub next: Vec<ExplainedFire>,
}

/// A fire time and how the zone's clock shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedFire {
    /// The instant.
    pub at: Timestamp,
    /// Seconds east of UTC that the zone is then.
    pub offset_s: i32,
    /// The instant in RFC 3339, to the second, with that offset.
    pub local: String,
}

/// Explains a schedule, and lists its first `count` fire times strictly later than `from`.
///
/// At most [`EXPLAINED_FIRES_MAX`] are listed.
///
/// # Errors
///
/// As [`Schedule::parse`].
///
/// # Examples
///
/// ```
/// use dkron_core::Timestamp;
/// use dkron_core::schedule::{ScheduleContext, explain};
///
/// let from = Timestamp::parse_rfc3339("2026-03-28T00:00:00Z").unwrap();
/// let context = ScheduleContext { timezone: "Europe/Berlin", ..ScheduleContext::default() };
/// let explanation = explain("30 2 * * MON-FRI", &context, from, 1)?;
///
/// assert_eq!(explanation.expression, "0 30 2 * * MON-FRI");
/// assert_eq!(
///     explanation.sentence,
///     "At 02:30:00 on Monday through Friday, in Europe/Berlin"
/// );
/// assert_eq!(explanation.next[0].local, "2026-03-30T02:30:00+02:00");
/// # Ok::<(), dkron_core::schedule::ScheduleError>(())
/// ```
pub fn explain(
    expr: &str,
    context: &ScheduleContext<'_>,
    from: Timestamp,
    count: usize,
) -> Result<Explanation, ScheduleError> {
    let schedule = Schedule::parse(expr, context)?;
    let parsed = parse::parse(expr, context)?;
    let (zone, clock_rule) = (schedule.zone(), schedule.clock_rule());
    let next_clock_change = match clock_rule {
        ClockRule::Unaffected => None,
        _ => zone.next_transition(from),
    };

    let (expression, sentence) = match &parsed.body {
        Body::Fields { texts, values } => {
            let expression = texts.each_ref().map(|text| text.text()).join(" ");
            let is_hashed = texts.iter().any(|text| text.hashed.is_some());
            let caveat = if is_hashed && context.job.is_empty() { NO_NAME } else { "" };
            (expression, format!("{}, in {zone}{caveat}", describe_fields(texts, values)))
        }
        body => (expr.to_owned(), describe_descriptor(body)),
    };
    let fires = schedule.upcoming(from).take(count.min(EXPLAINED_FIRES_MAX));
    let next = fires.map(|at| ExplainedFire {
        at,
        offset_s: zone.offset_s_at(at),
        local: zone.to_rfc3339(at),
    });
    Ok(Explanation {
        expression,
        sentence,
        clock_changes: describe_clock(
            &parsed.body,
            clock_rule,
            context.dst,
            next_clock_change,
            zone,
        ),
        clock_rule,
        zone,
        next_clock_change,
        next: next.collect(),
    })
}

/// What is said of a `~` that cannot be told without a name.
const NO_NAME: &str = "; ~ depends on the name of the job, and none was given: this is for an \
                       empty one";

fn describe_descriptor(body: &Body<'_>) -> String {
    match body {
        Body::Manual => "Never by itself, only when it is asked to run".to_owned(),
        Body::Every { period_s } => {
            format!("Every {} of elapsed time", describe_span(Duration::from_secs(*period_s)))
        }
        Body::At { at } => format!("Once, at {at}"),
        Body::After { at, grace } => format!(
            "Once, at {at}; a job that is created later fires at once if no more than {} have \
             passed since, else never",
            describe_span(*grace)
        ),
        Body::Fields { .. } => String::new(),
    }
}

fn describe_clock(
    body: &Body<'_>,
    rule: ClockRule,
    dst: DstPolicy,
    next_change: Option<Transition>,
    zone: Zone,
) -> String {
    const AS_IT_IS: &str = "local times that the clock skips do not fire, and those that occur \
                            twice fire twice";
    let effect = match (rule, dst) {
        (ClockRule::Unaffected, _) => {
            return match body {
                Body::Manual => "Changes of the clock do not matter".to_owned(),
                Body::Every { .. } => {
                    "Elapsed time passes alike whatever the clock does".to_owned()
                }
                _ => "An instant stays the same whatever the clock does".to_owned(),
            };
        }
        (ClockRule::FixedTimes, _) => {
            "Each time fires once: when the clock skips it, at the end of the gap; when it occurs \
             twice, at its first occurrence"
                .to_owned()
        }
        (ClockRule::RealTime, DstPolicy::Once) => format!(
            "It follows real time, because its minute or hour holds a star or a step: {AS_IT_IS}"
        ),
        (ClockRule::RealTime, DstPolicy::Wall) => format!("It follows the wall clock: {AS_IT_IS}"),
    };
    match next_change {
        None => format!("{effect}; no coming change of the clock is known for {zone}"),
        Some(change) => {
            let direction =
                if change.offset_after_s > change.offset_before_s { "forward" } else { "back" };
            let moved_s = change.offset_after_s.abs_diff(change.offset_before_s);
            let moved = describe_span(Duration::from_secs(u64::from(moved_s)));
            let at = zone.to_rfc3339(change.at);
            format!("{effect}; the clock is next put {direction} by {moved} at {at}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn explained(expr: &str, context: &ScheduleContext<'_>) -> Explanation {
        let from = Timestamp::parse_rfc3339("2026-03-28T00:00:00Z").unwrap();
        explain(expr, context, from, 3).unwrap()
    }

    #[track_caller]
    fn check(expr: &str, want: &str) {
        let explanation = explained(expr, &ScheduleContext::default());
        assert_eq!(explanation.sentence, want, "{expr}");
    }

    #[test]
    fn few_times_of_day_are_listed() {
        check("0 30 2 * * *", "At 02:30:00 every day, in UTC");
        check("5 0,30 2,3 * * *", "At 02:00:05, 02:30:05, 03:00:05 and 03:30:05 every day, in UTC");
        check("TZ=Asia/Tokyo @daily", "At 00:00:00 every day, in Asia/Tokyo");
        check("@yearly", "At 00:00:00 on day 1 of the month in January, in UTC");
        check("@weekly", "At 00:00:00 on Sunday, in UTC");
    }

    #[test]
    fn wild_fields_are_told_by_their_unit() {
        check("* * * * * *", "Every second, in UTC");
        check("@minutely", "Every minute, in UTC");
        check("@hourly", "At minute 0 of every hour, in UTC");
        check("0 */15 * * * *", "Every 15 minutes, in UTC");
        check("*/10 * * * * *", "Every 10 seconds, in UTC");
        check("0 */7 * * * *", "At every 7th minute from 0 through 59 of every hour, in UTC");
        check("0 3/2 * * * *", "At every 2nd minute from 3 through 59 of every hour, in UTC");
        check("10,40 * * * * *", "At seconds 10 and 40 of every minute, in UTC");
        check("* 5 * * * *", "Every second of minute 5 of every hour, in UTC");
        check("* * 9-17 * * *", "Every second of hours 9 through 17, every day, in UTC");
        check(
            "0 */5 9-17 * * 1-5",
            "Every 5 minutes of hours 9 through 17, on Monday through Friday, in UTC",
        );
        check(
            "0 0 */2 * * *",
            "At minute 0 of every 2nd hour from 0 through 23, every day, in UTC",
        );
        check(
            "0 1,5-9,20/10 * * * *",
            "At minutes 1, 5 through 9 and every 10th from 20 through 59 of every hour, in UTC",
        );
    }

    #[test]
    fn days_tell_whether_both_or_either_must_match() {
        check("0 0 0 1,15 * *", "At 00:00:00 on days 1 and 15 of the month, in UTC");
        check(
            "0 0 0 13 * FRI",
            "At 00:00:00 on day 13 of the month or on Friday, whichever matches, in UTC",
        );
        check(
            "0 0 0 */2 * *",
            "At 00:00:00 on every 2nd day from 1 through 31 of the month, in UTC",
        );
        check("0 0 0 * * MON,WED", "At 00:00:00 on Monday and Wednesday, in UTC");
        check(
            "0 0 0 * 3-5,12 ?",
            "At 00:00:00 every day in March through May and December, in UTC",
        );
        check("0 0 * * 5-7", "At 00:00:00 on Friday through Sunday, in UTC");
        check("0 0 0 , * 1", "At 00:00:00 on Monday, in UTC");
    }

    #[test]
    fn descriptors_without_fields_have_their_own_sentences() {
        check("@manually", "Never by itself, only when it is asked to run");
        check("@every 1h30m", "Every 1 hour 30 minutes of elapsed time");
        check("@at 2031-05-06T07:08:09+02:00", "Once, at 2031-05-06T05:08:09Z");
        check(
            "@after 2031-05-06T07:08:09Z <P1DT0.5S",
            "Once, at 2031-05-06T07:08:09Z; a job that is created later fires at once if no more \
             than 1 day 0.5 seconds have passed since, else never",
        );
    }

    #[test]
    fn the_expression_is_shown_as_it_is_understood() {
        let context = ScheduleContext { job: "payroll", ..ScheduleContext::default() };
        assert_eq!(explained("TZ=Europe/Oslo ~  ~ * * *", &context).expression, "0 51 3 * * *");
        assert_eq!(explained("@hourly", &context).expression, "0 0 * * * *");
        assert_eq!(explained("@every 5m", &context).expression, "@every 5m");
    }

    #[test]
    fn a_tilde_without_the_name_of_a_job_is_told_to_depend_on_it() {
        let sentence = |job| {
            let context = ScheduleContext { job, ..ScheduleContext::default() };
            explained("0 ~ * * * *", &context).sentence
        };
        assert_eq!(
            sentence(""),
            "At minute 0 of every hour, in UTC; ~ depends on the name of the job, and none was \
             given: this is for an empty one"
        );
        assert_eq!(sentence("payroll"), "At minute 51 of every hour, in UTC");
        check("0 5 * * * *", "At minute 5 of every hour, in UTC");
    }

    #[test]
    fn changes_of_the_clock_are_told_with_the_next_one() {
        let context = ScheduleContext { timezone: "Europe/Berlin", ..ScheduleContext::default() };
        let fixed = explained("0 30 2 * * *", &context);
        assert_eq!(
            fixed.clock_changes,
            "Each time fires once: when the clock skips it, at the end of the gap; when it occurs \
             twice, at its first occurrence; the clock is next put forward by 1 hour at \
             2026-03-29T03:00:00+02:00"
        );
        let locals: Vec<_> = fixed.next.iter().map(|fire| fire.local.as_str()).collect();
        assert_eq!(
            locals,
            ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
        );
        assert_eq!(fixed.next.iter().map(|fire| fire.offset_s).max(), Some(7_200));

        let wild = explained("0 30 * * * *", &context).clock_changes;
        assert!(wild.starts_with("It follows real time, because"), "{wild}");
        let wall = ScheduleContext { dst: DstPolicy::Wall, ..context };
        let wall = explained("0 30 2 * * *", &wall).clock_changes;
        assert!(wall.starts_with("It follows the wall clock"), "{wall}");
        let utc = explained("0 30 2 * * *", &ScheduleContext::default()).clock_changes;
        assert!(utc.ends_with("no coming change of the clock is known for UTC"), "{utc}");
        let every = explained("@every 5m", &context);
        assert_eq!(every.clock_changes, "Elapsed time passes alike whatever the clock does");
        assert_eq!(every.next_clock_change, None);
    }

    #[test]
    fn the_list_of_fires_is_bounded() {
        let context = ScheduleContext::default();
        let all = explain("* * * * * *", &context, Timestamp::UNIX_EPOCH, usize::MAX).unwrap();
        assert_eq!(all.next.len(), EXPLAINED_FIRES_MAX);
    }
}
