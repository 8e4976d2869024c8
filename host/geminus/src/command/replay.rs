//! `geminus replay`: computes recorded rows again and proves that they come out as they were recorded, or shows where
//! another version would have said something else. Works beside a running host.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use geminus_behavior::ColdStart;
use geminus_core::{Digest, Timestamp};
use geminus_registry::{Package, resolve};
use geminus_rollout::{Acceptance, Plan, Stages};
use geminus_twin::Site;
use geminus_twin::pattern::Selection;
use geminus_twin::plant::parameters;
use geminus_twin::site::Behavior;

use super::history::time;
use crate::replay::{self, Archive, Other, Report, Span, Subject};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The site's configuration.
    site: PathBuf,
    /// Id of the twin.
    #[arg(long)]
    twin: String,
    /// Name of the behavior; default: all of the twin's.
    #[arg(long)]
    behavior: Option<String>,
    /// First time, RFC 3339 or milliseconds since 1970; default: the first recorded row.
    #[arg(long, value_parser = time)]
    from: Option<Timestamp>,
    /// End, exclusive; default: the last recorded row.
    #[arg(long, value_parser = time)]
    to: Option<Timestamp>,
    /// Another version to run over the same rows, from the same state: `plugin@1.2.3`, `plugin@^1.2` or a digest
    /// (sha256:…).
    #[arg(long, value_name = "PLUGIN@VERSION")]
    with: Option<String>,
    /// What the other version is judged by, TOML or JSON: the acceptance of a rollout, or a whole plan. Default: the
    /// acceptance in the site file.
    #[arg(long, requires = "with")]
    accept: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Fails when something differs, or the other version would not have been accepted.
pub(crate) fn run(replay: &Replay) -> anyhow::Result<()> {
    let site = Site::load(&replay.site)
        .map_err(|problems| anyhow::anyhow!("{}", problems.to_string().trim_end()))?;
    let mut archive = Archive::open(&site)?;
    let other = replay.with.as_deref().map(|wish| find(&archive.packages(), wish)).transpose()?;
    let accept = replay.accept.as_deref().map(acceptance).transpose()?;
    let span =
        Span { from: replay.from.unwrap_or(Timestamp(0)), to: replay.to.unwrap_or(Timestamp(u64::MAX)) };
    let behaviors = chosen(replay, &site, &archive, other.as_ref())?;
    let mut reports = Vec::new();
    for behavior in behaviors {
        let site_name = site.document.site.name.clone();
        let subject = Subject { site: site_name, behavior: behavior.clone(), twin: replay.twin.clone() };
        let section = site.document.behavior.iter().find(|section| section.name == behavior);
        let other = other.as_ref().map(|package| prepared(package, section, accept.as_ref())).transpose()?;
        let report = replay::run(&mut archive, &subject, span, other.as_ref())
            .with_context(|| format!("{behavior} of {}", replay.twin))?;
        if !replay.json {
            print!("{report}");
        }
        reports.push(report);
    }
    if replay.json {
        let all = serde_json::json!({ "site": site.document.site.name, "replays": reports });
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    let failures: Vec<String> = reports.iter().filter_map(Report::failure).collect();
    if failures.is_empty() {
        return Ok(());
    }
    bail!(failures.join("; "))
}

/// The behaviors that are meant: recorded, and of the plugin of the other version if there is one.
fn chosen(
    replay: &Replay,
    site: &Site,
    archive: &Archive,
    other: Option<&Package>,
) -> anyhow::Result<Vec<String>> {
    let of_twin = |section: &&Behavior| {
        Selection::new(&section.twins).is_ok_and(|selection| selection.matches(&replay.twin))
            && other.is_none_or(|other| other.declaration.name == section.plugin)
    };
    let named = match &replay.behavior {
        Some(name) => vec![name.clone()],
        None => site.document.behavior.iter().filter(of_twin).map(|section| section.name.clone()).collect(),
    };
    let mut recorded = Vec::new();
    for name in named {
        if archive.has_rows(&name, &replay.twin)? {
            recorded.push(name);
        }
    }
    if recorded.is_empty() {
        let behavior = replay.behavior.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        bail!("no rows{behavior} of {} were recorded in {}", replay.twin, site.data_folder().display());
    }
    Ok(recorded)
}

/// The package of `plugin@version` or of a digest.
fn find(packages: &[Package], wish: &str) -> anyhow::Result<Package> {
    if let Some((name, version)) = wish.split_once('@') {
        return Ok(resolve(packages, name, version)?.clone());
    }
    let digest: Digest =
        wish.parse().with_context(|| format!("{wish} is neither plugin@version nor a digest"))?;
    let found = packages.iter().find(|package| package.digest == digest);
    found.cloned().with_context(|| format!("there is no package {digest}"))
}

/// The other version with what the site gives it.
fn prepared(
    package: &Package,
    section: Option<&Behavior>,
    accept: Option<&Acceptance>,
) -> anyhow::Result<Other> {
    let given = section.map(|section| section.parameters.clone()).unwrap_or_default();
    let label = package.declaration.label();
    let filled = parameters(&package.declaration.parameters, &given).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{label}: {}", errors.join("; "))
    })?;
    let stages = section.map(|section| section.rollout.clone()).unwrap_or_default();
    let acceptance = accept.cloned().unwrap_or(stages.acceptance);
    let misfits = acceptance.misfits(&package.declaration);
    if !misfits.is_empty() {
        bail!(misfits.join("; "));
    }
    let cold = match stages.cold_start || section.is_some_and(|section| section.allow_cold_start) {
        true => ColdStart::Allow,
        false => ColdStart::Refuse,
    };
    let parameters = serde_json::Value::Object(filled).to_string().into_bytes().into();
    Ok(Other { package: package.clone(), parameters, cold, acceptance })
}

