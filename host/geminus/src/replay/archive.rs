//! Where everything is that a replay needs: history, incarnations and checkpoints, components.
//!
//! Opened read-only beside a running host. Components come from the vault, where everything that was ever put to work
//! is kept by its digest, and from the plugin folder. Each is compiled once; nothing is written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use geminus_behavior::{Compiled, Engine, Limits};
use geminus_core::{Declaration, Digest};
use geminus_registry::{Folder, Package, Vault};
use geminus_store::{Control, ControlReader, Incarnation, Reader, StoreError};
use geminus_twin::Site;

use super::Subject;
use super::deck::Deck;
use crate::command::named;

/// What there is of a site.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(super) reader: Reader,
    pub(super) control: ControlReader,
    incarnations: BTreeMap<u32, Incarnation>,
    vault: Vault,
    /// What lies in the plugin folder.
    shelf: Vec<Package>,
    engine: Engine,
    compiled: BTreeMap<Digest, Arc<Compiled>>,
}

impl Archive {
    /// Opens what a site has kept.
    pub(crate) fn open(site: &Site) -> anyhow::Result<Self> {
        let limits = Limits { fuel_per_row_max: site.document.limits.fuel_per_row_max, ..Limits::default() };
        Self::at(&site.data_folder(), &site.plugins_folder(), limits)
    }

    /// Opens a data folder, and takes what it lacks from a plugin folder. A row may use as much as it might there.
    pub(crate) fn at(data: &Path, plugins: &Path, limits: Limits) -> anyhow::Result<Self> {
        let at = |error: StoreError| named(data, error);
        let control = Control::read_only(data).map_err(at)?;
        let incarnations = control.incarnations().map_err(at)?;
        let shelf = match Folder::new(plugins).scan(false) {
            Ok((found, _)) => found.into_iter().filter_map(|file| file.package.ok()).collect(),
            // The vault may still have all that is needed; what it lacks is named then.
            Err(_) => Vec::new(),
        };
        Ok(Self {
            reader: Reader::open(data).map_err(at)?,
            control,
            incarnations: incarnations.into_iter().map(|known| (known.id, known)).collect(),
            vault: Vault::new(data.join("packages")),
            shelf,
            engine: Engine::new(limits)?,
            compiled: BTreeMap::new(),
        })
    }

    /// Every package that can be found, for whoever wishes for one.
    pub(crate) fn packages(&self) -> Vec<Package> {
        let kept = self.vault.all().unwrap_or_default();
        kept.into_iter().filter_map(|found| found.package.ok()).chain(self.shelf.iter().cloned()).collect()
    }

    /// Whether rows of this behavior of this twin were ever recorded.
    pub(crate) fn has_rows(&self, behavior: &str, twin: &str) -> anyhow::Result<bool> {
        let Some(series) = self.reader.series(twin, &format!("{behavior}/by"))? else { return Ok(false) };
        Ok(self.reader.newest(series)?.is_some())
    }

    /// `name@version` and digest of an incarnation.
    pub(super) fn name(&self, number: u32) -> (String, String) {
        match self.incarnations.get(&number) {
            Some(known) => (known.plugin.clone(), known.digest.clone()),
            None => (format!("incarnation {number}"), String::new()),
        }
    }

    /// Incarnations of this behavior, the latest first.
    pub(super) fn incarnations(&self, behavior: &str) -> Vec<u32> {
        let own = self.incarnations.values().rev().filter(|known| known.binding == behavior);
        own.map(|known| known.id).collect()
    }

    /// What the version of an incarnation declares.
    pub(super) fn declaration(&mut self, number: u32) -> anyhow::Result<Arc<Declaration>> {
        Ok(Arc::clone(self.of(number)?.1.declaration()))
    }

    /// The component of an incarnation, opened for the twin with its parameters and seed, without any state.
    pub(super) fn opened(&mut self, subject: &Subject, number: u32) -> anyhow::Result<Deck> {
        let (parameters, compiled) = self.of(number)?;
        Deck::start(&compiled, subject, parameters, number)
    }

    /// Parameters and component of an incarnation.
    pub(super) fn of(&mut self, number: u32) -> anyhow::Result<(Arc<[u8]>, Arc<Compiled>)> {
        let known = self.incarnations.get(&number);
        let known = known.with_context(|| format!("incarnation {number} is not in control.db"))?;
        let (parameters, label) = (Arc::from(known.parameters.as_slice()), known.plugin.clone());
        let digest: Digest = known.digest.parse()?;
        if let Some(compiled) = self.compiled.get(&digest) {
            return Ok((parameters, Arc::clone(compiled)));
        }
        let package = self.package(digest).with_context(|| format!("the component of {label} is gone"))?;
        Ok((parameters, self.compile(&package)?))
    }

    fn package(&self, digest: Digest) -> anyhow::Result<Package> {
        let on_shelf = || self.shelf.iter().find(|package| package.digest == digest).cloned();
        self.vault.get(digest).or_else(|error| on_shelf().ok_or_else(|| anyhow!(error)))
    }

    /// Compiles a component once.
    pub(super) fn compile(&mut self, package: &Package) -> anyhow::Result<Arc<Compiled>> {
        match self.compiled.entry(package.digest) {
            Entry::Occupied(known) => Ok(Arc::clone(known.get())),
            Entry::Vacant(place) => {
                let declaration = Arc::clone(&package.declaration);
                let label = declaration.label();
                let compiled = self.engine.compile(package.digest, &package.bytes, declaration, None);
                Ok(Arc::clone(place.insert(compiled.with_context(|| label)?)))
            }
        }
    }
}
