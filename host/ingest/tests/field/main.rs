//! The MQTT source and the publisher against a real mosquitto, the flood and the built-in broker.

#![expect(clippy::expect_used, clippy::panic, reason = "failing loudly is what it is for")]

mod acknowledging;
#[cfg(feature = "embedded-broker")]
mod backlog;
mod builtin;
mod feeding;
mod flooding;
mod house;
mod peer;
mod refusing;
mod secured;
mod sessions;
mod sparkplug;
