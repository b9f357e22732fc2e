//! Naive Bayes: how much each feature of a text speaks for current, by how often it occurs on each side.
//!
//! Only features whose shares differ by more than chance have a weight, so that the many rare ones do not
//! drown the few that tell.

use super::features::{BUCKETS, features};

/// Standard errors that the shares of a feature differ by at least.
const ERRORS_MIN: f64 = 2.0;
/// Texts with a feature from which on it is looked at: what one text alone has says nothing of others.
const TEXTS_MIN: u64 = 3;
/// Texts of both sides' common share that are added to the counts of each, so that no share is zero.
const SMOOTHING: f64 = 1.0;

/// A text, and how often it occurs on each side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<'a> {
    pub(super) text: &'a str,
    pub(super) counts: [u64; 2],
}

/// Weights of features.
pub(super) struct Classifier {
    weights: Vec<f32>,
}

impl Classifier {
    /// Learns from texts of both sides.
    pub(super) fn new<'a>(samples: impl Iterator<Item = Sample<'a>>) -> Self {
        let (mut seen, mut totals, mut places) =
            (vec![[0_u64; 2]; BUCKETS], [0_u64; 2], Vec::new());
        for Sample { text, counts } in samples {
            features(text, &mut places);
            for place in &places {
                if let Some(seen) = seen.get_mut(*place as usize) {
                    *seen = [seen[0] + counts[0], seen[1] + counts[1]];
                }
            }
            totals = [totals[0] + counts[0], totals[1] + counts[1]];
        }
        Self { weights: seen.into_iter().map(|counts| weight(counts, totals) as f32).collect() }
    }

    /// How much a text looks like one of current: the mean weight of its features. `places` is room to
    /// work in.
    pub(super) fn score(&self, text: &str, places: &mut Vec<u32>) -> f32 {
        features(text, places);
        let weights = places.iter().filter_map(|place| self.weights.get(*place as usize));
        weights.sum::<f32>() / places.len() as f32
    }
}

/// The logarithm of how many times as large the share of current is; 0 where chance may be why.
fn weight(counts: [u64; 2], totals: [u64; 2]) -> f64 {
    if counts[0] + counts[1] < TEXTS_MIN || errors_apart(counts, totals).abs() < ERRORS_MIN {
        return 0.0;
    }
    let pooled = (counts[0] + counts[1]) as f64 / (totals[0] + totals[1]) as f64;
    let [reference, current] = [0, 1]
        .map(|side| (counts[side] as f64 + SMOOTHING * pooled) / (totals[side] as f64 + SMOOTHING));
    (current / reference).ln()
}

/// By how many standard errors two shares differ, positive when that of current is larger; 0 where there is
/// nothing to compare.
pub(super) fn errors_apart(counts: [u64; 2], totals: [u64; 2]) -> f64 {
    let [n1, n2] = totals.map(|total| total as f64);
    let pooled = (counts[0] + counts[1]) as f64 / (n1 + n2);
    let variance = pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2);
    let errors = (counts[1] as f64 / n2 - counts[0] as f64 / n1) / variance.sqrt();
    if errors.is_finite() { errors } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_says_more_often_has_a_weight() {
        assert!(weight([5, 50], [100, 100]) > 2.0);
        assert!(weight([50, 0], [100, 100]) < -4.0);
        for none in [[10, 12], [0, 2], [0, 0], [100, 100]] {
            assert_eq!(weight(none, [100, 100]), 0.0, "{none:?}");
        }
        assert_eq!(weight([0, 5], [0, 100]), 0.0);
    }

    #[test]
    fn a_text_is_scored_by_its_words() {
        let sample = |text, counts| Sample { text, counts };
        let learned = [sample("parcel late", [20, 0]), sample("rate of balance", [0, 20])];
        let classifier = Classifier::new(learned.into_iter());
        let mut places = Vec::new();
        assert!(classifier.score("the parcel", &mut places) < 0.0);
        assert!(classifier.score("a balance", &mut places) > 0.0);
    }
}
