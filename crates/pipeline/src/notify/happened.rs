//! Something worth telling, and how it reads.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use trainyard_base::{Advise as _, Fault};
use trainyard_drift::{CauseNews, Episode, Told, WindowLength};

use super::config::Occasion;
use crate::event::Step;
use crate::{DriftSummary, Error, Summary};

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
    MonitorFailed(Trouble),
    /// Clients are not served although they should be.
    Outage(Trouble),
    /// What was told of as this, and began then, is over.
    Recovered { from: Occasion, since: String },
    /// Windows of production data are beyond what the rules want, or no more.
    Alert(Alert),
    /// Something that somebody did not hear when it happened.
    #[serde(serialize_with = "data_of")]
    Late(Late),
}

/// What happened, kept for whoever did not hear it: its text and data as they were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Late {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What kind of thing it was.
    pub occasion: Occasion,
    /// One line for people, with the model's name.
    pub text: String,
    /// What machines are told.
    pub data: Value,
}

impl Late {
    /// What happened to a model at this moment.
    pub fn of(happened: &Happened, model: &str, at: DateTime<Utc>) -> Self {
        let data = serde_json::to_value(happened).unwrap_or_default();
        Self { at, occasion: happened.occasion(), text: happened.text(model), data }
    }
}

fn data_of<S: Serializer>(late: &Late, serializer: S) -> Result<S::Ok, S::Error> {
    late.data.serialize(serializer)
}

/// Something that is wrong until it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What is wrong.
    pub reason: String,
    /// Since when it is seen to be, RFC 3339; with another reason it is the same trouble.
    pub since: String,
    /// Whether somebody was told of it already, with another reason.
    #[serde(skip)]
    pub is_known: bool,
}

impl Trouble {
    /// What is seen to be wrong now.
    pub fn new(reason: impl Into<String>) -> Self {
        let since = Utc::now().to_rfc3339();
        Self { reason: reason.into(), since, is_known: false }
    }
}

/// What is beyond what the rules want, or no more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// All of it in one text.
    pub text: String,
    /// What began, or began and ended since anybody was told anything.
    pub began: Vec<Episode>,
    /// What is over.
    pub over: Vec<Told>,
    /// The same cause by cause, for those who get a message for each.
    #[serde(skip)]
    pub causes: Vec<CauseNews>,
    /// All that goes on and is known to whoever is told of this.
    #[serde(skip)]
    pub firing: Vec<Episode>,
    /// How long windows are.
    #[serde(skip)]
    pub length: WindowLength,
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
            Self::MonitorFailed(_) => Occasion::MonitorFailed,
            Self::Outage(_) => Occasion::Outage,
            Self::Recovered { .. } => Occasion::Recovered,
            Self::Alert(_) => Occasion::Alert,
            Self::Late(late) => late.occasion,
        }
    }

    /// The occasion that whoever is told of it asked for: who hears of an outage hears that it is over.
    pub(super) fn wanted_as(&self) -> Occasion {
        match self {
            Self::Recovered { from, .. } => *from,
            _ => self.occasion(),
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
            Some(Step::Monitor) => Self::MonitorFailed(Trouble::new(reason)),
        }
    }

    /// One line for people.
    pub(super) fn text(&self, model: &str) -> String {
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
            Self::MonitorFailed(Trouble { reason, .. }) => {
                format!("{model}: drift could not be looked for: {reason}")
            }
            Self::Outage(Trouble { reason, .. }) => format!("{model} does not serve: {reason}"),
            Self::Recovered { from: Occasion::Outage, .. } => {
                format!("{model}: the outage is over")
            }
            Self::Recovered { .. } => format!("{model}: drift is looked for again"),
            Self::Alert(Alert { text, .. }) => format!("{model}: {text}"),
            Self::Late(Late { text, at, .. }) => {
                format!("{text} (at {})", at.format("%Y-%m-%d %H:%M UTC"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read() {
        let happened = Happened::Promoted { version: "3".to_owned(), url: None };
        assert_eq!(happened.text("Iris"), "Iris version 3 was promoted to production");
        let over = Happened::Recovered { from: Occasion::Outage, since: String::new() };
        assert_eq!(over.text("Iris"), "Iris: the outage is over");
        assert_eq!((over.occasion(), over.wanted_as()), (Occasion::Recovered, Occasion::Outage));
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
}
