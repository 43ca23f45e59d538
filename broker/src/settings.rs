//! Settings by name, as Kafka has them: tables of keys, each of which says how it is read, shown and
//! explained.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// The settings a topic or a group was given, by key; what is absent has its default.
pub type Overrides = BTreeMap<String, String>;

/// Where the value of a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Built in.
    Default,
    /// The broker's configuration.
    Broker,
    /// The topic, or the group, was given it.
    Topic,
}

/// One setting, as `describe` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its key.
    pub key: &'static str,
    /// The value in force.
    pub value: String,
    /// Where that comes from.
    pub source: ConfigSource,
    /// Whether it can be changed only by a restart.
    pub read_only: bool,
    /// What it does.
    pub documentation: &'static str,
}

/// One key of the settings `C`.
pub(crate) struct Key<C> {
    pub(crate) name: &'static str,
    /// What it may be, for whoever tried something else.
    pub(crate) allowed: &'static str,
    pub(crate) doc: &'static str,
    /// Nothing: that is not allowed.
    pub(crate) set: fn(&mut C, &str) -> Option<()>,
    pub(crate) get: fn(&C) -> String,
}

/// All keys of the settings `C`.
pub(crate) struct Keys<C: 'static> {
    /// What has these settings, as in "no topic has this key".
    pub(crate) of: &'static str,
    pub(crate) keys: &'static [Key<C>],
}

impl<C: Clone + Default> Keys<C> {
    /// Refuses a key that there is none of.
    pub(crate) fn find(&self, name: &str) -> Result<&'static Key<C>> {
        self.keys.iter().find(|key| key.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.keys.iter().map(|key| key.name).collect();
            let name: String = name.chars().take(100).collect();
            let reason = format!("no {} has this key; it has {}", self.of, known.join(", "));
            Error::invalid_config(name, reason)
        })
    }

    /// Changes one setting; the refusal names the key, the value and what is allowed.
    pub(crate) fn set(&self, config: &mut C, name: &str, value: &str) -> Result<()> {
        let key = self.find(name)?;
        (key.set)(config, value).ok_or_else(|| {
            let value: String = value.chars().take(100).collect();
            Error::invalid_config(name, format!("{value:?} is not allowed; use {}", key.allowed))
        })
    }

    /// `config` with `overrides` on top.
    pub(crate) fn with(&self, config: &C, overrides: &Overrides) -> Result<C> {
        let mut config = config.clone();
        for (name, value) in overrides {
            self.set(&mut config, name, value)?;
        }
        Ok(config)
    }

    /// `before` with some set and others back at their defaults. The values are not looked at.
    pub(crate) fn change(
        &self,
        before: &Overrides,
        set: Vec<(String, String)>,
        unset: &[String],
    ) -> Result<Overrides> {
        for key in unset {
            self.find(key)?;
            if set.iter().any(|(set, _)| set == key) {
                return Err(Error::invalid_config(key, "it is both set and unset; choose one"));
            }
        }
        let mut after = before.clone();
        after.retain(|key, _| !unset.contains(key));
        after.extend(set);
        Ok(after)
    }

    /// Every setting of `config`, of which `overrides` were given to this very topic or group.
    pub(crate) fn describe(&self, config: &C, overrides: &Overrides) -> Vec<ConfigEntry> {
        let built_in = C::default();
        let entry = |key: &Key<C>| {
            let given = overrides.get(key.name);
            // What changes nothing here is shown as it was given.
            let value = given.cloned().unwrap_or_else(|| (key.get)(config));
            let source = if given.is_some() {
                ConfigSource::Topic
            } else if value == (key.get)(&built_in) {
                ConfigSource::Default
            } else {
                ConfigSource::Broker
            };
            let (key, documentation) = (key.name, key.doc);
            ConfigEntry { key, value, source, read_only: false, documentation }
        };
        self.keys.iter().map(entry).collect()
    }
}

/// Puts a value into its place, if it is one.
pub(crate) fn assign<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

/// A number from `least` to `most`.
pub(crate) fn ranged<T: TryFrom<u64>>(value: &str, least: u64, most: u64) -> Option<T> {
    let value: u64 = value.parse().ok()?;
    (least..=most).contains(&value).then(|| T::try_from(value).ok())?
}
