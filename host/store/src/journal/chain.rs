//! The hash chain of the journal: each entry's hash covers the hash before it, its number, its time and its
//! bytes as they are stored. The head keeps number and hash of the last entry, so that a cut tail shows too.

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest as _, Sha256};

use super::FILE;
use crate::StoreError;

/// What the first entry is chained to.
const ROOT: [u8; 32] = [0; 32];

/// The end of a chain: number and hash of its last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) hash: [u8; 32],
}

impl Head {
    /// Before the first entry.
    pub(crate) const START: Self = Self { seq: 0, hash: ROOT };

    /// The head after one more entry.
    pub(crate) fn next(self, time: i64, body: &[u8]) -> Self {
        let seq = self.seq + 1;
        let mut hasher = Sha256::new();
        hasher.update(self.hash);
        hasher.update(seq.to_be_bytes());
        hasher.update(time.to_be_bytes());
        hasher.update(body);
        Self { seq, hash: hasher.finalize().into() }
    }

    /// The head that the file has.
    pub(crate) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let head = connection
            .query_row("SELECT seq, hash FROM head", [], |row| {
                Ok(Self { seq: row.get(0)?, hash: row.get(1)? })
            })
            .optional()
            .map_err(StoreError::database(FILE.name, "reading the head of the chain"))?;
        Ok(head.unwrap_or(Self::START))
    }
}

/// What following the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Every entry is as it was written.
    Whole {
        /// How many there are.
        entries: u64,
    },
    /// The chain breaks.
    Broken {
        /// Number of the first entry that is missing or not as it was written; where all hashes were made to fit, the
        /// first after the last checkpoint that holds.
        seq: u64,
        /// What is wrong with it.
        finding: &'static str,
    },
}

/// What is said of an entry that is not there.
pub(super) const MISSING: &str = "it is missing";
/// What is said of an entry whose hash is not that of its bytes after the entry before.
pub(super) const ALTERED: &str = "it is not as it was written";
/// What is said of an entry behind the end that the journal noted.
pub(super) const FOREIGN: &str = "it was not written by the journal";

/// Follows the chain from one entry to the next.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) head: Head,
}

impl Walk {
    /// Takes the next entry as it is stored; on a break, the number of the first bad one and what is wrong with it.
    pub(super) fn step(&mut self, seq: i64, time: i64, body: &[u8], hash: &[u8]) -> Result<(), Chain> {
        if seq != self.head.seq + 1 {
            return Err(self.broken(MISSING));
        }
        let next = self.head.next(time, body);
        if next.hash != hash {
            return Err(self.broken(ALTERED));
        }
        self.head = next;
        Ok(())
    }

    /// Holds the last entry against the end that was noted.
    pub(super) fn end(&self, seq: i64, hash: &[u8]) -> Result<(), Chain> {
        match (seq, hash) == (self.head.seq, self.head.hash.as_slice()) {
            true => Ok(()),
            false if seq > self.head.seq => Err(self.broken(MISSING)),
            false => {
                Err(Chain::Broken { seq: (seq.saturating_add(1)).max(1).cast_unsigned(), finding: FOREIGN })
            }
        }
    }

    /// The entry after the last good one.
    fn broken(&self, finding: &'static str) -> Chain {
        Chain::Broken { seq: (self.head.seq + 1).cast_unsigned(), finding }
    }
}

/// Follows the chain from the first entry; `looked` is asked about each good one.
pub(super) fn follow(
    connection: &Connection,
    mut looked: impl FnMut(&Head) -> Result<(), Chain>,
) -> Result<Result<Head, Chain>, StoreError> {
    let failed = StoreError::database(FILE.name, "following the chain");
    let mut select = connection
        .prepare("SELECT seq, time, CAST(body AS BLOB), hash FROM entry NOT INDEXED ORDER BY seq")
        .map_err(&failed)?;
    let mut rows = select.query([]).map_err(&failed)?;
    let mut walk = Walk { head: Head::START };
    while let Some(row) = rows.next().map_err(&failed)? {
        let (seq, time): (i64, i64) = row.get(0).and_then(|seq| Ok((seq, row.get(1)?))).map_err(&failed)?;
        let body = row.get_ref(2).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        let hash = row.get_ref(3).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        if let Err(broken) = walk.step(seq, time, body, hash).and_then(|()| looked(&walk.head)) {
            return Ok(Err(broken));
        }
    }
    let end: Option<(i64, Vec<u8>)> = connection
        .query_row("SELECT seq, hash FROM head", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(&failed)?;
    let (seq, hash) = end.unwrap_or((0, ROOT.to_vec()));
    Ok(walk.end(seq, &hash).map(|()| walk.head))
}

/// Follows the chain from the first entry, without regard to checkpoints.
pub(crate) fn verify(connection: &Connection) -> Result<Chain, StoreError> {
    let transaction =
        connection.unchecked_transaction().map_err(StoreError::database(FILE.name, "following the chain"))?;
    let followed = follow(&transaction, |_| Ok(()))?;
    Ok(followed.map_or_else(|broken| broken, |head| Chain::Whole { entries: head.seq.cast_unsigned() }))
}
