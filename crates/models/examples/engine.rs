//! Times one model of `bench/engine/run.py`: CPU and wall microseconds a call, for one row and for 1000.
//!
//! `engine FOLDER MODEL` prints a JSON line for each form of input: a column for each feature, as requests
//! with named columns have it, and one column of lists, as tensors have it.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a tool for developers"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    Array as _, ArrayRef, FixedSizeListArray, Float32Array, Float64Array, RecordBatch,
};
use arrow_schema::{DataType, Field};
use trainyard_models::{Prediction, Predictor, load};

const COLUMNS: usize = 50;
const ROWS: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, name] = arguments.as_slice() else { panic!("engine FOLDER MODEL") };
    let folder = Path::new(folder);
    let started = Instant::now();
    let model = load(&folder.join(name)).unwrap();
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    let bytes = std::fs::read(folder.join("rows.f32")).unwrap();
    let values: Vec<f32> =
        bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let batches =
        [("Trainyard, named columns", columns(&values)), ("Trainyard, tensor", tensor(&values))];
    for (how, batch) in batches {
        check(&*model.predictor, &batch, &folder.join(name).join("expected.json"));
        let rows: Vec<RecordBatch> = (0..ROWS).map(|row| batch.slice(row, 1)).collect();
        let single =
            time(20, 20_000, |round| drop(model.predictor.predict(&rows[round % ROWS]).unwrap()));
        let thousand = time(20, 40, |_| drop(model.predictor.predict(&batch).unwrap()));
        println!(
            r#"{{"how": "{how}", "single": [{}, {}], "thousand": [{}, {}], "load_ms": {load_ms}, "bytes": {}}}"#,
            single.0,
            single.1,
            thousand.0,
            thousand.1,
            model.predictor.size_bytes()
        );
    }
}

fn columns(values: &[f32]) -> RecordBatch {
    let columns = (0..COLUMNS).map(|at| {
        let column = values.iter().skip(at).step_by(COLUMNS).map(|&x| f64::from(x));
        (format!("f{at}"), Arc::new(Float64Array::from_iter_values(column)) as ArrayRef)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

fn tensor(values: &[f32]) -> RecordBatch {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let values = Arc::new(Float32Array::from(values.to_vec()));
    let list = FixedSizeListArray::new(item, i32::try_from(COLUMNS).unwrap(), values, None);
    assert_eq!(list.len(), ROWS);
    RecordBatch::try_from_iter([("x", Arc::new(list) as ArrayRef)]).unwrap()
}

/// Microseconds of CPU and of wall a call: the first decile over the rounds, each of so many calls. Linux
/// brings the count of CPU time up to date every 4 ms, so a round is much longer.
fn time(rounds: usize, calls: usize, mut call: impl FnMut(usize)) -> (f64, f64) {
    let mut cpu = Vec::with_capacity(rounds);
    let mut wall = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let before = (cpu_ns(), Instant::now());
        for round in 0..calls {
            call(round);
        }
        wall.push(before.1.elapsed().as_secs_f64() * 1e6 / calls as f64);
        cpu.push((cpu_ns() - before.0) as f64 / 1e3 / calls as f64);
    }
    let decile = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 10]
    };
    (decile(&mut cpu), decile(&mut wall))
}

/// CPU time of this process, to the nanosecond, as Linux counts it.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// The fastest wrong answer is worth nothing.
fn check(model: &dyn Predictor, batch: &RecordBatch, expected: &Path) {
    let text = std::fs::read_to_string(expected).unwrap();
    let expected: Vec<f64> = text
        .trim_matches(|c| c == '[' || c == ']')
        .split(',')
        .map(|number| number.trim().parse().unwrap())
        .collect();
    let (values, width) = match model.predict(batch).unwrap() {
        Prediction::Column(values) => (values, 1),
        Prediction::Matrix { values, width } => (values, width),
        other => panic!("{other:?}"),
    };
    for (row, expected) in expected.iter().enumerate() {
        let at = row * width + width - 1;
        let value = match values.data_type() {
            DataType::Float32 => {
                f64::from(values.as_any().downcast_ref::<Float32Array>().unwrap().value(at))
            }
            _ => values.as_any().downcast_ref::<Float64Array>().unwrap().value(at),
        };
        assert!((value - expected).abs() < 2e-6, "row {row}: {value}, expected {expected}");
    }
}
