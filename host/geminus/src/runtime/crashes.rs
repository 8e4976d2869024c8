//! What the end of the last run says about components. A run that did not end in order left crumbs: the component that a
//! thread was inside of gets a crash, once, and the crumbs are swept away. What counts is how often in a row: an end in
//! order, or one elsewhere, forgives the crashes of what is not left out yet. Called once at a start, before any thread of
//! it carries a crumb.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use geminus_core::{Digest, Event, Severity, Timestamp};
use geminus_store::{Control, Incarnation};

use super::chronicle::Chronicle;
use super::crumb;

/// Counts what the last run ended inside of, and gives it: behavior and digest.
pub(crate) fn count(
    control: &Control,
    data: &Path,
    (crashes_max, now): (u32, Timestamp),
    chronicle: &Chronicle,
) -> HashSet<(String, Digest)> {
    let inside = match control.was_clean() {
        true => {
            forgive(control, crashes_max, |_| true);
            HashSet::new()
        }
        false => count_each(control, data, (crashes_max, now), chronicle),
    };
    if let Err(error) = crumb::sweep(data) {
        tracing::error!(%error, "crumbs of the last run still lie there: after another crash they count once more");
    }
    inside
}

/// Ends the row of those components that the last run did not end inside of. What is left out already stays so: it did not
/// run, so an end elsewhere says nothing of it.
fn forgive(control: &Control, crashes_max: u32, ended_elsewhere: impl Fn(&str) -> bool) {
    let all = control.crashes().unwrap_or_default();
    for crash in all.into_iter().filter(|crash| crash.count < crashes_max && ended_elsewhere(&crash.digest)) {
        if let Err(error) = control.forgive_crash(&crash.digest) {
            tracing::warn!(%error, "a crash was not forgiven");
        }
    }
}

