//! `reload.10000`: ten thousand times another version takes over from the one before and that one is dropped, as the
//! house does it: the artefact loaded from the cache, an heir raised and rehearsed, the state carried over, sides
//! changed, the old instance dropped. Nothing of it may stay: memory, file descriptors, mappings and threads are looked
//! at as it goes, and their slope over the last nine tenths is the figure.
//!
//! In a process of its own, because what earlier measurements freed would hide what is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_behavior::{Cohort, ColdStart, Engine, Limits, handover_schema};
use geminus_core::{Clock as _, Frame, SystemClock};
use geminus_registry::Package;
use geminus_rollout::{Acceptance, Phase, Tally};
use geminus_twin::BindingIndex;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::figure::rounded;
use super::processor::resident_bytes;
use super::step::{Deaf, frames_of, openings_of};
use super::{Figure, Workbench};
use crate::runtime::cohorts::side::{Berth, Side, Watch};
use crate::runtime::cohorts::trial::{Trial, Wanted};
use crate::runtime::{Crumb, ShardMeters};

const RELOADS: usize = 10_000;
/// Before these nothing is expected to stand still: caches and pools fill.
const WARM_UP: usize = 1_000;
/// Reloads between two looks.
const LOOK_EVERY: usize = 100;
/// Twins of the cohort.
const TWINS: u32 = 16;
/// Bytes of memory that a reload may seem to keep: one page in a thousand reloads. A kept instance or artefact would
/// show as a thousand times that.
const BYTES_TOLERATED: f64 = 4.096;
/// Of file descriptors, mappings and threads, which are whole: one in five thousand reloads.
const COUNT_TOLERATED: f64 = 0.000_2;

/// What the process looked like after so many reloads.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Look {
    reloads: usize,
    resident_bytes: u64,
    descriptors: usize,
    mappings: usize,
    threads: usize,
}

/// What such a process saw of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reloads {
    seconds: f64,
    rows: u64,
    looks: Vec<Look>,
}

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir()?;
    let [first, second] = ["first.wasm", "second.wasm"].map(|name| folder.path().join(name));
    fs::write(&first, &bench.plugins.motor_thermal()?.bytes)?;
    fs::write(&second, &bench.plugins.successor()?.bytes)?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--log", "error", "bench", "--reload"])
        .args([&first, &second])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the process that reloads ended with {}", output.status);
    let seen: Reloads = serde_json::from_slice(&output.stdout).context("it gave no figures")?;
    judged(&seen)
}

/// The figure of what a process saw of itself.
///
/// # Errors
/// When something stays of a reload.
fn judged(seen: &Reloads) -> anyhow::Result<Figure> {
    let late: Vec<Look> = seen.looks.iter().copied().filter(|look| look.reloads >= WARM_UP).collect();
    let (begin, end) = (late.first().context("no look")?, late.last().context("no look")?);
    let slope_of = |what: fn(&Look) -> f64| slope(&late, what);
    let memory = slope_of(|look| look.resident_bytes as f64);
    let counts = [
        ("descriptors", slope_of(|look| look.descriptors as f64), begin.descriptors, end.descriptors),
        ("mappings", slope_of(|look| look.mappings as f64), begin.mappings, end.mappings),
        ("threads", slope_of(|look| look.threads as f64), begin.threads, end.threads),
    ];
    let mut detail = json!({
        "reloads": RELOADS, "twins": TWINS, "seconds": rounded(seen.seconds), "rows": seen.rows,
        "reload_us": rounded(seen.seconds * 1e6 / RELOADS as f64),
        "bytes": { "per_reload": memory, "tolerated": BYTES_TOLERATED,
            "after_warm_up": begin.resident_bytes, "at_the_end": end.resident_bytes },
    });
    let mut flat = memory <= BYTES_TOLERATED;
    for (name, slope, from, to) in counts {
        flat &= slope.abs() <= COUNT_TOLERATED;
        if let Some(detail) = detail.as_object_mut() {
            let told = json!({ "per_reload": slope, "tolerated": COUNT_TOLERATED, "after_warm_up": from, "at_the_end": to });
            detail.insert(name.to_owned(), told);
        }
    }
    ensure!(flat, "something stays of every reload: {detail}");
    Ok(Figure::new(memory, detail))
}

