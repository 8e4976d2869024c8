//! Twins that were taken out and come back, and twins that are not to be trusted yet.

use std::sync::Arc;

use geminus_behavior::{Cohort, FaultKind, Household, Opening, Snapshot, Standing};
use geminus_core::{Declaration, Quality, TwinIndex};

use crate::probe::{ENGINE, Listener, Oracle, Probe, frame, opening, openings, step};

/// Opens a twin anew, as the ladder does: an heir tries it first.
fn reopen(cohort: &mut Cohort, opening: Opening, state: Option<&Snapshot>) -> Result<(), String> {
    let household = Household::of(Arc::new(Listener::default()), vec![opening]);
    let raised = household.raise(Arc::clone(cohort.compiled()));
    let mut heir = raised.map_err(|error| error.to_string())?;
    if let Some(state) = state {
        heir.rehearse(state).map_err(|error| error.to_string())?;
    }
    cohort.readmit(&mut heir, state).map_err(|refused| refused.to_string())
}

fn tick(twins: u32, time: u64, odd: f64) -> geminus_core::Frame {
    frame((0..twins).map(|twin| (twin, time, if twin == 1 { odd } else { 1.0 }, 0.5)))
}

#[test]
fn a_released_twin_goes_on_from_its_last_good_state() {
    let mut cohort = Probe::default().cohort("nt");
    let mut oracle = Oracle::default();
    oracle.check(&tick(2, 1, 1.0), &step(&mut cohort, &tick(2, 1, 1.0)), &[]);
    assert_eq!(cohort.standing(TwinIndex(1)), Some(Standing::Live));
    assert!(!cohort.release(TwinIndex(1)), "it is not held");
    oracle.check(&tick(2, 2, 666.0), &step(&mut cohort, &tick(2, 2, 666.0)), &[1]);
    assert_eq!(cohort.standing(TwinIndex(1)), Some(Standing::Quarantined));
    assert!(cohort.release(TwinIndex(1)));
    oracle.check(&tick(2, 3, 1.0), &step(&mut cohort, &tick(2, 3, 1.0)), &[]);
    // It breaks again, and is taken out again.
    oracle.check(&tick(2, 4, 666.0), &step(&mut cohort, &tick(2, 4, 666.0)), &[1]);
    assert_eq!(cohort.standing(TwinIndex(1)), Some(Standing::Quarantined));
    assert_eq!((cohort.standing(TwinIndex(9)), cohort.release(TwinIndex(9))), (None, false));
}

#[test]
fn a_twin_that_is_held_from_outside_gets_no_rows_and_keeps_its_state() {
    let mut cohort = Probe::default().cohort("nn");
    let mut oracle = Oracle::default();
    oracle.check(&tick(2, 1, 1.0), &step(&mut cohort, &tick(2, 1, 1.0)), &[]);
    assert!(cohort.hold(TwinIndex(1)) && cohort.hold(TwinIndex(1)), "twice is once");
    assert!(!cohort.hold(TwinIndex(9)), "it has no slot");
    assert_eq!(cohort.standing(TwinIndex(1)), Some(Standing::Quarantined));
    let stepped = step(&mut cohort, &tick(2, 2, 1.0));
    assert!(stepped.faults.is_empty(), "nothing is told of it: {:?}", stepped.faults);
    assert_eq!(stepped.outcome.quality[2..], [Quality::Bad; 2]);
    assert_eq!(stepped.outcome.values[1], 2.0, "its neighbour goes on");
    assert!(cohort.release(TwinIndex(1)));
    assert_eq!(step(&mut cohort, &frame([(1, 3, 1.0, 0.5)])).outcome.values, [3.0, 2.0]);
}

#[test]
fn a_twin_is_opened_anew_with_an_older_state_or_cold() {
    let mut cohort = Probe::default().cohort("nt");
    let mut oracle = Oracle::default();
    oracle.check(&tick(2, 1, 1.0), &step(&mut cohort, &tick(2, 1, 1.0)), &[]);
    let older = cohort.copy(&[TwinIndex(1)], None).unwrap();
    let other = step(&mut cohort, &tick(2, 2, 1.0));
    assert_eq!(other.outcome.values[3], 2.0);
    step(&mut cohort, &tick(2, 3, 666.0));
    assert_eq!(reopen(&mut cohort, opening(1, 't'), Some(&older)), Ok(()));
    assert_eq!(cohort.standing(TwinIndex(1)), Some(Standing::Live));
    let stepped = step(&mut cohort, &frame([(1, 4, 1.0, 0.5)]));
    assert_eq!(stepped.outcome.values, [3.0, 2.0], "as after its first row");
    assert_eq!(reopen(&mut cohort, opening(1, 't'), None), Ok(()));
    assert_eq!(step(&mut cohort, &frame([(1, 5, 1.0, 0.5)])).outcome.values, [1.5, 1.0], "cold");
    assert_eq!(reopen(&mut cohort, opening(8, 'n'), None), Ok(()), "it had no slot");
    assert_eq!(step(&mut cohort, &frame([(8, 1, 1.0, 0.5), (0, 5, 0.0, 0.0)])).outcome.values[1], 1.0);
}

