//! Golden states as an author meets them: recorded once, held by every later build, never overwritten.

#![allow(clippy::expect_used, reason = "a test that cannot set up its case fails by saying so")]

use std::fs;
use std::path::Path;

use geminus_sdk::prelude::*;
use geminus_sdk::testing::golden::{Case, Golden, GoldenError, Mode, hold, run};

#[derive(Debug, Inputs)]
pub struct In {
    /// Flow.
    #[input(unit = "L/s", event)]
    pub flow: Reading,
}

#[derive(Debug, Outputs)]
pub struct Out {
    /// Sum of flows.
    #[output(unit = "L/s")]
    pub sum: f64,
}

#[derive(Clone, Copy, Debug, Alerts)]
pub enum Alarm {
    /// Much.
    #[alert(priority = "low", unit = "L/s")]
    Much,
}

#[derive(Clone, Debug, Default, State)]
pub struct Old {
    sum: f64,
}

#[derive(Clone, Debug, Default, State)]
#[state(schema = 2, up = Old, down = Old)]
pub struct New {
    sum: f64,
    rows: u32,
}

impl Migrate<Old> for New {
    fn migrate(old: Old) -> Result<Self, Fault> {
        Ok(Self { sum: old.sum, rows: 0 })
    }
}

impl Migrate<New> for Old {
    fn migrate(new: New) -> Result<Self, Fault> {
        Ok(Self { sum: new.sum })
    }
}

/// A state that does not come back as it was saved.
#[derive(Clone, Debug, Default)]
pub struct Leaky {
    sum: f64,
}

impl geminus_sdk::Pack for Leaky {
    fn pack(&self, out: &mut Vec<u8>) {
        self.sum.pack(out);
    }

    fn unpack(input: &mut geminus_sdk::pack::Unpacker<'_>) -> Result<Self, Fault> {
        Ok(Self { sum: f64::unpack(input)? + 0.5 })
    }
}

impl State for Leaky {
    const SCHEMA: u32 = 1;
    const DECLARATION: &'static str = r#"{"schema":1,"reads":[1],"writes":[1]}"#;
    const READS: &'static str = "1";
    const WRITES: &'static str = "1";

    fn save(&self, _: u32, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.pack(out);
        Ok(())
    }

    fn load(_: u32, input: &mut geminus_sdk::pack::Unpacker<'_>) -> Result<Self, Fault> {
        Self::unpack(input)
    }
}

macro_rules! adder {
    ($name:ident, $state:ty, $gain:literal) => {
        #[derive(Debug, Parameters)]
        pub struct $name;

        #[estimator]
        impl Behavior for $name {
            fn step(&self, state: &mut $state, row: &mut Row<In, Alarm>) -> Out {
                state.sum += $gain * row.inputs.flow.value().unwrap_or(0.0);
                if state.sum > 3.0 {
                    row.alert(Alarm::Much, state.sum, "much");
                }
                Out { sum: state.sum }
            }
        }
    };
}
adder!(First, Old, 1.0);
adder!(Second, New, 1.0);
adder!(Other, Old, 1.000_000_000_000_000_2);
adder!(Forgetful, Leaky, 1.0);

fn flow(value: f64) -> In {
    In { flow: Reading::good(value) }
}

fn case<B: Behavior<Inputs = In>>() -> Case<B> {
    Case {
        name: "running",
        parameters: "{}",
        before: vec![(0.0, flow(0.1)), (1.0, flow(0.2))],
        after: vec![(2.0, flow(0.4)), (3.5, In { flow: Reading::missing() }), (4.0, flow(3.0))],
    }
}

fn says<T: std::fmt::Debug>(result: Result<T, GoldenError>, expect: &str) {
    let error = result.expect_err(expect);
    assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
}

/// Of this very crate, whose version all behaviors here have.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join("schema-1-running.json")
}

#[test]
fn what_is_not_there_is_recorded_on_demand_and_then_held() {
    let dir = tempfile::tempdir().expect("folder");
    let folder = dir.path().join("golden");
    says(
        run(&folder, &[case::<First>()], Mode::Hold),
        "is not there: run the tests with GEMINUS_GOLDEN=record",
    );
    run(&folder, &[case::<First>()], Mode::Record).expect("recorded");
    let golden = Golden::read(&file(&folder)).expect("a golden state");
    assert_eq!((golden.plugin.as_str(), golden.schema), ("geminus-sdk", 1));
    assert_eq!(golden.rows[1], "1767225603500000000: missing");
    let lines = &golden.recorded[0].lines;
    assert_eq!(*lines, ["0.7000000000000001", "0.7000000000000001", "3.7 ! much 3.7"]);
    hold(&folder, &[case::<First>()]).expect("held");
    let before = fs::read(file(&folder)).expect("there");
    run(&folder, &[case::<First>()], Mode::Record).expect("nothing to record");
    assert_eq!(fs::read(file(&folder)).expect("there"), before, "what is released is not written again");
}

