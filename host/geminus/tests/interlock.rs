//! `geminus interlock`: cases that come out as expected, ones that do not, and rules in words, with the real binary.
#![allow(clippy::expect_used, reason = "a test that cannot set up its files fails by saying so")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SITE: &str = r#"
[[source]]
name = "broker"
mqtt = { url = "mqtt://127.0.0.1:1883" }
[[twin]]
id = "rig-1"
type = "dtmi:geminus:example:PumpRig;1"
[[bind]]
source = "broker"
topic = "rig/{twin}/{point}"
[[target]]
name = "current-limit"
unit = "mA"
write = { source = "broker", topic = "rig/{twin}/set/current-limit" }
feedback = { point = "current", tolerance = 10, within_s = 5 }
fail = { action = "safe-value", value = 500 }
[target.interlock]
range = { min = 0, max = 5000 }
dwell_s = 5
permissive = [{ name = "pressure is there", when = "points.pressure > 0.5", bypass = { role = "engineer", max_s = 60 } }]
trip = [{ name = "surface hot", when = "points.temperature > 90.0", latch = true }]
"#;

const CASES: &str = r#"
[[case]]
name = "all is well"
target = "current-limit"
present = 900
points = { pressure = 1.0, temperature = 60.0 }
command = { value = 1000 }
expect = "permitted"
[[case]]
name = "hot"
target = "current-limit"
points = { pressure = 1.0, temperature = 90.5 }
command = { value = 1000 }
expect = "refused"
rule = "surface hot"
[[case]]
name = "stale"
target = "current-limit"
points = { pressure = 1.0, temperature = { value = 60.0, quality = "stale", age_s = 40 } }
command = { value = 1000 }
expect = "refused"
rule = "surface hot"
[[case]]
name = "too soon"
target = "current-limit"
points = { pressure = 1.0, temperature = 60.0 }
memory = { last = 900, since_s = 4.5 }
command = { value = 1000, confidence = 0.9 }
expect = "refused"
rule = "dwell"
[[case]]
name = "no pressure, bypassed"
target = "current-limit"
points = { pressure = 0.0, temperature = 60.0 }
memory = { bypassed = ["pressure is there"] }
command = { value = 1000 }
expect = "permitted"
"#;

/// A folder with a site, the types of the example and the cases.
fn folder(cases: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let types = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pump-rig/types");
    for name in ["types", "plugins", "cases"] {
        fs::create_dir(folder.path().join(name)).expect("folder");
    }
    for entry in fs::read_dir(types).expect("types of the example") {
        let file = entry.expect("file").path();
        let name = file.file_name().expect("name");
        fs::copy(&file, folder.path().join("types").join(name)).expect("copied");
    }
    let (site, file) = (folder.path().join("site.toml"), folder.path().join("cases/some.toml"));
    fs::write(&site, SITE).expect("written");
    fs::write(&file, cases).expect("written");
    (folder, site, file)
}

fn geminus(arguments: &[&std::ffi::OsStr]) -> Output {
    let binary = env!("CARGO_BIN_EXE_geminus");
    Command::new(binary).arg("interlock").args(arguments).output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}\n{error}")
}

#[test]
fn cases_come_out_as_expected_or_the_command_fails() {
    let (folder, site, file) = folder(CASES);
    let cases = folder.path().join("cases");
    let good = geminus(&["test".as_ref(), site.as_ref(), cases.as_ref()]);
    assert!(good.status.success() && said(&good).contains("5 cases as expected"), "{}", said(&good));

    for (old, new, expect) in [
        ("rule = \"dwell\"", "rule = \"range\"", "expected: refused by \"range\""),
        ("expect = \"permitted\"", "expect = \"refused\"", "1 of 5 cases came out otherwise"),
        ("temperature = 60.0 }\ncommand", "temprature = 60.0 }\ncommand", "reads the point \"temprature\""),
        ("target = \"current-limit\"", "target = \"limit\"", "it has: current-limit"),
        ("present = 900", "presence = 900", "unknown field `presence`"),
        ("[\"pressure is there\"]", "[\"surface hot\"]", "no permissive \"surface hot\" with a bypass"),
        ("since_s = 4.5", "since_s = -1", "since_s = -1 is not a number of seconds"),
    ] {
        fs::write(&file, CASES.replacen(old, new, 1)).expect("written");
        let bad = geminus(&["test".as_ref(), site.as_ref(), file.as_ref()]);
        assert!(!bad.status.success() && said(&bad).contains(expect), "{new}: {}", said(&bad));
    }
    fs::write(&file, "").expect("written");
    let empty = geminus(&["test".as_ref(), site.as_ref(), cases.as_ref()]);
    assert!(!empty.status.success() && said(&empty).contains("no cases"), "{}", said(&empty));
}

#[test]
fn rules_are_explained_with_what_they_read() {
    let (_folder, site, file) = folder(CASES);
    let target = "current-limit".as_ref();
    let shown = geminus(&[
        "explain".as_ref(),
        target,
        "--site".as_ref(),
        site.as_ref(),
        "--case".as_ref(),
        file.as_ref(),
    ]);
    let told = said(&shown);
    assert!(shown.status.success(), "{told}");
    let places =
        ["surface hot", "range", "dwell", "pressure is there"].map(|rule| told.find(&format!(" {rule} ")));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{told}");
    assert!(told.contains("temperature = 60") && told.contains("writes the safe value 500"), "{told}");
    let unknown = geminus(&["explain".as_ref(), target, "--site".as_ref(), site.as_ref()]);
    assert!(said(&unknown).contains("temperature = NaN is missing"), "{}", said(&unknown));
}
