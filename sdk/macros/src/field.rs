//! What the derives share: named fields, doc comments, literals, checked names, pieces of JSON.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, Lit, Meta, Result, UnOp, Variant};

/// Named fields of a struct that has no generics.
pub(crate) fn named<'a>(item: &'a DeriveInput, what: &str) -> Result<Vec<&'a Field>> {
    refuse_generics(item, what)?;
    match &item.data {
        Data::Struct(data) if matches!(data.fields, Fields::Named(_) | Fields::Unit) => {
            Ok(data.fields.iter().collect())
        }
        _ => Err(error(item.ident.span(), format!("{what} must be a struct with named fields"))),
    }
}

/// Variants of an enum without fields.
pub(crate) fn variants<'a>(item: &'a DeriveInput, what: &str) -> Result<Vec<&'a Variant>> {
    refuse_generics(item, what)?;
    let Data::Enum(data) = &item.data else {
        return Err(error(item.ident.span(), format!("{what} must be an enum")));
    };
    match data.variants.iter().find(|variant| !variant.fields.is_empty()) {
        Some(variant) => Err(error(variant.span(), format!("a variant of {what} cannot have fields"))),
        None => Ok(data.variants.iter().collect()),
    }
}

fn refuse_generics(item: &DeriveInput, what: &str) -> Result<()> {
    match item.generics.params.is_empty() {
        true => Ok(()),
        false => Err(error(
            item.generics.span(),
            format!("{what} cannot be generic: a declaration is one document"),
        )),
    }
}

/// Calls `each` for every entry of every attribute called `name`.
pub(crate) fn entries(
    attributes: &[Attribute],
    name: &str,
    mut each: impl FnMut(&str, ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            each(&key, meta)
        })?;
    }
    Ok(())
}

/// The error for a key that an attribute does not have.
pub(crate) fn unknown(meta: &ParseNestedMeta<'_>, known: &str) -> syn::Error {
    meta.error(format!("not known here; known are: {known}"))
}

/// `key = "text"`, not empty.
pub(crate) fn text(meta: &ParseNestedMeta<'_>) -> Result<(String, Span)> {
    let literal: syn::LitStr = meta.value()?.parse()?;
    match literal.value().trim().is_empty() {
        true => Err(error(literal.span(), "must not be empty".to_owned())),
        false => Ok((literal.value(), literal.span())),
    }
}

/// `key = "one of these"`.
pub(crate) fn choice(meta: &ParseNestedMeta<'_>, choices: &[&str]) -> Result<String> {
    let (chosen, span) = text(meta)?;
    match choices.contains(&chosen.as_str()) {
        true => Ok(chosen),
        false => Err(error(span, format!("{chosen:?} is none of: {}", choices.join(", ")))),
    }
}

/// `key = "unit"`, a UCUM code.
pub(crate) fn unit(meta: &ParseNestedMeta<'_>) -> Result<String> {
    let (unit, span) = text(meta)?;
    crate::ucum::check(&unit).map_err(|reason| error(span, reason))?;
    Ok(unit)
}

/// `key = number`.
pub(crate) fn number(meta: &ParseNestedMeta<'_>) -> Result<f64> {
    let value: Expr = meta.value()?.parse()?;
    match json(&value)?.as_f64() {
        Some(number) => Ok(number),
        None => Err(error(value.span(), "must be a number".to_owned())),
    }
}

/// `key = whole number`.
pub(crate) fn whole(meta: &ParseNestedMeta<'_>) -> Result<u64> {
    meta.value()?.parse::<syn::LitInt>()?.base10_parse()
}

/// A literal (number, text, boolean, array of these) as JSON.
pub(crate) fn json(value: &Expr) -> Result<serde_json::Value> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Bool(flag), .. }) => Ok(flag.value.into()),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.value().into()),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => Ok(number.base10_parse::<i64>()?.into()),
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => finite(number.base10_parse()?, value.span()),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => negated(&json(&unary.expr)?, value.span()),
        Expr::Array(array) => array.elems.iter().map(json).collect::<Result<Vec<_>>>().map(Into::into),
        _ => Err(error(
            value.span(),
            "must be a literal: a number, a text, true, false, or an array".to_owned(),
        )),
    }
}

fn finite(number: f64, span: Span) -> Result<serde_json::Value> {
    let value = serde_json::Number::from_f64(number).map(serde_json::Value::Number);
    value.ok_or_else(|| error(span, "must be finite".to_owned()))
}

fn negated(value: &serde_json::Value, span: Span) -> Result<serde_json::Value> {
    match (value.as_i64(), value.as_f64()) {
        (Some(number), _) => Ok((-number).into()),
        (None, Some(number)) => finite(-number, span),
        (None, None) => Err(error(span, "only a number can be negative".to_owned())),
    }
}

/// The doc comment as one line.
pub(crate) fn description(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A name made of lower-case letters, digits and `joint`, starting with a letter.
pub(crate) fn checked_name(name: &str, joint: char, span: Span) -> Result<()> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    match starts && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joint) {
        true => Ok(()),
        false => Err(error(
            span,
            format!("{name:?} must start with a lower-case letter and have only those, digits and '{joint}'"),
        )),
    }
}

/// `WindingHot` as `winding-hot` or `winding_hot`.
pub(crate) fn lower(camel: &str, joint: char) -> String {
    let mut name = String::new();
    for c in camel.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push(joint);
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// Objects with commas between, as they stand in the declaration's lists.
pub(crate) fn objects(objects: &[serde_json::Value]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A compile error at `span`.
pub(crate) fn error(span: Span, message: String) -> syn::Error {
    syn::Error::new(span, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_and_checked() {
        assert_eq!((lower("WindingHot", '-'), lower("A", '_')), ("winding-hot".to_owned(), "a".to_owned()));
        for (name, good) in [("a_1", true), ("", false), ("1a", false), ("Ab", false), ("a-b", false)] {
            assert_eq!(checked_name(name, '_', Span::call_site()).is_ok(), good, "{name:?}");
        }
    }

    #[test]
    fn literals_become_json() {
        let check = |source: &str, expect: Option<&str>| {
            let value = syn::parse_str::<Expr>(source).expect("an expression");
            assert_eq!(json(&value).ok().map(|json| json.to_string()).as_deref(), expect, "{source}");
        };
        check("60.0", Some("60.0"));
        check("-1e-3", Some("-0.001"));
        check("1_000", Some("1000"));
        check("[1.0, -2.0]", Some("[1.0,-2.0]"));
        check("\"a\"", Some("\"a\""));
        check("true", Some("true"));
        check("1e999", None);
        check("-true", None);
        check("f()", None);
    }

    #[test]
    fn doc_lines_become_one() {
        let item: DeriveInput = syn::parse_str("/// One.\n///\n/// Two.\nstruct X;").expect("an item");
        assert_eq!(description(&item.attrs), "One. Two.");
    }
}
