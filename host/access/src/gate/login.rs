//! Logins with a password: by the page, and over a protocol that has sessions of its own. Both are held up by the same
//! throttle and told to the journal, never with what was typed.

use std::fmt;
use std::net::IpAddr;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use geminus_core::{Digest, Event, Severity};
use serde_json::json;

use super::{Gate, Login, principal_of_user, stamp_of};
use crate::book::User;
use crate::secret::is_same;
use crate::throttle::Throttle;
use crate::{LoginError, Now, Principal, password};

/// Where somebody comes from, as far as it is known.
enum Origin<'a> {
    Address(IpAddr),
    Protocol(&'a str),
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "from {address}"),
            Self::Protocol(over) => write!(f, "over {over}"),
        }
    }
}

impl Gate {
    /// Logs somebody in. Blocks for the hash, also when there is nobody of this name. `before` is the session that the
    /// browser brought: it ends, whoever's it was.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub fn login(
        &self,
        given: (&str, &str),
        address: IpAddr,
        before: Option<&str>,
        now: Now,
    ) -> Result<Login, LoginError> {
        let user = self.prove(given, &Origin::Address(address), now)?;
        if let Some(before) = before {
            self.sessions().end(before);
        }
        let session = self.sessions().begin(&user.name, stamp_of(&user), now.monotonic)?;
        self.tell_login(&user.name, &Origin::Address(address));
        Ok(Login { session, principal: principal_of_user(&user) })
    }

    /// Who somebody is, for a protocol with sessions of its own that does not tell addresses; `over` names it. Gives a stamp
    /// too, which changes with the password. Blocks as [`Gate::login`] does.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub fn vouch(
        &self,
        given: (&str, &str),
        over: &str,
        now: Now,
    ) -> Result<(Principal, Digest), LoginError> {
        let user = self.prove(given, &Origin::Protocol(over), now)?;
        self.tell_login(&user.name, &Origin::Protocol(over));
        Ok((principal_of_user(&user), stamp_of(&user)))
    }

    /// What a user may now; `None` when there is none of this name, or its password is another one than that of the stamp.
    #[must_use]
    pub fn standing(&self, name: &str, stamp: &Digest) -> Option<Principal> {
        let index = self.index();
        let user = index.users.get(name)?;
        is_same(&stamp_of(user), stamp).then(|| principal_of_user(user))
    }

    /// The user whose name and password these are.
    fn prove(&self, (name, secret): (&str, &str), from: &Origin<'_>, now: Now) -> Result<User, LoginError> {
        let index = self.index();
        if index.users.is_empty() && self.issuer.is_none() {
            return Err(LoginError::NoUsers);
        }
        let begun = match from {
            Origin::Address(address) => self.attempt(name, *address, now),
            Origin::Protocol(_) => {
                self.throttle().begin_named(index.users.contains_key(name).then_some(name), now.monotonic)
            }
        };
        begun.map_err(|wait| LoginError::TooMany { wait })?;
        let user = index.users.get(name);
        let right = password::is_right(secret, user.map_or(&self.nobody, |user| &user.password));
        // Removed or given another password while its hash was made: looked up anew.
        let user = user.filter(|user| right && self.index().users.get(name) == Some(user));
        let Some(user) = user else {
            self.tell_failure(index.users.contains_key(name).then_some(name), from);
            return Err(LoginError::Wrong);
        };
        match from {
            Origin::Address(address) => self.forgive(name, *address),
            Origin::Protocol(_) => self.throttle().forgive_named(name),
        }
        Ok(user.clone())
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an attempt with a password begin; else says how long to wait.
    pub(super) fn attempt(&self, name: &str, address: IpAddr, now: Now) -> Result<(), Duration> {
        self.throttle().begin(name, address, now.monotonic)
    }

    /// The attempt was right.
    pub(super) fn forgive(&self, name: &str, address: IpAddr) {
        self.throttle().forgive(name, address);
    }

    /// Ends a session; one that is none is no error.
    pub fn logout(&self, session: &str, address: IpAddr) {
        let ended = self.sessions().end(session);
        if let Some(name) = ended {
            let from = Origin::Address(address);
            self.tell("logged-out", Severity::Info, format!("{name} logged out {from}"), &name, &from);
        }
    }

    fn tell_login(&self, name: &str, from: &Origin<'_>) {
        self.tell("logged-in", Severity::Info, format!("{name} logged in {from}"), name, from);
    }

    /// What was typed as a name may be a password, so only names of users are told.
    fn tell_failure(&self, known: Option<&str>, from: &Origin<'_>) {
        let who = known.unwrap_or("somebody unknown");
        let message = format!("a login as {who} {from} failed");
        self.tell("login-failed", Severity::Warning, message, known.unwrap_or_default(), from);
    }

    fn tell(&self, kind: &str, severity: Severity, message: String, name: &str, from: &Origin<'_>) {
        let facts = match from {
            Origin::Address(address) => json!({"name": name, "address": address.to_string()}),
            Origin::Protocol(over) => json!({"name": name, "over": over}),
        };
        (self.ear)(Event::new(kind, severity, message).facts(facts));
    }
}
