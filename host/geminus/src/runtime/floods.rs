//! Floods as they are told: who did what more often than it may. The first one at once, then one a minute for each
//! version, rule and twin with how much it was since; so a flood of one is told by name and floods nobody else's journal.

use std::collections::HashMap;
use std::time::Duration;

use geminus_behavior::Rule;
use geminus_core::{Event, Severity, TwinIndex};
use geminus_twin::{BindingIndex, Plant};
use serde_json::json;

use super::cohorts::side::Flooded;
use super::id_of;

/// The same flood is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Twins of one version and rule that are told of by name in this time; the others are told of together.
const NAMED_MAX: usize = 8;

/// A version under a binding, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Who {
    binding: BindingIndex,
    incarnation: u32,
    rule: Rule,
}

/// What a version does, by whose it is.
#[derive(Debug)]
struct Book {
    label: String,
    limit: u64,
    by_twin: HashMap<Option<TwinIndex>, Since>,
}

/// Since a flood was told last.
#[derive(Clone, Copy, Debug)]
struct Since {
    told: Duration,
    count: u64,
}

/// All floods of a shard.
#[derive(Debug, Default)]
pub(crate) struct Floods {
    books: HashMap<Who, Book>,
}

/// One that is to be told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    binding: BindingIndex,
    /// `name@version`.
    label: String,
    rule: Rule,
    limit: u64,
    /// `None`: of some twins of the version, who are not known or too many to be named.
    twin: Option<TwinIndex>,
    count: u64,
    /// Whether this is what came since it was told before.
    again: bool,
}

impl Floods {
    /// Takes a flood down; gives it back when it is to be told at once.
    pub(crate) fn note(&mut self, binding: BindingIndex, flooded: &Flooded, now: Duration) -> Option<Told> {
        let Flooded { incarnation, declaration, flood } = flooded;
        let who = Who { binding, incarnation: *incarnation, rule: flood.rule };
        let book = self.books.entry(who).or_insert_with(|| Book {
            label: declaration.label(),
            limit: flood.limit,
            by_twin: HashMap::new(),
        });
        let named = book.by_twin.contains_key(&flood.twin) || book.by_twin.len() < NAMED_MAX;
        let twin = flood.twin.filter(|_| named);
        if let Some(since) = book.by_twin.get_mut(&twin) {
            since.count = since.count.saturating_add(flood.count);
            return None;
        }
        book.by_twin.insert(twin, Since { told: now, count: 0 });
        Some(book.told(who, (twin, flood.count), false))
    }

    /// Floods that went on and are to be told again. One that has ended is forgotten, so that the next is told at once.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<Told> {
        let mut all = Vec::new();
        self.books.retain(|who, book| {
            let mut due = Vec::new();
            book.by_twin.retain(|twin, since| {
                let (is_due, count) = (now.saturating_sub(since.told) >= TOLD_EVERY, since.count);
                if is_due && count > 0 {
                    due.push((*twin, count));
                    *since = Since { told: now, count: 0 };
                }
                !is_due || count > 0
            });
            all.extend(due.into_iter().map(|one| book.told(*who, one, true)));
            !book.by_twin.is_empty()
        });
        all
    }
}

impl Book {
    fn told(&self, who: Who, (twin, count): (Option<TwinIndex>, u64), again: bool) -> Told {
        let Who { binding, rule, .. } = who;
        Told { binding, label: self.label.clone(), rule, limit: self.limit, twin, count, again }
    }
}

