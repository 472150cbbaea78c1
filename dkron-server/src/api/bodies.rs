//! How much of the bodies of requests is held at a time, and how long each is waited for.
//!
//! A connection costs its client nothing, so what is held for one must be small: the first bytes of
//! a job's body are always taken, for those beyond them there is one room, whoever sends them. Who
//! finds none is told to come again, and does not wait with what it has: many that wait for each
//! other would hold all of it. The same holds for who asks for one restore, or one long list that
//! has to be sorted, too many.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use dkron_core::limits::{
    HTTP_BODY_BYTES_FREE, HTTP_BODY_BYTES_HELD_MAX, HTTP_BODY_WAIT_MAX, HTTP_JOB_BODY_BYTES_MAX,
    RESTORES_MAX, SORTED_LIST_ENTRIES_FREE, SORTED_LISTS_MAX,
};
use dkron_core::{Error, ErrorKind};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The room for bodies of requests; clones are one.
#[derive(Clone, Debug)]
pub struct Bodies {
    wait_max: Duration,
    room: Arc<Semaphore>,
    restores: Arc<Semaphore>,
    lists: Arc<Semaphore>,
}

/// The place that a list takes among those that are held, once it is long; left when it is dropped.
#[derive(Debug)]
pub(super) struct ListPlace {
    lists: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl ListPlace {
    /// Sees that a list of so many entries may be held.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LimitExceeded`] if it is long and there is no place left.
    pub(super) fn hold(&mut self, entries: usize) -> Result<(), Error> {
        if entries <= SORTED_LIST_ENTRIES_FREE {
            self.taken = None;
        } else if self.taken.is_none() {
            let taken = Arc::clone(&self.lists).try_acquire_owned().map_err(|_| {
                let why = format!(
                    "{SORTED_LISTS_MAX} long lists are being sorted and sent already: try again \
                     when one has ended, or ask for the order of the store"
                );
                Error::new(ErrorKind::LimitExceeded, why)
            })?;
            self.taken = Some(taken);
        }
        Ok(())
    }
}

/// The room that a body takes, also for what is made of it; left when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

impl Default for Bodies {
    fn default() -> Self {
        Self::new(HTTP_BODY_WAIT_MAX, HTTP_BODY_BYTES_HELD_MAX)
    }
}

impl Bodies {
    /// Waits `wait_max` for the next bytes of a body, and holds `bytes_max` bytes of all of them
    /// together, beside the first [`HTTP_BODY_BYTES_FREE`] of each.
    pub fn new(wait_max: Duration, bytes_max: usize) -> Self {
        let (room, restores) = (Semaphore::new(bytes_max), Semaphore::new(RESTORES_MAX));
        let lists = Arc::new(Semaphore::new(SORTED_LISTS_MAX));
        Self { wait_max, room: Arc::new(room), restores: Arc::new(restores), lists }
    }

    /// Returns how long the next bytes of a body are waited for.
    pub(super) fn wait_max(&self) -> Duration {
        self.wait_max
    }

