//! `command.round_trip`: from a proposal until the field's own sample has verified the command, through the whole house and
//! a real mosquitto, one command after the other; against a bare client that publishes the same to the same broker and
//! field and waits for the same sample.
//!
//! Proposals go through the door that the API uses. That a command is verified is seen at the host's own count, which grows
//! once that is durable; it is looked at every `LOOK`, which is the precision of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use geminus_access::Scope;
use geminus_api::orders::Wish;
use geminus_api::query::TargetsQuery;
use geminus_api::{Actor, House as _, Role};
use geminus_command::Phase;
use geminus_core::Authority;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::broker::Mosquitto;
use super::figure::rounded;
use super::mqtt::Client;
use super::obedient::{Field, order_topic, sample_topic};
use super::site::{SiteFolder, twin_id};
use super::swap::{sorted, spread};
use super::{Figure, Workbench, quantile};
use crate::command::run::tokio_runtime;
use crate::runtime::{ENDS, Running, StartOptions};

/// What is added to the site.
pub(super) const TARGET: &str = include_str!("commanded.toml");
/// Name of the target there.
const NAME: &str = "current";
/// Twins that take turns: a target takes 60 proposals a minute.
pub(super) const TWINS: u32 = 10;
/// Commands that are measured, and those before them.
const COMMANDS: usize = 500;
const WARM_UP: usize = 20;
/// Commands that make a p99.
const COMMANDS_MIN: usize = 200;
/// How long all of them may take.
const SPAN_MAX: Duration = Duration::from_secs(20);
/// How long one may take: more than it has for its read-back.
const COMMAND_MAX: Duration = Duration::from_secs(8);
/// How often the host is looked at.
const LOOK: Duration = Duration::from_micros(50);
/// How long the connection that writes may take to stand.
const UP_MAX: Duration = Duration::from_secs(20);
/// Round trips of the bare client, before the house runs: afterwards the broker keeps what it would have read.
pub(super) const BARE: usize = 1_000;

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let broker = Mosquitto::start(bench.clock.as_ref())?;
    let field = Field::start(broker.port(), Arc::clone(&bench.clock))?;
    let bare = bare_run(bench, broker.port())?;
    let folder = SiteFolder::edited(bench, TWINS, None, |text| site(&text, &broker.url()))?;
    let trips = host_run(bench, &folder, |_| folder.wait_subscribed(bench))?;
    check_obeyed(field.stop()?, bare.len(), &trips)?;
    figure(&trips, bare, ("qos", json!(1)))
}

/// The field has obeyed every order of both sides, and none besides.
pub(super) fn check_obeyed(obeyed: usize, bare: usize, trips: &[Trip]) -> anyhow::Result<()> {
    let ordered = bare + WARM_UP + trips.len();
    ensure!(obeyed == ordered, "the field obeyed {obeyed} orders, there were {ordered}");
    Ok(())
}

/// The figure of these trips, held against those of a bare client; `more` is said in the detail.
pub(super) fn figure(trips: &[Trip], bare: Vec<Duration>, more: (&str, Value)) -> anyhow::Result<Figure> {
    ensure!(trips.len() >= COMMANDS_MIN, "only {} commands in {SPAN_MAX:?}: too few for a p99", trips.len());
    let verified = sorted(trips.iter().map(|trip| trip.verified));
    let answered = sorted(trips.iter().map(|trip| trip.answered));
    let bare = sorted(bare.into_iter());
    let mut detail = json!({
        "commands": trips.len(), "twins": TWINS, "look_ms": rounded(LOOK.as_secs_f64() * 1e3),
        "verified_ms": spread(&verified), "answered_ms": spread(&answered), "baseline_ms": spread(&bare),
        "p99_ratio": rounded(quantile(&verified, 0.99) / quantile(&bare, 0.99)),
    });
    if let Some(detail) = detail.as_object_mut() {
        detail.insert(more.0.to_owned(), more.1);
    }
    let median = |sorted: &[f64]| quantile(sorted, 0.5);
    Ok(Figure::new(median(&verified), detail).against("a bare client, there and back", median(&bare)))
}

/// One command, since it was proposed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    /// The proposal was answered: the order is written down and handed to the transport.
    pub(super) answered: Duration,
    /// The host knows that it was carried out.
    pub(super) verified: Duration,
}

/// From an order until the field shows it, without a house.
fn bare_run(bench: &Workbench, port: u16) -> anyhow::Result<Vec<Duration>> {
    let (orders, samples) = (order_topic("bare"), sample_topic("bare"));
    let mut client = Client::connect(port, "bare", &samples)?;
    let mut trips = Vec::with_capacity(BARE);
    for number in 0..BARE {
        let start = bench.clock.monotonic();
        let order = json!({
            "id": Uuid::nil(), "value": value(number), "unit": "A", "not_after": bench.clock.now().millis(),
            "by": "program bench",
        });
        client.publish(&orders, order.to_string().as_bytes())?;
        let shown = client.hear()?.context("the broker hung up on the bare client")?;
        trips.push(bench.clock.monotonic().saturating_sub(start));
        ensure!(shown.topic == samples, "the bare client heard {}", shown.topic);
    }
    Ok(trips)
}

