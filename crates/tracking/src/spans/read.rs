//! Spans of a request, as they are stored.

use std::collections::HashSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::Value as Json;
use trainyard_mlflow::entities::{self, KeyValue};

use super::any_value::{push_object, push_text, text};
use super::meaning::{self, Attributes};
use super::otlp::{AnyValue, ExportRequest, Link, Span, Value};

/// The attribute that says which trace a span is of.
const TRACE_ID: &str = "mlflow.traceRequestId";
/// Attributes of a root that are tags of its trace.
const TRACE_TAG: &str = "mlflow.traceTag.";
/// Longest name of a model or its provider: the size of their columns.
const MODEL_LENGTH_MAX: usize = 500;
/// Programs whose name is put on their roots.
const KNOWN_SERVICES: [&str; 5] =
    ["claude-code", "codex_cli_rs", "codex_vscode", "gemini-cli", "qwen-code"];

/// A span cannot be stored: its ids are missing or too long, or its times beyond what a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoSpan;

/// All spans of a request, each trace's first one with what describes the program.
pub(crate) fn spans(request: &ExportRequest) -> Result<Vec<entities::Span>, NoSpan> {
    let mut spans = Vec::new();
    for resource_spans in &request.resource_spans {
        let attributes = resource_spans
            .resource
            .as_ref()
            .map_or(&[][..], |resource| resource.attributes.as_slice());
        let resource = tags(attributes);
        let service = KeyValue::find(&resource, "service.name");
        let service = service.filter(|name| KNOWN_SERVICES.contains(name));
        let mut described = HashSet::new();
        for span in resource_spans.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let mut span = read(span, service)?;
            if described.insert(span.trace_id.clone()) {
                span.resource.clone_from(&resource);
            }
            spans.push(span);
        }
    }
    Ok(spans)
}

/// What describes a program, as tags: without what its libraries say of themselves, and what only MLflow sets.
fn tags(attributes: &[super::otlp::KeyValue]) -> Vec<KeyValue> {
    let ours = attributes.iter().filter(|attribute| {
        !attribute.key.starts_with("telemetry.sdk.") && !attribute.key.starts_with("mlflow.")
    });
    ours.map(|attribute| {
        let value = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::String(plain)) => plain.clone(),
            _ => text(attribute.value.as_ref()),
        };
        KeyValue::new(attribute.key.clone(), value)
    })
    .collect()
}

fn read(span: &Span, service: Option<&str>) -> Result<entities::Span, NoSpan> {
    let trace = id::<16>(&span.trace_id)?;
    let own = id::<8>(&span.id)?;
    let parent = match span.parent_span_id.as_slice() {
        [] => None,
        bytes => Some(id::<8>(bytes)?),
    };
    let trace_id = format!("tr-{}", hex::encode(trace));
    let start_ns = i64::try_from(span.start_time_unix_nano).map_err(|_too_late| NoSpan)?;
    let end_ns = i64::try_from(span.end_time_unix_nano).map_err(|_too_late| NoSpan)?;
    let mut attributes = attributes(span, &trace_id);
    let is_root = parent.is_none();
    if let Some(service) = service.filter(|_name| is_root) {
        let mut quoted = String::new();
        push_text(service, &mut quoted);
        attributes.set("service.name", quoted);
    }
    let span_type = attributes.text(meaning::SPAN_TYPE).filter(|kind| kind != "null");
    meaning::translate(&mut attributes);
    let object = |key: &str| {
        let value = serde_json::from_str::<Json>(attributes.get(key)?).ok()?;
        value.is_object().then_some(value)
    };
    let name = |key: &str| {
        let name = serde_json::from_str::<String>(attributes.get(key)?).ok()?;
        Some(name.chars().take(MODEL_LENGTH_MAX).collect::<String>())
    };
    let said = |key: &str| attributes.text(key).filter(|text| !text.is_empty());
    let of_root = |key: &str| attributes.get(key).filter(|_text| is_root).map(str::to_owned);
    let trace_tags =
        attributes.entries().iter().filter(|_attribute| is_root).filter_map(|(key, _)| {
            let tag = key.strip_prefix(TRACE_TAG)?;
            Some(KeyValue::new(tag, attributes.text(key)?))
        });
    let (status, code) = match span.status.as_ref().map(|status| status.code) {
        Some(1) => ("OK", "STATUS_CODE_OK"),
        Some(2) => ("ERROR", "STATUS_CODE_ERROR"),
        _ => ("UNSET", "STATUS_CODE_UNSET"),
    };
    Ok(entities::Span {
        span_id: hex::encode(own),
        parent_id: parent.map(hex::encode),
        name: span.name.clone(),
        span_type,
        status,
        start_ns,
        end_ns: (end_ns > 0).then_some(end_ns),
        usage: object(meaning::USAGE),
        cost: object(meaning::COST),
        model_name: name(meaning::MODEL),
        model_provider: name(meaning::PROVIDER),
        session_id: said("session.id").or_else(|| said("gen_ai.conversation.id")),
        user_id: said("user.id"),
        inputs: of_root(meaning::INPUTS),
        outputs: of_root(meaning::OUTPUTS),
        trace_tags: trace_tags.collect(),
        resource: Vec::new(),
        content: content(span, (trace, own, parent), code, &attributes),
        trace_id,
    })
}

