//! A file that grows, and a model that is trained anew: what refuses it, and how often.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::json;
use trainyard_train::{
    Comparison, Difference, FittedModel, HeldOut, LEVEL, Pair, Predictions, Standing, TrainConfig,
    compare, fit, split,
};

use crate::support::config;

/// Growths of the promise.
const GROWTHS: u64 = 200;

/// splitmix64: the same rows on every machine.
struct Random(u64);

impl Random {
    /// Between 0 and 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Rows of one distribution: two numbers that decide, one that does not, and answers of which one in five is
/// noise.
fn table(rows: usize, seed: u64) -> RecordBatch {
    let mut random = Random(seed);
    let mut columns = vec![Vec::new(); 3];
    let mut answers = Vec::new();
    for _ in 0..rows {
        let [a, b, c] = [random.share(), random.share(), random.share()];
        let is_noise = random.share() < 0.2;
        columns.iter_mut().zip([a, b, c]).for_each(|(column, value)| column.push(value));
        answers.push(if (a + b > 1.0) == is_noise { "stays" } else { "leaves" });
    }
    let mut all: Vec<(&str, ArrayRef)> = Vec::new();
    for (name, values) in ["a", "b", "c"].into_iter().zip(columns) {
        all.push((name, Arc::new(Float64Array::from(values))));
    }
    all.push(("answer", Arc::new(StringArray::from(answers))));
    RecordBatch::try_from_iter(all).unwrap()
}

fn settings(algorithm: &str) -> TrainConfig {
    let params = if algorithm == "random_forest" { json!({"n_estimators": 10}) } else { json!({}) };
    config(json!({
        "target": "answer", "algorithm": algorithm, "holdout": "hash", "params": params,
    }))
}

fn trained(table: &RecordBatch, config: &TrainConfig) -> FittedModel {
    fit(&split(table, config).unwrap(), config, &|_, _| true).unwrap()
}

fn difference(rows: &HeldOut, new: &Predictions, old: &Predictions, metric: &str) -> Difference {
    let pair = Pair {
        task: rows.task,
        truth: rows.truth().unwrap(),
        new,
        old,
        positive: rows.positive.as_deref(),
    };
    match compare(metric, pair, LEVEL).unwrap() {
        Comparison::Made(difference) => difference,
        other => panic!("{other:?}"),
    }
}

/// A model of the first thousand rows against one of a fifth more.
fn grown(seed: u64, config: &TrainConfig, metric: &str) -> Difference {
    let after = table(1_200, seed);
    let before = after.slice(0, 1_000);
    let rows = HeldOut::of(&after, config).unwrap();
    let (old, new) = (trained(&before, config), trained(&after, config));
    let predict = |model: &FittedModel| model.predict(&rows.rows).unwrap();
    difference(&rows, &predict(&new), &predict(&old), metric)
}

#[test]
fn honest_retraining_is_refused_at_most_one_time_in_twenty() {
    let config = settings("logistic_regression");
    for metric in ["accuracy", "roc_auc"] {
        let refused = |margin: f64| {
            let worse = |seed| grown(seed, &config, metric).against(margin) == Standing::Worse;
            (0..GROWTHS).filter(|seed| worse(*seed)).count()
        };
        assert!(refused(0.0) <= 10, "{metric}");
        assert!(refused(0.02) <= 10, "{metric}");
    }
}

#[test]
fn a_model_three_points_worse_is_refused_four_times_out_of_five() {
    let config = settings("logistic_regression");
    let table = table(10_000, 7);
    let rows = HeldOut::of(&table, &config).unwrap();
    assert!((1_800..2_200).contains(&rows.rows.num_rows()));
    let old = trained(&table, &config).predict(&rows.rows).unwrap();
    let labels = old.values.as_any().downcast_ref::<StringArray>().unwrap();
    let truth = rows.truth().unwrap().as_any().downcast_ref::<StringArray>().unwrap();
    let right = labels.iter().zip(truth).filter(|(label, truth)| label == truth).count();
    let accuracy = right as f64 / labels.len() as f64;
    // An answer turned round takes away what was right and repairs what was wrong.
    let turned = 0.03 / (2.0 * accuracy - 1.0);
    let worse = |seed: u64, margin: f64| {
        let mut random = Random(seed);
        let turn = |label: Option<&str>, random: &mut Random| {
            let is_turned = random.share() < turned;
            let leaves = (label == Some("leaves")) != is_turned;
            if leaves { "leaves" } else { "stays" }
        };
        let answers: Vec<&str> = labels.iter().map(|label| turn(label, &mut random)).collect();
        let new = Predictions { values: Arc::new(StringArray::from(answers)), probabilities: None };
        difference(&rows, &new, &old, "accuracy").against(margin) == Standing::Worse
    };
    for margin in [0.0, 0.02] {
        let refused = (0..GROWTHS).filter(|seed| worse(*seed, margin)).count();
        assert!(refused >= 160, "{margin}: {refused}");
    }
}

/// A forest knows its training rows by heart: production scored on them would be beyond any successor.
#[test]
fn production_is_scored_on_rows_that_it_never_saw() {
    let config = settings("random_forest");
    for seed in 0..5 {
        let found = grown(seed, &config, "accuracy");
        assert!(found.old < 0.85, "{found:?}");
        assert!((150..330).contains(&found.rows), "{found:?}");
    }
}

/// What a random split draws anew is what a hash does not.
#[test]
fn rows_held_out_stay_held_out_as_the_file_grows() {
    let held_out = |rows: i64, holdout: &str| {
        let numbers: ArrayRef = Arc::new(Int64Array::from((0..rows).collect::<Vec<_>>()));
        let answers: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..rows).map(|row| (row % 2).to_string())));
        let table = RecordBatch::try_from_iter([("n", numbers), ("answer", answers)]).unwrap();
        let config = config(json!({"target": "answer", "holdout": holdout}));
        trainyard_train::assign(&table, &config).unwrap().held_out
    };
    assert_eq!(held_out(1_200, "hash")[..1_000], held_out(1_000, "hash"));
    assert_ne!(held_out(1_200, "random")[..1_000], held_out(1_000, "random"));
}
