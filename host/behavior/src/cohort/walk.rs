//! Rows stepped in calls of bounded size, and by halves where the behavior answers with a fault.

use crate::answer::Answers;
use crate::columns::Columns;
use crate::host::Purpose;
use crate::instance::{Instance, Stride};
use crate::slots::Slots;
use crate::trouble::{FaultKind, Trouble};

/// A walk over rows in calls of bounded size.
pub(crate) struct Walk<'a> {
    pub(crate) slots: &'a Slots,
    pub(crate) purpose: Purpose,
    pub(crate) stride: Stride,
    pub(crate) answers: &'a mut Answers,
}

impl Walk<'_> {
    /// Steps `rows` in parts. After trouble, the answers are those of the rows before the call that broke.
    pub(crate) fn work(&mut self, instance: &mut Instance, rows: Columns<'_>) -> Result<(), Trouble> {
        let mut from = 0;
        while from < rows.rows() {
            let to = rows.rows().min(from + instance.portion(self.stride));
            self.part(instance, rows.part(from, to))?;
            from = to;
        }
        Ok(())
    }

    /// Steps `rows` in one call; on a fault, which changes nothing, by halves, until the row stands alone.
    fn part(&mut self, instance: &mut Instance, rows: Columns<'_>) -> Result<(), Trouble> {
        let alone = rows.slots.first().filter(|first| rows.slots.iter().all(|slot| slot == *first));
        let only = alone.and_then(|slot| self.slots.twin(*slot));
        match instance.step(rows, self.purpose, only, self.answers) {
            Err(trouble) if trouble.kind == FaultKind::Fault => {
                if rows.rows() == 1 {
                    self.answers.refuse(instance.outputs(), trouble);
                    return Ok(());
                }
                let middle = rows.rows() / 2;
                self.part(instance, rows.part(0, middle))?;
                self.part(instance, rows.part(middle, rows.rows()))
            }
            done => done,
        }
    }
}
