//! A mosquitto that speaks TLS and asks for a certificate.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use geminus_ingest::{MqttOptions, QoS};
use geminus_tls::{Files, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::house::{BOTH, House, next, publish, take};
use crate::peer::Mosquitto;

/// Certificates of one test: an authority, the broker and the host.
struct Papers(TempDir);

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(params, key);
        let papers = Self(folder);
        papers.write("ca.pem", &ca.pem());
        for (file, name) in [("broker", "127.0.0.1"), ("host", "host.example")] {
            let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
            // Under the name of its authority OpenSSL takes it for one that signed itself.
            params.distinguished_name.push(DnType::CommonName, file);
            let key = KeyPair::generate().expect("a key");
            papers.write(&format!("{file}.pem"), &params.signed_by(&key, &issuer).expect("signed").pem());
            papers.write(&format!("{file}.key"), &key.serialize_pem());
        }
        papers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).expect("mode");
    }

    /// A broker with a second listener, on this port.
    async fn broker(&self) -> Option<(Mosquitto, u16)> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let path = |name| self.path(name).display().to_string();
        let listener = format!(
            "listener {} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
            free.port(),
            path("ca.pem"),
            path("broker.pem"),
            path("broker.key")
        );
        Some((Mosquitto::start_with(&listener).await?, free.port()))
    }

    fn tls(&self, with_own: bool) -> Tls {
        let own = with_own.then(|| (self.path("host.pem"), self.path("host.key")));
        Tls::load(&Files { ca: self.path("ca.pem"), own }).expect("certificates")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_come_over_tls_in_order_and_outlive_a_restart_of_the_broker() {
    for version in BOTH {
        let papers = Papers::new();
        let Some((mut broker, port)) = papers.broker().await else { return };
        let house = House::with(&["a"]);
        let url = format!("mqtts://127.0.0.1:{port}");
        let options = MqttOptions {
            version,
            tls: Some(papers.tls(true)),
            ..MqttOptions::new(url, "secured", vec!["a".to_owned()])
        };
        let (source, mut batches) = house.spawn(options);
        house.wait_for("source-connected", 1).await;
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        publish(&mut publisher, "a", 0..5_000).await;
        assert_eq!(take(&mut batches, 5_000).await, (0..5_000).map(f64::from).collect::<Vec<_>>());
        // Read, and none of it acknowledged when the broker ends: it comes again.
        publish(&mut publisher, "a", 5_000..5_010).await;
        let (mut held, mut count) = (Vec::new(), 0);
        while count < 10 {
            let batch = next(&mut batches).await;
            count += batch.samples.len();
            held.push(batch);
        }
        broker.terminate().await;
        house.wait_for("source-lost", 1).await;
        drop(held);
        broker.restart().await;
        house.wait_for("source-back", 1).await;
        let values = take(&mut batches, 10).await;
        assert_eq!(values, (5_000..5_010).map(f64::from).collect::<Vec<_>>());
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_is_told_why() {
    for version in BOTH {
        let (papers, others) = (Papers::new(), Papers::new());
        let Some((_broker, port)) = papers.broker().await else { return };
        for (tls, words) in [(papers.tls(false), "client certificate"), (others.tls(true), "unknown CA")] {
            let house = House::with(&["a"]);
            let options = MqttOptions {
                version,
                tls: Some(tls),
                ..MqttOptions::new(format!("mqtts://127.0.0.1:{port}"), "stranger", vec!["a".to_owned()])
            };
            let (source, _batches) = house.spawn(options);
            house.wait_for("source-lost", 1).await;
            let told = house.told("source-lost");
            let said = told.first().map(|event| event.message.clone()).unwrap_or_default();
            assert!(said.contains(words), "{said}");
            assert!(house.told("source-connected").is_empty());
            source.stop().await;
        }
    }
}
