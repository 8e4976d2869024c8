//! What is remembered of each twin: how many of its rows were compared, when the last one was, and which alerts stand
//! in either version, so that an alert which stands over many rows counts once.
//!
//! Indexed by the twin's dense number, so it is bounded by the number of twins of the site.

use geminus_core::{Alert, Frame, Timestamp, TwinIndex};

/// Alerts beyond this place in the declaration share a mark, and count once when they stand together.
const ALERTS_MARKED: u32 = 63;

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    rows: u64,
    last: Timestamp,
    old_alerts: u64,
    new_alerts: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    twins: Vec<Mark>,
    /// Twins with rows.
    pub(super) known: u64,
    /// Time that the rows of each twin span, summed.
    pub(super) nanos: u128,
    pub(super) old_raised: u64,
    pub(super) new_raised: u64,
    /// Alerts of each row of the present frame, (old, new); kept for its memory.
    standing: Vec<(u64, u64)>,
}

impl Marks {
    pub(super) fn note(&mut self, frame: &Frame, kept: &[u32], old: &[Alert], new: &[Alert]) {
        self.standing.clear();
        if !(old.is_empty() && new.is_empty()) {
            self.standing.resize(frame.rows(), (0, 0));
            old.iter().for_each(|alert| self.stand(alert.row, bit(alert), 0));
            new.iter().for_each(|alert| self.stand(alert.row, 0, bit(alert)));
        }
        for &row in kept {
            let at = row as usize;
            let (Some(twin), Some(time)) = (frame.twins.get(at), frame.times.get(at)) else { continue };
            let (old, new) = self.standing.get(at).copied().unwrap_or_default();
            self.note_row(*twin, *time, old, new);
        }
    }

    fn stand(&mut self, row: u32, old: u64, new: u64) {
        if let Some(standing) = self.standing.get_mut(row as usize) {
            standing.0 |= old;
            standing.1 |= new;
        }
    }

    #[inline]
    fn note_row(&mut self, twin: TwinIndex, time: Timestamp, old: u64, new: u64) {
        let place = twin.0 as usize;
        if place >= self.twins.len() {
            self.twins.resize(place + 1, Mark::default());
        }
        let Some(mark) = self.twins.get_mut(place) else { return };
        if mark.rows == 0 {
            self.known += 1;
        } else {
            self.nanos += time.since(mark.last).as_nanos();
        }
        mark.rows += 1;
        mark.last = time;
        self.old_raised += u64::from((old & !mark.old_alerts).count_ones());
        self.new_raised += u64::from((new & !mark.new_alerts).count_ones());
        mark.old_alerts = old;
        mark.new_alerts = new;
    }

    pub(super) fn rows(&self, twin: TwinIndex) -> u64 {
        self.twins.get(twin.0 as usize).map_or(0, |mark| mark.rows)
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.twins.len() < other.twins.len() {
            self.twins.resize(other.twins.len(), Mark::default());
        }
        for (mine, others) in self.twins.iter_mut().zip(&other.twins) {
            let both = mine.rows > 0 && others.rows > 0;
            self.known += u64::from(others.rows > 0 && !both);
            mine.rows += others.rows;
            if others.last > mine.last {
                *mine = Mark { rows: mine.rows, ..*others };
            }
        }
        self.nanos += other.nanos;
        self.old_raised += other.old_raised;
        self.new_raised += other.new_raised;
    }
}

fn bit(alert: &Alert) -> u64 {
    1 << alert.alert.min(ALERTS_MARKED)
}