/// Reads an acceptance, or that of a plan.
fn acceptance(path: &Path) -> anyhow::Result<Acceptance> {
    let at = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(at)?;
    let value: serde_json::Value = match path.extension().is_some_and(|extension| extension == "json") {
        true => serde_json::from_str(&text).with_context(at)?,
        false => toml::from_str(&text).with_context(at)?,
    };
    if value.get("plugin").is_some() {
        let plan: Plan = serde_json::from_value(value).with_context(at)?;
        plan.check().map_err(|reasons| anyhow::anyhow!("{}: {}", at(), reasons.join("; ")))?;
        return Ok(plan.stages.acceptance);
    }
    let stages = Stages { acceptance: serde_json::from_value(value).with_context(at)?, ..Stages::default() };
    stages.check().map_err(|reasons| anyhow::anyhow!("{}: {}", at(), reasons.join("; ")))?;
    Ok(stages.acceptance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str, expect: Result<u64, &str>) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        match (acceptance(&path), expect) {
            (Ok(found), Ok(rows_min)) => assert_eq!(found.rows_min, rows_min, "{text}"),
            (Err(error), Err(says)) => {
                let error = format!("{error:#}");
                assert!(error.contains(says) && error.contains(name), "{error}, not {says:?}");
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn an_acceptance_is_held_to_what_a_plan_is_held_to() {
        check("a.toml", "rows_min = 7\n[difference]\n\"*\" = { absolute = 1.0 }\n", Ok(7));
        check("a.json", r#"{"rows_min": 8}"#, Ok(8));
        check(
            "plan.json",
            r#"{"plugin": "p", "version": "1.0.0", "stages": {"acceptance": {"rows_min": 9}}}"#,
            Ok(9),
        );
        check("a.toml", "rows_min = 0", Err("acceptance.rows_min: is 0"));
        check(
            "a.toml",
            "exceed_share_max = 2.0",
            Err("acceptance.exceed_share_max: 2 is not between 0 and 1"),
        );
        check("a.toml", "nis_confidence = 1.5", Err("acceptance.nis_confidence: 1.5"));
        check(
            "a.json",
            r#"{"difference": {"*": {"absolute": -1.0}}}"#,
            Err("acceptance.difference.*.absolute"),
        );
        check("a.json", r#"{"difference": {"*": {}}}"#, Err("has no limit"));
        check("a.toml", "rows = 7", Err("unknown field"));
        let plan = r#"{"plugin": "p", "version": "1.0.0", "stages": {"acceptance": {"rows_min": 0}}}"#;
        check("plan.json", plan, Err("stages.acceptance.rows_min"));
    }
}
