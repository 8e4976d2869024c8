//! Every state × every event: legal as the book's table says, or refused by name, and never anything else.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::*;

/// A record in each state, with whatever the state may know.
fn in_phase(phase: Phase) -> Vec<Record> {
    let waiting = proposed(1, 1);
    let checked = along(&waiting, &[Event::Permit]);
    let held = along(&checked, &[Event::Hold]);
    let approved = along(&held, &[approve(&held, "anna")]);
    let acked = along(&sent(1), &[Event::Acknowledge { receipt: "PUBACK".to_owned() }]);
    let no_feedback =
        Record::propose(command(1), Terms { feedback: None, ..terms(0) }, NOW).expect("proposed");
    let bare = along(&no_feedback, &[Event::Permit, Event::Arm, send()]);
    let bare_acked = along(&bare, &[Event::Acknowledge { receipt: "PUBACK".to_owned() }]);
    let at =
        |record: &Record, event: Event, seconds: f64| apply(record, &event, after(seconds)).expect("legal");
    match phase {
        Phase::Proposed => vec![proposed(1, 0), waiting],
        Phase::Checked => vec![along(&proposed(1, 0), &[Event::Permit]), checked],
        Phase::Held => vec![held, approved],
        Phase::Armed => vec![armed(1), along(&approved, &[Event::Arm])],
        Phase::Sent => vec![sent(1), bare, at(&sent(1), Event::ReadBack(sample(1.0)), 1.0)],
        Phase::TransportAcked => vec![acked, bare_acked],
        Phase::Verified => vec![at(&acked, Event::ReadBack(sample(1.0)), 1.0)],
        Phase::Refused => vec![
            along(&held, &[Event::Refuse { rule: "range".to_owned(), reason: "too much".to_owned() }]),
            along(&held, &[Event::Reject { by: "ben".to_owned(), reason: "not now".to_owned() }]),
        ],
        Phase::Expired => vec![at(&armed(1), Event::Tick, 10.0), at(&held, Event::Tick, 30.0)],
        Phase::Superseded => vec![along(&held, &[Event::Supersede { by: id(2) }])],
        Phase::Failed => vec![along(&sent(1), &[Event::NotSent { reason: "no route".to_owned() }])],
        Phase::Indeterminate => {
            vec![in_doubt(1), at(&acked, Event::Tick, 5.0), along(&bare, &[Event::Restart])]
        }
    }
}

/// One event of each kind, with whatever it may say.
fn events(kind: EventKind, record: &Record) -> Vec<Event> {
    let (by, text) = (|| "ben".to_owned(), || "because".to_owned());
    match kind {
        EventKind::Permit => vec![Event::Permit],
        EventKind::Refuse => vec![Event::Refuse { rule: "range".to_owned(), reason: text() }],
        EventKind::Hold => vec![Event::Hold],
        EventKind::Approve => {
            vec![approve(record, "ben"), approve(record, "anna"), approve(record, "throttle")]
        }
        EventKind::Reject => vec![Event::Reject { by: by(), reason: text() }],
        EventKind::Arm => vec![Event::Arm],
        EventKind::Send => vec![send(), Event::Send { before: None }, Event::Send { before: Some(72.5) }],
        EventKind::Acknowledge => vec![Event::Acknowledge { receipt: "PUBACK".to_owned() }],
        EventKind::NotSent => vec![Event::NotSent { reason: text() }],
        EventKind::Decline => vec![Event::Decline { reason: text() }],
        EventKind::Lose => vec![Event::Lose { reason: text() }],
        EventKind::ReadBack => [0.0, 1.0, 4.9, 5.0].map(|seconds| Event::ReadBack(sample(seconds))).to_vec(),
        EventKind::Tick => vec![Event::Tick],
        EventKind::Supersede => vec![Event::Supersede { by: id(2) }],
        EventKind::Withdraw => vec![Event::Withdraw { by: by(), reason: text() }],
        EventKind::Restart => vec![Event::Restart],
        EventKind::Resolve => vec![Event::Resolve { by: by(), note: text() }],
        EventKind::Overtake => vec![Event::Overtake { by: id(2) }],
    }
}

#[test]
fn every_event_in_every_state_is_legal_as_the_table_says_or_refused_by_name() {
    for phase in Phase::ALL {
        for kind in EventKind::ALL {
            let possible = outcomes(phase, kind);
            let mut met = BTreeSet::new();
            for record in in_phase(phase) {
                assert_eq!(record.phase(), phase);
                // On time, at each deadline, long afterwards, and by a clock that was set back.
                let times = [0.0, 1.0, 4.9, 5.0, 9.9, 10.0, 29.9, 30.0, 60.0, 3_600.0].map(after);
                for now in times.into_iter().chain([NOW.minus(Duration::from_secs(3_600))]) {
                    for event in events(kind, &record) {
                        match apply(&record, &event, now) {
                            Ok(next) => {
                                assert!(possible.contains(&next.phase()), "{phase} {kind}: {}", next.phase());
                                let changed = next != record;
                                assert_eq!(next.step() - record.step(), u32::from(changed), "{phase} {kind}");
                                let text = next.document().expect("document");
                                assert_eq!(Record::from_document(&text).expect("a true record"), next);
                                met.insert(next.phase());
                            }
                            Err(Illegal::Event { event: named, phase: stands }) => {
                                assert_eq!((named, stands), (kind, phase));
                                assert!(possible.is_empty(), "{phase} {kind} is in the table");
                            }
                            Err(Illegal::Broken { to, .. }) => panic!("{phase} {kind} leads to {to}"),
                            Err(_) => {
                                assert!(!possible.is_empty(), "{phase} {kind}: refused by another rule")
                            }
                        }
                    }
                }
            }
            assert_eq!(met, possible.iter().copied().collect(), "{phase} {kind}: the table promises more");
        }
    }
}

/// The table as the book has it: a row for each state, and in it each event that is possible with what it leads to.
fn table() -> String {
    let mut text = "| state | event → what it leads to |\n|---|---|\n".to_owned();
    for phase in Phase::ALL {
        let cells: Vec<String> = EventKind::ALL
            .iter()
            .filter(|kind| !outcomes(phase, **kind).is_empty())
            .map(|kind| {
                let to: Vec<&str> = outcomes(phase, *kind).iter().map(|to| to.name()).collect();
                format!("{kind} → {}", to.join(" or "))
            })
            .collect();
        writeln!(text, "| `{phase}` | {} |", cells.join("; ")).expect("text");
    }
    text
}

#[test]
fn the_book_has_this_very_table() {
    let book = include_str!("../../../../docs/book/commands.md");
    assert!(book.contains(&table()), "docs/book/commands.md must contain this table:\n{}", table());
}

#[test]
fn names_are_those_of_the_documents() {
    for phase in Phase::ALL {
        assert_eq!(serde_json::to_value(phase).expect("json"), phase.name());
        for record in in_phase(phase) {
            let document: serde_json::Value =
                serde_json::from_str(&record.document().expect("document")).expect("json");
            assert_eq!(document["state"]["state"], phase.name());
        }
    }
    for kind in EventKind::ALL {
        for event in events(kind, &proposed(1, 0)) {
            assert_eq!(event.kind(), kind);
            let json = serde_json::to_value(&event).expect("json");
            assert_eq!(json["event"], kind.name());
            assert_eq!(serde_json::from_value::<Event>(json).expect("json"), event);
        }
    }
}
