//! Names and labels in quotes, as conditions and metrics have them: a quote that belongs to them is doubled.

/// Bytes of the text in quotes that `text` begins with, its quotes among them.
///
/// # Errors
///
/// Where it has no end.
pub(crate) fn quoted(text: &str, quote: char) -> Result<usize, &'static str> {
    let mut places = text.char_indices().skip(1).peekable();
    while let Some((at, one)) = places.next() {
        if one == quote && places.next_if(|(_, next)| *next == quote).is_none() {
            return Ok(at + quote.len_utf8());
        }
    }
    Err("a quote is not closed")
}

/// What such a text says.
pub(crate) fn unquoted(text: &str) -> String {
    let mut within = text.chars();
    let quote = within.next().zip(within.next_back()).map(|(first, _last)| first);
    let quote = quote.unwrap_or_default();
    within.as_str().replace(&format!("{quote}{quote}"), &quote.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_quote_is_one_of_the_text() {
        for (text, length, said) in [
            ("'a' = 1", 3, "a"),
            ("'O''Brien' = 1", 10, "O'Brien"),
            ("''", 2, ""),
            ("''''", 4, "'"),
            ("\"a'b\"", 5, "a'b"),
            ("`ü` > 1", 4, "ü"),
        ] {
            let quote = text.chars().next().unwrap();
            assert_eq!(quoted(text, quote), Ok(length), "{text}");
            assert_eq!(unquoted(&text[..length]), said, "{text}");
        }
        for text in ["'", "'a", "'a''", "'''"] {
            assert!(quoted(text, '\'').is_err(), "{text}");
        }
    }
}
