//! How to load a model and to call it, ready to copy.

use maud::{Markup, html};
use serde_json::{Map, Value, json};
use trainyard_mlflow::Result as StoreResult;
use trainyard_signature::model::{DataType, MlModel, Schema};

use crate::page;

/// Columns of the example request.
const COLUMNS_SHOWN: usize = 50;

/// The section "Use it" of the model that `uri` names.
pub(super) fn section(uri: &str, file: Option<&StoreResult<MlModel>>) -> Markup {
    let inputs = file.and_then(|file| file.as_ref().ok()?.signature.as_ref()?.inputs.as_ref());
    html! {
        h2 { "Use it" }
        p { "In Python:" }
        (page::code(&format!("mlflow.pyfunc.load_model({})", page::python(uri))))
        p { "Behind an address, and called:" }
        (page::code(&format!(
            "trainyard serve --model-uri {}\ncurl http://127.0.0.1:8080/invocations -H 'Content-Type: application/json' -d {}",
            shell(uri),
            shell(&request(inputs).to_string()),
        )))
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
