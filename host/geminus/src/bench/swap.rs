//! `swap.twins_10000`: what a row waits because another version takes over: ten thousand motors with ten thousand rows
//! a second, and two versions that replace each other by rollouts, state and all. Between the rollouts the same load
//! runs without one: that is the baseline.
//!
//! A row's time runs from its delivery until its outcome is applied. No row may be lost or doubled: that is counted at
//! the lanes, in the shard and in history, and shown by every twin's last estimate, which must be, bit for bit, what
//! the same code computes natively from the same rows in one go.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_api::view::RolloutView;
use geminus_core::TwinIndex;
use geminus_rollout::{Acceptance, Phase, Plan, Probation, Stages};
use geminus_sdk::{Rows, SlotTable};
use geminus_store::Reader;
use geminus_twin::BindingIndex;
use motor_thermal::MotorThermal;
use serde_json::{Value, json};

use super::figure::rounded;
use super::fleet::{Fed, Fleet, Row, reading};
use super::site::SiteFolder;
use super::step::request;
use super::{Figure, Workbench, quantile};
use crate::runtime::cohorts::openings;

const TWINS: u32 = 10_000;
/// Rollouts, forth and back.
const ROLLOUTS: usize = 6;
/// Before the first one, until everything is warm.
const WARM_UP: Duration = Duration::from_secs(2);
/// Load without a swap before each of them.
const QUIET: Duration = Duration::from_millis(1_500);
/// Twins whose rows are counted in history.
const COUNTED: usize = 101;
/// The only behavior of the site.
const THERMAL: BindingIndex = BindingIndex(0);
/// Outputs that must come out as natively.
const COMPARED: [(usize, &str); 2] =
    [(0, "thermal.winding_temperature"), (1, "thermal.winding_temperature_deviation")];

/// A rollout, and the quiet before it.
struct Swap {
    quiet: (Duration, Duration),
    moving: (Duration, Duration),
    view: RolloutView,
}

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let folder = SiteFolder::edited(bench, TWINS, Some("health"), |text| text)?;
    let [first, second] = [bench.plugins.motor_thermal()?.clone(), bench.plugins.successor()?];
    std::fs::write(folder.path().join("plugins/successor.wasm"), &second.bytes)?;
    let fleet = Fleet::start(folder)?;
    // The successor is the higher version, so it is what runs at first.
    let versions = [first.digest, second.digest].map(|digest| digest.to_string());
    let (swaps, fed, done) = fleet.fed(TWINS, || {
        fleet.rest(WARM_UP);
        (0..ROLLOUTS).map(|number| swap(&fleet, versions.get(number % 2).context("two versions")?)).collect()
    })?;
    let swaps: Vec<Swap> = swaps;
    let pauses = fleet.running.house().meters.iter().map(|meters| meters.pauses()).next();
    let rows = fed.rows_done(&done, THERMAL)?;
    let applied = fleet.counters().applied;
    let doubled = applied.saturating_sub(fed.rows()) + fleet.running.store().stats().points_duplicate;
    let lost = fed.rows().saturating_sub(applied);
    let missing = missing(&fleet, &fed, fleet.plant().indices().step_by(TWINS as usize / COUNTED))?;
    let differing = differing(&fleet, &fleet.running.store().reader(), &fed)?;
    drop(fleet.stop()?);

    let during = spans(&rows, swaps.iter().map(|swap| swap.moving));
    let without = spans(&rows, swaps.iter().map(|swap| swap.quiet));
    let late = sorted(fed.late.iter().copied());
    let detail = json!({
        "twins": TWINS, "rows": fed.rows(), "rows_per_s": TWINS, "rollouts": swaps.len(),
        "rows_lost": lost + missing, "rows_doubled": doubled, "twins_with_another_estimate": differing,
        "with_swap_ms": spread(&during), "without_ms": spread(&without),
        "rows_during_swaps": during.len(), "field_late_p99_ms": rounded(quantile(&late, 0.99)),
        "shard_moves": pauses.map(|all| moves(&all)), "each": swaps.iter().map(|swap| told(swap, &rows)).collect::<Vec<_>>(),
    });
    ensure!(lost + missing == 0 && doubled == 0, "rows were lost or doubled: {detail}");
    ensure!(differing == 0, "{differing} twins have another estimate than without a swap: {detail}");
    Ok(Figure::new(quantile(&during, 0.99), detail)
        .against("same load without a swap", quantile(&without, 0.99)))
}

/// Some quiet, then a rollout to its end.
fn swap(fleet: &Fleet, digest: &str) -> anyhow::Result<Swap> {
    let begin = fleet.now();
    fleet.rest(QUIET);
    let start = fleet.now();
    let stages = Stages {
        probation: Probation { rows: 0, seconds: 1, seconds_max: 10 },
        acceptance: Acceptance { rows_min: 1, ..Acceptance::default() },
        ..Stages::default()
    };
    let view = fleet.roll_out(Plan::through("motor-thermal", digest, stages))?;
    let reason = view.reason.clone().unwrap_or_default();
    ensure!(view.phase == Phase::Permanent, "the rollout ended as {}: {reason}", view.phase);
    Ok(Swap { quiet: (begin, start), moving: (start, fleet.now()), view })
}

