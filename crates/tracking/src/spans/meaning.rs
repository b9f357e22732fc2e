//! What attributes of other conventions mean to MLflow: OpenInference, OpenTelemetry's GenAI conventions and
//! Traceloop, in the order in which upstream asks them.

use std::collections::HashMap;

use serde_json::Value;

use super::any_value::push_text;

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

    fn int(&self, key: Option<&str>) -> Option<i64> {
        match serde_json::from_str::<Value>(self.get(key?)?).ok()? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
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

/// The attributes of one convention.
struct Convention {
    kind: &'static str,
    /// Its kinds of spans, and MLflow's.
    kinds: &'static [(&'static str, &'static str)],
    inputs: &'static [&'static str],
    outputs: &'static [&'static str],
    /// Tokens of the input, the output, both, those read from a cache and those written to one.
    tokens: [Option<&'static str>; 5],
    models: &'static [&'static str],
    provider: &'static str,
}

const CONVENTIONS: &[Convention] = &[
    Convention {
        kind: "openinference.span.kind",
        kinds: &[
            ("TOOL", "TOOL"),
            ("CHAIN", "CHAIN"),
            ("LLM", "LLM"),
            ("RETRIEVER", "RETRIEVER"),
            ("EMBEDDING", "EMBEDDING"),
            ("AGENT", "AGENT"),
            ("RERANKER", "RERANKER"),
            ("UNKNOWN", "UNKNOWN"),
            ("GUARDRAIL", "GUARDRAIL"),
            ("EVALUATOR", "EVALUATOR"),
        ],
        inputs: &["input.value"],
        outputs: &["output.value"],
        tokens: [
            Some("llm.token_count.prompt"),
            Some("llm.token_count.completion"),
            Some("llm.token_count.total"),
            Some("llm.token_count.prompt_details.cache_read"),
            Some("llm.token_count.prompt_details.cache_write"),
        ],
        models: &[
            "llm.response.model_name",
            "llm.model_name",
            "llm.request.model_name",
            "embedding.model_name",
        ],
        provider: "llm.provider",
    },
    Convention {
        kind: "gen_ai.operation.name",
        kinds: &[
            ("chat", "CHAT_MODEL"),
            ("create_agent", "AGENT"),
            ("embeddings", "EMBEDDING"),
            ("execute_tool", "TOOL"),
            ("generate_content", "LLM"),
            ("invoke_agent", "AGENT"),
            ("text_completion", "LLM"),
            ("response", "LLM"),
        ],
        inputs: &["gen_ai.input.messages", "gen_ai.tool.call.arguments"],
        outputs: &["gen_ai.output.messages", "gen_ai.tool.call.result"],
        tokens: [
            Some("gen_ai.usage.input_tokens"),
            Some("gen_ai.usage.output_tokens"),
            None,
            Some("gen_ai.usage.cache_read.input_tokens"),
            Some("gen_ai.usage.cache_write.input_tokens"),
        ],
        models: &["gen_ai.response.model", "gen_ai.request.model"],
        provider: "gen_ai.provider.name",
    },
    Convention {
        kind: "traceloop.span.kind",
        kinds: &[
            ("workflow", "WORKFLOW"),
            ("task", "TASK"),
            ("agent", "AGENT"),
            ("tool", "TOOL"),
            ("unknown", "UNKNOWN"),
        ],
        inputs: &["traceloop.entity.input"],
        outputs: &["traceloop.entity.output"],
        tokens: [
            Some("gen_ai.usage.prompt_tokens"),
            Some("gen_ai.usage.completion_tokens"),
            Some("llm.usage.total_tokens"),
            None,
            None,
        ],
        models: &[],
        provider: "gen_ai.system",
    },
];

/// Adds MLflow's attributes where only those of others are there.
pub(super) fn translate(attributes: &mut Attributes) {
    let kind = attributes.text(SPAN_TYPE);
    if kind.is_none_or(|kind| kind == "UNKNOWN") {
        let found = CONVENTIONS.iter().find_map(|convention| {
            let kind = attributes.text(convention.kind)?;
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
        let said = |convention: &Convention| attributes.said(convention.provider);
        if CONVENTIONS.iter().any(|convention| said(convention).is_some()) {
            let provider = CONVENTIONS.iter().find_map(|convention| {
                said(convention)?;
                attributes.text(convention.provider)
            });
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
    let found = CONVENTIONS.iter().flat_map(theirs).find_map(|key| attributes.said(key));
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
    let [input, output, total, read, written] = convention.tokens.map(|key| attributes.int(key));
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
