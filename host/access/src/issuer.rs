//! Whoever else vouches for people and programs: an issuer of OpenID Connect, say. The gate asks; nothing of the protocol is
//! known here, and the feature `oidc` of the binary brings the one that there is.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::{Now, Principal, Secret};

/// Where the issuer sends a browser back to, on this host.
pub const CALLBACK: &str = "/api/v1/session/oidc/callback";

/// Somebody for whom the issuer vouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Who it is here, and what that one may. Its name cannot be that of a user.
    pub principal: Principal,
    /// Who it is for the issuer, for good: names change.
    pub subject: String,
}

/// A login that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Where the browser goes. Holds nothing that is secret towards the issuer.
    pub url: String,
    /// What the browser keeps until it comes back, so that nobody can finish another's login.
    pub binding: Secret,
}

/// What the browser brings back from the issuer.
#[derive(Clone, Copy)]
pub struct Answered<'a> {
    /// Which login it is.
    pub state: &'a str,
    /// What the browser has kept.
    pub binding: &'a str,
    /// What the issuer gives tokens for, once; or the name of its refusal.
    pub code: Result<&'a str, &'a str>,
    /// Who says so, if it says it (RFC 9207).
    pub issuer: Option<&'a str>,
}

/// Everything in it is secret for a while.
impl fmt::Debug for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answered(…)")
    }
}

/// Why the issuer's word does not open. The words hold no token and nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// It is not the issuer's word, or does not count any more, or not here.
    #[error("{0}")]
    Refused(String),
    /// The issuer vouches for somebody who may nothing here.
    #[error("{0}")]
    NoRole(String),
    /// The issuer cannot be asked; it may go better later.
    #[error("{0}")]
    Away(String),
    /// Too much of it at once.
    #[error("too many logins over the issuer: try again in {} s", .wait.as_secs().max(1))]
    TooMany {
        /// How long nothing is tried.
        wait: Duration,
    },
    /// There is none.
    #[error("this site has no issuer of logins: log in with a password, or give one in [access.oidc]")]
    None,
}

/// An issuer, as the gate sees it.
pub trait Issuer: fmt::Debug + Send + Sync {
    /// What people call it.
    fn title(&self) -> &str;

    /// Its name among issuers, for the journal.
    fn name(&self) -> &str;

    /// Whether this has the looks of a token of an issuer, and not of one of ours.
    fn is_token(&self, token: &[u8]) -> bool;

    /// Whether [`Issuer::fetch`] could help with this token: it is signed with a key that is not known, and asking for keys
    /// again is not too early.
    fn wants_keys(&self, token: &[u8], now: Now) -> bool;

    /// Asks for its keys. Blocks on the network for a bounded time; what goes wrong is remembered for who asks next.
    fn fetch(&self, now: Now);

    /// For whom the token vouches. Takes a fraction of a millisecond and asks nobody.
    ///
    /// # Errors
    /// See [`IssuerError`].
    fn vouch(&self, token: &[u8], now: Now) -> Result<Vouched, IssuerError>;

    /// Begins a login. Blocks on the network when the issuer has not been asked before.
    ///
    /// # Errors
    /// See [`IssuerError`].
    fn begin(&self, address: IpAddr, now: Now) -> Result<Begun, IssuerError>;

    /// Ends a login, whose state counts once. Blocks on the network for a bounded time, so it is told what time it is when it
    /// asks.
    ///
    /// # Errors
    /// See [`IssuerError`].
    fn finish(&self, answered: Answered<'_>, now: &dyn Fn() -> Now) -> Result<Vouched, IssuerError>;
}