/// Least squares: units for each reload.
fn slope(looks: &[Look], what: impl Fn(&Look) -> f64) -> f64 {
    let count = looks.len() as f64;
    let mean = |of: &dyn Fn(&Look) -> f64| looks.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&|look| look.reloads as f64), mean(&|look| what(look)));
    let along = |look: &Look| look.reloads as f64 - x;
    let product: f64 = looks.iter().map(|look| along(look) * (what(look) - y)).sum();
    product / looks.iter().map(|look| along(look).powi(2)).sum::<f64>()
}

impl Reloads {
    /// Reloads in this process: the two packages take over from each other.
    pub(crate) fn run(packages: &[PathBuf]) -> anyhow::Result<Self> {
        let clock = SystemClock::new();
        let folder = tempfile::tempdir()?;
        let engine = Engine::new(Limits::default())?;
        let packages: Vec<Package> =
            packages.iter().map(|path| Package::read(path)).collect::<Result<_, _>>()?;
        for package in &packages {
            engine.precompile(package.digest, &package.bytes, folder.path())?;
        }
        let crumb = Crumb::open(folder.path(), 0);
        let watch = Watch { clock: &clock, crumb: &crumb, deadline: Duration::from_millis(500) };
        let meters = ShardMeters::new(1);
        let mut house = House { engine, meters, side: Side::default(), folder: folder.path().to_owned() };
        let first = packages.first().context("no package")?;
        house.begin(first)?;
        let mut seen = Self { seconds: 0.0, rows: 0, looks: Vec::new() };
        let start = clock.monotonic();
        for reload in 0..RELOADS {
            let package = packages.get((reload + 1) % packages.len()).context("no package")?;
            let frames = frames_of(TWINS, TWINS as usize * 2, TWINS as usize, reload);
            let [before, after] = frames.as_slice() else {
                anyhow::bail!("two rows of each twin are needed")
            };
            seen.rows +=
                house.reload(package, (before, after), &watch).with_context(|| format!("reload {reload}"))?;
            if (reload + 1) % LOOK_EVERY == 0 {
                seen.looks.push(Look::now(reload + 1)?);
            }
        }
        seen.seconds = (clock.monotonic() - start).as_secs_f64();
        Ok(seen)
    }
}

/// A shard's side of one binding, and what a rollout needs.
struct House {
    engine: Engine,
    meters: ShardMeters,
    side: Side,
    folder: PathBuf,
}

impl House {
    fn load(&self, package: &Package) -> anyhow::Result<Arc<geminus_behavior::Compiled>> {
        let loaded = self.engine.load(package.digest, Arc::clone(&package.declaration), &self.folder)?;
        loaded.context("the artefact is not in the cache")
    }

    fn berth(&self, cohort: Cohort, incarnation: u32) -> Berth {
        let version = cohort.compiled().declaration().version.to_string();
        Berth::new(cohort, incarnation, self.meters.account(BindingIndex(0), &version))
    }

    fn begin(&mut self, package: &Package) -> anyhow::Result<()> {
        let (cohort, refused) = Cohort::start(self.load(package)?, Arc::new(Deaf), openings_of(TWINS))?;
        ensure!(refused.is_empty(), "twins were refused: {refused:?}");
        let berth = self.berth(cohort, 1);
        drop(self.side.adopt(vec![berth]));
        Ok(())
    }

