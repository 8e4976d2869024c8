//! State from version to version: golden bytes, the way up, the way down, and what cannot be read.

#![allow(clippy::expect_used, reason = "a test that cannot set up its case fails by saying so")]

use geminus_core::declaration::Declaration;
use geminus_sdk::prelude::*;
use geminus_sdk::{States, testing::Host};

#[derive(Debug, Inputs)]
pub struct In {
    /// A temperature.
    #[input(unit = "K", event)]
    pub kelvin: Reading,
}

#[derive(Debug, Outputs)]
pub struct Out {
    /// What is remembered.
    #[output(unit = "K", role = "estimate", of = "kelvin")]
    pub level: f64,
}

/// Schema 1 remembered degrees Celsius.
#[derive(Clone, Debug, Default, State)]
pub struct Celsius {
    level: f64,
}

/// Schema 2 remembers Kelvin.
#[derive(Clone, Debug, Default, State)]
#[state(schema = 2, up = Celsius, down = Celsius)]
pub struct Kelvin {
    level: f64,
}

/// Schema 3 adds a count, and has no way down.
#[derive(Clone, Debug, Default, State)]
#[state(schema = 3, up = Kelvin)]
pub struct Counted {
    level: f64,
    rows: Option<u32>,
    #[state(via = [f64; 2])]
    corner: Corner,
}

/// Somebody else's type.
#[derive(Clone, Debug, Default)]
pub struct Corner(f64, f64);

impl From<Corner> for [f64; 2] {
    fn from(corner: Corner) -> Self {
        [corner.0, corner.1]
    }
}

impl From<[f64; 2]> for Corner {
    fn from([a, b]: [f64; 2]) -> Self {
        Self(a, b)
    }
}

impl Migrate<Celsius> for Kelvin {
    fn migrate(old: Celsius) -> Result<Self, Fault> {
        Ok(Self { level: old.level + 273.15 })
    }
}

impl Migrate<Kelvin> for Celsius {
    fn migrate(new: Kelvin) -> Result<Self, Fault> {
        match new.level < 0.0 {
            true => Err(Fault::state("colder than schema 1 can say")),
            false => Ok(Self { level: new.level - 273.15 }),
        }
    }
}

impl Migrate<Kelvin> for Counted {
    fn migrate(old: Kelvin) -> Result<Self, Fault> {
        Ok(Self { level: old.level, rows: None, corner: Corner::default() })
    }
}

macro_rules! keeper {
    ($name:ident, $state:ty, $level:ident: $kept:expr) => {
        #[derive(Debug, Parameters)]
        pub struct $name;

        #[estimator]
        impl Behavior for $name {
            fn step(&self, state: &mut $state, row: &mut Row<In>) -> Out {
                let $level = row.inputs.kelvin.value();
                state.level = $kept.unwrap_or(state.level);
                Out { level: state.level }
            }
        }
    };
}
keeper!(First, Celsius, level: level.map(|kelvin| kelvin - 273.15));
keeper!(Second, Kelvin, level: level);
keeper!(Third, Counted, level: level);

fn stepped<B: Behavior<Inputs = In>>() -> Host<B> {
    let mut host = Host::<B>::open("{}").expect("opens");
    host.step(1.0, In { kelvin: Reading::good(300.0) }).expect("steps");
    host
}

fn level<B: Behavior<Inputs = In>>(host: &mut Host<B>) -> f64 {
    host.step(2.0, In { kelvin: Reading::missing() }).expect("steps").value("level").expect("a level")
}