/// One crash for each component, in however many behaviors and on however many threads the process was inside of it.
fn count_each(
    control: &Control,
    data: &Path,
    (crashes_max, now): (u32, Timestamp),
    chronicle: &Chronicle,
) -> HashSet<(String, Digest)> {
    let unreadable = |error: &dyn std::fmt::Display| {
        let message = format!("what the last run ended inside of cannot be read: {error}");
        chronicle.tell(Event::new("control-unreadable", Severity::Error, message));
    };
    // What cannot be read says nothing, for nobody and against nobody.
    let left = match crumb::left_behind(data) {
        Ok(left) => left,
        Err(error) => {
            unreadable(&error);
            return HashSet::new();
        }
    };
    if left.is_empty() {
        forgive(control, crashes_max, |_| true);
        return HashSet::new();
    }
    let known = match control.incarnations() {
        Ok(known) => known,
        Err(error) => {
            unreadable(&error);
            return HashSet::new();
        }
    };
    let mut by_digest: BTreeMap<&str, Vec<&Incarnation>> = BTreeMap::new();
    for one in known.iter().filter(|one| left.contains(&one.id)) {
        by_digest.entry(one.digest.as_str()).or_default().push(one);
    }
    forgive(control, crashes_max, |digest| !by_digest.contains_key(digest));
    for (digest, all) in &by_digest {
        let Some(plugin) = all.first().map(|one| one.plugin.as_str()) else { continue };
        let bindings: BTreeSet<&str> = all.iter().map(|one| one.binding.as_str()).collect();
        let bindings: Vec<&str> = bindings.into_iter().collect();
        match control.crash(digest, now) {
            Ok(count) => {
                let message = format!(
                    "the last run ended inside {plugin} ({}), {count} times in a row by now; at {crashes_max} (containment.crashes_max) the host starts without it",
                    bindings.join(", ")
                );
                let facts = serde_json::json!({
                    "bindings": bindings, "digest": digest, "crashes": count, "crashes_max": crashes_max,
                });
                let event = Event::new("crashed-inside", Severity::Error, message).plugin(plugin);
                chronicle.tell(event.facts(facts));
            }
            Err(error) => tracing::error!(%error, "a crash was not counted"),
        }
    }
    let all = by_digest.into_values().flatten();
    all.filter_map(|one| Some((one.binding.clone(), one.digest.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_core::{Clock, SystemClock};
    use geminus_store::Store;

    use super::*;
    use crate::runtime::crumb::{Crumb, carry, carry_for_work, inside};

    const CRASHES_MAX: u32 = 3;
    const DIGEST: &str = "sha256:0102030405060708091011121314151617181920212223242526272829303132";

    /// A run over this folder: what it finds, and then what `run` does before the process is gone.
    fn run(folder: &Path, run: impl FnOnce(&Store)) -> (HashSet<(String, Digest)>, Vec<u32>) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store =
            Store::open(folder, geminus_store::Options::default(), Arc::clone(&clock)).expect("opens");
        let (control, chronicle) = (store.control(), Chronicle::new(store.journal()));
        let found = count(&control, folder, (CRASHES_MAX, clock.now()), &chronicle);
        control.mark_running().expect("marked");
        let counts = control.crashes().expect("read").iter().map(|crash| crash.count).collect();
        run(&store);
        (found, counts)
    }

    fn number(store: &Store, binding: &str) -> u32 {
        store.control().incarnation(binding, "tally@1.0.0", DIGEST, b"{}").expect("numbered")
    }

    fn ended(bindings: &[&str]) -> HashSet<(String, Digest)> {
        let digest: Digest = DIGEST.parse().expect("a digest");
        bindings.iter().map(|binding| ((*binding).to_owned(), digest)).collect()
    }

    #[test]
    fn an_end_inside_counts_once_and_a_row_of_them_ends_with_an_end_in_order() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path();
        // Two shards inside of one component, for two behaviors.
        let crashed = |store: &Store| {
            for (shard, binding) in ["one", "other"].into_iter().enumerate() {
                Crumb::open(path, shard).enter(number(store, binding));
            }
        };
        assert_eq!(run(path, crashed), (ended(&[]), vec![]));
        assert_eq!(run(path, |_| ()), (ended(&["one", "other"]), vec![1]));
        // Killed again, in no component this time: that was no row.
        assert_eq!(run(path, crashed), (ended(&[]), vec![]));
        assert_eq!(run(path, crashed), (ended(&["one", "other"]), vec![1]));
        let in_order = |store: &Store| store.control().mark_stopped().expect("marked");
        assert_eq!(run(path, in_order), (ended(&["one", "other"]), vec![2]));
        assert_eq!(run(path, crashed), (ended(&[]), vec![]), "forgiven");
        // What is left out stays so, wherever a run without it ends.
        assert_eq!(run(path, crashed), (ended(&["one", "other"]), vec![1]));
        assert_eq!(run(path, crashed), (ended(&["one", "other"]), vec![2]));
        assert_eq!(run(path, |_| ()), (ended(&["one", "other"]), vec![CRASHES_MAX]));
        assert_eq!(run(path, in_order), (ended(&[]), vec![CRASHES_MAX]));
        assert_eq!(run(path, |_| ()), (ended(&[]), vec![CRASHES_MAX]));
    }

    #[test]
    fn an_end_inside_another_component_ends_the_row_too() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path();
        let crashed = |store: &Store| Crumb::open(path, 0).enter(number(store, "one"));
        let elsewhere = |store: &Store| {
            let other = DIGEST.replace("0102", "ffff");
            let number = store.control().incarnation("third", "mean@1.0.0", &other, b"{}").expect("numbered");
            Crumb::open(path, 0).enter(number);
        };
        let check = |work: &dyn Fn(&Store), expect: &[u32]| assert_eq!(run(path, work).1, expect);
        check(&crashed, &[]);
        check(&crashed, &[1]);
        check(&elsewhere, &[2]);
        // That of the other one alone, and then this one begins anew.
        check(&crashed, &[1]);
        check(&|_: &Store| (), &[1]);
    }

    #[test]
    fn what_a_worker_ended_inside_of_is_known_too_and_what_it_came_back_from_is_not() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path();
        let work = |dies: bool| {
            move |store: &Store| {
                let carried = carry_for_work(path, "rollout-1");
                let inside = inside(number(store, "one"));
                if dies {
                    // A process that is killed drops nothing.
                    std::mem::forget((carried, inside));
                }
            }
        };
        run(path, work(false));
        assert_eq!(run(path, work(true)), (ended(&[]), vec![]));
        assert_eq!(run(path, |_| ()), (ended(&["one"]), vec![1]));
    }

    #[test]
    fn a_shard_that_panicked_inside_is_no_end_in_order() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path();
        let shard = |panics: bool| {
            move |store: &Store| {
                let (crumb, number) = (Arc::new(Crumb::open(path, 0)), number(store, "one"));
                let work = move || {
                    let _carried = carry(crumb);
                    let _inside = inside(number);
                    assert!(!panics, "on request");
                };
                let threads = vec![std::thread::spawn(work)];
                let broken = std::sync::atomic::AtomicBool::new(false);
                let stopped = crate::runtime::close::close(store, threads, &broken, 7);
                assert_eq!(stopped.is_err(), panics, "{stopped:?}");
            }
        };
        run(path, shard(false));
        assert_eq!(run(path, shard(true)), (ended(&[]), vec![]));
        assert_eq!(run(path, shard(false)), (ended(&["one"]), vec![1]));
        assert_eq!(run(path, |_| ()), (ended(&[]), vec![]), "then it ended in order");
    }
}
