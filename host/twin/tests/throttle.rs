//! What the README of throttle-policy shows for a site is a site: beside the behaviors of the example its inputs are bound
//! and its command may reach the target.

use std::path::Path;

use geminus_core::{Declaration, SeriesId};
use geminus_twin::{Plant, Site};

#[test]
fn the_site_of_the_readme_resolves_beside_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let readme = read("plugins/throttle-policy/README.md");
    let shown = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let example = read("examples/pump-rig/site.toml");
    let site = example.replacen("type = \"dtmi", "authority = \"advise\"\ntype = \"dtmi", 1);
    assert_ne!(site, example, "the example has another shape");
    let beside = root.join("examples/pump-rig/site.toml");
    let site =
        Site::parse(&beside, &format!("{site}\n{shown}")).unwrap_or_else(|problems| panic!("{problems}"));
    let declarations = [
        motor_thermal::MotorThermal::DECLARATION,
        pump_health::PumpHealth::DECLARATION,
        throttle_policy::ThrottlePolicy::DECLARATION,
    ];
    let declarations = declarations.map(|json| Declaration::parse(json.as_bytes()).expect("a declaration"));
    let mut next = 0;
    let plant = Plant::resolve(&site, &declarations, &mut |_, _| {
        next += 1;
        Ok(SeriesId(next))
    });
    let plant = plant.unwrap_or_else(|problems| panic!("{problems}"));

    let throttle = plant.bindings.iter().position(|binding| binding.name == "throttle").expect("the policy");
    let of_kind = plant.kinds[0].behaviors.iter().find(|behavior| behavior.binding.0 as usize == throttle);
    let bound: Vec<Option<&str>> = of_kind
        .expect("bound")
        .columns
        .iter()
        .map(|column| Some(plant.kinds[0].points[column.point?].name.as_str()))
        .collect();
    let winding = "thermal.winding_temperature";
    assert_eq!(bound, [Some(winding), Some("thermal.winding_temperature_deviation"), None]);
    let [target] = plant.targets.as_slice() else { panic!("one target") };
    assert_eq!((target.name.as_str(), target.commands.len(), target.twins.len()), ("load-limit", 1, 1));
    assert_eq!(target.book.points(), [winding]);
}
