//! Tables as people have them, and the right reading of each.

use trainyard_drift::{
    DatasetDrift, DatasetVerdict, Distribution, FindingKind, Kind, Method, Severity, Status,
};
use trainyard_pipeline::monitor::{FailOn, Settings, ShortRows};

use crate::tables::{assert_score, case, column, compared, drift, said, score};

#[tokio::test]
async fn a_stray_word_among_numbers_hides_no_drift() {
    let drift = drift("stray_word_both_ref.csv", "stray_word_both_cur.csv").await;
    assert_score(&drift, "amount", 6.014_248_420_506_94);
    let amount = column(&drift, "amount");
    assert_eq!((amount.kind, drift.verdict()), (Kind::Numerical, DatasetVerdict::Drift));
    assert_eq!(amount.current.as_ref().unwrap().values, 1999);
    let said = said(&drift, FindingKind::Unread);
    let of_current = said.iter().find(|message| message.contains("current")).unwrap();
    assert!(of_current.starts_with("1 of 2000 values of current is no number"), "{of_current}");
    assert!(of_current.contains("\"N.A.\" in line 9"), "{of_current}");
}

#[tokio::test]
async fn a_stray_word_that_is_new_is_a_warning() {
    let drift = drift("stray_word_today_ref.csv", "stray_word_today_cur.csv").await;
    assert_score(&drift, "amount", 0.024_098_619_410_7);
    assert_eq!(column(&drift, "amount").kind, Kind::Numerical);
    assert_eq!((drift.drifted, drift.verdict()), (0, DatasetVerdict::Warning));
}

#[tokio::test]
async fn an_empty_reference_column_has_no_type_to_change() {
    let drift = drift("empty_reference_ref.csv", "empty_reference_cur.csv").await;
    assert_eq!(said(&drift, FindingKind::TypeChanged), Vec::<String>::new());
    assert_eq!(said(&drift, FindingKind::Empty), ["no usable value in the reference"]);
    assert!(matches!(&column(&drift, "notes").status, Status::Skipped(reason)
        if reason.contains("the reference")));
}

#[tokio::test]
async fn separators_are_told_by_the_file() {
    let drift = drift("semicolons_ref.csv", "semicolons_cur.csv").await;
    assert_eq!(drift.columns.len(), 3);
    for (name, expected) in [("a", 3.072_13), ("b", 0.0), ("c", 2.382_31)] {
        let score = score(&drift, name);
        assert!((score - expected).abs() < 1e-5, "{name}: {score}");
    }
    let said = said(&drift, FindingKind::ReadAs);
    assert!(said.iter().any(|message| message.contains("separated by ';'")), "{said:?}");
}

#[tokio::test]
async fn percentages_amounts_and_thousands_are_numbers() {
    let rates = drift("percent_ref.csv", "percent_cur.csv").await;
    assert_score(&rates, "rate", 17.519_698_648_302);
    let fees = drift("dollars_ref.csv", "dollars_cur.csv").await;
    assert_score(&fees, "fee", 22.541_935_220_184);
    let prices = drift("thousands_ref.csv", "thousands_cur.csv").await;
    let price = column(&prices, "price");
    assert_eq!(price.kind, Kind::Numerical);
    let after = price.current.as_ref().unwrap();
    assert_eq!((after.missing, after.numbers.as_ref().unwrap().mean), (0, 1326.235));
    assert!(price.drifted());
}

#[tokio::test]
async fn long_whole_numbers_are_written_whole() {
    let (reference, current) = (case("long_ids_ref.csv"), case("long_ids_cur.csv"));
    let monitored = compared(&reference, &current, Settings::default()).await.unwrap();
    let said = said(&monitored.drift, FindingKind::OutOfRange);
    assert!(said[0].contains("range 3432670000 to 3432671999"), "{said:?}");
    assert!(said[0].contains("current 3432668000 to 3432669999"), "{said:?}");
    assert!(!monitored.page.contains("3.43e9"));
}

