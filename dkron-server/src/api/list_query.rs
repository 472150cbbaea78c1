//! What a query of `GET /v1/jobs` selects, in which order, and which part of it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use dkron_core::{JobName, JobQuery, JobView, RunStatus, Timestamp};

use super::job_json::{Moment, shown_next, status_text};
use super::query::Query;

/// Characters of a text that decide its place in a list.
const KEY_CHARS_MAX: usize = 128;

/// What a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) filter: Filter,
    pub(super) sort: SortField,
    pub(super) is_descending: bool,
    /// Jobs passed over at the beginning.
    pub(super) start: u64,
    /// One past the last job shown; `None` = to the end.
    pub(super) end: Option<u64>,
}

impl ListQuery {
    /// Reads a query.
    ///
    /// # Errors
    ///
    /// What is accepted, if the list is to be sorted by something else.
    pub(super) fn parse(query: &Query) -> Result<Self, String> {
        Ok(Self {
            filter: Filter::parse(query),
            sort: SortField::parse(query.get("_sort").unwrap_or_default())?,
            is_descending: query.get("_order") == Some("DESC"),
            start: query.number("_start").unwrap_or(0),
            end: query.number("_end"),
        })
    }

    /// Returns how many jobs the list shows of `total` that match.
    pub(super) fn shown_of(&self, total: u64) -> u64 {
        self.end.unwrap_or(total).min(total).saturating_sub(self.start)
    }

    /// Returns whether the order is that of the store.
    pub(super) fn is_by_name(&self) -> bool {
        self.sort == SortField::Name && !self.is_descending
    }
}

/// Which jobs are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// The names asked for by `id`, which react-admin repeats; `None` = all.
    pub(super) names: Option<BTreeSet<JobName>>,
    metadata: Vec<(String, String)>,
    text: String,
    status: Option<String>,
    disabled: Option<String>,
}

impl Filter {
    fn parse(query: &Query) -> Self {
        let owned = |text: &str| text.to_owned();
        let metadata = query.map("metadata");
        let names = query.all("id").filter_map(|name| JobName::parse(name).ok()).collect();
        Self {
            names: query.has("id").then_some(names),
            metadata: metadata.into_iter().map(|(key, value)| (owned(key), owned(value))).collect(),
            text: query.get("q").unwrap_or_default().to_owned(),
            status: query.get_some("status").map(owned),
            disabled: query.get_some("disabled").map(owned),
        }
    }

    /// Returns whether every job is listed.
    pub(super) fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what the store is asked for: at least the jobs that are listed; `None` if there can
    /// be none.
    pub(super) fn to_query(&self) -> Option<JobQuery> {
        let mut query = JobQuery::new();
        for (key, value) in &self.metadata {
            query = query.metadata(key, value);
        }
        if let Some(disabled) = &self.disabled {
            query = query.disabled(disabled.parse().ok()?);
        }
        if let Some(wanted) = &self.status {
            let all = [
                RunStatus::Untriggered,
                RunStatus::Success,
                RunStatus::Failed,
                RunStatus::PartiallyFailed,
            ];
            let text = if wanted == "untriggered" { "" } else { wanted };
            query = query.status(all.into_iter().find(|status| status_text(*status) == text)?);
        }
        Some(query)
    }

