//! JSON text to a tree, within bounds.
//!
//! A tree takes far more than its text: three bytes (`[],`) become a hundred. So its values are
//! counted while it grows, and taken from the memory that all requests share.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use trainyard_base::{Full, Share};
use trainyard_mlflow::{Error, ErrorCode, Result};

use super::json_error::Cause;
use crate::error::invalid;

/// Most values of one body: fifty times what the largest batch has.
const VALUES_MAX: usize = 500_000;
/// What a value takes, in bytes: an entry of an object with a short name, with what maps keep free.
const VALUE_BYTES: u64 = 112;
/// Values for which memory is taken at a time; fewer are not counted.
const VALUES_STEP: usize = 1024;
/// Deepest value: below the parser's own limit of 128, whose error is not told apart from others.
const DEPTH_MAX: usize = 126;

/// The members of a JSON object. Anything else, malformed text included, has none; an object in a
/// JSON string (old clients encode twice) is unpacked. What no client sends by mistake is refused.
pub(super) fn object(body: &[u8], share: &mut Share) -> Result<Map<String, Value>> {
    Ok(match value(body, share)? {
        Some(Value::Object(members)) => members,
        Some(Value::String(inner)) => match value(inner.as_bytes(), share)? {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        },
        _ => Map::new(),
    })
}

/// The value that a text is; none if it is malformed.
pub(super) fn value(text: &[u8], share: &mut Share) -> Result<Option<Value>> {
    let error = match bounded(text, share)? {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    if std::str::from_utf8(text).is_err() {
        return invalid!("The request body is not UTF-8.");
    }
    match Cause::of(text, &error) {
        Cause::TooLarge(number) => {
            let (line, column) = (error.line(), error.column());
            return Err(unreadable(&format!(
                "the number {number} is too large for a double (line {line}, column {column})"
            )));
        }
        Cause::HalfCharacter => return Err(unreadable(&error)),
        Cause::Malformed => {}
    }
    match quote_non_finite(text) {
        Some(quoted) => Ok(bounded(&quoted, share)?.ok()),
        None => Ok(None),
    }
}

/// The outer error is what is refused, the inner one what is malformed.
fn bounded(text: &[u8], share: &mut Share) -> Result<serde_json::Result<Value>> {
    let count =
        Count { values: Cell::new(0), share: RefCell::new(share), refused: Cell::new(None) };
    let mut parser = serde_json::Deserializer::from_slice(text);
    let read = Counted { count: &count, depth: 0 }.deserialize(&mut parser);
    let read = read.and_then(|value| parser.end().map(|()| value));
    match count.refused.take() {
        None => Ok(read),
        Some(Refused::Values) => Err(unreadable(&format!("it has more than {VALUES_MAX} values"))),
        Some(Refused::Depth) => Err(unreadable(&"recursion limit exceeded")),
        Some(Refused::Memory(full)) => Err(no_memory(full)),
    }
}

fn unreadable(why: &dyn fmt::Display) -> Error {
    Error::invalid(format!("The request body cannot be read: {why}"))
}

/// What a client is told when a request does not fit beside the others.
pub(super) fn no_memory(full: Full) -> Error {
    let code = if full.never { ErrorCode::BadRequest } else { ErrorCode::TemporarilyUnavailable };
    Error::api(code, format!("the request is too large for the memory that is left: {full}"))
}

/// How many values there are.
struct Count<'a> {
    values: Cell<usize>,
    share: RefCell<&'a mut Share>,
    refused: Cell<Option<Refused>>,
}

enum Refused {
    Values,
    Depth,
    Memory(Full),
}

impl Count<'_> {
    fn add<E: serde::de::Error>(&self) -> Result<(), E> {
        let values = self.values.get() + 1;
        self.values.set(values);
        if values > VALUES_MAX {
            self.refused.set(Some(Refused::Values));
            return Err(E::custom("too many values"));
        }
        if values.is_multiple_of(VALUES_STEP)
            && let Err(full) = self.share.borrow_mut().grow(VALUES_STEP as u64 * VALUE_BYTES)
        {
            self.refused.set(Some(Refused::Memory(full)));
            return Err(E::custom("no memory is left"));
        }
        Ok(())
    }
}

/// Reads a value, and counts it and those within.
#[derive(Clone, Copy)]
struct Counted<'a, 'b> {
    count: &'a Count<'b>,
    /// Lists and objects around it.
    depth: usize,
}

impl Counted<'_, '_> {
    fn within(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Counted<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > DEPTH_MAX {
            self.count.refused.set(Some(Refused::Depth));
            return Err(serde::de::Error::custom("nested too deeply"));
        }
        self.count.add()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.within())? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let member = entries.next_value_seed(self.within())?;
            members.insert(key, member);
        }
        Ok(Value::Object(members))
    }
}

