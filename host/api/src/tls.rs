//! TLS in front of the API: a certificate and its key from PEM text, exchanged while the host runs.
//!
//! TLS 1.3 and 1.2 with the cipher suites of ring; what is older is refused by rustls, which does not know it. Files are
//! read by the binary: here is only what they said. A connection keeps the certificate with which it began.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Why a certificate and a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate is no PEM text, or there is none in it.
    #[error(
        "the certificate cannot be read: {0}; it must be a PEM file with the host's certificate first, then those between it and the root"
    )]
    Certificate(String),
    /// The key is no PEM text, or there is none in it.
    #[error(
        "the key cannot be read: {0}; it must be a PEM file with one unencrypted private key (PKCS#8, PKCS#1 or SEC1)"
    )]
    Key(String),
    /// They do not belong together, or rustls cannot use them.
    #[error("this certificate cannot be used with this key: {0}")]
    Pair(rustls::Error),
}

/// What new connections are greeted with. Clones share it.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(…)")
    }
}

impl Tls {
    /// From PEM texts.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(config(certificate, key)?))))
    }

    /// Takes another pair for connections to come.
    ///
    /// # Errors
    /// When it cannot be used; then the one before counts on.
    pub fn exchange(&self, certificate: &[u8], key: &[u8]) -> Result<(), TlsError> {
        self.0.store(Arc::new(config(certificate, key)?));
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}

fn config(certificate: &[u8], key: &[u8]) -> Result<ServerConfig, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate("there is none in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_that_does_not_belong_together_is_refused_and_the_one_before_stays() {
        let ((certificate, key), (other, other_key)) = (pair(), pair());
        let tls = Tls::new(certificate.as_bytes(), key.as_bytes()).expect("pair");
        let before = tls.0.load_full();
        for (certificate, key) in [
            (certificate.as_str(), other_key.as_str()),
            ("", key.as_str()),
            (certificate.as_str(), ""),
            (key.as_str(), certificate.as_str()),
            ("-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n", key.as_str()),
        ] {
            let refusal = tls.exchange(certificate.as_bytes(), key.as_bytes()).expect_err("refused");
            assert!(!refusal.to_string().contains("PRIVATE"), "{refusal}");
            assert!(Arc::ptr_eq(&before, &tls.0.load_full()));
        }
        tls.exchange(other.as_bytes(), other_key.as_bytes()).expect("another pair");
        assert!(!Arc::ptr_eq(&before, &tls.0.load_full()));
    }
}
