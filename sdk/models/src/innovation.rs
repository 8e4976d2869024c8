//! Is a filter's surprise still what its model promises? A gate on each NIS and a memory of how often it failed.
//!
//! When model and noise levels are right, NIS follows the chi-square distribution with as many degrees of freedom
//! as there were measurements (Bar-Shalom et al. §5.4). One value beyond the 99 % point means little: it happens
//! once in a hundred rows. Several within a few rows mean that the model no longer fits the machine.

/// 99 % points of chi-square with 1 … 4 degrees of freedom.
const GATES_99: [f64; 4] =
    [6.634_896_601_021_215, 9.210_340_371_976_184, 11.344_866_730_144_373, 13.276_704_135_987_622];

/// The 99 % point of chi-square; infinite for none, NaN for more than 4 degrees of freedom.
#[must_use]
pub fn gate_99(observed: usize) -> f64 {
    match observed.checked_sub(1) {
        None => f64::INFINITY,
        Some(index) => GATES_99.get(index).copied().unwrap_or(f64::NAN),
    }
}

/// The last 16 verdicts of the gate, newest in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateMemory(pub u16);

impl GateMemory {
    /// Notes whether a NIS of `observed` measurements failed the 99 % gate.
    pub fn note(&mut self, nis: f64, observed: usize) {
        self.0 = (self.0 << 1) | u16::from(nis > gate_99(observed));
    }

    /// How many of the last 16 failed. By chance 5 or more do so once in 2.6 million rows.
    #[must_use]
    pub fn failures(self) -> u32 {
        self.0.count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_for_sixteen_rows() {
        let mut memory = GateMemory::default();
        memory.note(6.7, 1);
        memory.note(6.7, 2);
        assert_eq!(memory.failures(), 1, "6.7 is beyond the gate of one measurement, not of two");
        for _ in 0..14 {
            memory.note(0.1, 1);
        }
        assert_eq!(memory.failures(), 1);
        memory.note(0.1, 1);
        assert_eq!(memory.failures(), 0);
    }

    #[test]
    fn chance_of_five_in_sixteen_is_as_documented() {
        let choose = |n: u32, k: u32| (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
        let chance: f64 =
            (5..=16).map(|k| choose(16, k) * 0.01_f64.powi(k as i32) * 0.99_f64.powi(16 - k as i32)).sum();
        assert!((1.0 / chance - 2.6e6).abs() < 0.1e6, "once in {}", 1.0 / chance);
    }
}
