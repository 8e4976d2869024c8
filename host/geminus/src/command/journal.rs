//! `geminus journal`: holds the record against itself and against what was kept elsewhere, takes it elsewhere, and
//! shows or changes the key that signs it. All but changing the key works while the host runs.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{Subcommand, ValueEnum};
use geminus_core::{SystemClock, Timestamp};
use geminus_store::{Audit, Chain, Format, Kept, PublicKey};

use super::history::{folder, time};

#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Verifies that nothing was altered; names the first bad entry, and fails, when something was.
    Verify {
        /// The site's configuration, its data folder, or an export.
        journal: PathBuf,
        /// Checkpoints that were kept elsewhere: a copy of `journal.checkpoints`, or lines of it.
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// Public keys that were kept elsewhere, one a line, as `geminus journal key` prints them.
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Prints entries with their chain and the checkpoints that cover them, so that `verify` can check them elsewhere.
    Export {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// First time, RFC 3339 or milliseconds since 1970.
        #[arg(long, value_parser = time)]
        from: Option<Timestamp>,
        /// End, exclusive.
        #[arg(long, value_parser = time)]
        to: Option<Timestamp>,
        /// How it is written.
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Written,
    },
    /// Prints the public key that checkpoints are signed with, to be kept elsewhere.
    Key {
        /// The site's configuration, or its data folder.
        site: PathBuf,
    },
    /// Makes a new key, which the old one signs; the host must be stopped. Prints the new public key.
    RotateKey {
        /// The site's configuration, or its data folder.
        site: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Written {
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values with a heading.
    Csv,
}

pub(crate) fn run(journal: Journal) -> anyhow::Result<()> {
    match journal {
        Journal::Verify { journal, checkpoint, key } => {
            verify(&journal, checkpoint.as_deref(), key.as_deref())
        }
        Journal::Export { site, from, to, format } => export(&site, (from, to), format),
        Journal::Key { site } => {
            let folder = folder(&site)?;
            match PublicKey::of_folder(&folder)? {
                Some(key) => println!("{key}"),
                None => bail!("{}: no host has kept a journal here yet", folder.display()),
            }
            Ok(())
        }
        Journal::RotateKey { site } => {
            println!("{}", geminus_store::rotate_key(&folder(&site)?, &SystemClock::new())?);
            Ok(())
        }
    }
}

fn verify(journal: &Path, checkpoint: Option<&Path>, key: Option<&Path>) -> anyhow::Result<()> {
    let mut kept = Kept::default();
    if let Some(path) = checkpoint {
        kept.checkpoints = Kept::checkpoints_from(path)?;
    }
    if let Some(path) = key {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let keys = text.split_whitespace().map(str::parse).collect::<Result<Vec<PublicKey>, String>>();
        kept.keys = keys.map_err(|reason| super::named(path, reason))?;
        ensure!(!kept.keys.is_empty(), "{}: there is no key in it", path.display());
    }
    let is_site = journal.extension().is_some_and(|ending| ending == "toml");
    let audit = if journal.is_dir() || is_site {
        let folder = folder(journal)?;
        geminus_store::audit(&folder, &kept).map_err(|error| super::named(&folder, error))?
    } else {
        let file = File::open(journal).with_context(|| journal.display().to_string())?;
        geminus_store::audit_export(BufReader::new(file), &kept)
            .map_err(|error| super::named(journal, error))?
    };
    match audit.chain {
        Chain::Broken { seq, finding } => bail!("the journal was altered: entry {seq}: {finding}"),
        Chain::Whole { entries } => {
            println!("{}", words(entries, &audit, &kept));
            Ok(())
        }
    }
}

/// What holds, and against what it was not held.
fn words(entries: u64, audit: &Audit, kept: &Kept) -> String {
    let mut text = format!(
        "{entries} entries as they were written; signed up to entry {} by {} checkpoints",
        audit.signed_to, audit.checkpoints
    );
    if let Some(key) = audit.key {
        text.push_str(&format!("; key {key}"));
    }
    if !kept.checkpoints.is_empty() {
        text.push_str(&format!(
            "; held against {} of {} kept checkpoints",
            audit.kept,
            kept.checkpoints.len()
        ));
    }
    if kept.keys.is_empty() && audit.kept == 0 {
        text.push_str(
            "\nheld against nothing from elsewhere: who can write all files could have made them fit; keep the key and \
             checkpoints on another machine and give them with --key and --checkpoint",
        );
    }
    text
}

fn export(site: &Path, span: (Option<Timestamp>, Option<Timestamp>), format: Written) -> anyhow::Result<()> {
    if let (Some(from), Some(to)) = span {
        ensure!(from < to, "from must be earlier than to");
    }
    let folder = folder(site)?;
    let format = match format {
        Written::Jsonl => Format::Jsonl,
        Written::Csv => Format::Csv,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let written = geminus_store::export(&folder, span, format, &mut out)
        .map_err(|error| super::named(&folder, error))?;
    match written.and_then(|_| out.flush()) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
