//! Who may command a target, and what the next owner starts from.

use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn by(who: &str) -> Holding {
    Holding { by: who.to_owned(), reason: "work".to_owned(), since: NOW, until: None }
}

fn locked(who: &str) -> Holding {
    Holding { until: Some(NOW.plus(HOUR)), ..by(who) }
}

fn operator(name: &str) -> Proposer {
    Proposer::Operator { name: name.to_owned() }
}

fn behavior() -> Proposer {
    Proposer::Behavior { name: "b".to_owned(), version: "1.0.0".to_owned(), digest: "sha256:0".to_owned() }
}

fn level(result: Result<(), OwnerError>) -> Result<(), Precedence> {
    result.map_err(|error| match error {
        OwnerError::Held { level, .. } => level,
        other => panic!("{other}"),
    })
}

#[test]
fn what_cannot_be_read_locks_the_target_until_that_is_released_and_beside_the_lockouts_of_people() {
    use Precedence::{Behavior, Lockout, Operator};
    let mut target = Ownership::default();
    target.request(Lockout, locked("carl"), None, NOW).expect("locked");
    target.lock_unreadable("state unreadable", NOW);
    assert!(target.is_unreadable());
    // Nobody else's word ends it: not by name, not by time, not over a restart.
    let not_held = Err(OwnerError::NotHeld { level: Lockout });
    target.release(Lockout, "carl", None, NOW).expect("his own");
    for who in ["carl", "the host"] {
        assert_eq!(target.release(Lockout, who, None, NOW), not_held);
    }
    assert_eq!(target.tick(Some(40.0), NOW.plus(HOUR * 24)), None);
    let text = serde_json::to_string(&target).expect("json");
    let mut target: Ownership = serde_json::from_str(&text).expect("read back");
    for proposer in [behavior(), operator("carl")] {
        assert_eq!(level(target.may_command(&proposer, NOW)), Err(Lockout));
    }
    assert_eq!(target.holdings(NOW).map(|(level, _)| level).collect::<Vec<_>>(), [Lockout]);
    target.request(Operator, by("anna"), None, NOW).expect("beneath it");
    let over = target.release_unreadable(None, NOW).expect("released").expect("hand-over");
    assert_eq!(over, HandOver { from: Lockout, to: Operator, start: Start::Unknown });
    assert_eq!(target.release_unreadable(None, NOW), not_held);
    target.release(Operator, "anna", None, NOW).expect("released");
    assert_eq!(target.owner(NOW), (Behavior, None));
    let text = serde_json::to_string(&target).expect("json");
    assert!(!text.contains("unreadable"), "as an older version wrote it: {text}");
}

#[test]
fn what_somebody_holds_is_nobody_elses_who_is_called_so_at_the_issuer() {
    let mut target = Ownership::default();
    target.request(Precedence::Operator, by("anna"), None, NOW).expect("taken");
    assert_eq!(level(target.may_command(&operator("oidc:anna"), NOW)), Err(Precedence::Operator));
    target.request(Precedence::Lockout, locked("anna"), None, NOW).expect("locked");
    let refused = target.release(Precedence::Lockout, "oidc:anna", None, NOW);
    assert_eq!(refused, Err(OwnerError::NotYours { by: "anna".to_owned() }));
}

#[test]
fn a_higher_owner_takes_a_target_and_a_lower_one_gets_it_back() {
    use Precedence::{Behavior, Local, Lockout, Operator};
    let mut target = Ownership::default();
    target.wrote(40.0, NOW, true);
    assert_eq!(target.may_command(&behavior(), NOW), Ok(()));
    let over = target.request(Operator, by("anna"), Some(41.0), NOW).expect("taken").expect("hand-over");
    assert_eq!(over, HandOver { from: Behavior, to: Operator, start: Start::Present(41.0) });
    assert_eq!(level(target.may_command(&behavior(), NOW)), Err(Operator));
    assert_eq!(target.may_command(&operator("Anna"), NOW), Ok(()));
    assert_eq!(level(target.may_command(&operator("ben"), NOW)), Err(Operator), "one owner at a time");
    assert_eq!(target.request(Operator, by("ben"), None, NOW), Ok(None), "a person takes over");
    assert_eq!(target.may_command(&operator("ben"), NOW), Ok(()));

    target.request(Lockout, locked("carl"), None, NOW).expect("locked");
    assert_eq!(target.request(Local, by("panel"), None, NOW), Ok(None), "beneath a lockout");
    for proposer in [behavior(), operator("ben"), operator("carl")] {
        assert_eq!(level(target.may_command(&proposer, NOW)), Err(Lockout));
    }
    let levels: Vec<Precedence> = target.holdings(NOW).map(|(level, _)| level).collect();
    assert_eq!(levels, [Lockout, Local, Operator]);
    let over = target.release(Lockout, "carl", None, NOW).expect("released").expect("hand-over");
    assert_eq!((over.from, over.to), (Lockout, Local));
    assert_eq!(level(target.may_command(&operator("ben"), NOW)), Err(Local));
    target.release(Local, "panel", None, NOW).expect("released");
    assert_eq!(target.may_command(&operator("ben"), NOW), Ok(()));
    let over = target.release(Operator, "ben", Some(55.0), NOW).expect("released").expect("hand-over");
    assert_eq!(over, HandOver { from: Operator, to: Behavior, start: Start::Present(55.0) });
    assert_eq!(target.start(), Some(Start::Present(55.0)));
    target.wrote(54.0, NOW, false);
    assert_eq!(target.start(), None, "it has started");
}

