//! What a site means: the plant of a good one, and every sentence about a wrong one.

use geminus_core::unit::Conversion;
use serde_json::json;

use super::*;
use crate::Site;
use crate::rig::{SITE, declarations, plant};

#[test]
fn a_site_becomes_a_plant() {
    let plant = plant(SITE).expect("plant");
    let names: Vec<_> =
        plant.kinds[0].points.iter().map(|point| (point.name.as_str(), point.unit.as_str())).collect();
    let measured = [("hot", "Cel"), ("load", "mA"), ("shake", "1"), ("running", "1")];
    let estimated = [("core.inside", "K"), ("core.inside_deviation", "K"), ("judge.index", "1")];
    assert_eq!(names, [measured.as_slice(), &estimated].concat());
    assert_eq!((plant.kinds.len(), plant.kinds[0].measured, plant.twins.len()), (1, 4, 2));

    let about = |point: usize| match &plant.kinds[0].points[point].origin {
        Origin::Estimated { of, .. } => of.clone(),
        Origin::Measured { .. } => None,
    };
    assert_eq!((about(4).as_deref(), about(5).as_deref()), (Some("hot"), Some("core.inside")));

    // Upstream first, though the file has them the other way round; the binding keeps its place.
    let order: Vec<_> = plant.kinds[0].behaviors.iter().map(|behavior| behavior.binding.0).collect();
    assert_eq!(order, [1, 0]);
    assert_eq!(plant.bindings[1].declaration.version.to_string(), "1.2.0");
    assert_eq!(&*plant.bindings[1].parameters, br#"{"gain":0.5}"#);
    assert_eq!(plant.bindings[0].twins, [TwinIndex(0), TwinIndex(1)]);

    let columns = &plant.kinds[0].behaviors[0].columns;
    assert_eq!(columns[0].conversion, Conversion { scale: 1.0, offset: 273.15 });
    assert_eq!(columns[1].conversion, Conversion { scale: 0.001, offset: 0.0 });
    assert_eq!(columns[2].point, None);
    // A deviation is a difference: no zero of a scale in it.
    let judged = &plant.kinds[0].behaviors[1].columns;
    assert_eq!((judged[0].conversion.offset, judged[1].conversion.offset), (-273.15, 0.0));
    assert!((judged[1].conversion.scale - 1.8).abs() < 1e-12);

    assert_eq!(plant.series_of(TwinIndex(1), "hot"), Some(SeriesId(107)));
    assert_eq!(plant.find("rig-2"), Some(TwinIndex(1)));
    let owners = plant.twin_of_series();
    assert_eq!(
        (owners.len(), owners[99], owners[106], owners[107]),
        (114, None, Some(TwinIndex(0)), Some(TwinIndex(1)))
    );
    assert_eq!(plant.display_name(&plant.twins[1]), "Rig rig-2");
}

#[test]
fn routes_carry_topics_units_and_words() {
    let toml = SITE.replace(
        "[[bind]]",
        "point = { hot = { unit = \"[degF]\", field = \"T 1\" }, load = { topic = \"own/{twin}\" } }\n[[bind]]",
    );
    let plant = plant(&toml).expect("plant");
    let routes: Vec<_> =
        plant.routes[0].iter().take(4).map(|route| (route.topic.as_str(), route.qos)).collect();
    assert_eq!(
        routes,
        [("rig/rig-1/T 1", 1), ("own/rig-1", 1), ("rig/rig-1/shake", 1), ("rig/rig-1/running", 1)]
    );
    let point = |route: usize| match &plant.routes[0][route].payload {
        Payload::Value(point) => point.clone(),
        Payload::Object(_) => panic!("one value expected"),
    };
    assert!((point(0).conversion.apply(212.0) - 100.0).abs() < 1e-12);
    assert!(point(2).conversion.is_identity());
    assert_eq!(point(3).labels, [("false".to_owned(), 0.0), ("true".to_owned(), 1.0)]);
    assert_eq!(plant.routes[0].len(), 8);
}

#[test]
fn an_object_payload_gathers_points_under_one_topic() {
    let toml = SITE.replace(
        "topic = \"rig/{twin}/{point}\"",
        "topic = \"rig/{twin}\"\nqos = 0\npoints = [\"hot\", \"load\"]\npayload = { shape = \"object\", fields = { hot = \"T\" } }",
    );
    let plant = plant(&toml).expect("plant");
    assert_eq!(
        (plant.routes[0].len(), plant.routes[0][1].topic.as_str(), plant.routes[0][1].qos),
        (2, "rig/rig-2", 0)
    );
    let Payload::Object(fields) = &plant.routes[0][0].payload else { panic!("object expected") };
    let names: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.point.series.0)).collect();
    assert_eq!(names, [("T", 100), ("load", 101)]);
}

