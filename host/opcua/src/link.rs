//! One session with a server: from its address to a line that stands, every step with a deadline, and what becomes of it.
//!
//! The library connects again by itself when the line breaks, to the same session if the server still has it; this part
//! tells whoever holds the [`Link`] and decides nothing. Its own handling of subscriptions is left alone: after a
//! reconnect it waits for ever (decision 0006), so [`crate::reader`] asks for messages itself.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use geminus_core::Timestamp;
use opcua::client::services::{DeleteSubscriptions, Read};
use opcua::client::{Client, ClientBuilder, Session, SessionConnectMode, SessionPollResult, UARequest};
use opcua::crypto::X509;
use opcua::types::{
    EndpointDescription, Error, NamespaceMap, NodeId, ReadValueId, StatusCode, UserTokenType, VariableId,
    Variant,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::options::OpcUaOptions;
use crate::pki::{APPLICATION_URI, Certificate, OWN_CERTIFICATE, OWN_KEY, Pki, PkiError, Verdict};
use crate::{Security, User, status, time};

/// How long one step of connecting may take: to be told the endpoints, to open a session, to be answered.
pub(crate) const STEP_MAX: Duration = Duration::from_secs(10);
/// How long a goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
/// Silence after which the line is tried; and how many tries in a row must fail before it is given up.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const KEEP_ALIVES_FAILED_MAX: u64 = 2;
/// How often it is looked whether the server of a line that stands is still trusted.
const TRUST_EVERY: Duration = Duration::from_secs(5);
/// Waits between attempts to get a broken line back.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));
/// How long the server keeps a session whose line is broken.
pub(crate) const SESSION: Duration = Duration::from_mins(1);
/// What one message of a server may hold: the values of the largest subscription, in one.
const ARRAY_MAX: usize = 200_000;
const STRING_BYTES_MAX: usize = 1 << 20;
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Endpoints of a server that are looked at.
const ENDPOINTS_MAX: usize = 200;
/// Notices that may wait for whoever holds the link.
const NOTICES: usize = 64;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the server did not answer in {max} s: {0}", max = STEP_MAX.as_secs())]
    Silent(&'static str),
    #[error("{what}: {}", status::name(*.code))]
    Refused { what: &'static str, code: StatusCode },
    #[error("the server has no endpoint with {policy} and {mode}: it offers {offers}")]
    NoEndpoint { policy: String, mode: String, offers: String },
    #[error("the server takes no {0} on that endpoint")]
    NoToken(&'static str),
    #[error("certificate {} of \"{}\" is not trusted: look at it and run `geminus certificate trust {}`", .0.thumbprint, .0.subject, .0.thumbprint)]
    Untrusted(Box<Certificate>),
    #[error("the server has another certificate than before: {} of \"{}\" instead of {before}; if that is right, run `geminus certificate trust {}`", .now.thumbprint, .now.subject, .now.thumbprint)]
    Changed { now: Box<Certificate>, before: String },
    #[error("certificate {0} of the server is not for this time: {1}")]
    Expired(String, String),
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error("the client cannot be set up: {0}")]
    Client(String),
}

/// What becomes of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The line is lost, and tried again.
    Lost(StatusCode),
    /// An attempt begins.
    Trying,
    /// An attempt has failed.
    Failed(StatusCode),
    /// The line is back, with a session that knows nothing of before, or the one of before.
    Back { anew: bool },
    /// There is no more.
    Ended(StatusCode),
}

/// One session. Dropping it hangs up.
pub(crate) struct Link {
    pub(crate) session: Arc<Session>,
    pub(crate) notices: mpsc::Receiver<Notice>,
    driver: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What takes its time. Boxed, because the compiler cannot see through the library's generic futures that they may move
/// between threads.
type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens a session. Must be called on a tokio runtime.
pub(crate) fn open(options: &OpcUaOptions, now: Timestamp) -> Later<'_, Result<Link, LinkError>> {
    Box::pin(begin(options, now))
}

async fn begin(options: &OpcUaOptions, now: Timestamp) -> Result<Link, LinkError> {
    let (pki, mut client) = client(options).await?;
    let endpoints = {
        let asked: Later<'_, Result<Vec<EndpointDescription>, Error>> =
            Box::pin(client.get_server_endpoints_from_url(options.endpoint.clone()));
        step("telling its endpoints", asked).await?
    };
    let endpoint = chosen(options, &endpoints)?;
    let trusted = match options.security {
        Security::None => None,
        Security::Secured(..) => Some(certificate(options, &pki, &endpoint, now)?),
    };
    let shown = endpoint.server_certificate.value.as_deref().unwrap_or_default().to_vec();
    let guard = trusted.is_some().then(|| (pki.clone(), shown));
    let (session, events) = client
        .connect_to_endpoint_directly(endpoint, options.user.token())
        .map_err(|error| refused("the session cannot be begun", &error))?;
    let (tell, notices) = mpsc::channel(NOTICES);
    let driver = tokio::spawn(drive(Box::pin(events.enter()), tell, guard));
    // From here on whoever drops it, us among them, hangs up.
    let mut link = Link { session, notices, driver };
    match tokio::time::timeout(STEP_MAX, link.opened()).await {
        Ok(opened) => opened?,
        Err(_) => return Err(LinkError::Silent("opening a session")),
    }
    if let Some(trusted) = trusted {
        pki.remember(&options.name, &trusted.thumbprint)?;
    }
    Ok(link)
}

async fn client(options: &OpcUaOptions) -> Result<(Pki, Client), LinkError> {
    let options = options.clone();
    let made = tokio::task::spawn_blocking(move || {
        let pki = Pki::open(&options.pki)?;
        pki.ensure_own()?;
        let client = ClientBuilder::new()
            .application_name("Geminus")
            .application_uri(APPLICATION_URI)
            .product_uri(APPLICATION_URI)
            .session_name(format!("geminus {}", options.name))
            .pki_dir(pki.folder())
            .certificate_path(OWN_CERTIFICATE)
            .private_key_path(OWN_KEY)
            .create_sample_keypair(false)
            .trust_server_certs(false)
            .verify_server_certs(options.check_host)
            .session_retry_limit(-1)
            .session_retry_initial(RETRY.0)
            .session_retry_max(RETRY.1)
            .session_timeout(u32::try_from(SESSION.as_millis()).unwrap_or(u32::MAX))
            .request_timeout(STEP_MAX)
            .keep_alive_interval(KEEP_ALIVE)
            .max_failed_keep_alive_count(KEEP_ALIVES_FAILED_MAX)
            .recreate_subscriptions(false)
            .max_array_length(ARRAY_MAX)
            .max_string_length(STRING_BYTES_MAX)
            .max_byte_string_length(STRING_BYTES_MAX)
            .max_message_size(MESSAGE_BYTES_MAX)
            .max_chunk_count(0)
            .client()
            .map_err(|reasons| LinkError::Client(reasons.join("; ")))?;
        Ok((pki, client))
    });
    made.await.map_err(|error| LinkError::Client(error.to_string()))?
}

fn chosen(
    options: &OpcUaOptions,
    endpoints: &[EndpointDescription],
) -> Result<EndpointDescription, LinkError> {
    let (policy, mode) = (options.security.policy(), options.security.mode());
    let endpoints = endpoints.get(..ENDPOINTS_MAX).unwrap_or(endpoints);
    // The host that a server thinks it has may be one that only it can reach: ours is put in.
    let found = Client::find_matching_endpoint(endpoints, &options.endpoint, policy, mode);
    let Some(mut endpoint) = found else {
        let offer = |one: &EndpointDescription| {
            let uri = one.security_policy_uri.as_ref();
            format!("{} {:?}", uri.rsplit('#').next().unwrap_or(uri), one.security_mode)
        };
        let mut offers: Vec<String> = endpoints.iter().map(offer).collect();
        offers.sort_unstable();
        offers.dedup();
        let offers: String = offers.join(", ").chars().filter(|c| !c.is_control()).take(400).collect();
        return Err(LinkError::NoEndpoint { policy: policy.to_string(), mode: format!("{mode:?}"), offers });
    };
    endpoint.endpoint_url = reached(&options.endpoint, endpoint.endpoint_url.as_ref()).into();
    let (wanted, words) = match options.user {
        User::Anonymous => (UserTokenType::Anonymous, "anonymous user"),
        User::Named { .. } => (UserTokenType::UserName, "user with a password"),
    };
    let open = endpoint.user_identity_tokens.as_ref().is_none_or(Vec::is_empty);
    let mut takes = wanted == UserTokenType::Anonymous && open;
    for token in endpoint.user_identity_tokens.iter_mut().flatten() {
        takes |= token.token_type == wanted;
        // Empty means "that of the endpoint", which the library takes for "none".
        if token.security_policy_uri.is_empty() {
            token.security_policy_uri = endpoint.security_policy_uri.clone();
        }
    }
    if takes { Ok(endpoint) } else { Err(LinkError::NoToken(words)) }
}

/// The address of an endpoint, with host and port by which the server was reached: those that it gives may lead past what
/// stands between, or nowhere.
fn reached(asked: &str, said: &str) -> String {
    let after = |url: &str| url.split_once("://").map_or(url, |(_, rest)| rest).to_owned();
    let (asked, said) = (after(asked), after(said));
    let authority = asked.split('/').next().unwrap_or_default();
    let path = said.find('/').and_then(|at| said.get(at..)).unwrap_or_default();
    format!("opc.tcp://{authority}{path}")
}

fn certificate(
    options: &OpcUaOptions,
    pki: &Pki,
    endpoint: &EndpointDescription,
    now: Timestamp,
) -> Result<Certificate, LinkError> {
    let der = endpoint.server_certificate.value.as_deref().unwrap_or_default();
    let verdict = pki.judge(&options.name, der)?;
    let shown = pki.saw((&options.name, &options.endpoint), &verdict.certificate().thumbprint, now);
    if let Err(error) = shown {
        tracing::warn!(%error, "which server showed the certificate is not remembered");
    }
    let trusted = match verdict {
        Verdict::Trusted(trusted) => trusted,
        Verdict::Unknown(unknown) => return Err(LinkError::Untrusted(Box::new(unknown))),
        Verdict::Changed { now, before } => return Err(LinkError::Changed { now: Box::new(now), before }),
    };
    // Where the host is not checked, the library checks no time either.
    if !options.check_host {
        let certificate = X509::from_der(der).map_err(|_| PkiError::NotOne)?;
        if let Err(error) = certificate.is_time_valid(&time::date_time(now).as_chrono()) {
            return Err(LinkError::Expired(trusted.thumbprint, status::name(error.status())));
        }
    }
    Ok(trusted)
}

async fn step<T>(what: &'static str, done: Later<'_, Result<T, Error>>) -> Result<T, LinkError> {
    match tokio::time::timeout(STEP_MAX, done).await {
        Ok(done) => done.map_err(|error| refused(what, &error)),
        Err(_) => Err(LinkError::Silent(what)),
    }
}

fn refused(what: &'static str, error: &Error) -> LinkError {
    LinkError::Refused { what, code: error.status() }
}

type Events<S> = Pin<Box<S>>;

/// The certificate of a server, and where it is kept whether it is trusted.
type Guard = (Pki, Vec<u8>);

/// Comes when the server is not trusted any more; never where it need not be.
async fn distrusted(guard: Option<Guard>) {
    let Some((pki, der)) = guard else { return std::future::pending().await };
    let (mut tick, der) = (tokio::time::interval(TRUST_EVERY), Arc::new(der));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let (pki, der) = (pki.clone(), Arc::clone(&der));
        // One that could not be asked says nothing.
        if let Ok(false) = tokio::task::spawn_blocking(move || pki.trusts(&der)).await {
            return;
        }
    }
}

