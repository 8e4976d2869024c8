//! The thread of an asset: journal, records of other systems, versions and parameters, rollouts, joined into one line of
//! time. What joins them is pure and stands in `geminus_api::thread`; here is read what each source has after a place.
//!
//! Samples are named by their extent only; what they say is asked of history. What is about the whole site is left out for
//! whoever sees some twins only.

mod asset;
mod explain;
mod records;
mod told;
mod versions;

use std::sync::Arc;

use geminus_api::query::ThreadQuery;
use geminus_api::thread::{Page, Part, Place, join};
use geminus_api::view::{ThreadEntryView, ThreadKind};
use geminus_api::{Trouble, view as api};
use geminus_core::{Timestamp, TwinIndex};
use geminus_store::{Store, StoreError, Stretch};
use geminus_twin::Plant;

use super::{Rooms, blocking};
use explain::Versions;

/// Entries that the journal is looked through for one page when only some kinds are wanted.
const LOOKS_MAX: usize = 2_000;

/// Ranks of the sources on the line, which are part of a cursor: they stay what they are.
const JOURNAL: u8 = 0;
const SITE: u8 = 1;
const RECORDS: u8 = 2;
const BORDERS: u8 = 3;
const ROLLOUTS: u8 = 4;
const ACTIVATIONS: u8 = 5;

/// Where everything about one twin is read.
struct Thread {
    store: Arc<Store>,
    plant: Arc<Plant>,
    twin: TwinIndex,
    query: ThreadQuery,
    /// Rollouts of its behaviors; none for whoever does not see the whole site.
    rollouts: Vec<api::RolloutView>,
    now: Timestamp,
}

impl Rooms {
    pub(super) async fn page_of_thread(&self, query: ThreadQuery) -> Result<api::ThreadView, Trouble> {
        let twin = self.known(&query.twin)?;
        let wanted = query.scope.is_all() && query.wants(ThreadKind::Version);
        let thread = Thread {
            store: Arc::clone(&self.store),
            plant: Arc::clone(&self.plant),
            twin,
            query,
            rollouts: if wanted { self.rollouts_of(twin) } else { Vec::new() },
            now: self.clock.now(),
        };
        blocking(move || thread.page()).await
    }

    fn rollouts_of(&self, twin: TwinIndex) -> Vec<api::RolloutView> {
        let own = self.plant.bindings.iter().filter(|binding| binding.twins.contains(&twin));
        let own: Vec<&str> = own.map(|binding| binding.name.as_str()).collect();
        let board = self.board.lock();
        let all = board.rollouts.iter().map(|(id, document)| document.view(*id, false));
        all.filter(|rollout| own.contains(&rollout.binding.as_str())).collect()
    }
}

impl Thread {
    /// Blocks on files.
    fn page(self) -> Result<api::ThreadView, StoreError> {
        let (control, reader) = (self.store.control(), self.store.reader());
        let versions = Versions::read((&control, &reader), &self.plant, self.twin, &self.query.twin)?;
        let mut parts = vec![self.journal(&versions)?, self.records()?];
        let bindings = self.plant.bindings.iter().filter(|binding| binding.twins.contains(&self.twin));
        let bindings: Vec<&str> = bindings.map(|binding| binding.name.as_str()).collect();
        parts.push(self.whole(versions.changes()));
        if self.query.scope.is_all() {
            parts.push(self.site()?);
            parts.push(self.whole(versions::rollouts(&self.rollouts, self.now)));
            parts.push(self.whole(versions::activations(&self.store.control(), &bindings, &self.rollouts)?));
        }
        let Page { entries, next } = join(parts, self.query.newest_first, self.query.limit as usize);
        let asset = match self.query.after {
            None => Some(asset::view(&self.store, &self.plant, self.twin, &self.query)?),
            Some(_) => None,
        };
        Ok(api::ThreadView {
            twin: self.query.twin,
            asset,
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
            next: next.map(|place| place.to_string()),
        })
    }

    /// What is asked of a source of this rank.
    fn stretch(&self, source: u8) -> Stretch {
        let newest_first = self.query.newest_first;
        Stretch {
            from: self.query.from.unwrap_or_default(),
            to: self.query.to.unwrap_or(Timestamp(u64::MAX)),
            after: self.query.after.and_then(|after| after.bound(source, newest_first)),
            newest_first,
        }
    }

