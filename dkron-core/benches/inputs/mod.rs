//! Schedules to measure: a mixed lot as jobs have them, and the hardest ones.

use dkron_core::schedule::{DstPolicy, Schedule, ScheduleContext};
use dkron_core::{Timestamp, Zone};

/// What jobs have: nightly, hourly, every few minutes, office hours, month ends, descriptors.
pub const MIXED: &[&str] = &[
    "0 0 3 * * *",
    "0 30 2 * * *",
    "0 */5 * * * *",
    "0 */15 9-17 * * MON-FRI",
    "0 0 * * * *",
    "*/10 * * * * *",
    "0 0 9 * * MON",
    "0 0 0 1 * *",
    "0 0 12 1,15 * ?",
    "0 15,45 6-22 * * 1-5",
    "0 0 4 13 * FRI",
    "30 17 8,20 * 1-6 *",
    "0 10 0 1 1,4,7,10 *",
    "0 59 23 31 12 *",
    "15 2 * * 0",
    "*/20 * * * *",
    "@hourly",
    "@daily",
    "@weekly",
    "@every 90s",
];

/// The zones of the mixed lot: without changes of the clock, with two a year, with odd offsets.
pub const ZONES: &[&str] =
    &["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];

/// Rare dates, long searches, searches in vain, and zones whose clock changes most often.
pub const HARD: &[(&str, &str, &str)] = &[
    ("0 0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z"),
    ("0 0 0 29 2 *", "Africa/Casablanca", "2080-02-29T12:00:00Z"),
    ("0 0 0 29 2 *", "Africa/Casablanca", "2024-02-29T12:00:00Z"),
    ("0 0 0 29 2 ?", "America/New_York", "2096-03-01T00:00:00Z"),
    ("0 0 0 29 2 ?", "Europe/Berlin", "1896-03-01T00:00:00Z"),
    ("59 59 23 31 12 *", "Pacific/Apia", "2011-12-31T10:00:00Z"),
    ("0 0 12 30 12 *", "Pacific/Apia", "2010-12-30T23:00:00Z"),
    ("0 59 23 29 2 *", "Asia/Gaza", "2080-02-29T23:00:00Z"),
    ("7 3 2 29 2 *", "Australia/Lord_Howe", "2096-02-29T00:00:00Z"),
    ("0 30 1 31 1/2 *", "Europe/London", "2026-01-31T12:00:00Z"),
    ("59 59 23 29 2 *", "UTC", "2096-02-29T23:59:59Z"),
    ("0 0 0 31 12 *", "Antarctica/Troll", "2026-12-31T00:00:00Z"),
    ("0 5 2 28-31 3 *", "Africa/Casablanca", "2026-04-01T00:00:00Z"),
    ("1,31 2,3 1,2 29 2 *", "America/St_Johns", "2028-02-29T23:00:00Z"),
];

/// A schedule and the instants it is asked about.
pub struct Input {
    /// What was parsed.
    pub expr: String,
    /// The job's zone.
    pub timezone: &'static str,
    /// The rule for changes of the clock.
    pub dst: DstPolicy,
    /// The parsed schedule.
    pub schedule: Schedule,
    /// The references.
    pub afters: Vec<Timestamp>,
}

impl Input {
    fn new(expr: &str, timezone: &'static str, dst: DstPolicy, afters: Vec<Timestamp>) -> Self {
        let context = ScheduleContext { timezone, job: "nightly", dst, server_zone: Zone::UTC };
        let schedule = Schedule::parse(expr, &context).expect("a valid schedule");
        Self { expr: expr.to_owned(), timezone, dst, schedule, afters }
    }
}

/// Returns the mixed lot: each expression in each zone, asked about instants from 2020 to 2036.
pub fn mixed() -> Vec<Input> {
    let afters: Vec<_> =
        (0..64).filter_map(|n| Timestamp::from_unix_s(1_577_836_800 + n * 7_919_113)).collect();
    let mut inputs = Vec::new();
    for expr in MIXED {
        for timezone in ZONES {
            inputs.push(Input::new(expr, timezone, DstPolicy::Once, afters.clone()));
        }
    }
    inputs
}

/// Returns the hard ones under both rules.
pub fn hard() -> Vec<Input> {
    let mut inputs = Vec::new();
    for (expr, timezone, after) in HARD {
        let after = Timestamp::parse_rfc3339(after).expect("an instant");
        for dst in [DstPolicy::Once, DstPolicy::Wall] {
            inputs.push(Input::new(expr, timezone, dst, vec![after]));
        }
    }
    inputs
}

/// Returns every zone of the database, asked for a leap day four years away: the longest searches,
/// across all changes of the clock in between.
pub fn hard_in_every_zone() -> Vec<Input> {
    let afters: Vec<_> = ["1944-03-01T12:00:00Z", "2024-03-01T12:00:00Z", "2096-03-01T12:00:00Z"]
        .into_iter()
        .filter_map(|text| Timestamp::parse_rfc3339(text).ok())
        .collect();
    Zone::all()
        .map(|zone| Input::new("0 30 2 29 2 *", zone.name(), DstPolicy::Once, afters.clone()))
        .collect()
}
