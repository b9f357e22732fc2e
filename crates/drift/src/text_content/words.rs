//! The words that tell current texts from those of the reference.

use std::collections::HashMap;

use super::classifier::errors_apart;
use super::features::words;
use super::told_apart::for_each_sample;
use crate::distribution::Category;
use crate::values::Strings;

/// Words that are named for each side.
const WORDS_MAX: usize = 3;
/// Standard errors that the shares of a named word differ by at least.
const ERRORS_MIN: f64 = 3.0;

/// The words whose shares differ most: first those that are more frequent in current, then those that are
/// more frequent in the reference.
pub(crate) fn telling_words(reference: &Strings, current: &Strings) -> [Vec<Category>; 2] {
    // The hash is seeded at random, because texts come from strangers; the order is not of the hash.
    let mut seen: HashMap<&str, [u64; 2], ahash::RandomState> = HashMap::default();
    let (mut totals, mut own) = ([0_u64; 2], Vec::new());
    for_each_sample(reference, current, |_, sample| {
        own.clear();
        own.extend(words(sample.text));
        own.sort_unstable();
        own.dedup();
        for word in own.iter().copied() {
            let counts = seen.entry(word).or_default();
            *counts = [counts[0] + sample.counts[0], counts[1] + sample.counts[1]];
        }
        totals = [totals[0] + sample.counts[0], totals[1] + sample.counts[1]];
    });
    let mut apart: Vec<(f64, &str, [u64; 2])> = seen
        .into_iter()
        .map(|(word, counts)| (errors_apart(counts, totals), word, counts))
        .filter(|(errors, ..)| errors.abs() >= ERRORS_MIN)
        .collect();
    apart.sort_unstable_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then(a.1.cmp(b.1)));
    [true, false].map(|is_new| {
        let side = apart.iter().filter(|(errors, ..)| (*errors > 0.0) == is_new);
        side.take(WORDS_MAX)
            .map(|(_, word, counts)| Category {
                label: (*word).to_owned(),
                reference: counts[0] as f64 / totals[0] as f64,
                current: counts[1] as f64 / totals[1] as f64,
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_named_with_their_shares() {
        let texts = |word: &str| -> Vec<String> {
            (0..100).map(|row| format!("{word} no. {row}")).collect()
        };
        let (parcels, letters) = (texts("parcel"), texts("letter"));
        let count = |texts: &[String]| {
            Strings::from_counts(texts.iter().map(|text| (text.as_str(), 1)).collect())
        };
        let [new, gone] = telling_words(&count(&parcels), &count(&letters));
        assert_eq!(new, [Category { label: "letter".to_owned(), reference: 0.0, current: 1.0 }]);
        assert_eq!(gone, [Category { label: "parcel".to_owned(), reference: 1.0, current: 0.0 }]);
    }
}
