//! The dashboard's files.

use crate::client::{get, send};
use crate::fake::{served, served_with};

#[tokio::test]
async fn files_are_sent_with_what_lets_a_browser_keep_them() {
    let served = served().await;
    for (path, content_type, caching) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/assets/index-1a2b.js", "text/javascript", "public, max-age=31536000, immutable"),
    ] {
        let answer = get(served.at, path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, content_type), "{path}");
        assert_eq!((answer.header("cache-control"), answer.header("etag")), (caching, "\"e1\""), "{path}");
        assert!(!answer.body.is_empty());
        for known in ["\"e1\"", "W/\"e1\"", "\"e0\", \"e1\"", "*"] {
            let answer = send(served.at, "GET", path, &[("If-None-Match", known)], b"").await;
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{path} {known}");
        }
        let answer = send(served.at, "GET", path, &[("If-None-Match", "\"e2\"")], b"").await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn paths_without_a_file_are_the_page_and_files_that_are_not_there_are_not() {
    let served = served().await;
    assert!(get(served.at, "/fleet").await.text().contains("<title>Geminus"));
    for path in [
        "/nothing.js",
        "/assets/nothing.css",
        "/..%2f..%2fetc/passwd",
        "/../../etc/passwd",
        "/%2e%2e/x",
        "/.env",
    ] {
        let answer = get(served.at, path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.error().0, "no-such-route", "{path}");
    }
}

#[tokio::test]
async fn a_build_without_the_page_says_so() {
    let served = served_with(|_| {}, |options| options.dashboard = None).await;
    let answer = get(served.at, "/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("/api/v1/openapi.json"));
    assert_eq!(get(served.at, "/fleet").await.status, 404);
}
