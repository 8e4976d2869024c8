//! The slot table through its public calls: all or nothing on every fault, times, rows of many slots, forecasts.

#![allow(clippy::expect_used, reason = "a test that cannot set up its case fails by saying so")]

use geminus_sdk::prelude::*;
use geminus_sdk::{ForecastRequest, OpeningRequest, Outcome, Rows, SlotTable};

#[derive(Debug, Inputs)]
pub struct Flow {
    /// Litres a second.
    #[input(unit = "L/s")]
    pub flow: Reading,
    /// Refuses the row when given.
    #[input(unit = "1", event, optional)]
    pub refuse: Option<f64>,
}

#[derive(Debug, Outputs)]
pub struct Sum {
    /// Litres since the start.
    #[output(unit = "L", role = "estimate", of = "flow")]
    pub volume: f64,
    /// Seconds since the row before.
    #[output(unit = "s")]
    pub elapsed: Option<f64>,
}

#[derive(Debug, Parameters)]
pub struct Totaliser {
    /// Litres at the start.
    #[parameter(unit = "L", default = 0.0, min = 0.0)]
    pub offset: f64,
}

#[surrogate]
impl Behavior for Totaliser {
    fn start(&self) -> f64 {
        self.offset
    }

    fn step(&self, volume: &mut f64, row: &mut Row<Flow>) -> Result<Sum, Fault> {
        *volume += row.inputs.flow.value().unwrap_or(0.0) * row.elapsed().unwrap_or(0.0);
        if row.inputs.refuse.is_some() {
            return Err(Fault::input("told to refuse"));
        }
        Ok(Sum { volume: *volume, elapsed: row.elapsed() })
    }

    fn forecast(&self, volume: &mut f64, ahead: &Ahead<Flow>) -> Result<Predicted<Sum>, Fault> {
        *volume += ahead.inputs.flow.value().ok_or_else(|| Fault::other("no flow yet"))? * ahead.elapsed;
        let mean = Sum { volume: *volume, elapsed: Some(ahead.elapsed) };
        Ok(Predicted { mean, deviation: Sum { volume: 0.5, elapsed: None } })
    }
}

fn opening(slot: u32, parameters: &str) -> OpeningRequest {
    OpeningRequest { slot, twin: format!("twin-{slot}"), parameters: parameters.into(), seed: 1 }
}

fn table(slots: u32) -> SlotTable<Totaliser> {
    let mut table = SlotTable::new();
    table.open(&(0..slots).map(|slot| opening(slot, "{}")).collect::<Vec<_>>()).expect("opens");
    table
}

/// Rows of (slot, seconds, flow); a flow of NaN asks the behavior to refuse.
fn step(table: &mut SlotTable<Totaliser>, rows: &[(u32, u64, f64)]) -> Result<Outcome, Fault> {
    let slots: Vec<u32> = rows.iter().map(|row| row.0).collect();
    let times: Vec<u64> = rows.iter().map(|row| row.1 * 1_000_000_000).collect();
    let values: Vec<f64> =
        rows.iter().flat_map(|row| [row.2, if row.2.is_nan() { 1.0 } else { f64::NAN }]).collect();
    let quality: Vec<u8> = rows.iter().flat_map(|row| if row.2.is_nan() { [4, 0] } else { [0, 4] }).collect();
    table.step(Rows { slots: &slots, times: &times, values: &values, quality: &quality })
}

#[test]
fn rows_of_one_and_of_many_slots_go_through_the_same_call() {
    let mut table = table(2);
    let outcome = step(&mut table, &[(0, 1, 2.0), (1, 1, 3.0), (0, 3, 2.0), (1, 2, 3.0)]).expect("steps");
    let volumes: Vec<f64> = outcome.values.iter().copied().step_by(2).collect();
    assert_eq!(volumes, [0.0, 0.0, 4.0, 3.0]);
    assert_eq!(outcome.quality, [0, 4, 0, 4, 0, 0, 0, 0]);
    let outcome = step(&mut table, &[(0, 4, 1.0)]).expect("steps");
    assert_eq!((outcome.values, outcome.quality), (vec![5.0, 1.0], vec![]));
}

#[test]
fn a_fault_in_a_call_leaves_every_slot_as_it_was() {
    let check = |rows: &[(u32, u64, f64)], says: &str| {
        let mut table = table(2);
        step(&mut table, &[(0, 10, 1.0), (1, 10, 1.0)]).expect("steps");
        let before = table.snapshot(&[0, 1], None).expect("a snapshot");
        let fault = step(&mut table, rows).expect_err(says);
        assert!(fault.to_string().contains(says), "{fault}");
        assert_eq!(table.snapshot(&[0, 1], None).expect("a snapshot"), before, "{says}");
        let after = step(&mut table, &[(0, 11, 5.0), (1, 11, 7.0)]).expect("goes on as if nothing had been");
        assert_eq!(after.values, [5.0, 1.0, 7.0, 1.0], "{says}");
    };
    check(&[(0, 11, 1.0), (1, 11, f64::NAN)], "input row 1: told to refuse");
    check(&[(0, 11, 1.0), (0, 12, 1.0), (0, 13, f64::NAN)], "input row 2: told to refuse");
    check(&[(0, 11, 1.0), (2, 11, 1.0)], "input row 1: slot 2 is not open");
    check(&[(0, 11, 1.0), (1, 10, 1.0)], "input row 1: time 10000000000 of slot 1 is not after");
    check(&[(0, 12, 1.0), (0, 11, 1.0)], "input row 1: time 11000000000 of slot 0 is not after");
}

