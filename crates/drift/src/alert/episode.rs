//! Episodes: from when to when a series was beyond what a rule wants.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::range::{Range, range};
use super::rule::AlertRule;
use super::series::{Point, Series, series};
use crate::over_time::{About, Measure, Window, WindowResult, metric};
use crate::verdict::DatasetVerdict;

/// A series was beyond long enough for its rule to fire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The rule's title.
    pub rule: String,
    /// What was beyond.
    pub series: Series,
    /// The first window that was beyond.
    pub began: Window,
    /// The window with which it had lasted long enough.
    pub fired: Window,
    /// The first window that was not beyond any more; none while it goes on.
    pub ended: Option<Window>,
    /// The last value that was beyond.
    pub value: f64,
    /// What was wanted then; without ends where the measure itself is alarming.
    pub range: Range,
}

impl Episode {
    /// The verdict that its value is; none where it is a number.
    fn verdict(&self) -> Option<DatasetVerdict> {
        let of = DatasetVerdict::ALL.into_iter();
        let is_verdict = self.series.metric.ends_with(metric::VERDICT);
        of.filter(|_| is_verdict).find(|verdict| f64::from(*verdict as u8) == self.value)
    }

    /// What is beyond, and how far.
    pub fn sentence(&self) -> String {
        let (series, value) = (&self.series, short(self.value));
        if let Some(verdict) = self.verdict() {
            return format!("{series} is {}", verdict.name());
        }
        if let (metric::UNKNOWN, Some(name)) = (series.metric.as_str(), &series.column) {
            return format!("{name} is not known");
        }
        match (self.range.low, self.range.high) {
            (Some(low), _) if self.value < low => {
                format!("{series} is {value}, below {}", short(low))
            }
            (_, Some(high)) if self.value > high => {
                format!("{series} is {value}, above {}", short(high))
            }
            _ => format!("{series} is {value}"),
        }
    }
}

/// A number in four digits or so.
fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1000.0 || value == value.trunc() {
        format!("{value:.0}")
    } else if size >= 0.001 {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.1e}")
    }
}

/// All episodes of a history, by rule and series, the earliest first.
pub fn episodes(rules: &[AlertRule], history: &[WindowResult]) -> Vec<Episode> {
    let all = series(history);
    let (mut found, mut judged) = (Vec::new(), BTreeSet::new());
    for rule in rules {
        for (series, points) in all.iter().filter(|(series, _)| rule.is_about(series)) {
            of_series(rule, series, points, history, &mut found, &mut judged);
        }
    }
    found
}

/// The windows of which a rule can say whether something is beyond: what it is about was measured, of rows enough, beside
/// the reference if it is held to that, and after windows enough where it learns from them. None where nothing that it is
/// about was ever measured.
pub fn judged_windows(rule: &AlertRule, history: &[WindowResult]) -> Option<BTreeSet<Window>> {
    let all = series(history);
    let mut judged = None;
    for (series, points) in all.iter().filter(|(series, _)| rule.is_about(series)) {
        let judged = judged.get_or_insert_with(BTreeSet::new);
        of_series(rule, series, points, history, &mut Vec::new(), judged);
    }
    judged
}

/// The first window in which other columns were judged and that of the series was not there any more; none where it
/// still is. What is gone is beyond nothing.
fn gone(series: &Series, points: &[Point], history: &[WindowResult]) -> Option<Window> {
    let column = series.column.as_deref()?;
    let last = points.last()?.window;
    let lacks = |result: &&WindowResult| {
        let of_columns = || result.measures.iter().filter(|measure| measure.column.is_some());
        let is_judged = of_columns().any(|measure| measure.about == About::Drift);
        // A metric that is not known may be called as a column.
        let is_metric = |name: &str| name == metric::UNKNOWN;
        let is_same = |one: &Measure| is_metric(&one.metric) == is_metric(&series.metric);
        is_judged && !of_columns().any(|one| one.column.as_deref() == Some(column) && is_same(one))
    };
    let later = history.iter().filter(|result| result.is_whole() && result.window > last);
    later.filter(lacks).map(|result| result.window).min()
}

/// A streak of windows that are beyond.
struct Streak {
    began: Window,
    fired: Option<Window>,
    windows: usize,
    last: (f64, Range),
}

