//! What a site shows to OPC UA clients, and how it stands after what shards say.

use geminus_core::{Declaration, SeriesId};
use geminus_twin::shard::{Health, PointUpdate, State};
use serde_json::json;

use super::*;

const SITE: &str = r#"
[site]
name = "site"
[[source]]
name = "field"
mqtt = { url = "mqtt://127.0.0.1:1883" }
[[twin]]
id = "rig-{1..2}"
type = "dtmi:t:Rig;1"
[[bind]]
source = "field"
topic = "rig/{twin}/{point}"
[[behavior]]
name = "core"
plugin = "core"
[opcua_server]
twins = "rig-2"
"#;

const TYPE: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Rig;1", "@type": "Interface", "displayName": "Rig",
    "contents": [{"@type": "Telemetry", "name": "hot", "schema": "double"}]}"#;

fn declaration() -> Declaration {
    let json = json!({
        "declaration": 1, "name": "core", "version": "1.2.0", "kind": "estimator",
        "state": {"schema": 0, "reads": [], "writes": []},
        "inputs": [{"name": "hot", "unit": "1", "arrival": "event"}],
        "outputs": [
            {"name": "inside", "unit": "1", "role": "estimate", "of": "hot"},
            {"name": "worn", "unit": "1", "role": "health-index"}],
    });
    Declaration::parse(json.to_string().as_bytes()).expect("valid")
}

fn plant(text: &str) -> (tempfile::TempDir, Site, Plant) {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::create_dir(folder.path().join("types")).expect("types");
    std::fs::write(folder.path().join("types/rig.json"), TYPE).expect("type");
    let site = Site::parse(&folder.path().join("site.toml"), text).expect("a good site");
    let mut next = 0;
    let plant = Plant::resolve(&site, &[declaration()], &mut |_, _| {
        next += 1;
        Ok(SeriesId(next))
    });
    (folder, site, plant.expect("a good plant"))
}

#[test]
fn a_point_stands_where_its_origin_and_role_say() {
    let (_folder, _, plant) = plant(SITE);
    let layout = layout(&plant.kinds[0]);
    let found: Vec<_> = layout.points.iter().map(|point| (point.name.as_str(), point.folder)).collect();
    let expect =
        [("hot", Folder::Measured), ("core.inside", Folder::Estimated), ("core.worn", Folder::Health)];
    assert_eq!(found, expect);
}

#[test]
fn what_shards_say_of_a_shown_twin_is_kept_and_of_others_is_not() {
    let (_folder, site, plant) = plant(SITE);
    let server = site.document.opcua_server.as_ref().expect("a server");
    let (twins, catalogue) = lay_out(&plant, server).expect("laid out");
    let board = Arc::new(Board::new(&catalogue));
    let exhibit = Exhibit { twins, board: Some(Arc::clone(&board)) };
    let (other, shown) = (TwinIndex(0), TwinIndex(1));
    assert!(exhibit.wants(shown) && !exhibit.wants(other));
    let update = |twin, value| Update {
        twin,
        state: State::Live,
        age_ms: Some(0),
        health: Health { index: None, verdict: Verdict::Unknown },
        points: vec![PointUpdate { point: 1, time: Timestamp(7), value, quality: Quality::Uncertain }],
    };
    exhibit.update(&update(shown, 1.5), Timestamp(9));
    exhibit.update(&update(other, 2.5), Timestamp(9));
    let inside = board.reading(1).expect("a value");
    let expect = Reading { content: Content::Number(1.5), quality: Quality::Uncertain, time: Timestamp(7) };
    assert_eq!(inside, expect);
    let parts = [3, 4, 5].map(|item| board.reading(item).map(|reading| (reading.content, reading.quality)));
    let expect = [
        Some((Content::Index(None), Quality::Bad)),
        Some((Content::Word("unknown"), Quality::Good)),
        Some((Content::Word("live"), Quality::Good)),
    ];
    assert_eq!(parts, expect);
    assert_eq!((board.reading(0), board.reading(6)), (None, None));
}

#[test]
fn a_server_that_would_show_nothing_or_stand_open_is_known_with_its_line() {
    let says = |more: &str| {
        let text = SITE.replace("twins = \"rig-2\"", more);
        let (_folder, site, plant) = plant(&text);
        let mut problems = Problems::default();
        check(&site, &plant, &mut problems);
        problems.to_string()
    };
    assert_eq!(says("twins = \"rig-2\""), "");
    assert!(says("twins = \"fan-*\"").contains("opcua_server: shows nothing"));
    assert!(says("security = [\"none\"]").contains("needs anonymous = true"));
    let open = says("listen = \"0.0.0.0:4840\"\nanonymous = true");
    assert!(open.contains("anonymous must be false"), "{open}");
    assert!(open.contains("site.toml:16"), "with its line: {open}");
}

#[test]
fn beyond_loopback_it_needs_users() {
    for (listen, users, fine) in [
        ("127.0.0.1:4840", false, true),
        ("[::1]:4840", false, true),
        ("0.0.0.0:4840", false, false),
        ("0.0.0.0:4840", true, true),
    ] {
        assert_eq!(lack(listen.parse().expect("address"), users).is_none(), fine, "{listen} {users}");
    }
}
