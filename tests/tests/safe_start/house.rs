//! Ten innocent cells beside two whose component the host dies in.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Cells, Guest, Host, Pulse, SiteFolder, answered, drop_bytes, tally, wait_for};
use rusqlite::Connection;
use serde_json::{Value, json};

pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
/// Deaths after which a component is left out.
pub(crate) const CRASHES_MAX: usize = 2;
/// Rounds a second: what a hard row takes is far less.
const RATE: u32 = 10;
/// A value that makes a row hard, and rounds in which it is sent: longer than a scenario lasts.
const WORK: f64 = 60.0;
const WORK_ROUNDS: usize = 2_000;

pub(crate) struct House {
    /// Runs for as long as the house stands.
    _broker: Broker,
    site: SiteFolder,
    pub(crate) host: Host,
    pub(crate) pulse: Pulse,
}

fn calm() -> Vec<String> {
    (1..=10).map(|number| format!("calm-{number:02}")).collect()
}

/// A version of the plugin `boom`, which may work as long as it needs.
pub(crate) fn plugin(version: &str, script: &str) -> anyhow::Result<Guest> {
    named("boom", version, script)
}

/// The same of another plugin.
pub(crate) fn named(name: &str, version: &str, script: &str) -> anyhow::Result<Guest> {
    Ok(Guest::hostile(name, version)?
        .script(script)
        .declares(|it| it["budget"] = json!({ "fuel_per_row": 1_000_000_000, "memory_bytes": 64 << 20 })))
}

impl House {
    /// Starts with this version of `boom`; `lines` go into its behavior's table.
    pub(crate) fn start(lines: &str, first: &Guest) -> anyhow::Result<Self> {
        Self::start_with(lines, &[("boom", first)])
    }

    /// The same with these plugins, each for two twins of its own.
    pub(crate) fn start_with(lines: &str, plugins: &[(&str, &Guest)]) -> anyhow::Result<Self> {
        let broker = Broker::start(100_000)?;
        let cells =
            Cells::new(&broker.url()).twins("calm-{01..10}", 1_000).behavior("tally", "tally", "calm-*", "");
        let cells = plugins.iter().fold(cells, |cells, (name, _)| {
            cells.twins(&format!("{name}-{{1..2}}"), 1_000).behavior(name, name, &format!("{name}-*"), lines)
        });
        let site = cells
            .lines("[limits]\nfuel_per_row_max = 1000000000")
            .lines("[store]\nsnapshot_s = 1")
            .lines(&format!("[containment]\ncrashes_max = {CRASHES_MAX}"))
            .folder()?;
        Guest::hostile("tally", "1.0.0")?.drop_into(&site.path("plugins"))?;
        plugins.iter().try_for_each(|(_, guest)| put(&site, guest))?;
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let twins = plugins.iter().flat_map(|(name, _)| [1, 2].map(|number| format!("{name}-{number}")));
        let ids = [calm(), twins.collect()].concat();
        let pulse = Pulse::start(broker.port, &ids, RATE)?;
        pulse.wait(10)?;
        Ok(Self { _broker: broker, site, host, pulse })
    }

    pub(crate) fn arrives(&self, guest: &Guest) -> anyhow::Result<()> {
        put(&self.site, guest)
    }

    /// From now on every row of one twin is hard.
    pub(crate) fn works_hard(&self) {
        self.is_hard("boom-1");
    }

    /// From now on every row of this twin is.
    pub(crate) fn is_hard(&self, twin: &str) {
        self.pulse.poison(twin, &[WORK; WORK_ROUNDS]);
    }

    /// Kills the host while a shard is inside of this version, and starts it again. The field rests meanwhile, so that no
    /// hard rows pile up.
    pub(crate) fn dies_inside(self, label: &str) -> anyhow::Result<Self> {
        let numbers = self.incarnations(label)?;
        let inside = |crumbs: &geminus_tests::Crumbs| {
            let shards = crumbs.iter().filter(|(name, _)| name.starts_with("shard-"));
            let mut inside = shards.map(|(_, inside)| *inside).filter(|inside| *inside != 0).peekable();
            inside.peek().is_some() && inside.all(|inside| numbers.contains(&inside))
        };
        self.host.kill_when(&format!("inside of {label} alone"), inside)?;
        self.pulse.pause();
        let host = Host::start(&self.site.site())?;
        self.pulse.resume();
        Ok(Self { host, ..self })
    }

