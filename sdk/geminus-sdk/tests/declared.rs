//! A behavior that uses everything: what its declaration says, and that alerts, proposals, log lines and randomness
//! come out as declared.

use std::time::Duration;

use geminus_core::declaration::{Arrival, Declaration, Kind, Priority, Role};
use geminus_sdk::log::{Level, Line};
use geminus_sdk::prelude::*;
use geminus_sdk::testing::{Host, Proposed, Raised};

#[derive(Debug, Inputs)]
pub struct Seen {
    /// Pressure at the outlet,
    /// after the valve.
    #[input(unit = "bar", event)]
    pub pressure: Reading,
    #[input(unit = "%", name = "load_percent", optional)]
    pub load: Option<f64>,
}

#[derive(Debug, Outputs)]
pub struct Given {
    /// 1 is well.
    #[output(unit = "1", role = "health-index")]
    pub health: Option<f64>,
    #[output(unit = "1", role = "deviation", of = "health")]
    pub health_sd: Output,
    #[output(unit = "bar", role = "innovation", of = "pressure")]
    pub innovation: f64,
}

#[derive(Clone, Copy, Debug, Alerts)]
pub enum Alarm {
    /// Pressure "far" above its set-point.
    #[alert(priority = "critical", unit = "bar")]
    PressureHigh,
    /// Nobody knows.
    #[alert(priority = "journal", code = "no-reading")]
    Unknown,
}

#[derive(Clone, Copy, Debug, Commands)]
pub enum Wish {
    /// Speed of the pump.
    #[command(unit = "/min", min = 0.0, max = 3000.0)]
    PumpSpeed,
    #[command(unit = "1", min = 0.0, max = 1.0, name = "stop")]
    Halt,
}

#[derive(Debug, Parameters)]
pub struct Tuning {
    /// Wanted pressure.
    #[parameter(unit = "bar", default = 4.0, min = 0.5, max = 10.0)]
    pub set_point: f64,
    pub gain: f64,
    #[parameter(default = [1.0, -2.5e-3])]
    pub weights: [f64; 2],
    #[parameter(default = 3, max = 9)]
    pub rows: u8,
    #[parameter(default = "a\"b")]
    pub label: String,
    #[parameter(default = true)]
    pub active: bool,
    pub limit: Option<f64>,
    #[parameter(min = 9, max = 1_000_000)]
    pub window: Option<u32>,
    #[parameter(default = [0.5], min = 0.0, max = 1.0)]
    pub shares: Vec<f64>,
}

#[derive(Debug)]
pub struct Keeper {
    tuning: Tuning,
    seed: u64,
}

#[command_policy(warm_up_rows = 2, budget(fuel_per_row = 5_000, memory_bytes = 1_048_576))]
impl Behavior for Keeper {
    fn open(tuning: Tuning, opening: &Opening<'_>) -> Result<Self, Fault> {
        if tuning.gain == 0.0 {
            return Err(Fault::parameter("gain", "0 keeps nothing"));
        }
        Ok(Self { tuning, seed: opening.seed })
    }

    fn start(&self) -> Noise {
        Noise { random: Random::new(self.seed) }
    }

    fn step(&self, noise: &mut Noise, row: &mut Row<Seen, Alarm, Wish>) -> Result<Given, Fault> {
        let Some(pressure) = row.inputs.pressure.value() else {
            row.alert(Alarm::Unknown, f64::NAN, format_args!("{:?}", row.inputs.pressure.quality()));
            log::warn!("no pressure at {}", row.time().0);
            return Ok(Given { health: None, health_sd: Output::missing(), innovation: f64::NAN });
        };
        let error = pressure - self.tuning.set_point;
        if error > 1.0 {
            row.alert(Alarm::PressureHigh, pressure, "close the valve");
        }
        row.propose(Proposal {
            command: Wish::PumpSpeed,
            value: 1500.0 - self.tuning.gain * error,
            confidence: 0.9,
            valid_for: Duration::from_secs(5),
            reason: format!("{error} bar off"),
        })?;
        let health = Some(noise.random.uniform());
        Ok(Given { health, health_sd: Output::uncertain(0.1), innovation: error })
    }
}

#[derive(Clone, Debug, State)]
pub struct Noise {
    random: Random,
}

fn seen(pressure: f64) -> Seen {
    Seen { pressure: Reading::good(pressure), load: None }
}

