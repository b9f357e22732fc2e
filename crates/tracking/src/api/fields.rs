//! Fields of messages, and upstream's rules for what does not fit them.
//!
//! Upstream first parses the body as proto3 JSON. Only a field that does not parse is checked
//! again by hand-written validators, whose sentences clients know; required fields are always
//! checked. [`check`] does both in one pass, in the order in which upstream lists the fields.

use serde_json::{Map, Value};
use trainyard_mlflow::{Error, Result};

use crate::error::invalid;

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
    pub(super) checks: &'static [Check],
}

/// Type of a field, or of its elements.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Int64,
    Double,
    Bool,
    /// The name or number of one of the values, which the reader knows.
    Enum,
    /// Whatever it is: the reader looks at it.
    Any,
    Message(&'static [Field]),
}

/// A rule on the raw value of a field, beyond that it has the type of the field. That is asked last where it
/// is not among the rules.
#[derive(Debug, Clone, Copy)]
pub(super) enum Check {
    /// Neither absent nor null nor "".
    Required,
    /// Of the type of the field, asked before other rules.
    Type,
    /// An int32.
    Int32,
    AtMost(i64),
    /// Inclusive, with the sentence that says so.
    Within(i64, i64, &'static str),
    /// At most so many items; the sentence has `{}` for the number received.
    ItemsAtMost(usize, &'static str),
    /// Every element has these keys.
    ItemsHave(&'static [&'static str]),
}

/// Checks the members of a request and gives every field its snake_case name. What this lets through, the
/// readers in [`super::message`] can convert.
pub(super) fn check(fields: &[Field], members: &mut Map<String, Value>) -> Result<()> {
    rename(fields, members)?;
    take_old_run_id(fields, members);
    for field in fields {
        field.check(members)?;
    }
    Ok(())
}

/// camelCase members become snake_case; a field spelled both ways is refused.
fn rename(fields: &[Field], members: &mut Map<String, Value>) -> Result<()> {
    let camel: Vec<String> = members
        .keys()
        .filter(|key| key.bytes().any(|byte| byte.is_ascii_uppercase()))
        .cloned()
        .collect();
    for key in camel {
        let snake = snake_case(&key);
        if !fields.iter().any(|field| field.name == snake) {
            continue;
        }
        if members.contains_key(&snake) {
            return invalid!(
                "Request specifies both '{snake}' and '{key}'; provide only one of them."
            );
        }
        if let Some(value) = members.remove(&key) {
            members.insert(snake, value);
        }
    }
    for field in fields {
        let Kind::Message(fields) = field.kind else { continue };
        match members.get_mut(field.name) {
            Some(Value::Array(items)) => {
                for item in items {
                    if let Value::Object(item) = item {
                        rename(fields, item)?;
                    }
                }
            }
            Some(Value::Object(item)) => rename(fields, item)?,
            _ => {}
        }
    }
    Ok(())
}

/// Old clients know the id of a run by another name, which counts where the new one is not said.
fn take_old_run_id(fields: &[Field], members: &mut Map<String, Value>) {
    let is_asked = fields.iter().any(|field| field.name == "run_id" && field.is_required());
    if is_asked
        && members.get("run_id").is_none_or(Value::is_null)
        && let Some(old) = members.get("run_uuid").cloned()
    {
        members.insert("run_id".to_owned(), old);
    }
}

fn fit(fields: &[Field], members: &Map<String, Value>) -> bool {
    fields.iter().all(|field| members.get(field.name).is_none_or(|value| field.fits(value)))
}

impl Field {
    fn is_required(&self) -> bool {
        self.checks.iter().any(|check| matches!(check, Check::Required))
    }

    fn check(&self, members: &mut Map<String, Value>) -> Result<()> {
        let Some(value) = members.get(self.name) else {
            return if self.is_required() { Err(missing(self.name)) } else { Ok(()) };
        };
        // Upstream's validators let 1.5 through and its parser then drops the field.
        let is_dropped = matches!(self.kind, Kind::Int64) && is_fraction(value);
        let fits = is_dropped || self.fits(value);
        for check in self.checks {
            check.run(self.name, value, fits)?;
        }
        if !fits {
            // Upstream drops such a field in silence; what was sent is never lost here without a word.
            return Err(invalid_value(self.name, value));
        }
        if is_dropped {
            members.remove(self.name);
        }
        Ok(())
    }

