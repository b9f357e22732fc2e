//! Two models on the same rows, by the test that fits the metric.

use arrow_array::{Array as _, ArrayRef, UInt64Array};
use arrow_select::take::take;
use trainyard_quality::interval::bootstrap;
use trainyard_quality::interval::normal::quantile_above;
use trainyard_quality::metrics::{Scorer, ranking};

use super::delong::{self, Areas};
use super::difference::{Difference, Method};
use super::mcnemar;
use super::pair::{Comparison, Pair};
use super::scored::scorer;
use crate::column::Column;
use crate::metrics::{Predictions, Probabilities, greater_is_better};
use crate::{Error, Result};

/// Fewer rows are not compared: not even ten differences among them would say anything.
pub const ROWS_MIN: usize = 20;
/// Rows of either kind below which an area's error is not known.
const KIND_MIN: usize = 10;
/// Rows on which models must differ before drawing them again says more than which of them were drawn.
const DIFFERING_MIN: usize = 10;
/// Of more rows an even part is compared: they tell differences of a tenth of a percent.
const ROWS_MAX: usize = 500_000;

/// Compares two models by a metric. `level` is how often an equal model may be called worse; whoever compares
/// by several metrics shares it out.
pub fn compare(metric: &str, pair: Pair<'_>, level: f64) -> Result<Comparison> {
    let rows = pair.truth.len();
    if pair.new.values.len() != rows || pair.old.values.len() != rows {
        return Err(Error::Evaluation(format!("predictions are not for the {rows} rows")));
    }
    if rows < ROWS_MIN {
        return Ok(Comparison::TooFew(format!("{rows} rows are left, {ROWS_MIN} are needed")));
    }
    if rows > ROWS_MAX {
        let thinned = Thinned::new(pair)?;
        return compare_rows(metric, thinned.pair(pair), level);
    }
    compare_rows(metric, pair, level)
}

fn compare_rows(metric: &str, pair: Pair<'_>, level: f64) -> Result<Comparison> {
    let Some(new) = scorer(metric, &pair, pair.new)? else { return Ok(Comparison::NewLacks) };
    let Some(old) = scorer(metric, &pair, pair.old)? else { return Ok(Comparison::OldLacks) };
    match (metric, &new) {
        ("accuracy", _) => accuracy(pair, level),
        ("roc_auc", Scorer::Areas(areas)) if areas.len() == 1 => area(pair, level),
        _ => Ok(by_draws(metric, &new, &old, pair.truth.len(), level)),
    }
}

fn accuracy(pair: Pair<'_>, level: f64) -> Result<Comparison> {
    let truth = Column::read("truth", pair.truth)?;
    let right = |predictions: &Predictions| -> Result<Vec<bool>> {
        let predicted = Column::read("prediction", &predictions.values)?;
        Ok((0..truth.len()).map(|row| truth.text(row) == predicted.text(row)).collect())
    };
    let (new, old) = (right(pair.new)?, right(pair.old)?);
    let count = |wanted: (bool, bool)| {
        new.iter().zip(&old).filter(|(new, old)| (**new, **old) == wanted).count() as u64
    };
    let (only_new, only_old, both) =
        (count((true, false)), count((false, true)), count((true, true)));
    let rows = truth.len() as f64;
    let (low, high, standard_error) =
        mcnemar::interval(only_old, only_new, truth.len() as u64, level);
    Ok(Comparison::Made(Difference {
        new: (both + only_new) as f64 / rows,
        old: (both + only_old) as f64 / rows,
        worse_by: (only_old as f64 - only_new as f64) / rows,
        low,
        high,
        standard_error,
        beyond_chance: mcnemar::p_worse(only_old, only_new) < level,
        level,
        rows: truth.len(),
        method: Method::McNemar,
    }))
}

