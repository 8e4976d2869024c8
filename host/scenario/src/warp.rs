//! Rows as a scenario has them, made of rows as they are.
//!
//! First the inputs take their other course, which is what would happen; then sensors fail, in the order in which the
//! faults are written, which is what would be told of it. Rows must come in order, as one twin's rows do.

use std::collections::VecDeque;

use geminus_core::declaration::Arrival;
use geminus_core::{Declaration, Frame, Quality, Timestamp};

use crate::draw::Dice;
use crate::outlook::Held;
use crate::scenario::{FaultKind, InputChange, Scenario, SensorFault};
use crate::trajectory::value_at;

/// A scenario at work on the rows of one twin.
#[derive(Clone, Debug)]
pub struct Warp {
    start: Timestamp,
    inputs: usize,
    changes: Vec<(usize, InputChange)>,
    faults: Vec<Failing>,
    skews: Vec<SensorFault>,
}

/// A fault of one input, and what it remembers.
#[derive(Clone, Debug)]
struct Failing {
    fault: SensorFault,
    place: usize,
    counts_once: bool,
    /// What was given last of what may be used.
    last: Option<Held>,
    /// What it is stuck at.
    stuck: Option<f64>,
    /// What is on its way, with its time.
    under_way: VecDeque<(u64, f64, Quality)>,
    dice: Dice,
}

impl Warp {
    /// For rows after `start`, of a behavior that declares this and whose inputs held this before. What does not fit the
    /// declaration is passed over: see [`Scenario::misfits`].
    #[must_use]
    pub fn new(scenario: &Scenario, declaration: &Declaration, start: Timestamp, held: &[Held]) -> Self {
        let place = |name: &str| declaration.inputs.iter().position(|input| input.name == name);
        let changes = scenario.inputs.iter();
        let changes = changes.filter_map(|(name, change)| Some((place(name)?, change.clone()))).collect();
        let failing = |(number, fault): (usize, &SensorFault)| {
            let place = place(fault.input.as_deref()?)?;
            let counts_once = declaration.inputs.get(place)?.arrival == Arrival::Event;
            let before = held.get(place).filter(|(value, quality)| quality.usable() && value.is_finite());
            Some(Failing {
                fault: fault.clone(),
                place,
                counts_once,
                last: before.copied(),
                stuck: None,
                under_way: VecDeque::new(),
                dice: Dice::new(number as u64 + 1),
            })
        };
        let faults = scenario.faults.iter().enumerate().filter_map(failing).collect();
        let skews =
            scenario.faults.iter().filter(|fault| fault.kind == FaultKind::ClockSkew).cloned().collect();
        Self { start, inputs: declaration.inputs.len(), changes, faults, skews }
    }

    /// Whether it leaves every row as it is.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.changes.is_empty() && self.faults.is_empty() && self.skews.is_empty()
    }

    /// Makes the scenario's rows of the next ones.
    pub fn apply(&mut self, frame: &mut Frame) {
        if self.is_idle() {
            return;
        }
        for (row, time) in frame.times.iter_mut().enumerate() {
            let at_s = seconds(self.start, *time);
            let mut cell = |place: usize, work: &mut dyn FnMut(&mut f64, &mut Quality, Option<&mut u32>)| {
                let at = row * self.inputs + place;
                if let (Some(value), Some(quality)) = (frame.values.get_mut(at), frame.quality.get_mut(at)) {
                    work(value, quality, frame.ages_ms.get_mut(at));
                }
            };
            for (place, change) in &self.changes {
                cell(*place, &mut |value, quality, age| changed(change, at_s, value, quality, age));
            }
            for failing in &mut self.faults {
                cell(failing.place, &mut |value, quality, age| {
                    failing.tell(time.0, at_s, value, quality, age)
                });
            }
            let skewed = self.skews.iter().filter(|skew| within(skew, at_s)).filter_map(|skew| skew.by);
            *time = moved(*time, skewed.sum());
        }
    }
}

/// Seconds from `start` to `time`; whole nanoseconds do not count beyond 2⁵³.
pub(crate) fn seconds(start: Timestamp, time: Timestamp) -> f64 {
    time.since(start).as_secs_f64()
}

fn moved(time: Timestamp, by_s: f64) -> Timestamp {
    let span = std::time::Duration::try_from_secs_f64(by_s.abs()).unwrap_or_default();
    if by_s < 0.0 { time.minus(span) } else { time.plus(span) }
}

fn within(fault: &SensorFault, at_s: f64) -> bool {
    at_s >= fault.from_s && fault.to_s.is_none_or(|to_s| at_s < to_s)
}

