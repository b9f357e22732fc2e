//! What a release is told: what to run, and when the new instance counts as good. It is kept with the
//! instance, for the release after it and for a rollback.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trainyard_base::words::{HEALTH_PATH, PROBE_ID_VARIABLE, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE};

use super::canary_step::CanaryStep;
use super::cause::Cause;
use crate::error::{Error, Result};
use crate::instance_token::InstanceToken;
use crate::probe::Probe;
use crate::replica_id::REPLICAS_MAX;
use crate::workload::Workload;

/// What to release and when it counts as good.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSpec {
    /// What runs, and in what.
    #[serde(flatten)]
    pub workload: Workload,
    /// Arguments of the program; `{port}` and `{address}` (`127.0.0.1:port`) are replaced.
    pub args: Vec<String>,
    /// Variables beside those that every program of the machine goes by; `{port}` and `{address}` are replaced
    /// in values.
    /// Kept in the service's folder (readable by its owner alone) for a rollback.
    pub env: Vec<(String, String)>,
    /// Working folder of the program; `None` is the deployer's.
    pub working_dir: Option<PathBuf>,
    /// Variable that carries the port as well; `None` for none.
    pub port_env: Option<String>,
    /// Answers 2xx when the instance can serve.
    pub health_path: String,
    /// One real request that must succeed before traffic comes.
    pub prediction: Option<Probe>,
    /// Time from the start until the instance must have passed all probes.
    pub deadline: Duration,
    /// Health probes that must succeed in a row.
    pub successes_in_row: u32,
    /// How long requests that the old instance is working on may take after the switch.
    pub drain_limit: Duration,
    /// How long the old instance is kept warm after the switch; it takes over again if the new one fails.
    pub bake: Duration,
    /// How long an instance may take to end after SIGTERM before it is killed.
    pub stop_grace: Duration,
    /// When the new instance counts as bad while the old one is still warm.
    #[serde(default)]
    pub bake_limits: BakeLimits,
    /// How long green gets copies of the requests before it gets any itself; zero for not at all.
    #[serde(default)]
    pub shadow: Duration,
    /// Shares of the requests that green gets before it gets all.
    #[serde(default)]
    pub canary: Vec<CanaryStep>,
    /// The header by which a client stays on one side of the canary; each request on its own if none.
    #[serde(default)]
    pub canary_header: Option<String>,
    /// Instances that serve it.
    #[serde(default = "one")]
    pub replicas: u32,
    /// Who releases it, and why.
    #[serde(default)]
    pub cause: Cause,
    /// What is being released, for people (`model`, `version`, …); what has another label is another release.
    pub label: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

/// What the gateway does not accept of a new instance while the old one is still warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BakeLimits {
    /// Answers out of a hundred that may be 5xx or missing, beyond what the old instance had.
    pub errors_percent: u32,
    /// Time within which 95 of a hundred answers must begin; `None` for any time.
    pub latency: Option<Duration>,
    /// Requests before either is judged: one bad answer of two says nothing.
    pub min_requests: u64,
    /// Whether requests are asked of the old instance as well, to judge what the new one refuses and
    /// predicts.
    pub answers: bool,
    /// Predictions out of a hundred that may be of other classes than those of the old instance, by the
    /// shares of all classes.
    pub class_shift_percent: u32,
    /// How far in a hundred the distribution of scores may be away; `None` for any distance.
    pub score_shift_percent: Option<u32>,
}

impl Default for BakeLimits {
    fn default() -> Self {
        Self {
            errors_percent: 10,
            latency: None,
            min_requests: 20,
            answers: true,
            class_shift_percent: 50,
            // Scores that lie close together are all away after a small shift that is no harm.
            score_shift_percent: None,
        }
    }
}

impl ReleaseSpec {
    /// A release with the usual limits.
    pub fn new(workload: Workload) -> Self {
        Self {
            workload,
            args: Vec::new(),
            env: Vec::new(),
            working_dir: None,
            port_env: Some("PORT".to_owned()),
            health_path: HEALTH_PATH.to_owned(),
            prediction: None,
            deadline: Duration::from_mins(1),
            successes_in_row: 2,
            drain_limit: Duration::from_secs(30),
            bake: Duration::from_secs(1),
            stop_grace: Duration::from_secs(10),
            bake_limits: BakeLimits::default(),
            shadow: Duration::ZERO,
            canary: Vec::new(),
            canary_header: None,
            replicas: one(),
            cause: Cause::default(),
            label: BTreeMap::new(),
        }
    }

