//! Plugins that are broken in every way a file or its code can be: the incumbent goes on or comes back, other twins do
//! not notice, and the journal and the list of plugins say what happened. `forecast` is missing here because the host calls
//! it in forks only; in-process tests of the behavior room hold that export.

use std::fs;
use std::path::{Path, PathBuf};

use geminus_tests::{
    Broker, Host, PATIENCE, Publisher, Rounds, START_MS, SiteFolder, publish_round, rebuild, repository,
    wait_for, whole,
};
use serde_json::Value;

const START_OF_OPEN: &str = "fn open(parameters: MotorParameters, _: &Opening<'_>) -> Result<Self, Fault> {";
const START_OF_STEP: &str =
    "fn step(&self, memory: &mut Memory, row: &mut Row<Measured, Alarm>) -> Estimated {";

const BELIEF: &str = "#[derive(Clone, Copy, Debug, PartialEq, Pack)]\n";
/// What the derived `Pack` needs and a hand-written one must not have.
const PLAIN: [(&str, &str); 2] =
    [("    #[state(via = [f64; 4])]\n", ""), ("    #[state(via = [[f64; 4]; 4])]\n", "")];

/// What stands in the plugin, and what stands in its place.
type Edit<'a> = (&'a str, &'a str);

fn site(broker: &Broker, twins: usize, edit: impl Fn(String) -> String) -> anyhow::Result<SiteFolder> {
    SiteFolder::from_example("pump-rig", |text| {
        let text = text.replace("mqtt://127.0.0.1:1883", &broker.url());
        edit(text.replace("\"pump-rig-1\"", &format!("\"pump-rig-{{1..{twins}}}\"")))
    })
}

/// A site that holds a twin apart for good at its first strike, and in which a new version is permanent soon, also when
/// there is nothing to compare it with.
fn at_the_first_strike(text: &str) -> String {
    let trial = "name = \"thermal\"\nrollout = { probation = { rows = 5, seconds = 1, seconds_max = 15 } }";
    let limits = "[containment]\nrestarts_max = 0\nrestarts_older_max = 0\nprevious_version = false";
    format!("{}\n{limits}\n", text.replace("name = \"thermal\"", trial))
}

/// A host that listens to its broker, so that no round is sent to nobody.
fn connected(site: &SiteFolder) -> anyhow::Result<Host> {
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    Ok(host)
}

/// As an author's tool does it: written beside, then renamed over what was there.
fn drop_in(site: &SiteFolder, bytes: &[u8]) -> anyhow::Result<()> {
    let (part, file) = (site.path("plugins/.part"), site.path("plugins/motor-thermal.wasm"));
    fs::write(&part, bytes)?;
    Ok(fs::rename(part, file)?)
}

