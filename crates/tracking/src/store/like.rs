//! `LIKE` for SQLite, in time that grows with the text and not with the number of its wildcards.
//!
//! SQLite's own tries again at every place for every `%`, within one step of its machine, where
//! nothing can stop it: some dozen wildcards over a long tag take hours. Here the pattern is cut at
//! its `%` into parts, each of which is looked for once, from where the part before it ended; the
//! leftmost place is always as good as a later one, because all parts have a fixed number of
//! characters.
//!
//! What matches is what SQLite's matches: case counts, `%` is any text, `_` one character, there is
//! no escape, and text ends at a NUL.

use memchr::memmem::Finder;

/// Characters that are tried between two looks at the clock.
const TRIED_BETWEEN_LOOKS: usize = 1 << 16;

/// A pattern that was read.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// What stands between the `%`, in order; the first and the last may be empty.
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// No wildcard is in it.
    Plain(Box<Finder<'static>>),
    /// Some characters may be any; none for those.
    Mixed(Vec<Option<char>>),
}

/// The time for the comparison is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over;

/// Counts what was tried, and asks now and then whether there is time left.
struct Clock<'a> {
    tried: usize,
    is_over: &'a dyn Fn() -> bool,
}

impl Clock<'_> {
    fn tick(&mut self) -> Result<(), Over> {
        self.tried += 1;
        if self.tried.is_multiple_of(TRIED_BETWEEN_LOOKS) && (self.is_over)() {
            return Err(Over);
        }
        Ok(())
    }
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Self {
        Self { parts: before_nul(pattern).split('%').map(Part::new).collect() }
    }

    /// Whether a text matches; `is_over` is asked when that takes long.
    pub(crate) fn matches(&self, text: &str, is_over: &dyn Fn() -> bool) -> Result<bool, Over> {
        let mut clock = Clock { tried: 0, is_over };
        let text = before_nul(text);
        let Some((first, rest)) = self.parts.split_first() else { return Ok(text.is_empty()) };
        let Some(mut at) = first.at_start(text, &mut clock)? else { return Ok(false) };
        let Some((last, middle)) = rest.split_last() else { return Ok(at == text.len()) };
        for part in middle {
            let Some(end) = part.find(text, at, &mut clock)? else { return Ok(false) };
            at = end;
        }
        last.at_end(text.get(at..).unwrap_or_default(), &mut clock)
    }
}

fn before_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

impl Part {
    fn new(text: &str) -> Self {
        if text.contains('_') {
            return Self::Mixed(text.chars().map(|c| (c != '_').then_some(c)).collect());
        }
        Self::Plain(Box::new(Finder::new(text).into_owned()))
    }

    /// Where it ends if the text begins with it.
    fn at_start(&self, text: &str, clock: &mut Clock<'_>) -> Result<Option<usize>, Over> {
        match self {
            Self::Plain(finder) => {
                let needle = finder.needle();
                Ok(text.as_bytes().starts_with(needle).then_some(needle.len()))
            }
            Self::Mixed(wanted) => {
                let mut characters = text.chars();
                for wanted in wanted {
                    clock.tick()?;
                    match characters.next() {
                        Some(found) if wanted.is_none_or(|wanted| wanted == found) => {}
                        _ => return Ok(None),
                    }
                }
                Ok(Some(text.len() - characters.as_str().len()))
            }
        }
    }

    /// Whether the text ends with it.
    fn at_end(&self, text: &str, clock: &mut Clock<'_>) -> Result<bool, Over> {
        match self {
            Self::Plain(finder) => Ok(text.as_bytes().ends_with(finder.needle())),
            Self::Mixed(wanted) => {
                let mut characters = text.chars().rev();
                for wanted in wanted.iter().rev() {
                    clock.tick()?;
                    match characters.next() {
                        Some(found) if wanted.is_none_or(|wanted| wanted == found) => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
        }
    }

    /// Where its first place at or behind `from` ends.
    fn find(&self, text: &str, from: usize, clock: &mut Clock<'_>) -> Result<Option<usize>, Over> {
        let rest = text.get(from..).unwrap_or_default();
        match self {
            Self::Plain(finder) => {
                Ok(finder.find(rest.as_bytes()).map(|place| from + place + finder.needle().len()))
            }
            Self::Mixed(_) => {
                for (place, _character) in rest.char_indices() {
                    let tail = rest.get(place..).unwrap_or_default();
                    if let Some(length) = self.at_start(tail, clock)? {
                        return Ok(Some(from + place + length));
                    }
                }
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).matches(text, &|| false).unwrap()
    }

    /// What SQLite itself says.
    fn sqlite(pattern: &str, text: &str) -> bool {
        thread_local! {
            static CONNECTION: rusqlite::Connection = {
                let connection = rusqlite::Connection::open_in_memory().unwrap();
                connection.pragma_update(None, "case_sensitive_like", true).unwrap();
                connection
            };
        }
        CONNECTION.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT ?1 LIKE ?2").unwrap();
            statement.query_row((text, pattern), |row| row.get(0)).unwrap()
        })
    }

    #[test]
    fn wildcards_mean_what_they_mean_to_sqlite() {
        for (pattern, text, expect) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("%%%", "abc", true),
            ("a%c", "abc", true),
            ("a%c", "ac", true),
            ("a%a", "a", false),
            ("_", "é", true),
            ("__", "é", false),
            ("%_b", "aéb", true),
            ("%_%", "", false),
            ("%_%", "\n", true),
            ("a_%d", "abcd", true),
            ("A", "a", false),
            ("%ab%ab%", "abab", true),
            ("%ab%ab%", "aba", false),
            ("a\\%", "a\\x", true),
            ("a", "a\0b", true),
        ] {
            assert_eq!(matches(pattern, text), expect, "{pattern:?} {text:?}");
            assert_eq!(sqlite(pattern, text), expect, "SQLite: {pattern:?} {text:?}");
        }
    }

    proptest! {
        #[test]
        fn all_is_as_sqlite_has_it(pattern in "[ab_%é]{0,9}", text in "[abé]{0,12}") {
            prop_assert_eq!(matches(&pattern, &text), sqlite(&pattern, &text));
        }
    }

    #[test]
    fn many_wildcards_over_long_texts_end() {
        let text = "a".repeat(100_000);
        assert!(!matches(&format!("{}b", "%a".repeat(20_000)), &text));
        assert!(!matches(&format!("%{}b%", "a".repeat(40_000)), &text));
    }

    #[test]
    fn what_takes_too_long_is_stopped() {
        let pattern = Pattern::new(&format!("%{}b%", "_a".repeat(10_000)));
        assert_eq!(pattern.matches(&"a".repeat(100_000), &|| true), Err(Over));
    }
}
