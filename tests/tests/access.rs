//! Who may do what, on the real host: it closes with the first user, whoever is removed is out, TLS is spoken with clients
//! that are not ours, and no secret is found in what the host writes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, ensure};
use geminus_tests::{Host, PATIENCE, SiteFolder, asking_whatever_the_status, free_port, geminus, wait_for};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

/// Two twins and nothing that feeds them.
const SITE: &str = r#"
[site]
name = "access"
[http]
listen = "127.0.0.1:8630"
[[twin]]
id = "pump-{1..2}"
type = "dtmi:test:Pump;1"
"#;

const PUMP: &str = r#"{"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Pump;1", "@type": "Interface", "displayName": "Pump",
    "contents": [{"@type": "Telemetry", "name": "a", "schema": "double"}]}"#;

fn site() -> anyhow::Result<SiteFolder> {
    SiteFolder::new(SITE, &[("pump.json", PUMP)])
}

/// `geminus` with these words; what is given goes to its standard input.
fn command(words: &[&str], given: &str) -> anyhow::Result<Output> {
    let mut child = Command::new(geminus()?)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("standard input")?.write_all(given.as_bytes())?;
    Ok(child.wait_with_output()?)
}

fn said(words: &[&str], given: &str) -> anyhow::Result<String> {
    let output = command(words, given)?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{words:?}: {error}");
    Ok(String::from_utf8(output.stdout)?)
}

fn add_user(site: &Path, name: &str, rights: &[&str]) -> anyhow::Result<()> {
    let words = [&["user", "add", text(site)?, name][..], rights].concat();
    said(&words, &format!("{PASSWORD}\n")).map(drop)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path in UTF-8")
}

/// Status and body of a question with these headers.
fn ask(
    host: &Host,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> anyhow::Result<(u16, Value)> {
    let url = host.url(path);
    let agent = asking_whatever_the_status();
    let mut answer = match method {
        "GET" => {
            let request = agent.get(&url);
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).call()?
        }
        "DELETE" => {
            let request = agent.delete(&url);
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).call()?
        }
        _ => {
            let request = agent.post(&url);
            headers
                .iter()
                .fold(request, |request, (name, value)| request.header(*name, *value))
                .send_json(body)?
        }
    };
    let cookie =
        answer.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok()).map(str::to_owned);
    let mut view: Value = answer.body_mut().read_json().unwrap_or_default();
    if let (Value::Object(members), Some(cookie)) = (&mut view, cookie) {
        members.insert("cookie".to_owned(), cookie.split(';').next().unwrap_or_default().into());
    }
    Ok((answer.status().as_u16(), view))
}

/// The cookie of a new session.
fn login(host: &Host, name: &str) -> anyhow::Result<String> {
    let body = json!({"name": name, "password": PASSWORD});
    let (status, view) = ask(host, "POST", "/api/v1/session", &[], &body)?;
    ensure!(status == 200, "{status} {view}");
    Ok(view["cookie"].as_str().context("a cookie")?.to_owned())
}

