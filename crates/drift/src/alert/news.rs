//! What of the episodes is news: one message for what began and what is over, whatever the number of series.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::episode::Episode;
use super::series::Series;
use crate::over_time::{Window, WindowLength};

/// Series that a message names of one cause, and causes; the rest is counted.
const NAMED_MAX: usize = 3;
const CAUSES_MAX: usize = 10;

/// What somebody was told of and that is not over, as far as they know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Title of the rule.
    pub rule: String,
    /// What is beyond.
    pub series: Series,
    /// Since when.
    pub began: Window,
    /// The window with which all began that was told of the same column and is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Window>,
}

/// What is to be told now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct News {
    /// What goes on and was not told.
    pub began: Vec<Episode>,
    /// What began and ended since anybody was told anything.
    pub passed: Vec<Episode>,
    /// What was told and is over.
    pub over: Vec<Told>,
    /// What somebody knows of once this is told.
    pub told: Vec<Told>,
}

/// What of the episodes is news to somebody who was told of `told`; of what is silenced only that it is over.
/// `is_recent` says of an episode that ended whether that is since anybody was told anything.
pub fn news(
    episodes: &[Episode],
    told: &[Told],
    is_silenced: impl Fn(&Episode) -> bool,
    is_recent: impl Fn(&Episode) -> bool,
) -> News {
    let ongoing: Vec<&Episode> = episodes.iter().filter(|one| one.ended.is_none()).collect();
    let is_of = |known: &Told, one: &Episode| known.rule == one.rule && known.series == one.series;
    let (kept, over): (Vec<Told>, Vec<Told>) = told
        .iter()
        .cloned()
        .partition(|known| ongoing.iter().copied().any(|one| is_of(known, one)));
    let is_new = |one: &&Episode| !told.iter().any(|known| is_of(known, one)) && !is_silenced(one);
    let began: Vec<Episode> = ongoing.iter().copied().filter(is_new).cloned().collect();
    let was_told =
        |one: &Episode| told.iter().any(|known| is_of(known, one) && known.began == one.began);
    let has_passed = |one: &&Episode| {
        one.ended.is_some() && is_recent(one) && !was_told(one) && !is_silenced(one)
    };
    let passed = episodes.iter().filter(has_passed).cloned().collect();
    let known = stories(told);
    let mut stories = known.clone();
    for one in &began {
        let column = one.series.column.as_deref();
        if !known.contains_key(&column) {
            let begins = stories.entry(column).or_insert(one.began);
            *begins = one.began.min(*begins);
        }
    }
    let further = began.iter().map(|one| Told {
        rule: one.rule.clone(),
        series: one.series.clone(),
        began: one.began,
        cause: stories.get(&one.series.column.as_deref()).copied(),
    });
    let told = kept.into_iter().chain(further).collect();
    News { began, passed, over, told }
}

/// The window with which all began that was told of each column.
pub(super) fn stories(told: &[Told]) -> BTreeMap<Option<&str>, Window> {
    let mut stories = BTreeMap::new();
    for one in told {
        let began = one.cause.unwrap_or(one.began);
        let begins = stories.entry(one.series.column.as_deref()).or_insert(began);
        *begins = began.min(*begins);
    }
    stories
}

impl News {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.began.is_empty() && self.passed.is_empty() && self.over.is_empty()
    }

    /// The message: a line for all that is wrong with one column, the table as a whole first, and what is over.
    pub fn text(&self, length: WindowLength) -> String {
        let mut lines = lines_of(&self.began, length);
        let passed = lines_of(&self.passed, length);
        lines.extend(passed.into_iter().map(|line| format!("{line}, and over since")));
        let over: Vec<String> =
            self.over.iter().take(CAUSES_MAX).map(|one| one.series.to_string()).collect();
        if !over.is_empty() {
            let mut text = format!("back to what is usual: {}", over.join(", "));
            if self.over.len() > CAUSES_MAX {
                // Writing to a String cannot fail.
                let _infallible = write!(text, " and {} more", self.over.len() - CAUSES_MAX);
            }
            lines.push(text);
        }
        lines.join("; ")
    }
}

