//! Each rule by itself: deadlines, approvals, read-back, restart.

use geminus_core::{Authority, Digest};

use super::*;

fn expired(record: &Record, event: Event, now: Timestamp) -> Option<(Phase, Lateness)> {
    match apply(record, &event, now).expect("legal").state() {
        State::Expired { at, cause } => Some((*at, *cause)),
        _ => None,
    }
}

#[test]
fn the_deadline_is_checked_at_every_hop() {
    let last = after(60.0).minus(Duration::from_nanos(1));
    let slow = Terms { approve_within_ms: 86_400_000, ..terms(1) };
    let proposed = Record::propose(command(1), slow, NOW).expect("proposed");
    let checked = along(&proposed, &[Event::Permit]);
    let held = along(&checked, &[Event::Hold]);
    let approved = along(&held, &[approve(&held, "anna")]);
    let armed = apply(&approved, &Event::Arm, last).expect("in time");
    for (record, event) in [
        (&proposed, Event::Permit),
        (&checked, Event::Hold),
        (&held, approve(&held, "anna")),
        (&approved, Event::Arm),
        (&armed, send()),
    ] {
        assert_eq!(expired(record, event.clone(), last), None, "{}", event.kind());
        assert_eq!(expired(record, event, after(60.0)), Some((record.phase(), Lateness::NotAfter)));
        assert_eq!(expired(record, Event::Tick, after(60.0)), Some((record.phase(), Lateness::NotAfter)));
        assert_eq!(record.deadline(), Some(after(60.0)));
    }
    let late = Record::propose(command(1), terms(0), after(60.0)).expect("a command");
    assert_eq!(*late.state(), State::Expired { at: Phase::Proposed, cause: Lateness::NotAfter });
}