#[test]
fn columns_that_do_not_fit_are_a_fault() {
    let mut table = table(1);
    let rows = Rows { slots: &[0], times: &[1], values: &[1.0], quality: &[0, 4] };
    assert!(table.step(rows).expect_err("too short").to_string().contains("do not fit 1 rows of 2 inputs"));
    assert_eq!(step(&mut table, &[]).expect("no row"), Outcome::default());
}

#[test]
fn opening_is_all_or_none() {
    let check = |openings: &[OpeningRequest], says: &str| {
        let mut table = table(1);
        let fault = table.open(openings).expect_err(says);
        assert!(fault.to_string().contains(says), "{fault}");
        assert!(step(&mut table, &[(1, 1, 1.0)]).is_err(), "slot 1 was made: {says}");
        step(&mut table, &[(0, 1, 1.0)]).expect("slot 0 goes on");
    };
    check(&[opening(1, "{}"), opening(0, "{}")], "slot 0 for twin-0 is open already");
    check(&[opening(1, "{}"), opening(1, "{}")], "slot 1 for twin-1 is open already");
    check(&[opening(1, "{}"), opening(u32::MAX, "{}")], "above the highest");
    check(
        &[opening(1, "{}"), opening(2, r#"{"offset": -1}"#)],
        "parameter /offset: -1 is not within 0 to inf",
    );
    check(
        &[opening(1, "{}"), opening(2, r#"{"ofset": 1}"#)],
        "parameter /ofset: is not known, known are: offset",
    );
    check(&[opening(1, "{}"), opening(2, r#"{"offset": "1"}"#)], "is not of the declared type");
    check(&[opening(1, "{}"), opening(2, "[]")], "expected an object at byte 0");
}

#[test]
fn a_closed_slot_starts_anew() {
    let mut table = table(2);
    step(&mut table, &[(0, 1, 1.0), (0, 2, 1.0)]).expect("steps");
    table.close(&[0, 7]);
    assert!(step(&mut table, &[(0, 3, 1.0)]).is_err());
    table.open(&[opening(0, r#"{"offset": 9}"#)]).expect("opens");
    assert_eq!(step(&mut table, &[(0, 1, 1.0)]).expect("steps").values[0], 9.0);
}

#[test]
fn a_forecast_leads_a_copy_ahead_with_held_or_assumed_inputs() {
    let mut table = table(1);
    let ask = |table: &SlotTable<Totaliser>, seconds: &[u64], values: &[f64]| {
        let times = seconds.iter().map(|second| second * 1_000_000_000).collect();
        table.forecast(&ForecastRequest { slot: 0, times, values: values.to_vec() })
    };
    let nan = f64::NAN;
    assert!(ask(&table, &[1], &[nan, nan]).expect_err("no row").to_string().contains("no row yet"));
    step(&mut table, &[(0, 1, 2.0), (0, 2, 2.0)]).expect("steps");
    let held = table.snapshot(&[0], None).expect("a snapshot");
    let answer = ask(&table, &[3, 5, 6], &[nan, nan, 10.0, nan, nan, nan]).expect("looks ahead");
    assert_eq!(answer.mean, [4.0, 1.0, 24.0, 2.0, 34.0, 1.0]);
    assert_eq!((answer.deviation[0], answer.deviation[1].is_nan()), (0.5, true));
    assert_eq!(table.snapshot(&[0], None).expect("a snapshot"), held, "the slot itself has not moved");
    assert!(
        ask(&table, &[3, 3], &[nan; 4]).expect_err("times").to_string().contains("not after the one before")
    );
    assert!(ask(&table, &[3], &[nan]).expect_err("columns").to_string().contains("do not fit"));

    let mut other = SlotTable::<Totaliser>::new();
    other.open(&[opening(0, "{}")]).expect("opens");
    other.restore(&held).expect("restores");
    assert_eq!(ask(&other, &[3], &[nan, nan]).expect("held inputs are carried").mean, [4.0, 1.0]);
}

#[test]
fn a_state_in_which_nothing_is_held_comes_back_as_it_was() {
    let mut table = table(2);
    let nothing = table.snapshot(&[0], None).expect("a snapshot");
    step(&mut table, &[(0, 1, 2.0)]).expect("steps");
    let held = table.snapshot(&[0], None).expect("a snapshot");
    assert!(held.bytes.len() > nothing.bytes.len(), "what is held is kept");
    table.restore(&nothing).expect("restores");
    assert_eq!(table.snapshot(&[0], None).expect("a snapshot"), nothing, "nothing is left of what was held");
    table.restore(&held).expect("restores");
    assert_eq!(table.snapshot(&[0], None).expect("a snapshot"), held);
}