/// Python's `json` writes NaN and Infinity bare: the text with them in quotes, as proto3 JSON has
/// them. None if there are none.
fn quote_non_finite(text: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let mut quoted = Vec::with_capacity(text.len() + 16);
    let mut in_string = false;
    let mut found = false;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        if in_string && byte == b'\\' {
            let escaped = rest.get(..2).unwrap_or(rest);
            quoted.extend_from_slice(escaped);
            rest = rest.get(escaped.len()..).unwrap_or_default();
            continue;
        }
        if byte == b'"' {
            in_string = !in_string;
        } else if !in_string && let Some(word) = WORDS.iter().find(|word| rest.starts_with(word)) {
            quoted.push(b'"');
            quoted.extend_from_slice(word);
            quoted.push(b'"');
            rest = rest.get(word.len()..).unwrap_or_default();
            found = true;
            continue;
        }
        quoted.push(byte);
        rest = tail;
    }
    found.then_some(quoted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use trainyard_base::Budget;

    use super::*;

    fn read(text: &str) -> Result<Map<String, Value>> {
        object(text.as_bytes(), &mut Budget::new(1 << 30).take(0).unwrap())
    }

    #[test]
    fn bodies_are_read_leniently() {
        let keys = |body: &str| -> Vec<String> { read(body).unwrap().keys().cloned().collect() };
        assert_eq!(keys(r#"{"a": 1}"#), ["a"]);
        assert_eq!(keys(r#""{\"a\": 1}""#), ["a"], "encoded twice");
        for nothing in ["", "{", "[1]", "5", "null", "\"x\""] {
            assert!(keys(nothing).is_empty(), "{nothing}");
        }
        for refused in [&"[".repeat(100_000), r#""{\"a\": \"\\ud800\"}""#] {
            read(refused).unwrap_err();
        }
        object(b"{\"a\": \"\xff\"}", &mut Budget::new(100).take(0).unwrap()).unwrap_err();
        let members = read(r#"{"v": [NaN, -Infinity, "NaN \" Infinity"]}"#).unwrap();
        assert_eq!(members["v"].to_string(), r#"["NaN","-Infinity","NaN \" Infinity"]"#);
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let nested =
            |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(read(&nested(DEPTH_MAX - 1)).unwrap().len(), 1);
        let error = read(&nested(DEPTH_MAX)).unwrap_err().to_string();
        assert!(error.contains("recursion limit exceeded"), "{error}");
    }

    #[test]
    fn a_number_that_no_double_holds_is_named() {
        for (number, shown) in [
            ("1e999".to_owned(), "the number 1e999 is"),
            ("-2.5e+400".to_owned(), "the number -2.5e+400 is"),
            ("1".repeat(310), "the number 11111111111111111111… is"),
        ] {
            for body in [format!("{{\"a\":{number}}}"), format!("{{\n\"a\": [7, {number} ]}}")] {
                let error = read(&body).unwrap_err().to_string();
                assert!(error.contains(shown), "{body}: {error}");
            }
        }
    }

    #[test]
    fn trees_are_bounded_one_by_one_and_together() {
        let body = format!("{{\"a\":[{}[]]}}", "[],".repeat(VALUES_MAX));
        let error = read(&body).unwrap_err();
        assert!(error.to_string().contains("more than 500000 values"), "{error}");
        let budget = Budget::new(10 << 20);
        let body = format!("{{\"a\":[{}[]]}}", "[],".repeat(50_000));
        let mut first = budget.take(0).unwrap();
        object(body.as_bytes(), &mut first).unwrap();
        let error = object(body.as_bytes(), &mut budget.take(0).unwrap()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable, "{error}");
        drop(first);
        object(body.as_bytes(), &mut budget.take(0).unwrap()).unwrap();
    }

    proptest! {
        #[test]
        fn trees_are_those_of_the_library(text in "[\\[\\]{}:,\"a0-9.e -]{0,40}|\\[(null|true|1.5|-7|\"é\\\\n\"|\\{\"a\":\\[\\]\\})(,(0|\"\"|1e300))*\\]") {
            let ours = bounded(text.as_bytes(), &mut Budget::new(1 << 20).take(0).unwrap()).unwrap();
            let theirs = serde_json::from_str::<Value>(&text);
            prop_assert_eq!(ours.ok(), theirs.ok());
        }

        #[test]
        fn no_body_breaks_the_reader(body in ".{0,200}") {
            let _members = read(&body);
        }
    }
}
