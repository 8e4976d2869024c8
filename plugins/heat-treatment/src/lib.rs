//! Predicts the hardness of heat-treated batches with a Gaussian process, learns from each that is finished, and proposes
//! the settings of the next.
//!
//! `settings` says what settings are and cost, `knowledge` what is known of the process, `advice` which settings the next
//! batch should have, `parameters` what a site may set, and this file is what the host sees. It proposes and never acts;
//! predictions where no batch was are marked uncertain. The method stands in the README.

mod advice;
mod knowledge;
mod parameters;
mod settings;

use std::time::Duration;

use advice::{Advice, Why, in_specification};
use geminus_models::gaussian_process::GaussianProcess;
use geminus_models::latin_hypercube::latin_hypercube;
use geminus_sdk::prelude::*;
use knowledge::Expected;
pub use knowledge::{Batch, Knowledge, Learned};
pub use parameters::FurnaceParameters;
use settings::{Point, Settings, bounds};

/// Settings of a batch, and what came of it.
#[derive(Clone, Copy, Debug, Inputs)]
pub struct Measured {
    /// Temperature at which the batch is tempered.
    #[input(unit = "Cel", hold)]
    pub temperature: Reading,
    /// How long it soaks there.
    #[input(unit = "min", hold)]
    pub soak_time: Reading,
    /// How fast it was quenched before.
    #[input(unit = "K/s", hold)]
    pub quench_rate: Reading,
    /// Hardness of the finished batch. It belongs to the settings as they stand then: publish it last, and before those of
    /// the next batch.
    #[input(unit = "{HRC}", event)]
    pub hardness: Reading,
}

/// What is expected, and what is advised.
#[derive(Clone, Copy, Debug, Outputs)]
pub struct Shown {
    /// Hardness that the settings are expected to give; uncertain where no batch was near.
    #[output(unit = "{HRC}", role = "estimate", of = "hardness")]
    pub hardness_expected: Output,
    /// How sure that is (1 σ of a batch).
    #[output(unit = "{HRC}", role = "deviation", of = "hardness_expected")]
    pub hardness_deviation: Option<f64>,
    /// Measured minus expected hardness of a finished batch.
    #[output(unit = "{HRC}", role = "innovation", of = "hardness")]
    pub innovation: Option<f64>,
    /// Its square in units of the deviation: mean 1.
    #[output(unit = "1", role = "nis", of = "hardness")]
    pub nis: Option<f64>,
    /// Probability that the settings give a batch within the specification.
    #[output(unit = "1", of = "hardness")]
    pub in_specification: Output,
    /// Energy that the settings take.
    #[output(unit = "kW.h")]
    pub energy: Option<f64>,
    /// Temperature that is advised for the next batch.
    #[output(unit = "Cel", of = "temperature")]
    pub advised_temperature: Option<f64>,
    /// Soak time that is advised for the next batch.
    #[output(unit = "min", of = "soak_time")]
    pub advised_soak_time: Option<f64>,
    /// Quench rate that is advised for the next batch.
    #[output(unit = "K/s", of = "quench_rate")]
    pub advised_quench_rate: Option<f64>,
    /// Hardness that the advised settings are expected to give.
    #[output(unit = "{HRC}", of = "hardness")]
    pub advised_hardness: Option<f64>,
    /// How sure that is (1 σ of a batch).
    #[output(unit = "{HRC}", of = "advised_hardness")]
    pub advised_hardness_deviation: Option<f64>,
    /// Energy that the advised settings take.
    #[output(unit = "kW.h")]
    pub advised_energy: Option<f64>,
    /// How many batches are remembered.
    #[output(unit = "1", role = "diagnostic")]
    pub batches: f64,
}

/// What deserves attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Alerts)]
pub enum Alarm {
    /// The last batch missed the specification.
    #[alert(priority = "high", unit = "{HRC}")]
    OffSpecification,
    /// No settings within reach meet the specification as surely as is asked for.
    #[alert(priority = "medium", unit = "1")]
    Unreachable,
    /// Batches come out otherwise than predicted more often than chance allows: furnace, steel or measurement have changed.
    #[alert(priority = "medium", unit = "1")]
    Unfit,
    /// Nothing could be learned from a batch that was measured.
    #[alert(priority = "low", unit = "{HRC}")]
    Unused,
}

/// What may be proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Commands)]
pub enum Wish {
    /// Temperature at which the next batch is tempered.
    #[command(unit = "Cel", min = 0.0, max = 1300.0)]
    Temperature,
    /// How long it soaks there.
    #[command(unit = "min", min = 0.0, max = 10000.0)]
    SoakTime,
    /// How fast it is quenched before.
    #[command(unit = "K/s", min = 0.0, max = 1000.0)]
    QuenchRate,
}

