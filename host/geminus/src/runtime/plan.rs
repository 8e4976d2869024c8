//! From files to a plan: the site, the plugins in its folder, and what they mean together.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use geminus_core::{Digest, SeriesId};
use geminus_ingest::csv::Recording;
use geminus_registry::{Folder, Package, Shelf, Vault};
use geminus_store::Store;
use geminus_twin::problem::Problems;
use geminus_twin::site::Behavior;
use geminus_twin::{Plant, Site};
use semver::VersionReq;

use super::{field, oidc, press};

/// What earlier runs left behind that decides what starts now.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// What was authoritative last: by behavior, and by twin where it has its own.
    pub(crate) assigned: HashMap<(String, Option<String>), Digest>,
    /// Digests that failed for a behavior.
    pub(crate) failed: HashSet<(String, Digest)>,
    /// Digests that a person did not want for a behavior.
    pub(crate) declined: HashSet<(String, Digest)>,
    /// Digests in which the process crashed too often.
    pub(crate) crashed: HashSet<Digest>,
    /// What was put to work for good for all twins of a behavior, by behavior, the latest first.
    pub(crate) ran: HashMap<String, Vec<Digest>>,
    /// The same for whichever twins.
    pub(crate) ran_for_some: HashSet<(String, Digest)>,
    /// Behavior and digest of what the last process ended inside of.
    pub(crate) ended_inside: HashSet<(String, Digest)>,
}

impl Past {
    /// What nothing starts by itself: what has failed for a behavior, and what the host crashed in, for each behavior of
    /// its plugin. `bindings`: behavior and plugin; `packages`: all that are at hand. What is not may be of any plugin.
    pub(crate) fn not_by_itself<'p>(
        &self,
        bindings: impl Iterator<Item = (&'p str, &'p str)>,
        packages: &[&Package],
    ) -> HashSet<(String, Digest)> {
        let plugin_of = |digest: Digest| {
            let package = packages.iter().find(|package| package.digest == digest);
            package.map(|package| package.declaration.name.as_str())
        };
        let mut all = self.failed.clone();
        for (behavior, plugin) in bindings {
            let own = self.crashed.iter().filter(|digest| plugin_of(**digest).is_none_or(|of| of == plugin));
            all.extend(own.map(|digest| (behavior.to_owned(), *digest)));
        }
        all
    }
}

/// What a behavior starts with.
#[derive(Clone, Debug)]
pub(crate) struct Pick {
    pub(crate) package: Package,
    /// Whether it came from what was kept, because the folder does not have it.
    pub(crate) revived: bool,
    /// Whether it stays out because the process crashed in it: only its declaration is used.
    pub(crate) left_out: bool,
    /// What ran last, where another one starts because the process crashed in it.
    pub(crate) instead_of: Option<Package>,
}

/// What a site comes to.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) plant: Plant,
    pub(crate) shelf: Shelf,
    /// What was kept from before.
    pub(crate) kept: Vec<Package>,
    /// The package that each binding starts with.
    pub(crate) picked: Vec<Pick>,
    /// Files in the plugin folder that cannot be used, and why.
    pub(crate) refused: Vec<(PathBuf, String)>,
    /// The folder as it was read, to be watched from here on.
    pub(crate) folder: Folder,
}

/// A plan as far as it goes, for a person who looks at a site.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) plan: Plan,
    /// Recordings that can be played, each with the name of its source.
    pub(crate) recordings: Vec<(String, Recording)>,
    /// What is wrong with the field all the same.
    pub(crate) problems: Problems,
}

/// Plans without a store: series are numbered in passing. Looks at all that a start would look at.
///
/// # Errors
/// What leaves no plan.
pub(crate) fn check(path: &Path) -> anyhow::Result<Checked> {
    let site = load(path)?;
    let mut next = 0;
    let plan = plan(&site, &Past::default(), &mut |_, _| {
        next += 1;
        Ok(SeriesId(next - 1))
    })?;
    let mut problems = Problems::default();
    field::check::tables(&site, &plan.plant, &mut problems);
    field::check::certificates(&site, &plan.plant, &mut problems);
    press::check(&site, &plan.plant, &mut problems);
    if let Err(error) = oidc::check(&site) {
        problems.add(&site.path, site.line("access.oidc"), format!("{error:#}"));
    }
    let recordings = field::check::recordings(&site, &plan.plant, &mut problems);
    Ok(Checked { plan, recordings, problems })
}

/// Reads the site file and its types.
pub(crate) fn load(path: &Path) -> anyhow::Result<Site> {
    Site::load_with(path, &field::check::address).map_err(told)
}

pub(crate) fn told(problems: Problems) -> anyhow::Error {
    anyhow::anyhow!("{}", problems.to_string().trim_end())
}

