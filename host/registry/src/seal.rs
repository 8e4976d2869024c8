//! What somebody says the digest of a package file must be: its name (`<name>-<version>.<12 hex digits>.wasm`) or a file
//! beside it (`<file>.sha256`, as sha256sum writes it). Without either a file is taken as it is. Whoever wants the
//! check puts the side file there first. The digest itself and the declaration stay the only truth; this only refuses.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use geminus_core::{Declaration, Digest};

/// Most bytes of a side file that are read.
pub const SIDECAR_BYTES_MAX: u64 = 4_096;
/// Hexadecimal digits of a digest in a file's name.
const NAME_DIGITS: usize = 12;

/// Why a file is not the one that was announced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Other bytes.
    #[error(
        "its digest is {found}, but {by} asks for {wanted}: the file is truncated, damaged or not the one meant"
    )]
    Digest {
        /// Of the bytes.
        found: Digest,
        /// What was asked for, maybe only the beginning.
        wanted: String,
        /// Who asks.
        by: String,
    },
    /// Another plugin or version.
    #[error(
        "its declaration says {declared}, but its name says {named}: rename the file or put the right one there"
    )]
    Label {
        /// `name-version` of the declaration.
        declared: String,
        /// `name-version` of the file's name.
        named: String,
    },
    /// A side file that holds no digest.
    #[error("{} cannot be used: {reason}; it must begin with 64 hexadecimal digits", .path.display())]
    Sidecar {
        /// The side file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a package file must be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seal {
    named: Option<(String, String)>,
    beside: Option<(PathBuf, Digest)>,
}

/// The side file of a package file.
pub(crate) fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

impl Seal {
    /// Reads what is said about the file at `path`. Blocks on the disk.
    ///
    /// # Errors
    /// [`SealError::Sidecar`] for a side file that cannot be read.
    pub(crate) fn of(path: &Path) -> Result<Self, SealError> {
        let beside = sidecar(path);
        let wrong = |reason: String| SealError::Sidecar { path: beside.clone(), reason };
        let mut text = String::new();
        let read = std::fs::File::open(&beside)
            .and_then(|file| file.take(SIDECAR_BYTES_MAX).read_to_string(&mut text));
        let beside = match read {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(wrong(error.to_string())),
            Ok(_) => {
                let word = text.split_whitespace().next().unwrap_or_default();
                let digest = word.trim_start_matches('\\').parse::<Digest>();
                Some((beside.clone(), digest.map_err(|error| wrong(error.to_string()))?))
            }
        };
        Ok(Self { named: named(path), beside })
    }

    /// `name-version` as the file's name has it.
    pub(crate) fn label(&self) -> Option<&str> {
        self.named.as_ref().map(|(label, _)| label.as_str())
    }

    /// Holds the bytes' digest against what was said.
    ///
    /// # Errors
    /// [`SealError::Digest`].
    pub(crate) fn hold_digest(&self, found: Digest) -> Result<(), SealError> {
        if let Some((path, wanted)) = self.beside.as_ref().filter(|(_, wanted)| *wanted != found) {
            let by = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(SealError::Digest { found, wanted: wanted.to_string(), by });
        }
        match &self.named {
            Some((_, digits)) if *digits != found.short() => Err(SealError::Digest {
                found,
                wanted: format!("sha256:{digits}…"),
                by: "its name".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Holds name and version of the declaration against what was said.
    ///
    /// # Errors
    /// [`SealError::Label`].
    pub(crate) fn hold_label(&self, declaration: &Declaration) -> Result<(), SealError> {
        let declared = format!("{}-{}", declaration.name, declaration.version);
        match self.label() {
            Some(named) if named != declared => Err(SealError::Label { declared, named: named.to_owned() }),
            _ => Ok(()),
        }
    }
}

/// `name-version` and the digits of `<name>-<version>.<12 hex digits>.wasm`.
fn named(path: &Path) -> Option<(String, String)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".wasm")?;
    let (label, digits) = stem.rsplit_once('.')?;
    let hexadecimal = digits.len() == NAME_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    hexadecimal.then(|| (label.to_owned(), digits.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_carry_the_digest() {
        let check = |file: &str, expect: Option<(&str, &str)>| {
            let found = named(Path::new(file));
            assert_eq!(found.as_ref().map(|(l, d)| (l.as_str(), d.as_str())), expect, "{file}");
        };
        check("p/motor-1.2.3.0123456789AB.wasm", Some(("motor-1.2.3", "0123456789ab")));
        check("motor-1.2.3.wasm", None);
        check("motor.wasm", None);
        check("motor.0123456789ax.wasm", None);
        check("motor.0123456789abc.wasm", None);
        check("motor.0123456789ab", None);
    }

    #[test]
    fn a_side_file_is_read_or_refused() {
        let dir = tempfile::tempdir().expect("folder");
        let (path, digest) = (dir.path().join("a.wasm"), Digest::of(b"x"));
        let hex = digest.to_string().replace("sha256:", "");
        assert!(Seal::of(&path).expect("none").hold_digest(digest).is_ok());
        for (text, says) in [
            (hex.clone(), ""),
            (format!("{hex}  a.wasm\n"), ""),
            (format!("{digest}\n"), ""),
            (Digest::of(b"y").to_string(), "a.wasm.sha256 asks for"),
            (String::new(), "no SHA-256 digest"),
            (hex[..63].to_owned(), "no SHA-256 digest"),
        ] {
            std::fs::write(sidecar(&path), &text).expect("written");
            match Seal::of(&path).and_then(|seal| seal.hold_digest(digest)) {
                Ok(()) => assert_eq!(says, "", "{text}"),
                Err(error) => assert!(!says.is_empty() && error.to_string().contains(says), "{error}"),
            }
        }
        std::fs::write(sidecar(&path), [0xff; 70]).expect("written");
        assert!(matches!(Seal::of(&path), Err(SealError::Sidecar { .. })));
    }
}
