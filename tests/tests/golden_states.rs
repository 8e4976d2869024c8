//! Golden states of the shipped plugins through their components: what a released schema has saved is restored by the
//! wasm that is built today and gives the recorded numbers, bit for bit. So does a later version with another schema, and
//! on its way down it leaves the older one as if that had never been away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use geminus_behavior::{Cohort, Engine, HostCalls, Limits, Opening, Saved, Series, Snapshot};
use geminus_core::{Digest, Frame, Quality, Timestamp, TwinIndex};
use geminus_registry::Package;
use geminus_sdk::testing::SEED;
use geminus_sdk::testing::golden::Golden;
use geminus_tests::{rebuild, repository, with_second_schema};

const TWIN: TwinIndex = TwinIndex(0);

struct Quiet;

impl HostCalls for Quiet {
    fn log(&self, _: Option<TwinIndex>, _: u8, _: &str) {}

    fn lookup(&self, _: TwinIndex, _: u32, _: Timestamp, _: Timestamp, _: u32) -> Result<Series, String> {
        Err("there are no look-ups here".to_owned())
    }
}

/// Numbers and alerts of one row.
type Given = (Vec<u64>, Vec<(String, u64)>);

fn goldens(crate_folder: &str) -> anyhow::Result<Vec<(PathBuf, Golden)>> {
    let folder = repository().join(crate_folder).join("tests/golden");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        found.push((path.clone(), Golden::read(&path)?));
    }
    anyhow::ensure!(!found.is_empty(), "{} is empty", folder.display());
    Ok(found)
}

fn opened(package: &Package, golden: &Golden) -> anyhow::Result<Cohort> {
    let engine = Engine::new(Limits::default())?;
    let compiled = engine.compile(package.digest, &package.bytes, package.declaration.clone(), None)?;
    let parameters = Arc::from(golden.parameters.as_bytes());
    let opening = Opening { twin: TWIN, id: "test".to_owned(), parameters, seed: SEED };
    let (cohort, refused) = Cohort::start(compiled, Arc::new(Quiet), vec![opening])?;
    anyhow::ensure!(refused.is_empty(), "{refused:?}");
    Ok(cohort)
}

/// The golden state as the store would give it.
fn snapshot(package: &Package, golden: &Golden) -> Snapshot {
    let time = golden.columns(&[]).expect("rows").0[0] - 1;
    let saved = Saved { twin: TWIN, time: Timestamp(time), rows: 1_000, bytes: golden.state.clone() };
    let label = package.declaration.label();
    Snapshot { label, digest: Digest::of(b"an older build"), schema: golden.schema, twins: vec![saved] }
}

/// Takes rows `from..to` of the golden file, one frame each.
fn stepped(cohort: &mut Cohort, golden: &Golden, rows: std::ops::Range<usize>) -> anyhow::Result<Vec<Given>> {
    let declaration = cohort.compiled().declaration().clone();
    let names: Vec<&str> = declaration.inputs.iter().map(|input| input.name.as_str()).collect();
    let (times, values, quality) = golden.columns(&names)?;
    let mut given = Vec::new();
    for row in rows {
        let mut frame = Frame::new(names.len());
        frame.twins.push(TWIN);
        frame.times.push(Timestamp(times[row]));
        let cells = row * names.len()..(row + 1) * names.len();
        frame.values.extend_from_slice(&values[cells.clone()]);
        frame.quality.extend(quality[cells].iter().map(|number| Quality::from_u8(*number)));
        let stepped = cohort.step(&frame)?;
        anyhow::ensure!(stepped.faults.is_empty(), "{:?}", stepped.faults);
        let alert = |alert: &geminus_core::Alert| {
            (declaration.alerts[alert.alert as usize].code.clone(), bits(alert.value))
        };
        let values = stepped.outcome.values.iter().map(|value| bits(*value)).collect();
        given.push((values, stepped.outcome.alerts.iter().map(alert).collect()));
    }
    Ok(given)
}

/// Every NaN is the same: no value.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// The lines that a version has recorded, as numbers.
fn recorded(golden: &Golden) -> Vec<Given> {
    let number = |text: &str| text.split(' ').next().unwrap_or_default().parse().unwrap_or(f64::NAN);
    let line = |line: &String| {
        let mut parts = line.split(" ! ");
        let cells = parts.next().unwrap_or_default().split(", ").map(|cell| bits(number(cell))).collect();
        let alert = |text: &str| {
            let (code, value) = text.split_once(' ').expect("a code and a value");
            // An alert about what is missing has no number.
            (code.to_owned(), bits(number(value)))
        };
        (cells, parts.map(alert).collect())
    };
    golden.recorded.last().expect("recorded").lines.iter().map(line).collect()
}

