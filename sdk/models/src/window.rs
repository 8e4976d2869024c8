//! Features of the last rows of a column: mean, standard deviation, slope, extrema. A ring in place, no allocation.
//!
//! A missing row keeps its place, so that the slope stays one per row, and counts for nothing else. Features are computed
//! from the ring each time, not updated by difference: nothing drifts, however long a twin runs.

/// The last `N` rows of a column. Fields are public so that a behavior can keep them in its state; missing rows are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window<const N: usize> {
    /// The ring.
    pub rows: [f64; N],
    /// Where the next row goes, below `N`.
    pub next: u32,
    /// Rows in the ring, at most `N`.
    pub count: u32,
}

impl<const N: usize> Default for Window<N> {
    fn default() -> Self {
        Self { rows: [f64::NAN; N], next: 0, count: 0 }
    }
}

/// What a window says of its column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Features {
    /// Rows with a value.
    pub values: u32,
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation with divisor `values`.
    pub deviation: f64,
    /// Change per row of the line of least squares; 0 for a single value.
    pub slope: f64,
    /// Smallest value.
    pub lowest: f64,
    /// Largest value.
    pub highest: f64,
    /// The newest value.
    pub last: f64,
}

impl<const N: usize> Window<N> {
    /// Takes in a row; what is missing or not finite keeps its place empty.
    #[expect(clippy::cast_possible_truncation, reason = "rings are short")]
    pub fn push(&mut self, value: Option<f64>) {
        if let Some(cell) = self.rows.get_mut(self.next as usize) {
            *cell = value.filter(|value| value.is_finite()).unwrap_or(f64::NAN);
        }
        self.next = if self.next as usize + 1 >= N { 0 } else { self.next + 1 };
        self.count = self.count.saturating_add(1).min(N as u32);
    }

    /// Whether the ring has seen `N` rows.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count as usize == N
    }

    /// Rows from the oldest to the newest; NaN for missing ones.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        let (newer, older) = self.rows.split_at(self.rows.len().min(self.next as usize));
        older.iter().chain(newer).copied().skip(N.saturating_sub(self.count as usize))
    }

    /// Features of what is in the ring; `None` when it has no value at all.
    #[must_use]
    pub fn features(&self) -> Option<Features> {
        let mut values = 0_u32;
        let (mut sum, mut places) = (0.0, 0.0);
        let (mut lowest, mut highest, mut last) = (f64::INFINITY, f64::NEG_INFINITY, f64::NAN);
        for (place, value) in self.present() {
            values += 1;
            sum += value;
            places += place;
            (lowest, highest, last) = (lowest.min(value), highest.max(value), value);
        }
        if values == 0 {
            return None;
        }
        let (mean, middle) = (sum / f64::from(values), places / f64::from(values));
        let (mut squares, mut spread, mut together) = (0.0, 0.0, 0.0);
        for (place, value) in self.present() {
            let (along, off) = (place - middle, value - mean);
            squares += off * off;
            spread += along * along;
            together += along * off;
        }
        let slope = if spread > 0.0 { together / spread } else { 0.0 };
        let deviation = libm::sqrt(squares / f64::from(values));
        Some(Features { values, mean, deviation, slope, lowest, highest, last })
    }

    /// Values with their places.
    fn present(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let placed = self.iter().scan(0.0, |next, value| {
            let place = *next;
            *next += 1.0;
            Some((place, value))
        });
        placed.filter(|(_, value)| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_window_has_no_features_and_a_single_value_no_slope() {
        let mut window = Window::<4>::default();
        assert_eq!(window.features(), None);
        for missing in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            window.push(missing);
        }
        assert_eq!((window.features(), window.count), (None, 3), "only holes");
        window.push(Some(2.5));
        let features = window.features().expect("one value");
        assert_eq!((features.values, features.mean, features.deviation, features.slope), (1, 2.5, 0.0, 0.0));
    }

    #[test]
    fn the_oldest_row_makes_place_for_the_newest() {
        let mut window = Window::<3>::default();
        (0..7).for_each(|k| window.push(Some(f64::from(k))));
        assert!(window.is_full());
        assert_eq!(window.iter().collect::<Vec<_>>(), [4.0, 5.0, 6.0]);
        let features = window.features().expect("values");
        assert_eq!((features.slope, features.lowest, features.highest, features.last), (1.0, 4.0, 6.0, 6.0));
    }

    #[test]
    fn a_ring_from_a_broken_state_is_not_a_trap() {
        let mut window = Window::<3> { rows: [1.0; 3], next: 77, count: 99 };
        assert!(window.features().is_some());
        window.push(Some(1.0));
        assert_eq!((window.next, window.count), (0, 3));
    }
}
