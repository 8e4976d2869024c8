//! Certificates in the shapes of the API.

use geminus_api::view as api;
use geminus_core::Timestamp;
use geminus_opcua::{Certificate, Pki, Rejection, Seen, Standing};
use geminus_tls::{CertificateFacts, EXPIRING, Term, facts_of_file};

use super::TlsFile;

/// Days before its end from which on a certificate is told of.
pub(super) const EXPIRING_DAYS: u64 = EXPIRING.as_secs() / (24 * 3_600);

/// One of OPC UA.
pub(super) fn server(one: &Certificate, now: Timestamp) -> api::CertificateView {
    api::CertificateView { thumbprint: Some(one.thumbprint.clone()), ..facts(&one.facts, now) }
}

/// One of a server, with what is thought of it and who has shown it.
pub(super) fn standing(
    pki: &Pki,
    one: &Certificate,
    seen: &[Seen],
    now: Timestamp,
) -> api::ServerCertificateView {
    let (rejection, before) = match pki.rejection(one, seen) {
        None => (None, None),
        Some(Rejection::Unknown) => (Some(api::RejectionView::Unknown), None),
        Some(Rejection::Changed { before, .. }) => (Some(api::RejectionView::Changed), Some(before)),
        Some(Rejection::TakenBack) => (Some(api::RejectionView::TakenBack), None),
    };
    let shown = seen.iter().filter(|shown| shown.thumbprint == one.thumbprint);
    api::ServerCertificateView {
        certificate: server(one, now),
        standing: stands(one),
        rejection,
        before,
        seen: shown.map(seen_view).collect(),
    }
}

/// One of a client, with what is thought of it.
pub(super) fn client(pki: &Pki, one: &Certificate, now: Timestamp) -> api::ClientCertificateView {
    let rejection = pki.rejection(one, &[]).map(|why| match why {
        Rejection::Unknown => api::RejectionView::Unknown,
        Rejection::Changed { .. } => api::RejectionView::Changed,
        Rejection::TakenBack => api::RejectionView::TakenBack,
    });
    api::ClientCertificateView { certificate: server(one, now), standing: stands(one), rejection }
}

fn stands(one: &Certificate) -> api::StandingView {
    match one.standing {
        Standing::Trusted => api::StandingView::Trusted,
        Standing::Rejected => api::StandingView::Rejected,
    }
}

fn seen_view(seen: &Seen) -> api::SeenView {
    let Seen { source, endpoint, first, last, .. } = seen.clone();
    api::SeenView { source, endpoint, first: first.into(), last: last.into() }
}

/// A file of TLS, or why it cannot be read.
pub(super) fn file(file: &TlsFile, now: Timestamp) -> api::TlsFileView {
    let (found, problem) = match facts_of_file(&file.path) {
        Ok(found) => (found, None),
        Err(error) => ((Vec::new(), 0), Some(error.to_string())),
    };
    api::TlsFileView {
        key: file.key.clone(),
        file: file.name.clone(),
        certificates: found.0.iter().map(|one| facts(one, now)).collect(),
        total: found.1 as u64,
        problem,
    }
}

fn facts(of: &CertificateFacts, now: Timestamp) -> api::CertificateView {
    let own = of.clone();
    api::CertificateView {
        thumbprint: None,
        sha256: own.sha256,
        subject: own.subject,
        issuer: own.issuer,
        serial: own.serial,
        not_before: own.not_before.into(),
        not_after: own.not_after.into(),
        days_left: of.days_left(now),
        term: match of.term(now) {
            Term::NotYet => api::TermView::NotYet,
            Term::Valid => api::TermView::Valid,
            Term::Expiring => api::TermView::Expiring,
            Term::Expired => api::TermView::Expired,
        },
        application_uri: own.application_uri,
        dns_names: own.dns_names,
        addresses: own.addresses,
        key_kind: own.key_kind,
        key_bits: own.key_bits,
    }
}
