//! A metric's history as it is drawn: its values without their names, and fewer where there are too many.

use crate::entities::Metric;

/// What of a history is drawn.
#[derive(Debug, Clone, Copy)]
pub struct DrawCurve {
    /// The first and the last step that are looked at; all of them if none.
    pub steps: Option<(i64, i64)>,
    /// A history with no more values than this is read whole.
    pub whole_max: usize,
    /// Of a longer one so many steps are looked up, with all values that each has: the first, the last, and those that
    /// are nearest behind places which are evenly apart. At least two.
    pub steps_max: usize,
    /// The places are evenly apart on a logarithmic axis.
    pub is_log: bool,
}

/// A value of a history. NaN is NaN; infinities are the largest numbers, as MLflow stores them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    pub step: i64,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    pub value: f64,
}

/// How much of a history there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extent {
    /// All of it, with its smallest and largest values.
    #[default]
    Whole,
    /// Some of its steps: what lies between them is not known.
    Thinned,
    /// Its beginning: too many values share a step.
    Cut,
}

/// Values of a history by step, then timestamp, then value.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    pub points: Vec<CurvePoint>,
    pub extent: Extent,
}

impl Curve {
    /// The values in order, whatever theirs was.
    pub fn new(mut points: Vec<CurvePoint>, extent: Extent) -> Self {
        points.sort_by(|a, b| {
            (a.step, a.timestamp)
                .cmp(&(b.step, b.timestamp))
                .then_with(|| a.value.total_cmp(&b.value))
        });
        Self { points, extent }
    }
}

impl From<&Metric> for CurvePoint {
    fn from(metric: &Metric) -> Self {
        Self { step: metric.step, timestamp: metric.timestamp, value: metric.value }
    }
}
