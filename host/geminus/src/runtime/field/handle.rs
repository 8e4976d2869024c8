//! A running source of any kind, as the house looks at it.

use std::sync::Arc;

use geminus_ingest::refusal::RefusalCounts;
use geminus_ingest::{MqttHandle, MqttStats, Reason};
use geminus_opcua::OpcUaHandle;
#[cfg(feature = "bench")]
use geminus_opcua::OpcUaStats;

/// What runs.
#[derive(Debug)]
pub(crate) enum Handle {
    /// Over MQTT, Sparkplug among it.
    Mqtt(MqttHandle),
    /// Over OPC UA.
    OpcUa(OpcUaHandle),
}

impl Handle {
    /// Whether it is connected now.
    pub(crate) fn connected(&self) -> bool {
        match self {
            Self::Mqtt(handle) => handle.stats().connected(),
            Self::OpcUa(handle) => handle.stats().connected(),
        }
    }

    /// Connections established.
    pub(crate) fn connections(&self) -> u64 {
        match self {
            Self::Mqtt(handle) => handle.stats().connections(),
            Self::OpcUa(handle) => handle.stats().connections(),
        }
    }

    /// What it refused for any of `reasons`.
    pub(crate) fn refused_for(&self, reasons: &[Reason]) -> u64 {
        let all = |counts: &RefusalCounts| reasons.iter().map(|reason| counts.of(*reason)).sum::<u64>();
        match self {
            Self::Mqtt(handle) => all(handle.stats().refusals()),
            Self::OpcUa(handle) => all(handle.stats().refusals()),
        }
    }

    /// Counts of a source over MQTT.
    pub(crate) fn mqtt(&self) -> Option<Arc<MqttStats>> {
        match self {
            Self::Mqtt(handle) => Some(handle.stats()),
            Self::OpcUa(_) => None,
        }
    }

    /// Counts of a source over OPC UA.
    #[cfg(feature = "bench")]
    pub(crate) fn opcua(&self) -> Option<Arc<OpcUaStats>> {
        match self {
            Self::Mqtt(_) => None,
            Self::OpcUa(handle) => Some(handle.stats()),
        }
    }

    /// Delivers what was read and takes leave, both in a bounded time.
    pub(crate) async fn stop(self) {
        match self {
            Self::Mqtt(handle) => handle.stop().await,
            Self::OpcUa(handle) => handle.stop().await,
        }
    }
}
