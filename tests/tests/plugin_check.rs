//! The author's bench on real components: shipped ones conform, and one that breaks a clause is told which, with
//! evidence. The broken ones are the template of an estimator with one line changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, ensure};
use geminus_tests::{geminus, repository};
use serde_json::Value;

fn run(arguments: &[&str], plugin: &Path) -> anyhow::Result<Output> {
    let mut command = Command::new(geminus()?);
    command.arg("plugin").args(arguments).arg(plugin);
    command.env("CARGO_TARGET_DIR", repository().join("target")).env("CARGO_NET_OFFLINE", "true");
    Ok(command.env("CARGO_TERM_COLOR", "never").stdin(Stdio::null()).output()?)
}

/// What was said by a command that is to succeed.
fn said(arguments: &[&str], plugin: &Path) -> anyhow::Result<String> {
    let output = run(arguments, plugin)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{arguments:?}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

/// A new estimator with `changes` in its source.
fn estimator(folder: &Path, name: &str, changes: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
    let made = Command::new(geminus()?).args(["plugin", "new", name, "--dir"]).arg(folder).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made = folder.join(name);
    std::fs::copy(repository().join("Cargo.lock"), made.join("Cargo.lock"))?;
    let lib = made.join("src/lib.rs");
    let mut source = std::fs::read_to_string(&lib)?;
    for (from, to) in changes {
        ensure!(source.contains(from), "{from:?} is not in the template");
        source = source.replacen(from, to, 1);
    }
    std::fs::write(&lib, source)?;
    Ok(made)
}

/// The verdict of each clause, by name.
fn verdicts(report: &Value) -> anyhow::Result<Vec<(String, String, String)>> {
    let clauses = report.get("clauses").and_then(Value::as_array).context("clauses")?;
    let text = |clause: &Value, name: &str| clause.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let one = |clause: &Value| (text(clause, "name"), text(clause, "verdict"), text(clause, "evidence"));
    Ok(clauses.iter().map(one).collect())
}

#[test]
fn the_shipped_plugins_conform() -> anyhow::Result<()> {
    for plugin in ["motor-thermal", "pump-health", "throttle-policy", "script"] {
        let report = said(&["check"], &repository().join("plugins").join(plugin))?;
        assert!(report.ends_with("conforms\n"), "{report}");
        assert!(report.contains("kept    snapshot") && report.contains("kept    golden"), "{report}");
    }
    Ok(())
}

/// A furnace for whose range the usual rows of the check are: what is usual for a unit is not what is usual in a furnace.
#[test]
fn heat_treatment_conforms_where_usual_rows_are_batches() -> anyhow::Result<()> {
    const FURNACE: &str = r#"{"temperature_lowest": 40.0, "temperature_highest": 80.0, "soak_shortest": 0.5, "soak_longest": 2.0,
        "quench_slowest": 0.5, "quench_fastest": 2.0, "hardness_lowest": 0.1, "hardness_highest": 4.0}"#;
    for explore in ["", r#""explore": true, "improvement_least": 0.0, "#] {
        let parameters = FURNACE.replacen('{', &format!("{{{explore}"), 1);
        let plugin = repository().join("plugins/heat-treatment");
        let report = said(&["check", "--parameters", &parameters], &plugin)?;
        assert!(report.ends_with("conforms\n"), "{report}");
        assert!(report.contains("kept    golden") && !report.contains(" and 0 proposals"), "{report}");
    }
    Ok(())
}

#[test]
fn a_new_estimator_is_tested_checked_and_measured() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let made = estimator(folder.path(), "bench-estimator", &[])?;
    let tested = said(&["test"], &made)?;
    assert!(tested.contains("1 cases hold for bench-estimator@0.1.0"), "{tested}");
    let checked = said(&["check"], &made)?;
    assert!(checked.ends_with("conforms\n"), "{checked}");
    let measured = said(&["bench", "--json"], &made)?;
    let json = measured.get(measured.find('{').context("JSON")?..).context("JSON")?;
    let costs: Value = serde_json::from_str(json)?;
    for figure in
        ["/batch_ns", "/single_ns", "/fuel_per_row", "/memory_bytes", "/native/batch_ns", "/native/ratio"]
    {
        let number =
            costs.pointer(figure).and_then(Value::as_f64).with_context(|| format!("{figure} in {costs}"))?;
        assert!(number > 0.0, "{figure} is {number}");
    }
    Ok(())
}