/// Milliseconds of the rows that were sent within these spans, in order.
pub(super) fn spans(rows: &[Row], spans: impl Iterator<Item = (Duration, Duration)>) -> Vec<f64> {
    let within = |(from, to): (Duration, Duration)| {
        let first = rows.partition_point(|row| row.sent < from);
        let end = rows.partition_point(|row| row.sent < to);
        rows.get(first..end).unwrap_or_default().iter().map(|row| row.took)
    };
    sorted(spans.flat_map(within))
}

/// In milliseconds.
pub(super) fn sorted(spans: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut spans: Vec<f64> = spans.map(|span| span.as_secs_f64() * 1e3).collect();
    spans.sort_unstable_by(f64::total_cmp);
    spans
}

pub(super) fn spread(sorted: &[f64]) -> Value {
    let of = |share: f64| rounded(quantile(sorted, share));
    json!({ "p50": of(0.5), "p90": of(0.9), "p99": of(0.99), "p99_9": of(0.999), "max": of(1.0) })
}

/// How long the shard moved twins between two rows, from its own histogram: bounds, so at most.
fn moves(pauses: &geminus_api::metrics::Histogram) -> Value {
    let count: u64 = pauses.counts.iter().sum();
    let bound = |share: f64| {
        let rank = (count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let place = pauses.counts.iter().position(|of| {
            seen += of;
            seen >= rank
        });
        place.and_then(|place| pauses.bounds.get(place)).map(|seconds| rounded(seconds * 1e3))
    };
    json!({
        "count": count, "mean_ms": rounded(pauses.sum * 1e3 / count.max(1) as f64),
        "p50_ms_at_most": bound(0.5), "p99_ms_at_most": bound(0.99), "max_ms_at_most": bound(1.0),
    })
}

fn told(swap: &Swap, rows: &[Row]) -> Value {
    let seconds = |(from, to): (Duration, Duration)| rounded((to - from).as_secs_f64());
    let steps: BTreeMap<String, Value> = swap
        .view
        .history
        .windows(2)
        .filter_map(|pair| {
            let [step, next] = pair else { return None };
            let millis = next.time.0.millis().saturating_sub(step.time.0.millis());
            Some((step.phase.to_string(), millis.into()))
        })
        .collect();
    json!({
        "to": swap.view.to.version, "seconds": seconds(swap.moving), "phases_ms": steps,
        "with_swap_ms": spread(&spans(rows, std::iter::once(swap.moving))),
        "without_ms": spread(&spans(rows, std::iter::once(swap.quiet))),
    })
}

/// Rows that history lacks, of these twins: each must be recorded, answered by a version, and have its outputs.
pub(super) fn missing(
    fleet: &Fleet,
    fed: &Fed,
    twins: impl Iterator<Item = TwinIndex>,
) -> anyhow::Result<u64> {
    let (plant, reader) = (fleet.plant(), fleet.running.store().reader());
    let mut missing = 0;
    for twin in twins {
        let (from, to) = (fed.time(twin.0, 0), fed.time(twin.0, fed.rounds));
        let by = plant.series_of(twin, "thermal/by").context("rows are not recorded")?;
        let (mut answered, mut nobody) = (0, 0);
        reader.scan(by, from, to, |sample| {
            if sample.value == 0.0 {
                nobody += 1
            } else {
                answered += 1
            }
            true
        })?;
        let output = plant.series_of(twin, COMPARED[0].1).context("no output")?;
        let estimated = reader.count(output, from, to)?;
        ensure!(answered <= fed.rounds && estimated <= fed.rounds, "more rows than were sent");
        missing += nobody + (fed.rounds - answered - nobody) + (fed.rounds - estimated);
    }
    Ok(missing)
}

/// Twins whose last estimate is not what the same code computes natively from all their rows.
fn differing(fleet: &Fleet, reader: &Reader, fed: &Fed) -> anyhow::Result<u64> {
    let plant = fleet.plant();
    let binding = plant.binding(THERMAL).context("the site has no behavior")?;
    let parameters = binding
        .adopt_for(&binding.declaration, &semver::VersionReq::STAR)
        .map_err(|reasons| anyhow::anyhow!("{}", reasons.join("; ")))?;
    let requests: Vec<_> =
        openings(plant, binding, &binding.twins, &parameters).into_iter().map(request).collect();
    let mut native = SlotTable::<MotorThermal>::new();
    native.open(&requests).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
    let slots: Vec<u32> = (0..TWINS).collect();
    let mut last = Vec::new();
    for round in 0..fed.rounds {
        let times: Vec<u64> = slots.iter().map(|twin| fed.time(*twin, round).0).collect();
        let values: Vec<f64> = slots
            .iter()
            .flat_map(|twin| {
                let [current, surface, ambient] = reading(*twin, round);
                [surface, ambient, current]
            })
            .collect();
        let quality = vec![0; values.len()];
        let rows = Rows { slots: &slots, times: &times, values: &values, quality: &quality };
        last = native.step(rows).map_err(|fault| anyhow::anyhow!("{fault:?}"))?.values;
    }
    let outputs = binding.declaration.outputs.len();
    let mut differing = 0;
    for twin in plant.indices() {
        let mut equal = true;
        for (place, point) in COMPARED {
            let expect = last.get(twin.0 as usize * outputs + place).copied().unwrap_or(f64::NAN);
            let series = plant.series_of(twin, point).context("no output")?;
            let found = reader.newest(series)?;
            let time = fed.time(twin.0, fed.rounds.saturating_sub(1));
            equal &=
                found.is_some_and(|found| found.time == time && found.value.to_bits() == expect.to_bits());
        }
        differing += u64::from(!equal);
    }
    Ok(differing)
}
