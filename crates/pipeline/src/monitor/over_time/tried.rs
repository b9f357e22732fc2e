//! Rules tried on what is kept: how often each would have fired.

use std::collections::BTreeSet;

use trainyard_drift::{AlertRule, Window, WindowLength, episodes, judged_windows};

use super::kept::History;

/// Times that are named of a rule.
const NAMED_MAX: usize = 5;

/// A line for each rule: `quality would have fired 3 times in 90 days: 2026-01-03, …`. Series that began to be beyond
/// with one window are one time, as they are one message. A rule that could not say anything of some windows did not find
/// them well: that is told, too.
pub fn tried(rules: &[AlertRule], history: &History) -> Vec<String> {
    let results = history.results();
    let closed: Vec<Window> =
        results.iter().filter(|one| !one.is_open).map(|one| one.window).collect();
    let span = span(&closed, history.window);
    rules
        .iter()
        .map(|rule| {
            let title = rule.title();
            let Some(judged) = judged_windows(rule, &results) else {
                return format!("{title} can say nothing of {span}: it is about nothing that was measured");
            };
            if judged.is_empty() {
                return format!(
                    "{title} can say nothing of {span}: there are no figures of the reference, or too few rows, labels or \
                     windows before"
                );
            }
            let found = episodes(std::slice::from_ref(rule), &results);
            let fired: BTreeSet<Window> = found.iter().map(|one| one.fired).collect();
            let times = match fired.len() {
                0 => "would not have fired".to_owned(),
                1 => "would have fired once".to_owned(),
                times => format!("would have fired {times} times"),
            };
            let of = match judged.len() {
                all if all == closed.len() => String::new(),
                1 => " (of which it can judge 1 window)".to_owned(),
                some => format!(" (of which it can judge {some} windows)"),
            };
            let named = fired.iter().take(NAMED_MAX).map(|window| window.name(history.window));
            let named = named.collect::<Vec<_>>().join(", ");
            let further = if fired.len() > NAMED_MAX { ", …" } else { "" };
            let colon = if fired.is_empty() { "" } else { ": " };
            format!("{title} {times} in {span}{of}{colon}{named}{further}")
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
    use std::time::Duration;

    use trainyard_drift::{About, Measure, WindowResult};

    use super::super::kept::KeptWindow;
    use super::*;

    #[test]
    fn how_often_a_rule_would_have_fired() {
        const DAY: i64 = 86_400_000;
        let mut history = History::new(WindowLength::Time(DAY));
        let day = |day: i64| {
            let window = Window { begins: day * DAY, ends: (day + 1) * DAY };
            let mut result = WindowResult::new(window, 100);
            let value = if [10, 11, 40].contains(&day) { 0.5 } else { 0.9 };
            result.extend(["x", "y"].map(|column| {
                let measure = Measure::new(About::Quality, "accuracy", value);
                measure.of_column(column).beside((day >= 45 || day == 40).then_some(0.9))
            }));
            if day == 20 {
                let measure = Measure::new(About::Quality, "accuracy", 0.5);
                result.extend([measure.of_segment("x = 1")]);
            }
            KeptWindow { result, time_sum: 0, settings: String::new() }
        };
        history.put((0..90).map(day).collect());
        let rule = |rule| AlertRule { metric: Some("accuracy".to_owned()), ..rule };
        let below = || rule(AlertRule { below: Some(0.8), ..AlertRule::default() });
        let lines = |rule: AlertRule| tried(&[rule], &history).remove(0);
        assert_eq!(
            lines(below()),
            "accuracy would have fired 2 times in 90 days: 1970-01-11, 1970-02-10"
        );
        let lasting = AlertRule { lasting: Some(Duration::from_hours(48)), ..below() };
        assert_eq!(lines(lasting), "accuracy would have fired once in 90 days: 1970-01-12");
        let of_part = AlertRule { segment: Some("*".to_owned()), ..below() };
        assert_eq!(
            lines(of_part),
            "accuracy would have fired once in 90 days (of which it can judge 1 window): 1970-01-21"
        );
        // The reference is known of half of the days, and of one.
        let relative = rule(AlertRule { below_reference: Some(0.1), ..AlertRule::default() });
        assert_eq!(
            lines(relative),
            "accuracy would have fired once in 90 days (of which it can judge 46 windows): 1970-02-10"
        );
        let learned =
            rule(AlertRule { deviations: Some(5.0), min_change: 0.1, ..AlertRule::default() });
        assert_eq!(
            lines(learned),
            "accuracy would have fired 2 times in 90 days (of which it can judge 82 windows): 1970-01-11, 1970-02-10"
        );
        let few = AlertRule { min_rows: 1000, ..below() };
        assert!(
            lines(few).starts_with("accuracy can say nothing of 90 days: there are no figures")
        );
        let other = AlertRule { metric: Some("profit".to_owned()), ..below() };
        assert_eq!(
            lines(other),
            "profit can say nothing of 90 days: it is about nothing that was measured"
        );
    }
}
