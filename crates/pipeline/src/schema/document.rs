//! The document, a table at a time.

use serde_json::{Map, Value, json};

use super::wanted::{Wanted, wanted};
use crate::Config;

/// Tables within tables, at most. There are four today; more would be a reader that reads itself.
const DEPTH_MAX: usize = 8;

/// Stands for any key of a map, and any place of a list.
const ANY: &str = "*";

/// JSON Schema (draft 2020-12) of `trainyard.toml`. `about` says what a key means, by its path with dots.
///
/// Where the reader looks at what is there (`train.holdout` may be a text or a table) the schema lets everything pass.
pub fn schema(about: &dyn Fn(&str) -> Option<String>) -> Value {
    let mut found = node(&mut Vec::new(), about);
    if let Some(document) = found.as_object_mut() {
        document
            .insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        document.insert("title".to_owned(), json!(crate::FILE_NAME));
    }
    found
}

fn node(path: &mut Vec<&'static str>, about: &dyn Fn(&str) -> Option<String>) -> Value {
    let mut found = match wanted::<Config>(path) {
        _ if path.len() > DEPTH_MAX => json!({}),
        Some(Wanted::Table(keys)) => {
            let properties: Map<String, Value> =
                keys.iter().map(|&key| (key.to_owned(), below(path, key, about))).collect();
            json!({"type": "object", "properties": properties, "additionalProperties": false})
        }
        Some(Wanted::Map) => {
            json!({"type": "object", "additionalProperties": below(path, ANY, about)})
        }
        Some(Wanted::List) => json!({"type": "array", "items": below(path, ANY, about)}),
        Some(Wanted::Flag) => json!({"type": "boolean"}),
        Some(Wanted::WholeNumber) => json!({"type": "integer"}),
        Some(Wanted::Number) => json!({"type": "number"}),
        Some(Wanted::Text) => json!({"type": "string"}),
        Some(Wanted::Choice(names)) => json!({"enum": names}),
        Some(Wanted::Anything) | None => json!({}),
    };
    if let (Some(text), Some(object)) = (about(&path.join(".")), found.as_object_mut()) {
        object.insert("description".to_owned(), Value::String(text));
    }
    found
}

fn below(
    path: &mut Vec<&'static str>,
    key: &'static str,
    about: &dyn Fn(&str) -> Option<String>,
) -> Value {
    path.push(key);
    let found = node(path, about);
    path.pop();
    found
}
