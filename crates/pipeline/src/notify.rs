//! Tells other programs what a pipeline did: signed JSON for machines, a Slack message for people.
//!
//! The signature is that of Standard Webhooks (standardwebhooks.com): `webhook-signature` is `v1,` and
//! the base64 of HMAC-SHA256 over `id.timestamp.body`, with `webhook-id` and `webhook-timestamp` beside
//! it. A message that cannot be delivered never fails the pipeline; it is logged.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;
use trainyard_base::{Advise as _, Fault};
use trainyard_drift::{Episode, Told};

use crate::event::Step;
use crate::notify_config::{Notify, Occasion};
use crate::{DriftSummary, Error, Project, Summary};

/// Each delivery is tried this often.
const TRIES_MAX: u32 = 3;

/// Pause after the first failure; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// A receiver that takes longer is treated as down.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Happened {
    /// A version was promoted and, where the pipeline deploys, serves.
    Promoted { version: String, url: Option<String> },
    /// An earlier version serves again.
    RolledBack { version: Option<String>, reason: String },
    /// Production data has drifted, or nobody can tell whether it has.
    Drift(DriftSummary),
    /// The gate refused a version.
    GateFailed { reason: String },
    /// A training failed, or could not begin.
    TrainingFailed { reason: String },
    /// A version that was trained could not be put in production.
    DeployFailed { reason: String },
    /// Drift could not be looked for.
    MonitorFailed { reason: String },
    /// Clients are not served although they should be.
    Outage { reason: String },
    /// Windows of production data are beyond what the rules want, or no more.
    Alert { text: String, began: Vec<Episode>, over: Vec<Told> },
}

impl Happened {
    /// What kind of thing it is.
    pub fn occasion(&self) -> Occasion {
        match self {
            Self::Promoted { .. } => Occasion::Promoted,
            Self::RolledBack { .. } => Occasion::RolledBack,
            Self::Drift(_) => Occasion::Drift,
            Self::GateFailed { .. } => Occasion::GateFailed,
            Self::TrainingFailed { .. } => Occasion::TrainingFailed,
            Self::DeployFailed { .. } => Occasion::DeployFailed,
            Self::MonitorFailed { .. } => Occasion::MonitorFailed,
            Self::Outage { .. } => Occasion::Outage,
            Self::Alert { .. } => Occasion::Alert,
        }
    }

    /// What a run that ended well is worth telling.
    pub(crate) fn of(summary: &Summary) -> Vec<Self> {
        let mut happened = vec![Self::Promoted {
            version: summary.model.version.clone(),
            url: Some(summary.url.clone()),
        }];
        happened.extend(
            summary.drift.iter().filter(|drift| drift.is_alarming()).cloned().map(Self::Drift),
        );
        happened
    }

    /// What a failure is worth telling, if anything: a slip of whoever typed the verb is not.
    pub fn of_failure(error: &Error) -> Option<Self> {
        match error {
            Error::Gate(verdict) => Some(Self::GateFailed { reason: verdict.to_string() }),
            Error::Deploy(trainyard_deploy::Error::WentBack { reason, .. }) => {
                Some(Self::RolledBack { version: None, reason: reason.clone() })
            }
            Error::Deploy(_) if error.fault() != Fault::Input => {
                Some(Self::DeployFailed { reason: error.message() })
            }
            _ => None,
        }
    }

    /// What the failure of a step of a run is worth telling; one in no step is that it could not begin.
    pub fn of_failed_step(step: Option<Step>, error: &Error) -> Self {
        if let Some(happened) = Self::of_failure(error) {
            return happened;
        }
        let reason = error.message();
        match step {
            None | Some(Step::Train) => Self::TrainingFailed { reason },
            Some(Step::Gate | Step::Promote | Step::Deploy | Step::Traffic) => {
                Self::DeployFailed { reason }
            }
            Some(Step::Monitor) => Self::MonitorFailed { reason },
        }
    }

    /// One line for people.
    fn text(&self, model: &str) -> String {
        match self {
            Self::Promoted { version, url: Some(url) } => {
                format!("{model} version {version} is in production at {url}")
            }
            Self::Promoted { version, url: None } => {
                format!("{model} version {version} was promoted to production")
            }
            Self::RolledBack { version: Some(version), reason } => {
                format!("{model} went back to version {version}: {reason}")
            }
            Self::RolledBack { version: None, reason } => {
                format!("{model} went back to the version before: {reason}")
            }
            Self::Drift(drift) => format!("{model}: {}", drift.sentence()),
            Self::GateFailed { reason } => format!("{model}: {reason}"),
            Self::TrainingFailed { reason } => format!("{model} could not be trained: {reason}"),
            Self::DeployFailed { reason } => {
                format!("{model}: the new version could not be put in production: {reason}")
            }
            Self::MonitorFailed { reason } => {
                format!("{model}: drift could not be looked for: {reason}")
            }
            Self::Outage { reason } => format!("{model} does not serve: {reason}"),
            Self::Alert { text, .. } => format!("{model}: {text}"),
        }
    }
}

/// The signed message.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: Occasion,
    /// RFC 3339.
    timestamp: String,
    model: &'a str,
    text: String,
    data: &'a Happened,
}

