//! Certificates, as people compare them before they trust one. No key is here, and none is ever asked for.

use serde::Serialize;
use utoipa::ToSchema;

use super::Time;

/// `GET /api/v1/certificates`: who we are, whom we trust, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CertificatesView {
    /// The host's own towards OPC UA servers; none before the first attempt to connect to one.
    pub own: Vec<CertificateView>,
    /// Those of OPC UA servers, rejected ones first.
    pub servers: Vec<ServerCertificateView>,
    /// Those of OPC UA clients that have come to the host's own server, rejected ones first. Who is trusted as a server is not
    /// trusted as a client by that.
    pub clients: Vec<ClientCertificateView>,
    /// Those of TLS that the site file names. They are exchanged by whoever puts other files there.
    pub tls: Vec<TlsFileView>,
    /// Days before its end from which on a certificate is called `expiring`.
    #[schema(example = 30)]
    pub expiring_days: u64,
}

/// How a certificate stands to the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TermView {
    /// It is only for later.
    NotYet,
    /// It is for now.
    Valid,
    /// It is for now, and ends soon.
    Expiring,
    /// It is over.
    Expired,
}

/// What stands in a certificate. Names in it were chosen by whoever made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CertificateView {
    /// SHA-1 of it in hexadecimal, as OPC UA names certificates; null for one of TLS.
    #[schema(required, example = "8a3f0c1de2b94705a6f7c8d9e0a1b2c3d4e5f607")]
    pub thumbprint: Option<String>,
    /// SHA-256 of it in hexadecimal.
    pub sha256: String,
    /// Whose it says that it is.
    #[schema(example = "CN=PLC 7,O=Maker")]
    pub subject: String,
    /// Who signed it; the subject itself when nobody else did.
    pub issuer: String,
    /// Number that the issuer gave it.
    pub serial: String,
    /// First moment that it is for.
    pub not_before: Time,
    /// Last moment.
    pub not_after: Time,
    /// Whole days until then; negative when it is over.
    pub days_left: i64,
    /// How it stands to the time.
    pub term: TermView,
    /// URI of the OPC UA application; null without.
    #[schema(required, example = "urn:maker:plc")]
    pub application_uri: Option<String>,
    /// Names of hosts.
    pub dns_names: Vec<String>,
    /// Addresses of hosts.
    pub addresses: Vec<String>,
    /// Kind of its key.
    #[schema(example = "RSA")]
    pub key_kind: String,
    /// Bits of its key; null for a kind that the host does not know.
    #[schema(required, example = 2048)]
    pub key_bits: Option<u32>,
}

/// What is thought of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StandingView {
    /// Servers with it are spoken to, clients with it are let in.
    Trusted,
    /// They are not.
    Rejected,
}

/// Why a certificate is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RejectionView {
    /// Nobody has said yet that it is trusted.
    Unknown,
    /// The server had another one before: somebody has renewed it, or somebody else answers. Never so of a client's.
    Changed,
    /// It was trusted, and somebody has taken that back.
    TakenBack,
}

/// The certificate of an OPC UA server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServerCertificateView {
    /// What stands in it.
    #[serde(flatten)]
    pub certificate: CertificateView,
    /// What is thought of it.
    pub standing: StandingView,
    /// Why it is rejected; null when it is trusted.
    #[schema(required)]
    pub rejection: Option<RejectionView>,
    /// Thumbprint of the one that its server had before; null unless it has changed.
    #[schema(required)]
    pub before: Option<String>,
    /// Which sources' servers have shown it lately; empty for a file that somebody put there.
    pub seen: Vec<SeenView>,
}

/// The certificate of an OPC UA client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClientCertificateView {
    /// What stands in it.
    #[serde(flatten)]
    pub certificate: CertificateView,
    /// What is thought of it.
    pub standing: StandingView,
    /// Why it is rejected, `unknown` or `taken-back`; null when it is trusted.
    #[schema(required)]
    pub rejection: Option<RejectionView>,
}

/// A server showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SeenView {
    /// Name of the source.
    #[schema(example = "plc")]
    pub source: String,
    /// Address of the server.
    #[schema(example = "opc.tcp://plc.example:4840")]
    pub endpoint: String,
    /// When it was shown first.
    pub first: Time,
    /// When it was shown last, to a minute.
    pub last: Time,
}

/// A file of certificates for TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TlsFileView {
    /// The key of the site file that names it.
    #[schema(example = "http.tls.certificate")]
    pub key: String,
    /// The file, as the site file has it.
    #[schema(example = "tls/certificate.pem")]
    pub file: String,
    /// What is in it, in its order: the first fifty.
    pub certificates: Vec<CertificateView>,
    /// How many there are.
    pub total: u64,
    /// Why it cannot be read; null when it can.
    #[schema(required)]
    pub problem: Option<String>,
}

/// What may be ordered of a server's or a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateOrder {
    /// Its servers are spoken to, its clients let in.
    Trust,
    /// They are not: servers are hung up on, clients are not let in again.
    Reject,
    /// It is forgotten, and whoever has it a stranger again.
    Remove,
}

impl CertificateOrder {
    /// As it is written in addresses and in the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Reject => "reject",
            Self::Remove => "remove",
        }
    }
}

/// The host's own certificate as files. No key is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    /// As DER.
    pub der: bytes::Bytes,
    /// As PEM.
    pub pem: String,
}
