//! Certificates over the api: shown without a key, trusted by a whole thumbprint, by whoever may.

use bytes::Bytes;
use geminus_access::Role;
use geminus_api::Trouble;
use geminus_api::view::*;
use serde_json::{Value, json};

use crate::access::{cookie, site, with};
use crate::client::{Answer, get, send};
use crate::document::document;
use crate::fake::{NOON, TOKEN, served};
use crate::schema;

/// SHA-1 of the one that is rejected.
pub(crate) const REJECTED: &str = "00112233445566778899aabbccddeeff00112233";
/// SHA-1 of a client's that is rejected.
const CLIENT: &str = "ffeeddccbbaa99887766554433221100ffeeddcc";
/// The SHA-256 of the first.
const SHA_256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const DER: &[u8] = &[0x30, 0x82, 0, 0xff];

fn certificate(thumbprint: Option<&str>, term: TermView, days_left: i64) -> CertificateView {
    CertificateView {
        thumbprint: thumbprint.map(str::to_owned),
        sha256: SHA_256.to_owned(),
        subject: "CN=PLC 7".to_owned(),
        issuer: "CN=PLC 7".to_owned(),
        serial: "0A:1B".to_owned(),
        not_before: NOON.into(),
        not_after: NOON.into(),
        days_left,
        term,
        application_uri: thumbprint.map(|_| "urn:maker:plc".to_owned()),
        dns_names: vec!["plc.example".to_owned()],
        addresses: Vec::new(),
        key_kind: "RSA".to_owned(),
        key_bits: Some(2_048),
    }
}

fn rejected() -> ServerCertificateView {
    let (source, endpoint) = ("plc".to_owned(), "opc.tcp://plc.example:4840".to_owned());
    ServerCertificateView {
        certificate: certificate(Some(REJECTED), TermView::Valid, 400),
        standing: StandingView::Rejected,
        rejection: Some(RejectionView::Changed),
        before: Some("ff".repeat(20)),
        seen: vec![SeenView { source, endpoint, first: NOON.into(), last: NOON.into() }],
    }
}

fn client() -> ClientCertificateView {
    ClientCertificateView {
        certificate: certificate(Some(CLIENT), TermView::Valid, 200),
        standing: StandingView::Rejected,
        rejection: Some(RejectionView::Unknown),
    }
}

pub(crate) fn view() -> CertificatesView {
    let file = |key: &str, certificates: Vec<CertificateView>, problem: Option<&str>| TlsFileView {
        key: key.to_owned(),
        file: "tls/certificate.pem".to_owned(),
        total: certificates.len() as u64,
        certificates,
        problem: problem.map(str::to_owned),
    };
    CertificatesView {
        own: vec![certificate(Some(REJECTED), TermView::Valid, 3_000)],
        servers: vec![rejected()],
        clients: vec![client()],
        tls: vec![
            file("http.tls.certificate", vec![certificate(None, TermView::Expiring, 3)], None),
            file("source.plant.tls.ca", Vec::new(), Some("it cannot be read")),
        ],
        expiring_days: 30,
    }
}

pub(crate) fn own() -> OwnCertificate {
    let pem = "-----BEGIN CERTIFICATE-----\nMIIA\n-----END CERTIFICATE-----\n";
    OwnCertificate { der: Bytes::from_static(DER), pem: pem.to_owned() }
}

pub(crate) fn ordered(thumbprint: &str, order: CertificateOrder) -> Result<ServerCertificateView, Trouble> {
    let (standing, rejection, before) = match order {
        _ if thumbprint != REJECTED && thumbprint != SHA_256 => {
            return Err(Trouble::NotFound("no server has shown such a certificate".to_owned()));
        }
        CertificateOrder::Trust => (StandingView::Trusted, None, None),
        CertificateOrder::Reject | CertificateOrder::Remove => {
            (StandingView::Rejected, Some(RejectionView::TakenBack), None)
        }
    };
    Ok(ServerCertificateView { standing, rejection, before, ..rejected() })
}

pub(crate) fn ordered_client(
    thumbprint: &str,
    order: CertificateOrder,
) -> Result<ClientCertificateView, Trouble> {
    // The servers' one is known here too, so that what tells them apart is the address alone.
    let (standing, rejection) = match order {
        _ if thumbprint != CLIENT && thumbprint != REJECTED => {
            return Err(Trouble::NotFound("no client has shown such a certificate".to_owned()));
        }
        CertificateOrder::Trust => (StandingView::Trusted, None),
        CertificateOrder::Reject | CertificateOrder::Remove => {
            (StandingView::Rejected, Some(RejectionView::TakenBack))
        }
    };
    Ok(ClientCertificateView { standing, rejection, ..client() })
}