    /// Takes a place for a restore, left when it is dropped; `None` while as many go on as may.
    pub(super) fn restore_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.restores).try_acquire_owned().ok()
    }

    /// Returns what a list that is held holds its place with.
    pub(super) fn list_place(&self) -> ListPlace {
        ListPlace { lists: Arc::clone(&self.lists), taken: None }
    }

    /// Receives the body of a job write; otherwise the status and the text of the refusal.
    ///
    /// One that says it is too long is refused before it is read; what is left of it then, `unread`
    /// receives.
    pub(crate) async fn receive(
        &self,
        body: Body,
    ) -> Result<(Vec<u8>, Room), (StatusCode, String)> {
        if body.size_hint().lower() > HTTP_JOB_BODY_BYTES_MAX as u64 {
            return Err(too_large());
        }
        let (mut received, mut room) = (Vec::new(), Room::default());
        let mut chunks = body.into_data_stream();
        let stalled = |_| {
            let why = "Unable to parse payload: the body does not go on.".to_owned();
            (StatusCode::REQUEST_TIMEOUT, why)
        };
        let mut next = async || tokio::time::timeout(self.wait_max, chunks.next()).await;
        while let Some(chunk) = next().await.map_err(stalled)? {
            let torn = "Unable to parse payload: the body is not transferred as its headers say.";
            let chunk = chunk.map_err(|_| (StatusCode::BAD_REQUEST, torn.to_owned()))?;
            let bytes = received.len() + chunk.len();
            if bytes > HTTP_JOB_BODY_BYTES_MAX {
                return Err(too_large());
            }
            if !self.grow(&mut room, bytes.saturating_sub(HTTP_BODY_BYTES_FREE)) {
                let why = "too many long jobs are being received at present: try again";
                return Err((StatusCode::TOO_MANY_REQUESTS, why.to_owned()));
            }
            received.extend_from_slice(&chunk);
        }
        Ok((received, room))
    }

    /// Makes a room one for `bytes`; false if there are not as many left.
    fn grow(&self, room: &mut Room, bytes: usize) -> bool {
        let held = room.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = match u32::try_from(bytes.saturating_sub(held)) {
            Ok(0) => return true,
            Ok(more) => Arc::clone(&self.room).try_acquire_many_owned(more),
            Err(_) => return false,
        };
        match (more, &mut room.0) {
            (Err(_), _) => return false,
            (Ok(more), Some(held)) => held.merge(more),
            (Ok(more), none) => *none = Some(more),
        }
        true
    }
}

fn too_large() -> (StatusCode, String) {
    let why = format!("a job has at most {HTTP_JOB_BODY_BYTES_MAX} bytes");
    (StatusCode::PAYLOAD_TOO_LARGE, why)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(20);

    /// A body of so many bytes in pieces of a kilobyte.
    fn body(bytes: usize) -> Body {
        let piece = |_| Ok::<_, std::io::Error>(vec![b' '; 1_024]);
        Body::from_stream(stream::iter(0..bytes / 1_024).map(piece))
    }

    async fn status(bodies: &Bodies, bytes: usize) -> Option<u16> {
        bodies.receive(body(bytes)).await.err().map(|(status, _)| status.as_u16())
    }

    #[tokio::test]
    async fn long_bodies_share_one_room_and_short_ones_need_none() {
        let bodies = Bodies::new(WAIT_MAX, 64 << 10);
        let (bytes, first) = bodies.receive(body(40 << 10)).await.unwrap();
        assert_eq!(bytes.len(), 40 << 10);

        assert_eq!(status(&bodies, 40 << 10).await, Some(429), "no room beside the first");
        assert_eq!(status(&bodies, 20 << 10).await, None);
        let others: Vec<_> = {
            let all = (0..100).map(|_| bodies.receive(body(HTTP_BODY_BYTES_FREE)));
            futures_util::future::join_all(all).await
        };
        assert!(others.iter().all(Result::is_ok), "what is always taken");

        drop(first);
        assert_eq!(status(&bodies, 40 << 10).await, None, "all of the room is there again");
        assert_eq!(bodies.room.available_permits(), 64 << 10);
    }

    #[test]
    fn restores_beyond_the_bound_find_no_place_until_one_has_ended() {
        let bodies = Bodies::default();
        let mut places: Vec<_> = (0..RESTORES_MAX).map(|_| bodies.restore_place()).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(bodies.restore_place().is_none());
        places.pop();
        assert!(bodies.restore_place().is_some());
    }

    #[test]
    fn long_lists_beyond_the_bound_are_refused_until_one_was_taken() {
        let bodies = Bodies::default();
        let hold = |entries| {
            let mut place = bodies.list_place();
            place.hold(entries).map(|()| place)
        };
        let mut long: Vec<_> = (0..SORTED_LISTS_MAX).map(|_| hold(1_000_000).unwrap()).collect();
        let error = hold(SORTED_LIST_ENTRIES_FREE + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        let short = hold(SORTED_LIST_ENTRIES_FREE).unwrap();

        long[0].hold(2_000_000).expect("one that has its place grows");
        long[0].hold(10).expect("a part of it needs none");
        let again = hold(1_000_000).expect("one was let go");
        assert!(hold(1_000_000).is_err());
        drop((short, again));
        assert!(hold(1_000_000).is_ok());
    }
}
