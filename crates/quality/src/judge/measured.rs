//! All metrics of labelled rows, with intervals.
//!
//! Shares of rows have Wilson's interval, means of a loss that of their standard error, a root of one by the delta
//! method, all others that of the bootstrap. The same rows get the same intervals.

use super::calibration_curve::{CalibrationPoint, calibration_curve};
use super::deciles::{Decile, deciles};
use super::thinned::Thinned;
use crate::Result;
use crate::interval::bootstrap;
use crate::interval::normal::quantile_above;
use crate::interval::wilson;
use crate::metrics::{ClassScore, Confusion, Judged, Probabilities, Scorer, ranking, regression};

/// The chance that the true value is beyond one end of an interval: they are of 95 %.
const LEVEL: f64 = 0.025;
/// Rows that are drawn from at most. The interval of more is that of an even part of them, made narrower as the
/// square root of their number says.
const DRAWN_ROWS_MAX: usize = 50_000;

/// A metric of labelled rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// As in training.
    pub metric: &'static str,
    pub value: f64,
    /// Ends of the 95 % interval, if there is one.
    pub interval: Option<(f64, f64)>,
}

/// Metrics of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMeasured {
    pub label: String,
    pub score: ClassScore,
    /// Ends of the 95 % intervals of precision and recall; NaN where there are no rows.
    pub precision: (f64, f64),
    pub recall: (f64, f64),
}

/// What labels say.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// Rows that were judged.
    pub rows: usize,
    /// Those that are defined.
    pub metrics: Vec<Measured>,
    /// By class, for a classifier.
    pub classes: Vec<ClassMeasured>,
    pub confusion: Option<Confusion>,
    /// Of the positive class, or of the second of two.
    pub calibration: Vec<CalibrationPoint>,
    /// Of a regression.
    pub deciles: Vec<Decile>,
}

impl Quality {
    /// A metric by its name.
    pub fn metric(&self, name: &str) -> Option<&Measured> {
        self.metrics.iter().find(|measured| measured.metric == name)
    }
}

/// Judges rows by all metrics that are defined for them.
pub fn quality(judged: &Judged<'_>) -> Result<Quality> {
    let rows = judged.rows()?;
    let mut quality = match *judged {
        Judged::Classes { truth, predicted, probabilities, positive } => {
            let confusion = Confusion::new(truth, predicted);
            let mut metrics = of_labels(judged, &confusion, positive)?;
            let mut calibration = Vec::new();
            if let Some(probabilities) = probabilities {
                let values = ranking::evaluate(truth, probabilities, positive)?;
                metrics.extend(with_intervals(values, judged)?);
                calibration = curve(truth, probabilities, positive)?;
            }
            let classes = of_classes(&confusion);
            Quality {
                rows,
                metrics,
                classes,
                confusion: Some(confusion),
                calibration,
                deciles: Vec::new(),
            }
        }
        Judged::Quantities { truth, predicted } => Quality {
            rows,
            metrics: with_intervals(of_quantities(truth, predicted), judged)?,
            classes: Vec::new(),
            confusion: None,
            calibration: Vec::new(),
            deciles: deciles(truth, predicted),
        },
    };
    quality.metrics.retain(|measured| measured.value.is_finite());
    Ok(quality)
}

/// Metrics of quantities: those of training, and how much predictions are too high.
fn of_quantities(truth: &[f64], predicted: &[f64]) -> Vec<(&'static str, f64)> {
    let bias = ("bias", regression::bias(truth, predicted));
    regression::evaluate(truth, predicted).into_iter().chain([bias]).collect()
}

