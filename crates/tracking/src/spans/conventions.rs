//! Conventions for attributes of spans beside MLflow's own: OpenInference, OpenTelemetry's GenAI conventions, Traceloop,
//! Google's Agent Development Kit and Langfuse, in the order in which upstream asks them.

/// Stands for a number in keys of inputs and outputs.
pub(super) const NUMBER: &str = "#";

/// The attributes of one convention.
pub(super) struct Convention {
    /// What says which kind of span it is.
    pub(super) kind: Option<&'static str>,
    /// Its kinds of spans, and MLflow's.
    pub(super) kinds: &'static [(&'static str, &'static str)],
    pub(super) inputs: &'static [&'static str],
    pub(super) outputs: &'static [&'static str],
    /// Tokens of the input, the output, both, those read from a cache and those written to one.
    pub(super) tokens: [&'static [&'static str]; 5],
    pub(super) models: &'static [&'static str],
    pub(super) provider: Option<&'static str>,
}

/// A convention that says nothing.
const SILENT: Convention = Convention {
    kind: None,
    kinds: &[],
    inputs: &[],
    outputs: &[],
    tokens: [&[]; 5],
    models: &[],
    provider: None,
};

/// All that are known here.
pub(super) const CONVENTIONS: &[Convention] = &[
    Convention {
        kind: Some("openinference.span.kind"),
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
            &["llm.token_count.prompt"],
            &["llm.token_count.completion"],
            &["llm.token_count.total"],
            &["llm.token_count.prompt_details.cache_read"],
            &["llm.token_count.prompt_details.cache_write"],
        ],
        models: &[
            "llm.response.model_name",
            "llm.model_name",
            "llm.request.model_name",
            "embedding.model_name",
        ],
        provider: Some("llm.provider"),
    },
    Convention {
        kind: Some("gen_ai.operation.name"),
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
            &["gen_ai.usage.input_tokens"],
            &["gen_ai.usage.output_tokens"],
            &[],
            &["gen_ai.usage.cache_read.input_tokens"],
            &["gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"],
        ],
        models: &["gen_ai.response.model", "gen_ai.request.model"],
        provider: Some("gen_ai.provider.name"),
    },
    Convention {
        kind: Some("traceloop.span.kind"),
        kinds: &[
            ("workflow", "WORKFLOW"),
            ("task", "TASK"),
            ("agent", "AGENT"),
            ("tool", "TOOL"),
            ("unknown", "UNKNOWN"),
        ],
        inputs: &[
            "traceloop.entity.input",
            "gen_ai.prompt.#.content",
            "gen_ai.completion.#.tool_calls.#.arguments",
        ],
        outputs: &["traceloop.entity.output", "gen_ai.completion.#.content"],
        tokens: [
            &["gen_ai.usage.prompt_tokens"],
            &["gen_ai.usage.completion_tokens"],
            &["llm.usage.total_tokens"],
            &[],
            &[],
        ],
        provider: Some("gen_ai.system"),
        ..SILENT
    },
    Convention {
        inputs: &["gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args"],
        outputs: &["gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response"],
        ..SILENT
    },
    Convention {
        kind: Some("langfuse.observation.type"),
        kinds: &[
            ("generation", "LLM"),
            ("embedding", "EMBEDDING"),
            ("tool", "TOOL"),
            ("retriever", "RETRIEVER"),
            ("agent", "AGENT"),
            ("chain", "CHAIN"),
            ("evaluator", "EVALUATOR"),
            ("guardrail", "GUARDRAIL"),
            ("span", "UNKNOWN"),
        ],
        inputs: &["langfuse.observation.input"],
        outputs: &["langfuse.observation.output"],
        ..SILENT
    },
];