fn built(crate_folder: &str) -> anyhow::Result<Package> {
    let folder = tempfile::tempdir()?;
    Ok(geminus_registry::author::build(&repository().join(crate_folder), Some(folder.path()), |_| ())?
        .package)
}

/// Restores and goes on as recorded; gives how many numbers were compared.
fn holds(package: &Package, path: &Path, golden: &Golden) -> anyhow::Result<usize> {
    let mut cohort = opened(package, golden)?;
    let refused = cohort.restore(&snapshot(package, golden))?;
    anyhow::ensure!(refused.is_empty(), "{}: {refused:?}", path.display());
    let (given, expected) = (stepped(&mut cohort, golden, 0..golden.rows.len())?, recorded(golden));
    assert_eq!(given.len(), expected.len());
    for (row, (given, expected)) in given.iter().zip(&expected).enumerate() {
        assert_eq!(given, expected, "{} row {}", path.display(), row + 1);
    }
    let numbers =
        given.iter().flat_map(|(values, _)| values).filter(|value| f64::from_bits(**value).is_finite());
    Ok(numbers.count())
}

fn check(crate_folder: &str, numbers_min: usize) -> anyhow::Result<()> {
    let package = built(crate_folder)?;
    let mut numbers = 0;
    for (path, golden) in goldens(crate_folder)? {
        numbers += holds(&package, &path, &golden)?;
    }
    assert!(numbers >= numbers_min, "only {numbers} numbers were compared");
    Ok(())
}

#[test]
fn motor_thermal_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/motor-thermal", 500)
}

#[test]
fn pump_health_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/pump-health", 500)
}

#[test]
fn throttle_policy_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/throttle-policy", 500)
}

#[test]
fn drift_calibrator_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/drift-calibrator", 500)
}

#[test]
fn cstr_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/cstr", 500)
}

#[test]
fn tank_mpc_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/tank-mpc", 500)
}

#[test]
fn heat_treatment_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/heat-treatment", 500)
}

#[test]
fn turbofan_rul_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/turbofan-rul", 150)
}

#[test]
fn script_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("plugins/script", 120)
}

#[test]
fn the_first_behavior_goes_on_from_every_released_state() -> anyhow::Result<()> {
    check("examples/first-behavior", 10)
}

#[test]
fn a_version_with_another_schema_goes_up_and_down_as_if_it_had_never_been() -> anyhow::Result<()> {
    let older = built("plugins/motor-thermal")?;
    let folder = tempfile::tempdir()?;
    let file = rebuild("motor-thermal", "0.2.0", folder.path(), with_second_schema)?;
    let newer = Package::read(&file)?;
    assert_eq!((newer.declaration.state.schema, &newer.declaration.state.reads[..]), (2, &[2, 1][..]));
    for (path, golden) in goldens("plugins/motor-thermal")? {
        let name = path.display();
        holds(&newer, &path, &golden)?;
        let (mut stayed, mut left) = (opened(&older, &golden)?, opened(&older, &golden)?);
        for cohort in [&mut stayed, &mut left] {
            anyhow::ensure!(cohort.restore(&snapshot(&older, &golden))?.is_empty(), "{name}");
        }
        let third = golden.rows.len() / 3;
        let mut up = opened(&newer, &golden)?;
        assert_eq!(stepped(&mut stayed, &golden, 0..third)?, stepped(&mut left, &golden, 0..third)?);
        anyhow::ensure!(up.restore(&left.snapshot(None)?)?.is_empty(), "{name}: up");
        let away = third..2 * third;
        assert_eq!(
            stepped(&mut stayed, &golden, away.clone())?,
            stepped(&mut up, &golden, away)?,
            "{name}: above"
        );
        let mut down = opened(&older, &golden)?;
        anyhow::ensure!(down.restore(&up.snapshot(Some(1))?)?.is_empty(), "{name}: down");
        let states = |cohort: &mut Cohort| -> anyhow::Result<_> { Ok(cohort.snapshot(None)?.twins) };
        assert_eq!(states(&mut stayed)?, states(&mut down)?, "{name}: after the way down");
        let rest = 2 * third..golden.rows.len();
        assert_eq!(
            stepped(&mut stayed, &golden, rest.clone())?,
            stepped(&mut down, &golden, rest)?,
            "{name}"
        );
        assert_eq!(states(&mut stayed)?, states(&mut down)?, "{name}: at the end");
    }
    Ok(())
}
