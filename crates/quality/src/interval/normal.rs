//! Tails of the standard normal distribution.

/// 1 − Φ(z), without cancellation.
pub fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// The z above which a share of the distribution lies. `share` between 0 and ½; found by halving, as it is
/// wanted a few times for a verdict.
pub fn quantile_above(share: f64) -> f64 {
    // Beyond 38 the tail is no double any more.
    let (mut low, mut high) = (0.0, 38.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if upper_tail(middle) > share { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.norm.isf` of the shares.
    #[test]
    fn quantiles_are_scipys() {
        for (share, z) in [
            (0.05, 1.6448536269514729),
            (0.025, 1.9599639845400545),
            (0.2, 0.8416212335729142),
            (1e-6, 4.753424308822899),
        ] {
            assert!((quantile_above(share) - z).abs() < 1e-12, "{share}");
        }
    }
}
