//! The api over TLS, with certificates made here and a client of rustls: what is shown, exchanged and refused.

use std::sync::Arc;
use std::time::Duration;

use geminus_access::Gate;
use geminus_api::{BusLimits, EventBus, Options, Tls, router, serve};
use geminus_core::{Digest, ManualClock};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::fake::{FakeHouse, NOON, TOKEN};

const PATIENCE: Duration = Duration::from_secs(20);

/// Certificate and key, as PEM.
fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

async fn served(tls: &Tls) -> std::net::SocketAddr {
    let clock = Arc::new(ManualClock::new(NOON));
    let bus = EventBus::new(clock.clone(), BusLimits::default());
    let gate = Arc::new(Gate::local(Digest::of(TOKEN.as_bytes())));
    let options = Options::new("0.1.0", gate, bus, clock);
    let traffic = Arc::clone(&options.traffic);
    let router = router(Arc::new(FakeHouse::default()), options);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("address");
    let never = std::future::pending::<()>();
    tokio::spawn(serve(listener, router, traffic, Some(tls.clone()), never));
    at
}

/// The answer to a question of a client that believes this certificate and speaks these versions.
async fn ask(
    at: std::net::SocketAddr,
    certificate: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")).expect("root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(at).await?;
    let name = ServerName::try_from("localhost").expect("name");
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let question = format!("GET /api/v1/site HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time").unwrap_or_default();
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn it_answers_over_tls_1_3_and_1_2_and_exchanges_its_certificate() {
    let (certificate, key) = pair();
    let tls = Tls::new(certificate.as_bytes(), key.as_bytes()).expect("pair");
    let at = served(&tls).await;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let answer = ask(at, &certificate, &[version]).await.expect("answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let (other, other_key) = pair();
    assert!(ask(at, &other, rustls::ALL_VERSIONS).await.is_err(), "nobody else is believed");
    tls.exchange(other.as_bytes(), other_key.as_bytes()).expect("pair");
    assert!(ask(at, &other, rustls::ALL_VERSIONS).await.expect("answer").starts_with("HTTP/1.1 200"));
    assert!(ask(at, &certificate, rustls::ALL_VERSIONS).await.is_err());
}

/// A greeting of a client, as its record: of TLS 1.1, which rustls cannot even be asked for.
fn old_greeting() -> Vec<u8> {
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let length = u8::try_from(hello.len()).expect("short");
    let handshake = [&[1, 0, 0, length][..], &hello].concat();
    let length = u8::try_from(handshake.len()).expect("short");
    [&[0x16, 0x03, 0x01, 0, length][..], &handshake].concat()
}

#[tokio::test]
async fn plain_words_and_old_protocols_are_refused() {
    let (certificate, key) = pair();
    let at = served(&Tls::new(certificate.as_bytes(), key.as_bytes()).expect("pair")).await;
    let plain = b"GET /api/v1/site HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec();
    for words in [plain, old_greeting()] {
        let mut stream = TcpStream::connect(at).await.expect("connection");
        stream.write_all(&words).await.expect("words");
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time").unwrap_or_default();
        assert!(!answer.starts_with(b"HTTP"), "no answer without TLS");
        // Nothing, or an alert: record 21, of which the last byte says why.
        assert!(answer.is_empty() || answer.first() == Some(&21), "{answer:?}");
    }
    assert!(ask(at, &certificate, rustls::ALL_VERSIONS).await.is_ok(), "others are answered on");
}