    /// One rollout; gives the rows that were stepped on both sides.
    fn reload(
        &mut self,
        package: &Package,
        (before, after): (&Frame, &Frame),
        watch: &Watch<'_>,
    ) -> anyhow::Result<u64> {
        let compiled = self.load(package)?;
        let new = Arc::clone(compiled.declaration());
        let outputs = new.outputs.len();
        let incumbent = self.side.berths_mut().first_mut().context("nobody answers")?;
        let old = Arc::clone(incumbent.cohort.compiled().declaration());
        let schema = handover_schema(&old, &new, ColdStart::Refuse)?;
        let mut heir = incumbent.cohort.household().raise(compiled)?;
        let twins: Vec<_> = heir.twins().collect();
        let asked = schema.filter(|schema| *schema != old.state.schema);
        heir.rehearse(&incumbent.cohort.copy(&twins, asked)?)?;
        let berth = self.berth(heir.into_cohort(), 1);
        let tally = Tally::between(&old, &new, &Acceptance::default());
        let mut trial = Trial::new(1, vec![berth], ColdStart::Refuse, tally);
        trial.advance(&mut self.side);
        for frame in [before, after] {
            let mut stepped = self.side.step(outputs, frame, watch);
            drop(trial.follow(frame, &mut stepped, watch));
            ensure!(stepped.faults.is_empty() && stepped.by.iter().all(|by| *by != 0), "a row was lost");
            // Promoted after the first.
            trial.want(Wanted::All, Phase::Promoting);
            while trial.is_moving() {
                trial.advance(&mut self.side);
            }
        }
        let standing = trial.standing(&|_| false);
        ensure!(standing.failure.is_none(), "{:?}", standing.failure);
        ensure!(
            standing.authoritative == twins.len() || !standing_is_warm(&standing),
            "a twin stayed behind"
        );
        let left = self.side.adopt(trial.into_side().into_berths());
        ensure!(left.len() == 1 && self.side.berths().len() == 1, "the old instance is still there");
        Ok((before.rows() + after.rows()) as u64)
    }
}

fn standing_is_warm(standing: &crate::runtime::cohorts::trial::Standing) -> bool {
    standing.warm == standing.enrolled
}

impl Look {
    fn now(reloads: usize) -> anyhow::Result<Self> {
        let entries = |path: &str| anyhow::Ok(fs::read_dir(Path::new(path))?.count());
        Ok(Self {
            reloads,
            resident_bytes: resident_bytes()?,
            descriptors: entries("/proc/self/fd")?,
            mappings: fs::read_to_string("/proc/self/maps")?.lines().count(),
            threads: entries("/proc/self/task")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_what_each_reload_adds() {
        let look = |reloads: usize, resident_bytes| Look {
            reloads,
            resident_bytes,
            descriptors: 3,
            mappings: 9,
            threads: 2,
        };
        let looks: Vec<Look> = (1..=9).map(|n| look(n * 100, 5_000 + n as u64 * 700)).collect();
        assert!((slope(&looks, |look| look.resident_bytes as f64) - 7.0).abs() < 1e-9);
        assert_eq!(slope(&looks, |look| look.threads as f64), 0.0);
    }

    #[test]
    fn what_stays_of_reloads_is_no_figure_but_a_failure() {
        let check = |bytes: u64, descriptors: usize, mappings: usize, threads: usize, expect: bool| {
            let look = |looks: usize| Look {
                reloads: looks * LOOK_EVERY,
                resident_bytes: 9_000_000 + bytes * (looks * LOOK_EVERY) as u64,
                descriptors: 3 + looks * descriptors,
                mappings: 40 + looks * mappings,
                threads: 2 + looks * threads,
            };
            let seen = Reloads { seconds: 1.0, rows: 9, looks: (1..=100).map(look).collect() };
            assert_eq!(judged(&seen).is_ok(), expect, "{seen:?}");
        };
        check(0, 0, 0, 0, true);
        check(4, 0, 0, 0, true);
        check(5, 0, 0, 0, false);
        check(0, 1, 0, 0, false);
        check(0, 0, 1, 0, false);
        check(0, 0, 0, 1, false);
    }
}
