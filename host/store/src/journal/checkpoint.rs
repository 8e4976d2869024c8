//! A checkpoint: the end of the chain at one moment, signed. Whoever keeps one elsewhere notices when the journal is cut
//! before it or rewritten. One spelling, a line of JSON, is used in `journal.db`, in the file beside it and in exports.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::chain::Head;
use super::key::{Key, PublicKey, bytes_from_hex, hex};
use crate::StoreError;

/// The file beside `journal.db` that checkpoints are appended to, to be copied off the machine.
pub const FILE_NAME: &str = "journal.checkpoints";
/// What signed bytes begin with, so that a signature made for something else never passes for a checkpoint.
const DOMAIN: &[u8] = b"geminus journal checkpoint v1\n";

/// As much of the file's end as surely holds two lines.
const TAIL_BYTES: u64 = 4_096;

/// What is signed, and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Which journal: a number that its first checkpoint drew, so that another plant's checkpoints do not fit.
    pub(crate) journal: [u8; 16],
    /// Number of the checkpoint, from 1, without gaps.
    pub(crate) number: u64,
    /// Number of the last entry that it covers, 0 for none.
    pub(crate) seq: u64,
    /// Hash of that entry, which covers all before it.
    pub(crate) hash: [u8; 32],
    /// When it was signed, in nanoseconds since 1970.
    pub(crate) time_ns: u64,
    /// Who signed it.
    pub(crate) key: PublicKey,
    /// The key that signs from now on, when this one hands over.
    pub(crate) next_key: Option<PublicKey>,
    signature: [u8; 64],
}

/// As it is spelt. Unknown and missing fields are refused; numbers and digits have one spelling.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    journal: String,
    number: u64,
    seq: u64,
    hash: String,
    time_ns: u64,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_key: Option<String>,
    signature: String,
}

impl Checkpoint {
    /// Signs the end of a chain.
    pub(crate) fn sign(
        (journal, number): ([u8; 16], u64),
        head: Head,
        time_ns: u64,
        key: &Key,
        next_key: Option<PublicKey>,
    ) -> Self {
        let mut checkpoint = Self {
            journal,
            number,
            seq: head.seq.cast_unsigned(),
            hash: head.hash,
            time_ns,
            key: key.public(),
            next_key,
            signature: [0; 64],
        };
        checkpoint.signature = key.sign(&checkpoint.message());
        checkpoint
    }

    /// Whether the key that it names signed exactly this.
    pub(crate) fn is_signed(&self) -> bool {
        self.key.signed(&self.message(), &self.signature)
    }

    /// Its line, without the line's end.
    pub(crate) fn line(&self) -> String {
        let line = Line {
            journal: hex(&self.journal),
            number: self.number,
            seq: self.seq,
            hash: hex(&self.hash),
            time_ns: self.time_ns,
            key: self.key.to_string(),
            next_key: self.next_key.map(|key| key.to_string()),
            signature: hex(&self.signature),
        };
        // Strings and numbers always become JSON; an empty line would be refused by whoever reads it.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads a line; `None` when it is not spelt as [`Checkpoint::line`] spells it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let line: Line = serde_json::from_str(text).ok()?;
        let checkpoint = Self {
            journal: bytes_from_hex(&line.journal)?,
            number: line.number,
            seq: line.seq,
            hash: bytes_from_hex(&line.hash)?,
            time_ns: line.time_ns,
            key: line.key.parse().ok()?,
            next_key: line.next_key.map(|key| key.parse()).transpose().ok()?,
            signature: bytes_from_hex(&line.signature)?,
        };
        (checkpoint.line() == text).then_some(checkpoint)
    }

    /// Fields of fixed width in a fixed order, a next key only after a byte that says so: no two checkpoints have the
    /// same bytes.
    fn message(&self) -> Vec<u8> {
        let mut message = DOMAIN.to_vec();
        message.extend(self.journal);
        message.extend(self.number.to_be_bytes());
        message.extend(self.seq.to_be_bytes());
        message.extend(self.hash);
        message.extend(self.time_ns.to_be_bytes());
        message.extend(self.key.bytes());
        message.push(u8::from(self.next_key.is_some()));
        message.extend(self.next_key.iter().flat_map(PublicKey::bytes));
        message
    }
}

/// The lines of a file of checkpoints; none when there is no such file.
pub(crate) fn read_lines(path: &Path) -> Result<Vec<String>, StoreError> {
    match fs::read(path) {
        // Bytes that are no text are kept as a line that no checkpoint is spelt like.
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(StoreError::Folder { path: path.to_owned(), cause }),
    }
}

/// Appends whole lines and waits until they are on the disk.
pub(crate) fn append(path: &Path, lines: &str) -> Result<(), StoreError> {
    let failed = |cause| StoreError::Folder { path: path.to_owned(), cause };
    let mut file = fs::File::options().create(true).append(true).open(path).map_err(failed)?;
    file.write_all(lines.as_bytes()).and_then(|()| file.sync_data()).map_err(failed)
}

/// The last line of a file of checkpoints. What stands behind the last line's end is cut: a host was killed while it
/// wrote that, and `journal.db` has it. Reads the end of the file only, which grows as long as the plant runs.
pub(crate) fn last_line(path: &Path) -> Result<Option<String>, StoreError> {
    let failed = |cause| StoreError::Folder { path: path.to_owned(), cause };
    let mut file = match fs::File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(cause)),
    };
    let length = file.metadata().map_err(failed)?.len();
    let start = length.saturating_sub(TAIL_BYTES);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(start)).and_then(|_| file.read_to_end(&mut tail)).map_err(failed)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < tail.len() {
        file.set_len(start + whole as u64).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    let text = String::from_utf8_lossy(tail.get(..whole).unwrap_or_default()).into_owned();
    Ok(text.lines().next_back().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_byte_makes_a_line_no_checkpoint_or_its_signature_wrong() {
        let dir = tempfile::tempdir().expect("folder");
        let key = Key::load_or_make(dir.path(), None).expect("key");
        let head = Head { seq: 7, hash: [9; 32] };
        for next in [None, Some(key.public())] {
            let line = Checkpoint::sign(([1; 16], 3), head, 42, &key, next).line();
            assert!(Checkpoint::parse(&line).is_some_and(|checkpoint| checkpoint.is_signed()), "{line}");
            for at in 0..line.len() {
                let mut bytes = line.clone().into_bytes();
                bytes[at] ^= 1;
                let other = String::from_utf8(bytes).expect("ASCII");
                let passes = Checkpoint::parse(&other).is_some_and(|checkpoint| checkpoint.is_signed());
                assert!(!passes, "{other}");
            }
        }
    }

    #[test]
    fn a_line_that_a_killed_host_left_unfinished_is_cut() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join(FILE_NAME);
        assert_eq!(last_line(&path).expect("there is none"), None);
        let cases = [
            ("one\ntw", "one\n", Some("one")),
            ("one\ntwo\n", "one\ntwo\n", Some("two")),
            ("on", "", None),
            ("", "", None),
        ];
        for (text, expect, last) in cases {
            fs::write(&path, text).expect("written");
            assert_eq!(last_line(&path).expect("read").as_deref(), last);
            assert_eq!(fs::read_to_string(&path).expect("read"), expect);
        }
    }
}
