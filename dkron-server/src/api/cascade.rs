//! A run by hand with everything it sets off: its retries, its dependents, and theirs.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use dkron_core::{
    Cause, Cluster, Error, ErrorKind, Event, Events, ExecutionState, JobChange, JobName, News, Run,
    RunReceipt, Timestamp,
};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

/// How long dependent jobs are waited for that have not started while nothing else runs. One
/// follows its parent's end within milliseconds; if it does not, it waits for a node, and nobody
/// should wait with it.
const CLAIM_WAIT_MAX: Duration = Duration::from_secs(60);

/// A run that was started, and what it set off.
pub(super) struct Cascade {
    cluster: Cluster,
    run: Run,
    events: Events,
    open: Open,
}

/// What is not over yet.
#[derive(Debug, Default)]
struct Open {
    /// Fires that run, each with what is known of its result.
    fires: BTreeMap<(JobName, Timestamp), Tally>,
    /// Jobs whose parent has succeeded, with the number of fires that are still to be claimed.
    awaited: BTreeMap<JobName, usize>,
}

/// How the attempts of a fire have ended, those that are tried again left out.
///
/// Kept for each fire, because the status of the job may be that of another one by now.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    has_succeeded: bool,
    has_failed: bool,
}

impl Cascade {
    /// Runs a job.
    ///
    /// # Errors
    ///
    /// As [`Cluster::run`].
    pub(super) async fn start(cluster: &Cluster, job: &JobName) -> Result<Self, Error> {
        let events = cluster.events()?;
        let run = cluster.run(job.as_str()).await?;
        let fire = (job.clone(), run.receipt().fire_time);
        let fires = BTreeMap::from([(fire, Tally::default())]);
        let open = Open { fires, awaited: BTreeMap::new() };
        Ok(Self { cluster: cluster.clone(), run, events, open })
    }

    /// Returns what was started.
    pub(super) fn receipt(&self) -> &RunReceipt {
        self.run.receipt()
    }

    /// Waits until everything is over; or, if nothing of it runs and a dependent job does not
    /// start, for a minute.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`] if the node stops before.
    pub(super) async fn wait(self) -> Result<(), Error> {
        let Self { cluster, run, events, mut open } = self;
        let news = pin!(stream::unfold(events, async |mut events| {
            Some((events.next().await?, events))
        }));
        let children = |job: &JobName| children_of(&cluster, job);
        match open.follow(news, children, CLAIM_WAIT_MAX).await {
            Followed::Over | Followed::NoStart => Ok(()),
            // What was missed may be what is waited for: the run itself is known to end.
            Followed::Missed => match run.wait().await {
                Err(error) if error.kind() == ErrorKind::Stopped => Err(error.maybe_happened()),
                _ => Ok(()),
            },
            Followed::Stopped => {
                let why = "the node stops before the run and all it sets off are over";
                Err(Error::new(ErrorKind::Stopped, why).maybe_happened())
            }
        }
    }
}

/// How it ends to follow a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    /// Everything is over.
    Over,
    /// Nothing runs, and a dependent job has not started in time.
    NoStart,
    /// Events were lost.
    Missed,
    /// The node stops.
    Stopped,
}

/// Returns the jobs that run after a success of `job`.
fn children_of(cluster: &Cluster, job: &JobName) -> Vec<JobName> {
    match cluster.job(job.as_str()) {
        Ok(Some(view)) => view.children,
        _ => Vec::new(),
    }
}

impl Open {
    fn is_over(&self) -> bool {
        self.fires.is_empty() && self.awaited.is_empty()
    }

