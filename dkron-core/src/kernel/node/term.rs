//! What a leader does from the moment it takes office: claims handed out, ends asked for, losses
//! closed. Its rounds of proposals are in `rounds`.
//!
//! The rules for what an earlier leader, or an earlier life of this process, left behind:
//!
//! * A claim of a living process is handed out again, at its instant or at once. The node
//!   recognises the execution and its token: it starts once, whether or not it was handed out
//!   before.
//! * An execution of a process that is gone is closed as lost, started or not: whether it had
//!   started by the clock of the leader before nobody can tell, so it is never claimed anew behind
//!   the back of the job's policy on lost runs.
//! * Only claims of the leader's own term are withdrawn: of those alone it is certain that no node
//!   has heard of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::closing::{Closing, Ending};
use super::look_ahead::LookAhead;
use super::rounds::Rounds;
use super::scene::Scene;
use super::sweep::Sweeper;
use super::waiting_claims::WaitingClaims;
use super::{Effect, Observation};
use crate::kernel::dispatch::{WaitingRows, must_withdraw};
use crate::kernel::model::{Cause, Execution, Job, JobName, NodeName};
use crate::kernel::state::{Claim, Event, JobChange, TableError, Tables, query};
use crate::kernel::time::Timestamp;

/// The memory of a leader.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) seed: u64,
    /// Since when it has been watching without a gap.
    pub(super) watch_start: Timestamp,
    /// The newest claim it knows of, by fencing token; `None` until it has read what is running.
    ///
    /// Tokens grow with every claim: news of a claim up to this one is no news.
    last_token: Option<u64>,
    /// The newest claim that answers have told of; news of it may still be on its way.
    awaited_token: u64,
    pub(super) claims: WaitingClaims,
    pub(super) closing: Closing,
    pub(super) waiting: WaitingRows,
    pub(super) rounds: Rounds,
    pub(super) sweeper: Sweeper,
    pub(super) look_ahead: LookAhead,
}