    /// What a source has, given whole: as far as it is in the time and of the kinds asked for.
    fn whole(&self, entries: Vec<(Place, ThreadEntryView)>) -> Part<ThreadEntryView> {
        let (from, to) = (self.query.from.unwrap_or_default(), self.query.to.unwrap_or(Timestamp(u64::MAX)));
        let is_in = |entry: &ThreadEntryView| {
            self.query.wants(entry.kind) && entry.time.0 < to && entry.until.unwrap_or(entry.time).0 >= from
        };
        let entries = entries.into_iter().filter(|(_, entry)| is_in(entry)).collect();
        Part::whole(entries, self.query.after, self.query.newest_first)
    }

    fn journal(&self, versions: &Versions) -> Result<Part<ThreadEntryView>, StoreError> {
        self.told(JOURNAL, Some(&self.query.twin), versions)
    }

    fn site(&self) -> Result<Part<ThreadEntryView>, StoreError> {
        self.told(SITE, None, &Versions::default())
    }

    /// Entries of the journal about the twin, or about the site.
    fn told(
        &self,
        source: u8,
        twin: Option<&str>,
        versions: &Versions,
    ) -> Result<Part<ThreadEntryView>, StoreError> {
        let query = &self.query;
        if !told::KINDS.iter().any(|kind| query.wants(*kind)) {
            return Ok(Part { entries: Vec::new(), seen_to: None });
        }
        // Some steps of a command are left out, so that a few more make a whole page.
        let looks = if query.kinds.is_empty() { query.limit as usize * 2 + 1 } else { LOOKS_MAX };
        let found = self.store.journal().line(twin, &self.stretch(source), looks)?;
        let place = |entry: &geminus_store::Entry| Place { time: entry.time, source, number: entry.seq };
        let seen_to = found.last().filter(|_| found.len() == looks).map(place);
        let wanted = found.into_iter().filter_map(|entry| {
            let kind = told::kind(&entry.event.kind).filter(|kind| query.wants(*kind))?;
            Some((place(&entry), entry, kind))
        });
        let wanted = wanted.take(query.limit as usize + 1);
        let mut explainer = explain::Explainer::new(self, versions);
        let entries = wanted
            .map(|(place, entry, kind)| Ok((place, told::view(entry, kind, &mut explainer)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        // What was not taken of what was found begins after the last that was.
        let seen_to = match entries.get(query.limit as usize) {
            Some((place, _)) => Some(*place),
            None => seen_to,
        };
        Ok(Part { entries, seen_to })
    }

    fn records(&self) -> Result<Part<ThreadEntryView>, StoreError> {
        let Some(filter) = records::filter(&self.query) else {
            return Ok(Part { entries: Vec::new(), seen_to: None });
        };
        let limit = self.query.limit as usize + 1;
        let found = self.store.records().line(&self.query.twin, filter, &self.stretch(RECORDS), limit)?;
        let place = |kept: &geminus_store::KeptRecord| Place {
            time: kept.record.time,
            source: RECORDS,
            number: kept.number,
        };
        let seen_to = found.last().filter(|_| found.len() == limit).map(place);
        let entries = found.into_iter().map(|kept| (place(&kept), records::view(kept))).collect();
        Ok(Part { entries, seen_to })
    }
}

/// A number for the place of something that has none: from words that stay the same. Below 2⁶³.
fn number_from(words: &[&str]) -> u64 {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    words.iter().for_each(|word| hash.update([word.as_bytes(), &[0]].concat()));
    hash.finalize().iter().take(8).fold(0_u64, |all, byte| (all << 8) | u64::from(*byte)) >> 1
}

/// An entry that only has a title.
fn plain(id: String, kind: ThreadKind, what: &str, time: Timestamp, title: String) -> ThreadEntryView {
    ThreadEntryView {
        id,
        kind,
        what: what.to_owned(),
        time: time.into(),
        until: None,
        severity: geminus_core::Severity::Info,
        title,
        detail: String::new(),
        facts: serde_json::Value::Null,
        explain: api::ExplainView::default(),
        record: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_words_tell_them_apart_and_fit_a_column() {
        let one = number_from(&["thermal", "activated"]);
        assert_eq!(one, number_from(&["thermal", "activated"]));
        assert_ne!(one, number_from(&["therma", "lactivated"]));
        assert!(i64::try_from(one).is_ok());
    }
}
