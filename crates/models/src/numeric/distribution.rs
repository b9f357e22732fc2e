//! The normal distribution, and the function that expectations of logarithms are made of.

/// The share of a normal distribution that lies below `x`.
pub(crate) fn normal_share(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The `x` below which a share `p` of a normal distribution lies: Acklam's rational approximation (good
/// to 1.2e-9), then two steps of Halley's method on the complementary error function, which bring it to
/// the last digits.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if p.is_nan() || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    let mut x = first_guess(p);
    for _ in 0..2 {
        let error = normal_share(x) - p;
        let step = error * (2.0 * std::f64::consts::PI).sqrt() * (x * x / 2.0).exp();
        x -= step / (1.0 + x * step / 2.0);
    }
    x
}

/// Acklam's approximation for `p <= 0.5`.
fn first_guess(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.383_577_518_672_69e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] =
        [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    /// Below this share the tail has a form of its own.
    const TAIL: f64 = 0.02425;
    let polynomial =
        |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    if p < TAIL {
        let q = (-2.0 * p.ln()).sqrt();
        return polynomial(&C, q) / polynomial(&D, q);
    }
    let q = p - 0.5;
    polynomial(&A, q * q) * q / polynomial(&B, q * q)
}

/// The logarithmic derivative of the gamma function at a positive number: far out by its asymptotic series, of which ten
/// and more need seven terms, and from there back by recurrence.
pub(crate) fn digamma(x: f64) -> f64 {
    /// Bernoulli numbers of even index, each divided by its index.
    const TERMS: [f64; 7] = [
        1.0 / 12.0,
        -1.0 / 120.0,
        1.0 / 252.0,
        -1.0 / 240.0,
        1.0 / 132.0,
        -691.0 / 32760.0,
        1.0 / 12.0,
    ];
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let (mut x, mut back) = (x, 0.0);
    while x < 10.0 {
        back += 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
    x.ln() - 0.5 / x - series - back
}

#[cfg(test)]
mod tests {
    use super::{digamma, normal_quantile};

    #[test]
    fn digamma_is_that_of_scipy() {
        for (x, expected) in [
            (1.0, -0.577_215_664_901_532_9),
            (0.5, -1.963_510_026_021_423_5),
            (1e-3, -1_000.575_571_931_8),
            (1.461_632_144_968_362_3, 0.0),
            (3.7, 1.167_153_539_361_511_7),
            (10.0, 2.251_752_589_066_721),
            (1e6, 13.815_510_057_964_19),
        ] {
            let error = (digamma(x) - expected).abs();
            assert!(error <= 1e-13 * f64::max(1.0, x.recip()), "{x}: {} {expected}", digamma(x));
        }
        assert!(digamma(0.0).is_nan() && digamma(-1.5).is_nan());
    }

    #[test]
    fn quantiles_are_those_of_scipy() {
        for (p, x) in [
            (0.5, 0.0),
            (0.025, -1.9599639845400545),
            (0.9, 1.2815515655446004),
            (1e-7, -5.199337582192817),
            (1e-300, -37.0471),
            (0.3, -0.5244005127080409),
        ] {
            let tolerance = if p < 1e-100 { 1e-4 } else { 1e-14 };
            assert!((normal_quantile(p) - x).abs() <= tolerance * x.abs().max(1.0), "{p}");
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!(normal_quantile(1.5).is_nan());
    }
}