/// What was advised last.
#[derive(Clone, Copy, Debug, PartialEq, Pack)]
pub struct Advised {
    /// Settings: °C, decades of min, decades of K/s.
    pub at: [f64; 3],
    /// Expected hardness and its deviation, HRC; none for one of the first batches.
    pub hardness: Option<(f64, f64)>,
    /// Probability of the specification, where no settings within reach have as much as is asked for.
    pub short_of: Option<f64>,
}

/// What is remembered from row to row. Schema 1.
#[derive(Clone, Debug, PartialEq, State)]
#[state(schema = 1)]
pub struct Memory {
    /// What is known of the process.
    pub knowledge: Knowledge,
    /// None before the first advice.
    pub advised: Option<Advised>,
    /// Hardness of the last batch, HRC.
    pub last: Option<f64>,
    /// Where settings are looked for.
    pub random: Random,
}

/// A furnace that is followed.
#[derive(Debug)]
pub struct HeatTreatment {
    parameters: FurnaceParameters,
    seed: u64,
    /// Settings of the first batches.
    design: Vec<Point>,
}

#[command_policy(warm_up_rows = 0, budget(fuel_per_row = 2_000_000, memory_bytes = 67_108_864))]
impl Behavior for HeatTreatment {
    fn open(parameters: FurnaceParameters, opening: &Opening<'_>) -> Result<Self, Fault> {
        parameters.check()?;
        let mut random = Random::new(opening.seed);
        let unit = latin_hypercube(usize::from(parameters.first_batches), 3, &mut || random.uniform());
        let (lower, upper) = bounds(&parameters);
        let (cells, _) = unit.as_deref().map_err(Fault::other)?.as_chunks::<3>();
        let spread = |share: &Point| {
            let mut at = lower;
            for ((at, upper), share) in at.iter_mut().zip(upper).zip(share) {
                *at += share * (upper - *at);
            }
            at
        };
        let design = cells.iter().map(spread).collect();
        Ok(Self { parameters, seed: opening.seed, design })
    }

    fn start(&self) -> Memory {
        // Other draws than those of the first batches.
        let random = Random::new(!self.seed);
        Memory { knowledge: Knowledge::default(), advised: None, last: None, random }
    }

    fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm, Wish>) -> Result<Shown, Fault> {
        let p = &self.parameters;
        let settings = row.inputs.settings(p).ok();
        let mut surrogate = memory.knowledge.surrogate(p);
        let expected = settings
            .zip(surrogate.as_mut())
            .and_then(|(settings, surrogate)| memory.knowledge.expected(surrogate, settings.point(), p));
        let mut off = None;
        if row.inputs.hardness.quality() == Quality::Missing {
            // Before the first batch there is something to advise already.
            if let Some(settings) = settings.filter(|_| memory.advised.is_none()) {
                let first = self.first(memory);
                self.propose(memory, row, settings, first)?;
            }
        } else {
            match row.inputs.batch(p) {
                Ok((settings, hardness)) => {
                    off = expected.map(|expected| {
                        (hardness - expected.prediction.mean, memory.knowledge.judge(&expected, hardness))
                    });
                    self.finish(memory, row, settings, hardness)?;
                }
                Err(doubt) => {
                    let told = row.inputs.hardness.value().unwrap_or(f64::NAN);
                    row.alert(
                        Alarm::Unused,
                        told,
                        format_args!("nothing is learned from the batch: {doubt}"),
                    );
                }
            }
        }
        self.raise(memory, row);
        Ok(self.show(memory, settings, expected.as_ref(), off))
    }
}

impl HeatTreatment {
    /// A batch is finished: learns from it and advises on the next.
    fn finish(
        &self,
        memory: &mut Memory,
        row: &mut Row<Measured, Alarm, Wish>,
        settings: Settings,
        hardness: f64,
    ) -> Result<(), Fault> {
        let p = &self.parameters;
        memory.last = Some(hardness);
        let surrogate = memory.knowledge.learn(settings.point(), hardness, p);
        let advice = match surrogate.filter(|_| memory.knowledge.batches.len() >= self.design.len()) {
            Some(surrogate) => self.advise(memory, surrogate, settings.point()),
            None => self.first(memory),
        };
        self.propose(memory, row, settings, advice)
    }

    /// What is to be learned from next.
    fn first(&self, memory: &Memory) -> Option<Advice> {
        let place = memory.knowledge.batches.len();
        // Batches that were all equally hard teach nothing: the design begins again.
        let at = *self.design.get(place % self.design.len())?;
        let why = Why::First { number: place + 1, of: self.parameters.first_batches };
        Some(Advice { at, prediction: None, why })
    }

