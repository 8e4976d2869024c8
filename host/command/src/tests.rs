//! The table, walked wholly; each rule by itself; and what holds for every sequence of events.

mod random;
mod rules;
mod walk;

use std::time::Duration;

use geminus_core::{Quality, Timestamp};
use uuid::{Builder, Uuid};

use super::*;

pub(crate) const NOW: Timestamp = Timestamp(1_900_000_000_000_000_000);

/// An id made at [`NOW`], a larger one for a larger number.
pub(crate) fn id(number: u16) -> Uuid {
    let mut random = [0; 10];
    random[8..].copy_from_slice(&number.to_be_bytes());
    Builder::from_unix_timestamp_millis(NOW.millis(), &random).into_uuid()
}

/// Proposed at [`NOW`] by a behavior; good for a minute.
pub(crate) fn command(number: u16) -> Command {
    Command {
        id: id(number),
        twin: "pump-1".to_owned(),
        target: "load-limit".to_owned(),
        value: 72.5,
        unit: "%".to_owned(),
        proposer: Proposer::Behavior {
            name: "throttle".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "sha256:00".to_owned(),
        },
        reason: "winding is warm".to_owned(),
        evidence: vec![Evidence {
            point: "winding_temperature".to_owned(),
            value: Some(141.3),
            quality: Quality::Good,
            time: NOW,
        }],
        proposed: NOW,
        not_after: NOW.plus(Duration::from_secs(60)),
        class: "routine".to_owned(),
    }
}

/// Read back within 5 s; approvals hold for 30 s.
pub(crate) fn terms(approvers: u8) -> Terms {
    let feedback = Feedback { point: "load_limit".to_owned(), tolerance: 0.5, within_ms: 5_000 };
    Terms { approvers, approve_within_ms: 30_000, feedback: Some(feedback), destination: None }
}

pub(crate) fn after(seconds: f64) -> Timestamp {
    match seconds < 0.0 {
        true => NOW.minus(Duration::from_secs_f64(-seconds)),
        false => NOW.plus(Duration::from_secs_f64(seconds)),
    }
}

pub(crate) fn proposed(number: u16, approvers: u8) -> Record {
    Record::propose(command(number), terms(approvers), NOW).expect("proposed")
}

/// What these events make of it, all at [`NOW`].
pub(crate) fn along(record: &Record, events: &[Event]) -> Record {
    events.iter().fold(record.clone(), |record, event| apply(&record, event, NOW).expect("legal"))
}

pub(crate) fn armed(number: u16) -> Record {
    along(&proposed(number, 0), &[Event::Permit, Event::Arm])
}

pub(crate) fn sent(number: u16) -> Record {
    along(&armed(number), &[send()])
}

/// The field showed another value before.
pub(crate) fn send() -> Event {
    Event::Send { before: Some(60.0) }
}

pub(crate) fn in_doubt(number: u16) -> Record {
    along(&sent(number), &[Event::Lose { reason: "the connection broke".to_owned() }])
}

/// A good sample of the wished value at this many seconds after [`NOW`].
pub(crate) fn sample(seconds: f64) -> ReadBack {
    ReadBack { value: 72.4, quality: Quality::Good, time: after(seconds), received: after(seconds) }
}

pub(crate) fn approve(record: &Record, by: &str) -> Event {
    Event::Approve { by: by.to_owned(), digest: record.digest() }
}
