//! Ends of certificates that are near: told once each, and the first of each use measured.
//!
//! Watched are our own, those of servers and clients that are trusted, and of each file of TLS its first certificate. Of a file with many
//! authorities nothing is told: some of a public list are always about to end, and none of them need be in use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use geminus_api::metrics::{Exposition, catalogue};
use geminus_core::{Event, Severity, Timestamp};
use geminus_opcua::{Pki, PkiError, Side, Standing};
use geminus_tls::{CertificateFacts, Term, facts_of_file};
use serde_json::json;

use super::TlsFile;

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Own,
    Server,
    Client,
    Tls,
}

impl Use {
    const ALL: [Self; 4] = [Self::Own, Self::Server, Self::Client, Self::Tls];

    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Server => "server",
            Self::Client => "client",
            Self::Tls => "tls",
        }
    }
}

/// One that is watched.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) of: Use,
    /// Whose, in words: as it ends a sentence.
    pub(super) whose: String,
    pub(super) facts: CertificateFacts,
}

/// What was found last.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// The first end of each use, in nanoseconds since 1970; 0 when there is none.
    first: [AtomicU64; Use::ALL.len()],
    /// What was told of each, by SHA-256 and whose.
    told: Mutex<HashMap<(String, String), Told>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Expiring,
    Expired,
}

impl Expiry {
    /// Takes in what there is, and gives what is to be told.
    pub(super) fn look(&self, all: &[Watched], now: Timestamp) -> Vec<Event> {
        for (of, first) in Use::ALL.iter().zip(&self.first) {
            let ends = all.iter().filter(|one| one.of == *of).map(|one| one.facts.not_after.0);
            first.store(ends.min().unwrap_or(0), Ordering::Relaxed);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // What is gone is forgotten, so that the list stays as long as that of certificates.
        let key = |one: &Watched| (one.facts.sha256.clone(), one.whose.clone());
        told.retain(|known, _| all.iter().any(|one| key(one) == *known));
        let mut events = Vec::new();
        for one in all {
            let (now_told, event) = match one.facts.term(now) {
                Term::NotYet | Term::Valid => {
                    told.remove(&key(one));
                    continue;
                }
                Term::Expiring => (Told::Expiring, expiring(one, now)),
                Term::Expired => (Told::Expired, expired(one)),
            };
            if told.insert(key(one), now_told) != Some(now_told) {
                events.push(event);
            }
        }
        events
    }

    pub(super) fn measure(&self, out: &mut Exposition) {
        for (of, first) in Use::ALL.iter().zip(&self.first) {
            let end = first.load(Ordering::Relaxed);
            if end > 0 {
                out.value(&catalogue::CERTIFICATE_EXPIRY, &[of.name()], end as f64 / 1e9);
            }
        }
    }
}

fn expiring(one: &Watched, now: Timestamp) -> Event {
    let days = one.facts.days_left(now);
    let message =
        format!("the certificate of {} ends in {days} days, at {}: renew it before", one.whose, end(one));
    Event::new("certificate-expiring", Severity::Warning, message).facts(facts(one))
}

fn expired(one: &Watched) -> Event {
    let message = format!("the certificate of {} ended at {}: renew it", one.whose, end(one));
    Event::new("certificate-expired", Severity::Error, message).facts(facts(one))
}

fn end(one: &Watched) -> geminus_api::view::Time {
    one.facts.not_after.into()
}

fn facts(one: &Watched) -> serde_json::Value {
    let CertificateFacts { sha256, subject, .. } = &one.facts;
    json!({ "use": one.of.name(), "sha256": sha256, "subject": subject, "not_after": end(one).to_string() })
}

/// Our own, and those of servers and clients that are trusted.
pub(super) fn of_pki(pki: &Pki) -> Vec<Watched> {
    let mut all = Vec::new();
    match pki.own() {
        Ok(own) => all.extend(own.map(|own| Watched {
            of: Use::Own,
            whose: "this host (data/pki/own)".to_owned(),
            facts: own.certificate.facts,
        })),
        Err(error) => tracing::warn!(%error, "the own certificate cannot be looked at"),
    }
    let clients = pki.clients().and_then(|clients| trusted(&clients));
    for found in [trusted(pki), clients] {
        match found {
            Ok(found) => all.extend(found),
            Err(error) => tracing::warn!(%error, "certificates of servers or clients cannot be looked at"),
        }
    }
    all
}

fn trusted(pki: &Pki) -> Result<Vec<Watched>, PkiError> {
    let side = pki.side();
    let of = match side {
        Side::Server => Use::Server,
        Side::Client => Use::Client,
    };
    let watched = pki.list()?.into_iter().filter(|one| one.standing == Standing::Trusted).map(|one| {
        let whose = format!("the OPC UA {} \"{}\" ({})", side.name(), one.subject, one.thumbprint);
        Watched { of, whose, facts: one.facts }
    });
    Ok(watched.collect())
}

/// The first one of a file of TLS. One that cannot be read is told by whoever needs it.
pub(super) fn of_file(file: &TlsFile) -> Option<Watched> {
    let (facts, total) = facts_of_file(&file.path).ok()?;
    let is_list = file.key.ends_with(".ca") && total > 1;
    let first = facts.into_iter().next().filter(|_| !is_list)?;
    Some(Watched { of: Use::Tls, whose: format!("{} ({})", file.key, file.name), facts: first })
}
