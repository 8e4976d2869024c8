//! One side of a binding: instances that together have some of its twins, perhaps of several versions (a pinned
//! twin runs another one than its neighbours). A frame is stepped by whoever has its twins, and the answers are put
//! together in the order of the frame.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;
use std::time::Duration;

use geminus_behavior::{Cohort, Flood, Standing, TwinFault};
use geminus_core::{Clock, Declaration, Frame, Outcome, Quality, TwinIndex};

use super::costs::{Cost, Costs};
use crate::runtime::crumb::{self, Crumb};
use crate::runtime::meters::Account;

/// One instance, with what it is booked under.
#[derive(Debug)]
pub(crate) struct Berth {
    /// For reading. What calls the component goes through [`Berth::enter`].
    pub(crate) cohort: Cohort,
    /// Number of this version with these parameters for this binding, as `control.db` knows it; never 0.
    pub(crate) incarnation: u32,
    pub(crate) account: Arc<Account>,
    costs: Costs,
    /// Of the instances that were built for it, those that are in the account.
    rebuilds_booked: u64,
}

/// What a twin costs in its instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge {
    pub(crate) cost: Cost,
    pub(crate) instance_bytes: u64,
    pub(crate) instance_twins: u64,
    /// Instances that were built because something broke this one.
    pub(crate) rebuilds: u64,
}

impl Charge {
    /// The twin's share of the instance's memory: exact where it is alone.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.instance_bytes / self.instance_twins.max(1)
    }
}

/// A cohort that may be called: while this lives, the thread's crumb names it.
pub(crate) struct Entered<'b> {
    cohort: &'b mut Cohort,
    _inside: crumb::Inside,
}

impl Deref for Entered<'_> {
    type Target = Cohort;

    fn deref(&self) -> &Cohort {
        self.cohort
    }
}

impl DerefMut for Entered<'_> {
    fn deref_mut(&mut self) -> &mut Cohort {
        self.cohort
    }
}

/// What stepping needs besides the frame.
pub(crate) struct Watch<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) crumb: &'a Crumb,
    /// A call that takes longer is a missed deadline.
    pub(crate) deadline: Duration,
}

/// What a version did more often than it may.
#[derive(Clone, Debug)]
pub(crate) struct Flooded {
    pub(crate) incarnation: u32,
    /// Of the version.
    pub(crate) declaration: Arc<Declaration>,
    pub(crate) flood: Flood,
}

/// What a step of one frame gave.
#[derive(Debug, Default)]
pub(crate) struct Stepped {
    pub(crate) outcome: Outcome,
    /// Who answered each row: an incarnation, 0 for nobody.
    pub(crate) by: Vec<u32>,
    pub(crate) faults: Vec<TwinFault>,
    pub(crate) fuel: u64,
    pub(crate) spent: Duration,
    /// Proposals that were dropped because the behavior was not warm.
    pub(crate) inhibited: u64,
    /// Calls that took longer than they may.
    pub(crate) misses: u64,
    /// Of both sides of a trial.
    pub(crate) floods: Vec<Flooded>,
}

/// Instances for some twins of a binding.
#[derive(Debug, Default)]
pub(crate) struct Side {
    berths: Vec<Berth>,
    place_of: HashMap<TwinIndex, u32>,
}

impl Side {
    pub(crate) fn new(berths: Vec<Berth>) -> Self {
        let mut side = Self { berths, place_of: HashMap::new() };
        side.number();
        side
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.berths.is_empty()
    }

    pub(crate) fn berths(&self) -> &[Berth] {
        &self.berths
    }

    pub(crate) fn berths_mut(&mut self) -> &mut [Berth] {
        &mut self.berths
    }

    pub(crate) fn twins(&self) -> impl Iterator<Item = TwinIndex> {
        self.berths.iter().flat_map(|berth| berth.cohort.twins())
    }

    pub(crate) fn berth(&self, twin: TwinIndex) -> Option<&Berth> {
        self.berths.get(*self.place_of.get(&twin)? as usize)
    }

