//! What the sealer asks the history writer to put down, all of it in one transaction.

use super::manifest::Sealed;

/// Files that take the place of others and of blocks.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Files that count from now on.
    pub(crate) adds: Vec<Sealed>,
    /// Numbers of the files that they take the place of, and of files that are forgotten.
    pub(crate) removes: Vec<i64>,
    /// Numbers of files into which nothing is merged any more, because they cannot be read.
    pub(crate) leaves: Vec<i64>,
    /// Blocks whose samples are in those files.
    pub(crate) blocks: Vec<BlockKey>,
    /// Blocks that cannot be read, and what is wrong with them.
    pub(crate) damaged: Vec<(i64, &'static str)>,
}

/// A folded block as it was read. A number alone does not do: SQLite gives it to another block once this one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockKey {
    pub(crate) id: i64,
    pub(crate) series: i64,
    pub(crate) t_min: i64,
    pub(crate) t_max: i64,
    pub(crate) points: i64,
    /// The checksum that stands at its end.
    pub(crate) crc: [u8; 4],
}
