//! An OpenID provider, `tests/peers/oidc/issuer.mjs`, of a library that is certified and not ours; and a browser's part in a
//! login: it follows where it is sent and keeps what it is given.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::certificates::{Authority, Identity};
use super::http::asking_step_by_step;
use super::place::repository;
use super::question::PATIENCE;

/// Most steps from the beginning of a login to its end.
const STEPS_MAX: usize = 10;

/// The provider; killed when dropped.
#[derive(Debug)]
pub struct OpenIdProvider {
    child: Child,
    said: Receiver<Value>,
    /// Its address, and its name as an issuer.
    pub issuer: String,
}

impl OpenIdProvider {
    /// Starts it on this loopback port, with keys that nobody has seen; it sends browsers back to `redirect`, and knows the host
    /// and a program by these secrets.
    ///
    /// # Errors
    /// When Node.js or the peer's packages are missing.
    pub fn start(port: u16, redirect: &str, host: &str, program: &str) -> anyhow::Result<Self> {
        Self::run(port, redirect, (host, program), None)
    }

    /// The same over https, with this certificate, that this authority has signed.
    ///
    /// # Errors
    /// As [`OpenIdProvider::start`].
    pub fn secured(
        port: u16,
        redirect: &str,
        (host, program): (&str, &str),
        identity: &Identity,
        authority: &Authority,
    ) -> anyhow::Result<Self> {
        Self::run(port, redirect, (host, program), Some((identity, authority)))
    }

    fn run(
        port: u16,
        redirect: &str,
        (host, program): (&str, &str),
        tls: Option<(&Identity, &Authority)>,
    ) -> anyhow::Result<Self> {
        let folder = repository().join("tests/peers/oidc");
        ensure!(
            folder.join("node_modules").is_dir(),
            "the OpenID provider is not installed: run tests/run, or `npm ci` in tests/peers/oidc"
        );
        let mut command = Command::new("node");
        if let Some((identity, authority)) = tls {
            command.env("GEMINUS_CERTIFICATE", &identity.certificate).env("GEMINUS_KEY", &identity.key);
            command.env("NODE_EXTRA_CA_CERTS", authority.certificate());
        }
        let mut child = command
            .arg(folder.join("issuer.mjs"))
            .args([&port.to_string(), redirect])
            .env("GEMINUS_SECRET", host)
            .env("HISTORIAN_SECRET", program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("node cannot be started: install Node.js")?;
        let lines = BufReader::new(child.stdout.take().context("standard output")?).lines();
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The library writes there too.
                let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let provider = Self { child, said, issuer: format!("{scheme}://127.0.0.1:{port}") };
        provider.says("ready")?;
        Ok(provider)
    }

    /// Whoever logs in next is this one.
    ///
    /// # Errors
    /// When it has ended.
    pub fn be(&mut self, subject: &str, name: &str, groups: &[&str]) -> anyhow::Result<()> {
        let who = json!({"sub": subject, "preferred_username": name, "groups": groups});
        self.tell("be", &json!({"do": "be", "who": who})).map(drop)
    }

    /// Programs are in these groups from now on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn readers(&mut self, groups: &[&str]) -> anyhow::Result<()> {
        self.tell("readers", &json!({"do": "readers", "groups": groups})).map(drop)
    }

    /// An access token for the program `historian`.
    ///
    /// # Errors
    /// When it gives none.
    pub fn token(&self, secret: &str) -> anyhow::Result<String> {
        let form = [("grant_type", "client_credentials"), ("resource", "urn:geminus")];
        let request = asking_step_by_step().post(format!("{}/token", self.issuer));
        let mut answer = request.header("authorization", basic("historian", secret)).send_form(form)?;
        let view: Value = answer.body_mut().read_json()?;
        Ok(view["access_token"].as_str().with_context(|| format!("no token: {view}"))?.to_owned())
    }

    /// The same, which it asks of itself: over https as well.
    ///
    /// # Errors
    /// When it gives none.
    pub fn own_token(&mut self) -> anyhow::Result<String> {
        let said = self.tell("token", &json!({"do": "token"}))?;
        Ok(said["token"].as_str().with_context(|| format!("no token: {said}"))?.to_owned())
    }