    pub(crate) fn berth_mut(&mut self, twin: TwinIndex) -> Option<&mut Berth> {
        self.berths.get_mut(*self.place_of.get(&twin)? as usize)
    }

    /// Whoever of these twins is here, by the instance that has them.
    pub(crate) fn housed(&mut self, twins: &[TwinIndex]) -> Vec<(&mut Berth, Vec<TwinIndex>)> {
        let mut groups: BTreeMap<u32, Vec<TwinIndex>> = BTreeMap::new();
        for twin in twins {
            if let Some(place) = self.place_of.get(twin) {
                groups.entry(*place).or_default().push(*twin);
            }
        }
        let places = self.berths.iter_mut().zip(0..);
        places.filter_map(|(berth, place)| Some((berth, groups.remove(&place)?))).collect()
    }

    pub(crate) fn standing(&self, twin: TwinIndex) -> Option<Standing> {
        self.berth(twin)?.cohort.standing(twin)
    }

    pub(crate) fn is_warm(&self, twin: TwinIndex) -> bool {
        self.berth(twin).is_some_and(|berth| berth.cohort.is_warm(twin))
    }

    /// Whether it is warm for a twin of which it has really had rows: one of which it has had none has nothing to lose,
    /// however little its declaration asks for.
    pub(crate) fn is_settled(&self, twin: TwinIndex) -> bool {
        self.berth(twin).is_some_and(|berth| berth.cohort.is_warm(twin) && berth.cohort.has_had_rows(twin))
    }

    /// Takes in instances that have some of its twins: those are closed where they were. Gives back the instances
    /// that have nobody left, to be dropped where no row waits for it.
    pub(crate) fn adopt(&mut self, newcomers: Vec<Berth>) -> Vec<Berth> {
        let moved: std::collections::HashSet<TwinIndex> =
            newcomers.iter().flat_map(|berth| berth.cohort.twins()).collect();
        let mut left = Vec::new();
        for mut berth in std::mem::take(&mut self.berths) {
            let leaving: Vec<TwinIndex> = berth.cohort.twins().filter(|twin| moved.contains(twin)).collect();
            match berth.cohort.twins().count() - leaving.len() {
                0 => left.push(berth),
                _ => {
                    if !leaving.is_empty() {
                        berth.enter().close(&leaving);
                    }
                    self.berths.push(berth);
                }
            }
        }
        self.berths.extend(newcomers);
        self.number();
        left
    }

    pub(crate) fn into_berths(self) -> Vec<Berth> {
        self.berths
    }

    fn number(&mut self) {
        self.place_of.clear();
        for (berth, place) in self.berths.iter().zip(0..) {
            self.place_of.extend(berth.cohort.twins().map(|twin| (twin, place)));
        }
    }

    /// Steps each row in the instance that has its twin; rows of others stay unanswered.
    pub(crate) fn step(&mut self, outputs: usize, frame: &Frame, watch: &Watch<'_>) -> Stepped {
        match self.berths.as_mut_slice() {
            [only] => only.step(outputs, frame, watch),
            _ => self.step_apart(outputs, frame, watch),
        }
    }

    fn step_apart(&mut self, outputs: usize, frame: &Frame, watch: &Watch<'_>) -> Stepped {
        let mut rows_of: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (row, twin) in frame.twins.iter().enumerate() {
            if let Some(place) = self.place_of.get(twin) {
                rows_of.entry(*place).or_default().push(row);
            }
        }
        let mut all = Stepped::unanswered(outputs, frame.rows());
        for (place, rows) in rows_of {
            let Some(berth) = self.berths.get_mut(place as usize) else { continue };
            let part = pick(frame, &rows);
            all.put_in(berth.step(outputs, &part, watch), &rows);
        }
        all.sort();
        all
    }
}

impl Berth {
    pub(crate) fn new(cohort: Cohort, incarnation: u32, account: Arc<Account>) -> Self {
        let costs = Costs::for_twins(cohort.twins().count());
        Self { cohort, incarnation, account, costs, rebuilds_booked: 0 }
    }

