//! Certificates of the whole host: its own and those of OPC UA servers and clients in the data folder, those of TLS that the site file names.
//!
//! Answers what the page asks, carries out what people order of others' certificates, and looks now and then for one whose
//! end is near: that is told once, and measured. Decides nothing: who is spoken to and let in is up to `opcua` and `tls`. Everything here
//! blocks on the disk, save the metrics.

mod expiry;
mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use geminus_api::metrics::Exposition;
use geminus_api::{Trouble, view as api};
use geminus_core::{Clock, Event, Severity};
use geminus_opcua::{Certificate, Pki, PkiError, Side};
use geminus_twin::Site;
use geminus_twin::site::Tls;
use serde_json::json;

use super::chronicle::Chronicle;
use super::field;
use expiry::Expiry;

/// How often ends are looked for.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// A file of certificates that the site file names.
#[derive(Clone, Debug)]
struct TlsFile {
    /// Its key in the site file.
    key: String,
    /// As it stands there.
    name: String,
    /// Where it is.
    path: PathBuf,
}

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Certificates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Folder of those of OPC UA. It is not made before something speaks OPC UA.
    pki: PathBuf,
    files: Vec<TlsFile>,
    clock: Arc<dyn Clock>,
    chronicle: Chronicle,
    expiry: Expiry,
}

impl Certificates {
    pub(super) fn new(site: &Site, data: &Path, clock: Arc<dyn Clock>, chronicle: Chronicle) -> Self {
        let (pki, files) = (field::opcua::pki(data), named_files(site));
        Self(Arc::new(Inner { pki, files, clock, chronicle, expiry: Expiry::default() }))
    }

    /// Asks or orders something without holding up who else is answered.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Self) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let own = self.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&own)).await;
        asked.map_err(|error| Trouble::Internal(error.to_string()))?
    }

    /// All that there are.
    pub(super) fn view(&self) -> Result<api::CertificatesView, Trouble> {
        let Inner { files, clock, .. } = &*self.0;
        let now = clock.now();
        let (mut own, mut servers, mut clients) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(pki) = self.pki().map_err(trouble)? {
            own.extend(pki.own().map_err(trouble)?.map(|own| show::server(&own.certificate, now)));
            let (list, seen) = (pki.list().map_err(trouble)?, pki.seen().map_err(trouble)?);
            servers.extend(list.iter().map(|one| show::standing(&pki, one, &seen, now)));
            // What waits for a person comes first.
            servers
                .sort_by_key(|one: &api::ServerCertificateView| one.standing == api::StandingView::Trusted);
            let pki = pki.clients().map_err(trouble)?;
            clients.extend(pki.list().map_err(trouble)?.iter().map(|one| show::client(&pki, one, now)));
            clients
                .sort_by_key(|one: &api::ClientCertificateView| one.standing == api::StandingView::Trusted);
        }
        let tls = files.iter().map(|file| show::file(file, now)).collect();
        Ok(api::CertificatesView { own, servers, clients, tls, expiring_days: show::EXPIRING_DAYS })
    }

    /// Our own towards OPC UA servers.
    pub(super) fn own(&self) -> Result<api::OwnCertificate, Trouble> {
        let none = || {
            let why = "this host has no certificate yet: it is made with the first attempt to connect to an OPC UA server";
            Trouble::NotFound(why.to_owned())
        };
        let pki = self.pki().map_err(trouble)?.ok_or_else(none)?;
        let der = pki.own().map_err(trouble)?.ok_or_else(none)?.der;
        let pem = geminus_tls::pem_of_der(&der)
            .ok_or_else(|| Trouble::Internal("the own certificate cannot be written as PEM".to_owned()))?;
        Ok(api::OwnCertificate { der: der.into(), pem })
    }

    /// Carries out an order of a server's certificate, and journals it with who gave it.
    pub(super) fn order(
        &self,
        thumbprint: &str,
        order: api::CertificateOrder,
        by: &str,
    ) -> Result<api::ServerCertificateView, Trouble> {
        let (pki, one) = self.carry_out(Side::Server, thumbprint, order, by)?;
        let seen = pki.seen().map_err(trouble)?;
        Ok(show::standing(&pki, &one, &seen, self.0.clock.now()))
    }

    /// The same of a client's.
    pub(super) fn order_client(
        &self,
        thumbprint: &str,
        order: api::CertificateOrder,
        by: &str,
    ) -> Result<api::ClientCertificateView, Trouble> {
        let (pki, one) = self.carry_out(Side::Client, thumbprint, order, by)?;
        Ok(show::client(&pki, &one, self.0.clock.now()))
    }

    fn carry_out(
        &self,
        side: Side,
        thumbprint: &str,
        order: api::CertificateOrder,
        by: &str,
    ) -> Result<(Pki, Certificate), Trouble> {
        let whose = side.name();
        let stranger = || Trouble::NotFound(format!("no {whose} has shown a certificate {thumbprint}"));
        let servers = self.pki().map_err(trouble)?.ok_or_else(stranger)?;
        let pki = match side {
            Side::Server => servers,
            Side::Client => servers.clients().map_err(trouble)?,
        };
        let done = match order {
            api::CertificateOrder::Trust => pki.trust(thumbprint),
            api::CertificateOrder::Reject => pki.reject(thumbprint),
            api::CertificateOrder::Remove => pki.remove(thumbprint),
        };
        let one = done.map_err(|error| match error {
            PkiError::Nobody(_) => stranger(),
            PkiError::Many { .. } => Trouble::Conflict(
                "two certificates share this thumbprint: name the one that is meant by its SHA-256"
                    .to_owned(),
            ),
            PkiError::File { .. } => Trouble::Unavailable(format!("it could not be written down: {error}")),
            PkiError::Own { .. } | PkiError::NotOne => Trouble::Internal(error.to_string()),
        })?;
        self.0.chronicle.tell(word(side, &one, order, by));
        Ok((pki, one))
    }

    /// Writes what ends first.
    pub(super) fn measure(&self, out: &mut Exposition) {
        self.0.expiry.measure(out);
    }

    /// Looks for ends that are near, until the process ends.
    pub(super) async fn follow(self) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let own = self.clone();
            let looked = tokio::task::spawn_blocking(move || own.look());
            if let Err(error) = looked.await {
                tracing::error!(%error, "ends of certificates were not looked for");
            }
        }
    }

    fn look(&self) {
        let Inner { files, clock, chronicle, expiry, .. } = &*self.0;
        let mut watched = Vec::new();
        match self.pki() {
            Ok(Some(pki)) => watched.extend(expiry::of_pki(&pki)),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "certificates of OPC UA cannot be looked at"),
        }
        watched.extend(files.iter().filter_map(expiry::of_file));
        expiry.look(&watched, clock.now()).into_iter().for_each(|event| chronicle.tell(event));
    }

    fn pki(&self) -> Result<Option<Pki>, PkiError> {
        match self.0.pki.is_dir() {
            true => Pki::open(&self.0.pki).map(Some),
            false => Ok(None),
        }
    }
}

