//! Signs of life over MQTT, and the dead-man in the field that hears them: it takes its fail action while the host stands still; a broker
//! that stands still disarms the twin.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use geminus_tests::{DeadMan, Host, PATIENCE, wait_for};
use serde_json::Value;

use super::plant::{Plant, TWIN, arm, connected, signal};

/// How long the field waits for a beat: six periods.
const DEAD_MAN: Duration = Duration::from_secs(3);
/// When it must have taken its fail action.
const FAILED_MAX: Duration = Duration::from_secs(5);

/// Waits until the dead-man has heard so many beats.
fn beats(dead_man: &DeadMan, count: usize) -> anyhow::Result<()> {
    wait_for(
        &format!("{count} beats"),
        PATIENCE,
        || Ok((dead_man.watch().beats.len() >= count).then_some(())),
    )
}

fn sequence(dead_man: &DeadMan, place: usize) -> anyhow::Result<u64> {
    let payload = dead_man.watch().beats.get(place).context("a beat")?.payload.clone();
    let beat: Value = serde_json::from_slice(&payload)?;
    ensure!(beat["twin"] == TWIN && beat["target"] == "quick" && beat["every_ms"] == 500, "{beat}");
    ensure!(beat["time"].as_u64().is_some(), "{beat}");
    beat["sequence"].as_u64().context("a sequence")
}

#[test]
fn the_field_fails_safe_while_the_host_stands_still_and_hears_nothing_until_a_person_arms()
-> anyhow::Result<()> {
    let mut plant = Plant::start()?;
    let topic = format!("rig/{TWIN}/beat/quick");
    let dead_man = DeadMan::open(plant.broker.port, "dead-man", &topic, DEAD_MAN)?;
    ensure!(dead_man.watch().beats.is_empty(), "no beat of a twin that is not armed");
    arm(&plant.host)?;
    beats(&dead_man, 3)?;
    let numbers = (sequence(&dead_man, 0)?, sequence(&dead_man, 2)?);
    ensure!(numbers == (1, 3), "{numbers:?}");
    let first = dead_man.watch().beats[0].clone();
    ensure!(first.qos == 1 && !first.retained && first.expiry_s.is_some_and(|left| left <= 2), "{first:?}");
    // One order is out, and one would follow it.
    plant.propose("quick", 4.0, "Anna")?;
    plant.ear.next()?;
    let ready = plant.propose("quick", 5.0, "Anna")?;
    ensure!(ready["state"] == "checked", "{ready}");
    ensure!(dead_man.watch().failed.is_none(), "it beats");
    let (stopped, over) = (Instant::now(), Instant::now() + Duration::from_secs(10));
    signal(&plant.host, "-STOP")?;
    let failed = wait_for("the fail action in the field", PATIENCE, || Ok(dead_man.watch().failed))?;
    let took = failed.saturating_duration_since(stopped);
    ensure!(took <= FAILED_MAX, "it took {took:?}");
    let heard = dead_man.watch().beats.len();
    let last = sequence(&dead_man, heard - 1)?;
    wait_for("ten seconds of standing still", PATIENCE, || Ok((Instant::now() > over).then_some(())))?;
    signal(&plant.host, "-CONT")?;
    plant.host.entry("host-stood-still", |_| true)?;
    plant.comes_to(&ready, "refused")?;
    let quick = wait_for("the beats to be silent", PATIENCE, || {
        let heartbeat = heartbeat(&plant.host)?;
        Ok((!heartbeat["silent"].is_null()).then_some(heartbeat))
    })?;
    ensure!(quick["silent"] == "the twin is not armed" && quick["beats"] == last, "{quick}");
    // Some periods more, the line to the broker standing again.
    connected(&plant.host)?;
    let over = Instant::now() + Duration::from_secs(3);
    wait_for("six periods", PATIENCE, || Ok((Instant::now() > over).then_some(())))?;
    plant.field.publish(&topic, b"marker", 1)?;
    plant.field.flush()?;
    beats(&dead_man, heard + 1)?;
    ensure!(dead_man.watch().beats[heard].payload == b"marker", "no beat on resume");
    ensure!(plant.ear.waiting().is_empty(), "no order on resume");
    arm(&plant.host)?;
    beats(&dead_man, heard + 3)?;
    ensure!(sequence(&dead_man, heard + 1)? == last + 1, "it goes on where it ended");
    plant.host.stop()
}

/// How the heartbeat of the target stands.
fn heartbeat(host: &Host) -> anyhow::Result<Value> {
    let targets = host.get(&format!("/targets?twin={TWIN}"))?;
    let quick = targets["targets"].as_array().context("targets")?.iter().find(|one| one["name"] == "quick");
    Ok(quick.context("quick")?["heartbeat"].clone())
}

/// A broker that stands still takes what is sent and answers nothing, as one behind a pulled cable.
fn stands_still(version: &str) -> anyhow::Result<()> {
    let mut plant = Plant::over(version)?;
    let topic = format!("rig/{TWIN}/beat/quick");
    let dead_man = DeadMan::open(plant.broker.port, "dead-man", &topic, DEAD_MAN)?;
    arm(&plant.host)?;
    beats(&dead_man, 2)?;
    plant.broker.signal("-STOP")?;
    let told = plant.host.entry("heartbeat-missed", |_| true)?;
    let message = told["message"].as_str().context("a message")?;
    ensure!(message.contains("no heartbeat of quick left"), "{message}");
    let after = plant.host.get(&format!("/twins/{TWIN}/authority"))?;
    ensure!(after["effective"] == "advise" && after["armed"].is_null(), "{after}");
    wait_for("the connection to be given up", PATIENCE, || {
        Ok((plant.host.get("/targets")?["targets"][0]["egress"]["up"] == false).then_some(()))
    })?;
    let heard = dead_man.watch().beats.len();
    plant.broker.signal("-CONT")?;
    connected(&plant.host)?;
    // What the broker had in its hands comes before what is published now.
    plant.field.publish(&topic, b"marker", 1)?;
    plant.field.flush()?;
    let marker = wait_for("the marker", PATIENCE, || {
        Ok(dead_man.watch().beats.iter().position(|beat| beat.payload == b"marker"))
    })?;
    ensure!(marker <= heard + 1, "{} late beats: one is under way at most", marker - heard);
    let last = sequence(&dead_man, marker - 1)?;
    ensure!(heartbeat(&plant.host)?["silent"] == "the twin is not armed", "{}", heartbeat(&plant.host)?);
    arm(&plant.host)?;
    beats(&dead_man, marker + 3)?;
    let next = sequence(&dead_man, marker + 1)?;
    ensure!((last..=last + 2).contains(&next), "{last}, then {next}: it goes on where it ended");
    ensure!(plant.ear.waiting().is_empty(), "and nothing was ordered");
    plant.host.stop()
}

#[test]
fn a_broker_that_stands_still_disarms_the_twin_and_finds_one_late_beat_at_most_with_mqtt_5()
-> anyhow::Result<()> {
    stands_still("5")
}

#[test]
fn a_broker_that_stands_still_disarms_the_twin_and_finds_one_late_beat_at_most_with_mqtt_3_1_1()
-> anyhow::Result<()> {
    stands_still("3.1.1")
}
