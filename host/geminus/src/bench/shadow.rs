//! `shadow.overhead`: what a row costs while a second version gets it too, is compared, and thrown away: all of that
//! as a shard does it, against the behavior's own time for the row (`Cohort::step` alone).
//!
//! Time is processor time of the one thread that does it, so others on the machine take nothing of it. Runs alternate;
//! each figure is a median. Between them the answers of the running version are compared, which must be the same with
//! a shadow and without, to the bit. The figure is that of the largest batch, which a busy shard steps; `detail.each`
//! has a verdict for each size, and `detail.within` one for all of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_behavior::{Cohort, ColdStart, Compiled, Engine, Limits};
use geminus_core::{Frame, Outcome};
use geminus_rollout::{Acceptance, Tally};
use geminus_twin::BindingIndex;
use serde_json::{Value, json};

use super::figure::rounded;
use super::processor::own_time;
use super::step::{Deaf, TWINS, frames, openings};
use super::{Figure, Workbench, median};
use crate::runtime::cohorts::side::{Berth, Side, Watch};
use crate::runtime::cohorts::trial::Trial;
use crate::runtime::{Crumb, ShardMeters};

/// Rows in one call, as a busy shard has them and as an idle one has, and runs of each way; the first is the figure.
const BATCHES: [(usize, usize); 3] = [(1_024, 21), (64, 7), (1, 3)];

/// How many times the behavior's own time a row may take while a shadow gets it too.
const TIMES_MAX: f64 = 2.2;

/// One way to step a frame.
struct Ways {
    /// The behavior alone.
    own: Cohort,
    /// As a shard steps it when nothing is on trial.
    alone: Side,
    /// With a shadow.
    watched: Side,
    shadow: Trial,
}

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let package = bench.plugins.motor_thermal()?;
    let next = bench.plugins.successor()?;
    let engine = Engine::new(Limits::default())?;
    let compile = |package: &geminus_registry::Package| {
        engine.compile(package.digest, &package.bytes, Arc::clone(&package.declaration), None)
    };
    let (old, new) = (compile(package)?, compile(&next)?);
    let mut details = Vec::new();
    let (mut figures, mut within) = (None, true);
    for (batch, runs) in BATCHES {
        let measured = measure_batch(bench, &old, &new, (batch, runs))?;
        figures.get_or_insert((measured.shadow, measured.own));
        within &= measured.shadow / measured.own <= TIMES_MAX;
        details.push(measured.told());
    }
    let (shadow, own) = figures.context("nothing was measured")?;
    Ok(Figure::new(shadow, json!({ "twins": TWINS, "within": within, "each": details }))
        .against("the behavior's own time", own))
}

/// Nanoseconds a row.
struct Measured {
    batch: usize,
    runs: usize,
    own: f64,
    alone: f64,
    shadow: f64,
    compared: u64,
}

impl Measured {
    fn told(&self) -> Value {
        let rate = |ns: f64| rounded(1e9 / ns);
        let times = self.shadow / self.own;
        json!({
            "batch": self.batch, "runs": self.runs, "own_ns": rounded(self.own), "without_ns": rounded(self.alone),
            "with_ns": rounded(self.shadow), "with_through_own": rounded(times),
            "times_max": TIMES_MAX, "within": times <= TIMES_MAX,
            "with_through_without": rounded(self.shadow / self.alone), "rows_per_s_without": rate(self.alone),
            "rows_per_s_with": rate(self.shadow), "rows_compared": self.compared, "outputs_equal": true,
        })
    }
}

fn measure_batch(
    bench: &Workbench,
    old: &Arc<Compiled>,
    new: &Arc<Compiled>,
    (batch, runs): (usize, usize),
) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let crumb = Crumb::open(folder.path(), 0);
    let watch = Watch { clock: bench.clock.as_ref(), crumb: &crumb, deadline: Duration::from_millis(500) };
    let meters = ShardMeters::new(1);
    let cohort = |compiled: &Arc<Compiled>| -> anyhow::Result<Cohort> {
        let (cohort, refused) = Cohort::start(Arc::clone(compiled), Arc::new(Deaf), openings())?;
        ensure!(refused.is_empty(), "twins were refused: {refused:?}");
        Ok(cohort)
    };
    let berth = |compiled: &Arc<Compiled>, incarnation| -> anyhow::Result<Vec<Berth>> {
        let version = compiled.declaration().version.to_string();
        let account = meters.account(BindingIndex(0), &version);
        Ok(vec![Berth::new(cohort(compiled)?, incarnation, account)])
    };
    let tally = Tally::between(old.declaration(), new.declaration(), &Acceptance::default());
    let mut ways = Ways {
        own: cohort(old)?,
        alone: Side::new(berth(old, 1)?),
        watched: Side::new(berth(old, 1)?),
        shadow: Trial::new(1, berth(new, 2)?, ColdStart::Refuse, tally),
    };
    while ways.shadow.is_moving() {
        ways.shadow.advance(&mut ways.watched);
    }
    let enrolled = ways.shadow.standing(&|_| false);
    ensure!(enrolled.enrolled == TWINS as usize, "{} twins are in the shadow", enrolled.enrolled);

    let outputs = old.declaration().outputs.len();
    let now = || own_time().unwrap_or_else(|| bench.clock.monotonic());
    let (mut own, mut alone, mut shadow) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..runs {
        let timed = frames(batch, 2 * run);
        let rows: usize = timed.iter().map(Frame::rows).sum();
        let took = |work: &mut dyn FnMut(&Frame) -> anyhow::Result<()>| -> anyhow::Result<f64> {
            let start = now();
            timed.iter().try_for_each(work)?;
            Ok((now() - start).as_secs_f64() * 1e9 / rows as f64)
        };
        own.push(took(&mut |frame| {
            std::hint::black_box(ways.own.step(frame)?);
            Ok(())
        })?);
        alone.push(took(&mut |frame| {
            std::hint::black_box(ways.alone.step(outputs, frame, &watch));
            Ok(())
        })?);
        shadow.push(took(&mut |frame| {
            let mut stepped = ways.watched.step(outputs, frame, &watch);
            std::hint::black_box(ways.shadow.follow(frame, &mut stepped, &watch));
            std::hint::black_box(stepped);
            Ok(())
        })?);
        for frame in &frames(batch, 2 * run + 1) {
            let expect = ways.own.step(frame)?.outcome;
            let without = ways.alone.step(outputs, frame, &watch).outcome;
            let mut with = ways.watched.step(outputs, frame, &watch);
            drop(ways.shadow.follow(frame, &mut with, &watch));
            let equal = is_equal(&expect, &without) && is_equal(&without, &with.outcome);
            ensure!(equal, "with a shadow the running version answers something else");
        }
    }
    let standing = ways.shadow.standing(&|_| false);
    let twin = openings().first().map(|opening| opening.twin).context("no twin")?;
    ensure!(!ways.shadow.is_authoritative(twin), "the shadow answers");
    Ok(Measured {
        batch,
        runs,
        own: median(own),
        alone: median(alone),
        shadow: median(shadow),
        compared: standing.tally.evidence(&|twin| twin.0.to_string()).rows,
    })
}

/// To the bit.
fn is_equal(one: &Outcome, other: &Outcome) -> bool {
    let bits = |outcome: &Outcome| outcome.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    bits(one) == bits(other)
        && one.quality == other.quality
        && one.alerts == other.alerts
        && one.proposals == other.proposals
}
