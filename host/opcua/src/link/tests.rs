//! Connecting to what does not answer, or answers nonsense, and choosing among endpoints.

use opcua::types::{ByteString, MessageSecurityMode, UAString, UserTokenPolicy};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::{Mode, Policy, Subscribe};

fn options(endpoint: &str, folder: &std::path::Path) -> OpcUaOptions {
    OpcUaOptions {
        name: "plc".to_owned(),
        endpoint: endpoint.to_owned(),
        security: Security::None,
        user: User::Anonymous,
        pki: folder.join("pki"),
        check_host: true,
        subscribe: Subscribe { publishing: KEEP_ALIVE, sampling: KEEP_ALIVE, queue: 1 },
        accept_future: KEEP_ALIVE,
    }
}

fn endpoint(policy: &str, mode: MessageSecurityMode, tokens: &[UserTokenType]) -> EndpointDescription {
    let token = |kind: &UserTokenType| UserTokenPolicy { token_type: *kind, ..UserTokenPolicy::default() };
    EndpointDescription {
        endpoint_url: UAString::from("opc.tcp://inside:4840/plant"),
        security_policy_uri: UAString::from(policy),
        security_mode: mode,
        user_identity_tokens: Some(tokens.iter().map(token).collect()),
        ..EndpointDescription::default()
    }
}

const PSS: &str = "http://opcfoundation.org/UA/SecurityPolicy#Aes256_Sha256_RsaPss";
const NONE: &str = "http://opcfoundation.org/UA/SecurityPolicy#None";

#[test]
fn the_endpoint_with_the_wanted_security_and_user_is_chosen() {
    let folder = tempfile::tempdir().expect("folder");
    let mut options = options("opc.tcp://plc:4840/plant", folder.path());
    let all = [
        endpoint(NONE, MessageSecurityMode::None, &[UserTokenType::Anonymous]),
        endpoint(PSS, MessageSecurityMode::SignAndEncrypt, &[UserTokenType::UserName]),
    ];
    let plain = chosen(&options, &all).expect("plain");
    assert_eq!(plain.endpoint_url.as_ref(), "opc.tcp://plc:4840/plant", "with the host that we can reach");
    options.security = Security::Secured(Policy::Aes256Sha256RsaPss, Mode::SignAndEncrypt);
    assert!(matches!(chosen(&options, &all), Err(LinkError::NoToken(_))), "nobody may log in there");
    options.user = User::Named { name: "eve".to_owned(), password: "x".to_owned() };
    let secured = chosen(&options, &all).expect("secured");
    let tokens = secured.user_identity_tokens.expect("tokens");
    assert_eq!(tokens[0].security_policy_uri.as_ref(), PSS, "an empty policy is the endpoint's");
    options.security = Security::Secured(Policy::Basic256Sha256, Mode::Sign);
    let error = chosen(&options, &all).expect_err("not offered").to_string();
    assert!(error.contains("None None") && error.contains("Aes256_Sha256_RsaPss SignAndEncrypt"), "{error}");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let options = options("opc.tcp://plc:4840/plant", folder.path());
    let pki = Pki::open(&options.pki).expect("pki");
    let mut endpoint = endpoint(PSS, MessageSecurityMode::SignAndEncrypt, &[]);
    for der in [ByteString::null(), ByteString::from(b"certificate")] {
        endpoint.server_certificate = der;
        let refused = certificate(&options, &pki, &endpoint, Timestamp(0));
        assert!(matches!(refused, Err(LinkError::Pki(PkiError::NotOne))), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
    let url = format!("opc.tcp://{}", listener.local_addr().expect("address"));
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    let folder = tempfile::tempdir().expect("folder");
    let opened = open(&options(&url, folder.path()), Timestamp(0)).await;
    assert!(matches!(opened, Err(LinkError::Silent(_))), "{:?}", opened.err());
    silent.abort();
}

#[tokio::test]
async fn a_server_that_speaks_another_language_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
    let url = format!("opc.tcp://{}", listener.local_addr().expect("address"));
    let web = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let folder = tempfile::tempdir().expect("folder");
    let opened = open(&options(&url, folder.path()), Timestamp(0)).await;
    assert!(opened.is_err());
    web.abort();
}

#[test]
fn an_endpoint_is_reached_as_the_server_was() {
    let check = |asked: &str, said: &str, expect: &str| assert_eq!(reached(asked, said), expect);
    check("opc.tcp://plc:4840", "opc.tcp://inner-name:4841/UA/Server", "opc.tcp://plc:4840/UA/Server");
    check("opc.tcp://10.0.0.7:4840/discovery", "opc.tcp://plc", "opc.tcp://10.0.0.7:4840");
    check("opc.tcp://[::1]:4840/a", "", "opc.tcp://[::1]:4840");
}

#[tokio::test(start_paused = true)]
async fn a_line_ends_when_its_server_is_trusted_no_more() {
    let folder = tempfile::tempdir().expect("folder");
    let pki = Pki::open(folder.path()).expect("pki");
    let (made, _) = X509::cert_and_pkey(&opcua::crypto::X509Data::sample_cert()).expect("a certificate");
    let der = made.to_der().expect("der");
    let Verdict::Unknown(unknown) = pki.judge("plc", &der).expect("verdict") else { panic!("it is unknown") };
    pki.trust(&unknown.thumbprint).expect("trusted");
    let mut trusted = std::pin::pin!(distrusted(Some((pki.clone(), der))));
    let long = TRUST_EVERY * 10;
    assert!(tokio::time::timeout(long, &mut trusted).await.is_err(), "as long as it is trusted");
    pki.reject(&unknown.thumbprint).expect("rejected");
    tokio::time::timeout(TRUST_EVERY * 2, &mut trusted).await.expect("within seconds");
    assert!(
        tokio::time::timeout(long, distrusted(None)).await.is_err(),
        "nobody need be trusted without security"
    );
}
