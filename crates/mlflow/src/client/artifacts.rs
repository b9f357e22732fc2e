//! Artifacts behind a server's `mlflow-artifacts` proxy, or on the local disk.
//!
//! `mlflow-artifacts:/x` is on the tracking server, `mlflow-artifacts://host:port/x` and
//! `http(s)://…/mlflow-artifacts/artifacts/x` on another one. Our credentials go only to the
//! tracking server: anybody who may create an experiment chooses where its artifacts lie, and
//! must not be able to have other people's passwords sent there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::Method;
use http::header::CONTENT_TYPE;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::http::{Http, Ignored};
use super::rest::RestClient;
use super::retry::Repeat;
use crate::artifacts::{Artifacts, ByteStream, LocalArtifacts};
use crate::entities::FileInfo;
use crate::metadata_hosts::is_metadata_host;
use crate::{Error, Result, uri};

const SERVICE: &str = "/api/2.0/mlflow-artifacts/artifacts";
/// Uploads up to this size are held in memory, so that they can be repeated; larger ones stream.
const REPEATABLE_BYTES_MAX: usize = 8 << 20;

/// All but the characters that RFC 3986 never reserves.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One segment of a path, percent-encoded.
pub(super) fn encoded(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

/// Where an artifact root is.
enum Root {
    Local,
    Remote {
        /// URL of the service, to which `/path` or `?path=` is added.
        service: String,
        /// Path of the root within it, not encoded, without slashes around.
        prefix: String,
        authorised: bool,
    },
}

impl Root {
    fn of(http: &Http, root_uri: &str) -> Result<Self> {
        let unsupported = || {
            Error::invalid(format!(
                "artifacts at {} cannot be reached from here; start the tracking server with \
                 --serve-artifacts and give the experiment a location below mlflow-artifacts:/",
                uri::without_credentials(root_uri)
            ))
        };
        let base = http.base_url();
        match uri::scheme(root_uri) {
            None | Some("file") => Ok(Self::Local),
            Some("mlflow-artifacts") => {
                let rest = root_uri.strip_prefix("mlflow-artifacts:").unwrap_or_default();
                let Some(with_host) = rest.strip_prefix("//").filter(|rest| !rest.starts_with('/'))
                else {
                    return Ok(Self::Remote {
                        service: format!("{base}{SERVICE}"),
                        prefix: rest.trim_matches('/').to_owned(),
                        authorised: true,
                    });
                };
                let (host, prefix) = with_host.split_once('/').unwrap_or((with_host, ""));
                if host.is_empty() || host.parse::<u16>().is_ok() || host.contains('@') {
                    return Err(Error::invalid(format!(
                        "{} names no host; write mlflow-artifacts://host:port/path",
                        uri::without_credentials(root_uri)
                    )));
                }
                let scheme = uri::scheme(base).unwrap_or("http");
                Self::other(base, &format!("{scheme}://{host}"), prefix)
            }
            Some("http" | "https") => {
                let (server, prefix) = root_uri.split_once(SERVICE).ok_or_else(unsupported)?;
                if server.contains('@') {
                    return Err(unsupported());
                }
                Self::other(base, server, prefix)
            }
            Some(_) => Err(unsupported()),
        }
    }

    fn other(base: &str, server: &str, prefix: &str) -> Result<Self> {
        let host = Url::parse(server).ok().and_then(|url| url.host_str().map(str::to_owned));
        // Whoever registers a version chooses where its files are; the machine's own secrets they are not.
        if server != base && host.as_deref().is_none_or(is_metadata_host) {
            return Err(Error::invalid(
                "artifacts are not fetched from a host that keeps secrets of the machine that asks it",
            ));
        }
        Ok(Self::Remote {
            service: format!("{server}{SERVICE}"),
            prefix: prefix.trim_matches('/').to_owned(),
            authorised: server == base,
        })
    }
}

/// `prefix`/`path`, checked: relative, no `..`.
fn below(prefix: &str, path: &str) -> Result<String> {
    let path = path.trim_matches('/');
    let leaves =
        path.split(['/', '\\']).any(|segment| matches!(segment, ".." | ".")) || path.contains('\0');
    if leaves {
        return Err(Error::invalid(format!("artifact path leaves its root: {path:?}")));
    }
    Ok(match (prefix.is_empty(), path.is_empty()) {
        (_, true) => prefix.to_owned(),
        (true, false) => path.to_owned(),
        (false, false) => format!("{prefix}/{path}"),
    })
}

impl RestClient {
    /// A request for one file or directory of a remote root.
    fn artifact(
        &self,
        method: Method,
        service: &str,
        prefix: &str,
        path: &str,
        authorised: bool,
    ) -> Result<RequestBuilder> {
        if path.trim_matches('/').is_empty() {
            return Err(Error::invalid("an artifact needs a path below its root"));
        }
        let path = below(prefix, path)?;
        let segments: Vec<String> = path.split('/').map(encoded).collect();
        let url = format!("{service}/{}", segments.join("/"));
        Ok(self.http.request(method, &url, authorised))
    }

    /// Sends a body that cannot be repeated, as long as it moves.
    async fn upload_stream(&self, request: RequestBuilder, body: ByteStream) -> Result<()> {
        let progress = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&progress);
        let counted = body.inspect(move |_chunk| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let request = request.body(reqwest::Body::wrap_stream(counted));
        let sent = self.http.send_once(request);
        tokio::pin!(sent);
        let mut seen = 0;
        loop {
            match timeout(self.http.settings().timeout, &mut sent).await {
                Ok(answer) => return answer.map(drop),
                Err(_elapsed) => {
                    let now = progress.load(Ordering::Relaxed);
                    if now == seen {
                        return Err(self.http.timeout_error());
                    }
                    seen = now;
                }
            }
        }
    }
}

#[async_trait]
impl Artifacts for RestClient {
    async fn list(&self, root_uri: &str, path: &str) -> Result<Vec<FileInfo>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            files: Vec<FileInfo>,
        }
        let Root::Remote { service, prefix, authorised } = Root::of(&self.http, root_uri)? else {
            return LocalArtifacts.list(root_uri, path).await;
        };
        let query = [("path", below(&prefix, path)?)];
        let request = self.http.request(Method::GET, &service, authorised).query(&query);
        let answer = self.http.json(request, Repeat::Harmless).await;
        let answer: Answer = answer.map_err(|error| quiet(error, authorised))?;
        let mut files = Vec::with_capacity(answer.files.len());
        for mut file in answer.files {
            // The service answers names; they must not become paths that lead elsewhere.
            // A backslash is a character of names here, and climbs where files may go to later.
            let is_climbing = file.path.split('\\').any(|part| part == "..");
            if file.path.is_empty() || file.path.contains(['/', '\0']) || is_climbing {
                return Err(Error::UnexpectedAnswer {
                    url: service,
                    reason: format!("{:?} is not the name of a file", file.path),
                });
            }
            file.path = below(path.trim_matches('/'), &file.path)?;
            // Upstream leaves the size of an empty file out.
            file.file_size = (!file.is_dir).then(|| file.file_size.unwrap_or(0));
            files.push(file);
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }

    async fn download(&self, root_uri: &str, path: &str) -> Result<ByteStream> {
        let Root::Remote { service, prefix, authorised } = Root::of(&self.http, root_uri)? else {
            return LocalArtifacts.download(root_uri, path).await;
        };
        let request = self.artifact(Method::GET, &service, &prefix, path, authorised)?;
        let response = self.http.stream(request).await;
        let response = response.map_err(|error| missing(quiet(error, authorised), path))?;
        let http = self.http.clone();
        let chunks = response.bytes_stream();
        let watched = futures::stream::unfold((chunks, http), |(mut chunks, http)| async move {
            let chunk = match timeout(http.settings().timeout, chunks.next()).await {
                Ok(Some(Ok(chunk))) => Ok(chunk),
                Ok(Some(Err(error))) => Err(http.unreachable(&error)),
                Ok(None) => return None,
                Err(_elapsed) => Err(http.timeout_error()),
            };
            Some((chunk, (chunks, http)))
        });
        Ok(Box::pin(watched))
    }

    async fn upload(&self, root_uri: &str, path: &str, mut body: ByteStream) -> Result<()> {
        let Root::Remote { service, prefix, authorised } = Root::of(&self.http, root_uri)? else {
            return LocalArtifacts.upload(root_uri, path, body).await;
        };
        let request = self
            .artifact(Method::PUT, &service, &prefix, path, authorised)?
            .header(CONTENT_TYPE, "application/octet-stream");
        let mut head = BytesMut::new();
        while head.len() <= REPEATABLE_BYTES_MAX {
            let Some(chunk) = body.next().await else {
                let request = request.body(head.freeze());
                let answer = self.http.body(request, Repeat::Harmless, REPEATABLE_BYTES_MAX);
                return answer.await.map(|_empty: Bytes| ());
            };
            head.extend_from_slice(&chunk?);
        }
        let head = futures::stream::once(std::future::ready(Ok(head.freeze())));
        self.upload_stream(request, Box::pin(head.chain(body))).await
    }

    async fn delete(&self, root_uri: &str, path: &str) -> Result<()> {
        let Root::Remote { service, prefix, authorised } = Root::of(&self.http, root_uri)? else {
            return LocalArtifacts.delete(root_uri, path).await;
        };
        let request = self.artifact(Method::DELETE, &service, &prefix, path, authorised)?;
        match self.http.json(request, Repeat::Harmless).await {
            Ok(Ignored {}) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// An error without the words of a server that is not the tracking server: whoever registered the version chose
/// it, and must not read what hosts of our network answer.
fn quiet(error: Error, authorised: bool) -> Error {
    match error {
        _ if authorised => error,
        Error::Api { code, .. } => Error::api(code, "the server of the artifacts refused"),
        Error::UnexpectedAnswer { url, .. } => {
            Error::UnexpectedAnswer { url, reason: "this is no server of artifacts".to_owned() }
        }
        _ => error,
    }
}

/// Upstream answers 400 for a directory; to us neither a directory nor nothing is a file.
fn missing(error: Error, path: &str) -> Error {
    use crate::ErrorCode::{BadRequest, EndpointNotFound};
    match &error {
        Error::Api { code: BadRequest | EndpointNotFound, message } => {
            Error::not_found(format!("no such artifact: {path:?} ({message})"))
        }
        _ => error,
    }
}
