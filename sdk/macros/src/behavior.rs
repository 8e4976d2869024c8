//! `#[estimator]` and its three siblings: completes `impl Behavior for X` and adds the declaration and, for wasm,
//! the component's exports.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::json;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{ImplItem, ItemImpl, Result, Type, parse_quote};

use crate::field::{error, unknown, whole};

mod signature;

/// What Cargo says of the plugin.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
}

impl Package {
    /// Cargo sets these for every compilation, and compiles again when one changes.
    pub(crate) fn from_environment() -> Self {
        let read = |key: &str| std::env::var(key).unwrap_or_default();
        Self {
            name: read("CARGO_PKG_NAME"),
            version: read("CARGO_PKG_VERSION"),
            description: read("CARGO_PKG_DESCRIPTION"),
        }
    }
}

struct Arguments {
    warm_up_rows: u64,
    fuel_per_row: u64,
    memory_bytes: u64,
}

impl Arguments {
    fn read(tokens: TokenStream) -> Result<Self> {
        let mut arguments = Self { warm_up_rows: 0, fuel_per_row: 1_000_000, memory_bytes: 64 << 20 };
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("warm_up_rows") {
                arguments.warm_up_rows = u32::try_from(whole(&meta)?).map_err(|why| meta.error(why))?.into();
                return Ok(());
            }
            if !meta.path.is_ident("budget") {
                return Err(unknown(&meta, "warm_up_rows, budget(fuel_per_row, memory_bytes)"));
            }
            meta.parse_nested_meta(|meta| {
                match meta.path.get_ident().map(ToString::to_string).as_deref() {
                    Some("fuel_per_row") => arguments.fuel_per_row = whole(&meta)?,
                    Some("memory_bytes") => arguments.memory_bytes = whole(&meta)?,
                    _ => return Err(unknown(&meta, "fuel_per_row, memory_bytes")),
                }
                Ok(())
            })
        });
        parser.parse2(tokens)?;
        Ok(arguments)
    }
}

