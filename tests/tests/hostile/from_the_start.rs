//! Each item runs from the start, for one twin of two that share an instance.

use geminus_tests::{answered, tally, tally_without};

use crate::corpus::{End, Item, POISON, opens, steps, written};
use crate::house::House;

/// More memory that a host may hold after it has met them all.
const GROWTH_BYTES_MAX: u64 = 400 << 20;

pub(crate) fn bad(item: &Item) -> String {
    format!("{}-bad", item.name)
}

pub(crate) fn mate(item: &Item) -> String {
    format!("{}-mate", item.name)
}

/// A house in which every item runs, for twins with these endings. A fault is told once and the twin held apart at
/// once, without the ladder.
pub(crate) fn house(items: &[Item], ends: &[&str]) -> anyhow::Result<House> {
    let of = |item: &Item| ends.iter().map(|end| format!("{}-{end}", item.name)).collect::<Vec<_>>();
    let ids: Vec<String> = items.iter().flat_map(of).collect();
    let guests: Vec<_> = items.iter().map(|item| &item.guest).collect();
    House::start(
        &ids,
        |cells| {
            let cells = cells
                // Enough for each to reach the limit that it is about.
                .lines("[limits]\nfuel_per_row_max = 10000000")
                .lines("[containment]\nrestarts_max = 0\nrestarts_older_max = 0\nprevious_version = false");
            items.iter().fold(cells, |cells, item| {
                cells.behavior(item.name, item.name, &format!("{}-*", item.name), "")
            })
        },
        &guests,
    )
}

#[test]
fn whatever_a_twin_does_in_a_step_only_it_is_stopped() -> anyhow::Result<()> {
    let items = steps()?;
    let house = house(&items, &["bad", "mate"])?;
    let before = house.host.resident_bytes()?;
    for item in &items {
        house.pulse.poison(&bad(item), &[POISON]);
        // A log line does not say whose it is where its call has rows of several twins.
        let twin = (item.name != "log-flood").then(|| bad(item));
        house.told(&item.guest.label(), twin.as_deref(), item.rule)?;
        house.pulse.wait(3)?;
        house.host.lives().map_err(|error| error.context(item.name))?;
    }
    for item in &items {
        let state = house.host.behavior(&bad(item), item.name)?["state"].clone();
        assert_eq!(state == "quarantined", item.end == End::Apart, "{} is {state}", item.name);
    }
    house.pulse.wait(20)?;
    let after = house.host.resident_bytes()?;
    assert!(after < before + GROWTH_BYTES_MAX, "the host held {before} bytes, and holds {after}");
    let (closed, sent) = house.innocent_lost_nothing()?;
    for item in &items {
        answered(&closed.host, &mate(item), item.name, &tally(&sent[&mate(item)]))?;
        let mine = &sent[&bad(item)];
        let mut expect = match item.end {
            End::Unanswered => tally_without(mine, |a| a == POISON),
            _ => tally(mine),
        };
        let poisoned =
            mine.iter().position(|row| row.is_some_and(|(a, _)| a == POISON)).expect("it was poisoned");
        match item.end {
            End::Apart => expect.truncate(poisoned),
            End::NoNumbers => expect[poisoned].1 = None,
            _ => {}
        }
        answered(&closed.host, &bad(item), item.name, &expect)?;
        // Measurements are nobody's to stop.
        let range = (geminus_tests::START_MS, geminus_tests::START_MS + mine.len() as u64 * 1_000);
        assert_eq!(closed.host.stored(&bad(item), "a", range, 1_000)?.len(), mine.len(), "{}", item.name);
    }
    closed.host.stop()
}

#[test]
fn what_cannot_start_is_refused_and_the_house_starts() -> anyhow::Result<()> {
    let mut items = opens()?;
    items.extend(written()?);
    let house = house(&items, &["bad", "mate"])?;
    for item in &items {
        let twin = (item.end == End::Apart).then(|| bad(item));
        house.told(&item.guest.label(), twin.as_deref(), item.rule)?;
    }
    house.pulse.wait(20)?;
    let (closed, sent) = house.innocent_lost_nothing()?;
    for item in &items {
        if item.end == End::Apart {
            answered(&closed.host, &mate(item), item.name, &tally(&sent[&mate(item)]))?;
        }
        assert_ne!(closed.host.behavior(&bad(item), item.name)?["state"], "running", "{}", item.name);
        let range = (geminus_tests::START_MS, geminus_tests::START_MS + 1_000_000);
        let found = closed.host.stored(&bad(item), &format!("{}.sum", item.name), range, 1_000)?;
        assert!(found.iter().all(|(_, value)| value.is_none()), "{} has answered", item.name);
    }
    closed.host.stop()
}