#[tokio::test]
async fn a_table_that_came_forty_times_is_said() {
    let drift = drift("delivered_ref.csv", "delivered_40_times_cur.csv.gz").await;
    let copies = said(&drift, FindingKind::DuplicateRows);
    assert!(copies[0].contains("40 times"), "{copies:?}");
    let volume = said(&drift, FindingKind::Volume);
    assert!(volume[0].contains("40 times as many"), "{volume:?}");
    assert!(drift.verdict() >= DatasetVerdict::Warning);
}

#[tokio::test]
async fn three_rows_are_too_few_to_judge() {
    let drift = drift("delivered_ref.csv", "delivered_3_rows_cur.csv").await;
    assert_eq!(said(&drift, FindingKind::Volume).len(), 1);
    assert_eq!(said(&drift, FindingKind::TooFew).len(), 1);
    assert_eq!((drift.tested, drift.verdict()), (0, DatasetVerdict::Warning));
}

#[tokio::test]
async fn headers_that_differ_by_a_blank_or_case_are_hinted_at() {
    for (files, names) in [
        (["blank_in_header_ref.csv", "blank_in_header_cur.csv"], ["\"income\"", "\" income\""]),
        (["case_in_header_ref.csv", "case_in_header_cur.csv"], ["\"Income \"", "\"Income\""]),
    ] {
        let drift = drift(files[0], files[1]).await;
        let said = said(&drift, FindingKind::SimilarNames).join("; ");
        assert!(names.iter().all(|name| said.contains(name)), "{said}");
        assert_eq!(drift.verdict(), DatasetVerdict::Broken);
    }
}

#[tokio::test]
async fn parquet_and_csv_of_the_same_rows_are_the_same() {
    let (reference, current) = (case("same_rows_ref.parquet"), case("same_rows_cur.csv"));
    let monitored = compared(&reference, &current, Settings::default()).await.unwrap();
    let drift = &monitored.drift;
    assert_eq!((drift.drifted, drift.serious_findings()), (0, 0));
    for column in &drift.columns {
        assert!(
            !matches!(column.status, Status::Failed(_)),
            "{}: {:?}",
            column.name,
            column.status
        );
        assert_eq!(
            column.reference.as_ref().map(|side| side.distinct),
            column.current.as_ref().map(|side| side.distinct),
            "{}",
            column.name
        );
    }
    // Microseconds since 1970 are nobody's date.
    assert!(monitored.page.contains("2026-01-01") && !monitored.page.contains("17672256000"));
}

#[tokio::test]
async fn all_codecs_hold_the_same_values() {
    for codec in ["gzip", "brotli", "lz4", "zstd"] {
        let drift = drift("codec_snappy.parquet", &format!("codec_{codec}.parquet")).await;
        assert_eq!(drift.verdict(), DatasetVerdict::Stable, "{codec}");
        assert_eq!(score(&drift, "x"), 0.0, "{codec}");
    }
}

#[tokio::test]
async fn columns_in_another_codec_are_compared() {
    let drift = drift("gzip_columns_ref.parquet", "gzip_columns_cur.parquet").await;
    for (name, expected) in [("b", 8.830_033_585), ("c", 8.980_827_693), ("d", 9.099_329_104)] {
        let score = score(&drift, name);
        assert!((score - expected).abs() < 1e-8, "{name}: {score}");
    }
    assert_eq!((drift.drifted, drift.tested), (3, 4));
    assert_eq!(drift.verdict(), DatasetVerdict::Drift);
}

#[tokio::test]
async fn bytes_that_are_text_are_text() {
    let drift = drift("unmarked_text_ref.parquet", "unmarked_text_cur.parquet").await;
    let column = column(&drift, "s");
    assert_eq!(column.kind, Kind::Categorical);
    let Some(Distribution::Categories { top, .. }) = &column.distribution else {
        panic!("{column:?}")
    };
    assert!(top.iter().any(|category| category.label == "pink"), "{top:?}");
}

