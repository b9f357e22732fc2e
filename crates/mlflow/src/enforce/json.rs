//! A JSON reader that walks the request once and never builds a tree.
//!
//! It accepts what Python's `json` module accepts: JSON, and the literals `NaN`, `Infinity` and
//! `-Infinity`, which MLflow's clients write. Values nobody asked for are skipped, but still
//! checked, so that what this reader takes is always whole JSON.

use std::borrow::Cow;

/// Why a text is not JSON. The phrases are those of Python's `json.JSONDecodeError`, because
/// people search for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Syntax {
    what: &'static str,
    /// Byte at which it happened.
    at: usize,
}

impl Syntax {
    /// The message with line and column (from 1) and character (from 0), as Python counts them.
    pub(crate) fn describe(&self, text: &str) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        let character = before.chars().count();
        format!("{}: line {line} column {column} (char {character})", self.what)
    }
}

/// What a value starts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    Array,
    Object,
}

impl Kind {
    /// The name Python gives the type, as in upstream's messages.
    pub(crate) fn python(self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Boolean => "bool",
            Self::Number => "float",
            Self::Text => "str",
            Self::Array => "list",
            Self::Object => "dict",
        }
    }
}

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number<'a> {
    /// Written without point and exponent, and within 64 bits.
    Int(i64),
    /// Written without point and exponent, beyond 64 bits with sign.
    BigInt(&'a str),
    /// Written with a point or an exponent, or one of the three literals.
    Real(f64),
    /// Written with finite digits, but beyond what a double holds (`1e400`).
    Overflow(f64),
}

impl Number<'_> {
    /// The nearest double; infinite when it is beyond.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            // Digits always parse.
            Self::BigInt(text) => text.parse().unwrap_or(f64::NAN),
            Self::Real(value) | Self::Overflow(value) => value,
        }
    }
}

/// A cursor over the text of a request.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth_max: usize,
}

type Result<T> = std::result::Result<T, Syntax>;

const EXPECTED_VALUE: &str = "Expecting value";
const EXPECTED_COMMA: &str = "Expecting ',' delimiter";
const EXPECTED_KEY: &str = "Expecting property name enclosed in double quotes";
const EXPECTED_COLON: &str = "Expecting ':' delimiter";
const TOO_DEEP: &str = "too many nested arrays and objects";