fn status(host: &Host, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<u16> {
    Ok(ask(host, "GET", path, headers, &Value::Null)?.0)
}

fn turns(host: &Host, path: &str, headers: &[(&str, &str)], expect: u16) -> anyhow::Result<()> {
    wait_for(&format!("{path} to be answered with {expect}"), PATIENCE, || {
        Ok((status(host, path, headers)? == expect).then_some(()))
    })
}

#[test]
fn the_host_closes_with_the_first_user_and_whoever_is_removed_is_out() -> anyhow::Result<()> {
    let site = site()?;
    let file = site.site();
    let host = Host::start(&file)?;
    ensure!(status(&host, "/api/v1/site", &[])? == 200, "a site without users is read by anybody");
    let folder_token = std::fs::read_to_string(site.path("data/token"))?;
    let folder_token = format!("Bearer {}", folder_token.trim());
    ensure!(status(&host, "/api/v1/users", &[("Authorization", &folder_token)])? == 200);

    add_user(&file, "ada", &["--role", "admin"])?;
    turns(&host, "/api/v1/site", &[], 401)?;
    ensure!(
        status(&host, "/api/v1/site", &[("Authorization", &folder_token)])? == 401,
        "it opens nothing now"
    );
    for path in ["/api/v1/twins", "/api/v1/journal", "/api/v1/events", "/metrics", "/api/v1/openapi.json"] {
        ensure!(status(&host, path, &[])? == 401, "{path}");
    }
    host.lives()?;

    add_user(&file, "bob", &["--role", "operator", "--twins", "pump-1"])?;
    wait_for("bob to be known", PATIENCE, || Ok(login(&host, "bob").ok().map(drop)))?;
    let (ada, bob) = (login(&host, "ada")?, login(&host, "bob")?);
    let (as_ada, as_bob) = ([("Cookie", ada.as_str())], [("Cookie", bob.as_str())]);
    let (_, fleet) = ask(&host, "GET", "/api/v1/twins", &as_bob, &Value::Null)?;
    ensure!(fleet["total"] == 1 && fleet["twins"][0]["id"] == "pump-1", "{fleet}");
    let (_, glance) = ask(&host, "GET", "/api/v1/site", &as_bob, &Value::Null)?;
    ensure!(glance["twins"] == json!({"total": 1, "live": 0, "stale": 0, "waiting": 1}), "{glance}");
    ensure!(glance["inputs"].is_null(), "what all twins sent is not his: {glance}");
    for (path, expect) in [("pump-1", 200), ("pump-2", 404), ("%70ump-2", 404), ("pump-2/history", 404)] {
        ensure!(status(&host, &format!("/api/v1/twins/{path}"), &as_bob)? == expect, "{path}");
    }
    let (_, all) = ask(&host, "GET", "/api/v1/twins", &as_ada, &Value::Null)?;
    ensure!(all["total"] == 2, "{all}");
    let (_, glance) = ask(&host, "GET", "/api/v1/site", &as_ada, &Value::Null)?;
    ensure!(glance["twins"]["total"] == 2 && glance["inputs"]["samples"] == 0, "{glance}");

    let words = ["token", "add", text(&file)?, "historian", "--role", "viewer", "--owner", "bob"];
    let secret = said(&words, "")?.trim().to_owned();
    let bearer = format!("Bearer {secret}");
    let as_program = [("Authorization", bearer.as_str())];
    turns(&host, "/api/v1/site", &as_program, 200)?;

    said(&["user", "remove", text(&file)?, "bob"], "")?;
    turns(&host, "/api/v1/site", &as_bob, 401)?;
    ensure!(status(&host, "/api/v1/site", &as_program)? == 401, "the token goes with who answers for it");
    ensure!(status(&host, "/api/v1/site", &as_ada)? == 200);
    let last = command(&["user", "remove", text(&file)?, "ada"], "")?;
    ensure!(!last.status.success(), "the last admin stays unless it is said twice");

    let kinds = ["user-made", "logged-in", "token-made", "user-removed"];
    let journal = wait_for("the journal to know of it", PATIENCE, || {
        let (_, view) = ask(&host, "GET", "/api/v1/journal?limit=1000", &as_ada, &Value::Null)?;
        let has = |kind: &&str| {
            view["entries"].as_array().is_some_and(|all| all.iter().any(|one| one["kind"] == **kind))
        };
        Ok(kinds.iter().all(has).then(|| view.to_string()))
    })?;
    host.stop()?;
    let log = std::fs::read_to_string(file.with_file_name("host.log"))?;
    let (ada, bob) = (ada.split_once('=').context("cookie")?.1, bob.split_once('=').context("cookie")?.1);
    for hidden in [PASSWORD, secret.as_str(), ada, bob, "$argon2id"] {
        ensure!(!journal.contains(hidden), "a secret stands in the journal");
        ensure!(!log.contains(hidden), "a secret stands in the log");
    }
    // What was made outlives the process; sessions do not.
    let host = Host::start(&file)?;
    ensure!(status(&host, "/api/v1/site", &[])? == 401);
    ensure!(status(&host, "/api/v1/site", &as_ada)? == 401);
    login(&host, "ada")?;
    host.stop()
}

/// Makes a certificate for `localhost` and its key.
fn certify(site: &SiteFolder) -> anyhow::Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    std::fs::write(site.path("key.pem"), made.signing_key.serialize_pem())?;
    std::fs::write(site.path("certificate.pem"), made.cert.pem())?;
    Ok(())
}

