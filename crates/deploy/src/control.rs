//! What a deployer and the gateway say to each other: JSON over HTTP on a Unix socket.

use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use crate::error::{Error, Result};
use crate::gateway::{Mode, RouteState, TargetSpec};
use crate::spec::BakeLimits;

/// Version of what is said here; a gateway may be older than the deployer.
pub(crate) const PROTOCOL: u32 = 1;

/// Bytes of an answer: a status is small, the metrics page is some kilobytes.
const MAX_ANSWER: usize = 4 << 20;

/// Longest path of a Unix socket (`sun_path` with its closing NUL).
const MAX_SOCKET_PATH: usize = 107;

/// What the gateway says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Version of the control protocol.
    pub protocol: u32,
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Since when it runs, in milliseconds since 1970.
    pub started_ms: u64,
    /// Version of its program.
    #[serde(default)]
    pub version: String,
    /// Whether requests come in.
    #[serde(default)]
    pub mode: Mode,
    /// Where requests go.
    pub route: RouteState,
    /// Requests that the current target works on.
    pub in_flight: usize,
    /// Requests that the standby works on.
    pub standby_in_flight: usize,
    /// Open client connections.
    pub connections: u64,
}

/// Sends all new requests to `current`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Switch {
    pub(crate) current: TargetSpec,
    pub(crate) standby: Option<TargetSpec>,
    /// What is not accepted of `current` while the standby is warm.
    #[serde(default)]
    pub(crate) bake_limits: Option<BakeLimits>,
}

/// Asks to go back to the standby, because whoever asks knows that the current target is bad.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GoBack {
    /// Nothing happens when this is not the current target any more.
    pub(crate) from: String,
    pub(crate) reason: String,
}

/// Gives a standby up and waits for its requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Retire {
    pub(crate) id: String,
    pub(crate) limit_ms: u64,
}

/// What is left after [`Retire`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retired {
    /// Requests that were still running at the limit.
    pub(crate) left: usize,
}

/// Ends the gateway.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Shutdown {
    pub(crate) limit_ms: u64,
}

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
        match self.call(Method::GET, "/status", None::<&()>, Duration::from_secs(5)).await {
            Ok(status) => Ok(Some(status)),
            Err(Failed::NotRunning) => Ok(None),
            Err(Failed::Refused(reason) | Failed::BrokenOff(reason)) => {
                Err(Error::Control { request: "status", reason })
            }
        }
    }

    pub(crate) async fn switch(&self, switch: &Switch) -> Result<()> {
        self.post("switch", "/switch", switch, Duration::ZERO).await
    }

    pub(crate) async fn go_back(&self, go_back: &GoBack) -> Result<()> {
        self.post("go back", "/go-back", go_back, Duration::ZERO).await
    }

    pub(crate) async fn set_mode(&self, mode: &Mode) -> Result<()> {
        self.post("change of mode", "/mode", mode, Duration::ZERO).await
    }

    pub(crate) async fn retire(&self, retire: &Retire) -> Result<Retired> {
        self.post("retire", "/retire", retire, Duration::from_millis(retire.limit_ms)).await
    }

    /// Asks the gateway to end. It may be gone before its answer is: that is no failure, and
    /// whoever asks watches its lock anyway.
    pub(crate) async fn shutdown(&self, shutdown: Shutdown) -> Result<()> {
        let limit = Duration::from_secs(10);
        match self.call(Method::POST, "/shutdown", Some(&shutdown), limit).await {
            Ok(()) | Err(Failed::NotRunning | Failed::BrokenOff(_)) => Ok(()),
            Err(Failed::Refused(reason)) => Err(Error::Control { request: "shutdown", reason }),
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        request: &'static str,
        path: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<T> {
        let limit = patience + Duration::from_secs(10);
        self.call(Method::POST, path, Some(body), limit).await.map_err(|failed| Error::Control {
            request,
            reason: match failed {
                Failed::NotRunning => "it does not run".to_owned(),
                Failed::Refused(reason) | Failed::BrokenOff(reason) => reason,
            },
        })
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        limit: Duration,
    ) -> Result<T, Failed> {
        tokio::time::timeout(limit, self.exchange(method, path, body)).await.unwrap_or_else(|_| {
            Err(Failed::Refused(format!("no answer within {} s", limit.as_secs())))
        })
    }

    /// The page of counters.
    pub(crate) async fn metrics(&self) -> Result<String> {
        let failed = |reason: String| Error::Control { request: "metrics", reason };
        let bytes = self.bytes(Method::GET, "/metrics", None::<&()>).await;
        let bytes = bytes.map_err(|error| match error {
            Failed::NotRunning => failed("it does not run".to_owned()),
            Failed::Refused(reason) | Failed::BrokenOff(reason) => failed(reason),
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn exchange<T: DeserializeOwned>(
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
            _ => broken(&error),
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        let driver = tokio::spawn(connection);
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| broken(&error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "gateway")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| broken(&error))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| Failed::BrokenOff(error.to_string()))?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| Failed::BrokenOff(error.to_string()))?
            .to_bytes();
        driver.abort();
        if !status.is_success() {
            return Err(Failed::Refused(String::from_utf8_lossy(&answer).into_owned()));
        }
        Ok(answer)
    }
}

enum Failed {
    NotRunning,
    /// The connection ended before the whole answer was there.
    BrokenOff(String),
    Refused(String),
}

/// A path to the socket that fits the kernel's limit, and what must be kept open meanwhile.
///
/// A long path is reached through a descriptor of its folder.
pub(crate) fn reachable(socket: &Path) -> std::io::Result<(PathBuf, Option<std::fs::File>)> {
    if socket.as_os_str().len() <= MAX_SOCKET_PATH {
        return Ok((socket.to_owned(), None));
    }
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Ok((socket.to_owned(), None));
    };
    let folder = std::fs::File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((short, Some(folder)))
}