#[test]
fn a_case_that_does_not_hold_is_told_with_its_row_and_both_numbers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let made = estimator(folder.path(), "wrong-case", &[])?;
    let case = made.join("cases/first.json");
    std::fs::write(&case, std::fs::read_to_string(&case)?.replacen("\"26.3212", "\"27.3212", 1))?;
    let output = run(&["test"], &made)?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("FAILS   first.json") && told.contains("row 2, smooth: 27.3212 ± 0.0001"),
        "{told}"
    );
    Ok(())
}

/// Each line changed breaks a clause, and that clause is named.
#[test]
fn what_breaks_a_clause_is_told_which() -> anyhow::Result<()> {
    const STEP: &str = "if let Some(now) = row.inputs.temperature.value() {";
    const HIDDEN: &str =
        "static ROWS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);\n#[estimator(";
    let count = format!(
        "*level = level.map(|l| l + f64::from(ROWS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));\n{STEP}"
    );
    let trap = format!("assert!(row.inputs.temperature.value().is_none_or(|now| now < 1e299));\n{STEP}");
    let poison = format!(
        "if row.inputs.temperature.value().is_some_and(|now| now < 0.0) {{ *level = Some(f64::NAN); }}\n{STEP}"
    );
    let dear = format!("if self.time_constant > 86399.0 {{ panic!(\"too slow\"); }}\n{STEP}");
    type Changes<'a> = Vec<(&'a str, &'a str)>;
    let cases: [(&str, Changes<'_>, &[&str]); 5] = [
        ("keeps-a-secret", vec![("#[estimator(", HIDDEN), (STEP, &count)], &["snapshot", "neighbours"]),
        ("breaks-on-much", vec![(STEP, &trap)], &["hard-rows"]),
        ("never-recovers", vec![(STEP, &poison)], &["hard-rows"]),
        ("breaks-at-an-end", vec![(STEP, &dear)], &["parameters"]),
        (
            "promises-too-little",
            vec![("warm_up_rows = 5", "warm_up_rows = 5, budget(fuel_per_row = 1)")],
            &["budget"],
        ),
    ];
    let folder = tempfile::tempdir()?;
    for (name, changes, broken) in cases {
        let made = estimator(folder.path(), name, &changes)?;
        let output = run(&["check", "--json"], &made)?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{name}: {told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let json = told.get(told.find("{\n").context("JSON")?..).context("JSON")?;
        let verdicts = verdicts(&serde_json::from_str(json)?)?;
        for clause in broken {
            let found = verdicts.iter().find(|(name, ..)| name == clause).context("the clause")?;
            assert_eq!(found.1, "broken", "{name}: {clause}: {verdicts:?}");
            assert!(!found.2.is_empty(), "{name}: {clause} has no evidence");
        }
    }
    Ok(())
}

#[test]
fn a_difference_of_two_versions_says_whether_one_takes_over() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let made = estimator(folder.path(), "differs", &[])?;
    said(&["build", "--out", &old.display().to_string()], &made)?;
    let lib = made.join("src/lib.rs");
    std::fs::write(
        &lib,
        std::fs::read_to_string(&lib)?
            .replace("pub smooth:", "pub smoothed:")
            .replace("{ smooth:", "{ smoothed:"),
    )?;
    said(&["build", "--out", &new.display().to_string()], &made)?;
    let file = |folder: &Path| folder.join("differs.wasm");
    let same = Command::new(geminus()?).args(["plugin", "diff"]).arg(file(&old)).arg(file(&old)).output()?;
    assert!(same.status.success(), "{same:?}");
    assert!(String::from_utf8_lossy(&same.stdout).contains("takes over by itself"), "{same:?}");
    let other = Command::new(geminus()?).args(["plugin", "diff"]).arg(file(&old)).arg(file(&new)).output()?;
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    let told = String::from_utf8_lossy(&other.stdout).into_owned();
    assert!(told.contains("breaking") && told.contains("smooth"), "{told}");
    Ok(())
}
