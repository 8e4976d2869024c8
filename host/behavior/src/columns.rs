//! Rows as the contract wants them: flat columns, by slot instead of twin. `Sheet` owns rows (the log since the
//! last snapshot, whose tail is the work of the running step); `Columns` borrows a stretch of them.

use crate::bindings::geminus::behavior::types::Rows;

/// Rows that are owned, all with the same number of inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet {
    inputs: usize,
    slots: Vec<u32>,
    times: Vec<u64>,
    values: Vec<f64>,
    quality: Vec<u8>,
    ages_ms: Vec<u32>,
}

/// A stretch of rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns<'a> {
    inputs: usize,
    pub(crate) slots: &'a [u32],
    pub(crate) times: &'a [u64],
    values: &'a [f64],
    quality: &'a [u8],
    ages_ms: &'a [u32],
}

impl Sheet {
    pub(crate) fn new(inputs: usize) -> Self {
        Self { inputs, ..Self::default() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn columns(&self) -> Columns<'_> {
        Columns {
            inputs: self.inputs,
            slots: &self.slots,
            times: &self.times,
            values: &self.values,
            quality: &self.quality,
            ages_ms: &self.ages_ms,
        }
    }

    /// Takes over whole columns of `rows` rows at once; the caller has compared the lengths.
    pub(crate) fn extend(&mut self, rows: Columns<'_>) {
        self.slots.extend_from_slice(rows.slots);
        self.times.extend_from_slice(rows.times);
        self.values.extend_from_slice(rows.values);
        self.quality.extend_from_slice(rows.quality);
        self.ages_ms.extend_from_slice(rows.ages_ms);
    }

    /// Takes over the columns of a frame beside slots and times, which the caller pushes row by row.
    pub(crate) fn extend_inputs(
        &mut self,
        values: &[f64],
        quality: impl Iterator<Item = u8>,
        ages_ms: &[u32],
    ) {
        self.values.extend_from_slice(values);
        self.quality.extend(quality);
        self.ages_ms.extend_from_slice(ages_ms);
    }

    pub(crate) fn push_row(&mut self, slot: u32, time: u64) {
        self.slots.push(slot);
        self.times.push(time);
    }

    /// Keeps the first `rows` rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.slots.truncate(rows);
        self.times.truncate(rows);
        self.values.truncate(rows * self.inputs);
        self.quality.truncate(rows * self.inputs);
        self.ages_ms.truncate(rows * self.inputs);
    }

    /// Keeps the rows that `keep` says yes to, by number and slot.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(usize, u32) -> bool) {
        let all = std::mem::replace(self, Self::new(self.inputs));
        let columns = all.columns();
        for (row, &slot) in all.slots.iter().enumerate() {
            if keep(row, slot) {
                self.extend(columns.part(row, row + 1));
            }
        }
    }
}

impl<'a> Columns<'a> {
    pub(crate) fn rows(&self) -> usize {
        self.slots.len()
    }

    /// Rows `from..to`.
    #[expect(
        clippy::indexing_slicing,
        reason = "all columns have rows × width entries, and from ≤ to ≤ rows"
    )]
    pub(crate) fn part(&self, from: usize, to: usize) -> Self {
        let wide = from * self.inputs..to * self.inputs;
        Self {
            inputs: self.inputs,
            slots: &self.slots[from..to],
            times: &self.times[from..to],
            values: &self.values[wide.clone()],
            quality: &self.quality[wide.clone()],
            ages_ms: if self.ages_ms.is_empty() { &[] } else { &self.ages_ms[wide] },
        }
    }

    /// The rows that `keep` says yes to, by number and slot.
    pub(crate) fn filtered(&self, keep: impl Fn(usize, u32) -> bool) -> Sheet {
        let mut sheet = Sheet::new(self.inputs);
        for (row, &slot) in self.slots.iter().enumerate() {
            if keep(row, slot) {
                sheet.extend(self.part(row, row + 1));
            }
        }
        sheet
    }

    /// Input qualities, a slice for each row.
    pub(crate) fn quality_rows(&self) -> impl Iterator<Item = &'a [u8]> {
        let (quality, inputs) = (self.quality, self.inputs);
        (0..self.rows()).map(move |row| quality.get(row * inputs..(row + 1) * inputs).unwrap_or_default())
    }

    pub(crate) fn wire(&self) -> Rows<'a> {
        Rows {
            slots: self.slots,
            times: self.times,
            values: self.values,
            quality: self.quality,
            ages_ms: self.ages_ms,
            windows: &[],
            window_ends: &[],
            texts: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let mut sheet = Sheet::new(2);
        for row in 0..4_u32 {
            sheet.push_row(row % 2, u64::from(row) * 10);
            let value = f64::from(row);
            sheet.extend_inputs(&[value, -value], [0, 4].into_iter(), &[row, row]);
        }
        sheet
    }

    #[test]
    fn parts_filters_and_removals_keep_rows_whole() {
        let sheet = sheet();
        let part = sheet.columns().part(1, 3);
        assert_eq!(
            (part.slots, part.times, part.values),
            (&[1, 0][..], &[10, 20][..], &[1.0, -1.0, 2.0, -2.0][..])
        );
        let odd = sheet.columns().filtered(|_, slot| slot == 1);
        assert_eq!((odd.times, odd.ages_ms), (vec![10, 30], vec![1, 1, 3, 3]));
        let mut kept = sheet.clone();
        kept.retain(|row, _| row != 2);
        assert_eq!((kept.times.clone(), kept.quality.len()), (vec![0, 10, 30], 6));
        kept.truncate(1);
        assert_eq!((kept.rows(), kept.values.clone()), (1, vec![0.0, -0.0]));
    }
}
