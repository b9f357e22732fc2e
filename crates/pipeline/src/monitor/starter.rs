//! A settings file to start from: what monitoring would do with this reference, written down.

use std::fmt::Write as _;

use clap::ValueEnum as _;
use toml::Value;
use trainyard_drift::{Column, ColumnRule, Kind, Profile};

use super::engine::written;
use super::rules;
use super::settings::Settings;

/// The text of a `[monitor]` table that pins kind, method and threshold of every column of the
/// reference, as these settings decide them. It can be put into `trainyard.toml` or given as a file.
pub(super) fn starter(reference: &Profile, source: &str, settings: &Settings) -> String {
    let options = settings.options();
    let pinned = reference.clone().pin(&options);
    let mut text = String::from("[monitor]\n");
    let mut line = |key: &str, value: Value, note: &str| {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{key:<22} = {value:<24} # {note}");
    };
    line("reference", written(source).into(), "a table, a profile, or models:/Name@alias");
    line(
        "drift_share",
        options.drift_share.into(),
        "drifted columns that make the data set drifted",
    );
    line(
        "missing_share_change",
        options.missing_share_change.into(),
        "change of the share of missing values that is a finding",
    );
    line(
        "duplicate_share_change",
        options.duplicate_share_change.into(),
        "more rows that repeat another one that are a finding",
    );
    line(
        "volume_factor",
        options.volume_factor.into(),
        "times the rows of the reference, or one over it, that are a finding",
    );
    line(
        "min_samples",
        Value::Integer(i64::try_from(options.least_samples()).unwrap_or(i64::MAX)),
        "columns with fewer values are not judged",
    );
    let fail_on: Vec<Value> = settings
        .fails_on(&[], false)
        .iter()
        .filter_map(|choice| Some(Value::from(choice.to_possible_value()?.get_name())))
        .collect();
    line(
        "fail_on",
        fail_on.into(),
        "verdicts that end with exit code 4: warning, drift, serious, broken",
    );

    let pins = || {
        let column = |name: &str| reference.column(name).map(describe);
        pinned.pins().iter().map(move |(name, pin)| {
            (Value::from(name.as_str()), pin, column(name).unwrap_or_default())
        })
    };
    text.push_str(
        "\n[monitor.kinds] # numerical, categorical, text, datetime; unknown is left out\n",
    );
    for (name, pin, seen) in pins() {
        let _infallible = writeln!(text, "{name} = {:<14} # {seen}", Value::from(pin.kind.name()));
    }
    text.push_str("\n[monitor.per_column_method]\n");
    for (name, pin, _) in pins() {
        if let Some(method) = pin.method {
            let _infallible = writeln!(
                text,
                "{name} = {:<24} # {}",
                Value::from(method.id()),
                method.display_name()
            );
        }
    }
    text.push_str("\n[monitor.per_column_threshold]\n");
    for (name, pin, _) in pins() {
        if let Some(method) = pin.method {
            let threshold = pin.threshold.unwrap_or_else(|| method.default_threshold());
            let _infallible = writeln!(text, "{name} = {}", Value::from(threshold));
        }
    }
    text.push_str("\n# What current is held to; values that break a rule, more than it tolerates, are serious.\n");
    for (name, pin) in pinned.pins().iter().filter(|(_, pin)| pin.kind != Kind::Unknown) {
        let Some(column) = reference.column(name) else { continue };
        let learned = || ColumnRule::learned(column, pin.kind, options.missing_share_change);
        let rule = options.rules.get(name).cloned().unwrap_or_else(learned);
        rules::write(&mut text, name, &rule);
    }
    text
}

/// What a column holds, in a few words.
fn describe(column: &Column) -> String {
    let missing = 100.0 * column.missing() as f64 / column.rows().max(1) as f64;
    format!("{} distinct values, {missing:.1} % missing", column.distinct())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use trainyard_drift::Method;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_says_the_same() {
        let columns: [(&str, ArrayRef); 2] = [
            ("a \"b\"", Arc::new(Int64Array::from_iter_values(0..100))),
            (
                "town",
                Arc::new(StringArray::from_iter_values((0..100).map(|i| format!("t{}", i % 7)))),
            ),
        ];
        let profile = Profile::new(&RecordBatch::try_from_iter(columns).unwrap());
        let settings = Settings { cat_method: Some(Method::Psi), ..Settings::default() };
        let text = starter(&profile, "data/train.csv", &settings);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("monitor.toml");
        std::fs::write(&path, &text).unwrap();
        let read = Settings::read(&path).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let options = read.options();
        assert_eq!(options.per_column_method["town"], Method::Psi);
        assert_eq!(options.per_column_method["a \"b\""], Method::KolmogorovSmirnov);
        assert_eq!(options.per_column_threshold["town"], 0.1);
        assert_eq!(read.reference.as_deref(), Some("data/train.csv"));
        for (name, column) in profile.columns() {
            let kind = options.kinds[name];
            assert_eq!(options.rules[name], ColumnRule::learned(column, kind, 0.05), "{text}");
        }
        assert!(options.rules["a \"b\""].unique);
        assert_eq!(
            options.rules["town"].allowed.as_ref().map(std::collections::BTreeSet::len),
            Some(7)
        );
    }
}
