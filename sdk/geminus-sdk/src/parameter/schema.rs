//! What a type of parameter says of itself in the schema, put together while compiling: the derive knows the bounds
//! that the author gave, the type knows its own and where bounds of its numbers stand. Each bound stands there once.

/// Members of a parameter's schema, with the place where bounds of its numbers belong.
#[derive(Clone, Copy, Debug)]
pub struct FieldSchema {
    /// Up to the bounds.
    before: &'static str,
    /// Lowest number of the type and its member, empty when the type has none.
    minimum: (f64, &'static str),
    /// Highest number of the type and its member.
    maximum: (f64, &'static str),
    /// From the bounds on.
    after: &'static str,
    /// Whether there are numbers to be bounded.
    bounded: bool,
}

impl FieldSchema {
    /// Of a type that is or holds numbers; their bounds stand between `before` and `after`.
    #[must_use]
    pub const fn numbers(before: &'static str, after: &'static str) -> Self {
        let (minimum, maximum) = ((f64::NEG_INFINITY, ""), (f64::INFINITY, ""));
        Self { before, minimum, maximum, after, bounded: true }
    }

    /// Of a type that has none.
    #[must_use]
    pub const fn without_numbers(members: &'static str) -> Self {
        Self { bounded: false, ..Self::numbers(members, "") }
    }

    /// The same with bounds of the type's own: the number, and its member with a comma before it.
    #[must_use]
    pub const fn within(self, minimum: (f64, &'static str), maximum: (f64, &'static str)) -> Self {
        Self { minimum, maximum, ..self }
    }

    /// Its members with the tighter of the author's bounds and the type's own; the author's are given as the type's
    /// are, empty where there is none.
    ///
    /// # Panics
    /// While compiling, when the author bounds what has no numbers, or so that no number of the type is left.
    #[must_use]
    #[expect(clippy::panic, reason = "runs while compiling, where a panic is a compile error")]
    pub const fn bounded(
        self,
        minimum: (f64, &'static str),
        maximum: (f64, &'static str),
    ) -> [&'static str; 4] {
        let given = !minimum.1.is_empty() || !maximum.1.is_empty();
        if given && !self.bounded {
            panic!("min and max are for parameters that are numbers");
        }
        let minimum = if minimum.0 > self.minimum.0 { minimum } else { self.minimum };
        let maximum = if maximum.0 < self.maximum.0 { maximum } else { self.maximum };
        if minimum.0 > maximum.0 {
            panic!("min and max leave no number of the parameter's type");
        }
        [self.before, minimum.1, maximum.1, self.after]
    }

    /// Its members as the type has them.
    #[must_use]
    pub fn text(&self) -> String {
        [self.before, self.minimum.1, self.maximum.1, self.after].concat()
    }
}

/// Text for arrays of a length that only the type knows.
pub(super) struct Length<const N: usize>;

/// Room for the longest: two lengths of twenty digits, and the words.
const ROOM: usize = 128;

impl<const N: usize> Length<N> {
    const BYTES: ([u8; ROOM], usize) = array_of(N);
    /// Everything before the bounds of the items.
    pub(super) const TEXT: &'static str = crate::document::text(Self::BYTES.0.split_at(Self::BYTES.1).0);
}

const fn array_of(length: usize) -> ([u8; ROOM], usize) {
    let mut text = ([0; ROOM], 0);
    text = with(text, br#""type":"array","minItems":"#);
    text = with_digits(text, length);
    text = with(text, br#","maxItems":"#);
    text = with_digits(text, length);
    with(text, br#","items":{"type":"number""#)
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling: a wrong index is a compile error")]
const fn with((mut text, mut at): ([u8; ROOM], usize), mut more: &[u8]) -> ([u8; ROOM], usize) {
    while let Some((byte, rest)) = more.split_first() {
        text[at] = *byte;
        at += 1;
        more = rest;
    }
    (text, at)
}

#[expect(clippy::cast_possible_truncation, reason = "a digit fits")]
const fn with_digits(text: ([u8; ROOM], usize), number: usize) -> ([u8; ROOM], usize) {
    let text = if number >= 10 { with_digits(text, number / 10) } else { text };
    with(text, &[b'0' + (number % 10) as u8])
}

#[cfg(test)]
mod tests {
    use crate::parameter::ParameterField;

    fn check<T: ParameterField>(minimum: (f64, &'static str), maximum: (f64, &'static str), expect: &str) {
        assert_eq!(T::SCHEMA.bounded(minimum, maximum).concat(), expect);
    }

    #[test]
    fn each_bound_stands_once_where_it_means_something() {
        const LOW: (f64, &str) = (f64::NEG_INFINITY, "");
        const HIGH: (f64, &str) = (f64::INFINITY, "");
        check::<f64>(LOW, HIGH, r#""type":"number""#);
        check::<f64>((1.0, r#","minimum":1"#), HIGH, r#""type":"number","minimum":1"#);
        check::<u8>(LOW, HIGH, r#""type":"integer","minimum":0,"maximum":255"#);
        check::<Option<u8>>(LOW, (9.0, r#","maximum":9"#), r#""type":"integer","minimum":0,"maximum":9"#);
        check::<u8>((-1.0, r#","minimum":-1"#), HIGH, r#""type":"integer","minimum":0,"maximum":255"#);
        check::<Vec<f64>>(
            (0.0, r#","minimum":0"#),
            HIGH,
            r#""type":"array","items":{"type":"number","minimum":0}"#,
        );
        check::<[f64; 12]>(
            LOW,
            (1.0, r#","maximum":1"#),
            r#""type":"array","minItems":12,"maxItems":12,"items":{"type":"number","maximum":1}"#,
        );
        check::<bool>(LOW, HIGH, r#""type":"boolean""#);
    }

    #[test]
    #[should_panic(expected = "are for parameters that are numbers")]
    fn what_has_no_numbers_has_no_bounds() {
        check::<String>((0.0, r#","minimum":0"#), (1.0, ""), "");
    }

    #[test]
    #[should_panic(expected = "leave no number")]
    fn bounds_beyond_the_type_are_refused() {
        check::<u8>((256.0, r#","minimum":256"#), (f64::INFINITY, ""), "");
    }
}
