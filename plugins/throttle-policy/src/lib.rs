//! Reduces the load of a machine before its winding gets too hot, and gives it back slowly.
//!
//! `outlook` says where the temperature is going, `limit` what load that allows and when a change is proposed,
//! `parameters` what a site may set, and this file is what the host sees. It proposes and never acts; what it
//! cannot see it does not guess: then its last proposal stands and an alert says so. The method stands in the README.

mod limit;
mod outlook;
mod parameters;

use std::time::Duration;

use geminus_sdk::prelude::*;
pub use limit::{Asked, Limit};
use limit::{Change, Demand};
use outlook::{Doubt, Outlook};
pub use outlook::{Told, Winding};
pub use parameters::ThrottleParameters;

/// What is known of the machine.
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Measured {
    /// Temperature of the winding, as motor-thermal estimates it. Each counts once, in the row of its time.
    #[input(unit = "Cel", event)]
    pub winding_temperature: Reading,
    /// Its deviation (1 σ). Without it the parameter assumed_deviation counts.
    #[input(unit = "K", event, optional)]
    pub winding_deviation: Reading,
    /// Load limit that is in force, read back from the machine. With it a proposal that nobody followed is noticed.
    #[input(unit = "%", hold, optional)]
    pub present_limit: Reading,
}

/// What the policy shows of itself.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Shown {
    /// How far the winding is below its limit; negative above it.
    #[output(unit = "K", of = "winding_temperature")]
    pub margin: Option<f64>,
    /// Temperature that is expected at the horizon if nothing changes.
    #[output(unit = "Cel", of = "winding_temperature")]
    pub forecast: Option<f64>,
    /// How fast the winding heats.
    #[output(unit = "K/min", of = "winding_temperature")]
    pub heating_rate: Option<f64>,
    /// Load limit that is wished for; while nothing can be seen, the one that was proposed last.
    #[output(unit = "%")]
    pub load_limit: f64,
    /// Load limit that was proposed last, or load_full.
    #[output(unit = "%")]
    pub proposed: f64,
    /// 1 while the load is limited or is to be, else 0.
    #[output(unit = "1")]
    pub active: f64,
    /// 1 while nothing can be concluded from the inputs, else 0.
    #[output(unit = "1")]
    pub blind: f64,
}

/// What deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// Less load was asked for because the winding is or will be too hot.
    #[alert(priority = "low", unit = "%")]
    Throttling,
    /// The lowest load was asked for and the winding is or will be above its limit all the same.
    #[alert(priority = "high", unit = "Cel")]
    Exhausted,
    /// The temperature of the winding cannot be relied on, so the load is neither reduced nor given back.
    #[alert(priority = "medium", unit = "s")]
    Blind,
}

/// What may be proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Commands)]
pub enum Wish {
    /// Highest load that the machine may take, of its rated load.
    #[command(unit = "%", min = 0.0, max = 100.0)]
    LoadLimit,
}

/// What is remembered from row to row. Schema 1.
#[derive(Clone, Debug, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// The winding as it was told last.
    pub winding: Winding,
    /// The limit as it was proposed last.
    pub limit: Limit,
    /// Seconds since nothing can be concluded any more; none while something can.
    pub blind: Option<f64>,
}

/// A machine whose load is limited.
#[derive(Debug)]
pub struct ThrottlePolicy {
    parameters: ThrottleParameters,
}

#[command_policy(warm_up_rows = 0, budget(fuel_per_row = 100_000, memory_bytes = 33_554_432))]
impl Behavior for ThrottlePolicy {
    fn open(parameters: ThrottleParameters, _: &Opening<'_>) -> Result<Self, Fault> {
        parameters.check()?;
        Ok(Self { parameters })
    }

    fn start(&self) -> Memory {
        Memory { winding: Winding::default(), limit: Limit::free(&self.parameters), blind: None }
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm, Wish>) -> Result<Shown, Fault> {
        let elapsed_s = row.elapsed().unwrap_or(0.0);
        memory.grow_older(elapsed_s);
        match row.inputs.told(&self.parameters) {
            Ok(Some(told)) => {
                // What was not seen gives nothing back.
                let seen_s = if memory.blind.is_none() { memory.winding.age } else { 0.0 };
                memory.winding.take(told, &self.parameters);
                match memory.winding.outlook(&self.parameters) {
                    Some(outlook) => self.decide(memory, row, &outlook, seen_s),
                    None => Ok(self.hold(memory, row, Doubt::Silent, elapsed_s)),
                }
            }
            // A row of another input: what was told last still counts, but nothing is concluded from it anew.
            Ok(None) => match memory.winding.outlook(&self.parameters).filter(|_| memory.blind.is_none()) {
                Some(outlook) => Ok(self.show(memory, row, Some(&outlook))),
                None => Ok(self.hold(memory, row, Doubt::Silent, elapsed_s)),
            },
            Err(doubt) => Ok(self.hold(memory, row, doubt, elapsed_s)),
        }
    }
}

