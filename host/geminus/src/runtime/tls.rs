//! The certificate of the page and the API: read from its files at the start, and again when they change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use geminus_api::Tls;
use geminus_core::{Digest, Event, Severity};

use super::chronicle::Chronicle;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Largest certificate or key.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where certificate and key are.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

/// The files' content. Has no `Debug`: one of them is secret.
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Content {
    fn digest(&self) -> (Digest, Digest) {
        (Digest::of(&self.certificate), Digest::of(&self.key))
    }
}

impl Pair {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key }
    }

    fn read(&self) -> anyhow::Result<Content> {
        Ok(Content { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    /// Reads both, and checks that they belong together. Blocks.
    pub(super) fn open(&self) -> anyhow::Result<Tls> {
        let content = self.read()?;
        Tls::new(&content.certificate, &content.key)
            .with_context(|| format!("http.tls: {} and {}", self.certificate.display(), self.key.display()))
    }

    /// Exchanges what is shown to new connections when the files change, until the process ends. What cannot be used is
    /// told once and changes nothing: a renewal writes two files, one after the other.
    pub(super) async fn follow(self, tls: Tls, chronicle: Chronicle) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut follower = Follower { pair: self, tls, used: None, refused: None };
        loop {
            tick.tick().await;
            let looked = tokio::task::spawn_blocking(move || {
                let event = follower.look();
                (follower, event)
            });
            let Ok((back, event)) = looked.await else { return };
            follower = back;
            event.into_iter().for_each(|event| chronicle.tell(event));
        }
    }
}

struct Follower {
    pair: Pair,
    tls: Tls,
    /// Digests of what is shown now; `None` before the first look.
    used: Option<(Digest, Digest)>,
    /// Why the last look found nothing to use, told already or, while the files may still be written, not yet.
    refused: Option<(String, bool)>,
}

impl Follower {
    /// Gives what there is to tell.
    fn look(&mut self) -> Option<Event> {
        let found = self.pair.read().map(|content| (content.digest(), content));
        let error = match found {
            Ok((digest, _)) if self.used == Some(digest) || self.used.is_none() => {
                self.used = Some(digest);
                self.refused = None;
                return None;
            }
            Ok((digest, content)) => match self.tls.exchange(&content.certificate, &content.key) {
                Ok(()) => {
                    (self.used, self.refused) = (Some(digest), None);
                    let message = "the certificate was exchanged: new connections see the new one";
                    return Some(Event::new("certificate-exchanged", Severity::Info, message));
                }
                Err(error) => error.to_string(),
            },
            Err(error) => format!("{error:#}"),
        };
        match &mut self.refused {
            Some((known, told)) if *known == error => {
                let first = !std::mem::replace(told, true);
                let message = format!("the new certificate cannot be used, the old one stays: {error}");
                first.then(|| Event::new("certificate-refused", Severity::Error, message))
            }
            _ => {
                self.refused = Some((error, false));
                None
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let named = || format!("http.tls: {}", path.display());
    let bytes = std::fs::metadata(path).with_context(named)?.len();
    anyhow::ensure!(bytes <= FILE_BYTES_MAX, "{} has {bytes} bytes: that is no certificate or key", named());
    std::fs::read(path).with_context(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(pair: &Pair) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
        std::fs::write(&pair.certificate, made.cert.pem()).expect("certificate");
        std::fs::write(&pair.key, made.signing_key.serialize_pem()).expect("key");
    }

    #[test]
    fn a_renewed_certificate_is_taken_and_a_broken_one_is_told_once() {
        let dir = tempfile::tempdir().expect("folder");
        let pair = Pair::new(dir.path().join("certificate.pem"), dir.path().join("key.pem"));
        assert!(format!("{:#}", pair.open().expect_err("missing")).contains("certificate.pem"));
        make(&pair);
        let tls = pair.open().expect("pair");
        let mut follower = Follower { pair: pair.clone(), tls, used: None, refused: None };
        assert!(follower.look().is_none() && follower.look().is_none());
        make(&pair);
        assert_eq!(follower.look().expect("told").kind, "certificate-exchanged");
        assert!(follower.look().is_none());
        let key = std::fs::read(&pair.key).expect("key");
        std::fs::write(&pair.key, "half a key").expect("key");
        assert!(follower.look().is_none(), "it may be half written");
        let told = follower.look().expect("told");
        assert_eq!(told.kind, "certificate-refused");
        assert!(!told.message.contains("half a key"));
        assert!(follower.look().is_none(), "and is told once");
        std::fs::write(&pair.key, key).expect("key");
        assert!(follower.look().is_none(), "what was used is there again");
        make(&pair);
        assert_eq!(follower.look().expect("told").kind, "certificate-exchanged");
    }
}
