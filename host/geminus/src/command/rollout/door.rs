//! The way to the running host: where it listens, the token, TLS where the host speaks it, and answers in words when it
//! does not go well.

mod trust;

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use geminus_access::TOKEN_MARK;
use geminus_twin::Site;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

/// Where a host listens unless its site says otherwise.
const URL_DEFAULT: &str = "http://127.0.0.1:8080";
/// Longest time for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Longest time for an answer; the host gives up after 30 s itself.
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// Longest silence of an event stream; a living host says something every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Largest answer in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Largest token in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;

/// Which host.
#[derive(Debug, Default, Args)]
pub(crate) struct Door {
    /// Address of the host; that of the site unless given, else http://127.0.0.1:8080.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// The site's configuration: says where the host listens and where its token lies.
    #[arg(long, value_name = "FILE")]
    pub(in crate::command) site: Option<PathBuf>,
    /// File with the token; `token` in the site's data folder unless given. A host with users wants one that
    /// `geminus token add` has made.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// PEM file with the certificates that may vouch for the host, for https; the site's own certificate unless given.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
}

/// A host that can be asked.
#[derive(Debug)]
pub(in crate::command) struct Host {
    url: String,
    token_file: Option<PathBuf>,
    agent: Agent,
}

impl Door {
    /// Works out where the host is. Nothing is sent.
    pub(in crate::command) fn host(&self) -> anyhow::Result<Host> {
        let site = self.site.as_deref().map(Site::load).transpose()?;
        let url = match (&self.url, &site) {
            (Some(url), _) => checked(url)?,
            (None, Some(site)) => url_of(&site.document.http.listen, site.document.http.tls.is_some())?,
            (None, None) => URL_DEFAULT.to_owned(),
        };
        let own = site
            .as_ref()
            .and_then(|site| site.document.http.tls.as_ref().map(|tls| site.beside(&tls.certificate)));
        let trusted = self.ca.clone().or(own);
        let beside = site.map(|site| site.data_folder().join("token"));
        let config = Agent::config_builder()
            // The host is near; a proxy between could not be told from it.
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_recv_response(Some(ANSWER_MAX))
            .timeout_per_read(Some(SILENCE_MAX));
        let config = match url.starts_with("https://") {
            true => config.tls_config(trust::config(trusted.as_deref())?).build(),
            false => config.build(),
        };
        Ok(Host { url, token_file: self.token_file.clone().or(beside), agent: config.into() })
    }
}

/// Without the slash at its end.
fn checked(url: &str) -> anyhow::Result<String> {
    let wrong = || anyhow!("{url} is no address of a host: give http(s)://ADDRESS:PORT and nothing after it");
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let rest = rest.trim_end_matches('/');
    let odd = rest.is_empty() || rest.contains(['/', '?', '#', '@', ' ']);
    match odd || !["http", "https"].contains(&scheme) {
        true => Err(wrong()),
        false => Ok(format!("{scheme}://{rest}")),
    }
}

/// Where to reach what listens there: an address that stands for all of them is reached by loopback.
fn url_of(listen: &str, tls: bool) -> anyhow::Result<String> {
    let mut address: SocketAddr = listen.parse().with_context(|| format!("http.listen is {listen}"))?;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    Ok(format!("{}://{address}", if tls { "https" } else { "http" }))
}

