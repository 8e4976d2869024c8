//! Holding a journal against its chain, its signed checkpoints, and what the one who asks has kept of it. Works on the
//! file of a running host and on an export; decides nothing about keys but what follows from signatures.
//!
//! A key signs for the journal when it signed the first checkpoint, when the key before it handed over, or when the one
//! who asks gives it. Without a key or a checkpoint from elsewhere, whoever can write all files can make all fit.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

use super::chain::{Chain, Head, MISSING, Walk, follow};
use super::checkpoint::{self, Checkpoint};
use super::export::{Row, Rows};
use super::key::PublicKey;
use super::{CHECKPOINTS_FILE, FILE};
use crate::StoreError;

const REWRITTEN: &str = "it or a later one up to the next signed checkpoint was rewritten";
const FORGED: &str = "the checkpoint that covers it is forged or damaged";
const UNCOVERED: &str = "a checkpoint that covers it was removed or put elsewhere";
const UNSIGNED: &str = "nothing is signed by the key that you keep";

/// What the one who asks has kept off the machine.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Checkpoints, a line each.
    pub checkpoints: Vec<String>,
    /// Public keys that sign for the journal; with some, one of them must have.
    pub keys: Vec<PublicKey>,
}

impl Kept {
    /// The lines of a file of checkpoints.
    ///
    /// # Errors
    /// When it cannot be read or is empty.
    pub fn checkpoints_from(path: &Path) -> Result<Vec<String>, StoreError> {
        let lines = checkpoint::read_lines(path)?;
        match lines.is_empty() {
            true => Err(kept(format!("there are none in {}", path.display()))),
            false => Ok(lines),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Whether all is as it was written. Of an export: what is in it.
    pub chain: Chain,
    /// Checkpoints that hold, up to the first that does not.
    pub checkpoints: u64,
    /// Number of the last entry that one of them covers.
    pub signed_to: u64,
    /// The key that signs at the end.
    pub key: Option<PublicKey>,
    /// How many kept checkpoints were held against it.
    pub kept: u64,
}

/// Holds the journal of a data folder against itself and against what was kept. Reads all of it; a host may run.
///
/// # Errors
/// When files cannot be read, or what was kept is of another journal. What was altered is no error but an answer.
pub fn audit(data: &Path, kept: &Kept) -> Result<Audit, StoreError> {
    // Before the journal: the host writes the file after it.
    let beside = checkpoint::read_lines(&data.join(CHECKPOINTS_FILE))?;
    let connection = FILE.open_reader(data)?;
    let failed = StoreError::database(FILE.name, "reading checkpoints");
    let transaction = connection.unchecked_transaction().map_err(&failed)?;
    let mut seals = Seals::new(kept, true);
    let mut select =
        transaction.prepare("SELECT number, line FROM checkpoint ORDER BY number").map_err(&failed)?;
    let mut rows = select.query([]).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let (number, line): (i64, String) =
            row.get(0).and_then(|number| Ok((number, row.get(1)?))).map_err(&failed)?;
        seals.take(Some(number.cast_unsigned()), &line);
    }
    seals.compare(&beside);
    let marks = seals.finish()?;
    let mut watch = Watch::new(&marks, 0);
    let followed = follow(&transaction, |head| watch.look(head))?;
    Ok(seals.verdict(followed.and_then(|head| watch.end(head).map(|()| head)).map(|head| head.seq)))
}

/// Holds an export, in either format, against itself and against what was kept.
///
/// # Errors
/// When it is no export or cannot be read, or what was kept is of another journal.
pub fn audit_export(export: impl BufRead, kept: &Kept) -> Result<Audit, StoreError> {
    let mut rows = Rows::open(export)?;
    let start = rows.start()?;
    let mut seals = Seals::new(kept, false);
    let mut row = rows.next()?;
    while let Some(Row::Checkpoint(line)) = &row {
        seals.take(None, line);
        row = rows.next()?;
    }
    let marks = seals.finish()?;
    let mut watch = Watch::new(&marks, start.seq);
    let mut walk = Walk { head: start };
    if let Err(broken) = watch.look(&walk.head) {
        return Ok(seals.verdict(Err(broken)));
    }
    let ended = loop {
        let stepped = match &row {
            None => break Err(Chain::Broken { seq: (walk.head.seq + 1).cast_unsigned(), finding: MISSING }),
            Some(Row::Entry { seq, time, body, hash }) => walk.step(*seq, *time, body.as_bytes(), hash),
            Some(Row::End(end)) => break walk.end(end.seq, &end.hash),
            Some(_) => return Err(rows.misplaced()),
        };
        if let Err(broken) = stepped.and_then(|()| watch.look(&walk.head)) {
            return Ok(seals.verdict(Err(broken)));
        }
        row = rows.next()?;
    };
    if ended.is_ok() && rows.next()?.is_some() {
        return Err(rows.misplaced());
    }
    Ok(seals.within(start, walk.head).verdict(ended.map(|()| walk.head.seq - start.seq)))
}

/// Checkpoints in their order, and the first thing that is wrong with them.
struct Seals<'a> {
    kept: &'a Kept,
    /// Whether all are there, not only those of a part.
    whole: bool,
    good: BTreeMap<u64, Checkpoint>,
    last: Option<Checkpoint>,
    marks: Marks,
    held: u64,
    fault: Option<Chain>,
}

