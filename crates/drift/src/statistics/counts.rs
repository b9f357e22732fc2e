//! Tests of how often each value occurs: chi-square, G, z, Fisher.

use super::special::{chi_square_sf, hypergeometric_pmf, normal_cdf};

/// How often one value occurs on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frequency {
    pub(crate) reference: u64,
    pub(crate) current: u64,
}

/// Counts of every value that occurs on either side, in the order of the values.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Frequencies {
    counts: Vec<Frequency>,
    reference_total: u64,
    current_total: u64,
}

impl Frequencies {
    pub(crate) fn push(&mut self, reference: u64, current: u64) {
        self.counts.push(Frequency { reference, current });
        self.reference_total += reference;
        self.current_total += current;
    }

    pub(crate) fn counts(&self) -> &[Frequency] {
        &self.counts
    }

    pub(crate) fn distinct(&self) -> usize {
        self.counts.len()
    }

    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.reference_total, self.current_total)
    }

    /// Shares of every value on both sides.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (n1, n2) = (self.reference_total as f64, self.current_total as f64);
        self.counts
            .iter()
            .map(move |count| (count.reference as f64 / n1, count.current as f64 / n2))
    }
}

/// Pearson's X² of the current counts against the reference shares, K − 1 degrees of freedom.
/// A value that the reference does not have makes X² infinite and p zero.
pub(crate) fn chi_square(frequencies: &Frequencies) -> f64 {
    chi_square_sf(chi_square_statistic(frequencies), frequencies.distinct() as f64 - 1.0)
}

/// Pearson's X² of homogeneity: both sides are samples of one population, whose shares are those of both
/// together; K − 1 degrees of freedom (Pearson, 1911; `scipy.stats.chi2_contingency` without correction).
/// Evidently's test takes the reference's shares for the truth, and two halves of one table for different in a
/// third of the cases.
pub(crate) fn chi_square_of_two_samples(frequencies: &Frequencies) -> f64 {
    let (n1, n2) = frequencies.totals();
    let (n1, n2) = (n1 as f64, n2 as f64);
    let statistic: f64 = frequencies
        .counts()
        .iter()
        .map(|count| {
            let (before, after) = (count.reference as f64, count.current as f64);
            // Both cells of a label have the same gap between what came and what is expected.
            let gap = after - (before + after) * n2 / (n1 + n2);
            gap * gap * (n1 + n2) * (n1 + n2) / ((before + after) * n1 * n2)
        })
        .sum();
    chi_square_sf(statistic, frequencies.distinct() as f64 - 1.0)
}

pub(crate) fn chi_square_statistic(frequencies: &Frequencies) -> f64 {
    let (n1, n2) = frequencies.totals();
    let scale = n2 as f64 / n1 as f64;
    frequencies
        .counts()
        .iter()
        .map(|count| {
            let expected = count.reference as f64 * scale;
            let gap = count.current as f64 - expected;
            gap * gap / expected
        })
        .sum()
}

/// Relative difference of the two totals up to which the G test takes them as equal (√ε, as SciPy does).
const EQUAL_TOTALS: f64 = 1.490_116_119_384_765_6e-8;

/// The likelihood-ratio test 2 Σ O ln(O/E) with the reference counts as E. Both sides must have the
/// same number of values.
pub(crate) fn g_test(frequencies: &Frequencies) -> Result<f64, String> {
    let (n1, n2) = frequencies.totals();
    if n1.abs_diff(n2) as f64 / n1.min(n2) as f64 > EQUAL_TOTALS {
        return Err(format!(
            "g_test needs as many current as reference values, here {n2} and {n1}; use chisquare"
        ));
    }
    let statistic: f64 = frequencies
        .counts()
        .iter()
        .filter(|count| count.current > 0)
        .map(|count| count.current as f64 * (count.current as f64 / count.reference as f64).ln())
        .sum();
    Ok(chi_square_sf(2.0 * statistic, frequencies.distinct() as f64 - 1.0))
}

