//! A change of the registry, as webhooks tell it: which events it is, and MLflow's payload of it.

use serde_json::Value;
use trainyard_mlflow::entities::Tag;

use super::event::{Action, Entity, Event};
use crate::search::registered_models::IS_PROMPT;

const PROMPT_TEXT: &str = "mlflow.prompt.text";
const PROMPT_TYPE: &str = "_mlflow_prompt_type";

/// What was done, with what its request said: MLflow's payloads repeat requests, not what is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    ModelCreated {
        name: &'a str,
        tags: &'a [Tag],
        description: Option<&'a str>,
    },
    VersionCreated {
        name: &'a str,
        version: &'a str,
        source: &'a str,
        run_id: Option<&'a str>,
        tags: &'a [Tag],
        description: Option<&'a str>,
    },
    /// Told of prompts only.
    ModelTagSet {
        name: &'a str,
        tag: &'a Tag,
    },
    /// Told of prompts only.
    ModelTagDeleted {
        name: &'a str,
        key: &'a str,
    },
    VersionTagSet {
        name: &'a str,
        version: &'a str,
        tag: &'a Tag,
    },
    VersionTagDeleted {
        name: &'a str,
        version: &'a str,
        key: &'a str,
    },
    /// MLflow calls it created, wherever the alias pointed before.
    AliasSet {
        name: &'a str,
        alias: &'a str,
        version: &'a str,
    },
    AliasDeleted {
        name: &'a str,
        alias: &'a str,
    },
}

impl Change<'_> {
    /// The registered model or prompt.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::ModelCreated { name, .. }
            | Self::VersionCreated { name, .. }
            | Self::ModelTagSet { name, .. }
            | Self::ModelTagDeleted { name, .. }
            | Self::VersionTagSet { name, .. }
            | Self::VersionTagDeleted { name, .. }
            | Self::AliasSet { name, .. }
            | Self::AliasDeleted { name, .. } => name,
        }
    }

    pub(crate) fn action(&self) -> Action {
        match self {
            Self::ModelCreated { .. } | Self::VersionCreated { .. } | Self::AliasSet { .. } => {
                Action::Created
            }
            Self::ModelTagSet { .. } | Self::VersionTagSet { .. } => Action::Set,
            Self::ModelTagDeleted { .. }
            | Self::VersionTagDeleted { .. }
            | Self::AliasDeleted { .. } => Action::Deleted,
        }
    }

    /// What it is of a prompt.
    pub(crate) fn prompt_event(&self) -> Event {
        let entity = match self {
            Self::ModelCreated { .. } => Entity::Prompt,
            Self::VersionCreated { .. } => Entity::PromptVersion,
            Self::ModelTagSet { .. } | Self::ModelTagDeleted { .. } => Entity::PromptTag,
            Self::VersionTagSet { .. } | Self::VersionTagDeleted { .. } => Entity::PromptVersionTag,
            Self::AliasSet { .. } | Self::AliasDeleted { .. } => Entity::PromptAlias,
        };
        Event { entity, action: self.action() }
    }

    /// What it is of a registered model, if it is told.
    pub(crate) fn model_event(&self) -> Option<Event> {
        let entity = match self {
            Self::ModelCreated { .. } => Entity::RegisteredModel,
            Self::VersionCreated { .. } => Entity::ModelVersion,
            Self::ModelTagSet { .. } | Self::ModelTagDeleted { .. } => return None,
            Self::VersionTagSet { .. } | Self::VersionTagDeleted { .. } => Entity::ModelVersionTag,
            Self::AliasSet { .. } | Self::AliasDeleted { .. } => Entity::ModelVersionAlias,
        };
        Some(Event { entity, action: self.action() })
    }

    /// Whether its own tags say that it is of a prompt; none if the registered model has to be looked at.
    pub(crate) fn says_prompt(&self) -> Option<bool> {
        match self {
            Self::ModelCreated { tags, .. } | Self::VersionCreated { tags, .. } => {
                let last = tags.iter().rfind(|tag| tag.key == IS_PROMPT);
                Some(last.is_some_and(|tag| tag.value.eq_ignore_ascii_case("true")))
            }
            _ => None,
        }
    }

    /// What the message says of it, keys in MLflow's order.
    pub(crate) fn payload(&self, is_prompt: bool) -> Vec<(&'static str, Value)> {
        match *self {
            Self::ModelCreated { name, tags, description } => vec![
                ("name", name.into()),
                ("tags", tags_of(tags, if is_prompt { &[IS_PROMPT, PROMPT_TYPE] } else { &[] })),
                ("description", description.unwrap_or_default().into()),
            ],
            Self::VersionCreated { name, version, tags, description, .. } if is_prompt => vec![
                ("name", name.into()),
                ("version", version.into()),
                ("template", last_value(tags, PROMPT_TEXT)),
                ("tags", tags_of(tags, &[PROMPT_TEXT, IS_PROMPT, PROMPT_TYPE])),
                ("description", some(description)),
            ],
            Self::VersionCreated { name, version, source, run_id, tags, description } => vec![
                ("name", name.into()),
                ("version", version.into()),
                ("source", source.into()),
                ("run_id", some(run_id)),
                ("tags", tags_of(tags, &[])),
                ("description", some(description)),
            ],
            Self::ModelTagSet { name, tag } => vec![
                ("name", name.into()),
                ("key", tag.key.as_str().into()),
                ("value", tag.value.as_str().into()),
            ],
            Self::ModelTagDeleted { name, key } => vec![("name", name.into()), ("key", key.into())],
            Self::VersionTagSet { name, version, tag } => vec![
                ("name", name.into()),
                ("version", version.into()),
                ("key", tag.key.as_str().into()),
                ("value", tag.value.as_str().into()),
            ],
            Self::VersionTagDeleted { name, version, key } => {
                vec![("name", name.into()), ("version", version.into()), ("key", key.into())]
            }
            Self::AliasSet { name, alias, version } => {
                vec![("name", name.into()), ("alias", alias.into()), ("version", version.into())]
            }
            Self::AliasDeleted { name, alias } => {
                vec![("name", name.into()), ("alias", alias.into())]
            }
        }
    }
}

