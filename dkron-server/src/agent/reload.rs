//! The configuration read anew while the node runs: what SIGHUP asks for.
//!
//! What takes effect at once is the level of the log. What else has changed is named, for it takes
//! a restart; a configuration with a fault changes nothing.

use super::log::LevelHandle;
use crate::config::{ConfigFaults, Settings};

/// The option that takes effect without a restart.
const LOG_LEVEL: &str = "log-level";

/// Reads the configuration again, from where it was read first.
pub(super) struct Reload {
    /// What is in force.
    settings: Settings,
    load: Box<dyn Fn() -> Result<Settings, ConfigFaults> + Send>,
    level: LevelHandle,
}

impl Reload {
    /// Begins with the settings of the start, which `load` reads again.
    pub(super) fn new(
        settings: Settings,
        load: impl Fn() -> Result<Settings, ConfigFaults> + Send + 'static,
        level: LevelHandle,
    ) -> Self {
        Self { settings, load: Box::new(load), level }
    }

    /// Reads, takes what can be taken, and says what became of it. Blocks for the time it takes to
    /// read a small file.
    pub(super) fn again(&mut self) {
        let new = match (self.load)() {
            Ok(new) => new,
            Err(faults) => {
                for fault in &faults.0 {
                    tracing::error!("config: {fault}");
                }
                tracing::error!("config: read anew on a hangup and refused; nothing has changed");
                return;
            }
        };
        for remark in &new.remarks {
            tracing::warn!("config: {remark}");
        }
        let changed = new.changed_since(&self.settings);
        if changed.is_empty() {
            tracing::info!("config: read anew on a hangup; nothing has changed");
        }
        for name in changed {
            if name == LOG_LEVEL {
                self.level.set(new.log_level);
                self.settings.adopt(LOG_LEVEL, &new);
                tracing::info!("config: log-level is {} from now on", new.log_level);
            } else {
                tracing::warn!("config: {name} has changed, which takes a restart of the node");
            }
        }
    }
}
