//! A table for the terminal.

use std::fmt::Write as _;

use trainyard_drift::{ColumnDrift, DatasetDrift, DatasetVerdict, Distribution, Severity, Status};

use super::meta::Meta;
use super::sentences::{decision, headline, summary};
use super::state::{State, sign};
use crate::number::{count, short};

/// Characters of a column's name that are shown.
const NAME_CHARS_MAX: usize = 28;
/// Columns listed; the rest is counted.
const ROWS_MAX: usize = 100;
/// Findings listed.
const FINDINGS_MAX: usize = 20;

/// The verdict, a line a column by severity, the findings.
pub fn text(drift: &DatasetDrift, meta: &Meta) -> String {
    render(drift, meta, &Paint { colour: false })
}

/// [`text`] in the colours of a terminal. They repeat what the signs say.
pub fn coloured_text(drift: &DatasetDrift, meta: &Meta) -> String {
    render(drift, meta, &Paint { colour: true })
}

fn render(drift: &DatasetDrift, meta: &Meta, paint: &Paint) -> String {
    let mut out = String::new();
    let sign = paint.verdict(drift.verdict());
    let _infallible = writeln!(out, "{sign} {}", paint.bold(headline(drift)));
    let _infallible = writeln!(out, "  {}", summary(drift));
    let _infallible = writeln!(
        out,
        "  reference {} ({} rows), current {} ({} rows)\n",
        plain(&meta.reference),
        count(drift.reference_rows),
        plain(&meta.current),
        count(drift.current_rows)
    );
    let columns = drift.by_severity();
    let shown = columns.get(..ROWS_MAX.min(columns.len())).unwrap_or_default();
    let width = shown.iter().map(|column| width(&fit(&column.name))).max().unwrap_or(0).max(6);
    for column in shown {
        out.push_str(&row(column, width, paint));
    }
    if columns.len() > shown.len() {
        let _infallible = writeln!(out, "  and {} more columns", columns.len() - shown.len());
    }
    let findings: Vec<_> =
        drift.all_findings().filter(|(_, finding)| finding.severity >= Severity::Warning).collect();
    if !findings.is_empty() {
        let _infallible = writeln!(out, "\n{}", paint.bold("Findings"));
        for (column, finding) in findings.iter().take(FINDINGS_MAX) {
            let column = column.map(|name| format!("{}: ", plain(name))).unwrap_or_default();
            let _infallible =
                writeln!(out, "  {} {column}{}", finding.severity.name(), plain(&finding.message));
        }
        if findings.len() > FINDINGS_MAX {
            let _infallible = writeln!(out, "  and {} more", findings.len() - FINDINGS_MAX);
        }
    }
    out
}

fn row(column: &ColumnDrift, name_width: usize, paint: &Paint) -> String {
    let state = State::of(column);
    let name = fit(&column.name);
    let padding = " ".repeat(name_width.saturating_sub(width(&name)));
    let spark = spark(column.distribution.as_ref());
    let tail = match &column.status {
        Status::Tested(verdict) => {
            let effect = verdict
                .effect
                .as_ref()
                .map(|effect| {
                    format!("  {} {} ({})", effect.name, short(effect.value), effect.size.name())
                })
                .unwrap_or_default();
            format!("{:<14} {}{effect}", verdict.method.id(), decision(verdict))
        }
        Status::Skipped(reason) | Status::Failed(reason) => plain(reason),
    };
    let word = format!("{} {:<7}", state.sign(), state.word());
    format!(
        "  {} {name}{padding}  {:<11} {spark} {tail}\n",
        paint.state(state, &word),
        column.kind.name()
    )
}

/// Both distributions in eight characters each: the reference, an arrow, current.
fn spark(distribution: Option<&Distribution>) -> String {
    const WIDTH: usize = 8;
    let Some(Distribution::Numbers { bins, .. }) = distribution else {
        return " ".repeat(2 * WIDTH + 3);
    };
    let draw = |share: &dyn Fn(usize) -> f64| -> String {
        let mut columns = [0.0; WIDTH];
        for index in 0..bins.len() {
            columns[(index * WIDTH / bins.len()).min(WIDTH - 1)] += share(index);
        }
        let largest = columns.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        columns
            .iter()
            .map(|value| {
                ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
                    [((value / largest * 7.0).round() as usize).min(7)]
            })
            .collect()
    };
    let before = draw(&|index| bins.get(index).map_or(0.0, |bin| bin.reference));
    let after = draw(&|index| bins.get(index).map_or(0.0, |bin| bin.current));
    format!("{before} → {after}")
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

fn fit(name: &str) -> String {
    let name = plain(name);
    if name.chars().count() <= NAME_CHARS_MAX {
        return name;
    }
    name.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Text without control characters, which could steer the terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(fit(&"x".repeat(99)).chars().count(), NAME_CHARS_MAX);
    }
}
