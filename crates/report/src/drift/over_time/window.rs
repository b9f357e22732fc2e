//! What is said of one window: its verdict, alerts, quality, and each column beside the reference.

use std::collections::{BTreeMap, HashSet};

use maud::{Markup, html};
use trainyard_drift::{About, Episode, Measure, WindowLength, WindowResult, metric};

use super::super::state::sign;
use super::parts::alert;
use super::summary::{verdict, verdict_of};
use crate::number::{count, percent, short};

/// Rows of a table: nobody reads more, and a thousand columns are a hundred kilobytes.
const ROWS_MAX: usize = 1000;

/// Verdicts of windows that are of some columns by themselves, and of which.
const ROLES: [(&str, &str); 3] = [
    ("features", metric::FEATURES_VERDICT),
    ("the prediction", metric::PREDICTION_VERDICT),
    ("the target", metric::TARGET_VERDICT),
];

/// Measures of a column, none where it was not tested, or is no number.
#[derive(Debug, Clone, Copy, Default)]
struct Column<'a> {
    drift: Option<&'a Measure>,
    change: Option<&'a Measure>,
    missing: Option<&'a Measure>,
    mean: Option<&'a Measure>,
}

/// A window by itself; of `alerts` those that went on in it.
pub fn window_report(result: &WindowResult, length: WindowLength, alerts: &[Episode]) -> Markup {
    let window = result.window;
    let goes_on =
        |one: &&Episode| one.began <= window && one.ended.is_none_or(|ended| window < ended);
    let alerts: Vec<&Episode> = alerts.iter().filter(goes_on).take(ROWS_MAX).collect();
    html! {
        p {
            @if let Some(is) = verdict(result) { b class=(is.name()) { (sign(is)) " " (is.name()) } ", " }
            @for (who, name) in ROLES {
                @if let Some(is) = verdict_of(result, name) { (who) " " (is.name()) ", " }
            }
            (count(result.rows)) " rows"
            @if let Some(labelled) = result.labelled {
                ", " (count(labelled)) " of them with a label"
                @if let Some(share) = result.labelled_share() { " (" (percent(share)) ")" }
            }
            @if result.is_open { ". Rows may still come." }
            @if result.is_partial { ". Some of it is gone: it is not judged." }
        }
        @if !alerts.is_empty() {
            h2 { "▲ Alerts" }
            ul { @for one in alerts { li { (alert(one, length)) } } }
        }
        @if !result.remarks.is_empty() {
            h2 { "To be looked at" }
            ul { @for remark in &result.remarks { li { (remark) } } }
        }
        (quality(result))
        (columns(result))
        (segments(result))
    }
}

