//! Times the explanations of one model of `bench/explain/run.py`: CPU microseconds a row, of one row and of 1000, and
//! what the first one takes. `explain FOLDER MODEL` prints a JSON line.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a tool for developers"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use trainyard_models::load;

const COLUMNS: usize = 50;
const ROWS: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, name] = arguments.as_slice() else { panic!("explain FOLDER MODEL") };
    let folder = Path::new(folder);
    let model = load(&folder.join(name)).unwrap();
    let bytes = std::fs::read(folder.join("rows.f32")).unwrap();
    let values: Vec<f32> =
        bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let columns = (0..COLUMNS).map(|at| {
        let column = values.iter().skip(at).step_by(COLUMNS).copied();
        (at.to_string(), Arc::new(Float32Array::from_iter_values(column)) as ArrayRef)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let explain = |rows: &RecordBatch| model.predictor.explain(rows, None).unwrap();
    let started = Instant::now();
    let first = explain(&batch.slice(0, 1));
    let first_us = started.elapsed().as_secs_f64() * 1e6;
    check(&explain(&batch.slice(0, 100)).contributions, &folder.join(name).join("expected.json"));
    assert_eq!(first.rows, 1);
    let rows: Vec<RecordBatch> = (0..ROWS).map(|row| batch.slice(row, 1)).collect();
    let single = time(10, 1000, |round| drop(explain(&rows[round % ROWS])));
    let many = time(10, 5, |_| drop(explain(&batch))) / ROWS as f64;
    println!(r#"{{"single": {single}, "many": {many}, "first": {first_us}}}"#);
}

/// Microseconds of CPU a call: the first decile over the rounds, each of so many calls.
fn time(rounds: usize, calls: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut each = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let before = cpu_ns();
        for round in 0..calls {
            call(round);
        }
        each.push((cpu_ns() - before) as f64 / 1e3 / calls as f64);
    }
    each.sort_by(f64::total_cmp);
    each[each.len() / 10]
}

/// CPU time of this process, to the nanosecond, as Linux counts it.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// The fastest wrong answer is worth nothing.
fn check(contributions: &[f64], expected: &Path) {
    let text = std::fs::read_to_string(expected).unwrap();
    let expected: Vec<f64> = text
        .trim_matches(|c| c == '[' || c == ']')
        .split(',')
        .map(|number| number.trim().parse().unwrap())
        .collect();
    assert_eq!(contributions.len(), expected.len());
    for (at, (x, y)) in contributions.iter().zip(&expected).enumerate() {
        assert!((x - y).abs() < 1e-9 * y.abs().max(1.0), "{at}: {x}, expected {y}");
    }
}
