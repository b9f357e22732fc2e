//! Two random halves of real tables, those that Python packages ship: what chance does is no drift.

use std::path::PathBuf;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use trainyard_data::{ReadOptions, read};
use trainyard_drift::{ColumnDrift, DatasetVerdict, Options, compare};
use trainyard_testkit::run_python;

/// Splits of each table. Columns of one table move together, so that a single split says little.
const SPLITS: u64 = 30;
/// Rows from which on a half is judged at all, twice.
const ROWS_MIN: usize = 60;
/// More are no faster to tell.
const ROWS_MAX: usize = 7000;

/// The tables in the data folders of packages of the tests' own environment.
fn tables() -> Vec<PathBuf> {
    let script = "import pathlib, sklearn, statsmodels\n\
        for package in (sklearn, statsmodels):\n\
        \x20   folder = pathlib.Path(package.__file__).parent / 'datasets'\n\
        \x20   print('\\n'.join(sorted(str(path) for path in folder.glob('*/*.csv'))))";
    run_python(script, &[], &[]).lines().map(PathBuf::from).collect()
}

/// Both halves of a table, its rows in an order that depends on the seed alone (Fisher and Yates, 1938).
fn halves(batch: &RecordBatch, seed: u64) -> [RecordBatch; 2] {
    let mut rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for place in (1..rows.len()).rev() {
        // Marsaglia's xorshift, 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        rows.swap(place, (state % (place as u64 + 1)) as usize);
    }
    let (first, second) = rows.split_at(rows.len() / 2);
    [first, second].map(|rows| take_record_batch(batch, &UInt32Array::from(rows.to_vec())).unwrap())
}

#[test]
fn halves_of_real_tables_drift_in_no_more_columns_than_thresholds_allow() {
    let (mut tested, mut drifted, mut used) = (0_usize, 0_usize, 0_usize);
    for path in tables() {
        // What is no plain CSV has its own tests.
        let Ok(batch) = read(&path.to_string_lossy(), &ReadOptions::default()) else { continue };
        if !(ROWS_MIN..=ROWS_MAX).contains(&batch.num_rows()) {
            continue;
        }
        used += 1;
        for split in 0..SPLITS {
            let [reference, current] = halves(&batch, split + 1);
            let drift = compare(&reference, &current, &Options::default());
            let words = format!("{} {split}: {:?}", path.display(), drift.findings);
            assert_ne!(drift.verdict(), DatasetVerdict::Broken, "{words}");
            let verdicts = drift.columns.iter().filter(|column| column.counted);
            for verdict in verdicts.filter_map(ColumnDrift::verdict) {
                tested += 1;
                drifted += usize::from(verdict.drifted);
            }
        }
    }
    assert!(used >= 15, "{used} tables");
    let share = drifted as f64 / tested as f64;
    assert!(share <= 0.05, "{drifted} of {tested} columns: {share}");
}
