//! How a server is spoken to: where, how secured, as whom, and how often it is to say something.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use opcua::client::IdentityToken;
use opcua::crypto::SecurityPolicy;
use opcua::types::MessageSecurityMode;

/// Longest address of a server.
const ENDPOINT_BYTES_MAX: usize = 1_024;
/// Shortest time between two messages.
const PUBLISHING_MIN: Duration = Duration::from_millis(10);
/// Longest interval.
const INTERVAL_MAX: Duration = Duration::from_hours(1);
/// Most values of a node that a server is asked to keep between two messages.
pub(crate) const QUEUE_MAX: u32 = 100_000;

/// What encrypts and signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Basic256Sha256.
    Basic256Sha256,
    /// Aes128-Sha256-RsaOaep.
    Aes128Sha256RsaOaep,
    /// Aes256-Sha256-RsaPss.
    Aes256Sha256RsaPss,
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Signed, and readable for everybody.
    Sign,
    /// Signed and encrypted.
    SignAndEncrypt,
}

/// How the line is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    None,
    /// By certificates of both sides.
    Secured(Policy, Mode),
}

impl Security {
    pub(crate) fn policy(self) -> SecurityPolicy {
        match self {
            Self::None => SecurityPolicy::None,
            Self::Secured(Policy::Basic256Sha256, _) => SecurityPolicy::Basic256Sha256,
            Self::Secured(Policy::Aes128Sha256RsaOaep, _) => SecurityPolicy::Aes128Sha256RsaOaep,
            Self::Secured(Policy::Aes256Sha256RsaPss, _) => SecurityPolicy::Aes256Sha256RsaPss,
        }
    }

    pub(crate) fn mode(self) -> MessageSecurityMode {
        match self {
            Self::None => MessageSecurityMode::None,
            Self::Secured(_, Mode::Sign) => MessageSecurityMode::Sign,
            Self::Secured(_, Mode::SignAndEncrypt) => MessageSecurityMode::SignAndEncrypt,
        }
    }
}

/// As whom the host speaks.
#[derive(Clone, PartialEq, Eq)]
pub enum User {
    /// Nobody.
    Anonymous,
    /// A name with its password.
    Named {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            // No password.
            Self::Named { name, .. } => write!(f, "Named({name})"),
        }
    }
}

impl User {
    pub(crate) fn token(&self) -> IdentityToken {
        match self {
            Self::Anonymous => IdentityToken::new_anonymous(),
            Self::Named { name, password } => IdentityToken::new_user_name(name.clone(), password.as_str()),
        }
    }
}

/// How often the server is asked to look at its nodes and to say what it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Between two messages.
    pub publishing: Duration,
    /// Between two looks at a node; zero is each change, where the server can tell it.
    pub sampling: Duration,
    /// Values of a node that the server keeps between two messages; and over a lost line.
    pub queue: u32,
}

/// How a server is spoken to.
#[derive(Clone, Debug)]
pub struct OpcUaOptions {
    /// Name of the source or target; the certificate that its server last had is kept under it.
    pub name: String,
    /// `opc.tcp://host:4840/path`.
    pub endpoint: String,
    /// How the line is secured.
    pub security: Security,
    /// As whom.
    pub user: User,
    /// Folder of certificates, see [`crate::Pki`].
    pub pki: PathBuf,
    /// Whether the server's certificate must name its host and its application; without it only the certificate itself and
    /// its time count.
    pub check_host: bool,
    /// How nodes are watched.
    pub subscribe: Subscribe,
    /// A source time further ahead of the time of receipt is refused.
    pub accept_future: Duration,
}

/// Why nothing can be started with the options.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpcUaError {
    /// The address.
    #[error("endpoint `{0}` is not an address like opc.tcp://host:4840/path")]
    Endpoint(String),
    /// A password would be readable.
    #[error("user \"{0}\" needs a secured line: without one the password could be read on the way")]
    OpenPassword(String),
    /// An interval.
    #[error("{which} = {} is outside {} … {}", .value.as_millis(), .min.as_millis(), INTERVAL_MAX.as_millis())]
    Interval {
        /// Which.
        which: &'static str,
        /// As given.
        value: Duration,
        /// The shortest.
        min: Duration,
    },
    /// The queue.
    #[error("queue_size = {0} is outside 1 … {QUEUE_MAX}")]
    Queue(u32),
    /// Nothing to watch.
    #[error("no node is given: name at least one")]
    NoNode,
    /// More nodes than one source takes.
    #[error("{0} nodes are more than the {max} of one source: divide them", max = crate::source::NODES_MAX)]
    Nodes(usize),
}

