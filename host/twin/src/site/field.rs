//! The part of `site.toml` that faces the field: sources, and how topics and payloads name points.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use geminus_core::Quality;

/// Where samples come from: a broker, Sparkplug edge nodes, an OPC UA server or a recording.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the source, unique in the site.
    pub name: String,
    /// An MQTT broker: `[source.mqtt]`.
    #[serde(default)]
    pub mqtt: Option<Mqtt>,
    /// Sparkplug B 3.0 edge nodes of an MQTT broker: `[source.sparkplug]`.
    #[serde(default)]
    pub sparkplug: Option<Sparkplug>,
    /// An OPC UA server: `[source.opcua]`.
    #[serde(default)]
    pub opcua: Option<OpcUa>,
    /// A recording in a CSV file: `[source.csv]`.
    #[serde(default)]
    pub csv: Option<Csv>,
}

/// An MQTT broker.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// Address of the broker: `mqtt://host:1883`, or `mqtts://host:8883` for TLS.
    pub url: String,
    /// Protocol version, `5` or `3.1.1`.
    #[serde(default)]
    pub version: MqttVersion,
    /// Quality of service of subscriptions, where `[[bind]]` says nothing else: 0, 1 or 2.
    #[serde(default = "qos")]
    pub qos: u8,
    /// Client id, which names the session at the broker. Two hosts with one id throw each other out. When absent,
    /// `geminus-<site>-<source>-` and a random part, made at the first start and kept in the data folder
    /// (`client-<source>.txt`).
    #[serde(default)]
    pub client_id: Option<String>,
    /// Messages of QoS 1 and 2 that the broker may have under way before one is acknowledged.
    #[serde(default = "receive_maximum")]
    pub receive_maximum: u16,
    /// Seconds of silence after which the connection is tested.
    #[serde(default = "keep_alive")]
    pub keep_alive_s: u16,
    /// Seconds for which the broker keeps the session, and messages, while this host is away.
    #[serde(default = "session_expiry")]
    pub session_expiry_s: u32,
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
}

/// Sparkplug B 3.0 edge nodes of an MQTT broker, to which this host is a host application.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sparkplug {
    /// Address of the broker: `mqtt://host:1883`, or `mqtts://host:8883` for TLS.
    pub url: String,
    /// Id of this host application, on whose STATE edge nodes may wait (`spBv1.0/STATE/<host_id>`). Unique among all host
    /// applications of the broker.
    pub host_id: String,
    /// Protocol version, `5` or `3.1.1`.
    #[serde(default)]
    pub version: MqttVersion,
    /// Client id, unique at the broker. When absent, `geminus-<site>-<source>-` and a random part, made at the first start
    /// and kept in the data folder (`client-<source>.txt`).
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
}

/// Certificates towards a broker: PEM files, relative to the site file.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificates of the authorities that the broker's certificate may come from. Nothing else is trusted.
    pub ca: String,
    /// Certificate of this host, for a broker that asks for one (mutual TLS), with those between it and its authority.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Its key, without a password, in a file that nobody else may read.
    #[serde(default)]
    pub key: Option<String>,
}

/// What every connection to a broker has, whatever is said over it.
#[derive(Clone, Copy, Debug)]
pub struct Broker<'a> {
    /// Address.
    pub url: &'a str,
    /// Client id, if the site says one.
    pub client_id: Option<&'a str>,
    /// User.
    pub username: Option<&'a str>,
    /// Environment variable with the password.
    pub password_env: Option<&'a str>,
    /// File with the password.
    pub password_file: Option<&'a str>,
    /// Certificates.
    pub tls: Option<&'a Tls>,
}

macro_rules! broker {
    ($kind:ty) => {
        impl $kind {
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
    };
}

broker!(Mqtt);
broker!(Sparkplug);

impl Source {
    /// The connection to the broker, if the source has one.
    #[must_use]
    pub fn broker(&self) -> Option<Broker<'_>> {
        self.mqtt.as_ref().map(Mqtt::broker).or_else(|| self.sparkplug.as_ref().map(Sparkplug::broker))
    }
}

/// An OPC UA server, to which this host is a client.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpcUa {
    /// Address of the server: `opc.tcp://host:4840/path`.
    pub endpoint: String,
    /// What secures the line. Anything but `none` needs the server's certificate to be trusted: `geminus certificate`.
    #[serde(default)]
    pub security: SecurityPolicy,
    /// How much is secured; not for the security `none`.
    #[serde(default)]
    pub mode: SecurityMode,
    /// User name; anonymous without one. Not with the security `none`, where the password could be read on the way.
    #[serde(default)]
    pub username: Option<String>,
    /// Name of the environment variable with the password; passwords do not stand in this file.
    #[serde(default)]
    pub password_env: Option<String>,
    /// File with the password in its first line, relative to this file and readable by nobody else.
    #[serde(default)]
    pub password_file: Option<String>,
    /// Whether the server's certificate must name the host of `endpoint` and the server's application. Without it, only
    /// that the certificate is trusted and its time count.
    #[serde(default = "yes")]
    pub check_host: bool,
    /// Milliseconds between two messages of the server.
    #[serde(default = "publishing")]
    pub publishing_ms: u32,
    /// Milliseconds between two looks of the server at a node; 0 for every change, where the server can tell it.
    #[serde(default = "sampling")]
    pub sampling_ms: u32,
    /// Values of each node that the server keeps between two messages, and while the line is broken. An outage of a
    /// minute at a `sampling_ms` of 250 needs 240.
    #[serde(default = "queue_size")]
    pub queue_size: u32,
}

