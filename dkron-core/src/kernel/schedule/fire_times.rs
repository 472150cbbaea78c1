//! A parsed schedule: small, owned, and asked for the next fire time.

use std::time::Duration;

use crate::kernel::model::DstPolicy;
use crate::kernel::time::{Timestamp, Zone};

use super::clock_changes::{self, ClockRule};
use super::cron::Cron;
use super::error::ScheduleError;
use super::field_text::FieldText;
use super::parse::{self, Body};

/// What a schedule's meaning depends on beside its text.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleContext<'a> {
    /// The job's `timezone`: an IANA name, `Local`, or `""` for the server's zone.
    ///
    /// Dkron's rule is kept: it is ignored by schedules that begin with `@`, `TZ=` or `CRON_TZ=`.
    /// It must name a zone all the same.
    pub timezone: &'a str,
    /// The job's name, from which `~` is derived.
    pub job: &'a str,
    /// What happens when the clock of the zone is put forward or back.
    pub dst: DstPolicy,
    /// The zone of the server process, which `Local` and no zone at all stand for.
    pub server_zone: Zone,
}

impl Default for ScheduleContext<'_> {
    /// No zone, no name, [`DstPolicy::Once`], and a server in UTC.
    fn default() -> Self {
        Self { timezone: "", job: "", dst: DstPolicy::default(), server_zone: Zone::UTC }
    }
}

/// When a job is due: a parsed expression in its zone.
///
/// At most 100 bytes, nothing on the heap, free to copy between threads. Two schedules are equal if
/// they fire alike by construction: `@daily` equals `0 0 0 * * *` in the same zone.
///
/// # Examples
///
/// ```
/// use dkron_core::Timestamp;
/// use dkron_core::schedule::{Schedule, ScheduleContext};
///
/// let context = ScheduleContext { timezone: "Europe/Berlin", ..ScheduleContext::default() };
/// let schedule = Schedule::parse("0 30 2 * * *", &context)?;
///
/// let at = |text| Timestamp::parse_rfc3339(text).unwrap();
/// let next = schedule.next_after(at("2026-03-27T12:00:00Z"));
/// assert_eq!(next, Some(at("2026-03-28T01:30:00Z")));
/// // On 29 March the clock goes from 02:00 to 03:00: the fire is at the end of the gap.
/// let next = schedule.next_after(at("2026-03-28T01:30:00Z"));
/// assert_eq!(next, Some(at("2026-03-29T01:00:00Z")));
/// # Ok::<(), dkron_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    kind: Kind,
    zone: Zone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Manual,
    Every { period_s: u64 },
    At { at: Timestamp },
    After { at: Timestamp, grace: Duration },
    Cron { cron: Cron, rule: ClockRule },
}

const _: () = assert!(size_of::<Schedule>() <= 100, "a schedule is held per job");

impl Schedule {
    /// Parses an expression: Dkron's grammar, and five-field crontab lines.
    ///
    /// * Six fields `second minute hour day-of-month month day-of-week`, or the last five of them,
    ///   with second 0. A day matches both day fields if one of them holds an unrestricted star
    ///   (`*`, `?`, `*/1`), else either of them.
    /// * `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`,
    ///   `@minutely`, `@manually`, `@every <Go duration>`, `@at <RFC 3339>`,
    ///   `@after <RFC 3339> <<ISO 8601 duration>`.
    /// * `TZ=<zone> ` or `CRON_TZ=<zone> ` in front names the zone.
    /// * `~` stands for a number derived from the job's name.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`] with Dkron's text for what Dkron refuses, and for schedules that no date
    /// can satisfy.
    ///
    /// # Examples
    ///
    /// ```
    /// use dkron_core::schedule::{Schedule, ScheduleContext};
    ///
    /// let context = ScheduleContext::default();
    /// assert_eq!(
    ///     Schedule::parse("*/5 9-17 * * MON-FRI", &context),
    ///     Schedule::parse("0 */5 9-17 * * 1-5", &context),
    /// );
    /// assert!(Schedule::parse("0 0 0 30 2 *", &context).is_err());
    /// ```
    pub fn parse(expr: &str, context: &ScheduleContext<'_>) -> Result<Self, ScheduleError> {
        let parsed = parse::parse(expr, context)?;
        let kind = match parsed.body {
            Body::Manual => Kind::Manual,
            Body::Every { period_s } => Kind::Every { period_s },
            Body::At { at } => Kind::At { at },
            Body::After { at, grace } => Kind::After { at, grace },
            Body::Fields { texts, values } => {
                let cron = Cron::new(values);
                if let Some(field) = cron.impossible_field() {
                    let text = texts.iter().find(|text| text.field == field);
                    return Err(ScheduleError::NeverFires {
                        field,
                        at: text.map_or(0, |text| text.at),
                    });
                }
                // Derives the zone's table now, so that no later question has to.
                parsed.zone.transitions();
                Kind::Cron { cron, rule: clock_rule(&texts, context.dst) }
            }
        };
        Ok(Self { kind, zone: parsed.zone })
    }

