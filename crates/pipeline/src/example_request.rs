//! A request for somebody who has just begun: the first row of what a model was logged with, as its users send it.

use serde_json::{Map, Value};
use trainyard_signature::model::InputExample;

use crate::Project;

/// Longest body that is shown: of a row with hundreds of columns nobody reads more.
const BYTES_MAX: usize = 1_000;

/// Whether a request without a token or certificate is answered.
pub(crate) fn can_be_tried(project: &Project) -> bool {
    let (door, serve) = (&project.config.deploy, &project.config.serve);
    let asks = door.tokens_file.is_some() || door.client_ca.is_some();
    !asks && serve.token_file.is_none() && serve.token_env.is_none()
}

/// The first row of an example as a body for `/predict`, on one line; none if it is no table with named columns, or a
/// wide one, or has characters that a terminal obeys.
pub(crate) fn example_request(example: &InputExample) -> Option<String> {
    let payload = example.to_json()?;
    let row = match (payload.get("dataframe_split"), payload.get("dataframe_records")) {
        (Some(split), _) => {
            let names = split.get("columns")?.as_array()?.iter();
            let values = split.get("data")?.get(0)?.as_array()?.iter().cloned();
            let named = |(name, value): (&Value, Value)| Some((name.as_str()?.to_owned(), value));
            Value::Object(names.zip(values).map(named).collect::<Option<Map<_, _>>>()?)
        }
        (None, Some(records)) => records.get(0)?.clone(),
        (None, None) => return None,
    };
    let body = Value::Array(vec![row]).to_string();
    // JSON escapes those of ASCII; a terminal obeys others, too.
    let is_shown = body.len() <= BYTES_MAX && !body.contains(char::is_control);
    is_shown.then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(payload: &str) -> Option<String> {
        example_request(&InputExample { payload: payload.to_owned() })
    }

    #[test]
    fn the_first_row_is_a_request() {
        let split = r#"{"dataframe_split":{"columns":["a","b"],"data":[[1,"x"],[2,"y"]]}}"#;
        assert_eq!(of(split).as_deref(), Some(r#"[{"a":1,"b":"x"}]"#));
        let gap = r#"{"dataframe_split":{"columns":["a"],"data":[[NaN]]}}"#;
        assert_eq!(of(gap).as_deref(), Some(r#"[{"a":null}]"#));
        let records = r#"{"dataframe_records":[{"a":1.5},{"a":2}]}"#;
        assert_eq!(of(records).as_deref(), Some(r#"[{"a":1.5}]"#));
    }

    #[test]
    fn what_has_no_names_or_is_long_is_no_example() {
        for none in [r#"{"inputs":[[1,2]]}"#, r#"{"dataframe_split":{"data":[[1]]}}"#, "no JSON"] {
            assert_eq!(of(none), None, "{none}");
        }
        let long = format!(r#"{{"dataframe_records":[{{"a":"{}"}}]}}"#, "x".repeat(BYTES_MAX));
        assert_eq!(of(&long), None);
        let obeyed = "{\"dataframe_records\":[{\"a\":\"\u{9b}2J\"}]}";
        assert_eq!(of(obeyed), None);
    }
}