/// What secures a line to an OPC UA server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecurityPolicy {
    /// Nothing: what is said can be read and changed on the way.
    #[default]
    None,
    /// Basic256Sha256.
    Basic256Sha256,
    /// Aes128-Sha256-RsaOaep.
    Aes128Sha256RsaOaep,
    /// Aes256-Sha256-RsaPss.
    Aes256Sha256RsaPss,
}

/// How much is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityMode {
    /// Signed: cannot be changed on the way, can be read.
    Sign,
    /// Signed and encrypted.
    #[default]
    SignAndEncrypt,
}

fn yes() -> bool {
    true
}

fn publishing() -> u32 {
    500
}

fn sampling() -> u32 {
    250
}

fn queue_size() -> u32 {
    100
}

fn qos() -> u8 {
    1
}

fn receive_maximum() -> u16 {
    8192
}

fn keep_alive() -> u16 {
    30
}

fn session_expiry() -> u32 {
    86_400
}

/// Protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum MqttVersion {
    /// MQTT 5.0.
    #[default]
    #[serde(rename = "5")]
    V5,
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
}

/// A recording in a CSV file.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// The file, relative to the site file.
    pub path: String,
    /// Character between columns.
    #[serde(default = "comma")]
    pub separator: char,
    /// Column with the time.
    #[serde(default = "time")]
    pub time_column: String,
    /// How many times faster than recorded it is played; 0 is as fast as possible.
    #[serde(default = "one")]
    pub speed: f64,
    /// Whether it starts again at its end, with times moved on.
    #[serde(default)]
    pub repeat: bool,
}

fn comma() -> char {
    ','
}

fn time() -> String {
    "time".to_owned()
}

fn one() -> f64 {
    1.0
}

/// Which points of which twins a source feeds.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// Which twins, as a glob or range: `pump-*`, `pump-{001..100}`.
    #[serde(default = "any")]
    pub twins: String,
    /// Name of the source.
    pub source: String,
    /// Topic template: `{twin}` stands for the id, `{point}` for the point. For a CSV source it is the column
    /// template, `{point}` by default. For a Sparkplug source it names the edge node, or one of its devices:
    /// `spBv1.0/plant/edge-1/{twin}`, whose metrics are called as `payload.fields` or the points' own names say. For an
    /// OPC UA source it is the id of a node: `ns=2;s={twin}.{point}`, `nsu=urn:maker:line;s=Pump.Load`, `ns=2;i=1001`.
    #[serde(default)]
    pub topic: Option<String>,
    /// Only these points; all measured points when absent.
    #[serde(default)]
    pub points: Option<Vec<String>>,
    /// How a payload is read.
    #[serde(default)]
    pub payload: Payload,
    /// Quality of service of these subscriptions; the source's when absent.
    #[serde(default)]
    pub qos: Option<u8>,
}

fn any() -> String {
    "*".to_owned()
}

/// How a payload is read.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Payload {
    /// `value`: one point for each topic, as plain text or `{"value": 1.5, "time": …}`; `object`: one JSON object
    /// with many points.
    pub shape: Shape,
    /// Member with the value, for the shape `value`.
    pub value: String,
    /// Point → JSON member, for the shape `object`. Points that are not named have the member of their own name.
    pub fields: BTreeMap<String, String>,
    /// Member with the time; the time of receipt counts where it is missing.
    pub time: String,
    /// What a number for a time means; told by its size when `auto`. Text is read as RFC 3339.
    pub time_unit: TimeUnit,
    /// Member with the quality.
    pub quality: String,
    /// What a number for a quality means.
    pub quality_code: QualityCode,
    /// Quality of values that come without one. `good` is your explicit word for this source.
    pub quality_absent: Quality,
}

impl Default for Payload {
    fn default() -> Self {
        Self {
            shape: Shape::Value,
            value: "value".to_owned(),
            fields: BTreeMap::new(),
            time: time(),
            time_unit: TimeUnit::Auto,
            quality: "quality".to_owned(),
            quality_code: QualityCode::Geminus,
            quality_absent: Quality::Uncertain,
        }
    }
}

/// One point for each topic, or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// One.
    #[default]
    Value,
    /// Many.
    Object,
}

/// What a number for a time means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Told by its size.
    #[default]
    Auto,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
}

/// What a number for a quality means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QualityCode {
    /// 0 good, 1 uncertain, 2 to 4 bad; other numbers cannot be read.
    #[default]
    Geminus,
    /// OPC classic: 192 to 255 good, 64 to 127 uncertain, 0 to 63 bad; other numbers cannot be read.
    OpcDa,
    /// OPC UA status code.
    OpcUa,
}
