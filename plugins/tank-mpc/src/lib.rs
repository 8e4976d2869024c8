//! Holds the level of the lower of two tanks by predictive control of the pump that fills the upper one.
//!
//! `tanks` is the model and its controller, `watch` what is made of the levels, `parameters` what a site may set, and this
//! file is what the host sees. It proposes and never acts; from levels that cannot be relied on it concludes nothing, and
//! says so. The method stands in the README.

mod parameters;
mod tanks;
mod watch;

use std::time::Duration;

use geminus_models::mpc::Now;
use geminus_models::quadratic::Start;
use geminus_models::{SVector, ZeroOrderHold};
use geminus_sdk::prelude::*;
pub use parameters::TankParameters;
use tanks::Tanks;
use watch::{Doubt, Levels};
pub use watch::{Plan, Seen, Watch};

/// What is known of the tanks.
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Measured {
    /// Level of the upper tank.
    #[input(unit = "m", event)]
    pub upper_level: Reading,
    /// Level of the lower tank.
    #[input(unit = "m", event)]
    pub lower_level: Reading,
    /// Speed of the pump that is in force, read back.
    #[input(unit = "%", hold)]
    pub pump_speed: Reading,
    /// Level of the lower tank that is wanted. Without it the parameter level_wanted counts.
    #[input(unit = "m", hold, optional)]
    pub wanted_level: Reading,
}

/// What the policy shows of itself.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Shown {
    /// Speed that is best for the interval that runs.
    #[output(unit = "%", of = "pump_speed")]
    pub wished_speed: Option<f64>,
    /// Level of the lower tank that is expected at the end of the interval.
    #[output(unit = "m", of = "lower_level")]
    pub next_level: Option<f64>,
    /// Level of the lower tank that is expected at the end of the plan.
    #[output(unit = "m", of = "lower_level")]
    pub last_level: Option<f64>,
    /// By how much the plan leaves the limits of a level.
    #[output(unit = "m")]
    pub excess: Option<f64>,
    /// Flow into the lower tank that the model does not know; negative out of it.
    #[output(unit = "m3/s", of = "lower_level")]
    pub unknown_flow: f64,
    /// How far predictions over one interval were off, root mean square.
    #[output(unit = "m", of = "lower_level")]
    pub prediction_error: Option<f64>,
    /// 1 while nothing can be concluded from the inputs, else 0.
    #[output(unit = "1")]
    pub blind: f64,
}

/// What deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// No speed of the pump keeps both levels within their limits.
    #[alert(priority = "high", unit = "m")]
    Unreachable,
    /// Levels or speed cannot be relied on, so the pump is left as it is.
    #[alert(priority = "medium", unit = "s")]
    Blind,
}

/// What may be proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Commands)]
pub enum Wish {
    /// Speed of the pump.
    #[command(unit = "%", min = 0.0, max = 100.0)]
    PumpSpeed,
}

/// Two tanks under control.
#[derive(Debug)]
pub struct TankMpc {
    parameters: TankParameters,
    tanks: Tanks,
    over: Memo<ZeroOrderHold<2, 3>>,
}

#[command_policy(warm_up_rows = 0, budget(fuel_per_row = 2_000_000, memory_bytes = 33_554_432))]
impl Behavior for TankMpc {
    fn open(parameters: TankParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        parameters.check()?;
        let tanks = Tanks::new(&parameters)?;
        // Tried here, so that a twin which cannot be controlled is refused before it has a row.
        tanks.control(&parameters)?;
        Ok(Self { parameters, tanks, over: Memo::default() })
    }

    fn step(&self, watch: &mut Watch, row: &mut Row<Measured, Alarm, Wish>) -> Result<Shown, Fault> {
        let p = &self.parameters;
        watch.grow_older(row.elapsed().unwrap_or(0.0), row.inputs.pump_speed);
        if watch.age >= p.gap_max {
            watch.forget();
        }
        match row.inputs.levels(p) {
            Ok(Some(now)) => {
                if watch.seen.is_none() || watch.age >= p.interval {
                    if watch.seen.is_some() {
                        let model = self.over.get(watch.age, || self.tanks.over(watch.age));
                        watch.learn(&now, &model, &self.tanks, p);
                    }
                    self.decide(watch, row, now)?;
                    watch.remember(now.seen);
                }
            }
            // A row of another input, or a short doubt: the plan stands.
            _ if watch.age < p.gap_max => {}
            Ok(None) => self.call_blind(watch, row, Doubt::Silent),
            Err(doubt) => self.call_blind(watch, row, doubt),
        }
        Ok(self.show(watch, row))
    }
}

