//! What becomes of signs of life: one under way for each address, and what became of the one before decides what is said of
//! the next. Pure: an egress asks it and carries out what it says.
//!
//! A beat has an answer, and it comes later than whoever wrote can wait. So a beat counts as left when it is handed over and
//! nothing is known against its predecessor. Once one was refused or stayed without an answer, the next ones count only when
//! the other side has taken them. So a line that is dead is noticed, and one that comes back brings one late beat at most.

use std::collections::HashMap;

use geminus_core::Timestamp;

use crate::Beat;

/// Addresses whose beats are remembered.
const ADDRESSES_MAX: usize = 10_000;
/// Why a beat waits.
const UNANSWERED: &str = "the heartbeat before has no answer yet";

/// What is to be done with a beat that is due.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    /// Whether it is written now.
    pub write: bool,
    /// Whether it has left, as far as is known; why not.
    pub left: Result<(), String>,
}

/// What is known of the beats to one address.
#[derive(Debug, Default)]
struct Pulse {
    /// One waits for its answer.
    under_way: bool,
    /// What was wrong with the last one that was answered.
    failed: Option<String>,
    /// The beat that went through after a failure, and was not yet counted.
    through: Option<u64>,
    /// When the last one was written.
    written: Option<Timestamp>,
}

/// The beats that leave through one egress.
#[derive(Debug, Default)]
pub struct Pulses(HashMap<String, Pulse>);

impl Pulses {
    /// What is to be done with this beat. One that is to be written counts as under way until [`Pulses::answered`].
    pub fn due(&mut self, beat: &Beat<'_>) -> Due {
        if !self.0.contains_key(beat.address) && self.0.len() >= ADDRESSES_MAX {
            let left = Err(format!("heartbeats go to {ADDRESSES_MAX} addresses already: divide the targets"));
            return Due { write: false, left };
        }
        let pulse = self.0.entry(beat.address.to_owned()).or_default();
        if pulse.under_way {
            let reason = pulse.failed.clone().unwrap_or_else(|| UNANSWERED.to_owned());
            return Due { write: false, left: Err(reason) };
        }
        let due = match &pulse.failed {
            // It was written again after a failure, and the server has taken it.
            None if pulse.through.take() == Some(beat.sequence) => Due { write: false, left: Ok(()) },
            None => Due { write: true, left: Ok(()) },
            // A server that refuses is asked as often as one that does not, and no more.
            Some(reason) => {
                let since = pulse.written.filter(|written| *written <= beat.time);
                let write = since.is_none_or(|written| beat.time.since(written) >= beat.every);
                Due { write, left: Err(reason.clone()) }
            }
        };
        if due.write {
            (pulse.under_way, pulse.written) = (true, Some(beat.time));
        }
        due
    }

    /// What became of the beat of this number to this address.
    pub fn answered(&mut self, address: &str, sequence: u64, outcome: Result<(), String>) {
        let Some(pulse) = self.0.get_mut(address) else { return };
        pulse.under_way = false;
        match outcome {
            Ok(()) => pulse.through = pulse.failed.take().map(|_| sequence),
            Err(reason) => pulse.failed = Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NODE: &str = "ns=2;s=beat";

    fn beat(address: &str, sequence: u64, time_ms: u64) -> Beat<'_> {
        let (time, every) = (Timestamp::from_millis(time_ms), Duration::from_secs(1));
        Beat { twin: "pump-1", target: "speed", address, sequence, time, every }
    }

    fn check(pulses: &mut Pulses, (sequence, time_ms): (u64, u64), write: bool, left: Result<(), &str>) {
        let left = left.map_err(str::to_owned);
        assert_eq!(
            pulses.due(&beat(NODE, sequence, time_ms)),
            Due { write, left },
            "{sequence} at {time_ms}"
        );
    }

    #[test]
    fn beats_that_are_taken_leave_one_after_the_other() {
        let mut pulses = Pulses::default();
        for sequence in 1..=3 {
            check(&mut pulses, (sequence, sequence * 1_000), true, Ok(()));
            pulses.answered(NODE, sequence, Ok(()));
        }
    }

    #[test]
    fn one_is_under_way_at_most_and_other_addresses_do_not_wait_for_it() {
        let mut pulses = Pulses::default();
        check(&mut pulses, (1, 1_000), true, Ok(()));
        check(&mut pulses, (2, 2_000), false, Err(UNANSWERED));
        check(&mut pulses, (2, 9_000), false, Err(UNANSWERED));
        assert!(pulses.due(&beat("ns=2;s=other", 1, 2_000)).write);
        pulses.answered(NODE, 1, Err("the server did not answer".to_owned()));
        check(&mut pulses, (2, 9_100), true, Err("the server did not answer"));
    }

    #[test]
    fn after_a_refusal_a_beat_counts_once_the_server_has_taken_it_and_has_its_number_once() {
        let mut pulses = Pulses::default();
        check(&mut pulses, (1, 1_000), true, Ok(()));
        pulses.answered(NODE, 1, Err("BadNotWritable".to_owned()));
        check(&mut pulses, (2, 2_000), true, Err("BadNotWritable"));
        check(&mut pulses, (2, 2_100), false, Err("BadNotWritable"));
        pulses.answered(NODE, 2, Err("BadNotWritable".to_owned()));
        for time_ms in [2_200, 2_300, 2_999] {
            check(&mut pulses, (2, time_ms), false, Err("BadNotWritable"));
        }
        check(&mut pulses, (2, 3_000), true, Err("BadNotWritable"));
        pulses.answered(NODE, 2, Ok(()));
        check(&mut pulses, (2, 3_100), false, Ok(()));
        check(&mut pulses, (3, 4_100), true, Ok(()));
        pulses.answered(NODE, 3, Ok(()));
        check(&mut pulses, (4, 5_100), true, Ok(()));
    }

    #[test]
    fn a_clock_that_is_put_back_does_not_silence_a_node() {
        let mut pulses = Pulses::default();
        check(&mut pulses, (1, 9_000), true, Ok(()));
        pulses.answered(NODE, 1, Err("BadTimeout".to_owned()));
        check(&mut pulses, (2, 1_000), true, Err("BadTimeout"));
    }

    #[test]
    fn only_so_many_addresses_are_remembered() {
        let mut pulses = Pulses::default();
        for number in 0..ADDRESSES_MAX {
            assert!(pulses.due(&beat(&format!("ns=2;i={number}"), 1, 0)).write);
        }
        let more = pulses.due(&beat(NODE, 1, 0));
        assert!(!more.write && more.left.is_err_and(|why| why.contains("10000 addresses")));
        assert_eq!(pulses.0.len(), ADDRESSES_MAX);
    }
}
