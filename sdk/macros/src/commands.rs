//! `#[derive(Commands)]`.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::{Value, json};
use syn::spanned::Spanned;
use syn::{DeriveInput, Result, Variant};

use crate::field::{
    checked_name, description, entries, error, lower, number, objects, text, unit, unknown, variants,
};

struct Declared {
    name: String,
    minimum: f64,
    maximum: f64,
    json: Value,
}

pub(crate) fn derive(item: &DeriveInput) -> Result<TokenStream> {
    let variants = variants(item, "commands")?;
    if variants.is_empty() {
        return Err(error(
            item.ident.span(),
            "commands need at least one variant; `()` stands for none".to_owned(),
        ));
    }
    let declared = variants.iter().map(|variant| declare(variant)).collect::<Result<Vec<_>>>()?;
    let json: Vec<Value> = declared.iter().map(|one| one.json.clone()).collect();
    let names: Vec<&String> = declared.iter().map(|one| &one.name).collect();
    let (minima, maxima): (Vec<f64>, Vec<f64>) =
        declared.iter().map(|one| (one.minimum, one.maximum)).unzip();
    let (declaration, name) = (objects(&json), &item.ident);
    let (idents, places): (Vec<_>, Vec<_>) =
        variants.iter().map(|variant| &variant.ident).zip(0_u32..).unzip();
    Ok(quote! {
        impl ::geminus_sdk::Commands for #name {
            const DECLARATION: &'static str = #declaration;
            const NAMES: &'static [&'static str] = &[#(#names),*];
        }

        impl ::geminus_sdk::Proposable for #name {
            fn index(self) -> u32 {
                match self { #(Self::#idents => #places),* }
            }

            fn range(self) -> (f64, f64) {
                match self { #(Self::#idents => (#minima, #maxima)),* }
            }
        }
    })
}

fn declare(variant: &Variant) -> Result<Declared> {
    let (mut name, mut units) = (lower(&variant.ident.to_string(), '_'), None);
    let (mut minimum, mut maximum) = (None, None);
    entries(&variant.attrs, "command", |key, meta| {
        match key {
            "name" => name = text(&meta)?.0,
            "unit" => units = Some(unit(&meta)?),
            "min" => minimum = Some(number(&meta)?),
            "max" => maximum = Some(number(&meta)?),
            _ => return Err(unknown(&meta, "unit, min, max, name")),
        }
        Ok(())
    })?;
    checked_name(&name, '_', variant.span())?;
    let (Some(unit), Some(minimum), Some(maximum)) = (units, minimum, maximum) else {
        return Err(error(variant.span(), format!("command {name} needs unit, min and max")));
    };
    if minimum > maximum {
        return Err(error(
            variant.span(),
            format!("min {minimum} of command {name} is above its max {maximum}"),
        ));
    }
    let description = description(&variant.attrs);
    let json = json!({ "name": name, "unit": unit, "minimum": minimum, "maximum": maximum, "description": description });
    Ok(Declared { name, minimum, maximum, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(variants: &str) -> std::result::Result<String, String> {
        let item = syn::parse_str(&format!("enum C {{ {variants} }}")).expect("an item");
        derive(&item).map(|tokens| tokens.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_has_a_range() {
        let expanded = derived("#[command(unit = \"/min\", min = 0.0, max = 3e3)] PumpSpeed").expect("good");
        assert!(
            expanded.contains(r#"\"name\":\"pump_speed\""#) && expanded.contains("3000f64"),
            "{expanded}"
        );
    }

    #[test]
    fn mistakes_are_told() {
        let check = |variants: &str, says: &str| {
            let error = derived(variants).expect_err(variants);
            assert!(error.contains(says), "{variants}: {error}");
        };
        check("", "at least one variant");
        check("A", "needs unit, min and max");
        check("#[command(unit = \"1\", min = 1.0, max = 0.0)] A", "is above its max");
        check("#[command(unit = \"1\", min = \"a\", max = 0.0)] A", "must be a number");
    }
}
