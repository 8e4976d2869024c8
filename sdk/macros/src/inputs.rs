//! `#[derive(Inputs)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::{Value, json};
use syn::spanned::Spanned;
use syn::{DeriveInput, Field, Result};

use crate::field::{checked_name, description, entries, error, named, objects, text, unit, unknown};

pub(crate) fn derive(item: &DeriveInput) -> Result<TokenStream> {
    let fields = named(item, "inputs")?;
    if fields.is_empty() {
        return Err(error(item.ident.span(), "inputs need at least one field".to_owned()));
    }
    let declared = fields.iter().map(|field| declare(field)).collect::<Result<Vec<_>>>()?;
    let names = declared.iter().filter_map(|json| json.get("name").and_then(Value::as_str));
    let (declaration, width, name) = (objects(&declared), fields.len(), &item.ident);
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let values: Vec<_> = (0..width).map(|place| format_ident!("v{place}")).collect();
    let qualities: Vec<_> = (0..width).map(|place| format_ident!("q{place}")).collect();
    Ok(quote! {
        impl ::geminus_sdk::Inputs for #name {
            const WIDTH: usize = #width;
            const DECLARATION: &'static str = #declaration;
            const NAMES: &'static [&'static str] = &[#(#names),*];
            type Values = [f64; #width];
            type Qualities = [u8; #width];

            #[inline]
            fn rows<'a>(
                values: &'a [f64],
                quality: &'a [u8],
            ) -> impl ::core::iter::Iterator<Item = Self> + 'a {
                let (values, quality) = (values.as_chunks::<#width>().0, quality.as_chunks::<#width>().0);
                values.iter().zip(quality).map(|([#(#values),*], [#(#qualities),*])| Self {
                    #(#idents: ::geminus_sdk::InputField::from_cell(*#values, *#qualities)),*
                })
            }

            #[inline]
            fn cells(&self) -> ([f64; #width], [u8; #width]) {
                #(let (#values, #qualities) = ::geminus_sdk::InputField::cell(&self.#idents);)*
                ([#(#values),*], [#(#qualities),*])
            }
        }
    })
}

fn declare(field: &Field) -> Result<Value> {
    let (mut name, mut units, mut arrival, mut required) =
        (field.ident.as_ref().map(ToString::to_string), None, None, true);
    entries(&field.attrs, "input", |key, meta| {
        match key {
            "unit" => units = Some(unit(&meta)?),
            "name" => name = Some(text(&meta)?.0),
            "event" | "hold" if arrival.is_some() => {
                return Err(meta.error("an input either holds or is an event"));
            }
            "event" | "hold" => arrival = Some(key.to_owned()),
            "optional" => required = false,
            _ => return Err(unknown(&meta, "unit, event, hold, optional, name")),
        }
        Ok(())
    })?;
    let (name, span) = (name.unwrap_or_default(), field.span());
    checked_name(&name, '_', span)?;
    let unit = units.ok_or_else(|| {
        error(
            span,
            format!("input {name} needs a unit: #[input(unit = \"Cel\")], \"1\" for a number without one"),
        )
    })?;
    Ok(json!({
        "name": name,
        "unit": unit,
        "arrival": arrival.unwrap_or_else(|| "hold".to_owned()),
        "required": required,
        "description": description(&field.attrs),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(fields: &str) -> std::result::Result<String, String> {
        let item = syn::parse_str(&format!("struct In {{ {fields} }}")).expect("an item");
        derive(&item).map(|tokens| tokens.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_input_is_declared_with_all_it_says() {
        let expanded =
            derived("/// Hot.\n #[input(unit = \"Cel\", event, optional)] a: Reading").expect("good");
        for part in [
            r#"\"name\":\"a\""#,
            r#"\"unit\":\"Cel\""#,
            r#"\"arrival\":\"event\""#,
            r#"\"required\":false"#,
            "Hot.",
        ] {
            assert!(expanded.contains(part), "{part} is not in {expanded}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        let check = |fields: &str, says: &str| {
            let error = derived(fields).expect_err(fields);
            assert!(error.contains(says), "{fields}: {error}");
        };
        check("", "at least one field");
        check("a: Reading", "needs a unit");
        check("#[input(unit = \"\")] a: Reading", "must not be empty");
        check("#[input(unit = \"°C\")] a: Reading", "write \"Cel\"");
        check("#[input(unit = \"K\", name = \"A b\")] a: Reading", "must start with a lower-case letter");
        check("#[input(unit = \"K\", hold, event)] a: Reading", "either holds or is an event");
        check("#[input(unit = \"K\", colour)] a: Reading", "known are: unit, event");
    }
}
