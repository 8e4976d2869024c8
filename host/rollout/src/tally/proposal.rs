//! Proposals of both versions, row by row. Commands are matched by name; two values are the same when they differ by
//! no more than the tolerated part of the declared range.

use geminus_core::{Declaration, Proposal};

/// A proposal of the present frame.
#[derive(Clone, Copy, Debug)]
struct Wish {
    row: u32,
    /// Place among the new version's commands; those that it does not have lie beyond.
    command: u32,
    new: bool,
    /// Place among the proposals of its version.
    place: u32,
    value: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Proposals {
    /// For each command of the running version, its place in the new one.
    new_of_old: Vec<Option<u32>>,
    /// For each command of the new version, the difference that is tolerated.
    tolerated: Vec<f64>,
    pub(super) rows: u64,
    pub(super) differ: u64,
    pub(super) old: u64,
    pub(super) new: u64,
    pub(super) old_refused: u64,
    pub(super) new_refused: u64,
    /// Of the present frame; kept for its memory.
    wishes: Vec<Wish>,
}

impl Proposals {
    pub(super) fn new(old: &Declaration, new: &Declaration, tolerance_share: f64) -> Self {
        let place = |name: &str| {
            let found = new.commands.iter().position(|command| command.name == name);
            found.and_then(|place| u32::try_from(place).ok())
        };
        Self {
            new_of_old: old.commands.iter().map(|command| place(&command.name)).collect(),
            tolerated: new.commands.iter().map(|c| tolerance_share * (c.maximum - c.minimum).abs()).collect(),
            rows: 0,
            differ: 0,
            old: 0,
            new: 0,
            old_refused: 0,
            new_refused: 0,
            wishes: Vec::new(),
        }
    }

    /// Forgets what was counted.
    pub(super) fn renew(&mut self) {
        (self.rows, self.differ, self.old, self.new) = (0, 0, 0, 0);
        (self.old_refused, self.new_refused) = (0, 0);
    }

    pub(super) fn refused(&mut self, old: u64, new: u64) {
        self.old_refused += old;
        self.new_refused += new;
    }

    /// Compares the proposals of the rows `kept`, which are in order.
    pub(super) fn compare(&mut self, kept: &[u32], old: &[Proposal], new: &[Proposal]) {
        if old.is_empty() && new.is_empty() {
            return;
        }
        let mut wishes = std::mem::take(&mut self.wishes);
        wishes.clear();
        wishes.extend((0..).zip(old).map(|(place, proposal)| self.wish_of_old(place, proposal)));
        wishes.extend((0..).zip(new).map(|(place, proposal)| Wish {
            row: proposal.row,
            command: proposal.command,
            new: true,
            place,
            value: proposal.value,
        }));
        wishes.retain(|wish| kept.binary_search(&wish.row).is_ok());
        // A row may propose the same command twice: those are held against each other in their order.
        wishes.sort_unstable_by_key(|wish| (wish.row, wish.new, wish.command, wish.place));
        for row in wishes.chunk_by(|a, b| a.row == b.row) {
            let (old, new) = row.split_at(row.partition_point(|wish| !wish.new));
            self.rows += 1;
            self.old += old.len() as u64;
            self.new += new.len() as u64;
            let same = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| self.same(old, new));
            self.differ += u64::from(!same);
        }
        self.wishes = wishes;
    }

    fn wish_of_old(&self, place: u32, proposal: &Proposal) -> Wish {
        let command = self.new_of_old.get(proposal.command as usize).copied().flatten();
        let (row, value) = (proposal.row, proposal.value);
        Wish { row, command: command.unwrap_or(u32::MAX), new: false, place, value }
    }

    fn same(&self, old: &Wish, new: &Wish) -> bool {
        let tolerated = self.tolerated.get(new.command as usize).copied().unwrap_or(0.0);
        old.command == new.command && (old.value - new.value).abs() <= tolerated
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.differ += other.differ;
        self.old += other.old;
        self.new += other.new;
        self.old_refused += other.old_refused;
        self.new_refused += other.new_refused;
    }
}
