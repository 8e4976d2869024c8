//! Every sample that the broker acknowledged is in history, once, and so is what was estimated from it, whatever happens
//! to the host meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use geminus_tests::{Broker, Host, PATIENCE, Publisher, Rounds, SiteFolder, free_port, wait_for, whole};

/// Samples of the full test.
const SAMPLES: u64 = 1_000_000;
/// Points that they go to in turn.
const POINTS: [&str; 8] = [
    "accelerometer_1",
    "accelerometer_2",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "flow",
];
/// Source time of the first sample; each round over the points is a millisecond later.
const START_MS: u64 = 1_750_000_000_000;

/// The field calls some points differently, and sends the flow in litres per minute, which is kept per second.
fn topic(point: &str) -> String {
    let field = match point {
        "accelerometer_1" => "accelerometer1-rms",
        "accelerometer_2" => "accelerometer2-rms",
        "flow" => "volume-flow-rate-rms",
        same => same,
    };
    format!("rig/pump-rig-1/{field}")
}

/// What every point has in a round: plausible for each of them, so that each row has an estimate.
fn value(round: u64) -> f64 {
    20.0 + (round % 1_000) as f64 / 1_000.0
}

/// Publishes samples `from..to`.
fn publish(field: &mut Publisher, from: u64, to: u64) -> anyhow::Result<()> {
    for number in from..to {
        let (round, point) = (number / 8, POINTS[usize::try_from(number % 8)?]);
        let (value, time) = (value(round), START_MS + round);
        let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
        field.publish(&topic(point), payload.as_bytes(), 1)?;
    }
    Ok(())
}

/// How many points of the twin's history there are in [from, to) ms, all counted through the API.
fn stored(host: &Host, point: &str, rounds: u64) -> anyhow::Result<Vec<(u64, f64)>> {
    let mut found = Vec::new();
    // 10,000 raw points at most in an answer, so ask in pieces of 5,000 ms.
    for piece in (0..rounds).step_by(5_000) {
        let (from, to) = (START_MS + piece, START_MS + (piece + 5_000).min(rounds));
        let answer =
            host.get(&format!("/twins/pump-rig-1/history?points={point}&from={from}&to={to}&buckets=10000"))?;
        let series = &answer["series"][0];
        anyhow::ensure!(series["decimated"] == false, "asked for raw points, got {series}");
        let times = series["times_ms"].as_array().cloned().unwrap_or_default();
        let values = series["values"].as_array().cloned().unwrap_or_default();
        for (time, value) in times.iter().zip(&values) {
            let time = time.as_f64().unwrap_or_default().round() as u64;
            found.push((time - START_MS, value.as_f64().unwrap_or(f64::NAN)));
        }
    }
    Ok(found)
}

fn taken(host: &Host) -> anyhow::Result<u64> {
    Ok(host.get("/site")?["inputs"]["samples"].as_u64().unwrap_or_default())
}

