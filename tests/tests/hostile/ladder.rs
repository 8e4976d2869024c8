//! A twin whose behavior fails again and again: it comes back with its last good state, then with an older one, then
//! with the version that ran before, and at last the site's substitute stands in. Every rung is in the journal, and
//! the other twin of its cohort notices nothing.

use std::time::Duration;

use geminus_tests::{Guest, Host, START_MS, Sent, answered, tally, wait_for};
use serde_json::Value;

use crate::corpus::POISON;
use crate::house::House;

const PATIENCE: Duration = Duration::from_secs(30);
/// State is saved each second, so that there is an older one soon; a rung waits no longer than a second.
const SITE: &str = "[store]\nsnapshot_s = 1\n\n[containment]\nrestart_wait_s = 1";
const TRIAL: &str = "rollout = { probation = { rows = 5, seconds = 1 } }";

/// Behaviors of the first scenario: name, substitute, and what it makes of the last good answer in the rows after the
/// last rung (three of them, then all later ones).
type Stood = fn([f64; 2]) -> (Option<[f64; 2]>, Option<[f64; 2]>);
const SUBSTITUTES: [(&str, &str, &str, Stood); 4] = [
    ("none", "", "substitute: none", |_| (None, None)),
    ("hold", "substitute = \"hold\"\nhold_s = 4", "substitute: hold", |last| (Some(last), None)),
    ("uncertain", "substitute = \"uncertain\"", "substitute: uncertain", |last| (Some(last), Some(last))),
    (
        "safe",
        "substitute = \"fail-safe\"\nfail_safe = { sum = -1.0, count = -2.0 }",
        "substitute: fail-safe",
        |_| (Some([-1.0, -2.0]), Some([-1.0, -2.0])),
    ),
];

/// One rung: poisons the twin once, waits for the entry that says `what`, and gives it.
fn rung(house: &House, twin: &str, label: &str, what: &str) -> anyhow::Result<Value> {
    house.pulse.poison(twin, &[POISON]);
    let entry = wait_for(&format!("{twin} {what}"), PATIENCE, || {
        let journal = house.host.journal()?;
        let mut of_it = journal.iter().filter(|entry| entry["twin"] == twin);
        let found = of_it.find(|entry| entry["message"].as_str().is_some_and(|text| text.contains(what)));
        match found {
            Some(found) => Ok(Some(found.clone())),
            None => anyhow::bail!(
                "{:?}",
                journal.iter().filter(|entry| entry["twin"] == twin).collect::<Vec<_>>()
            ),
        }
    })?;
    assert_eq!(entry["plugin"], label, "{entry}");
    assert_ne!(entry["severity"], "info", "{entry}");
    Ok(entry)
}

/// Waits until the twin has answers again, and for some more rows and a saved state.
fn answers_again(house: &House, twin: &str, behavior: &str) -> anyhow::Result<()> {
    let rows = || house.host.behavior(twin, behavior);
    wait_for(&format!("{twin} to run again"), PATIENCE, || {
        let now = rows()?;
        anyhow::ensure!(now["state"] == "running", "{now}");
        Ok(Some(()))
    })?;
    house.pulse.wait(30)
}

/// Answers of both outputs, row by row; `None` where there is no number, or nothing at all.
fn answers(host: &Host, twin: &str, behavior: &str, sent: &Sent) -> anyhow::Result<Vec<Option<[f64; 2]>>> {
    let range = (START_MS, START_MS + sent.len() as u64 * 1_000);
    let mut rows = vec![[None; 2]; sent.len()];
    for (output, place) in [("sum", 0), ("count", 1)] {
        for (time, value) in host.stored(twin, &format!("{behavior}.{output}"), range, 1_000)? {
            let row = (time as u64 - START_MS) / 1_000;
            rows[row as usize][place] = value;
        }
    }
    Ok(rows.into_iter().map(|[sum, count]| Some([sum?, count?])).collect())
}

fn poisoned(sent: &Sent) -> Vec<usize> {
    let rows = sent.iter().enumerate();
    rows.filter(|(_, row)| row.is_some_and(|(a, _)| a == POISON)).map(|(place, _)| place).collect()
}

