//! Golden states: what a released schema saved is restored by this component and goes on as recorded, numbers and alerts
//! bit for bit. The files are the SDK's (`geminus_sdk::testing::golden`).

use std::path::{Path, PathBuf};

use geminus_behavior::{Saved, Snapshot};
use geminus_core::{Digest, Frame, Outcome, Quality, Timestamp, TwinIndex};
use geminus_sdk::testing::golden::{Golden, Recorded};

use super::Tried;
use crate::bed::{Bed, played};
use crate::report::Verdict;

pub(super) fn held(bed: &Bed, folder: Option<&Path>) -> Tried {
    let state = &bed.declaration().state;
    let Some(folder) = folder else {
        let why =
            if state.schema == 0 { "it declares no state" } else { "no folder of golden states was given" };
        return Ok(Verdict::NotConcerned(why.to_owned()));
    };
    let files = files(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut shown: Vec<u32> = Vec::new();
    for path in &files {
        let golden = Golden::read(path).map_err(|error| error.to_string())?;
        one(bed, &golden).map_err(|why| format!("{}: {why}", path.display()))?;
        shown.push(golden.schema);
    }
    if let Some(schema) = state.reads.iter().find(|schema| !shown.contains(schema)) {
        return Ok(Verdict::Broken(format!(
            "schema {schema} is read but no file in {} shows it",
            folder.display()
        )));
    }
    Ok(Verdict::Kept(format!("{} files, schemas {:?}", files.len(), state.reads)))
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("schema-") && name.ends_with(".json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn one(bed: &Bed, golden: &Golden) -> Result<(), String> {
    let declaration = bed.declaration();
    if golden.plugin != declaration.name {
        return Err(format!("it belongs to {}", golden.plugin));
    }
    let names: Vec<&str> = declaration.inputs.iter().map(|input| input.name.as_str()).collect();
    let (times, values, quality) = golden.columns(&names).map_err(|error| error.to_string())?;
    let mut cohort = bed.cohort_of(&golden.parameters).map_err(|error| error.to_string())?;
    let before = times.first().map_or(0, |time| time.saturating_sub(1));
    let saved = Saved { twin: TwinIndex(0), time: Timestamp(before), rows: 1, bytes: golden.state.clone() };
    let (label, digest) = (declaration.label(), Digest::of(b"an older build"));
    let snapshot = Snapshot { label, digest, schema: golden.schema, twins: vec![saved] };
    let refused = cohort.restore(&snapshot).map_err(|error| error.to_string())?;
    if let Some(refused) = refused.first() {
        return Err(refused.to_string());
    }
    let version = declaration.version.to_string();
    let recorded = golden.recorded.iter().find(|one| one.version == version).or(golden.recorded.last());
    let recorded = recorded.ok_or("no version has recorded its answers")?;
    if recorded.lines.len() != times.len() {
        return Err(format!("{} lines for {} rows", recorded.lines.len(), times.len()));
    }
    for (row, time) in times.iter().enumerate() {
        let cells = row * names.len()..(row + 1) * names.len();
        let mut frame = Frame::new(names.len());
        frame.twins.push(TwinIndex(0));
        frame.times.push(Timestamp(*time));
        frame.values = values.get(cells.clone()).unwrap_or_default().to_vec();
        frame.quality =
            quality.get(cells).unwrap_or_default().iter().map(|number| Quality::from_u8(*number)).collect();
        let stepped = played(&mut cohort, &[frame])?;
        let Some(stepped) = stepped.first() else { continue };
        differs(bed, recorded, row, &stepped.outcome).map_or(Ok(()), Err)?;
    }
    Ok(())
}

/// The first number of a row that is not as recorded. Cells that no longer exist are passed over; the quality of a cell
/// is the host's work, which the recording, being the behavior's own, does not have.
fn differs(bed: &Bed, recorded: &Recorded, row: usize, given: &Outcome) -> Option<String> {
    let line = recorded.lines.get(row)?;
    let cells = line.split(['!', '>']).next()?.trim_end().split(", ");
    for (name, text) in recorded.outputs.iter().zip(cells) {
        let place = bed.declaration().outputs.iter().position(|output| output.name == *name)?;
        let expected: f64 = text.split(' ').next()?.parse().unwrap_or(f64::NAN);
        let found = given.values.get(place).copied().unwrap_or(f64::NAN);
        if expected.to_bits() != found.to_bits() && !(expected.is_nan() && found.is_nan()) {
            return Some(format!("row {}, {name}: {expected:?} was recorded, {found:?} came", row + 1));
        }
    }
    let codes = |outcome: &Outcome| {
        let code = |index: u32| {
            bed.declaration().alerts.get(index as usize).map_or("?", |alert| alert.code.as_str())
        };
        outcome.alerts.iter().map(|alert| code(alert.alert).to_owned()).collect::<Vec<_>>()
    };
    let told = line.split(" ! ").skip(1).filter_map(|event| event.split(' ').next());
    let told: Vec<String> = told.map(str::to_owned).collect();
    (told != codes(given))
        .then(|| format!("row {}: alerts {told:?} were recorded, {:?} came", row + 1, codes(given)))
}
