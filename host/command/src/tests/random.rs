//! What holds for every sequence of events, at whatever times they come, over restarts from what was kept.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use super::*;

#[derive(Clone, Debug)]
enum Turn {
    Do(Event),
    /// With the digest of this command or of another one.
    Approve(&'static str, bool),
    /// The wished value is received now, measured this many seconds before.
    Show(f64),
    /// Stop at any moment and start again from the document, perhaps with a sample at hand.
    Crash(Option<ReadBack>),
}

fn read_back() -> impl Strategy<Value = ReadBack> {
    let seconds = || prop_oneof![Just(0.0), 0.0..20.0f64, -5.0..70.0f64];
    let at = |seconds: f64| match seconds < 0.0 {
        true => NOW.minus(Duration::from_secs_f64(-seconds)),
        false => after(seconds),
    };
    let value = prop_oneof![Just(72.5), 71.0..74.0f64, Just(f64::NAN)];
    (value, 0u8..5, seconds(), seconds()).prop_map(move |(value, quality, time, received)| ReadBack {
        value,
        quality: Quality::from_u8(quality),
        time: at(time),
        received: at(received),
    })
}

fn turn() -> impl Strategy<Value = Turn> {
    let text = || "because".to_owned();
    let by = || "ben".to_owned();
    let forward = prop_oneof![
        Just(Event::Permit),
        Just(Event::Hold),
        Just(Event::Arm),
        prop_oneof![Just(None), Just(Some(72.9)), Just(Some(60.0))].prop_map(|before| Event::Send { before }),
        Just(Event::Acknowledge { receipt: text() }),
    ];
    let other = prop_oneof![
        Just(Event::Refuse { rule: text(), reason: text() }),
        Just(Event::Reject { by: by(), reason: text() }),
        Just(Event::NotSent { reason: text() }),
        Just(Event::Decline { reason: text() }),
        Just(Event::Lose { reason: text() }),
        Just(Event::Supersede { by: id(9) }),
        Just(Event::Withdraw { by: by(), reason: text() }),
        Just(Event::Resolve { by: by(), note: text() }),
        Just(Event::Overtake { by: id(9) }),
    ];
    let people = prop_oneof![Just("anna"), Just("Anna"), Just("ben"), Just("throttle"), Just("")];
    prop_oneof![
        8 => forward.prop_map(Turn::Do),
        4 => (people, prop::bool::weighted(0.9)).prop_map(|(by, same)| Turn::Approve(by, same)),
        3 => read_back().prop_map(|sample| Turn::Do(Event::ReadBack(sample))),
        2 => prop_oneof![Just(0.0), 0.0..3.0f64].prop_map(Turn::Show),
        2 => Just(Turn::Do(Event::Tick)),
        1 => other.prop_map(Turn::Do),
        1 => prop::option::of(read_back()).prop_map(Turn::Crash),
    ]
}

/// Seconds by which the clock moves before a turn, now and then backwards.
fn pause() -> impl Strategy<Value = f64> {
    prop_oneof![10 => 0.0..0.5f64, 3 => 0.0..12.0f64, 1 => -0.9..0.0f64, 1 => -3_600.0..3_600.0f64]
}

/// Worked out here once more, and in another way than the room does it: who approved these bytes and still stands by it.
fn approvers(given: &[(String, bool, Timestamp)], now: Timestamp) -> usize {
    let mut people: Vec<String> = given
        .iter()
        .filter(|(by, same, at)| {
            *same && by != "throttle" && !by.is_empty() && now < at.plus(Duration::from_secs(30))
        })
        .map(|(by, ..)| by.to_lowercase())
        .collect();
    people.sort();
    people.dedup();
    people.len()
}

/// A plant's usual day, with anything in between: mere chance seldom gets as far as sending.
fn turns() -> impl Strategy<Value = Vec<(f64, Turn)>> {
    let usual = vec![
        Turn::Do(Event::Permit),
        Turn::Do(Event::Hold),
        Turn::Approve("anna", true),
        Turn::Approve("ben", true),
        Turn::Do(Event::Arm),
        Turn::Do(send()),
        Turn::Do(Event::Acknowledge { receipt: "PUBACK".to_owned() }),
        Turn::Show(0.0),
    ];
    let usual: Vec<_> = usual
        .into_iter()
        .map(|turn| {
            (prop::bool::weighted(0.95), prop::collection::vec((pause(), self::turn()), 0..2), Just(turn))
        })
        .collect();
    let steered = (usual, prop::collection::vec((pause(), turn()), 0..8)).prop_map(|(usual, mut rest)| {
        let mut all = Vec::new();
        for (kept, between, turn) in usual {
            all.extend(between);
            all.extend(kept.then_some((0.1, turn)));
        }
        all.append(&mut rest);
        all
    });
    prop_oneof![steered, prop::collection::vec((pause(), turn()), 1..24)]
}

/// How often a run came so far: the test would show nothing if none did.
#[derive(Debug, Default)]
struct Met {
    sent: Cell<u32>,
    verified: Cell<u32>,
    in_doubt: Cell<u32>,
    expired: Cell<u32>,
}

#[test]
fn each_id_is_sent_once_in_time_with_its_approvals_and_never_falsely_verified() {
    let met = Met::default();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(6_000));
    let runs = (0u8..3, prop::bool::weighted(0.8), turns());
    let result = runner.run(&runs, |(approvers, feedback, turns)| run(approvers, feedback, turns, &met));
    if let Err(error) = result {
        panic!("{error}");
    }
    for count in [&met.sent, &met.verified, &met.in_doubt, &met.expired] {
        assert!(count.get() > 100, "{met:?}");
    }
}

