//! Certificates as files: our own and its key, those of others that are trusted, those that are not.
//!
//! Those of servers and those of clients are kept apart, see [`Side`]. A folder with `own/cert.der`, `private/private.pem` (for us alone), `trusted/`, `rejected/`, `known/`, which has the
//! thumbprint that each server last had, and `seen/`, which has what each showed. Whoever runs the site moves files between `trusted` and `rejected`, by hand or by
//! [`Pki::trust`] and [`Pki::reject`]; they are read anew at each connection. All of it blocks on the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use geminus_tls::CertificateFacts;
use opcua::crypto::{CertificateStore, X509, X509Data};

mod seen;
mod side;

pub use seen::{Own, Rejection, Seen};
pub use side::Side;

/// Name of this host among OPC UA applications, as our certificate has it.
pub(crate) const APPLICATION_URI: &str = "urn:geminus:host";
/// Our certificate, inside the folder.
pub(crate) const OWN_CERTIFICATE: &str = "own/cert.der";
/// Our key, inside the folder.
pub(crate) const OWN_KEY: &str = "private/private.pem";
/// Days for which our certificate is made.
const OWN_DAYS: u32 = 3_650;
/// Certificates that are kept as rejected. A server with a new one each time must not fill the disk.
const REJECTED_MAX: usize = 100;
/// Largest file that is read as a certificate.
const CERTIFICATE_BYTES_MAX: u64 = 64 << 10;
/// Fewest characters of a thumbprint that name a certificate.
const PREFIX_MIN: usize = 4;
/// Held while our certificate is made.
static MAKING: Mutex<()> = Mutex::new(());

/// What is thought of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Servers with it are spoken to, clients with it are let in.
    Trusted,
    /// They are not.
    Rejected,
}

impl Standing {
    /// Its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Rejected => "rejected",
        }
    }
}

/// A certificate of a server or a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-1 of it, in hexadecimal: how OPC UA names certificates.
    pub thumbprint: String,
    /// Whose it says that it is. Written by strangers; no control characters.
    pub subject: String,
    /// First moment that it is for, RFC 3339; empty when it cannot be read.
    pub valid_from: String,
    /// Last moment.
    pub valid_until: String,
    /// What is thought of it.
    pub standing: Standing,
    /// The file.
    pub file: PathBuf,
    /// What a file with it is called, so that it is found.
    name: String,
    /// What else stands in it.
    pub facts: CertificateFacts,
}

/// Why certificates cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file or folder.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Our own could not be made.
    #[error("no certificate of our own could be made in {}: {reason}", .folder.display())]
    Own {
        /// Where.
        folder: PathBuf,
        /// Why.
        reason: String,
    },
    /// What a server sent is none.
    #[error("what the server sent is no certificate")]
    NotOne,
    /// No certificate has that name.
    #[error("no certificate starts with `{0}`: `geminus certificate list` shows them")]
    Nobody(String),
    /// More than one has it.
    #[error("{count} certificates start with `{prefix}`: give more of the thumbprint")]
    Many {
        /// As given.
        prefix: String,
        /// So many.
        count: usize,
    },
}

/// What a server's certificate is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Trusted.
    Trusted(Certificate),
    /// Not trusted, and nothing else is known of the server.
    Unknown(Certificate),
    /// Not trusted, and the server had another one before.
    Changed {
        now: Certificate,
        /// Thumbprint of the other.
        before: String,
    },
}

impl Verdict {
    /// The certificate that was judged.
    pub(crate) fn certificate(&self) -> &Certificate {
        match self {
            Self::Trusted(now) | Self::Unknown(now) | Self::Changed { now, .. } => now,
        }
    }
}

/// A folder of certificates.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
    side: Side,
}

impl Pki {
    /// Opens the folder and makes what is missing of it.
    ///
    /// # Errors
    /// [`PkiError::File`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, PkiError> {
        let pki = Self { folder: folder.into(), side: Side::Server };
        for inside in ["own", "private", "trusted", "rejected", "known", "seen"] {
            let path = pki.folder.join(inside);
            fs::create_dir_all(&path).map_err(|source| PkiError::File { path, source })?;
        }
        only_for_us(&pki.folder.join("private"), 0o700)?;
        Ok(pki)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes our certificate and its key, if they are not there. Takes a second or so.
    ///
    /// # Errors
    /// [`PkiError::Own`].
    pub fn ensure_own(&self) -> Result<(), PkiError> {
        let (certificate, key) = (self.folder.join(OWN_CERTIFICATE), self.folder.join(OWN_KEY));
        // Sources and what writes to them begin at the same time: two that made both would leave one's certificate with the key of
        // the other.
        let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if certificate.is_file() && key.is_file() {
            return only_for_us(&key, 0o600);
        }
        let failed = |reason: String| PkiError::Own { folder: self.folder.clone(), reason };
        let mut data = X509Data {
            common_name: "Geminus".to_owned(),
            certificate_duration_days: OWN_DAYS,
            ..X509Data::sample_cert()
        };
        data.organization = "Geminus".to_owned();
        data.organizational_unit = String::new();
        // The first must be the URI.
        data.alt_host_names = Default::default();
        data.alt_host_names.add_uri(APPLICATION_URI);
        data.alt_host_names.add_dns(host_name());
        // The folder of the key lets nobody else in, so that it is never readable for others.
        CertificateStore::create_certificate_and_key(&data, true, &certificate, &key).map_err(failed)?;
        only_for_us(&key, 0o600)
    }

