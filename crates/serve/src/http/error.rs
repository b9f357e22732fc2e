//! Why a request is not answered as asked, and MLflow's JSON body that says so.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use trainyard_mlflow::ErrorCode;
use trainyard_signature::enforce::{Rejection, Step, Violation};

use super::response::{JSON, Response, TEXT, response};
use crate::answer::TooLarge;
use crate::blocking::Ended;
use crate::python::Failed;

/// A refused request.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The content does not fit the signature.
    Content(Box<Rejection>),
    /// The model could not predict what fits its signature.
    Model(String),
    /// MLflow's own refusal, from a Python worker.
    Upstream { status: u16, body: Bytes },
    /// The body is over the limit.
    TooLarge { limit: usize },
    /// The body broke off.
    Broken(String),
    /// The body came more slowly than it may; the sentence says how slowly.
    TooSlow(String),
    /// The connection is beyond the limit: it is only there for probes.
    Crowded,
    /// The body did not arrive, or the answer was not ready, in time.
    Timeout(Duration),
    /// A type of body that is not read; the sentence says which are.
    MediaType(String),
    /// No or the wrong token.
    Unauthenticated,
    /// A signature that is not right; the sentence says why.
    Forbidden(&'static str),
    /// Nothing is here.
    NotFound,
    /// Something is here, but for other methods.
    Method(&'static str),
    /// Too many requests at once.
    Overloaded,
    /// No model serves (yet); the sentence says why.
    NotReady(String),
    /// Nothing more may be written; the sentence says why.
    Full(String),
    /// A mistake of the server.
    Internal(&'static str),
    /// A Python worker did not survive the request; the sentence says why.
    Worker(String),
}

/// MLflow's error body, and every violation.
#[derive(Debug, Serialize)]
struct Body<'a> {
    error_code: ErrorCode,
    message: &'a str,
    sqlstate: &'static str,
    error_class: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    violations: &'a [Violation],
    #[serde(skip_serializing_if = "is_zero")]
    violations_total: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Content(Box::new(rejection))
    }
}

impl From<TooLarge> for Refusal {
    fn from(too_large: TooLarge) -> Self {
        Self::bad(too_large.to_string())
    }
}

impl From<Ended> for Refusal {
    /// What broke off on a thread of its own breaks off here as well: whoever answers the request waits for it.
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Panicked(panicked) => panicked.go_on(),
            Ended::Stopping => Self::Internal("the server is stopping"),
        }
    }
}

impl From<trainyard_base::Full> for Refusal {
    fn from(full: trainyard_base::Full) -> Self {
        if full.never {
            // Trying again is of no use.
            return Self::TooLarge { limit: usize::try_from(full.bytes_max).unwrap_or(usize::MAX) };
        }
        Self::Overloaded
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused { status, body } => Self::Upstream { status, body },
            Failed::Overloaded => Self::Overloaded,
            Failed::Timeout(limit) => Self::Timeout(limit),
            Failed::OutOfMemory { bytes_max } => Self::Worker(format!(
                "the model needs more memory for these rows than a Python worker may have \
                 ({bytes_max} bytes); send the rows in parts"
            )),
            Failed::Died(reason) => Self::Worker(reason),
            Failed::NoWorkers(reason) => Self::NotReady(reason),
        }
    }
}