fn run(
    approvers_needed: u8,
    feedback: bool,
    turns: Vec<(f64, Turn)>,
    met: &Met,
) -> Result<(), TestCaseError> {
    let terms = terms(approvers_needed);
    let terms = if feedback { terms } else { Terms { feedback: None, ..terms } };
    let mut record = Record::propose(command(1), terms, NOW).expect("proposed");
    let (mut seconds, mut sent, mut given) = (0.0f64, Vec::new(), Vec::new());
    let mut samples: Vec<ReadBack> = Vec::new();
    // How many samples came before a newer command was sent.
    let mut own = None;
    for (pause, turn) in turns {
        seconds = (seconds + pause).max(0.0);
        let now = after(seconds);
        let before = record.clone();
        let result = match &turn {
            Turn::Do(event) => {
                if let Event::ReadBack(sample) = event {
                    samples.push(*sample);
                }
                apply(&record, event, now)
            }
            Turn::Show(age) => {
                let time = now.minus(Duration::from_secs_f64(*age));
                let shown = ReadBack { value: 72.5, quality: Quality::Good, time, received: now };
                samples.push(shown);
                apply(&record, &Event::ReadBack(shown), now)
            }
            Turn::Approve(by, same) => {
                let digest = if *same { record.digest() } else { command(2).digest() };
                apply(&record, &Event::Approve { by: (*by).to_owned(), digest }, now)
            }
            Turn::Crash(sample) => {
                samples.extend(*sample);
                let kept = Record::from_document(&record.document().expect("document")).expect("kept");
                prop_assert_eq!(&kept, &record);
                recover(&kept, sample.as_ref(), now)
            }
        };
        match result {
            Ok(next) => record = next,
            Err(error) => prop_assert!(!matches!(error, Illegal::Broken { .. }), "{}", error),
        }
        if let (Turn::Approve(by, same), true) = (&turn, record.approvals().len() > before.approvals().len())
        {
            given.push(((*by).to_owned(), *same, record.since()));
        }
        if record.overtaken().is_some() {
            own.get_or_insert(samples.len());
        }
        if record.phase() == Phase::Sent && before.phase() != Phase::Sent {
            let at = record.sent().expect("the time of sending");
            sent.push(at);
            let is_send = matches!(turn, Turn::Do(Event::Send { .. }));
            prop_assert!(before.phase() == Phase::Armed && is_send);
            prop_assert!(at < record.command().not_after && now < record.command().not_after);
            prop_assert!(now >= before.since().minus(CLOCK_BACK_MAX));
            prop_assert!(approvers(&given, at) >= usize::from(approvers_needed));
        }
        prop_assert!(record.since() >= before.since());
        if before.phase() == Phase::Verified {
            prop_assert_eq!(record.phase(), Phase::Verified);
        }
    }
    prop_assert!(sent.len() <= 1, "sent at {:?}", sent);
    prop_assert_eq!(record.sent(), sent.first().copied());
    if record.phase() == Phase::Verified {
        let at = sent[0];
        let fresh = |sample: &ReadBack| {
            sample.quality == Quality::Good
                && (72.0..=73.0).contains(&sample.value)
                && sample.time > at
                && sample.received > at
                && sample.received.since(at) < Duration::from_secs(5)
        };
        let own = own.unwrap_or(samples.len());
        prop_assert!(feedback && samples.iter().take(own).any(fresh), "{:?}", samples);
        prop_assert!(record.receipt().is_some() || record.before == Some(60.0), "the field had it anyway");
    }
    let count = |cell: &Cell<u32>, is: bool| cell.set(cell.get() + u32::from(is));
    count(&met.sent, record.sent().is_some());
    count(&met.verified, record.phase() == Phase::Verified);
    count(&met.in_doubt, record.phase() == Phase::Indeterminate);
    count(&met.expired, record.phase() == Phase::Expired);
    Ok(())
}

proptest! {
    /// What was read back twice, or reordered, or came before, ends in the same place as if it came once.
    #[test]
    fn an_event_that_is_repeated_changes_nothing_more(turns in prop::collection::vec((0.0..2.0f64, turn()), 1..16)) {
        let mut record = proposed(1, 0);
        let mut seconds = 0.0;
        for (pause, turn) in turns {
            seconds += pause;
            let Turn::Do(event) = turn else { continue };
            let Ok(next) = apply(&record, &event, after(seconds)) else { continue };
            match apply(&next, &event, after(seconds)) {
                Ok(again) => prop_assert_eq!(&again, &next, "{} twice", event.kind()),
                Err(Illegal::Event { .. } | Illegal::Resolved { .. } | Illegal::NothingMissing) => {}
                Err(other) => prop_assert!(false, "{}: {}", event.kind(), other),
            }
            record = next;
        }
    }
}