    fn fits(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) if self.repeated => items.iter().all(|item| self.kind.fits(item)),
            _ if self.repeated => false,
            value => self.kind.fits(value),
        }
    }
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Bool => value.is_boolean(),
            Self::Int64 => int(value).is_some(),
            Self::Double => double(value).is_some(),
            Self::Any => true,
            // Names and numbers that nobody knows are ignored, as upstream ignores them.
            Self::Enum => value.is_string() || int(value).is_some(),
            Self::Message(fields) => value.as_object().is_some_and(|members| fit(fields, members)),
        }
    }
}

impl Check {
    /// `fits`: whether the value is of the type of its field, or one that is dropped.
    fn run(self, name: &str, value: &Value, fits: bool) -> Result<()> {
        let passes = match self {
            Self::Required => {
                return if value.is_null() || value == "" { Err(missing(name)) } else { Ok(()) };
            }
            Self::Type => fits,
            Self::Int32 => int(value).is_none_or(|number| i32::try_from(number).is_ok()),
            Self::AtMost(maximum) => int(value).is_none_or(|number| number <= maximum),
            Self::Within(minimum, maximum, sentence) => {
                let inside = int(value).is_none_or(|n| (minimum..=maximum).contains(&n));
                return if inside { Ok(()) } else { Err(Error::invalid(with_docs(sentence))) };
            }
            Self::ItemsAtMost(maximum, sentence) => {
                let count = value.as_array().map_or(0, Vec::len);
                if count <= maximum {
                    return Ok(());
                }
                let sentence = sentence.replace("{}", &count.to_string());
                return Err(Error::invalid(with_docs(&sentence)));
            }
            Self::ItemsHave(keys) => return items_have(name, value, keys),
        };
        if passes { Ok(()) } else { Err(invalid_value(name, value)) }
    }
}

fn items_have(name: &str, value: &Value, keys: &[&str]) -> Result<()> {
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        // What is no message at all is refused as such.
        let Value::Object(item) = item else { continue };
        for key in keys {
            let found = item.get(*key).unwrap_or(&Value::Null);
            if found.is_null() || found == "" {
                return Err(missing(&format!("{name}[{index}].{key}")));
            }
        }
    }
    Ok(())
}

/// An int64 as proto3 JSON writes one: a whole number, or a string that holds one; R writes `"1e+05"`.
pub(super) fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
        _ => None,
    }
}

/// The whole number that a double is.
fn whole(float: f64) -> Option<i64> {
    /// 2^63: the first double beyond an i64.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (float.fract() == 0.0 && (-LIMIT..LIMIT).contains(&float)).then_some(float as i64)
}

/// A double as proto3 JSON or Python's `float` reads one; upstream also takes booleans for 1 and 0.
pub(super) fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|value| is_meant(*value, text)),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        _ => None,
    }
}

/// Whether a text means its value: digits that no double holds would become infinity, which others
/// say in a word.
fn is_meant(value: f64, text: &str) -> bool {
    value.is_finite() || !text.bytes().any(|byte| byte.is_ascii_digit())
}

/// What upstream's validators take for a whole number though it is none.
fn is_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(|number| number.fract() != 0.0),
        Value::Bool(_) => true,
        _ => false,
    }
}

fn missing(name: &str) -> Error {
    Error::invalid(with_docs(&format!("Missing value for required parameter '{name}'.")))
}

/// Upstream's sentence for a value of the wrong type; it names Python's type of the value.
pub(super) fn invalid_value(name: &str, value: &Value) -> Error {
    let python_type = match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    };
    Error::invalid(with_docs(&format!(
        "Invalid value {} for parameter '{name}' supplied:  Hint: Value was of type \
         '{python_type}'.",
        ascii_json(value)
    )))
}

fn with_docs(sentence: &str) -> String {
    format!("{sentence} See the API docs for more information about request parameters.")
}

/// Longest value repeated in a message, in bytes.
const ECHO_BYTES_MAX: usize = 2000;