/// A line for all that is wrong with one column, the table as a whole first.
fn lines_of(episodes: &[Episode], length: WindowLength) -> Vec<String> {
    let mut causes: BTreeMap<Option<&str>, Vec<&Episode>> = BTreeMap::new();
    for one in episodes {
        causes.entry(one.series.column.as_deref()).or_default().push(one);
    }
    let mut lines: Vec<String> =
        causes.values().take(CAUSES_MAX).map(|cause| line(cause, length)).collect();
    if causes.len() > CAUSES_MAX {
        lines.push(format!("{} more columns", causes.len() - CAUSES_MAX));
    }
    lines
}

/// What is wrong with one column, or with the whole.
fn line(cause: &[&Episode], length: WindowLength) -> String {
    let said: Vec<String> = cause.iter().take(NAMED_MAX).map(|one| one.sentence()).collect();
    let since = cause.iter().map(|one| one.began).min().map(|window| window.name(length));
    let mut text = said.join(", ");
    if cause.len() > NAMED_MAX {
        let _infallible = write!(text, " and {} more", cause.len() - NAMED_MAX);
    }
    if let Some(since) = since {
        let _infallible = write!(text, ", since {since}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Range;
    use crate::over_time::About;

    fn episode(metric: &str, column: Option<&str>, is_over: bool) -> Episode {
        let window = |day: i64| Window { begins: day * 86_400_000, ends: (day + 1) * 86_400_000 };
        Episode {
            rule: "r".to_owned(),
            series: Series {
                about: About::Drift,
                metric: metric.to_owned(),
                segment: None,
                version: None,
                column: column.map(str::to_owned),
            },
            began: window(0),
            fired: window(1),
            ended: is_over.then(|| window(3)),
            value: 0.25,
            range: Range { low: None, high: Some(0.1) },
        }
    }

    #[test]
    fn one_message_says_what_began_and_what_is_over_and_nothing_is_said_twice() {
        let first = [
            episode("drift_score", Some("x"), false),
            episode("missing_share", Some("x"), false),
            episode("verdict", None, false),
            episode("drift_score", Some("y"), true),
        ];
        let told = news(&first, &[], |_| false, |_| false);
        let day: WindowLength = "1d".parse().unwrap();
        assert_eq!(
            told.text(day),
            "verdict is 0.25, above 0.1, since 1970-01-01; drift_score of x is 0.25, above 0.1, \
             missing_share of x is 0.25, above 0.1, since 1970-01-01"
        );
        assert!(news(&first, &told.told, |_| false, |_| false).is_empty());
        let later = [episode("verdict", None, false), episode("drift_score", Some("x"), true)];
        let then = news(&later, &told.told, |_| false, |_| false);
        assert_eq!((then.began.len(), then.over.len(), then.told.len()), (0, 2, 1));
        assert_eq!(then.text(day), "back to what is usual: drift_score of x, missing_share of x");
    }

    #[test]
    fn what_began_and_ended_between_two_looks_is_told_once() {
        let passed = [episode("verdict", None, true)];
        let told = news(&passed, &[], |_| false, |_| true);
        assert!(told.began.is_empty() && told.told.is_empty() && !told.is_empty());
        let text = told.text("1d".parse().unwrap());
        assert_eq!(text, "verdict is 0.25, above 0.1, since 1970-01-01, and over since");
        assert!(news(&passed, &[], |_| true, |_| true).is_empty(), "silenced");
        assert!(news(&passed, &[], |_| false, |_| false).is_empty(), "of long ago");
        // Of what was told it is said that it is over, and nothing else.
        let known = news(&[episode("verdict", None, false)], &[], |_| false, |_| true).told;
        let over = news(&passed, &known, |_| false, |_| true);
        assert_eq!((over.passed.len(), over.over.len()), (0, 1));
    }

    #[test]
    fn what_is_silenced_is_told_when_the_silence_ends() {
        let all = [episode("verdict", None, false)];
        let silent = news(&all, &[], |_| true, |_| false);
        assert!(silent.is_empty() && silent.told.is_empty());
        assert_eq!(news(&all, &silent.told, |_| false, |_| false).began.len(), 1);
        // Somebody who knows is told that it is over, silence or not.
        let known = news(&all, &[], |_| false, |_| false).told;
        assert!(news(&all, &known, |_| true, |_| false).is_empty());
        let over = [episode("verdict", None, true)];
        assert_eq!(news(&over, &known, |_| true, |_| false).over.len(), 1);
    }
}