/// Null also for what is empty.
fn some(text: Option<&str>) -> Value {
    text.filter(|text| !text.is_empty()).map_or(Value::Null, Value::from)
}

/// Tags by key, the last of a key winning, without some.
fn tags_of(tags: &[Tag], without: &[&str]) -> Value {
    let kept = tags.iter().filter(|tag| !without.contains(&tag.key.as_str()));
    Value::Object(kept.map(|tag| (tag.key.clone(), tag.value.as_str().into())).collect())
}

fn last_value(tags: &[Tag], key: &str) -> Value {
    tags.iter().rfind(|tag| tag.key == key).map_or(Value::Null, |tag| tag.value.as_str().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_of_a_prompt_has_its_template_and_no_inner_tags() {
        let tags = [
            Tag::new("mlflow.prompt.is_prompt", "true"),
            Tag::new("mlflow.prompt.text", "Hello {{name}}!"),
            Tag::new("_mlflow_prompt_type", "text"),
            Tag::new("team", "a"),
            Tag::new("team", "b"),
        ];
        let change = Change::VersionCreated {
            name: "p",
            version: "1",
            source: "s",
            run_id: None,
            tags: &tags,
            description: Some(""),
        };
        assert_eq!(change.says_prompt(), Some(true));
        assert_eq!(
            change.payload(true),
            [
                ("name", json!("p")),
                ("version", json!("1")),
                ("template", json!("Hello {{name}}!")),
                ("tags", json!({"team": "b"})),
                ("description", Value::Null),
            ]
        );
        assert_eq!(change.prompt_event().to_string(), "prompt_version.created");
    }

    #[test]
    fn tags_of_models_are_told_of_prompts_only() {
        let tag = Tag::new("k", "v");
        let change = Change::ModelTagSet { name: "m", tag: &tag };
        assert_eq!(change.model_event(), None);
        assert_eq!(change.prompt_event().to_string(), "prompt_tag.set");
        assert_eq!(change.says_prompt(), None);
    }
}