#[test]
fn an_armed_command_is_sent_soon_or_not_at_all() {
    assert_eq!(expired(&armed(1), send(), after(9.9)), None);
    assert_eq!(expired(&armed(1), send(), after(10.0)), Some((Phase::Armed, Lateness::Arming)));
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_later_than_it_is() {
    let back = NOW.minus(CLOCK_BACK_MAX + Duration::from_nanos(1));
    for (record, event) in [(proposed(1, 0), Event::Permit), (armed(1), send()), (armed(1), Event::Tick)] {
        assert_eq!(expired(&record, event, back), Some((record.phase(), Lateness::ClockWentBack)));
    }
    let little = apply(&armed(1), &send(), NOW.minus(CLOCK_BACK_MAX)).expect("sent");
    assert_eq!(little.sent(), Some(NOW), "never before it was armed");
    let doubt = apply(&sent(1), &Event::Tick, back).expect("legal");
    assert_eq!(*doubt.state(), State::Indeterminate { doubt: Doubt::ClockWentBack, settle_until: None });
}

#[test]
fn approvals_come_from_distinct_people_who_did_not_propose_it() {
    let anna = Proposer::Operator { name: "anna".to_owned() };
    let program = Proposer::Program { name: "mes".to_owned(), owner: Some("anna".to_owned()) };
    for proposer in [anna, program] {
        let proposed = Record::propose(Command { proposer, ..command(1) }, terms(2), NOW).expect("proposed");
        let held = along(&proposed, &[Event::Permit, Event::Hold]);
        let own = ApprovalError::OwnProposal { by: "Anna".to_owned() };
        assert_eq!(apply(&held, &approve(&held, "Anna"), NOW), Err(Illegal::Approval(own)));
        let nobody = Illegal::Approval(ApprovalError::Nobody);
        assert_eq!(apply(&held, &approve(&held, " "), NOW), Err(nobody));
        assert_eq!(apply(&held, &Event::Arm, NOW), Err(Illegal::Approvals { missing: 2 }));
        let one = along(&held, &[approve(&held, "ben")]);
        let twice = ApprovalError::Twice { by: "BEN ".to_owned() };
        assert_eq!(apply(&one, &approve(&one, "BEN "), NOW), Err(Illegal::Approval(twice)));
        assert_eq!(apply(&one, &Event::Arm, NOW), Err(Illegal::Approvals { missing: 1 }));
        let two = along(&one, &[approve(&one, "carl")]);
        let sent = along(&two, &[Event::Arm, send()]);
        assert_eq!(
            sent.standing(NOW).map(|approval| approval.by.as_str()).collect::<Vec<_>>(),
            ["ben", "carl"]
        );
    }
}

/// A login of the host and one over the issuer are one person, as far as approving goes.
#[test]
fn two_logins_of_one_person_are_one_approver() {
    let anna = Proposer::Operator { name: "anna".to_owned() };
    let over = Proposer::Operator { name: "oidc:anna".to_owned() };
    let program = Proposer::Program { name: "mes".to_owned(), owner: Some("anna".to_owned()) };
    for (proposer, by) in [(anna, "oidc:Anna"), (over, "anna"), (program, "oidc:anna")] {
        let proposed = Record::propose(Command { proposer, ..command(1) }, terms(2), NOW).expect("proposed");
        let held = along(&proposed, &[Event::Permit, Event::Hold]);
        let own = ApprovalError::OwnProposal { by: by.to_owned() };
        assert_eq!(apply(&held, &approve(&held, by), NOW), Err(Illegal::Approval(own)));
        let one = along(&held, &[approve(&held, "oidc:ben")]);
        let twice = ApprovalError::Twice { by: "Ben".to_owned() };
        assert_eq!(apply(&one, &approve(&one, "Ben"), NOW), Err(Illegal::Approval(twice)));
        assert_eq!(along(&one, &[approve(&one, "oidc:carl")]).missing_approvals(NOW), 0);
    }
    // What an older version took for two people counts for one from here on, and what it sent can still be read.
    let held = along(&proposed(1, 2), &[Event::Permit, Event::Hold, approve(&proposed(1, 2), "ben")]);
    let two = along(&held, &[approve(&held, "carl"), Event::Arm]);
    let sent = along(&two, &[send()]);
    let older = |record: &Record| {
        let text = record.document().expect("document").replace("carl", "oidc:ben");
        Record::from_document(&text).expect("a true record")
    };
    assert_eq!(older(&two).missing_approvals(NOW), 1);
    assert_eq!(expired(&older(&two), send(), NOW), Some((Phase::Armed, Lateness::Approval)));
    assert_eq!(older(&sent).phase(), Phase::Sent);
}

#[test]
fn an_approval_is_bound_to_the_bytes_and_expires() {
    let held = along(&proposed(1, 1), &[Event::Permit, Event::Hold]);
    let mut changed = command(1);
    changed.value = f64::from_bits(changed.value.to_bits() + 1);
    let other = Event::Approve { by: "anna".to_owned(), digest: changed.digest() };
    let refused = ApprovalError::ChangedBytes { approved: changed.digest(), command: held.digest() };
    assert_eq!(apply(&held, &other, NOW), Err(Illegal::Approval(refused)));

    // It waits for 30 s; what was approved at 29 s is sent at 38 s, while the approval holds.
    let approved = apply(&held, &approve(&held, "anna"), after(29.0)).expect("approved");
    let armed = apply(&approved, &Event::Arm, after(29.5)).expect("armed");
    assert_eq!(apply(&armed, &send(), after(38.0)).expect("sent").phase(), Phase::Sent);
    assert_eq!(expired(&held, approve(&held, "anna"), after(30.0)), Some((Phase::Held, Lateness::Approval)));
    // Approved at 1 s, armed at 29.9 s: at 31 s the approval is over, although arming is not.
    let early = apply(&held, &approve(&held, "anna"), after(1.0)).expect("approved");
    let armed = apply(&early, &Event::Arm, after(29.9)).expect("armed");
    assert_eq!(expired(&armed, send(), after(31.0)), Some((Phase::Armed, Lateness::Approval)));
}

#[test]
fn holding_and_arming_follow_the_number_of_people() {
    let checked = along(&proposed(1, 0), &[Event::Permit]);
    assert_eq!(apply(&checked, &Event::Hold, NOW), Err(Illegal::NothingMissing));
    let checked = along(&proposed(1, 1), &[Event::Permit]);
    assert_eq!(apply(&checked, &Event::Arm, NOW), Err(Illegal::Approvals { missing: 1 }));
    let anna = Proposer::Operator { name: "anna".to_owned() };
    let program = Proposer::Program { name: "mes".to_owned(), owner: None };
    for (authority, proposer, approvers, expect) in [
        (Authority::Observe, &anna, 0, None),
        (Authority::Advise, &anna, 0, Some(0)),
        (Authority::Advise, &anna, 2, Some(2)),
        (Authority::Advise, &program, 0, Some(1)),
        (Authority::Advise, &command(1).proposer, 0, Some(1)),
        (Authority::Advise, &command(1).proposer, 2, Some(2)),
        (Authority::Control, &command(1).proposer, 0, Some(0)),
        (Authority::Control, &program, 1, Some(1)),
    ] {
        let class = Class { approvers, approve_within_s: 300 };
        assert_eq!(class.approvers(authority, proposer), expect, "{authority:?} {proposer}");
    }
}

#[test]
fn a_person_who_approves_again_and_again_meets_a_limit() {
    let long = Command { not_after: after(80_000.0), ..command(1) };
    let mut record =
        along(&Record::propose(long, terms(2), NOW).expect("proposed"), &[Event::Permit, Event::Hold]);
    for turn in 0..APPROVALS_MAX {
        let now = after(turn as f64 * 31.0);
        if turn > 0 {
            // Checked again after a restart it waits anew; its first approval is over by then.
            record.state = State::Held { until: now.plus(Duration::from_secs(30)) };
        }
        record = apply(&record, &approve(&record, "anna"), now).expect("approved");
    }
    let now = after(APPROVALS_MAX as f64 * 31.0);
    record.state = State::Held { until: now.plus(Duration::from_secs(30)) };
    assert_eq!(apply(&record, &approve(&record, "anna"), now), Err(Illegal::TooManyApprovals));
}

#[test]
fn only_a_fresh_read_back_verifies_also_when_the_acknowledgement_comes_late() {
    let sent = sent(1);
    let at = |sample: ReadBack| apply(&sent, &Event::ReadBack(sample), after(1.0)).expect("legal");
    assert_eq!(at(sample(0.0)), sent, "as old as the command");
    assert_eq!(at(ReadBack { value: 71.9, ..sample(1.0) }), sent);
    assert_eq!(at(ReadBack { quality: Quality::Uncertain, ..sample(1.0) }), sent);
    let shown = at(sample(1.0));
    assert_eq!(shown.phase(), Phase::Sent, "it waits for the transport");
    let acked =
        apply(&shown, &Event::Acknowledge { receipt: "PUBACK".to_owned() }, after(2.0)).expect("late");
    assert_eq!(*acked.state(), State::Verified { read_back: sample(1.0) });
    assert_eq!(
        (acked.phase(), acked.receipt().map(|receipt| receipt.at)),
        (Phase::Verified, Some(after(2.0)))
    );
    let again =
        apply(&acked, &Event::Acknowledge { receipt: "again".to_owned() }, after(3.0)).expect("legal");
    assert_eq!(again, acked, "the first receipt counts");
}

#[test]
fn what_did_not_leave_is_not_verified_by_a_value_that_the_field_had_anyway() {
    let shown = apply(&sent(1), &Event::ReadBack(sample(1.0)), after(1.0)).expect("legal");
    let becomes = |event: Event, seconds: f64| apply(&shown, &event, after(seconds)).expect("legal").phase();
    assert_eq!(becomes(Event::NotSent { reason: "no connection".to_owned() }, 2.0), Phase::Failed);
    assert_eq!(becomes(Event::Decline { reason: "not authorized".to_owned() }, 2.0), Phase::Failed);
    // It may have left, and the field shows it.
    assert_eq!(becomes(Event::Lose { reason: "it broke".to_owned() }, 2.0), Phase::Verified);
    assert_eq!(becomes(Event::Tick, 4.9), Phase::Sent);
    assert_eq!(becomes(Event::Tick, 5.0), Phase::Verified);
    assert_eq!(becomes(Event::Tick, -3_600.0), Phase::Indeterminate);
    assert_eq!(recover(&shown, None, after(2.0)).expect("legal").phase(), Phase::Verified);
    // It outlives a restart, and is looked at with mistrust.
    let text = shown.document().expect("document");
    assert_eq!(Record::from_document(&text).expect("a true record"), shown);
    let altered =
        Record::from_document(&text.replace("\"72.4\"", "\"60\"")).expect_err("altered").to_string();
    assert!(altered.contains("its read-back does not show it"), "{altered}");
    let old = sent(1).document().expect("document");
    assert!(!old.contains("shown"), "as an older version wrote it: {old}");
}

/// Nobody knows whether it left, and the field shows what it may have shown all along.
#[test]
fn what_nobody_acknowledged_is_not_verified_by_a_value_that_the_field_may_have_had_before() {
    let check = |before: Option<f64>, event: &Event, expect: Phase| {
        let sent = along(&armed(1), &[Event::Send { before }]);
        let shown = apply(&sent, &Event::ReadBack(sample(1.0)), after(1.0)).expect("legal");
        let doubt = apply(&shown, event, after(2.0)).expect("legal");
        let found = apply(&doubt, &Event::ReadBack(sample(3.0)), after(3.0)).unwrap_or(doubt);
        assert_eq!(found.phase(), expect, "{before:?} {}", event.kind());
        found
    };
    for event in [Event::Lose { reason: "it broke".to_owned() }, Event::Restart] {
        check(Some(60.0), &event, Phase::Verified);
        for before in [Some(72.5), Some(73.0), Some(f64::NAN), None] {
            let doubt = check(before, &event, Phase::Indeterminate);
            // Once the transport says that it has it, the field does show its effect.
            let acked = Event::Acknowledge { receipt: "PUBACK".to_owned() };
            let acked = apply(&doubt, &acked, after(3.5)).expect("legal");
            let settled = apply(&acked, &Event::ReadBack(sample(4.0)), after(4.0)).expect("legal");
            assert_eq!(settled.phase(), Phase::Verified);
        }
    }
    let silent = along(&armed(1), &[Event::Send { before: Some(72.0) }, Event::ReadBack(sample(1.0))]);
    assert_eq!(apply(&silent, &Event::Tick, after(5.0)).expect("legal").phase(), Phase::Indeterminate);
}

/// A newer command that is read back at the same point is sent: what shows there from then on may be its doing.
#[test]
fn what_shows_after_a_newer_command_was_sent_says_nothing_of_an_older_one() {
    let newer = Event::Overtake { by: id(2) };
    let acked = along(&sent(1), &[Event::Acknowledge { receipt: "PUBACK".to_owned() }]);
    for record in [sent(1), acked.clone(), in_doubt(1)] {
        let overtaken = apply(&record, &newer, after(1.0)).expect("legal");
        assert_eq!((overtaken.phase(), overtaken.overtaken()), (record.phase(), Some(id(2))));
        assert!(!overtaken.feedback_counts());
        let shown = apply(&overtaken, &Event::ReadBack(sample(2.0)), after(2.0)).expect("legal");
        assert_eq!(shown, overtaken);
        let text = overtaken.document().expect("document");
        assert_eq!(Record::from_document(&text).expect("a true record"), overtaken);
        let late = apply(&overtaken, &Event::Tick, after(5.0)).expect("legal");
        let open = |state: &State| matches!(state, State::Indeterminate { settle_until: Some(_), .. });
        assert!(late.phase() == Phase::Indeterminate && !open(late.state()), "{:?}", late.state());
        let again = recover(&overtaken, Some(&sample(2.0)), after(2.0)).expect("legal");
        assert!(again.phase() == Phase::Indeterminate && !open(again.state()), "{:?}", again.state());
    }
    // What it showed before counts.
    let shown = apply(&sent(1), &Event::ReadBack(sample(1.0)), after(1.0)).expect("legal");
    let overtaken = apply(&shown, &newer, after(1.5)).expect("legal");
    let settled = apply(&overtaken, &Event::Acknowledge { receipt: String::new() }, after(2.0));
    assert_eq!(settled.expect("legal").phase(), Phase::Verified);
    let document = in_doubt(1).document().expect("document");
    assert!(!document.contains("overtaken"), "as an older version wrote it: {document}");
}

#[test]
fn without_a_read_back_in_time_nobody_knows() {
    let acked = along(&sent(1), &[Event::Acknowledge { receipt: String::new() }]);
    let tick = |record: &Record, seconds: f64| apply(record, &Event::Tick, after(seconds)).expect("legal");
    assert_eq!(tick(&acked, 4.9), acked);
    let doubt = |doubt| State::Indeterminate { doubt, settle_until: None };
    assert_eq!(*tick(&acked, 5.0).state(), doubt(Doubt::NoReadBack));
    assert_eq!(*tick(&sent(1), 5.0).state(), doubt(Doubt::NoAnswer));
    assert_eq!((sent(1).deadline(), acked.deadline()), (Some(after(5.0)), Some(after(5.0))));
    let late = apply(&tick(&acked, 5.0), &Event::ReadBack(sample(5.5)), after(5.5)).expect("legal");
    assert_eq!(late.phase(), Phase::Indeterminate);
    assert!(late.is_in_doubt() && !late.is_over());

    // With a long time for the read-back the transport still has to answer; a read-back can settle it meanwhile.
    let feedback = terms(0).feedback.map(|feedback| Feedback { within_ms: 60_000, ..feedback });
    let slow = Record::propose(command(1), Terms { feedback, ..terms(0) }, NOW).expect("proposed");
    let silent = tick(&along(&slow, &[Event::Permit, Event::Arm, send()]), 10.0);
    let open = State::Indeterminate { doubt: Doubt::NoAnswer, settle_until: Some(after(60.0)) };
    assert_eq!(*silent.state(), open);
    let settled = apply(&silent, &Event::ReadBack(sample(59.0)), after(59.0)).expect("legal");
    assert_eq!(settled.phase(), Phase::Verified);
}

#[test]
fn a_target_without_feedback_ends_with_the_acknowledgement() {
    let bare = Record::propose(command(1), Terms { feedback: None, ..terms(0) }, NOW).expect("proposed");
    let sent = along(&bare, &[Event::Permit, Event::Arm, send()]);
    assert_eq!(sent.deadline(), Some(NOW.plus(ANSWER_MAX)));
    assert_eq!(apply(&sent, &Event::ReadBack(sample(1.0)), after(1.0)), Err(Illegal::NoFeedback));
    let acked = along(&sent, &[Event::Acknowledge { receipt: "PUBACK".to_owned() }]);
    assert!(acked.is_over() && !acked.is_in_flight());
    assert_eq!(apply(&acked, &Event::Tick, after(3_600.0)).as_ref(), Ok(&acked));
    assert_eq!(recover(&acked, None, after(3_600.0)).as_ref(), Ok(&acked));
}

#[test]
fn a_restart_sends_nothing_and_believes_only_what_was_read_back() {
    let now = after(2.0);
    let phase = |record: &Record, seconds: f64| recover(record, None, after(seconds)).expect("legal").phase();
    // Armed but not sent: checked again, or expired.
    assert_eq!(phase(&armed(1), 2.0), Phase::Proposed);
    assert_eq!(phase(&armed(1), 10.0), Phase::Expired);
    assert_eq!(phase(&along(&proposed(1, 0), &[Event::Permit]), 2.0), Phase::Proposed);
    // People are still waited for, and what they said holds; but it is armed only when permitted anew.
    let held = along(&proposed(1, 1), &[Event::Permit, Event::Hold]);
    let approved = along(&held, &[approve(&held, "anna")]);
    assert_eq!(recover(&approved, None, now).as_ref(), Ok(&approved));
    let armed_once = along(&approved, &[Event::Arm]);
    let again = recover(&armed_once, None, now).expect("legal");
    assert_eq!((again.phase(), again.missing_approvals(now)), (Phase::Proposed, 0));
    let again = apply(&again, &Event::Permit, now).and_then(|record| apply(&record, &Event::Arm, now));
    assert_eq!(again.expect("armed").phase(), Phase::Armed);
    // Sent without an answer: nobody knows, unless it was read back.
    let open = State::Indeterminate { doubt: Doubt::Restart, settle_until: Some(after(5.0)) };
    let doubt = recover(&sent(1), None, now).expect("legal");
    assert_eq!(*doubt.state(), open);
    assert_eq!(recover(&sent(1), Some(&sample(0.0)), now).expect("legal"), doubt, "an old sample");
    assert_eq!(recover(&sent(1), Some(&sample(1.0)), after(600.0)).expect("legal").phase(), Phase::Verified);
    let settled = apply(&doubt, &Event::ReadBack(sample(3.0)), after(3.0)).expect("legal");
    assert_eq!(settled.phase(), Phase::Verified);
    // Acknowledged: the read-back is still waited for, until its time is over.
    let acked = along(&sent(1), &[Event::Acknowledge { receipt: String::new() }]);
    assert_eq!(recover(&acked, None, now).as_ref(), Ok(&acked));
    let late = State::Indeterminate { doubt: Doubt::Restart, settle_until: None };
    assert_eq!(*recover(&acked, None, after(5.0)).expect("legal").state(), late);
}

#[test]
fn a_person_settles_what_is_in_doubt_once() {
    let resolve = |by: &str| Event::Resolve { by: by.to_owned(), note: "it is at 72 %".to_owned() };
    let seen = apply(&in_doubt(1), &resolve("anna"), after(20.0)).expect("legal");
    assert!(seen.is_over() && seen.phase() == Phase::Indeterminate);
    let again = Err(Illegal::Resolved { by: "anna".to_owned() });
    assert_eq!(apply(&seen, &resolve("ben"), after(21.0)), again);
    assert!(matches!(apply(&in_doubt(1), &resolve(""), NOW), Err(Illegal::Name(_))));
    let later = apply(&seen, &Event::ReadBack(sample(1.0)), after(22.0)).expect("legal");
    assert_eq!(later, seen, "what a person found stays");
}

#[test]
fn a_document_that_was_altered_is_no_record() {
    let acked = along(&sent(1), &[Event::Acknowledge { receipt: "PUBACK".to_owned() }]);
    let verified = apply(&acked, &Event::ReadBack(sample(1.0)), after(1.0)).expect("verified");
    let text = verified.document().expect("document");
    let altered = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in {text}");
        Record::from_document(&text.replace(from, to)).expect_err("altered").to_string()
    };
    assert!(altered("\"72.5\"", "\"73\"").contains("its bytes are not those of its digest"));
    assert!(altered("\"72.4\"", "\"60\"").contains("its read-back does not show it"));
    let sent = format!("\"sent\":{}", NOW.0);
    assert!(altered(&sent, "\"sent\":null").contains("the time of sending"));
    assert!(altered(&sent, &format!("\"sent\":{}", after(60.0).0)).contains("too late"));
    assert!(altered("\"approvers\":0", "\"approvers\":1").contains("without its approvals"));
    assert!(altered("\"approvers\":0", "\"approvers\":7").contains("could not have been proposed"));
    assert!(altered("\"step\":", "\"steps\":").contains("cannot be read"));
    assert_eq!(verified.digest(), Digest::of(&command(1).bytes()));
}

#[test]
fn classes_are_held_to_their_bounds() {
    let read =
        |json: serde_json::Value| serde_json::from_value::<Class>(json).map_err(|error| error.to_string());
    let routine = read(serde_json::json!({ "approvers": 0 })).expect("a class");
    assert_eq!((routine.approve_within_s, routine.check()), (300, Ok(())));
    assert_eq!(Terms::new(&routine, 2, None, None).approve_within_ms, 300_000);
    assert!(
        read(serde_json::json!({ "approvers": 0, "rank": 1 })).is_err_and(|error| error.contains("rank"))
    );
    assert!(read(serde_json::json!({})).is_err_and(|error| error.contains("approvers")));
    let class = |approvers, approve_within_s| Class { approvers, approve_within_s }.check();
    assert_eq!(class(2, 86_400), Ok(()));
    assert_eq!(class(3, 300), Err(ClassError::Approvers { found: 3 }));
    assert_eq!(class(1, 0), Err(ClassError::Within { found: 0 }));
    assert_eq!(class(1, 86_401), Err(ClassError::Within { found: 86_401 }));
}
