//! A small HTTP/1.1 client, so that tests see the bytes that a browser sees.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer within this is a hang.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            self.headers.get("content-type").map(String::as_str),
            Some("application/json"),
            "{}",
            self.text()
        );
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Code and message of an error.
    pub(crate) fn error(&self) -> (String, String) {
        let json = self.json();
        let text = |name: &str| json["error"][name].as_str().expect("text").to_owned();
        (text("code"), text("message"))
    }
}

pub(crate) async fn get(at: SocketAddr, path: &str) -> Answer {
    send(at, "GET", path, &[], b"").await
}

pub(crate) async fn send(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {at}\r\n"));
    }
    if method != "GET" && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(at).await.expect("connection");
    stream.write_all(head.as_bytes()).await.expect("head");
    // A server that refuses early may close before it has read the body.
    stream.write_all(body).await.unwrap_or_default();
    let mut reader = BufReader::new(stream);
    let (status, headers) = head_of(&mut reader).await;
    let mut rest = Vec::new();
    timeout(PATIENCE, reader.read_to_end(&mut rest)).await.expect("an answer in time").unwrap_or_default();
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let body = if chunked { unchunked(&rest) } else { rest };
    Answer { status, headers, body }
}

async fn head_of(reader: &mut BufReader<TcpStream>) -> (u16, HashMap<String, String>) {
    let first = line(reader).await;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("status line");
    let mut headers = HashMap::new();
    loop {
        let line = line(reader).await;
        let Some((name, value)) = line.split_once(':') else { break };
        // What comes more than once stands in as many lines.
        let known: &mut String = headers.entry(name.to_ascii_lowercase()).or_default();
        if !known.is_empty() {
            known.push('\n');
        }
        known.push_str(value.trim());
    }
    (status, headers)
}

async fn line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    timeout(PATIENCE, reader.read_line(&mut line)).await.expect("a line in time").expect("line");
    line.trim_end_matches(['\r', '\n']).to_owned()
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("chunk size");
        let size = std::str::from_utf8(&rest[..end]).expect("chunk size");
        let size = usize::from_str_radix(size, 16).expect("chunk size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

/// One server-sent event, or a comment (with an empty kind and the comment as data).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

/// An open event stream.
pub(crate) struct EventStream {
    reader: BufReader<TcpStream>,
    text: String,
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
}

impl EventStream {
    pub(crate) async fn open(at: SocketAddr, query: &str, last: Option<&str>) -> Self {
        Self::open_as(at, query, last, "").await
    }

    /// With this in the header `Authorization`, unless it is empty.
    pub(crate) async fn open_as(at: SocketAddr, query: &str, last: Option<&str>, bearer: &str) -> Self {
        let mut stream = TcpStream::connect(at).await.expect("connection");
        let mut headers = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        if !bearer.is_empty() {
            headers.push_str(&format!("Authorization: {bearer}\r\n"));
        }
        let head = format!("GET /api/v1/events{query} HTTP/1.1\r\nHost: {at}\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.expect("head");
        let mut reader = BufReader::new(stream);
        let (status, headers) = head_of(&mut reader).await;
        Self { reader, text: String::new(), status, headers }
    }

    /// The next block of the stream; `None` at its end.
    pub(crate) async fn block(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = parse(block);
                self.text = rest.to_owned();
                return Some(event);
            }
            let size = line(&mut self.reader).await;
            let size = usize::from_str_radix(&size, 16).unwrap_or(0);
            if size == 0 {
                return None;
            }
            let mut chunk = vec![0; size + 2];
            let read = timeout(PATIENCE, self.reader.read_exact(&mut chunk)).await.expect("a chunk in time");
            read.ok()?;
            self.text.push_str(std::str::from_utf8(&chunk[..size]).expect("UTF-8"));
        }
    }

    /// The next event, without signs of life.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            let event = self.block().await.expect("an event");
            if !event.kind.is_empty() {
                return event;
            }
        }
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event { id: String::new(), kind: String::new(), data: Value::Null };
    for line in block.lines() {
        match line.split_once(": ").unwrap_or((line, "")) {
            ("id", id) => event.id = id.to_owned(),
            ("event", kind) => event.kind = kind.to_owned(),
            ("data", data) => event.data = serde_json::from_str(data).expect("JSON"),
            ("", comment) => event.data = comment.into(),
            ("retry", _) => {}
            _ => panic!("what is {line:?}?"),
        }
    }
    event
}