    /// Takes news into account until everything is over. While nothing of it runs, what is awaited
    /// has `claim_wait_max` in all, whatever else happens on the node.
    async fn follow(
        &mut self,
        mut stream: impl Stream<Item = News> + Unpin,
        children: impl Fn(&JobName) -> Vec<JobName>,
        claim_wait_max: Duration,
    ) -> Followed {
        let mut idle_until = None;
        while !self.is_over() {
            let news = if self.fires.is_empty() {
                let deadline = *idle_until.get_or_insert_with(|| Instant::now() + claim_wait_max);
                match timeout_at(deadline, stream.next()).await {
                    // News that are always there at once would hide the deadline.
                    Ok(news) if Instant::now() < deadline => news,
                    _ => return Followed::NoStart,
                }
            } else {
                idle_until = None;
                stream.next().await
            };
            match news {
                Some(News::Event(event)) => self.take(&event, &children),
                Some(News::Started(_)) => {}
                Some(News::Missed(_)) => return Followed::Missed,
                None => return Followed::Stopped,
            }
        }
        Followed::Over
    }

    /// Takes an event into account; `children` tells which jobs follow one that has succeeded.
    fn take(&mut self, event: &Event, children: impl FnOnce(&JobName) -> Vec<JobName>) {
        match event {
            Event::Finished { execution, is_fire_complete, retry_at } => {
                let is_success = execution.state == ExecutionState::Succeeded;
                let result = retry_at.is_none().then_some(is_success);
                let fire = (execution.job.clone(), execution.fire_time);
                self.settle(fire, result, *is_fire_complete, children);
            }
            Event::Withdrawn { execution, is_fire_complete, .. } => {
                // A first attempt leaves no result; a later one leaves that of the one before it.
                let result = (execution.attempt > 1).then_some(false);
                let fire = (execution.job.clone(), execution.fire_time);
                self.settle(fire, result, *is_fire_complete, children);
            }
            Event::Claimed(claim) if claim.execution.cause == Cause::Parent => {
                let job = &claim.execution.job;
                let fire = (job.clone(), claim.execution.fire_time);
                if !self.fires.contains_key(&fire) && self.no_longer_awaits(job) {
                    self.fires.insert(fire, Tally::default());
                }
            }
            Event::Skipped { skip, cause, is_fire_complete, .. } => {
                if skip.attempt == 1 && *cause == Cause::Parent {
                    self.no_longer_awaits(&skip.job);
                } else {
                    let result = (skip.attempt > 1).then_some(false);
                    let fire = (skip.job.clone(), skip.first);
                    self.settle(fire, result, *is_fire_complete, children);
                }
            }
            Event::JobChanged { job, change: JobChange::Deleted } => {
                self.awaited.remove(job);
                self.fires.retain(|(of, _), _| of != job);
            }
            _ => {}
        }
    }

    /// Notes the end of an attempt, if its fire is one of these: with a success or not, or with
    /// neither. If the fire is complete and has succeeded on every node, what follows it is awaited
    /// from now on.
    fn settle(
        &mut self,
        fire: (JobName, Timestamp),
        result: Option<bool>,
        is_complete: bool,
        children: impl FnOnce(&JobName) -> Vec<JobName>,
    ) {
        let Some(tally) = self.fires.get_mut(&fire) else { return };
        tally.has_succeeded |= result == Some(true);
        tally.has_failed |= result == Some(false);
        if !is_complete {
            return;
        }
        let is_success = tally.has_succeeded && !tally.has_failed;
        self.fires.remove(&fire);
        if is_success {
            for child in children(&fire.0) {
                *self.awaited.entry(child).or_default() += 1;
            }
        }
    }

