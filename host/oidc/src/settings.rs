//! Which issuer, who we are to it, and what its word is worth here.

use std::net::IpAddr;
use std::time::Duration;

use geminus_access::CALLBACK;
use jsonwebtoken::Algorithm;
use url::{Host, Url};

use crate::Grant;
use crate::fetch::Patience;

/// What may sign a token. Never `none`, and never a shared secret (HS…): whoever checks it could make it.
pub const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// The algorithm of this name, if it may sign a token.
#[must_use]
pub fn algorithm(name: &str) -> Option<Algorithm> {
    ALGORITHMS.contains(&name).then(|| name.parse().ok()).flatten()
}

/// Who we are to the issuer. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Client {
    /// As the issuer knows us.
    pub id: String,
    /// What only the issuer and we know; `None` for a public client.
    pub secret: Option<String>,
    /// Where the issuer sends the browser back to.
    pub redirect: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({}, {}, secret: {})", self.id, self.redirect, self.secret.is_some())
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What people call it.
    pub title: String,
    /// Address of the issuer, exactly as it stands in its tokens.
    pub issuer: String,
    /// Who we are to it.
    pub client: Client,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// For whom access tokens must be; `None`: none is accepted.
    pub audience: Option<String>,
    /// What may sign a token.
    pub algorithms: Vec<Algorithm>,
    /// How much the clocks may differ.
    pub leeway: Duration,
    /// The claim that says who it is.
    pub name_claim: String,
    /// The claim that says what it is there.
    pub roles_claim: String,
    /// What that is worth here; the first that fits counts.
    pub grants: Vec<Grant>,
    /// How long keys count without being got again.
    pub keys_age_max: Duration,
    /// PEM text of the certificates that may vouch for the issuer's; `None` for http on loopback.
    pub ca: Option<Vec<u8>>,
    /// How long and how much is read of the issuer.
    pub patience: Patience,
}

/// What is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not an address to be asked.
    #[error(
        "access.oidc.{key}: {found:?} is no address like https://login.example/realms/plant, without user, `?` and `#`"
    )]
    Address {
        /// Which key.
        key: &'static str,
        /// What stands there.
        found: String,
    },
    /// Could be read and changed on the way.
    #[error("access.oidc.{key}: {found:?} is without TLS, which is for loopback only: use https://")]
    Plain {
        /// Which key.
        key: &'static str,
        /// What stands there.
        found: String,
    },
    /// Leads past us.
    #[error("access.oidc.redirect: {found:?} must end with {path}")]
    Redirect {
        /// What stands there.
        found: String,
        /// What it must end with.
        path: &'static str,
    },
    /// https without an authority.
    #[error("access.oidc.ca: an issuer over https needs the certificates that may vouch for it")]
    NoCa,
    /// The file of authorities.
    #[error("access.oidc.ca holds no certificate: PEM is expected (BEGIN CERTIFICATE)")]
    Ca,
    /// Nothing could sign a token.
    #[error("access.oidc.algorithms is empty: RS256 and ES256 are usual")]
    Algorithms,
}

/// Reads an address that is safe to be asked: over TLS, or on this machine.
pub(crate) fn address(key: &'static str, text: &str) -> Result<Url, SettingsError> {
    let wrong = || SettingsError::Address { key, found: text.chars().take(200).collect() };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let odd = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
    let scheme = url.scheme().to_owned();
    if odd || !["http", "https"].contains(&scheme.as_str()) {
        return Err(wrong());
    }
    let here = match url.host().ok_or_else(wrong)? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(four) => IpAddr::from(four).is_loopback(),
        Host::Ipv6(six) => IpAddr::from(six).to_canonical().is_loopback(),
    };
    match scheme == "https" || here {
        true => Ok(url),
        false => Err(SettingsError::Plain { key, found: text.chars().take(200).collect() }),
    }
}

impl Settings {
    /// Checks what can be checked without asking the issuer.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let issuer = address("issuer", &self.issuer)?;
        let redirect = address("redirect", &self.client.redirect)?;
        if issuer.query().is_some() {
            return Err(SettingsError::Address { key: "issuer", found: self.issuer.clone() });
        }
        if redirect.path() != CALLBACK || redirect.query().is_some() {
            let found = self.client.redirect.chars().take(200).collect();
            return Err(SettingsError::Redirect { found, path: CALLBACK });
        }
        if self.algorithms.is_empty() {
            return Err(SettingsError::Algorithms);
        }
        match issuer.scheme() == "https" && self.ca.is_none() {
            true => Err(SettingsError::NoCa),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_asymmetric_algorithms_have_a_name_here() {
        for name in ["none", "None", "HS256", "HS384", "HS512", "rs256", "", "RSA-OAEP"] {
            assert_eq!(algorithm(name), None, "{name}");
        }
        for name in ALGORITHMS {
            assert!(algorithm(name).is_some(), "{name}");
        }
    }

    #[test]
    fn without_tls_an_issuer_is_on_this_machine() {
        let check = |text: &str, good: bool| {
            assert_eq!(address("issuer", text).is_ok(), good, "{text}");
        };
        check("https://login.example/realms/plant", true);
        check("http://127.0.0.1:8080/realms/plant", true);
        check("http://localhost:8080", true);
        check("http://[::1]:8080", true);
        check("http://login.example", false);
        check("http://192.168.1.7", false);
        check("http://localhost.evil.example", false);
        check("http://127.0.0.1.evil.example", false);
        check("https://user:secret@login.example", false);
        check("https://login.example/#a", false);
        check("ftp://login.example", false);
        check("login.example", false);
        check("", false);
    }

    #[test]
    fn a_client_does_not_show_its_secret() {
        let secret = Some("hunter2".to_owned());
        let client = Client { id: "geminus".to_owned(), secret, redirect: "http://localhost".to_owned() };
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}
