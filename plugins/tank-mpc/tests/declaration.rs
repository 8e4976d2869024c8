//! What the plugin declares to the host, and the cases that need no Rust.

use geminus_core::Declaration;
use geminus_core::declaration::Kind;
use geminus_sdk::testing::case;
use tank_mpc::TankMpc;

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(TankMpc::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("tank-mpc", Kind::CommandPolicy));
    let required: Vec<_> = declaration.inputs.iter().map(|i| (i.name.as_str(), i.required)).collect();
    assert_eq!(
        required,
        [("upper_level", true), ("lower_level", true), ("pump_speed", true), ("wanted_level", false)]
    );
    assert_eq!(declaration.commands.len(), 1);
    assert_eq!((declaration.state.schema, declaration.state.reads), (1, vec![1]));
}

#[test]
fn the_declarative_cases_hold() {
    let held = case::hold::<TankMpc>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).expect("cases that hold");
    assert_eq!(held, 3);
}
