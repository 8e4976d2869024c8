//! Where in a twin's time its behaviors went to another version: what shards saw since the start, and what the books
//! know of earlier runs by the borders at which states were written down.

use std::collections::HashMap;

use geminus_api::view as api;
use geminus_core::{Timestamp, TwinIndex};
use geminus_store::{Border, Control, StoreError};
use geminus_twin::Plant;

use crate::change::{Named, change};

/// Time of the last row before, and a text.
pub(super) type Mark = (Timestamp, String);

/// Swaps that the books know. Blocks.
pub(super) fn earlier(
    control: &Control,
    plant: &Plant,
    twin: TwinIndex,
    id: &str,
) -> Result<Vec<Mark>, StoreError> {
    let mut all = Vec::new();
    let mut labels: Option<HashMap<u32, (String, String)>> = None;
    for binding in plant.bindings.iter().filter(|binding| binding.twins.contains(&twin)) {
        let borders = control.borders(&binding.name, id)?;
        if !borders.iter().any(|(_, border, _)| *border == Border::Switch) {
            continue;
        }
        let labels = match &labels {
            Some(labels) => labels,
            None => {
                let known = control.incarnations()?;
                labels
                    .insert(known.into_iter().map(|known| (known.id, (known.plugin, known.digest))).collect())
            }
        };
        all.extend(switches(&borders, labels));
    }
    Ok(all)
}

/// Borders at which another incarnation went on than the one before. `labels` are `name@version` and digest of each.
fn switches(borders: &[(Timestamp, Border, u32)], labels: &HashMap<u32, (String, String)>) -> Vec<Mark> {
    let mut before = None;
    let mut found = Vec::new();
    for (time, border, incarnation) in borders {
        let from = before.replace(*incarnation);
        if *border != Border::Switch || from == Some(*incarnation) {
            continue;
        }
        let named = |incarnation: &u32| {
            let known = labels.get(incarnation).map(|(label, digest)| Named::new(label, digest));
            known.unwrap_or(Named::new("?", "?"))
        };
        let text = match &from {
            Some(from) => change(Some(named(from)), named(incarnation)),
            None => format!("→ {}", named(incarnation).label),
        };
        found.push((*time, text));
    }
    found
}

/// Marks with `from` ≤ time < `to`, in order of time. What a shard saw itself has the better words.
pub(super) fn inside(
    swaps: Vec<Mark>,
    earlier: Vec<Mark>,
    from: Timestamp,
    to: Timestamp,
) -> Vec<api::MarkView> {
    let unseen = earlier.into_iter().filter(|(time, _)| !swaps.iter().any(|(seen, _)| seen == time));
    let mut all: Vec<Mark> = unseen.collect();
    all.extend(swaps);
    all.retain(|(time, _)| (from..to).contains(time));
    all.sort_by_key(|(time, _)| *time);
    let view = |(time, text): Mark| api::MarkView { time_ms: time.millis(), kind: api::MarkKind::Swap, text };
    all.into_iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use geminus_core::Digest;

    use super::*;

    #[test]
    fn versions_of_one_number_are_marked_with_their_digests() {
        let digest = |bytes: &str| Digest::of(bytes.as_bytes());
        let named = |id: u32, bytes: &str| (id, ("tally@1.0.0".to_owned(), digest(bytes).to_string()));
        let labels = HashMap::from([named(1, "a"), named(2, "b")]);
        let borders = [(Timestamp(0), Border::Start, 1), (Timestamp(5), Border::Switch, 2)];
        let text = format!("tally@1.0.0 {} → tally@1.0.0 {}", digest("a").short(), digest("b").short());
        assert_eq!(switches(&borders, &labels), [(Timestamp(5), text)]);
    }

    #[test]
    fn a_switch_is_a_mark_where_another_version_goes_on() {
        let labels = HashMap::from([(1, "tally@1.0.0"), (2, "tally@1.1.0")]);
        let labels =
            labels.into_iter().map(|(id, label)| (id, (label.to_owned(), format!("sha256:{id}")))).collect();
        let borders = [
            (Timestamp(0), Border::Start, 1),
            (Timestamp(5), Border::Switch, 2),
            (Timestamp(7), Border::Start, 2),
            (Timestamp(8), Border::Restore, 2),
            (Timestamp(9), Border::Switch, 1),
        ];
        let there = (Timestamp(5), "tally@1.0.0 → tally@1.1.0".to_owned());
        let back = (Timestamp(9), "tally@1.1.0 → tally@1.0.0".to_owned());
        let found = switches(&borders, &labels);
        assert_eq!(found, [there.clone(), back]);
        let seen = vec![(Timestamp(9), "back: tally@1.1.0 → tally@1.0.0".to_owned())];
        let marks = inside(seen, found.clone(), Timestamp(0), Timestamp(10));
        let texts: Vec<&str> = marks.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(texts, [there.1.as_str(), "back: tally@1.1.0 → tally@1.0.0"]);
        assert_eq!(inside(Vec::new(), found, Timestamp(6), Timestamp(9)).len(), 0);
    }
}