/// Compact JSON in ASCII, as Python's `json.dumps` writes it.
fn ascii_json(value: &Value) -> String {
    use std::fmt::Write as _;

    let mut text = String::new();
    for c in value.to_string().chars() {
        if text.len() > ECHO_BYTES_MAX {
            text.push('…');
            break;
        }
        if c.is_ascii() {
            text.push(c);
            continue;
        }
        let mut units = [0_u16; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// The name of a field that is spelt in camelCase.
pub(super) fn snake_case(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trainyard_mlflow::entities::KeyValue;

    use super::super::message::{Message as _, message};
    use super::Check::{AtMost, Int32, ItemsHave, Required, Type};
    use super::*;

    message! {
        struct Logged {
            _run_id as run_id: String [Required],
            _value as value: f64 [Required],
            _timestamp as timestamp: i64 [Type, Required],
            _step as step: i64,
            _order_by as order_by: Vec<String>,
            _max_results as max_results: Option<i64> [Int32, AtMost(10)],
            _tags as tags: Vec<KeyValue> [ItemsHave(&["key"])],
            _user_id as user_id: String,
        }
    }

    fn check(body: &Value, expect: Result<Value, &str>) {
        let Value::Object(mut members) = body.clone() else { panic!("not an object: {body}") };
        let read = super::check(Logged::FIELDS, &mut members).map(|()| Value::Object(members));
        let read = read.map_err(|error| error.to_string());
        match expect {
            Ok(expect) => assert_eq!(read, Ok(expect), "{body}"),
            Err(part) => {
                assert!(read.as_ref().is_err_and(|e| e.contains(part)), "{body}: {read:?}");
            }
        }
    }

    fn with(extra: &Value) -> Value {
        let mut body = json!({"run_id": "r", "value": 1, "timestamp": 1});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    }

    #[test]
    fn good_requests_pass_and_are_renamed() {
        check(&with(&json!({"step": "3"})), Ok(with(&json!({"step": "3"}))));
        check(&with(&json!({"maxResults": 5})), Ok(with(&json!({"max_results": 5}))));
        check(&with(&json!({"runUuid": 5})), Ok(with(&json!({"runUuid": 5}))));
        check(&with(&json!({"value": "NaN"})), Ok(with(&json!({"value": "NaN"}))));
        check(&with(&json!({"value": true})), Ok(with(&json!({"value": true}))));
        check(&with(&json!({"step": 1.5})), Ok(with(&json!({}))));
        check(
            &with(&json!({"run_id": null, "run_uuid": "r"})),
            Ok(with(&json!({"run_uuid": "r"}))),
        );
    }

    #[test]
    fn bad_requests_get_upstreams_sentences() {
        check(&json!({}), Err("Missing value for required parameter 'run_id'. See the API docs"));
        check(&json!({"run_id": ""}), Err("Missing value for required parameter 'run_id'."));
        check(
            &with(&json!({"value": "abc"})),
            Err(
                "Invalid value \"abc\" for parameter 'value' supplied:  Hint: Value was of type 'str'. See",
            ),
        );
        check(&with(&json!({"value": ""})), Err("Missing value for required parameter 'value'."));
        check(
            &with(&json!({"timestamp": ""})),
            Err("Invalid value \"\" for parameter 'timestamp'"),
        );
        check(&with(&json!({"max_results": 3e9})), Err("for parameter 'max_results'"));
        check(&with(&json!({"value": null})), Err("Missing value for required parameter 'value'."));
        check(
            &with(&json!({"order_by": "x"})),
            Err("Invalid value \"x\" for parameter 'order_by'"),
        );
        check(
            &with(&json!({"order_by": [1]})),
            Err(
                "Invalid value [1] for parameter 'order_by' supplied:  Hint: Value was of type 'list'.",
            ),
        );
        check(
            &with(&json!({"max_results": 11})),
            Err("Invalid value 11 for parameter 'max_results'"),
        );
        check(
            &with(&json!({"max_results": "11"})),
            Err("Invalid value \"11\" for parameter 'max_results'"),
        );
        check(
            &with(&json!({"max_results": 1, "maxResults": 1})),
            Err("specifies both 'max_results' and 'maxResults'"),
        );
        check(&with(&json!({"tags": [{"key": "a"}, {}]})), Err("required parameter 'tags[1].key'"));
        check(&with(&json!({"tags": [5]})), Err("Invalid value [5] for parameter 'tags'"));
        check(&with(&json!({"user_id": 5})), Err("Invalid value 5 for parameter 'user_id'"));
        check(&with(&json!({"user_id": ["é"]})), Err("[\"\\u00e9\"]"));
    }

    #[test]
    fn numbers_follow_proto3_json() {
        assert_eq!(int(&json!(1.0)), Some(1));
        assert_eq!(int(&json!("-5")), Some(-5));
        assert_eq!(int(&json!("1e+05")), Some(100_000));
        assert_eq!(int(&json!("1.0")), Some(1));
        for bad in
            [json!(1.5), json!("1.5"), json!(" 1"), json!(1e30), json!(true), json!(u64::MAX)]
        {
            assert_eq!(int(&bad), None, "{bad}");
        }
        assert_eq!(double(&json!("2.5")), Some(2.5));
        assert_eq!(double(&json!("-Infinity")), Some(f64::NEG_INFINITY));
        for bad in [json!("none"), json!(""), json!([]), json!("1,5")] {
            assert_eq!(double(&bad), None, "{bad}");
        }
    }
}
