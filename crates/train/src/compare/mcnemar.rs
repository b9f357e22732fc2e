//! McNemar's test: two classifiers on the same rows, judged by the rows on which only one is right.
//!
//! Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
//! Psychometrika 12 (1947). Exact and one-sided: if both are equally good, each of the rows on which only one
//! is right is the old one's with probability ½. The interval is the adjusted Wald interval of D. G. Bonett and
//! R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired
//! data", Journal of Educational and Behavioral Statistics 37 (2012): a row is added to either kind, so that
//! few rows, or none on which they differ, do not seem to prove equality.

use trainyard_quality::interval::normal::{quantile_above, upper_tail};

/// From so many rows on which they differ, the normal distribution with continuity correction is used: the
/// tail differs from the exact one by less than 10⁻⁴.
const EXACT_MAX: u64 = 10_000;

/// The chance that at least `only_old` of the rows on which they differ are the old one's, were both equally
/// good.
pub(crate) fn p_worse(only_old: u64, only_new: u64) -> f64 {
    let differ = only_old + only_new;
    if differ > EXACT_MAX {
        let (old, n) = (only_old as f64, differ as f64);
        return upper_tail((2.0 * old - n - 1.0) / n.sqrt());
    }
    let n = differ as f64;
    let ln_choose =
        |k: f64| libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    let chance = |k: u64| (ln_choose(k as f64) - n * std::f64::consts::LN_2).exp();
    (only_old..=differ).map(chance).sum::<f64>().min(1.0)
}

/// How much lower the new one's accuracy is, between (low, high), each missed with the chance of `level`, and
/// the standard error behind it.
pub(crate) fn interval(only_old: u64, only_new: u64, rows: u64, level: f64) -> (f64, f64, f64) {
    let adjusted = rows as f64 + 2.0;
    let (old, new) = ((only_old as f64 + 1.0) / adjusted, (only_new as f64 + 1.0) / adjusted);
    let difference = old - new;
    let error = ((old + new - difference * difference) / adjusted).sqrt();
    let half = quantile_above(level) * error;
    ((difference - half).max(-1.0), (difference + half).min(1.0), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binom.sf(only_old - 1, only_old + only_new, 0.5)`; for equal kinds statsmodels'
    /// `mcnemar(exact=True)` is twice the smaller tail.
    #[test]
    fn tails_are_scipys() {
        for (only_old, only_new, p) in [
            (0, 0, 1.0),
            (3, 0, 0.125),
            (1, 1, 0.75),
            (8, 2, 0.0546875),
            (30, 18, 0.05570144553050939),
            (500, 440, 0.027125348753268535),
            (2, 9, 0.994140625),
        ] {
            let found = p_worse(only_old, only_new);
            assert!((found - p).abs() <= 1e-9 * p, "{only_old} {only_new}: {found} {p}");
        }
    }

    #[test]
    fn many_rows_are_as_few() {
        let exact: f64 = 0.06859938955887254;
        assert!((p_worse(5_100, 4_950) - exact).abs() < 1e-4);
    }

    /// Formula (7) of the paper, by numpy.
    #[test]
    fn the_interval_is_bonetts_and_prices() {
        for (only_old, only_new, rows, low, high) in [
            (0, 0, 24, -0.08946824259051336, 0.08946824259051336),
            (3, 0, 24, -0.021092526847816068, 0.2518617576170469),
            (40, 25, 2000, 0.0007730218471860223, 0.014211993137828963),
            (12, 18, 150, -0.10046184064454985, 0.021514472223497227),
        ] {
            let (found_low, found_high, _) = interval(only_old, only_new, rows, 0.05);
            assert!((found_low - low).abs() < 1e-12 && (found_high - high).abs() < 1e-12);
        }
    }

    #[test]
    fn few_rows_without_a_difference_prove_little() {
        let (low, high, _) = interval(0, 0, 24, 0.05);
        assert!(low < -0.08 && high > 0.08);
        let (_, high, _) = interval(0, 0, 2_000, 0.05);
        assert!(high < 0.002);
    }
}
