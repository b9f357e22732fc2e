//! JSON as a tree that opens and closes, and as a table where it is one.

use maud::{Markup, html};
use serde_json::Value;

use super::grid::Grid;
use super::measure::{Measure, VALUE_CHARS};
use crate::format;

/// Branches that are open from the start.
const OPEN_DEPTH: usize = 2;
/// Deepest branch that is drawn.
const DEPTH_MAX: usize = 24;

/// What is shown of a value.
pub(super) fn show(value: &Value, measure: &Measure) -> Markup {
    match table(value, measure) {
        Some(grid) => grid.show(measure),
        None => tree(value, measure),
    }
}

/// A table as pandas' `to_json(orient="split")` and `mlflow.log_table` write it: names, and rows of values.
fn table(value: &Value, measure: &Measure) -> Option<Grid> {
    let columns = value.get("columns")?.as_array()?;
    let data = value.get("data")?.as_array()?;
    let names: Option<Vec<&str>> = columns.iter().map(Value::as_str).collect();
    let names = names?;
    let row = |row: &Value| {
        let values = row.as_array().filter(|values| values.len() == names.len())?;
        Some(values.iter().take(measure.columns).map(cell).collect())
    };
    let rows: Option<Vec<Vec<Option<String>>>> = data.iter().take(measure.rows).map(row).collect();
    Some(Grid {
        columns: names.iter().map(|name| ((*name).to_owned(), None)).collect(),
        rows: rows?,
        columns_total: names.len(),
        rows_total: Some(data.len()),
        has_more: data.len() > measure.rows,
    })
}

fn cell(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(format::short(&other.to_string(), VALUE_CHARS)),
    }
}

fn tree(value: &Value, measure: &Measure) -> Markup {
    let mut left = measure.entries;
    let drawn = branch(value, 0, &mut left);
    html! {
        div.box { ul.tree.json { (drawn) } }
        @if left == 0 { p.soft { "Only the first " (measure.entries) " entries are shown as a tree." } }
    }
}

/// The entries of an object or array, or the value itself.
fn branch(value: &Value, depth: usize, left: &mut usize) -> Markup {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), value));
            listed(entries, depth, left)
        }
        Value::Array(entries) => {
            let entries = entries.iter().enumerate();
            listed(entries.map(|(position, value)| (position.to_string(), value)), depth, left)
        }
        other => html! { li { (leaf(other)) } },
    }
}

fn listed<'a>(
    entries: impl Iterator<Item = (String, &'a Value)>,
    depth: usize,
    left: &mut usize,
) -> Markup {
    let mut drawn = Vec::new();
    for (key, value) in entries {
        if *left == 0 {
            break;
        }
        *left -= 1;
        drawn.push(entry(&key, value, depth, left));
    }
    html! { @for entry in drawn { (entry) } }
}

fn entry(key: &str, value: &Value, depth: usize, left: &mut usize) -> Markup {
    let size = match value {
        Value::Object(entries) => format!("{{{}}}", entries.len()),
        Value::Array(entries) => format!("[{}]", entries.len()),
        _ => String::new(),
    };
    let key = format::short(key, VALUE_CHARS);
    if size.is_empty() {
        return html! { li { span.key { (key) } ": " (leaf(value)) } };
    }
    if depth >= DEPTH_MAX {
        return html! { li { span.key { (key) } " " span.soft { (size) } } };
    }
    let below = branch(value, depth + 1, left);
    html! {
        li {
            details open[depth < OPEN_DEPTH] {
                summary { span.key { (key) } " " span.soft { (size) } }
                ul { (below) }
            }
        }
    }
}

/// A text, number, truth or null, as JSON writes it.
fn leaf(value: &Value) -> Markup {
    html! { code { (format::short(&value.to_string(), VALUE_CHARS)) } }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::measure::PAGE;
    use super::*;

    #[test]
    fn trees_fold_and_are_cut() {
        let html = show(&json!({"<a>": [1, {"b": null}], "c": "<i>"}), &PAGE).into_string();
        assert!(
            html.contains("<span class=\"key\">&lt;a&gt;</span> <span class=\"soft\">[2]</span>"),
            "{html}"
        );
        assert!(
            html.contains("<code>null</code>") && html.contains("&quot;&lt;i&gt;&quot;"),
            "{html}"
        );
        let many: Vec<usize> = (0..5_000).collect();
        let html = show(&json!(many), &PAGE).into_string();
        assert!(
            html.contains("Only the first 1500 entries") && html.len() < 200_000,
            "{}",
            html.len()
        );
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        assert_eq!(show(&deep, &PAGE).into_string().matches("<details").count(), DEPTH_MAX);
    }

    #[test]
    fn names_and_rows_are_a_table() {
        let value = json!({"columns": ["q", "a"], "data": [["<x>", 1.5], [null, [1, 2]]]});
        let grid = table(&value, &PAGE).unwrap();
        assert_eq!(grid.rows[1], [None, Some("[1,2]".to_owned())]);
        assert_eq!((grid.rows_total, grid.has_more), (Some(2), false));
        let odd = json!({"columns": ["q"], "data": [[1], [2, 3]]});
        assert!(table(&odd, &PAGE).is_none() && show(&odd, &PAGE).into_string().contains("tree"));
    }
}
