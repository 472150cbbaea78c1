//! Which events a listener wants.

use std::collections::BTreeSet;

use super::super::query::Query;

/// What an event is about; the value of its `event` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EventType {
    JobChanged,
    ExecutionStarted,
    ExecutionOutput,
    ExecutionFinished,
    FireSkipped,
    /// Events are missing: told to everybody who may miss them.
    Gap,
}

impl EventType {
    /// Those that can be asked for.
    const CHOICE: [Self; 5] = [
        Self::JobChanged,
        Self::ExecutionStarted,
        Self::ExecutionOutput,
        Self::ExecutionFinished,
        Self::FireSkipped,
    ];

    /// Returns its name on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::JobChanged => "job_changed",
            Self::ExecutionStarted => "execution_started",
            Self::ExecutionOutput => "execution_output",
            Self::ExecutionFinished => "execution_finished",
            Self::FireSkipped => "fire_skipped",
            Self::Gap => "gap",
        }
    }
}

/// What a listener asked for; without a word, everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Empty = all.
    jobs: BTreeSet<String>,
    /// Empty = all.
    types: BTreeSet<EventType>,
}

impl Filter {
    /// Reads `job` and `types`, each a list with commas.
    ///
    /// # Errors
    ///
    /// What can be asked for, if it is something else.
    pub(super) fn parse(query: &Query) -> Result<Self, String> {
        let list = |key: &str| {
            let text = query.get(key).unwrap_or_default();
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned)
        };
        let mut types = BTreeSet::new();
        for name in list("types").collect::<Vec<_>>() {
            let known = EventType::CHOICE.into_iter().find(|known| known.name() == name);
            types.insert(known.ok_or_else(|| {
                let choice = EventType::CHOICE.map(EventType::name).join(", ");
                format!("types must be some of {choice}, found \"{name}\"")
            })?);
        }
        let jobs = list("job").collect();
        Ok(Self { jobs, types })
    }

    /// Returns whether it lets everything pass.
    pub(super) fn is_open(&self) -> bool {
        self.jobs.is_empty() && self.types.is_empty()
    }

    /// Returns whether it lets a type pass, whatever the job.
    pub(super) fn lets_pass_type(&self, event: EventType) -> bool {
        event == EventType::Gap || self.types.is_empty() || self.types.contains(&event)
    }

    /// Returns whether it lets an event pass; one that is about no job is for everybody.
    pub(super) fn lets_pass(&self, event: EventType, job: Option<&str>) -> bool {
        self.lets_pass_type(event)
            && job.is_none_or(|job| self.jobs.is_empty() || self.jobs.contains(job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(query: &str) -> Filter {
        Filter::parse(&Query::parse(query)).unwrap()
    }

    #[test]
    fn without_a_word_everything_passes() {
        for query in ["", "job=", "types=,", "pretty"] {
            let filter = filter(query);
            assert!(filter.is_open(), "{query}");
            assert!(filter.lets_pass(EventType::ExecutionOutput, Some("a")), "{query}");
        }
    }

    #[test]
    fn jobs_and_types_both_have_to_fit() {
        let filter = filter("job=a,b&types=job_changed,%20fire_skipped");
        let passes = |event, job| filter.lets_pass(event, Some(job));
        assert!(passes(EventType::JobChanged, "a") && passes(EventType::FireSkipped, "b"));
        assert!(!passes(EventType::JobChanged, "c"));
        assert!(!passes(EventType::ExecutionStarted, "a"));
        assert!(!filter.is_open() && !filter.lets_pass_type(EventType::ExecutionOutput));
    }

    #[test]
    fn a_gap_is_for_everybody() {
        assert!(filter("job=a&types=job_changed").lets_pass(EventType::Gap, None));
    }

    #[test]
    fn an_unknown_type_is_refused_with_those_that_there_are() {
        let refused = Filter::parse(&Query::parse("types=job_changed,gap")).unwrap_err();
        assert_eq!(
            refused,
            "types must be some of job_changed, execution_started, execution_output, \
             execution_finished, fire_skipped, found \"gap\""
        );
    }
}
