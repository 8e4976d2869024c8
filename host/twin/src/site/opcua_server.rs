//! The part of `site.toml` that shows twins to OPC UA clients: `[opcua_server]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::field::SecurityPolicy;

/// An OPC UA server that shows twins: an object for each, with what is measured, what is estimated and how healthy it is. Read
/// only. Present means that it runs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpcUaServer {
    /// Address and port to listen on. Anything but loopback is reachable from the network, and refused with `security` none,
    /// with `anonymous`, and while the site has no users (`geminus user add`).
    pub listen: String,
    /// Name or address under which clients are told to come. Default: the address of `listen`, or the name of this machine
    /// where that is any address.
    pub host: Option<String>,
    /// How lines may be secured, always signed and encrypted. `none` is for tests on this machine: it needs `anonymous`, and is
    /// refused beyond loopback.
    pub security: Vec<SecurityPolicy>,
    /// Whether whoever connects may read without a name; on loopback only. Else a user of the site logs in with its password,
    /// and reads the twins of its scope.
    pub anonymous: bool,
    /// Which twins are shown, as a glob or range: `pump-*`, `pump-{001..100}`.
    pub twins: String,
    /// Most sessions at a time; 1 … 1000.
    pub sessions_max: u32,
    /// Most subscriptions of a session; 1 … 1000.
    pub subscriptions_max: u32,
    /// Most variables that one subscription watches; 1 … 100000.
    pub items_max: u32,
    /// Most values of a watched variable that wait for the client, the oldest go first; 1 … 10000.
    pub queue_max: u32,
}

impl Default for OpcUaServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4840".to_owned(),
            host: None,
            security: vec![SecurityPolicy::Aes256Sha256RsaPss],
            anonymous: false,
            twins: "*".to_owned(),
            sessions_max: 20,
            subscriptions_max: 10,
            items_max: 10_000,
            queue_max: 100,
        }
    }
}
