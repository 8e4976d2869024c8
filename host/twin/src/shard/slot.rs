//! The newest sample of each measured point, in 40 bytes: there are millions of them.

use geminus_core::Quality;

/// The newest sample of a measured point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) value: f64,
    pub(super) time: u64,
    pub(super) received: u64,
    /// Monotonic time of receipt.
    pub(super) heard: u64,
    pub(super) twin: u32,
    pub(super) point: u16,
    /// `Missing` until the first sample.
    pub(super) quality: Quality,
    pub(super) flags: Flags,
}

/// Three facts about a slot in one byte, because there are millions of slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) const FRESH: Self = Self(1);
    pub(super) const DIRTY: Self = Self(2);
    pub(super) const BOTH: Self = Self(3);
    /// Since its newest sample late ones came.
    pub(super) const LATE: Self = Self(4);
    pub(super) const ALL: Self = Self(7);

    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) fn set(&mut self, flag: Self) {
        self.0 |= flag.0;
    }

    /// Whether it was set.
    pub(super) fn take(&mut self, flag: Self) -> bool {
        let had = self.has(flag);
        self.0 &= !flag.0;
        had
    }
}

impl Slot {
    pub(super) fn empty(twin: u32, point: u16) -> Self {
        let quality = Quality::Missing;
        Self {
            value: f64::NAN,
            time: 0,
            received: 0,
            heard: 0,
            twin,
            point,
            quality,
            flags: Flags::default(),
        }
    }
}
