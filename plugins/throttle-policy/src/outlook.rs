//! How hot the winding is and how hot it is about to be: the last temperature, how fast it heats, and where a
//! first-order lag takes that. What cannot be relied on is told as a doubt, and nothing is concluded from it.

use std::fmt;

use geminus_sdk::{Pack, Quality, math};

use crate::{Measured, ThrottleParameters};

/// Temperatures that a winding can have, °C. What lies outside is a broken estimate, whatever quality it claims.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -100.0..=1000.0;
/// Part of the average that must be filled before the heating rate counts: what one `smoothing` fills, 1 − 1/e.
const FILLED: f64 = 0.632;

/// A temperature as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Told {
    /// °C
    pub temperature: f64,
    /// 1 σ, K
    pub deviation: f64,
}

/// What is remembered of the winding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pack)]
pub struct Winding {
    /// The last temperature that could be relied on; none before the first.
    pub told: Option<Told>,
    /// Seconds since then.
    pub age: f64,
    /// Running average of the heating rate, K/s, that began with 0; divided by `filled` it is without that beginning.
    pub rate: f64,
    /// Part of the average that heating rates have filled, 0 … 1.
    pub filled: f64,
}

/// Why nothing can be concluded from a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Doubt {
    /// No temperature in this row, and none lately.
    Silent,
    /// An input of this quality.
    Unreliable(&'static str, Quality),
    /// A temperature that no winding has, °C.
    Implausible(f64),
    /// A deviation outside what is accepted, K, and the most that is.
    Unsure(f64, f64),
}

/// Where the winding is going.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outlook {
    pub(crate) told: Told,
    /// K/s; none until it has been watched for long enough.
    pub(crate) rate: Option<f64>,
    /// °C at the horizon; none without a rate.
    pub(crate) forecast: Option<f64>,
    /// How far that is.
    pub(crate) horizon_s: f64,
}

impl Measured {
    /// The temperature that this row tells, `None` when it tells none.
    ///
    /// # Errors
    /// The doubt, when what it tells cannot be relied on.
    pub(crate) fn told(&self, parameters: &ThrottleParameters) -> Result<Option<Told>, Doubt> {
        let unreliable = |name, quality| Err(Doubt::Unreliable(name, quality));
        let temperature = match (self.winding_temperature.quality(), self.winding_temperature.value()) {
            (Quality::Missing, _) => return Ok(None),
            (Quality::Good, Some(temperature)) => temperature,
            (quality, _) => return unreliable("temperature", quality),
        };
        if !PLAUSIBLE.contains(&temperature) {
            return Err(Doubt::Implausible(temperature));
        }
        let deviation = match (self.winding_deviation.quality(), self.winding_deviation.value()) {
            (Quality::Missing, _) => parameters.assumed_deviation,
            (Quality::Good, Some(deviation)) => deviation,
            (quality, _) => return unreliable("deviation", quality),
        };
        if !(0.0..=parameters.deviation_max).contains(&deviation) {
            return Err(Doubt::Unsure(deviation, parameters.deviation_max));
        }
        Ok(Some(Told { temperature, deviation }))
    }
}

impl Winding {
    /// Takes in a temperature. After a gap, or a jump that no winding makes, the heating rate begins anew.
    pub(crate) fn take(&mut self, told: Told, parameters: &ThrottleParameters) {
        if let Some(before) = self.told {
            let rate = (told.temperature - before.temperature) / self.age;
            // A rate over no time at all is not a number, and no rate.
            if self.age <= parameters.gap_max && rate.abs() <= parameters.heating_rate_max {
                let part = -math::expm1(-self.age / parameters.smoothing);
                self.rate += part * (rate - self.rate);
                self.filled += part * (1.0 - self.filled);
            } else {
                (self.rate, self.filled) = (0.0, 0.0);
            }
        }
        (self.told, self.age) = (Some(told), 0.0);
    }

    /// Where it is going; `None` when no temperature was told within `gap_max`.
    pub(crate) fn outlook(&self, parameters: &ThrottleParameters) -> Option<Outlook> {
        let told = self.told.filter(|_| self.age <= parameters.gap_max)?;
        let rate = (self.filled >= FILLED).then(|| self.rate / self.filled);
        let forecast = rate.map(|rate| told.temperature + rate * lead_s(parameters));
        Some(Outlook { told, rate, forecast, horizon_s: parameters.horizon })
    }
}

impl Outlook {
    /// The hotter of now and the horizon, by `caution` deviations on the safe side, °C.
    pub(crate) fn worst(&self, caution: f64) -> f64 {
        let now = self.told.temperature;
        self.forecast.map_or(now, |forecast| forecast.max(now)) + caution * self.told.deviation
    }
}

