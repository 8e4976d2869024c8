//! Mistakes in a site file, each with its line, all at once.

use crate::rig::{SITE, site};

/// A source of edge nodes: lines 18 to 20 of a site that it is added to.
const SPARKPLUG: &str = "[[source]]\nname = \"s\"\nsparkplug = { url = \"mqtt://x\", host_id = \"me\" }\n";
const OPCUA: &str = "[[source]]\nname = \"o\"\nopcua = { endpoint = \"opc.tcp://plc:4840\" }\n";

fn check(toml: &str, expect: &[&str]) {
    let problems = site(toml).expect_err(toml);
    let told: Vec<_> = problems
        .list()
        .iter()
        .map(|problem| format!("{}: {}", problem.line.map_or(0, |line| line), problem.message))
        .collect();
    assert_eq!(told.len(), expect.len(), "{told:#?}");
    for (told, expect) in told.iter().zip(expect) {
        assert!(told.starts_with(expect), "{told}\n  is not\n{expect}");
    }
}

#[test]
fn a_good_site_is_read_with_its_defaults() {
    let site = site(SITE).expect("good");
    let document = &site.document;
    assert_eq!((document.http.listen.as_str(), document.limits.stale_after_intervals), ("127.0.0.1:8080", 5));
    assert_eq!((document.behavior[0].row_wait_ms, document.twin[0].interval_ms), (200, 1000));
    assert_eq!(
        document.source[0].mqtt.as_ref().map(|mqtt| (mqtt.qos, mqtt.version)),
        Some((1, super::MqttVersion::V5))
    );
    assert_eq!(site.plugins_folder(), site.path.parent().expect("folder").join("plugins"));
}

#[test]
fn all_mistakes_come_at_once_with_their_lines() {
    check(
        "[sight]\nname = 1\n[site]\nnmae = \"x\"\n[[twin]]\nid = \"a\"\ntype = \"dtmi:t:Rig;1\"\nintervall_ms = 5\n\
         [twin.point.hot]\nuint = \"K\"\n[[twin]]\nid = 3\ntype = \"x\"\n[[twin]]\nid = \"b c\"\ntype = \"dtmi:t:Rig;1\"\n",
        &[
            "1: unknown key `sight`, did you mean `site`?",
            "4: unknown key `nmae` in [site], did you mean `name`?",
            "8: unknown key `intervall_ms` in [twin], did you mean `interval_ms`?",
            "10: unknown key `uint` in [twin.point.hot], did you mean `unit`?",
            "12: invalid type: integer `3`, expected a string",
            "15: twin id \"b c\" may hold letters",
        ],
    );
}

