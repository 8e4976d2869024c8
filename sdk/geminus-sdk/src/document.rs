//! The declaration and the stamp, put together while compiling: constant texts from the derives, end to end.
//! Used by the macros; the names are public only because expansions need them.

/// The stamp: contract, SDK, compiler.
pub const STAMP: &str = concat!(
    r#"{"contract":"0.1.0","sdk":"geminus-sdk "#,
    env!("CARGO_PKG_VERSION"),
    r#"","toolchain":""#,
    env!("GEMINUS_TOOLCHAIN"),
    r#""}"#
);

/// Bytes of all parts together.
#[must_use]
pub const fn length(parts: &[&str]) -> usize {
    let mut rest = parts;
    let mut bytes = 0;
    while let Some((part, more)) = rest.split_first() {
        bytes += part.len();
        rest = more;
    }
    bytes
}

/// All parts end to end; `N` is their `length`.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "runs while compiling: a wrong index is a compile error")]
pub const fn join<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut joined = [0; N];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut byte = 0;
        while byte < bytes.len() {
            joined[at] = bytes[byte];
            byte += 1;
            at += 1;
        }
        part += 1;
    }
    joined
}

/// The text of `join`'s bytes.
#[must_use]
#[expect(clippy::panic, reason = "runs while compiling; the parts were texts, so it is a text")]
pub const fn text(bytes: &[u8]) -> &str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("joined texts are a text"),
    }
}

/// Whether each of `wanted` is in one of the two lists.
#[must_use]
pub const fn known(wanted: &[&str], inputs: &[&str], outputs: &[&str]) -> bool {
    let mut rest = wanted;
    while let Some((name, more)) = rest.split_first() {
        if !contains(inputs, name) && !contains(outputs, name) {
            return false;
        }
        rest = more;
    }
    true
}

const fn contains(names: &[&str], wanted: &str) -> bool {
    let mut rest = names;
    while let Some((name, more)) = rest.split_first() {
        if same(name.as_bytes(), wanted.as_bytes()) {
            return true;
        }
        rest = more;
    }
    false
}

const fn same(mut a: &[u8], mut b: &[u8]) -> bool {
    while let (Some((x, rest_a)), Some((y, rest_b))) = (a.split_first(), b.split_first()) {
        if *x != *y {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.is_empty() && b.is_empty()
}

/// One constant text from constant texts.
#[doc(hidden)]
#[macro_export]
macro_rules! __joined {
    ($($part:expr),* $(,)?) => {{
        const PARTS: &[&str] = &[$($part),*];
        const BYTES: [u8; $crate::document::length(PARTS)] = $crate::document::join(PARTS);
        $crate::document::text(&BYTES)
    }};
}

#[cfg(test)]
mod tests {
    #[test]
    fn parts_are_joined_while_compiling() {
        const TEXT: &str = crate::__joined!("a", "", "bc", "°");
        assert_eq!(TEXT, "abc°");
    }

    #[test]
    fn names_are_found_in_either_list() {
        let check =
            |wanted: &[&str], expect: bool| assert_eq!(super::known(wanted, &["a", "ab"], &["c"]), expect);
        check(&[], true);
        check(&["ab", "c"], true);
        check(&["a", "b"], false);
        check(&["abc"], false);
        check(&[""], false);
    }

    #[test]
    fn the_stamp_is_what_the_host_reads() {
        let stamp: geminus_core::declaration::Stamp = serde_json::from_str(super::STAMP).expect("a stamp");
        assert_eq!(stamp.contract, geminus_core::declaration::CONTRACT);
        assert!(stamp.toolchain.starts_with("rustc 1."), "{}", stamp.toolchain);
    }
}