#[tokio::test]
async fn what_is_gone_or_empty_is_never_green() {
    for current in ["columns_gone_cur.csv", "columns_empty_cur.csv"] {
        let drift = drift("columns_gone_ref.csv.gz", current).await;
        assert_eq!(drift.verdict(), DatasetVerdict::Broken, "{current}");
        assert_eq!(drift.untestable(), 3, "{current}");
        for choice in [FailOn::Warning, FailOn::Drift, FailOn::Serious, FailOn::Broken] {
            assert!(choice.holds(drift.verdict(), drift.serious_findings()), "{choice:?}");
        }
    }
}

#[tokio::test]
async fn digits_with_leading_zeros_are_labels() {
    for current in ["zip_codes_cur.csv", "zip_codes_east_cur.csv"] {
        let drift = drift("zip_codes_ref.csv", current).await;
        let zip = column(&drift, "zip");
        assert_eq!(zip.kind, Kind::Categorical, "{current}");
        let Some(Distribution::Categories { top, .. }) = &zip.distribution else {
            panic!("{zip:?}")
        };
        assert!(top.iter().any(|category| category.label == "00501"), "{top:?}");
    }
}

#[tokio::test]
async fn a_country_is_no_missing_value() {
    let (reference, current) = (case("namibia_ref.csv"), case("namibia_cur.csv"));
    let read = |null: Option<Vec<String>>| {
        compared(&reference, &current, Settings { null, ..Settings::default() })
    };
    let usual = read(None).await.unwrap().drift;
    let said = said(&usual, FindingKind::ReadAs);
    assert!(said.iter().any(|message| message.contains("NA is read as missing")), "{said:?}");
    let kept = read(Some(vec![String::new()])).await.unwrap().drift;
    let country = column(&kept, "country");
    assert_eq!(country.reference.as_ref().unwrap().missing, 0);
    let gone = &country.findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>();
    assert!(
        gone.iter()
            .any(|message| message.contains("no longer in current") && message.contains("\"NA\"")),
        "{gone:?}"
    );
}

#[tokio::test]
async fn messages_do_not_contradict_themselves() {
    let drift = drift("jitter_ref.csv", "jitter_cur.csv").await;
    for message in said(&drift, FindingKind::OutOfRange) {
        assert!(message.contains("0.1 to 0.4 ("), "{message}");
        assert!(message.contains("to 0.400000001)"), "{message}");
    }
}

#[tokio::test]
async fn a_sentinel_is_found_and_does_not_squeeze_the_picture() {
    let drift = drift("sentinel_ref.csv", "sentinel_cur.csv").await;
    let found = said(&drift, FindingKind::Sentinel);
    assert!(found[0].starts_with("5.0 % of the current values are -999,"), "{found:?}");
    let Some(Distribution::Numbers { bins, .. }) = &column(&drift, "x").distribution else {
        panic!("no picture")
    };
    // A bin of its own, and the bulk in many.
    assert_eq!((bins[0].low, bins[0].reference), (-999.0, 0.0));
    assert!((bins[0].current - 0.05).abs() < 1e-12, "{bins:?}");
    assert!(bins.iter().filter(|bin| bin.reference > 0.0).count() > 10, "{bins:?}");
}

#[tokio::test]
async fn row_names_of_r_are_no_column() {
    let drift = drift("row_names_ref.csv", "row_names_cur.csv").await;
    let names: Vec<&str> = drift.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["x", "g"]);
    let verdict = column(&drift, "x").verdict().unwrap();
    assert_eq!(verdict.method, Method::KolmogorovSmirnov);
    assert!((verdict.score / 3.9e-192 - 1.0).abs() < 0.02, "{}", verdict.score);
}

