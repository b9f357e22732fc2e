//! Requests as upstream reads them: JSON bodies and query strings to the fields of a message.

use std::borrow::Cow;
use std::time::Duration;

use axum::extract::Request;
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Value};
use trainyard_mlflow::entities::{KeyValue, Metric};
use trainyard_mlflow::{Error, Result};

use super::error::ApiError;
use super::shape::{Kind, Shape, double, int, invalid_value};

/// Time a client has to send a JSON body. Bodies are small; who takes longer is gone or hostile.
const BODY_SECONDS_MAX: u64 = 60;

/// The fields of one request, checked.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

/// Reads and checks the fields of a request.
pub(super) async fn read(
    request: Request,
    limit: usize,
    shape: &'static Shape,
) -> Result<Fields, ApiError> {
    let method = request.method().clone();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if reads_query(&method) && !query.is_empty() {
        return Ok(from_query(&query, shape)?);
    }
    let body = JsonBody::receive(request, limit).await?;
    if method == Method::DELETE && body.bytes.is_empty() {
        // The registry's deletes take either.
        return Ok(from_query(&query, shape)?);
    }
    Ok(body.read(shape)?)
}

/// A body of the right type, not yet read.
pub(super) struct JsonBody {
    pub(super) bytes: Bytes,
}

impl JsonBody {
    /// Takes in the whole body, up to `limit` bytes.
    pub(super) async fn receive(request: Request, limit: usize) -> Result<Self, ApiError> {
        check_content_type(request.method(), request.headers())?;
        Ok(Self { bytes: body_bytes(request, limit).await? })
    }

    /// Its fields.
    pub(super) fn read(&self, shape: &'static Shape) -> Result<Fields> {
        Fields::from_value(Value::Object(parse_object(&self.bytes)?), shape)
    }
}

fn reads_query(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Reads fields from a query string: repeated fields as repeated keys.
pub(super) fn from_query(query: &str, shape: &'static Shape) -> Result<Fields> {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        url::form_urlencoded::parse(query.as_bytes()).collect();
    let mut members = Map::new();
    for field in shape.0 {
        let mut values =
            pairs.iter().filter(|(key, _)| key == field.name).map(|(_, value)| value.as_ref());
        if field.repeated {
            let items: Vec<Value> = values.map(Value::from).collect();
            if !items.is_empty() {
                members.insert(field.name.to_owned(), Value::Array(items));
            }
            continue;
        }
        let Some(value) = values.next() else { continue };
        let value = match (field.kind, value.to_ascii_lowercase().as_str()) {
            (Kind::Bool, "true") => Value::Bool(true),
            (Kind::Bool, "false") => Value::Bool(false),
            (Kind::Bool, _) => {
                return Err(Error::invalid(format!(
                    "Invalid boolean value: {value}, must be 'true' or 'false'."
                )));
            }
            _ => Value::from(value),
        };
        members.insert(field.name.to_owned(), value);
    }
    shape.read(&mut members)?;
    Ok(Fields(members))
}

/// The whole body, up to `limit` bytes.
pub(super) async fn body_bytes(request: Request, limit: usize) -> Result<Bytes, BodyError> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLarge(limit));
    }
    let collected = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(Duration::from_secs(BODY_SECONDS_MAX), collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge(limit)),
        Ok(Err(error)) => Err(BodyError::Broken(error.to_string())),
        Err(_elapsed) => Err(BodyError::Broken(format!("not complete after {BODY_SECONDS_MAX} s"))),
    }
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the request body broke off: {0}")]
    Broken(String),
}

/// Upstream insists on JSON for POST and PUT, and looks at no other method.
fn check_content_type(method: &Method, headers: &HeaderMap) -> Result<()> {
    if !matches!(*method, Method::POST | Method::PUT) {
        return Ok(());
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Err(Error::invalid("Bad Request. Content-Type header is missing."));
    };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::invalid("Bad Request. Content-Type must be one of ['application/json']."))
}

/// The members of a JSON object. Anything else, malformed text included, has none; an object in a
/// JSON string (old clients encode twice) is unpacked. What no client sends by mistake is refused.
fn parse_object(body: &[u8]) -> Result<Map<String, Value>> {
    Ok(match parse(body)? {
        Some(Value::Object(members)) => members,
        Some(Value::String(inner)) => match parse(inner.as_bytes())? {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        },
        _ => Map::new(),
    })
}