#[test]
fn a_sparkplug_source_names_metrics_under_edge_nodes_and_devices() {
    let toml = SITE
        .replace(
            "mqtt = { url = \"mqtt://127.0.0.1:1883\" }",
            "sparkplug = { url = \"mqtt://127.0.0.1:1883\", host_id = \"geminus\" }",
        )
        .replace(
            "topic = \"rig/{twin}/{point}\"",
            "topic = \"spBv1.0/plant/edge-1/{twin}\"\npayload = { fields = { hot = \"Motor/T\" } }",
        )
        .replace(
            "[[bind]]",
            "point = { load = { topic = \"spBv1.0/plant/edge-2\", field = \"Load\" } }\n[[bind]]",
        );
    let plant = plant(&toml).expect("plant");
    let named: Vec<(&str, Vec<&str>)> = plant.routes[0]
        .iter()
        .take(2)
        .map(|route| match &route.payload {
            Payload::Object(fields) => {
                (route.topic.as_str(), fields.iter().map(|field| field.name.as_str()).collect())
            }
            Payload::Value(_) => panic!("{} is read as one value", route.topic),
        })
        .collect();
    // A point with a topic of its own is a metric there, too.
    assert_eq!(
        named,
        [
            ("spBv1.0/plant/edge-1/rig-1", vec!["Motor/T", "shake", "running"]),
            ("spBv1.0/plant/edge-2", vec!["Load"]),
        ]
    );
}

fn check(from: &str, to: &str, expect: &[&str]) {
    assert!(SITE.contains(from), "the test site has no {from}");
    let problems = plant(&SITE.replacen(from, to, 1)).expect_err(to);
    let text = problems.to_string();
    for part in expect {
        assert!(text.contains(part), "{text}\n  does not say\n{part}");
    }
    assert_eq!(problems.list().len(), expect.len(), "{text}");
}

#[test]
fn what_two_binds_feed_from_one_topic_is_named_once_for_the_pair() {
    let more = |bind: &str| format!("{bind}[[behavior]]\nname = \"judge\"");
    check(
        "[[behavior]]\nname = \"judge\"",
        &more("[[bind]]\nsource = \"field\"\ntopic = \"rig/{twin}/{point}\"\ntwins = \"rig-2\"\n"),
        &[
            "site.toml:11: point \"hot\" of twin \"rig-2\" has \"rig/rig-2/hot\" of source \"field\" already by the [[bind]] of line 8",
        ],
    );
    // Another topic for the same points is no mistake.
    let other = more("[[bind]]\nsource = \"field\"\ntopic = \"spare/{twin}/{point}\"\n");
    plant(&SITE.replacen("[[behavior]]\nname = \"judge\"", &other, 1)).expect("two ways to a point");
}

