//! `isolation = "dedicated"`: each twin has an instance of its own, with its own costs. A trap in one rebuilds nobody
//! else's, and a swap, a restart and a kill carry every state. Beside it the same behavior in one cohort, where all share.

use std::time::Duration;

use geminus_tests::{Broker, Cells, Guest, Host, Pulse, START_MS, SiteFolder, answered, tally, wait_for};
use serde_json::Value;

const TWINS: usize = 5;
const RATE: u32 = 20;
const POISON: f64 = 666.0;
/// How long a figure may take to be counted, or a twin to show another version.
const SHOWS_MAX: Duration = Duration::from_secs(30);
/// Behaviors of the same plugin code, by their isolation.
const BEHAVIORS: [(&str, &str); 2] = [("own", "dedicated"), ("flat", "cohort")];

struct Hall {
    /// Runs for as long as the hall stands.
    _broker: Broker,
    site: SiteFolder,
    host: Host,
    pulse: Pulse,
}

fn twins(behavior: &str) -> Vec<String> {
    (1..=TWINS).map(|number| format!("{behavior}-{number}")).collect()
}

/// All but the second, which is the one that traps.
fn others(behavior: &str) -> Vec<String> {
    let culprit = culprit(behavior);
    twins(behavior).into_iter().filter(|twin| *twin != culprit).collect()
}

fn culprit(behavior: &str) -> String {
    format!("{behavior}-2")
}

/// The second twin traps on a poisoned row, the third one needs much more fuel than the others.
fn guest(behavior: &str, version: &str) -> anyhow::Result<Guest> {
    let script = format!("step trap twin={behavior}-2 value={POISON}; step burn=10000 twin={behavior}-3");
    Ok(Guest::hostile(behavior, version)?.script(&script))
}

impl Hall {
    fn start() -> anyhow::Result<Self> {
        let broker = Broker::start(100_000)?;
        let cells = Cells::new(&broker.url())
            .shards(1)
            .lines("[store]\nsnapshot_s = 1\n\n[containment]\nrestart_wait_s = 1");
        let cells = BEHAVIORS.iter().fold(cells, |cells, (name, isolation)| {
            let lines = format!(
                "isolation = \"{isolation}\"\nrollout = {{ probation = {{ rows = 5, seconds = 1 }} }}"
            );
            cells.twins(&format!("{name}-{{1..{TWINS}}}"), 1_000).behavior(
                name,
                name,
                &format!("{name}-*"),
                &lines,
            )
        });
        let site = cells.folder()?;
        for (name, _) in BEHAVIORS {
            guest(name, "1.0.0")?.drop_into(&site.path("plugins"))?;
        }
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let ids: Vec<String> = BEHAVIORS.iter().flat_map(|(name, _)| twins(name)).collect();
        let pulse = Pulse::start(broker.port, &ids, RATE)?;
        pulse.wait(40)?;
        Ok(Self { _broker: broker, site, host, pulse })
    }

    /// What a behavior of a twin costs.
    fn cost(&self, twin: &str, behavior: &str) -> anyhow::Result<Value> {
        let found = self.host.behavior(twin, behavior)?;
        anyhow::ensure!(found["cost"].is_object(), "{twin} has no costs: {found}");
        Ok(found["cost"].clone())
    }

    /// A metric of a version.
    fn of_version(&self, name: &str, behavior: &str, version: &str) -> anyhow::Result<f64> {
        let sample = format!("geminus_behavior_{name}{{behavior=\"{behavior}\",version=\"{version}\"}}");
        self.host.metric(&sample)?.ok_or_else(|| anyhow::anyhow!("{sample} is not there"))
    }

    /// The same of one twin.
    fn of_twin(&self, name: &str, twin: &str, behavior: &str, version: &str) -> anyhow::Result<f64> {
        let labels = format!("twin=\"{twin}\",behavior=\"{behavior}\",version=\"{version}\"");
        let sample = format!("geminus_twin_{name}{{{labels}}}");
        self.host.metric(&sample)?.ok_or_else(|| anyhow::anyhow!("{sample} is not there"))
    }

