//! Whose certificates a folder holds. Those of servers and those of clients are kept apart: who is spoken to need not be let in.
//!
//! Of clients, which show themselves to the library's server and not to us, only this is kept beside their certificates: which
//! ones a person has trusted, as `known/SHA256.txt`, so that trust that was taken back is told from a stranger's.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::{Certificate, Pki, PkiError, REJECTED_MAX, Standing, read};

/// Folder for certificates of clients, inside that for those of servers.
const CLIENTS: &str = "clients";

/// Who has shown a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A server that we connect to.
    Server,
    /// A client that connects to us.
    Client,
}

impl Side {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

impl Pki {
    /// Whose certificates these are.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Those of clients, in a folder of its own inside this one.
    ///
    /// # Errors
    /// [`PkiError::File`].
    pub fn clients(&self) -> Result<Self, PkiError> {
        let clients = Self { folder: self.folder.join(CLIENTS), side: Side::Client };
        for inside in ["trusted", "rejected", "known"] {
            let path = clients.folder.join(inside);
            fs::create_dir_all(&path).map_err(|source| PkiError::File { path, source })?;
        }
        Ok(clients)
    }

    /// Rejected certificates, of which only so many are kept as a stranger may fill the disk with: the latest go.
    pub(crate) fn rejected(&self) -> Result<Vec<Certificate>, PkiError> {
        let mut files = self.files(Standing::Rejected)?;
        let written = |file: &PathBuf| fs::metadata(file).and_then(|about| about.modified()).ok();
        files.sort_by_cached_key(|file| (written(file), file.clone()));
        for file in files.drain(REJECTED_MAX.min(files.len())..) {
            fs::remove_file(&file).map_err(|source| PkiError::File { path: file.clone(), source })?;
        }
        Ok(files.iter().filter_map(|file| read(file, Standing::Rejected)).collect())
    }

    /// A person has trusted this certificate of a client. Of a server it is known from having spoken to it.
    pub(super) fn note_trust(&self, one: &Certificate) -> Result<(), PkiError> {
        match self.side {
            Side::Server => Ok(()),
            Side::Client => self.remember(&one.facts.sha256, &one.thumbprint),
        }
    }

    /// Whether somebody has trusted this certificate of a client, now or before.
    pub(super) fn was_trusted(&self, one: &Certificate) -> bool {
        self.known(&one.facts.sha256).is_some()
    }

    pub(super) fn forget_trust(&self, one: &Certificate) -> Result<(), PkiError> {
        if self.side == Side::Server {
            return Ok(());
        }
        let path = self.known_file(&one.facts.sha256);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(PkiError::File { path, source }),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
