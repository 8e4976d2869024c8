//! Plans as people write them, and what is said of those that make no sense.

use super::*;
use crate::Difference;

fn read(toml: &str) -> Result<Plan, toml::de::Error> {
    toml::from_str(toml)
}

#[test]
fn a_plan_is_read_from_toml_and_json_with_defaults() {
    let plan = read(
        r#"
        plugin = "motor-thermal"
        version = "^1.4"
        twins = "pump-*"
        [stages]
        promote = "manual"
        [stages.shadow]
        rows = 100
        [stages.canary]
        share = 0.1
        seconds = 30
        [stages.acceptance.difference.winding_temperature]
        absolute = 0.5
        "#,
    )
    .expect("a plan");
    plan.check().expect("sensible");
    assert_eq!(plan.stages.shadow, Shadow { rows: 100, ..Shadow::default() });
    assert_eq!(plan.stages.probation, Probation::default());
    assert_eq!(plan.stages.promote, Promote::Manual);
    let limit = plan.stages.acceptance.difference_of("winding_temperature");
    assert_eq!(limit, Some(Difference { absolute: Some(0.5), relative: None }));
    let json = serde_json::to_string(&plan).expect("json");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("its own words"), plan);
    let toml = toml::to_string(&plan).expect("toml");
    assert_eq!(read(&toml).expect("its own words"), plan);
    let direct = serde_json::from_str::<Plan>(r#"{"plugin": "a", "version": "1.0.0"}"#).expect("a plan");
    assert_eq!(direct, Plan::direct("a", "1.0.0"));
}

#[test]
fn the_default_goes_straight_to_a_probation_of_a_minute() {
    let plan = Plan::direct("a", "1.0.0");
    plan.check().expect("sensible");
    assert!(!plan.stages.shadow.wanted() && !plan.stages.canary.wanted());
    assert_eq!(plan.stages.probation.seconds, 60);
    assert_eq!(plan.stages.promote, Promote::Automatic);
}

