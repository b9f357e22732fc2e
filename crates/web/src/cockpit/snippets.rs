//! How to load a model and to call it, ready to copy.

use maud::{Markup, html};
use serde_json::{Map, Value, json};
use trainyard_mlflow::Result as StoreResult;
use trainyard_signature::model::{DataType, MlModel, Schema};

use crate::services::Service;
use crate::{format, page};

/// Columns of the example request.
const COLUMNS_SHOWN: usize = 50;
/// Characters that are shown of a host's name.
const HOST_SHOWN: usize = 60;

/// How a model is used.
pub(super) struct Use<'a> {
    pub(super) uri: &'a str,
    pub(super) file: Option<&'a StoreResult<MlModel>>,
    /// A row of its own example.
    pub(super) example: Option<Value>,
    /// Those of the model that whoever looks may see.
    pub(super) services: &'a [Service],
    pub(super) now: i64,
}

impl Use<'_> {
    /// The section "Use it".
    pub(super) fn section(&self) -> Markup {
        let file = self.file.and_then(|file| file.as_ref().ok());
        let inputs = file.and_then(|file| file.signature.as_ref()?.inputs.as_ref());
        let row = self.example.clone().unwrap_or_else(|| request(inputs));
        let call = |url: &str| {
            let body = shell(&row.to_string());
            page::code(&format!(
                "curl {} -H 'Content-Type: application/json' -d {body}",
                shell(&format!("{}/invocations", url.trim_end_matches('/'))),
            ))
        };
        // A record that nobody vouches for may lead anywhere.
        let serving = self.services.iter().find(|one| one.is_vouched && one.is_heard(self.now));
        let serving = serving.and_then(|one| Some((&one.record.host, one.record.url.as_deref()?)));
        html! {
            h2 { "Use it" }
            p { "In Python:" }
            (page::code(&format!("mlflow.pyfunc.load_model({})", page::python(self.uri))))
            @if let Some((host, url)) = serving {
                p { "Where it serves, on " (format::short(host, HOST_SHOWN)) ":" }
                (call(url))
            } @else {
                p { "Behind an address, and called:" }
                (page::code(&format!("trainyard serve --model-uri {}", shell(self.uri))))
                (call("http://127.0.0.1:8080"))
            }
            @if self.example.is_none() { p.soft { "It has no example of its own: the values are of the right types, and of no meaning." } }
        }
    }
}

/// A request of one row with a value of the right type for each column.
fn request(inputs: Option<&Schema>) -> Value {
    match inputs {
        Some(Schema::Columns(columns)) if inputs.is_some_and(Schema::is_named) => {
            let row = columns.iter().take(COLUMNS_SHOWN).map(|column| {
                (column.name.clone().unwrap_or_default(), example(&column.data_type))
            });
            json!({ "dataframe_records": [row.collect::<Map<_, _>>()] })
        }
        Some(Schema::Columns(columns)) => {
            let row = columns.iter().take(COLUMNS_SHOWN).map(|column| example(&column.data_type));
            json!({ "dataframe_split": { "data": [row.collect::<Vec<_>>()] } })
        }
        Some(Schema::Tensors(_)) | None => json!({ "inputs": [[0.0]] }),
    }
}

fn example(kind: &DataType) -> Value {
    match kind {
        DataType::Boolean => json!(true),
        DataType::Integer | DataType::Long => json!(0),
        DataType::Float | DataType::Double => json!(0.0),
        DataType::String => json!("text"),
        DataType::Binary => json!("AA=="),
        DataType::Datetime => json!("2026-01-01T00:00:00"),
        DataType::Array(items) => json!([example(items)]),
        DataType::Object(properties) => properties
            .iter()
            .map(|(name, kind, _required)| (name.clone(), example(kind)))
            .collect::<Map<_, _>>()
            .into(),
        DataType::Map(values) => json!({ "key": example(values) }),
        DataType::Any => Value::Null,
    }
}

/// A text as one word of a shell, whatever is in it.
pub(super) fn shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_one_word_of_a_shell() {
        assert_eq!(shell("models:/Iris@Production"), "models:/Iris@Production");
        assert_eq!(shell("a'; rm -rf ~ '"), r"'a'\''; rm -rf ~ '\'''");
        assert_eq!(shell("$(id)"), "'$(id)'");
        assert_eq!(shell(""), "''");
        assert_eq!(page::python("a\"\n"), r#""a\"\n""#);
    }

    #[test]
    fn a_request_has_each_column_by_its_type() {
        let schema = Schema::from_json(
            r#"[{"type": "double", "name": "a", "required": true}, {"type": "string", "name": "b", "required": true}]"#,
        )
        .unwrap();
        let asked = request(Some(&schema));
        assert_eq!(asked, json!({ "dataframe_records": [{ "a": 0.0, "b": "text" }] }));
        assert_eq!(request(None), json!({ "inputs": [[0.0]] }));
    }
}
