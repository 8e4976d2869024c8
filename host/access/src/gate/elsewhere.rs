//! Logins and tokens of an issuer at the gate: the same sessions, the same limits, the same journal as with a password.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use geminus_core::{Event, Severity};
use serde_json::json;

use super::{Admission, Gate, Login};
use crate::{Answered, Begun, Issuer, IssuerError, LoginError, Now, Vouched};

impl Gate {
    /// The same gate, to which this issuer vouches for people and programs. A site with one is never open: whoever comes
    /// logs in, also while there are no users.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Arc<dyn Issuer>) -> Self {
        self.issuer = Some(issuer);
        self
    }

    /// Whoever else vouches, if anybody.
    #[must_use]
    pub fn issuer(&self) -> Option<&Arc<dyn Issuer>> {
        self.issuer.as_ref()
    }

    /// Whether people log in here, over a password or the issuer.
    #[must_use]
    pub fn has_logins(&self) -> bool {
        self.issuer.is_some() || self.has_users()
    }

    pub(super) fn is_of_issuer(&self, token: &[u8]) -> bool {
        self.issuer.as_ref().is_some_and(|issuer| issuer.is_token(token))
    }

    /// Whether this token could be judged after [`Gate::fetch_keys`] only.
    #[must_use]
    pub fn wants_keys(&self, token: &[u8], now: Now) -> bool {
        self.issuer.as_ref().is_some_and(|issuer| issuer.is_token(token) && issuer.wants_keys(token, now))
    }

    /// Asks the issuer for its keys. Blocks on the network.
    pub fn fetch_keys(&self, now: Now) {
        if let Some(issuer) = &self.issuer {
            issuer.fetch(now);
        }
    }

    pub(super) fn vouched(&self, token: &[u8], now: Now) -> Admission {
        let vouched = self
            .issuer
            .as_ref()
            .ok_or(IssuerError::None)
            .and_then(|issuer| issuer.vouch(token, Now { wall: self.latest(now), ..now }));
        match vouched {
            Ok(vouched) => Admission::Known(vouched.principal),
            Err(error) => Admission::Refused(error),
        }
    }

    /// Begins a login over the issuer. Blocks on the network.
    ///
    /// # Errors
    /// See [`IssuerError`].
    pub fn begin_elsewhere(&self, address: IpAddr, now: Now) -> Result<Begun, IssuerError> {
        self.issuer.as_ref().ok_or(IssuerError::None)?.begin(address, now)
    }

    /// Ends a login over the issuer, with a session like that of a password. Failures are counted by address. Blocks on the
    /// network. `before` is the session that the browser brought: it ends, whoever's it was.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub fn finish_elsewhere(
        &self,
        answered: Answered<'_>,
        address: IpAddr,
        before: Option<&str>,
        now: &dyn Fn() -> Now,
    ) -> Result<Login, LoginError> {
        let issuer = self.issuer.as_ref().ok_or(IssuerError::None)?;
        let throttle = || self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = throttle().begin_unnamed(address, now().monotonic);
        begun.map_err(|wait| LoginError::TooMany { wait })?;
        let vouched = issuer.finish(answered, now).inspect_err(|error| {
            let message = format!("a login over {} from {address} failed: {error}", issuer.name());
            let facts = json!({"name": "", "address": address.to_string(), "issuer": issuer.name()});
            (self.ear)(Event::new("login-failed", Severity::Warning, message).facts(facts));
        })?;
        throttle().forgive_unnamed(address);
        if let Some(before) = before {
            self.sessions().end(before);
        }
        let Vouched { principal, subject } = vouched;
        let session = self.sessions().begin_guest(principal.clone(), now().monotonic)?;
        let message = format!("{} logged in from {address} over {}", principal.name, issuer.name());
        let facts = json!({
            "name": principal.name, "address": address.to_string(), "issuer": issuer.name(), "subject": subject,
        });
        (self.ear)(Event::new("logged-in", Severity::Info, message).facts(facts));
        Ok(Login { session, principal })
    }
}
