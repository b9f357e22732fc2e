//! What goes through a service over time: requests by the class of their answer, and how long answers take.

use std::collections::BTreeMap;

use chrono::DateTime;
use maud::{Markup, PreEscaped, html};
use trainyard_base::service::{CLASSES, History, MINUTE_MS, Row};
use trainyard_chart::intervals::Event;
use trainyard_chart::lines;
use trainyard_chart::over_time::{OverTime, Series};

const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Moments of the axis that are named.
const NAMES: i64 = 6;

/// Classes of answers, each with the number of its line: no two of a colour or a dash.
const CLASS_LINES: [(&str, usize); CLASSES] = [("2xx", 2), ("3xx", 14), ("4xx", 21), ("5xx", 37)];
/// Times of answers, likewise.
const P50: (&str, usize) = ("p50", 0);
const P99: (&str, usize) = ("p99", 11);

/// How much time is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Hours,
    Day,
    Month,
}

impl Span {
    pub(super) const ALL: [Self; 3] = [Self::Hours, Self::Day, Self::Month];

    /// As an address has it; three hours where it has none of these.
    pub(super) fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|span| span.key() == name).unwrap_or(Self::Hours)
    }

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Hours => "3h",
            Self::Day => "24h",
            Self::Month => "30d",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hours => "3 hours",
            Self::Day => "24 hours",
            Self::Month => "30 days",
        }
    }

    fn length(self) -> i64 {
        match self {
            Self::Hours => 3 * HOUR_MS,
            Self::Day => 24 * HOUR_MS,
            Self::Month => 30 * 24 * HOUR_MS,
        }
    }

    /// Of a point.
    fn step(self) -> i64 {
        match self {
            Self::Hours | Self::Day => MINUTE_MS,
            Self::Month => HOUR_MS,
        }
    }

    fn moment(self, at: i64) -> String {
        let form = match self {
            Self::Hours | Self::Day => "%H:%M",
            Self::Month => "%b %e",
        };
        let at = DateTime::from_timestamp_millis(at).unwrap_or_default();
        at.format(form).to_string()
    }
}

/// Both charts until now, with releases marked; a word where nothing went through.
pub(super) fn both(history: &History, span: Span, releases: &[Event], now: i64) -> Markup {
    let from = now.saturating_sub(span.length());
    let rows: Vec<(i64, &Row)> = match span {
        Span::Hours | Span::Day => history.minutes(from, now).collect(),
        Span::Month => history.hours(from, now).collect(),
    };
    if rows.is_empty() {
        return html! { p.soft { "Nothing is recorded of this time." } };
    }
    let traffic = by_class(&rows);
    let latency = latency(&rows);
    let empty = || OverTime {
        span: (from as f64, now as f64),
        // A minute may be late.
        gap: span.step() as f64 * 2.5,
        names: names(from, span),
        events: releases.to_vec(),
        ..OverTime::default()
    };
    html! {
        section.curve {
            h3 { "Requests/min by status " (legend(&traffic)) }
            (drawn(&OverTime { title: "requests/min", series: traffic, ..empty() }))
        }
        section.curve {
            h3 { "Time until the answer begins, ms " (legend(&latency)) }
            @if latency.is_empty() { p.soft { "There was no answer." } }
            @else { (drawn(&OverTime { title: "ms", series: latency, ..empty() })) }
        }
        @if span == Span::Month {
            p.soft { "A point is an hour: its mean minute; of its minutes the middle p50 and the longest p99." }
        }
    }
}

/// A line for each class that there was; of the good ones always.
fn by_class(rows: &[(i64, &Row)]) -> Vec<Series<'static>> {
    let line = |(class, (name, number)): (usize, (&'static str, usize))| {
        let point = |(at, row): &(i64, &Row)| {
            let count = row.traffic.by_class.get(class).copied().unwrap_or_default();
            (*at as f64, count as f64 / row.minutes.max(1) as f64)
        };
        let points: Vec<(f64, f64)> = rows.iter().map(point).collect();
        let is_there = class == 0 || points.iter().any(|point| point.1 > 0.0);
        is_there.then_some(Series { name, number, points })
    };
    CLASS_LINES.into_iter().enumerate().filter_map(line).collect()
}

