//! Bounds: each is reached, and says so.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{EventStream, get, send};
use crate::fake::{TOKEN, served, served_with};

#[tokio::test]
async fn a_house_that_does_not_answer_is_given_up() {
    let served = served_with(|_| {}, |options| options.limits.answer = Duration::from_millis(20)).await;
    served.house.hangs.store(true, Ordering::SeqCst);
    let answer = get(served.at, "/api/v1/site").await;
    assert_eq!((answer.status, answer.error().0.as_str()), (503, "too-slow"));
    assert_eq!(get(served.at, "/api/v1/twins").await.status, 200, "other questions are answered");
}

#[tokio::test]
async fn an_upload_that_is_too_large_is_refused_declared_or_not() {
    let served = served_with(|_| {}, |options| options.limits.upload_bytes_max = 1_000).await;
    let bearer = format!("Bearer {TOKEN}");
    let body = vec![0; 1_001];
    let answer = send(served.at, "POST", "/api/v1/plugins", &[("Authorization", &bearer)], &body).await;
    assert_eq!((answer.status, answer.error().0.as_str()), (413, "too-large"));
    // In chunks: nobody says beforehand how much will come.
    let mut stream = TcpStream::connect(served.at).await.expect("connection");
    let head = format!(
        "POST /api/v1/plugins HTTP/1.1\r\nHost: {}\r\nAuthorization: {bearer}\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n3e9\r\n",
        served.at
    );
    stream.write_all(head.as_bytes()).await.expect("head");
    stream.write_all(&body).await.expect("body");
    stream.write_all(b"\r\n0\r\n\r\n").await.expect("end");
    let mut answer = String::new();
    timeout(Duration::from_secs(20), stream.read_to_string(&mut answer))
        .await
        .expect("in time")
        .expect("answer");
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("\"too-large\""), "{answer}");
    let exact = [&b"\0asm"[..], &[0; 996]].concat();
    let answer = send(served.at, "POST", "/api/v1/plugins", &[("Authorization", &bearer)], &exact).await;
    assert_eq!(answer.status, 202, "the bound itself is allowed");
}

#[tokio::test]
async fn only_so_many_uploads_are_held_at_once() {
    let served = served_with(|_| {}, |options| options.limits.uploads_max = 0).await;
    let bearer = format!("Bearer {TOKEN}");
    let answer = send(served.at, "POST", "/api/v1/plugins", &[("Authorization", &bearer)], b"\0asm").await;
    assert_eq!((answer.status, answer.error().0.as_str()), (503, "busy"));
}

#[tokio::test]
async fn an_upload_that_dawdles_is_given_up() {
    let served = served_with(|_| {}, |options| options.limits.upload = Duration::from_millis(20)).await;
    let mut stream = TcpStream::connect(served.at).await.expect("connection");
    let head = format!(
        "POST /api/v1/plugins HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n\0asm",
        served.at
    );
    stream.write_all(head.as_bytes()).await.expect("head");
    let mut answer = String::new();
    timeout(Duration::from_secs(20), stream.read_to_string(&mut answer))
        .await
        .expect("in time")
        .expect("answer");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"too-slow\""), "{answer}");
    assert!(served.house.uploaded.lock().expect("uploaded").is_empty());
}

#[tokio::test]
async fn only_so_many_streams_are_open_at_once() {
    let served = served_with(|bus| bus.streams_max = 2, |_| {}).await;
    let mut first = EventStream::open(served.at, "", None).await;
    let second = EventStream::open(served.at, "", None).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.event().await.kind, "hello");
    let answer = get(served.at, "/api/v1/events").await;
    assert_eq!((answer.status, answer.error().0.as_str()), (503, "too-many-streams"));
    assert_eq!(answer.header("retry-after"), "5");
    drop(second);
    let again = timeout(Duration::from_secs(20), async {
        while EventStream::open(served.at, "", None).await.status != 200 {}
    });
    again.await.expect("a place becomes free when a client goes");
}

#[tokio::test]
async fn only_so_many_connections_are_taken_at_once() {
    let served = served().await;
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(TcpStream::connect(served.at).await.expect("connection"));
    }
    let waiting = tokio::spawn(get(served.at, "/livez"));
    // The last connection that was taken asks how many there are; the 257th is not among them.
    let first = open.last_mut().expect("connection");
    let question = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", served.at);
    first.write_all(question.as_bytes()).await.expect("question");
    let mut answer = String::new();
    while !answer.contains("process_threads") {
        let mut part = [0; 16_384];
        let read =
            timeout(Duration::from_secs(20), first.read(&mut part)).await.expect("in time").expect("answer");
        answer.push_str(std::str::from_utf8(&part[..read]).expect("UTF-8"));
    }
    assert!(answer.lines().any(|line| line == "geminus_http_connections 256"), "{answer}");
    assert!(!waiting.is_finished());
    open.clear();
    assert_eq!(waiting.await.expect("answer").status, 200);
}
