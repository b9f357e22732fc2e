//! The body of a delivery, as MLflow's `json.dumps` writes it, and MLflow's examples for tests.

use chrono::{DateTime, Utc};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::event::{Action, Entity, Event};
use crate::store::python;

/// What is told.
#[derive(Serialize)]
struct Body<'a> {
    entity: &'static str,
    action: &'static str,
    timestamp: String,
    data: Data<'a>,
}

/// Members in the order in which they are given.
struct Data<'a>(&'a [(&'static str, Value)]);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The body that tells of an event at a time.
pub(crate) fn body(
    event: Event,
    data: &[(&'static str, Value)],
    time: DateTime<Utc>,
) -> serde_json::Result<String> {
    let body = Body {
        entity: event.entity.name(),
        action: event.action.name(),
        timestamp: time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string(),
        data: Data(data),
    };
    Ok(ascii(&python::spaced_json(&body)?))
}

/// JSON in ASCII: what is not ASCII is within texts, where it is escaped.
fn ascii(json: &str) -> String {
    use std::fmt::Write as _;

    if json.is_ascii() {
        return json.to_owned();
    }
    let mut text = String::with_capacity(json.len() * 2);
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
            continue;
        }
        let mut units = [0_u16; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// MLflow's example of an event, which a test sends.
pub(crate) fn example(event: Event) -> Vec<(&'static str, Value)> {
    let is_prompt = matches!(
        event.entity,
        Entity::Prompt
            | Entity::PromptVersion
            | Entity::PromptTag
            | Entity::PromptVersionTag
            | Entity::PromptAlias
    );
    let name = if is_prompt { "example_prompt" } else { "example_model" };
    let tags = ("tags", json!({"example_key": "example_value"}));
    let description = |of: &str| ("description", json!(format!("An example {of}")));
    let mut data = vec![("name", json!(name))];
    match event.entity {
        Entity::RegisteredModel => data.extend([tags, description("registered model")]),
        Entity::Prompt => data.extend([tags, description("prompt")]),
        Entity::ModelVersion => data.extend([
            ("version", json!("1")),
            ("source", json!("models:/123")),
            ("run_id", json!("abcd1234abcd5678")),
            tags,
            description("model version"),
        ]),
        Entity::PromptVersion => data.extend([
            ("version", json!("1")),
            ("template", json!("Hello {{name}}!")),
            tags,
            description("prompt version"),
        ]),
        Entity::ModelVersionTag | Entity::PromptVersionTag | Entity::PromptTag => {
            if event.entity != Entity::PromptTag {
                data.push(("version", json!("1")));
            }
            data.push(("key", json!("example_key")));
            if event.action == Action::Set {
                data.push(("value", json!("example_value")));
            }
        }
        Entity::ModelVersionAlias | Entity::PromptAlias => {
            data.push(("alias", json!("example_alias")));
            if event.action == Action::Created {
                data.push(("version", json!("1")));
            }
        }
        Entity::BudgetPolicy => {
            return vec![
                ("budget_policy_id", json!("bp-abc123")),
                ("budget_unit", json!("USD")),
                ("budget_amount", json!(100.0)),
                ("current_spend", json!(105.50)),
                ("duration_unit", json!("MONTHS")),
                ("duration_value", json!(1)),
                ("target_scope", json!("ENDPOINT")),
                ("workspace", json!("default")),
                ("target_value", json!("ep-abc123")),
                ("window_start", json!(1_704_067_200_000_i64)),
            ];
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `json.dumps` of MLflow 3.17 writes for the same.
    #[test]
    fn bodies_are_mlflows_to_the_byte() {
        let event = Event { entity: Entity::ModelVersionAlias, action: Action::Created };
        let data =
            [("name", json!("Müller 😀")), ("alias", json!("a\"b")), ("version", json!("1"))];
        let time = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let body = body(event, &data, time).unwrap();
        assert_eq!(
            body,
            "{\"entity\": \"model_version_alias\", \"action\": \"created\", \
             \"timestamp\": \"2023-11-14T22:13:20.123456+00:00\", \"data\": {\"name\": \
             \"M\\u00fcller \\ud83d\\ude00\", \"alias\": \"a\\\"b\", \"version\": \"1\"}}"
        );
    }
}
