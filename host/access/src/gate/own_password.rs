//! One's own password, changed by whoever knows the present one: not by an admin, and not by whoever finds an open page.
//!
//! The present password is guarded as a login is, by the same throttle: a session that was left open is no way to guess it. The
//! session that asks goes on, all others of the user end.

use std::net::IpAddr;

use geminus_core::{Digest, Event, Severity};
use serde_json::json;

use super::{Gate, word};
use crate::book::{Book, Change, User};
use crate::{AccessError, Kind, Now, Principal, password};

/// What is asked for: the present password, and the one that is to be.
#[derive(Clone, Copy)]
pub struct PasswordWish<'a> {
    /// The one that opens now.
    pub current: &'a str,
    /// The one that shall.
    pub new: &'a str,
}

/// Shows no secret.
impl std::fmt::Debug for PasswordWish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordWish").finish_non_exhaustive()
    }
}

/// Why a password stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Not the present one.
    #[error("this is not your present password")]
    Wrong,
    /// Programs and visitors have none.
    #[error("{0} has no password: log in as a user to change yours")]
    NoPerson(String),
    /// It would change nothing.
    #[error("the new password is the present one: choose another")]
    Same,
    /// Too many failed before.
    #[error("too many failed attempts: try again in {} s", .wait.as_secs().max(1))]
    TooMany {
        /// How long nothing is tried.
        wait: std::time::Duration,
    },
    /// It cannot be one, or cannot be written down.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl Gate {
    /// Gives whoever asks another password, if the present one is right. `session` is the one that asks: it goes on, the
    /// others of this user end. Blocks for two hashes and for the disk.
    ///
    /// # Errors
    /// See [`PasswordError`].
    pub fn change_own_password(
        &self,
        who: &Principal,
        wish: PasswordWish<'_>,
        (session, address): (Option<&str>, IpAddr),
        now: Now,
    ) -> Result<(), PasswordError> {
        let name = &who.name;
        let index = self.index();
        let user = index.users.get(name).filter(|_| who.kind == Kind::Person);
        let before = user.cloned().ok_or_else(|| PasswordError::NoPerson(name.clone()))?;
        // What cannot be a password is told before an attempt is counted.
        password::check(name, wish.new)?;
        self.attempt(name, address, now).map_err(|wait| PasswordError::TooMany { wait })?;
        if !password::is_right(wish.current, &before.password) {
            let message =
                format!("{name} could not change the password from {address}: the present one was wrong");
            let facts = json!({"name": name, "address": address.to_string()});
            (self.ear)(Event::new("password-refused", Severity::Warning, message).facts(facts));
            return Err(PasswordError::Wrong);
        }
        self.forgive(name, address);
        if wish.new == wish.current {
            return Err(PasswordError::Same);
        }
        let user = User { password: password::hash(wish.new)?, ..before.clone() };
        if let Some(session) = session {
            // Before it is written: the page asks all the time, and must not be thrown out in between.
            let stamps = [&before, &user].map(|user| Digest::of(user.password.as_bytes()));
            self.sessions().expect_password(session, name, stamps.into());
        }
        let allowed = |book: &Book| match book.users.contains(&before) {
            true => Ok(()),
            false => Err(AccessError::Unknown { what: "user", name: name.clone() }),
        };
        let word = word("password-set", format!("{name} changed the own password"), name, name);
        self.change(&Change::PutUser(user), word, &allowed)?;
        Ok(())
    }
}
