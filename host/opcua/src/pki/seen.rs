//! Which server showed which certificate, when, and why one is rejected: what a person wants to know before he trusts one.
//!
//! One file for each source, `seen/NAME.json`, with the last certificates that its server showed. It is written by the
//! attempts to connect and decides nothing; a file that cannot be read is begun anew.

use std::fs;
use std::io;
use std::time::Duration;

use geminus_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Certificate, OWN_CERTIFICATE, Pki, PkiError, Side, Standing, X509, about};

/// Certificates of one source that are remembered; the one that was shown longest ago goes first.
const SEEN_MAX: usize = 10;
/// How long after one entry the same certificate is not written down again.
const SEEN_EVERY: Duration = Duration::from_mins(1);

/// A server showed a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Seen {
    /// Name of the source.
    pub source: String,
    /// Address of its server.
    pub endpoint: String,
    /// SHA-1 of the certificate, in hexadecimal.
    pub thumbprint: String,
    /// When it was shown first.
    pub first: Timestamp,
    /// When it was shown last, to a minute.
    pub last: Timestamp,
}

/// Why a certificate is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Nobody has said yet that it is trusted.
    Unknown,
    /// The server behind this source had another one before.
    Changed {
        /// Name of the source.
        source: String,
        /// Thumbprint of the other.
        before: String,
    },
    /// A server with it was spoken to, or a client's was trusted, and somebody has taken the trust back.
    TakenBack,
}

/// The host's own certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// What stands in it. It is no server's, so its standing says nothing.
    pub certificate: Certificate,
    /// All of it, to be given to whoever runs a server. No key is in it.
    pub der: Vec<u8>,
}

impl Pki {
    /// Our certificate; `None` before the first attempt to connect has made it.
    ///
    /// # Errors
    /// [`PkiError::File`]; [`PkiError::NotOne`] when the file holds no certificate.
    pub fn own(&self) -> Result<Option<Own>, PkiError> {
        let path = self.folder.join(OWN_CERTIFICATE);
        let der = match fs::read(&path) {
            Ok(der) => der,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PkiError::File { path, source }),
        };
        let read = X509::from_der(&der).map_err(|_| PkiError::NotOne)?;
        let certificate = about(&read, &der, path, Standing::Trusted).ok_or(PkiError::NotOne)?;
        Ok(Some(Own { certificate, der }))
    }

    /// Every certificate that a server showed, by source, oldest first.
    ///
    /// # Errors
    /// [`PkiError::File`] when the folder cannot be read.
    pub fn seen(&self) -> Result<Vec<Seen>, PkiError> {
        let path = self.folder.join("seen");
        let failed = |source| PkiError::File { path: path.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
        files.sort_unstable();
        Ok(files.iter().flat_map(|file| entries(file)).collect())
    }

    /// Why this certificate is rejected, by what servers showed; `None` when it is trusted. Of clients nothing was `seen`.
    #[must_use]
    pub fn rejection(&self, certificate: &Certificate, seen: &[Seen]) -> Option<Rejection> {
        if certificate.standing == Standing::Trusted {
            return None;
        }
        if self.side == Side::Client {
            return Some(if self.was_trusted(certificate) {
                Rejection::TakenBack
            } else {
                Rejection::Unknown
            });
        }
        let mut reason = Rejection::Unknown;
        for one in seen.iter().filter(|one| one.thumbprint == certificate.thumbprint) {
            match self.known(&one.source) {
                Some(known) if known == certificate.thumbprint => return Some(Rejection::TakenBack),
                Some(before) => reason = Rejection::Changed { source: one.source.clone(), before },
                None => {}
            }
        }
        Some(reason)
    }

    /// Writes down that the server behind `source` at `endpoint` showed this certificate.
    pub(crate) fn saw(
        &self,
        (source, endpoint): (&str, &str),
        thumbprint: &str,
        now: Timestamp,
    ) -> Result<(), PkiError> {
        let path = self.of_source("seen", source, "json");
        let mut all = entries(&path);
        let known = all.iter().position(|one| one.thumbprint == thumbprint && one.endpoint == endpoint);
        let first = match known {
            Some(place) => {
                let before = all.remove(place);
                if now.since(before.last) < SEEN_EVERY && place == all.len() {
                    return Ok(());
                }
                before.first
            }
            None => now,
        };
        let (source, endpoint) = (source.to_owned(), endpoint.to_owned());
        all.push(Seen { source, endpoint, thumbprint: thumbprint.to_owned(), first, last: now });
        let surplus = all.len().saturating_sub(SEEN_MAX);
        let failed = |source| PkiError::File { path: path.clone(), source };
        let text = serde_json::to_string(all.get(surplus..).unwrap_or_default())
            .map_err(|error| failed(io::Error::other(error)))?;
        fs::write(&path, text).map_err(failed)
    }
}

fn entries(file: &std::path::Path) -> Vec<Seen> {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}
