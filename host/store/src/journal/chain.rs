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
        /// Number of the first entry that is missing or not as it was written.
        seq: u64,
        /// What is wrong with it.
        finding: &'static str,
    },
}

/// Follows the chain from the first entry.
pub(crate) fn verify(connection: &Connection) -> Result<Chain, StoreError> {
    let failed = StoreError::database(FILE.name, "following the chain");
    let transaction = connection.unchecked_transaction().map_err(&failed)?;
    let mut select = transaction
        .prepare("SELECT seq, time, CAST(body AS BLOB), hash FROM entry NOT INDEXED ORDER BY seq")
        .map_err(&failed)?;
    let mut rows = select.query([]).map_err(&failed)?;
    let mut head = Head::START;
    while let Some(row) = rows.next().map_err(&failed)? {
        let broken = |finding| Ok(Chain::Broken { seq: (head.seq + 1).cast_unsigned(), finding });
        let (seq, time): (i64, i64) = row.get(0).and_then(|seq| Ok((seq, row.get(1)?))).map_err(&failed)?;
        let body = row.get_ref(2).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        let hash = row.get_ref(3).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        if seq != head.seq + 1 {
            return broken("it is missing");
        }
        let next = head.next(time, body);
        if next.hash != hash {
            return broken("it is not as it was written");
        }
        head = next;
    }
    let end = Head::load(&transaction)?;
    match end == head {
        true => Ok(Chain::Whole { entries: head.seq.cast_unsigned() }),
        false if end.seq > head.seq => {
            Ok(Chain::Broken { seq: (head.seq + 1).cast_unsigned(), finding: "it is missing" })
        }
        false => Ok(Chain::Broken {
            seq: (end.seq + 1).max(1).cast_unsigned(),
            finding: "it was not written by the journal",
        }),
    }
}
