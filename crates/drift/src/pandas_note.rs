//! The note that pandas leaves in a Parquet file's schema.
//!
//! Columns of its nullable types (`Int64`, `Float64`, `boolean`) are stored like any other; only this note
//! tells that Evidently will find a type it does not know.

use serde::Deserialize;

use crate::kind::Kind;
use crate::options::Options;

/// Types of pandas that Evidently leaves out.
const NULLABLE: [&str; 11] = [
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
    "boolean",
];

/// The options under which a table with this note is compared: as Evidently does, columns of a
/// nullable type are left out.
pub fn with_pandas_types(options: &Options, note: Option<&str>) -> Options {
    let mut options = options.clone();
    if options.is_evidently() {
        for name in note.map(nullable_columns).unwrap_or_default() {
            options.kinds.entry(name).or_insert(Kind::Unknown);
        }
    }
    options
}

#[derive(Deserialize)]
struct Note {
    columns: Vec<NotedColumn>,
}

#[derive(Deserialize)]
struct NotedColumn {
    field_name: Option<String>,
    numpy_type: String,
}

/// Names of the columns that come back from Parquet as a nullable type.
fn nullable_columns(note: &str) -> Vec<String> {
    let Ok(note) = serde_json::from_str::<Note>(note) else { return Vec::new() };
    let nullable =
        note.columns.into_iter().filter(|column| NULLABLE.contains(&column.numpy_type.as_str()));
    nullable.filter_map(|column| column.field_name).collect()
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
