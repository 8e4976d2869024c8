//! The numbers of a subscription's messages: which comes next, which are missing, which came before. Pure.

/// Numbers after the expected one that are taken for a gap; a number still further away is one that no server can mean.
pub(crate) const GAP_MAX: u32 = 1_000;

/// The number that the next message should have. Numbers start at 1, grow by 1, and 1 follows the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    next: u32,
}

/// What a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the next.
    Next,
    /// So many are missing before it.
    Gap(u32),
    /// It was there before.
    Before,
    /// Too far from the next to be either.
    Nonsense,
}

impl Sequence {
    /// Of a subscription that has said nothing.
    pub(crate) fn new() -> Self {
        Self { next: 1 }
    }

    /// The number that is waited for.
    pub(crate) fn next(self) -> u32 {
        self.next
    }

    /// What `number` says. Changes nothing.
    pub(crate) fn place(self, number: u32) -> Place {
        let ahead = distance(self.next, number);
        let behind = distance(number, self.next);
        match number {
            0 => Place::Nonsense,
            _ if ahead == 0 => Place::Next,
            _ if ahead <= GAP_MAX => Place::Gap(ahead),
            _ if behind <= GAP_MAX => Place::Before,
            _ => Place::Nonsense,
        }
    }

    /// The expected message is there, or is known to be lost.
    pub(crate) fn step(&mut self) {
        self.next = if self.next == u32::MAX { 1 } else { self.next + 1 };
    }
}

/// Steps from `from` to `to`, there being no 0.
fn distance(from: u32, to: u32) -> u32 {
    if to >= from { to - from } else { (u32::MAX - from).saturating_add(to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_next_missing_old_or_nonsense() {
        let at = |next| Sequence { next };
        for (next, number, expect) in [
            (1, 1, Place::Next),
            (1, 2, Place::Gap(1)),
            (1, 1 + GAP_MAX, Place::Gap(GAP_MAX)),
            (1, 2 + GAP_MAX, Place::Nonsense),
            (5, 4, Place::Before),
            (5, 0, Place::Nonsense),
            (u32::MAX, u32::MAX, Place::Next),
            (u32::MAX, 1, Place::Gap(1)),
            (1, u32::MAX, Place::Before),
            (2, u32::MAX - 3, Place::Before),
            (1_000_000, 5, Place::Nonsense),
        ] {
            assert_eq!(at(next).place(number), expect, "{number} when {next} is next");
        }
    }

    #[test]
    fn one_follows_the_highest_number() {
        let mut sequence = Sequence { next: u32::MAX - 1 };
        sequence.step();
        assert_eq!(sequence.next(), u32::MAX);
        sequence.step();
        assert_eq!(sequence.next(), 1);
        assert_eq!(Sequence::new().next(), 1);
    }
}
