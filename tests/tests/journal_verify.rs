//! `geminus journal verify` as people run it: a journal that nobody altered is whole; of one that was altered the first bad entry is named,
//! and the command fails.

use std::process::{Command, Output};

use anyhow::{Context as _, ensure};
use geminus_tests::{Host, SiteFolder, geminus};

const SITE: &str = r#"
[site]
name = "record"
[[twin]]
id = "rig"
type = "dtmi:t:Rig;1"
"#;

const TYPE: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Rig;1", "@type": "Interface", "displayName": "Rig",
    "contents": [{"@type": "Telemetry", "name": "limit", "schema": "double"}]}"#;

fn verify(site: &SiteFolder) -> anyhow::Result<Output> {
    Ok(Command::new(geminus()?).args(["journal", "verify"]).arg(site.site()).output()?)
}

fn alter(site: &SiteFolder, statement: &str) -> anyhow::Result<()> {
    let journal = rusqlite::Connection::open(site.path("data/journal.db"))?;
    let changed = journal.execute(statement, [])?;
    ensure!(changed == 1, "{statement} changed {changed} entries");
    Ok(())
}

/// A journal of some runs of a host, which nobody has altered.
fn recorded() -> anyhow::Result<SiteFolder> {
    let site = SiteFolder::new(SITE, &[("rig.json", TYPE)])?;
    for _ in 0..2 {
        Host::start(&site.site())?.stop()?;
    }
    let whole = verify(&site)?;
    let said = String::from_utf8(whole.stdout)?;
    ensure!(whole.status.code() == Some(0) && said.contains("entries as they were written"), "{said}");
    let entries: u64 = said.split(' ').next().and_then(|first| first.parse().ok()).context(said.clone())?;
    ensure!(entries >= 4, "too few to alter one in the middle: {said}");
    Ok(site)
}

#[test]
fn an_altered_journal_fails_and_the_first_bad_entry_is_named() -> anyhow::Result<()> {
    for statement in [
        "UPDATE entry SET body = json_set(body, '$.message', 'nothing happened') WHERE seq = 2",
        "UPDATE entry SET time = time + 1 WHERE seq = 2",
        "DELETE FROM entry WHERE seq = 2",
    ] {
        let site = recorded()?;
        alter(&site, statement)?;
        let found = verify(&site)?;
        let said = String::from_utf8(found.stderr)?;
        ensure!(found.status.code() == Some(1), "{statement}: {}: {said}", found.status);
        ensure!(said.contains("the journal was altered: entry 2:"), "{statement}: {said}");
        ensure!(found.stdout.is_empty(), "{statement}: it says that it is whole");
    }
    Ok(())
}