    /// Counts one fire of a job less to be claimed; false if none was.
    fn no_longer_awaits(&mut self, job: &JobName) -> bool {
        let Some(count) = self.awaited.get_mut(job) else { return false };
        *count -= 1;
        if *count == 0 {
            self.awaited.remove(job);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dkron_core::{Claim, Execution, ExecutionId, Job, NodeName, Skip, SkipReason};

    use super::*;

    fn name(text: &str) -> JobName {
        JobName::parse(text).unwrap()
    }

    fn execution(job: &str, fire_s: i64, cause: Cause) -> Execution {
        let at = Timestamp::from_unix_s(fire_s).unwrap();
        Execution {
            job: name(job),
            id: ExecutionId { due_ns: 1, node: NodeName::parse("n").unwrap() },
            fire_time: at,
            cause,
            attempt: 1,
            token: 1,
            instance: 1,
            started_at: at,
            finished_at: None,
            state: ExecutionState::Running,
            is_cancel_requested: false,
            output_bytes_total: 0,
        }
    }

    fn claimed(job: &str, fire_s: i64) -> Event {
        Event::Claimed(Claim {
            execution: execution(job, fire_s, Cause::Parent),
            job: Arc::new(Job::new(name(job))),
            revision: 1,
            start_at: Timestamp::UNIX_EPOCH,
        })
    }

    fn ended(job: &str, fire_s: i64, state: ExecutionState, is_fire_complete: bool) -> Event {
        let execution = Execution { state, ..execution(job, fire_s, Cause::Manual) };
        Event::Finished { execution, is_fire_complete, retry_at: None }
    }

    fn finished(job: &str, fire_s: i64, is_fire_complete: bool) -> Event {
        ended(job, fire_s, ExecutionState::Succeeded, is_fire_complete)
    }

    fn failed(job: &str, fire_s: i64, is_fire_complete: bool) -> Event {
        ended(job, fire_s, ExecutionState::Failed, is_fire_complete)
    }

    /// A failure that is tried again.
    fn retried(job: &str, fire_s: i64) -> Event {
        let execution = execution(job, fire_s, Cause::Manual);
        let execution = Execution { state: ExecutionState::Failed, ..execution };
        let retry_at = Some(Timestamp::UNIX_EPOCH);
        Event::Finished { execution, is_fire_complete: false, retry_at }
    }

    /// A run of `a` at second 1, which `b` and `c` follow, and what is left of it after events.
    fn open_after(events: &[Event]) -> Open {
        let fire = (name("a"), Timestamp::from_unix_s(1).unwrap());
        let fires = BTreeMap::from([(fire, Tally::default())]);
        let mut open = Open { fires, awaited: BTreeMap::new() };
        for event in events {
            open.take(event, |job| match job.as_str() {
                "a" => vec![name("b"), name("c")],
                _ => Vec::new(),
            });
        }
        open
    }

    #[test]
    fn a_run_is_over_when_its_dependents_are() {
        let mut events = vec![finished("a", 1, true), claimed("b", 2), claimed("c", 2)];
        assert!(!open_after(&events).is_over());
        events.extend([finished("c", 2, true), finished("b", 2, true)]);
        assert!(open_after(&events).is_over());
    }

    /// Whether dependents are awaited after events that complete the run.
    #[track_caller]
    fn check_awaits(events: &[Event], want: bool) {
        let open = open_after(events);
        assert_eq!(
            (open.fires.len(), open.awaited.len()),
            (0, usize::from(want) * 2),
            "{events:?}"
        );
    }

    #[test]
    fn dependents_are_awaited_by_the_result_of_the_run_and_no_other() {
        check_awaits(&[finished("a", 1, true)], true);
        check_awaits(&[failed("a", 1, true)], false);
        // Another run of the job ends otherwise meanwhile.
        check_awaits(&[finished("a", 2, true), failed("a", 1, true)], false);
        check_awaits(&[failed("a", 2, true), finished("a", 1, true)], true);
        // A run on two nodes.
        check_awaits(&[failed("a", 1, false), finished("a", 1, true)], false);
        check_awaits(&[finished("a", 1, false), failed("a", 1, true)], false);
        check_awaits(&[finished("a", 1, false), finished("a", 1, true)], true);
        // Retries.
        check_awaits(&[retried("a", 1), finished("a", 1, true)], true);
        check_awaits(&[retried("a", 1), failed("a", 1, true)], false);
        check_awaits(&[retried("a", 1), skipped("a", 1, 2, Cause::Manual)], false);
    }

    /// How a run of `a` is followed whose dependents are waited for 100 ms, on a node on which
    /// `begin` happens, then `again` every 5 ms, for ever or until it stops.
    async fn followed(begin: &[Event], again: Option<Event>) -> Followed {
        let mut open = open_after(&[]);
        let mut begin = begin.iter().cloned();
        let next = async || match (begin.next(), &again) {
            (Some(event), _) => Some(News::Event(Arc::new(event))),
            (None, None) => None,
            (None, Some(event)) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Some(News::Event(Arc::new(event.clone())))
            }
        };
        let news = pin!(stream::unfold(next, async |mut next| Some((next().await?, next))));
        let children = |job: &JobName| match job.as_str() {
            "a" => vec![name("b"), name("c")],
            _ => Vec::new(),
        };
        let follow = open.follow(news, children, Duration::from_millis(100));
        tokio::time::timeout(Duration::from_secs(20), follow).await.expect("it has an end")
    }

    #[tokio::test]
    async fn a_dependent_that_does_not_start_is_not_waited_for_longer_on_a_busy_node() {
        let busy = finished("x", 9, true);
        let over = finished("a", 1, true);
        let one_runs = [over.clone(), claimed("b", 2), finished("b", 2, true)];
        assert_eq!(followed(&[over], Some(busy.clone())).await, Followed::NoStart);
        assert_eq!(followed(&one_runs, Some(busy.clone())).await, Followed::NoStart);
        assert_eq!(followed(&[failed("a", 1, true)], Some(busy)).await, Followed::Over);
    }

    #[tokio::test]
    async fn a_node_that_stops_is_told_apart_from_an_end() {
        assert_eq!(followed(&[], None).await, Followed::Stopped);
        assert_eq!(followed(&[finished("a", 1, true)], None).await, Followed::Stopped);
        assert_eq!(followed(&[failed("a", 1, true)], None).await, Followed::Over);
    }

    #[test]
    fn attempts_and_other_fires_are_not_its_end() {
        assert!(!open_after(&[finished("a", 1, false)]).is_over());
        assert!(!open_after(&[finished("a", 2, true)]).is_over());
    }

    /// A skip of an attempt of the fire at a second.
    fn skipped(job: &str, fire_s: i64, attempt: u32, cause: Cause) -> Event {
        let at = Timestamp::from_unix_s(fire_s).unwrap();
        let reason = SkipReason::Disabled;
        let skip = Skip { job: name(job), first: at, last: at, attempt, fires: 1, reason };
        Event::Skipped { skip, cause, is_continued: false, is_fire_complete: true }
    }

    #[test]
    fn a_dependent_that_is_skipped_or_deleted_is_not_waited_for() {
        let skipped = skipped("b", 2, 1, Cause::Parent);
        let deleted = Event::JobChanged { job: name("c"), change: JobChange::Deleted };
        let open = open_after(&[finished("a", 1, true), skipped, deleted]);
        assert!(open.is_over(), "{open:?}");
    }

    #[test]
    fn a_retry_that_is_skipped_ends_its_own_fire_and_no_other() {
        let other_fires = [
            finished("a", 1, true),
            claimed("b", 2),
            claimed("c", 2),
            finished("c", 2, true),
            skipped("b", 9, 2, Cause::Parent),
        ];
        assert!(!open_after(&other_fires).is_over());
        let not_claimed_yet = [finished("a", 1, true), skipped("b", 9, 2, Cause::Parent)];
        assert_eq!(open_after(&not_claimed_yet).awaited.len(), 2);

        let mut events = other_fires.to_vec();
        events.push(skipped("b", 2, 2, Cause::Parent));
        assert!(open_after(&events).is_over());
    }

    #[test]
    fn a_claim_that_is_taken_back_ends_a_fire_only_with_the_last_of_its_nodes() {
        let withdrawn = |is_fire_complete| {
            let Event::Skipped { skip, .. } = skipped("a", 1, 1, Cause::Manual) else {
                unreachable!()
            };
            let execution = execution("a", 1, Cause::Manual);
            Event::Withdrawn { execution, skip, is_fire_complete }
        };
        assert!(!open_after(&[withdrawn(false)]).is_over());
        assert_eq!(open_after(&[withdrawn(true)]).fires.len(), 0);
    }
}
