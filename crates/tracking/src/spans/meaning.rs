//! What attributes of other [conventions](super::conventions) mean to MLflow.

use std::collections::HashMap;

use serde_json::Value;

use super::any_value::push_text;
use super::conventions::{CONVENTIONS, Convention, NUMBER};

/// Attributes of a span with their JSON texts, in their order.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    entries: Vec<(String, String)>,
    /// Where each is: some libraries write thousands.
    places: HashMap<String, usize>,
}

impl Attributes {
    /// All of them.
    pub(super) fn entries(&self) -> &[(String, String)] {
        &self.entries
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let place = self.places.get(key)?;
        self.entries.get(*place).map(|(_, text)| text.as_str())
    }

    /// Sets or adds an attribute.
    pub(super) fn set(&mut self, key: &str, text: String) {
        let known = self.places.get(key).and_then(|place| self.entries.get_mut(*place));
        if let Some((_, known)) = known {
            *known = text;
            return;
        }
        self.places.insert(key.to_owned(), self.entries.len());
        self.entries.push((key.to_owned(), text));
    }

    /// The text that an attribute is; if it is no JSON text, as it is.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let text = self.get(key)?;
        let inner = serde_json::from_str::<String>(text);
        Some(inner.unwrap_or_else(|_no_text| text.to_owned()))
    }

    /// An attribute that says something.
    fn said(&self, key: &str) -> Option<&str> {
        let empty = ["null", "\"\"", "[]", "{}", "0", "0.0", "false"];
        self.get(key).filter(|text| !empty.contains(text))
    }

    /// What the first attribute says whose key is this one, with numbers where it has `#`.
    fn said_like(&self, key: &str) -> Option<&str> {
        if !key.contains(NUMBER) {
            return self.said(key);
        }
        let names = self.entries.iter().map(|(name, _)| name.as_str());
        names.filter(|name| is_like(name, key)).find_map(|name| self.said(name))
    }

    fn int(&self, key: &str) -> Option<i64> {
        match serde_json::from_str::<Value>(self.get(key)?).ok()? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// Whether a name has a number where the key has its sign, and is the key otherwise.
fn is_like(name: &str, key: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (mut parts, mut expected) = (name.split('.'), key.split('.'));
    loop {
        match (parts.next(), expected.next()) {
            (None, None) => return true,
            (Some(part), Some(expected)) if expected == NUMBER && is_number(part) => {}
            (Some(part), Some(expected)) if part == expected => {}
            _ => return false,
        }
    }
}

pub(super) const SPAN_TYPE: &str = "mlflow.spanType";
pub(super) const INPUTS: &str = "mlflow.spanInputs";
pub(super) const OUTPUTS: &str = "mlflow.spanOutputs";
pub(super) const USAGE: &str = "mlflow.chat.tokenUsage";
pub(super) const COST: &str = "mlflow.llm.cost";
pub(super) const MODEL: &str = "mlflow.llm.model";
pub(super) const PROVIDER: &str = "mlflow.llm.provider";

/// Adds MLflow's attributes where only those of others are there.
pub(super) fn translate(attributes: &mut Attributes) {
    let kind = attributes.text(SPAN_TYPE);
    if kind.is_none_or(|kind| kind == "UNKNOWN") {
        let found = CONVENTIONS.iter().find_map(|convention| {
            let kind = attributes.text(convention.kind?)?;
            convention.kinds.iter().find(|(theirs, _)| *theirs == kind).map(|(_, ours)| *ours)
        });
        if let Some(kind) = found {
            attributes.set(SPAN_TYPE, quoted(kind));
        }
    }
    copy(attributes, INPUTS, |convention| convention.inputs);
    copy(attributes, OUTPUTS, |convention| convention.outputs);
    if attributes.get(USAGE).is_none()
        && let Some(usage) = CONVENTIONS.iter().find_map(|convention| usage(attributes, convention))
    {
        attributes.set(USAGE, usage);
    }
    if attributes.get(MODEL).is_none()
        && let Some(model) = model(attributes)
    {
        attributes.set(MODEL, quoted(&model));
    }
    if attributes.get(PROVIDER).is_none() {
        let mut keys = CONVENTIONS.iter().filter_map(|convention| convention.provider);
        if let Some(key) = keys.find(|key| attributes.said(key).is_some()) {
            let provider = attributes.text(key);
            attributes.set(PROVIDER, quoted(&provider.unwrap_or_default()));
        }
    }
}

fn copy(
    attributes: &mut Attributes,
    ours: &str,
    theirs: impl Fn(&Convention) -> &'static [&'static str],
) {
    if attributes.get(ours).is_some() {
        return;
    }
    let found = CONVENTIONS.iter().flat_map(theirs).find_map(|key| attributes.said_like(key));
    if let Some(text) = found.map(str::to_owned) {
        attributes.set(ours, text);
    }
}

/// The model that a convention names, or that inputs or outputs name.
fn model(attributes: &Attributes) -> Option<String> {
    let mut keys = CONVENTIONS.iter().flat_map(|convention| convention.models);
    if let Some(key) = keys.find(|key| attributes.said(key).is_some()) {
        return attributes.text(key);
    }
    [INPUTS, OUTPUTS].into_iter().find_map(|key| {
        let value: Value = serde_json::from_str(attributes.get(key)?).ok()?;
        let model = value.get("model")?.as_str()?;
        (!model.is_empty()).then(|| model.to_owned())
    })
}

