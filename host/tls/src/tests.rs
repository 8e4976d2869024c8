//! Handshakes with a server of our own, with certificates made on the spot.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("key");
        let certificate = params.self_signed(&key).expect("certificate");
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn issue(&self, name: &str, years: (i32, i32)) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new([name.to_owned()]).expect("name");
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(years.0, 1, 1), rcgen::date_time_ymd(years.1, 1, 1));
        let key = KeyPair::generate().expect("key");
        (params.signed_by(&key, &self.issuer).expect("certificate"), key)
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        path
    }
}

/// What a client with `files` meets at a server with a certificate for `name`; the server sends one byte when it is
/// content, and asks for a certificate of `asks` if there is one.
async fn meet(
    files: &Files,
    own: &(rcgen::Certificate, KeyPair),
    asks: Option<&Authority>,
) -> io::Result<u8> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match asks {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate.der().clone()).expect("root");
            let provider = Arc::new(ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("verifier"))
        }
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.1.serialize_der()));
    let config = builder.with_single_cert(vec![own.0.der().clone()], key).expect("server");
    let (near, far) = tokio::io::duplex(64 << 10);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = tokio::spawn(async move {
        if let Ok(mut stream) = acceptor.accept(far).await {
            stream.write_all(b"!").await.expect("sent");
            stream.flush().await.expect("flushed");
            // Until the client is gone.
            assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
        }
    });
    let tls = Tls::load(files).expect("loaded");
    let met = async {
        let mut stream = tls.connect("broker.example", near).await?;
        stream.read_u8().await
    };
    let met = met.await;
    server.await.expect("server");
    met
}

async fn check(files: &Files, own: &(rcgen::Certificate, KeyPair), asks: Option<&Authority>, part: &str) {
    let said = meet(files, own, asks).await.expect_err(part).to_string();
    assert!(said.contains(part) && said.contains("broker.example"), "{said}");
}

#[tokio::test]
async fn a_server_is_believed_only_with_the_right_certificate() {
    let (ours, theirs, folder) = (Authority::new("ours"), Authority::new("theirs"), Folder::new());
    let ca = folder.file("ca.pem", &ours.certificate.pem(), 0o644);
    let files = Files { ca, own: None };
    let good = ours.issue("broker.example", (2020, 2090));
    assert_eq!(meet(&files, &good, None).await.expect("met"), b'!');
    check(&files, &theirs.issue("broker.example", (2020, 2090)), None, "unknown CA").await;
    check(&files, &ours.issue("other.example", (2020, 2090)), None, "it is for ").await;
    check(&files, &ours.issue("broker.example", (2019, 2020)), None, "has expired 2020-01-01T").await;
    check(&files, &ours.issue("broker.example", (2089, 2090)), None, "only from 2089-01-01T").await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_ours_or_the_error_says_so() {
    let (ours, theirs, folder) = (Authority::new("ours"), Authority::new("theirs"), Folder::new());
    let ca = folder.file("ca.pem", &ours.certificate.pem(), 0o644);
    let server = ours.issue("broker.example", (2020, 2090));
    let with = |who: &Authority, name: &str, years| {
        let (certificate, key) = who.issue("host.example", years);
        let own = (
            folder.file(&format!("{name}.pem"), &certificate.pem(), 0o644),
            folder.file(&format!("{name}.key"), &key.serialize_pem(), 0o600),
        );
        Files { ca: ca.clone(), own: Some(own) }
    };
    let good = with(&ours, "good", (2020, 2090));
    assert_eq!(meet(&good, &server, Some(&ours)).await.expect("met"), b'!');
    let none = Files { ca: ca.clone(), own: None };
    check(&none, &server, Some(&ours), "asks for a client certificate").await;
    check(&with(&theirs, "foreign", (2020, 2090)), &server, Some(&ours), "our certificate").await;
    check(&with(&ours, "old", (2019, 2020)), &server, Some(&ours), "our certificate").await;
}

#[tokio::test]
async fn a_port_without_tls_is_called_so() {
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    let files = Files { ca: folder.file("ca.pem", &ours.certificate.pem(), 0o644), own: None };
    let (near, mut far) = tokio::io::duplex(1 << 10);
    let server = tokio::spawn(async move { far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await });
    let tls = Tls::load(&files).expect("loaded");
    let said = tls.connect("broker", near).await.expect_err("no TLS").to_string();
    assert!(said.contains("does not speak TLS on this port"), "{said}");
    server.await.expect("server").expect("sent");
}

#[test]
fn files_are_refused_with_what_is_wrong_and_never_quoted() {
    let (ours, folder) = (Authority::new("ours"), Folder::new());
    let (certificate, key) = ours.issue("host.example", (2020, 2090));
    let other = KeyPair::generate().expect("key").serialize_pem();
    let ca = folder.file("ca.pem", &ours.certificate.pem(), 0o644);
    let own = folder.file("own.pem", &certificate.pem(), 0o644);
    let refused = |ca: &PathBuf, own: Option<(PathBuf, PathBuf)>, part: &str| {
        let said = Tls::load(&Files { ca: ca.clone(), own }).expect_err(part).to_string();
        assert!(said.contains(part), "{said}");
    };
    let key_of = |name: &str, text: &str, mode| Some((own.clone(), folder.file(name, text, mode)));
    let good = Files { ca: ca.clone(), own: key_of("good.key", &key.serialize_pem(), 0o640) };
    assert!(Tls::load(&good).is_ok(), "a group may read");
    refused(
        &ca,
        key_of("open.key", &key.serialize_pem(), 0o644),
        "may be read by others (mode 644): `chmod 600`",
    );
    refused(&ca, key_of("wrong.key", &other, 0o600), "wrong.key cannot be used");
    refused(&ca, key_of("empty.key", "", 0o600), "holds no key");
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    refused(&ca, key_of("locked.key", locked, 0o600), "is encrypted");
    refused(&ca, key_of("long.key", &"x".repeat(70_000), 0o600), "holds no secret");
    refused(&ca, Some((own.clone(), folder.0.path().join("none"))), "none cannot be read");
    refused(&folder.0.path().join("none"), None, "none cannot be read");
    refused(&folder.file("empty.pem", "", 0o644), None, "holds no certificate");
    refused(&folder.file("huge.pem", &"x".repeat(1 << 21), 0o644), None, "certificates have");
    let torn = "-----BEGIN CERTIFICATE-----\n&&&\n-----END CERTIFICATE-----\n";
    refused(&folder.file("torn.pem", torn, 0o644), None, "is no PEM file");
}
