//! Rules tried on what is kept: how often each would have fired.

use std::collections::BTreeSet;

use trainyard_drift::{AlertRule, Window, WindowLength, episodes};

use super::kept::History;

/// Times that are named of a rule.
const NAMED_MAX: usize = 5;

/// A line for each rule: `quality would have fired 3 times in 90 days: 2026-01-03, …`. Series that began to be beyond
/// with one window are one time, as they are one message.
pub fn tried(rules: &[AlertRule], history: &History) -> Vec<String> {
    let results = history.results();
    let closed: Vec<Window> =
        results.iter().filter(|one| !one.is_open).map(|one| one.window).collect();
    let span = span(&closed, history.window);
    rules
        .iter()
        .map(|rule| {
            let found = episodes(std::slice::from_ref(rule), &results);
            let fired: BTreeSet<Window> = found.iter().map(|one| one.fired).collect();
            let times = match fired.len() {
                0 => "would not have fired".to_owned(),
                1 => "would have fired once".to_owned(),
                times => format!("would have fired {times} times"),
            };
            let named = fired.iter().take(NAMED_MAX).map(|window| window.name(history.window));
            let named = named.collect::<Vec<_>>().join(", ");
            let further = if fired.len() > NAMED_MAX { ", …" } else { "" };
            let colon = if fired.is_empty() { "" } else { ": " };
            format!("{} {times} in {span}{colon}{named}{further}", rule.title())
        })
        .collect()
}

/// How long a history is.
fn span(closed: &[Window], length: WindowLength) -> String {
    const DAY_MS: i64 = 86_400_000;
    let days = match (closed.first(), closed.last()) {
        (Some(first), Some(last)) if length.milliseconds().is_some() => {
            (last.ends - first.begins) / DAY_MS
        }
        _ => 0,
    };
    match (days, closed.len()) {
        (2.., _) => format!("{days} days"),
        (_, 1) => "1 window".to_owned(),
        (_, windows) => format!("{windows} windows"),
    }
}

#[cfg(test)]
mod tests {
    use trainyard_drift::{About, Measure, WindowResult};

    use super::super::kept::KeptWindow;
    use super::*;

    #[test]
    fn how_often_a_rule_would_have_fired() {
        const DAY: i64 = 86_400_000;
        let mut history = History::new(WindowLength::Time(DAY));
        let day =
            |day: i64| {
                let window = Window { begins: day * DAY, ends: (day + 1) * DAY };
                let mut result = WindowResult::new(window, 100);
                let value = if [10, 11, 40].contains(&day) { 0.5 } else { 0.9 };
                result.extend(["x", "y"].map(|column| {
                    Measure::new(About::Quality, "accuracy", value).of_column(column)
                }));
                KeptWindow { result, time_sum: 0, settings: String::new() }
            };
        history.put((0..90).map(day).collect());
        let rule = |metric: &str| AlertRule {
            metric: Some(metric.to_owned()),
            below: Some(0.8),
            ..AlertRule::default()
        };
        assert_eq!(
            tried(&[rule("accuracy"), rule("rows")], &history),
            [
                "accuracy would have fired 2 times in 90 days: 1970-01-11, 1970-02-10",
                "rows would not have fired in 90 days"
            ]
        );
    }
}
