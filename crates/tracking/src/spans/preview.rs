//! What is shown of a request and its response: the last message of a chat, or the beginning of the JSON.

use serde_json::Value;

/// Longest preview, in characters: the size of its column.
const LENGTH_MAX: usize = 1000;
/// Requests within requests that are looked into.
const DEPTH_MAX: usize = 8;

/// The preview of a JSON text; `role` is whose message is looked for.
pub(crate) fn preview(text: &str, role: &str) -> String {
    let value: Option<Value> = serde_json::from_str(text).ok();
    let messages = value.as_ref().and_then(|value| messages(value, 0)).unwrap_or_default();
    let message = messages
        .iter()
        .rev()
        .find(|message| message.get("role").and_then(Value::as_str) == Some(role))
        .or_else(|| messages.last());
    let content = message.map(|message| content(message)).filter(|content| !content.is_empty());
    shortened(content.unwrap_or(text))
}

/// At most [`LENGTH_MAX`] characters, with three dots where something is missing.
fn shortened(text: &str) -> String {
    if text.chars().nth(LENGTH_MAX).is_none() {
        return text.to_owned();
    }
    let mut start: String = text.chars().take(LENGTH_MAX - 3).collect();
    start.push_str("...");
    start
}

/// The messages of a chat in one of the forms of OpenAI's APIs.
fn messages(value: &Value, depth: usize) -> Option<Vec<&Value>> {
    let is_message = |item: &&Value| item.get("role").is_some() && item.get("content").is_some();
    let list = |name: &str| value.get(name)?.as_array().filter(|items| !items.is_empty());
    if let Some(items) = list("messages") {
        return Some(items.iter().filter(is_message).collect());
    }
    let chosen = list("choices").and_then(|choices| choices.first()?.get("message"));
    if let Some(message) = chosen.filter(is_message) {
        return Some(vec![message]);
    }
    if let Some(items) = list("input").or_else(|| list("output")) {
        return Some(items.iter().filter(is_message).collect());
    }
    let request = value.get("request").filter(|_request| depth < DEPTH_MAX)?;
    messages(request, depth + 1)
}

fn content(message: &Value) -> &str {
    match message.get("content") {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => {
            let text = parts.iter().find_map(|part| match part {
                Value::String(text) => Some(text.as_str()),
                part => {
                    let kind = part.get("type").and_then(Value::as_str);
                    let is_text = matches!(kind, Some("text" | "output_text"));
                    part.get("text").and_then(Value::as_str).filter(|_text| is_text)
                }
            });
            text.unwrap_or_default()
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chats_show_their_last_message_and_all_else_its_beginning() {
        for (text, role, expected) in [
            (r#"{"q": "x"}"#, "user", r#"{"q": "x"}"#),
            ("no json", "user", "no json"),
            (
                r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}"#,
                "user",
                "hi",
            ),
            (
                r#"{"choices": [{"message": {"role": "assistant", "content": "ok"}}]}"#,
                "assistant",
                "ok",
            ),
            (
                r#"{"request": {"input": [{"role": "user", "content": [{"type": "text", "text": "in"}]}]}}"#,
                "user",
                "in",
            ),
            (r#"{"messages": []}"#, "user", r#"{"messages": []}"#),
        ] {
            assert_eq!(preview(text, role), expected);
        }
        let long = preview(&"é".repeat(2_000), "user");
        assert_eq!(long.chars().count(), LENGTH_MAX);
        assert!(long.ends_with("é..."));
    }
}
