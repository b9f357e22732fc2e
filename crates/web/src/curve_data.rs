//! Histories of metrics of several runs, as lines to draw.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use trainyard_chart::lines::{Line, View};
use trainyard_mlflow::entities::Run;
use trainyard_mlflow::{Curve, CurvePoint, DrawCurve, Extent, Result as StoreResult, Tracking};

use crate::format;
use crate::page;

/// What is read for a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Values of all lines.
    values: usize,
    /// Steps that are looked up of all lines that have more values than their share.
    steps: usize,
}

/// A hundred runs of ten thousand steps whole, which is a quarter of a second and thirty megabytes.
pub(crate) const PAGE: Limits = Limits { values: 1_200_000, steps: 50_000 };
/// And of a line: twice what a chart has places for.
const LINE_STEPS_MAX: usize = 2_000;
/// Histories that are read at once.
const AT_ONCE: usize = 4;

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

    /// Where a value lies, with the moment that times are counted from.
    fn x(self, point: &CurvePoint, start: i64) -> f64 {
        match self {
            Self::Step => point.step as f64,
            Self::Time | Self::Relative => point.timestamp.saturating_sub(start) as f64 / 1000.0,
        }
    }
}

/// The lines of each metric.
#[derive(Debug)]
pub(crate) struct Curves {
    pub(crate) lines: Vec<(String, Vec<Line>)>,
    /// Whether of some lines not every step was read.
    pub(crate) is_thinned: bool,
    /// Whether some lines end early: too many of their values share a step.
    pub(crate) is_cut: bool,
}

/// A line before it is drawn.
struct History<'a> {
    /// Of which metric, by its number.
    metric: usize,
    /// The number of the run.
    number: usize,
    run: &'a Run,
    curve: Curve,
    /// What times are counted from.
    start: i64,
}

impl History<'_> {
    /// The earliest of the values that were read.
    fn first(&self) -> Option<i64> {
        self.curve.points.iter().map(|point| point.timestamp).min()
    }

    /// The steps around what is looked at, as far as is known of a line that not every step was read of; none if that
    /// is no part of the line, or nothing of it.
    fn part(&self, across: Across, view: &View) -> Option<(i64, i64)> {
        if self.curve.extent != Extent::Thinned || (view.from.is_none() && view.to.is_none()) {
            return None;
        }
        let points = &self.curve.points;
        let x = |point: &CurvePoint| across.x(point, self.start);
        let is_before = |point: &&CurvePoint| view.from.is_some_and(|from| x(point) < from);
        let is_behind = |point: &&CurvePoint| view.to.is_some_and(|to| x(point) > to);
        let first = points.iter().rfind(is_before).or(points.first())?.step;
        let last = points.iter().find(is_behind).or(points.last())?.step;
        (first <= last).then_some((first, last))
    }
}

/// Reads the lines of the metrics that the runs have.
pub(crate) async fn read(
    tracking: &Tracking,
    runs: &[Run],
    metrics: &[String],
    (across, view): (Across, &View),
    limits: Limits,
) -> StoreResult<Curves> {
    let having = |(metric, key): (usize, &String)| {
        let runs = runs.iter().enumerate().filter(|(_, run)| run.data.metric(key).is_some());
        let start =
            |(number, run)| History { metric, number, run, curve: Curve::default(), start: 0 };
        runs.map(start).collect::<Vec<_>>()
    };
    let mut lines: Vec<History<'_>> = metrics.iter().enumerate().flat_map(having).collect();
    let reading =
        Reading { tracking, limits, metrics, is_log: across == Across::Step && view.x_log };
    let share = limits.values / lines.len().max(1);
    let all = (0..lines.len()).map(|place| (place, None)).collect();
    reading.fill(&mut lines, all, share).await?;
    start_times(&mut lines, across);
    // What the short ones have left of their shares is the long ones', of which only what is looked at is read again.
    let is_thinned = |line: &History<'_>| line.curve.extent == Extent::Thinned;
    let held: usize = lines.iter().map(|line| line.curve.points.len()).sum();
    let count = lines.iter().filter(|line| is_thinned(line)).count();
    let larger = limits.values.saturating_sub(held) / count.max(1);
    let again = lines.iter().enumerate().filter(|(_, line)| is_thinned(line));
    let again = again.filter_map(|(place, line)| {
        let part = line.part(across, view);
        (part.is_some() || larger > share + share / 2).then_some((place, part))
    });
    let again = again.collect();
    reading.fill(&mut lines, again, larger.max(share)).await?;
    let is_thinned = lines.iter().any(is_thinned);
    let is_cut = lines.iter().any(|line| line.curve.extent == Extent::Cut);
    let mut drawn: Vec<(String, Vec<Line>)> =
        metrics.iter().map(|key| (key.clone(), Vec::new())).collect();
    for history in lines {
        if let Some((_key, of)) = drawn.get_mut(history.metric) {
            of.push(line(&history, across));
        }
    }
    Ok(Curves { lines: drawn, is_thinned, is_cut })
}

