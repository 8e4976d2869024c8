//! Says how many cycles a turbofan engine has left: a learned model (five GRUs, in ONNX) that is run in the guest.
//!
//! `network` reads the model and takes one cycle through it, `parameters` says what a site may set, and this file is what
//! the host sees. `training/train.py` made `model.onnx`; what its figures mean stands in the README. It never says a number
//! that it does not have: a cycle with a sensor missing has no answer, and is not fed to the model.

mod network;
mod parameters;

use geminus_sdk::prelude::*;

use network::Network;
pub use network::{HIDDEN, NETWORKS, SENSORS, Said};
pub use parameters::EngineParameters;

/// One snapshot of an engine in each flight. Names are those of the data's description (C-MAPSS).
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Snapshot {
    /// Number of the flight. The model takes one step for each number that is higher than the last, with the sensors as
    /// they stand then: publish it last.
    #[input(unit = "1", event)]
    pub cycle: Reading,
    /// T24: total temperature at the outlet of the low-pressure compressor.
    #[input(unit = "[degR]")]
    pub lpc_outlet_temperature: Reading,
    /// T30: total temperature at the outlet of the high-pressure compressor.
    #[input(unit = "[degR]")]
    pub hpc_outlet_temperature: Reading,
    /// T50: total temperature at the outlet of the low-pressure turbine.
    #[input(unit = "[degR]")]
    pub lpt_outlet_temperature: Reading,
    /// P30: total pressure at the outlet of the high-pressure compressor.
    #[input(unit = "[psi]")]
    pub hpc_outlet_pressure: Reading,
    /// Nf: speed of the fan.
    #[input(unit = "/min")]
    pub fan_speed: Reading,
    /// Nc: speed of the core.
    #[input(unit = "/min")]
    pub core_speed: Reading,
    /// Ps30: static pressure at the outlet of the high-pressure compressor.
    #[input(unit = "[psi]")]
    pub hpc_outlet_static_pressure: Reading,
    /// phi: fuel flow by Ps30, in pounds per second and psi.
    #[input(unit = "1")]
    pub fuel_ratio: Reading,
    /// NRf: corrected speed of the fan.
    #[input(unit = "/min")]
    pub corrected_fan_speed: Reading,
    /// NRc: corrected speed of the core.
    #[input(unit = "/min")]
    pub corrected_core_speed: Reading,
    /// BPR: bypass ratio.
    #[input(unit = "1")]
    pub bypass_ratio: Reading,
    /// htBleed: bleed enthalpy.
    #[input(unit = "1")]
    pub bleed_enthalpy: Reading,
    /// W31: coolant bleed of the high-pressure turbine.
    #[input(unit = "[lb_av]/s")]
    pub hpt_coolant_bleed: Reading,
    /// W32: coolant bleed of the low-pressure turbine.
    #[input(unit = "[lb_av]/s")]
    pub lpt_coolant_bleed: Reading,
}

impl Snapshot {
    /// The sensors in the model's order; `None` when one cannot be used.
    fn sensors(&self) -> Option<[f32; SENSORS]> {
        let readings = [
            self.lpc_outlet_temperature,
            self.hpc_outlet_temperature,
            self.lpt_outlet_temperature,
            self.hpc_outlet_pressure,
            self.fan_speed,
            self.core_speed,
            self.hpc_outlet_static_pressure,
            self.fuel_ratio,
            self.corrected_fan_speed,
            self.corrected_core_speed,
            self.bypass_ratio,
            self.bleed_enthalpy,
            self.hpt_coolant_bleed,
            self.lpt_coolant_bleed,
        ];
        let mut sensors = [0.0; SENSORS];
        for (cell, reading) in sensors.iter_mut().zip(readings) {
            *cell = single(reading.value()?);
        }
        Some(sensors)
    }
}

/// The model was learnt in single precision; what is beyond it becomes infinite and is refused by the model.
#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
fn single(value: f64) -> f32 {
    value as f32
}

