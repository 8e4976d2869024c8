//! The key that signs the journal's checkpoints: Ed25519, made at the first start, kept in `keys/` of the data folder,
//! readable by its owner only. Nothing outside this file sees the secret half, and nothing here logs.
//!
//! A new key is first staged beside the old one: only when its checkpoints are durable does it take the place, so that
//! a host that is killed in between still has the key that its journal names.

use std::fmt;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::StoreError;

/// Folder of the keys in the data folder.
const FOLDER: &str = "keys";
/// The secret half, as 64 hexadecimal digits.
const SECRET: &str = "journal.key";
/// The secret half of the key that comes next.
const STAGED: &str = "journal.key.next";
/// The public half, for whoever wants to hold the journal against it.
const PUBLIC: &str = "journal.pub";

/// The public half of a key, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key that a data folder signs with now; `None` where no journal has been written yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_folder(data: &Path) -> Result<Option<Self>, StoreError> {
        let path = data.join(FOLDER).join(PUBLIC);
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|reason| StoreError::Key { path, reason }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Key { path, reason: error.to_string() }),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this key signed the message. Strict: of the many forms of a signature only one is taken.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        bytes_from_hex(text).map(Self).ok_or_else(|| "a key is 64 hexadecimal digits".to_owned())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

/// Both halves.
pub(crate) struct Key(SigningKey);

impl Key {
    /// The key of a data folder, made when there is none. `last` is the key that the journal's last checkpoint names: a
    /// change of keys that was cut short is finished when it is the staged one, and forgotten when it is not.
    pub(crate) fn load_or_make(data: &Path, last: Option<PublicKey>) -> Result<Self, StoreError> {
        let folder = Folder::make(data)?;
        if let Some(staged) = folder.read(STAGED)? {
            match last == Some(staged.public()) {
                true => folder.install(&staged)?,
                false => folder.remove(STAGED)?,
            }
        }
        let key = match folder.read(SECRET)? {
            Some(key) => key,
            None => {
                let key = Self::make()?;
                folder.write(SECRET, &key.secret())?;
                key
            }
        };
        if PublicKey::of_folder(data).ok().flatten() != Some(key.public()) {
            folder.write(PUBLIC, &key.public().to_string())?;
        }
        Ok(key)
    }

    /// A new key, durable beside the one in use.
    pub(crate) fn stage(data: &Path) -> Result<Self, StoreError> {
        let key = Self::make()?;
        Folder::make(data)?.write(STAGED, &key.secret())?;
        Ok(key)
    }

    /// Puts a staged key in the place of the one in use.
    pub(crate) fn install(&self, data: &Path) -> Result<(), StoreError> {
        Folder::make(data)?.install(self)
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    fn make() -> Result<Self, StoreError> {
        Ok(Self(SigningKey::from_bytes(&random()?)))
    }

    fn secret(&self) -> String {
        hex(self.0.as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Key(public {})", self.public())
    }
}

/// The folder of the keys, which only its owner may enter.
struct Folder(PathBuf);

impl Folder {
    fn make(data: &Path) -> Result<Self, StoreError> {
        let path = data.join(FOLDER);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|error| failed(&path, &error))?;
        Ok(Self(path))
    }

    fn read(&self, name: &str) -> Result<Option<Key>, StoreError> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => match bytes_from_hex(text.trim()) {
                Some(bytes) => Ok(Some(Key(SigningKey::from_bytes(&bytes)))),
                None => {
                    Err(StoreError::Key { path, reason: "it is no key: restore it from a backup".to_owned() })
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Whole or not at all: written beside, synced, renamed.
    fn write(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let (path, beside) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let mut options = fs::File::options();
        options.create(true).write(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&beside)
            .and_then(|mut file| writeln!(file, "{text}").and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| self.sync())
            .map_err(|error| failed(&path, &error))
    }

    fn install(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.0.join(SECRET);
        fs::rename(self.0.join(STAGED), &path)
            .and_then(|()| self.sync())
            .map_err(|error| failed(&path, &error))?;
        self.write(PUBLIC, &key.public().to_string())
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.0.join(name);
        fs::remove_file(&path).map_err(|error| failed(&path, &error))
    }

    /// Renames are durable once their folder is.
    fn sync(&self) -> std::io::Result<()> {
        #[cfg(unix)]
        fs::File::open(&self.0)?.sync_all()?;
        Ok(())
    }
}

fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Key { path: path.to_owned(), reason: error.to_string() }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    fs::File::open(path)
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| failed(path, &error))?;
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower case only: a text has one meaning, and a meaning one text.
pub(crate) fn bytes_from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_nobody_else_can_read_it() {
        let dir = tempfile::tempdir().expect("folder");
        assert_eq!(PublicKey::of_folder(dir.path()).expect("none"), None);
        let key = Key::load_or_make(dir.path(), None).expect("made").public();
        assert_eq!(Key::load_or_make(dir.path(), Some(key)).expect("read").public(), key);
        assert_eq!(PublicKey::of_folder(dir.path()).expect("read"), Some(key));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: PathBuf| fs::metadata(path).expect("file").permissions().mode() & 0o777;
            assert_eq!(mode(dir.path().join("keys")), 0o700);
            assert_eq!(mode(dir.path().join("keys/journal.key")), 0o600);
        }
        let shown = format!("{:?}", Key::load_or_make(dir.path(), None).expect("read"));
        let secret = fs::read_to_string(dir.path().join("keys/journal.key")).expect("text");
        assert!(!shown.contains(secret.trim()), "the secret half is never shown");
    }

    #[test]
    fn a_change_of_keys_that_was_cut_short_is_finished_or_forgotten() {
        let dir = tempfile::tempdir().expect("folder");
        let old = Key::load_or_make(dir.path(), None).expect("made").public();
        Key::stage(dir.path()).expect("staged");
        assert_eq!(Key::load_or_make(dir.path(), Some(old)).expect("read").public(), old);
        assert!(!dir.path().join("keys/journal.key.next").exists());
        let new = Key::stage(dir.path()).expect("staged").public();
        assert_eq!(Key::load_or_make(dir.path(), Some(new)).expect("read").public(), new);
        assert_eq!(PublicKey::of_folder(dir.path()).expect("read"), Some(new));
    }

    #[test]
    fn hexadecimal_digits_have_one_spelling() {
        assert_eq!(bytes_from_hex::<2>("0aff"), Some([10, 255]));
        for wrong in ["0AFF", "0aff0", "0af", "", "0agf"] {
            assert_eq!(bytes_from_hex::<2>(wrong), None, "{wrong}");
        }
    }
}
