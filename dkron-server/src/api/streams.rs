//! How many answers without an end are given at a time.
//!
//! Each keeps a connection for as long as its client likes. They take at most a part of all
//! connections, so that who listens keeps nobody from the rest of the API.

use std::sync::Arc;

use dkron_core::limits::{EVENT_LISTENERS_MAX, HTTP_CONNECTIONS_MAX, OUTPUT_FOLLOWERS_MAX};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::events::EventHub;

/// The share of the connections that may follow outputs: one in so many.
const OUTPUT_DIVISOR: usize = 4;

/// The share of the connections that may listen to events.
const EVENTS_DIVISOR: usize = 2;

/// The places of answers without an end; clones are one.
#[derive(Clone)]
pub struct Streams {
    outputs: Arc<Semaphore>,
    events: EventHub,
}

impl Default for Streams {
    fn default() -> Self {
        Self::within(HTTP_CONNECTIONS_MAX)
    }
}

impl Streams {
    /// Takes a part of so many connections, and at most what the limits say.
    pub fn within(connections: usize) -> Self {
        let outputs = (connections / OUTPUT_DIVISOR).clamp(1, OUTPUT_FOLLOWERS_MAX);
        let listeners = (connections / EVENTS_DIVISOR).clamp(1, EVENT_LISTENERS_MAX);
        let outputs = Arc::new(Semaphore::new(outputs));
        Self { outputs, events: EventHub::new(listeners) }
    }

    /// Returns the events of the node, with the places of those who listen.
    pub(super) fn events(&self) -> &EventHub {
        &self.events
    }

    /// Takes a place among those who follow an output, left when it is dropped; `None` while as
    /// many do as may.
    pub(super) fn output_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.outputs).try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_leaves_connections_for_others() {
        for (connections, want) in [(0, 1), (16, 4), (224, 56), (1 << 20, OUTPUT_FOLLOWERS_MAX)] {
            let streams = Streams::within(connections);
            assert_eq!(streams.outputs.available_permits(), want, "{connections}");
        }
    }

    #[test]
    fn a_place_is_free_again_once_it_is_left() {
        let streams = Streams::within(1);
        let place = streams.output_place();
        assert!(place.is_some() && streams.output_place().is_none());
        drop(place);
        assert!(streams.output_place().is_some());
    }
}
