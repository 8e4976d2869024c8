//! What breaks nothing but is too much: lines, look-ups and numbers that the house does not take. It is told at once with
//! plugin, version, twin and rule, not again within the minute, and all of it is counted by version.

use std::time::{Duration, Instant};

use geminus_tests::{answered, tally, wait_for};
use serde_json::{Value, json};

use crate::corpus::{End, POISON, steps};
use crate::from_the_start::{bad, house};
use crate::house::House;

/// How long a flood may take to be counted.
const COUNTED_MAX: Duration = Duration::from_secs(30);

/// Name in the corpus, rule, how much is allowed, and how much more one poisoned row does.
static FLOODS: [(&str, &str, u64, u64); 4] = [
    ("log-flood", "log_lines_per_call", 32, 968),
    ("read-flood", "lookups_per_call", 16, 984),
    ("nan", "finite-outputs", 0, 2),
    ("infinite", "finite-outputs", 0, 2),
];

/// Floods of this version in the journal, newest first.
fn told(house: &House, label: &str) -> anyhow::Result<Vec<Value>> {
    let all = house.host.journal()?.into_iter();
    Ok(all.filter(|entry| entry["kind"] == "behavior-flood" && entry["plugin"] == label).collect())
}

fn counted(house: &House, behavior: &str, rule: &str, expect: u64) -> anyhow::Result<()> {
    let sample =
        format!("geminus_behavior_cut_total{{behavior=\"{behavior}\",version=\"1.0.0\",rule=\"{rule}\"}}");
    wait_for(&format!("{sample} to be {expect}"), COUNTED_MAX, || {
        let now = house.host.metric(&sample)?;
        anyhow::ensure!(now == Some(expect as f64), "{now:?}");
        Ok(Some(()))
    })
}

#[test]
fn a_flood_names_who_did_it_once_a_minute_and_is_counted_by_version() -> anyhow::Result<()> {
    let of_it = |name: &str| FLOODS.iter().find(|(flood, ..)| *flood == name);
    let items: Vec<_> = steps()?.into_iter().filter(|item| of_it(item.name).is_some()).collect();
    assert_eq!(items.len(), FLOODS.len());
    // Each is alone in its instance, so that a log line says whose it is.
    let house = house(&items, &["bad"])?;
    for (item, (name, rule, limit, count)) in items.iter().filter_map(|item| Some((item, of_it(item.name)?)))
    {
        let (label, twin) = (item.guest.label(), bad(item));
        counted(&house, name, rule, 0)?;
        let began = Instant::now();
        house.pulse.poison(&twin, &[POISON]);
        house.told(&label, Some(&twin), item.rule)?;
        counted(&house, name, rule, *count)?;
        // And again, which is counted, and told when the minute is over.
        house.pulse.poison(&twin, &[POISON]);
        counted(&house, name, rule, 2 * count)?;
        let entries = told(&house, &label)?;
        let minutes = began.elapsed().as_secs() / 60;
        assert!((1..=1 + minutes).contains(&(entries.len() as u64)), "{minutes} minutes: {entries:?}");
        let entry = &entries[entries.len() - 1];
        assert_eq!((&entry["twin"], &entry["severity"]), (&twin.into(), &"warning".into()), "{entry}");
        let facts = json!({ "binding": name, "rule": rule, "limit": limit, "count": count });
        assert_eq!(entry["facts"], facts, "{entry}");
        for other in FLOODS.iter().map(|(_, rule, ..)| rule).filter(|other| *other != rule) {
            counted(&house, name, other, 0)?;
        }
    }
    // Nobody else is said to flood.
    let journal = house.host.journal()?;
    for entry in journal.iter().filter(|entry| entry["kind"] == "behavior-flood") {
        assert!(items.iter().any(|item| entry["twin"] == bad(item).as_str()), "{entry}");
    }
    let (closed, sent) = house.innocent_lost_nothing()?;
    for item in items.iter().filter(|item| item.end == End::Cut) {
        answered(&closed.host, &bad(item), item.name, &tally(&sent[&bad(item)]))?;
    }
    closed.host.stop()
}
