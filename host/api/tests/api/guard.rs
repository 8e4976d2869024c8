//! Doors and headers: foreign names and pages, wrong methods, unknown paths.

use crate::client::{get, send};
use crate::fake::{served, served_with};

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let served = served().await;
    for path in ["/", "/api/v1/site", "/api/v1/nothing", "/metrics", "/livez", "/nothing.js"] {
        let answer = get(served.at, path).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'self'"), "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        if path.starts_with("/api") {
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }
}

#[tokio::test]
async fn a_rebound_name_and_a_foreign_page_are_refused() {
    let served = served_with(|_| {}, |options| options.hosts = vec!["pump-house".to_owned()]).await;
    for (headers, status) in [
        (&[("Host", "evil.example")][..], 403),
        (&[("Host", "localhost")], 200),
        (&[("Host", "pump-house:99")], 200),
        (&[("Host", "localhost"), ("Origin", "http://evil.example")], 403),
        (&[("Host", "localhost"), ("Origin", "http://localhost")], 200),
    ] {
        for path in ["/api/v1/site", "/"] {
            let answer = send(served.at, "GET", path, headers, b"").await;
            assert_eq!(answer.status, status, "{path} {headers:?}");
            if status == 403 {
                assert!(answer.error().0.ends_with("-not-allowed"));
            }
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_errors_in_json() {
    let served = served().await;
    for path in ["/api", "/api/", "/api/v1", "/api/v1/twin", "/api/v2/site", "/api/v1/site/"] {
        let answer = get(served.at, path).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (404, "no-such-route"), "{path}");
    }
    for (method, path) in [("DELETE", "/api/v1/plugins"), ("POST", "/api/v1/site"), ("PUT", "/index.html")] {
        let answer = send(served.at, method, path, &[], b"").await;
        assert_eq!(
            (answer.status, answer.error().0.as_str()),
            (405, "method-not-allowed"),
            "{method} {path}"
        );
    }
    let answer = send(served.at, "DELETE", "/api/v1/plugins", &[], b"").await;
    assert!(answer.header("allow").contains("GET") && answer.header("allow").contains("POST"));
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let served = served().await;
    for path in ["/api/v1/site", "/", "/assets/index-1a2b.js", "/livez", "/metrics", "/api/v1/events"] {
        let answer = send(served.at, "HEAD", path, &[], b"").await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
    assert_eq!(served.bus.stats().streams, 0, "a stream asked for by HEAD is given back");
}
