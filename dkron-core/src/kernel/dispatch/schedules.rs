//! Parsed schedules by what their meaning depends on: parsed once, shared by jobs that are alike.

use std::collections::BTreeMap;

use crate::kernel::model::{DstPolicy, Job};
use crate::kernel::schedule::{Schedule, ScheduleContext, ScheduleError};
use crate::kernel::time::Zone;
use crate::limits::SCHEDULES_CACHED_MAX;

/// The parsed schedules of the jobs that were planned lately.
///
/// Holds at most [`SCHEDULES_CACHED_MAX`] of them, in two generations: when the young one is full,
/// the old one is forgotten and the young one grows old. What is used moves to the young one.
#[derive(Debug)]
pub struct Schedules {
    server_zone: Zone,
    young: BTreeMap<String, Schedule>,
    old: BTreeMap<String, Schedule>,
    /// The key being asked for; kept for its memory.
    key: String,
}

impl Schedules {
    /// Starts empty. `server_zone` is what jobs without a zone are read in.
    pub const fn new(server_zone: Zone) -> Self {
        Self { server_zone, young: BTreeMap::new(), old: BTreeMap::new(), key: String::new() }
    }

    /// Returns the schedule of `job`.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`] if this version does not understand it; another one may have stored it.
    pub fn of(&mut self, job: &Job) -> Result<Schedule, ScheduleError> {
        write_key(job, &mut self.key);
        if let Some(schedule) = self.young.get(&self.key) {
            return Ok(schedule.clone());
        }
        let schedule = match self.old.remove(&self.key) {
            Some(schedule) => schedule,
            None => parse_schedule(job, self.server_zone)?,
        };
        if self.young.len() >= SCHEDULES_CACHED_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(self.key.clone(), schedule.clone());
        Ok(schedule)
    }
}

/// Parses the schedule of `job`; `server_zone` is that of schedules which name none.
///
/// # Errors
///
/// [`ScheduleError`] if it does not parse.
pub fn parse_schedule(job: &Job, server_zone: Zone) -> Result<Schedule, ScheduleError> {
    let context = ScheduleContext {
        timezone: &job.timezone,
        job: job.name.as_str(),
        dst: job.dst,
        server_zone,
    };
    Schedule::parse(&job.schedule, &context)
}

/// Joins what the meaning of a schedule depends on; the job's name counts only where `~` does.
fn write_key(job: &Job, key: &mut String) {
    key.clear();
    key.push(match job.dst {
        DstPolicy::Once => 'o',
        DstPolicy::Wall => 'w',
    });
    let name = if job.schedule.contains('~') { job.name.as_str() } else { "" };
    for part in [name, &job.timezone, &job.schedule] {
        key.push_str(part);
        key.push('\0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::JobName;
    use crate::kernel::time::Timestamp;

    fn job(name: &str, schedule: &str) -> Job {
        let mut job = Job::new(JobName::parse(name).unwrap());
        job.schedule = schedule.to_owned();
        job
    }

    #[track_caller]
    fn first(schedules: &mut Schedules, job: &Job) -> String {
        let schedule = schedules.of(job).unwrap();
        schedule.next_after(Timestamp::UNIX_EPOCH).unwrap().to_string()
    }

    #[test]
    fn zone_rule_and_name_tell_schedules_apart() {
        let mut schedules = Schedules::new(Zone::UTC);
        let plain = job("a", "0 0 12 * * *");
        let tokyo = Job { timezone: "Asia/Tokyo".to_owned(), ..plain.clone() };
        for _ in 0..2 {
            assert_eq!(first(&mut schedules, &plain), "1970-01-01T12:00:00Z");
            assert_eq!(first(&mut schedules, &tokyo), "1970-01-01T03:00:00Z");
            assert_eq!(first(&mut schedules, &job("a", "0 ~ * * * *")), "1970-01-01T00:37:00Z");
            assert_eq!(first(&mut schedules, &job("b", "0 ~ * * * *")), "1970-01-01T00:38:00Z");
        }
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let mut schedules = Schedules::new(Zone::UTC);
        let used = job("used", "@hourly");
        for number in 0..SCHEDULES_CACHED_MAX * 2 {
            schedules.of(&job("j", &format!("@every {}s", number + 1))).unwrap();
            schedules.of(&used).unwrap();
        }

        assert!(schedules.young.len() + schedules.old.len() <= SCHEDULES_CACHED_MAX);
        let mut key = String::new();
        write_key(&used, &mut key);
        assert!(schedules.young.contains_key(&key) || schedules.old.contains_key(&key));
    }

    #[test]
    fn a_schedule_of_another_version_is_an_error_each_time() {
        let mut schedules = Schedules::new(Zone::UTC);

        assert!(schedules.of(&job("a", "@someday")).is_err());
        assert!(schedules.of(&job("a", "@someday")).is_err());
    }
}
