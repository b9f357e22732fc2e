//! From a document to its terms: words or characters, alone or in runs.

use std::borrow::Cow;
use std::collections::HashSet;

use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

use super::estimator::Fields;
use crate::Result;
use crate::python::Value;

/// Words that scikit-learn leaves out for `stop_words="english"` (the list of the Glasgow Information
/// Retrieval Group).
const ENGLISH: &str = include_str!("english_stop_words.txt");

/// Length of the longest run; beyond this a run is a document.
const RUN_MAX: usize = 100;

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// How documents are taken apart.
#[derive(Debug)]
pub(super) struct Analyzer {
    lowercase: bool,
    accents: Accents,
    units: Units,
    /// Shortest and longest run.
    runs: (usize, usize),
}

#[derive(Debug)]
enum Units {
    Words {
        words: Words,
        stop: HashSet<String>,
    },
    Characters,
    /// Characters within words, each word between spaces.
    CharactersOfWords,
}

/// `strip_accents`: what becomes of letters with marks.
#[derive(Debug, Clone, Copy)]
enum Accents {
    Kept,
    /// Marks are left out.
    Unicode,
    /// So is all else that is not ASCII.
    Ascii,
}

impl Accents {
    fn read(fields: Fields<'_>) -> Result<Self> {
        Ok(match fields.optional("strip_accents").map(Value::text) {
            None => Self::Kept,
            Some(Some("unicode")) => Self::Unicode,
            Some(Some("ascii")) => Self::Ascii,
            Some(_) => return Err(fields.unsupported("strip_accents that is a function")),
        })
    }

    fn stripped(self, text: &str) -> Cow<'_, str> {
        if text.is_ascii() {
            return Cow::Borrowed(text);
        }
        match self {
            Self::Kept => Cow::Borrowed(text),
            Self::Unicode => text.nfkd().filter(|c| canonical_combining_class(*c) == 0).collect(),
            Self::Ascii => text.nfkd().filter(char::is_ascii).collect(),
        }
    }
}

/// What a word is.
#[derive(Debug)]
enum Words {
    /// Runs of at least so many word characters: `\b\w\w+\b` and its like.
    Runs(usize),
    Pattern(Regex),
}

impl Analyzer {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self> {
        for name in ["preprocessor", "tokenizer"] {
            if fields.optional(name).is_some() {
                return Err(fields.unsupported(name));
            }
        }
        if fields.text("input", "content") != "content" {
            return Err(fields.unsupported("input from files"));
        }
        let units = match fields.optional("analyzer").and_then(Value::text) {
            Some("word") => Units::Words { words: Words::read(fields)?, stop: stop_words(fields)? },
            Some("char") => Units::Characters,
            Some("char_wb") => Units::CharactersOfWords,
            _ => return Err(fields.unsupported("an analyzer of its own")),
        };
        let runs = fields.optional_numbers("ngram_range")?.unwrap_or_else(|| vec![1.0, 1.0]);
        let &[low, high] = runs.as_slice() else {
            return Err(fields.malformed("ngram_range is no pair"));
        };
        if !(1.0..=RUN_MAX as f64).contains(&high) || !(1.0..=high).contains(&low) {
            return Err(fields.unsupported(format!("ngram_range ({low}, {high})")));
        }
        Ok(Self {
            lowercase: fields.flag("lowercase", true),
            accents: Accents::read(fields)?,
            units,
            runs: (low as usize, high as usize),
        })
    }

    /// Calls `visit` for every term, in no order that matters.
    pub(super) fn each_term(&self, document: &str, visit: &mut dyn FnMut(&str)) {
        let lowered;
        let document = if self.lowercase {
            lowered = document.to_lowercase();
            &lowered
        } else {
            document
        };
        let document = self.accents.stripped(document);
        let document = &*document;
        match &self.units {
            Units::Words { words, stop } => {
                let mut kept = words.of(document);
                kept.retain(|word| !stop.contains(*word));
                self.runs_of_words(&kept, visit);
            }
            Units::Characters => self.runs_of_characters(&single_spaces(document), visit),
            Units::CharactersOfWords => {
                for word in document.split(is_space).filter(|word| !word.is_empty()) {
                    self.runs_within(&format!(" {word} "), visit);
                }
            }
        }
    }

    fn runs_of_words(&self, words: &[&str], visit: &mut dyn FnMut(&str)) {
        let (low, high) = self.runs;
        let mut term = String::new();
        for length in low..=high.min(words.len()) {
            for run in words.windows(length) {
                match run {
                    [word] => visit(word),
                    run => {
                        term.clear();
                        for (at, word) in run.iter().enumerate() {
                            if at > 0 {
                                term.push(' ');
                            }
                            term.push_str(word);
                        }
                        visit(&term);
                    }
                }
            }
        }
    }

    fn runs_of_characters(&self, text: &str, visit: &mut dyn FnMut(&str)) {
        let (low, high) = self.runs;
        let edges = edges(text);
        for length in low..=high.min(edges.len() - 1) {
            each_window(text, &edges, length, visit);
        }
    }

    /// As for characters, but a word shorter than a run counts once and ends the growth.
    fn runs_within(&self, word: &str, visit: &mut dyn FnMut(&str)) {
        let (low, high) = self.runs;
        let edges = edges(word);
        let characters = edges.len() - 1;
        for length in low..=high {
            if length >= characters {
                visit(word);
                break;
            }
            each_window(word, &edges, length, visit);
        }
    }
}

