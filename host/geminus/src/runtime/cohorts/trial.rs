//! A trial: the candidate side of a rollout beside the incumbent's, in one shard.
//!
//! Twins are *enrolled* some at a time between two rows: their state is carried over, and from then on both sides
//! get every row. Exactly one side is authoritative for a twin, at first the incumbent's; who is wanted is told from
//! outside, and the twin follows when the candidate is warm for it. So a promotion moves nobody's state and a
//! rollback is no more than a changed mind, since the other side was fed all along.
//!
//! Here stands what a trial knows. What moves between two rows is in `border`, what becomes of a row in `follow`.

mod border;
mod follow;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use geminus_behavior::{ColdStart, TwinFault};
use geminus_core::TwinIndex;
use geminus_rollout::{Phase, Tally};

use super::side::{Berth, Side};
pub(crate) use border::Moved;
pub(super) use border::states;
pub(crate) use follow::{Aside, Counts};

/// Whom the candidate should answer for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nobody: it runs in the shadow, or steps back.
    #[default]
    Nobody,
    /// These.
    Some(Arc<HashSet<TwinIndex>>),
    /// Everybody whom it has.
    All,
}

impl Wanted {
    fn has(&self, twin: TwinIndex) -> bool {
        match self {
            Self::Nobody => false,
            Self::Some(twins) => twins.contains(&twin),
            Self::All => true,
        }
    }
}

/// How far a trial is in this shard.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) enrolled: usize,
    pub(crate) warm: usize,
    pub(crate) authoritative: usize,
    /// Twins that it should answer for, is not warm for, and that send nothing.
    pub(crate) idle: usize,
    /// Rows in this phase of the twin that has fewest, among those that the phase is about, that had a row in it, and that
    /// send; 0 when there is none.
    pub(crate) rows_min: u64,
    /// Rows in this phase of the twin that has fewest, among all that the phase is about; `None` when it is about none here.
    pub(crate) rows_fewest: Option<u64>,
    /// Canary twins that send nothing, with their rows in this phase.
    pub(crate) quiet: Vec<(TwinIndex, u64)>,
    pub(crate) cold: usize,
    /// What was counted in this phase.
    pub(crate) tally: Tally,
    /// Why it cannot go on.
    pub(crate) failure: Option<String>,
}

/// A twin that is held apart by the side that has come to answer for it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Apart {
    pub(crate) twin: TwinIndex,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

/// Why each side holds a twin apart, as far as it did so while the other one answered for it.
#[derive(Debug, Default)]
struct Silent {
    incumbent: HashMap<TwinIndex, (&'static str, String)>,
    candidate: HashMap<TwinIndex, (&'static str, String)>,
}

/// Of one twin.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    enrolled: bool,
    /// The candidate has had a row of it.
    fed: bool,
    warm: bool,
    authoritative: bool,
    /// It failed this twin while it answered for it, and is not asked again.
    barred: bool,
    /// Nobody else answers for it, so it need not be warm first.
    alone: bool,
    /// In this phase.
    rows: u32,
    /// Rows since it was barred.
    rows_barred: u32,
}

/// The candidate of one binding.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) rollout: u64,
    side: Side,
    /// Whether a twin may start without the state that its incumbent has.
    cold_start: ColdStart,
    waiting: VecDeque<TwinIndex>,
    wanted: Wanted,
    /// What rows are counted for; `None` before the first.
    phase: Option<Phase>,
    /// By index of the twin.
    flags: Vec<Flags>,
    twins: Vec<TwinIndex>,
    tally: Tally,
    cold: usize,
    failure: Option<String>,
    /// Whether somebody may have to change sides.
    restless: bool,
    /// Twins whose row the candidate did not answer, so that the incumbent answers for them again.
    fallen: Vec<TwinIndex>,
    silent: Silent,
}

impl Trial {
    pub(crate) fn new(rollout: u64, berths: Vec<Berth>, cold_start: ColdStart, tally: Tally) -> Self {
        let side = Side::new(berths);
        let twins: Vec<TwinIndex> = side.twins().collect();
        let size = twins.iter().map(|twin| twin.0 as usize + 1).max().unwrap_or(0);
        Self {
            rollout,
            cold_start,
            waiting: twins.iter().copied().collect(),
            wanted: Wanted::Nobody,
            phase: None,
            flags: vec![Flags::default(); size],
            twins,
            tally,
            cold: 0,
            failure: None,
            restless: false,
            fallen: Vec::new(),
            silent: Silent::default(),
            side,
        }
    }

