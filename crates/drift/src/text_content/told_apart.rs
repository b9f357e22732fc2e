//! How well a classifier tells current texts from those of the reference.
//!
//! Evidently trains one by stochastic gradient descent, whose score depends on one library's order of
//! random numbers. This one is deterministic. Texts are put into two halves by their hash, copies of a text
//! into the same; the classifier of each half judges the other. Equal data have an area of exactly 0.5. Texts of
//! which one side has many copies are a classifier of their own ([`super::heavy`]); the one that tells more counts.

use std::collections::BTreeMap;

use super::auc::auc;
use super::classifier::{Classifier, Sample};
use super::features::hash;
use super::heavy::{Heavier, HeavyTexts};
use crate::values::{Strings, merge_strings};

/// Distinct texts a side that are looked at: with these the error of the area is below 0.005.
const TEXTS_MAX: usize = 20_000;
/// Standard errors that the score stays below the area: 95 of 100 random classifiers do not get so far.
const ERRORS_OFF: f64 = 1.645;
/// The area of a classifier that knows nothing.
const CHANCE: f64 = 0.5;

/// How well texts of both sides can be told apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TextContent {
    /// Area under the ROC curve on texts that the classifier had not seen: 0.5 is chance, 1 is certainty.
    pub(crate) area: f64,
    /// Its standard error.
    pub(crate) error: f64,
}

impl TextContent {
    pub(crate) fn new(reference: &Strings, current: &Strings) -> Self {
        let totals = [reference.len(), current.len()];
        [Heavier::Reference, Heavier::Current]
            .into_iter()
            .filter_map(|heavier| HeavyTexts::of(reference, current, heavier))
            .map(|texts| texts.area(totals))
            .map(|(area, error)| Self { area, error })
            .fold(Self::by_features(reference, current), |best, other| {
                if other.score() > best.score() { other } else { best }
            })
    }

    fn by_features(reference: &Strings, current: &Strings) -> Self {
        let samples = samples(reference, current);
        let halves = [0, 1].map(|half| samples.get(&half).map(Vec::as_slice).unwrap_or_default());
        let mut places = Vec::new();
        let mut judge = |taught: &[Sample<'_>], judged: &[Sample<'_>]| {
            let classifier = Classifier::new(taught.iter().copied());
            let score =
                |sample: &Sample<'_>| (classifier.score(sample.text, &mut places), sample.counts);
            auc(judged.iter().map(score).collect())
        };
        let areas = [judge(halves[0], halves[1]), judge(halves[1], halves[0])];
        match areas {
            [Some((one, one_error)), Some((two, two_error))] => Self {
                area: f64::midpoint(one, two),
                error: f64::midpoint(one_error.powi(2), two_error.powi(2)).sqrt()
                    / std::f64::consts::SQRT_2,
            },
            [Some((area, error)), None] | [None, Some((area, error))] => Self { area, error },
            // Too few texts for two halves.
            [None, None] => Self { area: CHANCE, error: CHANCE },
        }
    }

    /// What counts: the area, less what chance may have added, and not below that of chance.
    pub(crate) fn score(&self) -> f64 {
        (self.area - ERRORS_OFF * self.error).max(CHANCE)
    }
}

/// The texts of both sides that are looked at, by half.
fn samples<'a>(reference: &'a Strings, current: &'a Strings) -> BTreeMap<u64, Vec<Sample<'a>>> {
    let mut samples: BTreeMap<u64, Vec<Sample<'a>>> = BTreeMap::new();
    for_each_sample(reference, current, |hash, sample| {
        samples.entry(hash & 1).or_default().push(sample);
    });
    samples
}

/// Calls `each` with the texts that are looked at: all, or of very many those with the smallest hashes, so
/// that a text of both sides is taken on both or on none.
pub(super) fn for_each_sample<'a>(
    reference: &'a Strings,
    current: &'a Strings,
    mut each: impl FnMut(u64, Sample<'a>),
) {
    let distinct = reference.distinct().max(current.distinct()).max(1);
    let bound = (u64::MAX / distinct as u64).saturating_mul(TEXTS_MAX as u64);
    merge_strings(reference, current, |text, before, after| {
        let hash = hash(text);
        if distinct <= TEXTS_MAX || hash <= bound {
            each(hash, Sample { text, counts: [before, after] });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARCELS: [&str; 7] = ["parcel", "box", "signed", "street", "late", "refund", "driver"];
    const BANK: [&str; 7] = ["ledger", "fee", "posted", "branch", "rate", "credit", "cheque"];

    /// Texts of three to twelve words of this vocabulary.
    fn texts(vocabulary: [&str; 7], count: usize, seed: u64) -> Strings {
        let mut state = seed;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let texts: Vec<String> = (0..count)
            .map(|_| {
                let words = 3 + random(10);
                (0..words).map(|_| vocabulary[random(7)]).collect::<Vec<_>>().join(" ")
            })
            .collect();
        Strings::from_counts(texts.iter().map(|text| (text.as_str(), 1)).collect())
    }

    #[test]
    fn other_words_of_equal_lengths_are_found() {
        for count in [60, 1500] {
            let content = TextContent::new(&texts(PARCELS, count, 1), &texts(BANK, count, 2));
            assert!(content.area > 0.99 && content.score() > 0.9, "{count}: {content:?}");
        }
        let codes = |prefix: &str| {
            let codes: Vec<String> =
                (0..500).map(|row| format!("{prefix}-{:04}", row * 7919 % 9973)).collect();
            Strings::from_counts(codes.iter().map(|code| (code.as_str(), 1)).collect())
        };
        assert!(TextContent::new(&codes("AB"), &codes("XY")).score() > 0.99);
    }

    #[test]
    fn equal_texts_are_not_told_apart() {
        let same = texts(PARCELS, 400, 1);
        assert_eq!(TextContent::new(&same, &same).area, CHANCE);
        for (before, after) in [(40, 40), (300, 300), (1500, 60)] {
            let alarms = (0..100_u64)
                .filter(|seed| {
                    let (reference, current) =
                        (texts(PARCELS, before, 2 * seed + 1), texts(PARCELS, after, 2 * seed + 2));
                    TextContent::new(&reference, &current).score() > 0.55
                })
                .count();
            assert!(alarms <= 5, "{alarms} of 100 at {before} and {after}");
        }
    }

    #[test]
    fn messages_in_the_place_of_texts_are_found() {
        let clean = texts(PARCELS, 400, 1);
        for messages in [1, 2, 10, 50] {
            let names: Vec<String> = (0..messages).map(|one| format!("error {one}")).collect();
            let counts = names.iter().map(|name| (name.as_str(), 400 / messages));
            let content = TextContent::new(&clean, &Strings::from_counts(counts.collect()));
            assert!(content.score() > 0.9, "{messages}: {content:?}");
        }
        let half = texts(PARCELS, 200, 2).merged(&Strings::from_counts(vec![("error", 200)]));
        assert!(TextContent::new(&clean, &half).score() > 0.65);
        assert!(TextContent::new(&half, &clean).score() > 0.65);
    }

    #[test]
    fn few_texts_are_no_evidence() {
        let one = Strings::from_counts(vec![("a", 1)]);
        let other = Strings::from_counts(vec![("b", 1)]);
        assert_eq!(TextContent::new(&one, &other).score(), CHANCE);
    }
}
