//! Requests as upstream reads them: JSON bodies and query strings to the fields of a message.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::Request;
use http::{HeaderMap, Method, header};
use serde_json::{Map, Value};
use trainyard_base::{Budget, Share};
use trainyard_mlflow::entities::{KeyValue, Metric};
use trainyard_mlflow::{Error, Result};

use super::body::{Received, bytes_max, receive};
use super::error::ApiError;
use super::json;
use super::shape::{Kind, Shape, double, int, invalid_value};

/// The fields of one request, checked.
#[derive(Debug, Default)]
pub(super) struct Fields {
    members: Map<String, Value>,
    /// What they hold of the memory, with what is made of them: as long as the request lasts.
    _share: Option<Share>,
}

/// Reads and checks the fields of a request.
pub(super) async fn read(
    request: Request,
    limit: usize,
    memory: &Arc<Budget>,
    shape: &'static Shape,
) -> Result<Fields, ApiError> {
    let method = request.method().clone();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if reads_query(&method) && !query.is_empty() {
        return Ok(from_query(&query, shape)?);
    }
    let body = JsonBody::receive(request, limit, memory).await?;
    if method == Method::DELETE && body.bytes().is_empty() {
        // The registry's deletes take either.
        return Ok(from_query(&query, shape)?);
    }
    Ok(body.read(shape)?)
}

/// A body of the right type, not yet read.
pub(super) struct JsonBody(Received);

impl JsonBody {
    /// Takes in the whole body, as large as its route allows and up to the server's `limit`.
    pub(super) async fn receive(
        request: Request,
        limit: usize,
        memory: &Arc<Budget>,
    ) -> Result<Self, ApiError> {
        check_content_type(request.method(), request.headers())?;
        let limit = bytes_max(request.uri().path(), limit);
        Ok(Self(receive(request, limit, memory).await?))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Its fields.
    pub(super) fn read(self, shape: &'static Shape) -> Result<Fields> {
        let Received { bytes, mut share } = self.0;
        let members = json::object(&bytes, &mut share)?;
        let fields = Fields::from_value(Value::Object(members), shape)?;
        Ok(Fields { _share: Some(share), ..fields })
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        let share = Budget::new(1 << 30).take(0).unwrap();
        Self(Received { bytes: text.to_owned().into(), share })
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
    Ok(Fields { members, _share: None })
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

impl Fields {
    /// Fields of a value that is already parsed; anything but an object has none.
    pub(super) fn from_value(value: Value, shape: &'static Shape) -> Result<Self> {
        let mut members = match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        shape.read(&mut members)?;
        Ok(Self { members, _share: None })
    }

    /// A text field; "" if unset.
    pub(super) fn text(&mut self, name: &str) -> String {
        self.optional_text(name).unwrap_or_default()
    }

    /// A text field, none if unset.
    pub(super) fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.members.remove(name) {
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
        self.members.get(name).and_then(int)
    }

    /// A floating point number.
    pub(super) fn double(&self, name: &str) -> Option<f64> {
        self.members.get(name).and_then(double)
    }

    /// A truth value.
    pub(super) fn bool(&self, name: &str) -> Option<bool> {
        self.members.get(name).and_then(Value::as_bool)
    }

    /// The number of an enum's value, given by name or number; none if nobody knows it.
    pub(super) fn number_of(&self, name: &str, values: &[(&str, i64)]) -> Option<i64> {
        let value = self.members.get(name)?;
        let named = value.as_str().and_then(|text| values.iter().find(|(known, _)| *known == text));
        let number = named.map(|(_, number)| *number).or_else(|| int(value))?;
        values.iter().any(|(_, known)| *known == number).then_some(number)
    }

    /// Refuses a number that is no value of an enum; an unknown name counts as unset, as upstream
    /// has it.
    pub(super) fn refuse_unknown_number(&self, name: &str, values: &[(&str, i64)]) -> Result<()> {
        match self.members.get(name) {
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
            Value::Object(members) => Some(Self { members, _share: None }),
            _ => None,
        };
        self.items(name).into_iter().filter_map(message).collect()
    }

    /// One message.
    pub(super) fn message(&mut self, name: &str) -> Option<Self> {
        match self.members.remove(name) {
            Some(Value::Object(members)) => Some(Self { members, _share: None }),
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
        match self.members.remove(name) {
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
            let _fields = from_query(&body, &SEARCH);
        }
    }
}