#[tokio::test]
async fn short_rows_are_refused_or_filled() {
    let table = case("short_rows.csv");
    let refused = compared(&table, &table, Settings::default()).await.unwrap_err();
    assert!(refused.to_string().contains("line 2"), "{refused}");
    let settings = Settings { short_rows: Some(ShortRows::Fill), ..Settings::default() };
    let filled = compared(&table, &table, settings).await.unwrap().drift;
    assert_eq!(column(&filled, "z").current.as_ref().unwrap().missing, 200);
    let said = said(&filled, FindingKind::ReadAs);
    assert!(said.iter().any(|message| message.contains("200 rows are shorter")), "{said:?}");
    assert_eq!(filled.verdict(), DatasetVerdict::Stable);
}

#[tokio::test]
async fn texts_drift_by_their_words_and_not_by_chance() {
    let same = drift("words_ref.csv", "words_same_cur.csv").await;
    assert_eq!(column(&same, "comment").verdict().unwrap().method, Method::TextContent);
    assert_eq!((same.drifted, same.verdict()), (0, DatasetVerdict::Stable));
    let other = drift("words_ref.csv", "words_other_cur.csv").await;
    assert!(score(&other, "comment") > 0.9);
    assert_eq!(other.verdict(), DatasetVerdict::Drift);
    let words = said(&other, FindingKind::TextContent).join("");
    assert!(words.contains("more often in current: \""), "{words}");
}

/// Compares two tables of 300 rows that are written down here.
async fn written(
    header: &str,
    before: fn(u32) -> String,
    after: fn(u32) -> String,
) -> DatasetDrift {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, row: fn(u32) -> String| {
        let rows: Vec<String> = (0..300).map(row).collect();
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (reference, current) = (write("ref.csv", before), write("cur.csv", after));
    compared(&reference, &current, Settings::default()).await.unwrap().drift
}

#[tokio::test]
async fn dates_as_people_write_them_are_no_labels() {
    let german = written(
        "day;x",
        |row| format!("{:02}.01.2026;{}", row % 28 + 1, row % 50),
        |row| format!("{:02}.02.2026;{}", row % 28 + 1, row % 50),
    );
    let american = written(
        "day,x",
        |row| format!("1/{}/2026 5:00 PM,{}", row % 28 + 1, row % 50),
        |row| format!("2/{}/2026 5:00 PM,{}", row % 28 + 1, row % 50),
    );
    for (drift, order) in [(german.await, "day first"), (american.await, "month first")] {
        assert_eq!(column(&drift, "day").kind, Kind::Datetime, "{order}");
        assert_eq!((drift.tested, drift.verdict()), (1, DatasetVerdict::Stable), "{order}");
        let said = said(&drift, FindingKind::ReadAs);
        assert!(said.iter().any(|message| message.contains(order)), "{said:?}");
    }
}

#[tokio::test]
async fn amounts_in_thousands_and_millions_are_numbers() {
    let drift = written(
        "price",
        |row| format!("€{}.5K", 100 + row % 97),
        |row| format!("€{}.{}M", 1 + row % 3, row % 97),
    )
    .await;
    let price = column(&drift, "price");
    assert_eq!((price.kind, price.drifted()), (Kind::Numerical, true));
    let numbers = price.reference.as_ref().unwrap().numbers.as_ref().unwrap();
    assert_eq!(numbers.quantiles[0], 100_500.0);
}

#[tokio::test]
async fn more_infinite_values_are_no_note() {
    let drift = written(
        "x,y",
        |row| if row == 1 { "inf,1".to_owned() } else { format!("{row}.5,{row}") },
        |row| if row % 4 == 1 { format!("inf,{row}") } else { format!("{row}.5,{row}") },
    )
    .await;
    let infinite = drift.all_findings().find(|(_, found)| found.kind == FindingKind::Infinite);
    assert_eq!(infinite.map(|(_, found)| found.severity), Some(Severity::Warning));
    assert_eq!((drift.drifted, drift.verdict()), (0, DatasetVerdict::Warning));
}