#[test]
fn the_declaration_says_it_all() {
    let declared = Declaration::parse(Keeper::DECLARATION.as_bytes()).expect("parses");
    assert_eq!(
        (declared.name.as_str(), declared.kind, declared.warm_up_rows),
        ("geminus-sdk", Kind::CommandPolicy, 2)
    );
    assert_eq!((declared.budget.fuel_per_row, declared.budget.memory_bytes), (5_000, 1_048_576));
    assert!(!declared.forecast);
    let [pressure, load] = declared.inputs.as_slice() else { panic!("two inputs") };
    assert_eq!((pressure.unit.as_str(), pressure.arrival, pressure.required), ("bar", Arrival::Event, true));
    assert_eq!(pressure.description, "Pressure at the outlet, after the valve.");
    assert_eq!((load.name.as_str(), load.arrival, load.required), ("load_percent", Arrival::Hold, false));
    let roles: Vec<_> = declared.outputs.iter().map(|output| (output.role, output.of.as_deref())).collect();
    assert_eq!(
        roles,
        [(Role::HealthIndex, None), (Role::Deviation, Some("health")), (Role::Innovation, Some("pressure"))]
    );
    let [high, unknown] = declared.alerts.as_slice() else { panic!("two alerts") };
    assert_eq!(
        (high.code.as_str(), high.priority, high.unit.as_str()),
        ("pressure-high", Priority::Critical, "bar")
    );
    assert_eq!(high.text, "Pressure \"far\" above its set-point.");
    assert_eq!((unknown.code.as_str(), unknown.unit.as_str()), ("no-reading", "1"));
    let commands: Vec<_> =
        declared.commands.iter().map(|one| (one.name.as_str(), one.minimum, one.maximum)).collect();
    assert_eq!(commands, [("pump_speed", 0.0, 3000.0), ("stop", 0.0, 1.0)]);
}

#[test]
fn parameters_are_a_json_schema() {
    let schema = Declaration::parse(Keeper::DECLARATION.as_bytes()).expect("parses").parameters;
    let set_point = serde_json::json!({
        "type": "number", "unit": "bar", "minimum": 0.5, "maximum": 10.0, "default": 4.0, "description": "Wanted pressure."
    });
    assert_eq!(schema["properties"]["set_point"], set_point);
    assert_eq!(schema["required"], serde_json::json!(["gain"]));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["weights"]["default"], serde_json::json!([1.0, -0.0025]));
    assert_eq!(schema["properties"]["label"]["default"], "a\"b");
    assert_eq!(schema["properties"]["rows"]["type"], "integer");
    assert_eq!(schema["properties"]["rows"]["maximum"], 9.0);
    assert_eq!(schema["properties"]["rows"]["minimum"], 0);
    let limit = serde_json::json!({ "type": "number", "description": "" });
    assert_eq!(schema["properties"]["limit"], limit, "without a default: left out, it has no value");
    let window = &schema["properties"]["window"];
    assert_eq!((&window["minimum"], &window["maximum"]), (&9.0.into(), &1_000_000.0.into()));
    let weights = &schema["properties"]["weights"];
    assert_eq!((&weights["minItems"], &weights["maxItems"]), (&2.into(), &2.into()));
    let shares = &schema["properties"]["shares"];
    assert_eq!(shares["items"], serde_json::json!({ "type": "number", "minimum": 0.0, "maximum": 1.0 }));
    assert_eq!(shares.get("minimum"), None, "bounds of numbers stand beside the numbers");
}

#[test]
fn no_key_stands_twice_in_the_schema() {
    let text = <Tuning as geminus_sdk::Parameters>::SCHEMA;
    let parsed: serde_json::Value = serde_json::from_str(text).expect("JSON");
    // Both are written without spaces; of a key that stands twice the parser keeps one.
    assert_eq!(parsed.to_string().len(), text.len(), "{text}");
}

