//! A small issuer of our own, on a thread of the test: it answers what it is asked, checks what an issuer must check, signs with
//! keys made on the spot, and can be told to misbehave. It shares no code with what is tested but the numbers of the standard.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

pub(super) const CLIENT: &str = "geminus test";
pub(super) const SECRET: &str = "a secret: with signs %&+";

/// A key that signs.
pub(super) enum Signer {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// Made by OpenSSL: ring makes none.
    pub(super) fn rsa(bits: u32) -> Self {
        let bits = format!("rsa_keygen_bits:{bits}");
        let made = Command::new("openssl")
            .args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", &bits])
            .output()
            .expect("openssl is needed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // As PEM: older versions write another format as DER.
        let pem = String::from_utf8(made.stdout).expect("PEM");
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).expect("base64");
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(&der).expect("a key")))
    }

    pub(super) fn ec() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).expect("a key"))
    }

    pub(super) fn ed() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key"))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                match algorithm {
                    "PS256" => key.sign(&RSA_PSS_SHA256, &random, message, &mut signature),
                    _ => key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature),
                }
                .expect("signed");
                signature
            }
            Self::Ec(key) => key.sign(&random, message).expect("signed").as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// The public half as a JWK.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(key) => {
                let parts: PublicKeyComponents<Vec<u8>> = key.public().into();
                json!({"kty": "RSA", "use": "sig", "kid": kid, "n": text(&parts.n), "e": text(&parts.e)})
            }
            Self::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid, "x": text(x), "y": text(y)})
            }
            Self::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(key.public_key().as_ref())})
            }
        }
    }

    /// A token with this header and these claims.
    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.sign(header["alg"].as_str().unwrap_or_default(), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Header and claims as they are signed.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// How it is today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Takes the connection and says nothing.
    Silent,
    /// Says more than anybody wants to read.
    Giant,
    /// Answers everything with this status.
    Failing(u16),
    /// Sends everybody elsewhere.
    Elsewhere,
}

pub(super) struct State {
    pub(super) mood: Mood,
    pub(super) keys: Value,
    /// Challenge and token of each code that was given.
    codes: HashMap<String, (String, String)>,
    /// Whether our secret must come in the header.
    pub(super) basic: bool,
    /// Paths that were asked for.
    pub(super) asked: Vec<String>,
}

/// It listens as long as the test runs.
pub(super) struct TestIssuer {
    pub(super) name: String,
    state: Arc<Mutex<State>>,
}

impl TestIssuer {
    pub(super) fn start(keys: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let name = format!("http://{}/realms/plant", listener.local_addr().expect("address"));
        let state = State { mood: Mood::Well, keys, codes: HashMap::new(), basic: true, asked: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let (own, at) = (Arc::clone(&state), name.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, at) = (Arc::clone(&own), at.clone());
                // A client that hangs up is its own affair.
                std::thread::spawn(move || answer(stream, &state, &at).unwrap_or_default());
            }
        });
        Self { name, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody logs in at the address that a login began with: gives state, nonce and the code for `token`, which is made when
    /// the nonce is known.
    pub(super) fn log_in(&self, url: &str, token: impl FnOnce(&str) -> String) -> (String, String) {
        let (at, query) = url.split_once('?').expect("a query");
        assert_eq!(at, format!("{}/auth", self.name));
        let given: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let expect = [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("code_challenge_method", "S256"),
            ("scope", "openid profile"),
        ];
        for (name, value) in expect {
            assert_eq!(given[name], value, "{name}");
        }
        let code = format!("code {}", self.state().codes.len());
        let token = token(&given["nonce"]);
        self.state().codes.insert(code.clone(), (given["code_challenge"].clone(), token));
        (given["state"].clone(), code)
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>, name: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let of = |name: &str| {
        let found = head.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    };
    let mut body = vec![0; of("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let mood = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked.push(path.clone());
        state.mood
    };
    let (status, text) = match mood {
        // Until whoever asked has had enough.
        Mood::Silent => return reader.read_to_end(&mut Vec::new()).map(drop),
        Mood::Failing(status) => (status, "{}".to_owned()),
        Mood::Giant => (200, format!("\"{}\"", "x".repeat(1 << 20))),
        Mood::Elsewhere => (302, "{}".to_owned()),
        Mood::Well => well(&path, &String::from_utf8_lossy(&body), &of("authorization"), state, name),
    };
    let stream = reader.get_mut();
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\nLocation: {name}/other\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    )?;
    stream.flush()
}

fn well(path: &str, body: &str, authorization: &str, state: &Mutex<State>, name: &str) -> (u16, String) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    match path.strip_prefix("/realms/plant").unwrap_or_default() {
        "/.well-known/openid-configuration" => {
            let method = if state.basic { "client_secret_basic" } else { "client_secret_post" };
            let document = json!({
                "issuer": name, "authorization_endpoint": format!("{name}/auth"),
                "token_endpoint": format!("{name}/token"), "jwks_uri": format!("{name}/keys"),
                "token_endpoint_auth_methods_supported": [method],
                "code_challenge_methods_supported": ["S256"],
            });
            (200, document.to_string())
        }
        "/keys" => (200, json!({"keys": state.keys}).to_string()),
        "/token" => {
            let given: HashMap<String, String> =
                form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            let of = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
            let known = match state.basic {
                true => {
                    let encoded =
                        |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                    let pair = STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)));
                    authorization == format!("Basic {pair}") && !given.contains_key("client_secret")
                }
                false => of("client_id") == CLIENT && of("client_secret") == SECRET,
            };
            if !known {
                return (401, json!({"error": "invalid_client"}).to_string());
            }
            // A code counts once.
            let Some((challenge, token)) = state.codes.remove(of("code")) else {
                return (400, json!({"error": "invalid_grant"}).to_string());
            };
            let shown = ring::digest::digest(&ring::digest::SHA256, of("code_verifier").as_bytes());
            let good = of("grant_type") == "authorization_code"
                && of("redirect_uri").ends_with("/api/v1/session/oidc/callback")
                && URL_SAFE_NO_PAD.encode(shown) == challenge;
            match good {
                true => (
                    200,
                    json!({"id_token": token, "access_token": "opaque", "token_type": "Bearer"}).to_string(),
                ),
                false => (400, json!({"error": "invalid_grant"}).to_string()),
            }
        }
        _ => (404, "{}".to_owned()),
    }
}