fn of_series(
    rule: &AlertRule,
    series: &Series,
    points: &[Point],
    history: &[WindowResult],
    found: &mut Vec<Episode>,
    judged: &mut BTreeSet<Window>,
) {
    let mut ordinary: Vec<Point> = Vec::with_capacity(points.len());
    let mut streak: Option<Streak> = None;
    let episode = |streak: &Streak, ended: Option<Window>| {
        Some(Episode {
            rule: rule.title().to_owned(),
            series: series.clone(),
            began: streak.began,
            fired: streak.fired?,
            ended,
            value: streak.last.0,
            range: streak.last.1,
        })
    };
    for (at, point) in points.iter().enumerate() {
        // Too few to be judged, or to be learned from; and what nobody can say yet ends nothing.
        let is_unsaid = !rule.has_bound() && point.is_alarming.is_none();
        if point.rows < rule.min_rows || is_unsaid {
            continue;
        }
        let said = said(rule, point, recent(rule, &points[..at], &ordinary));
        if said != Said::Nothing {
            judged.insert(point.window);
        }
        if said == Said::Nothing && rule.needs_reference() && point.reference.is_none() {
            // Nobody knows the reference any more: that is not the end of what was far from it.
            continue;
        }
        let Said::Beyond(beyond) = said else {
            ordinary.push(*point);
            if let Some(ended) = streak.take() {
                found.extend(episode(&ended, Some(point.window)));
            }
            continue;
        };
        let current = streak.get_or_insert(Streak {
            began: point.window,
            fired: None,
            windows: 0,
            last: (point.value, beyond),
        });
        current.windows += 1;
        current.last = (point.value, beyond);
        if current.fired.is_none() && has_lasted(rule, current, point.window) {
            current.fired = Some(point.window);
        }
    }
    found.extend(streak.and_then(|streak| episode(&streak, gone(series, points, history))));
}

/// The ordinary points among the last ones. What was beyond is no measure of what is usual; where all has been beyond
/// for as long as one looks back, nobody can say any more, and the new level becomes the usual one. How many weeks
/// count by weekday is told by time.
fn recent<'p>(rule: &AlertRule, before: &[Point], ordinary: &'p [Point]) -> &'p [Point] {
    let looked_at = before.len().saturating_sub(rule.history());
    match before.get(looked_at) {
        Some(oldest) if !rule.by_weekday => {
            let from = ordinary.partition_point(|one| one.window < oldest.window);
            &ordinary[from..]
        }
        _ => ordinary,
    }
}

/// What a rule says of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    /// Nobody can say: there is no reference, or too little to learn from.
    Nothing,
    Within,
    /// It is beyond this range.
    Beyond(Range),
}

fn said(rule: &AlertRule, point: &Point, before: &[Point]) -> Said {
    if !rule.has_bound() {
        let is_alarming = point.is_alarming == Some(true);
        return if is_alarming { Said::Beyond(Range::default()) } else { Said::Within };
    }
    let range = range(rule, point, before);
    if rule.refuses(point.value) {
        return Said::Beyond(range.unwrap_or_default());
    }
    match range {
        None => Said::Nothing,
        Some(range) if range.holds(point.value) => Said::Within,
        Some(range) => Said::Beyond(range),
    }
}

