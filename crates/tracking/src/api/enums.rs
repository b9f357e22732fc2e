//! Enums of MLflow's messages: the name or number of one of their values.

use serde_json::Value;
use trainyard_mlflow::Result;
use trainyard_mlflow::entities::{LoggedModelStatus, RunStatus, ViewType};

use super::fields::{Kind, int, invalid_value};
use super::message::{FieldType, field_type};
use crate::webhooks::event::{Action, Entity};

/// Names, numbers and values.
type Values<T> = [(&'static str, i64, T)];

const VIEW_TYPES: &Values<ViewType> = &[
    ("ACTIVE_ONLY", 1, ViewType::ActiveOnly),
    ("DELETED_ONLY", 2, ViewType::DeletedOnly),
    ("ALL", 3, ViewType::All),
];

const RUN_STATUSES: &Values<RunStatus> = &[
    ("RUNNING", 1, RunStatus::Running),
    ("SCHEDULED", 2, RunStatus::Scheduled),
    ("FINISHED", 3, RunStatus::Finished),
    ("FAILED", 4, RunStatus::Failed),
    ("KILLED", 5, RunStatus::Killed),
];

const LOGGED_MODEL_STATUSES: &Values<LoggedModelStatus> = &[
    ("LOGGED_MODEL_STATUS_UNSPECIFIED", 0, LoggedModelStatus::Unspecified),
    ("LOGGED_MODEL_PENDING", 1, LoggedModelStatus::Pending),
    ("LOGGED_MODEL_READY", 2, LoggedModelStatus::Ready),
    ("LOGGED_MODEL_UPLOAD_FAILED", 3, LoggedModelStatus::UploadFailed),
];

/// The value that is meant; none if nobody knows it, which counts as unset, as upstream has it.
fn known<T: Copy>(value: Option<&Value>, values: &Values<T>) -> Option<T> {
    let value = value?;
    let named = value.as_str().and_then(|text| values.iter().find(|(name, ..)| *name == text));
    let found = named.or_else(|| {
        let wanted = int(value)?;
        values.iter().find(|(_, number, _)| *number == wanted)
    });
    found.map(|(.., value)| *value)
}

field_type!(ViewType, Enum, value => known(value.as_ref(), VIEW_TYPES).unwrap_or_default());
field_type!(
    LoggedModelStatus,
    Enum,
    value => known(value.as_ref(), LOGGED_MODEL_STATUSES).unwrap_or_default()
);

/// The value that is meant, where a number that none has is refused; only names that nobody knows count as unset.
fn known_number<T: Copy>(
    name: &str,
    value: Option<Value>,
    values: &Values<T>,
) -> Result<Option<T>> {
    match (known(value.as_ref(), values), value) {
        (None, Some(value)) if value.is_number() => Err(invalid_value(name, &value)),
        (found, _) => Ok(found),
    }
}

impl FieldType for Option<RunStatus> {
    const KIND: Kind = Kind::Enum;

    fn read(name: &str, value: Option<Value>) -> Result<Self> {
        known_number(name, value, RUN_STATUSES)
    }
}

const WEBHOOK_ENTITIES: &Values<Entity> = &[
    ("REGISTERED_MODEL", 1, Entity::RegisteredModel),
    ("MODEL_VERSION", 2, Entity::ModelVersion),
    ("MODEL_VERSION_TAG", 3, Entity::ModelVersionTag),
    ("MODEL_VERSION_ALIAS", 4, Entity::ModelVersionAlias),
    ("PROMPT", 5, Entity::Prompt),
    ("PROMPT_VERSION", 6, Entity::PromptVersion),
    ("PROMPT_TAG", 7, Entity::PromptTag),
    ("PROMPT_VERSION_TAG", 8, Entity::PromptVersionTag),
    ("PROMPT_ALIAS", 9, Entity::PromptAlias),
    ("BUDGET_POLICY", 10, Entity::BudgetPolicy),
];

const WEBHOOK_ACTIONS: &Values<Action> = &[
    ("CREATED", 1, Action::Created),
    ("UPDATED", 2, Action::Updated),
    ("DELETED", 3, Action::Deleted),
    ("SET", 4, Action::Set),
    ("EXCEEDED", 5, Action::Exceeded),
];

/// Whether a webhook is active.
const WEBHOOK_STATUSES: &Values<bool> = &[("ACTIVE", 1, true), ("DISABLED", 2, false)];

field_type!(Option<Entity>, Enum, value => known(value.as_ref(), WEBHOOK_ENTITIES));
field_type!(Option<Action>, Enum, value => known(value.as_ref(), WEBHOOK_ACTIONS));

/// The status of a webhook, if one is said: whether it is active.
#[derive(Debug, Clone, Copy)]
pub(super) struct WebhookStatus(pub(super) Option<bool>);

impl FieldType for WebhookStatus {
    const KIND: Kind = Kind::Enum;

    fn read(name: &str, value: Option<Value>) -> Result<Self> {
        known_number(name, value, WEBHOOK_STATUSES).map(Self)
    }
}

/// The name of a value of an enum whose values are checked where they are used; empty for a number.
#[derive(Debug)]
pub(super) struct EnumName(pub(super) String);

field_type!(EnumName, Enum, value => Self(String::read("", value)?));