/// The commands that were measured; `subscribed` waits until the house would hear the field.
pub(super) fn host_run(
    bench: &Workbench,
    folder: &SiteFolder,
    subscribed: impl FnOnce(&Running) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Trip>> {
    let runtime = tokio_runtime()?;
    let options = StartOptions { site: folder.site(), listen: None, limits: None };
    let running = runtime.block_on(Running::start(options))?;
    let armed = Armed { bench, runtime: &runtime, running: &running };
    let trips = subscribed(&running).and_then(|()| armed.arm()).and_then(|()| armed.trips());
    runtime.block_on(running.stop())?;
    trips
}

/// The site of the other figures, with something to write.
fn site(text: &str, broker: &str) -> String {
    writable(text, TARGET).replace("{broker}", broker).replace("{qos}", "1")
}

/// A site whose twins may be armed, with this target.
pub(super) fn writable(text: &str, target: &str) -> String {
    let armed = text.replace("interval_ms = 1000", "interval_ms = 1000\nauthority = \"control\"");
    format!("{armed}{target}")
}

/// The n-th value: no two in a row of a twin are the same.
pub(super) fn value(number: usize) -> f64 {
    let turn = number / TWINS as usize;
    (turn % 8) as f64 + 1.0
}

/// A house whose twins are armed, so that it may write.
struct Armed<'a> {
    bench: &'a Workbench,
    runtime: &'a Runtime,
    running: &'a Running,
}

impl Armed<'_> {
    /// Waits until the connection that writes stands, and arms every twin.
    fn arm(&self) -> anyhow::Result<()> {
        let (house, start) = (self.running.house(), self.bench.clock.monotonic());
        loop {
            let view =
                self.runtime.block_on(house.targets(TargetsQuery { twin: None, scope: Scope::all() }))?;
            ensure!(view.targets.len() == TWINS as usize, "the site has {} targets", view.targets.len());
            if view.targets.iter().all(|target| target.egress.up) {
                break;
            }
            let waited = self.bench.clock.monotonic().saturating_sub(start);
            ensure!(waited < UP_MAX, "the connection that writes does not stand after {UP_MAX:?}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        for twin in (0..TWINS).map(twin_id) {
            let arming = house.order_authority(twin, Authority::Control, "measuring".to_owned(), actor(true));
            let view = self.runtime.block_on(arming)?;
            ensure!(view.effective == Authority::Control, "{} is not armed: {:?}", view.twin, view.reasons);
        }
        Ok(())
    }

    /// One command after the other, until there are enough or the time is over.
    fn trips(&self) -> anyhow::Result<Vec<Trip>> {
        for number in 0..WARM_UP {
            self.trip(number)?;
        }
        let start = self.bench.clock.monotonic();
        let mut trips = Vec::with_capacity(COMMANDS);
        for number in WARM_UP..WARM_UP + COMMANDS {
            if self.bench.clock.monotonic().saturating_sub(start) >= SPAN_MAX {
                break;
            }
            trips.push(self.trip(number)?);
        }
        Ok(trips)
    }

    fn trip(&self, number: usize) -> anyhow::Result<Trip> {
        let wish = Wish {
            id: None,
            twin: twin_id(u32::try_from(number % TWINS as usize)?),
            target: NAME.to_owned(),
            value: value(number),
            unit: None,
            reason: "measuring".to_owned(),
            within_s: 60,
        };
        let (house, clock) = (self.running.house(), &self.bench.clock);
        let (before, start) = (self.ended(), clock.monotonic());
        let (command, _) = self.runtime.block_on(house.propose(wish, actor(false)))?;
        let answered = clock.monotonic().saturating_sub(start);
        loop {
            let ended = self.ended();
            let verified = clock.monotonic().saturating_sub(start);
            if ended.verified > before.verified {
                return Ok(Trip { answered, verified });
            }
            if ended.otherwise > before.otherwise || verified > COMMAND_MAX {
                let found = self.runtime.block_on(house.command(Uuid::try_parse(&command.id)?))?.command;
                let (state, detail) = (found.state.name(), found.detail);
                bail!("command {number} is {state} after {verified:?}, not verified: {detail}");
            }
            std::thread::park_timeout(LOOK);
        }
    }

    fn ended(&self) -> Ended {
        let mut ended = Ended::default();
        for (phase, count) in ENDS.iter().zip(self.running.house().command_meters.ended()) {
            match phase {
                Phase::Verified => ended.verified += count,
                _ => ended.otherwise += count,
            }
        }
        ended
    }
}

/// How many commands came to which end.
#[derive(Clone, Copy, Debug, Default)]
struct Ended {
    verified: u64,
    otherwise: u64,
}

/// A program proposes; a person arms.
fn actor(is_person: bool) -> Actor {
    Actor { name: "bench".to_owned(), owner: None, is_person, role: Role::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_target_gets_more_proposals_than_it_takes_in_a_minute() {
        let of =
            |twin: usize| (0..WARM_UP + COMMANDS).filter(|number| number % TWINS as usize == twin).count();
        assert!((0..TWINS as usize).all(|twin| of(twin) <= 60));
    }

    #[test]
    fn a_value_is_in_range_and_another_one_than_that_before_it_of_the_twin() {
        for number in 0..WARM_UP + COMMANDS {
            assert!((0.0..=10.0).contains(&value(number)));
            assert_ne!(value(number), value(number + TWINS as usize));
        }
    }

    #[test]
    fn the_site_names_a_broker_and_what_may_be_written() {
        let text = site(include_str!("site.toml"), "mqtt://127.0.0.1:9");
        for part in ["authority = \"control\"", "url = \"mqtt://127.0.0.1:9\"", "qos = 1 }", "[[target]]"] {
            assert_eq!(text.matches(part).count(), 1, "{part}");
        }
        assert!(text.contains(&format!("topic = \"{}\"", order_topic("{twin}"))));
    }
}