impl Term {
    pub(super) fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            seed,
            watch_start: now,
            last_token: None,
            awaited_token: 0,
            claims: WaitingClaims::default(),
            closing: Closing::default(),
            waiting: WaitingRows::default(),
            rounds: Rounds::default(),
            sweeper: Sweeper::new(now),
            look_ahead: LookAhead::new(),
        }
    }

    /// Notes that nobody watched until now.
    pub(super) fn watch_from(&mut self, now: Timestamp) {
        self.watch_start = now;
    }

    /// Notes that somebody watches at `now`: a clock that was put back shows again what is not
    /// missed when it comes.
    pub(super) fn watch_at(&mut self, now: Timestamp) {
        self.watch_start = self.watch_start.min(now);
    }

    /// Reads what is running, once the living nodes are known.
    pub(super) fn take_seat<T: Tables>(
        &mut self,
        scene: &mut Scene<'_, T>,
    ) -> Result<(), TableError> {
        if self.last_token.is_some() {
            return Ok(());
        }
        self.last_token = Some(query::last_token(scene.view)?);
        let (mut claims, mut lost) = (Vec::new(), 0);
        let mut jobs: BTreeMap<JobName, (Arc<_>, u64)> = BTreeMap::new();
        for execution in query::running(scene.view, None, usize::MAX)? {
            if !scene.nodes.has_process_of(&execution) {
                self.closing.add(execution, Ending::Lost);
                lost += 1;
                continue;
            }
            if !jobs.contains_key(&execution.job) {
                let definition = query::definition(scene.view, &execution.job)?;
                let revision = query::revision(scene.view, &execution.job)?;
                // Of a job that was deleted there is nothing to start any more. If it runs it goes
                // on; if it never started, an attempt without executor ends it.
                let job = definition.unwrap_or_else(|| Job::new(execution.job.clone()));
                jobs = BTreeMap::from([(execution.job.clone(), (Arc::new(job), revision))]);
            }
            if let Some((job, revision)) = jobs.get(&execution.job) {
                let mut start_at = execution.id.due_at();
                if start_at <= scene.clock.passed() || waits_for_nothing(&execution) {
                    // Its instant has come: a leader before saw that.
                    start_at = start_at.min(scene.now());
                }
                let (job, revision) = (Arc::clone(job), *revision);
                claims.push(Claim { execution, job, revision, start_at });
            }
        }
        let resumed = claims.len();
        claims.sort_unstable_by_key(|claim| claim.execution.token);
        for claim in claims {
            self.claims.add(claim, false);
        }
        let first = query::first_due(scene.view)?.map(|row| row.at);
        let due_since = first.filter(|at| *at < self.watch_start);
        scene.note(Observation::TookOffice { resumed, lost, due_since });
        Ok(())
    }

    /// Closes what ran in processes that are gone.
    pub(super) fn nodes_changed<T: Tables>(
        &mut self,
        scene: &mut Scene<'_, T>,
        gone: &BTreeSet<(NodeName, u64)>,
    ) -> Result<(), TableError> {
        self.waiting.release_all();
        if gone.is_empty() {
            return Ok(());
        }
        for (node, instance) in gone {
            scene.note(Observation::NodeGone { node: node.clone(), instance: *instance });
        }
        for execution in query::running(scene.view, None, usize::MAX)? {
            if !scene.nodes.has_process_of(&execution) {
                self.claims.remove(execution.token);
                self.closing.add(execution, Ending::Lost);
            }
        }
        Ok(())
    }

    /// Takes in what has become part of the state.
    pub(super) fn applied<T: Tables>(
        &mut self,
        scene: &mut Scene<'_, T>,
        events: &[Event],
    ) -> Result<(), TableError> {
        let (mut changed, mut deleted) = (BTreeSet::new(), BTreeMap::new());
        for event in events {
            match event {
                Event::Claimed(claim) => self.claimed(scene, claim),
                Event::Withdrawn { execution, .. } | Event::Finished { execution, .. } => {
                    self.claims.remove(execution.token);
                    self.closing.remove(execution.token);
                    self.waiting.release(&execution.job);
                }
                Event::CancelRequested(execution) => self.cancel(scene, execution),
                Event::JobChanged { job, change } => {
                    self.waiting.release(job);
                    if *change != JobChange::Created {
                        changed.insert(job.clone());
                    }
                    if *change == JobChange::Deleted {
                        self.sweeper.call(scene.now());
                        // By now there may be another job of that name, with claims of its own.
                        deleted.insert(job.clone(), self.last_token);
                    }
                }
                Event::Skipped { .. } | Event::Paused(_) => {}
            }
        }
        self.check_claims(scene, &changed, &deleted)
    }

    /// Takes in a claim of this term.
    fn claimed<T>(&mut self, scene: &mut Scene<'_, T>, claim: &Claim) {
        let execution = &claim.execution;
        if self.last_token >= Some(execution.token) {
            return;
        }
        self.last_token = Some(execution.token);
        if !scene.nodes.has_process_of(execution) {
            self.closing.add(execution.clone(), Ending::Lost);
            return;
        }
        let mut claim = claim.clone();
        if waits_for_nothing(execution) {
            // The clock may be behind that of the server that took the request, or behind the time
            // of the entry.
            claim.start_at = claim.start_at.min(scene.now());
        }
        self.claims.add(claim, true);
    }

    /// Ends an execution on request: here if its node has not heard of it, else there.
    fn cancel<T>(&mut self, scene: &mut Scene<'_, T>, execution: &Execution) {
        match self.claims.remove(execution.token) {
            Some((claim, true)) => self.closing.add(claim.execution, Ending::Cancelled),
            // It may run already: its node is asked once it surely knows of it.
            Some((mut claim, false)) => {
                claim.execution.is_cancel_requested = true;
                self.claims.add(claim, false);
            }
            None => scene.effects.push(cancel_run(execution)),
        }
    }

    /// Takes back the claims that the new definitions of their jobs do not want, and of each job
    /// that was `deleted` those up to the newest of that time.
    fn check_claims<T: Tables>(
        &mut self,
        scene: &mut Scene<'_, T>,
        changed: &BTreeSet<JobName>,
        deleted: &BTreeMap<JobName, Option<u64>>,
    ) -> Result<(), TableError> {
        for token in self.claims.ours_of(changed) {
            let Some(claim) = self.claims.get(token) else { continue };
            let execution = &claim.execution;
            let stored = query::execution(scene.view, &execution.job, &execution.id)?;
            let is_kept = stored.is_some_and(|stored| stored.token == token);
            let job = query::definition(scene.view, &execution.job)?;
            let is_orphan = deleted.get(&execution.job).is_some_and(|last| Some(token) <= *last);
            let now = scene.now();
            let wanted = match job {
                Some(job) if is_kept && !is_orphan => {
                    !must_withdraw(claim, &job, now, scene.schedules)
                }
                _ => false,
            };
            if wanted {
                continue;
            }
            let Some((claim, _)) = self.claims.remove(token) else { continue };
            let execution = claim.execution;
            let (job, id) = (execution.job.clone(), execution.id.clone());
            scene.note(Observation::WithdrewClaim { job, execution: id });
            if is_kept {
                self.closing.add(execution, Ending::Withdrawn);
            }
        }
        Ok(())
    }

    /// Hands out the claims whose instant has come, or is about to.
    pub(super) fn hand_out<T>(&mut self, scene: &mut Scene<'_, T>) {
        let until = scene.now().saturating_add(scene.start_ahead);
        while let Some((claim, is_ours)) = self.claims.pop_due(until) {
            let cancel = claim.execution.is_cancel_requested.then(|| cancel_run(&claim.execution));
            let start = if is_ours { Effect::Start(claim) } else { Effect::StartAgain(claim) };
            scene.effects.push(start);
            scene.effects.extend(cancel);
        }
    }

    /// Notes that claims up to this one exist, though news of them may still be on its way.
    pub(super) fn await_claims<T: Tables>(
        &mut self,
        scene: &Scene<'_, T>,
    ) -> Result<(), TableError> {
        self.awaited_token = query::last_token(scene.view)?;
        Ok(())
    }

    /// Returns whether nothing that was decided is still to be answered, to be heard of, to start
    /// or to be ended.
    pub(super) fn is_idle(&self) -> bool {
        !self.rounds.is_open()
            && self.closing.is_empty()
            && self.claims.first_at().is_none()
            && self.last_token >= Some(self.awaited_token)
    }
}

/// Returns whether an attempt starts as soon as it is claimed, whatever its identity says.
fn waits_for_nothing(execution: &Execution) -> bool {
    execution.cause != Cause::Schedule && execution.attempt == 1
}

fn cancel_run(execution: &Execution) -> Effect {
    Effect::CancelRun {
        job: execution.job.clone(),
        execution: execution.id.clone(),
        token: execution.token,
    }
}
