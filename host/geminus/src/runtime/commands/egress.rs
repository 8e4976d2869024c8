//! A connection that writes for each source that a target names: one of its own, beside the one that reads.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use geminus_command::ANSWER_MAX;
use geminus_core::Clock;
use geminus_dispatch::{MqttEgress, MqttOptions, MqttVersion};
use geminus_ingest::mqtt::Address;
use geminus_opcua::OpcUaEgress;
use geminus_twin::{Plant, site};
use tokio::runtime::Handle;

use super::books::{Line, Lines};
use crate::runtime::client_id::client_id;
use crate::runtime::field;

/// Connects to every broker and server that a target is written to. Does not wait for the connections. Needs a tokio runtime; blocks on
/// the data folder and on certificates, which lie beside the site file.
///
/// # Errors
/// When an address or a password cannot be had, or an address is none of its protocol.
pub(crate) fn lines(
    plant: &Plant,
    (data, beside): (&Path, &Path),
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Lines> {
    let wanted: BTreeSet<&str> = plant.targets.iter().map(|target| target.source.as_str()).collect();
    let mut lines = Vec::new();
    for source in plant.sources.iter().filter(|source| wanted.contains(source.name.as_str())) {
        let line = match (&source.mqtt, &source.opcua) {
            (Some(mqtt), _) => broker(plant, &source.name, mqtt, (data, beside)),
            (None, Some(opcua)) => server(plant, &source.name, opcua, (data, beside), clock),
            // The site was refused if it were of another kind.
            (None, None) => continue,
        };
        let line = line.with_context(|| format!("writing through source {}", source.name))?;
        lines.push((source.name.clone(), line));
    }
    Ok(Lines::new(lines))
}

fn broker(plant: &Plant, source: &str, mqtt: &site::Mqtt, folders: (&Path, &Path)) -> anyhow::Result<Line> {
    let egress = MqttEgress::start(options(plant, source, mqtt, folders)?, Handle::current());
    let up = egress.up();
    Ok(Line { egress: Box::new(egress), up: Box::new(move || *up.borrow()) })
}

/// A session beside the one that reads, under a name of its own.
fn server(
    plant: &Plant,
    source: &str,
    server: &site::OpcUa,
    folders: (&Path, &Path),
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Line> {
    if let Some((.., error)) = wrong_node(plant, source) {
        anyhow::bail!(error);
    }
    let options = field::opcua::options(plant, &format!("{source}-write"), server, folders)?;
    let egress = OpcUaEgress::start(
        options,
        &addresses(plant, source),
        ANSWER_MAX,
        Arc::clone(clock),
        Handle::current(),
    )?;
    let up = egress.up();
    Ok(Line { egress: Box::new(egress), up: Box::new(move || *up.borrow()) })
}

/// Where orders and signs of life of this source go.
fn addresses(plant: &Plant, source: &str) -> Vec<String> {
    let mut all = BTreeSet::new();
    for target in plant.targets.iter().filter(|target| target.source == source) {
        for id in target.twins.iter().filter_map(|twin| Some(&*plant.twin(*twin)?.id)) {
            all.insert(target.address(id));
            all.extend(target.heartbeat.as_ref().map(|beats| beats.address(id)));
        }
    }
    all.into_iter().collect()
}

/// The first address of a target of this OPC UA source that no order or sign of life can go to: section of the target, its key,
/// and what is wrong.
pub(crate) fn wrong_node(plant: &Plant, source: &str) -> Option<(usize, &'static str, String)> {
    for target in plant.targets.iter().filter(|target| target.source == source) {
        for id in target.twins.iter().filter_map(|twin| Some(&*plant.twin(*twin)?.id)) {
            let beats = target.heartbeat.as_ref().map(|beats| ("heartbeat.topic", beats.address(id)));
            for (key, address) in [("write.topic", target.address(id))].into_iter().chain(beats) {
                if let Err(error) = OpcUaEgress::check_address(&address) {
                    return Some((target.section, key, format!("target \"{}\": {error}", target.name)));
                }
            }
        }
    }
    None
}

fn options(
    plant: &Plant,
    source: &str,
    mqtt: &site::Mqtt,
    (data, beside): (&Path, &Path),
) -> anyhow::Result<MqttOptions> {
    let url = field::broker::with_credentials(mqtt.broker(), beside)?;
    let Address { host, port, credentials, .. } = url.parse()?;
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
        tls: field::broker::tls(mqtt.broker(), beside)?,
    })
}