/// Turns the library's events into notices, and by that keeps the session going.
async fn drive<S>(mut events: Events<S>, tell: mpsc::Sender<Notice>, guard: Option<Guard>)
where
    S: futures_util::Stream<Item = Result<SessionPollResult, StatusCode>> + Send,
{
    let mut distrusted = std::pin::pin!(distrusted(guard));
    loop {
        let next = tokio::select! {
            next = events.try_next() => next,
            () = &mut distrusted => Err(StatusCode::BadCertificateUntrusted),
        };
        let notice = match next {
            Ok(Some(SessionPollResult::ConnectionLost(code))) => Notice::Lost(code),
            Ok(Some(SessionPollResult::BeginConnect)) => Notice::Trying,
            Ok(Some(SessionPollResult::ReconnectFailed(code))) => Notice::Failed(code),
            Ok(Some(SessionPollResult::Reconnected(mode))) => {
                Notice::Back { anew: matches!(mode, SessionConnectMode::NewSession(_)) }
            }
            Ok(Some(_)) => continue,
            Ok(None) => Notice::Ended(StatusCode::BadConnectionClosed),
            Err(code) => Notice::Ended(code),
        };
        let last = matches!(notice, Notice::Ended(_));
        if tell.send(notice).await.is_err() || last {
            return;
        }
    }
}

