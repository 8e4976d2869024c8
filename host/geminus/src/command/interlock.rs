//! `geminus interlock`: recorded cases against the rules of a site, and the rules of a target in words. Needs the
//! site's files only; nothing runs and nothing is written.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use geminus_interlock::Book;
use geminus_interlock::case::{Case, Cases, Expect};
use geminus_twin::Plant;

use super::named;
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
    /// Says which rules guard a target and in which order, and what each reads in a recorded case.
    Explain {
        /// Name of the target.
        target: String,
        /// The site's configuration.
        #[arg(long)]
        site: PathBuf,
        /// A file with cases, of which the first one for the target is shown. Without it, nothing is known of any point.
        #[arg(long)]
        case: Option<PathBuf>,
    },
}

pub(crate) fn run(command: &Interlock) -> anyhow::Result<()> {
    match command {
        Interlock::Test { site, cases } => test(site, cases),
        Interlock::Explain { target, site, case } => explain(target, site, case.as_deref()),
    }
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
    println!("{:<9} {:<12} {:<24} {:<40} reads", "now", "kind", "rule", "allowed");
    for line in case.explain(book).map_err(anyhow::Error::msg)? {
        let now = match line.refuses {
            Some(true) => "refuses",
            Some(false) => "passes",
            None => "depends",
        };
        let kind = format!("{:?}", line.kind).to_lowercase();
        let bypassed = line.bypassed_by.map_or_else(String::new, |by| format!(" (bypassed by {by})"));
        println!("{now:<9} {kind:<12} {:<24} {:<40} {}{bypassed}", line.rule, line.allowed, line.reads);
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