    fn advise(&self, memory: &mut Memory, mut surrogate: GaussianProcess, present: Point) -> Option<Advice> {
        let p = &self.parameters;
        let (knowledge, random) = (&memory.knowledge, &mut memory.random);
        let mut uniform = || random.uniform();
        if p.explore {
            return advice::harder(knowledge, &mut surrogate, present, p, &mut uniform);
        }
        match advice::cheapest(knowledge, &mut surrogate, present, p, &mut uniform) {
            Ok(advice) => Some(advice),
            Err(why) => {
                log::warn!("there is no advice: {why}");
                None
            }
        }
    }

    /// Proposes what the advice would change of the settings in force.
    fn propose(
        &self,
        memory: &mut Memory,
        row: &mut Row<Measured, Alarm, Wish>,
        present: Settings,
        advice: Option<Advice>,
    ) -> Result<(), Fault> {
        let p = &self.parameters;
        memory.advised = advice.as_ref().map(|advice| Advised {
            at: advice.at,
            hardness: advice.prediction.map(|told| (told.mean, told.deviation)),
            short_of: (advice.why == Why::Likeliest).then(|| advice.confidence(p)),
        });
        let Some(advice) = advice else { return Ok(()) };
        let settings = Settings::at(advice.at, p);
        let wishes = [
            (Wish::Temperature, settings.temperature),
            (Wish::SoakTime, settings.soak_time),
            (Wish::QuenchRate, settings.quench_rate),
        ];
        for ((command, value), moved) in wishes.into_iter().zip(advice.moves(present.point(), p)) {
            if moved {
                row.propose(Proposal {
                    command,
                    value,
                    confidence: advice.confidence(p),
                    valid_for: Duration::from_secs_f64(p.valid_for),
                    reason: format!("{}, instead of {present}", advice.reason(p)),
                })?;
            }
        }
        Ok(())
    }

    /// The alerts that stand.
    fn raise(&self, memory: &Memory, row: &mut Row<Measured, Alarm, Wish>) {
        let p = &self.parameters;
        let (lowest, highest) = (p.hardness_lowest, p.hardness_highest);
        if let Some(hardness) = memory.last.filter(|last| !(lowest..=highest).contains(last)) {
            let detail =
                format_args!("the last batch has {hardness:.1} HRC, {lowest} to {highest} are wanted");
            row.alert(Alarm::OffSpecification, hardness, detail);
        }
        if let Some(likely) = memory.advised.and_then(|advised| advised.short_of) {
            let (likeliest, wanted) = (100.0 * likely, 100.0 * p.specification_confidence);
            let detail = format_args!(
                "the likeliest settings within reach are good in {likeliest:.1} % of batches, {wanted:.1} % are wanted"
            );
            row.alert(Alarm::Unreachable, likely, detail);
        }
        let surprises = memory.knowledge.surprises.count_ones();
        if surprises >= u32::from(p.unfit_batches) {
            let detail = format_args!("{surprises} of the last 16 batches were far from their prediction");
            row.alert(Alarm::Unfit, f64::from(surprises), detail);
        }
    }

    fn show(
        &self,
        memory: &Memory,
        settings: Option<Settings>,
        expected: Option<&Expected>,
        off: Option<(f64, f64)>,
    ) -> Shown {
        let p = &self.parameters;
        let told = |value: fn(&Expected, &FurnaceParameters) -> f64| match expected {
            Some(expected) if expected.verdict.is_inside() => Output::good(value(expected, p)),
            Some(expected) => Output::uncertain(value(expected, p)),
            None => Output::missing(),
        };
        let advised = memory.advised.map(|advised| Settings::at(advised.at, p));
        let hardness = memory.advised.and_then(|advised| advised.hardness);
        let batches = u16::try_from(memory.knowledge.batches.len()).unwrap_or(u16::MAX);
        Shown {
            hardness_expected: told(|expected, _| expected.prediction.mean),
            hardness_deviation: expected.map(|expected| expected.prediction.deviation),
            innovation: off.map(|(innovation, _)| innovation),
            nis: off.map(|(_, nis)| nis),
            in_specification: told(|expected, p| in_specification(&expected.prediction, p)),
            energy: settings.map(|settings| settings.energy(p)),
            advised_temperature: advised.map(|settings| settings.temperature),
            advised_soak_time: advised.map(|settings| settings.soak_time),
            advised_quench_rate: advised.map(|settings| settings.quench_rate),
            advised_hardness: hardness.map(|(mean, _)| mean),
            advised_hardness_deviation: hardness.map(|(_, deviation)| deviation),
            advised_energy: advised.map(|settings| settings.energy(p)),
            batches: f64::from(batches),
        }
    }
}
