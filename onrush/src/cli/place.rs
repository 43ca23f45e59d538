//! Where reading begins, as a person writes it: `start`, `end`, an offset, or a time.

use jiff::Timestamp;
use std::str::FromStr;

/// A place in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first record that is kept.
    Start,
    /// After the last record.
    End,
    /// An offset.
    Offset(u64),
    /// The first record at or after this time, milliseconds since 1970.
    Time(i64),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "start" | "earliest" => return Ok(Self::Start),
            "end" | "latest" => return Ok(Self::End),
            _ => {}
        }
        if let Ok(offset) = text.parse() {
            return Ok(Self::Offset(offset));
        }
        if let Some(time) = text.strip_suffix("ms").and_then(|digits| digits.parse().ok()) {
            return Ok(Self::Time(time));
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self::Time(time.as_millisecond()));
        }
        Err(format!(
            "{text:?} is no place in a log: use start, end, an offset such as 42, or a time such \
             as 2026-11-21T10:00:00Z or 1763719200000ms"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_understood() {
        assert_eq!("start".parse(), Ok(Place::Start));
        assert_eq!("end".parse(), Ok(Place::End));
        assert_eq!("42".parse(), Ok(Place::Offset(42)));
        assert_eq!("42ms".parse(), Ok(Place::Time(42)));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Place::Time(1000)));
    }

    #[test]
    fn anything_else_is_refused_with_the_forms() {
        assert!("yesterday".parse::<Place>().unwrap_err().contains("2026-11-21T10:00:00Z"));
    }
}
