//! Asks an instance one thing over a connection of its own, and says exactly what came back.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use trainyard_base::words::HEALTH_FAILED;

use crate::exchange::exchange;
use crate::gateway::REQUEST_ID;
use crate::instance_token::InstanceToken;

/// Bytes of an answer that are read: more than a health report needs.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Characters of an answer that are shown.
const SHOWN_CHARS_MAX: usize = 500;

/// One request whose answer tells whether an instance works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Probe {
    /// `POST` for a prediction.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Sent as `Content-Type` when there is a body.
    pub content_type: String,
    /// The body.
    pub body: String,
    /// What the answer's body must contain; any 2xx answer will do when empty.
    pub expect: String,
    /// Sent as `X-Request-Id` unless it is empty. A model server that was told of it does not log what
    /// nobody needs but the release; so only the release may know it.
    #[serde(default)]
    pub request_id: String,
}

impl Probe {
    /// A JSON request that must be answered with 2xx.
    pub fn post_json(path: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            method: "POST".to_owned(),
            path: path.into(),
            content_type: "application/json".to_owned(),
            body: body.into(),
            ..Self::default()
        }
    }

    /// A GET that must be answered with 2xx.
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET".to_owned(), path: path.to_owned(), ..Self::default() }
    }
}

/// What a probe got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An HTTP answer.
    Status {
        /// Its status.
        status: u16,
        /// The beginning of its body.
        body: String,
    },
    /// Nobody listens.
    Refused,
    /// Nobody has the address.
    Unreachable,
    /// No answer in time.
    Timeout(Duration),
    /// Anything else.
    Broken(String),
}

impl Answer {
    /// Whether a health check says that waiting is of no use (`{"status": "failed", …}`).
    pub(crate) fn is_final(&self) -> bool {
        let Self::Status { body, .. } = self else { return false };
        let said = serde_json::from_str::<serde_json::Value>(body);
        said.is_ok_and(|said| {
            said.get("status").and_then(|word| word.as_str()) == Some(HEALTH_FAILED)
        })
    }

    /// Whether the answer is what the probe wants.
    pub(crate) fn satisfies(&self, probe: &Probe) -> bool {
        matches!(self, Self::Status { status, body }
            if (200..300).contains(status) && body.contains(&probe.expect))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, body } => {
                let shown: String = body.trim().chars().take(SHOWN_CHARS_MAX).collect();
                write!(f, "{status}")?;
                if shown.is_empty() { Ok(()) } else { write!(f, ": {shown}") }
            }
            Self::Refused => f.write_str("connection refused"),
            Self::Unreachable => f.write_str("no route to its address"),
            Self::Timeout(limit) => write!(f, "no answer within {:.1} s", limit.as_secs_f64()),
            Self::Broken(reason) => f.write_str(reason),
        }
    }
}

/// What an instance's health check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is well.
    Well,
    /// It answers that it is not.
    Sick(String),
    /// Nothing came back.
    Nothing(String),
    /// Nobody listens there at all.
    Gone(String),
}

/// Asks an instance for its health.
pub(crate) async fn look(
    address: SocketAddr,
    health_path: &str,
    token: Option<&InstanceToken>,
    limit: Duration,
) -> Look {
    match ask(address, &Probe::get(health_path), token, limit).await {
        Answer::Status { status, .. } if (200..300).contains(&status) => Look::Well,
        answer @ Answer::Status { .. } => Look::Sick(answer.to_string()),
        answer @ (Answer::Refused | Answer::Unreachable) => Look::Gone(answer.to_string()),
        answer @ (Answer::Timeout(_) | Answer::Broken(_)) => Look::Nothing(answer.to_string()),
    }
}

/// Sends the probe once, with the token of the instance if it asks for one.
pub(crate) async fn ask(
    address: SocketAddr,
    probe: &Probe,
    token: Option<&InstanceToken>,
    limit: Duration,
) -> Answer {
    match tokio::time::timeout(limit, send(address, probe, token)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(reason)) => Answer::Broken(reason),
        Err(_elapsed) => Answer::Timeout(limit),
    }
}

async fn send(
    address: SocketAddr,
    probe: &Probe,
    token: Option<&InstanceToken>,
) -> Result<Answer, String> {
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Ok(Answer::Refused);
        }
        // The address of a container that is gone.
        Err(error) if error.kind() == std::io::ErrorKind::HostUnreachable => {
            return Ok(Answer::Unreachable);
        }
        Err(error) => return Err(error.to_string()),
    };
    let mut request = Request::builder()
        .method(probe.method.as_str())
        .uri(&probe.path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, "trainyard-deploy");
    if !probe.request_id.is_empty() {
        request = request.header(REQUEST_ID, &probe.request_id);
    }
    if let Some(authorization) = token.and_then(InstanceToken::header) {
        request = request.header(AUTHORIZATION, authorization);
    }
    if !probe.content_type.is_empty() {
        request = request.header(CONTENT_TYPE, &probe.content_type);
    }
    let request = request
        .body(Full::new(Bytes::from(probe.body.clone())))
        .map_err(|error| format!("the probe is no valid request: {error}"))?;
    let answer = exchange(stream, request, ANSWER_BYTES_MAX).await?;
    let body = String::from_utf8_lossy(answer.body()).into_owned();
    Ok(Answer::Status { status: answer.status().as_u16(), body })
}