    /// Waits until what is counted by twin comes to what is counted by version, and gives that. The feed must stand
    /// still where that grows with rows.
    fn adds_up(&self, name: &str, behavior: &str) -> anyhow::Result<f64> {
        wait_for(&format!("{name} of the twins of {behavior} to add up"), SHOWS_MAX, || {
            let all = self.of_version(name, behavior, "1.0.0")?;
            let each = twins(behavior);
            let each = each.iter().map(|twin| self.of_twin(name, twin, behavior, "1.0.0"));
            let sum: f64 = each.collect::<anyhow::Result<Vec<f64>>>()?.iter().sum();
            anyhow::ensure!(all > 0.0 && all == sum, "{sum} by twin, {all} by version");
            Ok(Some(all))
        })
    }

    /// Each twin of `own` runs this version in an instance that it shares with nobody.
    fn each_alone(&self, version: &str) -> anyhow::Result<()> {
        for twin in twins("own") {
            wait_for(&format!("{twin} alone in {version}"), SHOWS_MAX, || {
                let now = self.host.behavior(&twin, "own")?;
                let cost = &now["cost"];
                anyhow::ensure!(now["version"] == version && now["state"] == "running", "{now}");
                anyhow::ensure!(cost["instance_twins"] == 1 && cost["rows"].as_u64() > Some(0), "{cost}");
                anyhow::ensure!(cost["memory_bytes"] == cost["instance_bytes"], "{cost}");
                anyhow::ensure!(cost["memory_bytes"].as_u64() > Some(0), "{cost}");
                Ok(Some(()))
            })?;
        }
        Ok(())
    }

    /// Poisons the second twin of a behavior once, and waits until it has come back.
    fn trap(&self, behavior: &str) -> anyhow::Result<()> {
        let culprit = culprit(behavior);
        self.pulse.poison(&culprit, &[POISON]);
        for kind in ["twin-apart", "twin-restarted"] {
            let entry = self.host.entry(kind, |entry| entry["twin"] == culprit.as_str())?;
            assert_eq!(entry["plugin"], format!("{behavior}@1.0.0"), "{entry}");
        }
        wait_for(&format!("{culprit} to run again"), SHOWS_MAX, || {
            let now = self.host.behavior(&culprit, behavior)?;
            anyhow::ensure!(now["state"] == "running", "{now}");
            Ok(Some(()))
        })?;
        self.pulse.wait(10)
    }

    fn started_again(self, end: impl FnOnce(Host) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        end(self.host)?;
        let host = Host::start(&self.site.site())?;
        Ok(Self { host, ..self })
    }

    /// Every row of every twin that did not trap was answered once, by a state that was never lost; the one that did goes
    /// on counting where it stood, row by row.
    fn lost_nothing(self) -> anyhow::Result<Host> {
        let sent = self.pulse.stop()?;
        for (behavior, _) in BEHAVIORS {
            for twin in others(behavior) {
                answered(&self.host, &twin, behavior, &tally(&sent[&twin]))?;
            }
            let culprit = culprit(behavior);
            let range = (START_MS, START_MS + sent[&culprit].len() as u64 * 1_000);
            let stored = self.host.stored(&culprit, &format!("{behavior}.count"), range, 1_000)?;
            let counts: Vec<f64> = stored.iter().filter_map(|(_, value)| *value).collect();
            assert!(counts.len() > 60, "{culprit} has {} answers", counts.len());
            for (count, expect) in counts.iter().zip(1_u32..) {
                assert_eq!(*count, f64::from(expect), "{culprit} counts each answered row once: {counts:?}");
            }
        }
        Ok(self.host)
    }
}

