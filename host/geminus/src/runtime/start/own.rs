//! What a single twin starts with: a version of its own, which a rollout, the ladder or a pin gave it. What the site file
//! does not allow for the twin any more is set aside, and what the host crashed in is left out.

use geminus_core::{Event, Severity, TwinIndex};
use geminus_registry::Package;
use geminus_twin::plant::Binding;
use semver::VersionReq;

use super::tell_left_out;
use crate::runtime::floor::Floor;
use crate::runtime::id_of;
use crate::runtime::plan::Past;

/// How a version stands that was assigned to one twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Stays,
    /// The host crashed in it.
    Crashed,
    /// The site file does not allow it, or not any more.
    SetAside,
}

/// The package that a twin has of its own: what was assigned to it, or what its pin asks for.
pub(super) fn package(floor: &Floor, binding: &Binding, twin: TwinIndex, past: &Past) -> Option<Package> {
    let id = id_of(&floor.plant, twin).to_owned();
    let assigned = past.assigned.get(&(binding.name.clone(), Some(id.clone())));
    let has_crashed = assigned.is_some_and(|digest| past.crashed.contains(digest));
    if let Some(package) = assigned.and_then(|digest| floor.package(*digest)) {
        let versions = binding.versions_of(twin);
        let label = package.declaration.label();
        match standing(&package, versions, past) {
            Standing::Stays => return Some(package),
            Standing::Crashed => {
                let what = format!("without {label}, which it had of its own");
                tell_left_out(floor, binding, &package, &what, Some(&id));
            }
            Standing::SetAside => {
                let message = format!(
                    "{} of {id} had {label} of its own, which the site file does not allow for it ({versions}): it is set aside",
                    binding.name
                );
                let event = Event::new("version-set-aside", Severity::Warning, message);
                floor.chronicle.tell(event.twin(id.as_str()).plugin(label));
            }
        }
    }
    let pin = binding.pins.iter().find(|pin| pin.twins.binary_search(&twin).is_ok())?;
    let all = floor.packages();
    // What has failed, and what a person did not want, is not begun here either. Nor is what never ran, where the host
    // crashed in what the twin had.
    let welcome = |package: &Package| {
        let target = (binding.name.clone(), package.digest);
        let is_tried = !has_crashed || past.ran_for_some.contains(&target);
        is_tried && !past.failed.contains(&target) && !past.declined.contains(&target)
    };
    let fitting = all
        .into_iter()
        .filter(|package| package.declaration.name == binding.declaration.name && welcome(package))
        .filter(|package| pin.versions.matches(&package.declaration.version.0))
        .filter(|package| !past.crashed.contains(&package.digest))
        .max_by(|a, b| a.declaration.version.cmp(&b.declaration.version));
    if fitting.is_none() {
        let message = format!(
            "{} of {id} is pinned to {} and no package fits: put one into the plugin folder; until then it runs what the others run",
            binding.name, pin.versions
        );
        floor.chronicle.tell(Event::new("pin-unmet", Severity::Error, message).twin(id));
    }
    fitting
}

/// `versions` is what the site file allows for the twin: the range of its pin, else that of the behavior.
fn standing(package: &Package, versions: &VersionReq, past: &Past) -> Standing {
    if past.crashed.contains(&package.digest) {
        return Standing::Crashed;
    }
    match versions.matches(&package.declaration.version.0) {
        true => Standing::Stays,
        false => Standing::SetAside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::plan::tests::{digest, package};

    #[test]
    fn a_version_of_its_own_holds_within_the_range_of_the_site_file_and_while_the_host_did_not_crash_in_it() {
        let past = Past { crashed: [digest("1.7.0")].into(), ..Past::default() };
        let check = |range: &str, version: &str, expect: Standing| {
            let versions = VersionReq::parse(range).expect("a range");
            assert_eq!(standing(&package(version), &versions, &past), expect, "{version} in {range}");
        };
        check("*", "1.9.0", Standing::Stays);
        check("=1.9.0", "1.9.0", Standing::Stays);
        check("<1.9", "1.9.0", Standing::SetAside);
        check("^2", "1.9.0", Standing::SetAside);
        check("*", "1.7.0", Standing::Crashed);
        check("^2", "1.7.0", Standing::Crashed);
    }
}
