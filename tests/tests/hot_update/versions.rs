//! Rollouts that go well: through every phase, up to a newer schema of state and down again.

use serde_json::{Value, json};

use crate::rig::{Rig, guest};

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
    rig.held_against_no_rollout(|_| 0.0)
}
