//! Every sample that the broker acknowledged is in history, once, whatever happens to the host meanwhile.

use std::time::Duration;

use geminus_tests::{Broker, Host, Publisher, SiteFolder, free_port, wait_for};

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

/// Publishes samples `from..to`, with the round's number as the value.
fn publish(field: &mut Publisher, from: u64, to: u64) -> anyhow::Result<()> {
    for number in from..to {
        let (round, point) = (number / 8, POINTS[usize::try_from(number % 8)?]);
        let payload = format!(r#"{{"value":{round},"time":{},"quality":"good"}}"#, START_MS + round);
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

fn scenario(version: &str, samples: u64) -> anyhow::Result<()> {
    // Room for everything while the host is away: bounded by the test's own size.
    let broker = Broker::start(usize::try_from(samples)? + 1_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace("version = \"5\"", &format!("version = \"{version}\""))
            .replace("qos = 0", "qos = 1")
    })?;
    let port = free_port()?;
    let host = Host::start_on(&site.site(), port)?;
    let mut field = Publisher::connect(broker.port, "field")?;
    let host = std::thread::scope(|scope| -> anyhow::Result<Host> {
        // Published at full speed without a pause, so the host dies in the middle of the stream.
        let feeder = scope.spawn(|| publish(&mut field, 0, samples));
        wait_for("a part of the samples", Duration::from_secs(120), || {
            Ok((taken(&host)? > samples / 5).then_some(()))
        })?;
        host.kill()?;
        let host = Host::start_on(&site.site(), port)?;
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
                _ => stored(&host, point, rounds).map(|all| (all.len() as u64 >= rounds).then_some(all)),
            }
        })?;
        assert_eq!(found.len() as u64, rounds, "{point}: none lost, none doubled");
        let factor = if point == "flow" { 60.0 } else { 1.0 };
        for (expect, (time, value)) in (0..rounds).zip(found) {
            assert_eq!((time, (value * factor).round()), (expect, expect as f64), "{point}");
        }
    }
    host.stop()
}

#[test]
fn a_million_qos_1_samples_survive_kill_9_with_mqtt_5() {
    scenario("5", SAMPLES).expect("scenario");
}

#[test]
fn a_hundred_thousand_qos_1_samples_survive_kill_9_with_mqtt_3_1_1() {
    scenario("3.1.1", SAMPLES / 10).expect("scenario");
}