    /// What one of its twins costs.
    pub(crate) fn charge(&self, twin: TwinIndex) -> Charge {
        Charge {
            cost: self.costs.of(&self.cohort, twin),
            instance_bytes: self.cohort.memory_bytes() as u64,
            instance_twins: self.cohort.twins().count() as u64,
            rebuilds: self.cohort.rebuilds(),
        }
    }

    /// The same of all of them.
    pub(crate) fn charges(&self) -> impl Iterator<Item = (TwinIndex, Charge)> {
        let instance_twins = self.cohort.twins().count() as u64;
        let instance_bytes = self.cohort.memory_bytes() as u64;
        let rebuilds = self.cohort.rebuilds();
        self.cohort.twins().map(move |twin| {
            let cost = self.costs.of(&self.cohort, twin);
            (twin, Charge { cost, instance_bytes, instance_twins, rebuilds })
        })
    }

    /// The cohort, to be called for anything but a step, with a crumb for as long as that takes.
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        Entered { cohort: &mut self.cohort, _inside: crumb::inside(self.incarnation) }
    }

    fn step(&mut self, outputs: usize, frame: &Frame, watch: &Watch<'_>) -> Stepped {
        let start = watch.clock.monotonic();
        watch.crumb.enter(self.incarnation);
        let stepped = self.cohort.step(frame);
        watch.crumb.leave();
        let spent = watch.clock.monotonic().saturating_sub(start);
        let stepped = match stepped {
            Ok(stepped) => stepped,
            Err(error) => {
                // The plant lays frames out by the declaration that the cohort was compiled with.
                tracing::error!(%error, "a frame was not stepped");
                return Stepped::unanswered(outputs, frame.rows());
            }
        };
        let late = spent > watch.deadline;
        let misses = u64::from(late);
        self.account.stepped(frame.rows(), spent, stepped.fuel, misses);
        self.costs.charge(&self.cohort, frame, &stepped, (spent, late));
        // Those that a save or an opening since the last step took are among them.
        let rebuilds = self.cohort.rebuilds();
        self.account.rebuilt(rebuilds - self.rebuilds_booked);
        self.rebuilds_booked = rebuilds;
        let floods = stepped.floods.into_iter().map(|flood| self.flooded(flood)).collect();
        let by = self.answered(outputs, frame, &stepped.outcome, &stepped.faults);
        Stepped {
            outcome: stepped.outcome,
            by,
            faults: stepped.faults,
            fuel: stepped.fuel,
            spent,
            inhibited: stepped.inhibited,
            misses,
            floods,
        }
    }

    fn flooded(&self, flood: Flood) -> Flooded {
        self.account.cut(flood.rule, flood.count);
        let declaration = Arc::clone(self.cohort.compiled().declaration());
        Flooded { incarnation: self.incarnation, declaration, flood }
    }

    /// Whose each row's answer is. A row without one has no value at all, and its twin is held apart or was named
    /// in a fault: a behavior may also *answer* that it has no value.
    fn answered(&self, outputs: usize, frame: &Frame, outcome: &Outcome, faults: &[TwinFault]) -> Vec<u32> {
        let mut by = vec![self.incarnation; frame.rows()];
        if outputs == 0 {
            return by;
        }
        let rows =
            frame.twins.iter().zip(outcome.quality.chunks(outputs)).zip(outcome.values.chunks(outputs));
        for ((row, by), ((twin, quality), values)) in by.iter_mut().enumerate().zip(rows) {
            let valueless = quality.iter().all(|quality| *quality == Quality::Bad)
                && values.iter().all(|value| value.is_nan());
            let named = |fault: &TwinFault| {
                fault.twin == *twin && (fault.quarantined || fault.row.is_some_and(|at| at as usize == row))
            };
            if valueless && (faults.iter().any(named) || self.cohort.standing(*twin) != Some(Standing::Live))
            {
                *by = 0;
            }
        }
        by
    }
}

