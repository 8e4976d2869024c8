//! What stands in for the outputs of a behavior that gives none, because its twin is held apart. The site chooses;
//! the plugin is not asked. What is held is what the twin's last answered row gave, be it a row of the same frame.

use std::collections::{HashMap, HashSet};

use geminus_core::{Frame, Quality, Timestamp, TwinIndex};
use geminus_twin::BindingIndex;
use geminus_twin::plant::Substitute;

use super::cohorts::side::Stepped;

/// Which twins are stood in for, and since which row.
#[derive(Debug, Default)]
pub(crate) struct Substitutes {
    since: HashMap<(BindingIndex, TwinIndex), (Timestamp, &'static str)>,
}

/// The outputs of the last row that was answered.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) values: Vec<f64>,
    pub(crate) quality: Vec<Quality>,
}

impl Held {
    fn of((values, quality): (&[f64], &[Quality])) -> Self {
        Self { values: values.to_vec(), quality: quality.to_vec() }
    }

    /// Puts it in place of a row's outputs, as no better than `quality_max`.
    fn put_in(&self, values: &mut [f64], quality: &mut [Quality], quality_max: Quality) {
        for ((value, quality), (held, was)) in
            values.iter_mut().zip(quality).zip(self.values.iter().zip(&self.quality))
        {
            (*value, *quality) = (*held, was.worse(quality_max));
        }
    }
}

impl Substitutes {
    /// A twin was stood in for in an earlier run, since this row, and goes on being so. Gives what its outputs read until
    /// its next row, where `last` is what they read last.
    pub(crate) fn go_on(
        &mut self,
        substitute: &Substitute,
        (index, twin): (BindingIndex, TwinIndex),
        last: &Held,
        since: Option<Timestamp>,
    ) -> Held {
        if let Some(since) = since {
            self.since.insert((index, twin), (since, name(substitute)));
        }
        let quality_max = match substitute {
            Substitute::FailSafe(safe) => {
                return Held { values: safe.to_vec(), quality: vec![Quality::Uncertain; safe.len()] };
            }
            Substitute::None => None,
            Substitute::Hold { .. } => Some(Quality::Stale),
            Substitute::Uncertain => Some(Quality::Uncertain),
        };
        let cell = |(value, was): (&f64, &Quality)| match quality_max {
            Some(quality_max) if value.is_finite() => (*value, was.worse(quality_max)),
            _ => (f64::NAN, Quality::Bad),
        };
        let (values, quality) = last.values.iter().zip(&last.quality).map(cell).unzip();
        Held { values, quality }
    }

    /// Fills the rows that nobody answered. `before` gives a twin's outputs as they were before this frame.
    pub(crate) fn stand_in<'a>(
        &mut self,
        substitute: &Substitute,
        index: BindingIndex,
        frame: &Frame,
        stepped: &mut Stepped,
        before: impl Fn(TwinIndex) -> Option<(&'a [f64], &'a [Quality])>,
    ) {
        let outputs = stepped.outcome.outputs;
        if outputs == 0 || (self.since.is_empty() && stepped.by.iter().all(|by| *by != 0)) {
            return;
        }
        let unanswered = frame.twins.iter().zip(&stepped.by).filter(|(_, by)| **by == 0);
        let missing: HashSet<TwinIndex> = unanswered.map(|(twin, _)| *twin).collect();
        let mut last: HashMap<TwinIndex, Held> = HashMap::new();
        let rows = frame.twins.iter().zip(&frame.times).zip(&stepped.by);
        let cells =
            stepped.outcome.values.chunks_mut(outputs).zip(stepped.outcome.quality.chunks_mut(outputs));
        for (((twin, time), by), (values, quality)) in rows.zip(cells) {
            if *by != 0 {
                self.since.remove(&(index, *twin));
                if missing.contains(twin) {
                    last.insert(*twin, Held::of((values, quality)));
                }
                continue;
            }
            let (since, _) = *self.since.entry((index, *twin)).or_insert((*time, name(substitute)));
            if let Substitute::FailSafe(safe) = substitute {
                values.copy_from_slice(safe);
                quality.fill(Quality::Uncertain);
                continue;
            }
            let marked = match substitute {
                Substitute::Hold { seconds } if time.since(since).as_secs() < u64::from(*seconds) => {
                    Quality::Stale
                }
                Substitute::Uncertain => Quality::Uncertain,
                _ => continue,
            };
            if !last.contains_key(twin) {
                last.extend(before(*twin).map(|before| (*twin, Held::of(before))));
            }
            if let Some(held) = last.get(twin) {
                held.put_in(values, quality, marked);
            }
        }
    }

    /// What stands in for a twin's outputs now.
    pub(crate) fn in_force(&self, index: BindingIndex, twin: TwinIndex) -> Option<&'static str> {
        self.since.get(&(index, twin)).map(|(_, name)| *name)
    }
}

