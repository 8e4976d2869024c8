//! A reader for parameters: one JSON object (RFC 8259) of numbers, texts, booleans, nulls and lists of these.
//!
//! It exists because it is in every component: with serde_json the first behavior's code is 36 KB (40 %) larger.
//! Numbers are read exactly (by `str::parse`). Objects inside the object are refused, as no parameter can be one; a key may stand once.

/// A value that a parameter may have.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number, finite.
    Number(f64),
    /// A text.
    Text(String),
    /// A list without lists in it.
    List(Vec<Value>),
}

/// Members in the order in which they stand.
pub type Object = Vec<(String, Value)>;

/// Reads the object.
///
/// # Errors
/// What was expected, and at which byte.
pub fn object(json: &[u8]) -> Result<Object, String> {
    let text = str::from_utf8(json).map_err(|_| "parameters are not UTF-8".to_owned())?;
    let mut reader = Reader { rest: text };
    let members = reader.members().and_then(|members| match reader.peek() {
        None => Ok(members),
        Some(_) => Err("the end"),
    });
    members.map_err(|expected| format!("expected {expected} at byte {}", text.len() - reader.rest.len()))
}

/// One value, as in a declared default.
pub(crate) fn value(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text };
    reader.value(true).ok().filter(|_| reader.peek().is_none())
}

struct Reader<'a> {
    rest: &'a str,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn members(&mut self) -> Read<Object> {
        let mut members = Object::new();
        self.expect('{', "an object")?;
        if self.skip('}') {
            return Ok(members);
        }
        loop {
            let before = self.rest;
            let name = self.string()?;
            if members.iter().any(|(known, _)| *known == name) {
                self.rest = before;
                return Err("a name that does not stand twice");
            }
            self.expect(':', "a colon")?;
            members.push((name, self.value(true)?));
            if self.skip('}') {
                return Ok(members);
            }
            self.expect(',', "a comma or the object's end")?;
        }
    }

    fn value(&mut self, lists: bool) -> Read<Value> {
        match self.peek() {
            Some('"') => self.string().map(Value::Text),
            Some('[') if lists => self.list(),
            Some('-' | '0'..='9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Read<Value> {
        let words = [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
        for (word, value) in words {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err("a number, a text, true, false, null or a list of these")
    }

    fn list(&mut self) -> Read<Value> {
        let mut values = Vec::new();
        self.expect('[', "a list")?;
        if self.skip(']') {
            return Ok(Value::List(values));
        }
        loop {
            self.peek();
            values.push(self.value(false)?);
            if self.skip(']') {
                return Ok(Value::List(values));
            }
            self.expect(',', "a comma or the list's end")?;
        }
    }

    fn number(&mut self) -> Read<Value> {
        let stops = |c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E');
        let (digits, rest) = self.rest.split_at(self.rest.find(stops).unwrap_or(self.rest.len()));
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() && is_json_number(digits) => {
                self.rest = rest;
                Ok(Value::Number(number))
            }
            _ => Err("a finite number"),
        }
    }

    fn string(&mut self) -> Read<String> {
        self.expect('"', "a text in quotes")?;
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(c) if c >= ' ' => text.push(c),
                _ => return Err("a text's closing quote, without control characters before it"),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        Ok(match self.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.unicode(),
            _ => return Err("an escape that JSON knows"),
        })
    }

    /// Four hexadecimal digits, or a surrogate pair of them.
    fn unicode(&mut self) -> Read<char> {
        const WRONG: &str = "the four digits of a character";
        let high = self.four_digits().ok_or(WRONG)?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or(WRONG);
        }
        self.rest = self.rest.strip_prefix("\\u").ok_or(WRONG)?;
        let low = self.four_digits().filter(|low| (0xdc00..0xe000).contains(low)).ok_or(WRONG)?;
        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or(WRONG)
    }

    fn four_digits(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        let all = digits.bytes().all(|c| c.is_ascii_hexdigit());
        all.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }

    /// The next character after white space, which is passed over.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let next = rest.next()?;
        self.rest = rest.as_str();
        Some(next)
    }

    fn skip(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.next();
        }
        there
    }

    fn expect(&mut self, wanted: char, expected: &'static str) -> Read<()> {
        if self.skip(wanted) { Ok(()) } else { Err(expected) }
    }
}

/// JSON has no `+1`, `.5`, `1.` or `01`, which `str::parse` would take.
fn is_json_number(digits: &str) -> bool {
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    number(whole) && !leading_zero && number(fraction) && number(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_peer(value: Value) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => flag.into(),
            Value::Number(number) => number.into(),
            Value::Text(text) => text.into(),
            Value::List(values) => values.into_iter().map(as_peer).collect(),
        }
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads() {
        for json in [
            "{}",
            " { } ",
            r#"{"a":1.0}"#,
            "{\"a\" : -0.5e-3 ,\n\t\"b\":[ 1.5 , true,null ,\"x\" ], \"c\":[]}",
            r#"{"t":"q\" \\ \/ \b\f\n\r\t \u00e9 \ud83d\ude00 ö"}"#,
            r#"{"":false}"#,
        ] {
            let ours: serde_json::Map<_, _> =
                object(json.as_bytes()).expect(json).into_iter().map(|(k, v)| (k, as_peer(v))).collect();
            let peer: serde_json::Map<_, _> = serde_json::from_str(json).expect("peer");
            assert_eq!(ours, peer, "{json}");
        }
    }

    #[test]
    fn what_serde_json_refuses_is_refused() {
        for json in [
            "",
            "[]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":01}",
            "{\"a\":1e}",
            "{\"a\":1e999}",
            "{\"a\":--1}",
            "{\"a\":NaN}",
            "{\"a\":tru}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\ud83d\\u0041\"}",
            "{} x",
            "{\"a\":[1,]}",
            "{\"a\":[1}",
            "{\"a\":\"",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
        ] {
            assert!(
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json).is_err(),
                "{json}"
            );
            let error = object(json.as_bytes()).expect_err(json);
            assert!(error.starts_with("expected ") && error.contains(" at byte "), "{json}: {error}");
        }
    }

    #[test]
    fn what_no_parameter_can_be_is_refused() {
        for json in ["{\"a\":{}}", "{\"a\":[[1]]}", "{\"a\":1,\"a\":2}"] {
            assert!(object(json.as_bytes()).is_err(), "{json}");
        }
        assert!(object(b"{\"\xff\":1}").is_err());
    }

    #[test]
    fn numbers_are_read_to_the_bit() {
        // The hard cases of Clinger and Gay: halfway between two doubles, and the edge to the subnormals.
        for (text, bits) in [
            ("9007199254740993", 0x4340_0000_0000_0000_u64),
            ("7.2057594037927933e16", 0x4370_0000_0000_0000),
            ("2.2250738585072011e-308", 0x000f_ffff_ffff_ffff),
        ] {
            let Some(Value::Number(number)) = value(text) else { panic!("{text} is a number") };
            assert_eq!(number.to_bits(), bits, "{text}");
        }
    }
}
