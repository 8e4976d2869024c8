//! The issuer as the gate sees it: what is known of it, when it is asked again, and how a login goes.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use geminus_access::{Answered, Begun, Issuer, IssuerError, Now, Secret, Vouched};
use serde::Deserialize;

use crate::OidcError;
use crate::claims::{self, Names};
use crate::discovery::{Endpoints, discover};
use crate::fetch::Line;
use crate::keys::Keys;
use crate::pending::Pending;
use crate::settings::{Settings, SettingsError};
use crate::token::{self, Purpose};

/// Shortest time between two questions for keys, whoever brings what.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// Age of the keys at which they are got anew without anybody needing it, so that what the issuer has withdrawn ends here too.
const KEYS_FRESH: Duration = Duration::from_secs(600);

/// What has become of the issuer, to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It cannot be asked, and why.
    Away(String),
    /// It answers again.
    Back,
}

/// What is known of the issuer.
#[derive(Debug, Default)]
struct Known {
    endpoints: Option<Endpoints>,
    keys: Option<Keys>,
    /// When it was asked last, on a clock that never goes back.
    asked: Option<Duration>,
    /// Why the last question came to nothing.
    fault: Option<String>,
    /// Whether that was told.
    told: bool,
}

/// See the module. One for the process, shared.
pub struct Provider {
    settings: Settings,
    line: Line,
    known: Mutex<Known>,
    pending: Mutex<Pending>,
    names: Mutex<Names>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.settings.issuer)
    }
}

/// What the issuer gives for a code. More than that is not kept, and none of it is shown.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// What it says instead.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Provider {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let line = Line::new(settings.ca.as_deref(), settings.patience)?;
        let (known, pending, names) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self { settings, line, known, pending, names })
    }

    /// The same, with names of subjects kept in a file, so that one person is one name over a restart too. Blocks on the disk.
    ///
    /// # Errors
    /// When the file cannot be read or made.
    pub fn keeping(self, names: &Path) -> std::io::Result<Self> {
        Ok(Self { names: Mutex::new(Names::open(names)?), ..self })
    }

    /// Looks after what is known: to be called every few seconds. Asks when nothing is known or it is getting old, and gives what
    /// there is to tell. Blocks on the network.
    pub fn tend(&self, now: Now) -> Option<Change> {
        let old = lock(&self.known).keys.as_ref().is_none_or(|keys| keys.age(now.monotonic) >= KEYS_FRESH);
        if old {
            self.fetch(now);
        }
        let mut known = lock(&self.known);
        match (&known.fault, known.told) {
            (Some(fault), false) => {
                let change = Change::Away(fault.clone());
                known.told = true;
                Some(change)
            }
            (None, true) => {
                known.told = false;
                Some(Change::Back)
            }
            (Some(_), true) | (None, false) => None,
        }
    }

    /// Whether asking again is not too early; from then on it is.
    fn may_ask(&self, now: Duration) -> bool {
        let mut known = lock(&self.known);
        let may = known.asked.is_none_or(|asked| now.saturating_sub(asked) >= ASK_AGAIN);
        if may {
            known.asked = Some(now);
        }
        may
    }

    fn read(&self, token: &[u8], purpose: Purpose<'_>, now: Now) -> Result<Vouched, OidcError> {
        let claims = {
            let known = lock(&self.known);
            let why = || known.fault.clone().unwrap_or_else(|| "it has not answered yet".to_owned());
            let keys = known.keys.as_ref().ok_or_else(|| OidcError::Away(why()))?;
            if keys.age(now.monotonic) >= self.settings.keys_age_max {
                return Err(OidcError::Stale(why()));
            }
            token::read(token, keys, &self.settings, purpose, now.wall)?
        };
        claims::vouched(&claims, &self.settings, purpose, &mut lock(&self.names))
    }

    /// Where to ask; asks the issuer first when it is not known.
    fn endpoints(&self, now: Now) -> Result<Endpoints, OidcError> {
        if lock(&self.known).endpoints.is_none() {
            self.fetch(now);
        }
        let known = lock(&self.known);
        let why = || known.fault.clone().unwrap_or_else(|| "it is being asked; try again".to_owned());
        known.endpoints.clone().ok_or_else(|| OidcError::Away(why()))
    }

    fn address(&self, endpoints: &Endpoints, begun: &crate::pending::Begun) -> String {
        let mut url = endpoints.authorization.clone();
        let scopes: Vec<&str> =
            std::iter::once("openid").chain(self.settings.scopes.iter().map(String::as_str)).collect();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client.id)
            .append_pair("redirect_uri", &self.settings.client.redirect)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", begun.state.reveal())
            .append_pair("nonce", begun.nonce.reveal())
            .append_pair("code_challenge", &challenge(&begun.verifier))
            .append_pair("code_challenge_method", "S256");
        url.into()
    }

    /// The token of a login, for its code.
    fn exchange(&self, endpoints: &Endpoints, code: &str, verifier: &Secret) -> Result<String, OidcError> {
        let client = &self.settings.client;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &client.redirect)
            .append_pair("code_verifier", verifier.reveal());
        let basic = client.secret.as_deref().filter(|_| endpoints.basic);
        if basic.is_none() {
            form.append_pair("client_id", &client.id);
            if let Some(secret) = &client.secret {
                form.append_pair("client_secret", secret);
            }
        }
        // RFC 6749, 2.3.1: each is encoded as in a form before they are joined.
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic =
            basic.map(|secret| STANDARD.encode(format!("{}:{}", encoded(&client.id), encoded(secret))));
        let answer = self.line.post(endpoints.token.as_str(), &form.finish(), basic.as_deref());
        let (status, body) = answer.map_err(OidcError::Away)?;
        match status {
            200 => {
                let tokens = serde_json::from_slice::<Tokens>(&body);
                tokens
                    .map(|tokens| tokens.id_token)
                    .map_err(|_| OidcError::Exchange("no id_token".to_owned()))
            }
            500.. => Err(OidcError::Away(format!("its token endpoint answered with {status}"))),
            _ => {
                let refusal = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.error);
                Err(OidcError::Exchange(refusal.map_or_else(|_| status.to_string(), |error| code_of(&error))))
            }
        }
    }
}

