//! Runaway plugins in a host that has one CPU for everything: its API answers, its timers fire, open pages go on, and
//! twenty innocent twins miss no row.

use std::time::Duration;

use geminus_tests::{
    Broker, Cells, Guest, Host, Page, Probe, Pulse, START_MS, answered, component, probe, slow_bomb, tally,
    wait_for,
};
use serde_json::{Value, json};

/// A runaway is stopped by its fuel, at the latest by the wall clock of a call; the search for who it was repeats that.
/// What a starved timer would do is wait for ever.
const STANDS_STILL_MAX: Duration = Duration::from_secs(8);
/// How long what it did may take to be in the journal.
const TOLD_MAX: Duration = Duration::from_secs(30);
const RATE: u32 = 20;
const POISON: f64 = 666.0;

/// Name, script of `<name>-bad`, and who is poisoned: `bad` itself, or a neighbour whose crash brings `restore` about.
const RUNAWAYS: [(&str, &str, &str); 9] = [
    ("loop", "step loop twin=loop-bad value=666", "bad"),
    ("log", "step log-for-ever=100 twin=log-bad value=666", "bad"),
    ("long-log", "step log-for-ever=1000000 twin=long-log-bad value=666", "bad"),
    ("look", "step read-for-ever twin=look-bad value=666", "bad"),
    ("copy", "step copy=25000000 twin=copy-bad value=666", "bad"),
    ("grow", "step grow twin=grow-bad value=666", "bad"),
    ("stack", "step recurse twin=stack-bad value=666", "bad"),
    ("list", "step values=10000000 twin=list-bad value=666", "bad"),
    ("back", "restore loop twin=back-bad from=1; step trap twin=back-fuse value=666", "fuse"),
];

fn roomy(declaration: &mut Value) {
    declaration["budget"] = json!({ "fuel_per_row": 10_000_000, "memory_bytes": 256 << 20 });
}

/// Waits for an entry about this plugin version that is worse than information.
fn told(host: &Host, label: &str) -> anyhow::Result<Value> {
    wait_for(&format!("{label} to be told of"), TOLD_MAX, || {
        let mut journal = host.journal()?.into_iter();
        Ok(journal.find(|entry| entry["plugin"] == label && entry["severity"] != "info"))
    })
}

/// What watches the house from outside.
struct Watch {
    page: Page,
    probe: Probe,
}

impl Watch {
    fn start(host: &Host) -> anyhow::Result<Self> {
        let probe = Probe::start(
            host.port,
            &["/livez", "/readyz", "/api/v1/site", "/api/v1/twins/calm-01", "/metrics"],
        );
        Ok(Self { page: Page::open(host.port, "calm-01")?, probe })
    }

    fn check(&self, what: &str) -> anyhow::Result<()> {
        let (silence, answer) = (self.page.longest_silence()?, self.probe.slowest()?);
        eprintln!("{what}: longest silence {silence:.2?}, slowest answer {answer:.2?}");
        anyhow::ensure!(silence < STANDS_STILL_MAX, "{what}: pages got nothing for {silence:?}");
        anyhow::ensure!(answer < STANDS_STILL_MAX, "{what}: an answer took {answer:?}");
        Ok(())
    }
}

/// Innocent cells, and for each runaway three twins that share an instance. A fourth twin falls silent when it runs
/// away: that it is stale is noticed by a timer.
fn site(broker: &Broker) -> anyhow::Result<geminus_tests::SiteFolder> {
    let cells = Cells::new(&broker.url()).twins("calm-{01..20}", 1_000).twins("late-{0..9}", 300).behavior(
        "tally",
        "tally",
        "calm-*",
        "rollout = { compile_seconds_max = 5 }",
    );
    let cells = RUNAWAYS.iter().fold(cells, |cells, (name, ..)| {
        let cells = ["bad", "mate", "fuse"]
            .iter()
            .fold(cells, |cells, end| cells.twins(&format!("{name}-{end}"), 1_000));
        cells.behavior(name, name, &format!("{name}-*"), "allow_cold_start = true")
    });
    let site = cells.folder()?;
    Guest::hostile("tally", "1.0.0")?.drop_into(&site.path("plugins"))?;
    for (name, script, _) in RUNAWAYS {
        Guest::hostile(name, "1.0.0")?.script(script).declares(roomy).drop_into(&site.path("plugins"))?;
    }
    Ok(site)
}

