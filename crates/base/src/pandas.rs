//! What pandas takes for missing, and the columns that it adds: words that every reader of its tables
//! has to know.

/// The words that pandas 3 reads as missing (`pandas._libs.parsers.STR_NA_VALUES`).
pub const MISSING_WORDS: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Whether pandas reads the field of a CSV file as missing. Blanks are not trimmed.
pub fn is_missing(field: &[u8]) -> bool {
    match field {
        [] | b"#N/A N/A" => true,
        // Most fields are told by their first byte.
        [b'#' | b'-' | b'1' | b'<' | b'N' | b'n', ..] if field.len() <= 8 => {
            MISSING_WORDS.iter().any(|word| word.as_bytes() == field)
        }
        _ => false,
    }
}

/// Whether a column holds the row labels that pandas stores with a table, `__index_level_0__` and its
/// like. It takes them off again when it reads the file: they are no data.
pub fn is_row_label(column: &str) -> bool {
    column
        .strip_prefix("__index_level_")
        .and_then(|rest| rest.strip_suffix("__"))
        .is_some_and(|level| level.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_are_exactly_pandas_words() {
        for word in MISSING_WORDS {
            assert!(is_missing(word.as_bytes()), "{word:?}");
        }
        for word in [" ", "NAN", "Nan", " NA", "none", "NIL", "-", "1.#INF", "#N/A N/A "] {
            assert!(!is_missing(word.as_bytes()), "{word:?}");
        }
    }

    #[test]
    fn row_labels_are_told_by_their_number() {
        assert!(is_row_label("__index_level_0__") && is_row_label("__index_level_12__"));
        for name in ["__index_level__", "__index_level_x__", "index_level_0", "index"] {
            assert!(!is_row_label(name), "{name}");
        }
    }
}