fn fits(method: &str, route: &str, answer: &Answer) -> Value {
    let document = document();
    let response = &document["paths"][route][method]["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {route}: {} is not in the document", answer.status);
    let json = answer.json();
    schema::check(&document, &response["content"]["application/json"]["schema"], &json);
    json
}

#[tokio::test]
async fn certificates_are_shown_and_ours_is_given_without_its_key() {
    let served = served().await;
    let answer = get(served.at, "/api/v1/certificates").await;
    let shown = fits("get", "/api/v1/certificates", &answer);
    let server = &shown["servers"][0];
    assert_eq!((&server["standing"], &server["rejection"]), (&json!("rejected"), &json!("changed")));
    assert_eq!((&server["thumbprint"], &server["seen"][0]["source"]), (&json!(REJECTED), &json!("plc")));
    assert_eq!(
        (&shown["tls"][0]["certificates"][0]["term"], &shown["expiring_days"]),
        (&json!("expiring"), &json!(30))
    );
    let client = &shown["clients"][0];
    assert_eq!((&client["standing"], &client["rejection"]), (&json!("rejected"), &json!("unknown")));
    assert_eq!(
        (&client["thumbprint"], &client["application_uri"]),
        (&json!(CLIENT), &json!("urn:maker:plc"))
    );
    let own = get(served.at, "/api/v1/certificates/own").await;
    assert_eq!(
        (own.status, own.header("content-type"), own.body.as_slice()),
        (200, "application/pkix-cert", DER)
    );
    assert_eq!(own.header("content-disposition"), "attachment; filename=\"geminus.der\"");
    let pem = get(served.at, "/api/v1/certificates/own?format=pem").await;
    assert_eq!(pem.header("content-type"), "application/x-pem-file");
    assert!(pem.text().starts_with("-----BEGIN CERTIFICATE-----\n") && !pem.text().contains("KEY"));
    for format in ["key", "p12", "PEM"] {
        let refused = get(served.at, &format!("/api/v1/certificates/own?format={format}")).await;
        assert_eq!((refused.status, refused.error().0.as_str()), (400, "bad-query"), "{format}");
    }
}

