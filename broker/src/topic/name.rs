//! Which names a topic may have: Kafka's.

use crate::{Error, Result};

const LONGEST: usize = 249;

/// Checks a topic's name.
///
/// # Errors
/// [`Error::IllegalTopicName`], saying which rule it breaks.
pub(crate) fn check(name: &str) -> Result<()> {
    let reason = if name.is_empty() {
        "it is empty; use 1 to 249 characters".to_owned()
    } else if name == "." || name == ".." {
        "it is reserved; use any other of letters, digits, '.', '_' and '-'".to_owned()
    } else if name.len() > LONGEST {
        format!("it has {} characters; use at most {LONGEST}", name.len())
    } else if let Some(wrong) = name.chars().find(|&c| !is_legal(c)) {
        format!("it has a {wrong:?}; use letters, digits, '.', '_' and '-' only")
    } else {
        return Ok(());
    };
    let name = name.chars().take(LONGEST).collect();
    Err(Error::IllegalTopicName { name, reason })
}

fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_names_are_legal() {
        for name in ["a", "A-b_c.9", "...", "_", &"x".repeat(249)] {
            check(name).unwrap();
        }
    }

    #[test]
    fn others_are_not() {
        for name in ["", ".", "..", "a b", "a/b", "ä", "a\0", &"x".repeat(250)] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }
}