/// An id of so many bytes; zeros are put before a shorter one.
fn id<const LENGTH: usize>(bytes: &[u8]) -> Result<[u8; LENGTH], NoSpan> {
    let mut id = [0; LENGTH];
    let start = LENGTH.checked_sub(bytes.len()).ok_or(NoSpan)?;
    if bytes.is_empty() {
        return Err(NoSpan);
    }
    id.get_mut(start..).ok_or(NoSpan)?.copy_from_slice(bytes);
    Ok(id)
}

/// Attributes with their JSON texts. Clients of MLflow send texts that are JSON already; these stay.
fn attributes(span: &Span, trace_id: &str) -> Attributes {
    let mut attributes = Attributes::default();
    for attribute in &span.attributes {
        attributes.set(&attribute.key, json_text(attribute.value.as_ref()));
    }
    attributes.set(TRACE_ID, format!("\"{trace_id}\""));
    attributes
}

fn json_text(value: Option<&AnyValue>) -> String {
    if let Some(Value::String(plain)) = value.and_then(|value| value.value.as_ref()) {
        let is_structured = plain.trim_start().starts_with(['"', '{', '[']);
        if is_structured && serde_json::from_str::<IgnoredAny>(plain).is_ok() {
            return plain.clone();
        }
    }
    text(value)
}

/// A span's JSON text, with its members in upstream's order.
fn content(
    span: &Span,
    (trace, own, parent): ([u8; 16], [u8; 8], Option<[u8; 8]>),
    code: &str,
    attributes: &Attributes,
) -> String {
    let mut out = format!(
        "{{\"trace_id\": \"{}\", \"span_id\": \"{}\", \"parent_span_id\": ",
        STANDARD.encode(trace),
        STANDARD.encode(own)
    );
    match parent {
        Some(parent) => push_text(&STANDARD.encode(parent), &mut out),
        None => out.push_str("null"),
    }
    out.push_str(", \"name\": ");
    push_text(&span.name, &mut out);
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    let _infallible = write!(
        out,
        ", \"start_time_unix_nano\": {start}, \"end_time_unix_nano\": {end}, \"events\": ["
    );
    for (index, event) in span.events.iter().enumerate() {
        out.push_str(if index > 0 { ", {\"name\": " } else { "{\"name\": " });
        push_text(&event.name, &mut out);
        let _infallible =
            write!(out, ", \"time_unix_nano\": {}, \"attributes\": ", event.time_unix_nano);
        push_object(&event.attributes, &mut out);
        out.push('}');
    }
    let _infallible = write!(out, "], \"status\": {{\"code\": \"{code}\", \"message\": ");
    push_text(span.status.as_ref().map_or("", |status| &status.message), &mut out);
    out.push_str("}, \"attributes\": {");
    for (index, (key, text)) in attributes.entries().iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push_text(key, &mut out);
        out.push_str(": ");
        push_text(text, &mut out);
    }
    out.push_str("}, \"links\": [");
    for (index, link) in span.links.iter().filter_map(linked).enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        out.push_str(&link);
    }
    out.push_str("]}");
    out
}

