//! Twenty cells under one behavior, `tally`, and what people do about its rollouts.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use geminus_tests::{
    Broker, Cells, Guest, Host, Pulse, START_MS, Sent, SiteFolder, drop_bytes, geminus, tally, wait_for,
};
use serde_json::{Value, json};

pub(crate) const TWINS: usize = 20;
const RATE: u32 = 20;
/// How long a phase may take to be reached, or a change to show.
pub(crate) const SOON: Duration = Duration::from_secs(45);
/// What a version with [`OFF`] answers more.
pub(crate) const QUARTER: f64 = 0.25;
/// The script of a version that answers a quarter more.
pub(crate) const OFF: &str = "step offset=0.25";

pub(crate) struct Hall {
    /// Runs for as long as the hall stands.
    _broker: Broker,
    pub(crate) site: SiteFolder,
    pub(crate) host: Host,
    pub(crate) pulse: Pulse,
}

pub(crate) fn cells() -> Vec<String> {
    (1..=TWINS).map(|number| format!("cell-{number:02}")).collect()
}

/// A version of the plugin `tally`; `script` is what it does besides adding up.
pub(crate) fn version(version: &str, script: &str) -> anyhow::Result<Guest> {
    Ok(Guest::hostile("tally", version)?.script(script))
}

impl Hall {
    /// Starts with version 1.0.0; `lines` go into the behavior's table.
    pub(crate) fn start(lines: &str) -> anyhow::Result<Self> {
        Self::start_with(lines, &[version("1.0.0", "")?])
    }

    /// Starts with these versions in the plugin folder.
    pub(crate) fn start_with(lines: &str, guests: &[Guest]) -> anyhow::Result<Self> {
        Self::start_feeding(lines, guests, &self::cells())
    }

    /// The same with so many rounds a second.
    pub(crate) fn start_at(rate: u32, lines: &str, guests: &[Guest]) -> anyhow::Result<Self> {
        Self::begin_feeding(lines, guests, &self::cells(), rate)
    }

    /// The same with a field that sends nothing of any other cell than these.
    pub(crate) fn start_feeding(lines: &str, guests: &[Guest], fed: &[String]) -> anyhow::Result<Self> {
        Self::begin_feeding(lines, guests, fed, RATE)
    }

    fn begin_feeding(lines: &str, guests: &[Guest], fed: &[String], rate: u32) -> anyhow::Result<Self> {
        let broker = Broker::start(100_000)?;
        let cells = Cells::new(&broker.url()).twins("cell-{01..20}", 1_000);
        let site =
            cells.lines("[store]\nsnapshot_s = 1").behavior("tally", "tally", "cell-*", lines).folder()?;
        for guest in guests {
            drop_bytes(&site.path("plugins"), &file_of(guest), &guest.bytes()?)?;
        }
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let pulse = Pulse::start(broker.port, fed, rate)?;
        pulse.wait(10)?;
        Ok(Self { _broker: broker, site, host, pulse })
    }

    /// Puts a version into the plugin folder, and waits until the host knows it.
    pub(crate) fn offer(&self, guest: &Guest) -> anyhow::Result<()> {
        drop_bytes(&self.site.path("plugins"), &file_of(guest), &guest.bytes()?)?;
        let version = &guest.declaration["version"];
        wait_for(&format!("{version} to be known"), SOON, || {
            let plugins = self.host.get("/plugins")?;
            let mut all = plugins["plugins"].as_array().into_iter().flatten();
            Ok(all.any(|one| one["version"] == *version).then_some(()))
        })
    }

    /// Begins a rollout of this version over the API.
    pub(crate) fn begin_of(&self, version: &str, stages: &Value) -> anyhow::Result<()> {
        let plan = json!({ "plugin": "tally", "version": version, "stages": stages, "by": "test" });
        let (status, answer) = self.host.post("/rollouts", &plan)?;
        anyhow::ensure!(status < 300, "{status} {answer}");
        Ok(())
    }

    /// `geminus rollout …` at this host.
    pub(crate) fn command(&self, words: &[&str]) -> anyhow::Result<Output> {
        let output = Command::new(geminus()?)
            .arg("rollout")
            .args(words)
            .args(["--url", &format!("http://127.0.0.1:{}", self.host.port)])
            .arg("--token-file")
            .arg(self.site.path("data/token"))
            .stdin(Stdio::null())
            .output()?;
        Ok(output)
    }

    /// What it says when it succeeds.
    pub(crate) fn says(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.command(words)?;
        let (said, trouble) = (text(&output.stdout), text(&output.stderr));
        anyhow::ensure!(
            output.status.success(),
            "geminus rollout {words:?}: {}\n{said}\n{trouble}",
            output.status
        );
        Ok(said)
    }

    /// What it says when it is refused.
    pub(crate) fn refuses(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.command(words)?;
        anyhow::ensure!(
            output.status.code() == Some(1),
            "{words:?}: {}\n{}",
            output.status,
            text(&output.stdout)
        );
        Ok(text(&output.stderr))
    }

    pub(crate) fn view(&self, id: u64) -> anyhow::Result<Value> {
        self.host.get(&format!("/rollouts/{id}"))
    }

