//! The host is restarted while twins are quarantined: from the first moment on, before any row, their outputs read as they
//! did before it, and go on so in the rows after it.

use std::time::Duration;

use geminus_tests::{Guest, Host, answered, tally, wait_for};
use serde_json::Value;

use crate::corpus::POISON;
use crate::house::House;

const PATIENCE: Duration = Duration::from_secs(30);
/// Every failure is the last one. Silence makes nothing stale here, so that a slow machine changes no quality.
const SITE: &str = "[store]\nsnapshot_s = 1\n\n[limits]\nstale_after_intervals = 1000\n\n\
    [containment]\nrestarts_max = 0\nrestarts_older_max = 0\nprevious_version = false";

/// What outputs read while a twin is quarantined.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    Nothing,
    /// The last answer.
    Last,
    /// These, `sum` and `count`.
    These([f64; 2]),
}

/// Name, lines of the behavior, what its outputs read, and their quality.
const CASES: [(&str, &str, Reads, &str); 5] = [
    ("none", "", Reads::Nothing, "bad"),
    ("hold", "substitute = \"hold\"\nhold_s = 86400", Reads::Last, "stale"),
    ("brief", "substitute = \"hold\"\nhold_s = 2", Reads::Nothing, "bad"),
    ("uncertain", "substitute = \"uncertain\"", Reads::Last, "uncertain"),
    (
        "safe",
        "substitute = \"fail-safe\"\nfail_safe = { sum = -1.0, count = -2.0 }",
        Reads::These([-1.0, -2.0]),
        "uncertain",
    ),
];

/// Both outputs of the twin that is quarantined, each with its quality.
fn outputs(host: &Host, name: &str) -> anyhow::Result<[(Option<f64>, Value); 2]> {
    let read = |output: &str| -> anyhow::Result<(Option<f64>, Value)> {
        let point = host.point(&format!("{name}-bad"), &format!("{name}.{output}"))?;
        Ok((point["value"].as_f64(), point["quality"].clone()))
    };
    Ok([read("sum")?, read("count")?])
}

#[test]
fn who_is_quarantined_reads_as_before_from_the_first_moment_on() -> anyhow::Result<()> {
    let ids: Vec<String> =
        CASES.iter().flat_map(|(name, ..)| [format!("{name}-bad"), format!("{name}-mate")]).collect();
    let guest = |(name, ..): &(&str, &str, Reads, &str)| -> anyhow::Result<Guest> {
        Ok(Guest::hostile(name, "1.0.0")?.script(&format!("step trap twin={name}-bad value={POISON}")))
    };
    let guests = CASES.iter().map(guest).collect::<anyhow::Result<Vec<_>>>()?;
    let house = House::start(
        &ids,
        |cells| {
            CASES.iter().fold(cells.lines(SITE), |cells, (name, lines, ..)| {
                cells.behavior(name, name, &format!("{name}-*"), lines)
            })
        },
        &guests.iter().collect::<Vec<_>>(),
    )?;
    house.pulse.wait(20)?;
    for (name, ..) in &CASES {
        let twin = format!("{name}-bad");
        house.pulse.poison(&twin, &[POISON]);
        house.told(&format!("{name}@1.0.0"), Some(&twin), "is quarantined until")?;
    }
    house.pulse.wait(20)?;
    let before = CASES
        .iter()
        .map(|(name, _, reads, quality)| {
            wait_for(&format!("{name} to be stood in for"), PATIENCE, || {
                let found = outputs(&house.host, name)?;
                let values = [found[0].0, found[1].0];
                let fits = match reads {
                    Reads::Nothing => values == [None; 2],
                    Reads::Last => values.iter().all(|value| *value > Some(0.0)),
                    Reads::These(these) => values == these.map(Some),
                };
                anyhow::ensure!(fits && found.iter().all(|(_, is)| is == quality), "{found:?}");
                Ok(Some(found))
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    house.pulse.pause();
    house.host.stop()?;
    let house = House { host: Host::start(&house.site.site())?, ..house };
    for ((name, ..), before) in CASES.iter().zip(&before) {
        assert_eq!(outputs(&house.host, name)?, *before, "{name}, before any row");
        let now = house.host.behavior(&format!("{name}-bad"), name)?;
        assert_eq!(now["state"], "quarantined", "{now}");
    }
    house.host.entry("source-connected", |_| true)?;
    house.pulse.resume();
    house.pulse.wait(20)?;
    for ((name, ..), before) in CASES.iter().zip(&before) {
        assert_eq!(outputs(&house.host, name)?, *before, "{name}, some rows later");
    }
    let (closed, sent) = house.innocent_lost_nothing()?;
    for (name, ..) in &CASES {
        let mate = format!("{name}-mate");
        answered(&closed.host, &mate, name, &tally(&sent[&mate]))?;
    }
    closed.host.stop()
}