impl Issuer for Provider {
    fn title(&self) -> &str {
        &self.settings.title
    }

    fn name(&self) -> &str {
        &self.settings.issuer
    }

    fn is_token(&self, token: &[u8]) -> bool {
        token::looks(token)
    }

    fn wants_keys(&self, token: &[u8], now: Now) -> bool {
        // What is refused whatever the keys are makes nobody ask.
        let Ok(header) = token::header(token, &self.settings.algorithms) else { return false };
        if self.settings.audience.is_none() {
            return false;
        }
        let known = lock(&self.known);
        let lacks = known.keys.as_ref().is_none_or(|keys| {
            keys.age(now.monotonic) >= self.settings.keys_age_max
                || header.kid.as_deref().is_some_and(|kid| !keys.has(kid))
        });
        lacks && known.asked.is_none_or(|asked| now.monotonic.saturating_sub(asked) >= ASK_AGAIN)
    }

    fn fetch(&self, now: Now) {
        if !self.may_ask(now.monotonic) {
            return;
        }
        let found = discover(&self.line, &self.settings.issuer).and_then(|endpoints| {
            let text = self.line.get(endpoints.keys.as_str())?;
            let keys = Keys::read(&text, now.monotonic);
            Ok((endpoints, keys.map_err(|why| format!("its keys cannot be used: {why}"))?))
        });
        let mut known = lock(&self.known);
        match found {
            Ok((endpoints, keys)) => {
                (known.endpoints, known.keys, known.fault) = (Some(endpoints), Some(keys), None);
            }
            // What was known before counts on.
            Err(fault) => known.fault = Some(fault),
        }
    }

    fn vouch(&self, token: &[u8], now: Now) -> Result<Vouched, IssuerError> {
        Ok(self.read(token, Purpose::Access, now)?)
    }

    fn begin(&self, address: IpAddr, now: Now) -> Result<Begun, IssuerError> {
        let endpoints = self.endpoints(now)?;
        let begun = lock(&self.pending).begin(address, now.monotonic)?;
        Ok(Begun { url: self.address(&endpoints, &begun), binding: begun.binding })
    }

    fn finish(&self, answered: Answered<'_>, now: &dyn Fn() -> Now) -> Result<Vouched, IssuerError> {
        let Answered { state, binding, code, issuer } = answered;
        let login = lock(&self.pending).take(state, binding, now().monotonic)?;
        if issuer.is_some_and(|issuer| issuer != self.settings.issuer) {
            return Err(OidcError::Issuer.into());
        }
        let code = code.map_err(|refusal| OidcError::Denied(code_of(refusal)))?;
        let endpoints = self.endpoints(now())?;
        let token = self.exchange(&endpoints, code, &login.verifier)?;
        let purpose = Purpose::Login { nonce: login.nonce.reveal() };
        let read = || self.read(token.as_bytes(), purpose, now());
        match read() {
            // Its keys may have changed since they were got.
            Err(OidcError::Key(_) | OidcError::Stale(_) | OidcError::Away(_)) => {
                self.fetch(now());
                Ok(read()?)
            }
            done => Ok(done?),
        }
    }
}

/// What the issuer sees of a verifier before it is shown (RFC 7636).
pub(crate) fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(verifier.digest().bytes())
}

/// A code of an error as the standards write them. Anything else could be anything and is not repeated.
fn code_of(text: &str) -> String {
    let plain = text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plain && !text.is_empty() { text.to_owned() } else { "for a reason of its own".to_owned() }
}
