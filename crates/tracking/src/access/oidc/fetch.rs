//! What is asked of providers over HTTP: small documents, soon, from where the settings say and nowhere else.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use http::header;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, StatusCode};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use trainyard_mlflow::Error;
use url::Url;

use super::refused::Refused;

/// Largest document: keys of a large provider are some 30 kB.
const DOCUMENT_BYTES_MAX: usize = 512 << 10;
/// Time for a whole answer: somebody waits in front of a page.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Time to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Requests to providers at a time.
const AT_A_TIME_MAX: usize = 8;
/// Requests that wait for one of those.
const WAITING_MAX: usize = 64;
/// What is shown of an answer that is an error.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// Asks providers.
pub(super) struct Fetcher {
    plain: Client,
    /// Made for the first provider that speaks TLS: an image for plain HTTP may have no authorities' certificates.
    secure: OnceLock<Client>,
    turns: Semaphore,
    waiting: Semaphore,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

impl Fetcher {
    pub(super) fn new() -> Result<Self, Error> {
        // Whoever was first has the same.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let plain = builder().no_proxy().tls_certs_only([]).build();
        let plain = plain
            .map_err(|error| Error::internal(format!("providers cannot be asked: {error}")))?;
        Ok(Self {
            plain,
            secure: OnceLock::new(),
            turns: Semaphore::new(AT_A_TIME_MAX),
            waiting: Semaphore::new(WAITING_MAX),
        })
    }

    fn client(&self, url: &Url) -> Result<&Client, Refused> {
        if url.scheme() == "http" {
            return Ok(&self.plain);
        }
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let made = builder().https_only(true).build().map_err(|error| {
            Refused::provider(format!(
                "this server knows no authorities to judge a provider by: {error}"
            ))
        })?;
        Ok(self.secure.get_or_init(|| made))
    }

    /// The JSON object at a URL.
    pub(super) async fn get(&self, url: &Url) -> Result<Map<String, Value>, Refused> {
        self.send(url, self.client(url)?.get(url.clone())).await
    }

    /// The same, asked for with a token of the provider's own.
    pub(super) async fn get_as(
        &self,
        url: &Url,
        access_token: &str,
    ) -> Result<Map<String, Value>, Refused> {
        self.send(url, self.client(url)?.get(url.clone()).bearer_auth(access_token)).await
    }

    /// The answer to a form; `basic` is the name and secret of whoever sends it.
    pub(super) async fn post(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Result<Map<String, Value>, Refused> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = self
            .client(url)?
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        if let Some((name, secret)) = basic {
            // RFC 6749, 2.3.1: both are encoded as in a form first.
            let encoded = |text: &str| {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
            };
            request = request.basic_auth(encoded(name), Some(encoded(secret)));
        }
        self.send(url, request).await
    }

    async fn send(
        &self,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<Map<String, Value>, Refused> {
        let Ok(_waiting) = self.waiting.try_acquire() else { return Err(Refused::Busy) };
        let Ok(_turn) = self.turns.acquire().await else { return Err(Refused::Busy) };
        let failed = |error: &reqwest::Error| Refused::provider(format!("{url}: {}", why(error)));
        let request = request.header(header::ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            if bytes.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(Refused::provider(format!(
                    "{url} answers with more than {DOCUMENT_BYTES_MAX} bytes"
                )));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_redirection() {
            return Err(Refused::provider(format!(
                "{url} sends elsewhere ({status}), and nothing is followed"
            )));
        }
        let body = serde_json::from_slice::<Value>(&bytes);
        match body {
            Ok(Value::Object(members)) if status.is_success() => Ok(members),
            Ok(Value::Object(members)) => Err(Refused::provider(error_of(url, status, &members))),
            _ if !status.is_success() => {
                Err(Refused::provider(format!("{url} answers with {status}")))
            }
            _ => Err(Refused::provider(format!(
                "{url} answers with something that is no JSON object"
            ))),
        }
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .timeout(ANSWER_MAX)
        .connect_timeout(CONNECT_MAX)
        .redirect(Policy::none())
        .user_agent(concat!("trainyard/", env!("CARGO_PKG_VERSION")))
}

/// In few words.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        format!("no whole answer within {} s", ANSWER_MAX.as_secs())
    } else if error.is_connect() {
        "cannot connect".to_owned()
    } else {
        "the answer broke off".to_owned()
    }
}

/// What an answer of OAuth says of its error (RFC 6749, 5.2).
fn error_of(url: &Url, status: StatusCode, members: &Map<String, Value>) -> String {
    let texts = ["error", "error_description"].into_iter().filter_map(|key| members.get(key));
    let said = texts.filter_map(Value::as_str).collect::<Vec<_>>().join(": ");
    format!("{url} answers with {status} ({})", shown(&said))
}

/// A text of somebody else, as far as it is fit for a line.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_short_and_on_one_line() {
        assert_eq!(shown("a\r\nb\u{1b}[0m"), "ab[0m");
        assert_eq!(shown(&"x".repeat(1000)).len(), SHOWN_CHARACTERS_MAX);
    }
}