/// The hashes that signed checkpoints give entries.
type Marks = BTreeMap<i64, [u8; 32]>;

impl<'a> Seals<'a> {
    fn new(kept: &'a Kept, whole: bool) -> Self {
        let (good, marks) = (BTreeMap::new(), Marks::new());
        Self { kept, whole, good, last: None, marks, held: 0, fault: None }
    }

    /// The next one. After the first bad one nothing that follows is believed: its key may be anybody's.
    fn take(&mut self, number: Option<u64>, line: &str) {
        if self.fault.is_some() {
            return;
        }
        let after = self.last.as_ref();
        let from = after.map_or(1, |last| last.seq + 1);
        let Some(checkpoint) = Checkpoint::parse(line) else { return self.blame(from, FORGED) };
        let expected = after.map_or(1, |last| last.number + 1);
        let in_place = match self.whole {
            true => checkpoint.number == expected,
            false => checkpoint.number >= expected,
        } && number.is_none_or(|number| number == checkpoint.number)
            && after.is_none_or(|last| last.seq <= checkpoint.seq);
        let known = self.kept.keys.contains(&checkpoint.key)
            || after.is_none_or(|last| {
                last.next_key.unwrap_or(last.key) == checkpoint.key && last.journal == checkpoint.journal
            });
        if !(known && checkpoint.is_signed()) {
            return self.blame(from, FORGED);
        }
        if !in_place {
            return self.blame(from, UNCOVERED);
        }
        if let Some(other) = self.marks.insert(checkpoint.seq.cast_signed(), checkpoint.hash)
            && other != checkpoint.hash
        {
            return self.blame(checkpoint.seq, REWRITTEN);
        }
        self.good.insert(checkpoint.number, checkpoint.clone());
        self.last = Some(checkpoint);
    }

    /// Holds the lines of the file beside the journal against it.
    fn compare(&mut self, lines: &[String]) {
        if self.fault.is_some() {
            return;
        }
        let mut before = 0;
        let mut from = 1;
        for line in lines {
            let Some(checkpoint) = Checkpoint::parse(line) else { return self.blame(from, FORGED) };
            if self.good.get(&checkpoint.number) != Some(&checkpoint) || checkpoint.number <= before {
                let finding = if checkpoint.is_signed() { UNCOVERED } else { FORGED };
                return self.blame(from, finding);
            }
            (before, from) = (checkpoint.number, checkpoint.seq + 1);
        }
    }

