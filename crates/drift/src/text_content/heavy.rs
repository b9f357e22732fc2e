//! Texts that came to be many of a side.
//!
//! The classifier judges texts that it has not seen, so copies of a text teach it nothing about each other: a
//! message in the place of all others goes unseen. Such texts are counted instead.

use crate::statistics::special::chance_of_as_many;
use crate::values::{Strings, merge_strings};

/// Share of a side that makes a text heavy: fewer copies are those of rows that came twice.
const SHARE_MIN: f64 = 0.005;
/// Chance of any heavy text where both sides are as they were; each different text had its own.
const CHANCE_MAX: f64 = 0.01;

/// One of two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heavier {
    Reference,
    Current,
}

/// The texts that are heavier on one side, beyond what chance does.
#[derive(Debug, PartialEq)]
pub(crate) struct HeavyTexts<'a> {
    /// How many.
    pub(crate) count: u64,
    /// The heaviest of them.
    pub(crate) heaviest: &'a str,
    /// Their share of the texts of the reference and of current.
    pub(crate) shares: [f64; 2],
}

impl<'a> HeavyTexts<'a> {
    /// Those of this side; `None` where there is none.
    pub(crate) fn of(
        reference: &'a Strings,
        current: &'a Strings,
        heavier: Heavier,
    ) -> Option<Self> {
        let totals = [reference.len(), current.len()];
        let (own, other) = match heavier {
            Heavier::Reference => (0, 1),
            Heavier::Current => (1, 0),
        };
        let tests = (reference.distinct() + current.distinct()) as f64;
        let (mut count, mut counts, mut heaviest) = (0_u64, [0_u64; 2], ("", 0_u64));
        merge_strings(reference, current, |text, before, after| {
            let occurs = [before, after];
            let is_heavy = occurs[own] as f64 >= SHARE_MIN * totals[own] as f64;
            let chance =
                || chance_of_as_many(occurs[own], occurs[other], [totals[own], totals[other]]);
            if occurs[own] > 1 && is_heavy && tests * chance() < CHANCE_MAX {
                count += 1;
                counts = [counts[0] + before, counts[1] + after];
                if occurs[own] > heaviest.1 {
                    heaviest = (text, occurs[own]);
                }
            }
        });
        let shares = [0, 1].map(|side| counts[side] as f64 / totals[side] as f64);
        (count > 0).then_some(Self { count, heaviest: heaviest.0, shares })
    }

    /// The area under the ROC curve of a classifier that knows these texts only, and its standard error: that of
    /// a difference of two shares. All other texts are alike to it, and count half.
    pub(super) fn area(&self, [reference, current]: [u64; 2]) -> (f64, f64) {
        let [before, after] = self.shares;
        let variance = |share: f64, count: u64| share * (1.0 - share) / count as f64;
        let error = (variance(before, reference) + variance(after, current)).sqrt() / 2.0;
        (0.5 + (after - before).abs() / 2.0, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_counted_on_the_side_that_has_more() {
        let texts: Vec<String> = (0..300).map(|row| format!("text {row}")).collect();
        let strings = |error: u64, rows: usize| {
            let rows = texts.iter().take(rows).map(|text| (text.as_str(), 1));
            Strings::from_counts(rows.chain([("error", error)]).collect())
        };
        let (clean, broken) = (strings(1, 299), strings(75, 225));
        let heavy = HeavyTexts::of(&clean, &broken, Heavier::Current).unwrap();
        assert_eq!((heavy.count, heavy.heaviest), (1, "error"));
        assert_eq!(heavy.shares, [1.0 / 300.0, 0.25]);
        assert_eq!(HeavyTexts::of(&clean, &broken, Heavier::Reference), None);
        assert!(HeavyTexts::of(&broken, &clean, Heavier::Reference).is_some());
        assert_eq!(HeavyTexts::of(&broken, &broken, Heavier::Current), None);
        // What a few rows have in common may be chance.
        assert_eq!(HeavyTexts::of(&clean, &strings(3, 297), Heavier::Current), None);
    }
}
