//! Certificates of a site on the disk: listed with their files, trusted and journaled, told when they end, never with a key.

use geminus_core::{ManualClock, SystemClock, Timestamp};
use geminus_store::{Options, Store};

use super::expiry::{Use, Watched};
use super::*;

struct Place {
    folder: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let store =
            Store::open(&folder.path().join("store"), Options::default(), Arc::new(SystemClock::new()));
        Self { folder, store: store.expect("store") }
    }

    fn certificates(&self, files: Vec<TlsFile>, now: Timestamp) -> Certificates {
        let chronicle = Chronicle::new(self.store.journal());
        let (pki, clock) = (self.folder.path().join("pki"), Arc::new(ManualClock::new(now)));
        Certificates(Arc::new(Inner { pki, files, clock, chronicle, expiry: Expiry::default() }))
    }

    fn told(&self) -> Vec<Event> {
        self.store.journal().flush().expect("flushed");
        let entries = self.store.journal().latest(100, None, None).expect("journal");
        entries.into_iter().map(|entry| entry.event).collect()
    }

    fn file(&self, name: &str, text: &str) -> TlsFile {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        TlsFile { key: format!("http.tls.{name}"), name: name.to_owned(), path }
    }
}

/// Good from 2020 to 2040.
fn made() -> (Vec<u8>, String) {
    let mut params = rcgen::CertificateParams::new(vec!["plc.example".to_owned()]).expect("names");
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2040, 1, 1));
    let key = rcgen::KeyPair::generate().expect("key");
    let made = params.self_signed(&key).expect("certificate");
    (made.der().to_vec(), made.pem())
}

/// 2040-01-01 and so many days.
fn end_and(days: i64) -> Timestamp {
    let end = 2_208_988_800_i64 + days * 86_400;
    Timestamp::from_millis(u64::try_from(end).expect("after 1970") * 1_000)
}

#[test]
fn a_site_without_opc_ua_has_no_folder_and_nobody_to_trust() {
    let place = Place::new();
    let certificates = place.certificates(Vec::new(), end_and(-400));
    let view = certificates.view().expect("view");
    assert!(view.own.is_empty() && view.servers.is_empty() && view.clients.is_empty() && view.tls.is_empty());
    assert!(matches!(certificates.own(), Err(Trouble::NotFound(_))));
    let order = certificates.order(&"ab".repeat(20), api::CertificateOrder::Trust, "ada");
    assert!(matches!(order, Err(Trouble::NotFound(_))), "{order:?}");
    let order = certificates.order_client(&"ab".repeat(20), api::CertificateOrder::Trust, "ada");
    assert!(matches!(order, Err(Trouble::NotFound(_))), "{order:?}");
    assert!(!place.folder.path().join("pki").exists(), "looking makes nothing");
}

#[test]
fn what_is_ordered_is_done_and_journaled_with_who_did_it() {
    let place = Place::new();
    let (der, _) = made();
    let pki = Pki::open(place.folder.path().join("pki")).expect("pki");
    let rejected = place.folder.path().join("pki/rejected/by-hand.der");
    std::fs::write(rejected, &der).expect("written");
    let certificates = place.certificates(Vec::new(), end_and(-400));
    let shown = certificates.view().expect("view").servers;
    let [one] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!(
        (one.standing, one.rejection),
        (api::StandingView::Rejected, Some(api::RejectionView::Unknown))
    );
    assert_eq!((one.certificate.days_left, one.certificate.term), (400, api::TermView::Valid));
    let sha256 = one.certificate.sha256.clone();
    let trusted = certificates.order(&sha256, api::CertificateOrder::Trust, "ada").expect("trusted");
    assert_eq!((trusted.standing, trusted.rejection), (api::StandingView::Trusted, None));
    assert_eq!(
        pki.list().expect("list").first().map(|one| one.standing),
        Some(geminus_opcua::Standing::Trusted)
    );
    let rejected = certificates.order(&sha256, api::CertificateOrder::Reject, "bob").expect("rejected");
    assert_eq!(rejected.standing, api::StandingView::Rejected);
    certificates.order(&sha256, api::CertificateOrder::Remove, "bob").expect("removed");
    let gone = certificates.order(&sha256, api::CertificateOrder::Remove, "bob");
    assert!(matches!(gone, Err(Trouble::NotFound(_))), "{gone:?}");
    let told = place.told();
    let words: Vec<_> = told.iter().rev().map(|event| (event.kind.as_str(), &event.facts["by"])).collect();
    let (ada, bob) = (json!("ada"), json!("bob"));
    assert_eq!(
        words,
        [("certificate-trusted", &ada), ("certificate-rejected", &bob), ("certificate-removed", &bob)]
    );
    assert!(told.iter().all(|event| event.facts["sha256"] == sha256.as_str()), "{told:?}");
}

