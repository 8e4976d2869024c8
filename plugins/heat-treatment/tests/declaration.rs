//! What the plugin declares to the host, and the cases that need no Rust.

use geminus_core::Declaration;
use geminus_core::declaration::Kind;
use geminus_sdk::testing::case;
use heat_treatment::HeatTreatment;

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(HeatTreatment::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("heat-treatment", Kind::CommandPolicy));
    let required: Vec<_> = declaration.inputs.iter().map(|i| (i.name.as_str(), i.required)).collect();
    assert_eq!(
        required,
        [("temperature", true), ("soak_time", true), ("quench_rate", true), ("hardness", true)]
    );
    let commands: Vec<_> = declaration.commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(commands, ["temperature", "soak_time", "quench_rate"]);
    assert_eq!((declaration.state.schema, declaration.state.reads), (1, vec![1]));
}

#[test]
fn the_declarative_cases_hold() {
    let held =
        case::hold::<HeatTreatment>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).expect("cases that hold");
    assert_eq!(held, 3);
}
