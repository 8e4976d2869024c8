//! One component with one twin open: what rows are run through.
//!
//! A cohort with a single member, so that whatever the host adds to outcomes (warm-up, doubtful inputs) is added here by
//! the same code. How rows are batched, and who shares an instance, makes no difference to a behavior that keeps to the
//! contract; one that does not shows as a difference.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use geminus_behavior::{Cohort, Compiled, HostCalls, Opening, Saved, Snapshot, Stepped};
use geminus_core::{Declaration, Frame, Timestamp, TwinIndex};

use super::Subject;
use crate::runtime::cohorts::seed;

/// The only twin there is.
pub(super) const TWIN: TwinIndex = TwinIndex(0);

/// A component at work for one twin.
#[derive(Debug)]
pub(super) struct Deck {
    cohort: Cohort,
    /// Who it is in the record; 0 for a version that never answered.
    pub(super) incarnation: u32,
}

/// State as it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    pub(super) schema: u32,
    pub(super) row_time: Timestamp,
    pub(super) rows: u64,
    pub(super) bytes: &'a [u8],
}

impl Deck {
    /// Opens the twin as the host opens it.
    pub(super) fn start(
        compiled: &Arc<Compiled>,
        subject: &Subject,
        parameters: Arc<[u8]>,
        incarnation: u32,
    ) -> anyhow::Result<Self> {
        let Subject { site, behavior, twin } = subject;
        let opening = Opening { twin: TWIN, id: twin.clone(), parameters, seed: seed(site, behavior, twin) };
        let label = compiled.declaration().label();
        let (cohort, refused) = Cohort::start(Arc::clone(compiled), Arc::new(Quiet), vec![opening])?;
        if let Some(refused) = refused.first() {
            bail!("{label} does not take up {twin}: {}", refused.message);
        }
        Ok(Self { cohort, incarnation })
    }

    pub(super) fn declaration(&self) -> &Arc<Declaration> {
        self.cohort.compiled().declaration()
    }

    /// Goes on from this state. One without bytes, of a behavior that has state, is a cold beginning.
    pub(super) fn put(&mut self, kept: &Kept<'_>) -> anyhow::Result<()> {
        if kept.schema == 0 && self.declaration().state.schema > 0 {
            return Ok(());
        }
        let saved = Saved { twin: TWIN, time: kept.row_time, rows: kept.rows, bytes: kept.bytes.to_vec() };
        let (label, digest) = (self.declaration().label(), self.cohort.compiled().digest());
        self.take(&Snapshot { label, digest, schema: kept.schema, twins: vec![saved] })
    }

    /// Goes on from the state of another version.
    pub(super) fn take(&mut self, snapshot: &Snapshot) -> anyhow::Result<()> {
        let refused = self.cohort.take_in(snapshot)?;
        match refused.first() {
            Some(refused) => {
                bail!("{} does not take the state: {}", self.declaration().label(), refused.message)
            }
            None => Ok(()),
        }
    }

    /// Its state, in this schema or in the newest.
    pub(super) fn state(&mut self, schema: Option<u32>) -> anyhow::Result<Snapshot> {
        Ok(self.cohort.copy(&[TWIN], schema)?)
    }

    /// Whether its state in the schema of `kept` has the same bytes.
    pub(super) fn is_at(&mut self, kept: &Kept<'_>) -> anyhow::Result<bool> {
        let declared = self.declaration().state.schema;
        if declared == 0 {
            return Ok(true);
        }
        let label = self.declaration().label();
        let own = self.state(Some(kept.schema).filter(|schema| *schema != declared));
        let own = own.with_context(|| format!("{label} cannot write state schema {} again", kept.schema))?;
        Ok(own.twins.first().is_some_and(|saved| saved.bytes == kept.bytes))
    }

    pub(super) fn step(&mut self, frame: &Frame) -> anyhow::Result<Stepped> {
        Ok(self.cohort.step(frame)?)
    }

    /// Whether its outputs may be trusted.
    pub(super) fn is_warm(&self) -> bool {
        self.cohort.is_warm(TWIN)
    }

    /// Whether it gets rows.
    pub(super) fn is_live(&self) -> bool {
        self.cohort.standing(TWIN) == Some(geminus_behavior::Standing::Live)
    }
}

/// Answers guests as the host does, but keeps their log lines to itself: they were written when it happened.
struct Quiet;

impl HostCalls for Quiet {
    fn log(&self, _twin: Option<TwinIndex>, _level: u8, message: &str) {
        tracing::trace!("behavior, again: {message}");
    }
}
