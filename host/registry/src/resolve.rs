//! From what a person writes (a version, a range, a digest) to one package, once: from then on only its digest counts.

use geminus_core::Digest;
use semver::{Version, VersionReq};

use crate::Package;

/// Fewest hexadecimal digits of a shortened digest.
const DIGITS_MIN: usize = 12;

/// Why a wish does not name one package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Neither version nor range nor digest.
    #[error(
        "{0:?} is no version (1.2.3), no range (^1.2) and no digest (sha256: and at least {DIGITS_MIN} digits)"
    )]
    Wish(String),
    /// No package of that name at all.
    #[error("there is no plugin {0}: put its file into the plugin folder")]
    Name(String),
    /// None that fits.
    #[error("no version of {name} fits {wish}; there is {known}")]
    Nothing {
        /// Plugin.
        name: String,
        /// What was wished for.
        wish: String,
        /// Versions with digests.
        known: String,
    },
    /// More than one.
    #[error("{wish} is {name}@{version} built more than once: {}; name one by its digest", listed(.digests))]
    Ambiguous {
        /// Plugin.
        name: String,
        /// What was wished for.
        wish: String,
        /// The version that all of them claim.
        version: Version,
        /// Which they are.
        digests: Vec<Digest>,
    },
}

fn listed(digests: &[Digest]) -> String {
    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

enum Wish {
    Exact(Version),
    Range(VersionReq),
    Digits(String),
}

fn wish(text: &str) -> Result<Wish, ResolveError> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("sha256:") {
        let good = (DIGITS_MIN..=64).contains(&digits.len()) && digits.bytes().all(|d| d.is_ascii_hexdigit());
        let wrong = || ResolveError::Wish(text.to_owned());
        return good
            .then(|| Wish::Digits(format!("sha256:{}", digits.to_ascii_lowercase())))
            .ok_or_else(wrong);
    }
    if let Ok(version) = Version::parse(text) {
        return Ok(Wish::Exact(version));
    }
    VersionReq::parse(text).map(Wish::Range).map_err(|_| ResolveError::Wish(text.to_owned()))
}

/// The one package of `name` that is wished for: an exact version (`1.2.3`), the highest that a range allows, or a
/// digest (`sha256:` and at least twelve digits). The same bytes in two places are one package.
///
/// # Errors
/// Says what there is instead, or which packages the wish fits alike.
pub fn resolve<'a>(
    packages: &'a [Package],
    name: &str,
    wish_text: &str,
) -> Result<&'a Package, ResolveError> {
    let wish = wish(wish_text)?;
    let mut named: Vec<&Package> =
        packages.iter().filter(|package| package.declaration.name == name).collect();
    named.sort_by_key(|package| (package.declaration.version.0.clone(), package.digest));
    named.dedup_by_key(|package| package.digest);
    if named.is_empty() {
        return Err(ResolveError::Name(name.to_owned()));
    }
    let fits = |package: &&&Package| match &wish {
        Wish::Exact(version) => package.declaration.version.0 == *version,
        Wish::Range(range) => range.matches(&package.declaration.version.0),
        Wish::Digits(digits) => package.digest.to_string().starts_with(digits.as_str()),
    };
    let fitting: Vec<&Package> = named.iter().filter(fits).copied().collect();
    let Some(best) = fitting.last() else {
        let told =
            |package: &&Package| format!("{} ({})", package.declaration.version, package.digest.short());
        let known = named.iter().map(told).collect::<Vec<_>>().join(", ");
        return Err(ResolveError::Nothing { name: name.to_owned(), wish: wish_text.to_owned(), known });
    };
    let alike: Vec<Digest> = fitting
        .iter()
        .filter(|package| package.declaration.version == best.declaration.version)
        .map(|package| package.digest)
        .collect();
    match alike.len() {
        1 => Ok(best),
        _ => Err(ResolveError::Ambiguous {
            name: name.to_owned(),
            wish: wish_text.to_owned(),
            version: best.declaration.version.0.clone(),
            digests: alike,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shelf::tests::package;

    fn check(text: &str, expect: Result<u8, &str>) {
        let shelf = [
            package("a.wasm", "1.0.0", 1),
            package("b.wasm", "1.2.0", 2),
            package("c.wasm", "1.2.0", 3),
            package("vault/b.wasm", "1.0.0", 1),
            package("d.wasm", "2.0.0-rc.1", 4),
            package("e.wasm", "1.1.0", 5),
        ];
        match (resolve(&shelf, "probe", text), expect) {
            (Ok(package), Ok(salt)) => assert_eq!(package.digest, Digest::of(&[salt]), "{text}"),
            (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{error}, not {says:?}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn a_wish_is_one_package_or_refused_with_what_there_is() {
        check("1.0.0", Ok(1));
        check("1.1.0", Ok(5));
        check(">=1, <1.2", Ok(5));
        check("2.0.0-rc.1", Ok(4));
        check(&Digest::of(&[3]).to_string(), Ok(3));
        check(&format!("sha256:{}", Digest::of(&[2]).short().to_uppercase()), Ok(2));
        let both = format!(
            "{} and {}",
            Digest::of(&[2]).min(Digest::of(&[3])),
            Digest::of(&[2]).max(Digest::of(&[3]))
        );
        check("1.2.0", Err(&both));
        check("^1", Err(&both));
        check("*", Err("probe@1.2.0 built more than once"));
        check("^3", Err("no version of probe fits ^3; there is 1.0.0 ("));
        check("1.0.1", Err("no version of probe fits 1.0.1"));
        check("sha256:0000000000000", Err("no version of probe fits sha256:"));
        check("sha256:abc", Err("is no version (1.2.3)"));
        check("latest", Err("\"latest\" is no version"));
        check("", Err("\"\" is no version"));
    }

    #[test]
    fn an_unknown_plugin_is_told_as_such() {
        let error = resolve(&[package("a.wasm", "1.0.0", 1)], "other", "*").expect_err("none");
        assert_eq!(error, ResolveError::Name("other".into()));
    }
}
