//! Waiting for something to become true, with a bound.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks: short beside anything a test waits for, long beside the look itself.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `look` finds something, and returns it.
///
/// # Panics
///
/// After `bound`, saying `what` was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, bound: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < bound, "waited {bound:?} in vain for {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// As [`wait_for`], for a condition.
///
/// # Panics
///
/// After `bound`, saying `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, bound: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, bound, || holds().then_some(()));
}

/// Lets `span` pass: the length of a phase of a test, never a stand-in for an event.
pub fn let_pass(span: Duration) {
    thread::sleep(span);
}