    fn tell(&mut self, deed: &str, order: &Value) -> anyhow::Result<Value> {
        let stdin = self.child.stdin.as_mut().context("standard input")?;
        writeln!(stdin, "{order}").context("the provider has ended")?;
        self.says(deed)
    }

    fn says(&self, expect: &str) -> anyhow::Result<Value> {
        match self.said.recv_timeout(PATIENCE) {
            Ok(said) if said["said"] == expect => Ok(said),
            Ok(said) => bail!("the provider was to say {expect}, and said {said}"),
            Err(RecvTimeoutError::Timeout) => bail!("the provider has not said {expect}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the provider has ended before it said {expect}"),
        }
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        // Already ended by `kill`; then both calls fail and nothing is lost.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An answer that a visitor got.
#[derive(Debug)]
pub struct Visit {
    /// Where it is from.
    pub url: String,
    /// Its status.
    pub status: u16,
    /// Where it leads, if somewhere.
    pub location: Option<String>,
    /// Its body.
    pub text: String,
}

/// Goes where it is sent, step by step, and keeps the cookies of each host and port apart, as no browser does: names differ here.
#[derive(Debug, Default)]
pub struct Visitor {
    jar: BTreeMap<String, BTreeMap<String, String>>,
    /// What was set, in its own words.
    pub set: Vec<String>,
}

impl Visitor {
    /// One step.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn visit(&mut self, url: &str) -> anyhow::Result<Visit> {
        let origin = origin(url)?;
        let kept = self.jar.entry(origin.clone()).or_default();
        let cookies: Vec<String> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = asking_step_by_step().get(url).header("accept", "text/html");
        let request = match cookies.is_empty() {
            true => request,
            false => request.header("cookie", cookies.join("; ")),
        };
        let mut answer = request.call()?;
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str()?;
            self.set.push(set.to_owned());
            let pair = set.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie")?;
            match value {
                "" => drop(kept.remove(name)),
                value => drop(kept.insert(name.to_owned(), value.to_owned())),
            }
        }
        let location = answer.headers().get("location").and_then(|to| to.to_str().ok());
        let location =
            location.map(|to| if to.starts_with('/') { format!("{origin}{to}") } else { to.to_owned() });
        let status = answer.status().as_u16();
        Ok(Visit { url: url.to_owned(), status, location, text: answer.body_mut().read_to_string()? })
    }

    /// Steps until the next one would lead to an address that `ends`, or nowhere: gives the last answer.
    ///
    /// # Errors
    /// When it never ends.
    pub fn follow(&mut self, url: &str, ends: impl Fn(&str) -> bool) -> anyhow::Result<Visit> {
        let mut at = url.to_owned();
        for _ in 0..STEPS_MAX {
            let visit = self.visit(&at)?;
            match visit.location.clone() {
                Some(next) if !ends(&next) => at = next,
                _ => return Ok(visit),
            }
        }
        bail!("{url} leads on and on")
    }

    /// A cookie of the host and port of this address, as `name=value`.
    #[must_use]
    pub fn cookie(&self, url: &str, name: &str) -> Option<String> {
        let value = self.jar.get(&origin(url).ok()?)?.get(name)?;
        Some(format!("{name}={value}"))
    }
}

/// `http://host:port`
fn origin(url: &str) -> anyhow::Result<String> {
    let (scheme, rest) = url.split_once("://").context("an address")?;
    Ok(format!("{scheme}://{}", rest.split('/').next().unwrap_or_default()))
}

/// The header of name and secret, neither with signs that a form would encode.
fn basic(name: &str, secret: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let pair = format!("{name}:{secret}");
    let coded = pair.as_bytes().chunks(3).flat_map(|part| {
        let bits =
            part.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        (0..4).map(move |n| match n <= part.len() {
            true => char::from(DIGITS[(bits >> (18 - 6 * n) & 63) as usize]),
            false => '=',
        })
    });
    format!("Basic {}", coded.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_written_in_base64() {
        for (name, secret, expect) in [("a", "b", "YTpi"), ("a", "bc", "YTpiYw=="), ("a", "bcd", "YTpiY2Q=")]
        {
            assert_eq!(basic(name, secret), format!("Basic {expect}"));
        }
    }
}
