//! Files whose content nobody else may read: keys and passwords.

use std::io;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Longest secret.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Why a file is not taken for a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Not there, say.
    #[error("{path} cannot be read: {error}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Not for us alone.
    #[error("{path} may be read by others (mode {mode:o}): `chmod 600` it", path = .path.display())]
    Shared {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Far too long, or not text.
    #[error("{path} holds no secret: one is text of {SECRET_BYTES_MAX} bytes at most", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
}

/// The text of a file that only its owner, or a group that may not write it, can read. Blocks on the disk.
///
/// # Errors
/// [`SecretError`], which never holds the content.
pub fn read_secret(path: &Path) -> Result<String, SecretError> {
    let failed = |error| SecretError::Read { path: path.to_owned(), error };
    let file = std::fs::File::open(path).map_err(failed)?;
    private(path, &file)?;
    let mut text = String::new();
    let read = file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes as u64 <= SECRET_BYTES_MAX => Ok(text),
        Err(error) if error.kind() != io::ErrorKind::InvalidData => Err(failed(error)),
        _ => Err(SecretError::Content { path: path.to_owned() }),
    }
}

/// Bits of a file's mode that no secret has: anything for others, and writing for the group. Services get their keys
/// by group, so the group may read.
#[cfg(unix)]
const SHARED_BITS: u32 = 0o027;

#[cfg(unix)]
fn private(path: &Path, file: &std::fs::File) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt as _;

    let metadata = file.metadata().map_err(|error| SecretError::Read { path: path.to_owned(), error })?;
    let mode = metadata.permissions().mode() & 0o777;
    match mode & SHARED_BITS {
        0 => Ok(()),
        _ => Err(SecretError::Shared { path: path.to_owned(), mode }),
    }
}

#[cfg(not(unix))]
fn private(_: &Path, _: &std::fs::File) -> Result<(), SecretError> {
    Ok(())
}
