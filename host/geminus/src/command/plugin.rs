//! `geminus plugin`: the author's bench.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use geminus_core::declaration::Kind;
use geminus_registry::author;
use indicatif::{ProgressBar, ProgressStyle};

mod bench;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Makes a new plugin crate that builds and is tested.
    New {
        /// Its name, lower case with dashes.
        name: String,
        /// What kind of behavior it is.
        #[arg(long, value_enum, default_value = "estimator")]
        kind: KindName,
        /// Where to make it.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// Compiles a plugin crate, or a behavior in another language, and makes the package.
    Build {
        /// Folder of the plugin's crate, or of `declaration.json` beside sources in C, JavaScript or Python.
        #[arg(default_value = ".")]
        crate_dir: PathBuf,
        /// Folder to rename the package into; give a site's plugin folder to swap it in.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Shows what a package says of itself.
    Inspect {
        /// The component file.
        file: PathBuf,
    },
    /// Runs an author's cases through the component.
    Test(bench::Test),
    /// Holds a component of any origin against the contract, clause by clause.
    Check(bench::Check),
    /// Measures what a row and a twin cost.
    Bench(bench::Bench),
    /// Shows what one version declares otherwise than another, and whether it can take over from it.
    Diff {
        /// The component that runs.
        incumbent: PathBuf,
        /// The component that is to take over.
        candidate: PathBuf,
    },
}

/// Kinds as people type them.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KindName {
    Estimator,
    Surrogate,
    HealthRule,
    CommandPolicy,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Estimator => Self::Estimator,
            KindName::Surrogate => Self::Surrogate,
            KindName::HealthRule => Self::HealthRule,
            KindName::CommandPolicy => Self::CommandPolicy,
        }
    }
}

pub(crate) fn run(plugin: Plugin) -> anyhow::Result<()> {
    match plugin {
        Plugin::New { name, kind, dir } => {
            let folder = author::scaffold(&dir, &name, kind.into(), &sdk_requirement())?;
            println!("made {}", folder.display());
            println!("next: geminus plugin build {}", folder.display());
            Ok(())
        }
        Plugin::Build { crate_dir, out } => build(&crate_dir, out.as_deref()).map(drop),
        Plugin::Inspect { file } => {
            print!("{}", author::inspect(&file).map_err(|error| super::named(&file, error))?);
            Ok(())
        }
        Plugin::Test(test) => test.run(),
        Plugin::Check(check) => check.run(),
        Plugin::Bench(bench) => bench.run(),
        Plugin::Diff { incumbent, candidate } => bench::diff(&incumbent, &candidate),
    }
}

/// Builds with a spinner that shows cargo's own lines.
pub(crate) fn build(crate_dir: &Path, out: Option<&Path>) -> anyhow::Result<author::Built> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(120));
    let built = author::build(crate_dir, out, |line| bar.set_message(line.to_owned()));
    bar.finish_and_clear();
    let built = built.with_context(|| format!("cannot build {}", crate_dir.display()))?;
    println!(
        "built {} {}  {} bytes  {}",
        built.package.declaration.label(),
        built.package.digest.short(),
        built.package.bytes.len(),
        built.path.display()
    );
    Ok(built)
}

/// The SDK that stands beside this binary's sources, else the published one.
fn sdk_requirement() -> String {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/geminus-sdk");
    match beside.canonicalize() {
        Ok(path) => format!("path = {:?}", path.display().to_string()),
        Err(_) => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
    }
}
