//! What a behavior does more often than it may without breaking anything: the host takes as much as is allowed, cuts the
//! rest, and keeps account of whose it was, so that it can be told by name.

use geminus_core::TwinIndex;

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Log lines of a call beyond [`log_lines_per_call`](crate::Limits::log_lines_per_call): dropped.
    LogLines,
    /// Look-ups of a call beyond [`lookups_per_call`](crate::Limits::lookups_per_call): refused.
    LookUps,
    /// Outputs that are no finite numbers although their quality says that they may be used: bad. None is allowed.
    NotFinite,
}

impl Rule {
    /// Each, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::LogLines, Self::LookUps, Self::NotFinite];

    /// As limits, journal and metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogLines => "log_lines_per_call",
            Self::LookUps => "lookups_per_call",
            Self::NotFinite => "finite-outputs",
        }
    }
}

/// What was cut since the cohort was asked last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Whose it was; `None` when a call was about several twins and does not say.
    pub twin: Option<TwinIndex>,
    /// What it was.
    pub rule: Rule,
    /// How much of it is allowed.
    pub limit: u64,
    /// How much was cut.
    pub count: u64,
}

/// Floods that wait to be told. With more twins than [`FLOODS_MAX`], what the others do counts as nobody's.
#[derive(Debug, Default)]
pub(crate) struct Floods(Vec<Flood>);

/// Floods that are kept apart.
const FLOODS_MAX: usize = 64;

impl Floods {
    pub(crate) fn add(&mut self, flood: Flood) {
        let alike = |known: &&mut Flood| known.rule == flood.rule && known.twin == flood.twin;
        if let Some(known) = self.0.iter_mut().find(alike) {
            known.count = known.count.saturating_add(flood.count);
        } else if flood.twin.is_none() || self.0.len() < FLOODS_MAX {
            self.0.push(flood);
        } else {
            self.add(Flood { twin: None, ..flood });
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Flood> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_added_up_by_twin_and_rule_within_bounds() {
        let flood =
            |twin: Option<u32>, rule, count| Flood { twin: twin.map(TwinIndex), rule, limit: 32, count };
        let mut floods = Floods::default();
        floods.add(flood(Some(1), Rule::LogLines, 5));
        floods.add(flood(Some(1), Rule::LogLines, 6));
        floods.add(flood(Some(1), Rule::LookUps, 7));
        floods.add(flood(None, Rule::LogLines, 1));
        let expect = [
            flood(Some(1), Rule::LogLines, 11),
            flood(Some(1), Rule::LookUps, 7),
            flood(None, Rule::LogLines, 1),
        ];
        assert_eq!(floods.take(), expect);
        assert_eq!(floods.take(), []);
        (0..1_000).for_each(|twin| floods.add(flood(Some(twin), Rule::NotFinite, 2)));
        let all = floods.take();
        assert_eq!(all.len(), FLOODS_MAX + 1);
        assert_eq!(all.last(), Some(&flood(None, Rule::NotFinite, (1_000 - FLOODS_MAX as u64) * 2)));
        assert_eq!(Rule::ALL.map(|rule| rule as usize), [0, 1, 2]);
    }
}
