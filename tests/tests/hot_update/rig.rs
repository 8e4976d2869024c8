//! A running house with one behavior of each kind, and the rollouts that a scenario orders over its API.

use std::collections::BTreeMap;
use std::time::Duration;

use geminus_tests::{
    Broker, Cells, Guest, Host, Pulse, START_MS, SiteFolder, answered, drop_bytes, tally, wait_for,
};
use serde_json::{Value, json};

/// Each is a plugin, a behavior and the first part of its twins' names.
pub(crate) const KINDS: [&str; 4] = ["estimator", "surrogate", "health-rule", "command-policy"];
/// Twins of each.
pub(crate) const TWINS: usize = 3;
const RATE: u32 = 40;
/// How long a phase may take to be reached.
const REACHED_MAX: Duration = Duration::from_secs(30);

/// A house under way.
pub(crate) struct Rig {
    pub(crate) _broker: Broker,
    pub(crate) site: SiteFolder,
    pub(crate) host: Host,
    pub(crate) pulse: Pulse,
}

/// The plugin of a kind: it alerts or proposes where its kind may, and does what `script` says besides.
pub(crate) fn guest(kind: &str, version: &str, script: &str) -> anyhow::Result<Guest> {
    let own = match kind {
        "health-rule" => "step alert=0 above=9",
        "command-policy" => "step propose=0.5 above=9",
        _ => "",
    };
    Ok(Guest::hostile(kind, version)?.script(&format!("{own}; {script}")).declares(|it| {
        it["kind"] = kind.into();
        if kind == "command-policy" {
            it["commands"] = json!([{ "name": "speed", "unit": "1", "minimum": 0.0, "maximum": 1.0 }]);
        }
    }))
}

pub(crate) fn twins(kind: &str) -> Vec<String> {
    (1..=TWINS).map(|number| format!("{kind}-{number}")).collect()
}

impl Rig {
    /// Starts with version 1.0.0 of each; `lines` go into each behavior's table.
    pub(crate) fn start(lines: &str) -> anyhow::Result<Self> {
        let broker = Broker::start(100_000)?;
        let cells =
            KINDS.iter().fold(Cells::new(&broker.url()).lines("[store]\nsnapshot_s = 1"), |cells, kind| {
                cells.twins(&format!("{kind}-{{1..{TWINS}}}"), 1_000).behavior(
                    kind,
                    kind,
                    &format!("{kind}-*"),
                    lines,
                )
            });
        let site = cells.folder()?;
        for kind in KINDS {
            drop_bytes(&site.path("plugins"), &format!("{kind}-1.0.0"), &guest(kind, "1.0.0", "")?.bytes()?)?;
        }
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let ids: Vec<String> = KINDS.iter().flat_map(|kind| twins(kind)).collect();
        let pulse = Pulse::start(broker.port, &ids, RATE)?;
        pulse.wait(10)?;
        Ok(Self { _broker: broker, site, host, pulse })
    }

    /// Puts a version of every kind into the plugin folder and waits until the house knows it.
    pub(crate) fn offer(
        &self,
        version: &str,
        make: impl Fn(&str) -> anyhow::Result<Guest>,
    ) -> anyhow::Result<()> {
        for kind in KINDS {
            drop_bytes(&self.site.path("plugins"), &format!("{kind}-{version}"), &make(kind)?.bytes()?)?;
        }
        wait_for(&format!("{version} to be known"), REACHED_MAX, || {
            let plugins = self.host.get("/plugins")?;
            let known = |kind: &&str| {
                let mut all = plugins["plugins"].as_array().into_iter().flatten();
                all.any(|one| one["name"] == **kind && one["version"] == version)
            };
            Ok(KINDS.iter().all(known).then_some(()))
        })
    }

    /// Starts a rollout of one kind; gives status and answer.
    pub(crate) fn try_start(
        &self,
        kind: &str,
        version: &str,
        stages: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        self.host
            .post("/rollouts", &json!({ "plugin": kind, "version": version, "stages": stages, "by": "test" }))
    }

    /// Starts one of every kind; gives their numbers.
    pub(crate) fn start_all(&self, version: &str, stages: &Value) -> anyhow::Result<Vec<u64>> {
        let start = |kind: &&str| {
            let (status, answer) = self.try_start(kind, version, stages)?;
            anyhow::ensure!(status == 201, "{kind} {version}: {status} {answer}");
            answer["id"].as_u64().ok_or_else(|| anyhow::anyhow!("no number: {answer}"))
        };
        KINDS.iter().map(start).collect()
    }

    /// Gives an order to each.
    pub(crate) fn order(&self, rollouts: &[u64], order: &str) -> anyhow::Result<()> {
        for id in rollouts {
            let (status, answer) =
                self.host.post(&format!("/rollouts/{id}/{order}"), &json!({ "by": "test" }))?;
            anyhow::ensure!(status == 200, "{order} {id}: {status} {answer}");
        }
        Ok(())
    }

