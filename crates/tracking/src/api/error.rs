//! Errors as HTTP answers: status, JSON body, and nothing of the inside of the server.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use trainyard_mlflow::{Detail, Error, ErrorCode};

use super::body::BodyError;
use super::json::no_memory;

/// What a handler returns.
pub(super) type Result<T = Response, E = ApiError> = std::result::Result<T, E>;

/// An error on its way to a client.
#[derive(Debug)]
pub(super) struct ApiError {
    error: Error,
    /// Where HTTP has a better word than MLflow's code.
    status: Option<StatusCode>,
}

impl ApiError {
    /// What is told beside the code, if anything is.
    pub(super) fn detail(&self) -> Option<Detail> {
        match self.error {
            Error::Detailed { detail, .. } => Some(detail),
            _ => None,
        }
    }

    /// What people read.
    pub(super) fn message(&self) -> String {
        shortened(self.error.for_clients())
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self { error, status: None }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::Memory(full) if !full.never => return no_memory(full).into(),
            BodyError::TooLarge(_) | BodyError::Memory(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken(_) => StatusCode::BAD_REQUEST,
        };
        let error = Error::api(ErrorCode::BadRequest, error.to_string());
        Self { error, status: Some(status) }
    }
}

/// An error as the API answers it.
pub(crate) fn error_answer(error: Error) -> Response {
    ApiError::from(error).into_response()
}

/// The body that clients read.
#[derive(Serialize)]
struct Body<'a> {
    error_code: ErrorCode,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_class: Option<&'static str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // Whoever opens files finds none there; a request names a wrong one, as upstream has it.
        let code = match self.detail() {
            Some(Detail::Directory) => ErrorCode::InvalidParameterValue,
            _ => self.error.code(),
        };
        let status = self.status.unwrap_or_else(|| {
            StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        });
        let message = self.message();
        if status.is_server_error() || !self.error.is_answer() {
            tracing::error!(%code, error = %self.error, "request failed");
        }
        let (sqlstate, error_class) = classify(code, self.detail());
        let body = Body { error_code: code, message: &message, sqlstate, error_class };
        let mut answer = json_text(status, &body);
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            answer.headers_mut().entry(header::RETRY_AFTER).or_insert(RETRY_AFTER);
        }
        answer
    }
}

/// Seconds after which it is worth to ask again: what passes at all passes quickly.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Longest message: some repeat what was sent, and a client that sends megabytes knows them.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

fn shortened(message: &str) -> String {
    if message.len() <= MESSAGE_BYTES_MAX {
        return message.to_owned();
    }
    let start = message.get(..message.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default();
    format!("{start}… ({} bytes in all)", message.len())
}

/// SQLSTATE and class that MLflow 3.1x adds to the code, where it has them.
fn classify(
    code: ErrorCode,
    detail: Option<Detail>,
) -> (Option<&'static str>, Option<&'static str>) {
    if detail == Some(Detail::UnknownAttribute) {
        return (Some("KAM04"), Some("ATTRIBUTE_NOT_FOUND"));
    }
    match code {
        ErrorCode::InvalidParameterValue | ErrorCode::BadRequest => {
            (Some("KAM00"), Some("INVALID_PARAMETER_VALUE"))
        }
        ErrorCode::ResourceAlreadyExists => (Some("KAM00"), Some("RESOURCE_ALREADY_EXISTS")),
        ErrorCode::ResourceDoesNotExist => (Some("KAM00"), Some("RESOURCE_NOT_FOUND")),
        ErrorCode::InternalError | ErrorCode::InvalidState => {
            (Some("XXM00"), Some("CLIENT_INTERNAL_ERROR"))
        }
        _ => (None, None),
    }
}

/// A JSON answer.
pub(crate) fn json_text<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A 200 with a JSON body.
pub(super) fn json<T: Serialize>(body: &T) -> Response {
    json_text(StatusCode::OK, body)
}

/// `{}`: what most writes answer.
pub(super) fn empty() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], "{}").into_response()
}
