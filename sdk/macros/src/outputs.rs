//! `#[derive(Outputs)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::{Value, json};
use syn::spanned::Spanned;
use syn::{DeriveInput, Field, Result};

use crate::field::{checked_name, choice, description, entries, error, named, objects, text, unit, unknown};

const ROLES: &[&str] =
    &["estimate", "deviation", "innovation", "nis", "health-index", "converged", "diagnostic"];

struct Declared {
    name: String,
    role: String,
    of: Option<String>,
    json: Value,
}

pub(crate) fn derive(item: &DeriveInput) -> Result<TokenStream> {
    let fields = named(item, "outputs")?;
    if fields.is_empty() {
        return Err(error(item.ident.span(), "outputs need at least one field".to_owned()));
    }
    let declared = fields.iter().map(|field| declare(field)).collect::<Result<Vec<_>>>()?;
    for (field, output) in fields.iter().zip(&declared).filter(|(_, output)| output.role == "deviation") {
        if !declared.iter().any(|other| Some(&other.name) == output.of.as_ref()) {
            let message = format!("deviation {} must say of which output: of = \"…\"", output.name);
            return Err(error(field.span(), message));
        }
    }
    let converged = || fields.iter().zip(&declared).filter(|(_, output)| output.role == "converged");
    if let Some((field, output)) =
        converged().find(|(_, output)| output.json.get("unit").is_none_or(|unit| unit != "1"))
    {
        let message = format!("{} of role converged is 0 or 1: its unit is \"1\"", output.name);
        return Err(error(field.span(), message));
    }
    if let Some((field, output)) = converged().nth(1) {
        let message = format!("{} is the second output of role converged; one may be", output.name);
        return Err(error(field.span(), message));
    }
    let json: Vec<Value> = declared.iter().map(|output| output.json.clone()).collect();
    let about = declared.iter().filter_map(|output| output.of.as_ref());
    let names: Vec<&String> = declared.iter().map(|output| &output.name).collect();
    let (declaration, width, name) = (objects(&json), fields.len(), &item.ident);
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let values: Vec<_> = (0..width).map(|place| format_ident!("v{place}")).collect();
    let qualities: Vec<_> = (0..width).map(|place| format_ident!("q{place}")).collect();
    Ok(quote! {
        impl ::geminus_sdk::Outputs for #name {
            const WIDTH: usize = #width;
            const DECLARATION: &'static str = #declaration;
            const NAMES: &'static [&'static str] = &[#(#names),*];
            const ABOUT: &'static [&'static str] = &[#(#about),*];
            type Values = [f64; #width];
            type Qualities = [u8; #width];

            #[inline]
            fn cells(&self) -> ([f64; #width], [u8; #width]) {
                #(let (#values, #qualities) = ::geminus_sdk::OutputField::cell(&self.#idents);)*
                ([#(#values),*], [#(#qualities),*])
            }
        }
    })
}

fn declare(field: &Field) -> Result<Declared> {
    let (mut name, mut units, mut role, mut of) =
        (field.ident.as_ref().map(ToString::to_string), None, "diagnostic".to_owned(), None);
    entries(&field.attrs, "output", |key, meta| {
        match key {
            "unit" => units = Some(unit(&meta)?),
            "name" => name = Some(text(&meta)?.0),
            "role" => role = choice(&meta, ROLES)?,
            "of" => of = Some(text(&meta)?.0),
            _ => return Err(unknown(&meta, "unit, role, of, name")),
        }
        Ok(())
    })?;
    let (name, span) = (name.unwrap_or_default(), field.span());
    checked_name(&name, '_', span)?;
    let unit = units.ok_or_else(|| {
        error(
            span,
            format!("output {name} needs a unit: #[output(unit = \"Cel\")], \"1\" for a number without one"),
        )
    })?;
    let mut json =
        json!({ "name": name, "unit": unit, "role": role, "description": description(&field.attrs) });
    if let (Some(of), Some(object)) = (&of, json.as_object_mut()) {
        object.insert("of".to_owned(), of.clone().into());
    }
    Ok(Declared { name, role, of, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(fields: &str) -> std::result::Result<String, String> {
        let item = syn::parse_str(&format!("struct Out {{ {fields} }}")).expect("an item");
        derive(&item).map(|tokens| tokens.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_deviation_is_of_an_output() {
        let pair = "#[output(unit = \"Cel\", role = \"estimate\")] a: f64, #[output(unit = \"K\", role = \"deviation\", of = \"a\")] b: f64";
        assert!(derived(pair).expect("good").contains(r#"\"of\":\"a\""#));
    }

    #[test]
    fn mistakes_are_told() {
        let check = |fields: &str, says: &str| {
            let error = derived(fields).expect_err(fields);
            assert!(error.contains(says), "{fields}: {error}");
        };
        check("", "at least one field");
        check("a: f64", "needs a unit");
        check("#[output(unit = \"K\", role = \"guess\")] a: f64", "is none of: estimate");
        check("#[output(unit = \"K\", role = \"converged\")] a: f64", "its unit is \"1\"");
        let twice = "#[output(unit = \"1\", role = \"converged\")] a: f64, #[output(unit = \"1\", role = \"converged\")] b: f64";
        check(twice, "b is the second output of role converged");
        check("#[output(unit = \"K\", role = \"deviation\")] a: f64", "must say of which output");
        check("#[output(unit = \"K\", role = \"deviation\", of = \"b\")] a: f64", "must say of which output");
    }
}
