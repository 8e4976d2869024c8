//! An author rebuilds a plugin while its twins run: the new version takes over between two rows, with the state. It is
//! what runs after a restart once it is permanent; before that a restart takes the version that ran before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use geminus_tests::{Broker, Host, PATIENCE, Publisher, SiteFolder, rebuild, rebuild_file, wait_for};
use serde_json::Value;

const TWINS: u64 = 20;
/// 20 twins × 8 points, 32 rounds a second: 5,120 samples/s.
const ROUNDS_PER_SECOND: u64 = 32;
const START_MS: u64 = 1_750_000_000_000;

fn twin(number: u64) -> String {
    format!("pump-rig-{number:02}")
}

/// One round: all eight sensors of all twins at one source time, a second after the round before.
fn publish_round(field: &mut Publisher, round: u64) -> anyhow::Result<()> {
    let time = START_MS + round * 1_000;
    let wave = (round as f64 / 40.0).sin();
    let values = [
        ("accelerometer1-rms", 0.2),
        ("accelerometer2-rms", 0.27),
        ("current", 2.0 + 0.2 * wave),
        ("pressure", 0.2),
        ("temperature", 80.0 + 2.0 * wave),
        ("thermocouple", 26.0),
        ("voltage", 230.0),
        ("volume-flow-rate-rms", 120.0),
    ];
    for number in 1..=TWINS {
        for (point, value) in values {
            let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("rig/{}/{point}", twin(number)), payload.as_bytes(), 1)?;
        }
    }
    field.flush().map(drop)
}

fn thermal(host: &Host, twin: &str) -> anyhow::Result<Value> {
    host.behavior(twin, "thermal")
}

/// Publishes in real time on a thread of its own until told to stop; gives the number of rounds.
fn feed(port: u16, stop: &AtomicBool) -> anyhow::Result<u64> {
    let mut field = Publisher::connect(port, "field")?;
    let start = Instant::now();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        publish_round(&mut field, round)?;
        round += 1;
        let due = start + Duration::from_millis(round * 1_000 / ROUNDS_PER_SECOND);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(round)
}

/// Feeds all twins while `scenario` runs; gives the number of rounds.
fn fed(port: u16, scenario: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<u64> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(|| feed(port, &stop));
        let went = scenario();
        stop.store(true, Ordering::Relaxed);
        let rounds = feeder.join().map_err(|_| anyhow::anyhow!("the feeder panicked"))??;
        went.map(|()| rounds)
    })
}

fn rows(host: &Host) -> anyhow::Result<Option<u64>> {
    Ok(thermal(host, &twin(1))?["rows"].as_u64())
}

/// Waits until every twin is answered by this version, and for a hundred rows of it.
fn taken_over(host: &Host, version: &str) -> anyhow::Result<()> {
    wait_for(&format!("{version} in every twin"), PATIENCE, || {
        for number in 1..=TWINS {
            if thermal(host, &twin(number))?["version"] != version {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    let at = rows(host)?.unwrap_or_default();
    wait_for(&format!("rows of {version}"), PATIENCE, || Ok((rows(host)? > Some(at + 100)).then_some(())))
}

/// One estimate for each round in each twin, none lost, none doubled, and none that jumps.
fn whole(host: &Host, rounds: u64) -> anyhow::Result<()> {
    for number in 1..=TWINS {
        let twin = twin(number);
        // The last round may wait for its row to close.
        wait_for("the last row", PATIENCE, || {
            Ok((thermal(host, &twin)?["rows"].as_u64() == Some(rounds)).then_some(()))
        })?;
        let range = (START_MS, START_MS + rounds * 1_000);
        let found = wait_for("history", PATIENCE, || {
            let found = host.stored(&twin, "thermal.winding_temperature", range, 1_000)?;
            Ok((found.len() as u64 >= rounds).then_some(found))
        })?;
        let times = found.iter().map(|(time, _)| *time);
        let expected = (0..rounds).map(|round| (START_MS + round * 1_000) as f64);
        assert!(times.eq(expected), "{twin}: one estimate per round, none lost, none doubled");
        let values: Vec<f64> =
            found.iter().map(|(_, value)| value.expect("an estimate in every row")).collect();
        // A filter that starts anew would jump back to its first guess; the field itself moves by less than 0.1 K.
        let jump = values.windows(2).skip(60).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
        assert!(jump < 0.5, "{twin}: the estimate jumped by {jump} K");
    }
    Ok(())
}

/// Twenty rigs; `thermal` has these stages.
fn site(broker: &Broker, stages: &str) -> anyhow::Result<SiteFolder> {
    SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace("\"pump-rig-1\"", "\"pump-rig-{01..20}\"")
            .replace("name = \"thermal\"", &format!("name = \"thermal\"\nrollout = {stages}"))
    })
}

#[test]
fn a_rebuilt_plugin_takes_over_without_losing_a_row_or_its_state() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker, "{ probation = { rows = 20, seconds = 1 } }")?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let rounds = fed(broker.port, || {
        wait_for("rows", PATIENCE, || Ok((rows(&host)? > Some(100)).then_some(())))?;
        assert_eq!(thermal(&host, &twin(1))?["version"], "0.1.0");
        rebuild("motor-thermal", "0.1.1", &site.path("plugins"), |text| text)?;
        taken_over(&host, "0.1.1")?;
        let done = host.entry("swap-done", |entry| entry["plugin"] == "motor-thermal@0.1.1")?;
        assert_eq!(
            (&done["facts"]["twins"], &done["facts"]["from"]),
            (&TWINS.into(), &"0.1.0".into()),
            "{done}"
        );
        Ok(())
    })?;
    whole(&host, rounds)?;
    let answer = host.get(&format!("/twins/{}/history?points=temperature&from={START_MS}", twin(1)))?;
    assert_eq!(answer["marks"][0]["kind"], "swap", "{}", answer["marks"]);

    // A broken one leaves the incumbent running and says why.
    std::fs::write(site.path("plugins/.part"), b"\0asm broken")?;
    std::fs::rename(site.path("plugins/.part"), site.path("plugins/motor-thermal.wasm"))?;
    host.entry("plugin-refused", |_| true)?;
    assert_eq!(thermal(&host, &twin(1))?["version"], "0.1.1");
    host.stop()?;

    // The broken file still lies there: the next start takes what ran last, and goes on with its state.
    let host = Host::start(&site.site())?;
    let again = thermal(&host, &twin(1))?;
    assert_eq!((again["version"].as_str(), again["rows"].as_u64()), (Some("0.1.1"), Some(rounds)));
    host.entry("plugin-revived", |_| true)?;
    host.stop()
}