/// Tells whoever the project names. Returns when everybody was told or given up.
pub async fn notify(project: &Project, happened: &[Happened]) {
    for one in happened {
        // It is no failure of the pipeline that nobody listens.
        let _is_told = tell(project, one).await;
    }
}

/// The same of one thing; whether somebody heard it, or nobody wants to. What nobody heard may be told again.
pub(crate) async fn tell(project: &Project, happened: &Happened) -> bool {
    let config = &project.config.notify;
    let model = &project.config.model.name;
    if !config.on.contains(&happened.occasion()) {
        return true;
    }
    let webhook = tell_webhook(config, model, happened).await;
    let slack = tell_slack(config, model, happened).await;
    for (whom, told) in [("the webhook", &webhook), ("Slack", &slack)] {
        if let Err(reason) = told {
            tracing::warn!(reason, "{whom} was not told");
        }
    }
    let has_heard = webhook == Ok(true) || slack == Ok(true);
    has_heard || (webhook.is_ok() && slack.is_ok())
}

/// Whether it was told: it may not be wanted.
async fn tell_webhook(config: &Notify, model: &str, happened: &Happened) -> Result<bool, String> {
    let (Some(url), Some(secret)) = (&config.webhook_url_env, &config.webhook_secret_env) else {
        return Ok(false);
    };
    let (url, secret) = (variable(url)?, variable(secret)?);
    let now = chrono::Utc::now();
    let message = Message {
        kind: happened.occasion(),
        timestamp: now.to_rfc3339(),
        model,
        text: happened.text(model),
        data: happened,
    };
    let body = serde_json::to_string(&message).map_err(|error| error.to_string())?;
    // The same for every try, so that a receiver knows what it has had.
    let id = format!("msg_{}_{}", now.timestamp_micros(), std::process::id());
    let timestamp = now.timestamp().to_string();
    let signature = sign(&secret, &id, &timestamp, &body)?;
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", format!("v1,{signature}")),
    ];
    deliver(&url, &headers, body).await.map(|()| true)
}

/// The same of Slack.
async fn tell_slack(config: &Notify, model: &str, happened: &Happened) -> Result<bool, String> {
    let Some(url) = &config.slack_url_env else { return Ok(false) };
    let url = variable(url)?;
    let body = serde_json::json!({ "text": slack_text(&happened.text(model)) }).to_string();
    deliver(&url, &[], body).await.map(|()| true)
}

/// Slack takes these three characters for its own.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn variable(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(value) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
        _ => Err(format!("the variable {name}, which [notify] names, is not set")),
    }
}

/// Base64 of HMAC-SHA256 over `id.timestamp.body`. A secret written as `whsec_…` is base64 itself.
fn sign(secret: &str, id: &str, timestamp: &str, body: &str) -> Result<String, String> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|error| {
            format!("the webhook's secret begins with whsec_ but is not base64: {error}")
        })?,
        None => secret.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(STANDARD.encode(mac.finalize().into_bytes()))
}

/// Posts until somebody takes it; the URL may be a secret and is in no message.
async fn deliver(url: &str, headers: &[(&str, String)], body: String) -> Result<(), String> {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| error.without_url().to_string())?;
    let mut pause = PAUSE;
    let mut last = String::new();
    for attempt in 1..=TRIES_MAX {
        let mut request =
            client.post(url).header("content-type", "application/json").body(body.clone());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => {
                last = format!("answered {}", answer.status());
                let may_pass = answer.status().is_server_error() || answer.status() == 429;
                if !may_pass {
                    break;
                }
            }
            Err(error) => last = error.without_url().to_string(),
        }
        if attempt < TRIES_MAX {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // The example of the specification.
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.unwrap(), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(sign("whsec_%", "a", "1", "").unwrap_err().contains("base64"));
    }

    #[test]
    fn what_people_read() {
        let happened = Happened::GateFailed { reason: "accuracy is <0.9>".to_owned() };
        assert_eq!(slack_text(&happened.text("Iris")), "Iris: accuracy is &lt;0.9&gt;");
        let happened = Happened::Promoted { version: "3".to_owned(), url: None };
        assert_eq!(happened.text("Iris"), "Iris version 3 was promoted to production");
    }

    #[test]
    fn what_failed_is_told_by_the_step() {
        let error = Error::Settings("http://me:secret@host is not there".to_owned());
        let told = |step| {
            let happened = Happened::of_failed_step(step, &error);
            assert!(!happened.text("Iris").contains("secret"), "{happened:?}");
            happened.occasion()
        };
        assert_eq!(told(None), Occasion::TrainingFailed);
        assert_eq!(told(Some(Step::Train)), Occasion::TrainingFailed);
        assert_eq!(told(Some(Step::Promote)), Occasion::DeployFailed);
        assert_eq!(told(Some(Step::Monitor)), Occasion::MonitorFailed);
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = variable("TRAINYARD_NOT_SET_ANYWHERE").unwrap_err();
        assert!(error.contains("TRAINYARD_NOT_SET_ANYWHERE"), "{error}");
    }
}