/// Byte offsets of the characters, and of the end.
fn edges(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

fn each_window(text: &str, edges: &[usize], length: usize, visit: &mut dyn FnMut(&str)) {
    for (&start, &end) in edges.iter().zip(edges.iter().skip(length)) {
        if let Some(run) = text.get(start..end) {
            visit(run);
        }
    }
}

/// White space of Python: Unicode's, and four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Runs of two and more spaces as one blank.
fn single_spaces(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_space) {
        let after = rest.get(start..).unwrap_or_default().trim_start_matches(is_space);
        let spaces = rest.get(start..rest.len() - after.len()).unwrap_or_default();
        result.push_str(rest.get(..start).unwrap_or_default());
        result.push_str(if spaces.chars().nth(1).is_some() { " " } else { spaces });
        rest = after;
    }
    result.push_str(rest);
    result
}

impl Words {
    fn read(fields: Fields<'_>) -> Result<Self> {
        let pattern = fields.text("token_pattern", r"(?u)\b\w\w+\b");
        Ok(match pattern.strip_prefix("(?u)").unwrap_or(pattern) {
            r"\b\w\w+\b" | r"\w\w+" | r"\b\w{2,}\b" | r"\w{2,}" => Self::Runs(2),
            r"\b\w+\b" | r"\w+" | r"\b\w{1,}\b" => Self::Runs(1),
            r"\b\w\w\w+\b" | r"\b\w{3,}\b" | r"\w\w\w+" | r"\w{3,}" => Self::Runs(3),
            // Word boundaries of Python are not those of our engine where accents stand alone.
            other if other.contains(r"\b") || other.contains(r"\B") || other.contains(r"\W") => {
                return Err(fields.unsupported(format!("token_pattern {pattern:?}")));
            }
            other => {
                let translated = other.replace(r"\w", r"[\p{L}\p{N}_]");
                let regex =
                    regex::RegexBuilder::new(&translated).size_limit(PATTERN_BYTES_MAX).build();
                match regex {
                    // One group at most, which then is the word.
                    Ok(regex) if regex.captures_len() <= 2 => Self::Pattern(regex),
                    _ => return Err(fields.unsupported(format!("token_pattern {pattern:?}"))),
                }
            }
        })
    }

    fn of<'a>(&self, document: &'a str) -> Vec<&'a str> {
        match self {
            Self::Runs(shortest) => document
                .split(|c| !is_word(c))
                .filter(|word| word.chars().nth(shortest - 1).is_some())
                .collect(),
            Self::Pattern(regex) if regex.captures_len() == 2 => regex
                .captures_iter(document)
                .map(|captures| captures.get(1).map_or("", |group| group.as_str()))
                .collect(),
            Self::Pattern(regex) => regex.find_iter(document).map(|found| found.as_str()).collect(),
        }
    }
}

/// Python's `\w`: letters and numbers of Unicode's general categories, and the underscore. Marks, which
/// Rust counts as alphabetic in some scripts, are none of them.
fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    c.is_alphanumeric() && {
        let mut buffer = [0; 4];
        letters_and_numbers().is_some_and(|pattern| pattern.is_match(c.encode_utf8(&mut buffer)))
    }
}

fn letters_and_numbers() -> Option<&'static Regex> {
    static PATTERN: std::sync::OnceLock<Option<Regex>> = std::sync::OnceLock::new();
    PATTERN.get_or_init(|| Regex::new(r"[\p{L}\p{N}]").ok()).as_ref()
}

fn stop_words(fields: Fields<'_>) -> Result<HashSet<String>> {
    let Some(value) = fields.optional("stop_words") else { return Ok(HashSet::new()) };
    match value.text() {
        Some("english") => return Ok(ENGLISH.lines().map(str::to_owned).collect()),
        Some(other) => return Err(fields.unsupported(format!("stop_words {other:?}"))),
        None => {}
    }
    let words = value.items().unwrap_or_default().into_iter();
    let words: Option<HashSet<String>> = words.map(|word| word.text().map(str::to_owned)).collect();
    words.ok_or_else(|| fields.malformed("stop_words is no list of words"))
}

#[cfg(test)]
mod tests {
    use super::{Accents, Analyzer, HashSet, Units, Words, single_spaces};

    fn terms(units: Units, runs: (usize, usize), document: &str) -> Vec<String> {
        let analyzer = Analyzer { lowercase: true, accents: Accents::Kept, units, runs };
        let mut terms = Vec::new();
        analyzer.each_term(document, &mut |term| terms.push(term.to_owned()));
        terms
    }

    #[test]
    fn words_are_those_of_python() {
        let words =
            || Units::Words { words: Words::Runs(2), stop: HashSet::from(["the".to_owned()]) };
        assert_eq!(terms(words(), (1, 1), "The Straße, a1 _x é!"), ["straße", "a1", "_x"]);
        assert_eq!(terms(words(), (1, 2), "big the cat"), ["big", "cat", "big cat"]);
        // A Devanagari vowel sign is no word character in Python.
        assert_eq!(terms(words(), (1, 1), "कक\u{93f}कक"), ["कक", "कक"]);
    }

    #[test]
    fn characters_run_over_words_or_within() {
        assert_eq!(terms(Units::Characters, (2, 2), "a  b"), ["a ", " b"]);
        assert_eq!(terms(Units::CharactersOfWords, (3, 4), "ab c"), [" ab", "ab ", " ab ", " c "]);
        assert_eq!(single_spaces("a\tb \n c "), "a\tb c ");
    }

    #[test]
    fn accents_are_stripped_as_asked() {
        // As strip_accents_unicode and strip_accents_ascii of scikit-learn answer.
        let text = "Crème ﬁn Ł 日本 q\u{323}";
        assert_eq!(Accents::Kept.stripped(text), text);
        assert_eq!(Accents::Unicode.stripped(text), "Creme fin Ł 日本 q");
        assert_eq!(Accents::Ascii.stripped(text), "Creme fin   q");
    }
}