/// The same bytes with every `from` replaced, which must be there and as long as `to`.
fn patched(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let (mut patched, mut found) = (bytes.to_vec(), 0);
    for place in 0..bytes.len() {
        if bytes[place..].starts_with(from.as_bytes()) {
            patched[place..place + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{from} is not there");
    patched
}

fn variant(version: &str, folder: &Path, edits: &[Edit<'_>]) -> anyhow::Result<PathBuf> {
    rebuild("motor-thermal", version, folder, |mut text| {
        for (from, to) in edits {
            assert!(text.contains(from), "motor-thermal does not say {from:?} any more");
            text = text.replace(from, to);
        }
        text
    })
}

/// Waits until `rows` more rows of this twin were stepped by this version.
fn goes_on(host: &Host, twin: &str, version: &str) -> anyhow::Result<()> {
    let rows = || -> anyhow::Result<u64> {
        let thermal = host.behavior(twin, "thermal")?;
        anyhow::ensure!(thermal["version"] == version, "{} runs", thermal["version"]);
        anyhow::ensure!(thermal["state"] != "quarantined", "{thermal}");
        Ok(thermal["rows"].as_u64().unwrap_or_default())
    };
    let before = wait_for(&format!("{version} of {twin}"), PATIENCE, || rows().map(Some))?;
    wait_for(&format!("rows of {twin} from {version}"), PATIENCE, || Ok((rows()? > before + 5).then_some(())))
}

fn refused(host: &Host, says: &str) -> anyhow::Result<()> {
    wait_for(&format!("a refused plugin with {says:?}"), PATIENCE, || {
        let plugins = host.get("/plugins")?;
        let list = plugins["refused"].as_array().cloned().unwrap_or_default();
        let ours = |one: &&Value| one["file"] == "motor-thermal.wasm";
        let reason = list.iter().find(ours).and_then(|one| one["reason"].as_str()).unwrap_or_default();
        anyhow::ensure!(reason.contains(says), "the list says: {reason:?}");
        Ok(Some(()))
    })
}

#[test]
fn a_file_that_is_no_plugin_leaves_the_incumbent_running() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker, 2, |text| text)?;
    let host = connected(&site)?;
    let rounds = Rounds::start(broker.port, &["pump-rig-1", "pump-rig-2"])?;
    let good = fs::read(repository().join("target/plugins/motor-thermal.wasm"))?;
    let log = "geminus:behavior/log@0.1.0";
    let cases: [(&str, Vec<u8>, &str, &str); 6] = [
        ("text", b"hello".to_vec(), "plugin-refused", "not a WebAssembly file"),
        ("truncated", good[..good.len() / 2].to_vec(), "plugin-refused", "truncated or damaged"),
        ("core module", b"\0asm\x01\0\0\0".to_vec(), "plugin-refused", "core module"),
        (
            "other contract",
            patched(&good, r#"{"contract":"0.1.0""#, r#"{"contract":"0.9.0""#),
            "plugin-refused",
            "contract 0.9.0",
        ),
        (
            "no stamp",
            patched(&good, "geminus:stamp", "geminus:stomp"),
            "plugin-refused",
            "geminus:stamp is missing",
        ),
        (
            "forbidden import",
            patched(&good, log, "wasi:messaging/types@0.2.0"),
            "plugin-refused",
            "wasi:messaging/types",
        ),
    ];
    for (name, bytes, kind, says) in cases {
        drop_in(&site, &bytes)?;
        refused(&host, says).map_err(|error| error.context(name))?;
        let entry =
            host.entry(kind, |entry| entry["message"].as_str().is_some_and(|text| text.contains(says)))?;
        assert_eq!(entry["severity"], "error", "{name}");
        goes_on(&host, "pump-rig-1", "0.1.0").map_err(|error| error.context(name))?;
    }
    drop_in(&site, &good)?;
    wait_for("the list to be clean again", PATIENCE, || {
        Ok((host.get("/plugins")?["refused"].as_array().map(Vec::len) == Some(0)).then_some(()))
    })?;
    let rounds = rounds.stop()?;
    for twin in ["pump-rig-1", "pump-rig-2"] {
        whole(&host, twin, rounds)?;
    }
    host.stop()
}

/// `Belief` with its bytes written and read by hand, one of the two crashing once it is due.
fn packed_by_hand(crash_on: &str, due: &str) -> String {
    let bomb = |place: &str| if place == crash_on { "if is_due() { panic!(\"boom\") }" } else { "" };
    format!(
        "fn is_due() -> bool {{ {due} }}
        impl geminus_sdk::Pack for Belief {{
            fn pack(&self, out: &mut Vec<u8>) {{
                {}
                <[f64; 4]>::from(self.x).pack(out);
                <[[f64; 4]; 4]>::from(self.p).pack(out);
            }}
            fn unpack(input: &mut geminus_sdk::pack::Unpacker<'_>) -> Result<Self, Fault> {{
                {}
                Ok(Self {{ x: <[f64; 4]>::unpack(input)?.into(), p: <[[f64; 4]; 4]>::unpack(input)?.into() }})
            }}
        }}
        #[derive(Clone, Copy, Debug, PartialEq)]\n",
        bomb("pack"),
        bomb("unpack"),
    )
}

#[test]
fn a_plugin_that_traps_in_an_export_leaves_the_incumbent_running() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker, 2, |text| text)?;
    let host = connected(&site)?;
    let rounds = Rounds::start(broker.port, &["pump-rig-1", "pump-rig-2"])?;
    let built = tempfile::tempdir()?;
    let open = |body: &str| format!("{START_OF_OPEN}\n{body}");
    let panics = open("if parameters.rated_current > 0.0 { panic!(\"boom\") }");
    let loops = open("while parameters.rated_current > 0.0 { core::hint::spin_loop() }");
    let eats = open(
        "let mut eaten = Vec::new();
        while parameters.rated_current > 0.0 { eaten.push(core::hint::black_box(Vec::<u8>::with_capacity(1 << 22))); }",
    );
    let (pack, unpack) = (packed_by_hand("pack", "true"), packed_by_hand("unpack", "true"));
    let refusals: [(&str, Vec<Edit<'_>>, &str); 5] = [
        ("0.1.1", vec![(START_OF_OPEN, &panics)], "open"),
        ("0.1.2", vec![(START_OF_OPEN, &loops)], "fuel"),
        ("0.1.3", vec![(START_OF_OPEN, &eats)], "open"),
        ("0.1.4", vec![(BELIEF, &unpack), PLAIN[0], PLAIN[1]], "restore"),
        ("0.1.5", vec![(BELIEF, &pack), PLAIN[0], PLAIN[1]], "snapshot"),
    ];
    goes_on(&host, "pump-rig-1", "0.1.0")?;
    for (version, edits, says) in refusals {
        let bytes = fs::read(variant(version, built.path(), &edits)?)?;
        drop_in(&site, &bytes)?;
        refused(&host, says).map_err(|error| error.context(version))?;
        let label = format!("motor-thermal@{version}");
        let entry = host.entry("swap-refused", |entry| entry["plugin"] == *label)?;
        assert_eq!(entry["facts"]["from"], "0.1.0", "{entry}");
        assert!(
            entry["message"].as_str().is_some_and(|text| text.ends_with("motor-thermal@0.1.0 goes on")),
            "{entry}"
        );
        let trial = host.behavior("pump-rig-1", "thermal")?["trial"].take();
        assert!(trial.is_null(), "{version}: nothing of it is left: {trial}");
        goes_on(&host, "pump-rig-1", "0.1.0").map_err(|error| error.context(version))?;
    }
    let rounds = rounds.stop()?;
    for twin in ["pump-rig-1", "pump-rig-2"] {
        whole(&host, twin, rounds)?;
    }
    host.stop()
}

#[test]
fn a_plugin_that_traps_when_it_is_left_hands_everything_over() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker, 2, |text| text)?;
    let host = connected(&site)?;
    let rounds = Rounds::start(broker.port, &["pump-rig-1", "pump-rig-2"])?;
    let built = tempfile::tempdir()?;
    goes_on(&host, "pump-rig-1", "0.1.0")?;
    let bomb = "impl Drop for MotorThermal { fn drop(&mut self) { panic!(\"boom\") } }\n#[estimator(";
    for (version, edits) in [("0.1.1", vec![("#[estimator(", bomb)]), ("0.1.2", vec![])] {
        drop_in(&site, &fs::read(variant(version, built.path(), &edits)?)?)?;
        for twin in ["pump-rig-1", "pump-rig-2"] {
            goes_on(&host, twin, version).map_err(|error| error.context(version))?;
        }
    }
    let rounds = rounds.stop()?;
    for twin in ["pump-rig-1", "pump-rig-2"] {
        whole(&host, twin, rounds)?;
    }
    host.stop()
}