impl Refusal {
    /// A body that is not of the form it should have.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::from(Rejection {
            step: Step::Parse,
            message: message.into(),
            violations: Vec::new(),
            violations_total: 0,
        })
    }

    pub(crate) fn into_response(self) -> Response {
        match self {
            Self::Content(rejection) => body(
                StatusCode::BAD_REQUEST,
                &Body {
                    error_code: code_of(rejection.step),
                    message: &rejection.message,
                    sqlstate: rejection.step.sqlstate(),
                    error_class: rejection.step.error_class(),
                    violations: &rejection.violations,
                    violations_total: rejection.violations_total,
                },
            ),
            Self::Model(reason) => plain(
                StatusCode::BAD_REQUEST,
                ErrorCode::BadRequest,
                &format!(
                    "Encountered an unexpected error while evaluating the model. Verify that the \
                     input is compatible with the model for inference. Error: '{reason}'"
                ),
            ),
            Self::Upstream { status, body } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                response(status, JSON, body)
            }
            Self::TooLarge { limit } => plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorCode::BadRequest,
                &format!("the body is larger than {limit} bytes; send the rows in parts"),
            ),
            Self::Broken(reason) => plain(
                StatusCode::BAD_REQUEST,
                ErrorCode::BadRequest,
                &format!("the body broke off: {reason}"),
            ),
            Self::TooSlow(reason) => {
                plain(StatusCode::REQUEST_TIMEOUT, ErrorCode::DeadlineExceeded, &reason)
            }
            Self::Crowded => with(
                plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    ErrorCode::TemporarilyUnavailable,
                    "too many connections; close some, or try again in a second",
                ),
                RETRY_AFTER,
                "1",
            ),
            Self::Timeout(limit) => plain(
                StatusCode::GATEWAY_TIMEOUT,
                ErrorCode::DeadlineExceeded,
                &format!("Request processing time exceeded limit of {} s", limit.as_secs_f64()),
            ),
            Self::MediaType(reason) => response(StatusCode::UNSUPPORTED_MEDIA_TYPE, TEXT, reason),
            Self::Unauthenticated => with(
                plain(
                    StatusCode::UNAUTHORIZED,
                    ErrorCode::Unauthenticated,
                    "send the token of this server: Authorization: Bearer <token>",
                ),
                WWW_AUTHENTICATE,
                "Bearer",
            ),
            Self::Forbidden(reason) => {
                plain(StatusCode::FORBIDDEN, ErrorCode::PermissionDenied, reason)
            }
            Self::NotFound => response(StatusCode::NOT_FOUND, JSON, r#"{"detail":"Not Found"}"#),
            Self::Method(allowed) => with(
                response(
                    StatusCode::METHOD_NOT_ALLOWED,
                    JSON,
                    r#"{"detail":"Method Not Allowed"}"#,
                ),
                ALLOW,
                allowed,
            ),
            Self::Overloaded => with(
                plain(
                    StatusCode::TOO_MANY_REQUESTS,
                    ErrorCode::RequestLimitExceeded,
                    "too many requests at once; try again in a second",
                ),
                RETRY_AFTER,
                "1",
            ),
            Self::NotReady(reason) => with(
                plain(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporarilyUnavailable, &reason),
                RETRY_AFTER,
                "1",
            ),
            Self::Full(reason) => {
                plain(StatusCode::INSUFFICIENT_STORAGE, ErrorCode::ResourceExhausted, &reason)
            }
            Self::Worker(reason) => {
                plain(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::InternalError, &reason)
            }
            Self::Internal(reason) => {
                plain(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::InternalError, reason)
            }
        }
    }
}

/// MLflow's code for a request that was refused at this step.
fn code_of(step: Step) -> ErrorCode {
    match step {
        Step::Parse | Step::Cast => ErrorCode::BadRequest,
        Step::Schema | Step::Params => ErrorCode::InvalidParameterValue,
    }
}

fn plain(status: StatusCode, error_code: ErrorCode, message: &str) -> Response {
    let error_class = "INVALID_PARAMETER_VALUE";
    let sqlstate = "KAM00";
    body(
        status,
        &Body { error_code, message, sqlstate, error_class, violations: &[], violations_total: 0 },
    )
}

fn body(status: StatusCode, body: &Body<'_>) -> Response {
    // Strings and numbers always serialize.
    response(status, JSON, serde_json::to_vec(body).unwrap_or_default())
}

fn with(mut response: Response, name: http::HeaderName, value: &'static str) -> Response {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}