/// The JSON text of a link; none if its ids cannot be.
fn linked(link: &Link) -> Option<String> {
    let (trace, span) = (id::<16>(&link.trace_id).ok()?, id::<8>(&link.span_id).ok()?);
    let mut out = format!(
        "{{\"trace_id\": \"tr-{}\", \"span_id\": \"{}\", \"attributes\": ",
        hex::encode(trace),
        hex::encode(span)
    );
    if link.attributes.is_empty() {
        out.push_str("null");
    } else {
        push_object(&link.attributes, &mut out);
    }
    out.push('}');
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::stored;
    use super::*;

    fn request() -> ExportRequest {
        let attribute = |key: &str, value: Json| json!({"key": key, "value": value});
        let request = json!({"resourceSpans": [{
            "resource": {"attributes": [
                attribute("service.name", json!({"stringValue": "shop"})),
                attribute("telemetry.sdk.name", json!({"stringValue": "x"})),
                attribute("replicas", json!({"intValue": "3"})),
            ]},
            "scopeSpans": [{"spans": [
                {
                    "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
                    "name": "root", "startTimeUnixNano": "1700000000000000000",
                    "endTimeUnixNano": "1700000001500000000", "status": {"code": 1},
                    "attributes": [
                        attribute("mlflow.spanInputs", json!({"stringValue": "{\"q\": \"é\", \"a\": 1}"})),
                        attribute("n", json!({"intValue": "5"})),
                        attribute("l", json!({"arrayValue": {"values": [{"stringValue": "x"}, {"doubleValue": 1.5}]}})),
                        attribute("e", json!({})),
                        attribute("mlflow.traceTag.team", json!({"stringValue": "a"})),
                        attribute("session.id", json!({"stringValue": "s1"})),
                    ],
                    "events": [{"name": "ev", "timeUnixNano": "7",
                        "attributes": [attribute("k", json!({"boolValue": true}))]}],
                },
                {
                    "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b7",
                    "parentSpanId": "b7ad6b7169203331", "name": "llm", "startTimeUnixNano": 5,
                    "status": {"code": "STATUS_CODE_ERROR", "message": "bad"},
                    "links": [{"traceId": "0af7651916cd43dd8448eb211c80319d", "spanId": "00f067aa0ba902b8"}],
                },
            ]}],
        }]});
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn spans_are_stored_as_upstream_stores_them() {
        let spans = spans(&request()).unwrap();
        let [root, llm] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!(
            root.content,
            r#"{"trace_id": "CvdlGRbNQ92ESOshHIAxnA==", "span_id": "t61rcWkgMzE=", "parent_span_id": null, "name": "root", "start_time_unix_nano": 1700000000000000000, "end_time_unix_nano": 1700000001500000000, "events": [{"name": "ev", "time_unix_nano": 7, "attributes": {"k": true}}], "status": {"code": "STATUS_CODE_OK", "message": ""}, "attributes": {"mlflow.spanInputs": "{\"q\": \"é\", \"a\": 1}", "n": "5", "l": "[\"x\", 1.5]", "e": "null", "mlflow.traceTag.team": "\"a\"", "session.id": "\"s1\"", "mlflow.traceRequestId": "\"tr-0af7651916cd43dd8448eb211c80319c\""}, "links": []}"#
        );
        assert_eq!(root.trace_tags, [KeyValue::new("team", "a")]);
        assert_eq!(root.session_id.as_deref(), Some("s1"));
        assert_eq!(
            root.resource,
            [KeyValue::new("service.name", "shop"), KeyValue::new("replicas", "3")]
        );
        assert_eq!((root.status, root.span_type.as_deref()), ("OK", None));
        assert_eq!(
            (llm.status, llm.end_ns, llm.parent_id.as_deref()),
            ("ERROR", None, Some("b7ad6b7169203331"))
        );
        assert!(llm.resource.is_empty());
        let link = r#""links": [{"trace_id": "tr-0af7651916cd43dd8448eb211c80319d", "span_id": "00f067aa0ba902b8", "attributes": null}]}"#;
        assert!(llm.content.ends_with(link), "{}", llm.content);
    }

    #[test]
    fn what_is_stored_is_answered_in_the_order_in_which_it_came() {
        let spans = spans(&request()).unwrap();
        let answered = stored::wire(&spans[0].content).unwrap();
        let expected = r#"{"key":"mlflow.spanInputs","value":{"kvlist_value":{"values":[{"key":"q","value":{"string_value":"é"}},{"key":"a","value":{"int_value":1}}]}}},{"key":"n","value":{"int_value":5}}"#;
        assert!(answered.get().contains(expected), "{answered}");
        assert!(answered.get().contains(r#"{"key":"e"}"#), "{answered}");
        assert!(answered.get().ends_with(r#""status":{"code":"STATUS_CODE_OK"}}"#), "{answered}");
    }

    #[test]
    fn ids_that_cannot_be_are_refused() {
        for change in [
            |span: &mut Span| span.trace_id.clear(),
            |span: &mut Span| span.id = vec![1; 9],
            |span: &mut Span| span.start_time_unix_nano = u64::MAX,
        ] {
            let mut request = request();
            change(&mut request.resource_spans[0].scope_spans[0].spans[0]);
            assert_eq!(spans(&request), Err(NoSpan));
        }
    }
}
