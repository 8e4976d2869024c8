//! From a site's binds to an OPC UA source: how its server is spoken to, and which node feeds which point.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use geminus_opcua::{Mode, NodeAddress, NodePoint, OpcUaOptions, Policy, Security, Subscribe, User};
use geminus_twin::Plant;
use geminus_twin::plant::{Payload, Route};
use geminus_twin::site::{self, SecurityMode, SecurityPolicy};

use super::{broker, decode_limits, point};

/// Where certificates are kept, in the data folder.
pub(crate) fn pki(data: &Path) -> PathBuf {
    data.join("pki")
}

/// `data` is the data folder, `beside` that of the site file.
pub(crate) fn options(
    plant: &Plant,
    name: &str,
    server: &site::OpcUa,
    (data, beside): (&Path, &Path),
) -> anyhow::Result<OpcUaOptions> {
    let options = OpcUaOptions {
        name: name.to_owned(),
        endpoint: server.endpoint.clone(),
        security: security(server.security, server.mode),
        user: user(server, beside)?,
        pki: pki(data),
        check_host: server.check_host,
        subscribe: Subscribe {
            publishing: Duration::from_millis(server.publishing_ms.into()),
            sampling: Duration::from_millis(server.sampling_ms.into()),
            queue: server.queue_size,
        },
        accept_future: decode_limits(plant).accept_future,
    };
    options.check()?;
    Ok(options)
}

/// How a line is secured, in the words of the room that speaks the protocol.
pub(crate) fn security(policy: SecurityPolicy, mode: SecurityMode) -> Security {
    let mode = match mode {
        SecurityMode::Sign => Mode::Sign,
        SecurityMode::SignAndEncrypt => Mode::SignAndEncrypt,
    };
    match policy {
        SecurityPolicy::None => Security::None,
        SecurityPolicy::Basic256Sha256 => Security::Secured(Policy::Basic256Sha256, mode),
        SecurityPolicy::Aes128Sha256RsaOaep => Security::Secured(Policy::Aes128Sha256RsaOaep, mode),
        SecurityPolicy::Aes256Sha256RsaPss => Security::Secured(Policy::Aes256Sha256RsaPss, mode),
    }
}

fn user(server: &site::OpcUa, beside: &Path) -> anyhow::Result<User> {
    let Some(name) = server.username.clone() else { return Ok(User::Anonymous) };
    let file = server.password_file.as_ref().map(|file| beside.join(file));
    let password = broker::password(server.password_env.as_deref(), file.as_deref())?
        .context("username needs password_env or password_file")?;
    Ok(User::Named { name, password })
}

/// Every node and the point that it feeds.
pub(super) fn nodes(routes: Vec<Route>) -> anyhow::Result<Vec<NodePoint>> {
    let mut nodes = Vec::with_capacity(routes.len());
    for Route { topic, payload, .. } in routes {
        let node: NodeAddress = topic.parse()?;
        let Payload::Value(target) = payload else {
            anyhow::bail!("node `{topic}` has one value and is read as many");
        };
        nodes.push(NodePoint { node, point: point(target) });
    }
    Ok(nodes)
}

/// What is wrong with the topic of a bind, and which bind it is.
pub(super) fn wrong_node(routes: &[Route]) -> Option<(usize, String)> {
    let wrong = |route: &Route| {
        let error = route.topic.parse::<NodeAddress>().err()?;
        Some((route.bind, error.to_string()))
    };
    routes.iter().find_map(wrong)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_core::SeriesId;
    use geminus_core::unit::Conversion;
    use geminus_twin::plant::RoutePoint;

    use super::*;

    fn route(topic: &str, bind: usize) -> Route {
        let conversion = Conversion { scale: 0.001, offset: 0.0 };
        let target = RoutePoint { series: SeriesId(7), conversion, labels: Vec::new() };
        Route {
            topic: topic.to_owned(),
            qos: 0,
            payload: Payload::Value(target),
            envelope: Arc::default(),
            bind,
        }
    }

    #[test]
    fn a_bind_becomes_nodes_with_their_units() {
        let made = nodes(vec![route("ns=2;s=pump-1.load", 0)]).expect("nodes");
        let [node] = made.as_slice() else { panic!("{made:?}") };
        let conversion = geminus_ingest::Conversion { scale: 0.001, offset: 0.0 };
        assert_eq!(node.node.to_string(), "ns=2;s=pump-1.load");
        assert_eq!((node.point.series, node.point.conversion), (SeriesId(7), Some(conversion)));
    }

    #[test]
    fn a_topic_that_names_no_node_is_known_with_its_bind() {
        let routes = [route("ns=2;s=a", 3), route("plant/pump-1", 4)];
        let (bind, says) = wrong_node(&routes).expect("the second");
        assert!(bind == 4 && says.contains("`plant/pump-1` names no node"), "{says}");
        assert!(nodes(routes.to_vec()).is_err());
    }
}