/// How histories are read.
struct Reading<'a> {
    tracking: &'a Tracking,
    limits: Limits,
    metrics: &'a [String],
    is_log: bool,
}

impl Reading<'_> {
    /// Reads the curves of these lines, by their places, of their steps between two or of all, each with its share of
    /// values.
    async fn fill(
        &self,
        lines: &mut [History<'_>],
        asked: Vec<(usize, Option<(i64, i64)>)>,
        share: usize,
    ) -> StoreResult<()> {
        let steps_max = (self.limits.steps / asked.len().max(1)).clamp(2, LINE_STEPS_MAX);
        let mut reads = Vec::with_capacity(asked.len());
        for (place, steps) in asked {
            let Some(line) = lines.get(place) else { continue };
            let (run_id, tracking) = (line.run.info.run_id.clone(), self.tracking.clone());
            let key = self.metrics.get(line.metric).cloned().unwrap_or_default();
            let is_log = self.is_log;
            let asked = DrawCurve { steps, whole_max: share.max(1), steps_max, is_log };
            reads.push(async move {
                tracking.runs.curve(&run_id, &key, asked).await.map(|curve| (place, curve))
            });
        }
        let read: Vec<(usize, Curve)> =
            stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
        for (place, curve) in read {
            if let Some(line) = lines.get_mut(place) {
                line.curve = curve;
            }
        }
        Ok(())
    }
}

