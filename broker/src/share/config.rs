//! A share group's settings: Kafka's names and defaults, and one of our own.

use crate::Result;
use crate::settings::{ConfigEntry, Key, Keys, Overrides, assign, ranged};

use super::partition::Limits;

/// What holds for all share groups.
#[derive(Clone, Debug)]
pub struct ShareSettings {
    /// The most members of a group.
    pub members_max: usize,
    /// The most share sessions at a time.
    pub sessions_max: usize,
    /// The settings of a group that was given none.
    pub defaults: ShareConfig,
}

impl Default for ShareSettings {
    fn default() -> Self {
        Self { members_max: 1000, sessions_max: 10_000, defaults: ShareConfig::default() }
    }
}

/// Where a group begins to read a partition it has not read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the log's start.
    Earliest,
    /// At its end: what comes from now on.
    Latest,
    /// At what is so many milliseconds old.
    ByDuration(i64),
}

/// A share group's settings, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareConfig {
    /// Where it begins to read a partition.
    pub offset_reset: OffsetReset,
    /// How often a record is handed out before it is given up.
    pub delivery_count_limit: u16,
    /// When members are told to heartbeat.
    pub heartbeat_interval_ms: u32,
    /// Records of unfinished transactions wait, those of aborted ones are passed over.
    pub read_committed: bool,
    /// A record waits for the earlier ones with its key to be settled.
    pub order_by_key: bool,
    /// How many records of a partition may be under way.
    pub record_locks_max: u32,
    /// How long a member may keep a record without a word.
    pub lock_duration_ms: u32,
    /// Members may begin a record's lock anew.
    pub renew: bool,
    /// A member silent for this long is removed.
    pub session_timeout_ms: u32,
}

impl Default for ShareConfig {
    fn default() -> ShareConfig {
        ShareConfig {
            offset_reset: OffsetReset::Latest,
            delivery_count_limit: 5,
            heartbeat_interval_ms: 5_000,
            read_committed: false,
            order_by_key: false,
            record_locks_max: 2_000,
            lock_duration_ms: 30_000,
            renew: true,
            session_timeout_ms: 45_000,
        }
    }
}

const KEYS: Keys<ShareConfig> = Keys { of: "share group", keys: SHARE_KEYS };

const SHARE_KEYS: &[Key<ShareConfig>] = &[
    Key {
        name: "share.auto.offset.reset",
        allowed: "latest, earliest or by_duration:PnDTnHnMn.nS",
        doc: "Where the group begins to read a partition it has not read before.",
        set: |config, value| assign(&mut config.offset_reset, OffsetReset::parse(value)),
        get: |config| config.offset_reset.to_string(),
    },
    Key {
        name: "share.delivery.count.limit",
        allowed: "1 to 100",
        doc: "How often a record is handed out before it is given up.",
        set: |config, value| assign(&mut config.delivery_count_limit, ranged(value, 1, 100)),
        get: |config| config.delivery_count_limit.to_string(),
    },
    Key {
        name: "share.heartbeat.interval.ms",
        allowed: "100 to 600000",
        doc: "When members are told to heartbeat.",
        set: |config, value| assign(&mut config.heartbeat_interval_ms, ranged(value, 100, 600_000)),
        get: |config| config.heartbeat_interval_ms.to_string(),
    },
    Key {
        name: "share.isolation.level",
        allowed: "read_uncommitted or read_committed",
        doc: "Whether records of aborted transactions are passed over, and unfinished ones waited for.",
        set: |config, value| {
            let committed = match value {
                "read_committed" => Some(true),
                "read_uncommitted" => Some(false),
                _ => None,
            };
            assign(&mut config.read_committed, committed)
        },
        get: |config| {
            let level = if config.read_committed { "read_committed" } else { "read_uncommitted" };
            level.to_owned()
        },
    },
    Key {
        name: "share.order.by.key",
        allowed: "true or false",
        doc: "Whether a record waits for the earlier ones with its key to be settled.",
        set: |config, value| assign(&mut config.order_by_key, value.parse().ok()),
        get: |config| config.order_by_key.to_string(),
    },
    Key {
        name: "share.partition.max.record.locks",
        allowed: "1 to 100000",
        doc: "How many records of a partition may be under way.",
        set: |config, value| assign(&mut config.record_locks_max, ranged(value, 1, 100_000)),
        get: |config| config.record_locks_max.to_string(),
    },
    Key {
        name: "share.record.lock.duration.ms",
        allowed: "100 to 3600000",
        doc: "How long a member may keep a record without a word.",
        set: |config, value| assign(&mut config.lock_duration_ms, ranged(value, 100, 3_600_000)),
        get: |config| config.lock_duration_ms.to_string(),
    },
    Key {
        name: "share.renew.acknowledge.enable",
        allowed: "true or false",
        doc: "Whether members may begin a record's lock anew.",
        set: |config, value| assign(&mut config.renew, value.parse().ok()),
        get: |config| config.renew.to_string(),
    },
    Key {
        name: "share.session.timeout.ms",
        allowed: "1000 to 3600000",
        doc: "A member silent for this long is removed.",
        set: |config, value| assign(&mut config.session_timeout_ms, ranged(value, 1000, 3_600_000)),
        get: |config| config.session_timeout_ms.to_string(),
    },
];

