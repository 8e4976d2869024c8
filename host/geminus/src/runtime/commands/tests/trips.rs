//! A long walk at random: whatever people wish, approve and arm, and whatever the field shows, hides or says late, no order but
//! the safe value leaves while a trip is active, and no order leaves twice.

use std::collections::BTreeSet;

use super::*;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// The fail action of `free`, which is the only thing that leaves while its trip is active; nobody else wishes it here.
const SAFE: &str = "left rig/rig-1/set/free 1";

/// Whether the temperature is known to be at most this.
fn is_cool(rig: &Rig, most: f64) -> bool {
    let twin = rig.desk.plant.find("rig-1").expect("rig-1");
    let reading = rig.desk.points.reading(rig.desk.plant.series_of(twin, "temperature"), rig.now);
    reading.quality.usable() && reading.value <= most
}

/// What left since, held against what is known; gives how much was wished and how much was safe.
fn look(rig: &Rig, seen: &mut usize, seed: u64) -> (usize, usize) {
    let left = rig.left();
    let (mut wished, mut safe) = (0, 0);
    for line in &left[*seen..] {
        if line == SAFE {
            assert!(!is_cool(rig, 90.0), "seed {seed}: the safe value without a trip");
            safe += 1;
            continue;
        }
        let most = if line.contains("/set/watched ") { 120.0 } else { 90.0 };
        assert!(is_cool(rig, most), "seed {seed}: {line} left while a trip was active");
        wished += 1;
    }
    *seen = left.len();
    (wished, safe)
}

fn walk(seed: u64) -> (usize, usize) {
    let dice = &mut Dice(seed);
    let mut rig = Rig::new();
    let (mut seen, mut total) = (0, (0, 0));
    let mut open: Vec<CommandView> = Vec::new();
    for step in 0..120_u64 {
        match dice.roll(9) {
            0 | 1 => rig.sample("temperature", [40.0, 60.0, 89.0, 95.0, 125.0][dice.roll(5) as usize]),
            2 => {
                // Looked at after each turn: what left at its beginning was right then.
                for _ in 0..=dice.roll(40) {
                    rig.pass(Duration::from_millis(500));
                    let more = look(&rig, &mut seen, seed);
                    total = (total.0 + more.0, total.1 + more.1);
                }
            }
            3 | 4 => {
                let target = ["free", "watched"][dice.roll(2) as usize];
                let value = 2.0 + dice.roll(8) as f64;
                // The target takes no more than so many a minute; then there is nothing to look at.
                let wish = Wish { id: None, ..rig.wish(target, value, 0) };
                if let Ok((command, _)) = rig.desk.propose(wish, actor("Anna"), rig.now) {
                    open.push(command);
                }
            }
            5 => {
                // Some are over by then, which is said.
                if let Some(command) = open.get(dice.roll(open.len().max(1) as u64) as usize).cloned() {
                    drop(rig.approve(&command, "Ben"));
                }
            }
            6 => {
                let level = [Authority::Control, Authority::Advise][dice.roll(2) as usize];
                let armed = rig.desk.order_authority("rig-1", level, "", &actor("Anna"), rig.now);
                assert!(armed.is_ok(), "seed {seed} step {step}: {armed:?}");
            }
            7 => {
                let waits = rig.seen.seen().replies.last().is_some_and(Option::is_some);
                if waits {
                    rig.acknowledge();
                }
            }
            _ => rig.sample("current", 1.0 + dice.roll(9) as f64),
        }
        let more = look(&rig, &mut seen, seed);
        total = (total.0 + more.0, total.1 + more.1);
    }
    let kept = rig.seen.seen();
    let sent: Vec<Uuid> = kept
        .rows
        .values()
        .filter(|row| row.document.contains("\"sent\":1"))
        .map(|row| Uuid::from_bytes(row.id))
        .collect();
    let once: BTreeSet<Uuid> = sent.iter().copied().collect();
    assert_eq!(
        (once.len(), sent.len()),
        (seen, seen),
        "seed {seed}: each that is written down as sent left once"
    );
    total
}

#[test]
fn nothing_but_the_safe_value_leaves_while_a_trip_is_active() {
    let (wished, safe) = (0..150).map(walk).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(wished > 300 && safe > 50, "{wished} wishes and {safe} safe values left: the walks say little");
}

#[test]
fn each_sample_of_a_round_is_judged_and_not_only_the_last() {
    let mut rig = Rig::new();
    rig.samples("temperature", &[40.0, 95.0, 40.0]);
    assert_eq!((rig.told("interlock-tripped"), rig.told("interlock-cleared")), (1, 1));
    rig.arm();
    rig.samples("temperature", &[95.0, 41.0, 96.0, 42.0]);
    assert_eq!((rig.told("interlock-tripped"), rig.told("interlock-cleared")), (3, 3));
    assert_eq!(
        rig.left().first().map(String::as_str),
        Some(SAFE),
        "the fail action is due, though it is cool again"
    );
    rig.samples("temperature", &[43.0, 44.0, 45.0]);
    assert_eq!(rig.told("interlock-tripped"), 3);
}
