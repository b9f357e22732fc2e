//! What a request about users says, and its answer.

use std::sync::Arc;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use hyper::ext::ReasonPhrase;
use serde::Serialize;
use serde_json::{Map, Value};
use trainyard_mlflow::{Error, Result};

use crate::access::directory::Directory;
use crate::access::sign_in::SignIn;
use crate::api::error_answer;

/// Largest body: a few names.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub(super) struct Users {
    pub(super) directory: Arc<Directory>,
    pub(super) sign_in: Arc<SignIn>,
}

/// An error on its way to a client.
#[derive(Debug)]
pub(super) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = error_answer(self.0);
        if answer.status() == StatusCode::BAD_REQUEST {
            // As upstream's Flask writes it: Python's clients repeat it, and scripts look for it.
            answer.extensions_mut().insert(ReasonPhrase::from_static(b"BAD REQUEST"));
        }
        answer
    }
}

/// What handlers return.
pub(super) type Answer = std::result::Result<Response, Refusal>;

/// A 200 with a JSON body.
pub(super) fn answer<T: Serialize>(body: &T) -> Answer {
    let body = serde_json::to_value(body)
        .map_err(|error| Error::internal(format!("an answer could not be written: {error}")))?;
    Ok(Json(body).into_response())
}

/// `{}`.
pub(super) fn done() -> Answer {
    answer(&Map::new())
}

/// The members of a request's body, or of its query where its method has none.
#[derive(Debug)]
pub(super) struct Asked {
    members: Map<String, Value>,
    /// Of keys that a query may name several times.
    workspaces: Vec<String>,
}

impl<S: Sync> FromRequest<S> for Asked {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> std::result::Result<Self, Refusal> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let pairs = || url::form_urlencoded::parse(query.as_bytes()).into_owned();
        let of_query = || Self {
            members: pairs().map(|(key, value)| (key, Value::String(value))).collect(),
            workspaces: pairs()
                .filter_map(|(key, value)| (key == "workspace").then_some(value))
                .collect(),
        };
        if request.method() == Method::GET {
            return Ok(of_query());
        }
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // Other pages can make browsers post forms and plain text, but no JSON.
        let is_json = kind
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        if !is_json && request.method() == Method::DELETE {
            return Ok(of_query());
        }
        if !is_json {
            return Err(Error::invalid("Invalid content type. Must be application/json").into());
        }
        let body = to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_error| {
            Error::invalid(format!("the body is larger than {BODY_BYTES_MAX} bytes, or broke off"))
        })?;
        // As upstream: what is no object has no members.
        let members = match serde_json::from_slice(&body) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        Ok(Self { members, workspaces: Vec::new() })
    }
}

impl Asked {
    /// What a page of ours asks, by the names of the API: an object.
    pub(super) fn of(members: Value) -> Self {
        let members = if let Value::Object(members) = members { members } else { Map::new() };
        Self { members, workspaces: Vec::new() }
    }

    /// The same about a workspace.
    pub(super) fn about(workspace: &str) -> Self {
        Self { members: Map::new(), workspaces: vec![workspace.to_owned()] }
    }

    fn need(&self, name: &str) -> Result<&Value> {
        self.members.get(name).ok_or_else(|| {
            Error::invalid(format!(
                "Missing value for required parameter '{name}'. See the API docs for more information \
                 about request parameters."
            ))
        })
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> Result<&str> {
        self.need(name)?
            .as_str()
            .ok_or_else(|| Error::invalid(format!("Parameter '{name}' must be a string.")))
    }

    /// The same, which must not be empty.
    pub(super) fn filled(&self, name: &str, what: &str) -> Result<&str> {
        let text = self.need(name)?.as_str().unwrap_or_default();
        if text.trim().is_empty() {
            return Err(Error::invalid(format!("{what} cannot be empty.")));
        }
        Ok(text)
    }

    /// A text that may be missing or null.
    pub(super) fn optional_text(&self, name: &str, what: &str) -> Result<Option<&str>> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::invalid(format!("{what} must be a string or null."))),
        }
    }

    /// A whole number that must be there, also as a text.
    pub(super) fn int(&self, name: &str) -> Result<i64> {
        let value = self.need(name)?;
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_i64(),
        };
        number.ok_or_else(|| {
            Error::invalid(format!("Parameter '{name}' must be an integer. Got: {value}"))
        })
    }

    /// A whole number that may be missing or null.
    pub(super) fn optional_int(&self, name: &str) -> Result<Option<i64>> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.int(name).map(Some),
        }
    }

    /// A yes or no that must be there.
    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        self.need(name)?
            .as_bool()
            .ok_or_else(|| Error::invalid(format!("Parameter '{name}' must be true or false.")))
    }

    /// Whether something is said.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The workspaces that a query names.
    pub(super) fn workspaces(&self) -> &[String] {
        &self.workspaces
    }
}
