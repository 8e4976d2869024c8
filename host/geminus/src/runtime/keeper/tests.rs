//! How the keeper ends: with a save when it is told to, without one when a start has failed.

use geminus_core::{Clock, SystemClock};
use geminus_store::Options;

use super::*;
use crate::runtime::plan;

/// What the journal was told of saves by a keeper whose only shard has ended, after `end`.
fn told(end: impl FnOnce(Keeper)) -> Vec<String> {
    let folder = tempfile::tempdir().expect("folder");
    for part in ["types", "plugins"] {
        std::fs::create_dir(folder.path().join(part)).expect("folder");
    }
    let site = folder.path().join("site.toml");
    std::fs::write(&site, "[site]\nname = \"bare\"\n").expect("written");
    let plant = Arc::new(plan::check(&site).expect("a plan").plan.plant);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = Store::open(&folder.path().join("data"), Options::default(), clock).expect("a store");
    let store = Arc::new(store);
    let (shard, ended) = crossbeam_channel::unbounded();
    drop(ended);
    let (borders_in, borders) = crossbeam_channel::unbounded();
    // As shards that have ended: also then the word to stop must be heard.
    drop(borders_in);
    let chronicle = Chronicle::new(store.journal());
    let keeper =
        Keeper::start(plant, vec![shard], Arc::clone(&store), chronicle, borders, Duration::from_hours(1));
    end(keeper.expect("a thread"));
    store.flush().expect("durable");
    let entries = store.journal().latest(100, None, None).expect("entries");
    let failed = entries.into_iter().filter(|entry| entry.event.kind == "snapshot-failed");
    failed.map(|entry| entry.event.message).collect()
}

#[test]
fn a_keeper_that_is_stopped_saves_and_says_what_it_could_not() {
    let said = told(Keeper::stop);
    assert!(said.len() == 1 && said[0].contains("has ended and cannot copy its state"), "{said:?}");
}

#[test]
fn a_keeper_of_a_start_that_failed_ends_without_a_save() {
    let said = told(|keeper| {
        let Keeper { stop, thread, .. } = keeper;
        drop(stop);
        thread.join().expect("no panic");
    });
    assert!(said.is_empty(), "{said:?}");
}
