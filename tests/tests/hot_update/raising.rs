//! What happens while a candidate is being raised. Its plugin takes its time over each of many twins, so that raising takes
//! a second and more; only some of them are fed, and those are held against a run without any rollout.

use std::time::Duration;

use anyhow::ensure;
use geminus_tests::{Broker, Cells, Guest, Host, Pulse, SiteFolder, answered, drop_bytes, tally, wait_for};
use rusqlite::Connection;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(45);
/// As much as `open` may burn for a twin, or nearly.
const SLOW: &str = "open burn=900000";

struct Yard {
    _broker: Broker,
    site: SiteFolder,
    host: Host,
    pulse: Pulse,
}

fn fed() -> Vec<String> {
    (1..=5).map(|number| format!("slow-{number:03}")).collect()
}

fn version(version: &str, script: &str) -> anyhow::Result<Guest> {
    Ok(Guest::hostile("slow", version)?.script(script))
}

impl Yard {
    /// Starts with version 1.0.0. What arrives begins by itself, and is permanent after some rows.
    fn start() -> anyhow::Result<Self> {
        let broker = Broker::start(100_000)?;
        let rollout = "rollout = { probation = { rows = 3, seconds = 0 } }";
        let cells =
            Cells::new(&broker.url()).twins("slow-{001..600}", 1_000).lines("[store]\nsnapshot_s = 1");
        let site = cells.behavior("slow", "slow", "slow-*", rollout).folder()?;
        let first = version("1.0.0", "")?;
        drop_bytes(&site.path("plugins"), "slow-1.0.0", &first.bytes()?)?;
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let pulse = Pulse::start(broker.port, &fed(), 20)?;
        pulse.wait(10)?;
        Ok(Self { _broker: broker, site, host, pulse })
    }

    fn arrives(&self, number: &str, script: &str) -> anyhow::Result<()> {
        let guest = version(number, script)?;
        drop_bytes(&self.site.path("plugins"), &format!("slow-{number}"), &guest.bytes()?)
    }

    fn view(&self, id: u64) -> anyhow::Result<Value> {
        self.host.get(&format!("/rollouts/{id}"))
    }

    fn reach(&self, id: u64, phase: &str) -> anyhow::Result<Value> {
        wait_for(&format!("rollout {id} to be {phase}"), SOON, || {
            let view = self.view(id)?;
            ensure!(view["phase"] == phase, "it is {}: {}", view["phase"], view["reason"]);
            Ok(Some(view))
        })
    }

    /// Waits until every twin that is fed is answered by this version alone.
    fn alone(&self, version: &str) -> anyhow::Result<()> {
        for twin in fed() {
            wait_for(&format!("{version} alone for {twin}"), SOON, || {
                let now = self.host.behavior(&twin, "slow")?;
                let alone = now["version"] == version && now["state"] == "running" && now["trial"].is_null();
                ensure!(alone, "{now}");
                Ok(Some(()))
            })?;
        }
        Ok(())
    }

    fn rollouts(&self) -> anyhow::Result<usize> {
        Ok(self.host.get("/rollouts")?["rollouts"].as_array().map_or(0, Vec::len))
    }

    /// Stops, and holds every answer against a run without any rollout.
    fn held_against_no_rollout(self) -> anyhow::Result<()> {
        self.host.lives()?;
        let sent = self.pulse.stop()?;
        for twin in fed() {
            answered(&self.host, &twin, "slow", &tally(&sent[&twin]))?;
        }
        self.host.stop()
    }
}

/// Phases of a rollout, in order.
fn phases(view: &Value) -> Vec<&str> {
    view["history"].as_array().into_iter().flatten().filter_map(|step| step["phase"].as_str()).collect()
}