/// Status of a question by curl, which believes this certificate; 0 when it could not speak with the host.
fn curl(site: &SiteFolder, port: u16, more: &[&str]) -> anyhow::Result<u16> {
    let output = Command::new("curl")
        .args(["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"])
        .arg("--cacert")
        .arg(site.path("certificate.pem"))
        .args(more)
        .arg(format!("https://localhost:{port}/api/v1/site"))
        .output()
        .context("curl is needed")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0))
}

/// A host that speaks TLS; ended when dropped.
struct Guarded(std::process::Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn run(site: &SiteFolder, listen: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(geminus()?);
    command.arg("run").arg(site.site()).args(["--listen", listen, "--for", "300s"]).stdin(Stdio::null());
    Ok(command)
}

#[test]
fn beyond_loopback_it_starts_with_users_and_tls_only_and_speaks_with_other_clients() -> anyhow::Result<()> {
    let site = site()?;
    let refused = |lacks: &str| -> anyhow::Result<()> {
        let output = run(&site, "0.0.0.0:0")?.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(1) && said.contains(lacks), "{lacks}: {said}");
        Ok(())
    };
    refused("lacks users and TLS")?;
    certify(&site)?;
    let tls = "[http]\ntls = { certificate = \"certificate.pem\", key = \"key.pem\" }";
    std::fs::write(site.site(), SITE.replacen("[http]", tls, 1))?;
    refused("lacks users")?;
    add_user(&site.site(), "ada", &["--role", "admin"])?;
    let secret =
        said(&["token", "add", text(&site.site())?, "cli", "--role", "viewer", "--owner", "ada"], "")?;
    std::fs::write(site.path("cli.token"), &secret)?;

    let port = free_port()?;
    let log = std::fs::File::create(site.path("host.log"))?;
    let child = run(&site, &format!("0.0.0.0:{port}"))?.stdout(log.try_clone()?).stderr(log).spawn()?;
    let guarded = Guarded(child);
    wait_for("the host to answer curl over TLS", PATIENCE, || {
        Ok((curl(&site, port, &[])? == 401).then_some(()))
    })?;
    let bearer = format!("Authorization: Bearer {}", secret.trim());
    for version in ["1.2", "1.3"] {
        let as_program = ["--tls-max", version, "--tlsv1.2", "--header", &bearer];
        ensure!(curl(&site, port, &as_program)? == 200, "TLS {version}");
    }
    ensure!(curl(&site, port, &["--tls-max", "1.1", "--header", &bearer])? == 0, "TLS 1.1 is too old");
    let plain = asking_whatever_the_status().get(format!("http://127.0.0.1:{port}/livez")).call();
    ensure!(plain.is_err(), "nothing is answered without TLS");

    let url = format!("https://localhost:{port}");
    let (token, ca) = (site.path("cli.token"), site.path("certificate.pem"));
    let words = ["alarm", "list", "--json", "--url", &url, "--token-file", text(&token)?, "--ca", text(&ca)?];
    let list: Value = serde_json::from_str(&said(&words, "")?)?;
    ensure!(list["total"] == 0, "{list}");

    // Renewed while it runs: curl believes the new certificate only.
    certify(&site)?;
    wait_for("the new certificate to be shown", PATIENCE, || {
        Ok((curl(&site, port, &["--header", &bearer])? == 200).then_some(()))
    })?;
    drop(guarded);
    Ok(())
}
