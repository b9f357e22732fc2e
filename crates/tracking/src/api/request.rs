//! Requests as upstream reads them: JSON bodies and query strings to messages, which handlers are given.

use std::borrow::Cow;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use serde_json::{Map, Value};
use trainyard_base::Share;
use trainyard_mlflow::Result;

use super::body::{Received, bytes_max, receive};
use super::error::ApiError;
use super::fields::{Field, Kind};
use super::json;
use super::message::Message;
use super::state::Api;
use crate::error::invalid;

/// The message of a request, from its query or its body, whichever its method has it in.
///
/// The second part is what it holds of the memory, with what is made of it: as long as the request lasts.
#[derive(Debug)]
pub(super) struct Fields<T>(pub(super) T, pub(super) Option<Share>);

impl<T: Message> FromRequest<Api> for Fields<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let method = request.method().clone();
        let query = request.uri().query().unwrap_or_default().to_owned();
        if reads_query(&method) && !query.is_empty() {
            return Ok(Self(of_query(&query)?, None));
        }
        let body = JsonBody::from_request(request, api).await?;
        if method == Method::DELETE && body.bytes().is_empty() {
            // The registry's deletes take either.
            return Ok(Self(of_query(&query)?, None));
        }
        Ok(body.read()?)
    }
}

/// The message of a query, of routes that look nowhere else.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: Message> FromRequestParts<Api> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, ApiError> {
        Ok(Self(of_query(parts.uri.query().unwrap_or_default())?))
    }
}

/// A body of the right type, not yet read.
pub(super) struct JsonBody(Received);

impl FromRequest<Api> for JsonBody {
    type Rejection = ApiError;

    /// Takes in the whole body, as large as its route allows and up to the server's limit.
    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        check_content_type(request.method(), request.headers())?;
        let limit = bytes_max(request.uri().path(), api.options.json_bytes_max);
        Ok(Self(receive(request, limit, &api.options.memory).await?))
    }
}

impl JsonBody {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Its message.
    pub(super) fn read<T: Message>(self) -> Result<Fields<T>> {
        let Received { bytes, mut share } = self.0;
        let members = json::object(&bytes, &mut share)?;
        Ok(Fields(T::of_members(members)?, Some(share)))
    }

    /// A message that was read of it already.
    pub(super) fn with<T>(self, message: T) -> Fields<T> {
        Fields(message, Some(self.0.share))
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        let share = trainyard_base::Budget::new(1 << 30).take(0).unwrap();
        Self(Received { bytes: text.to_owned().into(), share })
    }
}

fn reads_query(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn of_query<T: Message>(query: &str) -> Result<T> {
    T::of_members(members_of_query(T::FIELDS, query)?)
}

/// Members of a query string: repeated fields are repeated keys.
fn members_of_query(fields: &[Field], query: &str) -> Result<Map<String, Value>> {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        url::form_urlencoded::parse(query.as_bytes()).collect();
    let mut members = Map::new();
    for field in fields {
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
                return invalid!("Invalid boolean value: {value}, must be 'true' or 'false'.");
            }
            _ => Value::from(value),
        };
        members.insert(field.name.to_owned(), value);
    }
    Ok(members)
}

/// Upstream insists on JSON for POST and PUT, and looks at no other method.
fn check_content_type(method: &Method, headers: &HeaderMap) -> Result<()> {
    if !matches!(*method, Method::POST | Method::PUT) {
        return Ok(());
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return invalid!("Bad Request. Content-Type header is missing.");
    };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    invalid!("Bad Request. Content-Type must be one of ['application/json'].")
}

#[cfg(test)]
mod tests {
    use super::super::message::message;
    use super::*;

    message! {
        struct Search {
            order_by: Vec<String>,
            max_results: Option<i64>,
            flag: Option<bool>,
            filter: String,
        }
    }

    fn search(query: &str) -> Result<Search> {
        of_query(query)
    }

    #[test]
    fn queries_become_fields() {
        let found =
            search("order_by=a&order_by=b+c&max_results=5&flag=TRUE&filter=x%27&other=1").unwrap();
        assert_eq!(found.order_by, ["a", "b c"]);
        assert_eq!((found.max_results, found.flag), (Some(5), Some(true)));
        assert_eq!(found.filter, "x'");
        let error = search("flag=yes").unwrap_err().to_string();
        assert_eq!(error, "Invalid boolean value: yes, must be 'true' or 'false'.");
        let error = search("max_results=x").unwrap_err().to_string();
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
            let _search = search(&body);
        }
    }
}
