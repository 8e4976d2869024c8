//! Where a broker is: `mqtt://[user:password@]host[:port]`, or `mqtts://…` for TLS.

use std::fmt;
use std::str::FromStr;

use geminus_tls::Tls;

/// The customary port of MQTT without TLS.
const PORT: u16 = 1_883;
/// And with it.
const SECURE_PORT: u16 = 8_883;

/// A broker's address and how to introduce oneself there.
#[derive(Clone)]
pub struct Address {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// Whether it is spoken to over TLS.
    pub secure: bool,
    /// How, once [`Address::with_tls`] has brought both together.
    pub(crate) tls: Option<Tls>,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL.
    #[error("`{0}` is not an address: write mqtt://host:port, or mqtts://host:port for TLS")]
    Malformed(String),
    /// Another protocol.
    #[error("`{0}://` is not spoken by this version: write mqtt://host:port, or mqtts://host:port for TLS")]
    Scheme(String),
    /// TLS with nobody to trust.
    #[error("`{0}` needs an authority to trust: name the file with its certificate in tls.ca")]
    Authority(String),
    /// Certificates that would not be used.
    #[error("tls is given, but `{0}` is spoken to without: write mqtts://")]
    Plain(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || AddressError::Malformed(without_credentials(text));
        let url = url::Url::parse(text).map_err(|_| malformed())?;
        let secure = match url.scheme() {
            "mqtt" | "tcp" => false,
            "mqtts" => true,
            other if url.host_str().is_some() => return Err(AddressError::Scheme(other.to_owned())),
            _ => return Err(malformed()),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(malformed)?;
        if !matches!(url.path(), "" | "/") {
            return Err(malformed());
        }
        let credentials = (!url.username().is_empty())
            .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port().unwrap_or(if secure { SECURE_PORT } else { PORT });
        Ok(Self { host, port, credentials, secure, tls: None })
    }
}

impl Address {
    /// With what TLS needs, which an address with it must have and one without must not.
    ///
    /// # Errors
    /// [`AddressError::Authority`] and [`AddressError::Plain`].
    pub fn with_tls(mut self, tls: Option<Tls>) -> Result<Self, AddressError> {
        match (self.secure, &tls) {
            (true, None) => return Err(AddressError::Authority(self.to_string())),
            (false, Some(_)) => return Err(AddressError::Plain(self.to_string())),
            _ => self.tls = tls,
        }
        Ok(self)
    }

    /// `host:port`, as messages name a broker.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Passwords stay out of messages.
fn without_credentials(text: &str) -> String {
    text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("…@{rest}"))
}

/// Percent-decoded, as the URL standard writes user and password.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, hex.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_tls_needs_an_authority_and_one_without_none() {
        let error = "mqtts://broker".parse::<Address>().and_then(|address| address.with_tls(None));
        let said = error.expect_err("nobody to trust").to_string();
        assert!(
            said.contains("`mqtts://broker:8883` needs an authority") && said.contains("tls.ca"),
            "{said}"
        );
        let plain = "mqtt://broker".parse::<Address>().and_then(|address| address.with_tls(None));
        assert!(plain.is_ok_and(|address| !address.secure && address.tls.is_none()));
    }

    #[test]
    fn addresses_are_read_and_shown_without_passwords() {
        let cases = [
            ("mqtt://broker", Ok("mqtt://broker:1883")),
            ("mqtt://127.0.0.1:18830", Ok("mqtt://127.0.0.1:18830")),
            ("tcp://broker:1/", Ok("mqtt://broker:1")),
            ("mqtt://ann:s%40fe@broker", Ok("mqtt://broker:1883")),
            ("mqtts://broker", Ok("mqtts://broker:8883")),
            ("mqtts://ann:secret@broker:1", Ok("mqtts://broker:1")),
            ("wss://broker", Err("`wss://` is not spoken")),
            ("broker:1883", Err("is not an address")),
            ("mqtt://", Err("is not an address")),
            ("mqtt://broker/topic", Err("is not an address")),
        ];
        for (text, expect) in cases {
            match (text.parse::<Address>(), expect) {
                (Ok(address), Ok(shown)) => assert_eq!(address.to_string(), shown),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
                (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
            }
        }
        let address: Address = "mqtt://ann:s%40fe@broker".parse().expect("address");
        assert_eq!(address.credentials, Some(("ann".to_owned(), "s@fe".to_owned())));
        let error = "mqtt://ann:secret@:1:1".parse::<Address>().expect_err("malformed");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
