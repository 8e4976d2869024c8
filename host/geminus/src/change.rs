//! From one version to another, in words, for marks, journal and command line.
//!
//! Whoever works on a plugin swaps again and again under one version number. Then the number tells nothing, and the
//! digests are named too.

use geminus_core::Digest;

/// Hexadecimal digits of a digest that tell versions apart, as [`Digest::short`] has them.
const SHORT: usize = 12;

/// A version as people know it (`1.4.0`, `name@1.4.0`), and its digest as `sha256:…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    pub(crate) label: &'a str,
    pub(crate) digest: &'a str,
}

impl<'a> Named<'a> {
    pub(crate) fn new(label: &'a str, digest: &'a str) -> Self {
        Self { label, digest }
    }

    /// Its label; with its digest where `other` is called the same and is not.
    pub(crate) fn beside(self, other: Self) -> String {
        match self.label == other.label && self.digest != other.digest {
            true => format!("{} {}", self.label, short(self.digest)),
            false => self.label.to_owned(),
        }
    }
}

/// `from → to`; `None`: there was nothing.
pub(crate) fn change(from: Option<Named<'_>>, to: Named<'_>) -> String {
    let before = from.map_or_else(|| "nothing".to_owned(), |from| from.beside(to));
    let after = from.map_or_else(|| to.label.to_owned(), |from| to.beside(from));
    format!("{before} → {after}")
}

fn short(digest: &str) -> String {
    match digest.parse::<Digest>() {
        Ok(digest) => digest.short(),
        Err(_) => digest.chars().take(SHORT).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_tell_versions_of_one_number_apart_and_no_others() {
        let digests = [b"one", b"two"].map(|bytes| Digest::of(bytes));
        let [one, two] = digests.map(|digest| digest.to_string());
        let shorts = digests.map(|digest| digest.short());
        let check = |from: Option<(&str, &str)>, to: (&str, &str), expect: &str| {
            let from = from.map(|(label, digest)| Named::new(label, digest));
            assert_eq!(change(from, Named::new(to.0, to.1)), expect);
        };
        check(None, ("0.1.0", &one), "nothing → 0.1.0");
        check(Some(("0.1.0", &one)), ("0.2.0", &two), "0.1.0 → 0.2.0");
        let apart = format!("a@0.1.0 {} → a@0.1.0 {}", shorts[0], shorts[1]);
        check(Some(("a@0.1.0", &one)), ("a@0.1.0", &two), &apart);
        // Other parameters for the same component: its digest would say nothing either.
        check(Some(("0.1.0", &one)), ("0.1.0", &one), "0.1.0 → 0.1.0");
    }
}
