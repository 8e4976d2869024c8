//! The one room that reads the field: MQTT, Sparkplug B, recorded CSV, the built-in pump rig.
//!
//! Every source gives [`geminus_core::Batch`]es of samples to a [`Sink`] and knows nothing of twins: a
//! [`Routes`] table, built by whoever loaded the site, says which topic means which series. Nothing here
//! writes to a plant; the publishing parts ([`csv::feed`], [`rig`], [`broker`], [`flood`]) play a field for
//! demonstrations, tests and benches.

#[cfg(feature = "embedded-broker")]
pub mod broker;
pub mod csv;
pub mod decode;
pub mod flood;
pub mod mqtt;
pub mod publisher;
pub mod refusal;
pub mod rig;
pub mod route;
pub mod sink;
pub mod sparkplug;

pub use mqtt::{MqttHandle, MqttOptions, MqttSource, MqttStats, ProtocolVersion, QoS};
pub use refusal::Reason;
pub use route::{Conversion, Field, Payload, Point, Route, RouteError, Routes};
pub use sink::{Sink, SinkClosed};
pub use sparkplug::{MetricPoint, SparkplugOptions, SparkplugSource};

/// What every source tells of what happened to it; must not block.
pub type EventSink = std::sync::Arc<dyn Fn(geminus_core::Event) + Send + Sync>;
