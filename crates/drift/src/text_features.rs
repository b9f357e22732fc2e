//! Free text, compared by what can be counted: length, words, letters, digits.
//!
//! These features do not see which words changed (`text_content` does), but are exact and quick, and what
//! they find can be said in a word.

use crate::statistics::{distance, ks};
use crate::values::{Numbers, Pair, Sorted, Strings};

/// One countable property of texts, on both sides.
#[derive(Debug)]
pub(crate) struct TextFeature {
    pub(crate) name: &'static str,
    pub(crate) reference: Numbers,
    pub(crate) current: Numbers,
}

type Measure = fn(&str) -> f64;

/// What is measured of each text.
const MEASURES: [(&str, Measure); 4] = [
    ("length", |text| text.chars().count() as f64),
    ("words", |text| text.split_whitespace().count() as f64),
    ("share of letters", |text| share_of(text, char::is_alphabetic)),
    ("share of digits", |text| share_of(text, char::is_numeric)),
];

fn share_of(text: &str, belongs: fn(char) -> bool) -> f64 {
    let (mut all, mut matching) = (0_u32, 0_u32);
    for character in text.chars() {
        all += 1;
        matching += u32::from(belongs(character));
    }
    if all == 0 { 0.0 } else { f64::from(matching) / f64::from(all) }
}

/// The length of every text, in characters.
pub(crate) fn lengths(strings: &Strings) -> Numbers {
    measure(strings, MEASURES[0].1)
}

fn measure(strings: &Strings, measure: Measure) -> Numbers {
    let weighted = strings.iter().map(|(text, count)| (measure(text), count)).collect();
    Numbers::F64(Sorted::from_weighted(weighted))
}

pub(crate) fn features(reference: &Strings, current: &Strings) -> Vec<TextFeature> {
    MEASURES
        .iter()
        .map(|(name, function)| TextFeature {
            name,
            reference: measure(reference, *function),
            current: measure(current, *function),
        })
        .collect()
}

/// The smallest Kolmogorov–Smirnov p-value times the number of features (Bonferroni), the widest gap of
/// cumulative distributions and the feature that has it.
pub(crate) fn test(features: &[TextFeature]) -> (f64, f64, &'static str) {
    let mut p_value: f64 = 1.0;
    let mut widest = (0.0, "length");
    for feature in features {
        let outcome = ks::test(&Pair::new(&feature.reference, &feature.current));
        p_value = p_value.min(outcome.p_value * features.len() as f64);
        if outcome.statistic > widest.0 {
            widest = (outcome.statistic, feature.name);
        }
    }
    (p_value, widest.0, widest.1)
}

/// The largest normed Wasserstein distance and the feature that has it. Shares are measured in their
/// whole range instead of standard deviations of the reference when those hardly vary.
pub(crate) fn largest_distance(features: &[TextFeature]) -> (f64, &'static str) {
    features
        .iter()
        .map(|feature| {
            (
                distance::wasserstein_normed(&Pair::new(&feature.reference, &feature.current)),
                feature.name,
            )
        })
        .fold((0.0, "length"), |largest, next| if next.0 > largest.0 { next } else { largest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_that_changed_is_named() {
        let words: Vec<String> =
            (0..300).map(|index| format!("word{} {}", index % 7, "x".repeat(index % 11))).collect();
        let codes: Vec<String> =
            (0..300).map(|index| format!("word{} {}", index % 7, "9".repeat(index % 11))).collect();
        let count = |texts: &[String]| {
            Strings::from_counts(texts.iter().map(|text| (text.as_str(), 1)).collect())
        };
        let (words, codes) = (count(&words), count(&codes));
        let (p_value, gap, name) = test(&features(&words, &codes));
        assert!(p_value < 1e-6 && gap > 0.5, "{p_value} {gap}");
        assert!(name.starts_with("share of"), "{name}");
        assert_eq!(test(&features(&words, &words)), (1.0, 0.0, "length"));
        assert_eq!(largest_distance(&features(&words, &words)).0, 0.0);
    }
}
