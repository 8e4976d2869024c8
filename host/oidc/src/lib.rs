//! Logins and tokens of an OpenID Connect issuer: the only room that knows what a JWT is.
//!
//! [`Provider`] implements what the gate asks of an [`Issuer`](geminus_access::Issuer). People log in with the authorization
//! code flow with PKCE, state and nonce; programs bring access tokens that the issuer has signed. The issuer is asked for its
//! addresses, its keys and the tokens of one login, by a client that waits and reads for a bounded time and size and follows no
//! redirect; all of it blocks, so the caller runs it where it may. Signatures are checked by `ring`, claims here, against the
//! clock that the caller brings. What was asked and came to nothing is told by [`Provider::tend`].

mod claims;
mod discovery;
mod error;
mod fetch;
mod grant;
mod keys;
mod pending;
mod provider;
mod settings;
mod signature;
#[cfg(test)]
mod tests;
mod token;

pub use error::OidcError;
pub use fetch::Patience;
pub use grant::Grant;
pub use provider::{Change, Provider};
pub use settings::{ALGORITHMS, Client, Settings, SettingsError, algorithm};

/// Longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;
