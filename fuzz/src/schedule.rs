//! Schedules: what parses fires strictly later, in order, and as a set of instants.

use dkron_core::Timestamp;
use dkron_core::kernel::model::DstPolicy;
use dkron_core::kernel::schedule::{ClockRule, Schedule, ScheduleContext};
use dkron_core::kernel::time::Zone;

/// How many fire times of one schedule are looked at.
const FIRES: usize = 6;

/// Reads lines: expression, time zone, name of the job, reference instant, `wall` or not.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let expr = line();
    let mut context = ScheduleContext { timezone: line(), ..ScheduleContext::default() };
    context.job = line();
    let from = Timestamp::parse_rfc3339(line()).unwrap_or(Timestamp::UNIX_EPOCH);
    context.dst = if line() == "wall" { DstPolicy::Wall } else { DstPolicy::Once };
    context.server_zone = Zone::UTC;

    match Schedule::parse(expr, &context) {
        Ok(schedule) => fire_times_are_in_order(&schedule, from),
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says what is wrong");
            assert!(!error.hint().is_empty(), "an error says what is accepted");
        }
    }
}

fn fire_times_are_in_order(schedule: &Schedule, from: Timestamp) {
    let fires: Vec<Timestamp> = schedule.upcoming(from).take(FIRES).collect();
    if let Some(first) = schedule.first_at(from) {
        assert!(first >= from, "{schedule:?}: first at {first} before {from}");
    }
    let mut last = from;
    for fire in fires {
        assert!(fire > last, "{schedule:?}: {fire} is not after {last}");
        if schedule.clock_rule() != ClockRule::Unaffected {
            assert_eq!(fire.subsec_ns(), 0, "{schedule:?}: {fire} is no whole second");
            let between = last.saturating_add(fire.since(last) / 2);
            let again = schedule.next_after(between);
            assert_eq!(again, Some(fire), "{schedule:?}: after {between}, as after {last}");
        }
        last = fire;
    }
}
