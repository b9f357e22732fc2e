//! Words with which people say that a value is missing, beyond those that pandas knows.

/// Longest text that is looked at: `not applicable`, with its full stops.
const BYTES_MAX: usize = 20;

/// Letters of the words, without what stands between them: `n/a`, `N.A.` and `N/A` are one.
const WORDS: [&str; 20] = [
    "na",
    "nan",
    "nd",
    "null",
    "none",
    "nil",
    "nothing",
    "unknown",
    "unk",
    "missing",
    "blank",
    "empty",
    "undefined",
    "tbd",
    "notavailable",
    "notapplicable",
    "notknown",
    "nodata",
    "novalue",
    "ka",
];

/// Signs that say nothing where they stand alone: `-`, `--`, `.`, `?`.
const SIGNS: [char; 8] = ['-', '\u{2013}', '\u{2014}', '.', '?', '_', '*', '#'];

/// Whether the text says that there is no value: a blank, a dash, `unknown`, a spreadsheet's error.
pub(super) fn is_nothing(text: &str) -> bool {
    let text = text.trim();
    if text.len() > BYTES_MAX || text.starts_with(|first: char| first.is_ascii_digit()) {
        return false;
    }
    // #DIV/0!, #NAME?
    if text.starts_with('#') && text.ends_with(['!', '?'])
        || text.chars().all(|one| SIGNS.contains(&one))
    {
        return true;
    }
    let is_between =
        |one: char| matches!(one, '.' | '/' | '\\' | ' ' | '-' | '_' | '#' | '(' | ')' | '<' | '>');
    if !text.chars().all(|one| one.is_ascii_alphabetic() || is_between(one)) {
        return false;
    }
    let letters =
        || text.bytes().filter(u8::is_ascii_alphabetic).map(|byte| byte.to_ascii_lowercase());
    WORDS.iter().any(|word| word.bytes().eq(letters()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_nothing() {
        for text in [
            "",
            " ",
            "-",
            "--",
            "\u{2014}",
            ".",
            "?",
            "n/a",
            "N/A.",
            "N.A.",
            "none",
            "NIL",
            "Unknown",
            "(missing)",
            "not available",
            "k.A.",
            "#DIV/0!",
            "#N/A",
            "#NAME?",
        ] {
            assert!(is_nothing(text), "{text:?}");
        }
        for text in ["0", "-1", "abc", "x", "nan1", "nonesuch", "5 -", "é", "not a number at all"]
        {
            assert!(!is_nothing(text), "{text:?}");
        }
    }
}
