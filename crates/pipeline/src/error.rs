//! Why a pipeline stops, what to do about it, and with which exit code.

use std::path::{Path, PathBuf};

use trainyard_base::{Advice, Advise, Fault};
use trainyard_deploy::Refusal;
use trainyard_mlflow::secrets::hide;

use crate::gate::Verdict;

/// The result of a step.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `trainyard.toml`.
    #[error("cannot read {}: {source}", path.display())]
    NoProject {
        /// The file looked for.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        source: std::io::Error,
    },
    /// `trainyard.toml` is wrong.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Line, key and what is wrong.
        reason: String,
    },
    /// Flags of `monitor`, or they and its settings together, are wrong.
    #[error("{0}")]
    Settings(String),
    /// A file of the project could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The gate refused the version.
    #[error("{0}")]
    Gate(Verdict),
    /// The gate passed, and too few people have approved the version.
    #[error(
        "version {version} of {model} is not released: {} of {needed} approvals are there{}",
        approved_by.len(),
        names(approved_by)
    )]
    NotApproved {
        /// Registered model.
        model: String,
        /// Version that waits.
        version: String,
        /// How many people have to agree.
        needed: u8,
        /// Who has.
        approved_by: Vec<String>,
    },
    /// The staged version did not answer as it should.
    #[error("version {version} of {model} did not pass its check as Staging: {reason}")]
    Staging {
        /// Registered model.
        model: String,
        /// Version that was checked.
        version: String,
        /// What it answered.
        reason: String,
    },
    /// Another deployment serves what `Production` names.
    #[error(
        "Production of {model} is version {version}, released by the deployment of {place}: a \
         release here would take it"
    )]
    Elsewhere {
        /// Registered model.
        model: String,
        /// Version that has the alias.
        version: String,
        /// Host and state folder of the other deployment.
        place: String,
    },
    /// The gateway's address is taken.
    #[error("the gateway cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Nothing to do the step with.
    #[error("{what}")]
    Missing {
        /// What is missing.
        what: String,
        /// How to get it.
        hint: String,
    },
    /// The deployment has not predicted anything that counts.
    #[error("version {version} has predicted nothing yet")]
    NothingPredicted {
        /// The version in production.
        version: String,
    },
    /// The prediction log lacks what was answered.
    #[error("{answered} requests were answered, but {seen} are in the prediction log")]
    LogLacks {
        /// Requests that were answered.
        answered: usize,
        /// Rows that the log has after a while.
        seen: usize,
    },
    /// A request of the example's traffic failed.
    #[error("request {request} of {total} failed: {reason}")]
    Traffic {
        /// Which one, from 1.
        request: usize,
        /// Out of how many.
        total: usize,
        /// Status and body, or why there was no answer.
        reason: String,
    },
    /// A table cannot be scored as it was asked.
    #[error("{what}")]
    Predict {
        /// What is wrong, with the value.
        what: String,
        /// What to do.
        hint: String,
    },
    /// An object store refused or cannot be reached.
    #[error("{uri}: {reason}")]
    Remote {
        /// As the user wrote it.
        uri: String,
        /// What was answered.
        reason: String,
    },
    /// A profile could not be read.
    #[error("{}: {source}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: trainyard_drift::ProfileError,
    },
    /// A part of the supervisor ended, which it never does.
    #[error("{part} has ended")]
    PartEnded {
        /// Which.
        part: &'static str,
    },
    /// Data could not be read.
    #[error(transparent)]
    Data(#[from] trainyard_data::Error),
    /// An engine could not sum up a table.
    #[error(transparent)]
    Engine(#[from] trainyard_engine::Error),
    /// Predictions cannot be judged.
    #[error(transparent)]
    Quality(#[from] trainyard_quality::Error),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] trainyard_train::Error),
    /// The tracking server or registry refused or cannot be reached.
    #[error(transparent)]
    Mlflow(#[from] trainyard_mlflow::Error),
    /// A model folder is not as MLflow writes it.
    #[error(transparent)]
    Signature(#[from] trainyard_signature::Error),
    /// The tracking database cannot be opened.
    #[error(transparent)]
    Tracking(#[from] trainyard_tracking::Error),
    /// A model cannot be loaded or run.
    #[error(transparent)]
    Model(#[from] trainyard_models::Error),
    /// The model server could not start.
    #[error(transparent)]
    Serve(#[from] trainyard_serve::Error),
    /// A release failed.
    #[error(transparent)]
    Deploy(#[from] trainyard_deploy::Error),
}

/// Who has approved, in brackets.
fn names(approved_by: &[String]) -> String {
    if approved_by.is_empty() { String::new() } else { format!(" ({})", approved_by.join(", ")) }
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::NoProject { .. } => {
                Advice::input("`trainyard init` writes a project, or name the folder of one")
            }
            Self::Config { .. } => {
                Advice::input("`trainyard help pipeline` lists the keys of trainyard.toml")
            }
            Self::Settings(_) => Fault::Input.into(),
            Self::Io { .. } => {
                Advice::environment("check that the folder exists and may be written")
            }
            Self::Gate(_) => Advice::input(
                "Production is as it was; train a better model, or change [gate] in trainyard.toml",
            ),
            Self::NotApproved { model, version, .. } => Advice::input(format!(
                "others approve with `trainyard approvals approve {model} Production {version}`; then \
                 release it with `trainyard deploy`"
            )),
            Self::Staging { .. } => Advice::environment(
                "Production is as it was; `trainyard serve --model-uri` with this version shows more",
            ),
            Self::Elsewhere { .. } => Advice::input(
                "release there, or give this project a model of its own (`name` under [model]); \
                 --take-production takes it all the same",
            ),
            Self::Listen { .. } => Advice::environment(
                "stop what listens there (`ss -ltnp` names it), or change `listen` in trainyard.toml",
            ),
            Self::Missing { hint, .. } | Self::Predict { hint, .. } => Advice::input(hint),
            Self::NothingPredicted { .. } => {
                Advice::input("send requests to the deployment, or give --current FILE")
            }
            Self::LogLacks { .. } => {
                Advice::environment("`trainyard deploy logs` says what the server could not write")
            }
            Self::Traffic { .. } => {
                Advice::environment("`trainyard deploy logs` shows what the server said")
            }
            Self::Remote { .. } => Advice::environment(
                "keys and endpoints come from the environment: AWS_ACCESS_KEY_ID, \
                 AWS_SECRET_ACCESS_KEY, MLFLOW_S3_ENDPOINT_URL, …",
            ),
            Self::Profile { source, .. } => source.advice(),
            Self::PartEnded { .. } => Fault::Program.into(),
            Self::Data(error) => error.advice(),
            Self::Engine(error) => error.advice(),
            Self::Quality(error) => error.advice(),
            Self::Train(error) => error.advice(),
            Self::Mlflow(error) => error.advice(),
            Self::Signature(error) => error.advice(),
            Self::Tracking(error) => error.advice(),
            Self::Model(error) => error.advice(),
            Self::Serve(error) => error.advice(),
            Self::Deploy(error) => error.advice(),
        }
    }
}

impl Error {
    /// What failed, without credentials.
    pub fn message(&self) -> String {
        hide(&self.to_string()).into_owned()
    }

    /// Exit code of the process: 1 failed on the way, 2 wrong input, 3 refused by the gate.
    pub fn exit_code(&self) -> u8 {
        use trainyard_deploy::Error::Refused;
        match (self, self.fault()) {
            (
                Self::Gate(_)
                | Self::NotApproved { .. }
                | Self::Deploy(Refused { refusal: Refusal::Verdict { .. }, .. }),
                _,
            ) => 3,
            (_, Fault::Input) => 2,
            (_, Fault::Environment | Fault::Program) => 1,
        }
    }

    pub(crate) fn config(path: &Path, reason: impl Into<String>) -> Self {
        Self::Config { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn predict(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Predict { what: what.into(), hint: hint.into() }
    }

    /// The same with one more thing to do, where something is missing.
    pub(crate) fn hinting(self, more: &str) -> Self {
        match self {
            Self::Missing { what, hint } => Self::Missing { what, hint: format!("{hint}; {more}") },
            other => other,
        }
    }

    /// The same of a verb that needs no project where it is given tables.
    pub(crate) fn or_tables(self, tables: &str) -> Self {
        match self {
            Self::NoProject { path, source } => Self::Missing {
                what: format!("cannot read {}: {source}", path.display()),
                hint: format!("name the folder of a project, or {tables}"),
            },
            other => other,
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::ErrorCode;

    use super::*;

    #[test]
    fn the_exit_code_follows_from_whose_fault_it_is() {
        let refused = || std::io::Error::other("no");
        let csv = PathBuf::from("t.csv");
        let read = trainyard_data::Error::Io { doing: "cannot read", path: csv, source: refused() };
        for (error, code) in [
            (Error::Gate(Verdict { checks: Vec::new() }), 3),
            (
                Error::NotApproved {
                    model: "Iris".to_owned(),
                    version: "4".to_owned(),
                    needed: 2,
                    approved_by: vec!["ada".to_owned()],
                },
                3,
            ),
            (Error::config(Path::new("trainyard.toml"), "line 1"), 2),
            (Error::io("t", refused()), 1),
            (trainyard_data::Error::EmptyFile { path: "t.csv".into() }.into(), 2),
            (read.into(), 1),
            (trainyard_train::Error::EmptyTable.into(), 2),
            (trainyard_train::Error::Internal("a bug".to_owned()).into(), 1),
            (trainyard_mlflow::Error::not_found("none").into(), 2),
            (trainyard_mlflow::Error::api(ErrorCode::Unauthenticated, "who?").into(), 1),
            (trainyard_serve::Error::NoTracking { uri: "models:/a/1".to_owned() }.into(), 2),
            (trainyard_deploy::Error::NoPrevious { service: "a".to_owned() }.into(), 2),
        ] {
            assert_eq!(error.exit_code(), code, "{error}");
        }
    }

    #[test]
    fn a_text_holds_neither_hints_nor_credentials() {
        let hint = "a model of this kind needs Python workers".to_owned();
        let unsupported =
            trainyard_models::Error::Unsupported { what: "catboost".to_owned(), hint };
        let error = Error::from(trainyard_train::Error::from(unsupported));
        assert_eq!(error.message(), "the exported model does not load: catboost is not supported");
        assert_eq!(error.hint().unwrap(), "a model of this kind needs Python workers");
        let error = Error::Settings("http://me:secret@host".to_owned());
        assert!(!error.message().contains("secret"), "{}", error.message());
    }
}
