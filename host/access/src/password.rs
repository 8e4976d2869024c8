//! Passwords: hashed with Argon2id, compared at the same cost whether or not there is such a user.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::AccessError;
use crate::secret::random;

/// Shortest password.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password: what is longer costs the host and guards nothing.
pub const PASSWORD_BYTES_MAX: usize = 256;

/// Memory of one hash in KiB, passes over it, lanes: RFC 9106 knows them as m, t and p. 19 MiB and two passes are what
/// OWASP's password storage guide names as its least for Argon2id.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Refuses what is too short to guard anything.
pub(crate) fn check(name: &str, password: &str) -> Result<(), AccessError> {
    let fine = password.chars().count() >= PASSWORD_CHARS_MIN
        && password.len() <= PASSWORD_BYTES_MAX
        && !password.eq_ignore_ascii_case(name);
    if fine { Ok(()) } else { Err(AccessError::Password) }
}

/// The hash with its salt and costs, as a PHC string. Takes tens of milliseconds of one core and 19 MiB.
pub(crate) fn hash(password: &str) -> Result<String, AccessError> {
    let failed = |error: argon2::password_hash::Error| AccessError::Hash(error.to_string());
    let bytes = random()?;
    let salt = SaltString::encode_b64(bytes.get(..16).unwrap_or(&bytes)).map_err(failed)?;
    let hash = argon2()?.hash_password(password.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed. Costs what [`hash`] costs, and compares in constant time. What is too
/// long to be a password is cut, so that it takes no longer; it could not have been set.
pub(crate) fn is_right(password: &str, kept: &str) -> bool {
    let fits = password.len() <= PASSWORD_BYTES_MAX;
    let bytes = password.as_bytes();
    let tried = bytes.get(..PASSWORD_BYTES_MAX).unwrap_or(bytes);
    let (Ok(argon2), Ok(hash)) = (argon2(), PasswordHash::new(kept)) else { return false };
    argon2.verify_password(tried, &hash).is_ok() && fits
}

fn argon2() -> Result<Argon2<'static>, AccessError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    let params = params.map_err(|error| AccessError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_that_was_hashed_is_right() {
        let kept = hash("correct horse battery").expect("hash");
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(!kept.contains("horse"));
        assert_ne!(hash("correct horse battery").expect("hash"), kept, "each has a salt of its own");
        assert!(is_right("correct horse battery", &kept));
        for wrong in ["", "correct horse batterY", "correct horse battery "] {
            assert!(!is_right(wrong, &kept), "{wrong:?}");
        }
        assert!(!is_right("correct horse battery", "no hash"));
        let long = "x".repeat(PASSWORD_BYTES_MAX);
        let kept = hash(&long).expect("hash");
        assert!(is_right(&long, &kept) && !is_right(&format!("{long}y"), &kept));
    }

    #[test]
    fn what_guards_nothing_is_refused() {
        for (password, fine) in [
            ("eleven char", false),
            ("twelve chars", true),
            ("éééééééééééé", true),
            ("ADA.LOVELACE.1", false),
        ] {
            assert_eq!(check("ada.lovelace.1", password).is_ok(), fine, "{password}");
        }
        assert!(check("ada", &"x".repeat(PASSWORD_BYTES_MAX)).is_ok());
        assert!(check("ada", &"x".repeat(PASSWORD_BYTES_MAX + 1)).is_err());
    }
}
