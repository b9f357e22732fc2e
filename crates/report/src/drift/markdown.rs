//! Markdown for pull requests and summaries of CI jobs.

use std::fmt::Write as _;

use trainyard_drift::{ColumnDrift, DatasetDrift, Status};

use super::change::change;
use super::grouped::grouped;
use super::meta::Meta;
use super::sentences::{decision, headline, segment_words, summary};
use super::state::{State, sign as sign_of};
use crate::number::{count, short};

/// Rows of the table; a pull request comment is cut at 65,536 characters.
const ROWS_MAX: usize = 200;
/// Findings listed.
const FINDINGS_MAX: usize = 50;

/// The verdict, the columns by severity and the findings.
pub fn markdown(drift: &DatasetDrift, meta: &Meta) -> String {
    let mut out = String::new();
    let sign = sign_of(drift.verdict());
    let _infallible = writeln!(out, "## {sign} {}: {}\n", cell(meta.title()), headline(drift));
    let _infallible = writeln!(out, "{}\n", cell(&summary(drift)));
    for (side, name, rows) in [
        ("Reference", &meta.reference, drift.reference_rows),
        ("Current", &meta.current, drift.current_rows),
    ] {
        let _infallible = writeln!(out, "- {side}: {} ({} rows)", code(name), count(rows));
    }
    out.push_str(
        "\n| Column | Kind | Verdict | What changed | Method | Score | Effect |\n|---|---|---|---|---|---|---|\n",
    );
    let columns = drift.by_severity();
    for column in columns.iter().take(ROWS_MAX) {
        out.push_str(&row(column));
    }
    if columns.len() > ROWS_MAX {
        let _infallible =
            writeln!(out, "\n{} more columns are left out here.", columns.len() - ROWS_MAX);
    }
    if !drift.segments.is_empty() {
        out.push_str("\n### Segments\n\n| Segment | Verdict | |\n|---|---|---|\n");
        for segment in drift.segments_by_severity() {
            let verdict = segment.drift.verdict();
            let (sign, words) = (sign_of(verdict), segment_words(segment));
            let _infallible = writeln!(
                out,
                "| {} | {sign} {} | {} |",
                code(&segment.name),
                verdict.name(),
                cell(&words)
            );
        }
    }
    let worth_listing = grouped(drift);
    if !worth_listing.is_empty() {
        out.push_str("\n### Findings\n\n");
        for group in worth_listing.iter().take(FINDINGS_MAX) {
            let names = match group.columns.as_slice() {
                [] => String::new(),
                [only] => format!("{}: ", code(only)),
                _ => format!("{}: ", cell(&group.names())),
            };
            let _infallible =
                writeln!(out, "- **{}** {names}{}", group.severity.name(), cell(&group.message));
        }
        if worth_listing.len() > FINDINGS_MAX {
            let _infallible = writeln!(out, "- and {} more", worth_listing.len() - FINDINGS_MAX);
        }
    }
    out
}

fn row(column: &ColumnDrift) -> String {
    let state = State::of(column);
    let (method, score, effect) = match &column.status {
        Status::Tested(verdict) => {
            let effect = verdict
                .effect
                .as_ref()
                .map(|effect| format!("{} ({})", short(effect.value), effect.size.name()))
                .unwrap_or_default();
            (verdict.method.id(), decision(verdict), effect)
        }
        Status::Skipped(reason) | Status::Failed(reason) => ("", reason.clone(), String::new()),
    };
    format!(
        "| {} | {} | {} {} | {} | {method} | {} | {effect} |\n",
        code(&column.name),
        column.kind,
        state.sign(),
        state.word(),
        cell(&change(column)),
        cell(&score)
    )
}

/// Text that cannot leave its table cell or become markup.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '@' | '#' | '!' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

/// A name as code; one with backticks is escaped text instead.
fn code(text: &str) -> String {
    if text.is_empty() || text.contains(['`', '|', '\n', '\r', '\\']) {
        cell(text)
    } else {
        format!("`{text}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_a_cell() {
        assert_eq!(code("a|b"), "a\\|b");
        assert_eq!(code("plain name"), "`plain name`");
        assert_eq!(cell("<img>\n@team"), "&lt;img&gt; \\@team");
    }
}
