//! Looking ahead: one twin's behavior is asked about times after its last row, and nothing changes.

use geminus_core::{Timestamp, TwinIndex};

use crate::cohort::Cohort;
use crate::slots::Standing;

/// Why there is no forecast.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForecastError {
    /// The declaration does not offer it.
    #[error("{0} does not declare a forecast")]
    NotDeclared(String),
    /// No such twin, or it is quarantined.
    #[error("twin number {} gets no forecast: it is not open or quarantined", .0.0)]
    Twin(TwinIndex),
    /// The times are not increasing, or there are not as many values as times × inputs.
    #[error("forecast request does not fit: {0}")]
    Request(String),
    /// The behavior could not; when it crashed, it was built anew.
    #[error("no forecast: {0}")]
    Failed(String),
}

/// A look ahead: N times × O outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// In declared units, row-major.
    pub mean: Vec<f64>,
    /// 1 sigma; NaN where not known.
    pub deviation: Vec<f64>,
}

impl Cohort {
    /// Asks one twin's behavior about times after its last row: N increasing times, N × I assumed inputs.
    ///
    /// # Errors
    /// When it is not declared, the request does not fit, or the behavior fails; the cohort goes on.
    pub fn forecast(
        &mut self,
        twin: TwinIndex,
        times: &[Timestamp],
        values: &[f64],
    ) -> Result<Prediction, ForecastError> {
        let declaration = self.compiled.declaration();
        if !declaration.forecast {
            return Err(ForecastError::NotDeclared(declaration.label()));
        }
        let slot = self.slots.find(twin).ok_or(ForecastError::Twin(twin))?;
        let pace = self.slots.pace(slot).filter(|pace| pace.standing == Standing::Live);
        let last_time = pace.ok_or(ForecastError::Twin(twin))?.last_time;
        let times: Vec<u64> = times.iter().map(|time| time.0).collect();
        if times.first().is_some_and(|&time| time <= last_time) || !times.is_sorted_by(|a, b| a < b) {
            return Err(ForecastError::Request("times must increase, and be after the last row".to_owned()));
        }
        if times.is_empty() || values.len() != times.len() * declaration.inputs.len() {
            return Err(ForecastError::Request(format!("{} values for {} times", values.len(), times.len())));
        }
        let instance = self.instance.as_mut().ok_or(ForecastError::Twin(twin))?;
        match instance.forecast(slot, twin, &times, values) {
            Ok(prediction) => {
                let canonical = |value: f64| if value.is_finite() { value } else { f64::NAN };
                let mean = prediction.mean.into_iter().map(canonical).collect();
                let deviation = prediction.deviation.into_iter().map(canonical).collect();
                Ok(Prediction { mean, deviation })
            }
            Err(trouble) => {
                self.begin();
                self.mend(&trouble);
                Err(ForecastError::Failed(trouble.message))
            }
        }
    }
}
