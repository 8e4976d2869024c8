//! Reads the associated types of a behavior from the signatures of `step` and `open`, and fills in those that are
//! not written out, as well as `open` and `start` where they would say nothing.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{
    FnArg, GenericArgument, ImplItem, ImplItemFn, ItemImpl, PathArguments, Result, ReturnType, Type,
    parse_quote,
};

use super::has;
use crate::field::error;

const STEP: &str = "a behavior needs `fn step(&self, state: &mut STATE, row: &mut Row<INPUTS>) -> OUTPUTS` \
    (or `-> Result<OUTPUTS, Fault>`; `Row<INPUTS, ALERTS, COMMANDS>` where it raises or proposes)";

pub(super) fn complete(item: &mut ItemImpl, kind: &str) -> Result<()> {
    let step = function(item, "step").ok_or_else(|| error(item.self_ty.span(), STEP.to_owned()))?;
    let (state, row) = match step.sig.inputs.iter().collect::<Vec<_>>().as_slice() {
        [FnArg::Receiver(_), FnArg::Typed(state), FnArg::Typed(row)] => {
            (pointee(&state.ty)?, pointee(&row.ty)?)
        }
        _ => return Err(error(step.sig.inputs.span(), STEP.to_owned())),
    };
    let ReturnType::Type(_, answer) = &step.sig.output else {
        return Err(error(step.sig.span(), "`step` must return its outputs, or a result of them".to_owned()));
    };
    let mut columns = row_types(row)?.into_iter();
    let inputs = columns.next().ok_or_else(|| error(row.span(), STEP.to_owned()))?;
    let alerts = columns.next().unwrap_or_else(|| parse_quote!(::geminus_sdk::NoAlerts));
    let commands = columns.next();
    if kind != "command-policy" && commands.as_ref().is_some_and(|commands| !is_no_commands(commands)) {
        return Err(error(row.span(), "only a command policy may propose: use #[command_policy]".to_owned()));
    }
    let commands = commands.unwrap_or_else(|| parse_quote!(::geminus_sdk::NoCommands));
    let (state, answer, parameters) = (state.clone(), (**answer).clone(), parameters(item)?);
    let types = [
        ("Inputs", inputs),
        ("Answer", answer),
        ("State", state),
        ("Alerts", alerts),
        ("Commands", commands),
        ("Parameters", parameters),
    ];
    for (name, ty) in types.into_iter().filter(|(name, _)| !has(item, name)).collect::<Vec<_>>() {
        let name = syn::Ident::new(name, Span::call_site());
        item.items.push(parse_quote!(type #name = #ty;));
    }
    fill_in(item);
    Ok(())
}

/// `open` and `start` where they would say nothing.
fn fill_in(item: &mut ItemImpl) {
    if !has(item, "open") {
        item.items.push(parse_quote! {
            fn open(
                parameters: Self::Parameters,
                _: &::geminus_sdk::Opening<'_>,
            ) -> ::core::result::Result<Self, ::geminus_sdk::Fault> {
                ::core::result::Result::Ok(parameters)
            }
        });
    }
    if !has(item, "start") {
        item.items.push(parse_quote! {
            fn start(&self) -> Self::State {
                ::core::default::Default::default()
            }
        });
    }
}

fn function<'a>(item: &'a ItemImpl, name: &str) -> Option<&'a ImplItemFn> {
    item.items.iter().find_map(|item| match item {
        ImplItem::Fn(function) if function.sig.ident == name => Some(function),
        _ => None,
    })
}

fn pointee(ty: &Type) -> Result<&Type> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_some() => Ok(&reference.elem),
        _ => Err(error(ty.span(), "`step` takes its state and its row by `&mut`".to_owned())),
    }
}

fn row_types(row: &Type) -> Result<Vec<Type>> {
    let last = match row {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    match last.map(|last| &last.arguments) {
        Some(PathArguments::AngleBracketed(list)) => Ok(list
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            })
            .collect()),
        _ => Err(error(row.span(), "`step` takes a `&mut Row<INPUTS>`".to_owned())),
    }
}

fn is_no_commands(ty: &Type) -> bool {
    match ty {
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "NoCommands"),
        _ => false,
    }
}

/// What `open` takes first; the behavior itself when there is no `open`.
fn parameters(item: &ItemImpl) -> Result<Type> {
    let Some(open) = function(item, "open") else { return Ok(parse_quote!(Self)) };
    match open.sig.inputs.first() {
        Some(FnArg::Typed(first)) => Ok((*first.ty).clone()),
        _ => Err(error(
            open.sig.span(),
            "`open` is `fn open(parameters: PARAMETERS, opening: &Opening<'_>) -> Result<Self, Fault>`"
                .to_owned(),
        )),
    }
}
