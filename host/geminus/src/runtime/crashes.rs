//! What the end of the last run says about components. A run that did not end in order left crumbs: the component that a
//! thread was inside of gets a crash, once, and the crumbs are swept away. Crashes of a component count together while each
//! follows the one before within the site's window, whatever the host ended inside of in between: so two components that
//! end it in turn are both found. An end in order forgives the crashes of what is not left out yet. Called once at a start,
//! before any thread of it carries a crumb.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

use geminus_core::{Digest, Event, Severity, Timestamp};
use geminus_store::{Control, Crash, Incarnation};
use geminus_twin::site::Containment;

use super::chronicle::Chronicle;
use super::crumb;

/// Counts what the last run ended inside of, and gives it: behavior and digest.
pub(crate) fn count(
    control: &Control,
    data: &Path,
    (limits, now): (&Containment, Timestamp),
    chronicle: &Chronicle,
) -> HashSet<(String, Digest)> {
    let window = Duration::from_secs(limits.crashes_window_s.into());
    let inside = match control.was_clean() {
        true => {
            forgive(control, limits.crashes_max, |_| true);
            HashSet::new()
        }
        false => {
            forgive(control, limits.crashes_max, |crash| now.since(crash.last) > window);
            count_each(control, data, (limits, now), chronicle)
        }
    };
    if let Err(error) = crumb::sweep(data) {
        tracing::error!(%error, "crumbs of the last run still lie there: after another crash they count once more");
    }
    inside
}

/// Begins the count of some components anew. What is left out already stays so: it does not run, so nothing that happens
/// speaks for it.
fn forgive(control: &Control, crashes_max: u32, is_over: impl Fn(&Crash) -> bool) {
    let all = control.crashes().unwrap_or_default();
    for crash in all.into_iter().filter(|crash| crash.count < crashes_max && is_over(crash)) {
        if let Err(error) = control.forgive_crash(&crash.digest) {
            tracing::warn!(%error, "a crash was not forgiven");
        }
    }
}

/// One crash for each component, in however many behaviors and on however many threads the process was inside of it.
fn count_each(
    control: &Control,
    data: &Path,
    (limits, now): (&Containment, Timestamp),
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
    let (crashes_max, window) = (limits.crashes_max, limits.crashes_window_s);
    for (digest, all) in &by_digest {
        let Some(plugin) = all.first().map(|one| one.plugin.as_str()) else { continue };
        let bindings: BTreeSet<&str> = all.iter().map(|one| one.binding.as_str()).collect();
        let bindings: Vec<&str> = bindings.into_iter().collect();
        match control.crash(digest, now) {
            Ok(count) => {
                let message = format!(
                    "the last run ended inside {plugin} ({}), {count} times by now, each within {window} s of the one before (containment.crashes_window_s); at {crashes_max} (containment.crashes_max) the host starts without it",
                    bindings.join(", ")
                );
                let facts = serde_json::json!({
                    "bindings": bindings, "digest": digest, "crashes": count, "crashes_max": crashes_max,
                    "crashes_window_s": window,
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

    use geminus_core::SystemClock;
    use geminus_store::Store;

    use super::*;
    use crate::runtime::crumb::{Crumb, carry, carry_for_work, inside};

    const DIGEST: &str = "sha256:0102030405060708091011121314151617181920212223242526272829303132";
    const WINDOW_S: u64 = 600;

    /// A run over this folder: what it finds, with the counts in ascending order, and then what `run` does before the
    /// process is gone.
    fn run(folder: &Path, run: impl FnOnce(&Store)) -> (HashSet<(String, Digest)>, Vec<u32>) {
        run_at(folder, 0, run)
    }

    /// The same, so many seconds after the first.
    fn run_at(folder: &Path, second: u64, run: impl FnOnce(&Store)) -> (HashSet<(String, Digest)>, Vec<u32>) {
        let store = Store::open(folder, geminus_store::Options::default(), Arc::new(SystemClock::new()))
            .expect("opens");
        let (control, chronicle) = (store.control(), Chronicle::new(store.journal()));
        let limits = Containment { crashes_max: 3, crashes_window_s: 600, ..Containment::default() };
        let now = Timestamp::from_millis(1_700_000_000_000 + second * 1_000);
        let found = count(&control, folder, (&limits, now), &chronicle);
        control.mark_running().expect("marked");
        let mut counts: Vec<u32> = control.crashes().expect("read").iter().map(|crash| crash.count).collect();
        counts.sort_unstable();
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
    fn an_end_inside_counts_once_and_an_end_in_order_begins_anew() {
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
        // Killed again, in no component this time: that says nothing of this one.
        assert_eq!(run(path, crashed), (ended(&[]), vec![1]));
        let in_order = |store: &Store| store.control().mark_stopped().expect("marked");
        assert_eq!(run(path, in_order), (ended(&["one", "other"]), vec![2]));
        assert_eq!(run(path, crashed), (ended(&[]), vec![]), "forgiven");
        // What is left out stays so, wherever a run without it ends.
        assert_eq!(run(path, crashed), (ended(&["one", "other"]), vec![1]));
        assert_eq!(run(path, crashed), (ended(&["one", "other"]), vec![2]));
        assert_eq!(run(path, |_| ()), (ended(&["one", "other"]), vec![3]));
        assert_eq!(run(path, in_order), (ended(&[]), vec![3]));
        assert_eq!(run(path, |_| ()), (ended(&[]), vec![3]));
    }

    #[test]
    fn components_that_end_the_host_in_turn_are_each_counted() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path();
        let first = |store: &Store| Crumb::open(path, 0).enter(number(store, "one"));
        let second = |store: &Store| {
            let other = DIGEST.replace("0102", "ffff");
            let number = store.control().incarnation("third", "mean@1.0.0", &other, b"{}").expect("numbered");
            Crumb::open(path, 0).enter(number);
        };
        let check = |work: &dyn Fn(&Store), expect: &[u32]| assert_eq!(run(path, work).1, expect);
        check(&first, &[]);
        check(&second, &[1]);
        check(&first, &[1, 1]);
        check(&second, &[1, 2]);
        check(&first, &[2, 2]);
        check(&second, &[2, 3]);
        check(&|_: &Store| (), &[3, 3]);
    }

    #[test]
    fn crashes_that_lie_further_apart_than_the_window_do_not_count_together() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path();
        let crashed = |store: &Store| Crumb::open(path, 0).enter(number(store, "one"));
        let check =
            |second: u64, expect: &[u32]| assert_eq!(run_at(path, second, crashed).1, expect, "{second}");
        check(0, &[]);
        check(10, &[1]);
        check(10 + WINDOW_S, &[2]);
        // Later than the window: its first one again.
        check(11 + 2 * WINDOW_S, &[1]);
        check(12 + 2 * WINDOW_S, &[2]);
        check(13 + 2 * WINDOW_S, &[3]);
        // What is left out is so for good.
        assert_eq!(run_at(path, 100 * WINDOW_S, |_| ()).1, [4]);
        assert_eq!(run_at(path, 200 * WINDOW_S, |_| ()).1, [4]);
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