impl Link {
    /// Waits until the session is there, or is refused.
    async fn opened(&mut self) -> Result<(), LinkError> {
        loop {
            let code = match self.notices.recv().await {
                Some(Notice::Back { .. }) => return Ok(()),
                Some(Notice::Trying) => continue,
                Some(Notice::Failed(code) | Notice::Ended(code) | Notice::Lost(code)) => code,
                None => StatusCode::BadConnectionClosed,
            };
            return Err(LinkError::Refused { what: "opening a session", code });
        }
    }

    /// Sends one request and waits for its answer, not for ever.
    pub(crate) fn ask<'a, R>(&'a self, request: R) -> Later<'a, Result<R::Out, Error>>
    where
        R: UARequest + 'a,
        R::Out: 'a,
    {
        ask(&self.session, request)
    }

    /// The namespaces of the server and their numbers.
    pub(crate) async fn namespaces(&self) -> Result<NamespaceMap, Error> {
        let node: NodeId = VariableId::Server_NamespaceArray.into();
        let response = self.ask(Read::new(&self.session).node(ReadValueId::from(node))).await?;
        let value = response.results.into_iter().flatten().next().and_then(|one| one.value);
        match value {
            Some(Variant::Array(array)) => NamespaceMap::new_from_variant_array(&array.values)
                .map_err(|_| Error::new(StatusCode::BadUnknownResponse, "the namespaces cannot be read")),
            _ => Err(Error::new(StatusCode::BadNoValue, "the server has no namespaces")),
        }
    }

    /// Hangs up without a word, and waits until the connection is gone with all that was to be sent on it.
    pub(crate) async fn hang_up(mut self) {
        self.driver.abort();
        // An error is the end that was asked for.
        drop((&mut self.driver).await);
    }

    /// Takes leave: the server forgets the subscription and the session.
    pub(crate) async fn goodbye(self, subscription: Option<u32>) {
        let leave = async {
            if let Some(id) = subscription {
                let request = DeleteSubscriptions::new(&self.session).subscription(id);
                drop(self.ask(request).await);
            }
            let disconnected: Later<'_, Result<(), Error>> = Box::pin(self.session.disconnect());
            drop(disconnected.await);
        };
        if tokio::time::timeout(GOODBYE_MAX, leave).await.is_err() {
            tracing::debug!("the server did not answer the goodbye");
        }
    }
}

/// Sends one request and waits for its answer, not for ever.
pub(crate) fn ask<'a, R>(session: &'a Session, request: R) -> Later<'a, Result<R::Out, Error>>
where
    R: UARequest + 'a,
    R::Out: 'a,
{
    let answer = request.send(session.channel());
    Box::pin(async move {
        match tokio::time::timeout(STEP_MAX, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::new(StatusCode::BadTimeout, "the server did not answer")),
        }
    })
}

#[cfg(test)]
mod tests;
