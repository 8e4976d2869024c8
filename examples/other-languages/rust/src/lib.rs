//! Smooths the level of a tank, tells how fast it moves, and calls when it stands above a limit. The same behavior is
//! written in C, JavaScript and Python beside this folder, operation by operation, so that all give the same bits.
use geminus_sdk::prelude::*;

/// What it sees.
#[derive(Debug, Inputs)]
pub struct Measured {
    /// Level of the tank.
    #[input(unit = "m", event)]
    pub level: Reading,
}

/// What it gives.
#[derive(Debug, Outputs)]
pub struct Estimated {
    /// The same without its noise.
    #[output(unit = "m", role = "estimate", of = "level")]
    pub smooth: Option<f64>,
    /// How fast that moves.
    #[output(unit = "m/s")]
    pub rate: Option<f64>,
}

/// What it calls for.
#[derive(Clone, Copy, Debug, Alerts)]
pub enum Call {
    /// The level stands above its limit.
    #[alert(priority = "high", unit = "m")]
    LevelHigh,
}

/// First-order low-pass and a limit; a site sets both.
#[derive(Debug, Parameters)]
pub struct Watch {
    /// Time in which half of a small step and more has come through.
    #[parameter(unit = "s", default = 10.0, min = 0.1, max = 86400.0)]
    pub time_constant: f64,
    /// Level above which somebody is called.
    #[parameter(unit = "m", default = 2.0, min = 0.0, max = 100.0)]
    pub limit: f64,
}

/// What it remembers: the smoothed level, and when it was measured last.
#[derive(Clone, Debug, Default, State)]
pub struct Memory {
    smooth: Option<f64>,
    measured_at: u64,
}

#[health_rule]
impl Behavior for Watch {
    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Call>) -> Estimated {
        let mut rate = None;
        if let Some(now) = row.inputs.level.value() {
            let elapsed = row.time().seconds_since(Timestamp(memory.measured_at));
            let moved = memory.smooth.map(|smooth| elapsed / (self.time_constant + elapsed) * (now - smooth));
            // Too far for a number: it begins anew.
            let moved = moved.filter(|moved| moved.is_finite());
            rate = moved.map(|moved| moved / elapsed);
            memory.smooth = Some(memory.smooth.zip(moved).map_or(now, |(smooth, moved)| smooth + moved));
            memory.measured_at = row.time().0;
        }
        if let Some(smooth) = memory.smooth.filter(|smooth| *smooth > self.limit) {
            row.alert(Call::LevelHigh, smooth, "the level stands above its limit");
        }
        Estimated { smooth: memory.smooth, rate }
    }
}
