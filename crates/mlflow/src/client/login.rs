//! Signing in at a server's provider from the command line: by a code that a person enters elsewhere (RFC 8628), or
//! with the token that a CI job is given; the server then gives a token of its own for it.

use std::time::{Duration, Instant};

use http::{Method, header};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};
use url::Url;

use super::credentials::Credentials;
use super::http::Http;
use super::settings::Settings;
use crate::{Error, ErrorCode, Result, provider_url};

/// Largest answer of a provider.
const ANSWER_BYTES_MAX: usize = 512 << 10;
/// Time for one of its answers.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How long somebody has to enter their code, whatever the provider says.
const ENTERED_MAX: Duration = Duration::from_mins(30);
/// Pause between two questions whether they have, if the provider does not say, and the longest.
const PAUSE_SECONDS: u64 = 5;
const PAUSE_SECONDS_MAX: u64 = 60;
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A provider that a server takes the word of.
#[derive(Debug, Clone, Deserialize)]
pub struct SignInProvider {
    /// Short, for whoever chooses one.
    pub name: String,
    /// As it writes itself in tokens.
    pub url: String,
    /// What a program on somebody's desk is there; none if people cannot sign in so.
    pub device_client_id: Option<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whom tokens of CI jobs have to be for; none of a provider of people.
    pub audience: Option<String>,
}

/// A code that somebody is to enter.
#[derive(Debug, Clone)]
pub struct DeviceCode {
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it, if there is such a place.
    pub complete_uri: Option<String>,
    /// What.
    pub user_code: String,
    /// What stands for the wish at the provider: nobody sees it.
    device: String,
    client_id: String,
    token_url: Url,
    until: Instant,
    pause: Duration,
}

/// What a provider says of somebody.
#[derive(Clone)]
pub struct ProviderToken {
    /// Who it is, signed.
    pub token: String,
    /// What the server may ask for more of them with.
    pub access_token: Option<String>,
}

/// Without either.
impl std::fmt::Debug for ProviderToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderToken").finish_non_exhaustive()
    }
}

impl ProviderToken {
    /// One that says everything.
    pub fn alone(token: impl Into<String>) -> Self {
        Self { token: token.into(), access_token: None }
    }
}

/// A token of the server.
#[derive(Clone, Deserialize)]
pub struct LoginToken {
    /// What `MLFLOW_TRACKING_TOKEN` is to be. It is not kept anywhere.
    pub secret: String,
    /// The rest of what is known of it.
    pub token: LoginTokenInfo,
}

/// Without the secret.
impl std::fmt::Debug for LoginToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginToken").field("token", &self.token).finish_non_exhaustive()
    }
}

/// What is known of a token.
#[derive(Debug, Clone, Deserialize)]
pub struct LoginTokenInfo {
    pub name: String,
    /// Whose it is.
    pub username: String,
    /// The most that it may do.
    pub scope: String,
    /// Milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
}

/// A server to sign in at.
#[derive(Clone)]
pub struct Login {
    server: Http,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("server", &self.server.base_url()).finish()
    }
}

fn failed(message: impl Into<String>) -> Error {
    Error::api(ErrorCode::TemporarilyUnavailable, message)
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

/// What somebody else wrote, fit for one line of a terminal.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Refuses a server that is asked over http on another machine. Who reads along there gets what a provider says of
/// somebody; and who answers in its place says whom the token of a CI job is to be for, which may be a cloud.
fn check_server(server: &str) -> Result<()> {
    match Url::parse(server) {
        Ok(url) if url.scheme() == "http" => {
            let origin = url.origin().ascii_serialization();
            provider_url(&origin).map(|_url| ()).map_err(Error::invalid)
        }
        // What is no URL of a server is refused where it is opened.
        _ => Ok(()),
    }
}

/// Whether an audience is a server's own: its URL, wherever below it. Another server's tokens are for that one's.
fn is_audience_of(server: &str, audience: &str) -> bool {
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    origin(server).is_some_and(|server| server.is_tuple() && origin(audience) == Some(server))
}

/// Refuses an audience that a server names for the token of a CI job, and that is neither the server itself, by its URL,
/// nor whom somebody has named. Else a server could ask for a token by which it gets into another one, or into a cloud.
fn check_audience(server: &str, audience: &str, named: Option<&str>) -> Result<()> {
    if named == Some(audience) || is_audience_of(server, audience) {
        return Ok(());
    }
    let (server, audience) = (crate::uri::without_credentials(server), shown(audience));
    Err(Error::invalid(format!(
        "the server at {server} asks for a token for '{audience}', which is not its URL: whoever gets it can use it \
         there. If that is right, name it: --audience '{audience}'; else the server's administrator writes its URL \
         into audiences"
    )))
}

/// A client for a provider. What makes the tracking server's certificate pass does not make its pass.
fn provider_client(url: &str) -> Result<Http> {
    Http::new(url, Credentials::None, &Settings::default())
}

/// Sends a request to a provider; its status and the JSON object that it answers with.
async fn asked(url: &Url, request: RequestBuilder) -> Result<(u16, Map<String, Value>)> {
    let ask = async {
        let request = request.header(header::ACCEPT, "application/json");
        let mut answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.ok()? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return None;
            }
            bytes.extend_from_slice(&chunk);
        }
        let members: Map<String, Value> = serde_json::from_slice(&bytes).ok()?;
        Some((status, members))
    };
    match timeout(ANSWER_MAX, ask).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(failed(format!("{url} cannot be asked, or answers with no JSON object"))),
        Err(_late) => {
            Err(failed(format!("{url} did not answer within {} s", ANSWER_MAX.as_secs())))
        }
    }
}

