//! What is refused as a scorer, in upstream's words: code of its own, options of a library that say where requests go,
//! and judges behind a gateway, which is not here. Whoever reads a scorer builds it from its text.

use serde_json::{Map, Value};
use trainyard_mlflow::{Error, ErrorCode, Result};

use crate::error::invalid;

/// What the column holds, in characters.
const NAME_CHARACTERS_MAX: usize = 256;
/// Largest text of a scorer: instructions and a few examples.
const SERIALIZED_BYTES_MAX: usize = 1 << 20;
/// Members that hold code, and a scorer of another library.
const CALL_SOURCE: &str = "call_source";
const THIRD_PARTY: &str = "third_party_scorer_data";
/// Options that say where a library sends its requests (`mlflow.utils.validation.GATEWAY_DESTINATION_KEYS`).
const DESTINATIONS: [&str; 5] =
    ["api_base", "base_url", "custom_llm_provider", "fallbacks", "model_list"];
const CODE: &str = "Custom scorer registration (using @scorer decorator) is disabled by default outside of Databricks \
     tracking environments due to security concerns. Custom scorers require arbitrary code execution during \
     deserialization.\n\nTo use custom scorers:\n1. Configure MLflow to use a Databricks tracking URI, or\n2. Manage \
     your custom scorer code in a source code repository (e.g., GitHub) and import it directly, or\n3. On a \
     self-managed MLflow server (or local environment) that you trust to run the scorer's code, set the \
     MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS environment variable to true, or\n4. Use built-in scorers or make_judge() \
     scorers instead.";

/// The members of a scorer's text.
pub(super) fn parsed(serialized: &str) -> Result<Map<String, Value>> {
    if serialized.len() > SERIALIZED_BYTES_MAX {
        return invalid!("serialized_scorer has more than {SERIALIZED_BYTES_MAX} bytes");
    }
    match serde_json::from_str(serialized) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_other) => invalid!("serialized_scorer must be a JSON object"),
        Err(_error) => invalid!("serialized_scorer must be valid JSON"),
    }
}

pub(super) fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return invalid!("Scorer name cannot be empty or contain only whitespace.");
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return invalid!("a scorer's name has at most {NAME_CHARACTERS_MAX} characters");
    }
    Ok(())
}

/// Refuses what is not safe to build, however deep it lies: scorers are made of scorers.
pub(super) fn check(members: &Map<String, Value>) -> Result<()> {
    if has_code(members) {
        return Err(Error::invalid(CODE));
    }
    check_third_parties(members, false, false)
}

/// All values below, of objects and lists.
fn below<'a>(value: &'a Value) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    match value {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

fn has_code(members: &Map<String, Value>) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::Object(members) => has_code(members),
            value => below(value).any(within),
        }
    }
    members.get(CALL_SOURCE).is_some_and(|source| !source.is_null()) || members.values().any(within)
}

/// `is_checked` says that these are below options that were looked through, which else were looked through again at
/// each depth; `is_data` that they are a scorer of another library.
fn check_third_parties(
    members: &Map<String, Value>,
    is_checked: bool,
    is_data: bool,
) -> Result<()> {
    fn within(value: &Value, is_checked: bool, is_data: bool) -> Result<()> {
        match value {
            Value::Object(members) => check_third_parties(members, is_checked, is_data),
            value => below(value).try_for_each(|value| within(value, is_checked, false)),
        }
    }
    if let Some(Value::Object(data)) = members.get(THIRD_PARTY) {
        check_options(data.get("kwargs").unwrap_or(&Value::Null), is_checked)?;
    }
    for (name, value) in members {
        let is_checked = is_checked || (is_data && name == "kwargs");
        within(value, is_checked, name == THIRD_PARTY)?;
    }
    Ok(())
}

fn check_options(options: &Value, is_checked: bool) -> Result<()> {
    let kind = match options {
        Value::Null => return Ok(()),
        Value::Object(_) if is_checked => return Ok(()),
        Value::Object(_) => {
            let found: Vec<String> = DESTINATIONS
                .iter()
                .filter(|key| names(options, key))
                .map(|key| format!("'{key}'"))
                .collect();
            if found.is_empty() {
                return Ok(());
            }
            return invalid!(
                "third_party_scorer_data.kwargs must not contain {}: these options choose where the scorer's LLM \
                 client sends requests. Configure the judge endpoint on the server instead, for example through a \
                 gateway endpoint ('gateway:/<name>') or the provider's environment variables.",
                found.join(", ")
            );
        }
        Value::Array(_) => "list",
        Value::String(_) => "str",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
    };
    invalid!("third_party_scorer_data.kwargs must be a JSON object, got {kind}.")
}