fn changed(change: &InputChange, at_s: f64, value: &mut f64, quality: &mut Quality, age: Option<&mut u32>) {
    if let Some(given) = value_at(&change.points, change.between, at_s) {
        (*value, *quality) = (given, Quality::Good);
        if let Some(age) = age {
            *age = 0;
        }
    }
    if *quality != Quality::Missing && (change.scale, change.add) != (1.0, 0.0) {
        *value = *value * change.scale + change.add;
    }
    if !value.is_finite() {
        (*value, *quality) = (f64::NAN, Quality::Missing);
    }
}

impl Failing {
    fn tell(&mut self, time: u64, at_s: f64, value: &mut f64, quality: &mut Quality, age: Option<&mut u32>) {
        if self.fault.kind == FaultKind::Delay {
            self.under_way.push_back((time, *value, *quality));
        }
        if within(&self.fault, at_s) {
            self.fail(time, at_s, value, quality);
            if let (Some(age), true) = (age, *quality == Quality::Missing) {
                *age = u32::MAX;
            }
        } else {
            // It came at once.
            self.under_way.clear();
        }
        if quality.usable() && value.is_finite() {
            self.last = Some((*value, *quality));
        }
    }

    fn fail(&mut self, time: u64, at_s: f64, value: &mut f64, quality: &mut Quality) {
        let by = self.fault.by.unwrap_or(0.0);
        let usable = quality.usable() && value.is_finite();
        match self.fault.kind {
            FaultKind::Stuck => {
                let stuck = self.stuck.or(self.last.map(|(last, _)| last)).or(usable.then_some(*value));
                self.stuck = stuck;
                // A sensor that counts once speaks when it would have spoken.
                if let Some(stuck) = stuck.filter(|_| !self.counts_once || *quality != Quality::Missing) {
                    (*value, *quality) = (stuck, Quality::Good);
                }
            }
            FaultKind::Bias if usable => *value += by,
            FaultKind::Drift if usable => *value += by * (at_s - self.fault.from_s),
            FaultKind::Dropout if self.fault.by.is_none_or(|share| self.dice.roll() < share) => {
                (*value, *quality) = match self.last.filter(|_| !self.counts_once) {
                    Some((last, _)) => (last, Quality::Stale),
                    None => (f64::NAN, Quality::Missing),
                };
            }
            FaultKind::Delay => (*value, *quality) = self.arrived(time, by),
            FaultKind::Bias | FaultKind::Drift | FaultKind::Dropout | FaultKind::ClockSkew => {}
        }
    }

