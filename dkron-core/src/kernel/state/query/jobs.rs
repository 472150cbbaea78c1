//! Lists of jobs: pages, ranges, and what a walk over them decodes.

use std::ops::{Bound, ControlFlow};

use super::job::{JobView, children, status};
use super::{Matching, Page, Part};
use crate::kernel::model::{Job, JobName, JobStatus};
use crate::kernel::state::codec::JobRecord;
#[cfg(any(test, feature = "testing"))]
use crate::kernel::state::rows;
use crate::kernel::state::{KeyRange, Order, Table, TableError, Tables, keys};
use crate::limits::JOB_NAME_BYTES_MAX;

/// A job in a walk; what is not asked for is not decoded.
pub struct JobRow<'a, T> {
    tables: &'a T,
    name: JobName,
    record: &'a [u8],
}

impl<T: Tables> JobRow<'_, T> {
    /// Returns the name.
    pub fn name(&self) -> &JobName {
        &self.name
    }

    /// Decodes the definition.
    ///
    /// # Errors
    ///
    /// [`TableError`] if it does not decode.
    pub fn definition(&self) -> Result<Job, TableError> {
        JobRecord::decode_job(&self.name, self.record).map_err(|why| why.in_table(Table::Jobs))
    }

    /// Reads and decodes the status.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the store fails or the status does not decode.
    pub fn status(&self) -> Result<JobStatus, TableError> {
        Ok(status(self.tables, &self.name)?.unwrap_or_default())
    }

    /// Reads and decodes everything.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the store fails or holds a record that does not decode.
    pub fn view(&self) -> Result<JobView, TableError> {
        let children = children(self.tables, &self.name)?;
        Ok(JobView { job: self.definition()?, status: self.status()?, children })
    }
}

/// Returns how many jobs there are. O(1).
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn job_count(tables: &impl Tables) -> Result<u64, TableError> {
    tables.len(Table::Jobs)
}

