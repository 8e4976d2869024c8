//! What a version calls its alerts holds from the row on in which it answers, and no longer.

use serde_json::{Value, json};

use crate::hall::{Hall, cells, version};

/// A version that raises its only alert in every row.
fn alarming(number: &str, priority: &str, text: &str) -> anyhow::Result<geminus_tests::Guest> {
    let alerts = json!([{ "code": "odd", "priority": priority, "text": text }]);
    Ok(version(number, "step alert=0")?.declares(|it| it["alerts"] = alerts))
}

fn alerts(hall: &Hall, cell: &str) -> anyhow::Result<(Value, Value)> {
    let twin = hall.host.get(&format!("/twins/{cell}"))?;
    let alerts = twin["alerts"].as_array().cloned().unwrap_or_default();
    anyhow::ensure!(alerts.len() == 1, "{cell}: {alerts:?}");
    Ok((alerts[0]["priority"].clone(), alerts[0]["text"].clone()))
}

#[test]
fn alerts_are_called_what_the_version_calls_them_that_answers() -> anyhow::Result<()> {
    let hall = Hall::start_with("arrivals = \"ignore\"", &[alarming("1.0.0", "low", "odd")?])?;
    hall.offer(&alarming("1.1.0", "high", "much too odd")?)?;
    hall.says(&["start", "tally@1.1.0", "--canary-twins", "cell-07", "--canary-seconds", "600"])?;
    hall.reach(1, "canary")?;
    hall.seen("one canary", |cell, tally| (tally["version"] == "1.1.0") == (cell == "cell-07"))?;
    hall.pulse.wait(5)?;
    let [old, new] =
        [("low", "odd"), ("high", "much too odd")].map(|(a, b)| (Value::from(a), Value::from(b)));
    for cell in cells() {
        let expect = if cell == "cell-07" { &new } else { &old };
        assert_eq!(&alerts(&hall, &cell)?, expect, "{cell}");
    }
    hall.says(&["cancel", "1"])?;
    hall.reach(1, "cancelled")?;
    hall.alone("1.0.0")?;
    hall.pulse.wait(5)?;
    assert_eq!(alerts(&hall, "cell-07")?, old, "the version that answers again has its own words");
    hall.host.stop()
}
