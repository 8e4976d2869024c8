//! Who may do what: users, tokens, sessions, roles by scope of twins, and how often a login may fail.
//!
//! The [`Gate`] answers one question, who asks, and a [`Principal`] answers the other, what that one may do. Nothing here
//! reads a clock, a file or a socket: time is an argument, and what outlives the process is kept by a [`Keep`], which the
//! binary implements over the store. Only randomness is taken from the system. Secrets leave this room once, in the answer
//! to whoever made them; what is kept are their hashes.

mod book;
mod error;
mod gate;
mod issuer;
mod name;
mod password;
mod principal;
mod role;
mod scope;
mod secret;
mod session;
#[cfg(test)]
mod tests;
mod throttle;

pub use book::{Allowed, Book, Change, Keep, KeepError, NoKeep, Token, TokenWish, User, UserWish, Verdict};
pub use error::{AccessError, LoginError};
pub use gate::{Admission, Brought, Gate, Login, PasswordError, PasswordWish};
pub use issuer::{Answered, Begun, CALLBACK, Issuer, IssuerError, Vouched};
pub use password::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
pub use principal::{Kind, Principal};
pub use role::{Permission, Role, Roles};
pub use scope::Scope;
pub use secret::{Secret, TOKEN_MARK};
pub use session::{SESSION_IDLE, SESSION_LIFE};
pub use throttle::network;

/// Most users of a site.
pub const USERS_MAX: usize = 1_000;
/// Most tokens of a site.
pub const TOKENS_MAX: usize = 1_000;
/// Longest name of a user or token.
pub const NAME_CHARS_MAX: usize = 64;

/// Now, on both clocks: wall time for what people read and for the expiry of tokens, monotonic time for every span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall time.
    pub wall: geminus_core::Timestamp,
    /// A clock that never goes back.
    pub monotonic: std::time::Duration,
}

impl Now {
    /// What this clock says.
    #[must_use]
    pub fn of(clock: &dyn geminus_core::Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }
}