impl OpcUaOptions {
    /// # Errors
    /// [`OpcUaError`] of the first mistake.
    pub fn check(&self) -> Result<(), OpcUaError> {
        check_endpoint(&self.endpoint)?;
        if let (Security::None, User::Named { name, .. }) = (self.security, &self.user) {
            return Err(OpcUaError::OpenPassword(name.clone()));
        }
        let Subscribe { publishing, sampling, queue } = self.subscribe;
        let intervals =
            [("publishing_ms", publishing, PUBLISHING_MIN), ("sampling_ms", sampling, Duration::ZERO)];
        for (which, value, min) in intervals {
            if !(min..=INTERVAL_MAX).contains(&value) {
                return Err(OpcUaError::Interval { which, value, min });
            }
        }
        if !(1..=QUEUE_MAX).contains(&queue) {
            return Err(OpcUaError::Queue(queue));
        }
        Ok(())
    }
}

/// Whether a text is the address of a server.
///
/// # Errors
/// [`OpcUaError::Endpoint`] when not.
pub fn check_endpoint(endpoint: &str) -> Result<(), OpcUaError> {
    let wrong = || OpcUaError::Endpoint(endpoint.chars().take(120).collect());
    let rest = endpoint.strip_prefix("opc.tcp://").ok_or_else(wrong)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@' || c == '?' || c == '#';
    if authority.is_empty() || rest.contains(odd) || endpoint.len() > ENDPOINT_BYTES_MAX {
        return Err(wrong());
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (address, after) = v6.split_once(']').ok_or_else(wrong)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
            (address, after.strip_prefix(':').or(after.is_empty().then_some("4840")).ok_or_else(wrong)?)
        }
        None => authority.split_once(':').unwrap_or((authority, "4840")),
    };
    let port: u16 = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || port == 0 { Err(wrong()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> OpcUaOptions {
        let ms = Duration::from_millis;
        OpcUaOptions {
            name: "plc".to_owned(),
            endpoint: "opc.tcp://127.0.0.1:4840/plant".to_owned(),
            security: Security::None,
            user: User::Anonymous,
            pki: PathBuf::from("pki"),
            check_host: true,
            subscribe: Subscribe { publishing: ms(500), sampling: ms(250), queue: 10 },
            accept_future: Duration::from_mins(10),
        }
    }

    #[test]
    fn an_address_has_a_scheme_a_host_and_a_port() {
        for good in [
            "opc.tcp://plc",
            "opc.tcp://plc:4840",
            "opc.tcp://10.0.0.1:4840/a/b",
            "opc.tcp://[::1]:4840/a",
            "opc.tcp://[::1]",
        ] {
            assert_eq!(check_endpoint(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "plc:4840",
            "http://plc",
            "opc.tcp://",
            "opc.tcp://:4840",
            "opc.tcp://plc:0",
            "opc.tcp://plc:x",
            "opc.tcp://a@plc",
            "opc.tcp://p lc",
            "opc.tcp://[::1",
            "opc.tcp://[x]:1",
        ] {
            assert!(check_endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_needs_a_secured_line() {
        let user = User::Named { name: "eve".to_owned(), password: "secret".to_owned() };
        let open = OpcUaOptions { user: user.clone(), ..options() };
        assert_eq!(open.check(), Err(OpcUaError::OpenPassword("eve".to_owned())));
        let security = Security::Secured(Policy::Aes256Sha256RsaPss, Mode::SignAndEncrypt);
        let secured = OpcUaOptions { user, security, ..options() };
        assert_eq!(secured.check(), Ok(()));
        assert!(!format!("{secured:?}").contains("secret"), "no password is shown");
    }

    #[test]
    fn intervals_and_the_queue_have_bounds() {
        let with = |change: fn(&mut Subscribe)| {
            let mut options = options();
            change(&mut options.subscribe);
            options.check()
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert!(matches!(with(|s| s.publishing = Duration::ZERO), Err(OpcUaError::Interval { .. })));
        assert!(matches!(with(|s| s.sampling = Duration::from_hours(2)), Err(OpcUaError::Interval { .. })));
        assert_eq!(with(|s| s.queue = 0), Err(OpcUaError::Queue(0)));
        assert_eq!(with(|s| s.queue = QUEUE_MAX + 1), Err(OpcUaError::Queue(QUEUE_MAX + 1)));
    }
}