/// What is expected of the engine.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Expected {
    /// Cycles that remain, 0 … 125; 125 stands for that or more. Missing when the last cycle could not be used.
    #[output(unit = "1", role = "estimate")]
    pub remaining_life: Option<f64>,
    /// In one of twenty cases fewer remain.
    #[output(unit = "1", role = "diagnostic", of = "remaining_life")]
    pub remaining_life_low: Option<f64>,
    /// In one of twenty cases more remain; 125 stands for that or more.
    #[output(unit = "1", role = "diagnostic", of = "remaining_life")]
    pub remaining_life_high: Option<f64>,
    /// Cycles that the model has seen of this engine.
    #[output(unit = "1", role = "diagnostic")]
    pub cycles_seen: f64,
}

/// What deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// The engine is expected to fail within the cycles that maintenance needs to prepare.
    #[alert(priority = "medium", unit = "1")]
    LifeShort,
    /// The engine is expected to fail within a few cycles.
    #[alert(priority = "high", unit = "1")]
    LifeEnding,
}

/// What is remembered from cycle to cycle. Schema 1.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// Number of the last cycle; none before the first.
    pub cycle: Option<f64>,
    /// Cycles that the model has seen since the engine was new.
    pub seen: u32,
    /// Memory of each network.
    pub hidden: [[f32; HIDDEN]; NETWORKS],
    /// What it said of the last cycle; none when that could not be used.
    pub said: Option<Said>,
}

/// An engine that is followed.
#[derive(Debug)]
pub struct TurbofanRul {
    network: &'static Network,
    parameters: EngineParameters,
}

#[estimator(warm_up_rows = 20, budget(fuel_per_row = 900_000, memory_bytes = 67_108_864))]
impl Behavior for TurbofanRul {
    fn open(parameters: EngineParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        if parameters.ending_cycles > parameters.short_cycles {
            let reason =
                format!("is above short_cycles ({}): give a smaller number", parameters.short_cycles);
            return Err(Fault::parameter("ending_cycles", reason));
        }
        Ok(Self { network: Network::shipped()?, parameters })
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Snapshot, Alarm>) -> Expected {
        if let Some(cycle) = row.inputs.cycle.value() {
            self.take(memory, cycle, row.inputs.sensors());
        }
        let seen = f64::from(memory.seen);
        let Some(Said { remaining, low, high }) = memory.said else {
            return Expected {
                remaining_life: None,
                remaining_life_low: None,
                remaining_life_high: None,
                cycles_seen: seen,
            };
        };
        let limits = [
            (Alarm::LifeShort, self.parameters.short_cycles),
            (Alarm::LifeEnding, self.parameters.ending_cycles),
        ];
        for (alarm, limit) in limits {
            if remaining < limit {
                let detail =
                    format_args!("{remaining:.0} cycles remain, {low:.0} to {high:.0} in nine of ten cases");
                row.alert(alarm, remaining, detail);
            }
        }
        Expected {
            remaining_life: Some(remaining),
            remaining_life_low: Some(low),
            remaining_life_high: Some(high),
            cycles_seen: seen,
        }
    }
}

impl TurbofanRul {
    /// Takes a cycle in. The same number again is no new cycle; a lower one is another engine, or this one overhauled.
    fn take(&self, memory: &mut Memory, cycle: f64, sensors: Option<[f32; SENSORS]>) {
        match memory.cycle {
            Some(last) if cycle == last => return,
            Some(last) if cycle < last => *memory = Memory::default(),
            _ => {}
        }
        memory.cycle = Some(cycle);
        let answered = sensors.map(|sensors| self.network.step(&sensors, &memory.hidden));
        memory.said = match answered {
            None => None,
            Some(Ok((said, hidden))) => {
                memory.hidden = hidden;
                memory.seen = memory.seen.saturating_add(1);
                Some(said)
            }
            Some(Err(error)) => {
                log::warn!("cycle {cycle} has no answer: {error}");
                None
            }
        };
    }
}
