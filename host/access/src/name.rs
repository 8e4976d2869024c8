//! Names of users and tokens: what they may look like.

use crate::{AccessError, NAME_CHARS_MAX};

/// Names that mean something else in the journal.
const TAKEN: [&str; 4] = ["local", "visitor", "token", "host"];

/// Refuses what cannot be a name. Names are plain ASCII in small letters, so that no two look the same.
pub(crate) fn check(name: &str) -> Result<(), AccessError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@".contains(c);
    let fine = name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(plain)
        && !TAKEN.contains(&name);
    if fine { Ok(()) } else { Err(AccessError::Name(name.chars().take(NAME_CHARS_MAX).collect())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["a", "ada", "ada.lovelace@example", "historian-2"] {
            assert!(check(name).is_ok(), "{name}");
        }
        assert!(check(&"a".repeat(NAME_CHARS_MAX)).is_ok());
        assert!(check(&"a".repeat(NAME_CHARS_MAX + 1)).is_err());
        for name in ["", "Ada", "1a", "a b", "a\n", "\u{430}da", "local", "token", "a,b", "-a"] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }
}
