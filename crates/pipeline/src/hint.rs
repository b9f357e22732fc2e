//! What to do about an error, and the exit code that tells scripts whose turn it is.

use trainyard_mlflow::ErrorCode;
use trainyard_mlflow::secrets::hide;

use crate::{Error, FILE_NAME};

/// Something failed on the way.
const FAILED: u8 = 1;
/// What the user gave is wrong.
const INPUT: u8 = 2;
/// The gate refused.
const GATE: u8 = 3;

/// Rooms that complete their sentence themselves put the advice on a line of its own.
const HINT: &str = "\nhint: ";

impl Error {
    /// Exit code of the process: 1 failed on the way, 2 wrong input, 3 refused by the gate.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Gate(_) => GATE,
            Self::NoProject { .. }
            | Self::Config { .. }
            | Self::AlreadyAProject { .. }
            | Self::Missing { .. }
            | Self::Profile { .. }
            | Self::Data(_)
            | Self::Signature(_)
            | Self::Model(_) => INPUT,
            Self::Train(error) => train_exit_code(error),
            Self::Mlflow(error) => mlflow_exit_code(error),
            Self::Tracking(error) => tracking_exit_code(error),
            Self::Deploy(error) => deploy_exit_code(error),
            Self::Io { .. }
            | Self::Remote { .. }
            | Self::Staging { .. }
            | Self::Traffic { .. }
            | Self::Listen { .. }
            | Self::Serve(_) => FAILED,
        }
    }

    /// What failed, without the advice and without credentials.
    pub fn message(&self) -> String {
        let text = self.to_string();
        hide(text.split_once(HINT).map_or(text.as_str(), |(message, _)| message)).into_owned()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        if let Some((_, hint)) = self.to_string().split_once(HINT) {
            return Some(hint.to_owned());
        }
        Some(match self {
            Self::NoProject { .. } => {
                "`trainyard init` writes a project, or name the folder of one".to_owned()
            }
            Self::Config { .. } => format!("docs/pipeline.md lists the keys of {FILE_NAME}"),
            Self::AlreadyAProject { .. } => "choose another folder".to_owned(),
            Self::Io { .. } => "check that the folder exists and may be written".to_owned(),
            Self::Gate(_) => format!(
                "Production is as it was; train a better model, or change [gate] in {FILE_NAME}"
            ),
            Self::Staging { .. } => {
                "Production is as it was; `trainyard serve --model-uri` with this version shows more"
                    .to_owned()
            }
            Self::Missing { hint, .. } => hint.clone(),
            Self::Listen { .. } => format!(
                "stop what listens there (`ss -ltnp` names it), or change `listen` in {FILE_NAME}"
            ),
            Self::Traffic { .. } => "`trainyard deploy logs` shows what the server said".to_owned(),
            Self::Train(trainyard_train::Error::Tracking(error)) | Self::Mlflow(error) => {
                return mlflow_hint(error);
            }
            Self::Train(error) => return error.hint(),
            Self::Model(error) => return model_hint(error),
            Self::Tracking(trainyard_tracking::Error::Mlflow(error)) => return mlflow_hint(error),
            Self::Tracking(trainyard_tracking::Error::Unreachable { .. }) => {
                "is the database running, and host, port, user and database in the URI right?"
                    .to_owned()
            }
            Self::Remote { .. } => {
                "keys and endpoints come from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, MLFLOW_S3_ENDPOINT_URL, …".to_owned()
            }
            Self::Profile { .. }
            | Self::Data(_)
            | Self::Signature(_)
            | Self::Serve(_) | Self::Deploy(_) | Self::Tracking(_) => return None,
        })
    }
}

fn train_exit_code(error: &trainyard_train::Error) -> u8 {
    use trainyard_train::Error as Train;

    match error {
        Train::Tracking(error) => mlflow_exit_code(error),
        Train::Cancelled
        | Train::CommandFailed { .. }
        | Train::CommandLoggedNoModel { .. }
        | Train::Evaluation(_)
        | Train::ExportDiffers { .. }
        | Train::Io { .. }
        | Train::Internal(_)
        | Train::Arrow(_)
        | Train::Model(_) => FAILED,
        // Everything else is about the data or the settings.
        _ => INPUT,
    }
}

fn mlflow_exit_code(error: &trainyard_mlflow::Error) -> u8 {
    match error.code() {
        ErrorCode::InvalidParameterValue
        | ErrorCode::ResourceDoesNotExist
        | ErrorCode::ResourceAlreadyExists
        | ErrorCode::BadRequest => INPUT,
        _ => FAILED,
    }
}

fn tracking_exit_code(error: &trainyard_tracking::Error) -> u8 {
    match error {
        trainyard_tracking::Error::Mlflow(error) => mlflow_exit_code(error),
        trainyard_tracking::Error::SchemaVersion { .. }
        | trainyard_tracking::Error::NotMlflow { .. } => INPUT,
        _ => FAILED,
    }
}

fn deploy_exit_code(error: &trainyard_deploy::Error) -> u8 {
    use trainyard_deploy::Error as Deploy;

    match error {
        Deploy::NotDeployed { .. } | Deploy::NoPrevious { .. } | Deploy::Name { .. } => INPUT,
        _ => FAILED,
    }
}

fn mlflow_hint(error: &trainyard_mlflow::Error) -> Option<String> {
    let hint = match error {
        trainyard_mlflow::Error::Unreachable { .. } => {
            "is the server running, and MLFLOW_TRACKING_URI right? `trainyard server` starts one"
        }
        trainyard_mlflow::Error::UnexpectedAnswer { .. } => {
            "does MLFLOW_TRACKING_URI point at an MLflow server?"
        }
        error if error.is_answer() => match error.code() {
            ErrorCode::Unauthenticated | ErrorCode::CustomerUnauthorized => {
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            }
            ErrorCode::ResourceDoesNotExist => {
                "the tracking pages (`trainyard server`) list what is there"
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(hint.to_owned())
}

fn model_hint(error: &trainyard_models::Error) -> Option<String> {
    match error {
        trainyard_models::Error::Unsupported { hint, .. } => Some(hint.clone()),
        _ => None,
    }
}
