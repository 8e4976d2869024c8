//! Logins and tokens of an OpenID provider that is not ours, on the real host: people log in over it, programs bring its tokens, what
//! is forged or replayed opens nothing, and while the provider is away everything else goes on.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use geminus_tests::{
    Authority, Host, OpenIdProvider, PATIENCE, SiteFolder, Visitor, asking_whatever_the_status, free_port,
    geminus, wait_for,
};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";
const HOST_SECRET: &str = "4d1f0e2c7b6a59483726150f";
const PROGRAM_SECRET: &str = "9a8b7c6d5e4f30211203f4e5";
/// `{"alg":"none"}`
const NO_ALGORITHM: &str = "eyJhbGciOiJub25lIn0";

const PUMP: &str = r#"{"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Pump;1", "@type": "Interface", "displayName": "Pump",
    "contents": [{"@type": "Telemetry", "name": "a", "schema": "double"}]}"#;

struct Plant {
    site: SiteFolder,
    port: u16,
    issuer_port: u16,
}

impl Plant {
    fn new() -> anyhow::Result<Self> {
        Self::with("http", "")
    }

    /// Of an issuer over this scheme, with these keys more.
    fn with(scheme: &str, more: &str) -> anyhow::Result<Self> {
        let (port, issuer_port) = (free_port()?, free_port()?);
        let text = format!(
            r#"
[site]
name = "oidc"
[access.oidc]
title = "Plant login"
issuer = "{scheme}://127.0.0.1:{issuer_port}"
{more}
client_id = "geminus"
client_secret_file = "oidc.secret"
redirect = "http://127.0.0.1:{port}/api/v1/session/oidc/callback"
audience = "geminus-api"
[[access.oidc.grant]]
value = "operators"
roles = ["operator"]
twins = ["pump-1"]
[[access.oidc.grant]]
value = "readers"
roles = ["viewer"]
[[twin]]
id = "pump-{{1..2}}"
type = "dtmi:test:Pump;1"
"#
        );
        let site = SiteFolder::new(&text, &[("pump.json", PUMP)])?;
        let secret = site.path("oidc.secret");
        std::fs::write(&secret, format!("{HOST_SECRET}\n"))?;
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600))?;
        Ok(Self { site, port, issuer_port })
    }

    fn provider(&self) -> anyhow::Result<OpenIdProvider> {
        let redirect = format!("http://127.0.0.1:{}/api/v1/session/oidc/callback", self.port);
        OpenIdProvider::start(self.issuer_port, &redirect, HOST_SECRET, PROGRAM_SECRET)
    }

    fn host(&self) -> anyhow::Result<Host> {
        Host::start_on(&self.site.site(), self.port)
    }

    fn command(&self, words: &[&str], input: &str) -> anyhow::Result<String> {
        use std::io::Write as _;
        let mut child = Command::new(geminus()?)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("standard input")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{words:?}: {out}{error}");
        Ok(out.trim().to_owned())
    }
}

fn ask(host: &Host, path: &str, header: (&str, &str)) -> anyhow::Result<(u16, Value)> {
    let mut answer = asking_whatever_the_status().get(host.url(path)).header(header.0, header.1).call()?;
    let view = answer.body_mut().read_json().unwrap_or_default();
    Ok((answer.status().as_u16(), view))
}

fn bearer(host: &Host, token: &str, path: &str) -> anyhow::Result<(u16, Value)> {
    ask(host, path, ("Authorization", &format!("Bearer {token}")))
}