/// Counts the rows of an instance, so that saving crashes only after some of them.
const COUNT_ROWS: &str = "ROWS.fetch_add(1, core::sync::atomic::Ordering::Relaxed);";
const ROWS: &str = "static ROWS: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);";
const AFTER_SOME_ROWS: &str = "ROWS.load(core::sync::atomic::Ordering::Relaxed) > 60";

/// Version 0.1.1, which cannot be saved once it has had sixty rows.
fn not_to_be_saved(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let pack = format!("{ROWS}\n{}", packed_by_hand("pack", AFTER_SOME_ROWS));
    let step = format!("{START_OF_STEP}\n        {COUNT_ROWS}");
    let edits = [(BELIEF, pack.as_str()), PLAIN[0], PLAIN[1], (START_OF_STEP, step.as_str())];
    Ok(fs::read(variant("0.1.1", folder, &edits)?)?)
}

#[test]
fn a_plugin_that_traps_when_it_is_saved_is_taken_back_in_probation() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker, 2, |text| format!("{text}\n[store]\nsnapshot_s = 1\n"))?;
    let host = connected(&site)?;
    let rounds = Rounds::start(broker.port, &["pump-rig-1", "pump-rig-2"])?;
    let built = tempfile::tempdir()?;
    goes_on(&host, "pump-rig-1", "0.1.0")?;
    drop_in(&site, &not_to_be_saved(built.path())?)?;
    goes_on(&host, "pump-rig-1", "0.1.1")?;
    let entry = host.entry("rollout-rolled-back", |entry| entry["plugin"] == "motor-thermal@0.1.1")?;
    assert!(entry["message"].as_str().is_some_and(|text| text.contains("snapshot")), "{entry}");
    refused(&host, "snapshot")?;
    for twin in ["pump-rig-1", "pump-rig-2"] {
        goes_on(&host, twin, "0.1.0")?;
    }
    let rounds = rounds.stop()?;
    for twin in ["pump-rig-1", "pump-rig-2"] {
        whole(&host, twin, rounds)?;
    }
    host.stop()
}

