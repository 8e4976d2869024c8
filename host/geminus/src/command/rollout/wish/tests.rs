//! Flags and files, and the plans that they mean.

use clap::Parser;
use geminus_rollout::Stages;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    wish: Wish,
}

/// The plan of a command line; `FILE` in it stands for a file with this text.
fn plan(file: &str, line: &str) -> Result<Plan, String> {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("plan.toml");
    std::fs::write(&path, file).expect("file");
    let line = line.replace("FILE", &path.display().to_string());
    let words = ["plan"].into_iter().chain(line.split_whitespace());
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    line.wish.plan().map_err(|error| format!("{error:#}"))
}

fn expect(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = Plan::direct("motor-thermal", "1.4.0");
    change(&mut plan);
    plan
}

const FILE: &str = r#"
plugin = "motor-thermal"
version = "^1.3"
behavior = "thermal"
[stages]
shadow = { rows = 100 }
canary = { twins = ["pump-1"], rows = 50 }
[stages.acceptance.difference]
flow = { absolute = 1.0 }
"#;

fn of_file(plan: &mut Plan) {
    plan.version = "^1.3".to_owned();
    plan.behavior = Some("thermal".to_owned());
    plan.stages.shadow.rows = 100;
    plan.stages.canary.twins = Some(vec!["pump-1".to_owned()]);
    plan.stages.canary.rows = 50;
    let flow = Difference { absolute: Some(1.0), relative: None };
    plan.stages.acceptance.difference.insert("flow".to_owned(), flow);
}

