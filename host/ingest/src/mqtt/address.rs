//! Where a broker is: `mqtt://[user:password@]host[:port]`.

use std::fmt;
use std::str::FromStr;

/// The customary port of MQTT without TLS.
const PORT: u16 = 1_883;

/// A broker's address and how to introduce oneself there.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, String)>,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL.
    #[error("`{0}` is not an address: write mqtt://host:port")]
    Malformed(String),
    /// Another protocol.
    #[error("`{0}://` is not spoken by this version: write mqtt://host:port (without TLS)")]
    Scheme(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || AddressError::Malformed(without_credentials(text));
        let url = url::Url::parse(text).map_err(|_| malformed())?;
        if !matches!(url.scheme(), "mqtt" | "tcp") {
            return Err(match url.host_str() {
                Some(_) => AddressError::Scheme(url.scheme().to_owned()),
                None => malformed(),
            });
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(malformed)?;
        if !matches!(url.path(), "" | "/") {
            return Err(malformed());
        }
        let credentials = (!url.username().is_empty())
            .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: url.port().unwrap_or(PORT), credentials })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt://{}:{}", self.host, self.port)
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
    fn addresses_are_read_and_shown_without_passwords() {
        let cases = [
            ("mqtt://broker", Ok("mqtt://broker:1883")),
            ("mqtt://127.0.0.1:18830", Ok("mqtt://127.0.0.1:18830")),
            ("tcp://broker:1/", Ok("mqtt://broker:1")),
            ("mqtt://ann:s%40fe@broker", Ok("mqtt://broker:1883")),
            ("mqtts://broker", Err("`mqtts://` is not spoken")),
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
