//! Certificates of clients that nobody has trusted: told once each, and no more kept than the disk has room for. And those that
//! are trusted no more, whose sessions have to end.

use std::collections::HashSet;

use geminus_core::{Event, Severity};
use serde_json::json;

use crate::pki::{Pki, PkiError, Standing};

/// Looks at the folder that the library puts them into.
#[derive(Debug)]
pub(crate) struct Strangers {
    clients: Pki,
    known: HashSet<String>,
    /// Those that were trusted at the last look.
    trusted: HashSet<String>,
}

impl Strangers {
    /// Those that lie there already were told by an earlier run. Blocks.
    pub(crate) fn new(clients: Pki) -> Result<Self, PkiError> {
        let known = clients.rejected()?.into_iter().map(|one| one.thumbprint).collect();
        let mut strangers = Self { clients, known, trusted: HashSet::new() };
        strangers.has_lost_trust()?;
        Ok(strangers)
    }

    /// Whether a client that was trusted at the last look is trusted no more. Blocks on the disk for a moment.
    pub(crate) fn has_lost_trust(&mut self) -> Result<bool, PkiError> {
        let all = self.clients.list()?.into_iter().filter(|one| one.standing == Standing::Trusted);
        let now: HashSet<String> = all.map(|one| one.thumbprint).collect();
        let before = std::mem::replace(&mut self.trusted, now);
        Ok(!before.is_subset(&self.trusted))
    }

    /// What is new. Blocks on the disk for a moment.
    pub(crate) fn look(&mut self) -> Result<Vec<Event>, PkiError> {
        let here = self.clients.rejected()?;
        let new = here.iter().filter(|one| !self.known.contains(&one.thumbprint)).map(|one| {
            let message = format!(
                "an OPC UA client shows a certificate that nobody has trusted: {}; `geminus certificate trust {}` lets it in",
                one.subject, one.thumbprint
            );
            let facts = json!({ "thumbprint": one.thumbprint, "subject": one.subject });
            Event::new("client-certificate-untrusted", Severity::Warning, message).facts(facts)
        });
        let new = new.collect();
        // Whoever is trusted and rejected again is told again.
        self.known = here.into_iter().map(|one| one.thumbprint).collect();
        Ok(new)
    }
}
