//! What a plan's version is measured against: what each of its twins really runs, and what stands in the way.

use std::collections::BTreeMap;

use geminus_core::{Digest, TwinIndex};
use geminus_registry::{ChangeSeverity, diff};

use super::{Heir, Incumbent, Meaning};
use crate::runtime::floor::Floor;
use crate::runtime::plugins::Active;

impl Meaning {
    /// What each twin really runs: its own version, where a pin, an earlier rollout or the ladder gave it one.
    pub(super) fn find_incumbents(&mut self, floor: &Floor, heir: Option<&Heir<'_>>) {
        let Some(index) = self.index else { return };
        let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
        {
            let board = floor.board.lock();
            let heir = |twin| heir.filter(|heir| heir.twins.contains(&twin)).map(|heir| heir.digest);
            for digest in
                self.twins.iter().filter_map(|twin| heir(*twin).or_else(|| board.runs(index, *twin)))
            {
                *counts.entry(digest).or_default() += 1;
            }
        }
        let mut counts: Vec<(Digest, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (digest, count) in counts {
            match floor.declaration(index, digest) {
                Some(declaration) => self.incumbents.push(Incumbent { digest, declaration }),
                None => self.refusals.push(format!(
                    "the package that {count} of its twins run ({}) is gone, so nothing can be compared with it: put \
                     it into the plugin folder again",
                    digest.short()
                )),
            }
        }
    }

    pub(super) fn compare(&mut self, floor: &Floor) {
        let (Some(index), Some(package)) = (self.index, self.package.as_ref()) else { return };
        let Some(binding) = floor.binding(index) else { return };
        match self.incumbents.as_slice() {
            [] => self.diff = diff(&binding.declaration, &package.declaration),
            all => {
                // What a twin may not do, or cannot give up, counts also when its neighbours run something else.
                let of = |incumbent: &Incumbent| diff(&incumbent.declaration, &package.declaration).changes;
                for change in all.iter().flat_map(of) {
                    if !self.diff.changes.contains(&change) {
                        self.diff.changes.push(change);
                    }
                }
                self.diff.changes.sort_by_key(|change| std::cmp::Reverse(change.severity));
            }
        }
        if self.diff.refuses() {
            self.refusals.push(self.diff.reasons(ChangeSeverity::Breaking));
        }
        let versions = self.twins.first().map_or(&binding.versions, |twin| binding.versions_of(*twin));
        match binding.adopt_for(&package.declaration, versions) {
            Ok(parameters) => self.parameters = parameters,
            Err(reasons) => {
                let known = self.refusals.clone();
                let is_new = |reason: &String| !known.iter().any(|one| one.starts_with(reason.as_str()));
                self.refusals.extend(reasons.into_iter().filter(is_new));
            }
        }
        let (main, given_up) = {
            let board = floor.board.lock();
            let main = board.active.get(index.0 as usize).and_then(Option::as_ref).map(Active::digest);
            let given_up = |twin: &TwinIndex| board.given_up.contains(&(index, *twin, package.digest));
            (main, self.twins.iter().any(given_up))
        };
        let all_run_it = self.incumbents.iter().all(|known| known.digest == package.digest);
        let runs =
            (self.whole && main == Some(package.digest)) || (!self.incumbents.is_empty() && all_run_it);
        // A twin that is quarantined in it, or was moved off it, may be given it anew: that is how a person frees it.
        if runs && !given_up {
            self.refusals.push(format!("{} runs already", package.declaration.label()));
        }
    }

    /// Why no file begins it by itself.
    pub(crate) fn against(&self) -> Option<String> {
        let reasons: Vec<String> = self.missing.iter().chain(&self.refusals).cloned().collect();
        match reasons.is_empty() {
            true => self.widens().map(|what| {
                format!("it may do more than what runs, so a person has to start the rollout: {what}")
            }),
            false => Some(reasons.join("; ")),
        }
    }

    /// Whether a person must say yes first.
    pub(crate) fn widens(&self) -> Option<String> {
        self.diff.widens().then(|| self.diff.reasons(ChangeSeverity::Widening))
    }
}