fn area(pair: Pair<'_>, level: f64) -> Result<Comparison> {
    let truth = Column::read("truth", pair.truth)?;
    let truth: Vec<String> = (0..truth.len()).map(|row| truth.text(row)).collect();
    // The second class of each model: the same one, or the areas are not comparable.
    let class = |probabilities: &Probabilities| probabilities.classes.get(1).cloned();
    let (Some(new), Some(old)) = (&pair.new.probabilities, &pair.old.probabilities) else {
        return Ok(Comparison::OldLacks);
    };
    let Some(position) = class(new).and_then(|class| old.position(&class)) else {
        return Ok(Comparison::OldLacks);
    };
    let (Some(new_labels), Some(old_labels)) =
        (ranking::labels(&truth, new)?, ranking::labels(&truth, old)?)
    else {
        return Ok(Comparison::OldLacks);
    };
    let scores = ranking::scores(1, &new_labels, new);
    let of_class = scores.iter().filter(|(_, is_class)| *is_class).count();
    let fewer = of_class.min(scores.len() - of_class);
    if fewer < KIND_MIN {
        let reason = format!("{fewer} rows of a class are left, {KIND_MIN} are needed");
        return Ok(Comparison::TooFew(reason));
    }
    let areas = delong::areas(&scores, &ranking::scores(position, &old_labels, old));
    Ok(areas.map_or(Comparison::OldLacks, |Areas { new, old, standard_error }| {
        let half = if standard_error > 0.0 {
            quantile_above(level) * standard_error
        } else {
            unseen(fewer, level)
        };
        let worse_by = old - new;
        Comparison::Made(Difference {
            new,
            old,
            worse_by,
            low: worse_by - half,
            high: worse_by + half,
            standard_error: half / quantile_above(level),
            beyond_chance: worse_by > half,
            level,
            rows: scores.len(),
            method: Method::DeLong,
        })
    }))
}

fn by_draws(metric: &str, new: &Scorer, old: &Scorer, rows: usize, level: f64) -> Comparison {
    let sign = if greater_is_better(metric) { 1.0 } else { -1.0 };
    let worse_by = |weights: &[u32]| sign * (old.score(weights) - new.score(weights));
    let once = vec![1; rows];
    let Some(interval) = bootstrap::interval(rows, level, worse_by) else {
        let reason = format!("on many draws from {rows} rows it is not defined");
        return Comparison::TooFew(reason);
    };
    let seen = worse_by(&once);
    let mut difference = Difference {
        new: new.score(&once),
        old: old.score(&once),
        worse_by: seen,
        low: interval.low,
        high: interval.high,
        standard_error: interval.standard_error,
        beyond_chance: interval.low > 0.0 && new.differing(old) >= DIFFERING_MIN,
        level,
        rows,
        method: Method::Bootstrap,
    };
    if interval.standard_error == 0.0 && new.is_share() {
        let half = unseen(rows, level);
        (difference.low, difference.high) = (seen - half, seen + half);
        difference.standard_error = half / quantile_above(level);
        difference.beyond_chance = false;
    }
    Comparison::Made(difference)
}

/// What may be true of a share of the rows though none of these shows it: the rule of three, which is the
/// logarithm of the level over the number of rows.
fn unseen(rows: usize, level: f64) -> f64 {
    -level.ln() / rows as f64
}

/// Every n-th row of both.
struct Thinned {
    truth: ArrayRef,
    new: Predictions,
    old: Predictions,
}

impl Thinned {
    fn new(pair: Pair<'_>) -> Result<Self> {
        let rows = pair.truth.len();
        let kept: Vec<usize> = (0..rows).step_by(rows.div_ceil(ROWS_MAX)).collect();
        let positions = UInt64Array::from_iter_values(kept.iter().map(|&row| row as u64));
        let thin = |predictions: &Predictions| -> Result<Predictions> {
            let probabilities = predictions.probabilities.as_ref().map(|all| {
                let width = all.classes.len();
                let values = kept.iter().flat_map(|&row| &all.values[row * width..][..width]);
                Probabilities { values: values.copied().collect(), ..all.clone() }
            });
            Ok(Predictions { values: take(&predictions.values, &positions, None)?, probabilities })
        };
        let truth = take(pair.truth, &positions, None)?;
        Ok(Self { truth, new: thin(pair.new)?, old: thin(pair.old)? })
    }