#[test]
fn a_client_is_let_in_without_being_trusted_as_a_server_and_the_journal_says_which() {
    let place = Place::new();
    let (der, _) = made();
    let pki = Pki::open(place.folder.path().join("pki")).expect("pki");
    pki.clients().expect("clients");
    // The same certificate on both sides, as that of an application which is server and client.
    for rejected in ["pki/rejected/by-hand.der", "pki/clients/rejected/by-hand.der"] {
        std::fs::write(place.folder.path().join(rejected), &der).expect("written");
    }
    let certificates = place.certificates(Vec::new(), end_and(-400));
    let shown = certificates.view().expect("view");
    let ([server], [client]) = sides(&shown) else { panic!("{shown:?}") };
    let unknown = (api::StandingView::Rejected, Some(api::RejectionView::Unknown));
    assert_eq!((client.standing, client.rejection), unknown);
    assert_eq!(client.certificate, server.certificate);
    let sha256 = client.certificate.sha256.clone();
    let standings = || {
        let shown = certificates.view().expect("view");
        let ([server], [client]) = sides(&shown) else { panic!("{shown:?}") };
        (server.standing, client.standing)
    };
    let (trusted, rejected) = (api::StandingView::Trusted, api::StandingView::Rejected);
    let one = certificates.order_client(&sha256, api::CertificateOrder::Trust, "ada").expect("trusted");
    assert_eq!((one.standing, one.rejection), (trusted, None));
    assert_eq!(standings(), (rejected, trusted));
    certificates.order(&sha256, api::CertificateOrder::Trust, "ada").expect("trusted");
    let one = certificates.order_client(&sha256, api::CertificateOrder::Reject, "bob").expect("rejected");
    assert_eq!((one.standing, one.rejection), (rejected, Some(api::RejectionView::TakenBack)));
    assert_eq!(standings(), (trusted, rejected));
    certificates.order_client(&sha256, api::CertificateOrder::Remove, "bob").expect("removed");
    let gone = certificates.order_client(&sha256, api::CertificateOrder::Trust, "bob");
    assert!(matches!(&gone, Err(Trouble::NotFound(why)) if why.contains("no client")), "{gone:?}");
    assert_eq!(certificates.view().expect("view").servers.len(), 1, "that of the server stays");
    let told = place.told();
    let words: Vec<_> = told.iter().rev().map(|event| (&*event.kind, &event.facts["side"])).collect();
    let (server, client) = (json!("server"), json!("client"));
    let expect = [
        ("certificate-trusted", &client),
        ("certificate-trusted", &server),
        ("certificate-rejected", &client),
        ("certificate-removed", &client),
    ];
    assert_eq!(words, expect);
    assert!(told.iter().any(|event| event.message.contains("of the OPC UA client \"")), "{told:?}");
}

fn sides(view: &api::CertificatesView) -> (&[api::ServerCertificateView], &[api::ClientCertificateView]) {
    (&view.servers, &view.clients)
}

#[test]
fn ends_of_trusted_clients_are_watched_apart_from_servers() {
    let place = Place::new();
    let (der, _) = made();
    let pki = Pki::open(place.folder.path().join("pki")).expect("pki");
    pki.clients().expect("clients");
    let at = |name: &str| place.folder.path().join("pki/clients").join(name);
    std::fs::write(at("rejected/by-hand.der"), &der).expect("written");
    assert!(expiry::of_pki(&pki).is_empty(), "a rejected one is not in use");
    let certificates = place.certificates(Vec::new(), end_and(-1));
    let sha256 = certificates.view().expect("view").clients[0].certificate.sha256.clone();
    certificates.order_client(&sha256, api::CertificateOrder::Trust, "ada").expect("trusted");
    certificates.look();
    let told = place.told();
    let expiring: Vec<_> = told.iter().filter(|event| event.kind == "certificate-expiring").collect();
    let [one] = expiring.as_slice() else { panic!("{told:?}") };
    assert_eq!(one.facts["use"], "client");
    assert!(one.message.contains("of the OPC UA client \""), "{}", one.message);
    let mut out = Exposition::default();
    certificates.measure(&mut out);
    let text = out.text();
    assert!(text.contains("geminus_certificate_expiry_seconds{use=\"client\"} 2208988800"), "{text}");
    assert!(!text.contains("use=\"server\""), "{text}");
}

