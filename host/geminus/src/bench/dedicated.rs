//! `instances.dedicated_10000`: what a twin costs that has an instance of its own, for ten thousand of them: memory with
//! everything of the house around it, mappings, and the time of a step. Held against the same fleet in a cohort.

use serde_json::{Value, json};

use super::figure::rounded;
use super::memory::{Probe, probe};
use super::site::SiteFolder;
use super::{Figure, Workbench};

const TWINS: u32 = 10_000;

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let site = |twins, isolation: &str| {
        let wanted = format!("plugin = \"motor-thermal\"\nisolation = \"{isolation}\"");
        let edit = |text: String| text.replace("plugin = \"motor-thermal\"", &wanted);
        SiteFolder::edited(bench, twins, Some("health"), edit)
    };
    let one = probe(&site(1, "cohort")?, 1)?;
    let cohort = probe(&site(TWINS, "cohort")?, TWINS)?;
    let dedicated = probe(&site(TWINS, "dedicated")?, TWINS)?;
    let detail = json!({
        "twins": TWINS, "dedicated": told(&dedicated, &one), "cohort": told(&cohort, &one),
    });
    Ok(Figure::new(bytes(&dedicated, &one), detail)
        .against("the same twins in a cohort", bytes(&cohort, &one)))
}

fn bytes(fleet: &Probe, one: &Probe) -> f64 {
    fleet.resident_bytes.saturating_sub(one.resident_bytes) as f64 / f64::from(TWINS)
}

fn told(fleet: &Probe, one: &Probe) -> Value {
    json!({
        "bytes_per_twin": rounded(bytes(fleet, one)), "resident_bytes": fleet.resident_bytes,
        "instance_bytes_per_twin": rounded(fleet.cohort_bytes as f64 / f64::from(TWINS)),
        "step_ns_per_row": rounded(fleet.late_step_ns as f64 / (fleet.rows / 2).max(1) as f64), "rows": fleet.rows,
        "mappings": fleet.mappings, "start_ms": fleet.start_ms,
    })
}