/// The same of a form.
async fn posted(
    client: &Http,
    url: &Url,
    form: &[(&str, &str)],
) -> Result<(u16, Map<String, Value>)> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = client
        .request(Method::POST, url.as_str(), false)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    asked(url, request).await
}

/// An address of a provider's document.
fn address(document: &Map<String, Value>, name: &str) -> Result<Option<Url>> {
    let Some(text) = text(document, name) else { return Ok(None) };
    provider_url(text).map(Some).map_err(|error| failed(format!("{name}: {error}")))
}

impl Login {
    /// A server by its URL, with MLflow's variables for TLS. Nobody is signed in there yet.
    ///
    /// # Errors
    ///
    /// The URL goes over http to another machine.
    pub fn open(server: &str) -> Result<Self> {
        check_server(server)?;
        let settings = Settings { retries: 1, ..Settings::from_env()? };
        Ok(Self { server: Http::new(server, Credentials::None, &settings)? })
    }

    /// The providers whose word the server takes.
    pub async fn providers(&self) -> Result<Vec<SignInProvider>> {
        #[derive(Deserialize)]
        struct Answer {
            issuers: Vec<SignInProvider>,
        }
        let answer: Answer = self.server.get("/api/3.0/trainyard/sign-in", &[]).await?;
        Ok(answer.issuers)
    }

    /// A token of the server for one of a provider, which was just made.
    pub async fn exchange(&self, token: &ProviderToken) -> Result<LoginToken> {
        let path = "/api/3.0/trainyard/sign-in/token";
        let body = json!({ "token": token.token.trim(), "access_token": token.access_token });
        self.server.create(path, &body).await
    }
}

impl SignInProvider {
    /// Asks for a code that somebody is to enter.
    pub async fn device_code(&self) -> Result<DeviceCode> {
        let Some(client_id) = self.device_client_id.clone() else {
            return Err(Error::invalid(format!("nobody signs in at '{}' by a code", self.name)));
        };
        let place = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let place = provider_url(&place).map_err(Error::invalid)?;
        let client = provider_client(place.as_str())?;
        let (_status, document) =
            asked(&place, client.request(Method::GET, place.as_str(), false)).await?;
        if text(&document, "issuer") != Some(self.url.as_str()) {
            return Err(failed(format!("{place} is of another provider than '{}'", self.name)));
        }
        let devices = address(&document, "device_authorization_endpoint")?;
        let (Some(devices), Some(token_url)) = (devices, address(&document, "token_endpoint")?)
        else {
            return Err(failed(format!("'{}' lets nobody sign in by a code", self.name)));
        };
        let scopes = self.scopes.join(" ");
        let form = [("client_id", client_id.as_str()), ("scope", scopes.as_str())];
        let (_status, answer) = posted(&client, &devices, &form).await?;
        let needed = |name: &str| {
            text(&answer, name).map(str::to_owned).ok_or_else(|| {
                let said = text(&answer, "error").unwrap_or("no code");
                failed(format!("{devices} gives no code: {}", shown(said)))
            })
        };
        let number = |name: &str| answer.get(name).and_then(Value::as_u64);
        let pause = number("interval").unwrap_or(PAUSE_SECONDS).clamp(1, PAUSE_SECONDS_MAX);
        let life = number("expires_in").map_or(ENTERED_MAX, Duration::from_secs).min(ENTERED_MAX);
        Ok(DeviceCode {
            verification_uri: shown(&needed("verification_uri")?),
            complete_uri: text(&answer, "verification_uri_complete").map(shown),
            user_code: shown(&needed("user_code")?),
            device: needed("device_code")?,
            client_id,
            token_url,
            until: Instant::now() + life,
            pause: Duration::from_secs(pause),
        })
    }

