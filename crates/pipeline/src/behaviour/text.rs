//! A comparison for people: lines for the terminal, a section of Markdown.

use std::fmt::Write as _;

use super::report::{Behaviour, ChangedRow, ClassShare, Errors, Measure, Sample};

/// Classes that a line lists.
const CLASSES_SHOWN: usize = 5;

impl Behaviour {
    /// What was found, in a sentence.
    pub fn sentence(&self) -> String {
        if let Some(reason) = &self.skipped {
            return format!("answers were not compared: {reason}");
        }
        let before = self.before.as_deref().unwrap_or("?");
        let source = match self.source {
            Some(Sample::Log) => "logged requests",
            Some(Sample::Example) | None => "rows of the input example",
        };
        let mut text = format!(
            "{} of {} answers of version {before} change in version {} ({:.1} %; {} {source})",
            self.changed,
            self.compared,
            self.after,
            self.changed_share().unwrap_or(0.0) * 100.0,
            self.requests,
        );
        if self.is_too_few() {
            text.push_str(", too few for max_changed to judge");
        }
        text
    }

    /// What was found, line by line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.sentence()];
        lines.extend(self.contract.iter().cloned());
        if self.skipped.is_some() {
            return lines;
        }
        if let (Some(measure), Some(spread)) = (self.measure, self.difference) {
            lines.push(format!(
                "{}: median {:.4}, 95 % below {:.4}, at most {:.4}",
                self.measured(measure),
                spread.median,
                spread.p95,
                spread.max
            ));
        }
        if self.errors != Errors::default() {
            let errors = self.errors;
            lines.push(format!(
                "errors: {} before, {} after, {} of them new",
                errors.before, errors.after, errors.only_after
            ));
        }
        if !self.classes.is_empty() {
            let share = |class: &ClassShare| {
                format!(
                    "{} {:.1} % → {:.1} %",
                    class.label,
                    class.before * 100.0,
                    class.after * 100.0
                )
            };
            let shown: Vec<String> = self.classes.iter().take(CLASSES_SHOWN).map(share).collect();
            lines.push(format!("classes: {}", shown.join(", ")));
        }
        lines.extend(
            self.rows.iter().map(|row| format!("{} → {} at {}", row.before, row.after, input(row))),
        );
        lines
    }

    /// What is worth a word at the end of a release: all of it, or what breaks clients.
    pub fn told(&self) -> Vec<String> {
        if self.skipped.is_some() { self.contract.clone() } else { self.lines() }
    }

    fn measured(&self, measure: Measure) -> String {
        match measure {
            Measure::Label => "another label".to_owned(),
            Measure::Relative => {
                format!("relative difference (another answer beyond {})", self.tolerance)
            }
            Measure::Probability => "difference of probabilities".to_owned(),
        }
    }

    /// A section for the summary of a release.
    pub fn to_markdown(&self) -> String {
        let mark = match (&self.skipped, self.refusal()) {
            (Some(_), _) => "–",
            (None, Some(_)) => "❌",
            (None, None) => "✅",
        };
        let lines = self.lines();
        let rows = if self.skipped.is_some() { 0 } else { self.rows.len() };
        let mut text = String::new();
        // Writing to a String cannot fail.
        for (number, line) in lines.iter().take(lines.len() - rows).enumerate() {
            let lead = if number == 0 { format!("{mark} ") } else { "- ".to_owned() };
            let gap = if number == 0 { "\n" } else { "" };
            let _infallible = writeln!(text, "{lead}{}{gap}", cell(line));
        }
        if rows > 0 {
            text.push_str("\n| changed most | before | after | difference |\n|---|---|---|---:|\n");
        }
        for row in self.rows.iter().take(rows) {
            let difference = row.difference.map_or_else(|| "–".to_owned(), |d| format!("{d:.4}"));
            let (input, before, after) = (cell(&input(row)), cell(&row.before), cell(&row.after));
            let _infallible = writeln!(text, "| {input} | {before} | {after} | {difference} |");
        }
        text.push('\n');
        text
    }
}

fn input(row: &ChangedRow) -> String {
    let values: Vec<String> =
        row.input.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    values.join(", ")
}

/// Text of clients and models that stays in its cell, and is no markup.
fn cell(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ").replace('&', "&amp;").replace('<', "&lt;");
    text.replace('|', "\\|").replace('`', "'").replace('[', "\\[").replace('@', "@\u{200b}")
}

#[cfg(test)]
mod tests {
    use super::super::report::Spread;
    use super::*;

    #[test]
    fn the_report_reads_as_a_page() {
        let mut found = Behaviour::new("2", Some(0.2), 0.05);
        found.before = Some("1".to_owned());
        found.source = Some(Sample::Log);
        (found.requests, found.compared, found.changed) = (40, 40, 10);
        found.measure = Some(Measure::Relative);
        found.difference = Some(Spread { median: 0.01, p95: 0.2, max: 0.5 });
        found.rows.push(ChangedRow {
            input: [("name".to_owned(), "a|<b>".to_owned())].into(),
            before: "1.5".to_owned(),
            after: "3.0".to_owned(),
            difference: Some(0.5),
        });
        assert_eq!(
            found.to_markdown(),
            "❌ 10 of 40 answers of version 1 change in version 2 (25.0 %; 40 logged requests)\n\n\
             - relative difference (another answer beyond 0.05): median 0.0100, 95 % below 0.2000, at most \
             0.5000\n\n\
             | changed most | before | after | difference |\n|---|---|---|---:|\n\
             | name = a\\|&lt;b> | 1.5 | 3.0 | 0.5000 |\n\n"
        );
        let skipped = Behaviour::new("2", None, 0.05).without("nothing served before");
        assert_eq!(
            skipped.to_markdown(),
            "– answers were not compared: nothing served before\n\n\n"
        );
    }
}