#[test]
fn what_cannot_be_opened_anew_stays_as_it_was() {
    let mut cohort = Probe::default().cohort("nn");
    step(&mut cohort, &tick(2, 1, 1.0));
    let mut bad = cohort.copy(&[TwinIndex(1)], None).unwrap();
    bad.twins[0].bytes.pop();
    let mut check = |mode: char, state: Option<&Snapshot>, expect: &str| {
        let refused = reopen(&mut cohort, opening(1, mode), state).unwrap_err();
        assert!(refused.contains(expect), "{refused}");
    };
    check('n', Some(&bad), "bad state");
    check('p', None, "/m: not this value");
    bad.label = "other@1.0.0".to_owned();
    check('n', Some(&bad), "of other@1.0.0");
    let other = Probe::second().cohort("n");
    let mut stranger = other.household().raise(Arc::clone(other.compiled())).unwrap();
    assert!(cohort.readmit(&mut stranger, None).unwrap_err().message.contains("runs for it"));
    assert_eq!(step(&mut cohort, &tick(2, 2, 1.0)).outcome.values[3], 2.0);
}

#[test]
fn a_twin_that_breaks_the_instance_where_an_heir_did_not_is_not_let_in() {
    let mut cohort = Probe::default().cohort("nn");
    step(&mut cohort, &tick(2, 1, 1.0));
    let mut bad = cohort.copy(&[TwinIndex(1)], None).unwrap();
    bad.twins[0].bytes.pop();
    // Nobody has rehearsed this state.
    let household = Household::of(Arc::new(Listener::default()), vec![opening(1, 'n')]);
    let mut heir = household.raise(Arc::clone(cohort.compiled())).unwrap();
    let refused = cohort.readmit(&mut heir, Some(&bad)).unwrap_err();
    assert!(refused.message.contains("bad state") && refused.twin == TwinIndex(1), "{refused}");
    assert_eq!(cohort.standing(TwinIndex(1)), Some(Standing::Quarantined), "it stays apart");
    assert_eq!(
        step(&mut cohort, &frame([(0, 2, 1.0, 0.5)])).outcome.values,
        [3.0, 2.0],
        "its neighbour goes on"
    );
}

#[test]
fn whoever_is_alone_gets_the_instance_of_the_heir() {
    let mut cohort = Probe::default().cohort("t");
    assert_eq!(step(&mut cohort, &frame([(0, 1, 1.0, 0.5)])).outcome.values, [1.5, 1.0]);
    let state = cohort.copy(&[TwinIndex(0)], None).unwrap();
    step(&mut cohort, &frame([(0, 2, 1.0, 0.5)]));
    assert_eq!(step(&mut cohort, &frame([(0, 3, 666.0, 0.5)])).faults.len(), 1);
    let rebuilds = cohort.rebuilds();
    assert_eq!(reopen(&mut cohort, opening(0, 't'), Some(&state)), Ok(()));
    assert_eq!(cohort.rebuilds(), rebuilds, "nothing is built here");
    assert_eq!(
        step(&mut cohort, &frame([(0, 4, 1.0, 0.5)])).outcome.values,
        [3.0, 2.0],
        "as after its first row"
    );
    // The rows since are what a recovery goes by.
    assert_eq!(step(&mut cohort, &frame([(0, 5, 666.0, 0.5)])).faults.len(), 1);
    assert!(cohort.release(TwinIndex(0)));
    assert_eq!(step(&mut cohort, &frame([(0, 6, 1.0, 0.5)])).outcome.values, [4.5, 3.0]);
}

#[test]
fn a_lost_twin_keeps_its_last_good_state_and_can_come_back() {
    let mut cohort = Probe::default().cohort("nS");
    let mut faults = Vec::new();
    for time in 1..=260 {
        // From row 150 on it cannot be saved any more; saves are due after 128 and 256 rows of both.
        faults.extend(step(&mut cohort, &tick(2, time, if time == 150 { 666.0 } else { 1.0 })).faults);
    }
    assert_eq!(
        faults.iter().map(|fault| (fault.twin.0, fault.kind)).collect::<Vec<_>>(),
        [(1, FaultKind::Trap)]
    );
    assert_eq!(cohort.standing(TwinIndex(1)), Some(Standing::Lost));
    assert!(!cohort.release(TwinIndex(1)));
    let last = cohort.copy(&[TwinIndex(0), TwinIndex(1)], None).unwrap();
    let rows: Vec<_> =
        last.twins.iter().map(|s| (s.twin.0, f64::from_le_bytes(s.bytes[8..].try_into().unwrap()))).collect();
    assert_eq!(rows, [(0, 260.0), (1, 128.0)], "its state is that of the save before");
    assert_eq!(reopen(&mut cohort, opening(1, 'n'), Some(&last)), Ok(()));
    assert_eq!(step(&mut cohort, &tick(2, 261, 1.0)).outcome.values[3], 129.0);
}

