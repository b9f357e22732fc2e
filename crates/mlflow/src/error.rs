//! MLflow's errors: a code that clients act on and a sentence that people read.

use std::fmt;

use serde::{Deserialize, Serialize};
use trainyard_base::{Advice, Advise, Fault};

/// The result of a call on [`Tracking`](crate::Tracking).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// `error_code` of MLflow's JSON error body (`mlflow.protos.databricks_pb2.ErrorCode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    InternalError,
    InvalidState,
    DataLoss,
    NotImplemented,
    TemporarilyUnavailable,
    DeadlineExceeded,
    RequestLimitExceeded,
    ResourceExhausted,
    Cancelled,
    Aborted,
    ResourceConflict,
    AlreadyExists,
    NotFound,
    EndpointNotFound,
    ResourceDoesNotExist,
    PermissionDenied,
    Unauthenticated,
    CustomerUnauthorized,
    BadRequest,
    ResourceAlreadyExists,
    InvalidParameterValue,
    /// A code that this version does not know; treated as an internal error.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// The HTTP status upstream answers with for this code (`mlflow.exceptions.ERROR_CODE_TO_HTTP_STATUS`).
    pub fn http_status(self) -> u16 {
        match self {
            Self::InternalError | Self::InvalidState | Self::DataLoss | Self::Unknown => 500,
            Self::NotImplemented => 501,
            Self::TemporarilyUnavailable => 503,
            Self::DeadlineExceeded => 504,
            Self::RequestLimitExceeded | Self::ResourceExhausted => 429,
            Self::Cancelled => 499,
            Self::Aborted | Self::ResourceConflict | Self::AlreadyExists => 409,
            Self::NotFound | Self::EndpointNotFound | Self::ResourceDoesNotExist => 404,
            Self::PermissionDenied => 403,
            Self::Unauthenticated | Self::CustomerUnauthorized => 401,
            Self::BadRequest | Self::ResourceAlreadyExists | Self::InvalidParameterValue => 400,
        }
    }

    /// The code that a bare HTTP status means, for answers without a JSON body.
    pub fn from_http_status(status: u16) -> Self {
        match status {
            400 | 413 | 415 | 422 => Self::BadRequest,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 | 405 => Self::EndpointNotFound,
            409 => Self::ResourceConflict,
            429 => Self::RequestLimitExceeded,
            501 => Self::NotImplemented,
            502 | 503 => Self::TemporarilyUnavailable,
            504 => Self::DeadlineExceeded,
            _ => Self::InternalError,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The wire spelling is the only spelling: reuse serde's.
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => f.write_str(&name),
            _ => f.write_str("UNKNOWN"),
        }
    }
}

/// What MLflow tells beside the code of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// An artifact that was asked for as a file is a directory.
    Directory,
    /// A search orders by an attribute that there is not.
    UnknownAttribute,
}

impl Detail {
    fn code(self) -> ErrorCode {
        match self {
            Self::Directory => ErrorCode::ResourceDoesNotExist,
            Self::UnknownAttribute => ErrorCode::InvalidParameterValue,
        }
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store or server refused: MLflow's own error, code and message as on the wire.
    #[error("{message}")]
    Api {
        /// What clients act on.
        code: ErrorCode,
        /// What people read.
        message: String,
    },
    /// The same, where clients are told more than the code.
    #[error("{message}")]
    Detailed {
        /// What is told, which also has the code.
        detail: Detail,
        /// What people read.
        message: String,
    },
    /// The store failed in a way whose details are not for clients.
    #[error("{reason}")]
    Store {
        /// What clients act on.
        code: ErrorCode,
        /// What clients read.
        message: String,
        /// What whoever runs the store reads: the database's own words, addresses, paths.
        reason: String,
    },
    /// The server could not be reached or broke off.
    #[error("cannot reach the tracking server at {url}: {reason}")]
    Unreachable {
        /// Base URL, without credentials.
        url: String,
        /// The innermost cause (refused, timed out, name not resolved).
        reason: String,
    },
    /// The peer answered something that is not MLflow.
    #[error("unexpected answer from {url}: {reason}")]
    UnexpectedAnswer {
        /// URL asked, without credentials.
        url: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// A file that the client was told to use (a certificate) is not what it should be.
    #[error("{path}: {reason}")]
    BadFile {
        /// The file.
        path: String,
        /// What is wrong, with the value.
        reason: String,
    },
    /// A local file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::Unreachable { .. } => Advice::environment(
                "is the server running, and MLFLOW_TRACKING_URI right? `trainyard server` starts one",
            ),
            Self::UnexpectedAnswer { .. } => {
                Advice::environment("does MLFLOW_TRACKING_URI point at an MLflow server?")
            }
            Self::Api { .. } | Self::Detailed { .. } => match self.code() {
                ErrorCode::ResourceDoesNotExist => {
                    Advice::input("the tracking pages (`trainyard server`) list what is there")
                }
                ErrorCode::Unauthenticated | ErrorCode::CustomerUnauthorized => {
                    Advice::environment(
                        "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or \
                     MLFLOW_TRACKING_TOKEN",
                    )
                }
                ErrorCode::PermissionDenied => Advice::environment(
                    "whoever is signed in may not do this: ask for it, or sign in as somebody who may \
                     (`trainyard help team`)",
                ),
                code => fault(code).into(),
            },
            Self::Store { code, .. } => fault(*code).into(),
            Self::BadFile { .. } => Fault::Input.into(),
            Self::Io { .. } => Fault::Environment.into(),
        }
    }
}

