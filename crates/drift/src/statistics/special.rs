//! Tails and densities that the tests need, accurate in relative terms far out.

use statrs::function::gamma::checked_gamma_ur;

/// Φ(z), the standard normal distribution function.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// 1 − Φ(z) without cancellation.
pub(crate) fn normal_sf(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// P(X² ≥ x) for `df` degrees of freedom. NaN where it is not defined (no degree of freedom at x = 0).
pub(crate) fn chi_square_sf(x: f64, df: f64) -> f64 {
    if x.is_nan() || df < 0.0 {
        return f64::NAN;
    }
    if df == 0.0 {
        return if x > 0.0 { 0.0 } else { f64::NAN };
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    if x <= 0.0 {
        return 1.0;
    }
    checked_gamma_ur(df / 2.0, x / 2.0).unwrap_or(f64::NAN)
}

/// ln Γ(n + 1) − ((n + ½) ln n − n + ½ ln 2π), the error of Stirling's formula for n!.
fn stirling_error(n: f64) -> f64 {
    // Differences of ln n! and the formula lose at most 1e-15 up to here; the series is exact beyond.
    const SERIES_FROM: f64 = 16.0;
    if n >= SERIES_FROM {
        let square = n * n;
        let series = 1.0 / 1188.0 - (691.0 / 360_360.0) / square;
        let series = 1.0 / 1680.0 - series / square;
        let series = 1.0 / 1260.0 - series / square;
        let series = 1.0 / 360.0 - series / square;
        return (1.0 / 12.0 - series / square) / n;
    }
    let factorial: f64 = (1..=n as u32).map(f64::from).product();
    factorial.ln() - ((n + 0.5) * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI).ln())
}

/// x ln(x/m) + m − x, given d = x − m exactly, without cancellation for x near m.
fn deviance(x: f64, m: f64, d: f64) -> f64 {
    if d.abs() < 0.1 * (x + m) {
        let v = d / (x + m);
        let mut sum = d * v;
        let mut power = 2.0 * x * v;
        let square = v * v;
        let mut odd = 3.0;
        loop {
            power *= square;
            let next = sum + power / odd;
            if next == sum {
                return sum;
            }
            sum = next;
            odd += 2.0;
        }
    }
    x * (x / m).ln() - d
}

/// The binomial probability C(n, k) p^k (1 − p)^(n − k) by Loader's saddle-point expansion
/// (C. Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000), good to about 1e-15
/// relative for any n. `excess` is n·p − k, which callers often know exactly.
pub(crate) fn binomial_pmf(k: f64, n: f64, p: f64, excess: f64) -> f64 {
    let q = 1.0 - p;
    if p <= 0.0 || q <= 0.0 {
        let certain = if p <= 0.0 { 0.0 } else { n };
        return f64::from(u8::from(k == certain));
    }
    if k == 0.0 {
        return (n * (-p).ln_1p()).exp();
    }
    if k == n {
        return (n * p.ln()).exp();
    }
    let rest = n - k;
    let exponent = stirling_error(n)
        - stirling_error(k)
        - stirling_error(rest)
        - deviance(k, k + excess, -excess)
        - deviance(rest, rest - excess, excess);
    exponent.exp() * (n / (2.0 * std::f64::consts::PI * k * rest)).sqrt()
}

/// The chance of at least `count` on a side of `own` rows, where the other side, of `other` rows, has `beside`:
/// P(X ≥ count) for X binomial of count + beside draws with p = own / (own + other), as if both were one sample
/// (J. Przyborowski and H. Wilenski, "Homogeneity of results in testing samples from Poisson series", 1940).
/// 1 where the side has no more than its part.
pub(crate) fn chance_of_as_many(count: u64, beside: u64, [own, other]: [u64; 2]) -> f64 {
    let [k, n] = [count as f64, (count + beside) as f64];
    let [own, other] = [own as f64, other as f64];
    let p = own / (own + other);
    if k <= n * p {
        return 1.0;
    }
    // Above the mean each term is smaller than the one before.
    let mut term = binomial_pmf(k, n, p, n * p - k);
    let mut sum = term;
    for more in 0..beside {
        let successes = k + more as f64;
        term *= (n - successes) / (successes + 1.0) * own / other;
        sum += term;
        if term <= sum * f64::EPSILON {
            break;
        }
    }
    sum.min(1.0)
}

/// The hypergeometric probability of k marked among `draws` from `marked` + `unmarked`.
pub(crate) fn hypergeometric_pmf(k: f64, draws: f64, marked: f64, unmarked: f64) -> f64 {
    let p = draws / (marked + unmarked);
    if p >= 1.0 {
        return f64::from(u8::from(k == marked));
    }
    let rest = draws - k;
    binomial_pmf(k, marked, p, marked * p - k)
        * binomial_pmf(rest, unmarked, p, unmarked * p - rest)
        / binomial_pmf(draws, marked + unmarked, p, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-13 * want.abs(), "{got:e} is not {want:e}");
    }

    #[test]
    fn binomial_probabilities_are_exact_for_small_and_large_sizes() {
        close(binomial_pmf(3.0, 10.0, 0.25, -0.5), 0.25028228759765625);
        close(binomial_pmf(1.0, 2.0, 0.5, 0.0), 0.5);
        // C(10⁶, 500000) / 2^10⁶ in exact fractions
        close(binomial_pmf(5e5, 1e6, 0.5, 0.0), 0.0007978843613317501);
        assert_eq!(binomial_pmf(0.0, 5.0, 0.0, 0.0), 1.0);
        assert_eq!(binomial_pmf(5.0, 5.0, 1.0, 0.0), 1.0);
    }

    #[test]
    fn hypergeometric_probabilities_add_up() {
        let total: f64 = (0..=7).map(|k| hypergeometric_pmf(f64::from(k), 7.0, 12.0, 9.0)).sum();
        close(total, 1.0);
    }

    #[test]
    fn chi_square_limits() {
        assert!(chi_square_sf(0.0, 0.0).is_nan());
        assert_eq!(chi_square_sf(f64::INFINITY, 3.0), 0.0);
        assert_eq!(chi_square_sf(0.0, 3.0), 1.0);
        close(chi_square_sf(3.0, 2.0), (-1.5_f64).exp());
    }

    #[test]
    fn as_many_by_chance() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        // Three of three on one of two equal sides; at least four of five.
        assert!(close(chance_of_as_many(3, 0, [50, 50]), 0.125));
        assert!(close(chance_of_as_many(4, 1, [50, 50]), 6.0 / 32.0));
        assert_eq!(chance_of_as_many(5, 7, [50, 50]), 1.0);
        assert_eq!(chance_of_as_many(10, 100_000, [1000, 1]), 1.0);
        assert!(chance_of_as_many(1000, 1, [50, 50]) < 1e-290);
    }
}