/// Envelope 1, last row at 2026-01-01T00:00:01Z, no held inputs, then the state itself. These bytes are released:
/// if this test fails, states on disk can no longer be read, and a new schema is needed.
#[test]
fn released_bytes_stay_as_they_are() {
    let envelope = "01 01 00ca942952728618 00000000".replace(' ', "");
    let check = |states: &States, schema: u32, state: &str| {
        let hex: String = states.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((states.schema, hex), (schema, format!("{envelope}{}", state.replace(' ', ""))));
        assert_eq!(states.ends, [u32::try_from(states.bytes.len()).expect("short")]);
    };
    check(&stepped::<First>().snapshot(None).expect("saves"), 1, "a099999999d93a40");
    check(&stepped::<Second>().snapshot(None).expect("saves"), 2, "0000000000c07240");
    check(&stepped::<Second>().snapshot(Some(1)).expect("saves"), 1, "a099999999d93a40");
    check(
        &stepped::<Third>().snapshot(None).expect("saves"),
        3,
        "0000000000c07240 00 0000000000000000 0000000000000000",
    );
}

#[test]
fn the_way_up_goes_through_every_schema_between() {
    let first = stepped::<First>().snapshot(None).expect("saves");
    let mut second = Host::<Second>::open("{}").expect("opens");
    second.restore(&first).expect("migrates");
    assert_eq!(level(&mut second), 300.0);
    let mut third = Host::<Third>::open("{}").expect("opens");
    third.restore(&first).expect("migrates twice");
    assert_eq!(level(&mut third), 300.0);
}

#[test]
fn the_way_down_lets_the_older_version_go_on() {
    let older = stepped::<Second>().snapshot(Some(1)).expect("saves");
    let mut first = Host::<First>::open("{}").expect("opens");
    first.restore(&older).expect("reads its own schema");
    assert!((level(&mut first) - 26.85).abs() < 1e-9);

    let mut cold = Host::<Second>::open("{}").expect("opens");
    cold.step(1.0, In { kelvin: Reading::good(-1.0) }).expect("steps");
    let fault = cold.snapshot(Some(1)).expect_err("cannot be said");
    assert_eq!(fault, Fault::State("colder than schema 1 can say".to_owned()));
    let fault = stepped::<Third>().snapshot(Some(2)).expect_err("no way down");
    assert_eq!(fault, Fault::State("schema 2 is not among the known ones (3)".to_owned()));
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let good = stepped::<Second>().snapshot(None).expect("saves");
    let check = |change: &dyn Fn(&mut States), says: &str| {
        let (mut host, mut states) = (Host::<Second>::open("{}").expect("opens"), good.clone());
        let before = host.snapshot(None).expect("saves");
        change(&mut states);
        let fault = host.restore(&states).expect_err(says);
        assert!(fault.to_string().contains(says), "{fault} does not say {says:?}");
        assert_eq!(host.snapshot(None).expect("saves"), before, "{says}");
    };
    check(&|states| states.schema = 3, "schema 3 is not among the known ones (2,1)");
    check(&|states| states.bytes[0] = 9, "slot 0: state: envelope 9 is not known");
    check(&|states| states.bytes[1] = 7, "7 is neither 0 (no) nor 1 (yes)");
    check(&|states| states.slots[0] = 4, "slot 4: is not open");
    check(&|states| states.ends[0] = 5, "bytes end before the 8 wanted at byte 2");
    check(&|states| states.ends[0] = 99, "ends outside the bytes");
    check(&|states| states.bytes.push(0), "1 bytes belong to no slot");
    check(&|states| states.ends.push(3), "1 slots do not fit 2 ends");
    check(
        &|states| {
            states.bytes.push(0);
            states.ends[0] += 1;
        },
        "1 of 23 bytes are left over",
    );
}

#[test]
fn the_declaration_says_what_is_read_and_written() {
    let check = |json: &str, schema: u32, reads: &[u32], writes: &[u32]| {
        let state = Declaration::parse(json.as_bytes()).expect("parses").state;
        assert_eq!((state.schema, state.reads.as_slice(), state.writes.as_slice()), (schema, reads, writes));
    };
    check(First::DECLARATION, 1, &[1], &[1]);
    check(Second::DECLARATION, 2, &[2, 1], &[2, 1]);
    check(Third::DECLARATION, 3, &[3, 2, 1], &[3]);
}
