//! A form that was sent: its fields, once it is known to be one of ours.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use trainyard_mlflow::{Error as StoreError, ErrorCode};

use crate::error::{Error, Result};
use crate::frame;
use crate::ticket::{Ticket, is_own};

/// Largest form, in bytes: what people write by hand. Longer descriptions and tags are set through the API. All
/// connections of a server together hold some 100 MB of them.
const BYTES_MAX: usize = 64 << 10;

/// Fields that people write texts into which they would not like to write once more.
const TEXTS: [&str; 5] = ["name", "key", "value", "description", "reason"];

/// The fields of a form.
pub(crate) struct Posted {
    fields: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self> {
        let (parts, body) = request.into_parts();
        if !is_own(&parts) {
            let told = "a page of another site asked for this change; if it was a page of this one, the proxy before \
                        this server has to pass on the Host header that it gets";
            return Err(refused(told).into());
        }
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_form =
            kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if !is_form {
            let told = "this is no form of a page; programs change things through the API";
            return Err(StoreError::invalid(told).into());
        }
        let Ok(bytes) = to_bytes(body, BYTES_MAX).await else {
            let told = format!(
                "the form has more than {BYTES_MAX} bytes; longer texts are set through the API"
            );
            return Err(StoreError::invalid(told).into());
        };
        let fields = url::form_urlencoded::parse(&bytes).into_owned().collect();
        let posted = Self { fields };
        if !Ticket::of(&parts.headers).fits(posted.text("csrf")) {
            let told = "the form is too old, or of another browser: go back, load the page again, and send it";
            return Err(refused(told).into());
        }
        frame::keep_typed(posted.typed());
        Ok(posted)
    }
}

fn refused(told: &str) -> StoreError {
    StoreError::api(ErrorCode::PermissionDenied, told)
}

impl Posted {
    /// What people wrote, and no field of ours and no secret.
    fn typed(&self) -> Vec<(String, String)> {
        let is_text = |(key, value): &&(String, String)| {
            TEXTS.contains(&key.as_str()) && !value.trim().is_empty()
        };
        self.fields.iter().filter(is_text).cloned().collect()
    }

    /// A field; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        let mut fields = self.fields.iter();
        fields.find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// All fields of a name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let own = self.fields.iter().filter(|(key, _)| key == name);
        own.map(|(_, value)| value.as_str()).collect()
    }

    /// A field that has to say something.
    pub(crate) fn need(&self, name: &str) -> Result<&str> {
        let text = self.text(name).trim();
        if text.is_empty() {
            return Err(StoreError::invalid(format!("the field {name:?} is empty")).into());
        }
        Ok(text)
    }

    /// A number of ours that a form carries.
    pub(crate) fn number(&self, name: &str) -> Result<i64> {
        let text = self.need(name)?;
        text.parse().map_err(|_error| {
            StoreError::invalid(format!("the field {name:?} is {text:?}, not a number")).into()
        })
    }

    /// A text of several lines, which browsers end as others do not.
    pub(crate) fn lines(&self, name: &str) -> String {
        self.text(name).replace("\r\n", "\n")
    }

    /// What cannot be brought back wants its name once more.
    pub(crate) fn confirm(&self, name: &str) -> Result<()> {
        // A browser takes no line end in, and people paste spaces along.
        if self.text("confirm").trim() == name.trim() {
            return Ok(());
        }
        let told = format!(
            "nothing was deleted: write {name} in the field beside the button to delete it"
        );
        Err(StoreError::invalid(told).into())
    }

    /// What the form is to do.
    pub(crate) fn action(&self) -> &str {
        self.text("action")
    }
}

/// What is no action of a page.
pub(crate) fn unknown(action: &str) -> Error {
    StoreError::invalid(format!("there is no action {action:?} on this page")).into()
}

/// Sends the browser on to what it changed, so that loading again changes nothing again.
pub(crate) fn done(address: &str) -> Response {
    Redirect::to(address).into_response()
}