#[test]
fn our_own_is_given_and_no_key_with_it() {
    let place = Place::new();
    let pki = Pki::open(place.folder.path().join("pki")).expect("pki");
    pki.ensure_own().expect("own");
    let certificates = place.certificates(Vec::new(), end_and(-4_000));
    let own = certificates.own().expect("own");
    assert!(
        own.pem.starts_with("-----BEGIN CERTIFICATE-----") && !own.pem.contains("PRIVATE"),
        "{}",
        own.pem
    );
    assert!(!own.der.is_empty());
    assert_eq!(certificates.view().expect("view").own.len(), 1);
}

#[test]
fn files_of_tls_are_shown_with_what_is_wrong_with_them() {
    let place = Place::new();
    let (_, pem) = made();
    let mut missing = place.file("missing", "");
    missing.path = place.folder.path().join("nowhere.pem");
    let files = vec![place.file("good", &pem), place.file("empty", ""), missing];
    let shown = place.certificates(files, end_and(-10)).view().expect("view").tls;
    let [good, empty, missing] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!((good.key.as_str(), good.file.as_str(), good.total), ("http.tls.good", "good", 1));
    let one = good.certificates.first().expect("one");
    assert_eq!((one.term, one.thumbprint.as_deref()), (api::TermView::Expiring, None));
    assert!(empty.problem.as_deref().is_some_and(|why| why.contains("holds no certificate")), "{empty:?}");
    assert!(missing.problem.as_deref().is_some_and(|why| why.contains("cannot be read")), "{missing:?}");
}

#[test]
fn an_end_is_told_once_before_and_once_after_and_measured() {
    let (der, _) = made();
    let facts = geminus_tls::CertificateFacts::read(&der).expect("a certificate");
    let one = Watched { of: Use::Server, whose: "\"PLC 7\"".to_owned(), facts };
    let all = std::slice::from_ref(&one);
    let expiry = Expiry::default();
    let kinds = |days| {
        let events = expiry.look(all, end_and(days));
        events.into_iter().map(|event| (event.kind, event.severity)).collect::<Vec<_>>()
    };
    assert!(kinds(-31).is_empty());
    assert_eq!(kinds(-30), [("certificate-expiring".to_owned(), Severity::Warning)]);
    assert!(kinds(-1).is_empty());
    assert_eq!(kinds(1), [("certificate-expired".to_owned(), Severity::Error)]);
    assert!(kinds(2).is_empty());
    let mut out = Exposition::default();
    expiry.measure(&mut out);
    let text = out.text();
    assert!(text.contains("geminus_certificate_expiry_seconds{use=\"server\"} 2208988800"), "{text}");
    assert!(!text.contains("use=\"own\""), "{text}");
    assert_eq!(expiry.look(&[], end_and(3)).len(), 0);
    assert_eq!(expiry.look(all, end_and(3)).len(), 1, "one that came back is told anew");
}

#[test]
fn of_a_list_of_authorities_nothing_is_told() {
    let place = Place::new();
    let (_, pem) = made();
    let (mut one, mut list) = (place.file("one", &pem), place.file("list", &pem.repeat(3)));
    one.key = "source.plant.tls.ca".to_owned();
    list.key.clone_from(&one.key);
    assert!(expiry::of_file(&one).is_some());
    assert!(expiry::of_file(&list).is_none());
    list.key = "http.tls.certificate".to_owned();
    assert!(expiry::of_file(&list).is_some(), "a chain begins with our own");
}

#[test]
fn only_certificates_are_named_and_never_keys() {
    let folder = tempfile::tempdir().expect("folder");
    let text = "[site]\nname = \"t\"\n[http.tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n\
                [[source]]\nname = \"plant\"\n[source.mqtt]\nurl = \"mqtts://broker\"\n\
                tls = { ca = \"ca.pem\", certificate = \"b.pem\", key = \"b.key\" }\n";
    std::fs::create_dir(folder.path().join("types")).expect("types");
    let site = Site::parse(&folder.path().join("site.toml"), text).expect("site");
    let files = named_files(&site);
    let keys: Vec<_> = files.iter().map(|file| (file.key.as_str(), file.name.as_str())).collect();
    let expect = [
        ("http.tls.certificate", "a.pem"),
        ("source.plant.tls.ca", "ca.pem"),
        ("source.plant.tls.certificate", "b.pem"),
    ];
    assert_eq!(keys, expect);
    assert!(files.iter().all(|file| file.path.starts_with(folder.path())));
}
