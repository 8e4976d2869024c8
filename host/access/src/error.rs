//! What can go wrong here, in words for whoever can change it.

use std::time::Duration;

use crate::book::KeepError;
use crate::password::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use crate::{NAME_CHARS_MAX, TOKENS_MAX, USERS_MAX};

/// Why a user or token could not be made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A name that none may have.
    #[error(
        "{0:?} cannot be a name: use 1 to {NAME_CHARS_MAX} small letters, digits and `.`, `_`, `-`, `@`, a letter first; `local`, `visitor`, `token` and `host` are taken"
    )]
    Name(String),
    /// No such role.
    #[error("{0:?} is no role: roles are viewer, operator, engineer, approver and admin")]
    Role(String),
    /// A name without a role.
    #[error("give at least one role: viewer, operator, engineer, approver or admin")]
    NoRole,
    /// No twin can have such an id.
    #[error(
        "{0:?} matches no twin: patterns hold letters, digits, `-`, `_`, `.`, `:`, and `*` and `?` as wildcards"
    )]
    Pattern(String),
    /// Too few or too many patterns.
    #[error("a scope has 1 to {limit} patterns; `*` is every twin")]
    ScopeSize {
        /// Most there may be.
        limit: usize,
    },
    /// A password too short or too long to be one.
    #[error(
        "a password has at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes, and is not the name"
    )]
    Password,
    /// The name is in use.
    #[error("there is a {what} {name} already: choose another name, or remove that one first")]
    Taken {
        /// `user` or `token`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// There is none of this name.
    #[error("there is no {what} {name}")]
    Unknown {
        /// `user` or `token`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// It would leave nobody who could make another one.
    #[error("{0} is the last admin of all twins: make another one first")]
    LastAdmin(String),
    /// The first user must be able to make others.
    #[error("the first user must be an admin of all twins: whoever else would come first could make nobody")]
    FirstAdmin,
    /// The expiry has passed already.
    #[error("the token would have expired already: give an expiry that is to come, or none")]
    Expired,
    /// As many users as there can be.
    #[error("there are {USERS_MAX} users already: remove one first")]
    Users,
    /// As many tokens as there can be.
    #[error("there are {TOKENS_MAX} tokens already: remove one first")]
    Tokens,
    /// The hash of a password could not be made or read.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
    /// It could not be written down or read; then nothing has changed.
    #[error(transparent)]
    Keep(#[from] KeepError),
}

/// Why a login was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Nobody of this name, or another password: which of both is not said.
    #[error("this name and this password do not belong together")]
    Wrong,
    /// Too many failed before.
    #[error("too many failed logins: try again in {} s", .wait.as_secs().max(1))]
    TooMany {
        /// How long nothing is tried.
        wait: Duration,
    },
    /// There is nobody to log in as.
    #[error(
        "this site has no users: everything is read without a login, and the token of the data folder writes"
    )]
    NoUsers,
    /// The issuer's word does not open.
    #[error(transparent)]
    Issuer(#[from] crate::IssuerError),
    /// The system failed, not the person.
    #[error(transparent)]
    Fault(#[from] AccessError),
}
