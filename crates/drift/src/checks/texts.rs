//! What current texts say that those of the reference do not.

use super::numbers::percent;
use crate::distribution::Category;
use crate::finding::{Finding, FindingKind, Severity};
use crate::sides::Sides;
use crate::text_content::{Heavier, HeavyTexts, telling_words};

/// Finding that names the words by which the texts of both sides can be told apart, and these words.
pub(crate) fn on_texts(sides: &Sides<'_>) -> Option<(Finding, Vec<Category>)> {
    let (reference, current) = sides.strings()?;
    let [new, gone] = telling_words(reference, current);
    let parts: Vec<String> = [("current", &new), ("the reference", &gone)]
        .into_iter()
        .filter(|(_, words)| !words.is_empty())
        .map(|(side, words)| format!("more often in {side}: {}", named(words)))
        .collect();
    let message = if parts.is_empty() {
        "current texts differ in length, digits or sequences of characters; no word gives them away"
            .to_owned()
    } else {
        format!("words that give current texts away; {}", parts.join("; "))
    };
    let finding = Finding::new(FindingKind::TextContent, Severity::Note, message);
    Some((finding, new.into_iter().chain(gone).collect()))
}

/// Change of the share of repeated texts from which on it is worth a look.
const REPEATED_CHANGE_MIN: f64 = 0.05;
/// Characters of a repeated text that the message shows.
const SHOWN_CHARS_MAX: usize = 80;

/// Finding on texts that many rows of current have, and few or none of the reference.
pub(crate) fn on_repeated_texts(sides: &Sides<'_>) -> Option<Finding> {
    let (reference, current) = sides.strings()?;
    let texts = HeavyTexts::of(reference, current, Heavier::Current)?;
    let [before, after] = texts.shares;
    let shown: String = texts.heaviest.chars().take(SHOWN_CHARS_MAX).collect();
    let message = match texts.count {
        1 => format!(
            "{} of the current texts are one, and {} of the reference: {shown:?}",
            percent(after),
            percent(before)
        ),
        count => format!(
            "{} of the current texts are {count} that are repeated, and {} of the reference, most often {shown:?}",
            percent(after),
            percent(before)
        ),
    };
    let is_much = after - before >= REPEATED_CHANGE_MIN;
    let severity = if is_much { Severity::Warning } else { Severity::Note };
    Some(Finding::new(FindingKind::TextContent, severity, message))
}

/// The words in quotes, with the share of the texts of both sides that they are in.
fn named(words: &[Category]) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| {
            format!("{:?} ({} → {})", word.label, percent(word.reference), percent(word.current))
        })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use crate::{FindingKind, Method, Options, Severity, compare_arrays};

    #[test]
    fn drift_of_texts_names_words() {
        let texts = |word: &str| {
            StringArray::from_iter_values((0..200).map(|row| format!("{word} number {row}")))
        };
        let (parcels, letters) = (texts("parcel"), texts("letter"));
        let drift = compare_arrays("t", &parcels, &letters, &Options::default());
        let verdict = drift.verdict().unwrap();
        assert_eq!(verdict.method, Method::TextContent);
        assert!(verdict.drifted && verdict.score > 0.9, "{}", verdict.score);
        let found = drift.findings.iter().find(|one| one.kind == FindingKind::TextContent).unwrap();
        assert!(
            found.message.contains(
                "current: \"letter\" (0.0 % → 100.0 %); more often in the reference: \"parcel\""
            ),
            "{}",
            found.message
        );
        let same = compare_arrays("t", &parcels, &parcels, &Options::default());
        assert_eq!(same.verdict().unwrap().score, 0.5);
        assert!(same.findings.is_empty(), "{:?}", same.findings);
    }

    #[test]
    fn a_message_in_the_place_of_texts_is_said() {
        let texts = |errors: usize| {
            StringArray::from_iter_values((0..200).map(|row| {
                if row < errors { "time-out".to_owned() } else { format!("parcel number {row}") }
            }))
        };
        let found = |errors: usize| {
            let drift = compare_arrays("t", &texts(0), &texts(errors), &Options::default());
            let said = drift.findings.iter().any(|finding| {
                let share = errors / 2;
                let start = format!("{share}.0 % of the current texts are one, and 0.0 % of the reference: \"time-out\"");
                finding.severity == Severity::Warning && finding.message == start
            });
            (drift.drifted(), said)
        };
        assert_eq!(found(200), (true, true));
        assert_eq!(found(100), (true, true));
        assert_eq!(found(0), (false, false));
    }
}