    /// Adds what was kept elsewhere, and gives the hashes that all of them ask for.
    fn finish(&mut self) -> Result<Marks, StoreError> {
        let journal = self.last.as_ref().map(|last| last.journal);
        for line in &self.kept.checkpoints {
            let checkpoint = Checkpoint::parse(line).filter(Checkpoint::is_signed);
            let Some(checkpoint) = checkpoint else {
                return Err(kept(format!("this line is damaged, or no checkpoint: {line}")));
            };
            if journal.is_some_and(|journal| journal != checkpoint.journal) {
                self.blame(1, "the journal begins with another number than the checkpoint that you keep");
            }
            self.held += 1;
            // What was kept is believed more than what was found.
            let other = self.marks.insert(checkpoint.seq.cast_signed(), checkpoint.hash);
            let replaced = self.good.get(&checkpoint.number).is_some_and(|own| *own != checkpoint);
            let removed = self.whole && !self.good.contains_key(&checkpoint.number);
            if other.is_some_and(|hash| hash != checkpoint.hash) || replaced || removed {
                self.blame(checkpoint.seq.max(1), UNCOVERED);
            }
        }
        let keys = &self.kept.keys;
        if !keys.is_empty() && !self.good.values().any(|checkpoint| keys.contains(&checkpoint.key)) {
            self.blame(1, UNSIGNED);
        }
        Ok(self.marks.clone())
    }

    /// Of a part: counts only what covers entries of it.
    fn within(mut self, start: Head, end: Head) -> Self {
        let range = start.seq.cast_unsigned()..=end.seq.cast_unsigned();
        self.good.retain(|_, checkpoint| range.contains(&checkpoint.seq));
        let kept = self.kept.checkpoints.iter().filter_map(|line| Checkpoint::parse(line));
        self.held = kept.filter(|checkpoint| range.contains(&checkpoint.seq)).count() as u64;
        self
    }

    fn blame(&mut self, seq: u64, finding: &'static str) {
        self.fault.get_or_insert(Chain::Broken { seq, finding });
    }

    /// A break of the chain names its entry exactly, so it comes before whatever is wrong with checkpoints.
    fn verdict(self, followed: Result<i64, Chain>) -> Audit {
        let chain = match (followed, self.fault) {
            (Err(broken), _) | (Ok(_), Some(broken)) => broken,
            (Ok(entries), None) => Chain::Whole { entries: entries.cast_unsigned() },
        };
        Audit {
            chain,
            checkpoints: self.good.len() as u64,
            signed_to: self.good.values().map(|checkpoint| checkpoint.seq).max().unwrap_or(0),
            key: self.last.map(|last| last.next_key.unwrap_or(last.key)),
            kept: self.held,
        }
    }
}

/// Holds entries against signed hashes as they pass.
struct Watch<'a> {
    marks: std::iter::Peekable<std::collections::btree_map::Range<'a, i64, [u8; 32]>>,
    /// Last entry that is signed and fits, or the last before the first.
    good: i64,
    first: i64,
}

impl<'a> Watch<'a> {
    fn new(marks: &'a Marks, after: i64) -> Self {
        Self { marks: marks.range(after..).peekable(), good: after, first: after }
    }

    fn look(&mut self, head: &Head) -> Result<(), Chain> {
        // Before the first entry of a whole journal there is nothing that a hash could belong to.
        while self.marks.next_if(|(seq, _)| **seq < head.seq).is_some() {}
        match self.marks.next_if(|(seq, _)| **seq == head.seq) {
            Some((_, hash)) if *hash != head.hash => {
                let seq = if head.seq == self.first { head.seq } else { self.good + 1 };
                Err(Chain::Broken { seq: seq.max(1).cast_unsigned(), finding: REWRITTEN })
            }
            Some(_) => {
                self.good = head.seq;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// At the end of a whole journal: what is signed beyond it was cut.
    fn end(&mut self, head: Head) -> Result<(), Chain> {
        match self.marks.any(|(seq, _)| *seq > head.seq) {
            true => Err(Chain::Broken { seq: (head.seq + 1).cast_unsigned(), finding: MISSING }),
            false => Ok(()),
        }
    }
}

fn kept(reason: String) -> StoreError {
    StoreError::Kept { reason }
}
