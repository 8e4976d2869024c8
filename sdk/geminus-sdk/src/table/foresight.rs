//! Forecasts: the last inputs that counted are held per slot, and a copy of the state is led through the times
//! that were asked for.

use super::{Slot, SlotTable};
use crate::behavior::Ahead;
use crate::columns::{ForecastRequest, Prediction};
use crate::{Behavior, Fault, Inputs, Outputs, Quality, Timestamp};

impl<B: Behavior> SlotTable<B> {
    /// Looks ahead without changing the slot.
    ///
    /// # Errors
    /// `NotDeclared` unless the behavior forecasts; `Other` for a slot that is not open or has no row yet, for
    /// times that do not increase, and for columns that do not fit.
    pub fn forecast(&self, request: &ForecastRequest) -> Result<Prediction, Fault> {
        if !B::FORECAST {
            return Err(Fault::NotDeclared("forecast".to_owned()));
        }
        let number = request.slot;
        let slot = self.get(number).ok_or_else(|| Fault::other(format!("slot {number} is not open")))?;
        let last = slot.last.ok_or_else(|| Fault::other(format!("slot {number} has no row yet")))?;
        if request.values.len() != request.times.len() * B::Inputs::WIDTH {
            return Err(Fault::other("assumed inputs do not fit the times"));
        }
        slot.look_ahead(last, request)
    }
}

impl<B: Behavior> Slot<B> {
    #[inline]
    pub(super) fn hold(&mut self, inputs: &B::Inputs) {
        if B::FORECAST {
            keep_finite(&mut self.held, inputs.cells().0.as_ref());
        }
    }

    fn look_ahead(&self, mut last: Timestamp, request: &ForecastRequest) -> Result<Prediction, Fault> {
        let (mut state, mut held, mut answer) =
            (self.state.clone(), self.held.clone(), Prediction::default());
        for (&time, assumed) in request.times.iter().zip(request.values.chunks(B::Inputs::WIDTH.max(1))) {
            let time = Timestamp(time);
            if time <= last {
                return Err(Fault::other(format!("time {} is not after the one before", time.0)));
            }
            keep_finite(&mut held, assumed);
            let elapsed = time.seconds_since(last);
            let quality: Vec<u8> = held.iter().map(|value| quality_of(*value)).collect();
            for inputs in B::Inputs::rows(&held, &quality) {
                let predicted = self.behavior.forecast(&mut state, &Ahead { inputs, time, elapsed })?;
                answer.mean.extend_from_slice(predicted.mean.cells().0.as_ref());
                answer.deviation.extend_from_slice(predicted.deviation.cells().0.as_ref());
            }
            last = time;
        }
        Ok(answer)
    }
}

fn keep_finite(held: &mut [f64], values: &[f64]) {
    for (held, value) in held.iter_mut().zip(values).filter(|(_, value)| value.is_finite()) {
        *held = *value;
    }
}

fn quality_of(value: f64) -> u8 {
    if value.is_finite() { Quality::Good as u8 } else { Quality::Missing as u8 }
}
