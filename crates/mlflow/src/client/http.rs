//! Sends requests: authorisation, timeouts, repeats, limits, and errors in MLflow's terms.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use futures::StreamExt as _;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use reqwest::{Certificate, Client, Identity, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use url::Url;

use super::credentials::Credentials;
use super::refusal::{ERROR_BYTES_MAX, quoted, refusal};
use super::resolver::Resolver;
use super::retry::{self, Failure, Repeat};
use super::settings::Settings;
use crate::{Error, Page, Result};

/// Longest time that making a connection may take.
const CONNECT_SECONDS_MAX: u64 = 30;
/// Longest time that a connection is kept for the next request.
const CONNECTION_IDLE_SECONDS_MAX: u64 = 4;

/// Which workspace of a server a request is about.
const WORKSPACE: HeaderName = HeaderName::from_static("x-mlflow-workspace");

/// A query string, key by key.
pub(super) type Query<'a> = [(&'a str, String)];

/// One server and how it is spoken to.
#[derive(Clone)]
pub(super) struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    /// Without user info and without a slash at the end.
    base_url: String,
    headers: HeaderMap,
    settings: Settings,
    /// Whether the server ever answered.
    known: AtomicBool,
}

/// Why a try failed, and what is said if there is no other.
struct Failed {
    failure: Failure,
    retry_after: Option<Duration>,
    error: Error,
}

impl Http {
    pub(super) fn new(
        base_url: &str,
        credentials: Credentials,
        settings: &Settings,
    ) -> Result<Self> {
        let shown = crate::uri::without_credentials(base_url);
        let mut url =
            Url::parse(base_url).map_err(|error| Error::invalid(format!("{shown}: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Error::invalid(format!("{shown} is not an http(s):// URL")));
        }
        let credentials = of_url(&url).unwrap_or(credentials);
        // Setting them to nothing cannot fail: an http URL has a host.
        let _cleared = (url.set_username(""), url.set_password(None));
        url.set_query(None);
        url.set_fragment(None);
        let mut headers = HeaderMap::new();
        if let Some(value) = credentials.header()? {
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(workspace) = &settings.workspace {
            let value = HeaderValue::from_str(workspace).map_err(|_not_a_header| {
                Error::invalid(format!("no workspace is called {workspace:?}"))
            })?;
            headers.insert(WORKSPACE, value);
        }
        let inner = Inner {
            client: client(settings, url.scheme() == "https")?,
            base_url: url.as_str().trim_end_matches('/').to_owned(),
            headers,
            settings: settings.clone(),
            known: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(super) fn base_url(&self) -> &str {
        &self.inner.base_url
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// `GET` of an API path below `/api/2.0/mlflow`.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query<'_>,
    ) -> Result<T> {
        let request = self.api(Method::GET, path).query(query);
        self.json(request, Repeat::Harmless).await
    }

    /// `POST` of a JSON body, that may be sent twice.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.json(self.api(Method::POST, path).json(body), Repeat::Harmless).await
    }

    /// `POST` of a JSON body that makes something new each time.
    pub(super) async fn create<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.json(self.api(Method::POST, path).json(body), Repeat::Harmful).await
    }

    /// `PATCH` of a JSON body.
    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.json(self.api(Method::PATCH, path).json(body), Repeat::Harmless).await
    }

    /// `DELETE` with a JSON body, as the registry has it.
    pub(super) async fn delete(&self, path: &str, body: &impl Serialize) -> Result<()> {
        let request = self.api(Method::DELETE, path).json(body);
        self.json(request, Repeat::Harmless).await.map(|Ignored {}| ())
    }

    /// `GET` of a small text beside the API (`/version`).
    pub(super) async fn get_text(&self, path: &str) -> Result<String> {
        let request = self.request(Method::GET, &format!("{}{path}", self.base_url()), true);
        let body = self.body(request, Repeat::Harmless, ERROR_BYTES_MAX).await?;
        Ok(String::from_utf8_lossy(&body).trim().to_owned())
    }

    /// A request of an API path below `/api/2.0/mlflow`, or of a whole path if it starts with `/`.
    pub(super) fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.base_url();
        let url = if path.starts_with('/') {
            format!("{base}{path}")
        } else {
            format!("{base}/api/2.0/mlflow/{path}")
        };
        self.request(method, &url, true)
    }

    /// A request of any URL; our credentials go only where they belong.
    pub(super) fn request(&self, method: Method, url: &str, authorised: bool) -> RequestBuilder {
        let request = self.inner.client.request(method, url);
        if authorised { request.headers(self.inner.headers.clone()) } else { request }
    }

    /// Sends and reads a JSON answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        repeat: Repeat,
    ) -> Result<T> {
        let url = shown_url(&request);
        let body = self.body(request, repeat, self.inner.settings.response_bytes_max).await?;
        serde_json::from_slice(&body).map_err(|error| Error::UnexpectedAnswer {
            url,
            reason: format!("{error}; {}", quoted(&body)),
        })
    }

    /// Sends, with repeats, and reads the whole body of a good answer.
    pub(super) async fn body(
        &self,
        request: RequestBuilder,
        repeat: Repeat,
        bytes_max: usize,
    ) -> Result<Bytes> {
        self.repeated(request, repeat, |request| async move {
            let url = shown_url(&request);
            let limit = self.inner.settings.timeout;
            let answer = timeout(limit, async {
                let response = self.send(request).await?;
                self.read(&url, response, bytes_max).await
            });
            answer.await.unwrap_or_else(|_elapsed| Err(self.timed_out()))
        })
        .await
    }