    pub(crate) fn side(&self) -> &Side {
        &self.side
    }

    pub(crate) fn side_mut(&mut self) -> &mut Side {
        &mut self.side
    }

    pub(crate) fn into_side(self) -> Side {
        self.side
    }

    /// Whom it should answer for in a phase. Each phase is judged by its own rows, so with another one all is counted
    /// anew.
    pub(crate) fn want(&mut self, wanted: Wanted, phase: Phase) {
        if self.phase.replace(phase) != Some(phase) {
            self.tally.renew();
            self.flags.iter_mut().for_each(|flags| flags.rows = 0);
        }
        self.wanted = wanted;
        self.restless = true;
    }

    /// Whether this phase is about a twin: a canary says something about those that go first, and about no other.
    fn is_about(&self, twin: TwinIndex) -> bool {
        self.phase != Some(Phase::Canary) || self.wanted.has(twin)
    }

    /// Why the incumbent holds a twin apart that it answers for again.
    pub(crate) fn apart_in_incumbent(&self, twin: TwinIndex) -> Apart {
        apart(&self.silent.incumbent, twin)
    }

    /// Why the candidate holds a twin apart that it has taken over for good.
    pub(crate) fn apart_in_candidate(&self, twin: TwinIndex) -> Apart {
        apart(&self.silent.candidate, twin)
    }

    /// What the incumbent did to twins that the candidate answers for: it costs them no row now.
    pub(crate) fn silent(&mut self, faults: &[TwinFault]) {
        for fault in faults.iter().filter(|fault| fault.quarantined) {
            self.silent.incumbent.insert(fault.twin, (fault.kind.name(), fault.message.clone()));
        }
    }

    pub(crate) fn is_authoritative(&self, twin: TwinIndex) -> bool {
        self.flags(twin).authoritative
    }

    pub(crate) fn is_warm(&self, twin: TwinIndex) -> bool {
        self.flags(twin).warm
    }

    pub(crate) fn has(&self, twin: TwinIndex) -> bool {
        self.side.berth(twin).is_some()
    }

    /// Proposals of either side that the interlocks would refuse.
    pub(crate) fn refused_proposals(&mut self, old: u64, new: u64) {
        self.tally.refused_proposals(old, new);
    }

    /// How far it is; `is_quiet` says of whom no row can be expected now.
    pub(crate) fn standing(&self, is_quiet: &dyn Fn(TwinIndex) -> bool) -> Standing {
        let all = || self.twins.iter().map(|twin| self.flags(*twin));
        let about = || self.twins.iter().copied().filter(|twin| self.is_about(*twin));
        let rows_of = |twin: TwinIndex| u64::from(self.flags(twin).rows);
        let rows = about().filter(|twin| !is_quiet(*twin)).map(rows_of).filter(|rows| *rows > 0);
        let is_canary = self.phase == Some(Phase::Canary);
        let quiet = about().filter(|twin| is_canary && is_quiet(*twin)).map(|twin| (twin, rows_of(twin)));
        let enrolled = all().filter(|flags| flags.enrolled).count();
        Standing {
            enrolled,
            warm: all().filter(|flags| flags.warm).count(),
            authoritative: all().filter(|flags| flags.authoritative).count(),
            idle: self.twins.iter().filter(|twin| self.is_idle(**twin, is_quiet)).count(),
            rows_min: rows.min().unwrap_or(0),
            rows_fewest: about().map(rows_of).min(),
            quiet: quiet.collect(),
            cold: self.cold,
            tally: self.tally.clone(),
            failure: self.failure.clone(),
        }
    }

    /// Whether something is left to do between rows.
    pub(crate) fn is_moving(&self) -> bool {
        self.restless || (self.failure.is_none() && !self.waiting.is_empty())
    }

    fn flags(&self, twin: TwinIndex) -> Flags {
        self.flags.get(twin.0 as usize).copied().unwrap_or_default()
    }

    fn flags_mut(&mut self, twin: TwinIndex) -> Option<&mut Flags> {
        self.flags.get_mut(twin.0 as usize)
    }

    /// Whether a twin changes sides. Where the incumbent is not warm for it either (it may never have sent anything),
    /// there is nothing to wait for.
    fn should_move(&self, twin: TwinIndex, incumbent_is_settled: impl FnOnce() -> bool) -> bool {
        let flags = self.flags(twin);
        match self.wanted.has(twin) {
            true => {
                let free = flags.enrolled && !flags.authoritative && !flags.barred;
                free && (flags.warm || flags.alone || !incumbent_is_settled())
            }
            false => flags.authoritative,
        }
    }