    /// Stops the host and starts it again.
    pub(crate) fn restarted(self) -> anyhow::Result<Self> {
        self.host.stop()?;
        let host = Host::start(&self.site.site())?;
        Ok(Self { host, ..self })
    }

    /// What a crumb calls this version.
    fn incarnations(&self, label: &str) -> anyhow::Result<Vec<u32>> {
        let books = Connection::open(self.site.path("data/control.db"))?;
        books.busy_timeout(PATIENCE)?;
        let mut select = books.prepare("SELECT id FROM incarnation WHERE plugin = ?1")?;
        let all = select.query_map([label], |row| row.get(0))?.collect::<Result<Vec<u32>, _>>()?;
        ensure!(!all.is_empty(), "{label} has never run");
        Ok(all)
    }

    /// Entries of this kind, oldest first.
    pub(crate) fn told(&self, kind: &str) -> anyhow::Result<Vec<Value>> {
        let journal = self.host.journal()?.into_iter().rev();
        Ok(journal.filter(|entry| entry["kind"] == kind).collect())
    }

    /// Waits for the entry about this crash, the so-manieth.
    pub(crate) fn crash(&self, count: usize) -> anyhow::Result<Value> {
        let crash = self.host.entry("crashed-inside", |entry| entry["facts"]["crashes"] == count)?;
        let all = self.told("crashed-inside")?;
        ensure!(all.len() == count, "{count} deaths were counted as {all:?}");
        ensure!(crash["facts"]["crashes_max"] == CRASHES_MAX, "{crash}");
        Ok(crash)
    }

    /// Waits for the words about what is left out: version, behavior, twins, rule, and what happens instead.
    pub(crate) fn is_left_out(&self, label: &str, instead: &str) -> anyhow::Result<()> {
        let entry = self.host.entry("safe-start", |entry| entry["plugin"] == label)?;
        let message = entry["message"].as_str().context("a message")?;
        let rule = format!("{CRASHES_MAX} times or more (containment.crashes_max)");
        let name = label.split('@').next().unwrap_or_default();
        for part in [&*format!("{name} of 2 twins"), label, &rule, instead] {
            ensure!(message.contains(part), "{message:?} does not say {part:?}");
        }
        let facts = &entry["facts"];
        ensure!(
            facts["binding"] == name && facts["twins"] == 2 && facts["crashes_max"] == CRASHES_MAX,
            "{entry}"
        );
        ensure!(entry["severity"] == "error", "{entry}");
        Ok(())
    }

    /// Waits until both twins are answered by this version alone, and the innocent by theirs.
    pub(crate) fn alone(&self, version: &str) -> anyhow::Result<()> {
        let ours = [("boom-1", "boom", version), ("boom-2", "boom", version), ("calm-01", "tally", "1.0.0")];
        for (twin, behavior, version) in ours {
            wait_for(&format!("{version} alone for {twin}"), PATIENCE, || {
                let now = self.host.behavior(twin, behavior)?;
                let alone = now["version"] == version && now["state"] == "running" && now["trial"].is_null();
                ensure!(alone, "{now}");
                Ok(Some(()))
            })?;
        }
        Ok(())
    }

    pub(crate) fn rollouts(&self) -> anyhow::Result<usize> {
        Ok(self.host.get("/rollouts")?["rollouts"].as_array().map_or(0, Vec::len))
    }

    /// Stops, and holds the innocent against what they were sent.
    pub(crate) fn innocent_lost_nothing(self) -> anyhow::Result<()> {
        self.host.lives()?;
        let sent = self.pulse.stop()?;
        for cell in calm() {
            answered(&self.host, &cell, "tally", &tally(&sent[&cell]))?;
        }
        self.host.stop()
    }
}

fn put(site: &SiteFolder, guest: &Guest) -> anyhow::Result<()> {
    drop_bytes(&site.path("plugins"), &guest.label().replace('@', "-"), &guest.bytes()?)
}