/// Returns the names of the jobs that a program declared, in name order.
///
/// # Errors
///
/// As [`job`](super::job()).
#[cfg(any(test, feature = "testing"))]
pub fn declared(tables: &impl Tables, tag: &str) -> Result<Vec<JobName>, TableError> {
    let mut names = Vec::new();
    let of_tag = keys::rows_of(tag);
    rows::scan(tables, Table::Declared, of_tag.range(), Order::Ascending, |key, _| {
        names.push(keys::parse_edge(key)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(names)
}

/// Returns whether a program has declared more than `count` jobs. O(count).
///
/// # Errors
///
/// [`TableError`] if the store fails.
pub fn has_declared_more(
    tables: &impl Tables,
    tag: &str,
    count: usize,
) -> Result<bool, TableError> {
    let (of_tag, mut found) = (keys::rows_of(tag), 0_usize);
    tables.walk(Table::Declared, of_tag.range(), Order::Ascending, |_, _| {
        found += 1;
        if found > count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found > count)
}

/// Returns a part of the jobs in name order, and how many there are.
///
/// Costs a step for each job between the page and the nearer end of the list, and decodes the
/// returned jobs only.
///
/// # Errors
///
/// As [`job`](super::job()).
pub fn jobs_page(tables: &impl Tables, part: Part) -> Result<Page<JobView>, TableError> {
    let total = job_count(tables)?;
    let limit = part.limit.min(usize::try_from(total.saturating_sub(part.skip)).unwrap_or(0));
    let behind = total.saturating_sub(part.skip).saturating_sub(limit as u64);
    let is_reversed = behind < part.skip;
    let (order, mut skip) = match (is_reversed, part.order) {
        (false, order) => (order, part.skip),
        (true, Order::Ascending) => (Order::Descending, behind),
        (true, Order::Descending) => (Order::Ascending, behind),
    };
    let mut items = Vec::with_capacity(limit);
    if limit > 0 {
        let all = (Bound::Unbounded, Bound::Unbounded);
        walk(tables, all, order, Some(&mut skip), |row| {
            items.push(row.view()?);
            Ok(items.len() < limit)
        })?;
    }
    if is_reversed {
        items.reverse();
    }
    Ok(Page { items, total })
}

/// Returns the first `limit` jobs after `after` in name order that match; `None` = from the first.
///
/// Ends as soon as it has them.
///
/// # Errors
///
/// As [`job`](super::job()), or what `filter` answers.
pub fn jobs_after<T: Tables>(
    tables: &T,
    after: Option<&JobName>,
    limit: usize,
    mut filter: impl FnMut(&JobRow<'_, T>) -> Result<bool, TableError>,
) -> Result<Vec<JobView>, TableError> {
    let mut items = Vec::new();
    if limit == 0 {
        return Ok(items);
    }
    let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_str().as_bytes()));
    walk(tables, (from, Bound::Unbounded), Order::Ascending, None, |row| {
        if filter(row)? {
            items.push(row.view()?);
        }
        Ok(items.len() < limit)
    })?;
    Ok(items)
}

/// Which part of the jobs is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobRange<'a> {
    /// Names begin with it.
    pub prefix: &'a str,
    /// Names stand behind it.
    pub after: Option<&'a JobName>,
    /// Jobs to return at most.
    pub limit: usize,
    /// Jobs to look at, at most.
    pub rows_max: usize,
}

/// Returns the jobs of a range that match, in name order.
///
/// Ends as soon as it has as many as are wanted, or has looked at as many as it may.
///
/// # Errors
///
/// As [`job`](super::job()), or what `filter` answers.
pub fn jobs_matching<T: Tables>(
    tables: &T,
    range: JobRange<'_>,
    mut filter: impl FnMut(&JobRow<'_, T>) -> Result<bool, TableError>,
) -> Result<Matching<JobView, JobName>, TableError> {
    let mut found = Matching { items: Vec::new(), next: None };
    // A longer one would not fit a key, and no name begins with it.
    if range.limit == 0 || range.rows_max == 0 || range.prefix.len() > JOB_NAME_BYTES_MAX {
        return Ok(found);
    }
    let prefix = range.prefix.as_bytes();
    let from = match range.after.map(|name| name.as_str().as_bytes()) {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    let past = past(prefix);
    let to = past.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let is_behind =
        matches!((from, to), (Bound::Excluded(from), Bound::Excluded(to)) if from >= to);
    if is_behind {
        return Ok(found);
    }
    let mut last = None;
    let mut looked_at = 0;
    walk(tables, (from, to), Order::Ascending, None, |row| {
        // One more than is wanted: so the last page is known to be the last.
        if found.items.len() == range.limit || looked_at == range.rows_max {
            found.next = last.take();
            return Ok(false);
        }
        looked_at += 1;
        if filter(row)? {
            found.items.push(row.view()?);
        }
        last = Some(row.name().clone());
        Ok(true)
    })?;
    Ok(found)
}

/// Returns the smallest key behind all those that begin with `prefix`; `None` = there is none.
fn past(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut past = prefix.to_vec();
    while let Some(last) = past.pop() {
        if let Some(next) = last.checked_add(1) {
            past.push(next);
            return Some(past);
        }
    }
    None
}

/// Shows jobs until `visit` answers false; the first `skip` ones are passed over undecoded.
fn walk<T: Tables>(
    tables: &T,
    range: KeyRange<'_>,
    order: Order,
    mut skip: Option<&mut u64>,
    mut visit: impl FnMut(&JobRow<'_, T>) -> Result<bool, TableError>,
) -> Result<(), TableError> {
    let mut fault = None;
    tables.walk(Table::Jobs, range, order, |key, record| {
        if let Some(skip) = skip.as_deref_mut().filter(|skip| **skip > 0) {
            *skip -= 1;
            return ControlFlow::Continue(());
        }
        let name = keys::job_name(key).map_err(|why| why.in_table(Table::Jobs));
        match name.and_then(|name| visit(&JobRow { tables, name, record })) {
            Ok(true) => ControlFlow::Continue(()),
            Ok(false) => ControlFlow::Break(()),
            Err(error) => {
                fault = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    fault.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::state::apply::harness::{World, job as plain_job, name};

    fn names(page: &[JobView]) -> Vec<String> {
        page.iter().map(|view| view.job.name.to_string()).collect()
    }

    fn filled() -> (World, Vec<String>) {
        let mut world = World::new();
        let names: Vec<String> = (0..20).map(|number| format!("job-{number:02}")).collect();
        for name in &names {
            world.set(plain_job(name));
        }
        (world, names)
    }

    #[test]
    fn a_page_is_the_same_from_whichever_end_it_is_reached() {
        let (world, all) = filled();
        for order in [Order::Ascending, Order::Descending] {
            for skip in [0, 1, 9, 10, 11, 19, 20, 99] {
                for limit in [0, 1, 5, 20, usize::MAX] {
                    let part = Part { order, skip, limit };
                    let page = jobs_page(&world.tables, part).unwrap();
                    let mut want = all.clone();
                    if order == Order::Descending {
                        want.reverse();
                    }
                    let want: Vec<_> = want.into_iter().skip(skip as usize).take(limit).collect();
                    assert_eq!((names(&page.items), page.total), (want, 20), "{part:?}");
                }
            }
        }
    }

    #[test]
    fn a_prefix_and_a_cursor_bound_what_is_looked_at() {
        let (mut world, _) = filled();
        for other in ["a", "job", "job-1", "job_", "k"] {
            world.set(plain_job(other));
        }
        let check = |prefix: &str, after: Option<&str>, limit, rows_max, want: (&[&str], &str)| {
            let after = after.map(name);
            let range = JobRange { prefix, after: after.as_ref(), limit, rows_max };
            let mut looked_at = 0;
            let found = jobs_matching(&world.tables, range, |row| {
                looked_at += 1;
                Ok(row.name().as_str().ends_with('1'))
            });
            let found = found.unwrap();
            let next = found.next.map_or(String::new(), |name| name.to_string());
            let got = names(&found.items);
            assert_eq!(
                (got.iter().map(String::as_str).collect::<Vec<_>>(), &*next),
                (want.0.to_vec(), want.1)
            );
            looked_at
        };
        check("", None, 9, 99, (&["job-01", "job-1", "job-11"], ""));
        assert_eq!(check("job-1", None, 9, 99, (&["job-1", "job-11"], "")), 11);
        assert_eq!(check("job-1", None, 1, 99, (&["job-1"], "job-1")), 1);
        check("job-1", Some("job-1"), 9, 99, (&["job-11"], ""));
        check("job-1", Some("a"), 9, 3, (&["job-1", "job-11"], "job-11"));
        check("job-1", Some("job-12"), 9, 3, (&[], "job-15"));
        assert_eq!(check("job-1", Some("k"), 9, 9, (&[], "")), 0);
        check("nothing", None, 9, 9, (&[], ""));
        check(&"x".repeat(999), None, 9, 9, (&[], ""));
        check("", None, 0, 9, (&[], ""));
    }

    #[test]
    fn a_list_goes_on_after_a_name_that_need_not_exist() {
        let (world, all) = filled();
        let after = |after: &str| {
            let found = jobs_after(&world.tables, Some(&name(after)), 2, |_| Ok(true));
            names(&found.unwrap())
        };
        assert_eq!(after("job-04"), all[5..7]);
        assert_eq!(after("job-04x"), all[5..7]);
        assert_eq!(after("job-19"), Vec::<String>::new());
        let none = jobs_after(&world.tables, None, 0, |_| Ok(true)).unwrap();
        assert_eq!(names(&none), Vec::<String>::new());
    }
}