#[test]
fn each_twin_has_an_instance_and_costs_of_its_own_and_nobody_elses_trouble() -> anyhow::Result<()> {
    let hall = Hall::start()?;
    hall.each_alone("1.0.0")?;
    for twin in twins("flat") {
        let cost = hall.cost(&twin, "flat")?;
        assert_eq!(cost["instance_twins"], TWINS, "{cost}");
        let share = cost["instance_bytes"].as_u64().map(|bytes| bytes / TWINS as u64);
        assert_eq!(cost["memory_bytes"].as_u64(), share, "{cost}");
    }
    // What is counted by twin comes to what is counted by version, and memory shows the instances.
    hall.pulse.pause();
    for name in ["rows_total", "fuel_total"] {
        for (behavior, _) in BEHAVIORS {
            hall.adds_up(name, behavior)?;
        }
    }
    let memory = hall.adds_up("memory_bytes", "own")?;
    let shared = hall.of_version("memory_bytes", "flat", "1.0.0")?;
    assert!(memory > 3.0 * shared, "{TWINS} instances hold {memory} bytes, one holds {shared}");
    assert_eq!(hall.host.metric("geminus_metrics_twins_left_out")?, Some(0.0));
    let fuel = |twin: &str| -> anyhow::Result<f64> {
        Ok(hall.cost(twin, "own")?["fuel_per_row"].as_f64().unwrap_or_default())
    };
    for twin in twins("own").iter().filter(|twin| *twin != "own-3") {
        let (much, little) = (fuel("own-3")?, fuel(twin)?);
        assert!(little > 0.0 && much > 2.0 * little, "own-3 burns {much} a row, {twin} {little}");
    }
    hall.pulse.resume();

    // A trap costs the others nothing, where they share an instance the time of its search.
    for (behavior, isolation) in BEHAVIORS {
        hall.trap(behavior)?;
        let cost = hall.cost(&culprit(behavior), behavior)?;
        assert_eq!(cost["faults"], 1, "{cost}");
        assert!(cost["rebuilds"].as_u64() > Some(0), "{cost}");
        for twin in others(behavior) {
            let cost = hall.cost(&twin, behavior)?;
            assert_eq!(cost["faults"], 0, "{twin}: {cost}");
            assert_eq!(cost["rebuilds"] == 0, isolation == "dedicated", "{twin}: {cost}");
            assert_eq!(hall.of_twin("faults_total", &twin, behavior, "1.0.0")?, 0.0, "{twin}");
        }
        wait_for("the fault to be counted", SHOWS_MAX, || {
            let faults = hall.of_twin("faults_total", &culprit(behavior), behavior, "1.0.0")?;
            Ok((faults == 1.0).then_some(()))
        })?;
        assert!(hall.of_version("rebuilds_total", behavior, "1.0.0")? > 0.0, "{behavior}");
    }

    // A swap, a stop and a kill.
    for (behavior, _) in BEHAVIORS {
        let next = guest(behavior, "1.0.1")?;
        next.drop_into(&hall.site.path("plugins"))?;
        hall.host.entry("swap-done", |entry| entry["plugin"] == next.label())?;
    }
    hall.each_alone("1.0.1")?;
    hall.pulse.wait(20)?;
    let hall = hall.started_again(Host::stop)?;
    hall.each_alone("1.0.1")?;
    hall.pulse.wait(40)?;
    let hall = hall.started_again(Host::kill)?;
    hall.each_alone("1.0.1")?;
    hall.pulse.wait(20)?;
    hall.lost_nothing()?.stop()
}

#[test]
fn a_site_with_more_twins_than_allowed_has_no_metrics_of_each() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let cells = Cells::new(&broker.url())
        .shards(1)
        .twins("own-{1..4}", 1_000)
        .behavior("own", "own", "own-*", "")
        .lines("[limits]\nmetrics_twins_max = 3");
    let site = cells.folder()?;
    guest("own", "1.0.0")?.drop_into(&site.path("plugins"))?;
    let host = Host::start(&site.site())?;
    // Counted at the same time as what is not there.
    let memory = "geminus_behavior_memory_bytes{behavior=\"own\",version=\"1.0.0\"}";
    wait_for("the memory to be counted", SHOWS_MAX, || {
        Ok(host.metric(memory)?.filter(|bytes| *bytes > 0.0))
    })?;
    assert_eq!(host.metric("geminus_metrics_twins_left_out")?, Some(4.0));
    let of_twin = "geminus_twin_rows_total{twin=\"own-1\",behavior=\"own\",version=\"1.0.0\"}";
    assert_eq!(host.metric(of_twin)?, None);
    // Each twin's page has its costs all the same.
    assert_eq!(host.behavior("own-1", "own")?["cost"]["instance_twins"], 4);
    host.stop()
}
