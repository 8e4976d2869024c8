//! `#[derive(Parameters)]`: JSON Schema and the code that reads by it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, Field, Result, Type};

use crate::field::{description, entries, error, json, named, number, unit, unknown};

struct Declared {
    name: String,
    unit: Option<String>,
    default: Option<serde_json::Value>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    description: String,
}

pub(crate) fn derive(item: &DeriveInput) -> Result<TokenStream> {
    let fields = named(item, "parameters")?;
    let declared = fields.iter().map(|field| declare(field)).collect::<Result<Vec<_>>>()?;
    let (ident, idents, types): (_, Vec<_>, Vec<_>) =
        (&item.ident, fields.iter().map(|f| &f.ident).collect(), fields.iter().map(|f| &f.ty).collect());
    let names: Vec<&String> = declared.iter().map(|one| &one.name).collect();
    let schema = schema(&declared, &types);
    let defaults = declared.iter().map(|one| match &one.default {
        Some(default) => {
            let text = default.to_string();
            quote!(::core::option::Option::Some(#text))
        }
        None => quote!(::core::option::Option::None),
    });
    let minima = declared.iter().map(|one| bound(one.minimum, quote!(f64::NEG_INFINITY)));
    let maxima = declared.iter().map(|one| bound(one.maximum, quote!(f64::INFINITY)));
    Ok(quote! {
        impl ::geminus_sdk::Parameters for #ident {
            const SCHEMA: &'static str = ::geminus_sdk::__joined!(#schema);

            fn from_object(
                object: &[(::std::string::String, ::geminus_sdk::json::Value)],
            ) -> ::core::result::Result<Self, ::geminus_sdk::Fault> {
                ::geminus_sdk::parameter::known(object, &[#(#names),*])?;
                ::core::result::Result::Ok(Self {
                    #(#idents: ::geminus_sdk::parameter::Field {
                        name: #names,
                        default: #defaults,
                        minimum: #minima,
                        maximum: #maxima,
                    }
                    .read::<#types>(object)?),*
                })
            }
        }
    })
}

fn bound(given: Option<f64>, otherwise: TokenStream) -> TokenStream {
    given.map_or(otherwise, |number| quote!(#number))
}

/// The parts of the schema: texts known here, and what each field's type says of itself.
fn schema(declared: &[Declared], types: &[&Type]) -> TokenStream {
    let mut parts = vec![quote!("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{")];
    for (place, (one, ty)) in declared.iter().zip(types).enumerate() {
        let open = format!("{}{:?}:{{", if place == 0 { "" } else { "," }, one.name);
        let minimum = member("minimum", one.minimum, quote!(f64::NEG_INFINITY));
        let maximum = member("maximum", one.maximum, quote!(f64::INFINITY));
        let of_type = quote! {
            <#ty as ::geminus_sdk::parameter::ParameterField>::SCHEMA.bounded(#minimum, #maximum)
        };
        let rest = format!("{}}}", annotations(one));
        // Constant array, constant index: what each part is, `bounded` says.
        parts.push(quote!(#open, #of_type[0], #of_type[1], #of_type[2], #of_type[3], #rest));
    }
    let required: Vec<String> =
        declared.iter().filter(|one| one.default.is_none()).map(|one| format!("{:?}", one.name)).collect();
    let close = format!("}},\"required\":[{}]}}", required.join(","));
    quote!(#(#parts,)* #close)
}

/// A bound and how it stands in the schema, as `FieldSchema::bounded` takes it.
fn member(key: &str, given: Option<f64>, otherwise: TokenStream) -> TokenStream {
    let text = given.map(|number| format!(",{key:?}:{}", serde_json::Value::from(number)));
    let (number, text) = (bound(given, otherwise), text.unwrap_or_default());
    quote!((#number, #text))
}

fn annotations(one: &Declared) -> String {
    let mut text = String::new();
    let mut add = |key: &str, value: serde_json::Value| text.push_str(&format!(",{key:?}:{value}"));
    if let Some(unit) = &one.unit {
        add("unit", unit.as_str().into());
    }
    // An optional parameter that is left out has no value, so none is declared: `null` is of no type but its own.
    if let Some(default) = one.default.as_ref().filter(|default| !default.is_null()) {
        add("default", default.clone());
    }
    add("description", one.description.as_str().into());
    text
}

fn declare(field: &Field) -> Result<Declared> {
    let mut one = Declared {
        name: field.ident.as_ref().map(ToString::to_string).unwrap_or_default(),
        unit: None,
        default: is_option(&field.ty).then_some(serde_json::Value::Null),
        minimum: None,
        maximum: None,
        description: description(&field.attrs),
    };
    entries(&field.attrs, "parameter", |key, meta| {
        match key {
            "unit" => one.unit = Some(unit(&meta)?),
            "default" => one.default = Some(json(&meta.value()?.parse::<Expr>()?)?),
            "min" => one.minimum = Some(number(&meta)?),
            "max" => one.maximum = Some(number(&meta)?),
            _ => return Err(unknown(&meta, "unit, default, min, max")),
        }
        Ok(())
    })?;
    in_bounds(&one).map_err(|reason| error(field.span(), reason))?;
    Ok(one)
}

fn in_bounds(one: &Declared) -> std::result::Result<(), String> {
    let (minimum, maximum) = (one.minimum.unwrap_or(f64::NEG_INFINITY), one.maximum.unwrap_or(f64::INFINITY));
    if minimum > maximum {
        return Err(format!("min {minimum} of parameter {} is above its max {maximum}", one.name));
    }
    match one.default.as_ref().and_then(serde_json::Value::as_f64) {
        Some(default) if !(minimum..=maximum).contains(&default) => {
            Err(format!("default {default} of parameter {} is not within {minimum} to {maximum}", one.name))
        }
        _ => Ok(()),
    }
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(fields: &str) -> std::result::Result<String, String> {
        let item = syn::parse_str(&format!("struct P {{ {fields} }}")).expect("an item");
        derive(&item).map(|tokens| tokens.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_parameter_without_default_is_required_unless_it_is_optional() {
        let expanded = derived("a: f64, b: Option<f64>, #[parameter(default = -1.5)] c: f64").expect("good");
        assert!(expanded.contains(r#"\"required\":[\"a\"]"#), "{expanded}");
        assert!(expanded.contains(r#"\"default\":-1.5"#), "{expanded}");
        assert!(!expanded.contains(r#"\"default\":null"#), "{expanded}");
    }

    #[test]
    fn mistakes_are_told() {
        let check = |fields: &str, says: &str| {
            let error = derived(fields).expect_err(fields);
            assert!(error.contains(says), "{fields}: {error}");
        };
        check("#[parameter(default = 5.0, min = 6.0)] a: f64", "is not within 6 to inf");
        check("#[parameter(min = 2, max = 1)] a: f64", "is above its max");
        check("#[parameter(unit = \"degC\")] a: f64", "write \"Cel\"");
        check("#[parameter(default = f())] a: f64", "must be a literal");
        check("#[parameter(minimum = 1)] a: f64", "known are: unit, default, min, max");
    }
}
