//! One's own password over the api: changed by whoever knows the present one, held up as a login is, told to nobody.

use std::net::SocketAddr;
use std::time::Duration;

use geminus_access::Role;
use serde_json::json;

use crate::access::{PASSWORD, cookie, login, site, with};
use crate::client::{Answer, send};
use crate::fake::{TOKEN, served};

const PATH: &str = "/api/v1/session/password";
const OTHER: &str = "another horse entirely";

async fn change(at: SocketAddr, cookie: &str, current: &str, new: &str) -> Answer {
    with(at, cookie, "POST", PATH, &json!({"current": current, "new": new}).to_string()).await
}

#[tokio::test]
async fn a_viewer_changes_the_own_password_and_the_other_sessions_end() {
    let (served, _) = site(&[("vic", Role::Viewer, "pump-1")]).await;
    let at = served.at;
    let (own, other) = (cookie(at, "vic").await, cookie(at, "vic").await);
    let wrong = change(at, &own, "not the password", OTHER).await;
    assert_eq!((wrong.status, wrong.error().0.as_str()), (403, "wrong-password"));
    for (new, code) in [("short", "invalid"), (PASSWORD, "invalid"), ("vic", "invalid")] {
        let refused = change(at, &own, PASSWORD, new).await;
        assert_eq!((refused.status, refused.error().0.as_str()), (400, code), "{new}");
        assert!(!refused.text().contains(PASSWORD), "{}", refused.text());
    }
    assert_eq!(with(at, &other, "GET", "/api/v1/session", "").await.status, 200);
    assert_eq!(change(at, &own, PASSWORD, OTHER).await.status, 204);
    assert_eq!(with(at, &own, "GET", "/api/v1/session", "").await.status, 200, "the one that asked goes on");
    assert_eq!(with(at, &other, "GET", "/api/v1/session", "").await.status, 401, "the other has ended");
    assert_eq!(login(at, "vic", PASSWORD, &[]).await.status, 401);
    assert_eq!(login(at, "vic", OTHER, &[]).await.status, 200);
}

#[tokio::test]
async fn guesses_are_held_up_and_foreign_pages_refused() {
    let (served, _) = site(&[]).await;
    let ada = cookie(served.at, "ada").await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = change(served.at, &ada, "a guess at random", OTHER).await;
        if answer.status == 429 {
            assert_eq!((answer.error().0.as_str(), answer.header("retry-after")), ("too-many-attempts", "2"));
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [403, 403, 403, 403, 429, 429]);
    assert_eq!(change(served.at, &ada, PASSWORD, OTHER).await.status, 429, "right or not");
    served.clock.advance(Duration::from_secs(2));
    let body = json!({"current": PASSWORD, "new": OTHER}).to_string();
    let foreign = [("Cookie", ada.as_str()), ("Origin", "http://evil.example")];
    assert_eq!(send(served.at, "POST", PATH, &foreign, body.as_bytes()).await.status, 403);
    assert_eq!(change(served.at, &ada, PASSWORD, OTHER).await.status, 204);
}

#[tokio::test]
async fn whoever_has_no_password_is_told_so_and_bodies_are_read_strictly() {
    let (served_with_users, _) = site(&[]).await;
    let at = served_with_users.at;
    let ada = cookie(at, "ada").await;
    let made = with(at, &ada, "POST", "/api/v1/tokens", r#"{"name":"robot","roles":["admin"]}"#).await;
    let bearer = format!("Bearer {}", made.json()["secret"].as_str().expect("secret"));
    let body = json!({"current": PASSWORD, "new": OTHER}).to_string();
    let robot = send(at, "POST", PATH, &[("Authorization", &bearer)], body.as_bytes()).await;
    assert_eq!((robot.status, robot.error().0.as_str()), (409, "no-password"));
    for body in ["", "{}", r#"{"current":"x"}"#, r#"{"current":"x","new":"hunter2hunter2","name":"bob"}"#] {
        let refused = with(at, &ada, "POST", PATH, body).await;
        assert_eq!((refused.status, refused.error().0.as_str()), (400, "bad-body"), "{body}");
        assert!(!refused.text().contains("hunter2"), "{}", refused.text());
    }
    let open = served().await;
    let bearer = format!("Bearer {TOKEN}");
    let local = send(open.at, "POST", PATH, &[("Authorization", &bearer)], body.as_bytes()).await;
    assert_eq!((local.status, local.error().0.as_str()), (409, "no-password"));
}
