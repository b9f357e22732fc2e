//! The deployer's side of the control socket: JSON over HTTP.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::message::{GatewayStatus, GoBack, Retire, Retired, Shutdown, Switch, Try};
use super::socket::reachable;
use crate::error::{Error, Result};
use crate::exchange::exchange;
use crate::gateway::pause::Mode;

/// Bytes of an answer: a status is small, the metrics page is some kilobytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// How long the gateway may take for an answer, beside the time that the request itself allows.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to say how it is.
const STATUS_PATIENCE: Duration = Duration::from_secs(5);

/// A process that is killed closes its sockets some milliseconds after it has stopped.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Talks to the gateway of one service.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    socket: PathBuf,
}

impl Control {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// What the gateway says about itself; `None` when none runs.
    pub(crate) async fn status(&self) -> Result<Option<GatewayStatus>> {
        let until = Instant::now() + STATUS_PATIENCE;
        loop {
            return match self.call(Method::GET, "/status", None::<&()>, STATUS_PATIENCE).await {
                Ok(status) => Ok(Some(status)),
                Err(Failed::NotRunning) => Ok(None),
                // It ended while it was asked: soon nobody is there, or another one.
                Err(Failed::BrokenOff(_)) if Instant::now() < until => {
                    tokio::time::sleep(ASK_AGAIN).await;
                    continue;
                }
                Err(failed) => Err(failed.of("status")),
            };
        }
    }

    pub(crate) async fn switch(&self, switch: &Switch) -> Result<()> {
        self.post("switch", "/switch", switch, Duration::ZERO).await
    }

    pub(crate) async fn try_candidate(&self, candidate: &Try) -> Result<()> {
        self.post("trial of a candidate", "/candidate", candidate, Duration::ZERO).await
    }

    pub(crate) async fn go_back(&self, go_back: &GoBack) -> Result<()> {
        self.post("go back", "/go-back", go_back, Duration::ZERO).await
    }

    pub(crate) async fn set_mode(&self, mode: &Mode) -> Result<()> {
        self.post("change of mode", "/mode", mode, Duration::ZERO).await
    }

    /// Has the gateway read its settings again.
    pub(crate) async fn reload(&self) -> Result<()> {
        self.post("reload", "/reload", &(), Duration::ZERO).await
    }

    /// Takes an instance out of the gateway; how many of its requests did not finish in time.
    pub(crate) async fn retire(&self, id: &str, limit: Duration) -> Result<usize> {
        let retire = Retire { id: id.to_owned(), limit_ms: milliseconds(limit) };
        let retired: Retired = self.post("retire", "/retire", &retire, limit).await?;
        Ok(retired.left)
    }

    /// Asks the gateway to end. It may be gone before its answer is: that is no failure, and
    /// whoever asks watches its lock anyway.
    pub(crate) async fn shutdown(&self, limit: Duration) -> Result<()> {
        let shutdown = Shutdown { limit_ms: milliseconds(limit) };
        match self.call(Method::POST, "/shutdown", Some(&shutdown), PATIENCE).await {
            Ok(()) | Err(Failed::NotRunning | Failed::BrokenOff(_)) => Ok(()),
            Err(failed) => Err(failed.of("shutdown")),
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        request: &'static str,
        path: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<T> {
        let limit = patience + PATIENCE;
        let answered = self.call(Method::POST, path, Some(body), limit).await;
        answered.map_err(|failed| failed.of(request))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        limit: Duration,
    ) -> Result<T, Failed> {
        tokio::time::timeout(limit, self.json(method, path, body)).await.unwrap_or_else(|_| {
            Err(Failed::Refused(format!("no answer within {} s", limit.as_secs())))
        })
    }

    /// The page of counters.
    pub(crate) async fn metrics(&self) -> Result<String> {
        let bytes = self.bytes(Method::GET, "/metrics", None::<&()>).await;
        let bytes = bytes.map_err(|failed| failed.of("metrics"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failed> {
        let answer = self.bytes(method, path, body).await?;
        serde_json::from_slice(&answer).map_err(|error| Failed::Refused(error.to_string()))
    }

    async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Bytes, Failed> {
        let broken = |error: &dyn std::fmt::Display| Failed::Refused(error.to_string());
        let (address, _folder) = reachable(&self.socket).map_err(|error| broken(&error))?;
        let stream = UnixStream::connect(&address).await.map_err(|error| match error.kind() {
            // No socket, or one that a killed gateway left behind.
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                Failed::NotRunning
            }
            // It ended between the two.
            std::io::ErrorKind::ConnectionReset => Failed::BrokenOff(error.to_string()),
            _ => broken(&error),
        })?;
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| broken(&error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "gateway")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| broken(&error))?;
        let answer =
            exchange(stream, request, ANSWER_BYTES_MAX).await.map_err(Failed::BrokenOff)?;
        if !answer.status().is_success() {
            return Err(Failed::Refused(String::from_utf8_lossy(answer.body()).into_owned()));
        }
        Ok(answer.into_body())
    }
}

fn milliseconds(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
}

enum Failed {
    NotRunning,
    /// The connection ended before the whole answer was there.
    BrokenOff(String),
    Refused(String),
}

impl Failed {
    /// The error of a request that it is a failure of.
    fn of(self, request: &'static str) -> Error {
        let reason = match self {
            Self::NotRunning => "it does not run".to_owned(),
            Self::Refused(reason) | Self::BrokenOff(reason) => reason,
        };
        Error::Control { request, reason }
    }
}
