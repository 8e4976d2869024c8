//! From a site's binds to a Sparkplug source: which metric of which edge node or device feeds which point.

use std::path::Path;
use std::time::Duration;

use geminus_ingest::sparkplug::{Place, Wanted};
use geminus_ingest::{MetricPoint, SparkplugOptions};
use geminus_twin::Plant;
use geminus_twin::plant::{Payload, Route};
use geminus_twin::site;

use super::{broker, decode_limits, named, point, version};

pub(super) fn options(
    plant: &Plant,
    source: &site::Source,
    spb: &site::Sparkplug,
    (data, beside): (&Path, &Path),
) -> anyhow::Result<SparkplugOptions> {
    Ok(SparkplugOptions {
        url: broker::with_credentials(spb.broker(), beside)?,
        tls: broker::tls(spb.broker(), beside)?,
        client_id: named(plant, source, spb.client_id.as_ref(), data)?,
        host_id: spb.host_id.clone(),
        version: version(spb.version),
        keep_alive: Duration::from_secs(spb.keep_alive_s.into()),
        limits: decode_limits(plant),
    })
}

/// Every metric and the point that it feeds.
pub(super) fn metrics(routes: Vec<Route>) -> anyhow::Result<Vec<MetricPoint>> {
    let mut metrics = Vec::new();
    for Route { topic, payload, .. } in routes {
        let place: Place = topic.parse()?;
        let Payload::Object(fields) = payload else {
            anyhow::bail!("`{topic}` carries many metrics and is read as one value");
        };
        metrics.extend(fields.into_iter().map(|field| MetricPoint {
            wanted: Wanted { place: place.clone(), metric: field.name },
            point: point(field.point),
        }));
    }
    Ok(metrics)
}

/// What is wrong with the topic of a bind, and which bind it is.
pub(super) fn wrong_place(routes: &[Route]) -> Option<(usize, String)> {
    let wrong = |route: &Route| {
        let error = route.topic.parse::<Place>().err()?;
        Some((route.bind, error.to_string()))
    };
    routes.iter().find_map(wrong)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_core::SeriesId;
    use geminus_core::unit::Conversion;
    use geminus_twin::plant::{RouteField, RoutePoint};

    use super::*;

    fn route(topic: &str, bind: usize) -> Route {
        let conversion = Conversion { scale: 0.001, offset: 0.0 };
        let target = RoutePoint { series: SeriesId(7), conversion, labels: Vec::new() };
        let payload = Payload::Object(vec![RouteField { name: "Motor/Load".to_owned(), point: target }]);
        Route { topic: topic.to_owned(), qos: 0, payload, envelope: Arc::default(), bind }
    }

    #[test]
    fn a_bind_becomes_metrics_with_their_units() {
        let made = metrics(vec![route("spBv1.0/plant/edge-1/pump-1", 0)]).expect("metrics");
        let [metric] = made.as_slice() else { panic!("{made:?}") };
        assert_eq!(metric.wanted.metric, "Motor/Load");
        assert_eq!(metric.wanted.place.device.as_deref(), Some("pump-1"));
        let conversion = geminus_ingest::Conversion { scale: 0.001, offset: 0.0 };
        assert_eq!((metric.point.series, metric.point.conversion), (SeriesId(7), Some(conversion)));
    }

    #[test]
    fn a_topic_that_names_no_edge_node_is_known_with_its_bind() {
        let routes = [route("spBv1.0/plant/edge-1", 3), route("plant/edge-1/pump-1", 4)];
        let (bind, says) = wrong_place(&routes).expect("the second");
        assert!(bind == 4 && says.contains("`plant/edge-1/pump-1` names no edge node"), "{says}");
        assert!(metrics(routes.to_vec()).is_err());
    }
}
