//! Rollouts that go well: through every phase, up to a newer schema of state and down again.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use geminus_tests::{SiteFolder, geminus};
use serde_json::{Value, json};

use crate::rig::{KINDS, Rig, guest};

/// Changes of versions in the scenario: seven for good, three there and back, one for good.
const TURNS: usize = 7 + 2 * 3 + 1;

fn brief() -> Value {
    json!({
        "shadow": { "rows": 5 }, "canary": { "count": 1, "rows": 5 }, "probation": { "rows": 5, "seconds": 0 },
        "acceptance": { "difference": { "*": { "absolute": 0.0 } }, "rows_min": 5 },
    })
}

fn direct() -> Value {
    json!({ "probation": { "rows": 3, "seconds": 0 } })
}

#[test]
fn there_and_back_again_is_as_if_one_had_never_left() -> anyhow::Result<()> {
    let rig = Rig::start("arrivals = \"ignore\"")?;
    rig.offer("1.1.0", |kind| guest(kind, "1.1.0", ""))?;
    // Version 2 has another schema of state; it reads the old one, and can write it for the way back.
    rig.offer("2.0.0", |kind| {
        Ok(guest(kind, "2.0.0", "schema=2")?
            .declares(|it| it["state"] = json!({ "schema": 2, "reads": [1, 2], "writes": [1, 2] })))
    })?;
    for version in ["1.1.0", "1.0.0", "2.0.0", "1.0.0", "2.0.0", "1.1.0", "1.0.0"] {
        let rollouts = rig.start_all(version, &brief())?;
        rig.reach(&rollouts, &["permanent"])?;
        rig.runs(version)?;
    }
    // Back from probation, by order: the incumbent was fed all the while.
    for _ in 0..3 {
        let rollouts =
            rig.start_all("2.0.0", &json!({ "probation": { "rows": 1_000_000, "seconds_max": 3600 } }))?;
        rig.reach(&rollouts, &["probation"])?;
        rig.pulse.wait(5)?;
        rig.order(&rollouts, "rollback")?;
        rig.reach(&rollouts, &["rolled-back"])?;
        rig.runs("1.0.0")?;
    }
    let rollouts = rig.start_all("1.1.0", &direct())?;
    rig.reach(&rollouts, &["permanent"])?;
    rig.runs("1.1.0")?;
    let site = rig.closed(|_| 0.0)?;
    KINDS.iter().try_for_each(|kind| never_left(&site, kind))
}

/// Runs version 1.0.0 alone over every recorded row of a twin: what it says, outputs, alerts and proposals, is what was
/// recorded while versions took turns, bit for bit. The record itself is proved on the way, states at every turn with it.
fn never_left(site: &SiteFolder, kind: &str) -> anyhow::Result<()> {
    let twin = format!("{kind}-1");
    let output = Command::new(geminus()?)
        .arg("replay")
        .arg(site.site())
        .args(["--twin", &twin, "--with", &format!("{kind}@1.0.0"), "--json"])
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{twin}: {errors}");
    let json: Value = serde_json::from_slice(&output.stdout).context(twin.clone())?;
    let replay = &json["replays"][0];
    anyhow::ensure!(replay["equal"] == true && replay["complete"] == true, "{twin}: {replay:#}");
    let borders = replay["borders"].as_array().context("borders")?;
    let turns = borders.iter().filter(|border| border["kind"] == "switch").count();
    anyhow::ensure!(turns == TURNS, "{twin}: {turns} turns: {replay:#}");
    anyhow::ensure!(replay["signals_rows"] == replay["rows"], "{twin}: {replay:#}");
    let said = match kind {
        "health-rule" => replay["alerts"].as_u64() > Some(0),
        "command-policy" => replay["proposals"].as_u64() > Some(0),
        _ => true,
    };
    anyhow::ensure!(said, "{twin} had nothing to say: {replay:#}");
    let alone = &replay["with"];
    anyhow::ensure!(alone["first_difference"].is_null(), "{twin}: {alone:#}");
    for (of_record, of_one) in
        [("digest", "outputs_digest"), ("signals_digest", "signals_digest"), ("rows", "rows")]
    {
        anyhow::ensure!(replay[of_record] == alone[of_one], "{twin}: another {of_record}: {replay:#}");
    }
    Ok(())
}