/// For how long the present heating rate would have to last to heat as much as a first-order lag does over the
/// horizon: τ (1 − exp(−h/τ)).
fn lead_s(parameters: &ThrottleParameters) -> f64 {
    -parameters.time_constant * math::expm1(-parameters.horizon / parameters.time_constant)
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("no winding temperature was told"),
            Self::Unreliable(name, quality) => {
                let word = match quality {
                    Quality::Good => "good",
                    Quality::Uncertain => "uncertain",
                    Quality::Bad => "bad",
                    Quality::Stale => "stale",
                    Quality::Missing => "missing",
                };
                write!(f, "the {name} of the winding is {word}")
            }
            Self::Implausible(temperature) => write!(f, "no winding has {temperature:.3e} °C"),
            Self::Unsure(deviation, most) => {
                write!(f, "a deviation of {deviation:.1} K is not within 0 to {most} K")
            }
        }
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { temperature, deviation } = self.told;
        write!(f, "winding {temperature:.1} ± {deviation:.1} °C")?;
        match (self.forecast, self.rate) {
            (Some(forecast), Some(rate)) => {
                let (horizon_s, rate) = (self.horizon_s, 60.0 * rate);
                write!(f, ", forecast {forecast:.1} °C in {horizon_s} s ({rate:+.1} K/min)")
            }
            _ => f.write_str(", no forecast yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(json: &str) -> ThrottleParameters {
        geminus_sdk::parameter::from_json(json.as_bytes()).expect("parameters")
    }

    fn told(temperature: f64) -> Told {
        Told { temperature, deviation: 1.0 }
    }

    /// A winding that was told these temperatures, one every `dt` seconds.
    fn watched(temperatures: &[f64], dt: f64, p: &ThrottleParameters) -> Winding {
        let mut winding = Winding::default();
        for temperature in temperatures {
            winding.age += dt;
            winding.take(told(*temperature), p);
        }
        winding
    }

    #[test]
    fn a_steady_rise_is_forecast_by_the_lag() {
        let p = parameters("{}");
        let rise: Vec<f64> = (0..100).map(|second| 80.0 + 0.1 * f64::from(second)).collect();
        let outlook = watched(&rise, 1.0, &p).outlook(&p).expect("told");
        assert!(
            (outlook.rate.expect("watched") - 0.1).abs() < 1e-12,
            "the start of the average is taken out"
        );
        let expect = 89.9 + 0.1 * 60.0 * (1.0 - (-2.0_f64).exp());
        assert!((outlook.forecast.expect("watched") - expect).abs() < 1e-9, "{outlook:?}");
        assert!((outlook.worst(2.0) - expect - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_lag_is_that_of_a_body_on_its_way_to_its_end() {
        // T = 100 − 40 exp(−t/τ): from any moment the forecast over h is exact when the rate is.
        let p = parameters(r#"{"smoothing": 0.1}"#);
        let at = |t: f64| 100.0 - 40.0 * (-t / 60.0).exp();
        let steps: Vec<f64> = (0..2000).map(|k| at(0.001 * f64::from(k))).collect();
        let outlook = watched(&steps, 0.001, &p).outlook(&p).expect("told");
        let forecast = outlook.forecast.expect("watched");
        assert!((forecast - at(1.999 + 120.0)).abs() < 0.1, "{forecast}, {}", at(121.999));
    }

    #[test]
    fn there_is_no_rate_before_it_was_watched_nor_after_a_gap_or_a_jump() {
        let p = parameters("{}");
        let rate = |winding: &Winding| winding.outlook(&p).expect("told").rate;
        assert_eq!(rate(&watched(&[80.0], 1.0, &p)), None);
        assert_eq!(rate(&watched(&[80.0; 19], 1.0, &p)), None);
        let mut winding = watched(&[80.0; 40], 1.0, &p);
        assert_eq!(rate(&winding), Some(0.0));
        winding.age = 60.1;
        assert_eq!(winding.outlook(&p), None, "nothing is known after the gap");
        winding.take(told(81.0), &p);
        assert_eq!(rate(&winding), None);
        let mut winding = watched(&[80.0; 40], 1.0, &p);
        winding.age = 1.0;
        winding.take(told(90.0), &p);
        assert_eq!(rate(&winding), None);
    }

    #[test]
    fn no_horizon_is_no_look_ahead() {
        let p = parameters(r#"{"horizon": 0}"#);
        let rise: Vec<f64> = (0..100).map(f64::from).collect();
        let outlook = watched(&rise, 1.0, &p).outlook(&p).expect("told");
        assert_eq!((outlook.forecast, outlook.worst(0.0)), (Some(99.0), 99.0));
    }

    #[test]
    fn a_cooling_winding_counts_as_it_is_now() {
        let p = parameters("{}");
        let fall: Vec<f64> = (0..100).map(|second| 150.0 - 0.1 * f64::from(second)).collect();
        let outlook = watched(&fall, 1.0, &p).outlook(&p).expect("told");
        assert!(outlook.forecast.expect("watched") < 140.0);
        assert!((outlook.worst(0.0) - 140.1).abs() < 1e-9);
    }
}
