//! A second file arrives while the rollout of the first is under way.

use geminus_tests::drop_bytes;
use serde_json::Value;

use crate::rig::{KINDS, Rig, guest};

fn newest_of(rig: &Rig, kind: &str, version: &str) -> anyhow::Result<Value> {
    let all = rig.host.get("/rollouts")?;
    let mut list = all["rollouts"].as_array().cloned().unwrap_or_default().into_iter();
    list.find(|one| one["binding"] == kind && one["to"]["version"] == version)
        .ok_or_else(|| anyhow::anyhow!("no rollout of {kind} to {version}: {all}"))
}

/// The newest rollouts of each kind to this version have one of these phases.
fn reach(rig: &Rig, version: &str, phases: &[&str]) -> anyhow::Result<()> {
    for kind in KINDS {
        let id = geminus_tests::wait_for(version, std::time::Duration::from_secs(30), || {
            Ok(newest_of(rig, kind, version)?["id"].as_u64())
        })?;
        rig.reach(&[id], phases)?;
    }
    Ok(())
}

fn arrive(rig: &Rig, version: &str, script: &str) -> anyhow::Result<()> {
    for kind in KINDS {
        drop_bytes(
            &rig.site.path("plugins"),
            &format!("{kind}-{version}"),
            &guest(kind, version, script)?.bytes()?,
        )?;
    }
    Ok(())
}

#[test]
fn in_the_shadow_the_second_takes_the_place_of_the_first() -> anyhow::Result<()> {
    let rig = Rig::start(
        "rollout = { shadow = { rows = 5 }, promote = \"manual\", probation = { rows = 5, seconds = 0 } }",
    )?;
    arrive(&rig, "1.0.1", "")?;
    reach(&rig, "1.0.1", &["shadow"])?;
    arrive(&rig, "1.0.2", "")?;
    reach(&rig, "1.0.1", &["cancelled"])?;
    reach(&rig, "1.0.2", &["shadow"])?;
    rig.pulse.wait(20)?;
    let second =
        KINDS.iter().map(|kind| Ok(newest_of(&rig, kind, "1.0.2")?["id"].as_u64().unwrap_or_default()));
    rig.order(&second.collect::<anyhow::Result<Vec<u64>>>()?, "promote")?;
    reach(&rig, "1.0.2", &["permanent"])?;
    rig.runs("1.0.2")?;
    rig.held_against_no_rollout(|_| 0.0)
}

#[test]
fn in_probation_the_first_is_settled_if_it_was_good() -> anyhow::Result<()> {
    let rig = Rig::start("rollout = { probation = { rows = 1000000000, seconds = 0, seconds_max = 3600 } }")?;
    arrive(&rig, "1.0.1", "")?;
    reach(&rig, "1.0.1", &["probation"])?;
    rig.pulse.wait(15)?;
    arrive(&rig, "1.0.2", "open fault")?;
    reach(&rig, "1.0.1", &["permanent"])?;
    reach(&rig, "1.0.2", &["failed"])?;
    rig.runs("1.0.1")?;
    rig.held_against_no_rollout(|_| 0.0)
}