/// The cookie of a password login.
fn password(host: &Host) -> anyhow::Result<String> {
    let body = json!({"name": "ada", "password": PASSWORD});
    let answer = asking_whatever_the_status().post(host.url("/api/v1/session")).send_json(body)?;
    ensure!(answer.status().as_u16() == 200, "{}", answer.status());
    let cookie = answer.headers().get("set-cookie").context("a cookie")?.to_str()?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

/// Where a login ends, and where the provider had sent the browser before.
fn log_in(host: &Host, visitor: &mut Visitor) -> anyhow::Result<(geminus_tests::Visit, String)> {
    let back = host.url("/api/v1/session/oidc/callback");
    let at_issuer = visitor.follow(&host.url("/api/v1/session/oidc"), |next| next.starts_with(&back))?;
    let callback = at_issuer.location.with_context(|| format!("{} {}", at_issuer.status, at_issuer.text))?;
    Ok((visitor.visit(&callback)?, callback))
}

fn entries(host: &Host, cookie: &str) -> anyhow::Result<Vec<Value>> {
    let (_, view) = ask(host, "/api/v1/journal?limit=1000", ("Cookie", cookie))?;
    Ok(view["entries"].as_array().cloned().unwrap_or_default())
}

/// An entry of this kind about which this is true.
fn hears(host: &Host, cookie: &str, kind: &str, of: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    wait_for(&format!("the journal to know of {kind}"), PATIENCE, || {
        Ok(entries(host, cookie)?.into_iter().find(|entry| entry["kind"] == kind && of(entry)))
    })
}

#[test]
fn people_log_in_over_a_provider_and_programs_bring_its_tokens() -> anyhow::Result<()> {
    let plant = Plant::new()?;
    let file = plant.site.site();
    let file = file.to_str().context("a path in UTF-8")?;
    let mut provider = plant.provider()?;
    ensure!(plant.command(&["check", file], "")?.ends_with("ok"));
    plant.command(&["user", "add", file, "ada", "--role", "admin"], &format!("{PASSWORD}\n"))?;
    let own = plant.command(&["token", "add", file, "own", "--role", "viewer", "--owner", "ada"], "")?;
    let host = plant.host()?;
    let ada = password(&host)?;
    let (_, ways) = ask(&host, "/api/v1/session/ways", ("Accept", "*/*"))?;
    ensure!(ways == json!({"password": true, "oidc": "Plant login"}), "{ways}");

    provider.be("17", "Grace", &["staff", "operators"])?;
    let mut grace = Visitor::default();
    let (done, callback) = log_in(&host, &mut grace)?;
    ensure!(done.status == 303 && done.location == Some(host.url("/")), "{done:?}");
    let session = grace.cookie(&host.url("/"), "geminus-session").context("a session")?;
    ensure!(
        grace.set.iter().any(|set| set.starts_with(&session) && set.contains("HttpOnly; SameSite=Strict"))
    );
    let (status, view) = ask(&host, "/api/v1/session", ("Cookie", &session))?;
    let expect = json!({"name": "oidc:grace", "kind": "person", "owner": null, "roles": ["operator"],
        "twins": ["pump-1"], "users": true});
    ensure!(status == 200 && view == expect, "{status} {view}");
    for (path, expect) in [("twins/pump-1", 200), ("twins/pump-2", 404), ("users", 403)] {
        ensure!(ask(&host, &format!("/api/v1/{path}"), ("Cookie", &session))?.0 == expect, "{path}");
    }
    let entry = hears(&host, &ada, "logged-in", |entry| entry["facts"]["name"] == "oidc:grace")?;
    ensure!(
        entry["facts"]["subject"] == "17" && entry["facts"]["issuer"] == provider.issuer.as_str(),
        "{entry}"
    );

    // Once more with what the browser brought; in another browser; with another's state.
    ensure!(grace.visit(&callback)?.status == 401, "a login counts once");
    let mut stranger = Visitor::default();
    let back = host.url("/api/v1/session/oidc/callback");
    let half = grace.follow(&host.url("/api/v1/session/oidc"), |next| next.starts_with(&back))?;
    let half = half.location.context("a callback")?;
    ensure!(stranger.visit(&half)?.status == 401, "a login is for the browser that began it");
    ensure!(stranger.cookie(&host.url("/"), "geminus-session").is_none());
    ensure!(grace.visit(&half)?.status == 401, "and is spent then");

    provider.be("18", "mallory", &["visitors"])?;
    let (refused, _) = log_in(&host, &mut stranger)?;
    ensure!(refused.status == 403 && refused.text.contains("oidc:mallory has no role here"), "{refused:?}");
    provider.be("19", "grace", &["operators"])?;
    // Another browser: the provider knows the one before as mallory.
    let (taken, _) = log_in(&host, &mut Visitor::default())?;
    ensure!(taken.status == 401 && taken.text.contains("name of another subject"), "{taken:?}");
    hears(&host, &ada, "login-failed", |entry| {
        entry["message"].as_str().is_some_and(|text| text.contains("mallory"))
    })?;

    let token = provider.token(PROGRAM_SECRET)?;
    let (status, view) = bearer(&host, &token, "/api/v1/session")?;
    let expect = json!({"name": "oidc:historian", "kind": "program", "owner": "oidc:historian", "roles": ["viewer"],
        "twins": ["*"], "users": true});
    ensure!(status == 200 && view == expect, "{status} {view}");
    ensure!(bearer(&host, &token, "/api/v1/twins/pump-2")?.0 == 200);
    ensure!(bearer(&host, &own, "/api/v1/twins/pump-2")?.0 == 200, "tokens of the host open beside it");
    provider.readers(&["visitors"])?;
    let (status, view) = bearer(&host, &provider.token(PROGRAM_SECRET)?, "/api/v1/session")?;
    ensure!(status == 403 && view["error"]["code"] == "no-role", "{status} {view}");
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { anyhow::bail!("a token has three parts") };
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = [
        format!("{NO_ALGORITHM}.{claims}."),
        format!("{NO_ALGORITHM}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{other}{}", &signature[1..]),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!("{header}.{claims}x.{signature}"),
        format!("{token}{}", "A".repeat(20_000)),
    ];
    for forged in forged {
        let (status, view) = bearer(&host, &forged, "/api/v1/twins/pump-2")?;
        ensure!(status == 401, "{status} {view} {}", &forged[..80.min(forged.len())]);
    }
    let journal = serde_json::to_string(&entries(&host, &ada)?)?;
    let code = callback.split("code=").nth(1).and_then(|rest| rest.split('&').next()).context("a code")?;
    let log = std::fs::read_to_string(plant.site.path("host.log"))?;
    let session = session.split_once('=').context("a cookie")?.1;
    for hidden in [HOST_SECRET, code, session, &token, signature] {
        ensure!(
            !journal.contains(hidden) && !log.contains(hidden),
            "a secret stands in the journal or the log"
        );
    }
    host.stop()
}

#[test]
fn while_the_provider_is_away_everything_else_goes_on_and_new_keys_are_taken() -> anyhow::Result<()> {
    let plant = Plant::new()?;
    let file = plant.site.site();
    let file = file.to_str().context("a path in UTF-8")?;
    plant.command(&["user", "add", file, "ada", "--role", "admin"], &format!("{PASSWORD}\n"))?;
    let own = plant.command(&["token", "add", file, "own", "--role", "viewer", "--owner", "ada"], "")?;
    // It has never answered.
    let host = plant.host()?;
    let ada = password(&host)?;
    ensure!(bearer(&host, &own, "/api/v1/site")?.0 == 200);
    let mut grace = Visitor::default();
    let away = grace.visit(&host.url("/api/v1/session/oidc"))?;
    ensure!(away.status == 503 && away.text.contains("log in with a password"), "{away:?}");
    hears(&host, &ada, "issuer-away", |_| true)?;

    let mut provider = plant.provider()?;
    hears(&host, &ada, "issuer-back", |_| true)?;
    let token = provider.token(PROGRAM_SECRET)?;
    ensure!(bearer(&host, &token, "/api/v1/site")?.0 == 200);
    provider.be("17", "grace", &["operators"])?;
    ensure!(log_in(&host, &mut grace)?.0.status == 303);
    let session = grace.cookie(&host.url("/"), "geminus-session").context("a session")?;

    // It goes away with its keys known.
    provider.kill()?;
    ensure!(bearer(&host, &token, "/api/v1/site")?.0 == 200, "known keys are used");
    ensure!(ask(&host, "/api/v1/twins/pump-1", ("Cookie", &session))?.0 == 200, "sessions go on");
    ensure!(bearer(&host, &own, "/api/v1/site")?.0 == 200);
    password(&host)?;

    // And comes back with others.
    let provider = plant.provider()?;
    let fresh = provider.token(PROGRAM_SECRET)?;
    wait_for("the new keys to be asked for", PATIENCE, || {
        Ok((bearer(&host, &fresh, "/api/v1/site")?.0 == 200).then_some(()))
    })?;
    let (status, view) = bearer(&host, &token, "/api/v1/site")?;
    ensure!(
        status == 401 && view["error"]["code"] == "issuer-refused",
        "withdrawn keys sign nothing: {status} {view}"
    );
    host.stop()
}

#[test]
fn an_issuer_over_https_is_believed_by_the_authority_that_the_site_names_and_by_no_other()
-> anyhow::Result<()> {
    let plant = Plant::with("https", "ca = \"issuer-ca.pem\"")?;
    let file = plant.site.site();
    let file = file.to_str().context("a path in UTF-8")?;
    let (trusted, stranger) = (Authority::new()?, Authority::new()?);
    std::fs::copy(trusted.certificate(), plant.site.path("issuer-ca.pem"))?;
    plant.command(&["user", "add", file, "ada", "--role", "admin"], &format!("{PASSWORD}\n"))?;
    let provider = |authority: &Authority| {
        let identity = authority.issue("issuer", "IP:127.0.0.1")?;
        let redirect = format!("http://127.0.0.1:{}/api/v1/session/oidc/callback", plant.port);
        let secrets = (HOST_SECRET, PROGRAM_SECRET);
        OpenIdProvider::secured(plant.issuer_port, &redirect, secrets, &identity, authority)
    };
    let mut false_one = provider(&stranger)?;
    let forged = false_one.own_token()?;
    let host = plant.host()?;
    let ada = password(&host)?;
    let away = hears(&host, &ada, "issuer-away", |_| true)?;
    ensure!(away["message"].as_str().is_some_and(|text| text.contains("certificate")), "{away}");
    ensure!(bearer(&host, &forged, "/api/v1/site")?.0 != 200, "its keys were never taken");
    false_one.kill()?;

    let mut provider = provider(&trusted)?;
    hears(&host, &ada, "issuer-back", |_| true)?;
    let (status, view) = bearer(&host, &provider.own_token()?, "/api/v1/session")?;
    ensure!(status == 200 && view["name"] == "oidc:historian", "{status} {view}");
    ensure!(bearer(&host, &forged, "/api/v1/site")?.0 == 401, "what the false one signed opens nothing");
    let login = Visitor::default().visit(&host.url("/api/v1/session/oidc"))?;
    let expect = format!("{}/", provider.issuer);
    ensure!(login.location.as_ref().is_some_and(|to| to.starts_with(&expect)), "{login:?}");
    host.stop()
}
