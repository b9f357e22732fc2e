//! What webhooks subscribe to: something happened to an entity of the registry.

use std::fmt;

/// What it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entity {
    RegisteredModel,
    ModelVersion,
    ModelVersionTag,
    ModelVersionAlias,
    Prompt,
    PromptVersion,
    PromptTag,
    PromptVersionTag,
    PromptAlias,
    /// Of the gateway, which is not here: it can be subscribed to, and nothing ever happens to it.
    BudgetPolicy,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Created,
    Updated,
    Deleted,
    Set,
    Exceeded,
}

/// Entities with the names that the tables and payloads have, and the actions there are.
const ENTITIES: &[(Entity, &str, &[Action])] = &[
    (Entity::RegisteredModel, "registered_model", &[Action::Created]),
    (Entity::ModelVersion, "model_version", &[Action::Created]),
    (Entity::ModelVersionTag, "model_version_tag", &[Action::Deleted, Action::Set]),
    (Entity::ModelVersionAlias, "model_version_alias", &[Action::Created, Action::Deleted]),
    (Entity::Prompt, "prompt", &[Action::Created]),
    (Entity::PromptVersion, "prompt_version", &[Action::Created]),
    (Entity::PromptTag, "prompt_tag", &[Action::Deleted, Action::Set]),
    (Entity::PromptVersionTag, "prompt_version_tag", &[Action::Deleted, Action::Set]),
    (Entity::PromptAlias, "prompt_alias", &[Action::Created, Action::Deleted]),
    (Entity::BudgetPolicy, "budget_policy", &[Action::Exceeded]),
];

const ACTIONS: &[(Action, &str)] = &[
    (Action::Created, "created"),
    (Action::Updated, "updated"),
    (Action::Deleted, "deleted"),
    (Action::Set, "set"),
    (Action::Exceeded, "exceeded"),
];

impl Entity {
    pub(crate) fn name(self) -> &'static str {
        let found = ENTITIES.iter().find(|(entity, ..)| *entity == self);
        let Some(&(_, name, _)) = found else { return "" };
        name
    }

    /// The actions on it, in the order of their names.
    pub(crate) fn actions(self) -> &'static [Action] {
        let found = ENTITIES.iter().find(|(entity, ..)| *entity == self);
        let Some(&(_, _, actions)) = found else { return &[] };
        actions
    }
}

impl Action {
    pub(crate) fn name(self) -> &'static str {
        let found = ACTIONS.iter().find(|(action, _)| *action == self);
        let Some(&(_, name)) = found else { return "" };
        name
    }
}

/// An action on an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub(crate) entity: Entity,
    pub(crate) action: Action,
}

impl Event {
    /// The event of a row; none for one of a later MLflow.
    pub(crate) fn of_names(entity: &str, action: &str) -> Option<Self> {
        let &(entity, ..) = ENTITIES.iter().find(|(_, name, _)| *name == entity)?;
        let &(action, _) = ACTIONS.iter().find(|(_, name)| *name == action)?;
        Some(Self { entity, action })
    }

    /// Whether there is such an event.
    pub(crate) fn is_valid(self) -> bool {
        self.entity.actions().contains(&self.action)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.entity.name(), self.action.name())
    }
}