    /// Returns the earliest fire time strictly later than `after`; `None` if there is none.
    ///
    /// Cron expressions fire on whole seconds, and are searched to the end of the fifth calendar
    /// year after that of `after`. `@every` fires its span after the second that holds `after`.
    /// `@at` and `@after` fire at their instant, once.
    ///
    /// Costs well under a microsecond, and never more than a few, whatever the schedule.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after_s = after.as_unix_s();
        match &self.kind {
            Kind::Manual => None,
            Kind::Every { period_s } => {
                let period_s = i64::try_from(*period_s).ok()?;
                Timestamp::from_unix_s(after_s.checked_add(period_s)?)
            }
            Kind::At { at } | Kind::After { at, .. } => (*at > after).then_some(*at),
            Kind::Cron { cron, rule } => {
                let next_s = clock_changes::next_after(cron, *rule, self.zone, after_s)?;
                debug_assert!(next_s > after_s);
                Timestamp::from_unix_s(next_s)
            }
        }
    }

    /// Returns the first fire time of a job that is created at `now`; `None` if there is none.
    ///
    /// As [`Schedule::next_after`], but for `@after`: within its grace period, both ends included,
    /// the job fires at once, that is, at `now`.
    pub fn first_at(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::After { at, .. } if *at <= now && self.grace_end() >= Some(now) => Some(now),
            _ => self.next_after(now),
        }
    }

    /// Returns the last instant at which `@after` still fires late; `None` for other schedules.
    pub(in crate::kernel) fn grace_end(&self) -> Option<Timestamp> {
        match self.kind {
            Kind::After { at, grace } => Some(at.saturating_add(grace)),
            _ => None,
        }
    }

    /// Returns the fire times strictly later than `after`, in order.
    ///
    /// Without an end for most schedules: take as many as are wanted.
    pub fn upcoming(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(after), |last| self.next_after(*last))
    }

    /// Returns whether the schedule is `@manually`: it never fires by itself.
    pub fn is_manual(&self) -> bool {
        self.kind == Kind::Manual
    }

    /// Returns the span of `@every`: whole seconds, at least one. Its instants count from one
    /// another; those of other schedules, for which this is `None`, are fixed by their text.
    pub fn period(&self) -> Option<Duration> {
        match self.kind {
            Kind::Every { period_s } => Some(Duration::from_secs(period_s)),
            _ => None,
        }
    }

    /// Returns the zone in which the expression is read and its fire times are shown.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// Returns what the changes of the zone's clock do to the schedule.
    pub fn clock_rule(&self) -> ClockRule {
        match &self.kind {
            Kind::Cron { rule, .. } => *rule,
            _ => ClockRule::Unaffected,
        }
    }
}

/// Tells fixed times from schedules that follow real time, by the text of minute and hour.
fn clock_rule([_, minute, hour, ..]: &[FieldText<'_>; 6], dst: DstPolicy) -> ClockRule {
    let is_wild = |field: &FieldText<'_>| field.written.contains(['*', '?', '/']);
    match dst {
        DstPolicy::Once if !is_wild(minute) && !is_wild(hour) => ClockRule::FixedTimes,
        DstPolicy::Once | DstPolicy::Wall => ClockRule::RealTime,
    }
}
