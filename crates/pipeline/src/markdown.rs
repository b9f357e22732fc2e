//! A run as Markdown: for the summary of a GitHub Actions job, or as a comment on a pull request.

use std::fmt::Write as _;

use trainyard_base::Advise as _;
use trainyard_drift::DatasetVerdict;

use crate::alias::PRODUCTION;
use crate::gate::Verdict;
use crate::promote::Promoted;
use crate::{Behaviour, Deployed, DriftSummary, Error, Summary};

/// By this, whoever comments finds the comment to update.
const MARKER: &str = "<!-- trainyard:summary -->";

impl Summary {
    /// What the run did.
    pub fn to_markdown(&self) -> String {
        let mut page = Page::new(&format!(
            "✅ {} version {} is in production",
            self.model.name, self.model.version
        ));
        if !self.is_new {
            page.line("Nothing new to learn from: data and settings are those of its training.");
        }
        page.verdict(&self.gate);
        page.behaviour(self.behaviour.as_ref());
        page.drift(self.drift.as_ref());
        let metrics =
            self.metrics.iter().map(|(name, value)| (name.as_str(), format!("{value:.4}")));
        page.table(["metric", "holdout"], metrics);
        let seconds =
            self.seconds.iter().map(|(step, took)| (step.title(), format!("{took:.1} s")));
        page.table(["step", "took"], seconds);
        page.line(&format!("Run `{}` in `{}`.", self.run_id, self.experiment));
        page.text
    }
}

impl Promoted {
    /// What promotion did.
    pub fn to_markdown(&self) -> String {
        let Self { name, version, alias, replaced, .. } = self;
        let title = match (alias == PRODUCTION, replaced) {
            (true, Some(before)) => {
                format!(
                    "✅ {name} version {version} is labelled Production, in place of version {before}"
                )
            }
            (true, None) => format!("✅ {name} version {version} is labelled Production"),
            (false, Some(serves)) => {
                format!(
                    "✅ {name} version {version} is approved; version {serves} serves until its release"
                )
            }
            (false, None) => format!("✅ {name} version {version} is approved"),
        };
        let mut page = Page::new(&title);
        page.verdict(&self.gate);
        page.text
    }
}

impl Deployed {
    /// What a release did.
    pub fn to_markdown(&self) -> String {
        let Self { name, version, .. } = self;
        let mut page = Page::new(&format!("✅ {name} version {version} serves"));
        page.behaviour(self.behaviour.as_ref());
        page.text
    }
}

impl Error {
    /// Why a run or a promotion stopped.
    pub fn to_markdown(&self) -> String {
        let Self::Gate(verdict) = self else {
            let mut page = Page::new("❌ The pipeline stopped");
            page.line(&format!("```text\n{}\n```", self.message().replace("```", "'''")));
            if let Some(hint) = self.hint() {
                page.line(&hint);
            }
            return page.text;
        };
        let mut page = Page::new("❌ The gate refused the version");
        page.verdict(verdict);
        page.line("Production is as it was.");
        page.text
    }
}

/// Text under construction; writing to a String cannot fail.
struct Page {
    text: String,
}

impl Page {
    fn new(title: &str) -> Self {
        Self { text: format!("{MARKER}\n### {title}\n\n") }
    }

    fn line(&mut self, text: &str) {
        let _infallible = writeln!(self.text, "{text}\n");
    }

    fn table<'a>(&mut self, head: [&str; 2], rows: impl Iterator<Item = (&'a str, String)>) {
        let [left, right] = head;
        let _infallible = writeln!(self.text, "| {left} | {right} |\n|---|---:|");
        for (name, value) in rows {
            let _infallible = writeln!(self.text, "| {} | {value} |", cell(name));
        }
        self.text.push('\n');
    }

    fn verdict(&mut self, verdict: &Verdict) {
        if verdict.checks.is_empty() {
            return self.line("The gate has no rules.");
        }
        self.text.push_str("| gate | value | must be | |\n|---|---:|---|---|\n");
        for check in &verdict.checks {
            let value = check.value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
            let mark = match (check.passed, check.undecided) {
                (true, false) => "✅",
                (true, true) => "⚠️",
                (false, _) => "❌",
            };
            let rule = match &check.note {
                Some(note) => format!("{}: {note}", check.rule),
                None => check.rule.clone(),
            };
            let (metric, rule) = (cell(&check.metric), cell(&rule));
            let _infallible = writeln!(self.text, "| {metric} | {value} | {rule} | {mark} |");
        }
        self.text.push('\n');
    }

    fn behaviour(&mut self, behaviour: Option<&Behaviour>) {
        if let Some(behaviour) = behaviour {
            self.text.push_str(&behaviour.to_markdown());
        }
    }

    fn drift(&mut self, drift: Option<&DriftSummary>) {
        match drift {
            None => self.line("Drift was not looked for: nothing was predicted yet."),
            Some(drift) => self.line(&format!(
                "{} {} (`{}`).",
                match drift.verdict {
                    DatasetVerdict::Stable => "✅",
                    DatasetVerdict::Warning | DatasetVerdict::Drift => "⚠️",
                    DatasetVerdict::Broken => "❌",
                },
                drift.sentence(),
                drift.report
            )),
        }
    }
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Check;

    #[test]
    fn a_refused_version_is_a_table_of_rules() {
        let check = |metric: &str, value, passed| Check {
            metric: metric.to_owned(),
            rule: "at least 0.9".to_owned(),
            value,
            passed,
            ..Check::default()
        };
        let checks = vec![check("accuracy", Some(0.81234), false), check("a|b", None, false)];
        let text = Error::Gate(Verdict { checks }).to_markdown();
        assert_eq!(
            text,
            "<!-- trainyard:summary -->\n### ❌ The gate refused the version\n\n\
             | gate | value | must be | |\n|---|---:|---|---|\n\
             | accuracy | 0.8123 | at least 0.9 | ❌ |\n| a\\|b | – | at least 0.9 | ❌ |\n\n\
             Production is as it was.\n\n"
        );
    }

    #[test]
    fn what_the_rows_did_not_decide_is_a_warning_with_what_was_needed() {
        let check = Check {
            metric: "accuracy".to_owned(),
            rule: "not worse".to_owned(),
            value: Some(0.9),
            passed: true,
            undecided: true,
            note: Some("not decided: 24 rows".to_owned()),
            ..Check::default()
        };
        let text = Error::Gate(Verdict { checks: vec![check] }).to_markdown();
        let row = "| accuracy | 0.9000 | not worse: not decided: 24 rows | ⚠️ |";
        assert!(text.contains(row), "{text}");
    }
}
