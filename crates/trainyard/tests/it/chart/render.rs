//! What Helm makes of the chart, and looking around in it.

use serde_json::Value;
use trainyard_testkit::{run_python, workspace_root};

/// Kinds with pods in them, and where these are.
const POD_TEMPLATES: [(&str, &str); 3] = [
    ("Deployment", "/spec/template/spec"),
    ("CronJob", "/spec/jobTemplate/spec/template/spec"),
    ("ServingRuntime", "/spec"),
];

/// What came of each case: `objects` and `notes`, or `error`.
pub(super) fn render(cases: &Value) -> Vec<Value> {
    let chart = workspace_root().join("charts/trainyard").display().to_string();
    let rendered = run_python(include_str!("render.py"), &[&chart, &cases.to_string()], &[]);
    serde_json::from_str(&rendered).unwrap()
}

/// Everything of a list, nothing if there is none.
pub(super) fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Kind and name, for messages.
pub(super) fn id(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The pods of these objects, each with the object's name.
pub(super) fn pods(rendered: &Value) -> Vec<(String, &Value)> {
    each(&rendered["objects"])
        .filter_map(|object| {
            let (_, path) = POD_TEMPLATES.iter().find(|(kind, _)| object["kind"] == *kind)?;
            Some((id(object), object.pointer(path)?))
        })
        .collect()
}

/// Objects of a kind.
pub(super) fn of_kind<'a>(rendered: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    each(&rendered["objects"]).filter(move |object| object["kind"] == kind)
}

pub(super) fn texts(value: &Value) -> Vec<&str> {
    each(value).filter_map(Value::as_str).collect()
}
