//! The wish that this node leaves, from a request to whoever runs the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Carries the wish that the node leaves; clones are the same.
#[derive(Clone, Default)]
pub struct Leave {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_asked: AtomicBool,
    asked: Notify,
}

impl Leave {
    /// Asks; returns false if somebody has before.
    pub fn ask(&self) -> bool {
        let is_first = !self.shared.is_asked.swap(true, Ordering::AcqRel);
        self.shared.asked.notify_waiters();
        // Whoever begins to wait later finds the permit.
        self.shared.asked.notify_one();
        is_first
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        if !self.shared.is_asked.load(Ordering::Acquire) {
            self.shared.asked.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_wish_is_heard_whenever_it_comes() {
        let leave = Leave::default();
        let waiting = tokio::spawn({
            let leave = leave.clone();
            async move { leave.asked().await }
        });
        assert!(leave.ask());
        assert!(!leave.ask());
        waiting.await.unwrap();
        leave.asked().await;
    }
}
