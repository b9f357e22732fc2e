//! Quality, labels and rows over time, with releases marked.

use maud::{Markup, PreEscaped, html};
use trainyard_chart::intervals::{Event, Intervals, Point};
use trainyard_drift::{About, Measure, WindowLength, WindowResult, metric};
use trainyard_mlflow::entities::Run;

use crate::{format, release_marks};

/// Metrics of quality that are drawn: the first of each window.
const CHARTS_MAX: usize = 8;
/// Windows that an axis names.
const NAMES_MAX: usize = 5;

/// The charts of windows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charts<'a> {
    /// In the order of time; there is one at least, or nothing is drawn.
    pub(super) windows: &'a [WindowResult],
    pub(super) length: WindowLength,
    /// Runs of releases and rollbacks.
    pub(super) releases: &'a [Run],
}

impl Charts<'_> {
    /// A chart for each metric of quality, measured and estimated.
    pub(super) fn quality(&self) -> Markup {
        let metrics = self.metrics();
        html! {
            h2 { "Quality" }
            @if metrics.is_empty() {
                p.soft {
                    "Nothing is known of quality: labels (" code { "--labels" }
                    ", or feedback) and a labelled reference say how good predictions were, and probably are."
                }
            } @else {
                p.soft { "Bars are 95 % intervals; dashed is estimated, dotted what the reference has; ▲ is worse beyond chance; upright lines are releases." }
            }
            @for metric in metrics {
                section.curve {
                    h3 { (format::short(metric, 80)) }
                    (drawn(&Intervals {
                        title: metric,
                        measured: self.points(|result| result.whole(About::Quality, metric)),
                        estimated: self.points(|result| result.whole(About::Estimate, metric)),
                        reference: self.reference(metric),
                        ..self.empty()
                    }))
                }
            }
        }
    }

    /// Which share of the rows has a label; nothing where nobody asked for labels.
    pub(super) fn labels(&self) -> Markup {
        let points: Vec<Point> =
            self.numbers(WindowResult::labelled_share, |share| format!("{:.1} %", share * 100.0));
        html! {
            @if !points.is_empty() {
                h2 { "Rows with a label" }
                (drawn(&Intervals { title: "share of rows with a label", measured: points, ..self.empty() }))
            }
        }
    }

    /// How many rows came.
    pub(super) fn rows(&self) -> Markup {
        let points = self.numbers(|result| Some(result.rows as f64), |rows| format!("{rows} rows"));
        html! {
            @if !points.is_empty() {
                h2 { "Rows" }
                (drawn(&Intervals { title: "rows", measured: points, ..self.empty() }))
            }
        }
    }

    /// Names of the metrics of quality of all data, as they come. The share of labels has a chart of its own.
    fn metrics(&self) -> Vec<&str> {
        let mut metrics: Vec<&str> = Vec::new();
        for measure in self.windows.iter().flat_map(|result| &result.measures) {
            let is_whole = measure.segment.is_none()
                && measure.version.is_none()
                && measure.column.is_none()
                && measure.metric != metric::LABELLED_SHARE
                && matches!(measure.about, About::Quality | About::Estimate);
            if is_whole && metrics.len() < CHARTS_MAX && !metrics.contains(&measure.metric.as_str())
            {
                metrics.push(&measure.metric);
            }
        }
        metrics
    }

    /// A point for each window of which something is known, in the middle of it.
    fn points<'w>(&'w self, of: impl Fn(&'w WindowResult) -> Option<&'w Measure>) -> Vec<Point> {
        let point = |result: &'w WindowResult| {
            let measure = of(result)?;
            let samples = measure.samples.map(|samples| format!(", {samples} rows"));
            let interval = measure.interval.map(|[low, high]| {
                format!(" ({} to {})", format::number(low), format::number(high))
            });
            let said = format::number(measure.value);
            let said = [said, interval.unwrap_or_default(), samples.unwrap_or_default()].concat();
            Some(Point {
                interval: measure.interval,
                is_alarming: measure.is_alarming == Some(true),
                ..self.point(result, measure.value, &said)
            })
        };
        self.windows.iter().filter_map(point).collect()
    }

    /// The same of plain numbers.
    fn numbers(
        &self,
        of: impl Fn(&WindowResult) -> Option<f64>,
        said: impl Fn(f64) -> String,
    ) -> Vec<Point> {
        let numbers = self.windows.iter().filter_map(|result| Some((result, of(result)?)));
        numbers.map(|(result, value)| self.point(result, value, &said(value))).collect()
    }

    fn point(&self, result: &WindowResult, value: f64, said: &str) -> Point {
        let open = match (result.is_open, result.is_partial) {
            (true, _) => ", open",
            (false, true) => ", partial",
            (false, false) => "",
        };
        Point {
            x: middle(result),
            y: value,
            interval: None,
            is_alarming: false,
            title: format!("{}: {said}{open}", result.window.name(self.length)),
        }
    }

    /// What the reference has, wherever a window is compared with it.
    fn reference(&self, metric: &str) -> Vec<(f64, f64)> {
        let of = |result: &WindowResult| {
            let measured = result.whole(About::Quality, metric);
            let measure = measured.or_else(|| result.whole(About::Estimate, metric))?;
            Some((middle(result), measure.reference?))
        };
        self.windows.iter().filter_map(of).collect()
    }

    /// A chart of all windows without values.
    fn empty(&self) -> Intervals<'static> {
        let ends = self.windows.first().zip(self.windows.last());
        let (first, last) =
            ends.map_or((0, 0), |(first, last)| (first.window.begins, last.window.ends));
        let every = self.windows.len().div_ceil(NAMES_MAX).max(1);
        let named = self.windows.iter().step_by(every);
        Intervals {
            span: (first as f64, last as f64),
            names: named.map(|one| (middle(one), one.window.name(self.length))).collect(),
            events: self.events(),
            ..Intervals::default()
        }
    }

    /// Releases and rollbacks that came about. Windows of rows have no times.
    fn events(&self) -> Vec<Event> {
        match self.length {
            WindowLength::Time(_) => release_marks::of(self.releases),
            WindowLength::Rows(_) => Vec::new(),
        }
    }
}

fn middle(result: &WindowResult) -> f64 {
    let window = result.window;
    f64::midpoint(window.begins as f64, window.ends as f64)
}

fn drawn(chart: &Intervals<'_>) -> Markup {
    html! { @if let Some(drawing) = chart.draw() { (PreEscaped(drawing.0)) } }
}
