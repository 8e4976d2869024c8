//! Where a server listens, who may speak to it, and how much it takes.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::catalogue::VARIABLES_MAX;
use crate::options::Security;
use crate::pki::PkiError;

/// Sessions that can be allowed.
const SESSIONS: RangeInclusive<u32> = 1..=1_000;
/// Subscriptions of a session that can be allowed.
const SUBSCRIPTIONS: RangeInclusive<u32> = 1..=1_000;
/// Variables of a subscription that can be allowed.
const ITEMS: RangeInclusive<u32> = 1..=100_000;
/// Values that can be allowed to wait for each of them.
const QUEUE: RangeInclusive<u32> = 1..=10_000;

/// How much a server takes, whatever clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Sessions at a time.
    pub sessions: u32,
    /// Subscriptions of one session.
    pub subscriptions: u32,
    /// Variables watched by one subscription.
    pub items: u32,
    /// Values of a watched variable that wait for the client; the oldest go first.
    pub queue: u32,
}

/// How a server is run.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Name of the site, for people.
    pub site: String,
    /// Where it listens. Port 0 is any that is free.
    pub listen: SocketAddr,
    /// Name or address under which clients are told to come.
    pub host: String,
    /// How lines may be secured.
    pub security: Vec<Security>,
    /// Whether anybody may read without a name.
    pub anonymous: bool,
    /// Folder of certificates, see [`crate::Pki`]; those of clients lie in a folder of it.
    pub pki: PathBuf,
    /// What it takes.
    pub limits: ServerLimits,
}

/// Why no server runs.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Nothing is said about security.
    #[error("security names no policy: give aes256sha256rsapss, or none for tests on this machine")]
    NoPolicy,
    /// Open to the network.
    #[error("{0} can be reached from the network: security must not hold none there, or listen on 127.0.0.1")]
    OpenLine(SocketAddr),
    /// Open to the network.
    #[error("{0} can be reached from the network: anonymous must be false there, or listen on 127.0.0.1")]
    OpenDoor(SocketAddr),
    /// A password would be readable.
    #[error(
        "security = none needs anonymous = true: a name with its password is taken over a secured line only"
    )]
    OpenPassword,
    /// A limit.
    #[error("{which} = {value} is outside {} … {}", .range.start(), .range.end())]
    Limit {
        /// Which.
        which: &'static str,
        /// As given.
        value: u32,
        /// What can be.
        range: RangeInclusive<u32>,
    },
    /// More variables than one server shows.
    #[error("more than {VARIABLES_MAX} variables would be shown: choose fewer twins")]
    Variables,
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}; choose another address")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The library refuses.
    #[error("the server cannot be made: {0}")]
    Library(String),
    /// No thread.
    #[error("no thread to serve on: {0}")]
    Thread(std::io::Error),
}

impl ServerOptions {
    /// # Errors
    /// [`ServerError`] of the first mistake.
    pub fn check(&self) -> Result<(), ServerError> {
        let is_open = self.security.contains(&Security::None);
        let is_local = self.listen.ip().to_canonical().is_loopback();
        match () {
            () if self.security.is_empty() => return Err(ServerError::NoPolicy),
            () if is_open && !is_local => return Err(ServerError::OpenLine(self.listen)),
            () if self.anonymous && !is_local => return Err(ServerError::OpenDoor(self.listen)),
            () if is_open && !self.anonymous => return Err(ServerError::OpenPassword),
            () => {}
        }
        let ServerLimits { sessions, subscriptions, items, queue } = self.limits;
        for (which, value, range) in [
            ("sessions_max", sessions, SESSIONS),
            ("subscriptions_max", subscriptions, SUBSCRIPTIONS),
            ("items_max", items, ITEMS),
            ("queue_max", queue, QUEUE),
        ] {
            if !range.contains(&value) {
                return Err(ServerError::Limit { which, value, range });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::options::{Mode, Policy};

    use super::*;

    const SECURED: Security = Security::Secured(Policy::Aes256Sha256RsaPss, Mode::SignAndEncrypt);

    fn check(listen: &str, security: &[Security], anonymous: bool, says: Option<&str>) {
        let options = ServerOptions {
            site: "t".to_owned(),
            listen: listen.parse().expect("address"),
            host: "127.0.0.1".to_owned(),
            security: security.to_vec(),
            anonymous,
            pki: PathBuf::new(),
            limits: ServerLimits { sessions: 1, subscriptions: 1, items: 1, queue: 1 },
        };
        let found = options.check().err().map(|error| error.to_string());
        let fits = match (&found, says) {
            (None, None) => true,
            (Some(found), Some(says)) => found.contains(says),
            _ => false,
        };
        assert!(fits, "{listen} {security:?} {anonymous}: {found:?}");
    }

    #[test]
    fn beyond_loopback_nothing_is_unsecured_or_without_a_name() {
        check("127.0.0.1:4840", &[SECURED], false, None);
        check("127.0.0.1:4840", &[SECURED, Security::None], true, None);
        check("[::1]:4840", &[Security::None], true, None);
        check("0.0.0.0:4840", &[SECURED], false, None);
        check("0.0.0.0:4840", &[SECURED, Security::None], true, Some("security must not hold none"));
        check("192.168.1.7:4840", &[SECURED], true, Some("anonymous must be false"));
        check("127.0.0.1:4840", &[Security::None], false, Some("needs anonymous = true"));
        check("127.0.0.1:4840", &[], true, Some("names no policy"));
    }

    #[test]
    fn limits_have_bounds() {
        let with = |change: fn(&mut ServerLimits)| {
            let mut options = ServerOptions {
                site: "t".to_owned(),
                listen: "127.0.0.1:0".parse().expect("address"),
                host: "127.0.0.1".to_owned(),
                security: vec![SECURED],
                anonymous: false,
                pki: PathBuf::new(),
                limits: ServerLimits { sessions: 1_000, subscriptions: 1, items: 100_000, queue: 10_000 },
            };
            change(&mut options.limits);
            options.check().err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(with(|_| ()), "");
        assert!(with(|limits| limits.sessions = 1_001).starts_with("sessions_max = 1001 is outside 1 …"));
        assert!(with(|limits| limits.subscriptions = 0).starts_with("subscriptions_max = 0"));
        assert!(with(|limits| limits.items = 100_001).starts_with("items_max"));
        assert!(with(|limits| limits.queue = 0).starts_with("queue_max"));
    }
}