    /// Returns whether a job is listed.
    pub(super) fn accepts(&self, view: &JobView) -> bool {
        let job = &view.job;
        let has_text =
            || job.name.as_str().contains(&self.text) || job.displayname.contains(&self.text);
        let has_status = |wanted: &str| match wanted {
            "untriggered" => status_text(view.status.status).is_empty(),
            wanted => status_text(view.status.status) == wanted,
        };
        let is_disabled = |wanted: &str| wanted == if job.disabled { "true" } else { "false" };
        self.names.as_ref().is_none_or(|names| names.contains(&job.name))
            && (self.text.is_empty() || has_text())
            && self.status.as_deref().is_none_or(has_status)
            && self.disabled.as_deref().is_none_or(is_disabled)
            && self.metadata.iter().all(|(key, value)| job.metadata.get(key) == Some(value))
    }
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SortField {
    Name,
    Displayname,
    Schedule,
    SuccessCount,
    ErrorCount,
    LastSuccess,
    LastError,
    Next,
}

impl SortField {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" | "id" | "name" => Ok(Self::Name),
            "displayname" => Ok(Self::Displayname),
            "schedule" => Ok(Self::Schedule),
            "success_count" => Ok(Self::SuccessCount),
            "error_count" => Ok(Self::ErrorCount),
            "last_success" => Ok(Self::LastSuccess),
            "last_error" => Ok(Self::LastError),
            "next" => Ok(Self::Next),
            _ => Err(format!(
                "_sort must be id, name, displayname, schedule, success_count, error_count, \
                 last_success, last_error or next, found \"{text}\""
            )),
        }
    }

    /// Returns what of a job decides its place; jobs of equal keys stand by name.
    pub(super) fn key(self, view: &JobView, moment: Moment) -> SortKey {
        let (job, status) = (&view.job, &view.status);
        match self {
            Self::Name => SortKey::None,
            Self::Displayname => SortKey::text(&job.displayname),
            Self::Schedule => SortKey::text(&job.schedule),
            Self::SuccessCount => SortKey::Number(status.success_count),
            Self::ErrorCount => SortKey::Number(status.error_count),
            // A job that never ran stands behind those that did.
            Self::LastSuccess => SortKey::Time(status.last_success.unwrap_or(Timestamp::MAX)),
            Self::LastError => SortKey::Time(status.last_error.unwrap_or(Timestamp::MAX)),
            // A job without a schedule of its own stands behind all others, one whose schedule is
            // over or by hand before them.
            Self::Next if job.schedule.is_empty() => SortKey::Time(Timestamp::MAX),
            Self::Next => SortKey::Time(shown_next(view, moment).unwrap_or(Timestamp::MIN)),
        }
    }
}

/// The part of a job that decides its place in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey {
    None,
    Text(String),
    Number(u32),
    Time(Timestamp),
}

impl SortKey {
    /// Texts are compared without regard to case, and by their beginnings: what is held of a
    /// million jobs must not be as long as they are.
    fn text(text: &str) -> Self {
        let beginning: String = text.chars().take(KEY_CHARS_MAX).collect();
        Self::Text(beginning.to_lowercase())
    }
}