    /// Whether a twin only waits to become warm, which it cannot while it sends nothing.
    fn is_idle(&self, twin: TwinIndex, is_quiet: &dyn Fn(TwinIndex) -> bool) -> bool {
        let flags = self.flags(twin);
        let waits = flags.enrolled && !flags.authoritative && !flags.barred && !flags.warm;
        waits && self.wanted.has(twin) && is_quiet(twin)
    }
}

fn apart(silent: &HashMap<TwinIndex, (&'static str, String)>, twin: TwinIndex) -> Apart {
    let (kind, message) = silent
        .get(&twin)
        .cloned()
        .unwrap_or_else(|| ("held-apart", "it was held apart when the rollout began".to_owned()));
    Apart { twin, kind, message }
}

#[cfg(test)]
mod tests {
    use geminus_core::Declaration;
    use geminus_rollout::Acceptance;

    use super::*;

    const TWIN: TwinIndex = TwinIndex(0);

    /// A trial with one twin, as far as flags go.
    fn trial(flags: Flags, wanted: Wanted) -> Trial {
        let text = serde_json::json!({
            "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "estimator",
            "outputs": [{"name": "b", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []},
        });
        let declaration = Declaration::parse(text.to_string().as_bytes()).expect("declaration");
        let tally = Tally::new(&declaration, &Acceptance::default());
        let mut trial = Trial::new(1, Vec::new(), ColdStart::Refuse, tally);
        (trial.twins, trial.flags, trial.wanted) = (vec![TWIN], vec![flags], wanted);
        trial
    }

    #[test]
    fn a_twin_waits_for_warmth_only_where_the_incumbent_has_it() {
        let enrolled = Flags { enrolled: true, ..Flags::default() };
        let warm = Flags { warm: true, ..enrolled };
        let alone = Flags { alone: true, ..enrolled };
        let barred = Flags { barred: true, ..enrolled };
        let moved = Flags { authoritative: true, ..enrolled };
        for (flags, settled, all, nobody) in [
            (Flags::default(), false, false, false),
            (enrolled, true, false, false),
            (enrolled, false, true, false),
            (warm, true, true, false),
            (alone, true, true, false),
            (barred, false, false, false),
            (moved, false, false, true),
            (moved, true, false, true),
        ] {
            let moves = |wanted| trial(flags, wanted).should_move(TWIN, || settled);
            assert_eq!((moves(Wanted::All), moves(Wanted::Nobody)), (all, nobody), "{flags:?} {settled}");
        }
    }

    #[test]
    fn rows_of_quiet_twins_are_told_apart() {
        let canary = Wanted::Some(Arc::new(HashSet::from([TWIN])));
        let standing = |rows, phase, quiet| {
            let mut trial = trial(Flags { enrolled: true, rows, ..Flags::default() }, canary.clone());
            trial.phase = Some(phase);
            let standing = trial.standing(&|_| quiet);
            (standing.rows_min, standing.rows_fewest, standing.quiet)
        };
        assert_eq!(standing(3, Phase::Canary, false), (3, Some(3), Vec::new()));
        assert_eq!(standing(3, Phase::Canary, true), (0, Some(3), vec![(TWIN, 3)]));
        assert_eq!(standing(0, Phase::Canary, true), (0, Some(0), vec![(TWIN, 0)]));
        assert_eq!(standing(3, Phase::Shadow, true), (0, Some(3), Vec::new()));
        let mut others = trial(Flags::default(), Wanted::Some(Arc::default()));
        others.phase = Some(Phase::Canary);
        let standing = others.standing(&|_| true);
        assert_eq!((standing.rows_fewest, standing.quiet), (None, Vec::new()), "a canary of other shards");
    }

    #[test]
    fn a_twin_is_idle_while_it_is_stale_and_only_its_warmth_is_missing() {
        let enrolled = Flags { enrolled: true, ..Flags::default() };
        let others = [
            Flags::default(),
            Flags { warm: true, ..enrolled },
            Flags { barred: true, ..enrolled },
            Flags { authoritative: true, ..enrolled },
        ];
        let idle = |flags, wanted, stale| trial(flags, wanted).standing(&|_| stale).idle;
        assert_eq!(idle(enrolled, Wanted::All, true), 1);
        assert_eq!(idle(enrolled, Wanted::All, false), 0);
        assert_eq!(idle(enrolled, Wanted::Nobody, true), 0);
        for flags in others {
            assert_eq!(idle(flags, Wanted::All, true), 0, "{flags:?}");
        }
    }
}