impl Host {
    /// The JSON at this path.
    pub(in crate::command) fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.read(self.known(self.agent.get(format!("{}{path}", self.url))).call())
    }

    /// The answer to an order, which needs the token.
    pub(in crate::command) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = serde_json::to_vec(body).context("the request as JSON")?;
        let answer = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token()?))
            .header("content-type", "application/json")
            .send(&body[..]);
        self.read(answer)
    }

    /// The answer to a question that has a body, with the token where there is one.
    pub(in crate::command) fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = serde_json::to_vec(body).context("the request as JSON")?;
        let request =
            self.agent.post(format!("{}{path}", self.url)).header("content-type", "application/json");
        let token = self.token_file.as_deref().and_then(|path| read_token(path).ok());
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        self.read(request.send(&body[..]))
    }

    /// An open event stream that goes on after the event `last`, or from now.
    pub(super) fn events(&self, last: Option<&str>) -> anyhow::Result<impl BufRead + use<>> {
        let mut request = self.known(self.agent.get(format!("{}/api/v1/events", self.url)));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.call().map_err(|error| self.unreachable(&error))?;
        match answer.status().as_u16() {
            200 => Ok(BufReader::new(answer.into_body().into_reader())),
            _ => Err(self.refusal(answer)),
        }
    }

    /// Whether the token is one with a name, which a host with users knows.
    pub(in crate::command) fn has_named_token(&self) -> bool {
        self.named_token().is_some()
    }

    fn named_token(&self) -> Option<String> {
        let token = self.token_file.as_deref().and_then(|path| read_token(path).ok());
        token.filter(|token| token.starts_with(TOKEN_MARK))
    }

    /// A question with the token, where a host could want one for it.
    fn known(&self, request: RequestBuilder<WithoutBody>) -> RequestBuilder<WithoutBody> {
        match self.named_token() {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn token(&self) -> anyhow::Result<String> {
        let path = self.token_file.as_deref().context(
            "this needs the host's token: give --site SITE.toml or --token-file FILE (`geminus run` prints where the \
             token is)",
        )?;
        read_token(path)
    }

    fn read<T: DeserializeOwned>(&self, answer: Result<Response<Body>, ureq::Error>) -> anyhow::Result<T> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            return Err(self.refusal(answer));
        }
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|error| anyhow!("the answer of {} broke off: {error}", self.url))?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} answers otherwise than this command understands: is it a Geminus host of this version?",
                self.url
            )
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        anyhow!(
            "no host answers at {}: is it running? ({error}); --url or --site say where it listens",
            self.url
        )
    }

    /// The host's own words, where it is one.
    fn refusal(&self, mut answer: Response<Body>) -> anyhow::Error {
        let status = answer.status();
        let text =
            answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().unwrap_or_default();
        let view: Value = serde_json::from_str(&text).unwrap_or_default();
        let token = self.token_file.as_deref().map(|path| format!(" (token read from {})", path.display()));
        match (status.as_u16(), view.pointer("/error/message").and_then(Value::as_str)) {
            (401, Some(message)) => anyhow!("{message}{}", token.unwrap_or_default()),
            (_, Some(message)) => anyhow!("{message}"),
            (_, None) => anyhow!("what answers at {} is no Geminus host: it says {status}", self.url),
        }
    }
}

fn read_token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the token cannot be read from {}", path.display()))?;
    let token = text.trim();
    let plain = token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|byte| byte.is_ascii_graphic());
    match plain && !token.is_empty() {
        true => Ok(token.to_owned()),
        false => bail!("{} does not hold a token", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_hosts() {
        for (url, expect) in [
            ("http://127.0.0.1:8630", Some("http://127.0.0.1:8630")),
            ("http://pump-house.example:80/", Some("http://pump-house.example:80")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("127.0.0.1:8630", None),
            ("https://127.0.0.1", Some("https://127.0.0.1")),
            ("ftp://127.0.0.1", None),
            ("http://", None),
            ("http://host/api", None),
            ("http://user@host", None),
        ] {
            assert_eq!(checked(url).ok().as_deref(), expect, "{url}");
        }
        for (listen, expect) in [
            ("127.0.0.1:8630", "http://127.0.0.1:8630"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("192.168.1.7:80", "http://192.168.1.7:80"),
        ] {
            assert_eq!(url_of(listen, false).expect("address"), expect, "{listen}");
        }
        assert_eq!(url_of("[::]:443", true).expect("address"), "https://[::1]:443");
    }

    #[test]
    fn a_site_says_where_its_host_and_its_token_are() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("types")).expect("types");
        let path = folder.path().join("site.toml");
        let text = "[site]\nname = \"x\"\n[http]\nlisten = \"0.0.0.0:7777\"\n";
        std::fs::write(&path, text).expect("site");
        let door = Door { site: Some(path), ..Door::default() };
        let host = door.host().expect("host");
        assert_eq!(host.url, "http://127.0.0.1:7777");
        let token = folder.path().join("data").join("token");
        assert_eq!(host.token_file.as_deref(), Some(token.as_path()));
        assert_eq!(Door::default().host().expect("host").url, "http://127.0.0.1:8080");
    }

    #[test]
    fn a_token_is_one_word() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("token");
        for (text, fine) in [("abc\n", true), ("", false), ("a b", false), ("a\nb", false), ("é", false)] {
            std::fs::write(&path, text).expect("token");
            assert_eq!(read_token(&path).is_ok(), fine, "{text:?}");
        }
        let missing = folder.path().join("none");
        assert!(format!("{:#}", read_token(&missing).expect_err("missing")).contains("none"));
    }
}
