//! A thousand swaps under ten thousand rows a second: nothing lost, nothing doubled, and the rows really were so many.

use std::time::{Duration, Instant};

use geminus_tests::{Broker, Cells, Guest, Host, Machine, Pulse, answered, drop_bytes, tally, wait_for};
use serde_json::{Value, json};

/// Behaviors that are swapped at the same time, and twins of each.
const BEHAVIORS: u64 = 20;
const TWINS: u64 = 50;
const SWAPS: u64 = 1_000;
/// Rounds a second: 20 × 50 twins × 10 rounds are 10,000 rows a second.
const RATE: u32 = 10;
/// Rows a second that must be sent and answered while versions are swapped.
const ROWS_PER_SECOND_MIN: f64 = 9_500.0;
/// A rate that is missed says nothing about the house when others used more than this part of the machine meanwhile.
const OTHERS_MAX: f64 = 0.1;
/// How often it is asked how far they are.
const POLL: Duration = Duration::from_millis(20);

fn plugin(number: u64, version: &str) -> anyhow::Result<Guest> {
    let one = |it: &mut Value| {
        it["inputs"].as_array_mut().expect("inputs").truncate(1);
    };
    Ok(Guest::hostile(&format!("swap-{number}"), version)?.declares(one))
}

/// Rounds that every behavior has answered so far, as its first twin counts them.
fn rounds_answered(host: &Host, names: &[String]) -> anyhow::Result<u64> {
    let mut fewest = u64::MAX;
    for name in names {
        let now = host.behavior(&format!("{name}-01"), name)?;
        let rows = now["rows"].as_u64().ok_or_else(|| anyhow::anyhow!("{name} counts no rows: {now}"))?;
        fewest = fewest.min(rows);
    }
    Ok(fewest)
}

/// Holds what was reached, in rows a second, to what was wanted. Excused only by what others used of the machine.
fn held(sent: f64, answered: f64, spent: Duration, others: f64) -> anyhow::Result<()> {
    let part = others * 100.0;
    let said = format!(
        "{SWAPS} swaps in {spent:.1?}: {sent:.0} rows/s sent and {answered:.0} rows/s answered of {} wanted, at least \
         {ROWS_PER_SECOND_MIN:.0}; others used {part:.1} % of the machine",
        BEHAVIORS * TWINS * u64::from(RATE)
    );
    eprintln!("{said}");
    if sent.min(answered) >= ROWS_PER_SECOND_MIN {
        return Ok(());
    }
    anyhow::ensure!(others > OTHERS_MAX, "too slow, and nobody else was in the way: {said}");
    eprintln!("the rate was missed on a busy machine and is excused; nothing lost, nothing doubled is not");
    Ok(())
}

#[test]
fn a_missed_rate_is_excused_by_others_alone() {
    let spent = Duration::from_secs(60);
    let check = |sent, answered, others, expect: bool| {
        assert_eq!(held(sent, answered, spent, others).is_ok(), expect, "{sent} {answered} {others}");
    };
    check(10_000.0, 9_500.0, 0.0, true);
    check(10_000.0, 9_499.0, 0.1, false);
    check(9_000.0, 10_000.0, 0.05, false);
    check(9_000.0, 8_000.0, 0.11, true);
}

#[test]
fn a_thousand_swaps_lose_and_double_nothing() -> anyhow::Result<()> {
    let broker = Broker::start(1_000_000)?;
    let names: Vec<String> = (0..BEHAVIORS).map(|number| format!("swap-{number}")).collect();
    let cells = names.iter().fold(Cells::new(&broker.url()), |cells, name| {
        cells.twins(&format!("{name}-{{01..{TWINS}}}"), 1_000).behavior(
            name,
            name,
            &format!("{name}-*"),
            "arrivals = \"ignore\"",
        )
    });
    let site = cells.folder()?;
    for number in 0..BEHAVIORS {
        for version in ["1.0.0", "1.0.1"] {
            let bytes = plugin(number, version)?.bytes()?;
            drop_bytes(&site.path("plugins"), &format!("swap-{number}-{version}"), &bytes)?;
        }
    }
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let ids: Vec<String> =
        names.iter().flat_map(|name| (1..=TWINS).map(move |twin| format!("{name}-{twin:02}"))).collect();
    let pulse = Pulse::start_one_input(broker.port, &ids, RATE)?;
    pulse.wait(5)?;
    let (before, start) = (Machine::now()?, Instant::now());
    let (sent_before, answered_before) = (pulse.done(), rounds_answered(&host, &names)?);
    let stages = json!({ "probation": { "rows": 0, "seconds": 0, "seconds_max": 1 } });
    let mut under_way: Vec<Option<u64>> = vec![None; names.len()];
    let mut runs: Vec<u64> = vec![1; names.len()];
    let (mut begun, mut done) = (0, 0);
    while done < SWAPS {
        for (place, name) in names.iter().enumerate() {
            if let Some(id) = under_way[place] {
                let view = host.get(&format!("/rollouts/{id}"))?;
                if view["ended"].is_null() {
                    continue;
                }
                anyhow::ensure!(view["phase"] == "permanent", "{view}");
                (under_way[place], done) = (None, done + 1);
            }
            if begun < SWAPS {
                let version = format!("1.0.{}", 1 - runs[place]);
                let plan = json!({ "plugin": name, "version": version, "stages": stages, "by": "test" });
                let (status, answer) = host.post("/rollouts", &plan)?;
                anyhow::ensure!(status == 201, "{name} {version}: {status} {answer}");
                (under_way[place], runs[place], begun) = (answer["id"].as_u64(), 1 - runs[place], begun + 1);
            }
        }
        std::thread::sleep(POLL);
    }
    let (rounds, answered_after) = (pulse.done() - sent_before, rounds_answered(&host, &names)?);
    let (spent, others) = (start.elapsed(), Machine::now()?.others_since(&before));
    let rate = |rounds: u64| (rounds * BEHAVIORS * TWINS) as f64 / spent.as_secs_f64();
    pulse.wait(5)?;
    let sent = pulse.stop()?;
    for id in &ids {
        let (name, _) = id.rsplit_once('-').expect("a number");
        wait_for(&format!("answers of {id}"), Duration::from_secs(60), || {
            answered(&host, id, name, &tally(&sent[id])).map(Some)
        })?;
    }
    held(rate(rounds), rate(answered_after - answered_before), spent, others)?;
    host.stop()
}