impl ThrottlePolicy {
    /// A row with a temperature that can be relied on.
    fn decide(
        &self,
        memory: &mut Memory,
        row: &mut Row<Measured, Alarm, Wish>,
        outlook: &Outlook,
        seen_s: f64,
    ) -> Result<Shown, Fault> {
        let p = &self.parameters;
        memory.blind = None;
        let demand = self.demand(outlook);
        let present = row.inputs.present_limit.value().filter(|limit| (0.0..=100.0).contains(limit));
        if demand.released {
            memory.limit.follow(present, p);
            memory.limit.ramp(seen_s, p);
        }
        if let Some((value, change)) = memory.limit.next(demand, present, p) {
            let reason = self.reason(outlook, memory.limit.standing(p), value, change);
            row.propose(Proposal {
                command: Wish::LoadLimit,
                value,
                confidence: confidence(outlook.told.deviation, p.deviation_max),
                valid_for: Duration::from_secs_f64(p.valid_for),
                reason,
            })?;
            memory.limit.note(value, change);
        }
        Ok(self.show(memory, row, Some(outlook)))
    }

    /// A row from which nothing can be concluded: the last proposal stands.
    fn hold(
        &self,
        memory: &mut Memory,
        row: &mut Row<Measured, Alarm, Wish>,
        doubt: Doubt,
        elapsed_s: f64,
    ) -> Shown {
        let blind_s = memory.blind.map_or(0.0, |before| before + elapsed_s);
        memory.blind = Some(blind_s);
        if blind_s >= self.parameters.blind_after {
            let standing = memory.limit.standing(&self.parameters);
            row.alert(
                Alarm::Blind,
                blind_s,
                format_args!("{doubt}; the load limit stays at {standing:.1} %"),
            );
        }
        self.show(memory, row, None)
    }

    fn demand(&self, outlook: &Outlook) -> Demand {
        Demand::of(outlook.worst(self.parameters.caution), outlook.forecast.is_some(), &self.parameters)
    }

    /// Outputs, and the alerts that stand.
    fn show(
        &self,
        memory: &Memory,
        row: &mut Row<Measured, Alarm, Wish>,
        outlook: Option<&Outlook>,
    ) -> Shown {
        let p = &self.parameters;
        let standing = memory.limit.standing(p);
        let wished = outlook.map_or(standing, |outlook| memory.limit.wished(self.demand(outlook), p));
        if standing < p.load_full {
            row.alert(
                Alarm::Throttling,
                standing,
                format_args!("a load of at most {standing:.1} % is asked for"),
            );
        }
        let limit = p.limit_temperature;
        if let Some(outlook) = outlook
            && standing <= p.load_minimum
            && outlook.worst(p.caution) >= limit
        {
            row.alert(
                Alarm::Exhausted,
                outlook.worst(p.caution),
                format_args!("{outlook}, limit {limit} °C, at {standing:.1} % load"),
            );
        }
        Shown {
            margin: outlook.map(|outlook| limit - outlook.told.temperature),
            forecast: outlook.and_then(|outlook| outlook.forecast),
            heating_rate: outlook.and_then(|outlook| outlook.rate).map(|rate| 60.0 * rate),
            load_limit: wished,
            proposed: standing,
            active: f64::from(u8::from(standing < p.load_full || wished < p.load_full)),
            blind: f64::from(u8::from(memory.blind.is_some())),
        }
    }

    /// For people, with the figures that led to it.
    fn reason(&self, outlook: &Outlook, standing: f64, value: f64, change: Change) -> String {
        let words = match change {
            Change::Less => "less load",
            Change::More => "load is given back",
            Change::Again => "the last proposal has expired and still stands",
        };
        let limit = self.parameters.limit_temperature;
        format!("{outlook}, limit {limit} °C: {words}, from {standing:.1} % to {value:.1} %")
    }
}

impl Memory {
    fn grow_older(&mut self, seconds: f64) {
        self.winding.age += seconds;
        if let Some(asked) = &mut self.limit.asked {
            asked.age += seconds;
        }
    }
}

/// How sure a proposal is, from the deviation of the temperature: 1 when that is exact, ½ at the most that is acted on.
/// A measure for an interlock to hold a limit against, no probability.
fn confidence(deviation: f64, deviation_max: f64) -> f64 {
    let share = deviation / deviation_max;
    1.0 / (1.0 + share * share)
}