#[test]
fn a_copy_that_breaks_takes_out_who_broke_it_and_copies_the_others() {
    for mode in ['S', '7'] {
        let mut cohort = Probe::default().cohort(&format!("n{mode}n"));
        step(&mut cohort, &frame([(0, 1, 1.0, 1.0), (1, 1, 666.0, 1.0), (2, 1, 1.0, 1.0)]));
        let everybody: Vec<_> = (0..3).map(TwinIndex).collect();
        let state = cohort.copy(&everybody, None).unwrap();
        let named: Vec<_> = state.twins.iter().map(|saved| saved.twin.0).collect();
        assert_eq!(named, [0, 2, 1], "the lost one with its state from the start");
        assert_eq!(state.twins[2].bytes, [0; 16]);
        let faults = cohort.take_faults();
        assert_eq!(faults.iter().map(|fault| fault.twin.0).collect::<Vec<_>>(), [1], "mode {mode}");
        assert!(faults[0].message.starts_with("snapshot: "), "{}", faults[0].message);
    }
}

#[test]
fn a_twin_is_warm_after_its_rows_and_when_it_says_so() {
    let declaration = |converged: bool| {
        let mut json =
            serde_json::to_value(&*Probe { warm_up_rows: 2, ..Probe::default() }.declaration()).unwrap();
        json["kind"] = "command-policy".into();
        json["commands"] =
            serde_json::json!([{"name": "speed", "unit": "1", "minimum": 0.0, "maximum": 1.0}]);
        if converged {
            json["outputs"][1]["role"] = "converged".into();
        }
        Arc::new(Declaration::parse(json.to_string().as_bytes()).unwrap())
    };
    let check = |converged: bool, expect: &[(bool, Quality, u64)]| {
        let bytes = Probe::default().component();
        let compiled =
            ENGINE.compile(geminus_core::Digest::of(&bytes), &bytes, declaration(converged), None).unwrap();
        let (mut cohort, _) = Cohort::start(compiled, Arc::new(Listener::default()), openings("P")).unwrap();
        assert!(!cohort.is_warm(TwinIndex(0)));
        for (&(warm, quality, inhibited), time) in expect.iter().zip(1..) {
            // The second output counts rows: 1 is said in the first row, and after the state was set back to none.
            let stepped = step(&mut cohort, &frame([(0, time, 666.0, 0.0)]));
            assert_eq!(stepped.outcome.quality[0], quality, "row {time}");
            assert_eq!(
                (stepped.inhibited, stepped.outcome.proposals.len() as u64),
                (inhibited, 1 - inhibited)
            );
            assert_eq!(cohort.is_warm(TwinIndex(0)), warm, "after row {time}");
        }
    };
    use Quality::{Good, Uncertain};
    check(false, &[(false, Uncertain, 1), (true, Uncertain, 1), (true, Good, 0), (true, Good, 0)]);
    // It counts 1, 2, 3: what is not exactly 1 is no yes.
    check(true, &[(false, Uncertain, 1), (false, Uncertain, 1), (false, Uncertain, 1)]);
}

#[test]
fn convergence_counts_from_the_row_that_says_it() {
    let mut json = serde_json::to_value(&*Probe::default().declaration()).unwrap();
    json["outputs"][0]["role"] = "converged".into();
    let declaration = Arc::new(Declaration::parse(json.to_string().as_bytes()).unwrap());
    let bytes = Probe::default().component();
    let compiled = ENGINE.compile(geminus_core::Digest::of(&bytes), &bytes, declaration, None).unwrap();
    let (mut cohort, _) = Cohort::start(compiled, Arc::new(Listener::default()), openings("n")).unwrap();
    // The first output is the sum of what came in: 0.5, 1, 1, 2.
    let rows = [(0.5, false), (0.5, true), (0.0, true), (1.0, false)];
    for ((a, warm), time) in rows.into_iter().zip(1..) {
        let stepped = step(&mut cohort, &frame([(0, time, a, 0.0)]));
        assert_eq!(cohort.is_warm(TwinIndex(0)), warm, "after row {time}");
        assert_eq!(stepped.outcome.quality[1] == Quality::Good, warm, "row {time}");
    }
}