#[test]
fn on_one_cpu_nobody_waits_for_a_runaway_for_long() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = site(&broker)?;
    let host = Host::start_on_one_cpu(&site.site())?;
    host.entry("source-connected", |_| true)?;
    assert_eq!(host.cpus()?, ["0"], "one CPU for all its threads");
    let of = |prefix: &str, numbers: std::ops::RangeInclusive<u32>, width: usize| {
        numbers.map(|number| format!("{prefix}-{number:0width$}")).collect::<Vec<_>>()
    };
    let (calm, late) = (of("calm", 1..=20, 2), of("late", 0..=9, 1));
    let others =
        RUNAWAYS.iter().flat_map(|(name, ..)| ["bad", "mate", "fuse"].map(|end| format!("{name}-{end}")));
    let ids: Vec<String> = calm.iter().cloned().chain(late.iter().cloned()).chain(others).collect();
    let pulse = Pulse::start(broker.port, &ids, RATE)?;
    pulse.wait(20)?;
    let watch = Watch::start(&host)?;
    pulse.wait(20)?;
    watch.check("nothing")?;

    for ((name, _, who), late) in RUNAWAYS.iter().zip(&late) {
        pulse.poison(&format!("{name}-{who}"), &[POISON]);
        pulse.silence(late);
        told(&host, &format!("{name}@1.0.0"))?;
        stale(&host, late)?;
        pulse.wait(10)?;
        watch.check(name)?;
    }
    // Found before a row of it: a version that is made to cost the compiler hours, one that never ends to open.
    let costly =
        Guest::of(component(&probe(&slow_bomb())?, "0.1.0", &[])?, "tally", "1.0.1").declares(|it| {
            it["parameters"] =
                json!({ "type": "object", "properties": { "m": { "type": "string", "default": "n" } } });
        });
    costly.drop_into(&site.path("plugins"))?;
    pulse.silence(&late[9]);
    let entry = told(&host, "tally@1.0.1")?;
    assert!(entry["message"].as_str().is_some_and(|text| text.contains("compiling t")), "{entry}");
    stale(&host, &late[9])?;
    wait_for("the compiler to be ended", TOLD_MAX, || Ok((host.children()? == 0).then_some(())))?;
    watch.check("compile bomb")?;
    for (number, script) in [(2, "open loop"), (3, "restore loop"), (4, "snapshot loop")] {
        let next = Guest::hostile("tally", &format!("1.0.{number}"))?.script(script);
        next.drop_into(&site.path("plugins"))?;
        told(&host, &next.label())?;
        watch.check(script)?;
    }

    drop(watch);
    host.lives()?;
    assert_eq!(host.cpus()?, ["0"], "nor has any thread got away since");
    let sent = pulse.stop()?;
    for cell in &calm {
        answered(&host, cell, "tally", &tally(&sent[cell]))?;
        assert_eq!(host.behavior(cell, "tally")?["version"], "1.0.0", "{cell}");
    }
    for (name, ..) in RUNAWAYS {
        let mate = format!("{name}-mate");
        answered(&host, &mate, name, &tally(&sent[&mate]))?;
        let measured = host.stored(&format!("{name}-bad"), "a", (START_MS, START_MS + 10_000_000), 1_000)?;
        assert_eq!(measured.len(), sent[&mate].len(), "measurements of {name}-bad");
    }
    host.stop()
}

fn stale(host: &Host, twin: &str) -> anyhow::Result<()> {
    wait_for(&format!("{twin} to be stale"), TOLD_MAX, || {
        Ok((host.get(&format!("/twins/{twin}"))?["state"] == "stale").then_some(()))
    })
}
