//! The note that pandas leaves in a Parquet file's schema.
//!
//! Columns of its nullable types (`Int64`, `Float64`, `boolean`) are stored like any other; only this note
//! tells that Evidently will find a type it does not know.

/// Types of pandas that Evidently leaves out.
const NULLABLE: [&str; 11] = [
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
    "boolean",
];

/// Names of the columns that come back from Parquet as a nullable type. The note is JSON with an object a
/// column, whose `field_name` comes before its `numpy_type`; whatever else it holds is passed over.
pub(crate) fn nullable_columns(note: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut field_name = None;
    let mut key = None;
    let mut rest = note;
    while let Some(start) = rest.find('"') {
        let Some((text, after)) = string(rest.get(start + 1..).unwrap_or_default()) else { break };
        rest = after;
        if rest.trim_start().starts_with(':') {
            key = Some(text);
            continue;
        }
        match key.take().as_deref() {
            Some("field_name") => field_name = Some(text),
            Some("numpy_type") if NULLABLE.contains(&text.as_str()) => {
                names.extend(field_name.take());
            }
            _ => {}
        }
    }
    names
}

/// A JSON string after its opening quote, and what follows it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return Some((out, text.get(position + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'b' => out.push('\u{8}'),
                'f' => out.push('\u{c}'),
                'u' => {
                    let mut unit = || {
                        let digits: String =
                            characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                        u16::from_str_radix(&digits, 16).ok()
                    };
                    let first = unit()?;
                    let units = if (0xd800..0xdc00).contains(&first) {
                        // The second half of a pair comes as another escape.
                        let second = text.get(position + 8..position + 12)?;
                        characters.by_ref().take(6).for_each(drop);
                        vec![first, u16::from_str_radix(second, 16).ok()?]
                    } else {
                        vec![first]
                    };
                    out.push_str(&String::from_utf16_lossy(&units));
                }
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nullable_types_are_found_by_field_name() {
        let note = r#"{"index_columns": [{"kind": "range", "name": null}], "columns": [
            {"name": "a", "field_name": "a \"q\" \u00e9\ud83d\ude00", "pandas_type": "int64", "numpy_type": "Int64", "metadata": null},
            {"name": "b", "field_name": "b", "pandas_type": "int64", "numpy_type": "int64", "metadata": null},
            {"name": "c", "field_name": "c", "pandas_type": "bool", "numpy_type": "boolean", "metadata": null}],
            "creator": {"library": "pyarrow", "version": "21"}, "pandas_version": "3.0"}"#;
        assert_eq!(nullable_columns(note), vec!["a \"q\" é😀", "c"]);
    }

    #[test]
    fn damaged_notes_do_no_harm() {
        for note in [
            "",
            "\"",
            "{\"numpy_type\": \"Int64\"}",
            "{\"field_name\": \"\\u12",
            "\"field_name\": \"\\ud83d\\",
        ] {
            assert_eq!(nullable_columns(note), Vec::<String>::new());
        }
    }
}