#[test]
fn a_plugin_that_traps_when_it_is_saved_is_shown_and_the_next_version_goes_on() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker, 2, |text| at_the_first_strike(&text))?;
    let built = tempfile::tempdir()?;
    fs::write(site.path("plugins/motor-thermal.wasm"), not_to_be_saved(built.path())?)?;
    let host = connected(&site)?;
    let rounds = Rounds::start(broker.port, &["pump-rig-1", "pump-rig-2"])?;
    for twin in ["pump-rig-1", "pump-rig-2"] {
        // It runs until it is saved for the first time, which happens after some hundred rows.
        let entry = host.entry("twin-apart", |entry| entry["twin"] == twin)?;
        assert!(entry["message"].as_str().is_some_and(|text| text.contains("snapshot")), "{entry}");
        host.entry("twin-quarantined", |entry| entry["twin"] == twin)?;
        let thermal = host.behavior(twin, "thermal")?;
        assert_eq!(thermal["state"], "quarantined", "{thermal}");
        assert_eq!(host.behavior(twin, "health")?["state"], "running", "its other behavior goes on");
    }
    variant("0.1.2", &site.path("plugins"), &[])?;
    for twin in ["pump-rig-1", "pump-rig-2"] {
        goes_on(&host, twin, "0.1.2")?;
        wait_for(&format!("an estimate of {twin} again"), PATIENCE, || {
            let point = host.point(twin, "thermal.winding_temperature")?;
            Ok(point["value"].is_number().then_some(()))
        })?;
    }
    let done = host.entry("swap-done", |entry| entry["plugin"] == "motor-thermal@0.1.2")?;
    assert_eq!(done["facts"]["twins"], 2, "{done}");
    let rounds = rounds.stop()?;
    let range = (START_MS, START_MS + rounds * 1_000);
    for twin in ["pump-rig-1", "pump-rig-2"] {
        wait_for(&format!("measurements of {twin}"), PATIENCE, || {
            let found = host.stored(twin, "temperature", range, 1_000)?.len() as u64;
            anyhow::ensure!(found == rounds, "{found} of {rounds}");
            Ok(Some(()))
        })?;
    }
    // What was saved last, before the first row that could not be, is what 0.1.2 has gone on from.
    assert!(done["message"].as_str().is_some_and(|text| text.contains("is permanent")), "{done}");
    host.stop()
}

/// A surface temperature that makes the booby-trapped plugin crash, loop, or eat memory.
const TRIGGERS: [(&str, f64, &str); 3] =
    [("pump-rig-1", 66.625, "trap"), ("pump-rig-2", 66.5, "fuel"), ("pump-rig-3", 66.25, "memory")];