    /// The token of a CI job that may ask for one (GitHub Actions with `id-token: write`); none elsewhere. It is for the
    /// server of `login`, or for whom somebody has named.
    ///
    /// # Errors
    ///
    /// The server asks for a token for somebody else, or the CI gives none.
    pub async fn token_of_job(
        &self,
        login: &Login,
        named: Option<&str>,
    ) -> Result<Option<ProviderToken>> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (Some(audience), Some(url), Some(request_token)) = (
            &self.audience,
            variable("ACTIONS_ID_TOKEN_REQUEST_URL"),
            variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        ) else {
            return Ok(None);
        };
        check_audience(login.server.base_url(), audience, named)?;
        let mut url = provider_url(&url).map_err(Error::invalid)?;
        url.query_pairs_mut().append_pair("audience", audience);
        let client = provider_client(url.as_str())?;
        let request = client.request(Method::GET, url.as_str(), false).bearer_auth(request_token);
        let mut shown = url.clone();
        shown.set_query(None);
        let (status, answer) = asked(&shown, request).await?;
        match text(&answer, "value") {
            Some(token) => Ok(Some(ProviderToken::alone(token))),
            None => Err(failed(format!("{shown} answers with {status} and no token"))),
        }
    }
}

impl DeviceCode {
    /// Waits until the code was entered; the token of whoever did.
    pub async fn entered(self) -> Result<ProviderToken> {
        let client = provider_client(self.token_url.as_str())?;
        let form = [
            ("grant_type", DEVICE_GRANT),
            ("device_code", self.device.as_str()),
            ("client_id", self.client_id.as_str()),
        ];
        let mut pause = self.pause;
        while Instant::now() < self.until {
            sleep(pause).await;
            let (_status, answer) = posted(&client, &self.token_url, &form).await?;
            match (text(&answer, "id_token"), text(&answer, "error")) {
                (Some(token), _) => {
                    let access_token = text(&answer, "access_token").map(str::to_owned);
                    return Ok(ProviderToken { token: token.to_owned(), access_token });
                }
                (None, Some("authorization_pending")) => {}
                // RFC 8628, 3.5.
                (None, Some("slow_down")) => pause += Duration::from_secs(PAUSE_SECONDS),
                (None, Some("access_denied")) => {
                    return Err(Error::api(ErrorCode::Unauthenticated, "the sign-in was refused"));
                }
                (None, Some("expired_token")) => break,
                (None, other) => {
                    let said = other.unwrap_or("no id_token; the scope openid is needed");
                    return Err(failed(format!("{}: {}", self.token_url, shown(said))));
                }
            }
        }
        Err(Error::api(
            ErrorCode::Unauthenticated,
            "the code was not entered in time; sign in again",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_signs_in_where_others_read_along() {
        for url in
            ["https://mlflow.example.com/p", "http://127.0.0.1:5000", "http://localhost:5000"]
        {
            check_server(url).unwrap();
        }
        let error = check_server("http://ada:secret@mlflow.example.com/p").unwrap_err().to_string();
        assert!(error.contains("use https") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_server_gets_tokens_for_itself_alone() {
        let server = "https://mlflow.example.com/p";
        for own in ["https://mlflow.example.com", "https://MLflow.example.com:443/x"] {
            assert!(is_audience_of(server, own), "{own}");
        }
        for of_another in [
            "https://mlflow.example.com.evil.example",
            "https://other.example.com",
            "http://mlflow.example.com",
            "https://mlflow.example.com:8443",
            "sts.amazonaws.com",
            "mlflow.example.com",
            "urn:mlflow",
            "",
        ] {
            assert!(!is_audience_of(server, of_another), "{of_another}");
        }
        check_audience(server, "https://mlflow.example.com", None).unwrap();
        check_audience(server, "team", Some("team")).unwrap();
        let error = check_audience(server, "sts.amazonaws.com", Some("team")).unwrap_err();
        assert!(error.to_string().contains("'sts.amazonaws.com'"), "{error}");
    }
}