/// Metrics of labels: shares of rows, and what is drawn for.
fn of_labels(
    judged: &Judged<'_>,
    confusion: &Confusion,
    positive: Option<&str>,
) -> Result<Vec<Measured>> {
    let metrics = confusion.metrics(positive);
    // A part of the rows may lack the positive class, whose metrics come last.
    let drawn = drawn_labels(judged, positive)?.into_iter().chain(std::iter::repeat(None));
    let class = positive.and_then(|class| confusion.labels.iter().position(|l| l == class));
    let z = quantile_above(LEVEL);
    let measured = |((metric, value), drawn): ((&'static str, f64), Option<(f64, f64)>)| {
        let interval = match (metric, class) {
            ("accuracy", _) => {
                let rows = confusion.rows() as f64;
                Some(wilson::interval((value * rows).round(), rows, z))
            }
            ("precision", Some(class)) => Some(of_precision(confusion, class, z)),
            ("recall", Some(class)) => Some(of_recall(confusion, class, z)),
            _ => drawn,
        };
        let interval = interval.filter(|(low, high)| low.is_finite() && high.is_finite());
        Measured { metric, value, interval }
    };
    Ok(metrics.into_iter().zip(drawn).map(measured).collect())
}

fn of_precision(confusion: &Confusion, class: usize, z: f64) -> (f64, f64) {
    let said: u64 = confusion.counts.iter().map(|row| row[class]).sum();
    wilson::interval(confusion.counts[class][class] as f64, said as f64, z)
}

fn of_recall(confusion: &Confusion, class: usize, z: f64) -> (f64, f64) {
    let support: u64 = confusion.counts[class].iter().sum();
    wilson::interval(confusion.counts[class][class] as f64, support as f64, z)
}

fn of_classes(confusion: &Confusion) -> Vec<ClassMeasured> {
    let z = quantile_above(LEVEL);
    let of = |(class, score): (usize, ClassScore)| ClassMeasured {
        label: confusion.labels[class].clone(),
        score,
        precision: of_precision(confusion, class, z),
        recall: of_recall(confusion, class, z),
    };
    confusion.scores().into_iter().enumerate().map(of).collect()
}

/// The curve of the positive class, or of the second of two.
fn curve(
    truth: &[String],
    probabilities: &Probabilities,
    positive: Option<&str>,
) -> Result<Vec<CalibrationPoint>> {
    let second = (probabilities.classes.len() == 2).then_some(1);
    let class = positive.and_then(|class| probabilities.position(class)).or(second);
    let labels = ranking::labels(truth, probabilities)?;
    Ok(match (class, labels) {
        (Some(class), Some(labels)) => {
            calibration_curve(&ranking::scores(class, &labels, probabilities))
        }
        _ => Vec::new(),
    })
}

/// Metrics that are functions of single rows or of their order, with their intervals.
fn with_intervals(values: Vec<(&'static str, f64)>, judged: &Judged<'_>) -> Result<Vec<Measured>> {
    let mut found = Vec::with_capacity(values.len());
    for (metric, value) in values {
        let interval = match Scorer::new(metric, judged)? {
            Some(Scorer::Mean { losses, is_root }) => of_mean(&losses, is_root, metric != "bias"),
            Some(_) => drawn(metric, judged)?,
            None => None,
        };
        found.push(Measured { metric, value, interval });
    }
    Ok(found)
}

/// The interval of a mean of losses, or of its root.
fn of_mean(losses: &[f64], is_root: bool, is_positive: bool) -> Option<(f64, f64)> {
    let rows = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / rows;
    let squares: f64 = losses.iter().map(|loss| (loss - mean) * (loss - mean)).sum();
    let error = (squares / (rows - 1.0) / rows).sqrt();
    // Where nothing was lost on any row, the root has no error either.
    let (value, error) = if is_root && mean > 0.0 {
        (mean.sqrt(), error / (2.0 * mean.sqrt()))
    } else {
        (mean, error)
    };
    let half = quantile_above(LEVEL) * error;
    let low = if is_positive { (value - half).max(0.0) } else { value - half };
    half.is_finite().then_some((low, value + half))
}

/// The interval of a metric by drawing rows again; none where it is undefined on many draws.
fn drawn(metric: &str, judged: &Judged<'_>) -> Result<Option<(f64, f64)>> {
    let part = Thinned::new(judged, judged.rows()?.div_ceil(DRAWN_ROWS_MAX));
    let drawn = part.judged(judged);
    let Some(scorer) = Scorer::new(metric, &drawn)? else { return Ok(None) };
    let of_draw = |weights: &[u32]| vec![scorer.score(weights)];
    Ok(intervals(drawn.rows()?, judged.rows()?, of_draw).into_iter().next().flatten())
}

/// Intervals of the metrics of labels, in their order.
fn drawn_labels(judged: &Judged<'_>, positive: Option<&str>) -> Result<Vec<Option<(f64, f64)>>> {
    let part = Thinned::new(judged, judged.rows()?.div_ceil(DRAWN_ROWS_MAX));
    let drawn = part.judged(judged);
    let Some(scorer) = Scorer::new("accuracy", &drawn)? else { return Ok(Vec::new()) };
    let of_draw = |weights: &[u32]| -> Vec<f64> {
        let metrics = scorer.confusion(weights).map(|found| found.metrics(positive));
        metrics.unwrap_or_default().into_iter().map(|(_, value)| value).collect()
    };
    Ok(intervals(drawn.rows()?, judged.rows()?, of_draw))
}

/// Intervals of figures of `kept` of `rows`, for all of them.
fn intervals(
    kept: usize,
    rows: usize,
    of_draw: impl Fn(&[u32]) -> Vec<f64> + Sync,
) -> Vec<Option<(f64, f64)>> {
    let seen = of_draw(&vec![1; kept]);
    let narrower = (kept as f64 / rows as f64).sqrt();
    let scaled = |(seen, interval): (f64, Option<bootstrap::Interval>)| {
        let interval = interval?;
        let end = |end: f64| seen + (end - seen) * narrower;
        Some((end(interval.low), end(interval.high)))
    };
    let intervals = bootstrap::intervals(kept, LEVEL, of_draw);
    seen.into_iter().zip(intervals).map(scaled).collect()
}

#[cfg(test)]
mod tests {
    use trainyard_base::random::FastRandom;

    use super::*;

    #[test]
    fn intervals_of_many_rows_are_about_as_wide_as_their_number_says() {
        let mut random = FastRandom::new(37, 0);
        let mut noise = || random.below(10_000) as f64 / 10_000.0 - 0.5;
        let truth: Vec<f64> = (0..120_000).map(|_| 4.0 * noise()).collect();
        let predicted: Vec<f64> = truth.iter().map(|value| value + noise()).collect();
        let width = |rows: usize| {
            let judged =
                Judged::Quantities { truth: &truth[..rows], predicted: &predicted[..rows] };
            let quality = quality(&judged).unwrap();
            let (low, high) = quality.metric("r2").unwrap().interval.unwrap();
            assert!(low < quality.metric("r2").unwrap().value, "{rows}");
            high - low
        };
        let ratio = width(30_000) / width(120_000);
        assert!((1.6..2.5).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_class_that_was_never_said_has_no_interval_of_its_precision() {
        let labels = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let (truth, predicted) = (labels(&["a", "b", "a"]), labels(&["a", "a", "a"]));
        let positive = Some("b");
        let judged =
            Judged::Classes { truth: &truth, predicted: &predicted, probabilities: None, positive };
        let found = quality(&judged).unwrap();
        assert_eq!(found.metric("precision").map(|m| (m.value, m.interval)), Some((0.0, None)));
        assert!(found.metric("accuracy").unwrap().interval.is_some());
        assert_eq!(found.classes[0].score.support, 2);
        assert!(quality(&Judged::Quantities { truth: &[], predicted: &[] }).is_err());
        let exact = [1.0, 2.0, 3.0];
        let found = quality(&Judged::Quantities { truth: &exact, predicted: &exact }).unwrap();
        assert_eq!(found.metric("rmse").unwrap().interval, Some((0.0, 0.0)));
    }
}
