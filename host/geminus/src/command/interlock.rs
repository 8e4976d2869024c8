//! `geminus interlock`: recorded cases against the rules of a site, and the rules of a target in words. Nothing is written; the
//! site's files are enough, and where its host runs, that one says what each rule reads now.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use geminus_api::view::TargetsView;
use geminus_interlock::Book;
use geminus_interlock::case::{Case, Cases, Expect};
use geminus_twin::Plant;

use super::alarm::escaped;
use super::named;
use super::rollout::Door;
use crate::runtime::plan;

#[derive(Debug, Subcommand)]
pub(crate) enum Interlock {
    /// Plays recorded cases against the rules of a site; fails when one comes out otherwise than expected.
    Test {
        /// The site's configuration.
        site: PathBuf,
        /// A file with cases (TOML or JSON), or a folder of them.
        cases: PathBuf,
    },
    /// Says which rules guard a target and in which order, and what each reads now, or in a recorded case.
    Explain {
        /// Name of the target.
        target: String,
        /// Only that of this twin.
        #[arg(long, value_name = "ID")]
        twin: Option<String>,
        /// A file with cases, of which the first one for the target is shown. Without it the running host is asked; when none
        /// answers, nothing is known of any point.
        #[arg(long)]
        case: Option<PathBuf>,
        #[command(flatten)]
        door: Door,
    },
}

pub(crate) fn run(command: &Interlock) -> anyhow::Result<()> {
    match command {
        Interlock::Test { site, cases } => test(site, cases),
        Interlock::Explain { target, twin, case: None, door } => {
            let of = twin.as_deref().map(|twin| format!("?twin={}", escaped(twin))).unwrap_or_default();
            let asked = door.host().and_then(|host| host.get::<TargetsView>(&format!("/api/v1/targets{of}")));
            match asked {
                Ok(view) => {
                    print!("{}", now(&view, target)?);
                    Ok(())
                }
                Err(error) => {
                    println!("the host says nothing of it: {error:#}");
                    explain(target, site(door)?, None)
                }
            }
        }
        Interlock::Explain { target, case, door, .. } => explain(target, site(door)?, case.as_deref()),
    }
}

fn site(door: &Door) -> anyhow::Result<&Path> {
    door.site.as_deref().context("say which site: --site FILE")
}

/// What the rules of a target read now, twin by twin.
fn now(view: &TargetsView, name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    for target in view.targets.iter().filter(|target| target.name == name) {
        text.push_str(&format!(
            "{name} of {}: checked in this order; when a trip becomes active the host {}\n",
            target.twin, target.fail_action
        ));
        text.push_str(&heading());
        for rule in &target.rules {
            let told = (&*rule.kind, &*rule.rule, &*rule.allowed, &*rule.reads);
            text.push_str(&line(rule.refuses, told, rule.bypassed_by.as_deref()));
        }
    }
    ensure!(!text.is_empty(), "the host has no target \"{name}\" there: see `geminus target list`");
    Ok(text)
}

fn heading() -> String {
    format!("{:<9} {:<12} {:<24} {:<40} reads\n", "now", "kind", "rule", "allowed")
}

fn line(
    refuses: Option<bool>,
    (kind, rule, allowed, reads): (&str, &str, &str, &str),
    bypassed_by: Option<&str>,
) -> String {
    let now = match refuses {
        Some(true) => "refuses",
        Some(false) => "passes",
        None => "depends",
    };
    let bypassed = bypassed_by.map_or_else(String::new, |by| format!(" (bypassed by {by})"));
    format!("{now:<9} {kind:<12} {rule:<24} {allowed:<40} {reads}{bypassed}\n")
}

/// The plant of a site without mistakes.
fn plant(site: &Path) -> anyhow::Result<Plant> {
    let plan::Checked { plan, problems, .. } = plan::check(site)?;
    problems.or(()).map_err(plan::told)?;
    Ok(plan.plant)
}

/// The rules of a target. Targets of one name have to be told apart by their twins, which cases do not name.
fn book<'p>(plant: &'p Plant, name: &str) -> anyhow::Result<&'p Book> {
    let mut named = plant.targets.iter().filter(|target| target.name == name);
    let Some(target) = named.next() else {
        let all: Vec<_> = plant.targets.iter().map(|target| target.name.as_str()).collect();
        bail!("the site has no target \"{name}\"; it has: {}", all.join(", "));
    };
    ensure!(named.next().is_none(), "the site has several targets \"{name}\": give them different names");
    Ok(&target.book)
}

