//! Straight lines between points, as NumPy's `interp` draws them.

/// The value at `at`, flat outside of the points; `x` ascends. Between equal `x` the last point counts.
pub(crate) fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    let upper = x.partition_point(|&x| x <= at);
    let point = |at: usize| Some((*x.get(at)?, *y.get(at)?));
    match (upper.checked_sub(1).and_then(point), point(upper)) {
        (Some((x0, y0)), Some(_)) if x0 == at => y0,
        (Some((x0, y0)), Some((x1, y1))) => (y1 - y0) / (x1 - x0) * (at - x0) + y0,
        (Some((_, y)), None) | (None, Some((_, y))) => y,
        (None, None) => f64::NAN,
    }
}
