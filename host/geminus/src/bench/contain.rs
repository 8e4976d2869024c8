//! `contain.neighbours`: how long rows of 999 motors take while a hostile plugin runs beside them, on the same shard,
//! for a thousandth twin that has a row a second like they have. One hostile plugin after the other, in several rounds,
//! each round with a twin that nobody knows anything of yet; against the quiet between them. The figure is the one that
//! is felt most.
//!
//! Two seconds of quiet differ among themselves by more than what is to be found, so the rows of all rounds are put
//! together, and so is all the quiet of the run; `detail.quiet_rounds` has the quiet of each round for comparison.
//!
//! What is measured is what an operator would see: the first misdeed, the returns that the ladder grants, and the
//! quarantine at its end. No row of the neighbours may be lost or doubled: that is counted at the lanes, in the shard
//! and in history.

mod guests;

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_core::TwinIndex;
use geminus_twin::BindingIndex;
use serde_json::{Value, json};

use super::figure::rounded;
use super::fleet::Fleet;
use super::site::SiteFolder;
use super::swap::{missing, sorted, spans, spread};
use super::{Figure, Workbench, quantile};
use crate::runtime::tap::Done;
use guests::{End, GUESTS};

const NEIGHBOURS: u32 = 999;
const WARM_UP: Duration = Duration::from_secs(2);
/// How often each plugin comes.
const ROUNDS: u32 = 5;
const QUIET: Duration = Duration::from_secs(1);
/// Three rows at least: the ladder lets a twin come back a second after its fault, twice.
const HOSTILE: Duration = Duration::from_millis(3_500);
const THERMAL: BindingIndex = BindingIndex(0);

/// One plugin's time in one round.
struct Visit {
    guest: usize,
    round: u32,
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
        let turns = (0..ROUNDS).flat_map(|round| (0..GUESTS.len()).map(move |guest| (guest, round)));
        Ok(turns.map(|turn| visit(&fleet, turn)).collect::<Vec<_>>())
    })?;
    let rows = fed.rows_done(&done, THERMAL)?;
    let meters = fleet.running.house().meters.first().context("no shard")?;
    let mut each = Vec::new();
    let quiet_of = |some: &dyn Fn(&Visit) -> bool| {
        spans(&rows, visits.iter().filter(|visit| some(visit)).map(|visit| visit.quiet))
    };
    let quiet = quiet_of(&|_| true);
    let quiet_rounds: Vec<Value> =
        (0..ROUNDS).map(|round| spread(&quiet_of(&|visit| visit.round == round))).collect();
    let mut worst: Option<f64> = None;
    for (place, guest) in GUESTS.iter().enumerate() {
        let bindings = (0..ROUNDS).map(|round| 1 + turn(place, round));
        let mut faults = BTreeMap::<&str, u64>::new();
        for meters in bindings.clone().filter_map(|index| meters.bindings.get(index as usize)) {
            for (kind, count) in &*meters.faults.lock().unwrap_or_else(PoisonError::into_inner) {
                *faults.entry(*kind).or_default() += count;
            }
        }
        let is_its = |done: &&Done| bindings.clone().any(|index| done.binding == BindingIndex(index));
        let stepped: usize = done.iter().filter(is_its).map(|done| done.rows).sum();
        let name = guest.name;
        ensure!(stepped > 0, "hostile-{name} never had a row");
        ensure!(
            faults.is_empty() == (guest.end == End::Goes),
            "hostile-{name} did not do what it should: {faults:?}"
        );
        let with =
            spans(&rows, visits.iter().filter(|visit| visit.guest == place).map(|visit| visit.hostile));
        let p99 = quantile(&with, 0.99);
        worst = Some(worst.map_or(p99, |worst| worst.max(p99)));
        each.push(told(name, &with, &quiet, json!(faults), stepped));
    }
    let worst = worst.context("nobody was measured")?;
    let late = sorted(fed.late.iter().copied());
    let finished: u64 = done.iter().filter(|done| done.binding == THERMAL).map(|done| done.rows as u64).sum();
    let unknown = missing(&fleet, &fed, (0..NEIGHBOURS).map(TwinIndex))?;
    let lost = fed.rows().saturating_sub(finished) + unknown;
    let doubled = finished.saturating_sub(fed.rows()) + fleet.running.store().stats().points_duplicate;
    drop(fleet.stop()?);
    let detail = json!({
        "neighbours": NEIGHBOURS, "rows": fed.rows(), "rows_lost": lost, "rows_doubled": doubled, "each": each,
        "rounds": ROUNDS, "quiet_ms": spread(&quiet), "quiet_rows": quiet.len(), "quiet_rounds": quiet_rounds,
        "field_late_p99_ms": rounded(quantile(&late, 0.99)),
    });
    ensure!(lost == 0 && doubled == 0, "rows of neighbours were lost or doubled: {detail}");
    Ok(Figure::new(worst, detail).against("the quiet between them", quantile(&quiet, 0.99)))
}

/// Which of the guests' twins and bindings this one is.
fn turn(guest: usize, round: u32) -> u32 {
    guest as u32 * ROUNDS + round
}

fn visit(fleet: &Fleet, (guest, round): (usize, u32)) -> Visit {
    let twin = TwinIndex(NEIGHBOURS + turn(guest, round));
    let begin = fleet.now();
    fleet.rest(QUIET);
    let start = fleet.now();
    fleet.invite(Some(twin));
    fleet.rest(HOSTILE);
    fleet.invite(None);
    Visit { guest, round, quiet: (begin, start), hostile: (start, fleet.now()) }
}

fn told(name: &str, with: &[f64], without: &[f64], faults: Value, stepped: usize) -> Value {
    json!({
        "plugin": name, "rows": stepped, "faults": faults, "neighbour_rows": with.len(), "with_ms": spread(with),
        "p99_ratio": rounded(quantile(with, 0.99) / quantile(without, 0.99)),
    })
}

/// The fleet's own behavior for the fleet only; for each round a twin and a binding for each guest, since a guest of a
/// few lines keeps the state of one twin only.
fn site(text: String) -> String {
    let mut text = text.replace("name = \"thermal\"", "name = \"thermal\"\ntwins = \"rig-*\"");
    let turns = GUESTS.iter().flat_map(|guest| (0..ROUNDS).map(|round| (guest.name, round)));
    for (turn, (guest, round)) in turns.enumerate() {
        text.push_str(&format!(
            "\n[[twin]]\nid = \"guest-{turn}\"\ntype = \"dtmi:geminus:example:PumpRig;1\"\ninterval_ms = 1000\n\n\
             [[behavior]]\nname = \"{guest}-{round}\"\nplugin = \"hostile-{guest}\"\ntwins = \"guest-{turn}\"\n\
             inputs = {{ a = \"temperature\" }}\n"
        ));
    }
    // State that grows is found when it is saved: within a visit.
    text.push_str("\n[store]\nsnapshot_s = 1\n");
    text
}