/// Estimates of a host that takes `samples`, and is killed in between where `kill` says so.
fn scenario(version: &str, samples: u64, kill: bool) -> anyhow::Result<Vec<(u64, f64)>> {
    // Room for everything while the host is away: bounded by the test's own size.
    let broker = Broker::start(usize::try_from(samples)? + 1_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace("version = \"5\"", &format!("version = \"{version}\""))
            .replace("qos = 0", "qos = 1")
    })?;
    let port = free_port()?;
    let host = Host::start_on(&site.site(), port)?;
    // What is published before the first subscription stands passes the host by.
    host.entry("source-connected", |_| true)?;
    let mut field = Publisher::connect(broker.port, "field")?;
    let host = std::thread::scope(|scope| -> anyhow::Result<Host> {
        // Published at full speed without a pause, so the host dies in the middle of the stream.
        let feeder = scope.spawn(|| publish(&mut field, 0, samples));
        wait_for("a part of the samples", Duration::from_secs(120), || {
            Ok((taken(&host)? > samples / 5).then_some(()))
        })?;
        let host = match kill {
            true => {
                host.kill()?;
                Host::start_on(&site.site(), port)?
            }
            false => host,
        };
        feeder.join().map_err(|_| anyhow::anyhow!("the feeder panicked"))??;
        Ok(host)
    })?;
    assert_eq!(field.flush()?, samples, "the broker acknowledged all");

    let rounds = samples / 8;
    for point in POINTS {
        let found = wait_for(&format!("history of {point}"), Duration::from_secs(180), || {
            let answer = host.get(&format!(
                "/twins/pump-rig-1/history?points={point}&from={}&to={}&buckets=1",
                START_MS + rounds - 1,
                START_MS + rounds
            ))?;
            let last = answer["series"][0]["times_ms"].as_array().map_or(0, Vec::len);
            match last {
                0 => Ok(None),
                _ => {
                    let all = stored(&host, point, rounds)?;
                    let is_there: BTreeSet<u64> = all.iter().map(|(round, _)| *round).collect();
                    let missing: Vec<u64> = (0..rounds).filter(|round| !is_there.contains(round)).collect();
                    let (some, many) = (&missing[..missing.len().min(8)], missing.len());
                    anyhow::ensure!(missing.is_empty(), "{many} of {rounds} are missing, of them {some:?}");
                    Ok(Some(all))
                }
            }
        })?;
        assert_eq!(found.len() as u64, rounds, "{point}: none lost, none doubled");
        let factor = if point == "flow" { 60.0 } else { 1.0 };
        for (expect, (time, found)) in (0..rounds).zip(found) {
            assert_eq!(time, expect, "{point}");
            assert!((found * factor - value(expect)).abs() < 1e-6, "{point} of {expect}: {found}");
        }
    }
    let estimates = wait_for("estimates of all rounds", Duration::from_secs(180), || {
        let found = stored(&host, "thermal.winding_temperature", rounds)?;
        anyhow::ensure!(found.len() as u64 >= rounds, "{} of {rounds} are there", found.len());
        Ok(Some(found))
    })?;
    let times = estimates.iter().map(|(time, _)| *time);
    assert!(times.eq(0..rounds), "estimates: none lost, none doubled, {} of {rounds}", estimates.len());
    host.stop()?;
    Ok(estimates)
}

/// Commits are slow and states are saved often, so that a state which did not wait for history would be ahead of it
/// whenever the host is killed.
#[test]
fn no_estimate_is_lost_to_a_state_that_was_saved_before_its_rows() {
    let kill = || -> anyhow::Result<()> {
        let broker = Broker::start(100_000)?;
        let site = SiteFolder::from_example("pump-rig", |text| {
            text.replace("mqtt://127.0.0.1:1883", &broker.url())
                + "\n[store]\ngroup_commit_ms = 4000\nsnapshot_s = 1\n"
        })?;
        let port = free_port()?;
        let host = Host::start_on(&site.site(), port)?;
        host.entry("source-connected", |_| true)?;
        let field = Rounds::start(broker.port, &["pump-rig-1"])?;
        let rows = |host: &Host| -> anyhow::Result<u64> {
            Ok(host.behavior("pump-rig-1", "thermal")?["rows"].as_u64().unwrap_or_default())
        };
        // At 20 rounds a second: after two commits, and in the middle of what the third would hold.
        wait_for("rows of eleven seconds", PATIENCE, || Ok((rows(&host)? > 220).then_some(())))?;
        host.kill()?;
        let host = Host::start_on(&site.site(), port)?;
        let before = field.done();
        wait_for("rows after the start", PATIENCE, || Ok((rows(&host)? > before).then_some(())))?;
        whole(&host, "pump-rig-1", field.stop()?)?;
        host.stop()
    };
    kill().expect("scenario");
}

#[test]
fn a_million_qos_1_samples_survive_kill_9_with_mqtt_5() {
    scenario("5", SAMPLES, true).expect("scenario");
}

#[test]
fn a_hundred_thousand_qos_1_samples_survive_kill_9_with_mqtt_3_1_1() {
    let killed = scenario("3.1.1", SAMPLES / 10, true).expect("scenario");
    let whole = scenario("3.1.1", SAMPLES / 10, false).expect("scenario");
    // A row whose samples came partly before the kill and partly after it is made of all of them, too.
    let differ = killed.iter().zip(&whole).filter(|((_, one), (_, other))| one.to_bits() != other.to_bits());
    assert_eq!(differ.take(4).collect::<Vec<_>>(), [], "estimates of a host that was not killed");
}
