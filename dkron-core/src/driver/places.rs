//! Places for the runs of one executor: how many go on at once, and which wait for one.
//!
//! A run that finds no place waits for one, in the order of the claims; nothing is refused. What
//! waits is bounded by the claims there are ([`limits::RUNS_MAX`](crate::limits::RUNS_MAX)).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Runs;
use super::starts::Start;
use crate::ports::RunEnd;

/// The places of one executor, with the starts that wait for one.
pub(super) struct Places<T> {
    executor: &'static str,
    runs_max: usize,
    occupancy: Mutex<Occupancy<T>>,
}

/// Invariant: if anything waits, every place is taken.
struct Occupancy<T> {
    taken: usize,
    /// By fencing token, which grows with every claim.
    waiting: BTreeMap<u64, T>,
    /// That runs have to wait was told, and half of the places have not been free since.
    is_crowded: bool,
}

impl<T> Places<T> {
    /// Makes `runs_max` places, at least one.
    fn new(executor: &'static str, runs_max: usize) -> Self {
        let occupancy =
            Mutex::new(Occupancy { taken: 0, waiting: BTreeMap::new(), is_crowded: false });
        Self { executor, runs_max: runs_max.max(1), occupancy }
    }

    /// Takes a place and gives the start back; without one keeps it, and says whether that is the
    /// beginning of a crowd, which lasts until half of the places are free.
    fn enter(&self, token: u64, start: T) -> Result<T, bool> {
        let mut occupancy = self.lock();
        if occupancy.taken < self.runs_max {
            occupancy.taken += 1;
            return Ok(start);
        }
        occupancy.waiting.insert(token, start);
        Err(!std::mem::replace(&mut occupancy.is_crowded, true))
    }

    /// Gives a place back; returns the start whose it is now, if one waits.
    fn leave(&self) -> Option<T> {
        let mut occupancy = self.lock();
        let next = occupancy.waiting.pop_first().map(|(_, start)| start);
        if next.is_none() {
            occupancy.taken = occupancy.taken.saturating_sub(1);
            occupancy.is_crowded &= occupancy.taken > self.runs_max / 2;
        }
        next
    }

    /// Takes out a start that waits.
    fn withdraw(&self, token: u64) -> Option<T> {
        self.lock().waiting.remove(&token)
    }

    /// Returns the tokens of those that wait, first come first.
    fn waiting(&self) -> Vec<u64> {
        self.lock().waiting.keys().copied().collect()
    }

    /// Returns how many wait.
    fn waiting_count(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, Occupancy<T>> {
        // A panic while the lock was held leaves numbers that are still whole.
        self.occupancy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    /// Bounds how many runs of an executor go on at once; more wait for a place.
    #[must_use]
    pub fn with_places(mut self, executor: &'static str, runs_max: usize) -> Self {
        self.places.push(Places::new(executor, runs_max));
        self
    }

    /// Returns how many runs wait for a place.
    pub fn waiting_count(&self) -> usize {
        self.places.iter().map(Places::waiting_count).sum()
    }

    /// Returns the tokens of the runs that wait for a place.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u64> {
        self.places.iter().flat_map(Places::waiting)
    }

    fn places_of(&self, executor: &str) -> Option<&Places<Start>> {
        self.places.iter().find(|places| places.executor == executor)
    }

    /// Gives each start its place, and keeps those that have to wait for one.
    pub(super) fn admit(&self, starts: &mut Vec<Start>) {
        // Mostly nothing is bounded: then nothing is moved.
        let has_places = |start: &mut Start| self.places_of(&start.job.executor).is_some();
        let bounded: Vec<Start> = starts.extract_if(.., has_places).collect();
        for start in bounded {
            let (token, job) = (start.token, Arc::clone(&start.job));
            let Some(places) = self.places_of(&job.executor) else { continue };
            match places.enter(token, start) {
                Ok(start) => starts.push(start),
                Err(is_beginning) => {
                    if is_beginning {
                        let Places { executor, runs_max, .. } = *places;
                        tracing::warn!(executor, runs_max, "every place is taken: runs wait");
                    }
                    // Whoever asked for its end before it waited has not found it.
                    if self.is_ending(token) {
                        self.end_waiting(token);
                    }
                }
            }
        }
    }

    /// Gives the place of a run that has ended to the one that waits first.
    pub(super) fn leave(self: &Arc<Self>, executor: &str) {
        let Some(mut next) = self.places_of(executor).and_then(Places::leave) else { return };
        // It may have been handed in ahead, and its instant may still be to come.
        next.at = next.at.max(self.clock.now());
        next.teaches = false;
        self.begin(vec![next]);
    }

    /// Ends a run that waits for a place; nothing happens if it does not.
    pub(super) fn end_waiting(&self, token: u64) {
        let waiting = self.places.iter().find_map(|places| places.withdraw(token));
        if let Some((_, run)) = waiting.and_then(|start| self.prepare(&start)) {
            self.finish(run, RunEnd::cancelled("before it started"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_place_waits_in_the_order_of_the_claims() {
        let places = Places::new("shell", 2);
        assert_eq!(places.enter(1, "a"), Ok("a"));
        assert_eq!(places.enter(2, "b"), Ok("b"));
        assert_eq!(places.enter(5, "e"), Err(true));
        assert_eq!(places.enter(3, "c"), Err(false));
        assert_eq!(places.enter(4, "d"), Err(false));
        assert_eq!((places.waiting(), places.waiting_count()), (vec![3, 4, 5], 3));

        assert_eq!(places.withdraw(4), Some("d"));
        assert_eq!(places.withdraw(1), None, "it does not wait");
        assert_eq!([(); 4].map(|()| places.leave()), [Some("c"), Some("e"), None, None]);

        assert_eq!(places.enter(6, "f"), Ok("f"));
        assert_eq!(places.enter(7, "g"), Ok("g"));
        assert_eq!(places.enter(8, "h"), Err(true), "places do not grow by being given back");
    }

    #[test]
    fn that_runs_wait_is_told_once_until_half_of_the_places_are_free() {
        let places = Places::new("shell", 4);
        for token in 1..=4 {
            assert_eq!(places.enter(token, ()), Ok(()));
        }
        assert_eq!(places.enter(5, ()), Err(true));
        // The one that waited gets a place, and one more becomes free: then it is full again.
        assert_eq!((places.leave(), places.leave()), (Some(()), None));
        assert_eq!((places.enter(6, ()), places.enter(7, ())), (Ok(()), Err(false)));

        assert_eq!((places.leave(), places.leave(), places.leave()), (Some(()), None, None));
        assert_eq!((places.enter(8, ()), places.enter(9, ())), (Ok(()), Ok(())));
        assert_eq!(places.enter(10, ()), Err(true));
    }
}
