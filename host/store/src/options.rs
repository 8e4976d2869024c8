//! The store's knobs, each with its unit, its default and its bounds.

use serde::{Deserialize, Serialize};

use crate::StoreError;

/// How the store writes, keeps and forgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long samples that somebody waits for wait for others to share one durable commit with, in milliseconds; the
    /// others wait five times as long at most. Longer spares flash memory and processor, shorter acknowledges sooner.
    /// 0 … 10,000; default 5.
    pub group_commit_ms: u64,
    /// Most points of one block; a group that reaches it is committed at once. 1 … 1,000,000; default 65,536.
    pub block_points_max: usize,
    /// Most points that wait for a commit. Beyond it samples that nobody waits for are dropped and counted;
    /// acknowledged ones are always taken, their number is bounded by the broker's window. Default 2,000,000.
    pub queue_points_max: usize,
    /// Points in mixed blocks that start a fold. 1 … 16,000,000; default 1,000,000 (about 40 MB while it runs).
    pub fold_points: usize,
    /// Mixed blocks that start a fold: readers look into each of them. 1 … 100,000; default 1,024.
    pub fold_blocks: usize,
    /// Age of the oldest mixed block that starts a fold, in seconds. Default 60.
    pub fold_every_s: u64,
    /// Longest time that folding takes from one commit, in milliseconds. 1 … 1,000; default 3.
    pub fold_slice_ms: u64,
    /// How long an hour must be over, and nothing more have come for it, before it is moved into files (see
    /// `sealed`), in seconds. 0 seals nothing by itself. Default 900.
    pub seal_after_s: u64,
    /// History older than this many hours (by source time) is removed; 0 keeps it for ever. Default 0.
    pub retention_hours: u64,
    /// The oldest history is removed when hot.db holds more than this many mebibytes; 0 sets no bound. Default 0.
    pub retention_mib: u64,
    /// Hardest bound of hot.db in mebibytes: beyond it writing stops as on a full disk. 0 sets no bound. Default 0.
    pub quota_mib: u64,
    /// hot.db is checked at start after a crash when it is no larger than this many mebibytes. Its blocks carry
    /// checksums of their own, so a larger one is not read through before the plant is served. Default 256.
    pub check_mib_max: u64,
    /// Most journal events that wait for a commit; beyond it they are dropped, counted, and the journal counts as
    /// not writable. 1 … 1,000,000; default 10,000.
    pub journal_queue_max: usize,
    /// Entries after which the journal's end is signed. 1 … 1,000,000; default 1,000.
    pub journal_checkpoint_entries: u32,
    /// Seconds after which the journal's end is signed when there are entries that are not. 1 … 86,400; default 300.
    pub journal_checkpoint_s: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            group_commit_ms: 5,
            block_points_max: 65_536,
            queue_points_max: 2_000_000,
            fold_points: 1_000_000,
            fold_blocks: 1_024,
            fold_every_s: 60,
            fold_slice_ms: 3,
            seal_after_s: 900,
            retention_hours: 0,
            retention_mib: 0,
            quota_mib: 0,
            check_mib_max: 256,
            journal_queue_max: 10_000,
            journal_checkpoint_entries: 1_000,
            journal_checkpoint_s: 300,
        }
    }
}

impl Options {
    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// `StoreError::Option` names the first one.
    pub fn check(&self) -> Result<(), StoreError> {
        within("group_commit_ms", self.group_commit_ms, 0, 10_000, "0 to 10000")?;
        within("block_points_max", self.block_points_max, 1, 1_000_000, "1 to 1000000")?;
        within("queue_points_max", self.queue_points_max, 1, 1_000_000_000, "1 to 1000000000")?;
        within("fold_points", self.fold_points, 1, 16_000_000, "1 to 16000000")?;
        within("fold_blocks", self.fold_blocks, 1, 100_000, "1 to 100000")?;
        within("fold_slice_ms", self.fold_slice_ms, 1, 1_000, "1 to 1000")?;
        within("journal_queue_max", self.journal_queue_max, 1, 1_000_000, "1 to 1000000")?;
        within("journal_checkpoint_entries", self.journal_checkpoint_entries, 1, 1_000_000, "1 to 1000000")?;
        within("journal_checkpoint_s", self.journal_checkpoint_s, 1, 86_400, "1 to 86400")
    }
}

fn within<T: PartialOrd + ToString>(
    name: &'static str,
    value: T,
    least: T,
    most: T,
    must: &'static str,
) -> Result<(), StoreError> {
    match value >= least && value <= most {
        true => Ok(()),
        false => Err(StoreError::Option { name, found: value.to_string(), must }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work_and_absurd_values_are_named() {
        assert!(Options::default().check().is_ok());
        let cases = [
            (Options { block_points_max: 0, ..Options::default() }, "block_points_max"),
            (Options { fold_slice_ms: 0, ..Options::default() }, "fold_slice_ms"),
            (Options { group_commit_ms: 10_001, ..Options::default() }, "group_commit_ms"),
            (Options { journal_checkpoint_s: 0, ..Options::default() }, "journal_checkpoint_s"),
        ];
        for (options, name) in cases {
            let refused = options.check().expect_err(name).to_string();
            assert!(refused.contains(name), "{refused}");
        }
    }
}
