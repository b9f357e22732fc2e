//! A table for the terminal: 80 columns, in which nothing wraps.

use std::fmt::Write as _;

use trainyard_drift::{ColumnDrift, DatasetDrift, DatasetVerdict, Status, Verdict};

use super::change::change;
use super::grouped::{Group, grouped, guesses};
use super::meta::Meta;
use super::sentences::{decision, headline, segment_words, summary};
use super::state::{State, sign};
use super::wrapped::{WIDTH, cut, fit, plain, width, wrap};
use crate::number::count;

/// Columns of the terminal for a column's name: long enough for most, and leaves room for the rest.
const NAME_WIDTH_MAX: usize = 24;
/// Columns of the terminal for what changed: a median with its unit on both sides.
const CHANGE_WIDTH_MAX: usize = 34;
/// Columns of the terminal before a name: blanks, sign and word of the state.
const STATE_WIDTH: usize = 12;
/// Columns listed; the rest is counted.
const ROWS_MAX: usize = 100;
/// Findings listed.
const FINDINGS_MAX: usize = 20;

/// The verdict, a line a column by severity, the findings, and what text was taken for.
pub fn text(drift: &DatasetDrift, meta: &Meta) -> String {
    render(drift, meta, &Paint { colour: false })
}

/// [`text`] in the colours of a terminal. They repeat what the signs say.
pub fn coloured_text(drift: &DatasetDrift, meta: &Meta) -> String {
    render(drift, meta, &Paint { colour: true })
}

fn render(drift: &DatasetDrift, meta: &Meta, paint: &Paint) -> String {
    let mut out = String::new();
    let verdict = paint.verdict(drift.verdict());
    let _infallible = writeln!(out, "{verdict} {}", paint.bold(headline(drift)));
    wrap(&mut out, "  ", 2, &summary(drift));
    for (side, name, rows) in [
        ("reference", &meta.reference, drift.reference_rows),
        ("current", &meta.current, drift.current_rows),
    ] {
        let rows = format!(" ({} rows)", count(rows));
        let room = WIDTH - 12 - width(&rows);
        let _infallible = writeln!(out, "  {side:<9} {}{rows}", fit(name, room));
    }
    out.push('\n');
    let columns = drift.by_severity();
    let shown = columns.get(..ROWS_MAX.min(columns.len())).unwrap_or_default();
    let widest = |of: &dyn Fn(&ColumnDrift) -> usize, most: usize| {
        shown.iter().map(|column| of(column)).max().unwrap_or(0).min(most)
    };
    let name = widest(&|column| width(&plain(&column.name)), NAME_WIDTH_MAX);
    // What decided begins at one place in all lines, but in those whose change is long.
    let decided = widest(&|column| column.verdict().map_or(0, |v| width(&decision(v))), WIDTH);
    let room = WIDTH.saturating_sub(STATE_WIDTH + name + decided + 4);
    let widths = Widths {
        name,
        change: widest(&|column| width(&plain(&change(column))), CHANGE_WIDTH_MAX.min(room)),
    };
    for column in shown {
        row(&mut out, column, widths, paint);
    }
    if columns.len() > shown.len() {
        let _infallible = writeln!(out, "  and {} more columns", columns.len() - shown.len());
    }
    if !drift.segments.is_empty() {
        let _infallible = writeln!(out, "\n{}", paint.bold("Segments"));
        for segment in drift.segments_by_severity() {
            let verdict = segment.drift.verdict();
            let sign = sign(verdict);
            let first = format!("  {sign} {:<7} ", verdict.name());
            let mut lines = String::new();
            let text = format!("{}: {}", segment.name, segment_words(segment));
            wrap(&mut lines, &first, width(&first), &text);
            out.push_str(&lines.replacen(sign, &paint.verdict(verdict), 1));
        }
    }
    let word = |group: &Group<'_>| format!("{} ", group.severity.name());
    list(&mut out, &paint.bold("Findings"), &grouped(drift), word);
    list(&mut out, &paint.bold("Read as"), &guesses(drift), |_| String::new());
    out
}

/// A list of what is said, each behind a word.
fn list(out: &mut String, title: &str, groups: &[Group<'_>], word: impl Fn(&Group<'_>) -> String) {
    if groups.is_empty() {
        return;
    }
    let _infallible = writeln!(out, "\n{title}");
    for group in groups.iter().take(FINDINGS_MAX) {
        let names = group.names();
        let names = if names.is_empty() { names } else { format!("{names}: ") };
        wrap(out, &format!("  {}", word(group)), 4, &format!("{names}{}", group.message));
    }
    if groups.len() > FINDINGS_MAX {
        let _infallible = writeln!(out, "  and {} more", groups.len() - FINDINGS_MAX);
    }
}

/// How wide the parts of a row are.
#[derive(Debug, Clone, Copy)]
struct Widths {
    name: usize,
    change: usize,
}

/// A line: state, name, what changed, and what decided as far as there is room. A column that was not tested
/// says why, in as many lines as it takes.
fn row(out: &mut String, column: &ColumnDrift, widths: Widths, paint: &Paint) {
    let state = State::of(column);
    let word = format!("{} {:<7}", state.sign(), state.word());
    let name = padded(&fit(&column.name, widths.name), widths.name);
    let head = format!("  {word} {name}  ");
    let mut line = String::new();
    match &column.status {
        Status::Tested(verdict) => {
            let changed = cut(&change(column), WIDTH.saturating_sub(width(&head)));
            let changed = padded(&changed, widths.change);
            let gap = if widths.change == 0 { "" } else { "  " };
            let room = WIDTH.saturating_sub(width(&head) + width(&changed) + gap.len());
            line.push_str(format!("{head}{changed}{gap}{}", test(verdict, room)).trim_end());
            line.push('\n');
        }
        Status::Skipped(reason) | Status::Failed(reason) => {
            wrap(&mut line, &head, width(&head), reason);
        }
    }
    // Colours come last: they have no width.
    out.push_str(&line.replacen(&word, &paint.state(state, &word), 1));
}

/// The method and the comparison that decided, or the comparison alone, or nothing: half a number misleads.
fn test(verdict: &Verdict, room: usize) -> String {
    let decision = decision(verdict);
    let full = format!("{} {decision}", verdict.method.id());
    [full, decision].into_iter().find(|text| width(text) <= room).unwrap_or_default()
}

/// A text with blanks after it, up to a width.
fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

struct Paint {
    colour: bool,
}

impl Paint {
    fn state(&self, state: State, text: &str) -> String {
        let code = match state {
            State::Drift => "33",
            State::Stable => "32",
            State::Skipped => "2",
            State::Failed => "31",
        };
        self.wrap(code, text)
    }

    fn verdict(&self, verdict: DatasetVerdict) -> String {
        let code = match verdict {
            DatasetVerdict::Stable => "32",
            DatasetVerdict::Warning | DatasetVerdict::Drift => "33",
            DatasetVerdict::Broken => "31",
        };
        self.wrap(code, sign(verdict))
    }

    fn bold(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn wrap(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
