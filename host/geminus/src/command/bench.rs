//! `geminus bench`: measures this build on this machine, each figure against its baseline in the same run.

use std::path::PathBuf;

use clap::Args;

/// Measures this build on this machine.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// A table in Markdown, as the book has it.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// Only figures whose name starts so.
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// Runs this site, looks at its own memory and ends: what `cohort.memory` starts.
    #[arg(long, hide = true)]
    pub(crate) probe: Option<PathBuf>,
    /// Lets these two packages take over from each other, looks at its own resources and ends: what `reload` starts.
    #[arg(long, hide = true, num_args = 2)]
    pub(crate) reload: Vec<PathBuf>,
}

#[cfg(feature = "bench")]
pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    use crate::bench::{Figure, Probe, Reloads};

    if let Some(site) = &bench.probe {
        println!("{}", serde_json::to_string(&Probe::run(site)?)?);
        return Ok(());
    }
    if !bench.reload.is_empty() {
        println!("{}", serde_json::to_string(&Reloads::run(&bench.reload)?)?);
        return Ok(());
    }
    let line = |figure: &Figure| match (bench.json, bench.markdown) {
        (true, _) => serde_json::to_string(figure).unwrap_or_default(),
        (false, true) => figure.markdown(),
        (false, false) => figure.line(),
    };
    match (bench.json, bench.markdown) {
        (true, _) => {}
        (false, true) => println!("{}", Figure::MARKDOWN_HEADING),
        (false, false) => println!("{}", Figure::HEADING),
    }
    crate::bench::run(bench.only.as_deref(), |figure| println!("{}", line(figure)))
}

#[cfg(not(feature = "bench"))]
pub(crate) fn run(_: &Bench) -> anyhow::Result<()> {
    anyhow::bail!("this build has no bench: build it with the feature `bench`")
}