    fn pair<'a>(&'a self, of: Pair<'a>) -> Pair<'a> {
        Pair { truth: &self.truth, new: &self.new, old: &self.old, ..of }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, StringArray};
    use trainyard_base::random::FastRandom;

    use super::super::difference::{LEVEL, Standing};
    use super::*;
    use crate::config::Task;
    use crate::metrics::{METRICS, evaluate, metrics_of};

    fn labels(values: impl Iterator<Item = bool>) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(values.map(|v| if v { "yes" } else { "no" })))
    }

    /// A classifier that gives rows of the class scores higher by `skill`.
    fn predictions(truth: &[bool], skill: f64, random: &mut FastRandom) -> Predictions {
        let mut score = |is_class: bool| {
            let noise = random.below(1_000) as f64 / 1_000.0;
            let signal = if is_class { 1.0 } else { 0.0 };
            (skill * signal + (1.0 - skill) * noise).clamp(0.01, 0.99)
        };
        let scores: Vec<f64> = truth.iter().map(|is_class| score(*is_class)).collect();
        Predictions {
            values: labels(scores.iter().map(|score| *score > 0.5)),
            probabilities: Some(Probabilities {
                classes: vec!["no".to_owned(), "yes".to_owned()],
                values: scores.iter().flat_map(|score| [1.0 - score, *score]).collect(),
                epsilon: f64::EPSILON,
            }),
        }
    }

    fn truth(rows: usize, random: &mut FastRandom) -> Vec<bool> {
        (0..rows).map(|_| random.below(10) < 3).collect()
    }

    fn difference(metric: &str, pair: Pair<'_>) -> Difference {
        match compare(metric, pair, LEVEL).unwrap() {
            Comparison::Made(difference) => difference,
            other => panic!("{metric}: {other:?}"),
        }
    }

    #[test]
    fn every_metric_is_what_evaluating_says_and_a_worse_model_is_worse() {
        let mut random = FastRandom::new(1, 0);
        let rows = truth(600, &mut random);
        let (new, old) =
            (predictions(&rows, 0.1, &mut random), predictions(&rows, 0.4, &mut random));
        let truth = labels(rows.iter().copied());
        let positive = Some("yes");
        let task = Task::Classification;
        let pair = Pair { task, truth: &truth, new: &new, old: &old, positive };
        let (of_new, of_old) = (
            evaluate(task, &truth, &new, positive).unwrap(),
            evaluate(task, &truth, &old, positive).unwrap(),
        );
        for metric in metrics_of(task, true) {
            let found = difference(metric, pair);
            assert!((found.new - of_new[metric]).abs() < 1e-12, "{metric}: {found:?}");
            assert!((found.old - of_old[metric]).abs() < 1e-12, "{metric}: {found:?}");
            assert!(found.low <= found.worse_by && found.worse_by <= found.high, "{found:?}");
            assert_eq!(found.against(0.0), Standing::Worse, "{metric}: {found:?}");
            let turned = difference(metric, Pair { new: &old, old: &new, ..pair });
            assert_eq!(turned.against(0.0), Standing::NotWorse, "{metric}: {turned:?}");
        }
    }

    #[test]
    fn quantities_are_compared_too() {
        let truth: ArrayRef =
            Arc::new(Float64Array::from_iter_values((0..300).map(|row| f64::from(row % 17))));
        let off_by = |off: f64| Predictions {
            values: Arc::new(Float64Array::from_iter_values(
                (0..300).map(|row| f64::from(row % 17) + off * (f64::from(row * 7 % 11) - 5.0)),
            )),
            probabilities: None,
        };
        let (new, old) = (off_by(0.5), off_by(0.3));
        let task = Task::Regression;
        let pair = Pair { task, truth: &truth, new: &new, old: &old, positive: None };
        let expected = evaluate(task, &truth, &new, None).unwrap();
        for metric in metrics_of(task, false) {
            let found = difference(metric, pair);
            let expected = expected[metric];
            let tolerance = 1e-12 * expected.abs().max(1.0);
            assert!((found.new - expected).abs() < tolerance, "{metric}: {found:?}");
            assert_eq!(found.against(0.0), Standing::Worse, "{metric}: {found:?}");
        }
        assert_eq!(compare("accuracy", pair, LEVEL).unwrap(), Comparison::NewLacks);
    }

    #[test]
    fn rows_too_few_and_metrics_not_there_are_said() {
        let mut random = FastRandom::new(2, 0);
        let rows = truth(30, &mut random);
        let model = predictions(&rows, 0.4, &mut random);
        let truth = labels(rows.iter().copied());
        let silent = Predictions { probabilities: None, ..model.clone() };
        let task = Task::Classification;
        let pair = Pair { task, truth: &truth, new: &model, old: &silent, positive: None };
        assert_eq!(compare("roc_auc", pair, LEVEL).unwrap(), Comparison::OldLacks);
        assert_eq!(compare("f1", pair, LEVEL).unwrap(), Comparison::NewLacks);
        let few = truth.slice(0, 10);
        let cut = Predictions { values: model.values.slice(0, 10), probabilities: None };
        let pair = Pair { truth: &few, new: &cut, old: &cut, ..pair };
        let Comparison::TooFew(reason) = compare("accuracy", pair, LEVEL).unwrap() else {
            panic!()
        };
        assert_eq!(reason, "10 rows are left, 20 are needed");
    }

    #[test]
    fn two_dozen_rows_do_not_decide_a_fiftieth() {
        let truth = labels((0..24).map(|row| row % 2 == 0));
        let old = Predictions { values: Arc::clone(&truth), probabilities: None };
        let with_errors = |errors: usize| Predictions {
            values: labels((0..24).map(|row| (row % 2 == 0) != (row < errors))),
            probabilities: None,
        };
        let task = Task::Classification;
        let standing = |errors| {
            let new = with_errors(errors);
            let pair = Pair { task, truth: &truth, new: &new, old: &old, positive: None };
            difference("accuracy", pair).against(0.02)
        };
        assert_eq!(standing(0), Standing::Undecided);
        assert_eq!(standing(3), Standing::Undecided);
        assert_eq!(standing(8), Standing::Worse);
    }

    /// Equal models, 400 times by McNemar and 100 times by each of the others, on few rows and with few of
    /// the class.
    #[test]
    fn an_equal_model_is_called_worse_at_most_one_time_in_twenty() {
        let worse = |metric: &str, runs: u64, rows: usize| {
            let one = |run| {
                let mut random = FastRandom::new(3, run);
                let rows = truth(rows, &mut random);
                let new = predictions(&rows, 0.3, &mut random);
                let old = predictions(&rows, 0.3, &mut random);
                let (truth, task) = (labels(rows.iter().copied()), Task::Classification);
                let pair =
                    Pair { task, truth: &truth, new: &new, old: &old, positive: Some("yes") };
                difference(metric, pair).against(0.0) == Standing::Worse
            };
            (0..runs).filter(|run| one(*run)).count()
        };
        // Of 400 with a chance of 5 %, 29 or more are seen one time in fifty; of 100, 10.
        assert!(worse("accuracy", 400, 200) <= 28);
        assert!(worse("roc_auc", 400, 200) <= 28);
        for metric in ["f1", "average_precision", "brier"] {
            assert!(worse(metric, 100, 120) <= 10, "{metric}");
        }
    }

    #[test]
    fn all_names_are_metrics_of_some_task() {
        let of = |task| metrics_of(task, true);
        let all = [of(Task::Classification), of(Task::Regression)].concat();
        assert!(METRICS.iter().all(|metric| all.contains(metric)));
    }
}
