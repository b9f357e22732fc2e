//! DeLong's test: the areas under the ROC curves of two scores on the same rows.
//!
//! E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more correlated receiver
//! operating characteristic curves: a nonparametric approach", Biometrics 44 (1988); computed from midranks as
//! X. Sun and W. Xu, "Fast implementation of DeLong's algorithm for comparing the areas under correlated
//! receiver operating characteristic curves", IEEE Signal Processing Letters 21 (2014).

/// Two areas on the same rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Areas {
    pub(crate) new: f64,
    pub(crate) old: f64,
    /// Standard error of their difference.
    pub(crate) standard_error: f64,
}

/// Compares two scores of the same rows, each with whether it is of the class. At least two rows of both
/// kinds; none otherwise.
pub(crate) fn areas(new: &[(f64, bool)], old: &[(f64, bool)]) -> Option<Areas> {
    let (new, old) = (Placements::new(new)?, Placements::new(old)?);
    let difference =
        |new: &[f64], old: &[f64]| new.iter().zip(old).map(|(a, b)| a - b).collect::<Vec<f64>>();
    let class = difference(&new.class, &old.class);
    let others = difference(&new.others, &old.others);
    let of_mean = |values: &[f64]| variance(values) / values.len() as f64;
    Some(Areas {
        new: mean(&new.class),
        old: mean(&old.class),
        standard_error: (of_mean(&class) + of_mean(&others)).sqrt(),
    })
}

/// For each row, the share of rows of the other kind that its score is on the right side of, ties half.
struct Placements {
    class: Vec<f64>,
    others: Vec<f64>,
}

impl Placements {
    fn new(scores: &[(f64, bool)]) -> Option<Self> {
        let of = |kind: bool| -> Vec<f64> {
            scores.iter().filter(|(_, is)| *is == kind).map(|(score, _)| *score).collect()
        };
        let (class, others) = (of(true), of(false));
        if class.len() < 2 || others.len() < 2 {
            return None;
        }
        let both: Vec<f64> = class.iter().chain(&others).copied().collect();
        let (among_all, m, n) = (midranks(&both), class.len(), others.len());
        let (among_class, among_others) = (midranks(&class), midranks(&others));
        let (ranks_class, ranks_others) = among_all.split_at(m);
        let share = |all: &f64, own: &f64, count: usize| (all - own) / count as f64;
        Some(Self {
            class: ranks_class.iter().zip(&among_class).map(|(a, o)| share(a, o, n)).collect(),
            others: ranks_others
                .iter()
                .zip(&among_others)
                .map(|(a, o)| 1.0 - share(a, o, m))
                .collect(),
        })
    }
}

/// Ranks from 1, the mean of them for equal values.
fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for run in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = start as f64 + f64::midpoint(run.len() as f64, 1.0);
        for &row in run {
            ranks[row] = rank;
        }
        start += run.len();
    }
    ranks
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// With one degree of freedom less.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    squares / (values.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_ties_are_their_mean() {
        assert_eq!(midranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
    }

    /// `delong.json`: scores with ties, and what the definition gives (all pairs compared, covariances by
    /// `numpy.cov`); `tests/compare/make.py` made it.
    #[test]
    fn areas_and_errors_are_those_of_the_definition() {
        let cases: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/compare/delong.json")).unwrap();
        for case in cases.as_array().unwrap() {
            let list = |name: &str| case[name].as_array().unwrap().clone();
            let scores = |name: &str| -> Vec<(f64, bool)> {
                let kinds = list("truth").into_iter().map(|kind| kind.as_u64() == Some(1));
                list(name).iter().map(|score| score.as_f64().unwrap()).zip(kinds).collect()
            };
            let found = areas(&scores("new"), &scores("old")).unwrap();
            for (found, name) in [
                (found.new, "new_area"),
                (found.old, "old_area"),
                (found.standard_error, "standard_error"),
            ] {
                let expected = case[name].as_f64().unwrap();
                assert!((found - expected).abs() < 1e-12, "{name}: {found} {expected}");
            }
        }
    }

    #[test]
    fn one_kind_has_no_area() {
        assert_eq!(areas(&[(0.1, true), (0.2, true)], &[(0.1, true), (0.2, true)]), None);
    }
}