/// Finds what times are counted from: of a metric the first value of all runs, or of each.
fn start_times(lines: &mut [History<'_>], across: Across) {
    for metric in lines.chunk_by_mut(|left, right| left.metric == right.metric) {
        let first_of_all = metric.iter().filter_map(History::first).min();
        for line in metric {
            let start = match across {
                Across::Relative => line.first(),
                Across::Step | Across::Time => first_of_all,
            };
            line.start = start.unwrap_or_default();
        }
    }
}

fn line(history: &History<'_>, across: Across) -> Line {
    let points = history.curve.points.iter();
    let mut points: Vec<(f64, f64)> = points
        // MLflow stores infinities as the largest number.
        .filter(|point| point.value.is_finite() && point.value.abs() < f64::MAX)
        .map(|point| (across.x(point, history.start), point.value))
        .collect();
    points.sort_by(|left, right| left.0.total_cmp(&right.0));
    let name = page::run_name(&history.run.info.run_name, &history.run.info.run_id);
    Line { name: format::short(name, 80), number: history.number, points }
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::Metric;
    use trainyard_mlflow::{CreateRun, LogBatch};

    use super::*;

    fn history<'a>(
        run: &'a Run,
        number: usize,
        start: i64,
        values: &[f64],
        extent: Extent,
    ) -> History<'a> {
        let points = values.iter().zip(0..).map(|(value, step)| CurvePoint {
            step,
            timestamp: start + 1000 * step,
            value: *value,
        });
        let curve = Curve::new(points.collect(), extent);
        History { metric: 0, number, run, curve, start: 0 }
    }

    #[test]
    fn x_is_what_was_asked_for() {
        let run = Run::default();
        let values = [f64::NAN, 0.5, f64::MAX, 0.25];
        let points = |across| {
            let mut histories = [(0, 5_000), (4, 7_000)]
                .map(|(number, start)| history(&run, number, start, &values, Extent::Whole));
            start_times(&mut histories, across);
            assert_eq!(line(&histories[1], across).number, 4);
            line(&histories[1], across).points
        };
        assert_eq!(points(Across::Step), [(1.0, 0.5), (3.0, 0.25)]);
        assert_eq!(points(Across::Time), [(3.0, 0.5), (5.0, 0.25)]);
        assert_eq!(points(Across::Relative), [(1.0, 0.5), (3.0, 0.25)]);
        assert_eq!(Across::read("odd"), Across::Step);
    }

    #[test]
    fn a_part_reaches_to_the_known_steps_around_it() {
        let run = Run::default();
        let view = |from, to| View { from, to, ..View::default() };
        let thinned = history(&run, 0, 5_000, &[1.0; 10], Extent::Thinned);
        let part = |across, from, to| thinned.part(across, &view(from, to));
        assert_eq!(part(Across::Step, Some(3.5), Some(6.0)), Some((3, 7)));
        assert_eq!(part(Across::Step, None, Some(2.5)), Some((0, 3)));
        assert_eq!(part(Across::Step, Some(99.0), None), Some((9, 9)));
        assert_eq!(part(Across::Step, None, None), None);
        // Seconds since 1970, as nobody has found the start.
        assert_eq!(part(Across::Time, Some(6.2), Some(7.8)), Some((1, 3)));
        let whole = history(&run, 0, 0, &[1.0; 10], Extent::Whole);
        assert_eq!(whole.part(Across::Step, &view(Some(3.0), None)), None);
    }

    /// A run of the default experiment with a metric of so many steps.
    async fn logged(tracking: &Tracking, steps: i64) -> Run {
        let run = CreateRun { experiment_id: "0".to_owned(), ..CreateRun::default() };
        let run_id = tracking.runs.create(run).await.unwrap().info.run_id;
        let value = |step: i64| if step == 777 { 9.0 } else { 1.0 / (1.0 + step as f64) };
        let metric = |step| Metric::new("loss", value(step), 1_000 * step, step);
        let batch = LogBatch { metrics: (0..steps).map(metric).collect(), ..LogBatch::default() };
        tracking.runs.log_batch(&run_id, batch).await.unwrap();
        tracking.runs.get(&run_id).await.unwrap()
    }

    #[tokio::test]
    async fn long_lines_are_thinned_unless_there_is_room_or_a_part_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(folder.path().join(name).display().to_string());
        let options = trainyard_tracking::OpenOptions {
            default_artifact_root: path("runs"),
            artifacts_destination: path("artifacts"),
            ..trainyard_tracking::OpenOptions::default()
        };
        let tracking = trainyard_tracking::open("sqlite://", options).unwrap();
        let runs = [logged(&tracking, 1000).await, logged(&tracking, 10).await];
        let metrics = ["loss".to_owned(), "none".to_owned()];
        let drawn = async |across, from, to, values| {
            let view = View { from, to, ..View::default() };
            let limits = Limits { values, steps: 100 };
            let curves = read(&tracking, &runs, &metrics, (across, &view), limits).await.unwrap();
            assert!(!curves.is_cut && curves.lines[1].1.is_empty());
            let lines = &curves.lines[0].1;
            assert_eq!(lines[1].points.len(), 10, "a short line is whole");
            (curves.is_thinned, lines[0].points.clone())
        };
        let (is_thinned, long) = drawn(Across::Step, None, None, 500).await;
        assert!(is_thinned && long.len() == 100, "{long:?}");
        assert_eq!((long[0].0, long[99].0), (0.0, 999.0));
        assert!(long.is_sorted_by(|one, next| one.0 < next.0), "{long:?}");
        // A share of 700 is too small, what the short one leaves of the other is not.
        let (is_thinned, long) = drawn(Across::Step, None, None, 1400).await;
        assert!(!is_thinned && long.len() == 1000 && long.contains(&(777.0, 9.0)));
        for across in [Across::Step, Across::Time, Across::Relative] {
            let (is_thinned, part) = drawn(across, Some(750.0), Some(800.0), 500).await;
            assert!(!is_thinned && part.contains(&(777.0, 9.0)), "{part:?}");
            assert!(part[0].0 <= 750.0 && part[part.len() - 1].0 >= 800.0, "{part:?}");
            assert!(part.len() < 150, "{part:?}");
        }
    }
}
