//! The process of `training/train.py`, in Rust: a steel that is quenched and tempered, with noise, and steels that are other
//! than the one from which the defaults come.

use geminus_sdk::Random;

/// Figures of a steel; those of the training are the default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steel {
    /// Hardness of martensite, HRC.
    pub(crate) martensite: f64,
    /// Quench rate at which half of it is martensite, K/s.
    pub(crate) critical_rate: f64,
    /// Parameter of Hollomon and Jaffe at which half the hardness is gone, in thousands.
    pub(crate) half: f64,
}

impl Default for Steel {
    fn default() -> Self {
        Self { martensite: 57.0, critical_rate: 8.0, half: 17.5 }
    }
}

impl Steel {
    /// One of the steels that a plant may have.
    pub(crate) fn other(random: &mut Random) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * random.uniform();
        Self { martensite: between(54.0, 60.0), critical_rate: between(5.0, 12.0), half: between(16.8, 18.2) }
    }

    /// HRC, without noise, from °C, min, K/s.
    pub(crate) fn hardness(&self, [temperature, soak, quench]: [f64; 3]) -> f64 {
        let tempering = (temperature + 273.15) * (20.0 + (soak / 60.0).log10()) / 1000.0;
        let share = 1.0 / (1.0 + (self.critical_rate / quench).powi(2));
        let quenched = 30.0 + (self.martensite - 30.0) * share;
        8.0 + (quenched - 8.0) / (1.0 + ((tempering - self.half) / 2.0).exp())
    }
}
