//! Sends one delivery: signed as MLflow signs it, to an address that may be connected to, and to no other.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, header};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use trainyard_mlflow as mlflow;
use url::Url;

use super::destination::NoAddress;
use super::options::WebhookOptions;
use super::secret::signature;

/// What is read of an answer: people look at its beginning, if at all.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Longest pause that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// What is sent, and where.
#[derive(Debug)]
pub(super) struct Parcel<'a> {
    /// One that may be asked, as [`Destinations::check`](super::destination::Destinations::check) says.
    pub(super) url: &'a Url,
    /// The same for every attempt, so that receivers know what they have had.
    pub(super) delivery_id: &'a str,
    pub(super) body: &'a str,
    pub(super) secret: Option<&'a str>,
}

/// What a receiver said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    /// How long it wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    /// Whether the receiver has it.
    pub(super) fn is_taken(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }
}

/// Why nobody answered, for whoever manages webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotSent(pub(super) String);

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Connects and sends.
#[derive(Debug)]
pub(super) struct Sender {
    options: WebhookOptions,
    plain: Client,
    /// Made for the first receiver that speaks TLS: an image for plain HTTP may have no authorities' certificates.
    secure: OnceLock<Client>,
}

impl Sender {
    pub(super) fn new(options: &WebhookOptions) -> mlflow::Result<Self> {
        // Whoever was first has the same.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let plain = builder(options).tls_certs_only([]).build().map_err(|error| {
            let reason = format!("webhooks cannot be sent: {error}");
            mlflow::Error::api(mlflow::ErrorCode::InternalError, reason)
        })?;
        Ok(Self { options: options.clone(), plain, secure: OnceLock::new() })
    }

    /// Sends it once.
    pub(super) async fn send(&self, parcel: &Parcel<'_>) -> Result<Answer, NotSent> {
        let timestamp =
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let client = if parcel.url.scheme() == "https" { self.secure()? } else { &self.plain };
        let mut request = client
            .post(parcel.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("X-MLflow-Delivery-Id", parcel.delivery_id)
            .header("X-MLflow-Timestamp", &timestamp)
            .body(parcel.body.to_owned());
        if let Some(secret) = parcel.secret {
            let signature = signature(secret, parcel.delivery_id, &timestamp, parcel.body);
            request = request.header("X-MLflow-Signature", signature);
        }
        let answer = request.send().await.map_err(|error| self.why(&error))?;
        let status = answer.status().as_u16();
        let retry_after = retry_after(answer.headers());
        // Who took it has it, however the rest of the answer comes.
        let body = beginning(answer).await;
        Ok(Answer { status, body, retry_after })
    }

    fn secure(&self) -> Result<&Client, NotSent> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let made = builder(&self.options).build().map_err(|error| {
            NotSent(format!("this server knows no authorities to judge a receiver by: {error}"))
        })?;
        Ok(self.secure.get_or_init(|| made))
    }

    /// In few words, which do not tell what there is in the server's network.
    fn why(&self, error: &reqwest::Error) -> NotSent {
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            if let Some(refused) = inner.downcast_ref::<NoAddress>() {
                return NotSent(refused.to_string());
            }
            cause = inner.source();
        }
        NotSent(if error.is_timeout() {
            format!("no answer within {} s", self.options.timeout.as_secs())
        } else if error.is_connect() {
            "cannot connect to the receiver".to_owned()
        } else {
            "the receiver broke off".to_owned()
        })
    }
}

fn builder(options: &WebhookOptions) -> ClientBuilder {
    Client::builder()
        .timeout(options.timeout)
        // A proxy would be the one address that is judged.
        .no_proxy()
        .redirect(Policy::none())
        // Each connection is to an address that was judged for it.
        .pool_max_idle_per_host(0)
        .http1_only()
        .dns_resolver(options.destinations.clone())
        .user_agent(concat!("trainyard/", env!("CARGO_PKG_VERSION")))
}

async fn beginning(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(ANSWER_BYTES_MAX);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Seconds of `Retry-After`; dates, which hardly anybody sends, count as none.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_may_ask_for_an_hour_at_most() {
        let after = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("99999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