impl Stepped {
    /// The outcome of rows that nobody stepped.
    pub(crate) fn unanswered(outputs: usize, rows: usize) -> Self {
        let outcome = Outcome {
            outputs,
            values: vec![f64::NAN; rows * outputs],
            quality: vec![Quality::Bad; rows * outputs],
            ..Outcome::default()
        };
        Self { outcome, by: vec![0; rows], ..Self::default() }
    }

    /// Puts in what a part of the frame came to, whose row n is row `rows[n]` of the frame.
    pub(crate) fn put_in(&mut self, part: Self, rows: &[usize]) {
        let outputs = self.outcome.outputs;
        if part.outcome.values.len() == rows.len() * outputs {
            for (place, row) in rows.iter().enumerate() {
                let (from, to) = (place * outputs..(place + 1) * outputs, row * outputs..(row + 1) * outputs);
                copy(&part.outcome.values, from.clone(), &mut self.outcome.values, to.clone());
                copy(&part.outcome.quality, from, &mut self.outcome.quality, to);
            }
        }
        for (row, by) in rows.iter().zip(&part.by) {
            if let Some(place) = self.by.get_mut(*row) {
                *place = *by;
            }
        }
        let row_of =
            |row: u32| rows.get(row as usize).and_then(|row| u32::try_from(*row).ok()).unwrap_or(row);
        self.outcome.alerts.extend(part.outcome.alerts.into_iter().map(|mut alert| {
            alert.row = row_of(alert.row);
            alert
        }));
        self.outcome.proposals.extend(part.outcome.proposals.into_iter().map(|mut proposal| {
            proposal.row = row_of(proposal.row);
            proposal
        }));
        self.faults.extend(part.faults.into_iter().map(|mut fault| {
            fault.row = fault.row.map(row_of);
            fault
        }));
        self.fuel = self.fuel.wrapping_add(part.fuel);
        self.spent += part.spent;
        self.inhibited += part.inhibited;
        self.misses += part.misses;
        self.floods.extend(part.floods);
    }

    /// Alerts and proposals in the order of rows.
    pub(crate) fn sort(&mut self) {
        self.outcome.alerts.sort_by_key(|alert| alert.row);
        self.outcome.proposals.sort_by_key(|proposal| proposal.row);
    }
}

/// Some rows of a frame.
pub(crate) fn pick(frame: &Frame, rows: &[usize]) -> Frame {
    let mut part = Frame::new(frame.inputs);
    rows.iter().for_each(|row| part.extend_from(frame, *row, row + 1));
    part
}

fn copy<T: Copy>(from: &[T], range: Range<usize>, to: &mut [T], place: Range<usize>) {
    if let (Some(from), Some(to)) = (from.get(range), to.get_mut(place)) {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::outcome::Alert;

    #[test]
    fn parts_of_a_frame_come_together_in_its_order() {
        let alert = |row| Alert { row, alert: 0, value: 1.0, detail: String::new() };
        let part = |values: &[f64], rows: &[u32], by| Stepped {
            outcome: Outcome {
                outputs: 2,
                values: values.to_vec(),
                quality: vec![Quality::Good; values.len()],
                alerts: rows.iter().map(|row| alert(*row)).collect(),
                ..Outcome::default()
            },
            by: vec![by; values.len() / 2],
            fuel: 10,
            ..Stepped::default()
        };
        let mut all = Stepped::unanswered(2, 4);
        all.put_in(part(&[1.0, 2.0, 5.0, 6.0], &[0, 1], 7), &[0, 2]);
        all.put_in(part(&[3.0, 4.0], &[0], 8), &[1]);
        all.sort();
        let (given, missing) = all.outcome.values.split_at(6);
        assert_eq!(given, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(missing.iter().all(|value| value.is_nan()));
        assert_eq!(all.outcome.quality[6..], [Quality::Bad; 2]);
        assert_eq!(all.outcome.alerts.iter().map(|alert| alert.row).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(all.by, [7, 8, 7, 0]);
        assert_eq!(all.fuel, 20);
    }
}
