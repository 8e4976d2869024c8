//! The part of `site.toml` that says where results go: `[publish.NAME]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::field::{Broker, MqttVersion, Tls};

/// Where results of twins are published: estimated points, health and alarms. What the field sends is not among them.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// How results are laid out in topics and payloads. A layer never changes; another one gets another number.
    pub layer: Layer,
    /// Address of the broker: `mqtt://host:1883`, or `mqtts://host:8883` for TLS.
    pub url: String,
    /// Protocol version, `5` or `3.1.1`.
    #[serde(default)]
    pub version: MqttVersion,
    /// Client id, unique at the broker. When absent, `geminus-<site>-publish-<name>-` and a random part, made at the first
    /// start and kept in the data folder.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Seconds of silence after which the connection is tested.
    #[serde(default = "keep_alive")]
    pub keep_alive_s: u16,
    /// User name.
    #[serde(default)]
    pub username: Option<String>,
    /// Name of the environment variable with the password; passwords do not stand in this file.
    #[serde(default)]
    pub password_env: Option<String>,
    /// File with the password in its first line, relative to this file and readable by nobody else; instead of
    /// `password_env`.
    #[serde(default)]
    pub password_file: Option<String>,
    /// Certificates, for `mqtts://`: `tls = { ca = "ca.pem" }`.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Which twins, as a glob or range: `pump-*`, `pump-{001..100}`.
    #[serde(default = "any")]
    pub twins: String,
    /// Which of their estimated points, as globs: `thermal.*`.
    #[serde(default = "all")]
    pub points: Vec<String>,
    /// Whether the health of twins is published.
    #[serde(default = "yes")]
    pub health: bool,
    /// Whether their alarms are published.
    #[serde(default = "yes")]
    pub alarms: bool,
    /// Least milliseconds between two values of one point; what changes faster is published as it stands then. 0 … 3600000.
    #[serde(default = "second")]
    pub interval_ms: u64,
    /// First level of topics, for `uns-1`. The second is the name of the site.
    #[serde(default)]
    pub enterprise: Option<String>,
    /// Id of the group, for `sparkplug-b-1`.
    #[serde(default)]
    pub group: Option<String>,
    /// Id of the edge node, unique in its group, for `sparkplug-b-1`.
    #[serde(default)]
    pub node: Option<String>,
}

/// How results are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Layer {
    /// A Unified Namespace: one retained JSON document for each point, under `enterprise/site/area/line/twin/point`.
    #[serde(rename = "uns-1")]
    Uns1,
    /// An edge node of Sparkplug B 3.0, with a device for each twin.
    #[serde(rename = "sparkplug-b-1")]
    SparkplugB1,
}

impl Publish {
    /// The connection by itself.
    #[must_use]
    pub fn broker(&self) -> Broker<'_> {
        Broker {
            url: &self.url,
            client_id: self.client_id.as_deref(),
            username: self.username.as_deref(),
            password_env: self.password_env.as_deref(),
            password_file: self.password_file.as_deref(),
            tls: self.tls.as_ref(),
        }
    }
}

fn keep_alive() -> u16 {
    30
}

fn any() -> String {
    "*".to_owned()
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}

fn yes() -> bool {
    true
}

fn second() -> u64 {
    1000
}
