//! A notebook as text: what people wrote, the code, and what it printed. Pictures and pages among its outputs are not
//! shown: they are what somebody's program made.

use maud::{Markup, html};
use serde_json::Value;

use super::measure::Measure;
use crate::{format, markdown, page};

/// Characters of what a cell printed.
const PRINTED_CHARS: usize = 4_000;

/// The cells; none if it is no notebook.
///
/// Source: the format of Jupyter notebooks, version 4 (`nbformat`): `cells` with `cell_type`, `source` and `outputs`, texts as
/// one string or as lines.
pub(super) fn show(value: &Value, measure: &Measure) -> Option<Markup> {
    let cells = value.get("cells")?.as_array()?;
    Some(html! {
        div.notebook { @for one in cells.iter().take(measure.cells) { (cell(one)) } }
        @if cells.len() > measure.cells { p.soft { "The first " (measure.cells) " of " (cells.len()) " cells." } }
    })
}

fn cell(cell: &Value) -> Markup {
    let source = text(cell.get("source"));
    let outputs = cell.get("outputs").and_then(Value::as_array);
    html! {
        @match cell.get("cell_type").and_then(Value::as_str) {
            Some("markdown") => (markdown::description(&source)),
            Some("code") => (page::code(&source)),
            _ => pre { (source) },
        }
        @for output in outputs.into_iter().flatten() {
            @let printed = printed(output);
            @if !printed.is_empty() { pre { (format::short(&printed, PRINTED_CHARS)) } }
        }
    }
}

/// What an output is as text.
fn printed(output: &Value) -> String {
    let places = ["/text", "/data/text~1plain", "/evalue"];
    let found = places.iter().find_map(|place| output.pointer(place));
    text(found)
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::measure::PAGE;
    use super::*;

    #[test]
    fn cells_and_what_they_printed_are_text() {
        let notebook = json!({"nbformat": 4, "cells": [
            {"cell_type": "markdown", "source": ["# Title\n", "<script>x</script>"]},
            {"cell_type": "code", "source": "print('<b>')", "outputs": [
                {"output_type": "stream", "text": ["<b>\n"]},
                {"output_type": "display_data", "data": {"text/html": "<b>no</b>", "text/plain": "Figure"}},
                {"output_type": "error", "evalue": "no such file"},
            ]},
        ]});
        let html = show(&notebook, &PAGE).unwrap().into_string();
        assert!(html.contains("<h2>Title</h2>") && html.contains("print('&lt;b&gt;')"), "{html}");
        assert!(html.contains("Figure") && html.contains("no such file"), "{html}");
        assert!(!html.contains("<b>") && !html.contains("<script"), "{html}");
        assert!(show(&json!([]), &PAGE).is_none());
        let short = Measure { cells: 1, ..PAGE };
        assert!(show(&notebook, &short).unwrap().into_string().contains("The first 1 of 2 cells."));
    }
}