/// Measured and estimated quality, of each version and part of the data.
fn quality(result: &WindowResult) -> Markup {
    // What is not known is an alert, and no number of quality; the share of labels is said above.
    let is_quality = |one: &&Measure| {
        matches!(one.about, About::Quality | About::Estimate)
            && ![metric::UNKNOWN, metric::LABELLED_SHARE].contains(&one.metric.as_str())
    };
    let measures: Vec<&Measure> =
        result.measures.iter().filter(is_quality).take(ROWS_MAX).collect();
    html! {
        @if !measures.is_empty() {
            h2 { "Quality" }
            div.wide tabindex="0" {
                table.list {
                    tr { th { "metric" } th { "of" } th.n { "value" } th.n { "95 % interval" } th.n { "reference" } th.n { "rows" } }
                    @for one in measures {
                        tr {
                            th scope="row" { @if one.about == About::Estimate { "estimated " } (one.metric) }
                            td { (whose(one)) }
                            (value(Some(one)))
                            td.n { @if let Some([low, high]) = one.interval { (short(low)) " to " (short(high)) } }
                            td.n { @if let Some(reference) = one.reference { (short(reference)) } }
                            td.n { @if let Some(samples) = one.samples { (count(samples)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Of which version and part of the data a measure is.
fn whose(measure: &Measure) -> String {
    let version = measure.version.as_ref().map(|version| format!("version {version}"));
    let parts: Vec<String> = version.into_iter().chain(measure.segment.clone()).collect();
    if parts.is_empty() { "all".to_owned() } else { parts.join(", ") }
}

/// A line a column, those that drifted first.
fn columns(result: &WindowResult) -> Markup {
    let mut named: BTreeMap<&str, Column<'_>> = BTreeMap::new();
    let whole = |one: &&Measure| {
        one.segment.is_none() && one.version.is_none() && one.metric != metric::UNKNOWN
    };
    for one in result.measures.iter().filter(whole) {
        let Some(name) = one.column.as_deref() else { continue };
        let column = named.entry(name).or_default();
        match (one.about, one.metric.as_str()) {
            (About::Drift, metric::DRIFT_SCORE) => column.drift = Some(one),
            (About::Change, metric::DRIFT_SCORE) => column.change = Some(one),
            (About::Data, metric::MISSING_SHARE) => column.missing = Some(one),
            (About::Data, metric::MEAN) => column.mean = Some(one),
            _ => {}
        }
    }
    let mut rows: Vec<(&str, Column<'_>)> = named.into_iter().collect();
    rows.sort_by_key(|(_, column)| (!is_alarming(column.drift), !is_alarming(column.change)));
    html! {
        @if !rows.is_empty() {
            h2 { "Columns" }
            p.why { "Scores are p-values or distances, by the column's test; ▲ is beyond its threshold." }
            div.wide tabindex="0" {
                table.list {
                    tr { th { "column" } th.n { "drift" } th.n { "against the window before" } th.n { "missing" } th.n { "mean" } }
                    @for (name, column) in rows.iter().take(ROWS_MAX) {
                        tr {
                            th scope="row" { (name) }
                            (value(column.drift))
                            (value(column.change))
                            (beside(column.missing, percent))
                            (beside(column.mean, short))
                        }
                    }
                }
            }
            @if rows.len() > ROWS_MAX { p.why { "and " (rows.len() - ROWS_MAX) " more columns" } }
        }
    }
}

/// The verdict on each part of the data.
fn segments(result: &WindowResult) -> Markup {
    let is_verdict = |one: &&Measure| one.about == About::Drift && one.metric == metric::VERDICT;
    let verdicts = result.measures.iter().filter(is_verdict);
    // Each part once, or a file of people's could have its columns named a thousand times.
    let mut known = HashSet::new();
    let parts: Vec<(&str, &Measure)> = verdicts
        .filter_map(|one| Some((one.segment.as_deref()?, one)))
        .filter(|(name, _)| known.insert(*name))
        .take(ROWS_MAX)
        .collect();
    let drifted = drifted(result);
    html! {
        @if !parts.is_empty() {
            h2 { "Parts of the data" }
            div.wide tabindex="0" {
                table.list {
                    tr { th { "part" } th { "drifted columns" } }
                    @for (name, one) in parts {
                        tr {
                            th scope="row" { @if is_alarming(Some(one)) { "▲ " } (name) }
                            td { (drifted.get(name).map(|names| names.join(", ")).unwrap_or_default()) }
                        }
                    }
                }
            }
        }
    }
}

/// The columns that drifted in each part of the data.
fn drifted(result: &WindowResult) -> BTreeMap<&str, Vec<&str>> {
    let mut drifted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let is_drifted = |one: &&Measure| one.about == About::Drift && one.is_alarming == Some(true);
    for one in result.measures.iter().filter(is_drifted) {
        let (Some(part), Some(column)) = (one.segment.as_deref(), one.column.as_deref()) else {
            continue;
        };
        let names = drifted.entry(part).or_default();
        if names.len() < ROWS_MAX {
            names.push(column);
        }
    }
    drifted
}

fn is_alarming(measure: Option<&Measure>) -> bool {
    measure.is_some_and(|one| one.is_alarming == Some(true))
}

/// A cell with a number, with a sign where it is a reason to look.
fn value(measure: Option<&Measure>) -> Markup {
    html! {
        @match measure {
            Some(one) if is_alarming(measure) => { td.n.d { "▲ " (short(one.value)) } }
            Some(one) => { td.n { (short(one.value)) } }
            None => { td {} }
        }
    }
}

/// A cell with a number beside that of the reference.
fn beside(measure: Option<&Measure>, write: fn(f64) -> String) -> Markup {
    html! {
        td.n {
            @if let Some(one) = measure {
                (write(one.value))
                @if let Some(reference) = one.reference { span.why { ", reference " (write(reference)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use trainyard_drift::{Range, Series, Window};

    use super::*;

    #[test]
    fn a_window_says_what_is_wrong_with_it_first() {
        let window = |begins: i64| Window { begins, ends: begins + 10 };
        let mut result = WindowResult::new(window(10), 1234);
        result.labelled = Some(200);
        result.remarks.push("b: <all> are missing".to_owned());
        let score = Measure::new(About::Drift, metric::DRIFT_SCORE, 0.25);
        let wrong = score.clone().of_column("b").alarming(true);
        result.extend([
            Measure::new(About::Drift, metric::VERDICT, 2.0),
            Measure::new(About::Drift, metric::PREDICTION_VERDICT, 0.0),
            Measure::unknown(About::Quality, "profit", true),
            score.clone().of_column("a").alarming(false),
            wrong.clone(),
            Measure::new(About::Data, metric::MEAN, 7.0).of_column("b").beside(Some(5.0)),
            Measure::new(About::Drift, metric::VERDICT, 2.0).of_segment("c = 1").alarming(true),
            Measure::new(About::Drift, metric::VERDICT, 2.0).of_segment("c = 1").alarming(true),
            score.of_column("d").of_segment("c = 1").alarming(true),
            Measure::new(About::Estimate, "accuracy", 0.5),
        ]);
        let episode = |began: i64, ended: Option<i64>| Episode {
            rule: "own".to_owned(),
            series: Series::from(&wrong),
            began: window(began),
            fired: window(began),
            ended: ended.map(window),
            value: 0.25,
            range: Range::default(),
        };
        let of = |alerts: &[Episode]| {
            window_report(&result, "10 rows".parse().unwrap(), alerts).into_string()
        };
        let page = of(&[episode(0, None)]);
        for told in [
            "▲ drift</b>, the prediction stable, 1\u{202f}234 rows, 200 of them with a label",
            "drift_score of b is <b>0.25</b>, since rows 1–10",
            "&lt;all&gt;",
            "estimated accuracy",
            "7<span class=\"why\">, reference 5</span>",
            "▲ c = 1</th><td>d</td>",
        ] {
            assert!(page.contains(told), "{told}: {page}");
        }
        assert!(!page.contains("profit"), "it is no column: {page}");
        assert_eq!(page.matches("c = 1</th>").count(), 1, "a part that is there twice: {page}");
        let place = |text: &str| page.find(text).unwrap();
        assert!(place("<th scope=\"row\">b</th>") < place("<th scope=\"row\">a</th>"), "{page}");
        // What ended with this window, or began after it, did not go on in it.
        let others = of(&[episode(0, Some(10)), episode(20, None)]);
        assert!(!others.contains("▲ Alerts"), "{others}");
    }
}