#[test]
fn the_host_takes_what_is_left_out_and_refuses_what_the_code_refuses() {
    let schema = Declaration::parse(Keeper::DECLARATION.as_bytes()).expect("parses").parameters;
    let check = |json: &str, says: &str| {
        let given: serde_json::Value = serde_json::from_str(json).expect("JSON");
        match geminus_twin::plant::parameters(&schema, given.as_object().expect("an object")) {
            Ok(filled) => {
                assert_eq!(says, "", "{json}");
                // What the host has filled in opens a twin.
                let filled = serde_json::Value::Object(filled).to_string();
                assert!(Host::<Keeper>::open(&filled).is_ok(), "{filled}");
            }
            Err(errors) => {
                let told = errors.iter().any(|error| error.to_string() == says);
                assert!(told, "{json}: {errors:?}");
                assert!(Host::<Keeper>::open(json).is_err(), "{json} is refused by the host only");
            }
        }
    };
    check(r#"{"gain": 1}"#, "");
    check(r#"{"gain": 1, "limit": 2.5, "window": 9, "shares": [0, 1, 1]}"#, "");
    check(r#"{"gain": 1, "window": 8}"#, "parameter /window: must be at least 9.0, not 8");
    check(r#"{"gain": 1, "rows": -1}"#, "parameter /rows: must be at least 0, not -1");
    check(r#"{"gain": 1, "rows": 10}"#, "parameter /rows: must be at most 9.0, not 10");
    check(r#"{"gain": 1, "shares": [0.5, 2]}"#, "parameter /shares/1: must be at most 1.0, not 2");
    check(r#"{"gain": 1, "weights": [1]}"#, "parameter /weights: must be of a length of at least 2, not [1]");
    check(
        r#"{"gain": 1, "weights": [1, 2, 3]}"#,
        "parameter /weights: must be of a length of at most 2, not [1,2,3]",
    );
}

#[test]
fn parameters_are_read_as_the_schema_says() {
    let check = |json: &str, says: &str| match Host::<Keeper>::open(json) {
        Ok(_) => assert_eq!(says, "", "{json}"),
        Err(fault) => assert!(!says.is_empty() && fault.to_string().contains(says), "{json}: {fault}"),
    };
    check(r#"{"gain": 1, "limit": null, "weights": [0, 1], "rows": 9, "active": false, "label": ""}"#, "");
    check("{}", "parameter /gain: is required");
    check(r#"{"gain": 0}"#, "parameter /gain: 0 keeps nothing");
    check(r#"{"gain": 1, "set_point": 11}"#, "parameter /set_point: 11 is not within 0.5 to 10");
    check(r#"{"gain": 1, "rows": 1.5}"#, "parameter /rows: is not of the declared type");
    check(r#"{"gain": 1, "rows": 10}"#, "parameter /rows: 10 is not within -inf to 9");
    check(r#"{"gain": 1, "rows": 256}"#, "parameter /rows: is not of the declared type");
    check(r#"{"gain": 1, "weights": [1]}"#, "parameter /weights: is not of the declared type");
    check(r#"{"gain": 1, "limit": "x"}"#, "parameter /limit: is not of the declared type");
    check(r#"{"gain": 1, "colour": 1}"#, "parameter /colour: is not known");
}

#[test]
fn alerts_proposals_and_lines_come_out_by_name() {
    let mut host = Host::<Keeper>::open(r#"{"gain": 100.0}"#).expect("opens");
    let row = host.step(0.0, seen(6.0)).expect("steps");
    let raised = Raised { code: "pressure-high", value: 6.0, detail: "close the valve".to_owned() };
    assert_eq!(row.alerts, [raised]);
    let reason = "2 bar off".to_owned();
    let proposed =
        Proposed { command: "pump_speed", value: 1300.0, confidence: 0.9, valid_for_ms: 5_000, reason };
    assert_eq!(row.proposals, [proposed]);
    assert_eq!((row.quality("health_sd"), row.value("innovation")), (Quality::Uncertain, Some(2.0)));

    let row = host.step(1.0, Seen { pressure: Reading::without(Quality::Stale), load: None }).expect("steps");
    assert_eq!((row.value("health"), row.quality("health")), (None, Quality::Missing));
    assert_eq!((row.alerts[0].code, row.alerts[0].detail.as_str()), ("no-reading", "Stale"));
    let message = "no pressure at 1767225601000000000".to_owned();
    assert_eq!(host.log(), [Line { level: Level::Warn, message }]);
    assert_eq!(host.log(), []);
}

#[test]
fn a_proposal_outside_its_declaration_is_a_fault() {
    let mut host = Host::<Keeper>::open(r#"{"gain": 1e6}"#).expect("opens");
    let fault = host.step(0.0, seen(5.0)).expect_err("out of range");
    assert_eq!(fault, Fault::Other("proposed -998500, outside the declared 0 to 3000".to_owned()));
}

#[test]
fn the_same_seed_draws_the_same_and_a_swap_goes_on_drawing() {
    let draw = |swap: bool| {
        let mut host = Host::<Keeper>::open(r#"{"gain": 1.0}"#).expect("opens");
        (0..8_u8)
            .map(|second| {
                if swap {
                    host.swap().expect("swaps");
                }
                host.step(f64::from(second), seen(4.0))
                    .expect("steps")
                    .value("health")
                    .expect("a value")
                    .to_bits()
            })
            .collect::<Vec<u64>>()
    };
    let drawn = draw(false);
    assert_eq!(drawn, draw(true));
    assert!(drawn.windows(2).all(|pair| pair[0] != pair[1]), "{drawn:?}");
}