#[test]
fn another_answer_needs_another_version() {
    let dir = tempfile::tempdir().expect("folder");
    let folder = dir.path();
    run(folder, &[case::<First>()], Mode::Record).expect("recorded");
    let difference = "row 1, sum: ";
    for mode in [Mode::Hold, Mode::Record] {
        says(run::<Other>(folder, &[], mode), difference);
        says(run::<Other>(folder, &[], mode), "needs another number in Cargo.toml");
    }
    let older = fs::read_to_string(file(folder)).expect("there").replace(VERSION, "0.0.1");
    fs::write(file(folder), &older).expect("written");
    says(run::<Other>(folder, &[], Mode::Hold), "0.0.1 recorded 0.7000000000000001");
    says(
        run::<Other>(folder, &[], Mode::Hold),
        "run the tests with GEMINUS_GOLDEN=record and commit what it adds",
    );
    run::<First>(folder, &[], Mode::Record).expect("the same answers need no recording");
    assert_eq!(fs::read_to_string(file(folder)).expect("there"), older);
    run::<Other>(folder, &[], Mode::Record).expect("records beside");
    run::<Other>(folder, &[], Mode::Hold).expect("held");
    let golden = Golden::read(&file(folder)).expect("a golden state");
    let versions: Vec<_> = golden.recorded.iter().map(|recorded| recorded.version.as_str()).collect();
    assert_eq!(versions, ["0.0.1", VERSION]);
    assert!(fs::read_to_string(file(folder)).expect("there").starts_with(older.trim_end_matches("\n}\n")));
}

#[test]
fn the_states_of_older_schemas_are_held_too() {
    let dir = tempfile::tempdir().expect("folder");
    let (folder, empty) = (dir.path(), dir.path().join("empty"));
    says(run(&empty, &[case::<Second>()], Mode::Record), "schema 1 is read but has no file schema-1-*.json");
    run(folder, &[case::<First>()], Mode::Record).expect("the older version records");
    run(folder, &[case::<Second>()], Mode::Record)
        .expect("the newer one records, and holds what the older wrote");
    run(folder, &[case::<Second>()], Mode::Hold).expect("both are held");
    says(run::<First>(folder, &[], Mode::Hold), "a released state of schema 2 cannot be restored");
}

#[test]
fn whatever_cannot_be_held_is_told() {
    let dir = tempfile::tempdir().expect("folder");
    let folder = dir.path();
    says(
        run(folder, &[Case { before: vec![], ..case::<First>() }], Mode::Record),
        "needs rows before and after",
    );
    says(
        run(folder, &[Case { after: vec![], ..case::<First>() }], Mode::Record),
        "needs rows before and after",
    );
    says(run(folder, &[Case { parameters: "{", ..case::<First>() }], Mode::Record), "its parameters: ");
    let late = Case { before: vec![(1.0, flow(1.0)), (1.0, flow(1.0))], ..case::<First>() };
    says(run(folder, &[late], Mode::Record), "case \"running\" at 1 s");
    says(run(folder, &[case::<Forgetful>()], Mode::Record), "restored and saved again, its bytes are others");
    assert!(!file(folder).exists(), "what cannot be held is not recorded");
    run(folder, &[case::<First>()], Mode::Record).expect("recorded");
    let whole = fs::read_to_string(file(folder)).expect("there");
    for (from, to, expect) in [
        ("\"geminus-sdk\"", "\"other\"", "it belongs to other, this is geminus-sdk"),
        ("\"state\": \"01", "\"state\": \"02", "a released state of schema 1 cannot be restored"),
        ("1767225602000000000", "1767225600000000000", "row 1: "),
        ("3.7\"", "3.8\"", "row 3, sum: "),
        ("! much 3.7", "! much 3.8", "row 3, sum: "),
        ("\"sum\"", "\"total\"", "outputs of "),
        ("missing\"", "lost\"", "is not \"time: cell, cell, …\""),
    ] {
        assert!(whole.contains(from), "{from}");
        fs::write(file(folder), whole.replace(from, to)).expect("written");
        says(run::<First>(folder, &[], Mode::Hold), expect);
    }
}