/// Whose turn it is after an answer with this code.
fn fault(code: ErrorCode) -> Fault {
    match code {
        ErrorCode::InvalidParameterValue
        | ErrorCode::ResourceDoesNotExist
        | ErrorCode::ResourceAlreadyExists
        | ErrorCode::BadRequest => Fault::Input,
        _ => Fault::Environment,
    }
}

impl Error {
    /// MLflow's error with this code.
    pub fn api(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Api { code, message: message.into() }
    }

    /// `INVALID_PARAMETER_VALUE`: the caller's mistake (400).
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::api(ErrorCode::InvalidParameterValue, message)
    }

    /// `RESOURCE_DOES_NOT_EXIST` (404).
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::api(ErrorCode::ResourceDoesNotExist, message)
    }

    /// `RESOURCE_ALREADY_EXISTS` (400, as upstream).
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::api(ErrorCode::ResourceAlreadyExists, message)
    }

    /// `INTERNAL_ERROR` (500): never for a caller's mistake, clients retry it for minutes.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::api(ErrorCode::InternalError, message)
    }

    /// An I/O error on `path`.
    pub fn io(path: impl AsRef<std::path::Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().display().to_string(), source }
    }

    /// The MLflow code of this error; what did not come from a server maps to the nearest one.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Api { code, .. } | Self::Store { code, .. } => *code,
            Self::Detailed { detail, .. } => detail.code(),
            Self::Unreachable { .. } => ErrorCode::TemporarilyUnavailable,
            Self::BadFile { .. } => ErrorCode::InvalidParameterValue,
            Self::UnexpectedAnswer { .. } | Self::Io { .. } => ErrorCode::InternalError,
        }
    }

    /// What a client of a server may read of this: its own mistakes in full. Causes inside of the server
    /// (paths of its disk, addresses, what other services answered) are for its log, which is
    /// where whoever answers with this writes them.
    pub fn for_clients(&self) -> &str {
        match self {
            Self::Api { code, message } if code.http_status() != 500 => message,
            Self::Detailed { message, .. } | Self::Store { message, .. } => message,
            _ => "the server could not complete the request; its log says why",
        }
    }

    /// Whether this is what a store or server answered, as opposed to a failure to answer.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Api { .. } | Self::Detailed { .. })
    }

    /// Whether nobody answered for the store or server, or only that it cannot answer now: nothing was learnt of
    /// what was asked for.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::UnexpectedAnswer { .. } => true,
            Self::Api { code, .. } | Self::Store { code, .. } => {
                matches!(code.http_status(), 429 | 500 | 502..=504)
            }
            Self::Detailed { .. } | Self::BadFile { .. } | Self::Io { .. } => false,
        }
    }

    /// Whether the thing asked for is not there (as opposed to any other failure).
    pub fn is_not_found(&self) -> bool {
        matches!(self.code(), ErrorCode::ResourceDoesNotExist | ErrorCode::NotFound)
    }
}
