//! Classes in other words: what is true may be written as `1.0` or `True` where the model says `1`. The model's words count.

use std::collections::{BTreeSet, HashMap};

/// Different words of a model that are looked at, and of a table of labels: nobody has so many classes.
const WORDS_MAX: usize = 10_000;

/// The words of a model.
pub(super) struct Spelling {
    words: BTreeSet<String>,
    /// What each means, where only one means it.
    meant: HashMap<u64, Option<String>>,
}

impl Spelling {
    /// Of what a model said.
    pub(super) fn of<'a>(said: impl Iterator<Item = &'a String>) -> Self {
        let mut spelling = Self { words: BTreeSet::new(), meant: HashMap::new() };
        for word in said {
            spelling.add(word);
        }
        spelling
    }

    /// Puts the name of a class into the words of the model; one that it never said is a word of it from now on.
    pub(super) fn learn(&mut self, class: &mut String) {
        *class = self.word(class).to_owned();
        self.add(class);
    }

    /// Puts labels into the words of the model.
    pub(super) fn put(&self, labels: &mut [String]) {
        for label in labels.iter_mut().filter(|label| !label.is_empty()) {
            let word = self.word(label);
            if word != label.as_str() {
                *label = word.to_owned();
            }
        }
    }

    /// What the model says for a word; the word itself where it says nothing of that meaning, or two things.
    fn word<'s>(&'s self, word: &'s str) -> &'s str {
        if self.words.contains(word) {
            return word;
        }
        let said = meaning(word).and_then(|meaning| self.meant.get(&meaning)?.as_deref());
        said.unwrap_or(word)
    }

    fn add(&mut self, word: &str) {
        // Few of millions are new.
        if self.words.contains(word) || self.words.len() == WORDS_MAX {
            return;
        }
        self.words.insert(word.to_owned());
        if let Some(meaning) = meaning(word) {
            let is_known = self.meant.contains_key(&meaning);
            self.meant.insert(meaning, (!is_known).then(|| word.to_owned()));
        }
    }
}

/// The number that a word is, flags being 1 and 0 as they are to whoever compares them with numbers; none where it is none.
fn meaning(word: &str) -> Option<u64> {
    let word = word.trim();
    let number = match word {
        _ if word.eq_ignore_ascii_case("true") => 1.0,
        _ if word.eq_ignore_ascii_case("false") => 0.0,
        _ => word.parse::<f64>().ok().filter(|number| number.is_finite())?,
    };
    // There are two zeros.
    Some((number + 0.0).to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_in_the_words_of_the_model() {
        let of = |said: &[&str], labels: &[&str]| {
            let said: Vec<String> = said.iter().map(|word| (*word).to_owned()).collect();
            let mut labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            Spelling::of(said.iter()).put(&mut labels);
            labels
        };
        assert_eq!(
            of(&["1", "0"], &["1.0", "True", "-0", "false", "2.0", ""]),
            ["1", "1", "0", "0", "2.0", ""]
        );
        assert_eq!(of(&["true", "false"], &["1", "False", "0.0"]), ["true", "false", "false"]);
        assert_eq!(of(&["01", "2"], &["1", "nan", "yes"]), ["01", "nan", "yes"]);
        // Two of one meaning are two classes, and nobody knows which is meant.
        assert_eq!(of(&["1", "01"], &["1", "01", "1.0"]), ["1", "01", "1.0"]);
    }
}
