//! Which items a site publishes, and how they stand after what shards say.

use geminus_core::{Declaration, SeriesId};
use geminus_twin::shard::{PointUpdate, State as TwinState};
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
line = "line-2"
[[bind]]
source = "field"
topic = "rig/{twin}/{point}"
[[behavior]]
name = "core"
plugin = "core"
[publish.plant]
layer = "uns-1"
url = "mqtt://127.0.0.1:1883"
enterprise = "acme"
twins = "rig-2"
points = ["core.inside"]
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
            {"name": "margin", "unit": "1", "role": "estimate", "of": "hot"},
            {"name": "inside", "unit": "1", "role": "estimate", "of": "hot"}],
        "alerts": [{"code": "too-hot", "priority": "high", "text": "too hot", "unit": "1"}],
    });
    Declaration::parse(json.to_string().as_bytes()).expect("valid")
}

fn laid_out() -> (tempfile::TempDir, Plant, Arc<Press>) {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::create_dir(folder.path().join("types")).expect("types");
    std::fs::write(folder.path().join("types/rig.json"), TYPE).expect("type");
    let site = Site::parse(&folder.path().join("site.toml"), SITE).expect("a good site");
    let mut next = 0;
    let plant = Plant::resolve(&site, &[declaration()], &mut |_, _| {
        next += 1;
        Ok(SeriesId(next))
    });
    let plant = plant.expect("a good plant");
    let (press, ready) = prepare(&site, &plant, folder.path()).expect("laid out");
    assert_eq!(ready.len(), 1);
    (folder, plant, press)
}

fn place_of(plant: &Plant, name: &str) -> usize {
    plant.kinds[0].points.iter().position(|point| point.name == name).expect(name)
}

#[test]
fn what_is_chosen_is_kept_as_it_stands_and_nothing_else() {
    let (_folder, plant, press) = laid_out();
    let (other, chosen) = (TwinIndex(0), TwinIndex(1));
    assert!(press.wants(chosen) && !press.wants(other));
    let update = |twin, name: &str, value| Update {
        twin,
        state: TwinState::Live,
        age_ms: Some(0),
        health: Health { index: None, verdict: Verdict::Unknown },
        points: vec![PointUpdate {
            point: place_of(&plant, name),
            time: Timestamp(7),
            value,
            quality: Quality::Uncertain,
        }],
    };
    for (twin, name, value) in [
        (chosen, "core.inside", 1.5),
        (chosen, "core.margin", 2.5),
        (chosen, "hot", 3.5),
        (other, "core.inside", 4.5),
    ] {
        press.update(&plant, &update(twin, name, value), Timestamp(9), &|_| None);
    }
    let outlet = &press.feeds[0].outlet;
    let inside = outlet.state(0).expect("a value");
    assert_eq!(
        (inside.content, inside.quality, inside.time),
        (Content::Number(1.5), Quality::Uncertain, Timestamp(7))
    );
    let health = outlet.state(1).expect("health");
    assert_eq!(health.content, Content::Health { index: None, verdict: "unknown" });
    assert_eq!(health.quality, Quality::Bad, "what is unknown is not good");
    assert_eq!(
        (outlet.state(2), outlet.state(3)),
        (None, None),
        "no word of the alarm yet, and no more items"
    );
}

#[test]
fn alarms_of_chosen_twins_have_an_item_each() {
    let (_folder, plant, press) = laid_out();
    let keys: Vec<Key> = press.alarms().collect();
    assert_eq!(keys, [Key { twin: TwinIndex(1), alarm: 0 }]);
    assert_eq!(plant.alarms[0].definition.name, "core.too-hot");
}

#[test]
fn a_choice_of_nothing_is_known_with_its_line() {
    let (_folder, plant, _) = laid_out();
    let folder = tempfile::tempdir().expect("folder");
    std::fs::create_dir(folder.path().join("types")).expect("types");
    let text =
        SITE.replace("points = [\"core.inside\"]", "points = [\"no.such\"]\nhealth = false\nalarms = false");
    let site = Site::parse(&folder.path().join("site.toml"), &text).expect("a good site");
    let mut problems = Problems::default();
    check(&site, &plant, &mut problems);
    let told = problems.to_string();
    assert!(told.contains("publish.plant") && told.contains("chooses nothing"), "{told}");
}

#[test]
fn a_twin_says_where_it_stands_with_what_is_known() {
    let (_folder, plant, _) = laid_out();
    assert_eq!(place(plant.twin(TwinIndex(0)).expect("a twin")), ["line-2"]);
}