#[test]
fn a_twin_whose_row_breaks_the_plugin_is_held_apart_and_the_others_go_on() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker, 4, |text| at_the_first_strike(&text))?;
    let bombs = format!(
        "{START_OF_STEP}
        let surface = row.inputs.surface_temperature.value();
        assert!(surface != Some(66.625), \"boom\");
        while surface == Some(66.5) {{ core::hint::spin_loop() }}
        let mut eaten = Vec::new();
        while surface == Some(66.25) {{ eaten.push(core::hint::black_box(Vec::<u8>::with_capacity(1 << 22))); }}"
    );
    variant("0.1.1", &site.path("plugins"), &[(START_OF_STEP, &bombs)])?;
    let host = connected(&site)?;
    let rounds = Rounds::start(broker.port, &["pump-rig-4"])?;
    goes_on(&host, "pump-rig-4", "0.1.1")?;
    let mut field = Publisher::connect(broker.port, "field")?;
    for (twin, value, kind) in TRIGGERS {
        let prefix = format!("rig/{twin}/");
        for round in 0..10 {
            publish_round(&mut field, &prefix, round)?;
        }
        field.flush()?;
        whole(&host, twin, 10)?;
        let time = START_MS + 10_000;
        for (sensor, value) in [("temperature", value), ("thermocouple", 26.0), ("current", 2.0)] {
            let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("{prefix}{sensor}"), payload.as_bytes(), 1)?;
        }
        for round in 11..20 {
            publish_round(&mut field, &prefix, round)?;
        }
        field.flush()?;
        let thermal = wait_for(&format!("{twin} to be held apart"), PATIENCE, || {
            let thermal = host.behavior(twin, "thermal")?;
            Ok((thermal["state"] == "quarantined").then_some(thermal))
        })?;
        let fault = thermal["fault"].as_str().unwrap_or_default();
        assert!(fault.starts_with(kind), "{twin} shows why: {fault}");
        let entry = host.entry("twin-apart", |entry| entry["twin"] == twin)?;
        assert!(entry["message"].as_str().is_some_and(|text| text.contains(kind)), "{entry}");
        assert_eq!(entry["plugin"], "motor-thermal@0.1.1");
        let entry = host.entry("twin-quarantined", |entry| entry["twin"] == twin)?;
        assert_eq!(
            (&entry["plugin"], &entry["facts"]["strikes"]),
            (&"motor-thermal@0.1.1".into(), &1.into())
        );
        // Its measurements and its other behavior go on; an estimate is no longer shown as good.
        let point = host.point(twin, "thermal.winding_temperature")?;
        assert!(point["value"].is_null() && point["quality"] == "bad", "{point}");
        wait_for(&format!("measurements of {twin}"), PATIENCE, || {
            let range = (START_MS, START_MS + 20_000);
            let found = host.stored(twin, "temperature", range, 1_000)?.len();
            anyhow::ensure!(found == 20, "{found} of 20");
            Ok(Some(()))
        })?;
        assert_eq!(host.behavior(twin, "health")?["state"], "running", "{twin}");
        goes_on(&host, "pump-rig-4", "0.1.1")?;
    }
    assert_eq!(host.metric("geminus_quarantined{plugin=\"thermal\"}")?, Some(3.0));

    variant("0.1.2", &site.path("plugins"), &[])?;
    wait_for("the mended version", PATIENCE, || {
        Ok((host.behavior("pump-rig-4", "thermal")?["version"] == "0.1.2").then_some(()))
    })?;
    for (twin, ..) in TRIGGERS {
        for round in 20..30 {
            publish_round(&mut field, &format!("rig/{twin}/"), round)?;
        }
        field.flush()?;
        wait_for(&format!("{twin} to be back"), PATIENCE, || {
            let point = host.point(twin, "thermal.winding_temperature")?;
            let state = host.behavior(twin, "thermal")?["state"].take();
            anyhow::ensure!(point["value"].is_number() && state != "quarantined", "{state} {point}");
            Ok(Some(()))
        })?;
    }
    let rounds = rounds.stop()?;
    whole(&host, "pump-rig-4", rounds)?;
    host.stop()
}