/// 10^0 to 10^22: the powers of ten that a double holds exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str, depth_max: usize) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, depth_max }
    }

    /// Where the reader stands, to come back to with [`Self::seek`].
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes back to a position that [`Self::position`] gave.
    pub(crate) fn seek(&mut self, position: usize) {
        self.at = position;
    }

    /// The text from `start` to where the reader stands.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn error<T>(&self, what: &'static str) -> Result<T> {
        Err(Syntax { what, at: self.at })
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// The kind of the value that comes next.
    #[inline]
    pub(crate) fn kind(&mut self) -> Result<Kind> {
        self.skip_space();
        match self.byte() {
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => Ok(Kind::Number),
            Some(b'"') => Ok(Kind::Text),
            Some(b'[') => Ok(Kind::Array),
            Some(b'{') => Ok(Kind::Object),
            Some(b'n') => Ok(Kind::Null),
            Some(b't' | b'f') => Ok(Kind::Boolean),
            _ => self.error(EXPECTED_VALUE),
        }
    }

    fn literal(&mut self, word: &str) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if found {
            self.at += word.len();
        }
        found
    }

    pub(crate) fn null(&mut self) -> Result<()> {
        self.skip_space();
        if self.literal("null") { Ok(()) } else { self.error(EXPECTED_VALUE) }
    }

    pub(crate) fn boolean(&mut self) -> Result<bool> {
        self.skip_space();
        if self.literal("true") {
            Ok(true)
        } else if self.literal("false") {
            Ok(false)
        } else {
            self.error(EXPECTED_VALUE)
        }
    }

    /// Reads digits into `mantissa` while they fit, and returns how many there were.
    #[inline]
    fn digits(&mut self, mantissa: &mut u64, held: &mut u32) -> u32 {
        let mut count = 0;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            // 19 digits always fit 64 bits.
            if *held < 19 {
                *mantissa = *mantissa * 10 + u64::from(digit - b'0');
                if *mantissa != 0 {
                    *held += 1;
                }
            } else {
                *held = u32::MAX;
            }
            count += 1;
            self.at += 1;
        }
        count
    }

    /// Reads a number, or one of `NaN`, `Infinity`, `-Infinity`.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<Number<'a>> {
        self.skip_space();
        let start = self.at;
        let negative = self.byte() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let mut mantissa = 0_u64;
        // Significant digits in `mantissa`; `u32::MAX` once some did not fit.
        let mut held = 0_u32;
        let leading_zero = self.byte() == Some(b'0');
        let whole = self.digits(&mut mantissa, &mut held);
        if whole == 0 {
            return self.number_literal(start, negative);
        }
        if leading_zero && whole > 1 {
            // Python reads the zero, then finds a stray digit.
            self.at = start + usize::from(negative) + 1;
            return self.error(EXPECTED_COMMA);
        }
        let mut integer = true;
        let mut scale = 0_i32;
        if self.byte() == Some(b'.') {
            integer = false;
            self.at += 1;
            let fraction = self.digits(&mut mantissa, &mut held);
            if fraction == 0 {
                return self.error(EXPECTED_VALUE);
            }
            scale = i32::try_from(fraction).map_or(i32::MIN, |fraction| -fraction);
        }
        if let Some(b'e' | b'E') = self.byte() {
            integer = false;
            scale = scale.saturating_add(self.exponent()?);
        }
        if integer {
            return Ok(self.whole(start, negative, mantissa, held));
        }
        // Both operands exact, so one correctly rounded operation gives the nearest double.
        if held <= 19 && mantissa <= 1 << 53 {
            let power = POWERS_OF_TEN.get(scale.unsigned_abs() as usize);
            if let Some(power) = power {
                let value = mantissa as f64;
                let value = if scale < 0 { value / power } else { value * power };
                return Ok(Number::Real(if negative { -value } else { value }));
            }
        }
        let value: f64 = self.since(start).parse().unwrap_or(f64::NAN);
        Ok(if value.is_infinite() { Number::Overflow(value) } else { Number::Real(value) })
    }

    fn whole(&self, start: usize, negative: bool, mantissa: u64, held: u32) -> Number<'a> {
        if held <= 18 {
            // 18 digits always fit, with either sign.
            let value = mantissa as i64;
            return Number::Int(if negative { -value } else { value });
        }
        let text = self.since(start);
        text.parse().map_or(Number::BigInt(text), Number::Int)
    }

    /// `e`, an optional sign and digits; saturates, since what is beyond overflows anyway.
    fn exponent(&mut self) -> Result<i32> {
        self.at += 1;
        let negative = self.byte() == Some(b'-');
        if negative || self.byte() == Some(b'+') {
            self.at += 1;
        }
        let mut value = 0_i32;
        let first = self.at;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            value = value.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
            self.at += 1;
        }
        if self.at == first {
            return self.error(EXPECTED_VALUE);
        }
        Ok(if negative { -value } else { value })
    }

    fn number_literal(&mut self, start: usize, negative: bool) -> Result<Number<'a>> {
        if self.literal("Infinity") {
            return Ok(Number::Real(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
        }
        if !negative && self.literal("NaN") {
            return Ok(Number::Real(f64::NAN));
        }
        self.at = start;
        self.error(EXPECTED_VALUE)
    }

    /// Reads a string; borrowed from the request unless it holds escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>> {
        self.skip_space();
        if self.byte() != Some(b'"') {
            return self.error(EXPECTED_VALUE);
        }
        self.at += 1;
        let start = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let text = self.since(start);
                    self.at += 1;
                    return Ok(Cow::Borrowed(text));
                }
                Some(b'\\') => return self.escaped(start).map(Cow::Owned),
                Some(0..=0x1f) => return self.error("Invalid control character at"),
                Some(_) => self.at += 1,
                None => {
                    self.at = start - 1;
                    return self.error("Unterminated string starting at");
                }
            }
        }
    }

    #[cold]
    fn escaped(&mut self, start: usize) -> Result<String> {
        let mut text = self.since(start).to_owned();
        loop {
            let plain = self.at;
            while let Some(byte) = self.byte() {
                if byte == b'"' || byte == b'\\' || byte < 0x20 {
                    break;
                }
                self.at += 1;
            }
            text.push_str(self.since(plain));
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.error("Invalid control character at"),
                None => {
                    self.at = start - 1;
                    return self.error("Unterminated string starting at");
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let start = self.at;
        let kind = self.bytes.get(start + 1).copied();
        self.at += 2;
        Ok(match kind {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => {
                self.at = start;
                return self.error("Invalid \\escape");
            }
        })
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char> {
        let first = self.hex4(start)?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        // A surrogate: only the first half followed by the second is a character. Python lets
        // halves through; no text column can hold them.
        if (0xd800..0xdc00).contains(&first) && self.literal("\\u") {
            let second = self.hex4(start)?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                if let Some(character) = char::from_u32(code) {
                    return Ok(character);
                }
            }
        }
        self.at = start;
        self.error("Unpaired surrogate in \\uXXXX escape")
    }

    fn hex4(&mut self, start: usize) -> Result<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let mut value = 0;
        let mut count = 0;
        for digit in digits {
            let Some(digit) = char::from(*digit).to_digit(16) else { break };
            value = value * 16 + digit;
            count += 1;
        }
        if count < 4 {
            self.at = start;
            return self.error("Invalid \\uXXXX escape");
        }
        self.at += 4;
        Ok(value)
    }

    /// Enters an array; false when it is empty (and then it is already left).
    #[inline]
    pub(crate) fn array_start(&mut self) -> Result<bool> {
        self.enter(b'[', b']')
    }

    /// After an element: true when another follows, false when the array ended.
    #[inline]
    pub(crate) fn array_next(&mut self) -> Result<bool> {
        self.next(b']')
    }

    /// Enters an object; false when it is empty (and then it is already left).
    #[inline]
    pub(crate) fn object_start(&mut self) -> Result<bool> {
        self.enter(b'{', b'}')
    }

    /// After a value: true when another key follows, false when the object ended.
    #[inline]
    pub(crate) fn object_next(&mut self) -> Result<bool> {
        self.next(b'}')
    }

    fn enter(&mut self, open: u8, close: u8) -> Result<bool> {
        self.skip_space();
        if self.byte() != Some(open) {
            return self.error(EXPECTED_VALUE);
        }
        self.at += 1;
        self.skip_space();
        if self.byte() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    fn next(&mut self, close: u8) -> Result<bool> {
        self.skip_space();
        match self.byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => self.error(EXPECTED_COMMA),
        }
    }

    /// Reads a key and its colon.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>> {
        self.skip_space();
        if self.byte() != Some(b'"') {
            return self.error(EXPECTED_KEY);
        }
        let key = self.string()?;
        self.skip_space();
        if self.byte() != Some(b':') {
            return self.error(EXPECTED_COLON);
        }
        self.at += 1;
        Ok(key)
    }

    /// Reads past a value and returns its text.
    pub(crate) fn skip(&mut self) -> Result<&'a str> {
        self.skip_space();
        let start = self.at;
        self.skip_value(0)?;
        Ok(self.since(start))
    }

    fn skip_value(&mut self, depth: usize) -> Result<()> {
        if depth > self.depth_max {
            return self.error(TOO_DEEP);
        }
        match self.kind()? {
            Kind::Null => self.null(),
            Kind::Boolean => self.boolean().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::Text => self.string().map(drop),
            Kind::Array => {
                let mut more = self.array_start()?;
                while more {
                    self.skip_value(depth + 1)?;
                    more = self.array_next()?;
                }
                Ok(())
            }
            Kind::Object => {
                let mut more = self.object_start()?;
                while more {
                    self.key()?;
                    self.skip_value(depth + 1)?;
                    more = self.object_next()?;
                }
                Ok(())
            }
        }
    }

    /// Reads a value into a tree: for params and for columns of any type, never for plain columns.
    /// `NaN` and the infinities, which a tree cannot hold, become null.
    pub(crate) fn tree(&mut self) -> Result<serde_json::Value> {
        self.tree_value(0)
    }

    fn tree_value(&mut self, depth: usize) -> Result<serde_json::Value> {
        use serde_json::Value;

        if depth > self.depth_max {
            return self.error(TOO_DEEP);
        }
        Ok(match self.kind()? {
            Kind::Null => {
                self.null()?;
                Value::Null
            }
            Kind::Boolean => Value::Bool(self.boolean()?),
            Kind::Number => match self.number()? {
                Number::Int(value) => Value::from(value),
                Number::BigInt(text) => {
                    text.parse::<u64>().map_or_else(|_big| Value::from(f64_of(text)), Value::from)
                }
                Number::Real(value) | Number::Overflow(value) => Value::from(value),
            },
            Kind::Text => Value::String(self.string()?.into_owned()),
            Kind::Array => {
                let mut items = Vec::new();
                let mut more = self.array_start()?;
                while more {
                    items.push(self.tree_value(depth + 1)?);
                    more = self.array_next()?;
                }
                Value::Array(items)
            }
            Kind::Object => {
                let mut entries = serde_json::Map::new();
                let mut more = self.object_start()?;
                while more {
                    let key = self.key()?.into_owned();
                    entries.insert(key, self.tree_value(depth + 1)?);
                    more = self.object_next()?;
                }
                Value::Object(entries)
            }
        })
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { self.error("Extra data") }
    }
}

