//! Secrets that programs and browsers bring: made here from the system's randomness, shown once, kept as SHA-256.
//!
//! A fast hash is enough: 256 random bits cannot be guessed, so nothing is gained by making each guess dear.

use std::fmt;

use geminus_core::Digest;
use subtle::ConstantTimeEq as _;

use crate::AccessError;

/// What a token begins with, so that a scanner for leaked secrets can know it.
pub const TOKEN_MARK: &str = "geminus_";
/// Longest text that is looked at as a secret.
const SECRET_BYTES_MAX: usize = 256;

/// A secret on its way to whoever asked for it. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A token of a program: `geminus_` and 64 hexadecimal digits.
    pub(crate) fn token() -> Result<Self, AccessError> {
        Ok(Self(format!("{TOKEN_MARK}{}", hexadecimal(&random()?))))
    }

    /// The id of a session: 64 hexadecimal digits.
    pub(crate) fn session() -> Result<Self, AccessError> {
        Ok(Self(hexadecimal(&random()?)))
    }

    /// What is used once on the way of a login over an issuer: 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn once() -> Result<Self, AccessError> {
        Self::session()
    }

    /// To be shown once and not kept.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The digest of what was brought; `None` when it is too long to be a secret of ours.
pub(crate) fn digest_of(brought: &[u8]) -> Option<Digest> {
    (!brought.is_empty() && brought.len() <= SECRET_BYTES_MAX).then(|| Digest::of(brought))
}

/// Takes as long whatever differs.
pub(crate) fn is_same(a: &Digest, b: &Digest) -> bool {
    a.bytes().ct_eq(b.bytes()).into()
}

/// 32 bytes that nobody can guess.
pub(crate) fn random() -> Result<[u8; 32], AccessError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| AccessError::Randomness(error.to_string()))?;
    Ok(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_do_not_show_themselves() {
        let (a, b) = (Secret::token().expect("a"), Secret::token().expect("b"));
        assert_ne!(a, b);
        assert!(a.reveal().starts_with(TOKEN_MARK) && a.reveal().len() == 72);
        assert_eq!(Secret::session().expect("id").reveal().len(), 64);
        assert_eq!(format!("{a:?}"), "Secret(…)");
        assert!(is_same(&a.digest(), &a.digest()) && !is_same(&a.digest(), &b.digest()));
        assert_eq!(digest_of(a.reveal().as_bytes()), Some(a.digest()));
        assert_eq!(digest_of(&[b'a'; SECRET_BYTES_MAX + 1]), None);
        assert_eq!(digest_of(b""), None);
    }
}
