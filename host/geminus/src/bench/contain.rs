//! `contain.neighbours`: how long rows of 999 motors take while a hostile plugin runs beside them, on the same shard,
//! for a thousandth twin that has a row a second like they have. One hostile plugin after the other, each against the
//! seconds of quiet before it; the figure is the one that is felt most.
//!
//! What is measured is what an operator would see: the first misdeed, the returns that the ladder grants, and the
//! quarantine at its end. No row of the neighbours may be lost or doubled: that is counted at the lanes, in the shard
//! and in history.

mod guests;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_core::TwinIndex;
use geminus_twin::BindingIndex;
use serde_json::{Value, json};

use super::figure::rounded;
use super::fleet::{Fleet, Row};
use super::site::SiteFolder;
use super::swap::{missing, sorted, spans, spread};
use super::{Figure, Workbench, quantile};
use guests::{End, GUESTS};

const NEIGHBOURS: u32 = 999;
const WARM_UP: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(2);
/// Three rows at least: the ladder lets a twin come back a second after its fault, twice.
const HOSTILE: Duration = Duration::from_millis(3_500);
const THERMAL: BindingIndex = BindingIndex(0);

/// One plugin's time.
struct Visit {
    quiet: (Duration, Duration),
    hostile: (Duration, Duration),
}

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let folder = SiteFolder::edited(bench, NEIGHBOURS, Some("health"), site)?;
    for guest in GUESTS {
        let file = folder.path().join("plugins").join(format!("hostile-{}.wasm", guest.name));
        std::fs::write(file, &guest.package()?.bytes)?;
    }
    let fleet = Fleet::start(folder)?;
    let (visits, fed, done) = fleet.fed(NEIGHBOURS, || {
        fleet.rest(WARM_UP);
        let visits = GUESTS.iter().zip(NEIGHBOURS..).map(|(_, twin)| visit(&fleet, TwinIndex(twin)));
        Ok(visits.collect::<Vec<_>>())
    })?;
    let rows = fed.rows_done(&done, THERMAL)?;
    let meters = fleet.running.house().meters.first().context("no shard")?;
    let mut each = Vec::new();
    let mut worst: Option<(f64, f64)> = None;
    for ((guest, index), visit) in GUESTS.iter().zip(1_u32..).zip(&visits) {
        let faults = meters
            .bindings
            .get(index as usize)
            .map(|meters| meters.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone());
        let faults = faults.unwrap_or_default();
        let stepped: usize =
            done.iter().filter(|done| done.binding == BindingIndex(index)).map(|done| done.rows).sum();
        let name = guest.name;
        ensure!(stepped > 0, "hostile-{name} never had a row");
        ensure!(
            faults.is_empty() == (guest.end == End::Goes),
            "hostile-{name} did not do what it should: {faults:?}"
        );
        let (with, without) = (of(&rows, visit.hostile), of(&rows, visit.quiet));
        let figures = (quantile(&with, 0.99), quantile(&without, 0.99));
        if worst.is_none_or(|worst| figures.0 / figures.1 > worst.0 / worst.1) {
            worst = Some(figures);
        }
        each.push(told(name, &with, &without, json!(faults), stepped));
    }
    let (with, without) = worst.context("nobody was measured")?;
    let late = sorted(fed.late.iter().copied());
    let finished: u64 = done.iter().filter(|done| done.binding == THERMAL).map(|done| done.rows as u64).sum();
    let unknown = missing(&fleet, &fed, (0..NEIGHBOURS).map(TwinIndex))?;
    let lost = fed.rows().saturating_sub(finished) + unknown;
    let doubled = finished.saturating_sub(fed.rows()) + fleet.running.store().stats().points_duplicate;
    drop(fleet.stop()?);
    let detail = json!({
        "neighbours": NEIGHBOURS, "rows": fed.rows(), "rows_lost": lost, "rows_doubled": doubled, "each": each,
        "field_late_p99_ms": rounded(quantile(&late, 0.99)),
    });
    ensure!(lost == 0 && doubled == 0, "rows of neighbours were lost or doubled: {detail}");
    Ok(Figure::new(with, detail).against("the quiet before it", without))
}

fn visit(fleet: &Fleet, guest: TwinIndex) -> Visit {
    let begin = fleet.now();
    fleet.rest(QUIET);
    let start = fleet.now();
    fleet.invite(Some(guest));
    fleet.rest(HOSTILE);
    fleet.invite(None);
    Visit { quiet: (begin, start), hostile: (start, fleet.now()) }
}

fn of(rows: &[Row], span: (Duration, Duration)) -> Vec<f64> {
    spans(rows, std::iter::once(span))
}

fn told(name: &str, with: &[f64], without: &[f64], faults: Value, stepped: usize) -> Value {
    json!({
        "plugin": name, "rows": stepped, "faults": faults, "with_ms": spread(with), "without_ms": spread(without),
        "p99_ratio": rounded(quantile(with, 0.99) / quantile(without, 0.99)),
    })
}

/// The fleet's own behavior for the fleet only; a twin, a binding and a behavior for each guest.
fn site(text: String) -> String {
    let mut text = text.replace("name = \"thermal\"", "name = \"thermal\"\ntwins = \"rig-*\"");
    for name in GUESTS.map(|guest| guest.name) {
        text.push_str(&format!(
            "\n[[twin]]\nid = \"guest-{name}\"\ntype = \"dtmi:geminus:example:PumpRig;1\"\ninterval_ms = 1000\n\n\
             [[behavior]]\nname = \"{name}\"\nplugin = \"hostile-{name}\"\ntwins = \"guest-{name}\"\n\
             inputs = {{ a = \"temperature\" }}\n"
        ));
    }
    // State that grows is found when it is saved: within a visit.
    text.push_str("\n[store]\nsnapshot_s = 1\n");
    text
}