/// Whether a key is named anywhere below, also as the first of a pair: Python makes options of pairs, too.
fn names(value: &Value, key: &str) -> bool {
    let is_here = match value {
        Value::Object(members) => members.contains_key(key),
        Value::Array(items) => items.iter().any(|item| {
            item.as_array().is_some_and(|pair| {
                pair.len() == 2 && pair.first().and_then(Value::as_str) == Some(key)
            })
        }),
        _ => false,
    };
    is_here || below(value).any(|value| names(value, key))
}

/// The model of a scorer, of those kinds that have one.
pub(super) fn model(members: &Map<String, Value>) -> Option<&Value> {
    let part = |name: &str| {
        members.get(name).and_then(Value::as_object).filter(|members| !members.is_empty())
    };
    for name in ["instructions_judge_pydantic_data", "builtin_scorer_pydantic_data"] {
        if let Some(data) = part(name) {
            return data.get("model");
        }
    }
    if let Some(data) = part("memory_augmented_judge_data") {
        return data.get("base_judge").and_then(Value::as_object).and_then(model);
    }
    part(THIRD_PARTY)?.get("model")
}

/// Refuses a model that is none, or behind a gateway.
pub(super) fn check_model(model: Option<&Value>) -> Result<()> {
    let name = match model {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(name)) => name,
        Some(_) => return invalid!("Scorer model must be a string."),
    };
    if name.trim().is_empty() {
        return invalid!("Scorer model cannot be empty or contain only whitespace.");
    }
    let endpoint = name.strip_prefix("gateway:/").map(|name| name.trim_start_matches('/'));
    match endpoint.filter(|name| !name.is_empty()) {
        Some(name) => {
            let message = format!("GatewayEndpoint not found (name='{name}')");
            Err(Error::api(ErrorCode::ResourceDoesNotExist, message))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<String> {
        let checked = parsed(text).and_then(|members| {
            check(&members)?;
            check_model(model(&members))
        });
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn what_would_run_or_be_sent_elsewhere_is_refused_however_deep_it_lies() {
        for (text, expected) in [
            ("{}", None),
            (r#"{"call_source": null}"#, None),
            (r#"{"call_source": "1"}"#, Some("@scorer")),
            (r#"{"ensemble_scorer_data": {"scorers": [{"call_source": ""}]}}"#, Some("@scorer")),
            (r#"{"third_party_scorer_data": {"kwargs": {"threshold": 0.5}}}"#, None),
            (
                r#"{"third_party_scorer_data": {"kwargs": {"a": {"base_url": ""}}}}"#,
                Some("'base_url'"),
            ),
            (
                r#"{"x": [{"third_party_scorer_data": {"kwargs": [["api_base", 1]]}}]}"#,
                Some("got list"),
            ),
            (
                r#"{"x": [{"third_party_scorer_data": {"kwargs": {"o": [["api_base", 1]]}}}]}"#,
                Some("'api_base'"),
            ),
            (
                r#"{"third_party_scorer_data": {"third_party_scorer_data": {"kwargs": {"base_url": 1}}}}"#,
                Some("'base_url'"),
            ),
            (
                r#"{"third_party_scorer_data": {"kwargs": {"third_party_scorer_data": {"kwargs": []}}}}"#,
                Some("got list"),
            ),
            (r#"{"instructions_judge_pydantic_data": {"model": "openai:/x"}}"#, None),
            (r#"{"instructions_judge_pydantic_data": {"model": ""}}"#, Some("cannot be empty")),
            (r#"{"builtin_scorer_pydantic_data": {"model": "gateway:/x"}}"#, Some("(name='x')")),
            (
                r#"{"memory_augmented_judge_data": {"base_judge": {"third_party_scorer_data": {"model": 7}}}}"#,
                Some("must be a string"),
            ),
            ("[]", Some("JSON object")),
            ("nothing", Some("valid JSON")),
        ] {
            let found = refusal(text);
            match expected {
                Some(part) => assert!(
                    found.as_ref().is_some_and(|found| found.contains(part)),
                    "{text}: {found:?}"
                ),
                None => assert_eq!(found, None, "{text}"),
            }
        }
        assert!(parsed(&format!("{{\"a\": \"{}\"}}", "x".repeat(SERIALIZED_BYTES_MAX))).is_err());
        assert!(check_name(" ").is_err() && check_name(&"x".repeat(257)).is_err());
    }
}
