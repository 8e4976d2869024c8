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
    let cases: [(&str, &str, &[&str]); 10] = [
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
