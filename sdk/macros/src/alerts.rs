//! `#[derive(Alerts)]`.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::{Value, json};
use syn::spanned::Spanned;
use syn::{DeriveInput, Result, Variant};

use crate::field::{
    checked_name, choice, description, entries, error, lower, objects, text, unit, unknown, variants,
};

const PRIORITIES: &[&str] = &["journal", "low", "medium", "high", "critical"];

pub(crate) fn derive(item: &DeriveInput) -> Result<TokenStream> {
    let variants = variants(item, "alerts")?;
    if variants.is_empty() {
        return Err(error(
            item.ident.span(),
            "alerts need at least one variant; `()` stands for none".to_owned(),
        ));
    }
    let declared = variants.iter().map(|variant| declare(variant)).collect::<Result<Vec<_>>>()?;
    let codes: Vec<&String> = declared.iter().map(|(code, _)| code).collect();
    let json: Vec<Value> = declared.iter().map(|(_, json)| json.clone()).collect();
    let (declaration, name) = (objects(&json), &item.ident);
    let (idents, places): (Vec<_>, Vec<_>) =
        variants.iter().map(|variant| &variant.ident).zip(0_u32..).unzip();
    Ok(quote! {
        impl ::geminus_sdk::Alerts for #name {
            const DECLARATION: &'static str = #declaration;
            const CODES: &'static [&'static str] = &[#(#codes),*];
        }

        impl ::geminus_sdk::Raisable for #name {
            fn index(self) -> u32 {
                match self { #(Self::#idents => #places),* }
            }
        }
    })
}

fn declare(variant: &Variant) -> Result<(String, Value)> {
    let (mut code, mut priority, mut units) = (lower(&variant.ident.to_string(), '-'), None, "1".to_owned());
    entries(&variant.attrs, "alert", |key, meta| {
        match key {
            "code" => code = text(&meta)?.0,
            "priority" => priority = Some(choice(&meta, PRIORITIES)?),
            "unit" => units = unit(&meta)?,
            _ => return Err(unknown(&meta, "priority, unit, code")),
        }
        Ok(())
    })?;
    checked_name(&code, '-', variant.span())?;
    let said = description(&variant.attrs);
    if said.is_empty() {
        let message = format!("alert {code} needs a doc comment: it is what an operator reads");
        return Err(error(variant.span(), message));
    }
    let priority = priority.ok_or_else(|| {
        error(variant.span(), format!("alert {code} needs a priority: one of {}", PRIORITIES.join(", ")))
    })?;
    let json = json!({ "code": code, "priority": priority, "text": said, "unit": units });
    Ok((code, json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(variants: &str) -> std::result::Result<String, String> {
        let item = syn::parse_str(&format!("enum A {{ {variants} }}")).expect("an item");
        derive(&item).map(|tokens| tokens.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_alert_takes_its_code_from_its_name() {
        let expanded =
            derived("/// Too hot.\n #[alert(priority = \"high\", unit = \"Cel\")] WindingHot").expect("good");
        assert!(
            expanded.contains(r#"\"code\":\"winding-hot\""#) && expanded.contains("Too hot."),
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
        check("#[alert(priority = \"high\")] A", "needs a doc comment");
        check("/// A.\n A", "needs a priority");
        check("/// A.\n #[alert(priority = \"urgent\")] A", "is none of: journal");
        check("/// A.\n #[alert(priority = \"low\")] A(f64)", "cannot have fields");
    }
}