/// Plans with numbers from the store. Names are gathered in a first pass and numbered at once, because asked one by
/// one the store would commit once for each point of a fleet.
pub(crate) fn numbered(site: &Site, store: &Store, past: &Past) -> anyhow::Result<Plan> {
    let mut names: Vec<(String, String)> = Vec::new();
    plan(site, past, &mut |twin, point| {
        names.push((twin.to_owned(), point.to_owned()));
        Ok(SeriesId(u32::try_from(names.len() - 1).map_err(|error| error.to_string())?))
    })?;
    let mut numbers = store.series(&names)?.into_iter();
    plan(site, past, &mut |_, _| numbers.next().ok_or_else(|| "a series has no number".to_owned()))
}

/// Where the packages that ran last are kept.
pub(crate) fn vault(site: &Site) -> Vault {
    Vault::new(site.data_folder().join("packages"))
}

/// What a behavior starts with: what was authoritative last if it still may run; else the highest version of the
/// folder that has not failed; else what was kept. A component in which the process crashed is left out, and in its place
/// comes only what was put to work before: what merely lies in the folder waits for a rollout.
fn pick(shelf: &Shelf, kept: &[Package], behavior: &Behavior, past: &Past) -> Option<Pick> {
    let range = VersionReq::parse(&behavior.version).unwrap_or_default();
    let fits = |package: &&Package| {
        package.declaration.name == behavior.plugin && range.matches(&package.declaration.version.0)
    };
    let failed = |package: &&Package| past.failed.contains(&(behavior.name.clone(), package.digest));
    let crashed = |package: &&Package| past.crashed.contains(&package.digest);
    let all = || shelf.packages().iter().chain(kept).filter(fits);
    let assigned = past.assigned.get(&(behavior.name.clone(), None));
    let last = assigned.and_then(|digest| all().find(|package| package.digest == *digest));
    let best = |packages: &[&Package]| -> Option<Package> {
        // max_by keeps the last of equals, which is the later arrival.
        packages.iter().max_by(|a, b| a.declaration.version.cmp(&b.declaration.version)).map(|p| (*p).clone())
    };
    let good = |package: &&Package| !failed(package) && !crashed(package);
    let fresh: Vec<&Package> = shelf.packages().iter().filter(fits).filter(good).collect();
    let older: Vec<&Package> = kept.iter().filter(fits).filter(good).collect();
    let is_known =
        |digest: Digest| shelf.packages().iter().chain(kept).any(|package| package.digest == digest);
    // What crashed and is gone counts too, what the site file no longer allows does not: there a person chose another.
    let is_safe_start = assigned
        .is_some_and(|digest| past.crashed.contains(digest) && (last.is_some() || !is_known(*digest)));
    let chosen = match is_safe_start {
        true => {
            let ran = past.ran.get(&behavior.name).into_iter().flatten();
            ran.filter_map(|digest| all().find(|package| package.digest == *digest)).find(good).cloned()
        }
        false => last.cloned().or_else(|| best(&fresh)).or_else(|| best(&older)),
    };
    let left_out = chosen.is_none();
    // Points and alerts are laid out by a declaration, also while nothing runs.
    let package = chosen.or_else(|| last.cloned()).or_else(|| best(&all().collect::<Vec<_>>()))?;
    let revived = shelf.by_digest(package.digest).is_none();
    let instead_of = last.filter(|last| crashed(last) && last.digest != package.digest).cloned();
    Some(Pick { package, revived, left_out, instead_of })
}

