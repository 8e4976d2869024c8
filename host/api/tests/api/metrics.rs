//! Metrics and the two questions of a supervisor.

use crate::client::{EventStream, get};
use crate::fake::served;

#[tokio::test]
async fn metrics_of_house_streams_http_and_process_are_there() {
    let served = served().await;
    let mut stream = EventStream::open(served.at, "", None).await;
    assert_eq!(stream.event().await.kind, "hello");
    assert_eq!(get(served.at, "/api/v1/nothing").await.status, 404);
    let answer = get(served.at, "/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text();
    for line in [
        "# TYPE geminus_samples_total counter",
        "geminus_samples_total{fate=\"accepted\"} 9",
        "geminus_swap_pause_seconds_bucket{le=\"+Inf\"} 4",
        "geminus_info{version=\"0.1.0\"} 1",
        "geminus_sse_streams 1",
        "geminus_sse_streams_opened_total 1",
        "geminus_http_requests_total{class=\"4xx\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let mut series: Vec<_> =
        text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
    series.sort_unstable();
    assert!(series.windows(2).all(|pair| pair[0] != pair[1]), "a series is there twice\n{text}");
    let number = |name: &str| -> f64 {
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
        line.trim().parse().expect("a number")
    };
    assert!(number("process_resident_memory_bytes ") > 1e6);
    assert!(number("process_open_fds ") >= 3.0 && number("process_threads ") >= 1.0);
    assert!(number("geminus_http_connections ") >= 2.0);
}

#[tokio::test]
async fn liveness_and_readiness_say_why_not() {
    let served = served().await;
    for (path, place) in [("/livez", &served.house.dead), ("/readyz", &served.house.unready)] {
        let answer = get(served.at, path).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok\n"), "{path}");
        *place.lock().expect("place") = Some("shard 1 stands still".to_owned());
        let answer = get(served.at, path).await;
        assert_eq!((answer.status, answer.text().as_str()), (503, "shard 1 stands still\n"), "{path}");
    }
}
