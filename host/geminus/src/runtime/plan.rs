//! From files to a plan: the site, the plugins in its folder, and what they mean together.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use geminus_core::SeriesId;
use geminus_registry::{Folder, Package, Shelf, Vault};
use geminus_store::Store;
use geminus_twin::{Plant, Site};

/// What a site comes to.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) plant: Plant,
    pub(crate) shelf: Shelf,
    /// The package that each binding starts with.
    pub(crate) picked: Vec<Package>,
    /// Files in the plugin folder that cannot be used, and why.
    pub(crate) refused: Vec<(PathBuf, String)>,
    /// Packages of an earlier run that stand in for what the folder lacks.
    pub(crate) revived: Vec<Package>,
    /// The folder as it was read, to be watched from here on.
    pub(crate) folder: Folder,
}

/// Plans without a store: series are numbered in passing.
pub(crate) fn check(path: &Path) -> anyhow::Result<Plan> {
    let site = load(path)?;
    let mut next = 0;
    plan(&site, &mut |_, _| {
        next += 1;
        Ok(SeriesId(next - 1))
    })
}

/// Reads the site file and its types.
pub(crate) fn load(path: &Path) -> anyhow::Result<Site> {
    Site::load(path).map_err(|problems| anyhow::anyhow!("{}", problems.to_string().trim_end()))
}

/// Plans with numbers from the store. Names are gathered in a first pass and numbered at once, because asked one by
/// one the store would commit once for each point of a fleet.
pub(crate) fn numbered(site: &Site, store: &Store) -> anyhow::Result<Plan> {
    let mut names: Vec<(String, String)> = Vec::new();
    plan(site, &mut |twin, point| {
        names.push((twin.to_owned(), point.to_owned()));
        Ok(SeriesId(u32::try_from(names.len() - 1).map_err(|error| error.to_string())?))
    })?;
    let mut numbers = store.series(&names)?.into_iter();
    plan(site, &mut |_, _| numbers.next().ok_or_else(|| "a series has no number".to_owned()))
}

/// Where the packages that ran last are kept.
pub(crate) fn vault(site: &Site) -> Vault {
    Vault::new(site.data_folder().join("packages"))
}

/// Puts what ran last on the shelf for each behavior that the folder has no plugin for.
fn revive(site: &Site, shelf: &mut Shelf) -> Vec<Package> {
    let mut revived = Vec::new();
    for behavior in &site.document.behavior {
        let range = semver::VersionReq::parse(&behavior.version).unwrap_or_default();
        if shelf.pick(&behavior.plugin, &range).is_some() {
            continue;
        }
        if let Some(package) = vault(site).last(&behavior.plugin) {
            shelf.put(package.clone());
            revived.push(package);
        }
    }
    revived
}

/// Plans with numbers from `series_id`.
fn plan(
    site: &Site,
    series_id: &mut dyn FnMut(&str, &str) -> Result<SeriesId, String>,
) -> anyhow::Result<Plan> {
    let mut folder = Folder::new(site.plugins_folder());
    let (found, _) = folder.scan(false).with_context(|| folder.path().display().to_string())?;
    let (mut shelf, mut refused) = (Shelf::default(), Vec::new());
    for file in found {
        match file.package {
            Ok(package) => shelf.put(package),
            Err(reason) => refused.push((file.path, reason.to_string())),
        }
    }
    let revived = revive(site, &mut shelf);
    let declarations: Vec<_> =
        shelf.packages().iter().map(|package| (*package.declaration).clone()).collect();
    let plant = Plant::resolve(site, &declarations, series_id).map_err(|problems| {
        let mut text = problems.to_string().trim_end().to_owned();
        for (path, reason) in &refused {
            text.push_str(&format!("\n{}: not taken: {reason}", path.display()));
        }
        anyhow::anyhow!(text)
    })?;
    let picked = plant
        .bindings
        .iter()
        .map(|binding| {
            shelf
                .pick(&binding.declaration.name, &binding.versions)
                .cloned()
                .with_context(|| format!("plugin {} went away", binding.declaration.name))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Plan { plant, shelf, picked, refused, revived, folder })
}
