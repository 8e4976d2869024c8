//! The house that hostile plugins are let into: twenty innocent cells beside theirs.

use std::time::Duration;

use geminus_tests::{Broker, Cells, Guest, Host, Pulse, Sent, SiteFolder, answered, tally, wait_for};
use serde_json::Value;

/// How long a misdeed may take to show: a wall-clock limit or two, on a machine that does something else besides.
const SHOWS_MAX: Duration = Duration::from_secs(30);
/// Rounds a second.
const RATE: u32 = 20;

/// Ids of the innocent cells.
pub(crate) fn calm() -> Vec<String> {
    (1..=20).map(|number| format!("calm-{number:02}")).collect()
}

/// A running house.
pub(crate) struct House {
    pub(crate) broker: Broker,
    pub(crate) site: SiteFolder,
    pub(crate) host: Host,
    pub(crate) pulse: Pulse,
}

impl House {
    /// A site of the innocent and of `others`, with these plugins in its folder.
    pub(crate) fn start(
        others: &[String],
        add: impl FnOnce(Cells) -> Cells,
        plugins: &[&Guest],
    ) -> anyhow::Result<Self> {
        let broker = Broker::start(100_000)?;
        let cells =
            Cells::new(&broker.url()).twins("calm-{01..20}", 1_000).behavior("tally", "tally", "calm-*", "");
        let cells = others.iter().fold(cells, |cells, id| cells.twins(id, 1_000));
        let site = add(cells).folder()?;
        Guest::hostile("tally", "1.0.0")?.drop_into(&site.path("plugins"))?;
        plugins.iter().try_for_each(|guest| guest.drop_into(&site.path("plugins")))?;
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let ids = [calm(), others.to_vec()].concat();
        let pulse = Pulse::start(broker.port, &ids, RATE)?;
        pulse.wait(5)?;
        Ok(Self { broker, site, host, pulse })
    }

    /// Waits for a warning or an error about this plugin version that says `rule` (and names `twin`, when one is
    /// given).
    pub(crate) fn told(&self, label: &str, twin: Option<&str>, rule: &str) -> anyhow::Result<Value> {
        let of_it = |entry: &Value| {
            entry["plugin"] == label || entry["message"].as_str().is_some_and(|text| text.contains(label))
        };
        let about = |entry: &Value| {
            let message = entry["message"].as_str().unwrap_or_default();
            of_it(entry)
                && entry["severity"] != "info"
                && message.contains(rule)
                && twin.is_none_or(|twin| entry["twin"] == twin && message.contains(twin))
        };
        wait_for(&format!("{label} to be told of with {rule:?}"), SHOWS_MAX, || {
            let journal = self.host.journal()?;
            let mut all = journal.iter().filter(|entry| of_it(entry));
            match all.clone().find(|entry| about(entry)) {
                Some(found) => Ok(Some(found.clone())),
                None => {
                    let said = all.by_ref().map(|entry| format!("{}: {}", entry["kind"], entry["message"]));
                    anyhow::bail!("said is {:?}", said.collect::<Vec<_>>())
                }
            }
        })
    }

    /// Stops the field, and holds the innocent against what they were sent; gives what the others were sent.
    pub(crate) fn innocent_lost_nothing(
        self,
    ) -> anyhow::Result<(Closed, std::collections::BTreeMap<String, Sent>)> {
        self.host.lives()?;
        let sent = self.pulse.stop()?;
        for cell in calm() {
            answered(&self.host, &cell, "tally", &tally(&sent[&cell]))?;
        }
        Ok((Closed { host: self.host, _site: self.site, _broker: self.broker }, sent))
    }
}

/// A house whose field has stopped.
pub(crate) struct Closed {
    pub(crate) host: Host,
    _site: SiteFolder,
    _broker: Broker,
}