fn parse(text: &[u8]) -> Result<Option<Value>> {
    /// What the parser says of text that is nested too deeply, of a number that no double holds, and
    /// of escapes that are half a character.
    const REFUSED: [&str; 4] = ["recursion limit", "out of range", "surrogate", "hex escape"];
    let error = match serde_json::from_slice(text) {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error.to_string(),
    };
    if std::str::from_utf8(text).is_err() {
        return Err(Error::invalid("The request body is not UTF-8."));
    }
    if REFUSED.iter().any(|part| error.contains(part)) {
        return Err(Error::invalid(format!("The request body cannot be read: {error}")));
    }
    Ok(quote_non_finite(text).and_then(|quoted| serde_json::from_slice(&quoted).ok()))
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

impl Fields {
    /// Fields of a value that is already parsed; anything but an object has none.
    pub(super) fn from_value(value: Value, shape: &'static Shape) -> Result<Self> {
        let mut members = match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        shape.read(&mut members)?;
        Ok(Self(members))
    }

    /// A text field; "" if unset.
    pub(super) fn text(&mut self, name: &str) -> String {
        self.optional_text(name).unwrap_or_default()
    }

    /// A text field, none if unset.
    pub(super) fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A text field, none if unset or empty: proto cannot tell them apart everywhere.
    pub(super) fn filled_text(&mut self, name: &str) -> Option<String> {
        self.optional_text(name).filter(|text| !text.is_empty())
    }

    /// `run_id`, or `run_uuid` from old clients.
    pub(super) fn run_id(&mut self) -> String {
        self.filled_text("run_id").unwrap_or_else(|| self.text("run_uuid"))
    }

    /// A whole number.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(int)
    }

    /// A floating point number.
    pub(super) fn double(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(double)
    }

    /// A truth value.
    pub(super) fn bool(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    /// The number of an enum's value, given by name or number; none if nobody knows it.
    pub(super) fn number_of(&self, name: &str, values: &[(&str, i64)]) -> Option<i64> {
        let value = self.0.get(name)?;
        let named = value.as_str().and_then(|text| values.iter().find(|(known, _)| *known == text));
        let number = named.map(|(_, number)| *number).or_else(|| int(value))?;
        values.iter().any(|(_, known)| *known == number).then_some(number)
    }

    /// Refuses a number that is no value of an enum; an unknown name counts as unset, as upstream
    /// has it.
    pub(super) fn refuse_unknown_number(&self, name: &str, values: &[(&str, i64)]) -> Result<()> {
        match self.0.get(name) {
            Some(value) if value.is_number() && self.number_of(name, values).is_none() => {
                Err(invalid_value(name, value))
            }
            _ => Ok(()),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let text = |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        };
        self.items(name).into_iter().filter_map(text).collect()
    }

    /// A list of messages, each as its own fields.
    pub(super) fn messages(&mut self, name: &str) -> Vec<Self> {
        let message = |value| match value {
            Value::Object(members) => Some(Self(members)),
            _ => None,
        };
        self.items(name).into_iter().filter_map(message).collect()
    }

    /// One message.
    pub(super) fn message(&mut self, name: &str) -> Option<Self> {
        match self.0.remove(name) {
            Some(Value::Object(members)) => Some(Self(members)),
            _ => None,
        }
    }

    /// A list of keys and values: params or tags.
    pub(super) fn key_values(&mut self, name: &str) -> Vec<KeyValue> {
        let messages = self.messages(name);
        messages.into_iter().map(|mut entry| entry.key_value()).collect()
    }

    /// This message as a key and a value.
    pub(super) fn key_value(&mut self) -> KeyValue {
        KeyValue { key: self.text("key"), value: self.text("value") }
    }

    /// This message as a metric.
    pub(super) fn metric(&mut self) -> Metric {
        Metric {
            key: self.text("key"),
            value: self.double("value").unwrap_or_default(),
            timestamp: self.int("timestamp").unwrap_or_default(),
            step: self.int("step").unwrap_or_default(),
            model_id: self.filled_text("model_id"),
            dataset_name: self.filled_text("dataset_name"),
            dataset_digest: self.filled_text("dataset_digest"),
            run_id: None,
        }
    }

    fn items(&mut self, name: &str) -> Vec<Value> {
        match self.0.remove(name) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::{Check, Field};
    use super::*;

    static SEARCH: Shape = Shape(&[
        Field::texts("order_by"),
        Field::new("max_results", Kind::Int64, &[Check::IntLike]),
        Field::new("flag", Kind::Bool, &[]),
        Field::text("filter"),
    ]);

    #[test]
    fn queries_become_fields() {
        let query = "order_by=a&order_by=b+c&max_results=5&flag=TRUE&filter=x%27&other=1";
        let mut fields = from_query(query, &SEARCH).unwrap();
        assert_eq!(fields.texts("order_by"), ["a", "b c"]);
        assert_eq!(fields.int("max_results"), Some(5));
        assert_eq!(fields.bool("flag"), Some(true));
        assert_eq!(fields.text("filter"), "x'");
        let error = from_query("flag=yes", &SEARCH).unwrap_err().to_string();
        assert_eq!(error, "Invalid boolean value: yes, must be 'true' or 'false'.");
        let error = from_query("max_results=x", &SEARCH).unwrap_err().to_string();
        assert!(error.contains("\"x\"") && error.contains("'str'"), "{error}");
    }

    #[test]
    fn bodies_are_read_leniently() {
        let keys = |body: &str| -> Vec<String> {
            parse_object(body.as_bytes()).unwrap().keys().cloned().collect()
        };
        assert_eq!(keys(r#"{"a": 1}"#), ["a"]);
        assert_eq!(keys(r#""{\"a\": 1}""#), ["a"], "encoded twice");
        for nothing in ["", "{", "[1]", "5", "null", "\"x\""] {
            assert!(keys(nothing).is_empty(), "{nothing}");
        }
        for refused in [r#"{"a": 1e999}"#, &"[".repeat(100_000), r#""{\"a\": \"\\ud800\"}""#] {
            parse_object(refused.as_bytes()).unwrap_err();
        }
        parse_object(b"{\"a\": \"\xff\"}").unwrap_err();
        let members = parse_object(br#"{"v": [NaN, -Infinity, "NaN \" Infinity"]}"#).unwrap();
        assert_eq!(members["v"].to_string(), r#"["NaN","-Infinity","NaN \" Infinity"]"#);
    }

    #[test]
    fn content_types_are_asked_of_writes() {
        let check = |method: Method, kind: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            }
            check_content_type(&method, &headers).is_ok()
        };
        assert!(check(Method::POST, Some("application/json; charset=utf-8")));
        assert!(!check(Method::POST, Some("text/plain")));
        assert!(!check(Method::POST, None));
        assert!(check(Method::PATCH, None));
        assert!(check(Method::GET, None));
        assert!(check(Method::DELETE, Some("text/plain")));
    }

    proptest::proptest! {
        #[test]
        fn no_body_breaks_the_reader(body in ".{0,200}") {
            let _members = parse_object(body.as_bytes());
            let _fields = from_query(&body, &SEARCH);
        }
    }
}
