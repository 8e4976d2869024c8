//! Whom to believe that it is the host: the certificates in one file and no others.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rustls::crypto::ring;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// How to speak TLS with a host for which this file vouches.
pub(super) fn config(file: Option<&Path>) -> anyhow::Result<TlsConfig> {
    let file = file.context(
        "whom to believe that this is the host? give --ca FILE, or --site SITE.toml with its [http.tls]",
    )?;
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        })
        .collect();
    ensure!(!certificates.is_empty(), "there is no certificate in {}", file.display());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_certificate_nobody_is_believed() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("ca.pem");
        assert!(config(None).is_err() && config(Some(&path)).is_err());
        std::fs::write(&path, "no certificate").expect("file");
        assert!(config(Some(&path)).is_err());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
        std::fs::write(&path, made.signing_key.serialize_pem()).expect("file");
        assert!(config(Some(&path)).is_err(), "a key is no certificate");
        std::fs::write(&path, made.cert.pem()).expect("file");
        assert!(config(Some(&path)).is_ok());
    }
}
