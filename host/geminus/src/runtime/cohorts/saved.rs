//! State of a shard's twins as it is saved: by version and side, in pieces that are one commit each.

use std::collections::HashSet;

use geminus_behavior::Snapshot;
use geminus_core::TwinIndex;
use geminus_twin::BindingIndex;

use super::side::Side;
use super::{COHORT_TWINS_MAX, Cohorts};
use crate::runtime::crumb;

/// State of one instance's twins.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) incarnation: u32,
    /// Whether another side answers for these twins.
    pub(crate) standby: bool,
    pub(crate) state: Result<Snapshot, String>,
}

impl Saved {
    /// Puts together what one version has on one side, as many twins as share an instance: each is a commit.
    fn together(all: Vec<Self>) -> Vec<Self> {
        let mut together: Vec<Self> = Vec::new();
        for one in all {
            let count = one.twins();
            let alike = |known: &&mut Self| {
                let same = known.incarnation == one.incarnation && known.standby == one.standby;
                same && known.state.is_ok() && known.twins() + count <= COHORT_TWINS_MAX
            };
            match (one.state, together.iter_mut().find(alike)) {
                (Ok(more), Some(Self { state: Ok(known), .. })) => known.twins.extend(more.twins),
                (state, _) => together.push(Self { state, ..one }),
            }
        }
        together
    }

    fn twins(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.twins.len())
    }
}

impl Cohorts {
    /// State of every twin of a binding: of the side that answers for it, and then of the other side of a trial.
    pub(crate) fn snapshots(&mut self, index: BindingIndex) -> Vec<Saved> {
        let Some(group) = self.groups.get_mut(&index) else { return Vec::new() };
        let mut saved: Vec<Saved> = Vec::new();
        let candidate = group.trial.as_ref().map(|trial| {
            trial.side().twins().filter(|twin| trial.is_authoritative(*twin)).collect::<HashSet<TwinIndex>>()
        });
        let candidate = candidate.unwrap_or_default();
        let mut copy = |side: &mut Side, authoritative: &dyn Fn(TwinIndex) -> bool| {
            // One crumb around all of one version, however many instances it has.
            let _inside = side.berths().first().map(|berth| crumb::inside(berth.incarnation));
            for berth in side.berths_mut() {
                let state = berth.enter().snapshot(None).map_err(|error| error.to_string());
                let (ours, theirs) = match state {
                    Ok(snapshot) => {
                        let (ours, theirs): (Vec<_>, Vec<_>) =
                            snapshot.twins.into_iter().partition(|saved| authoritative(saved.twin));
                        let part = |twins| Snapshot {
                            label: snapshot.label.clone(),
                            digest: snapshot.digest,
                            schema: snapshot.schema,
                            twins,
                        };
                        (Ok(part(ours)), Some(part(theirs)))
                    }
                    Err(error) => (Err(error), None),
                };
                let incarnation = berth.incarnation;
                saved.push(Saved { incarnation, standby: false, state: ours });
                if let Some(theirs) = theirs.filter(|part| !part.twins.is_empty()) {
                    saved.push(Saved { incarnation, standby: true, state: Ok(theirs) });
                }
            }
        };
        copy(&mut group.incumbent, &|twin| !candidate.contains(&twin));
        // A candidate for which nobody is authoritative yet is gone after a restart: its state is not kept.
        if !candidate.is_empty()
            && let Some(trial) = &mut group.trial
        {
            copy(trial.side_mut(), &|twin| candidate.contains(&twin));
        }
        Saved::together(saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::{Digest, Timestamp};

    #[test]
    fn what_one_version_has_is_saved_together_as_far_as_an_instance_reaches() {
        let saved = |incarnation, standby, twins: std::ops::Range<u32>| {
            let one = |twin| geminus_behavior::Saved {
                twin: TwinIndex(twin),
                time: Timestamp(1),
                rows: 1,
                bytes: vec![7],
            };
            let (label, digest) = ("motor@1.0.0".to_owned(), Digest::of(b"motor"));
            let state = Ok(Snapshot { label, digest, schema: 1, twins: twins.map(one).collect() });
            Saved { incarnation, standby, state }
        };
        let broken = Saved { incarnation: 1, standby: false, state: Err("it broke".to_owned()) };
        let many = u32::try_from(COHORT_TWINS_MAX).expect("fits");
        let all = vec![
            saved(1, false, 0..1),
            saved(2, false, 1..2),
            broken,
            saved(1, false, 2..3),
            saved(1, true, 3..4),
        ];
        let all = all.into_iter().chain([saved(1, false, 4..many + 2), saved(1, false, many + 2..many + 3)]);
        let together = Saved::together(all.collect());
        let found: Vec<(u32, bool, Option<usize>)> = together
            .iter()
            .map(|saved| (saved.incarnation, saved.standby, saved.state.as_ref().ok().map(|s| s.twins.len())))
            .collect();
        let (last, first) = (COHORT_TWINS_MAX - 2, 1);
        let expect = [
            (1, false, Some(2 + last)),
            (2, false, Some(1)),
            (1, false, None),
            (1, true, Some(1)),
            (1, false, Some(first)),
        ];
        assert_eq!(found, expect);
    }
}
