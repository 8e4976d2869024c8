//! The host is killed in the middle of a rollout: what ran before runs after the next start, with its state, and the
//! rollout has ended with words.

use std::time::Duration;

use geminus_tests::{Host, wait_for};
use serde_json::{Value, json};

use crate::matrix::costly;
use crate::rig::{KINDS, Rig, guest, twins};

const ROWS: u64 = 1_000_000_000;

fn resting_in(phase: &str) -> Value {
    let mut stages = json!({ "probation": { "rows": ROWS, "seconds_max": 3600 } });
    match phase {
        "shadow" => stages["shadow"] = json!({ "rows": ROWS, "seconds_max": 3600 }),
        "canary" => stages["canary"] = json!({ "count": 2, "rows": ROWS, "seconds_max": 3600 }),
        _ => {}
    }
    stages
}

#[test]
fn a_host_that_is_killed_in_a_rollout_goes_on_with_the_incumbent() -> anyhow::Result<()> {
    let mut rig = Rig::start("arrivals = \"ignore\"")?;
    for (phase, number) in ["shadow", "canary", "promoting", "probation"].into_iter().zip(1..) {
        let version = format!("1.0.{number}");
        rig.offer(&version, |kind| {
            let mut next = guest(kind, &version, "")?;
            if phase == "promoting" {
                next.declaration["warm_up_rows"] = 1_000_000.into();
            }
            Ok(next)
        })?;
        let rollouts = rig.start_all(&version, &resting_in(phase))?;
        rig.reach(&rollouts, &[phase])?;
        rig.pulse.wait(10)?;
        // The field goes on meanwhile: the broker keeps what it sends, the host feeds itself what it had recorded.
        let site = rig.site.site();
        rig = Rig { host: restarted(rig.host, &site)?, ..rig };
        for id in rollouts {
            let view = rig.host.get(&format!("/rollouts/{id}"))?;
            anyhow::ensure!(!view["ended"].is_null() && view["phase"] != "permanent", "{phase}: {view}");
            anyhow::ensure!(view["reason"].as_str().is_some_and(|why| !why.is_empty()), "{phase}: {view}");
        }
        rig.pulse.wait(5)?;
        rig.runs("1.0.0").map_err(|error| error.context(phase))?;
        for kind in KINDS {
            for twin in twins(kind) {
                let cold =
                    rig.host.journal()?.into_iter().find(|e| e["kind"] == "cold-start" && e["twin"] == *twin);
                anyhow::ensure!(cold.is_none(), "{phase}: {twin} started cold: {cold:?}");
            }
        }
    }
    rig.held_against_no_rollout(|_| 0.0)
}

#[test]
fn a_host_that_is_killed_while_it_compiles_leaves_no_compiler_behind() -> anyhow::Result<()> {
    let rig = Rig::start("arrivals = \"ignore\"")?;
    rig.offer("1.2.0", |kind| costly(kind, "1.2.0"))?;
    let rollouts = rig.start_all("1.2.0", &json!({ "compile_seconds_max": 600 }))?;
    rig.reach(&rollouts, &["compiling"])?;
    let site = rig.site.site();
    wait_for("a compiler", Duration::from_secs(30), || Ok((rig.compilers()? > 0).then_some(())))?;
    let rig = Rig { host: restarted(rig.host, &site)?, ..rig };
    for id in rollouts {
        let view = rig.host.get(&format!("/rollouts/{id}"))?;
        anyhow::ensure!(!view["ended"].is_null() && view["phase"] != "permanent", "{view}");
    }
    rig.no_compiler()?;
    rig.runs("1.0.0")?;
    rig.held_against_no_rollout(|_| 0.0)
}

/// The broker keeps what comes while nobody is there, so nothing has to be waited for.
fn restarted(host: Host, site: &std::path::Path) -> anyhow::Result<Host> {
    host.kill()?;
    Host::start(site)
}