#[test]
fn values_out_of_range_are_named() {
    let with = |more: &str| format!("{SITE}{more}");
    let mqtt = |rest: &str| format!("[[source]]\nname = \"b\"\nmqtt = {{ url = \"{rest} }}");
    let publish =
        |layer: &str, more: &str| format!("[publish.p]\nlayer = \"{layer}\"\nurl = \"mqtt://x\"\n{more}");
    let opcua = |more: &str, bind: &str| {
        let source = OPCUA.replace(" }", &format!("{more} }}"));
        let bind = if more.is_empty() { bind } else { "topic = \"ns=2;s={point}\"" };
        format!("{SITE}{source}[[bind]]\nsource = \"o\"\n{bind}")
    };
    let spb = |more: &str| format!("{SITE}{SPARKPLUG}[[bind]]\nsource = \"s\"\n{more}");
    for (toml, expect) in [
        (with("row_wait_ms = 0"), "18: row_wait_ms = 0 is outside 1 … 60000"),
        (with("version = \"one\""), "18: version range \"one\" cannot be read"),
        (with("isolation = \"alone\""), "18: unknown variant `alone`, expected `cohort` or `dedicated`"),
        (with("twins = \"rig-[\""), "18: pattern \"rig-[\""),
        (with("[limits]\nstale_after_intervals = 1"), "19: stale_after_intervals = 1 is outside 2 … 1000"),
        (with("[http]\nlisten = \"8080\""), "19: \"8080\" is not an address and port"),
        (with("[[source]]\nname = \"field\"\ncsv = { path = \"x\" }"), "19: source \"field\" is named twice"),
        (with("[[source]]\nname = \"b\""), "18: source \"b\" needs exactly one of"),
        (
            with(&format!("{SPARKPLUG}mqtt = {{ url = \"mqtt://x\" }}")),
            "18: source \"s\" needs exactly one of",
        ),
        (with(&SPARKPLUG.replace("= \"me\"", "= \"a/b\"")), "20: host_id \"a/b\" is one level of a topic"),
        (
            with(&format!("{SPARKPLUG}[[bind]]\nsource = \"s\"")),
            "21: [[bind]] to Sparkplug source \"s\" needs a topic",
        ),
        (spb("topic = \"spBv1.0/g/{twin}/{point}\""), "23: topic \"spBv1.0/g/{twin}/{point}\" has {point}"),
        (spb("topic = \"spBv1.0/g/{twin}\"\nqos = 1"), "24: qos is for MQTT sources"),
        (
            spb("topic = \"spBv1.0/g/{twin}\"\npayload = { time_unit = \"millis\" }"),
            "24: payload of a Sparkplug source has `fields` only",
        ),
        (opcua(", queue_size = 0", ""), "20: queue_size = 0 is outside 1 … 100000"),
        (opcua(", publishing_ms = 1", ""), "20: publishing_ms = 1 is outside 10 … 3600000"),
        (opcua(", sampling_ms = 3600001", ""), "20: sampling_ms = 3600001 is outside 0 … 3600000"),
        (opcua(", username = \"ann\"", ""), "20: username needs password_env or password_file"),
        (
            opcua(", username = \"ann\", password_env = \"P\"", ""),
            "20: username needs a security other than `none`",
        ),
        (opcua(", password_env = \"P\"", ""), "20: a password needs a username"),
        (
            opcua("", "topic = \"ns=2;s={point}\"").replace("opc.tcp", "http"),
            "20: `http://plc:4840` is not an address like opc.tcp",
        ),
        (opcua("", ""), "21: [[bind]] to OPC UA source \"o\" needs a topic"),
        (opcua("", "topic = \"ns=2;s={twin}\""), "23: topic \"ns=2;s={twin}\" has no {point}"),
        (opcua("", "topic = \"ns=2;s={point}\"\nqos = 1"), "24: qos is for MQTT sources: OPC UA"),
        (
            opcua("", "topic = \"ns=2;s={point}\"\npayload = { time = \"t\" }"),
            "24: payload is not for OPC UA sources",
        ),
        (
            with("[[source]]\nname = \"b\"\nmqtt = { url = \"mqtt://x\", qos = 3 }"),
            "20: qos = 3 is outside 0 … 2",
        ),
        (
            with("[[source]]\nname = \"b\"\nmqtt = { url = \"mqtt://ann@x\", username = \"ann\" }"),
            "20: give the user either in url or in username",
        ),
        (
            with("[[source]]\nname = \"b\"\nmqtt = { url = \"mqtt://x\", client_id = \"\" }"),
            "20: client_id must not be empty",
        ),
        (with(&mqtt("mqtt://ann:secret@x\"")), "20: a password does not stand in this file"),
        (with(&mqtt("mqtts://x\"")), "20: mqtts:// needs an authority to trust"),
        (with(&mqtt("mqtt://x\", tls = { ca = \"a\" }")), "20: tls is used with mqtts:// only"),
        (
            with(&mqtt("mqtts://x\", tls = { ca = \"a\", key = \"b\" }")),
            "20: certificate and key belong together",
        ),
        (
            with(&mqtt("mqtt://x\", username = \"a\", password_env = \"B\", password_file = \"c\"")),
            "20: give either password_env or password_file",
        ),
        (with(&mqtt("mqtt://x\", password_file = \"c\"")), "20: a password without username is not sent"),
        (with(&publish("uns-1", "")), "18: layer \"uns-1\" needs `enterprise`"),
        (with(&publish("uns-1", "enterprise = \"a/b\"")), "21: enterprise = \"a/b\" is one level of a topic"),
        (with(&publish("uns-1", "enterprise = \"a\"\nnode = \"n\"")), "22: layer \"uns-1\" has no `node`"),
        (with(&publish("sparkplug-b-1", "group = \"g\"")), "18: layer \"sparkplug-b-1\" needs `node`"),
        (with(&publish("uns-1", "enterprise = \"a\"\npoints = [\"[\"]")), "22: pattern \"[\""),
        (with(&publish("uns-1", "enterprise = \"a\"\ninterval_ms = 4000000")), "22: interval_ms = 4000000"),
        (
            SITE.replace("type = \"dtmi", "area = \"\"\ntype = \"dtmi"),
            "7: area = \"\" is one level of a topic",
        ),
        (
            with("[[bind]]\nsource = \"feild\"\ntopic = \"{point}\""),
            "19: source \"feild\" is not defined, did you mean `field`?",
        ),
        (with("[[bind]]\nsource = \"field\"\ntopic = \"x\""), "20: topic \"x\" has no {point}"),
        (with("[[bind]]\nsource = \"field\""), "18: [[bind]] to MQTT source \"field\" needs a topic"),
        (SITE.replace("{1..2}", "{1..2"), "6: `{` is not closed"),
        (SITE.replace("[[twin]]", "[twin]"), "5: `twin` must be written as [[twin]]"),
        (
            with("pin = [{ twins = \"rig-1\", version = \"1.x.y.z\" }]"),
            "18: version range \"1.x.y.z\" cannot be read",
        ),
        (with("pin = [\n{ twins = \"rig-[\", version = \"1\" }]"), "19: pattern \"rig-[\""),
        (
            with("pin = [{ twins = \"rig-1\", version = \"1\", twin = 1 }]"),
            "18: unknown key `twin` in [behavior.pin], did you mean `twins`?",
        ),
        (with("substitute = \"last\""), "18: unknown variant `last`, expected one of"),
        (with("substitute = \"fail-safe\""), "18: substitute `fail-safe` needs a value for each output"),
        (with("fail_safe = { inside = 1 }"), "18: `fail_safe` is used with substitute = \"fail-safe\" only"),
        (
            with("substitute = \"fail-safe\"\nfail_safe = { inside = nan }"),
            "19: inside = NaN is not a number",
        ),
        (with("hold_s = 0"), "18: hold_s = 0 is outside 1 … 86400"),
        (with("arrivals = \"no\""), "18: unknown variant `no`, expected `rollout` or `ignore`"),
        (with("[containment]\ncrashes_max = 0"), "19: crashes_max = 0 is outside 1 … 100"),
        (with("[containment]\ncrashes_window_s = 0"), "19: crashes_window_s = 0 is outside 1 … 604800"),
        (
            with("rollout = { shadow = { rows = 5, second = 1 } }"),
            "18: unknown key `second` in [behavior.rollout.shadow], did you mean `seconds`?",
        ),
        (
            with("[behavior.rollout.shadow]\nseconds = 50\nseconds_max = 2"),
            "19: rollout of behavior \"core\": shadow.seconds: 50 is longer than shadow.seconds_max, 2",
        ),
        (with("oops"), "18: "),
    ] {
        check(&toml, &[expect]);
    }
    // A source that cannot be read is not there for its binds either.
    let unknown = opcua(", security = \"basic128\"", "");
    check(&unknown, &["20: unknown variant `basic128`", "22: source \"o\" is not defined"]);
}

