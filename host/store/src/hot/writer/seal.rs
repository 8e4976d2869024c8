//! What the sealer has the writer put down: blocks split at the borders of hours, and files in the place of blocks.

use rusqlite::{Transaction, TransactionBehavior};

use super::Writer;
use crate::StoreError;
use crate::hot::{FILE, PAGE_BYTES, fold};
use crate::sealed::manifest;
use crate::sealed::order::Order;
use crate::stats::add;

fn failed(step: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    StoreError::database(FILE.name, step)
}

impl Writer {
    /// Adds files and deletes the blocks that are in them, in one transaction.
    pub(super) fn seal(&mut self, order: &Order) -> Result<(), StoreError> {
        let sealed = self.in_transaction(|transaction| {
            put_down(transaction, order).map_err(failed("sealing"))?;
            for (block, finding) in &order.damaged {
                fold::set_aside(transaction, "folded", *block, finding)?;
            }
            Ok(())
        });
        add(&self.gauges.blocks_damaged, order.damaged.len());
        self.unchecked_bytes += order.blocks.len() * PAGE_BYTES as usize;
        sealed
    }

    /// Makes blocks of blocks that have samples of several hours, so that each has those of one.
    pub(super) fn split(&mut self, blocks: &[i64]) -> Result<(), StoreError> {
        let Some(connection) = self.connection.as_mut() else { return Err(self.not_writable()) };
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed("beginning to split blocks"))?;
        let mut placed = crate::hot::place::Placed::default();
        {
            let mut statements = self.placer.statements(&transaction)?;
            for block in blocks {
                let one = self.placer.split(&mut statements, *block)?;
                placed.bytes += one.bytes;
                placed.damaged += one.damaged;
            }
        }
        transaction.commit().map_err(failed("splitting blocks"))?;
        add(&self.gauges.blocks_damaged, placed.damaged);
        self.unchecked_bytes += placed.bytes;
        Ok(())
    }

    fn in_transaction(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(connection) = self.connection.as_mut() else { return Err(self.not_writable()) };
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed("beginning to seal"))?;
        work(&transaction)?;
        transaction.commit().map_err(failed("committing what is sealed"))
    }

    /// The answer to a request of the sealer. A fault of the disk concerns commits as well.
    pub(super) fn sealed(&mut self, done: Result<(), StoreError>) -> Result<(), StoreError> {
        match done {
            Err(error @ StoreError::Database { .. }) => {
                self.failed(&error);
                Err(error)
            }
            other => other,
        }
    }
}

fn put_down(transaction: &Transaction<'_>, order: &Order) -> rusqlite::Result<()> {
    for number in &order.removes {
        transaction.execute("DELETE FROM sealed WHERE id = ?1", [number])?;
    }
    for number in &order.leaves {
        transaction.execute("UPDATE sealed SET whole = 0 WHERE id = ?1", [number])?;
    }
    for file in &order.adds {
        manifest::insert(transaction, file)?;
    }
    // A block that is not as it was read stays: what it has that is sealed too does no harm.
    let mut delete = transaction.prepare(
        "DELETE FROM folded WHERE id = ?1 AND series = ?2 AND t_min = ?3 AND t_max = ?4 AND points = ?5
           AND substr(data, -4) = ?6",
    )?;
    for block in &order.blocks {
        let key = (block.id, block.series, block.t_min, block.t_max, block.points, block.crc.as_slice());
        delete.execute(key)?;
    }
    Ok(())
}
