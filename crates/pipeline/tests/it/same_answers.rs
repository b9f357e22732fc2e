//! One answer whatever holds the rows: a table compared with itself, CSV or Parquet, table or profile.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use trainyard_data::{write_csv, write_parquet};
use trainyard_drift::{DatasetDrift, DatasetVerdict, Kind, Severity};
use trainyard_pipeline::monitor::{Settings, profile_of, write_profile};

use crate::tables::compared;

/// Numbers that look like chance and are the same every time: those of a linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn unit(&mut self) -> f64 {
        self.below(1 << 30) as f64 / f64::from(1 << 30)
    }
}

/// A table of every kind of column, of which some move by `shift`.
fn table(seed: u64, rows: usize, shift: f64) -> RecordBatch {
    const DAY: i64 = 86_400_000_000;
    let mut random = Random(seed.wrapping_mul(1_000_003) + 7);
    let gaps = 2 + random.below(30);
    let labels = 2 + random.below(20);
    let kinds = 2 + random.below(9);
    let numbers: Float64Array = (0..rows)
        .map(|_| (random.below(gaps) > 0).then(|| (random.unit() + shift) * 100.0))
        .collect();
    let counts = Int64Array::from_iter_values(
        (0..rows).map(|_| (random.below(500) as f64 * (1.0 + shift)) as i64),
    );
    let few = Int64Array::from_iter_values((0..rows).map(|_| random.below(kinds) as i64));
    let ids = Int64Array::from_iter_values((0..rows).map(|row| row as i64 + 3_000_000_000));
    let flags: BooleanArray = (0..rows).map(|_| Some(random.unit() < 0.3 + shift)).collect();
    let towns: StringArray = (0..rows)
        .map(|_| (random.below(gaps) > 0).then(|| format!("town {}", random.below(labels))))
        .collect();
    let codes = StringArray::from_iter_values(
        (0..rows).map(|_| format!("{:05}", 501 + 700 * random.below(labels))),
    );
    let fees = StringArray::from_iter_values(
        (0..rows).map(|_| format!("${:.2}", 20.0 * (random.unit() + shift))),
    );
    let texts = StringArray::from_iter_values((0..rows).map(|row| {
        let words = ["late", "parcel", "box", "driver", "refund", "street"];
        let mut word = || words[random.below(6) as usize];
        format!("{} {} {} {row}", word(), word(), word())
    }));
    let days: Date32Array = (0..rows).map(|_| Some(20_000 + random.below(90) as i32)).collect();
    let times: TimestampMicrosecondArray =
        (0..rows).map(|row| Some(20_000 * DAY + row as i64 * 60_000_000 + 1_000_000)).collect();
    let nothing = Float64Array::from(vec![None; rows]);
    let one = StringArray::from(vec!["one"; rows]);
    let columns: [(&str, ArrayRef); 13] = [
        ("number", Arc::new(numbers)),
        ("count", Arc::new(counts)),
        ("few", Arc::new(few)),
        ("id", Arc::new(ids)),
        ("flag", Arc::new(flags)),
        ("town", Arc::new(towns)),
        ("code", Arc::new(codes)),
        ("fee", Arc::new(fees)),
        ("text", Arc::new(texts)),
        ("day", Arc::new(days)),
        ("time", Arc::new(times)),
        ("nothing", Arc::new(nothing)),
        ("one", Arc::new(one)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Seed, rows of the reference and of current, and how far current moves.
const TABLES: [(u64, usize, usize, f64); 5] = [
    (1, 12, 40, 0.0),
    (2, 90, 60, 0.4),
    (3, 400, 500, 0.0),
    (4, 1300, 900, 0.1),
    (5, 1500, 20, 0.2),
];

/// Both sides of every table, as CSV and as Parquet, in a folder.
fn write(folder: &Path, seed: u64, rows: [usize; 2], shift: f64) -> [[String; 2]; 2] {
    let sides = [("reference", rows[0], 0.0, seed), ("current", rows[1], shift, seed + 100)];
    sides.map(|(side, rows, shift, seed)| {
        let batch = table(seed, rows, shift);
        let [csv, parquet] =
            ["csv", "parquet"].map(|ending| folder.join(format!("{side}-{seed}.{ending}")));
        write_csv(&csv, &batch).unwrap();
        write_parquet(&parquet, &batch).unwrap();
        [csv, parquet].map(|path| path.to_string_lossy().into_owned())
    })
}

async fn drift(reference: &str, current: &str) -> DatasetDrift {
    compared(reference, current, Settings::default()).await.unwrap().drift
}

/// What a report says that people act on, a line each. Types have other names in other formats.
fn answers(drift: &DatasetDrift) -> Vec<String> {
    let mut lines =
        vec![format!("{} {} of {}", drift.verdict().name(), drift.drifted, drift.tested)];
    for column in &drift.columns {
        let test = column.verdict().map(|verdict| {
            (verdict.method.id(), verdict.score.to_bits(), verdict.threshold, verdict.drifted)
        });
        lines.push(format!("{}: {} {test:?}", column.name, column.kind));
    }
    let warnings = drift.all_findings().filter(|(_, one)| one.severity >= Severity::Warning);
    lines.extend(warnings.map(|(name, finding)| {
        format!("{} {}: {}", name.unwrap_or_default(), finding.kind.id(), finding.message)
    }));
    lines
}

#[tokio::test]
async fn a_table_is_stable_against_itself() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, rows, _, _) in TABLES {
        let [reference, _] = write(folder.path(), seed, [rows, 1], 0.0);
        for path in &reference {
            let own = drift(path, path).await;
            assert_eq!(own.verdict(), DatasetVerdict::Stable, "{path}: {:?}", answers(&own));
            assert_eq!((own.drifted, own.tested), (0, 10), "{path}: {:?}", answers(&own));
        }
    }
}

#[tokio::test]
async fn csv_parquet_and_profiles_give_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, before, after, shift) in TABLES {
        let [reference, current] = write(folder.path(), seed, [before, after], shift);
        let csv = drift(&reference[0], &current[0]).await;
        let parquet = drift(&reference[1], &current[1]).await;
        assert_eq!(answers(&csv), answers(&parquet), "seed {seed}");
        for ([old, new], table) in
            [([&reference[0], &current[0]], &csv), ([&reference[1], &current[1]], &parquet)]
        {
            let sources = [old.clone()];
            let profiled = profile_of(&sources, Settings::default(), None, None).await.unwrap();
            let path = folder.path().join(format!("{seed}.profile"));
            write_profile(&path, &profiled.profile).unwrap();
            let by_profile = drift(&path.to_string_lossy(), new).await;
            assert_eq!(answers(&by_profile), answers(table), "{old}");
        }
    }
}

#[test]
fn the_tables_hold_every_kind_of_column() {
    let batch = table(3, 400, 0.0);
    let drift = trainyard_drift::compare(&batch, &batch, &trainyard_drift::Options::default());
    for kind in [Kind::Numerical, Kind::Categorical, Kind::Text, Kind::Datetime, Kind::Unknown] {
        assert!(drift.columns.iter().any(|column| column.kind == kind), "{kind}");
    }
}