    /// Waits until each is in one of these phases.
    pub(crate) fn reach(&self, rollouts: &[u64], phases: &[&str]) -> anyhow::Result<()> {
        for id in rollouts {
            wait_for(&format!("rollout {id} to be {phases:?}"), REACHED_MAX, || {
                let view = self.host.get(&format!("/rollouts/{id}"))?;
                let phase = view["phase"].as_str().unwrap_or_default();
                let there = phases.contains(&phase);
                anyhow::ensure!(there || view["ended"].is_null(), "it ended as {phase}: {}", view["reason"]);
                Ok(there.then_some(()))
            })?;
        }
        Ok(())
    }

    /// Waits until each twin is answered for by this version alone, and for some rows of it.
    pub(crate) fn runs(&self, version: &str) -> anyhow::Result<()> {
        for kind in KINDS {
            for twin in twins(kind) {
                wait_for(&format!("{version} alone for {twin}"), REACHED_MAX, || {
                    let now = self.host.behavior(&twin, kind)?;
                    let alone =
                        now["version"] == version && now["state"] == "running" && now["trial"].is_null();
                    anyhow::ensure!(alone, "{now}");
                    Ok(Some(()))
                })?;
            }
        }
        self.pulse.wait(3)
    }

    /// Waits until the candidate answers for these twins of a kind.
    pub(crate) fn answers_for(&self, kind: &str, twins: &[String]) -> anyhow::Result<()> {
        for twin in twins {
            wait_for(&format!("the new version to answer for {twin}"), REACHED_MAX, || {
                let now = self.host.behavior(twin, kind)?;
                anyhow::ensure!(now["trial"]["authoritative"] == true, "{now}");
                Ok(Some(()))
            })?;
        }
        Ok(())
    }

    /// Why each of these rollouts ended.
    pub(crate) fn reasons(&self, rollouts: &[u64]) -> anyhow::Result<Vec<String>> {
        let reason = |id: &u64| {
            let view = self.host.get(&format!("/rollouts/{id}"))?;
            Ok(view["reason"].as_str().unwrap_or_default().to_owned())
        };
        rollouts.iter().map(reason).collect()
    }

    /// Processes that compile for this site, whoever has started them.
    pub(crate) fn compilers(&self) -> anyhow::Result<usize> {
        let folder = self.site.path("").display().to_string();
        let mut count = 0;
        for process in std::fs::read_dir("/proc")? {
            // Another process may end while it is looked at.
            let words = std::fs::read(process?.path().join("cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words);
            count += usize::from(words.contains("compile-apart") && words.contains(&folder));
        }
        Ok(count)
    }

    /// Waits until nobody compiles any more.
    pub(crate) fn no_compiler(&self) -> anyhow::Result<()> {
        wait_for("compilers to end", REACHED_MAX, || match self.compilers()? {
            0 => Ok(Some(())),
            count => anyhow::bail!("{count} run"),
        })
    }

    /// Poisons every twin with one value of `a`, and waits until it is sent.
    pub(crate) fn poison(&self, value: f64) -> anyhow::Result<()> {
        for kind in KINDS {
            twins(kind).iter().for_each(|twin| self.pulse.poison(twin, &[value]));
        }
        self.pulse.wait(2)
    }

    /// As [`Rig::closed`], when nothing else is to be looked at.
    pub(crate) fn held_against_no_rollout(self, may: impl Fn(f64) -> f64) -> anyhow::Result<()> {
        self.closed(may).map(drop)
    }

    /// Stops, and holds every answer against a run without any rollout. `may` says of a row's `a` by how much its sum
    /// may be another, because a version that was believed in answered it. Gives the site that is left.
    pub(crate) fn closed(self, may: impl Fn(f64) -> f64) -> anyhow::Result<SiteFolder> {
        self.host.lives()?;
        let sent = self.pulse.stop()?;
        for kind in KINDS {
            for twin in twins(kind) {
                let mut expect = tally(&sent[&twin]);
                let range = (START_MS, START_MS + expect.len() as u64 * 1_000);
                let stored = self.host.stored(&twin, &format!("{kind}.sum"), range, 1_000)?;
                let found: BTreeMap<u64, f64> =
                    stored.into_iter().filter_map(|(time, value)| Some((time as u64, value?))).collect();
                // Rounds in which it was silent have no row.
                for ((time, answer), (a, _)) in expect.iter_mut().zip(sent[&twin].iter().flatten()) {
                    let by = may(*a);
                    if let Some(answer) = answer
                        && by != 0.0
                        && found.get(&(*time as u64)) == Some(&(answer[0] + by))
                    {
                        answer[0] += by;
                    }
                }
                answered(&self.host, &twin, kind, &expect)?;
            }
        }
        self.host.stop()?;
        Ok(self.site)
    }
}