const TARGET: &str = r#"
[[target]]
name = "limit"
unit = "mA"
write = { source = "field", topic = "rig/{twin}/set/limit" }
feedback = { point = "load", tolerance = 0.5, within_s = 5 }
[target.interlock]
range = { min = 0, max = 100 }
"#;

#[test]
fn targets_are_checked_by_themselves() {
    let with = |old: &str, new: &str| format!("{SITE}{}", TARGET.replacen(old, new, 1));
    assert!(site(&with("", "")).is_ok());
    for (toml, expect) in [
        (with("\"limit\"", "\"Limit\""), "20: target name \"Limit\" may hold"),
        (with("\"field\"", "\"feild\""), "22: source \"feild\" is not defined, did you mean `field`?"),
        (with("{twin}", "+"), "22: topic \"rig/+/set/limit\" must be given"),
        (with("0.5", "-1"), "23: tolerance = -1 is not 0 or more"),
        (with("within_s = 5", "within_s = 0"), "23: within_s = 0 is not more than 0"),
        (with("within_s = 5", "within_s = 601"), "23: within_s = 601 is not more than 0 and at most 600"),
        (with("unit =", "class = \"rotine\"\nunit ="), "21: class \"rotine\" is not defined"),
        (with("/limit\" }", "/limit\", qos = 0 }"), "22: qos = 0 is outside 1 … 1"),
        (
            with("[target.i", "heartbeat = { topic = \"rig/#\" }\n[target.i"),
            "24: topic \"rig/#\" must be given, without",
        ),
        (
            with("[target.i", "heartbeat = { topic = \"b/{twin}\", every_ms = 99 }\n[target.i"),
            "24: every_ms = 99 is outside 100 … 60000",
        ),
        (
            with("[target.i", "heartbeat = { topic = \"b/{twin}\" }\n[target.i")
                .replace("write = { source = \"field\"", "write = { source = \"o\"")
                + OPCUA,
            "24: an OPC UA source carries no heartbeat",
        ),
        (
            with("range =", "dwel_s = 1\nrange ="),
            "25: unknown key `dwel_s` in [target.interlock], did you mean `dwell_s`?",
        ),
    ] {
        check(&toml, &[expect]);
    }
}