pub(crate) fn expand(
    kind: &str,
    arguments: TokenStream,
    item: TokenStream,
    package: &Package,
) -> Result<TokenStream> {
    let arguments = Arguments::read(arguments)?;
    let mut item: ItemImpl = syn::parse2(item)?;
    let is_behavior = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
    if is_behavior.is_none_or(|last| last.ident != "Behavior") {
        return Err(error(item.self_ty.span(), "this attribute belongs on `impl Behavior for …`".to_owned()));
    }
    if !item.generics.params.is_empty() {
        let message = "a behavior cannot be generic: a component exports one".to_owned();
        return Err(error(item.generics.span(), message));
    }
    signature::complete(&mut item, kind)?;
    let (ty, forecasts) = ((*item.self_ty).clone(), has(&item, "forecast"));
    let document = document(&ty, kind, &arguments, package, forecasts);
    item.items.push(parse_quote!(const DECLARATION: &'static str = #document;));
    item.items.push(parse_quote!(const FORECAST: bool = #forecasts;));
    let (about, exports) = (about(&ty), exports(&ty));
    Ok(quote! {
        #item

        #about

        impl #ty {
            /// The JSON document that the host reads before any code runs.
            pub const DECLARATION: &'static str = <#ty as ::geminus_sdk::Behavior>::DECLARATION;
        }

        #exports
    })
}

/// Whether the impl has a function or type of that name.
fn has(item: &ItemImpl, name: &str) -> bool {
    item.items.iter().any(|item| match item {
        ImplItem::Fn(function) => function.sig.ident == name,
        ImplItem::Type(alias) => alias.ident == name,
        _ => false,
    })
}

/// The declaration as an expression: what is known here, joined with what the types say of themselves.
fn document(ty: &Type, kind: &str, arguments: &Arguments, package: &Package, forecasts: bool) -> TokenStream {
    let Package { name, version, description } = package;
    let (name, version, description) = (json!(name), json!(version), json!(description));
    let head = format!(
        "{{\"declaration\":1,\"name\":{name},\"version\":{version},\"description\":{description},\
         \"kind\":\"{kind}\",\"inputs\":["
    );
    let Arguments { warm_up_rows, fuel_per_row, memory_bytes } = arguments;
    let tail = format!(
        ",\"forecast\":{forecasts},\"warm_up_rows\":{warm_up_rows},\
         \"budget\":{{\"fuel_per_row\":{fuel_per_row},\"memory_bytes\":{memory_bytes}}}}}"
    );
    let behavior = quote!(<#ty as ::geminus_sdk::Behavior>);
    quote! {
        ::geminus_sdk::__joined!(
            #head,
            <#behavior::Inputs as ::geminus_sdk::Inputs>::DECLARATION,
            "],\"outputs\":[",
            <<#behavior::Answer as ::geminus_sdk::Answer>::Outputs as ::geminus_sdk::Outputs>::DECLARATION,
            "],\"parameters\":",
            <#behavior::Parameters as ::geminus_sdk::Parameters>::SCHEMA,
            ",\"alerts\":[",
            <#behavior::Alerts as ::geminus_sdk::Alerts>::DECLARATION,
            "],\"commands\":[",
            <#behavior::Commands as ::geminus_sdk::Commands>::DECLARATION,
            "],\"state\":",
            <#behavior::State as ::geminus_sdk::State>::DECLARATION,
            #tail,
        )
    }
}

/// A compile error when an output is `of` something that is neither input nor output.
fn about(ty: &Type) -> TokenStream {
    quote! {
        const _: () = {
            type Inputs = <#ty as ::geminus_sdk::Behavior>::Inputs;
            type Outputs = <<#ty as ::geminus_sdk::Behavior>::Answer as ::geminus_sdk::Answer>::Outputs;
            ::core::assert!(
                ::geminus_sdk::document::known(
                    <Outputs as ::geminus_sdk::Outputs>::ABOUT,
                    <Inputs as ::geminus_sdk::Inputs>::NAMES,
                    <Outputs as ::geminus_sdk::Outputs>::NAMES,
                ),
                "an output is `of` something that is neither an input nor an output of this behavior",
            );
        };
    }
}

/// In wasm only, so that many plugins can be linked natively into one program: both custom sections, the table of
/// slots, and the component's exports.
fn exports(ty: &Type) -> TokenStream {
    quote! {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "geminus:declaration")]
            static DECLARATION: [u8; <#ty>::DECLARATION.len()] = ::geminus_sdk::document::join(&[<#ty>::DECLARATION]);
            #[used]
            #[unsafe(link_section = "geminus:stamp")]
            static STAMP: [u8; ::geminus_sdk::document::STAMP.len()] =
                ::geminus_sdk::document::join(&[::geminus_sdk::document::STAMP]);

            ::std::thread_local! {
                static SLOTS: ::geminus_sdk::wasm::Slots<#ty> = const { ::geminus_sdk::wasm::slots() };
            }

            struct Component;

            impl ::geminus_sdk::wasm::Instance for Component {
                type Behavior = #ty;

                fn slots<T>(call: impl FnOnce(&::geminus_sdk::wasm::Slots<#ty>) -> T) -> T {
                    SLOTS.with(call)
                }
            }

            ::geminus_sdk::wasm::export!(Component with_types_in ::geminus_sdk::wasm::bindings);
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(kind: &str, arguments: &str, item: &str) -> std::result::Result<String, String> {
        let package = Package {
            name: "probe".to_owned(),
            version: "1.0.0".to_owned(),
            description: "A \"quoted\" one".to_owned(),
        };
        let tokens = |source: &str| source.parse().expect("tokens");
        expand(kind, tokens(arguments), tokens(item), &package)
            .map(|tokens| tokens.to_string())
            .map_err(|error| error.to_string())
    }

    const STEP: &str = "impl Behavior for X { fn step(&self, state: &mut S, row: &mut Row<'_, I, A>) -> Result<O, Fault> { todo } }";

    #[test]
    fn what_the_signature_says_is_filled_in() {
        let done = expanded("estimator", "warm_up_rows = 3, budget(fuel_per_row = 7)", STEP).expect("good");
        for part in [
            "type Inputs = I ;",
            "type Answer = Result < O , Fault > ;",
            "type State = S ;",
            "type Alerts = A ;",
            "type Commands = :: geminus_sdk :: NoCommands ;",
            "type Parameters = Self ;",
            "fn open",
            "fn start",
            "const FORECAST : bool = false ;",
            r#"\"description\":\"A \\\"quoted\\\" one\""#,
            r#"\"warm_up_rows\":3,\"budget\":{\"fuel_per_row\":7,\"memory_bytes\":67108864}"#,
        ] {
            assert!(done.contains(part), "{part} is not in {done}");
        }
    }

    #[test]
    fn what_is_written_out_stays() {
        let item = "impl Behavior for X { type Inputs = J; type Parameters = Q; \
            fn open(p: Q, o: &Opening<'_>) -> Result<Self, Fault> { todo } fn start(&self) -> S { todo } \
            fn step(&self, state: &mut S, row: &mut Row<I, NoAlerts, C>) -> O { todo } \
            fn forecast(&self) {} }";
        let done = expanded("command-policy", "", item).expect("good");
        for part in [
            "type Inputs = J ;",
            "type Answer = O ;",
            "type Commands = C ;",
            "const FORECAST : bool = true ;",
        ] {
            assert!(done.contains(part), "{part} is not in {done}");
        }
        assert!(!done.contains("type Inputs = I") && done.matches("fn open").count() == 1, "{done}");
    }

    #[test]
    fn mistakes_are_told() {
        let check = |kind: &str, arguments: &str, item: &str, says: &str| {
            let error = expanded(kind, arguments, item).expect_err(item);
            assert!(error.contains(says), "{item}: {error}");
        };
        check("estimator", "", "impl X {}", "belongs on `impl Behavior for");
        check("estimator", "", "impl<T> Behavior for X<T> {}", "cannot be generic");
        check("estimator", "", "impl Behavior for X {}", "needs `fn step");
        check("estimator", "colour = 1", STEP, "known are: warm_up_rows");
        check("estimator", "budget(fuel = 1)", STEP, "known are: fuel_per_row");
        check(
            "estimator",
            "",
            "impl Behavior for X { fn step(&self, row: &mut Row<I>) -> O { t } }",
            "needs `fn step",
        );
        check(
            "estimator",
            "",
            "impl Behavior for X { fn step(&self, s: S, row: &mut Row<I>) -> O { t } }",
            "&mut",
        );
        check(
            "estimator",
            "",
            "impl Behavior for X { fn step(&self, s: &mut S, row: &mut I) -> O { t } }",
            "Row<",
        );
        check(
            "estimator",
            "",
            "impl Behavior for X { fn step(&self, s: &mut S, row: &mut Row<I>) { t } }",
            "outputs",
        );
        let policy = "impl Behavior for X { fn step(&self, s: &mut S, row: &mut Row<I, A, C>) -> O { t } }";
        check("health-rule", "", policy, "only a command policy");
    }
}
