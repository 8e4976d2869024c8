//! PEM files, and what rustls makes of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::secret::{SecretError, read_secret};

/// Largest file of certificates; the list of all public authorities has a quarter of it.
const CERTIFICATES_BYTES_MAX: u64 = 1 << 20;

/// Where certificates and keys lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Certificates of the authorities that the other side's certificate may come from.
    pub ca: PathBuf,
    /// Our own certificate, with what leads to its authority, and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// Why TLS cannot be had with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificates.
    #[error("{path} cannot be read: {error}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Not what it should be.
    #[error("{path} {what}", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, as the end of a sentence.
        what: String,
    },
    /// The key's file.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// Certificate and key do not belong together, say.
    #[error("{certificate} and {key} cannot be used: {reason}", certificate = .certificate.display(), key = .key.display())]
    Pair {
        /// Our certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
        /// Why.
        reason: String,
    },
    /// The library.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl Files {
    pub(crate) fn read(&self) -> Result<ClientConfig, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            roots.add(certificate).map_err(|error| {
                content(&self.ca, format!("holds a certificate that cannot be an authority's: {error}"))
            })?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_root_certificates(roots);
        let Some((certificate, key)) = &self.own else {
            return Ok(config.with_no_client_auth());
        };
        let chain = certificates(certificate)?;
        config.with_client_auth_cert(chain, private_key(key)?).map_err(|error| TlsError::Pair {
            certificate: certificate.clone(),
            key: key.clone(),
            reason: error.to_string(),
        })
    }
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::Read { path: path.to_owned(), error };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > CERTIFICATES_BYTES_MAX {
        let what = format!("has {bytes} bytes: certificates have {CERTIFICATES_BYTES_MAX} at most");
        return Err(content(path, what));
    }
    let text = std::fs::read(path).map_err(failed)?;
    let found: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(content(path, "holds no certificate: PEM is expected (BEGIN CERTIFICATE)".to_owned()))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(content(path, format!("is no PEM file: {error}"))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read_secret(path)?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| match error {
        PemError::NoItemsFound if text.contains("ENCRYPTED PRIVATE KEY") => content(
            path,
            "is encrypted, and nobody is there to type its password: store it without".to_owned(),
        ),
        PemError::NoItemsFound => {
            content(path, "holds no key: PEM is expected (BEGIN PRIVATE KEY)".to_owned())
        }
        // Not the library's words: they might quote the file.
        _ => content(path, "is no PEM file".to_owned()),
    })
}

fn content(path: &Path, what: String) -> TlsError {
    TlsError::Content { path: path.to_owned(), what }
}