    /// Sends, with repeats, and returns a good answer whose body is still to come.
    pub(super) async fn stream(&self, request: RequestBuilder) -> Result<Response> {
        self.repeated(request, Repeat::Harmless, |request| async move {
            let sent = timeout(self.inner.settings.timeout, self.send(request));
            sent.await.unwrap_or_else(|_elapsed| Err(self.timed_out()))
        })
        .await
    }

    /// Sends once and without a limit on time; the caller watches its body's progress.
    pub(super) async fn send_once(&self, request: RequestBuilder) -> Result<Response> {
        self.send(request).await.map_err(|failed| failed.error)
    }

    /// Tries until it works, repeating does not help, or there were enough tries.
    async fn repeated<'a, T, F>(
        &'a self,
        request: RequestBuilder,
        repeat: Repeat,
        try_once: impl Fn(RequestBuilder) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T, Failed>> + 'a,
    {
        let mut tries = 0;
        loop {
            let Some(this_try) = request.try_clone() else {
                return Err(Error::internal("a request with a streamed body cannot be repeated"));
            };
            let failed = match try_once(this_try).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            tries += 1;
            let Failed { failure, retry_after, error } = failed;
            let known = self.inner.known.load(Ordering::Relaxed);
            let chance = rand::random();
            let settings = &self.inner.settings;
            let pause = retry::pause(settings, repeat, failure, tries, known, retry_after, chance);
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, tries, ?pause, "request failed, trying again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failed> {
        let url = shown_url(&request);
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        self.inner.known.store(true, Ordering::Relaxed);
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| retry::retry_after(value, Utc::now()));
        let error = refusal(&url, response).await;
        Err(Failed { failure: Failure::Status(status.as_u16()), retry_after, error })
    }

    /// The whole body, if it is not too large and does not break off.
    async fn read(&self, url: &str, response: Response, max: usize) -> Result<Bytes, Failed> {
        let too_large = || Failed {
            failure: Failure::Final,
            retry_after: None,
            error: Error::UnexpectedAnswer {
                url: url.to_owned(),
                reason: format!("larger than {max} bytes; ask for fewer results at once"),
            },
        };
        if response.content_length().is_some_and(|length| length > max as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.broken(&error))?;
            if body.len() + chunk.len() > max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// A try that ended without an answer, or in the middle of one.
    fn broken(&self, error: &reqwest::Error) -> Failed {
        let failure = if error.is_connect() {
            Failure::Connect
        } else if error.is_builder() {
            Failure::Final
        } else {
            Failure::Broken
        };
        Failed { failure, retry_after: None, error: self.unreachable(error) }
    }

    /// The error of a connection that failed or broke off.
    pub(super) fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable { url: self.base_url().to_owned(), reason: innermost(error) }
    }

    fn timed_out(&self) -> Failed {
        Failed { failure: Failure::Broken, retry_after: None, error: self.timeout_error() }
    }

    /// The error of a server that keeps us waiting.
    pub(super) fn timeout_error(&self) -> Error {
        let seconds = self.inner.settings.timeout.as_secs_f64();
        Error::Unreachable {
            url: self.base_url().to_owned(),
            reason: format!("no answer within {seconds} seconds (MLFLOW_HTTP_REQUEST_TIMEOUT)"),
        }
    }
}

/// A page of an answer; upstream says "no more" with no token or an empty one.
pub(super) fn page<T>(items: Vec<T>, next_page_token: Option<String>) -> Page<T> {
    Page { items, next_page_token: next_page_token.filter(|token| !token.is_empty()) }
}

/// An answer that is there but empty of interest: `{}`.
#[derive(serde::Deserialize)]
pub(super) struct Ignored {}

/// A client for one server. Redirects are not followed, so only `uses_tls` makes it look for
/// certificates: an image for plain HTTP may have none.
fn client(settings: &Settings, uses_tls: bool) -> Result<Client> {
    static PROVIDER: Once = Once::new();
    // Someone else may have installed one before; then that one is used.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let mut builder = Client::builder()
        .user_agent(concat!("trainyard/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.timeout.min(Duration::from_secs(CONNECT_SECONDS_MAX)))
        // Upstream's server closes idle connections after 5 seconds; a request that meets the
        // closing would fail, and one that creates something must not simply be sent again.
        .pool_idle_timeout(Duration::from_secs(CONNECTION_IDLE_SECONDS_MAX))
        // Following would turn a POST into a GET and hide a wrong address.
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Resolver)
        .tls_danger_accept_invalid_certs(settings.insecure_tls);
    if !uses_tls {
        builder = builder.tls_certs_only([]);
    }
    if let Some(path) = settings.server_certificates.as_ref().filter(|_| uses_tls) {
        let pem = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| Error::BadFile {
            path: path.display().to_string(),
            reason: innermost(&error),
        })?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(path) = &settings.client_certificate {
        let pem = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let identity = Identity::from_pem(&pem).map_err(|error| Error::BadFile {
            path: path.display().to_string(),
            reason: innermost(&error),
        })?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(|error| {
        Error::internal(format!("cannot set up the HTTP client: {}", innermost(&error)))
    })
}

/// User info of the URL; a name alone is a token (`https://token@host`).
fn of_url(url: &Url) -> Option<Credentials> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let username = decoded(url.username());
    match url.password() {
        Some(password) => Some(Credentials::Basic { username, password: decoded(password) }),
        None if !username.is_empty() => Some(Credentials::Token(username)),
        None => None,
    }
}

/// The URL of a request for messages; it never holds credentials, because the base has none.
fn shown_url(request: &RequestBuilder) -> String {
    let built = request.try_clone().and_then(|request| request.build().ok());
    built.map_or_else(String::new, |request| {
        let mut url = request.url().clone();
        url.set_query(None);
        url.to_string()
    })
}

/// The innermost cause, which says what happened; the outer ones repeat the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
