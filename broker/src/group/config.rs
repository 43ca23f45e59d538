//! A consumer group's own settings, by Kafka's names.

use crate::settings::{ConfigEntry, Key, Keys, Overrides, assign, ranged};
use crate::{Error, Result};

use super::event::GroupEvent;
use super::groups::{Groups, check_group_id};
use super::settings::GroupSettings;

/// All names begin with this: those of share groups begin with another word.
pub(crate) const PREFIX: &str = "consumer.";

/// What a consumer group may have set for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// When members are told to heartbeat.
    pub heartbeat_interval_ms: u32,
    /// A member silent for this long is removed, unless it asked for another time.
    pub session_timeout_ms: u32,
}

impl Default for ConsumerConfig {
    fn default() -> ConsumerConfig {
        GroupSettings::default().consumer()
    }
}

const KEYS: Keys<ConsumerConfig> = Keys {
    of: "consumer group",
    keys: &[
        Key {
            name: "consumer.heartbeat.interval.ms",
            allowed: "100 to 600000",
            doc: "When members whom the broker assigns to are told to heartbeat.",
            set: |config, value| {
                assign(&mut config.heartbeat_interval_ms, ranged(value, 100, 600_000))
            },
            get: |config| config.heartbeat_interval_ms.to_string(),
        },
        Key {
            name: "consumer.session.timeout.ms",
            allowed: "1000 to 3600000",
            doc: "A member whom the broker assigns to, silent for this long, is removed.",
            set: |config, value| {
                assign(&mut config.session_timeout_ms, ranged(value, 1000, 3_600_000))
            },
            get: |config| config.session_timeout_ms.to_string(),
        },
    ],
};

impl ConsumerConfig {
    /// These settings with `overrides` on top.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the key, the value and what is allowed.
    pub fn with(&self, overrides: &Overrides) -> Result<ConsumerConfig> {
        let config = KEYS.with(self, overrides)?;
        let (beat_ms, session_ms) = (config.heartbeat_interval_ms, config.session_timeout_ms);
        if !overrides.is_empty() && beat_ms >= session_ms {
            let reason = format!(
                "sessions of {session_ms} ms would end between heartbeats every {beat_ms} ms; \
                 set a longer session or a shorter interval"
            );
            return Err(Error::invalid_config("consumer.session.timeout.ms", reason));
        }
        Ok(config)
    }

    /// Every setting; those among `overrides` are the group's own.
    pub fn describe(&self, overrides: &Overrides) -> Vec<ConfigEntry> {
        KEYS.describe(self, overrides)
    }

    /// A member that waits for partitions asks more often, for nobody can tell it when they are
    /// free.
    pub(crate) fn waiting_interval_ms(&self) -> u32 {
        (self.heartbeat_interval_ms / 10).max(50).min(self.heartbeat_interval_ms)
    }
}

impl Groups {
    /// The settings a group was given itself.
    pub(crate) fn overrides(&self, group: &str) -> Overrides {
        self.overrides.get(group).cloned().unwrap_or_default()
    }

    /// The groups that were given any.
    pub(crate) fn configured(&self) -> impl Iterator<Item = &str> {
        self.overrides.keys().map(String::as_str)
    }

    /// A group's settings in force, whether it is there or not.
    pub(crate) fn config(&self, group: &str) -> ConsumerConfig {
        let defaults = self.settings.consumer();
        let with = self.overrides.get(group).map(|overrides| defaults.with(overrides));
        // They were checked when they were set; another version may have allowed something else.
        with.and_then(Result::ok).unwrap_or(defaults)
    }

    /// Judges other settings of a group, which need not be there; None if nothing is different.
    /// Nothing has changed yet: journal the event, [`Self::apply`] it.
    pub(crate) fn configure(
        &self,
        group: &str,
        set: Vec<(String, String)>,
        unset: &[String],
    ) -> Result<Option<GroupEvent>> {
        check_group_id(group)?;
        let before = self.overrides(group);
        let overrides = KEYS.change(&before, set, unset)?;
        self.settings.consumer().with(&overrides)?;
        let group = group.to_owned();
        Ok((overrides != before).then_some(GroupEvent::GroupConfigured { group, overrides }))
    }
}
