//! `contain.neighbours`: how long rows of 999 motors take while a hostile plugin runs beside them, on the same shard,
//! for a thousandth twin that has a row a second like they have. One hostile plugin after the other, each against the
//! seconds of quiet before it; the figure is the one that is felt most.
//!
//! What is measured is what an operator would see: the first misdeed, the returns that the ladder grants, and the
//! quarantine at its end.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_core::TwinIndex;
use geminus_registry::{Package, author};
use geminus_twin::BindingIndex;
use serde_json::{Value, json};

use super::figure::rounded;
use super::fleet::{Fleet, Row};
use super::site::SiteFolder;
use super::swap::{sorted, spans, spread};
use super::{Figure, Workbench, quantile};

/// Name, and what it does in every row. The last one keeps within its budget, as much of it as there is.
const GUESTS: [(&str, &str); 6] = [
    ("loop", "(loop $on (br $on))"),
    ("trap", "unreachable"),
    (
        "memory",
        "(loop $on
           (local.set $n (memory.grow (i32.const 16)))
           (if (i32.ne (local.get $n) (i32.const -1))
             (then (memory.fill (i32.shl (local.get $n) (i32.const 16)) (i32.const 1) (i32.const 1048576))))
           (br $on))",
    ),
    ("log", "(loop $on (call $log (i32.const 2) (i32.const 16) (i32.const 1000)) (br $on))"),
    ("copy", "(loop $on (memory.copy (i32.const 0) (i32.const 1) (i32.const 25000000)) (br $on))"),
    (
        "burn",
        "(loop $on
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $on (i32.lt_u (local.get $n) (i32.const 250000))))",
    ),
];
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
    for (name, misdeed) in GUESTS {
        let file = folder.path().join("plugins").join(format!("hostile-{name}.wasm"));
        std::fs::write(file, &package(name, misdeed)?.bytes)?;
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
    for (((name, _), index), visit) in GUESTS.iter().zip(1_u32..).zip(&visits) {
        let faults = meters
            .bindings
            .get(index as usize)
            .map(|meters| meters.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone());
        let faults = faults.unwrap_or_default();
        let stepped: usize =
            done.iter().filter(|done| done.binding == BindingIndex(index)).map(|done| done.rows).sum();
        ensure!(stepped > 0, "hostile-{name} never had a row");
        ensure!(
            faults.is_empty() == (*name == "burn"),
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
    drop(fleet.stop()?);
    let detail = json!({
        "neighbours": NEIGHBOURS, "rows": fed.rows(), "rows_lost": 0, "each": each,
        "field_late_p99_ms": rounded(quantile(&late, 0.99)),
    });
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
    for (name, _) in GUESTS {
        text.push_str(&format!(
            "\n[[twin]]\nid = \"guest-{name}\"\ntype = \"dtmi:geminus:example:PumpRig;1\"\ninterval_ms = 1000\n\n\
             [[behavior]]\nname = \"{name}\"\nplugin = \"hostile-{name}\"\ntwins = \"guest-{name}\"\n\
             inputs = {{ a = \"temperature\" }}\n"
        ));
    }
    text
}

fn package(name: &str, misdeed: &str) -> anyhow::Result<Package> {
    let module = wat::parse_str(include_str!("hostile.wat").replace("{{misdeed}}", misdeed))?;
    let declaration = json!({
        "declaration": 1, "name": format!("hostile-{name}"), "version": "1.0.0", "kind": "estimator",
        "inputs": [{ "name": "a", "unit": "Cel", "arrival": "event" }], "outputs": [{ "name": "b", "unit": "1" }],
        "state": { "schema": 0, "reads": [], "writes": [] },
        "budget": { "fuel_per_row": 10_000_000, "memory_bytes": 256 << 20 },
    });
    let bytes = author::componentize_bare(&module, declaration.to_string().as_bytes(), "wat")?;
    Ok(Package::check(std::path::Path::new(name), bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hostile_plugin_is_a_package() {
        for (name, misdeed) in GUESTS {
            let package = package(name, misdeed).expect(name);
            assert_eq!(package.declaration.label(), format!("hostile-{name}@1.0.0"));
        }
    }
}
