//! Where listeners find the row of events: it begins with the first of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use dkron_core::limits::EVENTS_KEPT_BYTES_MAX;
use dkron_core::{Cluster, Error};
use tokio::sync::{Semaphore, watch};

use super::collector::Collector;
use super::filter::{EventType, Filter};
use super::gap::{Gap, GapReason};
use super::listener::Listener;
use super::position::{Position, unix_ms};
use super::ring::{Draft, Ring, read};
use super::tails::Tails;
use crate::clock;

/// How long a listener is left without a word.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// The events of a node for all who listen; clones are one.
#[derive(Clone)]
pub(in crate::api) struct EventHub {
    places: Arc<Semaphore>,
    silence_max: Duration,
    kept_bytes_max: usize,
    row: Arc<Mutex<Option<Row>>>,
}

/// A row of events that is being collected.
struct Row {
    ring: Arc<RwLock<Ring>>,
    told: watch::Receiver<u64>,
    outputs: watch::Receiver<()>,
}

impl EventHub {
    /// Serves so many listeners at a time.
    pub(in crate::api) fn new(listeners_max: usize) -> Self {
        Self::keeping(listeners_max, EVENTS_KEPT_BYTES_MAX, SILENCE_MAX)
    }

    /// Serves listeners out of so many bytes of the newest events, and leaves none of them without
    /// a word for longer than `silence_max`.
    pub(super) fn keeping(
        listeners_max: usize,
        kept_bytes_max: usize,
        silence_max: Duration,
    ) -> Self {
        let places = Arc::new(Semaphore::new(listeners_max));
        Self { places, silence_max, kept_bytes_max, row: Arc::default() }
    }

    /// Lets somebody listen, behind the event with the id `from`; without one, from now on.
    ///
    /// `None` while as many listen as may.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stopped`](dkron_core::ErrorKind::Stopped) if the node tells nothing any more.
    pub(super) fn listen(
        &self,
        cluster: &Cluster,
        filter: Filter,
        from: Option<&str>,
    ) -> Result<Option<Listener>, Error> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(None) };
        let mut current = self.lock();
        let row = match current.take().filter(Row::is_alive) {
            Some(row) => row,
            None => self.begin(cluster)?,
        };
        let row = current.insert(row);
        let wants_outputs = filter.lets_pass_type(EventType::ExecutionOutput);
        let (position, gap) = stand(&read(&row.ring), from, wants_outputs);
        Ok(Some(Listener {
            ring: Arc::clone(&row.ring),
            told: row.told.clone(),
            filter,
            position,
            gap,
            silence_max: self.silence_max,
            _place: place,
            _outputs: wants_outputs.then(|| row.outputs.clone()),
        }))
    }

    /// Ends the row if `is_deserted`, which nobody can change meanwhile; returns whether it did.
    pub(super) fn leave(&self, is_deserted: impl FnOnce() -> bool) -> bool {
        let mut row = self.lock();
        let is_deserted = is_deserted();
        if is_deserted {
            row.take();
        }
        is_deserted
    }

    fn begin(&self, cluster: &Cluster) -> Result<Row, Error> {
        let events = cluster.events()?.with_starts();
        // Outputs are told from the first event on; the collector ceases if nobody wants them.
        let mut tails = Tails::default();
        tails.want(true);
        tails.replace(cluster.started_runs()?);
        let now_ms = unix_ms(clock::now());
        let mut ring = Ring::new(now_ms, self.kept_bytes_max);
        ring.set_outputs(true, &Draft::default());
        let ring = Arc::new(RwLock::new(ring));
        let (told, is_told) = watch::channel(0);
        let (outputs, are_wanted) = watch::channel(());
        let collector = Collector {
            cluster: cluster.clone(),
            events,
            ring: Arc::clone(&ring),
            told,
            outputs,
            draft: Draft::default(),
            tails,
            told_at_ms: now_ms,
        };
        tokio::spawn(collector.run(self.clone()));
        Ok(Row { ring, told: is_told, outputs: are_wanted })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Row>> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    /// Returns whether it goes on.
    fn is_alive(&self) -> bool {
        self.told.has_changed().is_ok()
    }
}

/// Returns where somebody begins to listen, and what is missing for them.
fn stand(ring: &Ring, from: Option<&str>, wants_outputs: bool) -> (Position, Option<Gap>) {
    let at_ms = unix_ms(clock::now());
    let now = Position { row: ring.row(), number: ring.next() - 1, at_ms };
    let Some(from) = from else { return (now, None) };
    let oldest = Position { number: ring.first() - 1, ..now };
    let gap = |reason, since| Some(Gap { reason, missed: None, since });
    match Position::parse(from) {
        Some(known) if known.row != now.row => (oldest, gap(GapReason::NewRow, Some(known.at()))),
        Some(known) if known.number <= now.number => {
            let is_whole = !wants_outputs || ring.has_outputs_since(known.number);
            let outputs = || gap(GapReason::OutputsNotTold, Some(known.at()));
            (known, if is_whole { None } else { outputs() })
        }
        _ => (oldest, gap(GapReason::UnknownId, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_763_776_800_123;

    /// A row with events 1 to 3, of which the outputs were told from 3 on.
    fn ring() -> Ring {
        let mut ring = Ring::new(0xa, 1 << 20);
        let (mut two, mut one) = (Draft::default(), Draft::default());
        for _ in 0..2 {
            ring.draft(&mut two, EventType::JobChanged, None, MS, "{}");
        }
        ring.tell(&mut two);
        ring.set_outputs(true, &one);
        ring.draft(&mut one, EventType::JobChanged, None, MS, "{}");
        ring.tell(&mut one);
        ring
    }

    #[track_caller]
    fn check(from: Option<&str>, wants_outputs: bool, number: u64, want: Option<GapReason>) {
        let (position, gap) = stand(&ring(), from, wants_outputs);
        assert_eq!((position.row, position.number), (0xa, number), "{from:?}");
        assert_eq!(gap.map(|gap| gap.reason), want, "{from:?}");
        let knows_since = matches!(want, Some(GapReason::NewRow | GapReason::OutputsNotTold));
        assert_eq!(gap.is_some_and(|gap| gap.since.is_some()), knows_since, "{from:?}");
    }

    #[test]
    fn who_knows_an_event_of_this_row_goes_on_behind_it() {
        check(None, true, 3, None);
        check(Some("a-3-1763776800123"), true, 3, None);
        check(Some("a-2-1763776800123"), true, 2, None);
        check(Some("a-0-1763776800123"), false, 0, None);
    }

    #[test]
    fn who_knows_no_event_of_this_row_is_told_of_a_gap_and_gets_what_there_is() {
        check(Some("9-3-1763776800123"), true, 0, Some(GapReason::NewRow));
        check(Some("a-4-1763776800123"), true, 0, Some(GapReason::UnknownId));
        check(Some("a-18446744073709551615-0"), true, 0, Some(GapReason::UnknownId));
        check(Some("nonsense"), false, 0, Some(GapReason::UnknownId));
    }

    #[test]
    fn who_wants_outputs_that_were_not_told_learns_of_it() {
        check(Some("a-1-1763776800123"), true, 1, Some(GapReason::OutputsNotTold));
        check(Some("a-1-1763776800123"), false, 1, None);
    }
}