/// Plans with numbers from `series_id`.
fn plan(
    site: &Site,
    past: &Past,
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
    let kept = kept(site, &shelf);
    let picks: Vec<Option<Pick>> =
        site.document.behavior.iter().map(|behavior| pick(&shelf, &kept, behavior, past)).collect();
    // Pins look for their versions, and mistakes for what was meant, among all that there are.
    let all: Vec<&Package> = shelf.packages().iter().chain(&kept).collect();
    let declarations: Vec<_> = all.iter().map(|package| (*package.declaration).clone()).collect();
    let starts = |behavior: &str| {
        let place = site.document.behavior.iter().position(|known| known.name == behavior)?;
        let digest = picks.get(place)?.as_ref()?.package.digest;
        declarations.get(all.iter().position(|package| package.digest == digest)?)
    };
    let plant = Plant::resolve_from(site, &declarations, &starts, series_id).map_err(|problems| {
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
            let place = site.document.behavior.iter().position(|behavior| behavior.name == binding.name);
            let pick = place.and_then(|place| picks.get(place).cloned().flatten());
            pick.with_context(|| format!("plugin {} went away", binding.declaration.name))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Plan { plant, shelf, kept, picked, refused, folder })
}

/// What was kept from before and the folder does not have.
fn kept(site: &Site, shelf: &Shelf) -> Vec<Package> {
    let all = match vault(site).all() {
        Ok(all) => all,
        Err(error) => {
            tracing::warn!(%error, "packages of earlier runs cannot be read");
            return Vec::new();
        }
    };
    all.into_iter()
        .filter_map(|found| match found.package {
            Ok(package) => Some(package),
            Err(error) => {
                tracing::warn!(%error, file = %found.path.display(), "a package of an earlier run is passed over");
                None
            }
        })
        .filter(|package| shelf.by_digest(package.digest).is_none())
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use geminus_core::Declaration;
    use geminus_core::declaration::Stamp;

    use super::*;

    /// A package of the plugin `est`, with its version as its bytes.
    pub(crate) fn package(version: &str) -> Package {
        let json = serde_json::json!({
            "declaration": 1, "name": "est", "version": version, "kind": "estimator",
            "outputs": [{"name": "o", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []}
        });
        Package {
            path: format!("est-{version}.wasm").into(),
            digest: digest(version),
            declaration: Arc::new(Declaration::parse(json.to_string().as_bytes()).expect("valid")),
            stamp: Stamp { contract: "0.1.0".into(), sdk: "none".into(), toolchain: "unknown".into() },
            bytes: Arc::from(version.as_bytes()),
        }
    }

    pub(crate) fn digest(version: &str) -> Digest {
        Digest::of(version.as_bytes())
    }

    /// What is picked of 1.5.0, which is kept, and 1.6.0 and 2.0.0, which lie in the folder: the version, and whether it
    /// is left out. `ran` is the latest first; the first of it is what is assigned.
    fn picked(range: &str, ran: &[&str], crashed: &[&str], failed: &[&str]) -> (String, bool) {
        let mut shelf = Shelf::default();
        shelf.put(package("1.6.0"));
        shelf.put(package("2.0.0"));
        let kept = [package("1.5.0")];
        let behavior = serde_json::json!({ "name": "health", "plugin": "est", "version": range });
        let behavior: Behavior = serde_json::from_value(behavior).expect("a behavior");
        let of = |version: &&str| ("health".to_owned(), digest(version));
        let mut past = Past {
            crashed: crashed.iter().map(|version| digest(version)).collect(),
            failed: failed.iter().map(of).collect(),
            ..Past::default()
        };
        if let Some(last) = ran.first() {
            past.assigned.insert(("health".to_owned(), None), digest(last));
            past.ran.insert("health".to_owned(), ran.iter().map(|version| digest(version)).collect());
        }
        let pick = pick(&shelf, &kept, &behavior, &past).expect("a declaration");
        (pick.package.declaration.version.to_string(), pick.left_out)
    }

    #[test]
    fn a_safe_start_goes_back_to_what_ran_and_never_on_to_what_has_not() {
        let check = |ran: &[&str], crashed: &[&str], failed: &[&str], expect: (&str, bool)| {
            let found = picked("*", ran, crashed, failed);
            assert_eq!(
                found,
                (expect.0.to_owned(), expect.1),
                "{ran:?}, crashed {crashed:?}, failed {failed:?}"
            );
        };
        // Nothing has run: the best of the folder.
        check(&[], &[], &[], ("2.0.0", false));
        check(&[], &["2.0.0"], &[], ("1.6.0", false));
        // What ran last stays, whatever lies in the folder.
        check(&["1.6.0"], &[], &[], ("1.6.0", false));
        // It crashed: what ran before, and without that nothing.
        check(&["1.6.0", "1.5.0"], &["1.6.0"], &[], ("1.5.0", false));
        check(&["1.6.0"], &["1.6.0"], &[], ("1.6.0", true));
        check(&["1.6.0", "1.5.0"], &["1.6.0", "1.5.0"], &[], ("1.6.0", true));
        check(&["1.6.0", "1.5.0"], &["1.6.0"], &["1.5.0"], ("1.6.0", true));
        // The one that was put to work last comes first, not the highest.
        check(&["1.6.0", "1.5.0", "2.0.0"], &["1.6.0"], &[], ("1.5.0", false));
        check(&["1.6.0", "2.0.0", "1.5.0"], &["1.6.0"], &[], ("2.0.0", false));
        // What crashed is gone altogether: still nothing untried.
        check(&["1.4.0", "1.5.0"], &["1.4.0"], &[], ("1.5.0", false));
        assert!(picked("*", &["1.4.0"], &["1.4.0"], &[]).1, "left out");
    }

    #[test]
    fn what_the_host_crashed_in_is_kept_from_the_behaviors_of_its_plugin_alone() {
        let past = Past {
            failed: [("other".to_owned(), digest("9.0.0"))].into(),
            crashed: [digest("1.6.0"), digest("1.7.0")].into(),
            ..Past::default()
        };
        let bindings = [("health", "est"), ("other", "pol")];
        let found = past.not_by_itself(bindings.into_iter(), &[&package("1.6.0")]);
        let of = |behavior: &str, version: &str| (behavior.to_owned(), digest(version));
        // Whose 1.7.0 is nobody knows while it is not there.
        let all = [of("health", "1.6.0"), of("health", "1.7.0"), of("other", "1.7.0"), of("other", "9.0.0")];
        assert_eq!(found, HashSet::from(all));
    }

    #[test]
    fn a_range_that_a_person_changed_chooses_anew() {
        assert_eq!(picked("^2", &["1.6.0"], &["1.6.0"], &[]), ("2.0.0".to_owned(), false));
    }
}
