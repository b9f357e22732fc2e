//! Asks an instance one thing over a connection of its own, and says exactly what came back.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::gateway::REQUEST_ID;

/// Bytes of an answer that are read: more than a health report needs.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Characters of an answer that are shown.
const SHOWN_CHARS_MAX: usize = 500;

/// One request whose answer tells whether an instance works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
            expect: String::new(),
            request_id: String::new(),
        }
    }

    /// A GET that must be answered with 2xx.
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.to_owned(),
            content_type: String::new(),
            body: String::new(),
            expect: String::new(),
            request_id: String::new(),
        }
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

/// Sends the probe once.
pub(crate) async fn ask(address: SocketAddr, probe: &Probe, limit: Duration) -> Answer {
    match tokio::time::timeout(limit, exchange(address, probe)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(reason)) => Answer::Broken(reason),
        Err(_elapsed) => Answer::Timeout(limit),
    }
}

async fn exchange(address: SocketAddr, probe: &Probe) -> Result<Answer, String> {
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
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let mut request = Request::builder()
        .method(probe.method.as_str())
        .uri(&probe.path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, "trainyard-deploy");
    if !probe.request_id.is_empty() {
        request = request.header(REQUEST_ID, &probe.request_id);
    }
    if !probe.content_type.is_empty() {
        request = request.header(CONTENT_TYPE, &probe.content_type);
    }
    let request = request
        .body(Full::new(Bytes::from(probe.body.clone())))
        .map_err(|error| format!("the probe is no valid request: {error}"))?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| format!("{status}, then {error}"))?
            .to_bytes();
        Ok(Answer::Status { status, body: String::from_utf8_lossy(&body).into_owned() })
    };
    // The connection must be driven while the answer is awaited, and ends with it.
    tokio::pin!(talk);
    tokio::select! {
        answer = &mut talk => answer,
        ended = connection => match ended {
            Ok(()) => talk.await,
            Err(error) => Err(error.to_string()),
        },
    }
}
