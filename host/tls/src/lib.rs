//! TLS towards brokers: certificate files, the handshake, and what went wrong in words.
//!
//! [`Tls::load`] reads PEM files and refuses a key that others may read; [`Tls::connect`] makes the handshake over a socket
//! that stands. What fails, then or later, comes as an [`std::io::Error`] that says what to change. No protocol is known
//! here: `ingest`, `dispatch` and `publish` put MQTT on top. [`CertificateFacts`] says what stands in a certificate, for people.

mod explain;
mod facts;
mod files;
mod secret;
mod socket;

#[cfg(test)]
mod tests;

pub use facts::{CertificateFacts, EXPIRING, Term, facts_of_file, pem_of_der};
pub use files::{Files, TlsError};
pub use secret::{SecretError, read_secret};
pub use socket::Secured;

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// Whom we trust at the other end, and who we are. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    has_certificate: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls(own certificate: {})", self.has_certificate)
    }
}

impl Tls {
    /// Reads what `files` name. Blocks on the disk.
    ///
    /// # Errors
    /// [`TlsError`], with the file and what is wrong with it.
    pub fn load(files: &Files) -> Result<Self, TlsError> {
        let config = Arc::new(files.read()?);
        Ok(Self { config, has_certificate: files.own.is_some() })
    }

    /// Makes the handshake with `host`, whose name or address must stand in its certificate.
    ///
    /// # Errors
    /// When the other side is not who it should be, or will not have us.
    pub async fn connect<S>(&self, host: &str, socket: S) -> io::Result<Secured<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let message = format!("`{host}` is no name that a certificate could have");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let inner = connector
            .connect(name, socket)
            .await
            .map_err(|error| explain::handshake(error, host, self.has_certificate))?;
        Ok(Secured::new(inner, host, self.has_certificate))
    }
}