fn latency(rows: &[(i64, &Row)]) -> Vec<Series<'static>> {
    let line = |(name, number): (&'static str, usize), of: fn(&Row) -> Option<u64>| {
        let point = |(at, row): &(i64, &Row)| Some((*at as f64, of(row)? as f64 / 1e3));
        let points: Vec<(f64, f64)> = rows.iter().filter_map(point).collect();
        (!points.is_empty()).then_some(Series { name, number, points })
    };
    let lines = [line(P50, |row| row.traffic.p50_us), line(P99, |row| row.traffic.p99_us)];
    lines.into_iter().flatten().collect()
}

/// Evenly spaced round moments.
fn names(from: i64, span: Span) -> Vec<(f64, String)> {
    let every = match span {
        Span::Hours => HOUR_MS / 2,
        Span::Day => 4 * HOUR_MS,
        Span::Month => span.length() / NAMES,
    };
    let first = from.div_euclid(every).saturating_add(1).saturating_mul(every);
    let moments = (0..NAMES).map(|number| first.saturating_add(number * every));
    // By the moment, as two may have one name.
    let named: BTreeMap<i64, String> = moments.map(|at| (at, span.moment(at))).collect();
    named.into_iter().map(|(at, name)| (at as f64, name)).collect()
}

fn legend(series: &[Series<'_>]) -> Markup {
    html! {
        @for one in series {
            small.swatched {
                svg.swatch.lines viewBox="0 0 28 8" width="28" height="8" aria-hidden="true" {
                    path class={ "line " (lines::class(one.number)) } d="M2 4H26" {}
                }
                " " (one.name) " "
            }
        }
    }
}

fn drawn(chart: &OverTime<'_>) -> Markup {
    html! { @if let Some(drawing) = chart.draw() { (PreEscaped(drawing.0)) } }
}

#[cfg(test)]
mod tests {
    use trainyard_base::service::Traffic;

    use super::*;

    #[test]
    fn what_is_recorded_is_drawn_and_nothing_else() {
        let now = 1_000_000 * HOUR_MS + 5;
        let mut history = History::default();
        let none = both(&history, Span::Day, &[], now).into_string();
        assert!(none.contains("Nothing is recorded of this time"), "{none}");
        let minutes = (0..240).filter(|minute| !(100..130).contains(minute));
        for minute in minutes.map(|minute| now - (240 - minute) * MINUTE_MS) {
            let traffic = Traffic { requests: 9, by_class: [8, 0, 0, 1], ..Traffic::default() };
            history.note(minute, traffic);
        }
        let release = Event { x: (now - HOUR_MS) as f64, name: "v3".to_owned() };
        let page = both(&history, Span::Hours, &[release], now).into_string();
        assert!(page.contains(">2xx</title>") && page.contains(">5xx</title>"), "{page}");
        assert!(!page.contains("4xx") && page.contains("There was no answer"), "{page}");
        assert!(page.contains("v3"), "{page}");
        let month = both(&history, Span::Month, &[], now).into_string();
        assert!(month.contains("A point is an hour") && month.contains("<svg"), "{month}");
    }

    #[test]
    fn moments_are_round_and_within_the_span() {
        let now = 1_000_000 * HOUR_MS + 5 * MINUTE_MS;
        for span in Span::ALL {
            let from = now - span.length();
            let named = names(from, span);
            assert_eq!(named.len(), 6, "{span:?}");
            assert!(named.iter().all(|(at, _)| *at > from as f64), "{named:?}");
            assert_eq!(Span::of(span.key()), span);
        }
        let hours: Vec<String> = names(now - Span::Hours.length(), Span::Hours)
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert!(
            hours.iter().all(|name| name.ends_with(":00") || name.ends_with(":30")),
            "{hours:?}"
        );
        assert_eq!(Span::of("x"), Span::Hours);
    }
}
