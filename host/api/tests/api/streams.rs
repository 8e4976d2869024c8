//! Event streams over real connections: greeting, filters, resuming, starting afresh, slow readers, the end.

use std::sync::Arc;
use std::time::Duration;

use geminus_api::view::{AlertCount, HealthView, TwinState, Verdict};
use geminus_api::{EventBus, Reading, TwinEvent, Values};
use geminus_core::Quality;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::client::{Event, EventStream};
use crate::document::document;
use crate::fake::{NOON, Served, entry, served, served_with};
use crate::schema;

fn publish(bus: &EventBus, twin: &str, points: &[(&str, f64)]) {
    let reading = |value| Reading { time: NOON, value, quality: Quality::Good };
    let points: Vec<_> = points.iter().map(|(name, value)| (Arc::from(*name), reading(*value))).collect();
    bus.publish_values(&Values {
        twin: &twin.into(),
        state: TwinState::Live,
        age_ms: Some(3),
        health: HealthView { index: Some(0.75), verdict: Verdict::Ok },
        points: &points,
    });
}

fn twin_event(id: &str) -> TwinEvent {
    let health = HealthView::default();
    TwinEvent { id: id.to_owned(), state: TwinState::Stale, alerts: AlertCount::default(), health }
}

fn fits(name: &str, event: &Event) {
    let document = document();
    schema::check(&document, &document["components"]["schemas"][name], &event.data);
}

async fn greeted(served: &Served, query: &str, last: Option<&str>) -> (EventStream, Event) {
    let mut stream = EventStream::open(served.at, query, last).await;
    assert_eq!(stream.status, 200);
    let hello = stream.event().await;
    assert_eq!(hello.kind, "hello");
    (stream, hello)
}

#[tokio::test]
async fn a_stream_greets_and_then_carries_values_of_its_twins() {
    let served = served().await;
    assert!(served.bus.watched().is_empty());
    let (mut stream, hello) = greeted(&served, "?twins=pump-1,pump-3", None).await;
    assert_eq!(stream.headers.get("content-type").map(String::as_str), Some("text/event-stream"));
    assert_eq!(hello.data, json!({"version": "0.1.0", "now": "2026-03-01T12:00:00Z", "resumed": false}));
    fits("HelloEvent", &hello);
    let watched = served.bus.watched();
    assert_eq!(["pump-1", "pump-2", "pump-3"].map(|id| watched.contains(id)), [true, false, true]);
    publish(&served.bus, "pump-2", &[("temperature", 1.0)]);
    publish(&served.bus, "pump-1", &[("temperature", 41.5), ("flow", f64::NAN)]);
    let values = stream.event().await;
    assert_eq!(values.kind, "values");
    fits("ValuesEvent", &values);
    let noon = NOON.millis();
    let expect = json!({
        "twin": "pump-1", "state": "live", "age_ms": 3, "health": {"index": 0.75, "verdict": "ok"},
        "points": {"temperature": [noon, 41.5, 0], "flow": [noon, null, 0]},
    });
    assert_eq!(values.data, expect);
    publish(&served.bus, "pump-1", &[("flow", 2.0)]);
    assert_eq!(stream.event().await.data["points"], json!({"flow": [noon, 2.0, 0]}), "changed points only");
    assert_eq!(served.bus.stats().unwatched, 1);
}

#[tokio::test]
async fn a_second_reader_gets_what_is_known_already() {
    let served = served().await;
    let (mut first, _) = greeted(&served, "?twins=pump-1", None).await;
    publish(&served.bus, "pump-1", &[("a", 1.0), ("b", 1.0)]);
    publish(&served.bus, "pump-1", &[("b", 2.0)]);
    first.event().await;
    let (mut second, _) = greeted(&served, "?twins=pump-1", None).await;
    let points = &second.event().await.data["points"];
    assert_eq!((&points["a"][1], &points["b"][1]), (&json!(1.0), &json!(2.0)));
}

