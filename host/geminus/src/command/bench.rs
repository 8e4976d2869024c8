//! `geminus bench`: measures this build on this machine, each figure against its baseline in the same run.

use clap::Args;

/// Measures this build on this machine.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only figures whose name starts so.
    #[arg(long)]
    pub(crate) only: Option<String>,
}

pub(crate) fn run(_bench: &Bench) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