#[test]
fn the_next_owner_starts_from_what_is_known_or_a_person_commands_first() {
    use Precedence::{Local, Operator};
    let back = |level: Precedence, written: Option<(f64, bool)>, present: Option<f64>| {
        let mut target = Ownership::default();
        target.request(level, by("anna"), None, NOW).expect("taken");
        if let Some((value, verified)) = written {
            target.wrote(value, NOW, verified);
        }
        let over = target.release(level, "anna", present, NOW).expect("released").expect("hand-over");
        (over.start, target.may_command(&behavior(), NOW).is_ok())
    };
    assert_eq!(back(Operator, Some((30.0, true)), None), (Start::Written(30.0), true));
    assert_eq!(back(Operator, Some((30.0, true)), Some(31.0)), (Start::Present(31.0), true));
    assert_eq!(back(Operator, Some((30.0, false)), None), (Start::Unknown, false));
    assert_eq!(back(Operator, None, None), (Start::Unknown, false));
    assert_eq!(back(Operator, None, Some(f64::NAN)), (Start::Unknown, false));
    // At its own panel a machine may have been moved.
    assert_eq!(back(Local, Some((30.0, true)), None), (Start::Unknown, false));

    let mut target = Ownership::default();
    target.request(Operator, by("anna"), None, NOW).expect("taken");
    target.wrote(30.0, NOW, true);
    target.lost();
    target.release(Operator, "anna", None, NOW).expect("released");
    assert_eq!(target.may_command(&behavior(), NOW), Err(OwnerError::NoStart));
    assert_eq!(target.may_command(&operator("ben"), NOW), Ok(()));
    assert_eq!(target.tick(Some(30.2), NOW), None);
    assert_eq!(target.start(), Some(Start::Present(30.2)), "the feedback is back");
    assert_eq!(target.may_command(&behavior(), NOW), Ok(()));
}

#[test]
fn a_lockout_has_a_person_a_reason_and_an_end_and_survives_a_restart() {
    use Precedence::{Behavior, Lockout};
    let mut target = Ownership::default();
    assert_eq!(target.request(Lockout, by("carl"), None, NOW), Err(OwnerError::Endless));
    assert_eq!(
        target.request(Lockout, Holding { until: Some(NOW), ..by("carl") }, None, NOW),
        Err(OwnerError::Until)
    );
    let silent = Holding { reason: " ".to_owned(), ..locked("carl") };
    assert_eq!(target.request(Lockout, silent, None, NOW), Err(OwnerError::Reason));
    assert!(matches!(target.request(Lockout, locked(""), None, NOW), Err(OwnerError::Name(_))));
    assert_eq!(target.request(Behavior, by("b"), None, NOW), Err(OwnerError::NotAsked));
    target.request(Lockout, locked("carl"), None, NOW).expect("locked");
    let refused = Err(OwnerError::NotYours { by: "carl".to_owned() });
    assert_eq!(target.request(Lockout, locked("anna"), None, NOW), refused);
    assert_eq!(target.release(Lockout, "anna", None, NOW), refused);

    let text = serde_json::to_string(&target).expect("json");
    let mut kept: Ownership = serde_json::from_str(&text).expect("json");
    assert_eq!(kept, target);
    assert_eq!(level(kept.may_command(&behavior(), NOW)), Err(Lockout));
    let later = NOW.plus(HOUR);
    assert_eq!(kept.owner(later).0, Behavior, "its time is over");
    let over = kept.tick(Some(12.5), later).expect("hand-over");
    assert_eq!(over, HandOver { from: Lockout, to: Behavior, start: Start::Present(12.5) });
    assert_eq!(kept.release(Lockout, "carl", None, later), Err(OwnerError::NotHeld { level: Lockout }));
}

#[test]
fn a_clock_that_is_set_makes_a_lockout_neither_shorter_nor_longer() {
    use Precedence::{Behavior, Lockout};
    for (from, to) in [(NOW, NOW.plus(HOUR * 3)), (NOW.plus(HOUR * 3), NOW)] {
        let mut target = Ownership::default();
        assert!(!target.clock_was_set(from, to), "nobody has it");
        let holding = Holding { since: from, until: Some(from.plus(HOUR)), ..by("carl") };
        target.request(Lockout, holding, None, from).expect("locked");
        assert!(target.clock_was_set(from, to));
        let last = to.plus(HOUR).minus(std::time::Duration::from_nanos(1));
        assert_eq!((target.owner(last).0, target.owner(to.plus(HOUR)).0), (Lockout, Behavior), "{from:?}");
        assert_eq!(target.holdings(to).map(|(_, holding)| holding.since).next(), Some(to));
    }
}
