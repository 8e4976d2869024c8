//! Each item is saved and brought back: in time, and when a third twin crashes the instance that they share.

use geminus_tests::{START_MS, answered, tally};

use crate::corpus::{POISON, states};
use crate::from_the_start::{bad, house, mate};

/// Rounds until the state of an instance of three is saved at the latest, with room to spare.
const SAVED_AFTER: u64 = 120;

#[test]
fn who_cannot_be_saved_or_brought_back_is_held_apart_alone() -> anyhow::Result<()> {
    let items = states()?;
    let house = house(&items, &["bad", "mate", "fuse"])?;
    house.pulse.wait(SAVED_AFTER)?;
    for item in items.iter().filter(|item| item.name.starts_with("back-")) {
        let fuse = format!("{}-fuse", item.name);
        house.pulse.poison(&fuse, &[POISON]);
        house.told(&item.guest.label(), Some(&fuse), "unreachable")?;
    }
    for item in &items {
        house.told(&item.guest.label(), Some(&bad(item)), item.rule)?;
    }
    house.pulse.wait(20)?;
    let (closed, sent) = house.innocent_lost_nothing()?;
    for item in &items {
        answered(&closed.host, &mate(item), item.name, &tally(&sent[&mate(item)]))?;
        let expect = tally(&sent[&bad(item)]);
        let range = (START_MS, START_MS + expect.len() as u64 * 1_000);
        for (output, place) in [("sum", 0), ("count", 1)] {
            let found = closed.host.stored(&bad(item), &format!("{}.{output}", item.name), range, 1_000)?;
            let good = found.iter().take_while(|(_, value)| value.is_some()).count();
            assert!(good >= 20, "{}: {good} answers", item.name);
            for (row, (time, value)) in found.iter().enumerate() {
                let due = (expect[row].0, expect[row].1.filter(|_| row < good).map(|outputs| outputs[place]));
                assert_eq!((*time, *value), due, "{} {output}, row {row}", item.name);
            }
        }
    }
    closed.host.stop()
}