impl Told {
    /// The journal's entry.
    pub(crate) fn event(&self, plant: &Plant) -> Event {
        let Self { label, rule, limit, count, .. } = self;
        let behavior = plant.binding(self.binding).map_or("", |binding| &*binding.name);
        let twin = self.twin.map(|twin| id_of(plant, twin));
        let what = match rule {
            Rule::LogLines => {
                format!("{count} log lines were dropped: a call may write {limit} (log_lines_per_call)")
            }
            Rule::LookUps => {
                format!("{count} look-ups were refused: a call may make {limit} (lookups_per_call)")
            }
            Rule::NotFinite => format!(
                "{count} outputs are bad: they are no finite numbers, and their quality does not say so (finite-outputs)"
            ),
        };
        let since = if self.again { ", since this was told last" } else { "" };
        let message =
            format!("{behavior} of {}, {label}: {what}{since}", twin.unwrap_or("some of its twins"));
        let facts = json!({ "binding": behavior, "rule": rule.name(), "limit": limit, "count": count });
        let event =
            Event::new("behavior-flood", Severity::Warning, message).plugin(label.as_str()).facts(facts);
        match twin {
            Some(twin) => event.twin(twin),
            None => event,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_behavior::Flood;
    use geminus_core::Declaration;

    use super::*;

    const BINDING: BindingIndex = BindingIndex(3);

    fn flooded(twin: Option<u32>, rule: Rule, count: u64) -> Flooded {
        let text = serde_json::json!({
            "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "estimator",
            "outputs": [{"name": "b", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []},
        });
        let declaration = Declaration::parse(text.to_string().as_bytes()).expect("declaration");
        let flood = Flood { twin: twin.map(TwinIndex), rule, limit: 32, count };
        Flooded { incarnation: 7, declaration: Arc::new(declaration), flood }
    }

    #[test]
    fn a_flood_is_told_at_once_and_then_once_a_minute_with_what_came_since() {
        let mut floods = Floods::default();
        let note = |floods: &mut Floods, twin, rule, count, second| {
            floods.note(BINDING, &flooded(twin, rule, count), Duration::from_secs(second))
        };
        let told = |twin: Option<u32>, rule, count, again| Told {
            binding: BINDING,
            label: "probe@1.0.0".to_owned(),
            rule,
            limit: 32,
            twin: twin.map(TwinIndex),
            count,
            again,
        };
        assert_eq!(
            note(&mut floods, Some(1), Rule::LogLines, 5, 0),
            Some(told(Some(1), Rule::LogLines, 5, false))
        );
        assert_eq!(note(&mut floods, Some(1), Rule::LogLines, 6, 1), None);
        assert_eq!(note(&mut floods, Some(1), Rule::LogLines, 7, 2), None);
        // Another twin, and another rule, are another flood.
        assert_eq!(note(&mut floods, None, Rule::LogLines, 1, 2), Some(told(None, Rule::LogLines, 1, false)));
        assert_eq!(
            note(&mut floods, Some(1), Rule::LookUps, 4, 2),
            Some(told(Some(1), Rule::LookUps, 4, false))
        );
        assert_eq!(floods.due(Duration::from_secs(59)), []);
        assert_eq!(floods.due(Duration::from_secs(60)), [told(Some(1), Rule::LogLines, 13, true)]);
        // The others have ended; this one goes on, and is told a minute after the last time.
        assert_eq!(floods.due(Duration::from_secs(70)), []);
        assert_eq!(floods.books.len(), 1);
        assert_eq!(note(&mut floods, Some(1), Rule::LogLines, 2, 80), None);
        assert_eq!(floods.due(Duration::from_secs(119)), []);
        assert_eq!(floods.due(Duration::from_secs(120)), [told(Some(1), Rule::LogLines, 2, true)]);
        assert_eq!(floods.due(Duration::from_secs(180)), []);
        assert!(floods.books.is_empty());
        assert!(note(&mut floods, Some(1), Rule::LogLines, 1, 181).is_some_and(|told| !told.again));
    }

    #[test]
    fn a_fleet_that_floods_is_told_of_in_a_few_entries() {
        let mut floods = Floods::default();
        let mut entries = 0;
        for twin in 0..1_000 {
            let told = floods.note(BINDING, &flooded(Some(twin), Rule::NotFinite, 2), Duration::ZERO);
            entries += usize::from(told.is_some());
        }
        assert_eq!(entries, NAMED_MAX + 1);
        let due = floods.due(TOLD_EVERY);
        let counts: Vec<_> = due.iter().map(|told| (told.twin, told.count)).collect();
        // The first of those without a name was told with its own two.
        assert_eq!(counts, [(None, (1_000 - NAMED_MAX as u64 - 1) * 2)]);
    }
}