    /// Refuses what cannot be released.
    pub(crate) fn check(&self) -> Result<()> {
        if (1..=REPLICAS_MAX).contains(&self.replicas) {
            return Ok(());
        }
        Err(Error::Replicas { wanted: self.replicas })
    }

    /// The request id by which an instance knows what no user asked; empty if it knows none.
    pub fn copy_id(&self) -> String {
        let of_probe = self.prediction.as_ref().map(|probe| &probe.request_id);
        let of_variable =
            self.env.iter().find(|(name, _)| name == PROBE_ID_VARIABLE).map(|(_, value)| value);
        let known = of_probe.filter(|id| !id.is_empty()).or(of_variable);
        known.cloned().unwrap_or_default()
    }

    /// The token that its instances ask for, by their environment; none if they ask for none.
    pub fn token(&self) -> Option<InstanceToken> {
        let of = |wanted: &str| {
            let mut found = self.env.iter().rev().filter(|(name, _)| name == wanted);
            found.next().map(|(_, value)| value)
        };
        if let Some(secret) = of(TOKEN_VARIABLE) {
            return InstanceToken::of(secret);
        }
        let path = of(TOKEN_FILE_VARIABLE).filter(|path| !path.is_empty())?;
        match std::fs::read_to_string(path) {
            Ok(text) => InstanceToken::of(&text),
            Err(error) => {
                tracing::warn!(path, %error, "the token of an instance cannot be read");
                None
            }
        }
    }
}

/// Values of variables may be secrets: only their names are shown.
impl fmt::Debug for ReleaseSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ReleaseSpec")
            .field("workload", &self.workload)
            .field("args", &self.args)
            .field("env (names)", &names)
            .field("health_path", &self.health_path)
            .field("prediction", &self.prediction)
            .field("deadline", &self.deadline)
            .field("successes_in_row", &self.successes_in_row)
            .field("drain_limit", &self.drain_limit)
            .field("bake", &self.bake)
            .field("replicas", &self.replicas)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut spec = ReleaseSpec::new(Workload::process("/bin/true"));
        spec.env.push(("TOKEN".to_owned(), "hunter2".to_owned()));
        let text = format!("{spec:?}");
        assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_token_is_in_the_environment_or_in_a_file() {
        let mut spec = ReleaseSpec::new(Workload::process("/bin/true"));
        assert_eq!(spec.token(), None);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token").display().to_string();
        spec.env.push((TOKEN_FILE_VARIABLE.to_owned(), file.clone()));
        assert_eq!(spec.token(), None);
        std::fs::write(&file, "of a file\n").unwrap();
        assert_eq!(spec.token(), InstanceToken::of("of a file"));
        spec.env.push((TOKEN_VARIABLE.to_owned(), "itself".to_owned()));
        assert_eq!(spec.token(), InstanceToken::of("itself"));
    }

    #[test]
    fn a_release_of_before_is_read() {
        let text = r#"{"command": "/bin/true", "args": ["serve"], "env": [["A", "1"]],
            "working_dir": null, "port_env": "PORT", "health_path": "/health", "prediction": null,
            "deadline": {"secs": 60, "nanos": 0}, "successes_in_row": 2,
            "drain_limit": {"secs": 30, "nanos": 0}, "bake": {"secs": 1, "nanos": 0},
            "stop_grace": {"secs": 10, "nanos": 0}, "label": {"version": "3"}}"#;
        let mut expected = ReleaseSpec::new(Workload::process("/bin/true"));
        expected.args = vec!["serve".to_owned()];
        expected.env = vec![("A".to_owned(), "1".to_owned())];
        expected.label.insert("version".to_owned(), "3".to_owned());
        assert_eq!(serde_json::from_str::<ReleaseSpec>(text).unwrap(), expected);
        let written = serde_json::to_string(&expected).unwrap();
        assert_eq!(serde_json::from_str::<ReleaseSpec>(&written).unwrap(), expected);
        assert_eq!(expected.replicas, 1);
    }

    #[test]
    fn there_are_as_many_replicas_as_are_possible() {
        let mut spec = ReleaseSpec::new(Workload::process("/bin/true"));
        for (replicas, is_possible) in [(0, false), (1, true), (32, true), (33, false)] {
            spec.replicas = replicas;
            assert_eq!(spec.check().is_ok(), is_possible, "{replicas}");
        }
    }
}