    /// Every certificate, trusted ones first. Files that are none are left out.
    ///
    /// # Errors
    /// [`PkiError::File`] when a folder cannot be read.
    pub fn list(&self) -> Result<Vec<Certificate>, PkiError> {
        let mut all = Vec::new();
        for standing in [Standing::Trusted, Standing::Rejected] {
            let mut files = self.files(standing)?;
            files.sort_unstable();
            all.extend(files.into_iter().filter_map(|file| read(&file, standing)));
        }
        Ok(all)
    }

    /// Trusts the one certificate whose thumbprint, or SHA-256, starts with `prefix`.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn trust(&self, prefix: &str) -> Result<Certificate, PkiError> {
        self.put(prefix, Standing::Trusted)
    }

    /// Rejects it. A line that stands is hung up on within seconds.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn reject(&self, prefix: &str) -> Result<Certificate, PkiError> {
        self.put(prefix, Standing::Rejected)
    }

    /// Forgets it: its server is a stranger's again. Gives what it was.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn remove(&self, prefix: &str) -> Result<Certificate, PkiError> {
        let (one, others) = self.find(prefix)?;
        for file in std::iter::once(&one).chain(&others).map(|copy| &copy.file) {
            fs::remove_file(file).map_err(|source| PkiError::File { path: file.clone(), source })?;
        }
        self.forget_trust(&one)?;
        Ok(one)
    }

    /// The one certificate whose thumbprint, or SHA-256, starts with `prefix`.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn named(&self, prefix: &str) -> Result<Certificate, PkiError> {
        self.find(prefix).map(|(one, _)| one)
    }

    fn put(&self, prefix: &str, standing: Standing) -> Result<Certificate, PkiError> {
        let (mut one, others) = self.find(prefix)?;
        // What cannot be noted is not trusted; a full disk must not keep trust up.
        if standing == Standing::Trusted || one.standing == Standing::Trusted {
            match (self.note_trust(&one), standing) {
                (Err(error), Standing::Trusted) => return Err(error),
                (Err(error), Standing::Rejected) => {
                    tracing::warn!(%error, "trust that is taken back is not noted")
                }
                (Ok(()), _) => {}
            }
        }
        let to = self.folder.join(standing.name()).join(&one.name);
        // One that lies in both folders counts as rejected, and one under another name is not found: one file is left.
        if one.file != to {
            fs::rename(&one.file, &to).map_err(|source| PkiError::File { path: one.file.clone(), source })?;
        }
        for file in others.into_iter().map(|copy| copy.file).filter(|file| *file != to) {
            fs::remove_file(&file).map_err(|source| PkiError::File { path: file, source })?;
        }
        (one.standing, one.file) = (standing, to);
        Ok(one)
    }

    /// The one certificate whose thumbprint or SHA-256 starts so, and further files that hold the same.
    fn find(&self, prefix: &str) -> Result<(Certificate, Vec<Certificate>), PkiError> {
        let mut found = self.list()?;
        let wanted = prefix.to_ascii_lowercase();
        found.retain(|one| {
            let thumbprint = one.thumbprint.to_ascii_lowercase();
            prefix.len() >= PREFIX_MIN
                && (thumbprint.starts_with(&wanted) || one.facts.sha256.starts_with(&wanted))
        });
        // By SHA-256: of the other, two certificates could be made that share it.
        let mut names: Vec<&str> = found.iter().map(|one| one.facts.sha256.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let count = names.len();
        let mut found = found.into_iter();
        match (found.next(), count) {
            (Some(one), 1) => Ok((one, found.collect())),
            (_, 0) | (None, _) => Err(PkiError::Nobody(prefix.to_owned())),
            (_, count) => Err(PkiError::Many { prefix: prefix.to_owned(), count }),
        }
    }

    /// Whether this very certificate is trusted now.
    pub(crate) fn trusts(&self, der: &[u8]) -> bool {
        let name = X509::from_der(der).ok().and_then(|certificate| file_name(&certificate));
        name.is_some_and(|name| self.is_trusted(&name, der))
    }

    fn is_trusted(&self, name: &str, der: &[u8]) -> bool {
        let is_rejected = self.folder.join("rejected").join(name).exists();
        !is_rejected && fs::read(self.folder.join("trusted").join(name)).is_ok_and(|kept| kept == der)
    }

    /// What the certificate `der` of the server behind `name` is to us. One that is not trusted is kept as rejected.
    pub(crate) fn judge(&self, name: &str, der: &[u8]) -> Result<Verdict, PkiError> {
        let certificate = X509::from_der(der).map_err(|_| PkiError::NotOne)?;
        let file = file_name(&certificate).ok_or(PkiError::NotOne)?;
        let (trusted, rejected) =
            (self.folder.join("trusted").join(&file), self.folder.join("rejected").join(&file));
        let about =
            |file: PathBuf, standing| about(&certificate, der, file, standing).ok_or(PkiError::NotOne);
        if self.is_trusted(&file, der) {
            return Ok(Verdict::Trusted(about(trusted, Standing::Trusted)?));
        }
        if !rejected.exists() {
            match self.files(Standing::Rejected)?.len() < REJECTED_MAX {
                true => fs::write(&rejected, der)
                    .map_err(|source| PkiError::File { path: rejected.clone(), source })?,
                false => {
                    tracing::warn!("{REJECTED_MAX} rejected certificates are kept already: one more is not")
                }
            }
        }
        let now = about(rejected, Standing::Rejected)?;
        Ok(match self.known(name) {
            Some(before) if before != now.thumbprint => Verdict::Changed { now, before },
            _ => Verdict::Unknown(now),
        })
    }

    /// Thumbprint that the server behind `name` had when it was last spoken to.
    pub(crate) fn known(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.known_file(name)).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The server behind `name` was spoken to and has this certificate.
    pub(crate) fn remember(&self, name: &str, thumbprint: &str) -> Result<(), PkiError> {
        let path = self.known_file(name);
        fs::write(&path, format!("{thumbprint}\n")).map_err(|source| PkiError::File { path, source })
    }

    fn known_file(&self, name: &str) -> PathBuf {
        self.of_source("known", name, "txt")
    }

    /// A file about a source, whatever that is called.
    fn of_source(&self, inside: &str, name: &str, ending: &str) -> PathBuf {
        let safe: String = name
            .bytes()
            .take(100)
            .map(|byte| match byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect();
        self.folder.join(inside).join(format!("{safe}.{ending}"))
    }

    fn files(&self, standing: Standing) -> Result<Vec<PathBuf>, PkiError> {
        let path = self.folder.join(standing.name());
        let failed = |source| PkiError::File { path: path.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_some_and(|extension| extension == "der") {
                files.push(file);
            }
        }
        Ok(files)
    }
}

/// Name of this machine, or `localhost` where it has none.
#[must_use]
pub fn host_name() -> String {
    opcua::crypto::hostname().unwrap_or_else(|_| "localhost".to_owned())
}

fn read(file: &Path, standing: Standing) -> Option<Certificate> {
    let size = fs::metadata(file).ok()?.len();
    let der = (size <= CERTIFICATE_BYTES_MAX).then(|| fs::read(file).ok()).flatten()?;
    let certificate = X509::from_der(&der).ok()?;
    about(&certificate, &der, file.to_owned(), standing)
}

/// What a file with this certificate is called. It is made of a name that a stranger chose; `None` when that cannot be a file's.
fn file_name(certificate: &X509) -> Option<String> {
    let name = CertificateStore::cert_file_name(certificate);
    (!name.contains(['/', '\\', '\0']) && name.len() <= 255).then_some(name)
}

fn about(certificate: &X509, der: &[u8], file: PathBuf, standing: Standing) -> Option<Certificate> {
    let own_name = || file.file_name().map(|name| name.to_string_lossy().into_owned());
    Some(Certificate {
        facts: CertificateFacts::read(der)?,
        name: file_name(certificate).or_else(own_name)?,
        thumbprint: certificate.thumbprint().as_hex_string(),
        subject: certificate.subject_name().chars().filter(|c| !c.is_control()).take(200).collect(),
        valid_from: certificate.not_before().map_or_else(|_| String::new(), |time| time.to_rfc3339()),
        valid_until: certificate.not_after().map_or_else(|_| String::new(), |time| time.to_rfc3339()),
        standing,
        file,
    })
}

#[cfg(unix)]
fn only_for_us(path: &Path, mode: u32) -> Result<(), PkiError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|source| PkiError::File { path: path.to_owned(), source })
}

#[cfg(not(unix))]
fn only_for_us(_path: &Path, _mode: u32) -> Result<(), PkiError> {
    Ok(())
}

#[cfg(test)]
mod tests;