#[test]
fn flags_and_files_make_plans() {
    type Change = fn(&mut Plan);
    let target = "motor-thermal@1.4.0";
    let table: [(&str, &str, Change); 17] = [
        ("", "", |_| {}),
        ("", "--behavior thermal --twins pump-*", |plan| {
            plan.behavior = Some("thermal".to_owned());
            plan.twins = Some("pump-*".to_owned());
        }),
        ("", "--shadow-rows 600 --shadow-seconds 60", |plan| {
            plan.stages.shadow.rows = 600;
            plan.stages.shadow.seconds = 60;
        }),
        ("", "--shadow-seconds 7200", |plan| {
            plan.stages.shadow.seconds = 7_200;
            plan.stages.shadow.seconds_max = 14_400;
        }),
        ("", "--canary-count 2", |plan| {
            plan.stages.canary.count = Some(2);
            plan.stages.canary.seconds = 60;
        }),
        ("", "--canary-share 0.1 --canary-rows 20", |plan| {
            plan.stages.canary.share = Some(0.1);
            plan.stages.canary.rows = 20;
        }),
        ("", "--canary-twins a,b --canary-seconds 5000", |plan| {
            plan.stages.canary.twins = Some(vec!["a".to_owned(), "b".to_owned()]);
            plan.stages.canary.seconds = 5_000;
            plan.stages.canary.seconds_max = 10_000;
        }),
        ("", "--probation-seconds 0", |plan| plan.stages.probation.seconds = 0),
        ("", "--probation-seconds 900", |plan| {
            plan.stages.probation.seconds = 900;
            plan.stages.probation.seconds_max = 1_800;
        }),
        ("", "--manual --shadow-rows 1", |plan| {
            plan.stages.promote = Promote::Manual;
            plan.stages.shadow.rows = 1;
        }),
        ("", "--cold-start", |plan| plan.stages.cold_start = true),
        ("", "--accept a=2 --accept b=1% --accept *=0.5,10%", |plan| {
            let of = |absolute, relative| Difference { absolute, relative };
            let difference = &mut plan.stages.acceptance.difference;
            difference.insert("a".to_owned(), of(Some(2.0), None));
            difference.insert("b".to_owned(), of(None, Some(0.01)));
            difference.insert("*".to_owned(), of(Some(0.5), Some(0.1)));
        }),
        (FILE, "--plan FILE", |plan| {
            of_file(plan);
            plan.version = "1.4.0".to_owned();
        }),
        (FILE, "--plan FILE --canary-count 3", |plan| {
            of_file(plan);
            plan.version = "1.4.0".to_owned();
            plan.stages.canary.twins = None;
            plan.stages.canary.count = Some(3);
        }),
        (FILE, "--plan FILE --behavior other --accept flow=3", |plan| {
            of_file(plan);
            plan.version = "1.4.0".to_owned();
            plan.behavior = Some("other".to_owned());
            plan.stages
                .acceptance
                .difference
                .insert("flow".to_owned(), Difference { absolute: Some(3.0), relative: None });
        }),
        ("[stages]\nverify_seconds_max = 5", "--plan FILE", |plan| plan.stages.verify_seconds_max = 5),
        ("", "--plan FILE", |plan| plan.stages = Stages::default()),
    ];
    for (file, flags, change) in table {
        assert_eq!(plan(file, &format!("{target} {flags}")), Ok(expect(change)), "{flags}");
    }
    assert_eq!(plan(FILE, "--plan FILE"), Ok(expect(of_file)), "a file may name everything");
    let digest = format!("sha256:{}", "ab".repeat(32));
    assert_eq!(plan("", &format!("motor-thermal@{digest}")).expect("plan").version, digest);
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_change() {
    for (file, line, words) in [
        ("", "", "say what is to run: PLUGIN@VERSION"),
        ("", "motor-thermal", "no PLUGIN@VERSION"),
        ("", "@1.0.0", "no PLUGIN@VERSION"),
        ("", "motor-thermal@", "no PLUGIN@VERSION"),
        ("", "m@1 --canary-count 1 --canary-share 0.5", "cannot be used with"),
        ("", "m@1 --canary-share 2", "stages.canary.share"),
        ("", "m@1 --canary-rows 5", "has a minimum but no twins"),
        ("", "m@1 --manual", "stages.promote"),
        ("", "m@1 --accept a", "give OUTPUT=ABS"),
        ("", "m@1 --accept =1", "give OUTPUT=ABS"),
        ("", "m@1 --accept a=x", "\"x\" is no number"),
        ("", "m@1 --accept a=1,2", "\"2\" is one limit too many"),
        ("", "m@1 --accept a=1%,2%", "\"2%\" is one limit too many"),
        ("", "m@1 --accept a=-1", "stages.acceptance.difference.a"),
        ("", "m@1 --accept a=1 --accept a=2", "--accept a is given twice"),
        ("", "m@1 --shadow-rows many", "invalid value"),
        ("", "m@1 --plan /nowhere/plan.toml", "cannot be read from /nowhere/plan.toml"),
        ("version = \"1\"", "--plan FILE", "does not name the plugin"),
        ("plugin = \"m\"", "--plan FILE", "does not name the version"),
        ("plugin = \"fan\"", "m@1 --plan FILE", "is a plan for fan, not for m"),
        ("[stages]\nshadw = 1", "m@1 --plan FILE", "unknown field `shadw`"),
        ("shadow = {}", "m@1 --plan FILE", "unknown field `shadow`"),
        ("not toml", "m@1 --plan FILE", "plan.toml"),
        ("[stages]\nshadow = {seconds = 9, seconds_max = 1}", "m@1 --plan FILE", "stages.shadow.seconds: 9"),
    ] {
        let refusal = plan(file, line).expect_err(line);
        assert!(refusal.contains(words), "{line}: {refusal}");
    }
}

/// The first block in this language of a page of the book.
fn block(page: &str, language: &str) -> String {
    let path = format!("{}/../../docs/book/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    let start = format!("```{language}\n");
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("{path} has no {language} block"));
    rest.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn the_plans_in_the_book_are_plans() {
    let file = block("command-line.md", "toml");
    let plan = plan(&file, "motor-thermal@1.4.0 --plan FILE").expect("the file in the book");
    assert!(plan.stages.shadow.wanted() && plan.stages.promote == Promote::Manual);
    let mut body: serde_json::Value = serde_json::from_str(&block("api.md", "json")).expect("JSON");
    assert!(body.as_object_mut().expect("object").remove("by").is_some());
    let plan: Plan = serde_json::from_value(body).expect("the body in the book");
    assert_eq!(plan.check(), Ok(()));
}

#[test]
fn every_mistake_is_named_at_once() {
    let refusal = plan("", "m@1 --manual --canary-share 2 --accept a=-1").expect_err("refused");
    assert!(refusal.starts_with("the plan cannot be carried out:\n  stages."), "{refusal}");
    assert_eq!(refusal.lines().count(), 3, "{refusal}");
}