#[test]
fn a_second_swap_is_told_of_the_first_and_a_second_file_takes_its_place() -> anyhow::Result<()> {
    let yard = Yard::start()?;
    yard.arrives("1.0.1", SLOW)?;
    yard.reach(1, "raising")?;
    // At a person's word: refused, and the first goes on as if nobody had asked.
    let second = json!({ "plugin": "slow", "version": "1.0.0", "by": "test" });
    let (status, answer) = yard.host.post("/rollouts", &second)?;
    ensure!(status == 409, "a second one is let in: {status} {answer}");
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("rollout 1 of this behavior is under way"), "{answer}");
    let view = yard.view(1)?;
    ensure!(view["phase"] == "raising", "it was raised before anybody asked: {view}");
    ensure!(yard.rollouts()? == 1, "a second one is in the books");
    // By a file: the first gives way where it is, the second goes the whole way.
    yard.arrives("1.0.2", "")?;
    let view = yard.reach(1, "cancelled")?;
    ensure!(
        phases(&view).ends_with(&["raising", "withdrawing", "cancelled"]),
        "it was raised before: {view}"
    );
    ensure!(view["reason"].as_str().is_some_and(|why| why.starts_with("another version arrived")), "{view}");
    let view = yard.reach(2, "permanent")?;
    ensure!(view["from"]["version"] == "1.0.0" && view["to"]["version"] == "1.0.2", "{view}");
    yard.alone("1.0.2")?;
    // What the first one's worker brings back late stands in nobody's way.
    yard.arrives("1.0.3", "")?;
    yard.reach(3, "permanent")?;
    yard.alone("1.0.3")?;
    yard.held_against_no_rollout()
}

#[test]
fn a_version_that_the_host_dies_in_while_it_is_raised_has_failed_and_is_not_begun_again() -> anyhow::Result<()>
{
    let mut yard = Yard::start()?;
    yard.arrives("1.1.0", SLOW)?;
    yard.reach(1, "raising")?;
    let inside = |crumbs: &geminus_tests::Crumbs| {
        let mut inside = crumbs.iter().filter(|(_, inside)| **inside != 0).map(|(name, _)| name.as_str());
        inside.next() == Some("rollout-1") && inside.next().is_none()
    };
    yard.host.kill_when("inside of the candidate alone", inside)?;
    let read = "SELECT phase FROM rollout WHERE id = 1";
    yard.host = {
        let books = Connection::open(yard.site.path("data/control.db"))?;
        let phase: String = books.query_row(read, [], |row| row.get(0))?;
        ensure!(phase == "raising", "it died in {phase}");
        drop(books);
        Host::start(&yard.site.site())?
    };
    let view = yard.view(1)?;
    let reason = view["reason"].as_str().unwrap_or_default();
    let says = "the host ended inside slow@1.1.0 while it was raising";
    ensure!(view["phase"] == "failed" && reason.starts_with(says), "{view}");
    let told = yard.host.entry("swap-refused", |entry| entry["facts"]["rollout"] == 1)?;
    ensure!(told["plugin"] == "slow@1.1.0", "{told}");
    ensure!(told["message"].as_str().is_some_and(|text| text.contains(says)), "{told}");
    let crash = yard.host.entry("crashed-inside", |_| true)?;
    ensure!(crash["plugin"] == "slow@1.1.0" && crash["facts"]["crashes"] == 1, "{crash}");
    let past = yard.host.get("/activations?binding=slow")?;
    let refused = |one: &Value| {
        let outcome = one["outcome"].as_str().unwrap_or_default();
        one["rollout"] == 1 && outcome.starts_with("refused: ") && outcome.contains(says)
    };
    ensure!(past["activations"].as_array().is_some_and(|all| all.iter().any(refused)), "{past}");
    yard.alone("1.0.0")?;
    yard.pulse.wait(40)?;
    ensure!(yard.rollouts()? == 1, "it was begun again");
    // Nor after an end in order, which counts the crash no second time.
    yard.host.stop()?;
    yard.host = Host::start(&yard.site.site())?;
    yard.alone("1.0.0")?;
    yard.pulse.wait(40)?;
    ensure!(yard.rollouts()? == 1, "it was begun again");
    let crashes = yard.host.journal()?.into_iter().filter(|entry| entry["kind"] == "crashed-inside").count();
    ensure!(crashes == 1, "one crash was counted {crashes} times");
    // A mended version goes by itself.
    yard.arrives("1.1.1", "")?;
    yard.reach(2, "permanent")?;
    yard.alone("1.1.1")?;
    yard.held_against_no_rollout()
}