    /// Waits until a rollout is in this phase, and gives it.
    pub(crate) fn reach(&self, id: u64, phase: &str) -> anyhow::Result<Value> {
        wait_for(&format!("rollout {id} to be in {phase}"), SOON, || {
            let view = self.view(id)?;
            let here = || {
                format!("it is {}: {}; {}; {}", view["phase"], view["reason"], view["twins"], view["verdict"])
            };
            anyhow::ensure!(view["phase"] == phase, "{}", here());
            Ok(Some(view))
        })
    }

    /// Waits until its checks pass over so many rows of each twin.
    pub(crate) fn pass(&self, id: u64, rows: u64) -> anyhow::Result<Value> {
        wait_for(&format!("rollout {id} to pass"), SOON, || {
            let view = self.view(id)?;
            let enough = view["twins"]["rows_min"].as_u64() >= Some(rows);
            anyhow::ensure!(
                view["verdict"]["state"] == "pass" && enough,
                "{} {}",
                view["verdict"],
                view["twins"]
            );
            Ok(Some(view))
        })
    }

    /// Waits until every twin is seen as `wish` has it: its version and its trial.
    pub(crate) fn seen(&self, what: &str, wish: impl Fn(&str, &Value) -> bool) -> anyhow::Result<()> {
        for cell in cells() {
            wait_for(&format!("{cell}: {what}"), SOON, || {
                let tally = self.host.behavior(&cell, "tally")?;
                anyhow::ensure!(wish(&cell, &tally), "{tally}");
                Ok(Some(()))
            })?;
        }
        Ok(())
    }

    /// Waits until every twin is answered by this version alone.
    pub(crate) fn alone(&self, version: &str) -> anyhow::Result<()> {
        self.seen(&format!("{version} alone"), |_, tally| {
            tally["version"] == version && tally["state"] == "running" && tally["trial"].is_null()
        })
    }

    /// Stops the host and starts it again.
    pub(crate) fn restarted(self) -> anyhow::Result<Self> {
        self.host.stop()?;
        let host = Host::start(&self.site.site())?;
        host.entry("source-connected", |_| true)?;
        Ok(Self { host, ..self })
    }

    /// Kills the host while it is inside of no component, lets something be done to what it left, and starts it again.
    pub(crate) fn killed(
        self,
        meanwhile: impl FnOnce(&SiteFolder) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        self.host.kill_outside()?;
        let host = up_again(&self.site, meanwhile)?;
        Ok(Self { host, ..self })
    }

    /// The same, wherever it is.
    pub(crate) fn killed_at_once(
        self,
        meanwhile: impl FnOnce(&SiteFolder) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        self.host.kill()?;
        let host = up_again(&self.site, meanwhile)?;
        Ok(Self { host, ..self })
    }

    /// Stops the field, and gives by cell the first row that was answered a quarter higher, where one was. Fails unless
    /// each row is answered once, and all rows after the first higher one are higher too.
    pub(crate) fn switches(self) -> anyhow::Result<(Host, BTreeMap<String, Option<usize>>)> {
        let sent = self.pulse.stop()?;
        let cells = cells();
        let places: Vec<Option<usize>> = cells
            .iter()
            .map(|cell| switch(&self.host, cell, &sent[cell]).with_context(|| cell.clone()))
            .collect::<anyhow::Result<_>>()?;
        Ok((self.host, cells.into_iter().zip(places).collect()))
    }
}

fn up_again(
    site: &SiteFolder,
    meanwhile: impl FnOnce(&SiteFolder) -> anyhow::Result<()>,
) -> anyhow::Result<Host> {
    meanwhile(site)?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    Ok(host)
}

fn switch(host: &Host, cell: &str, sent: &Sent) -> anyhow::Result<Option<usize>> {
    let expect = tally(sent);
    let range = (START_MS, START_MS + sent.len() as u64 * 1_000);
    let read = |point: &str| {
        wait_for(&format!("{} rows of {cell}", expect.len()), SOON, || {
            let found = host.stored(cell, point, range, 1_000)?;
            anyhow::ensure!(found.len() >= expect.len(), "{} are there", found.len());
            Ok(Some(found))
        })
    };
    let (sums, counts) = (read("tally.sum")?, read("tally.count")?);
    anyhow::ensure!(sums.len() == expect.len() && counts.len() == expect.len(), "a row is there twice");
    let mut switch = None;
    for (row, (((time, sum), (_, count)), (due, answer))) in sums.iter().zip(&counts).zip(&expect).enumerate()
    {
        let [exact, number] = answer.context("a row without an answer was expected")?;
        let off = sum.with_context(|| format!("row {row} has no answer"))? - exact;
        anyhow::ensure!(time == due && *count == Some(number), "row {row}: {count:?} instead of {number}");
        anyhow::ensure!(off == 0.0 || off == QUARTER, "row {row} is off by {off}");
        anyhow::ensure!(off == QUARTER || switch.is_none(), "row {row} is answered by the old version again");
        switch = switch.or((off == QUARTER).then_some(row));
    }
    Ok(switch)
}

fn file_of(guest: &Guest) -> String {
    guest.label().replace('@', "-")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