/// Two proportions: the share of values other than the smallest one. Z = (p1 − p2) / √(P (1 − P) (1/n1 + 1/n2)).
///
/// The p-value is 2·(1 − Φ(|Z|)) by subtraction, so it is 0 below about 1e-16, as in Evidently.
pub(crate) fn z_test(frequencies: &Frequencies) -> f64 {
    let (n1, n2) = frequencies.totals();
    let (n1, n2) = (n1 as f64, n2 as f64);
    let Some(smallest) = frequencies.counts().first() else { return f64::NAN };
    if frequencies.distinct() == 1 {
        return 1.0;
    }
    let p1 = (n1 - smallest.reference as f64) / n1;
    let p2 = (n2 - smallest.current as f64) / n2;
    let pooled = (p1 * n1 + p2 * n2) / (n1 + n2);
    let z = (p1 - p2) / (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    2.0 * (1.0 - normal_cdf(z.abs()))
}

/// Tables at most this much likelier than the observed one still count as "as extreme" (SciPy's slack).
const FISHER_SLACK: f64 = 1.0 + 1e-7;

/// Fisher's exact test, two-sided, on two binary columns of equal length.
pub(crate) fn fisher_exact(frequencies: &Frequencies) -> Result<f64, String> {
    let (n1, n2) = frequencies.totals();
    if n1 != n2 {
        return Err(format!(
            "fisher_exact needs as many current as reference values, here {n2} and {n1}; use z"
        ));
    }
    let [first, rest @ ..] = frequencies.counts() else {
        return Err("fisher_exact needs values".to_owned());
    };
    let second = match rest {
        [] => return Ok(1.0),
        [second] => second,
        _ => {
            return Err(format!(
                "fisher_exact needs binary values, here there are {}; use chisquare",
                frequencies.distinct()
            ));
        }
    };
    let marked = first.current + first.reference;
    let unmarked = second.current + second.reference;
    if marked == 0 || unmarked == 0 {
        return Ok(1.0);
    }
    let pmf = |k: u64| hypergeometric_pmf(k as f64, n2 as f64, marked as f64, unmarked as f64);
    let limit = pmf(first.current) * FISHER_SLACK;
    let sum: f64 =
        (n2.saturating_sub(unmarked)..=n2.min(marked)).map(pmf).filter(|p| *p <= limit).sum();
    Ok(sum.min(1.0))
}

/// Cohen's w: √(Σ (q − p)² / p) over values that the reference has.
pub(crate) fn cohens_w(frequencies: &Frequencies) -> f64 {
    frequencies
        .shares()
        .filter(|(p, _)| *p > 0.0)
        .map(|(p, q)| (q - p) * (q - p) / p)
        .sum::<f64>()
        .sqrt()
}

/// Half the sum of absolute differences of shares, 0 to 1.
pub(crate) fn total_variation(frequencies: &Frequencies) -> f64 {
    0.5 * frequencies.shares().map(|(p, q)| (p - q).abs()).sum::<f64>()
}

/// Counts on both sides, for tests.
#[cfg(test)]
pub(super) fn frequencies(counts: &[(u64, u64)]) -> Frequencies {
    let mut out = Frequencies::default();
    for (reference, current) in counts {
        out.push(*reference, *current);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unseen_value_is_always_drift() {
        assert_eq!(chi_square(&frequencies(&[(50, 50), (50, 50), (0, 1)])), 0.0);
        assert!(chi_square(&frequencies(&[(5, 7)])).is_nan());
        // X² = 2·(4²/10), one degree of freedom.
        let p = chi_square(&frequencies(&[(10, 14), (10, 6)]));
        assert!((p - 0.073_638_270_120_302_64).abs() < 1e-14, "{p}");
    }

    #[test]
    fn both_sides_are_samples() {
        // scipy.stats.chi2_contingency without correction.
        for (counts, expected) in [
            (&[(30, 25), (50, 40), (20, 45)][..], 0.004_679_378_600_688_16),
            (&[(30, 25), (70, 40), (0, 3)], 0.056_423_682_272_601_43),
        ] {
            let p = chi_square_of_two_samples(&frequencies(counts));
            assert!((p - expected).abs() < 1e-14, "{p}");
        }
        assert!(chi_square_of_two_samples(&frequencies(&[(5, 7)])).is_nan());
    }

    #[test]
    fn fisher_by_hand() {
        // 1·C(4,0)… : tables 0..=2 of two against two have 1/6, 4/6, 1/6.
        let p = fisher_exact(&frequencies(&[(0, 2), (2, 0)])).unwrap();
        assert!((p - 2.0 / 6.0).abs() < 1e-14);
        assert_eq!(fisher_exact(&frequencies(&[(4, 4)])), Ok(1.0));
        assert!(fisher_exact(&frequencies(&[(3, 4), (2, 2)])).unwrap_err().contains("6 and 5"));
    }

    #[test]
    fn g_refuses_unequal_totals() {
        assert!(g_test(&frequencies(&[(3, 4), (2, 2)])).unwrap_err().contains("6 and 5"));
        assert_eq!(g_test(&frequencies(&[(3, 3), (2, 2)])), Ok(1.0));
        assert_eq!(g_test(&frequencies(&[(5, 4), (0, 1)])), Ok(0.0));
    }
}