pub(crate) fn name(substitute: &Substitute) -> &'static str {
    match substitute {
        Substitute::None => "none",
        Substitute::Hold { .. } => "hold",
        Substitute::Uncertain => "uncertain",
        Substitute::FailSafe(_) => "fail-safe",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::Outcome;

    const SECOND: u64 = 1_000_000_000;
    const NO_VALUE: (f64, Quality) = (f64::NAN, Quality::Bad);

    /// A frame of twin 1 and its neighbour, twin 2, row by row from `second` on; `Some` is what was answered.
    fn a_frame(second: u64, rows: &[(u32, Option<f64>)]) -> (Frame, Stepped) {
        let mut frame = Frame::new(0);
        let mut outcome = Outcome { outputs: 2, ..Outcome::default() };
        let mut by = Vec::new();
        for ((twin, answer), time) in rows.iter().zip(second..) {
            frame.twins.push(TwinIndex(*twin));
            frame.times.push(Timestamp(time * SECOND));
            outcome.values.extend(answer.map_or([f64::NAN; 2], |value| [value, -value]));
            outcome.quality.extend([if answer.is_some() { Quality::Good } else { Quality::Bad }; 2]);
            by.push(u32::from(answer.is_some()));
        }
        (frame, Stepped { outcome, by, ..Stepped::default() })
    }

    /// What twin 1 has in the rows of both frames; before the first it had 1.0, before the second what that left.
    fn check(substitute: &Substitute, expect: &[(f64, Quality)]) {
        let mut substitutes = Substitutes::default();
        let mut last = (vec![1.0, -1.0], vec![Quality::Good; 2]);
        let frames = [
            a_frame(
                10,
                &[(1, Some(2.0)), (2, Some(7.0)), (1, Some(3.0)), (2, Some(8.0)), (1, None), (1, None)],
            ),
            a_frame(16, &[(1, None), (2, Some(9.0)), (1, None), (1, Some(4.0)), (1, None)]),
        ];
        let mut found = Vec::new();
        for (frame, mut stepped) in frames {
            let neighbour = stepped.outcome.values.clone();
            let before = |_| Some((last.0.as_slice(), last.1.as_slice()));
            substitutes.stand_in(substitute, BindingIndex(0), &frame, &mut stepped, before);
            let outcome = &stepped.outcome;
            for (row, twin) in frame.twins.iter().enumerate() {
                let cells = row * 2..row * 2 + 2;
                match twin.0 {
                    1 => {
                        last = (outcome.values[cells.clone()].to_vec(), outcome.quality[cells].to_vec());
                        found.push((last.0[0], last.1[0]));
                    }
                    _ => assert_eq!(outcome.values[cells.clone()], neighbour[cells], "the neighbour's own"),
                }
            }
        }
        let same = |a: &(f64, Quality), b: &(f64, Quality)| a.0.to_bits() == b.0.to_bits() && a.1 == b.1;
        let all = found.len() == expect.len() && found.iter().zip(expect).all(|(a, b)| same(a, b));
        assert!(all, "{substitute:?}: {found:?} instead of {expect:?}");
    }

    #[test]
    fn what_is_held_is_the_last_answered_row_also_of_the_same_frame() {
        let good = |value| (value, Quality::Good);
        let stale = |value| (value, Quality::Stale);
        let uncertain = |value| (value, Quality::Uncertain);
        check(
            &Substitute::Uncertain,
            &[
                good(2.0),
                good(3.0),
                uncertain(3.0),
                uncertain(3.0),
                uncertain(3.0),
                uncertain(3.0),
                good(4.0),
                uncertain(4.0),
            ],
        );
        // Rows are a second apart, and the first one without an answer is that of second 14.
        check(
            &Substitute::Hold { seconds: 4 },
            &[good(2.0), good(3.0), stale(3.0), stale(3.0), stale(3.0), NO_VALUE, good(4.0), stale(4.0)],
        );
        check(
            &Substitute::None,
            &[good(2.0), good(3.0), NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, good(4.0), NO_VALUE],
        );
        let safe = uncertain(-9.0);
        check(
            &Substitute::FailSafe([-9.0, 9.0].into()),
            &[good(2.0), good(3.0), safe, safe, safe, safe, good(4.0), safe],
        );
    }

    #[test]
    fn a_frame_that_begins_without_an_answer_holds_what_was_before_it() {
        let mut substitutes = Substitutes::default();
        let (frame, mut stepped) = a_frame(1, &[(1, None), (2, Some(5.0))]);
        let (values, quality) = ([1.5, f64::NAN], [Quality::Good, Quality::Bad]);
        let before = |twin: TwinIndex| (twin.0 == 1).then_some((&values[..], &quality[..]));
        substitutes.stand_in(&Substitute::Uncertain, BindingIndex(0), &frame, &mut stepped, before);
        assert_eq!(stepped.outcome.values[0], 1.5);
        assert!(stepped.outcome.values[1].is_nan());
        assert_eq!(stepped.outcome.quality, [Quality::Uncertain, Quality::Bad, Quality::Good, Quality::Good]);
        assert_eq!(substitutes.in_force(BindingIndex(0), TwinIndex(1)), Some("uncertain"));
        assert_eq!(substitutes.in_force(BindingIndex(0), TwinIndex(2)), None);
    }

    /// What a twin reads after a restart whose outputs read `last` before, and in rows a second apart from second 20 on,
    /// when it has been stood in for since `since`.
    fn check_again(
        substitute: &Substitute,
        last: (f64, Quality),
        since: Option<u64>,
        expect: &[(f64, Quality)],
    ) {
        let mut substitutes = Substitutes::default();
        let twin = (BindingIndex(0), TwinIndex(1));
        let last = Held { values: vec![last.0, -last.0], quality: vec![last.1; 2] };
        let since = since.map(|second| Timestamp(second * SECOND));
        let mut shown = substitutes.go_on(substitute, twin, &last, since);
        let mut found = vec![(shown.values[0], shown.quality[0])];
        assert_eq!(substitutes.in_force(twin.0, twin.1).is_some(), since.is_some(), "{substitute:?}");
        for second in 20..22 {
            let (frame, mut stepped) = a_frame(second, &[(1, None)]);
            let before = |_| Some((shown.values.as_slice(), shown.quality.as_slice()));
            substitutes.stand_in(substitute, twin.0, &frame, &mut stepped, before);
            shown = Held { values: stepped.outcome.values, quality: stepped.outcome.quality };
            found.push((shown.values[0], shown.quality[0]));
        }
        let same = |(a, b): (&(f64, Quality), &(f64, Quality))| a.0.to_bits() == b.0.to_bits() && a.1 == b.1;
        let all = found.len() == expect.len() && found.iter().zip(expect).all(same);
        assert!(all, "{substitute:?}: {found:?} instead of {expect:?}");
    }

    #[test]
    fn what_stood_in_before_a_restart_goes_on_from_the_first_moment() {
        let (stale, uncertain) = ((2.5, Quality::Stale), (2.5, Quality::Uncertain));
        let (good, hold) = ((2.5, Quality::Good), Substitute::Hold { seconds: 4 });
        check_again(&Substitute::Uncertain, uncertain, Some(10), &[uncertain; 3]);
        check_again(&Substitute::Uncertain, good, None, &[uncertain; 3]);
        // What is held ends when it would have ended, and not four seconds after the restart.
        check_again(&hold, stale, Some(17), &[stale, stale, NO_VALUE]);
        check_again(&hold, NO_VALUE, Some(10), &[NO_VALUE; 3]);
        check_again(&hold, good, None, &[stale; 3]);
        check_again(&Substitute::None, good, Some(10), &[NO_VALUE; 3]);
        let safe = (-9.0, Quality::Uncertain);
        check_again(&Substitute::FailSafe([-9.0, 9.0].into()), NO_VALUE, None, &[safe; 3]);
    }
}