/// Sorts names by their keys, then by name, and keeps the part that a list shows.
pub(super) fn arrange(query: &ListQuery, mut keyed: Vec<(SortKey, JobName)>) -> Vec<JobName> {
    let total = keyed.len() as u64;
    let order = |a: &(SortKey, JobName), b: &(SortKey, JobName)| -> Ordering {
        if query.is_descending { b.cmp(a) } else { a.cmp(b) }
    };
    keyed.sort_unstable_by(order);
    let start = usize::try_from(query.start).unwrap_or(usize::MAX);
    let shown = usize::try_from(query.shown_of(total)).unwrap_or(usize::MAX);
    keyed.into_iter().skip(start).take(shown).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use dkron_core::{Job, JobStatus, Zone};

    use super::*;

    const MOMENT: Moment = Moment { now: Timestamp::UNIX_EPOCH, server_zone: Zone::UTC };

    fn job(name: &str, change: impl FnOnce(&mut Job, &mut JobStatus)) -> JobView {
        let mut view = JobView {
            job: Job::new(JobName::parse(name).unwrap()),
            status: JobStatus::default(),
            children: Vec::new(),
        };
        view.job.schedule = "@manually".to_owned();
        change(&mut view.job, &mut view.status);
        view
    }

    fn list(text: &str) -> ListQuery {
        ListQuery::parse(&Query::parse(text)).unwrap()
    }

    /// The names that a query shows of `jobs`, in order.
    fn shown(text: &str, jobs: &[JobView]) -> Vec<String> {
        let query = list(text);
        let keyed = jobs.iter().filter(|view| query.filter.accepts(view));
        let keyed = keyed.map(|view| (query.sort.key(view, MOMENT), view.job.name.clone()));
        arrange(&query, keyed.collect()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn filters_must_all_hold() {
        let jobs = [
            job("a", |job, status| {
                job.disabled = true;
                job.metadata.insert("team".to_owned(), "x".to_owned());
                status.status = dkron_core::RunStatus::Failed;
            }),
            job("b", |job, _| job.displayname = "Xylo".to_owned()),
        ];
        let check = |text: &str, want: &[&str]| assert_eq!(shown(text, &jobs), want, "{text}");
        check("", &["a", "b"]);
        check("q=X", &["b"]);
        check("q=x", &[]);
        check("disabled=true", &["a"]);
        check("disabled=1", &[]);
        check("status=untriggered", &["b"]);
        check("status=failed&metadata[team]=x", &["a"]);
        check("metadata[team]=", &[]);
        check("metadata=x", &["a", "b"]);
        check("id=b&id=nobody", &["b"]);
        check("id=a&id=b&disabled=true", &["a"]);
        check("id=A%20B", &[]);
    }

    #[test]
    fn the_store_is_asked_for_no_less_than_is_listed() {
        let asked = |text: &str| list(text).filter.to_query();
        let all = JobQuery::new();
        assert_eq!(asked(""), Some(all.clone()));
        assert_eq!(asked("q=x"), Some(all.clone()), "a text is looked for in two places");
        assert_eq!(asked("metadata[a]=b"), Some(all.clone().metadata("a", "b")));
        assert_eq!(asked("disabled=false"), Some(all.clone().disabled(false)));
        let untriggered = all.clone().status(RunStatus::Untriggered);
        assert_eq!(asked("status=untriggered"), Some(untriggered));
        assert_eq!(asked("status=failed"), Some(all.status(RunStatus::Failed)));
        assert_eq!((asked("disabled=1"), asked("status=odd")), (None, None));
    }

    #[test]
    fn lists_are_sorted_by_their_field_then_by_name() {
        let at = |unix_s| Timestamp::from_unix_s(unix_s);
        let jobs = [
            job("a", |job, status| {
                job.displayname = "beta".to_owned();
                (status.success_count, status.last_success) = (10, at(50));
            }),
            job("b", |job, status| {
                job.displayname = "ALPHA".to_owned();
                (status.success_count, status.last_success) = (9, at(40));
                (job.schedule, status.next) = ("@hourly".to_owned(), at(60));
            }),
            job("c", |job, _| job.schedule.clear()),
        ];
        let check = |text: &str, want: &[&str]| assert_eq!(shown(text, &jobs), want, "{text}");
        check("_order=DESC", &["c", "b", "a"]);
        check("_order=desc", &["a", "b", "c"]);
        check("_sort=displayname", &["c", "b", "a"]);
        check("_sort=success_count", &["c", "b", "a"]);
        check("_sort=last_success", &["b", "a", "c"]);
        check("_sort=last_success&_order=DESC", &["c", "a", "b"]);
        check("_sort=next", &["a", "b", "c"]);
        check("_sort=error_count&_order=DESC", &["c", "b", "a"]);
    }

    #[test]
    fn of_a_long_text_only_the_beginning_is_held() {
        let long = |name: &str, end: char| {
            job(name, |job, _| job.displayname = "x".repeat(1 << 20) + &end.to_string())
        };
        let SortKey::Text(key) = SortField::Displayname.key(&long("a", 'b'), MOMENT) else {
            panic!("it is no text")
        };
        assert_eq!(key.len(), KEY_CHARS_MAX);
        let jobs = [long("a", 'b'), long("b", 'a'), job("c", |_, _| {})];
        assert_eq!(shown("_sort=displayname", &jobs), ["c", "a", "b"], "equal ones by name");
    }

    #[test]
    fn jobs_of_one_second_are_sorted_by_its_parts() {
        let ran_at = |name: &str, nanosecond: i64| {
            job(name, |_, status| {
                status.last_success = Some(Timestamp::from_unix_ns(nanosecond));
                status.next = Some(Timestamp::from_unix_ns(nanosecond));
            })
        };
        // As texts "0.1" comes before "0.095", and "0" behind both.
        let jobs = [ran_at("a", 100_000_000), ran_at("b", 95_000_000), ran_at("c", 0)];
        for field in ["last_success", "next"] {
            assert_eq!(shown(&format!("_sort={field}"), &jobs), ["c", "b", "a"], "{field}");
        }
    }

    #[test]
    fn parts_never_reach_beyond_the_list() {
        let jobs = ["a", "b", "c"].map(|name| job(name, |_, _| {}));
        let check = |text: &str, want: &[&str]| assert_eq!(shown(text, &jobs), want, "{text}");
        check("_start=1", &["b", "c"]);
        check("_end=2", &["a", "b"]);
        check("_start=1&_end=9", &["b", "c"]);
        check("_start=9&_end=12", &[]);
        check("_start=2&_end=1", &[]);
        check("_start=-1&_end=1", &["a"]);
        check("_end=x", &[]);
        check("_start=", &["a", "b", "c"]);
    }

    #[test]
    fn another_field_to_sort_by_is_refused() {
        for text in ["_sort=started_at", "_sort=nope"] {
            assert!(ListQuery::parse(&Query::parse(text)).unwrap_err().contains("_sort must be"));
        }
        assert_eq!(list("_sort=").sort, SortField::Name);
    }
}
