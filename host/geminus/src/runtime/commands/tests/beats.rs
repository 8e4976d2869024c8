//! Signs of life: when they are written, and when the twin is disarmed because they were not.

use geminus_api::view::HeartbeatView;

use super::super::show;
use super::*;

impl Rig {
    /// So many seconds in which the rig is heard from.
    fn live(&mut self, seconds: usize, temperature: f64) {
        for _ in 0..seconds {
            self.sample("temperature", temperature);
            self.pass(Duration::from_secs(1));
        }
    }

    /// Numbers of the beats that have left; only rig-1 is ever armed.
    fn beats(&self) -> Vec<u64> {
        let log = self.log();
        let beats = log.iter().filter(|line| line.starts_with("beat "));
        let number = |line: &String| line.strip_prefix("beat rig/rig-1/beat ")?.parse().ok();
        beats.map(|line| number(line).unwrap_or_else(|| panic!("{line}"))).collect()
    }

    fn heartbeat(&self) -> HeartbeatView {
        let view = show::targets(&self.desk, Some("rig-1"), self.now);
        let target = view.targets.into_iter().find(|target| target.name == "watched").expect("watched");
        target.heartbeat.expect("a heartbeat")
    }

    fn effective(&self) -> Authority {
        self.desk.authority("rig-1").expect("rig-1").effective
    }
}

#[test]
fn an_armed_twin_beats_in_step_and_one_that_is_not_armed_does_not() {
    let mut rig = Rig::new();
    rig.live(3, 40.0);
    assert!(rig.beats().is_empty());
    assert_eq!(rig.heartbeat().silent.as_deref(), Some("the twin is not armed"));
    rig.arm();
    rig.live(4, 40.0);
    assert_eq!(rig.beats(), [1, 2, 3, 4], "one a second");
    let view = rig.heartbeat();
    assert_eq!((view.address.as_str(), view.every_ms, view.beats), ("rig/rig-1/beat", 1_000, 4));
    assert!(view.last.is_some() && view.silent.is_none(), "{view:?}");
    rig.desk.order_authority("rig-1", Authority::Advise, "", &actor("Anna"), rig.now).expect("disarmed");
    rig.live(3, 40.0);
    assert_eq!(rig.beats().len(), 4);
    assert_eq!(rig.told("heartbeat-missed"), 0, "it should be silent");
    assert!(rig.left().is_empty(), "and nothing is ordered");
}

#[test]
fn without_a_journal_there_are_no_beats_until_a_person_arms() {
    let mut rig = Rig::new();
    rig.arm();
    rig.live(2, 40.0);
    rig.seen.seen().mute = Some("the disk is full".to_owned());
    rig.live(3, 40.0);
    rig.seen.seen().mute = None;
    rig.live(3, 40.0);
    assert_eq!(rig.beats(), [1, 2]);
    rig.arm();
    rig.live(2, 40.0);
    assert_eq!(rig.beats(), [1, 2, 3, 4]);
}

#[test]
fn a_host_that_stood_still_beats_no_more_until_a_person_arms() {
    let mut rig = Rig::new();
    rig.arm();
    rig.live(2, 40.0);
    rig.jump(Duration::from_secs(10));
    rig.desk.tick(rig.now);
    rig.live(3, 40.0);
    assert_eq!((rig.beats(), rig.effective()), (vec![1, 2], Authority::Advise));
    assert_eq!((rig.told("host-stood-still"), rig.told("heartbeat-missed")), (1, 0));
    rig.arm();
    rig.live(2, 40.0);
    assert_eq!(rig.beats(), [1, 2, 3, 4]);
}

#[test]
fn a_pause_in_which_the_field_gave_up_disarms_before_anything_else() {
    let mut rig = Rig::new();
    rig.arm();
    rig.live(1, 40.0);
    // A beat is nearly due again: shorter than what disarms everybody, and five seconds without a beat all the same.
    rig.jump(Duration::from_millis(450));
    rig.desk.tick(rig.now);
    rig.jump(Duration::from_millis(4_800));
    assert_eq!((rig.beats(), rig.effective()), (vec![1], Authority::Advise));
    assert_eq!((rig.told("host-stood-still"), rig.told("heartbeat-missed")), (0, 1));
    rig.desk.tick(rig.now);
    rig.live(2, 40.0);
    assert_eq!(rig.beats(), [1]);
    assert_eq!(rig.told("heartbeat-missed"), 1, "once");
}

#[test]
fn a_line_that_is_away_for_long_disarms_and_a_short_gap_does_not() {
    let mut rig = Rig::new();
    rig.arm();
    rig.live(1, 40.0);
    rig.seen.seen().away = Some("there is no connection".to_owned());
    rig.live(3, 40.0);
    assert_eq!(rig.heartbeat().silent.as_deref(), Some("there is no connection"));
    rig.seen.seen().away = None;
    rig.live(2, 40.0);
    assert_eq!((rig.beats(), rig.effective()), (vec![1, 2, 3], Authority::Control), "none is left out");
    rig.seen.seen().away = Some("there is no connection".to_owned());
    rig.live(6, 40.0);
    assert_eq!((rig.told("heartbeat-missed"), rig.effective()), (1, Authority::Advise));
    let reasons = rig.desk.authority("rig-1").expect("rig-1").reasons;
    assert!(reasons.iter().any(|why| why.contains("no heartbeat of watched left")), "{reasons:?}");
    assert!(reasons.iter().any(|why| why.contains("there is no connection")), "{reasons:?}");
    rig.seen.seen().away = None;
    rig.live(3, 40.0);
    assert_eq!(rig.beats(), [1, 2, 3], "that it is back arms nobody");
}

#[test]
fn a_trip_whose_fail_action_is_release_ends_the_beats_while_it_is_active() {
    let mut rig = Rig::new();
    rig.arm();
    rig.live(2, 40.0);
    rig.live(8, 130.0);
    assert_eq!((rig.beats(), rig.effective()), (vec![1, 2], Authority::Control));
    let silent = rig.heartbeat().silent.expect("silent");
    assert!(silent.contains("given back to the field"), "{silent}");
    rig.live(2, 40.0);
    assert_eq!((rig.beats(), rig.told("heartbeat-missed")), (vec![1, 2, 3, 4], 0));
}
