//! The interval of a share of rows.
//!
//! E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927): right also
//! for few rows and for shares near 0 and 1, where the share's own standard error is nothing.

/// Both ends of the interval of `count` of `rows`, at `z` standard errors (1.96 for 95 %). NaN without rows.
pub fn interval(count: f64, rows: f64, z: f64) -> (f64, f64) {
    let share = count / rows;
    let square = z * z;
    let whole = 1.0 + square / rows;
    let centre = (share + square / (2.0 * rows)) / whole;
    let spread = share * (1.0 - share) / rows + square / (4.0 * rows * rows);
    let half = z / whole * spread.sqrt();
    // Unlike the least and greatest of two, this leaves NaN what it is.
    ((centre - half).clamp(0.0, 1.0), (centre + half).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(8, 10).proportion_ci(method="wilson")` and of 0 of 20.
    #[test]
    fn intervals_are_scipys() {
        let z = 1.959963984540054;
        for ((count, rows), (low, high)) in [
            ((8.0, 10.0), (0.4901624715366418, 0.9433178485456248)),
            ((0.0, 20.0), (0.0, 0.16112515805281935)),
        ] {
            let found = interval(count, rows, z);
            assert!((found.0 - low).abs() < 1e-12 && (found.1 - high).abs() < 1e-12, "{found:?}");
        }
    }
}
