//! Histories of metrics of several runs, as lines to draw.

use futures::future::try_join_all;
use trainyard_chart::lines::Line;
use trainyard_mlflow::entities::{Metric, Run};

use crate::error::Result;
use crate::page;
use crate::site::Web;
use crate::{format, metric};

/// Values of a page's charts together: a second of reading, and some ten megabytes.
const VALUES_MAX: usize = 1_000_000;
/// Histories that are read at once.
const AT_ONCE: usize = 4;

/// What is kept of a value: a page has a million of them.
#[derive(Debug, Clone, Copy)]
struct Logged {
    /// Milliseconds since the Unix epoch.
    time: i64,
    step: i64,
    value: f64,
}

/// The number of a run, the run, and the history of its metric.
type History<'a> = (usize, &'a Run, Vec<Logged>);

/// What x is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Across {
    Step,
    /// Seconds since the first value of all runs.
    Time,
    /// Seconds since the first value of each run.
    Relative,
}

impl Across {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("step", Self::Step), ("time", Self::Time), ("relative", Self::Relative)];

    /// As addresses have it; steps for anything else.
    pub(crate) fn read(text: &str) -> Self {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        found.map_or(Self::Step, |(_, across)| across)
    }

    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Time => "seconds since the first value of all",
            Self::Relative => "seconds since the run's first value",
        }
    }
}

/// The lines of each metric.
#[derive(Debug)]
pub(crate) struct Curves {
    pub(crate) lines: Vec<(String, Vec<Line>)>,
    /// Whether some histories were not read: there are too many values.
    pub(crate) is_cut: bool,
}

pub(crate) async fn read(
    web: &Web,
    runs: &[Run],
    metrics: &[String],
    across: Across,
) -> Result<Curves> {
    let mut curves = Curves { lines: Vec::new(), is_cut: false };
    let mut left = VALUES_MAX;
    for key in metrics {
        let having: Vec<(usize, &Run)> =
            runs.iter().enumerate().filter(|(_, run)| run.data.metric(key).is_some()).collect();
        let mut histories: Vec<History<'_>> = Vec::new();
        for part in having.chunks(AT_ONCE) {
            if left == 0 {
                curves.is_cut = true;
                break;
            }
            let asked = part.iter().map(|(_, run)| metric::history(web, &run.info.run_id, key));
            let read = try_join_all(asked).await?;
            for ((number, run), history) in part.iter().zip(read) {
                left = left.saturating_sub(history.len());
                histories.push((*number, *run, history.iter().map(kept).collect()));
            }
        }
        curves.lines.push((key.clone(), lines(&histories, across)));
    }
    Ok(curves)
}

fn kept(metric: &Metric) -> Logged {
    Logged { time: metric.timestamp, step: metric.step, value: metric.value }
}

fn lines(histories: &[History<'_>], across: Across) -> Vec<Line> {
    let first = |history: &[Logged]| history.iter().map(|value| value.time).min();
    let first_of_all = histories.iter().filter_map(|(_, _, history)| first(history)).min();
    let line = |(number, run, history): &History<'_>| {
        let start = match across {
            Across::Relative => first(history),
            Across::Step | Across::Time => first_of_all,
        };
        let start = start.unwrap_or_default();
        let x = |value: &Logged| match across {
            Across::Step => value.step as f64,
            Across::Time | Across::Relative => value.time.saturating_sub(start) as f64 / 1000.0,
        };
        let mut points: Vec<(f64, f64)> = history
            .iter()
            // MLflow stores infinities as the largest number.
            .filter(|value| value.value.is_finite() && value.value.abs() < f64::MAX)
            .map(|value| (x(value), value.value))
            .collect();
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        let name = page::run_name(&run.info.run_name, &run.info.run_id);
        Line { name: format::short(name, 80), number: *number, points }
    };
    histories.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_is_what_was_asked_for() {
        let history = |start: i64| {
            [(f64::NAN, 0), (0.5, 1), (f64::MAX, 2), (0.25, 3)]
                .map(|(value, step)| Logged { time: start + 1000 * step, step, value })
                .to_vec()
        };
        let run = Run::default();
        let histories = [(0, &run, history(5_000)), (4, &run, history(7_000))];
        let points = |across| {
            let lines = lines(&histories, across);
            assert_eq!((lines[0].number, lines[1].number), (0, 4));
            lines[1].points.clone()
        };
        assert_eq!(points(Across::Step), [(1.0, 0.5), (3.0, 0.25)]);
        assert_eq!(points(Across::Time), [(3.0, 0.5), (5.0, 0.25)]);
        assert_eq!(points(Across::Relative), [(1.0, 0.5), (3.0, 0.25)]);
        assert_eq!(Across::read("odd"), Across::Step);
    }
}
