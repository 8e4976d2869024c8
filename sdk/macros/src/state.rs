//! `#[derive(State)]` and `#[derive(Pack)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Field, Index, Member, Result, Type};

use crate::field::{entries, error, unknown, whole};

pub(crate) fn derive_pack(item: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &item.data else {
        return Err(error(item.ident.span(), "state must be a struct".to_owned()));
    };
    let members: Vec<Member> = data
        .fields
        .iter()
        .enumerate()
        .map(|(place, field)| field.ident.clone().map_or(Member::Unnamed(Index::from(place)), Member::Named))
        .collect();
    let (mut packs, mut unpacks) = (Vec::new(), Vec::new());
    for (member, field) in members.iter().zip(&data.fields) {
        let (pack, unpack) = packed(member, field)?;
        packs.push(pack);
        unpacks.push(unpack);
    }
    let (name, (of, with, bounds)) = (&item.ident, item.generics.split_for_impl());
    Ok(quote! {
        impl #of ::geminus_sdk::Pack for #name #with #bounds {
            fn pack(&self, out: &mut ::std::vec::Vec<u8>) {
                let _: &mut ::std::vec::Vec<u8> = out;
                #(#packs)*
            }

            fn unpack(
                input: &mut ::geminus_sdk::pack::Unpacker<'_>,
            ) -> ::core::result::Result<Self, ::geminus_sdk::Fault> {
                let _: &mut ::geminus_sdk::pack::Unpacker<'_> = input;
                ::core::result::Result::Ok(Self { #(#members: #unpacks),* })
            }
        }
    })
}

fn packed(member: &Member, field: &Field) -> Result<(TokenStream, TokenStream)> {
    let mut via: Option<Type> = None;
    entries(&field.attrs, "state", |key, meta| match key {
        "via" => {
            via = Some(meta.value()?.parse()?);
            Ok(())
        }
        _ => Err(unknown(&meta, "via")),
    })?;
    let ty = &field.ty;
    Ok(match via {
        None => (
            quote!(<#ty as ::geminus_sdk::Pack>::pack(&self.#member, out);),
            quote!(<#ty as ::geminus_sdk::Pack>::unpack(input)?),
        ),
        Some(via) => (
            quote! {
                let through: #via = ::core::convert::Into::into(::core::clone::Clone::clone(&self.#member));
                <#via as ::geminus_sdk::Pack>::pack(&through, out);
            },
            quote! {
                ::core::convert::TryInto::<#ty>::try_into(<#via as ::geminus_sdk::Pack>::unpack(input)?)
                    .map_err(|error| ::geminus_sdk::Fault::State(::std::format!("{error:?}")))?
            },
        ),
    })
}

struct Versions {
    schema: u32,
    up: Option<Type>,
    down: Option<Type>,
}

pub(crate) fn derive_state(item: &DeriveInput) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        let message = "state cannot be generic: a schema number stands for one layout".to_owned();
        return Err(error(item.ident.span(), message));
    }
    let versions = versions(item)?;
    let (pack, name, schema) = (derive_pack(item)?, &item.ident, versions.schema);
    let (reads, load) = reading(&versions);
    let (writes, save) = writing(name, &versions);
    let open = format!("{{\"schema\":{schema},\"reads\":[");
    Ok(quote! {
        #pack

        impl ::geminus_sdk::State for #name {
            const SCHEMA: u32 = #schema;
            const DECLARATION: &'static str = ::geminus_sdk::__joined!(
                #open, <#name as ::geminus_sdk::State>::READS, "],\"writes\":[",
                <#name as ::geminus_sdk::State>::WRITES, "]}",
            );
            const READS: &'static str = #reads;
            const WRITES: &'static str = #writes;

            fn save(
                &self,
                schema: u32,
                out: &mut ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<(), ::geminus_sdk::Fault> {
                if schema == Self::SCHEMA {
                    ::geminus_sdk::Pack::pack(self, out);
                    return ::core::result::Result::Ok(());
                }
                #save
            }

            fn load(
                schema: u32,
                input: &mut ::geminus_sdk::pack::Unpacker<'_>,
            ) -> ::core::result::Result<Self, ::geminus_sdk::Fault> {
                if schema == Self::SCHEMA {
                    return <Self as ::geminus_sdk::Pack>::unpack(input);
                }
                #load
            }
        }
    })
}

fn reading(versions: &Versions) -> (TokenStream, TokenStream) {
    let text = versions.schema.to_string();
    match &versions.up {
        None => (
            quote!(#text),
            quote!(::core::result::Result::Err(::geminus_sdk::unknown_schema(schema, Self::READS))),
        ),
        Some(up) => (
            quote!(::geminus_sdk::__joined!(#text, ",", <#up as ::geminus_sdk::State>::READS)),
            quote! {
                const { ::core::assert!(<#up as ::geminus_sdk::State>::SCHEMA < <Self as ::geminus_sdk::State>::SCHEMA,
                    "`up` must name the state of an older schema") };
                <Self as ::geminus_sdk::Migrate<#up>>::migrate(<#up as ::geminus_sdk::State>::load(schema, input)?)
            },
        ),
    }
}

fn writing(name: &syn::Ident, versions: &Versions) -> (TokenStream, TokenStream) {
    let text = versions.schema.to_string();
    match &versions.down {
        None => (
            quote!(#text),
            quote!(::core::result::Result::Err(::geminus_sdk::unknown_schema(schema, Self::WRITES))),
        ),
        Some(down) => (
            quote!(::geminus_sdk::__joined!(#text, ",", <#down as ::geminus_sdk::State>::WRITES)),
            quote! {
                const { ::core::assert!(<#down as ::geminus_sdk::State>::SCHEMA < <Self as ::geminus_sdk::State>::SCHEMA,
                    "`down` must name the state of an older schema") };
                let older = <#down as ::geminus_sdk::Migrate<#name>>::migrate(::core::clone::Clone::clone(self))?;
                ::geminus_sdk::State::save(&older, schema, out)
            },
        ),
    }
}

fn versions(item: &DeriveInput) -> Result<Versions> {
    let mut versions = Versions { schema: 1, up: None, down: None };
    entries(&item.attrs, "state", |key, meta| {
        match key {
            "schema" => versions.schema = u32::try_from(whole(&meta)?).map_err(|why| meta.error(why))?,
            "up" => versions.up = Some(meta.value()?.parse()?),
            "down" => versions.down = Some(meta.value()?.parse()?),
            _ => return Err(unknown(&meta, "schema, up, down")),
        }
        Ok(())
    })?;
    if versions.schema == 0 {
        let message = "schema numbers start at 1; a behavior without state uses `()`".to_owned();
        return Err(error(item.ident.span(), message));
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told() {
        let check = |source: &str, says: &str| {
            let item = syn::parse_str(source).expect("an item");
            let error = derive_state(&item).expect_err(source).to_string();
            assert!(error.contains(says), "{source}: {error}");
        };
        check("enum S { A }", "must be a struct");
        check("struct S<T> { a: T }", "cannot be generic");
        check("#[state(schema = 0)] struct S;", "start at 1");
        check("#[state(scheme = 1)] struct S;", "known are: schema, up, down");
        check("#[state(schema = 2, up = )] struct S;", "expected");
        check("struct S { #[state(vai = f64)] a: f64 }", "known are: via");
    }
}
