//! What can go wrong with the issuer's word, in words that hold nothing of it that is secret.

use std::time::Duration;

use geminus_access::IssuerError;

use crate::TOKEN_BYTES_MAX;

/// Why a token or a login does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// Longer than any that is looked at.
    #[error(
        "the token has {0} bytes, and {TOKEN_BYTES_MAX} are the most: have the issuer put fewer claims into it"
    )]
    Size(usize),
    /// Not a signed token in three parts.
    #[error("this is no signed token (JWT)")]
    Shape,
    /// Its header names an algorithm that the site does not accept; `none` among them.
    #[error("the token's algorithm is not accepted: sign with one of access.oidc.algorithms")]
    Algorithm,
    /// The key is for another algorithm than the one that the header names.
    #[error("the token's key is for another algorithm than the one that its header names")]
    KeyAlgorithm,
    /// The issuer has no such key.
    #[error("the issuer has no key {0:?}: the token is not of this issuer, or its keys have just changed")]
    Key(String),
    /// No key is named, and there are several.
    #[error("the token names no key (kid), and the issuer has several")]
    NoKey,
    /// The signature is not the issuer's.
    #[error("the token's signature is not the issuer's")]
    Signature,
    /// A claim is missing or of another type.
    #[error("the token has no usable claim {0}")]
    Claim(&'static str),
    /// Another issuer.
    #[error("the token is of another issuer than access.oidc.issuer")]
    Issuer,
    /// For somebody else.
    #[error("the token is not for this host: its audience must be {0:?}")]
    Audience(String),
    /// Access tokens are not wanted.
    #[error(
        "access tokens of the issuer are not accepted here: set access.oidc.audience, or use a token of this host"
    )]
    NoAudience,
    /// An id token where an access token belongs.
    #[error("this is no access token: it was made for a login")]
    Kind,
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// Not yet.
    #[error(
        "the token does not count yet: the clocks of issuer and host differ by more than access.oidc.leeway_s"
    )]
    Early,
    /// Made for another login.
    #[error("the token was made for another login (nonce)")]
    Nonce,
    /// What would be the name cannot be one.
    #[error(
        "the claim {claim} is {found:?}, which cannot be a name here: use letters, digits and `.`, `_`, `-`, `@`, `+`, `|`"
    )]
    Name {
        /// Which claim.
        claim: String,
        /// The beginning of what stands there.
        found: String,
    },
    /// No name at all.
    #[error(
        "the token has no claim {0}, which says who it is: have the issuer put it in, or set access.oidc.name_claim"
    )]
    NoName(String),
    /// Two subjects of the issuer under one name.
    #[error(
        "{0} is the name of another subject of this issuer: names must be unique there, or use access.oidc.name_claim = \"sub\""
    )]
    NameTaken(String),
    /// The subject came under another name before.
    #[error(
        "{name} came as {first} before, and one person is one name here: name it {first} again at the issuer, or use access.oidc.name_claim = \"sub\""
    )]
    SecondName {
        /// The name that was brought.
        name: String,
        /// The one that counts.
        first: String,
    },
    /// The name could not be written down.
    #[error("the name cannot be kept, and without that nobody is let in: {0}")]
    NotKept(String),
    /// More names than are remembered.
    #[error("more than {0} names of the issuer were seen: start the host anew")]
    Names(usize),
    /// The issuer gives it nothing that a grant names.
    #[error("{name} has no role here: none of its {claim} is granted one (access.oidc.grant)")]
    NoRole {
        /// Who.
        name: String,
        /// The claim that was looked at.
        claim: String,
    },
    /// No such login has begun here.
    #[error("this login did not begin here, was used already or took longer than {} min: log in again", .0.as_secs() / 60)]
    State(Duration),
    /// Begun in another browser.
    #[error(
        "this login began in another browser, or under another name of this host than that of access.oidc.redirect: log in again there"
    )]
    Binding,
    /// The issuer refused.
    #[error("the issuer refused the login ({0})")]
    Denied(String),
    /// The issuer gives no tokens for the code.
    #[error("the issuer gave no tokens for this login ({0})")]
    Exchange(String),
    /// Too many logins have begun.
    #[error("too many logins have begun")]
    Pending {
        /// When the oldest of them is over.
        wait: Duration,
    },
    /// It cannot be asked.
    #[error("the issuer cannot be asked, log in with a password or a token of this host meanwhile: {0}")]
    Away(String),
    /// Its keys were got too long ago, and cannot be got anew.
    #[error(
        "the issuer's keys are older than access.oidc.keys_hours_max and could not be asked for again: {0}"
    )]
    Stale(String),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

impl From<OidcError> for IssuerError {
    fn from(error: OidcError) -> Self {
        let words = error.to_string();
        match error {
            OidcError::NoRole { .. } => Self::NoRole(words),
            OidcError::Pending { wait } => Self::TooMany { wait },
            OidcError::Away(_) | OidcError::Stale(_) | OidcError::Randomness | OidcError::Names(_) => {
                Self::Away(words)
            }
            _ => Self::Refused(words),
        }
    }
}
