//! A recording that was made once and lies beside this file, and what it comes to: the same outputs and the same fuel on
//! every machine, to the bit. Its behavior divides, takes roots, and narrows to 32 bits and back: every result is rounded.
//!
//! `UPDATE_GENERATED=1` makes the recording anew; what it comes to stands here and is changed by hand, since it only
//! changes when the meaning of a component does.

use std::fs;
use std::path::{Path, PathBuf};

use super::record::{Plant, migrate};
use super::*;

/// Of all outputs of the recording.
const DIGEST: &str = "sha256:49d76114f505755215ff024dccff7b6ad531dc05eb94d534b34b219ae21db8ff";
/// Of its rows, in calls of up to 4,096.
const FUEL: u64 = 72_940;
/// Rows that have an answer.
const ROWS: u64 = 394;

/// The third part of the sum, less its root with the 24 bits that a small float has.
fn rounding(text: String) -> String {
    let plain = "(f64.store (local.get $out) (f64.load (local.get $rec)))";
    assert!(text.contains(plain), "probe.wat no longer has the line that is changed here");
    let root = "(f64.promote_f32 (f32.demote_f64 (f64.sqrt (f64.load (local.get $rec)))))";
    let third = "(f64.div (f64.load (local.get $rec)) (f64.const 3))";
    text.replace(plain, &format!("(f64.store (local.get $out) (f64.sub {third} {root}))"))
}

/// Two versions that take over from each other, rows without an answer, kept states.
fn recorded(mut plant: Plant) -> Plant {
    plant.run(&package("1.0.0", 1, rounding), Some(Border::Start));
    for rows in [1, 2, 97, 100] {
        plant.rows(rows);
    }
    plant.keep(Border::Periodic);
    plant.run(&package("2.0.0", 2, half_more), Some(Border::Switch));
    plant.rows(100);
    plant.run(&package("1.0.0", 1, rounding), Some(Border::Switch));
    plant.rows(100);
    plant.keep(Border::Periodic);
    plant.flush();
    plant.fold();
    plant
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/replay/tests/recording")
}

/// Files of a recording, with where they lie in it.
fn files(of: &Path) -> Vec<PathBuf> {
    let names = |of: &Path| fs::read_dir(of).expect("a folder").map(|entry| entry.expect("an entry").path());
    let kept = names(&of.join("packages")).chain(["hot.db", "control.db"].map(|name| of.join(name)));
    kept.filter(|path| path.is_file()).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("packages")).expect("a folder");
    for path in files(from) {
        fs::copy(&path, to.join(path.strip_prefix(from).expect("within"))).expect("copied");
    }
}

fn holds(data: &Path) -> Report {
    let mut archive = Archive::at(data, &data.join("plugins"), Limits::default()).expect("archive");
    let report = run(&mut archive, &Plant::subject(), ALL, None).expect("replays");
    assert!(report.equal, "{report}");
    assert_eq!((report.rows, report.states_compared), (ROWS, 2), "{report}");
    assert_eq!((report.digest.as_str(), report.fuel), (DIGEST, FUEL), "{report}");
    report
}

/// The recording that lies here was made before hosts recorded what rows say besides outputs, and stays so: such a
/// record is still proved as far as it goes, and the rest of it is named.
fn of_old() -> Plant {
    let mut plant = Plant::new();
    plant.keeps_words = false;
    recorded(plant)
}

#[test]
fn a_recording_comes_to_the_same_on_every_machine() {
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        copy(of_old().close().path(), &folder());
    }
    // What is opened gets files beside it, so it is not the one of the repository.
    let data = tempfile::tempdir().expect("folder");
    copy(&folder(), data.path());
    migrate(data.path());
    let report = holds(data.path());
    let unproved = format!(
        "alerts and proposals not recorded up to the last row, 1970-01-01T00:23:20Z: {ROWS} rows; the host that ran them \
         did not yet"
    );
    assert_eq!(
        (report.complete, report.signals_rows, report.not_proved.clone()),
        (false, 0, vec![unproved]),
        "{report}"
    );
}

#[test]
fn a_recording_made_here_comes_to_what_the_one_made_there_does() {
    let plant = recorded(Plant::new());
    let report = holds(&plant.data());
    assert_eq!((report.complete, report.signals_rows), (true, ROWS), "{report}");
}