impl ShareConfig {
    /// These settings with `overrides` on top.
    ///
    /// # Errors
    /// [`InvalidConfig`](crate::Error::InvalidConfig) names the key, the value and what is allowed.
    pub fn with(&self, overrides: &Overrides) -> Result<ShareConfig> {
        KEYS.with(self, overrides)
    }

    /// Every setting; those among `overrides` are the group's own.
    pub fn describe(&self, overrides: &Overrides) -> Vec<ConfigEntry> {
        KEYS.describe(self, overrides)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            deliveries: self.delivery_count_limit,
            window: u64::from(self.record_locks_max),
            lock_ms: i64::from(self.lock_duration_ms),
            by_key: self.order_by_key,
        }
    }
}

/// `before` with some settings set and others back at their defaults.
pub(crate) fn changed(
    before: &Overrides,
    set: Vec<(String, String)>,
    unset: &[String],
) -> Result<Overrides> {
    KEYS.change(before, set, unset)
}

impl OffsetReset {
    fn parse(value: &str) -> Option<OffsetReset> {
        match value.to_ascii_lowercase().as_str() {
            "earliest" => Some(OffsetReset::Earliest),
            "latest" => Some(OffsetReset::Latest),
            other => {
                let text = other.strip_prefix("by_duration:")?.to_ascii_uppercase();
                duration_ms(&text).map(OffsetReset::ByDuration)
            }
        }
    }
}

impl std::fmt::Display for OffsetReset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OffsetReset::Earliest => f.write_str("earliest"),
            OffsetReset::Latest => f.write_str("latest"),
            OffsetReset::ByDuration(ms) => {
                write!(f, "by_duration:PT{}.{:03}S", ms / 1000, ms % 1000)
            }
        }
    }
}

/// Milliseconds of an ISO 8601 duration of days and less, such as P1DT2H or PT0.5S.
fn duration_ms(text: &str) -> Option<i64> {
    let text = text.strip_prefix('P')?;
    let (days, times) = text.split_once('T').map_or((text, None), |(d, t)| (d, Some(t)));
    if times.is_some_and(str::is_empty) || text.is_empty() {
        return None;
    }
    let units = [(days, &[('D', 86_400_000)][..]), (times.unwrap_or(""), TIMES)];
    let mut total = 0_i64;
    for (mut rest, mut units) in units {
        while !rest.is_empty() {
            let at = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let unit = rest[at..].chars().next()?;
            let found = units.iter().position(|(name, _)| *name == unit)?;
            let number = &rest[..at];
            let ms = if unit == 'S' {
                seconds_ms(number)?
            } else {
                number.parse::<u32>().ok().map(i64::from)?.checked_mul(units[found].1)?
            };
            total = total.checked_add(ms)?;
            units = &units[found + 1..];
            rest = &rest[at + 1..];
        }
    }
    Some(total)
}

const TIMES: &[(char, i64)] = &[('H', 3_600_000), ('M', 60_000), ('S', 1000)];

fn seconds_ms(number: &str) -> Option<i64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if part.is_empty() || part.len() > 9 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: String = part.chars().chain("000".chars()).take(3).collect();
    let whole = i64::from(whole.parse::<u32>().ok()?);
    whole.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_describe_shows_can_be_set() {
        let shown = ShareConfig::default();
        let all: Overrides = shown
            .describe(&Overrides::new())
            .into_iter()
            .map(|e| (e.key.to_owned(), e.value))
            .collect();
        assert_eq!(ShareConfig::default().with(&all).unwrap(), shown);
        assert!(KEYS.keys.is_sorted_by_key(|key| key.name));
    }

    #[test]
    fn durations_are_iso_8601() {
        for (text, ms) in [
            ("PT1H", 3_600_000),
            ("P1DT2M", 86_520_000),
            ("PT0.5S", 500),
            ("PT1.25S", 1250),
            ("P2D", 172_800_000),
        ] {
            assert_eq!(duration_ms(text), Some(ms), "{text}");
        }
        for text in ["", "P", "PT", "1H", "PT1D", "PT1M1H", "PTxS", "PT-1S", "P1", "PT.5S"] {
            assert_eq!(duration_ms(text), None, "{text}");
        }
        let reset = OffsetReset::parse("by_duration:pt1h").unwrap();
        assert_eq!(OffsetReset::parse(&reset.to_string()), Some(reset));
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_is_allowed() {
        for (key, value) in [
            ("share.auto.offset.reset", "by_duration:1h"),
            ("share.delivery.count.limit", "0"),
            ("share.isolation.level", "committed"),
            ("retention.ms", "1"),
        ] {
            let overrides = Overrides::from([(key.to_owned(), value.to_owned())]);
            let message = ShareConfig::default().with(&overrides).unwrap_err().to_string();
            assert!(message.contains(key), "{message}");
        }
    }
}
