//! A connection that writes for each MQTT source that a target names: one of its own, beside the one that reads.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use geminus_command::ANSWER_MAX;
use geminus_dispatch::{MqttEgress, MqttOptions, MqttVersion};
use geminus_ingest::mqtt::Address;
use geminus_twin::{Plant, site};
use tokio::runtime::Handle;

use super::books::{Line, Lines};
use crate::runtime::client_id::client_id;
use crate::runtime::field::broker;

/// Connects to every broker that a target is written to. Does not wait for the connections. Needs a tokio runtime; blocks on
/// the data folder and on certificates, which lie beside the site file.
///
/// # Errors
/// When an address or a password cannot be had.
pub(crate) fn lines(plant: &Plant, (data, beside): (&Path, &Path)) -> anyhow::Result<Lines> {
    let wanted: BTreeSet<&str> = plant.targets.iter().map(|target| target.source.as_str()).collect();
    let mut lines = Vec::new();
    for source in plant.sources.iter().filter(|source| wanted.contains(source.name.as_str())) {
        // The site was refused if it were of another kind.
        let Some(mqtt) = &source.mqtt else { continue };
        let options = options(plant, &source.name, mqtt, (data, beside));
        let options = options.with_context(|| format!("writing through source {}", source.name))?;
        let egress = MqttEgress::start(options, Handle::current());
        let up = egress.up();
        let line = Line { egress: Box::new(egress), up: Box::new(move || *up.borrow()) };
        lines.push((source.name.clone(), line));
    }
    Ok(Lines::new(lines))
}

fn options(
    plant: &Plant,
    source: &str,
    mqtt: &site::Mqtt,
    (data, beside): (&Path, &Path),
) -> anyhow::Result<MqttOptions> {
    let url = broker::with_credentials(mqtt.broker(), beside)?;
    let Address { host, port, credentials } = url.parse()?;
    let client_id = match &mqtt.client_id {
        Some(id) => format!("{id}-write"),
        None => client_id(data, &plant.name, &format!("{source}-write"))?,
    };
    Ok(MqttOptions {
        host,
        port,
        credentials,
        client_id,
        version: match mqtt.version {
            site::MqttVersion::V5 => MqttVersion::V5,
            site::MqttVersion::V311 => MqttVersion::V311,
        },
        keep_alive: Duration::from_secs(u64::from(mqtt.keep_alive_s).max(1)),
        answer_max: ANSWER_MAX,
        tls: broker::tls(mqtt.broker(), beside)?,
    })
}