impl TankMpc {
    /// Plans anew, and proposes the first move of the plan.
    fn decide(
        &self,
        watch: &mut Watch,
        row: &mut Row<Measured, Alarm, Wish>,
        now: Levels,
    ) -> Result<(), Fault> {
        let (p, balance) = (&self.parameters, &self.tanks.balance);
        let speed = now.seen.speed.clamp(p.speed_lowest, p.speed_highest);
        let model = self.over.get(p.interval, || self.tanks.over(p.interval));
        let situation = Now {
            x: SVector::from([now.seen.upper, now.seen.lower]) - balance.levels,
            w: model.G.fixed_columns::<2>(1) * SVector::from(watch.unknown),
            u: SVector::from([speed - balance.speed]),
            reference: SVector::from([0.0, now.wanted - balance.levels.y]),
            input_wanted: SVector::from([0.0]),
        };
        // Made anew for each decision: factors and buffers kept for ten thousand twins would fill the instance's memory,
        // and a decision comes once in an interval only.
        let mut control = self.tanks.control(p)?;
        let best = control.solve(&situation, Start::Cold).map_err(Fault::other)?;
        let from = now.seen.speed;
        let value = (balance.speed + best.u.x).clamp(p.speed_lowest, p.speed_highest);
        // A speed a little outside its limits is planned from as if it stood on them.
        let value = value.clamp(from - p.step_max, from + p.step_max);
        let plan = Plan {
            speed: value,
            next: balance.levels.y + best.next.y,
            last: balance.levels.y + best.last.y,
            excess: best.excess,
        };
        watch.plan = Some(plan);
        if (value - from).abs() >= p.deadband.max(f64::MIN_POSITIVE) {
            let (lower, wanted, interval) = (now.seen.lower, now.wanted, p.interval);
            let ahead = Tanks::ahead_s(p);
            let reason = format!(
                "lower level {lower:.3} m, wanted {wanted:.3} m: pump from {from:.1} % to {value:.1} %; expected \
                 {:.3} m in {interval} s, {:.3} m in {ahead} s",
                plan.next, plan.last
            );
            row.propose(Proposal {
                command: Wish::PumpSpeed,
                value,
                confidence: watch.confidence(p.prediction_error),
                valid_for: Duration::from_secs_f64(p.valid_for),
                reason,
            })?;
        }
        Ok(())
    }

    fn call_blind(&self, watch: &Watch, row: &mut Row<Measured, Alarm, Wish>, doubt: Doubt) {
        row.alert(Alarm::Blind, watch.age, format_args!("{doubt}; the pump is left as it is"));
    }

    /// Outputs, and the alert that stands.
    fn show(&self, watch: &Watch, row: &mut Row<Measured, Alarm, Wish>) -> Shown {
        let p = &self.parameters;
        if let Some(plan) = watch.plan.filter(|plan| plan.excess >= 0.1 * p.level_error) {
            let excess = plan.excess;
            row.alert(
                Alarm::Unreachable,
                excess,
                format_args!(
                    "levels leave {} to {} m by {excess:.3} m whatever the pump does",
                    p.level_lowest, p.level_highest
                ),
            );
        }
        Shown {
            wished_speed: watch.plan.map(|plan| plan.speed),
            next_level: watch.plan.map(|plan| plan.next),
            last_level: watch.plan.map(|plan| plan.last),
            excess: watch.plan.map(|plan| plan.excess),
            unknown_flow: watch.unknown[1] * p.lower_area,
            prediction_error: watch.error(),
            blind: f64::from(u8::from(watch.plan.is_none())),
        }
    }
}