fn has_lasted(rule: &AlertRule, streak: &Streak, window: Window) -> bool {
    let lasted = window.ends.saturating_sub(streak.began.begins);
    let is_long =
        rule.lasting.is_none_or(|wanted| i128::from(lasted) >= wanted.as_millis() as i128);
    is_long && streak.windows >= rule.windows.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: i64 = 86_400_000;

    /// A window a day, with an accuracy each.
    fn history(values: &[f64]) -> Vec<WindowResult> {
        let day = |(day, value): (usize, &f64)| {
            let begins = day as i64 * DAY;
            let mut result = WindowResult::new(Window { begins, ends: begins + DAY }, 1000);
            let measure = Measure::new(About::Quality, "accuracy", *value).beside(Some(0.9));
            result.extend([measure.alarming(*value < 0.5)]);
            result
        };
        values.iter().enumerate().map(day).collect()
    }

    fn days(rule: AlertRule, values: &[f64]) -> Vec<(i64, i64, Option<i64>)> {
        let rule = AlertRule { metric: Some("accuracy".to_owned()), ..rule };
        let day = |window: Window| window.begins / DAY;
        let of = |one: &Episode| (day(one.began), day(one.fired), one.ended.map(day));
        episodes(&[rule], &history(values)).iter().map(of).collect()
    }

    #[test]
    fn values_may_be_wanted_or_refused_one_by_one() {
        let values = [0.9, 0.7, 0.8, 0.9];
        let rule = AlertRule { other_than: Some(vec![0.9, 0.8]), ..AlertRule::default() };
        assert_eq!(days(rule, &values), [(1, 1, Some(2))]);
        let rule = AlertRule { one_of: Some(vec![0.8]), ..AlertRule::default() };
        assert_eq!(days(rule, &values), [(2, 2, Some(3))]);
        let both = AlertRule { below: Some(0.75), one_of: Some(vec![0.8]), ..AlertRule::default() };
        assert_eq!(days(both, &values), [(1, 1, Some(3))]);
        // Also before there is enough to learn a range from.
        let learning =
            AlertRule { deviations: Some(3.0), one_of: Some(vec![0.8]), ..AlertRule::default() };
        assert_eq!(days(learning, &values), [(2, 2, Some(3))]);
    }

    #[test]
    fn a_bound_that_is_known_holds_where_another_one_is_not() {
        let rule = |rule| AlertRule { metric: Some("accuracy".to_owned()), ..rule };
        let bounds = || AlertRule {
            below: Some(0.5),
            below_reference: Some(0.1),
            deviations: Some(5.0),
            min_change: 0.5,
            ..AlertRule::default()
        };
        // Too little to learn from.
        assert_eq!(days(bounds(), &[0.9, 0.7, 0.4, 0.9]), [(1, 1, Some(3))]);
        // The reference is not known any more, which ends nothing.
        let mut history = history(&[0.7, 0.7, 0.9, 0.4]);
        for result in &mut history[1..] {
            result.measures[0].reference = None;
        }
        let relative = rule(AlertRule { deviations: None, ..bounds() });
        let found = episodes(std::slice::from_ref(&relative), &history);
        assert_eq!((found.len(), found[0].ended, found[0].value), (1, None, 0.4), "{found:?}");
        let judged = judged_windows(&relative, &history).unwrap();
        let judged: Vec<i64> = judged.iter().map(|window| window.begins / DAY).collect();
        assert_eq!(judged, [0, 3]);
        assert_eq!(judged_windows(&AlertRule::unknown(), &history), None);
        let learning = rule(AlertRule { deviations: Some(3.0), ..AlertRule::default() });
        assert_eq!(judged_windows(&learning, &history), Some(BTreeSet::new()));
        let few = rule(AlertRule { below: Some(0.5), min_rows: 1001, ..AlertRule::default() });
        assert_eq!(judged_windows(&few, &history), Some(BTreeSet::new()));
    }

    #[test]
    fn it_fires_when_it_lasts_and_ends_when_it_is_over() {
        let values = [0.9, 0.7, 0.9, 0.7, 0.7, 0.7, 0.9, 0.7, 0.7];
        let below = || AlertRule { below: Some(0.8), ..AlertRule::default() };
        let each = [(1, 1, Some(2)), (3, 3, Some(6)), (7, 7, None)];
        assert_eq!(days(below(), &values), each);
        let two_days = Some(Duration::from_hours(48));
        let lasting = AlertRule { lasting: two_days, ..below() };
        assert_eq!(days(lasting, &values), [(3, 4, Some(6)), (7, 8, None)]);
        let windows = AlertRule { windows: Some(3), ..below() };
        assert_eq!(days(windows, &values), [(3, 5, Some(6))]);
        let relative = AlertRule { below_reference: Some(0.1), ..AlertRule::default() };
        assert_eq!(days(relative, &values), each);
    }

    #[test]
    fn a_measure_may_say_itself_that_it_is_alarming() {
        assert_eq!(days(AlertRule::default(), &[0.9, 0.4, 0.9]), [(1, 1, Some(2))]);
        let few = AlertRule { min_rows: 1001, ..AlertRule::default() };
        assert!(days(few, &[0.9, 0.4]).is_empty());
    }

    #[test]
    fn a_window_of_which_nobody_can_say_is_not_the_end_of_an_alert() {
        // Of the last two windows hardly any label came yet.
        let mut history = history(&[0.9, 0.4, 0.9, 0.9]);
        for result in &mut history[2..] {
            result.measures[0].is_alarming = None;
        }
        let found = episodes(&AlertRule::usual(), &history);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].began.begins, found[0].ended), (DAY, None));
        history[3].measures[0].is_alarming = Some(false);
        let ended = episodes(&AlertRule::usual(), &history)[0].ended;
        assert_eq!(ended.map(|window| window.begins), Some(3 * DAY));
    }

    #[test]
    fn a_metric_that_is_not_known_rings_until_it_is_or_nobody_defines_it_any_more() {
        let mut history = history(&[0.9, 0.9, 0.9]);
        for (result, is_unknown) in history.iter_mut().zip([true, true, false]) {
            result.extend([
                Measure::new(About::Drift, "drift_score", 0.0).of_column("profit").alarming(false),
                Measure::unknown(About::Data, "profit", is_unknown),
            ]);
        }
        let found = |history: &[WindowResult]| {
            let found = episodes(&[AlertRule::unknown()], history);
            assert_eq!(found.len(), 1, "{found:?}");
            let day = |window: Window| window.begins / DAY;
            assert_eq!(found[0].sentence(), "profit is not known");
            assert_eq!(found[0].series.to_string(), "unknown of profit");
            (day(found[0].fired), found[0].ended.map(day))
        };
        assert_eq!(found(&history), (0, Some(2)));
        // A column of the same name is something else.
        history[2].measures.retain(|one| one.metric != metric::UNKNOWN);
        assert_eq!(found(&history), (0, Some(2)));
        history[2].measures.retain(|one| one.metric != "drift_score");
        assert_eq!(found(&history), (0, None));
    }

    #[test]
    fn an_alert_on_a_column_that_is_gone_ends_and_on_one_that_cannot_be_judged_does_not() {
        let day = |day: i64, columns: &[(&str, bool)]| {
            let window = Window { begins: day * DAY, ends: (day + 1) * DAY };
            let mut result = WindowResult::new(window, 1000);
            for (column, is_scored) in columns {
                let missing = Measure::new(About::Data, "missing_share", 0.0);
                let score = Measure::new(About::Drift, "drift_score", 0.5).alarming(true);
                result.extend([missing.of_column(column)]);
                result.extend(is_scored.then(|| score.of_column(column)));
            }
            result
        };
        let rule = AlertRule { metric: Some("drift_score".to_owned()), ..AlertRule::default() };
        let ended = |last: WindowResult| {
            let history = [day(0, &[("x", true), ("y", true)]), last];
            let found = episodes(std::slice::from_ref(&rule), &history);
            let of = |one: &Episode| (one.series.column.clone().unwrap(), one.ended.is_some());
            found.iter().map(of).collect::<Vec<_>>()
        };
        let named = |x: bool| vec![("x".to_owned(), x), ("y".to_owned(), false)];
        assert_eq!(ended(day(1, &[("y", true)])), named(true));
        assert_eq!(ended(day(1, &[("x", false), ("y", true)])), named(false));
        assert_eq!(ended(day(1, &[])), named(false), "nothing came");
    }

    #[test]
    fn open_windows_are_not_judged_and_neither_are_partial_ones() {
        let mut history = history(&[0.9, 0.4]);
        history[1].is_open = true;
        assert!(episodes(&AlertRule::usual(), &history).is_empty());
        history[1].is_open = false;
        history[1].is_partial = true;
        assert!(episodes(&AlertRule::usual(), &history).is_empty());
        // Nor does one end what goes on.
        let mut longer = history.clone();
        longer[1].is_partial = false;
        longer.push(WindowResult::partial(
            Window { begins: 2 * DAY, ends: 3 * DAY },
            5,
            String::new(),
        ));
        assert_eq!(episodes(&AlertRule::usual(), &longer)[0].ended, None);
        history[1].is_partial = false;
        assert_eq!(episodes(&AlertRule::usual(), &history).len(), 1);
    }

    #[test]
    fn a_new_level_is_told_and_becomes_usual_when_it_stays() {
        let rule = AlertRule { deviations: Some(5.0), history: Some(14), ..AlertRule::default() };
        let values: Vec<f64> =
            (0..60).map(|day| f64::from(day % 3) + if day < 20 { 0.0 } else { 100.0 }).collect();
        let found = days(rule, &values);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].0, found[0].1), (20, 20));
        assert!(found[0].2.is_some_and(|ended| (26..=34).contains(&ended)), "{found:?}");
    }

    #[test]
    fn a_hundred_quiet_days_with_weekends_are_quiet() {
        // A congruential generator: 20 seeds of 128 days, four weeks to learn from.
        let mut state = 1_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut alarms = 0;
        for _seed in 0..20 {
            let results: Vec<WindowResult> = (0..128)
                .map(|day| {
                    let noise: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                    let usual = if day % 7 < 2 { 1500.0 } else { 5000.0 };
                    let rows = usual + 70.0 * noise;
                    let window = Window { begins: day * DAY, ends: (day + 1) * DAY };
                    let mut result = WindowResult::new(window, rows as u64);
                    result.extend([Measure::new(About::Data, "rows", rows)]);
                    result
                })
                .collect();
            alarms += episodes(&AlertRule::usual(), &results).len();
        }
        assert!(alarms <= 1, "{alarms} alarms in 2000 quiet days");
    }
}
