//! `geminus plugin test`, `check`, `bench` and `diff`: a component tried as a host would run it. Each takes a component
//! file, or the folder of a crate, which is built first and brings its own cases and golden states along.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use geminus_conformance::{Bed, Costs, Native, Plan};
use geminus_core::{Clock as _, SystemClock};
use geminus_registry::{DeclarationChange, Package};
use serde_json::{Map, Value};

/// Where an author's cases stand in a crate.
const CASES: &str = "cases";
/// Where golden states stand in a crate.
const GOLDEN: &str = "tests/golden";

/// What all of them take.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// The component file, or the folder of a plugin's crate, which is built first.
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// Parameters of the twins as a JSON object; without them, the declared defaults.
    #[arg(long, default_value = "{}")]
    parameters: String,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    subject: Subject,
    /// Folder with case files; of a crate, its `cases`.
    #[arg(long)]
    cases: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    subject: Subject,
    /// Folder with golden states; of a crate, its `tests/golden`.
    #[arg(long)]
    golden: Option<PathBuf>,
    /// Prints the report as JSON, to be published beside the component.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    subject: Subject,
    /// Prints the figures as JSON.
    #[arg(long)]
    json: bool,
}

impl Subject {
    fn bed(&self) -> anyhow::Result<Bed> {
        let package = if self.plugin.is_dir() {
            super::build(&self.plugin, None)?.package
        } else {
            Package::read(&self.plugin).map_err(|error| super::super::named(&self.plugin, error))?
        };
        let given: Map<String, Value> =
            serde_json::from_str(&self.parameters).context("--parameters must be a JSON object")?;
        let label = package.declaration.label();
        Bed::new(package, given).with_context(|| format!("cannot try {label}"))
    }

    /// A folder that a crate may have, unless another is named.
    fn folder(&self, named: Option<&PathBuf>, usual: &str) -> Option<PathBuf> {
        let own = self.plugin.join(usual);
        named.cloned().or_else(|| own.is_dir().then_some(own))
    }
}

impl Test {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let folder = self.subject.folder(self.cases.as_ref(), CASES);
        let folder = folder.context("there is no folder of cases: name one with --cases")?;
        let bed = self.subject.bed()?;
        let files = geminus_sdk::testing::case::files(&folder)?;
        let mut failed = 0;
        for path in &files {
            let outcome = geminus_conformance::run_case(&bed, path)?;
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            match outcome.difference {
                None => println!("holds   {file}: {} ({} rows)", outcome.name, outcome.rows),
                Some(difference) => {
                    failed += 1;
                    println!("FAILS   {file}: {}: {difference}", outcome.name);
                }
            }
        }
        ensure!(failed == 0, "{failed} of {} cases do not hold", files.len());
        println!("{} cases hold for {}", files.len(), bed.declaration().label());
        Ok(())
    }
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let golden = self.subject.folder(self.golden.as_ref(), GOLDEN);
        let bed = self.subject.bed()?;
        let report = geminus_conformance::check(&bed, &Plan { golden });
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&report)?),
            false => print!("{report}"),
        }
        ensure!(report.conforms(), "{} does not conform", report.plugin);
        Ok(())
    }
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let bed = self.subject.bed()?;
        let clock = SystemClock::new();
        let mut costs = geminus_conformance::measure(&bed, &|| clock.monotonic())?;
        let native = native(&self.subject.plugin, &bed)?;
        costs.native = native.map(|batch_ns| Native { batch_ns, ratio: costs.batch_ns / batch_ns });
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&costs)?),
            false => show(&costs),
        }
        Ok(())
    }
}

fn show(costs: &Costs) {
    println!("{}", costs.plugin);
    println!("  in a batch      {:>10.0} ns a row", costs.batch_ns);
    println!("  alone           {:>10.0} ns a row", costs.single_ns);
    match costs.native {
        Some(native) => println!(
            "  natively        {:>10.0} ns a row: the component takes {:.2} times as long",
            native.batch_ns, native.ratio
        ),
        None => {
            println!("  natively                 - a crate with examples/native.rs is measured natively too")
        }
    }
    println!("  fuel            {:>10} a row, at most {}", costs.fuel_per_row, costs.fuel_per_row_max);
    println!(
        "  memory          {:>10} bytes, {} more for each twin",
        costs.memory_bytes, costs.memory_bytes_per_twin
    );
    println!("  state           {:>10} bytes a twin", costs.state_bytes);
}

/// Nanoseconds a row of the crate's own `examples/native.rs`; `None` where there is none.
fn native(plugin: &Path, bed: &Bed) -> anyhow::Result<Option<f64>> {
    if !plugin.join("examples/native.rs").is_file() {
        return Ok(None);
    }
    let mut child = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--example", "native"])
        .current_dir(plugin)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let course = geminus_conformance::course(bed).bytes();
    let sent = child.stdin.take().map(|mut stdin| std::io::Write::write_all(&mut stdin, &course));
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{} failed: cargo run --example native", plugin.display());
    }
    sent.transpose()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let ns =
        said.trim().parse().with_context(|| format!("examples/native.rs said {said:?}, which is no time"))?;
    Ok(Some(ns))
}

/// Shows every difference of two declarations, the worst first.
pub(super) fn diff(incumbent: &Path, candidate: &Path) -> anyhow::Result<()> {
    let read = |path: &Path| Package::read(path).map_err(|error| super::super::named(path, error));
    let (incumbent, candidate) = (read(incumbent)?, read(candidate)?);
    let diff = geminus_registry::diff(&incumbent.declaration, &candidate.declaration);
    println!("{} → {}", incumbent.declaration.label(), candidate.declaration.label());
    for DeclarationChange { what, severity, text } in &diff.changes {
        println!("  {:<9} {what}: {text}", format!("{severity:?}").to_lowercase());
    }
    match (diff.refuses(), diff.widens()) {
        (true, _) => bail!("{} cannot take over a running plant", candidate.declaration.label()),
        (false, true) => println!("takes over once a person has said yes"),
        (false, false) => println!("takes over by itself"),
    }
    Ok(())
}