#[test]
fn what_does_not_fit_together_is_named() {
    for (from, to, expect) in [
        (
            "plugin = \"core\"",
            "plugin = \"core\"\npin = [{ twins = \"rig-3\", version = \"*\" }]",
            "site.toml:18: pin \"rig-3\" matches no twin of behavior \"core\", did you mean `rig-",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\npin = [{ twins = \"rig-1\", version = \"^2\" }]",
            "site.toml:18: no version of plugin \"core\" fits ^2; there is 1.1.9, 1.2.0",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\npin = [\n{ twins = \"*\", version = \"=1.1.9\" },\n{ twins = \"rig-2\", version = \"*\" }]",
            "site.toml:20: twin rig-2 is pinned twice in \"core\"",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\nsubstitute = \"fail-safe\"\nfail_safe = { inside = 300 }",
            "site.toml:19: output \"inside_deviation\" has no value in `fail_safe`",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\nsubstitute = \"fail-safe\"\nfail_safe.inside = 1\nfail_safe.inside_deviation = 2\nfail_safe.insied = 3",
            "site.toml:21: plugin core@1.2.0 has no output \"insied\", did you mean `inside`?",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\n[behavior.rollout.acceptance.difference]\ninsight = { absolute = 1 }",
            "site.toml:19: rollout of behavior \"core\": acceptance.difference.insight: core@1.2.0 has no such output",
        ),
        (
            "id = \"rig-{1..2}\"",
            "id = \"rig-1\"\ntype=\"dtmi:t:Rig;1\"\n[[twin]]\nid = \"rig-1\"",
            "twin \"rig-1\" is defined twice",
        ),
        (
            "\"dtmi:t:Rig;1\"",
            "\"dtmi:t:Rigg;1\"",
            "site.toml:7: type dtmi:t:Rigg;1 is not in the types folder, did you mean `dtmi:t:Rig;1`?",
        ),
        ("[[bind]]\n", "[[bind]]\ntwins = \"pump-*\"\n", "site.toml:9: pattern \"pump-*\" matches no twin"),
        (
            "plugin = \"core\"",
            "plugin = \"cor\"",
            "plugin \"cor\" is not in the plugins folder, did you mean `core`?",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\nversion = \"^2\"",
            "no version of plugin \"core\" fits ^2; there is 1.1.9, 1.2.0",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\nparameters = { gain = -1 }",
            "site.toml:18: behavior \"core\": parameter /gain: must be at least 0, not -1",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\nparameters = { gian = 1 }",
            "parameter /gian: is not a parameter of this plugin, did you mean `gain`?",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\ninputs = { lode = \"load\" }",
            "plugin core@1.2.0 has no input \"lode\", did you mean `load`?",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\ninputs = { load = \"hot\" }",
            "site.toml:18: twin rig-1, behavior \"core\": point \"hot\" does not fit input \"load\": unit \"Cel\" (K) cannot be converted to \"A\" (A)",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\ninputs = { load = \"loda\" }",
            "twin rig-1, behavior \"core\": required input \"load\" is not bound: type dtmi:t:Rig;1 has no point \"loda\", did you mean `load`?",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\ninputs = { spare = \"wave\" }",
            "input \"spare\" is not bound: point \"wave\" of dtmi:t:Rig;1 cannot be bound: its schema is an Array",
        ),
        (
            "plugin = \"core\"",
            "plugin = \"core\"\ninputs = { load = \"judge.index\" }",
            "wait for each other in a circle: judge, core",
        ),
        (
            "core.inside\"",
            "core.insight\"",
            "required input \"inside\" is not bound: there is no point \"core.insight\", did you mean `core.inside`?",
        ),
        (
            "[[bind]]\n",
            "point = { hott = { interval_ms = 5 } }\n[[bind]]\n",
            "site.toml:8: type dtmi:t:Rig;1 has no point \"hott\", did you mean `hot`?",
        ),
    ] {
        check(from, to, &[expect]);
    }
    check(
        "[[bind]]\n",
        "point = { hot = { unit = \"bar\" } }\n[[bind]]\npoints = [\"hot\", \"wave\"]\n",
        &[
            "point \"hot\" as the field sends it: unit \"bar\"",
            "point \"wave\" of dtmi:t:Rig;1 cannot be bound",
        ],
    );
    check(
        "name = \"core\"\n",
        "name = \"judge\"\n",
        &[
            "twin rig-1 has two behaviors named \"judge\"",
            "no point \"core.inside\"",
            "no point \"core.inside_deviation\"",
        ],
    );
    check(
        "{point}\"",
        "{point}/#\"",
        &["topic \"rig/rig-1/hot/#\" may hold", "rig-1/load/#", "rig-1/shake/#", "rig-1/running/#"],
    );
}

#[test]
fn a_plugin_beyond_this_version_is_refused_by_name() {
    let mut all = declarations();
    let mut core = serde_json::to_value(&all[2]).expect("json");
    core["windows"] = json!([{"name": "spectrum"}]);
    all[2] = serde_json::from_value(core).expect("declaration");
    let site = crate::rig::site(SITE).expect("site");
    let error = Plant::resolve(&site, &all, &mut |_, _| Ok(SeriesId(0))).expect_err("refused").to_string();
    assert!(error.contains("plugin core@1.2.0 declares the window input \"spectrum\""), "{error}");
}

#[test]
fn a_newer_version_may_take_over_when_its_shape_is_the_same() {
    let plant = plant(SITE).expect("plant");
    let (binding, older) = (&plant.bindings[1], declarations());
    assert_eq!(binding.adopt(&older[0]).as_deref(), Ok(br#"{"gain":0.5}"#.as_slice()));
    let mut other = older[0].clone();
    other.inputs.pop();
    other.parameters =
        json!({"type": "object", "properties": {"gain": {"type": "number"}}, "required": ["gain"]});
    let reasons = binding.adopt(&other).expect_err("refused");
    assert_eq!(
        reasons,
        [
            "its inputs differ from core@1.2.0: it can start with the site only",
            "parameter /gain: is missing and has no default"
        ]
    );
}

#[test]
fn rows_are_recorded_in_series_of_their_own() {
    let check = |toml: &str, core: &[&str], judge: &[&str]| {
        let mut names = Vec::new();
        let plant =
            Plant::resolve(&crate::rig::site(toml).expect("site"), &declarations(), &mut |twin, name| {
                names.push(format!("{twin} {name}"));
                Ok(SeriesId(names.len() as u32 - 1))
            });
        let plant = plant.expect("plant");
        let of = |twin: u32, binding: u32| -> Vec<&str> {
            let series = plant.row_series(TwinIndex(twin), BindingIndex(binding));
            series.iter().map(|series| names[series.0 as usize].as_str()).collect()
        };
        let prefixed = |twin: &str, list: &[&str]| -> Vec<String> {
            list.iter().map(|name| format!("{twin} {name}")).collect()
        };
        // Upstream first among the series of a twin; asked by binding.
        assert_eq!(of(0, 1), prefixed("rig-1", core));
        assert_eq!(of(0, 0), prefixed("rig-1", judge));
        assert_eq!(
            (of(1, 1), of(1, 0)),
            (
                prefixed("rig-2", core).iter().map(String::as_str).collect(),
                prefixed("rig-2", judge).iter().map(String::as_str).collect()
            )
        );
        assert_eq!((of(2, 0), of(0, 2)), (vec![], vec![]));
        // No point of the twin, no way for samples of the field; found when asked by name.
        assert!(plant.kinds[0].points.iter().all(|point| !point.name.contains('/')));
        let hidden = plant.series_of(TwinIndex(1), "core/by");
        assert_eq!(hidden.is_some(), !core.is_empty());
        let owners = plant.twin_of_series();
        assert_eq!(owners.iter().flatten().count(), 14);
        assert!(hidden.is_none_or(|series| owners.get(series.0 as usize).copied().flatten().is_none()));
    };
    let core = [
        "core/in/hot",
        "core/in/load",
        "core/in/spare",
        "core/age/hot",
        "core/age/load",
        "core/age/spare",
        "core/said",
        "core/by",
    ];
    let judge = ["judge/in/inside", "judge/in/sure", "judge/in/shake", "judge/said", "judge/by"];
    check(SITE, &core, &judge);
    check(&format!("{SITE}record = false\n"), &[], &judge);
}

#[test]
fn a_behavior_says_who_runs_what_and_what_stands_in() {
    let toml = format!(
        "{SITE}pin = [{{ twins = \"rig-2\", version = \"<1.2\" }}]\nsubstitute = \"fail-safe\"\narrivals = \"ignore\"\n\
         fail_safe = {{ inside = 300, inside_deviation = 5.5 }}\n[containment]\nrestarts_max = 0\n"
    );
    let plant = plant(&toml).expect("plant");
    let (judge, core) = (&plant.bindings[0], &plant.bindings[1]);
    assert_eq!(
        (judge.pins.len(), &judge.substitute, judge.arrivals),
        (0, &Substitute::None, Arrivals::Rollout)
    );
    assert_eq!((core.pins.len(), core.arrivals), (1, Arrivals::Ignore));
    assert_eq!(core.substitute, Substitute::FailSafe([300.0, 5.5].into()));
    assert_eq!(core.versions_of(TwinIndex(0)).to_string(), "*");
    assert_eq!(core.versions_of(TwinIndex(1)).to_string(), "<1.2");
    assert_eq!((plant.containment.restarts_max, plant.containment.restarts_older_max), (0, 1));
    let older = &declarations()[0];
    assert!(core.adopt_for(older, core.versions_of(TwinIndex(1))).is_ok());
    let reasons = core.adopt_for(&declarations()[2], core.versions_of(TwinIndex(1))).expect_err("outside");
    assert_eq!(reasons, ["version 1.2.0 is outside <1.2 of the site file"]);
    let held = self::plant(&format!("{SITE}substitute = \"hold\"\nhold_s = 7\n")).expect("plant");
    assert_eq!(held.bindings[1].substitute, Substitute::Hold { seconds: 7 });
}

#[test]
fn a_behavior_starts_with_what_ran_last_and_its_pin_with_what_it_asks_for() {
    let toml = format!("{SITE}pin = [{{ twins = \"rig-2\", version = \"=1.2.0\" }}]\n");
    let site = crate::rig::site(&toml).expect("site");
    let all = declarations();
    let last = all.iter().find(|known| known.label() == "core@1.1.9");
    let mut number = |_: &str, _: &str| Ok(SeriesId(0));
    for (starts, runs) in [(last, "core@1.1.9"), (None, "core@1.2.0")] {
        let starts = |behavior: &str| starts.filter(|_| behavior == "core");
        let plant = Plant::resolve_from(&site, &all, &starts, &mut number).expect("plant");
        let labels: Vec<_> = plant.bindings.iter().map(|binding| binding.declaration.label()).collect();
        assert_eq!(labels, ["judge@1.0.0", runs]);
        assert_eq!(plant.bindings[1].versions_of(TwinIndex(1)).to_string(), "=1.2.0");
    }
}

/// The examples, with what the real plugins declare.
#[test]
fn the_examples_resolve_against_the_real_plugins() {
    let declarations = [motor_thermal::MotorThermal::DECLARATION, pump_health::PumpHealth::DECLARATION]
        .map(|json| Declaration::parse(json.as_bytes()).expect("declaration"));
    for (example, twins, points) in [("pump-rig", 1, 8), ("fleet", 1000, 8)] {
        let path = format!("{}/../../examples/{example}/site.toml", env!("CARGO_MANIFEST_DIR"));
        let site = Site::load(path.as_ref()).unwrap_or_else(|problems| panic!("{problems}"));
        let mut next = 0;
        let plant = Plant::resolve(&site, &declarations, &mut |_, _| {
            next += 1;
            Ok(SeriesId(next))
        });
        let plant = plant.unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(
            (plant.twins.len(), plant.kinds[0].measured, plant.bindings.len()),
            (twins, points, 2),
            "{example}"
        );
        assert!(plant.routes.iter().map(Vec::len).sum::<usize>() >= twins, "{example}");
        let (thermal, health) = (&plant.kinds[0].behaviors[0].columns, &plant.kinds[0].behaviors[1].columns);
        let bound = thermal.iter().chain(health).all(|column| column.point.is_some());
        assert!(bound, "{example} binds every input");
    }
}

use geminus_core::Declaration;

const TARGET: &str = r#"
[[target]]
name = "limit"
unit = "A"
write = { source = "field", topic = "rig/{twin}/set/limit" }
feedback = { point = "load", tolerance = 0.5, within_s = 5 }
[target.interlock]
range = { min = 0, max = 100 }
permissive = [{ name = "runs", when = "points.running > 0.5" }]
trip = [{ name = "too hot", when = "points['core.inside'] > 400.0", latch = true }]
"#;

#[test]
fn no_two_targets_share_an_address() {
    let second = TARGET.replace("name = \"limit\"", "name = \"other\"");
    let told = plant(&format!("{SITE}{TARGET}{second}")).expect_err("one topic").to_string();
    assert!(told.contains("are written to one address, rig/"), "{told}");
    let own = second.replace("/set/limit", "/set/other");
    let beats = "heartbeat = { topic = \"rig/{twin}/beat\", every_ms = 500 }\n[target.interlock]";
    let beating = |target: &str| target.replace("[target.interlock]", beats);
    let told =
        plant(&format!("{SITE}{}{}", beating(TARGET), beating(&own))).expect_err("one topic").to_string();
    assert!(told.contains("the heartbeat of \"other\" of rig-1 goes to the address of \"limit\""), "{told}");
    let told = plant(&format!("{SITE}{}", beating(TARGET).replace("beat\"", "set/limit\"")));
    let told = told.expect_err("its own topic").to_string();
    assert!(told.contains("goes to the address of \"limit\" of rig-1, rig/rig-1/set/limit"), "{told}");
    let kept = plant(&format!("{SITE}{}{own}", beating(TARGET))).expect("a plant");
    let heartbeat = kept.targets[0].heartbeat.as_ref().expect("a heartbeat");
    assert_eq!((heartbeat.address("rig-1").as_str(), heartbeat.every.as_millis()), ("rig/rig-1/beat", 500));
    assert_eq!(kept.targets[1].heartbeat, None);
    let both = plant(&format!("{SITE}{TARGET}{own}")).expect("two topics");
    let addresses: Vec<String> = both.targets.iter().map(|target| target.address("rig-1")).collect();
    assert_eq!(addresses, ["rig/rig-1/set/limit", "rig/rig-1/set/other"]);
    let feedback = both.targets[0].feedback.as_ref().expect("feedback");
    assert_eq!((feedback.point.as_str(), feedback.within_ms), ("load", 5_000));
}

#[test]
fn targets_are_compiled_against_the_points_of_their_twins() {
    let with = |old: &str, new: &str| plant(&format!("{SITE}{}", TARGET.replacen(old, new, 1)));
    let good = with("", "").expect("plant");
    assert_eq!((good.targets.len(), good.targets[0].twins.len()), (1, 2));
    assert_eq!(good.targets[0].book.points(), ["running", "core.inside"]);
    for (old, new, expect) in [
        ("points.running", "points.runing", "the twin has no point \"runing\""),
        ("max = 100", "max = 0", "min 0 must be less than max 0"),
        ("\"load\"", "\"loda\"", "have no point \"loda\", did you mean `load`?"),
        ("\"A\"", "\"K\"", "cannot be read back"),
        ("unit =", "commands = [\"core.stop\"]\nunit =", "declares no command \"stop\""),
        ("unit =", "commands = [\"nobody.stop\"]\nunit =", "behavior \"nobody\" is not defined"),
        ("rig/{twin}/set", "rig/set", "has no {twin}, but several twins"),
        ("unit =", "heartbeat = { topic = \"beat\" }\nunit =", "\"beat\" has no {twin}, but several twins"),
    ] {
        let told = with(old, new).expect_err(new).to_string();
        assert!(told.contains(expect), "{told}\n  does not say\n{expect}");
    }
}