fn usage(attributes: &Attributes, convention: &Convention) -> Option<String> {
    let [input, output, total, read, written] =
        convention.tokens.map(|keys| keys.iter().find_map(|key| attributes.int(key)));
    let total = total.or_else(|| Some(input?.saturating_add(output?)));
    input.or(output).or(total)?;
    let named = [
        ("input_tokens", input),
        ("output_tokens", output),
        ("total_tokens", total),
        ("cache_read_input_tokens", read),
        ("cache_creation_input_tokens", written),
    ];
    let members: Vec<String> = named
        .into_iter()
        .filter_map(|(name, count)| count.map(|count| format!("\"{name}\": {count}")))
        .collect();
    Some(format!("{{{}}}", members.join(", ")))
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    push_text(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(pairs: &[(&str, &str)]) -> Attributes {
        let mut attributes = Attributes::default();
        for (key, text) in pairs {
            attributes.set(key, (*text).to_owned());
        }
        translate(&mut attributes);
        attributes
    }

    #[test]
    fn other_conventions_are_understood() {
        let found = translated(&[
            ("gen_ai.operation.name", "\"chat\""),
            ("gen_ai.usage.input_tokens", "5"),
            ("gen_ai.usage.output_tokens", "\"7\""),
            ("gen_ai.request.model", "\"gpt\""),
            ("gen_ai.provider.name", "\"openai\""),
            ("gen_ai.input.messages", "[{\"role\": \"user\"}]"),
        ]);
        assert_eq!(found.get(SPAN_TYPE), Some("\"CHAT_MODEL\""));
        assert_eq!(
            found.get(USAGE),
            Some(r#"{"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}"#)
        );
        assert_eq!(found.get(MODEL), Some("\"gpt\""));
        assert_eq!(found.get(PROVIDER), Some("\"openai\""));
        assert_eq!(found.get(INPUTS), Some("[{\"role\": \"user\"}]"));
        assert_eq!(found.get(OUTPUTS), None);
    }

    #[test]
    fn messages_of_traceloop_are_numbered() {
        let found = translated(&[
            ("gen_ai.prompt.x.content", "\"no number\""),
            ("gen_ai.prompt.0.role", "\"user\""),
            ("gen_ai.prompt.0.content", "\"\""),
            ("gen_ai.prompt.1.content", "\"how many?\""),
            ("gen_ai.completion.0.content", "\"three\""),
            ("gen_ai.system", "\"openai\""),
        ]);
        assert_eq!(found.get(INPUTS), Some("\"how many?\""));
        assert_eq!(found.get(OUTPUTS), Some("\"three\""));
        assert_eq!(found.get(PROVIDER), Some("\"openai\""));
        let calls = "gen_ai.completion.0.tool_calls.12.arguments";
        let found = translated(&[(calls, "{\"n\": 3}")]);
        assert_eq!(found.get(INPUTS), Some("{\"n\": 3}"));
        assert_eq!(found.get(OUTPUTS), None);
    }

    #[test]
    fn agents_of_google_and_observations_of_langfuse_are_understood() {
        let found = translated(&[
            ("gcp.vertex.agent.llm_request", "{}"),
            ("gcp.vertex.agent.tool_call_args", "{\"n\": 3}"),
            ("gcp.vertex.agent.tool_response", "{\"sum\": 5}"),
        ]);
        assert_eq!(found.get(INPUTS), Some("{\"n\": 3}"));
        assert_eq!(found.get(OUTPUTS), Some("{\"sum\": 5}"));
        assert_eq!(found.get(SPAN_TYPE), None);
        let found = translated(&[
            ("langfuse.observation.type", "\"generation\""),
            ("langfuse.observation.input", "{\"q\": 1}"),
            ("langfuse.observation.output", "\"a\""),
            ("gen_ai.usage.input_tokens", "5"),
            ("gen_ai.usage.cache_creation.input_tokens", "2"),
        ]);
        assert_eq!(found.get(SPAN_TYPE), Some("\"LLM\""));
        assert_eq!(found.get(INPUTS), Some("{\"q\": 1}"));
        assert_eq!(found.get(OUTPUTS), Some("\"a\""));
        let usage = r#"{"input_tokens": 5, "cache_creation_input_tokens": 2}"#;
        assert_eq!(found.get(USAGE), Some(usage));
    }

    #[test]
    fn what_mlflow_says_itself_stays() {
        let found = translated(&[
            (SPAN_TYPE, "\"TOOL\""),
            (INPUTS, "{\"model\": \"m\"}"),
            ("openinference.span.kind", "\"LLM\""),
            ("input.value", "\"x\""),
            ("output.value", "\"\""),
        ]);
        assert_eq!(found.get(SPAN_TYPE), Some("\"TOOL\""));
        assert_eq!(found.get(INPUTS), Some("{\"model\": \"m\"}"));
        assert_eq!(found.get(OUTPUTS), None);
        assert_eq!(found.get(MODEL), Some("\"m\""));
        assert_eq!(found.get(USAGE), None);
    }
}