fn f64_of(digits: &str) -> f64 {
    digits.parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(text: &str) -> Result<serde_json::Value> {
        let mut reader = Reader::new(text, 64);
        let value = reader.tree()?;
        reader.end()?;
        Ok(value)
    }

    fn number(text: &str) -> Number<'_> {
        Reader::new(text, 64).number().unwrap()
    }

    #[test]
    fn numbers_are_read_as_written() {
        assert_eq!(number("0"), Number::Int(0));
        assert_eq!(number("-0"), Number::Int(0));
        assert_eq!(number("9223372036854775807"), Number::Int(i64::MAX));
        assert_eq!(number("-9223372036854775808"), Number::Int(i64::MIN));
        assert_eq!(number("9223372036854775808"), Number::BigInt("9223372036854775808"));
        assert_eq!(number("5.1"), Number::Real(5.1));
        assert_eq!(number("1e3"), Number::Real(1000.0));
        assert_eq!(number("1e400"), Number::Overflow(f64::INFINITY));
        assert_eq!(number("-1e400"), Number::Overflow(f64::NEG_INFINITY));
        assert_eq!(number("1e-400"), Number::Real(0.0));
        assert_eq!(number("-Infinity"), Number::Real(f64::NEG_INFINITY));
        assert!(number("NaN").as_f64().is_nan());
        assert_eq!(number("0.1234567890123456789012345"), Number::Real(0.123_456_789_012_345_68));
        assert_eq!(number("1e99999999999"), Number::Overflow(f64::INFINITY));
        assert_eq!(number("0.000000000000000000000000000000000001"), Number::Real(1e-36));
    }

    #[test]
    fn what_is_not_json_is_refused_where_it_happens() {
        for (text, message) in [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("[1,\n x]", "Expecting value: line 2 column 2 (char 5)"),
            ("[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
            ("01", "Expecting ',' delimiter: line 1 column 2 (char 1)"),
            ("-NaN", "Expecting value: line 1 column 1 (char 0)"),
            ("\"é", "Unterminated string starting at: line 1 column 1 (char 0)"),
            ("\"\\x\"", "Invalid \\escape: line 1 column 2 (char 1)"),
            ("\"\\ud800\"", "Unpaired surrogate in \\uXXXX escape: line 1 column 2 (char 1)"),
            ("5 5", "Extra data: line 1 column 3 (char 2)"),
        ] {
            assert_eq!(tree(text).unwrap_err().describe(text), message, "{text}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let deep = "[".repeat(100_000);
        assert_eq!(tree(&deep).unwrap_err().what, TOO_DEEP);
        assert_eq!(Reader::new(&deep, 64).skip().unwrap_err().what, TOO_DEEP);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_filter("JSON has no NaN", |v| v.is_finite()).prop_map(Into::into),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                serde_json::to_string(&value).unwrap()
            };
            prop_assert_eq!(tree(&text).unwrap(), value);
            let mut reader = Reader::new(&text, 64);
            prop_assert_eq!(reader.skip().unwrap(), text.as_str());
        }

        #[test]
        fn every_double_is_the_nearest(value in any::<f64>(), digits in 0_usize..20) {
            prop_assume!(value.is_finite());
            for text in [format!("{value:?}"), format!("{value:.digits$e}"), format!("{value:e}")] {
                let expected: f64 = text.parse().unwrap();
                prop_assert_eq!(number(&text).as_f64().to_bits() << 1, expected.to_bits() << 1);
            }
        }

        #[test]
        fn agrees_with_serde_json_on_any_text(text in r#"[\[\]{}:,"\\0-9eE+\-.a-u \n]{0,40}"#) {
            // Python's whole numbers have no negative zero; serde_json's have.
            prop_assume!(!text.contains("-0"));
            let expected = serde_json::from_str::<serde_json::Value>(&text);
            match (tree(&text), expected) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
                (Err(_), Err(_)) => {}
                // serde_json calls a number that overflows an error.
                (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("out of range")),
                (Err(error), Ok(_)) => prop_assert!(false, "{}: {:?}", text, error),
            }
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let mut reader = Reader::new(&text, 16);
            let _any = reader.skip();
            let _any = Reader::new(&text, 16).tree();
        }
    }
}