#[test]
fn a_twin_climbs_rung_by_rung_to_the_substitute_and_a_mended_version_brings_it_back() -> anyhow::Result<()> {
    let ids: Vec<String> =
        SUBSTITUTES.iter().flat_map(|(name, ..)| [format!("{name}-bad"), format!("{name}-mate")]).collect();
    let guest = |(name, ..): &(&str, &str, &str, Stood)| -> anyhow::Result<Guest> {
        Ok(Guest::hostile(name, "1.0.0")?.script(&format!("step trap twin={name}-bad value={POISON}")))
    };
    let guests = SUBSTITUTES.iter().map(guest).collect::<anyhow::Result<Vec<_>>>()?;
    let house = House::start(
        &ids,
        |cells| {
            SUBSTITUTES.iter().fold(cells.lines(SITE), |cells, (name, lines, ..)| {
                cells.behavior(name, name, &format!("{name}-*"), &format!("{lines}\n{TRIAL}"))
            })
        },
        &guests.iter().collect::<Vec<_>>(),
    )?;
    house.pulse.wait(60)?;
    for (name, _, says, _) in &SUBSTITUTES {
        let (twin, label) = (format!("{name}-bad"), format!("{name}@1.0.0"));
        rung(&house, &twin, &label, "with its last good state")?;
        answers_again(&house, &twin, name)?;
        rung(&house, &twin, &label, "with its state of")?;
        answers_again(&house, &twin, name)?;
        let last = rung(&house, &twin, &label, says)?;
        assert_eq!(
            (&last["kind"], &last["severity"]),
            (&"twin-quarantined".into(), &"error".into()),
            "{last}"
        );
        assert_eq!(house.host.behavior(&twin, name)?["state"], "quarantined");
    }
    house.pulse.wait(20)?;
    let apart = house.pulse.done();
    for guest in &guests {
        guest.clone().version("1.0.1").script("").drop_into(&house.site.path("plugins"))?;
    }
    for (name, ..) in &SUBSTITUTES {
        let twin = format!("{name}-bad");
        wait_for(&format!("{twin} to be back"), PATIENCE, || {
            let now = house.host.behavior(&twin, name)?;
            anyhow::ensure!(now["version"] == "1.0.1" && now["state"] == "running", "{now}");
            Ok(Some(()))
        })?;
    }
    house.pulse.wait(20)?;
    let (closed, sent) = house.innocent_lost_nothing()?;
    for (name, _, _, stood) in &SUBSTITUTES {
        let (bad, mate) = (format!("{name}-bad"), format!("{name}-mate"));
        answered(&closed.host, &mate, name, &tally(&sent[&mate]))?;
        let found = answers(&closed.host, &bad, name, &sent[&bad])?;
        let traps = poisoned(&sent[&bad]);
        assert_eq!(traps.len(), 3, "{name}");
        let before =
            |row: usize| found[row - 1].unwrap_or_else(|| panic!("{name}: no answer before row {row}"));
        let [first, second, third] = [traps[0], traps[1], traps[2]];
        assert_eq!(before(first)[1], first as f64, "{name}: every row counts before the first fault");
        if *name == "none" {
            // With its last good state: it goes on counting where it was.
            let again = found[first..].iter().flatten().next().expect("it came back");
            assert_eq!(again[1], before(first)[1] + 1.0, "{name}");
            // With an older one: it goes on from less than it had.
            let again = found[second..].iter().flatten().next().expect("it came back again");
            assert!(again[1] > 1.0 && again[1] <= before(second)[1], "{name}: {again:?}");
        }
        let (soon, later) = stood(before(third));
        assert!(
            found[third + 1..third + 4].iter().all(|row| *row == soon),
            "{name}: {:?}",
            &found[third..third + 5]
        );
        let last = apart as usize - 2;
        assert!(
            found[third + 6..last].iter().all(|row| *row == later),
            "{name}: {:?}",
            &found[third + 6..last]
        );
        let end = found.last().copied().flatten().expect("the mended version answers");
        assert!(end[1] > 1.0, "{name}: {end:?}");
    }
    closed.host.stop()
}

#[test]
fn the_version_that_ran_before_is_used_for_the_twin_that_fails() -> anyhow::Result<()> {
    let twins = ["climb-bad".to_owned(), "climb-mate".to_owned()];
    let good = Guest::hostile("climb", "1.0.0")?;
    let house = House::start(
        &twins,
        |cells| cells.lines(SITE).behavior("climb", "climb", "climb-*", TRIAL),
        &[&good],
    )?;
    let next = good.clone().version("1.0.1").script(&format!("step trap twin=climb-bad value={POISON}"));
    next.drop_into(&house.site.path("plugins"))?;
    house.host.entry("swap-done", |entry| entry["plugin"] == next.label())?;
    house.pulse.wait(60)?;
    rung(&house, "climb-bad", "climb@1.0.1", "with its last good state")?;
    answers_again(&house, "climb-bad", "climb")?;
    rung(&house, "climb-bad", "climb@1.0.1", "with its state of")?;
    answers_again(&house, "climb-bad", "climb")?;
    rung(&house, "climb-bad", "climb@1.0.1", "climb@1.0.0, which ran before")?;
    answers_again(&house, "climb-bad", "climb")?;
    for (twin, version) in [("climb-bad", "1.0.0"), ("climb-mate", "1.0.1")] {
        assert_eq!(house.host.behavior(twin, "climb")?["version"], version, "{twin}");
    }
    let past = house.host.get("/activations?binding=climb")?;
    let newest = &past["activations"][0];
    assert_eq!(
        (&newest["version"], &newest["twins"], &newest["outcome"]),
        (&"1.0.0".into(), &1.into(), &"moved back: climb-bad failed in climb@1.0.1".into()),
        "{past}"
    );
    // The row that broke the new version does not break the old one.
    house.pulse.poison("climb-bad", &[POISON]);
    house.pulse.wait(20)?;
    let (closed, sent) = house.innocent_lost_nothing()?;
    answered(&closed.host, "climb-mate", "climb", &tally(&sent["climb-mate"]))?;
    let found = answers(&closed.host, "climb-bad", "climb", &sent["climb-bad"])?;
    let last = poisoned(&sent["climb-bad"])[3];
    assert!(found[last - 5..].iter().all(Option::is_some), "{:?}", &found[last - 5..]);
    let rows = |row: usize| found[row].map(|answer| answer[1]).unwrap_or_default();
    assert_eq!(
        rows(found.len() - 1),
        rows(last - 5) + (found.len() - last + 4) as f64,
        "each row counted once"
    );
    closed.host.stop()
}
