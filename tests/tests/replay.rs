//! `geminus replay`: what a rig did over a kill, a swap and a restart is computed again to the bit, beside the running
//! host too; another version is shown to differ, where and by how much.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use geminus_tests::{
    Broker, Host, PATIENCE, Rounds, START_MS, SiteFolder, geminus, rebuild, wait_for, whole,
};
use serde_json::Value;

const TWIN: &str = "pump-rig-1";

/// Runs `geminus replay`; whether it ended well, what it printed as JSON, and what it complained of.
fn replay(site: &Path, arguments: &[&str]) -> anyhow::Result<(bool, Value, String)> {
    let output = Command::new(geminus()?)
        .arg("replay")
        .arg(site)
        .args(["--twin", TWIN, "--json"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_slice(&output.stdout).with_context(|| errors.clone())?;
    Ok((output.status.success(), json, errors))
}

/// Feeds until the twin has had `rows` more rows; gives what the broker took.
fn feed(host: &Host, rounds: &Rounds, rows: u64) -> anyhow::Result<()> {
    let until = rounds.done() + rows;
    wait_for("rounds", PATIENCE, || Ok((rounds.done() >= until).then_some(())))?;
    wait_for("their rows", PATIENCE, || {
        Ok((host.behavior(TWIN, "thermal")?["rows"].as_u64() >= Some(until - 1)).then_some(()))
    })
}

#[test]
fn a_record_is_computed_again_to_the_bit_and_another_version_shows_where_it_differs() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url()) + "\n[store]\nsnapshot_s = 3\n"
    })?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let rounds = Rounds::start(broker.port, &[TWIN])?;
    feed(&host, &rounds, 150)?;
    host.kill()?;
    let host = Host::start(&site.site())?;
    feed(&host, &rounds, 100)?;
    rebuild("motor-thermal", "0.1.1", &site.path("plugins"), |text| text)?;
    wait_for("the new version", PATIENCE, || {
        Ok((host.behavior(TWIN, "thermal")?["version"] == "0.1.1").then_some(()))
    })?;
    feed(&host, &rounds, 100)?;

    // Beside the running host, up to where everything is on the disk.
    let to = (START_MS + (rounds.done() - 20) * 1_000).to_string();
    let (well, json, errors) = replay(&site.site(), &["--to", &to])?;
    assert!(well, "{errors}\n{json:#}");
    host.stop()?;
    let host = Host::start(&site.site())?;
    feed(&host, &rounds, 50)?;
    let rounds = rounds.stop()?;
    whole(&host, TWIN, rounds)?;
    host.stop()?;

    let (well, json, errors) = replay(&site.site(), &[])?;
    assert!(well, "{errors}\n{json:#}");
    let replays = json["replays"].as_array().context("replays")?;
    assert_eq!(replays.len(), 2, "both behaviors of the rig: {json:#}");
    for replay in replays {
        assert_eq!((&replay["equal"], &replay["rows"]), (&true.into(), &rounds.into()), "{replay:#}");
        assert_eq!(
            (&replay["signals_rows"], &replay["signals_rows_differ"]),
            (&rounds.into(), &0.into()),
            "alerts and proposals of every row: {replay:#}"
        );
        assert_eq!(replay["gaps"].as_array().map(Vec::len), Some(0), "{replay:#}");
        assert_eq!(replay["notes"].as_array().map(Vec::len), Some(0), "{replay:#}");
        assert!(replay["states_compared"].as_u64() > Some(0), "{replay:#}");
    }
    let kinds: Vec<&str> = replays[0]["borders"]
        .as_array()
        .context("borders")?
        .iter()
        .filter_map(|it| it["kind"].as_str())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "start").count(), 3, "{json:#}");
    assert!(kinds.contains(&"switch"), "{json:#}");
    // A kill in the middle of the flow cost the state not a row.
    let broken: Vec<&Value> = replays
        .iter()
        .filter_map(|replay| replay["borders"].as_array())
        .flatten()
        .filter(|border| border["kind"] == "start" && border["continues"] == false)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");

    let (_, again, _) = replay(&site.site(), &["--behavior", "thermal"])?;
    assert_eq!(again["replays"][0]["digest"], replays[0]["digest"]);
    assert_eq!(again["replays"][0]["fuel"], replays[0]["fuel"]);

    // A model that heats up by a tenth more, over the second hundred rows.
    rebuild("motor-thermal", "0.1.2", &site.path("plugins"), |lib| {
        let plain = "let seen = Seen::of(&row.inputs, &self.motor);";
        assert!(lib.contains(plain), "motor-thermal is not written as it was");
        let more = "let mut seen = Seen::of(&row.inputs, &self.motor);\n        seen.heating = seen.heating.map(|part| part * 1.1);";
        lib.replace(plain, more)
    })?;
    std::fs::write(site.path("wide.toml"), "[difference]\n\"*\" = { absolute = 100.0 }\n")?;
    std::fs::write(
        site.path("narrow.json"),
        r#"{"difference": {"winding_temperature": {"absolute": 0.01}}}"#,
    )?;
    let (from, to) = ((START_MS + 100_000).to_string(), (START_MS + 200_000).to_string());
    let span = ["--from", from.as_str(), "--to", to.as_str(), "--with", "motor-thermal@0.1.2", "--accept"];
    let compared = |file: &str| {
        replay(&site.site(), &[&span[..], &[site.path(file).to_str().context("path")?]].concat())
    };
    let (well, json, errors) = compared("wide.toml")?;
    assert!(well, "{errors}\n{json:#}");
    let (well, json, errors) = compared("narrow.json")?;
    assert!(!well && errors.contains("motor-thermal@0.1.2 would not have been accepted"), "{errors}");
    assert_eq!(
        json["replays"].as_array().map(Vec::len),
        Some(1),
        "only the behavior of that plugin: {json:#}"
    );
    let thermal = &json["replays"][0];
    assert_eq!((&thermal["equal"], &thermal["rows"]), (&true.into(), &100.into()), "{thermal:#}");
    let with = &thermal["with"];
    assert_eq!(
        (&with["version"], &with["cold_start"]),
        (&"motor-thermal@0.1.2".into(), &false.into()),
        "{with:#}"
    );
    assert_eq!(
        (&with["verdict"]["state"], &with["evidence"]["rows"]),
        (&"fail".into(), &100.into()),
        "{with:#}"
    );
    // It begins with the state of the version that ran, so the first row after it is where it leaves the record.
    assert!(with["first_difference"]["time"].as_str().is_some_and(|time| time.contains(":")), "{with:#}");
    assert!(
        with["evidence"]["outputs"].as_array().is_some_and(|outputs| outputs.iter().any(|output| {
            output["output"] == "winding_temperature" && output["difference_max"].as_f64() > Some(0.01)
        })),
        "{with:#}"
    );

    // What cannot be is told.
    let output = Command::new(geminus()?)
        .arg("replay")
        .arg(site.site())
        .args(["--twin", "pump-rig-2"])
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("no rows of pump-rig-2 were recorded"), "{errors}");
    Ok(())
}
