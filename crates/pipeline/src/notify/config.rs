//! `[notify]`: who is told what. Addresses and secrets come from the environment or from files; the file of the project
//! only names them.

use serde::{Deserialize, Serialize};

use super::alertmanager_config::Alertmanager;
use super::credential::check_variable;
use super::email_config::Email;

/// Alertmanagers that are told: a cluster has three.
const ALERTMANAGERS_MAX: usize = 8;

/// `[notify]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Variable with the URL that gets signed JSON.
    pub webhook_url_env: Option<String>,
    /// Variable with the secret it is signed with.
    pub webhook_secret_env: Option<String>,
    /// Variable with the URL of an incoming webhook of Slack, or of what understands the same.
    pub slack_url_env: Option<String>,
    /// A mail server, and who gets mail.
    pub email: Option<Email>,
    /// Alertmanagers, each of which is told all.
    pub alertmanager: Vec<Alertmanager>,
    /// Where people look: it is in mails, and what an Alertmanager calls the generator. The model's page of a tracking
    /// server, if none.
    pub link: Option<String>,
    /// What is told; everything if not said otherwise.
    pub on: Vec<Occasion>,
}

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A version was promoted.
    Promoted,
    /// An earlier version serves again.
    RolledBack,
    /// Production data has drifted, or nobody can tell whether it has.
    Drift,
    /// The gate refused a version.
    GateFailed,
    /// A training failed, or could not begin.
    TrainingFailed,
    /// A version that was trained could not be put in production.
    DeployFailed,
    /// Drift could not be looked for.
    MonitorFailed,
    /// Clients are not served although they should be.
    Outage,
    /// What went on and was told is over; to those who are told of the former.
    Recovered,
    /// Windows of production data are beyond what the rules want, or no more.
    Alert,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            webhook_url_env: None,
            webhook_secret_env: None,
            slack_url_env: None,
            email: None,
            alertmanager: Vec::new(),
            link: None,
            on: vec![
                Occasion::Promoted,
                Occasion::RolledBack,
                Occasion::Drift,
                Occasion::GateFailed,
                Occasion::TrainingFailed,
                Occasion::DeployFailed,
                Occasion::MonitorFailed,
                Occasion::Outage,
                Occasion::Recovered,
                Occasion::Alert,
            ],
        }
    }
}

impl Notify {
    /// Rules that span keys.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (&self.webhook_url_env, &self.webhook_secret_env) {
            (Some(_), None) => Err("[notify] has `webhook_url_env` but no `webhook_secret_env`: \
                 messages are signed, or anybody could send them"
                .to_owned()),
            (None, Some(_)) => {
                Err("[notify] has `webhook_secret_env` but no `webhook_url_env`".to_owned())
            }
            _ => Ok(()),
        }?;
        let names = [&self.webhook_url_env, &self.webhook_secret_env, &self.slack_url_env];
        for name in names.into_iter().flatten() {
            check_variable("[notify]", name)?;
        }
        if let Some(link) = &self.link {
            let url = reqwest::Url::parse(link);
            let is_fine = url.is_ok_and(|url| {
                ["http", "https"].contains(&url.scheme())
                    && url.username().is_empty()
                    && url.password().is_none()
            });
            if !is_fine {
                return Err(
                    "notify.link: an http:// or https:// URL without a password in it".to_owned()
                );
            }
        }
        if let Some(email) = &self.email {
            email.check().map_err(|error| format!("[notify.email] {error}"))?;
        }
        if self.alertmanager.len() > ALERTMANAGERS_MAX {
            return Err(format!("[[notify.alertmanager]]: at most {ALERTMANAGERS_MAX} are told"));
        }
        for one in &self.alertmanager {
            one.check().map_err(|error| format!("[[notify.alertmanager]] {error}"))?;
        }
        Ok(())
    }
}
