//! The macros of geminus-sdk. They turn an author's types into the declaration (constant JSON), the code that
//! reads and writes columns and states, and, for wasm, the component's exports and custom sections.
//!
//! Nothing here is meant to be used without geminus-sdk; its documentation explains each macro by example.

#![warn(missing_docs)]

use proc_macro::TokenStream;

mod alerts;
mod behavior;
mod commands;
mod field;
mod inputs;
mod outputs;
mod parameters;
mod state;
mod ucum;

/// One row of inputs: a struct with named fields of `Reading` or `Option<f64>`.
///
/// `#[input(unit = "Cel", event, optional)]` on each field: `unit` is a UCUM code ("1" without unit); `event` counts
/// a sample once, in the row of its time, `hold` (the default) until the next; `optional` lets a site leave it
/// unbound. The doc comment becomes the description; `name = "…"` overrides the field's name.
#[proc_macro_derive(Inputs, attributes(input))]
pub fn inputs(item: TokenStream) -> TokenStream {
    expand(item, inputs::derive)
}

/// One row of outputs: a struct with named fields of `f64`, `Option<f64>` or `Output`.
///
/// `#[output(unit = "Cel", role = "estimate", of = "surface")]` on each field: `role` is one of `estimate`,
/// `deviation`, `innovation`, `nis`, `health-index`, `converged`, `diagnostic` (the default); `of` names the output that a
/// deviation belongs to, or the input that something is about. `converged` is 1 once the behavior trusts its outputs,
/// 0 before; at most one output has it, with unit "1".
#[proc_macro_derive(Outputs, attributes(output))]
pub fn outputs(item: TokenStream) -> TokenStream {
    expand(item, outputs::derive)
}

/// What a site sets: a struct with named fields of `f64`, `bool`, `String`, small integers, `Option` of these,
/// `Vec<f64>` or `[f64; N]`.
///
/// `#[parameter(unit = "s", default = 60.0, min = 0.1, max = 3600.0)]` on each field, all of it optional; without a
/// default the parameter must be given, unless it is an `Option`.
#[proc_macro_derive(Parameters, attributes(parameter))]
pub fn parameters(item: TokenStream) -> TokenStream {
    expand(item, parameters::derive)
}

/// State that is carried from version to version.
///
/// `#[state(schema = 2, up = V1, down = V1)]` on the struct (`schema = 1` without it): `up` names the state type of the
/// schema before, read through `impl Migrate<V1> for Self`; `down` the one that can be written, through
/// `impl Migrate<Self> for V1`. On a field, `#[state(via = [[f64; 4]; 4])]` packs it through that type, into which
/// and from which the field's type converts (nalgebra's matrices do).
#[proc_macro_derive(State, attributes(state))]
pub fn state(item: TokenStream) -> TokenStream {
    expand(item, state::derive_state)
}

/// A struct that can be a field of a state. `#[state(via = …)]` works on its fields as in `State`.
#[proc_macro_derive(Pack, attributes(state))]
pub fn pack(item: TokenStream) -> TokenStream {
    expand(item, state::derive_pack)
}

/// The alerts of a behavior: an enum without fields that is `Copy`.
///
/// `#[alert(priority = "high", unit = "Cel")]` on each variant: `priority` is one of `journal`, `low`, `medium`, `high`,
/// `critical`; `unit` that of the value (default "1"); `code` overrides the variant's name in kebab-case. The doc
/// comment is what an operator reads.
#[proc_macro_derive(Alerts, attributes(alert))]
pub fn alerts(item: TokenStream) -> TokenStream {
    expand(item, alerts::derive)
}

/// The commands of a policy: an enum without fields that is `Copy`.
///
/// `#[command(unit = "/min", min = 0.0, max = 3000.0)]` on each variant, all three required; `name` overrides the
/// variant's name in snake_case.
#[proc_macro_derive(Commands, attributes(command))]
pub fn commands(item: TokenStream) -> TokenStream {
    expand(item, commands::derive)
}

/// On `impl Behavior for X`: estimates state that no sensor measures.
///
/// `#[estimator(warm_up_rows = 30, budget(fuel_per_row = 20_000, memory_bytes = 33_554_432))]`, all of it optional.
#[proc_macro_attribute]
pub fn estimator(arguments: TokenStream, item: TokenStream) -> TokenStream {
    kind("estimator", arguments, item)
}

/// On `impl Behavior for X`: a fast approximation of an expensive model. Arguments as for `estimator`.
#[proc_macro_attribute]
pub fn surrogate(arguments: TokenStream, item: TokenStream) -> TokenStream {
    kind("surrogate", arguments, item)
}

/// On `impl Behavior for X`: judges health and raises alerts. Arguments as for `estimator`.
#[proc_macro_attribute]
pub fn health_rule(arguments: TokenStream, item: TokenStream) -> TokenStream {
    kind("health-rule", arguments, item)
}

/// On `impl Behavior for X`: the only kind that may propose commands. Arguments as for `estimator`.
#[proc_macro_attribute]
pub fn command_policy(arguments: TokenStream, item: TokenStream) -> TokenStream {
    kind("command-policy", arguments, item)
}

fn kind(kind: &str, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let package = behavior::Package::from_environment();
    let expanded = behavior::expand(kind, arguments.into(), item.into(), &package);
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}

type Derive = fn(&syn::DeriveInput) -> syn::Result<proc_macro2::TokenStream>;

fn expand(item: TokenStream, derive: Derive) -> TokenStream {
    let parsed = syn::parse::<syn::DeriveInput>(item);
    parsed.and_then(|item| derive(&item)).unwrap_or_else(syn::Error::into_compile_error).into()
}
