//! Questions to the issuer: over TLS with the authorities of the site or on this machine, for a bounded time, of a bounded size,
//! without a proxy and without following anybody elsewhere.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::SettingsError;

/// How long and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Longest time for one question, from the name of the host to the last byte of the answer.
    pub answer: Duration,
    /// Largest answer.
    pub bytes_max: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(10), bytes_max: 256 << 10 }
    }
}

/// The way to the issuer.
#[derive(Debug)]
pub(crate) struct Line {
    agent: Agent,
    patience: Patience,
}

impl Line {
    pub(crate) fn new(ca: Option<&[u8]>, patience: Patience) -> Result<Self, SettingsError> {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(patience.answer));
        let config = match ca {
            None => config.build(),
            Some(text) => config.tls_config(believing(text)?).build(),
        };
        Ok(Self { agent: config.into(), patience })
    }

    /// What stands at this address.
    ///
    /// # Errors
    /// Why it could not be read, as the end of a sentence.
    pub(crate) fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let asked = self.agent.get(url).header("accept", "application/json").call();
        match self.read(asked)? {
            (200, body) => Ok(body),
            (status, _) => Err(format!("{url} was answered with {status}")),
        }
    }

    /// Status and body of what a form is answered with. `basic` is user and password in base64.
    ///
    /// # Errors
    /// As [`Line::get`].
    pub(crate) fn post(&self, url: &str, form: &str, basic: Option<&str>) -> Result<(u16, Vec<u8>), String> {
        let request = self.agent.post(url).header("accept", "application/json");
        let request = match basic {
            Some(basic) => request.header("authorization", format!("Basic {basic}")),
            None => request,
        };
        self.read(request.content_type("application/x-www-form-urlencoded").send(form))
    }

    fn read(
        &self,
        asked: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(u16, Vec<u8>), String> {
        let mut answer = asked.map_err(|error| error.to_string())?;
        let body = answer.body_mut().with_config().limit(self.patience.bytes_max).read_to_vec();
        Ok((answer.status().as_u16(), body.map_err(|error| error.to_string())?))
    }
}

fn believing(text: &[u8]) -> Result<TlsConfig, SettingsError> {
    let certificates: Vec<Certificate<'static>> = parse_pem(text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(SettingsError::Ca);
    }
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build())
}
