//! What a `[[behavior]]` chooses: the version that it starts with, its pins, its parameters, its substitute.

use geminus_core::{Declaration, TwinIndex};

use super::parameters::parameters;
use super::resolve::Resolving;
use super::{Binding, Pinned, Substitute, Twin};
use crate::pattern::Selection;
use crate::problem::did_you_mean;
use crate::site::{self, Behavior};

/// Inputs and alerts of a row are kept as bits of one word.
const BITS: usize = 64;

impl Resolving<'_> {
    /// The version that it starts with, else the highest that fits, if its shape is one that this version can bind.
    pub(super) fn declaration<'d>(
        &mut self,
        key: &str,
        behavior: &Behavior,
        start: Option<&'d Declaration>,
        declarations: &'d [Declaration],
    ) -> Option<&'d Declaration> {
        let named: Vec<_> = declarations.iter().filter(|known| known.name == behavior.plugin).collect();
        if named.is_empty() {
            let hint = did_you_mean(&behavior.plugin, declarations.iter().map(|known| known.name.as_str()));
            let message = format!("plugin \"{}\" is not in the plugins folder{hint}", behavior.plugin);
            self.report(&format!("{key}.plugin"), message);
            return None;
        }
        let best = match start {
            Some(start) => start,
            None => self.highest(key, behavior, &behavior.version, &named)?,
        };
        let refused = super::wiring::beyond_this_version(best, BITS);
        if let Some(reason) = &refused {
            self.report(&format!("{key}.plugin"), format!("plugin {} {reason}", best.label()));
        }
        refused.is_none().then_some(best)
    }

    pub(super) fn parameters(
        &mut self,
        key: &str,
        behavior: &Behavior,
        declaration: &Declaration,
    ) -> Vec<u8> {
        match parameters(&declaration.parameters, &behavior.parameters) {
            Ok(filled) => serde_json::Value::Object(filled).to_string().into_bytes(),
            Err(errors) => {
                for error in errors {
                    let key = format!("{key}.parameters{}", error.pointer.replace('/', "."));
                    self.report(&key, format!("behavior \"{}\": {error}", behavior.name));
                }
                Vec::new()
            }
        }
    }

    /// The highest of the versions of a plugin that fits.
    fn highest<'d>(
        &mut self,
        key: &str,
        behavior: &Behavior,
        range: &str,
        named: &[&'d Declaration],
    ) -> Option<&'d Declaration> {
        let range = semver::VersionReq::parse(range).ok()?;
        let fits = named.iter().filter(|known| range.matches(&known.version.0));
        let best = fits.max_by(|a, b| a.version.cmp(&b.version)).copied();
        if best.is_none() {
            let versions: Vec<_> = named.iter().map(|known| known.version.to_string()).collect();
            let message = format!(
                "no version of plugin \"{}\" fits {range}; there is {}",
                behavior.plugin,
                versions.join(", ")
            );
            self.report(&format!("{key}.version"), message);
        }
        best
    }

    /// The pins of a behavior. Each must select twins of it, and find a version that may run for them.
    pub(super) fn pins(
        &mut self,
        key: &str,
        behavior: &Behavior,
        binding: &Binding,
        declarations: &[Declaration],
        twins: &[Twin],
    ) -> Vec<Pinned> {
        let named: Vec<_> = declarations.iter().filter(|known| known.name == behavior.plugin).collect();
        let mut pins: Vec<Pinned> = Vec::new();
        for (place, pin) in behavior.pin.iter().enumerate() {
            let key = format!("{key}.pin[{place}]");
            let selected = self.pinned(&key, &pin.twins, binding, twins);
            let known = |twin: &&TwinIndex| pins.iter().any(|pin| pin.twins.binary_search(twin).is_ok());
            if let Some(twice) = selected.iter().find(known) {
                let id = twins.get(twice.0 as usize).map_or("", |twin| &*twin.id);
                self.report(
                    &format!("{key}.twins"),
                    format!("twin {id} is pinned twice in \"{}\"", binding.name),
                );
            }
            let versions = semver::VersionReq::parse(&pin.version).unwrap_or_default();
            if let Some(best) = self.highest(&key, behavior, &pin.version, &named)
                && let Err(reasons) = binding.adopt_for(best, &versions)
            {
                let message =
                    format!("{} cannot run for {}: {}", best.label(), pin.twins, reasons.join("; "));
                self.report(&format!("{key}.version"), message);
            }
            pins.push(Pinned { twins: selected, versions });
        }
        pins
    }

    fn pinned(&mut self, key: &str, pattern: &str, binding: &Binding, twins: &[Twin]) -> Vec<TwinIndex> {
        let Ok(selection) = Selection::new(pattern) else { return Vec::new() };
        let id = |twin: &TwinIndex| twins.get(twin.0 as usize).map_or("", |twin| &*twin.id);
        let list: Vec<_> = binding.twins.iter().copied().filter(|twin| selection.matches(id(twin))).collect();
        if list.is_empty() && !binding.twins.is_empty() {
            let hint = did_you_mean(pattern, binding.twins.iter().take(10_000).map(id));
            let message = format!("pin \"{pattern}\" matches no twin of behavior \"{}\"{hint}", binding.name);
            self.report(&format!("{key}.twins"), message);
        }
        list
    }

    /// What stands in for quarantined twins; `fail_safe` must name every output, and nothing else.
    pub(super) fn substitute(&mut self, key: &str, behavior: &Behavior, binding: &Binding) -> Substitute {
        let outputs = &binding.declaration.outputs;
        match behavior.substitute {
            site::Substitute::None => Substitute::None,
            site::Substitute::Hold => Substitute::Hold { seconds: behavior.hold_s },
            site::Substitute::Uncertain => Substitute::Uncertain,
            site::Substitute::FailSafe => {
                for name in behavior.fail_safe.keys().filter(|name| !outputs.iter().any(|o| o.name == **name))
                {
                    let hint = did_you_mean(name, outputs.iter().map(|output| output.name.as_str()));
                    let label = binding.declaration.label();
                    let message = format!("plugin {label} has no output \"{name}\"{hint}");
                    self.report(&format!("{key}.fail_safe.{name}"), message);
                }
                let value = |name: &String| behavior.fail_safe.get(name).copied();
                let missing: Vec<_> =
                    outputs.iter().map(|output| &output.name).filter(|name| value(name).is_none()).collect();
                // An empty table was reported when the file was read.
                if let (Some(first), false) = (missing.first(), behavior.fail_safe.is_empty()) {
                    let more = match missing.len() {
                        1 => String::new(),
                        count => format!(" and {} more", count - 1),
                    };
                    let message = format!("output \"{first}\"{more} has no value in `fail_safe`");
                    self.report(&format!("{key}.fail_safe"), message);
                }
                Substitute::FailSafe(outputs.iter().map(|o| value(&o.name).unwrap_or(f64::NAN)).collect())
            }
        }
    }
}