#[tokio::test]
async fn notices_go_to_whom_they_concern() {
    let served = served().await;
    let (mut site, _) = greeted(&served, "", None).await;
    let (mut one, _) = greeted(&served, "?twins=pump-1", None).await;
    let (mut all, _) = greeted(&served, "?twins=*", None).await;
    served.bus.publish_twin(&twin_event("pump-2"));
    served.bus.publish_journal(&entry(1, Some("pump-2")));
    publish(&served.bus, "pump-2", &[("a", 1.0)]);
    served.bus.publish_journal(&entry(2, None));
    served.bus.publish_twin(&twin_event("pump-1"));
    let mut kinds = Vec::new();
    for (stream, number) in [(&mut site, 4), (&mut one, 2), (&mut all, 5)] {
        let mut heard = Vec::new();
        for _ in 0..number {
            let event = stream.event().await;
            match event.kind.as_str() {
                "twin" => fits("TwinEvent", &event),
                "journal" => fits("EntryView", &event),
                _ => fits("ValuesEvent", &event),
            }
            heard.push(event.kind);
        }
        kinds.push(heard.join(" "));
    }
    assert_eq!(kinds, ["twin journal journal twin", "journal twin", "twin journal values journal twin"]);
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_merged() {
    let served = served().await;
    let (mut stream, _) = greeted(&served, "?twins=pump-1", None).await;
    publish(&served.bus, "pump-1", &[("a", 1.0), ("b", 1.0)]);
    let last = stream.event().await.id;
    drop(stream);
    publish(&served.bus, "pump-1", &[("a", 2.0)]);
    served.bus.publish_journal(&entry(1, None));
    publish(&served.bus, "pump-1", &[("a", 3.0), ("b", 2.0)]);
    for (query, header) in [
        ("?twins=pump-1".to_owned(), Some(last.as_str())),
        (format!("?twins=pump-1&last_event_id={last}"), None),
        ("?twins=pump-1&last_event_id=old-1".to_owned(), Some(last.as_str())),
    ] {
        let (mut stream, hello) = greeted(&served, &query, header).await;
        assert_eq!((&hello.data["resumed"], &hello.id), (&json!(true), &last), "{query}");
        assert_eq!(stream.event().await.data["seq"], 1, "{query}");
        let points = &stream.event().await.data["points"];
        assert_eq!((&points["a"][1], &points["b"][1]), (&json!(3.0), &json!(2.0)), "{query}");
    }
    assert_eq!(served.bus.stats().resyncs, 0);
}

#[tokio::test]
async fn a_client_that_missed_too_much_is_told_to_start_afresh() {
    let served = served_with(|bus| bus.notices_max = 3, |_| {}).await;
    let (stream, hello) = greeted(&served, "", None).await;
    drop(stream);
    (0..4).for_each(|seq| served.bus.publish_journal(&entry(seq, None)));
    let epoch = hello.id.split('-').next().expect("epoch");
    let ahead = format!("{epoch}-999999");
    for (last, reason) in [
        (hello.id.as_str(), "more happened"),
        ("1-1", "restarted"),
        (ahead.as_str(), "none of this host's"),
        ("nonsense", "none of this host's"),
    ] {
        let (mut stream, hello) = greeted(&served, "", Some(last)).await;
        assert_eq!(hello.data["resumed"], false, "{last}");
        let resync = stream.event().await;
        assert_eq!(resync.kind, "resync");
        fits("ResyncEvent", &resync);
        assert!(resync.data["reason"].as_str().expect("reason").contains(reason), "{last}: {resync:?}");
        served.bus.publish_journal(&entry(99, None));
        assert_eq!(stream.event().await.data["seq"], 99, "{last}: it goes on from there");
    }
}

#[tokio::test]
async fn a_twin_stays_watched_for_a_while_and_then_no_more() {
    let served = served().await;
    let (stream, hello) = greeted(&served, "?twins=pump-1", None).await;
    drop(stream);
    let gone = timeout(Duration::from_secs(20), async {
        while served.bus.stats().streams > 0 {
            tokio::task::yield_now().await;
        }
    });
    gone.await.expect("the server notices that the client went");
    assert!(served.bus.watched().contains("pump-1"));
    served.clock.advance(Duration::from_secs(31));
    publish(&served.bus, "pump-1", &[("a", 1.0)]);
    assert!(!served.bus.watched().contains("pump-1"));
    let (mut stream, hello) = greeted(&served, "?twins=pump-1", Some(&hello.id)).await;
    assert_eq!(hello.data["resumed"], false);
    assert_eq!(stream.event().await.kind, "resync");
}

#[tokio::test]
async fn a_reader_that_stalls_costs_nothing_and_catches_up_merged() {
    let served = served().await;
    let names: Vec<String> = (0..200).map(|number| format!("point_{number:03}")).collect();
    let publish_all = |value: f64| {
        let points: Vec<_> = names.iter().map(|name| (name.as_str(), value)).collect();
        publish(&served.bus, "pump-1", &points);
    };
    // A client with a small window that asks and then reads nothing.
    let socket = TcpSocket::new_v4().expect("socket");
    socket.set_recv_buffer_size(8_192).expect("small window");
    let mut client = socket.connect(served.at).await.expect("connection");
    let question = format!("GET /api/v1/events?twins=pump-1 HTTP/1.1\r\nHost: {}\r\n\r\n", served.at);
    client.write_all(question.as_bytes()).await.expect("question");
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    let (mut value, mut sent, mut quiet) = (0.0, 0, 0);
    while quiet < 100 {
        value += 1.0;
        publish_all(value);
        pace.tick().await;
        let stats = served.bus.stats();
        quiet = if stats.sent == sent && sent > 0 { quiet + 1 } else { 0 };
        sent = stats.sent;
        assert!(value < 20_000.0, "the stream never stalled: {stats:?}");
    }
    // It holds one round, whatever else is published, and other readers do not notice.
    let before = served.bus.stats().sent;
    for _ in 0..2_000 {
        value += 1.0;
        publish_all(value);
    }
    assert_eq!(served.bus.stats().sent, before);
    publish(&served.bus, "pump-1", &[("point_000", -1.0)]);
    let (mut other, _) = greeted(&served, "?twins=pump-1", None).await;
    assert_eq!(other.event().await.data["points"]["point_199"][1], json!(value));
    // It reads on: the newest of every point, in far fewer events than were published.
    let mut text = String::new();
    let mut buffer = vec![0; 65_536];
    let newest = format!("\"point_199\":[1772366400000,{value:.1},0]");
    while !text.contains("\"point_000\":[1772366400000,-1.0,0]") || !text.contains(&newest) {
        let read =
            timeout(Duration::from_secs(20), client.read(&mut buffer)).await.expect("in time").expect("read");
        assert!(read > 0, "the stream ended");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    let events = text.matches("event: values").count();
    assert!(events as f64 <= value - 2_000.0, "{events} events of {value} publications");
    assert!(served.bus.stats().conflated >= 1);
}

#[tokio::test]
async fn streams_and_server_end_when_they_are_told_to() {
    let mut served = served().await;
    let (mut stream, _) = greeted(&served, "?twins=pump-1", None).await;
    served.bus.close();
    assert_eq!(stream.block().await, None);
    served.stop.take().expect("stop").send(()).expect("stopped");
    timeout(Duration::from_secs(20), served.done).await.expect("in time").expect("task").expect("served");
}

#[tokio::test]
async fn a_silent_stream_is_kept_open() {
    let served = served_with(|_| {}, |options| options.limits.heartbeat = Duration::from_millis(5)).await;
    let (mut stream, hello) = greeted(&served, "", None).await;
    let sign = stream.block().await.expect("a sign of life");
    assert_eq!((sign.kind.as_str(), sign.id, sign.data), ("", hello.id, Value::from("alive")));
}