#[tokio::test]
async fn only_a_whole_thumbprint_is_trusted() {
    let served = served().await;
    let bearer = format!("Bearer {TOKEN}");
    let order = async |method: &str, path: &str, body: &str| {
        let path = format!("/api/v1/certificates/{path}");
        send(served.at, method, &path, &[("Authorization", &bearer)], body.as_bytes()).await
    };
    for part in [&REJECTED[..8], &REJECTED[..39], &format!("{REJECTED}0"), &"g".repeat(40), "own"] {
        let refused = order("POST", &format!("{part}/trust"), "").await;
        assert_eq!((refused.status, refused.error().0.as_str()), (400, "bad-query"), "{part}");
    }
    assert!(served.house.asked.lock().expect("asked").is_empty(), "nothing reached the house");
    let stranger = order("POST", &format!("{}/trust", "ab".repeat(20)), "").await;
    assert_eq!(stranger.status, 404);
    fits("post", "/api/v1/certificates/{thumbprint}/trust", &stranger);
    served.house.asked.lock().expect("asked").clear();
    let trusted = order("POST", &format!("{}/trust", REJECTED.to_uppercase()), r#"{"by":"Anna"}"#).await;
    let trusted = fits("post", "/api/v1/certificates/{thumbprint}/trust", &trusted);
    assert_eq!((&trusted["standing"], &trusted["rejection"]), (&json!("trusted"), &Value::Null));
    let rejected = order("POST", &format!("{SHA_256}/reject"), "").await;
    assert_eq!(
        fits("post", "/api/v1/certificates/{thumbprint}/reject", &rejected)["rejection"],
        "taken-back"
    );
    assert_eq!(order("DELETE", REJECTED, "").await.status, 204);
    assert_eq!(order("POST", &format!("{REJECTED}/trust"), r#"{"who":"Anna"}"#).await.status, 400);
    let asked = served.house.asked.lock().expect("asked").join("\n");
    let expect = [
        format!("\"trust {REJECTED} by Anna\""),
        format!("\"reject {SHA_256} by token\""),
        format!("\"remove {REJECTED} by token\""),
    ];
    assert_eq!(asked, expect.join("\n"));
}

#[tokio::test]
async fn which_side_is_ordered_of_is_told_by_the_address() {
    const ROUTE: &str = "/api/v1/certificates/clients/{thumbprint}";
    let served = served().await;
    let bearer = format!("Bearer {TOKEN}");
    let order = async |method: &str, path: &str, body: &str| {
        let path = format!("/api/v1/certificates/{path}");
        send(served.at, method, &path, &[("Authorization", &bearer)], body.as_bytes()).await
    };
    for part in [&CLIENT[..8], &CLIENT[..39], &format!("{CLIENT}0"), &"g".repeat(40)] {
        let refused = order("POST", &format!("clients/{part}/trust"), "").await;
        assert_eq!((refused.status, refused.error().0.as_str()), (400, "bad-query"), "{part}");
    }
    assert_eq!(order("POST", "clients/trust", "").await.status, 405, "a side is no thumbprint");
    assert!(served.house.asked.lock().expect("asked").is_empty(), "nothing reached the house");
    let as_server = order("POST", &format!("{CLIENT}/trust"), "").await;
    assert_eq!(as_server.status, 404, "no server has shown it");
    let stranger = order("POST", &format!("clients/{}/trust", "ab".repeat(20)), "").await;
    assert_eq!(stranger.status, 404);
    fits("post", &format!("{ROUTE}/trust"), &stranger);
    served.house.asked.lock().expect("asked").clear();
    let trusted =
        order("POST", &format!("clients/{}/trust", CLIENT.to_uppercase()), r#"{"by":"Anna"}"#).await;
    let trusted = fits("post", &format!("{ROUTE}/trust"), &trusted);
    assert_eq!((&trusted["standing"], &trusted["rejection"]), (&json!("trusted"), &Value::Null));
    let rejected = order("POST", &format!("clients/{CLIENT}/reject"), "").await;
    assert_eq!(fits("post", &format!("{ROUTE}/reject"), &rejected)["rejection"], "taken-back");
    assert_eq!(order("DELETE", &format!("clients/{CLIENT}"), "").await.status, 204);
    assert_eq!(order("POST", &format!("clients/{CLIENT}/trust"), r#"{"who":"Anna"}"#).await.status, 400);
    let path = format!("/api/v1/certificates/clients/{CLIENT}/trust");
    let unsigned = send(served.at, "POST", &path, &[], b"");
    assert_eq!(unsigned.await.status, 401);
    let asked = served.house.asked.lock().expect("asked").join("\n");
    let expect = [
        format!("\"trust client {CLIENT} by Anna\""),
        format!("\"reject client {CLIENT} by token\""),
        format!("\"remove client {CLIENT} by token\""),
    ];
    assert_eq!(asked, expect.join("\n"));
}

#[tokio::test]
async fn engineers_trust_in_their_own_name_and_others_look() {
    let users = [
        ("vic", Role::Viewer, "*"),
        ("olga", Role::Operator, "*"),
        ("emil", Role::Engineer, "*"),
        ("part", Role::Engineer, "pump-*"),
    ];
    let (served, _) = site(&users).await;
    let trust = format!("/api/v1/certificates/{REJECTED}/trust");
    for (name, looks, trusts) in
        [("vic", 200, 403), ("olga", 200, 403), ("emil", 200, 200), ("part", 403, 403), ("ada", 200, 200)]
    {
        let cookie = cookie(served.at, name).await;
        assert_eq!(with(served.at, &cookie, "GET", "/api/v1/certificates", "").await.status, looks, "{name}");
        assert_eq!(with(served.at, &cookie, "POST", &trust, "").await.status, trusts, "{name}");
    }
    let emil = cookie(served.at, "emil").await;
    let foreign = with(served.at, &emil, "POST", &trust, r#"{"by":"ada"}"#).await;
    assert_eq!((foreign.status, foreign.error().0.as_str()), (403, "not-you"));
    let asked = served.house.asked.lock().expect("asked").join("\n");
    assert_eq!(asked, format!("\"trust {REJECTED} by emil\"\n\"trust {REJECTED} by ada\""));
}
