//! The newest notices, as many as two bounds allow.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

/// One event that readers must not miss.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Name of the event.
    pub(crate) kind: &'static str,
    /// Twin it is about, if one.
    pub(crate) twin: Option<Arc<str>>,
    /// Rollout that it is the newest word about, if one: an older word about it is then worth nothing.
    pub(crate) rollout: Option<u64>,
    /// JSON on one line.
    pub(crate) data: Bytes,
}

#[derive(Debug)]
pub(super) struct Ring {
    notices: VecDeque<(u64, Arc<Notice>)>,
    bytes: usize,
    notices_max: usize,
    bytes_max: usize,
    /// Number of the newest notice that went out at the old end; 0 when none did.
    forgotten: u64,
}

impl Ring {
    pub(super) fn new(notices_max: usize, bytes_max: usize) -> Self {
        Self { notices: VecDeque::new(), bytes: 0, notices_max, bytes_max, forgotten: 0 }
    }

    /// Appends; `id` is higher than any before. The oldest go until the bounds hold, this one too if need be.
    pub(super) fn push(&mut self, id: u64, notice: Notice) {
        self.outdate(notice.rollout);
        self.bytes += notice.data.len();
        self.notices.push_back((id, Arc::new(notice)));
        while self.notices.len() > self.notices_max || self.bytes > self.bytes_max {
            let Some((id, notice)) = self.notices.pop_front() else { break };
            self.bytes -= notice.data.len();
            self.forgotten = id;
        }
    }

    /// Takes the word before about a rollout out: whoever has not read it yet reads the newer one.
    fn outdate(&mut self, rollout: Option<u64>) {
        let Some(rollout) = rollout else { return };
        let before = self.notices.iter().rposition(|(_, notice)| notice.rollout == Some(rollout));
        if let Some((_, notice)) = before.and_then(|at| self.notices.remove(at)) {
            self.bytes -= notice.data.len();
        }
    }

    /// Whether nothing newer than `cursor` has gone.
    pub(super) fn reaches(&self, cursor: u64) -> bool {
        self.forgotten <= cursor
    }

    /// Notices with numbers above `cursor`, oldest first.
    pub(super) fn after(&self, cursor: u64) -> impl Iterator<Item = &(u64, Arc<Notice>)> {
        self.notices.range(self.notices.partition_point(|(id, _)| *id <= cursor)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(ring: &mut Ring, id: u64, bytes: usize) {
        ring.push(id, Notice { kind: "twin", twin: None, rollout: None, data: vec![b'x'; bytes].into() });
    }

    fn push_rollout(ring: &mut Ring, id: u64, rollout: u64) {
        ring.push(
            id,
            Notice { kind: "rollout", twin: None, rollout: Some(rollout), data: vec![b'x'; 4].into() },
        );
    }

    fn ids(ring: &Ring, cursor: u64) -> Vec<u64> {
        ring.after(cursor).map(|(id, _)| *id).collect()
    }

    #[test]
    fn the_count_is_bounded() {
        let mut ring = Ring::new(3, 1_000);
        (1..=5).for_each(|id| push(&mut ring, id * 10, 1));
        assert_eq!(ids(&ring, 0), [30, 40, 50]);
        assert_eq!(ids(&ring, 30), [40, 50]);
        assert!(!ring.reaches(10) && ring.reaches(20) && ring.reaches(50));
    }

    #[test]
    fn a_rollout_has_one_notice_and_the_newest_counts() {
        let mut ring = Ring::new(10, 1_000);
        push(&mut ring, 1, 1);
        push_rollout(&mut ring, 2, 7);
        push_rollout(&mut ring, 3, 8);
        (4..=100).for_each(|id| push_rollout(&mut ring, id, 7));
        assert_eq!(ids(&ring, 0), [1, 3, 100]);
        assert_eq!(ids(&ring, 50), [100], "who has read an older word reads the newest");
        assert_eq!(ring.bytes, 1 + 4 + 4);
        assert!(ring.reaches(0), "nothing that counts has gone");
    }

    #[test]
    fn the_bytes_are_bounded_even_by_one_notice() {
        let mut ring = Ring::new(100, 10);
        (1..=4).for_each(|id| push(&mut ring, id, 4));
        assert_eq!(ids(&ring, 0), [3, 4]);
        push(&mut ring, 5, 11);
        assert!(ids(&ring, 0).is_empty());
        assert!(!ring.reaches(4) && ring.reaches(5));
        assert_eq!(ring.bytes, 0);
    }
}