    /// What has arrived by `time`: of an input that holds the last value, or what came before the delay began; of one that
    /// counts once the last that no row has had.
    fn arrived(&mut self, time: u64, by_s: f64) -> (f64, Quality) {
        let sent = moved(Timestamp(time), -by_s).0;
        let here = self.under_way.partition_point(|(at, ..)| *at <= sent);
        let mut news = self.under_way.iter().take(here);
        let found = match self.counts_once {
            true => news.rev().find(|(.., quality)| *quality != Quality::Missing).copied(),
            false => news.next_back().copied(),
        };
        self.under_way.drain(..if self.counts_once { here } else { here.saturating_sub(1) });
        let found = found.map(|(_, value, quality)| (value, quality));
        found.or(self.last.filter(|_| !self.counts_once)).unwrap_or((f64::NAN, Quality::Missing))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use geminus_core::TwinIndex;
    use std::sync::Arc;

    /// One input that holds, one that counts once, one output.
    pub(crate) fn declaration() -> Arc<Declaration> {
        let json = serde_json::json!({
            "declaration": 1, "name": "ahead", "version": "1.0.0", "kind": "estimator",
            "inputs": [{"name": "load", "unit": "1"}, {"name": "level", "unit": "m", "arrival": "event"}],
            "outputs": [{"name": "heat", "unit": "Cel"}, {"name": "rate", "unit": "1"}],
            "alerts": [{"code": "hot", "priority": "high", "text": "hot", "unit": "Cel"}],
            "state": {"schema": 1, "reads": [1], "writes": [1]},
        });
        Arc::new(Declaration::parse(json.to_string().as_bytes()).expect("declaration"))
    }

    const S: u64 = 1_000_000_000;

    /// Rows at 101, 102 … s after a start at 100 s: load is the number of the row, level ten times that.
    fn rows(count: u64) -> Frame {
        let mut frame = Frame::new(2);
        for row in 1..=count {
            frame.twins.push(TwinIndex(0));
            frame.times.push(Timestamp((100 + row) * S));
            frame.values.extend([row as f64, 10.0 * row as f64]);
            frame.quality.extend([Quality::Good; 2]);
        }
        frame
    }

    fn warped(text: &str, batches: &[u64]) -> Frame {
        let scenario: Scenario = toml::from_str(text).expect("scenario");
        assert_eq!(scenario.misfits(&declaration()), Vec::<String>::new());
        let held = [(0.5, Quality::Good), (f64::NAN, Quality::Missing)];
        let mut warp = Warp::new(&scenario, &declaration(), Timestamp(100 * S), &held);
        let (mut all, mut from) = (Frame::new(2), 0);
        for batch in batches {
            let mut part = Frame::new(2);
            part.extend_from(&rows(6), from, from + *batch as usize);
            from += *batch as usize;
            warp.apply(&mut part);
            all.extend_from(&part, 0, part.rows());
        }
        all
    }

    /// What one input is in six rows, as `value`, `value?` when stale and `-` when missing; whatever the batches.
    fn check(text: &str, input: usize, expect: &str) {
        let shown = |frame: &Frame| {
            let cells = frame.values.iter().zip(&frame.quality).skip(input).step_by(2);
            let each = cells.map(|(value, quality)| match quality {
                Quality::Missing => "-".to_owned(),
                Quality::Stale => format!("{value}?"),
                _ => value.to_string(),
            });
            each.collect::<Vec<_>>().join(" ")
        };
        for batches in [&[6][..], &[1; 6], &[2, 4]] {
            assert_eq!(shown(&warped(text, batches)), expect, "{text} in {batches:?}");
        }
    }

    fn fault(kind: &str, input: &str, more: &str) -> String {
        format!("[[faults]]\nkind = \"{kind}\"\ninput = \"{input}\"\n{more}")
    }

    #[test]
    fn inputs_take_another_course() {
        check("", 0, "1 2 3 4 5 6");
        check("[inputs.load]\npoints = [[3, 9.0]]\n", 0, "1 2 9 9 9 9");
        check("[inputs.load]\npoints = [[2, 0.0], [4, 4.0]]\nbetween = \"line\"\n", 0, "1 0 2 4 4 4");
        check("[inputs.load]\nscale = 2\nadd = 0.5\n", 0, "2.5 4.5 6.5 8.5 10.5 12.5");
        check("[inputs.level]\npoints = [[0, 3.0]]\nadd = 1\n", 1, "4 4 4 4 4 4");
    }

    #[test]
    fn sensors_fail_from_when_to_when() {
        let span = "from_s = 3\nto_s = 5\n";
        check(&fault("stuck", "load", span), 0, "1 2 2 2 5 6");
        check(&fault("stuck", "load", ""), 0, "0.5 0.5 0.5 0.5 0.5 0.5");
        check(&fault("stuck", "level", span), 1, "10 20 20 20 50 60");
        check(&fault("bias", "load", &format!("by = -1\n{span}")), 0, "1 2 2 3 5 6");
        check(&fault("drift", "load", &format!("by = 0.5\n{span}")), 0, "1 2 3 4.5 5 6");
        check(&fault("dropout", "load", span), 0, "1 2 2? 2? 5 6");
        check(&fault("dropout", "level", span), 1, "10 20 - - 50 60");
        check(&fault("dropout", "level", "by = 0\n"), 1, "10 20 30 40 50 60");
    }

    #[test]
    fn what_is_late_comes_with_the_time_of_its_arrival() {
        check(&fault("delay", "load", "by = 2\n"), 0, "0.5 0.5 1 2 3 4");
        check(&fault("delay", "level", "by = 2\n"), 1, "- - 10 20 30 40");
        check(&fault("delay", "load", "by = 1.5\nfrom_s = 4\nto_s = 6\n"), 0, "1 2 3 3 3 6");
        let frame = warped("[[faults]]\nkind = \"clock-skew\"\nby = -2\nfrom_s = 3\nto_s = 5\n", &[6]);
        let times: Vec<u64> = frame.times.iter().map(|time| time.0 / S).collect();
        assert_eq!(times, [101, 102, 101, 102, 105, 106]);
    }

    #[test]
    fn a_part_of_the_rows_drops_out_the_same_each_time() {
        let text = fault("dropout", "level", "by = 0.5\n");
        let missing =
            |frame: Frame| frame.quality.iter().filter(|quality| **quality == Quality::Missing).count();
        let once = missing(warped(&text, &[6]));
        assert!((1..6).contains(&once), "{once}");
        assert_eq!(missing(warped(&text, &[3, 3])), once);
    }
}
