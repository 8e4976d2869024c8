//! `geminus check` names every mistake of a site, where it stands and what was probably meant, and fails.

use std::process::{Command, Output};

use geminus_tests::{SiteFolder, geminus};

fn checked(edit: impl Fn(String) -> String) -> anyhow::Result<(SiteFolder, Output)> {
    let site = SiteFolder::from_example("pump-rig", edit)?;
    let output = Command::new(geminus()?).arg("check").arg(site.site()).output()?;
    Ok((site, output))
}

#[test]
fn a_good_site_passes() -> anyhow::Result<()> {
    let (_site, output) = checked(|text| text)?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.trim_end().ends_with("ok") && said.contains("thermal runs motor-thermal@0.1.0"), "{said}");
    Ok(())
}

#[test]
fn each_mistake_is_named_with_its_line_and_what_was_meant() -> anyhow::Result<()> {
    // What stands in the good site, what stands in the bad one, what must be said of it.
    let broker = "mqtt://127.0.0.1:1883";
    let cases: [(&str, &str, &[&str]); 18] = [
        (broker, "mqtts://127.0.0.1:8883", &["mqtts:// needs an authority to trust", "tls = { ca ="]),
        (broker, "mqtt://ann:secret@127.0.0.1:1883", &["a password does not stand in this file"]),
        ("qos = 1 }", "qos = 1, tls = { ca = \"ca.pem\" } }", &["tls is used with mqtts:// only"]),
        (broker, "http://x:1", &["`http://` is not spoken", "mqtt://host:port"]),
        (broker, "mqtt://127.0.0.1:119000/path", &["`mqtt://127.0.0.1:119000/path` is not an address"]),
        (broker, "mqtt://", &["`mqtt://` is not an address"]),
        (broker, "mqtt://:1883", &["`mqtt://:1883` is not an address"]),
        ("qos = 1 }", "qos = 1, client_id = \"\" }", &["client_id must not be empty"]),
        (
            "interval_ms = 1000",
            "intervall_ms = 1000",
            &["unknown key `intervall_ms` in [twin]", "did you mean `interval_ms`?"],
        ),
        ("[site]", "[sight]", &["unknown key `sight`", "did you mean `site`?"]),
        (
            "surface_temperature = \"temperature\"",
            "surface_temperature = \"pressure\"",
            &["surface_temperature", "bar", "Cel"],
        ),
        ("unit = \"L/min\"", "unit = \"K\"", &["flow", "unit \"K\"", "cannot be converted to \"L/s\""]),
        ("twins = \"pump-rig-*\"", "twins = \"pomp-rig-*\"", &["pattern \"pomp-rig-*\" matches no twin"]),
        (
            "plugin = \"motor-thermal\"",
            "plugin = \"motor-termal\"",
            &["plugin \"motor-termal\" is not in the plugins folder", "motor-thermal"],
        ),
        (
            "plugin = \"pump-health\"",
            "plugin = \"pump-health\"\nparameters = { inputs_mim = 3 }",
            &["parameter /inputs_mim: is not a parameter", "did you mean `inputs_min`?"],
        ),
        (
            "plugin = \"pump-health\"",
            "plugin = \"pump-health\"\nparameters = { inputs_min = \"three\" }",
            &["behavior \"health\"", "inputs_min", "must be of type integer"],
        ),
        ("version = \"^0.1\"", "version = \"^7\"", &["motor-thermal", "^7", "0.1.0"]),
        (
            "type = \"dtmi:geminus:example:PumpRig;1\"",
            "type = \"dtmi:geminus:example:PumpRigg;1\"",
            &["dtmi:geminus:example:PumpRigg;1", "dtmi:geminus:example:PumpRig;1"],
        ),
    ];
    for (good, bad, says) in cases {
        let (site, output) = checked(|text| {
            assert!(text.contains(good), "the example does not say {good:?} any more");
            text.replacen(good, bad, 1)
        })?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{bad}: {said}");
        for part in says {
            assert!(said.contains(part), "{bad}: {part:?} is not in\n{said}");
        }
        let text = std::fs::read_to_string(site.site())?;
        let line =
            1 + text.lines().position(|line| line.contains(bad.lines().last().unwrap_or(bad))).expect("bad");
        assert!(said.contains(&format!("site.toml:{line}:")), "{bad} stands in line {line}:\n{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    Ok(())
}

/// A run of the same site says the same, which ends it.
fn runs_as_badly(site: &SiteFolder, parts: &[&str]) -> anyhow::Result<()> {
    let output =
        Command::new(geminus()?).arg("run").arg(site.site()).args(["--listen", "127.0.0.1:0"]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    Ok(())
}

#[test]
fn a_topic_that_two_binds_give_to_one_point_is_named_with_both_lines() -> anyhow::Result<()> {
    let again = "[[bind]]\ntwins = \"pump-rig-1\"\nsource = \"broker\"\ntopic = \"rig/{twin}/{point}\"\n";
    let (site, output) = checked(|text| format!("{text}\n{again}"))?;
    let text = std::fs::read_to_string(site.site())?;
    let lines: Vec<usize> =
        (1..).zip(text.lines()).filter(|(_, line)| *line == "[[bind]]").map(|(number, _)| number).collect();
    let [first, second] = lines.as_slice() else { panic!("two binds: {lines:?}") };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let parts = [
        format!("site.toml:{second}: point \""),
        "of twin \"pump-rig-1\" has \"rig/pump-rig-1/".to_owned(),
        format!("already by the [[bind]] of line {first}"),
    ];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    for part in &parts {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert!(!said.contains("series"), "no number that nobody gave: {said}");
    assert_eq!(said.lines().count(), 1, "once for the pair: {said}");
    runs_as_badly(&site, &parts)
}

#[test]
fn a_recording_that_cannot_be_played_is_found_by_its_header() -> anyhow::Result<()> {
    let site = SiteFolder::from_example("pump-rig", |text| {
        let mqtt = text.lines().find(|line| line.starts_with("mqtt = ")).expect("a source").to_owned();
        text.replace(&mqtt, "csv = { path = \"rig.csv\", time_column = \"when\" }").replace(
            "topic = \"rig/{twin}/{point}\"",
            "topic = \"{point}\"\npoints = [\"temperature\", \"thermocouple\", \"current\"]",
        )
    })?;
    let cases: [(Option<&str>, &[&str]); 5] = [
        (None, &["rig.csv cannot be read: No such file"]),
        (Some(""), &["rig.csv: the recording has no header"]),
        (
            Some("time,temperature,amps\n1581168647,1,2\n"),
            &[
                "point \"thermocouple\" of twin \"pump-rig-1\": column \"thermocouple\" is not in",
                "point \"current\" of twin \"pump-rig-1\": column \"current\" is not in",
                "time column \"when\" is not in",
                "which has: time, temperature, amps",
            ],
        ),
        (Some("when,temperature,thermocouple,current\n"), &["rig.csv: the recording has no rows"]),
        (Some("when,temperature,thermocouple,current,more\n1581168647,1,2,3,4\n"), &[]),
    ];
    for (recording, says) in cases {
        if let Some(text) = recording {
            std::fs::write(site.path("rig.csv"), text)?;
        }
        let output = Command::new(geminus()?).arg("check").arg(site.site()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), says.is_empty(), "{recording:?}: {output:?}");
        for part in says {
            assert!(said.contains(part), "{recording:?}: {part:?} is not in\n{said}");
        }
        assert!(said.lines().all(|line| line.contains("site.toml:")), "each with its line: {said}");
    }
    Ok(())
}

#[test]
fn a_run_of_a_bad_site_says_the_same_and_opens_nothing() -> anyhow::Result<()> {
    let site = SiteFolder::from_example("pump-rig", |text| text.replace("interval_ms", "intervall_ms"))?;
    let output = Command::new(geminus()?).arg("run").arg(site.site()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("did you mean `interval_ms`?"), "{said}");
    assert!(!site.path("data").join("hot.db").exists(), "no database was made");
    Ok(())
}

#[test]
fn a_site_that_is_not_there_and_one_that_is_no_toml_are_named() -> anyhow::Result<()> {
    let output = Command::new(geminus()?).args(["check", "no/such/site.toml"]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no/such/site.toml: cannot be read"), "{said}");
    let (_site, output) = checked(|text| text.replacen("[site]", "[site", 1))?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("site.toml:7:"), "{said}");
    Ok(())
}