fn trouble(error: PkiError) -> Trouble {
    Trouble::Internal(error.to_string())
}

/// What the journal is told of an order that was carried out.
pub(crate) fn word(side: Side, one: &Certificate, order: api::CertificateOrder, by: &str) -> Event {
    let Certificate { thumbprint, subject, facts, .. } = one;
    let (kind, done) = match order {
        api::CertificateOrder::Trust => ("certificate-trusted", "trusts"),
        api::CertificateOrder::Reject => ("certificate-rejected", "rejects"),
        api::CertificateOrder::Remove => ("certificate-removed", "forgot"),
    };
    let side = side.name();
    let message = format!("{by} {done} the certificate {thumbprint} of the OPC UA {side} \"{subject}\"");
    let sha256 = &facts.sha256;
    let facts =
        json!({ "side": side, "thumbprint": thumbprint, "sha256": sha256, "subject": subject, "by": by });
    Event::new(kind, Severity::Info, message).facts(facts)
}

/// Files of certificates, never of keys, in the order of the site file's reference.
fn named_files(site: &Site) -> Vec<TlsFile> {
    let document = &site.document;
    let mut files = Vec::new();
    let mut add = |key: String, name: &str| {
        files.push(TlsFile { key, path: site.beside(name), name: name.to_owned() });
    };
    if let Some(tls) = &document.http.tls {
        add("http.tls.certificate".to_owned(), &tls.certificate);
    }
    let mut of = |at: String, tls: Option<&Tls>| {
        let Some(tls) = tls else { return };
        add(format!("{at}.tls.ca"), &tls.ca);
        if let Some(certificate) = &tls.certificate {
            add(format!("{at}.tls.certificate"), certificate);
        }
    };
    for source in &document.source {
        of(format!("source.{}", source.name), source.broker().and_then(|broker| broker.tls));
    }
    for (name, publish) in &document.publish {
        of(format!("publish.{name}"), publish.tls.as_ref());
    }
    files
}

#[cfg(test)]
mod tests;