#[test]
fn unknown_keys_are_refused_wherever_they_stand() {
    for (slip, name) in [
        ("colour = 1", "colour"),
        ("[stages]\nshadows = 1", "shadows"),
        ("[stages.shadow]\nrow = 1", "row"),
        ("[stages.canary]\nshares = 0.1", "shares"),
        ("[stages.probation]\nsecond = 1", "second"),
        ("[stages.bumpless]\nstep = 1", "step"),
        ("[stages.acceptance]\nnan = 1", "nan"),
        ("[stages.acceptance.difference.a]\nabs = 1.0", "abs"),
        ("[stages]\npromote = \"sometimes\"", "sometimes"),
    ] {
        let error = read(&format!("plugin = \"a\"\nversion = \"1\"\n{slip}")).expect_err(slip);
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// A direct plan with one change: everything that is said about it.
fn check(change: impl Fn(&mut Plan), expect: &[&str]) {
    let mut plan = Plan::direct("a", "1.0.0");
    change(&mut plan);
    let found = plan.check().err().unwrap_or_default();
    assert_eq!(found.len(), expect.len(), "{found:?}, expected {expect:?}");
    for (text, expect) in found.iter().zip(expect) {
        assert!(text.starts_with(expect), "{text:?} does not start with {expect:?}");
    }
}

#[test]
fn target_and_phases_that_make_no_sense_are_named() {
    check(|_| {}, &[]);
    check(|p| p.plugin.clear(), &["plugin: is empty"]);
    check(
        |p| (p.version, p.twins) = (String::new(), Some(String::new())),
        &["version: is empty", "twins: is empty"],
    );
    check(|p| p.behavior = Some(String::new()), &["behavior: is empty"]);
    check(
        |p| p.stages.shadow.seconds = 3_601,
        &["stages.shadow.seconds: 3601 is longer than shadow.seconds_max, 3600"],
    );
    check(|p| p.stages.shadow.seconds_max = 0, &["stages.shadow.seconds_max: 0 is not between 1 and"]);
    check(|p| p.stages.probation.seconds = 601, &["stages.probation.seconds: 601 is longer"]);
    check(
        |p| p.stages.probation.seconds_max = u64::MAX,
        &["stages.probation.seconds_max: 18446744073709551615 is not"],
    );
    check(|p| p.stages.warm_up_seconds_max = 0, &["stages.warm_up_seconds_max: 0"]);
    check(|p| p.stages.verify_seconds_max = 0, &["stages.verify_seconds_max: 0"]);
    check(|p| p.stages.compile_seconds_max = 0, &["stages.compile_seconds_max: 0"]);
    check(|p| p.stages.raise_seconds_max = 0, &["stages.raise_seconds_max: 0"]);
    check(|p| p.stages.promote = Promote::Manual, &["stages.promote: manual needs"]);
    check(|p| p.stages.bumpless.step_share = 0.0, &["stages.bumpless.step_share: 0 is not above 0"]);
    check(|p| p.stages.bumpless.step_share = f64::NAN, &["stages.bumpless.step_share: NaN"]);
}

#[test]
fn canaries_that_make_no_sense_are_named() {
    let canary = |change: fn(&mut Canary), expect: &[&str]| {
        check(
            |p| {
                p.stages.canary.rows = 10;
                p.stages.canary.count = Some(1);
                change(&mut p.stages.canary);
            },
            expect,
        );
    };
    canary(|_| {}, &[]);
    canary(|c| c.share = Some(0.5), &["stages.canary: give one of"]);
    canary(|c| c.count = None, &["stages.canary: has a minimum but no twins"]);
    canary(|c| c.rows = 0, &["stages.canary: ends at once"]);
    canary(|c| c.count = Some(0), &["stages.canary.count: is 0"]);
    canary(|c| (c.count, c.share) = (None, Some(0.0)), &["stages.canary.share: 0 is not above 0"]);
    canary(|c| (c.count, c.share) = (None, Some(1.5)), &["stages.canary.share: 1.5 is not above 0"]);
    canary(|c| (c.count, c.twins) = (None, Some(vec![])), &["stages.canary.twins: is empty"]);
    let twice = vec!["a".to_owned(), "b".to_owned(), "a".to_owned()];
    check(
        |p| p.stages.canary = Canary { twins: Some(twice.clone()), rows: 1, ..Canary::default() },
        &["stages.canary.twins: names a twin twice"],
    );
}

#[test]
fn limits_that_make_no_sense_are_named() {
    let limit = |change: fn(&mut Acceptance), expect: &[&str]| {
        let expect: Vec<String> = expect.iter().map(|text| format!("stages.acceptance.{text}")).collect();
        check(|p| change(&mut p.stages.acceptance), &expect.iter().map(String::as_str).collect::<Vec<_>>());
    };
    limit(
        |a| a.difference = [("x".to_owned(), Difference::default())].into(),
        &["difference.x: has no limit"],
    );
    limit(
        |a| {
            let negative = Difference { absolute: Some(-1.0), relative: Some(f64::INFINITY) };
            a.difference = [("x".to_owned(), negative)].into();
        },
        &["difference.x.absolute: -1 is not", "difference.x.relative: inf is not"],
    );
    limit(|a| a.exceed_share_max = 1.1, &["exceed_share_max: 1.1 is not between 0 and 1"]);
    limit(|a| a.innovation_mean_sigma_max = Some(0.0), &["innovation_mean_sigma_max: 0 is not"]);
    limit(|a| a.nis_confidence = Some(1.0), &["nis_confidence: 1 is not between 0 and 1"]);
    limit(|a| a.nis_degrees = Some(0), &["nis_degrees: is 0"]);
    limit(|a| a.alert_rate_ratio_max = -1.0, &["alert_rate_ratio_max: -1 is not"]);
    limit(|a| a.alert_rate_extra_per_hour_max = f64::NAN, &["alert_rate_extra_per_hour_max: NaN is not"]);
    limit(|a| a.proposals_differ_share_max = Some(-0.1), &["proposals_differ_share_max: -0.1 is not"]);
    limit(|a| a.proposals_tolerance_share = 2.0, &["proposals_tolerance_share: 2 is not"]);
    limit(|a| a.deadline_ms = 0, &["deadline_ms: is 0"]);
    limit(|a| a.deadline_misses_share_max = 7.0, &["deadline_misses_share_max: 7 is not"]);
    limit(|a| a.fuel_per_row_ratio_max = 0.0, &["fuel_per_row_ratio_max: 0 is not"]);
    limit(|a| a.fuel_per_row_max = Some(0), &["fuel_per_row_max: is 0"]);
    limit(|a| a.nan_share_extra_max = -0.5, &["nan_share_extra_max: -0.5 is not"]);
    limit(|a| a.rows_min = 0, &["rows_min: is 0"]);
}

#[test]
fn the_size_of_a_canary_is_at_least_one_and_at_most_all() {
    let of = |twins: Option<Vec<String>>, count, share| Canary { twins, count, share, ..Canary::default() };
    for (canary, all, size) in [
        (of(None, None, None), 100, 0),
        (of(None, Some(5), None), 100, 5),
        (of(None, Some(5), None), 3, 3),
        (of(None, None, Some(0.1)), 100, 10),
        (of(None, None, Some(0.101)), 100, 11),
        (of(None, None, Some(0.001)), 100, 1),
        (of(None, None, Some(1.0)), 7, 7),
        (of(None, None, Some(0.5)), 0, 0),
        (of(Some(vec!["a".to_owned(), "b".to_owned()]), None, None), 100, 2),
    ] {
        assert_eq!(canary.size(all), size, "{canary:?} of {all}");
    }
}
