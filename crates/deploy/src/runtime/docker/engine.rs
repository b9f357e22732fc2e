//! The way to the Docker Engine: `DOCKER_HOST` or the local socket, the API version both sides speak, and
//! patience with a daemon that is being restarted.

use std::time::Duration;

use bollard::errors::Error as Refusal;
use bollard::{ClientVersion, Docker};
use http::Request;
use http::header::HOST;
use http_body_util::Full;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::exchange::exchange;

/// The newest version of the API that this program was written for.
const NEWEST: ClientVersion = ClientVersion { major_version: 1, minor_version: 51 };

/// The oldest version with all that is used here (Docker 20.10).
const OLDEST_MINOR: usize = 41;

/// Where the engine listens when nothing else is said.
const USUAL_HOST: &str = "unix:///var/run/docker.sock";

/// How long a daemon may be away in the middle of a deployment: a restart takes a few seconds.
const OUTAGE: Duration = Duration::from_secs(30);

/// How often a daemon that is away is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// An answer to the first question takes no longer than this.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer to the first question: it is `OK`.
const PING_BYTES_MAX: usize = 64 << 10;

/// Time for one request; stopping a container takes up to its grace in addition.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// A connection to an engine.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) docker: Docker,
    host: String,
    /// Minor number of the API version in use.
    pub(super) api_minor: usize,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Engine {
    /// Finds the engine that `DOCKER_HOST` names, or the local one.
    pub(super) async fn connect() -> Result<Self> {
        let host = std::env::var("DOCKER_HOST")
            .ok()
            .filter(|host| !host.is_empty())
            .unwrap_or_else(|| USUAL_HOST.to_owned());
        Self::connect_to(&host).await
    }

    async fn connect_to(host: &str) -> Result<Self> {
        let away = |reason: String| {
            Error::Docker {
            doing: format!("cannot reach Docker at {host}"),
            reason,
            hint: "is the daemon running, and may this user open its socket? DOCKER_HOST names another"
                .to_owned(),
        }
        };
        let offered = tokio::time::timeout(PING_TIMEOUT, ping(host))
            .await
            .map_err(|_| away(format!("no answer within {} s", PING_TIMEOUT.as_secs())))?
            .map_err(away)?;
        let version = negotiate(&offered).map_err(away)?;
        let timeout = REQUEST_TIMEOUT.as_secs();
        let docker = if host.starts_with("unix://") {
            Docker::connect_with_unix(host, timeout, &version)
        } else {
            Docker::connect_with_http(host, timeout, &version)
        };
        let docker = docker.map_err(|error| away(error.to_string()))?;
        Ok(Self { docker, host: host.to_owned(), api_minor: version.minor_version })
    }

    /// Sends a request that may be sent again: until it is answered, or the daemon was away too long.
    pub(super) async fn call<T, F>(
        &self,
        doing: impl Fn() -> String + Send,
        request: impl Fn() -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, Refusal>> + Send,
        T: Send,
    {
        self.ask(request).await.map_err(|refusal| refused(doing(), &refusal))
    }

    /// [`Engine::call`] where some statuses are no failure (not there, done already): `None` then.
    pub(super) async fn call_unless<T, F>(
        &self,
        fine: &[u16],
        doing: impl Fn() -> String + Send,
        request: impl Fn() -> F + Send,
    ) -> Result<Option<T>>
    where
        F: Future<Output = std::result::Result<T, Refusal>> + Send,
        T: Send,
    {
        match self.ask(request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(refusal) if status(&refusal).is_some_and(|status| fine.contains(&status)) => {
                Ok(None)
            }
            Err(refusal) => Err(refused(doing(), &refusal)),
        }
    }

    /// [`Engine::call`] with the engine's own refusal.
    pub(super) async fn ask<T, F>(
        &self,
        request: impl Fn() -> F + Send,
    ) -> std::result::Result<T, Refusal>
    where
        F: Future<Output = std::result::Result<T, Refusal>> + Send,
        T: Send,
    {
        let start = Instant::now();
        loop {
            match request().await {
                Err(refusal) if is_away(&refusal) && start.elapsed() < OUTAGE => {
                    tracing::warn!(%refusal, host = self.host, "the Docker daemon is away, waiting");
                }
                outcome => return outcome,
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What the engine said against a request.
pub(super) fn refused(doing: String, refusal: &Refusal) -> Error {
    let hint = "the daemon's own log says more".to_owned();
    Error::Docker { doing, reason: reason(refusal), hint }
}

/// A refusal in the engine's own words.
pub(super) fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::DockerResponseServerError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// The status of a refusal; `None` when the engine did not answer.
pub(super) fn status(refusal: &Refusal) -> Option<u16> {
    match refusal {
        Refusal::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Whether nobody was there to answer, which passes when the daemon is only being restarted.
fn is_away(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::HyperResponseError { .. }
            | Refusal::HyperLegacyError { .. }
            | Refusal::IOError { .. }
            | Refusal::SocketNotFoundError(_)
    )
}

/// The version to speak: the engine's own, unless it is newer than what is known here.
fn negotiate(offered: &str) -> Result<ClientVersion, String> {
    let minor = offered
        .strip_prefix("1.")
        .and_then(|minor| minor.parse().ok())
        .ok_or_else(|| format!("it speaks the API version {offered:?}, which is not 1.x"))?;
    if minor < OLDEST_MINOR {
        return Err(format!(
            "it speaks the API version {offered}; Docker 20.10 (1.{OLDEST_MINOR}) or later is wanted"
        ));
    }
    Ok(ClientVersion { major_version: 1, minor_version: NEWEST.minor_version.min(minor) })
}

/// Asks for the newest API version of the engine. This path has no version in it: an engine refuses
/// all others when their version is not among its own.
async fn ping(host: &str) -> Result<String, String> {
    if let Some(path) = host.strip_prefix("unix://") {
        let stream = UnixStream::connect(path).await.map_err(|error| error.to_string())?;
        return ping_over(stream, "docker").await;
    }
    let address = host.strip_prefix("tcp://").or_else(|| host.strip_prefix("http://"));
    if let Some(address) = address
        && std::env::var_os("DOCKER_TLS_VERIFY").is_none_or(|value| value.is_empty())
    {
        let address = address.trim_end_matches('/');
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        return ping_over(stream, address).await;
    }
    Err("only unix:// and tcp:// without TLS are spoken; forward the socket with \
         `ssh -L /tmp/docker.sock:/var/run/docker.sock HOST`"
        .to_owned())
}

async fn ping_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
) -> Result<String, String> {
    let request = Request::get("/_ping")
        .header(HOST, host)
        .body(Full::default())
        .map_err(|error| error.to_string())?;
    let answer = exchange(stream, request, PING_BYTES_MAX).await?;
    let version = answer.headers().get("api-version").and_then(|version| version.to_str().ok());
    version.map(str::to_owned).ok_or_else(|| {
        format!("{} without an API version: this is no Docker Engine", answer.status())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_of_both_versions_is_spoken() {
        let minor = |offered| negotiate(offered).map(|version| version.minor_version);
        assert_eq!(minor("1.41"), Ok(41));
        assert_eq!(minor("1.99"), Ok(NEWEST.minor_version));
        assert!(minor("1.24").unwrap_err().contains("20.10"));
        assert!(minor("2.0").is_err());
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_named() {
        let error = Engine::connect_to("unix:///nowhere/docker.sock").await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot reach Docker at unix:///nowhere/docker.sock: "), "{text}");
        let error = Engine::connect_to("ssh://host").await.unwrap_err().to_string();
        assert!(error.contains("ssh -L"), "{error}");
    }
}
