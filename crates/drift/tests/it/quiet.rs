//! Days on which nothing is wrong, by simulation: whole tables, the usual rules, and a week that repeats.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use trainyard_base::random::FastRandom;
use trainyard_drift::{AlertRule, Options, Profile, Window, WindowResult, episodes};

const DAY: i64 = 86_400_000;
const NUMBERS: usize = 6;

/// About normal, with mean 0 and standard deviation 1.
fn normal(random: &mut FastRandom) -> f64 {
    (0..12).map(|_| random.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0
}

/// A day: on weekends there are fewer rows, two of the numbers lie elsewhere, and one label is more frequent.
fn day(number: i64, rows: usize, moved: f64, random: &mut FastRandom) -> RecordBatch {
    let is_weekend = number % 7 < 2;
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for column in 0..NUMBERS {
        let season = if is_weekend && column < 2 { 0.4 } else { 0.0 };
        let values = (0..rows).map(|_| normal(random) + season + moved);
        let values = Float64Array::from_iter_values(values.collect::<Vec<f64>>());
        columns.push((format!("x{column}"), Arc::new(values)));
    }
    for column in 0..2 {
        let often = if is_weekend { 5 } else { 4 };
        let label = |_| if random.below(10) < often { "a" } else { ["b", "c"][column] };
        let labels: Vec<&str> = (0..rows).map(label).collect();
        columns.push((format!("label{column}"), Arc::new(StringArray::from(labels))));
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

/// How many alerts the usual rules make of so many days, of which all from `moved_from` on are moved.
fn alerts(days: i64, moved_from: i64, seed: u64) -> usize {
    let mut random = FastRandom::new(seed, 0);
    let weeks = (0..28).map(|number| day(number, 500, 0.0, &mut random));
    let reference =
        weeks.map(|day| Profile::new(&day)).reduce(|all, day| all.merged(&day).unwrap()).unwrap();
    let options = reference.pinned(&Options { is_window: true, ..Options::default() });
    let results: Vec<WindowResult> = (0..days)
        .map(|number| {
            let usual = if number % 7 < 2 { 600 } else { 2000 };
            let rows = (f64::from(usual) + 30.0 * normal(&mut random)) as usize;
            let moved = if number >= moved_from { 1.0 } else { 0.0 };
            let current = Profile::new(&day(number, rows, moved, &mut random));
            let window = Window { begins: number * DAY, ends: (number + 1) * DAY };
            let mut result = WindowResult::new(window, rows as u64);
            result.add_drift(&reference.compare(&current, &options), None);
            result
        })
        .collect();
    episodes(&AlertRule::usual(), &results).len()
}

#[test]
fn a_hundred_quiet_days_of_whole_tables_are_quiet_and_a_moved_one_is_not() {
    assert!(alerts(100, i64::MAX, 53) <= 1);
    assert!(alerts(10, 8, 59) >= 1);
}
