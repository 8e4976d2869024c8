//! The MQTT source and the publisher against a real mosquitto, the flood and the built-in broker.

mod acknowledging;
#[cfg(feature = "embedded-broker")]
mod builtin;
mod flooding;
mod house;
mod peer;
mod refusing;
mod sessions;