#[test]
fn a_restart_in_probation_runs_the_version_before_and_its_rows_go_on() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker, "{ probation = { seconds = 600 } }")?;
    let first = Host::start(&site.site())?;
    first.entry("source-connected", |_| true)?;
    let mut second = None;
    let rounds = fed(broker.port, || {
        wait_for("rows", PATIENCE, || Ok((rows(&first)? > Some(100)).then_some(())))?;
        rebuild("motor-thermal", "0.1.1", &site.path("plugins"), |text| text)?;
        taken_over(&first, "0.1.1")?;
        let phase = first.get("/rollouts/1")?["phase"].take();
        assert_eq!(phase, "probation");
        first.stop()?;
        let host = second.insert(Host::start(&site.site())?);
        let ended = host.get("/rollouts/1")?;
        assert_eq!((&ended["phase"], ended["ended"].is_null()), (&"rolled-back".into(), false), "{ended}");
        // The file with the new version still lies there, and nothing spoke against it: it gets its second trial.
        let entry = host.entry("rollout-phase", |entry| {
            entry["facts"]["rollout"] == 2 && entry["facts"]["from"] == "0.1.0"
        })?;
        assert_eq!(entry["facts"]["to"], "0.1.1", "{entry}");
        taken_over(host, "0.1.1")
    })?;
    let host = second.expect("the second run");
    whole(&host, rounds)?;
    host.stop()
}

/// Rounds of one whole wave of the field, over which its own movement is nothing on average.
const WAVE: u64 = 251;

/// Mean winding temperature of the first twin over the wave that ends with this round.
fn mean_winding(host: &Host, end: u64) -> anyhow::Result<f64> {
    let range = (START_MS + (end - WAVE) * 1_000, START_MS + end * 1_000);
    let found = host.stored(&twin(1), "thermal.winding_temperature", range, 1_000)?;
    let values: Vec<f64> = found.iter().filter_map(|(_, value)| *value).collect();
    anyhow::ensure!(values.len() as u64 == WAVE, "{} of {WAVE} estimates", values.len());
    Ok(values.iter().sum::<f64>() / WAVE as f64)
}

#[test]
fn an_edited_default_under_the_same_version_number_takes_over_and_the_estimate_climbs() -> anyhow::Result<()>
{
    let broker = Broker::start(100_000)?;
    let site = site(&broker, "{ probation = { rows = 20, seconds = 1 } }")?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let mut swapped_at = 0;
    let rounds = fed(broker.port, || {
        // The first wave is the filter's own beginning.
        wait_for("two waves", PATIENCE, || Ok((rows(&host)? > Some(3 * WAVE)).then_some(())))?;
        let before = thermal(&host, &twin(1))?;
        // The walk of the README: twice the heat in the winding, the version left as it is.
        rebuild_file("motor-thermal", "0.1.0", "src/parameters.rs", &site.path("plugins"), |text| {
            let (was, is) = ("default = 10.0, min = 0.0, max = 1e7)]\n    pub copper_loss", "default = 20.0");
            assert_eq!(text.matches(was).count(), 1, "copper_loss is declared otherwise");
            text.replace(was, &was.replace("default = 10.0", is))
        })?;
        host.entry("swap-done", |entry| entry["plugin"] == "motor-thermal@0.1.0")?;
        let after = thermal(&host, &twin(1))?;
        assert_eq!((&before["version"], &after["version"]), (&"0.1.0".into(), &"0.1.0".into()));
        assert_ne!(before["digest"], after["digest"], "{after}");
        swapped_at = rows(&host)?.unwrap_or_default();
        wait_for("three waves more", PATIENCE, || {
            Ok((rows(&host)? > Some(swapped_at + 3 * WAVE)).then_some(()))
        })
    })?;
    whole(&host, rounds)?;
    let answer = host.get(&format!("/twins/{}/history?points=temperature&from={START_MS}", twin(1)))?;
    let mark = &answer["marks"][0];
    assert_eq!(mark["kind"], "swap", "{}", answer["marks"]);
    // The new one answered some rows before `swap-done`, so the wave before is taken from before it was built.
    let (cold, warm) = (mean_winding(&host, 3 * WAVE)?, mean_winding(&host, swapped_at + 3 * WAVE)?);
    println!("winding {cold:.2} before, {warm:.2} after");
    assert!(warm > cold + 1.0, "twice the heat: {cold} before, {warm} after");
    host.stop()
}