#[test]
fn classes_say_how_many_people_approve() {
    let with = |class: &str| {
        let target = TARGET.replacen("unit =", "class = \"heavy\"\nunit =", 1);
        site(&format!("{SITE}{target}[command.class.heavy]\n{class}\n"))
    };
    let heavy = with("approvers = 2\napprove_within_s = 60").expect("a site").document.command.class("heavy");
    assert_eq!(heavy.map(|class| (class.approvers, class.approve_within_s)), Some((2, 60)));
    let told = with("approvers = 3").expect_err("three").to_string();
    assert!(told.contains("class \"heavy\": approvers is 3: 0, 1 or 2"), "{told}");
    let routine = site(SITE).expect("a site").document.command.class("routine");
    assert_eq!(routine.map(|class| class.approvers), Some(1));
    let control = SITE.replace("type = \"dtmi", "authority = \"control\"\ntype = \"dtmi");
    assert!(site(&control).is_ok(), "control is taken, and armed by people");
}

/// An issuer with nothing that it could do without.
const OIDC: &str = "[access.oidc]\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"geminus\"\nredirect = \"http://127.0.0.1:8080/\"\n\
    [[access.oidc.grant]]\nvalue = \"ops\"\nroles = [\"operator\"]\n";

#[test]
fn an_issuer_is_read_with_its_defaults_and_its_mistakes_are_told() {
    let with = |old: &str, new: &str| format!("{SITE}{}", OIDC.replacen(old, new, 1));
    let oidc = site(&with("", "")).expect("good").document.access.oidc.expect("an issuer");
    assert_eq!((oidc.leeway_s, oidc.keys_hours_max, oidc.audience), (60, 24, None));
    assert_eq!((oidc.name_claim.as_str(), oidc.roles_claim.as_str()), ("preferred_username", "groups"));
    assert_eq!(oidc.algorithms.iter().map(|one| one.name()).collect::<Vec<_>>(), ["RS256", "ES256"]);
    assert_eq!(oidc.grant[0].twins, ["*"]);
    for (old, new, part) in [
        ("[[access", "leeway_s = 301\n[[access", "leeway_s = 301 is outside 0 … 300"),
        ("[[access", "keys_hours_max = 0\n[[access", "keys_hours_max = 0 is outside 1 … 168"),
        ("[[access", "title = \"\"\n[[access", "title = 0 is outside 1 … 40"),
        ("[[access", "algorithms = []\n[[access", "algorithms is empty"),
        ("[[access", "algorithms = [\"HS256\"]\n[[access", "unknown variant `HS256`"),
        ("[[access", "algorithms = [\"none\"]\n[[access", "unknown variant `none`"),
        ("[[access", "scopes = [\"a b\"]\n[[access", "without spaces and quotes"),
        ("[[access", "audience = \"\"\n[[access", "audience is empty"),
        ("[[access", "client_secret = \"x\"\n[[access", "unknown key `client_secret` in [access.oidc]"),
        ("http://127.0.0.1:1", "https://login.example", "ca = \"ca.pem\""),
        ("[\"operator\"]", "[]", "roles is empty"),
        ("[\"operator\"]", "[\"root\"]", "unknown variant `root`"),
        ("\"ops\"", "\"\"", "value is empty"),
        ("[[access.oidc.grant]]\nvalue = \"ops\"\nroles = [\"operator\"]\n", "", "nobody could log in"),
    ] {
        let told = site(&with(old, new)).expect_err(part).to_string();
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_site_that_is_not_there_says_so() {
    let error = crate::Site::load("no/such/site.toml".as_ref()).expect_err("missing").to_string();
    assert!(error.starts_with("no/such/site.toml: cannot be read: "), "{error}");
}