fn test(site: &Path, path: &Path) -> anyhow::Result<()> {
    let plant = plant(site)?;
    let (mut played, mut wrong) = (0, 0);
    println!("{:<6} {:<40} {:<20} found", "", "case", "target");
    for file in files(path)? {
        for case in read(&file)?.case {
            let result = book(&plant, &case.target)
                .and_then(|book| case.play(book).map_err(anyhow::Error::msg))
                .with_context(|| format!("{}: case \"{}\"", file.display(), case.name))?;
            played += 1;
            let found = match result.found {
                Expect::Permitted => "permitted".to_owned(),
                Expect::Refused => result.why,
            };
            let mark = if result.as_expected { "ok" } else { "WRONG" };
            println!("{mark:<6} {:<40} {:<20} {found}", case.name, case.target);
            if !result.as_expected {
                wrong += 1;
                println!("{:<6} expected: {}", "", expected(&case));
            }
        }
    }
    ensure!(played > 0, "{}: no cases: write [[case]]", path.display());
    ensure!(wrong == 0, "{wrong} of {played} cases came out otherwise than expected");
    println!("{played} cases as expected");
    Ok(())
}

fn expected(case: &Case) -> String {
    match (case.expect, &case.rule) {
        (Expect::Permitted, _) => "permitted".to_owned(),
        (Expect::Refused, None) => "refused".to_owned(),
        (Expect::Refused, Some(rule)) => format!("refused by \"{rule}\""),
    }
}

fn explain(target: &str, site: &Path, file: Option<&Path>) -> anyhow::Result<()> {
    let plant = plant(site)?;
    let book = book(&plant, target)?;
    let case = match file {
        Some(file) => {
            let found = read(file)?.case.into_iter().find(|case| case.target == target);
            found.with_context(|| format!("{}: no case for target \"{target}\"", file.display()))?
        }
        None => {
            println!("no case is given (--case): nothing is known of any point");
            serde_json::from_value(serde_json::json!({
                "name": "nothing is known", "target": target, "command": { "value": 0 }, "expect": "refused"
            }))?
        }
    };
    println!("{target}: checked in this order; when a trip becomes active the host {}", book.fail_action());
    print!("{}", heading());
    for rule in case.explain(book).map_err(anyhow::Error::msg)? {
        let kind = format!("{:?}", rule.kind).to_lowercase();
        let told = (&*kind, &*rule.rule, &*rule.allowed, &*rule.reads);
        print!("{}", line(rule.refuses, told, rule.bypassed_by.as_deref()));
    }
    Ok(())
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| named(path, error))? {
        let file = entry?.path();
        if file.extension().is_some_and(|ending| ending == "toml" || ending == "json") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> anyhow::Result<Cases> {
    let text = std::fs::read_to_string(file).map_err(|error| named(file, error))?;
    match file.extension().is_some_and(|ending| ending == "json") {
        true => serde_json::from_str(&text).map_err(|error| named(file, error)),
        false => toml::from_str(&text).map_err(|error| named(file, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_host_says_what_each_rule_reads_now() {
        let target = |twin: &str, reads: &str| {
            serde_json::json!({
                "twin": twin, "name": "speed", "unit": "/min", "class": "routine", "approvers": 1, "commands": [],
                "feedback": null, "written": null, "owner": "behavior", "holdings": [], "open": [], "latches": [],
                "bypasses": [], "tripped": true,
                "rules": [
                    {"kind": "trip", "rule": "hot", "allowed": "not t > 90", "reads": reads, "refuses": true,
                        "bypassed_by": null},
                    {"kind": "permissive", "rule": "runs", "allowed": "s > 1", "reads": "s = 0", "refuses": false,
                        "bypassed_by": "Ines (sensor)"},
                ],
                "fail_action": "holds the last value", "heartbeat": null,
                "egress": {"source": "broker", "address": "rig/set", "up": true},
            })
        };
        let view: TargetsView = serde_json::from_value(serde_json::json!({
            "targets": [target("rig-1", "t = 99"), target("rig-2", "t = 95")], "authorities": [],
            "dispatch": {"possible": true, "reason": null, "held": 0, "in_doubt": 0},
        }))
        .expect("targets");
        let text = now(&view, "speed").expect("a target");
        for part in
            ["speed of rig-1: checked", "t = 99", "speed of rig-2: checked", "t = 95", "bypassed by Ines"]
        {
            assert!(text.contains(part), "{text}\n  does not say\n{part}");
        }
        assert!(text.lines().any(|line| line.starts_with("refuses   trip         hot")), "{text}");
        assert!(now(&view, "load").is_err(), "it has no such target");
    }
}
