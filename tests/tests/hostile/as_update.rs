//! Each item arrives as the next version of a good incumbent: its rollout fails with words, the incumbent goes on
//! with its state unchanged, and not one row lacks its answer.

use std::time::Duration;

use geminus_tests::{Guest, answered, drop_bytes, tally, wait_for};

use serde_json::Value;

use crate::corpus::roomy;
use crate::house::House;
use crate::lies;
use crate::updates::{self, Update};

const TWINS: [&str; 3] = ["suspect-1", "suspect-2", "suspect-3"];
/// A short trial: what shows at all shows in the first rows.
const TRIAL: &str =
    "rollout = { compile_seconds_max = 3, raise_seconds_max = 30, probation = { rows = 20, seconds = 2 } }";
/// A trial in the shadow, of which nobody sees an answer.
const SHADOW: &str = "rollout = { shadow = { rows = 20, seconds = 2 }, probation = { rows = 20, seconds = 2 }, \
    acceptance = { difference = { \"*\" = { absolute = 0.0 } } } }";

/// A trial that outlasts some saves of its state.
const SAVED: &str =
    "rollout = { compile_seconds_max = 3, raise_seconds_max = 30, probation = { rows = 60, seconds = 8 } }";

/// A house with version 1.0.0 of `suspect`, which behaves.
fn house(trial: &str) -> anyhow::Result<(House, Guest)> {
    let good = Guest::hostile("suspect", "1.0.0")?.declares(roomy);
    let house = House::start(
        &TWINS.map(str::to_owned),
        |cells| cells.lines("[store]\nsnapshot_s = 1").behavior("suspect", "suspect", "suspect-*", trial),
        &[&good],
    )?;
    Ok((house, good))
}

/// Lets each arrive, and waits until the house has said no.
fn refuse_all(house: &House, updates: Vec<Update>) -> anyhow::Result<()> {
    for update in updates {
        drop_bytes(&house.site.path("plugins"), "suspect", &update.bytes)?;
        let entry =
            house.told(&update.label, None, update.rule).map_err(|error| error.context(update.name))?;
        if let Some(twin) = update.twin {
            assert!(names(house, &entry, twin)?, "{}: {twin} is not named in {entry}", update.name);
        }
        wait_for(&format!("1.0.0 to answer alone after {}", update.name), Duration::from_secs(20), || {
            for twin in TWINS {
                let suspect = house.host.behavior(twin, "suspect")?;
                anyhow::ensure!(
                    suspect["version"] == "1.0.0"
                        && suspect["state"] == "running"
                        && suspect["trial"].is_null(),
                    "{suspect}"
                );
            }
            Ok(Some(()))
        })?;
        house.host.lives().map_err(|error| error.context(update.name))?;
        house.pulse.wait(2)?;
    }
    Ok(())
}

/// Whether the twin stands in the message, or in the evidence of the rollout that it is about.
fn names(house: &House, entry: &Value, twin: &str) -> anyhow::Result<bool> {
    if entry["message"].as_str().is_some_and(|text| text.contains(twin)) {
        return Ok(true);
    }
    let rollout = house.host.get(&format!("/rollouts/{}", entry["facts"]["rollout"]))?;
    let faults = rollout["evidence"]["faults"].as_array().cloned().unwrap_or_default();
    Ok(faults.iter().any(|fault| fault["twin"] == twin))
}

/// Every row of every twin was answered, as if nothing had ever arrived.
fn nothing_happened(house: House) -> anyhow::Result<()> {
    let (closed, sent) = house.innocent_lost_nothing()?;
    for twin in TWINS {
        answered(&closed.host, twin, "suspect", &tally(&sent[twin]))?;
    }
    closed.host.stop()
}

#[test]
fn what_goes_wrong_before_the_first_row_leaves_the_incumbent() -> anyhow::Result<()> {
    let (house, good) = house(TRIAL)?;
    refuse_all(&house, updates::before_rows(&good)?)?;
    nothing_happened(house)
}

#[test]
fn what_goes_wrong_in_a_row_goes_back_to_the_incumbent() -> anyhow::Result<()> {
    let (house, good) = house(TRIAL)?;
    refuse_all(&house, updates::in_rows(&good)?)?;
    nothing_happened(house)
}

#[test]
fn a_state_that_only_grows_goes_back_to_the_incumbent() -> anyhow::Result<()> {
    let (house, good) = house(SAVED)?;
    refuse_all(&house, updates::hoards(&good)?)?;
    nothing_happened(house)
}

#[test]
fn wrong_answers_are_found_in_the_shadow() -> anyhow::Result<()> {
    let (house, good) = house(SHADOW)?;
    refuse_all(&house, updates::wrong_answers(&good)?)?;
    nothing_happened(house)
}

#[test]
fn what_is_not_what_it_says_is_not_taken() -> anyhow::Result<()> {
    let (house, good) = house(TRIAL)?;
    refuse_all(&house, lies::lies(&good)?)?;
    nothing_happened(house)
}
