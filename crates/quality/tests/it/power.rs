//! A loss is found, and quiet days stay quiet: by simulation, with 5,000 rows a day.

use trainyard_base::random::FastRandom;
use trainyard_quality::estimate::Cbpe;
use trainyard_quality::interval::wilson;
use trainyard_quality::metrics::{Judged, Probabilities};
use trainyard_quality::{Measured, Standing, quality, standing};

const ROWS: usize = 5_000;
/// As `trainyard quality` has it.
const MARGIN: f64 = 0.005;

/// Uniform between 0 and 1.
fn uniform(random: &mut FastRandom) -> f64 {
    random.below(1 << 30) as f64 / f64::from(1 << 30)
}

/// Whether a day of labels with this accuracy is worse than 0.9.
fn is_worse(accuracy: f64, random: &mut FastRandom) -> bool {
    let right = (0..ROWS).filter(|_| uniform(random) < accuracy).count() as f64;
    let interval = Some(wilson::interval(right, ROWS as f64, 1.959963984540054));
    let measured = Measured { metric: "accuracy", value: right / ROWS as f64, interval };
    standing(&measured, ROWS, Some(0.9), MARGIN) == Standing::Worse
}

#[test]
fn labels_show_a_loss_of_two_points_within_two_days_and_none_on_quiet_ones() {
    let mut random = FastRandom::new(41, 0);
    let alarms = (0..100).filter(|_| is_worse(0.9, &mut random)).count();
    assert!(alarms <= 1, "{alarms} of 100 quiet days");
    let found =
        (0..10).filter(|_| is_worse(0.88, &mut random) || is_worse(0.88, &mut random)).count();
    assert!(found >= 9, "{found} of 10 losses");
}

/// Rows of a model that is right about how sure it is: the wider the logits, the more sure.
struct Day {
    truth: Vec<String>,
    predicted: Vec<String>,
    known: Probabilities,
}

fn day(rows: usize, width: f64, random: &mut FastRandom) -> Day {
    let label = |is_class: bool| u8::from(is_class).to_string();
    let (mut truth, mut predicted, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let score = 1.0 / (1.0 + (width * (1.0 - 2.0 * uniform(random))).exp());
        truth.push(label(uniform(random) < score));
        predicted.push(label(score > 0.5));
        values.extend([1.0 - score, score]);
    }
    let classes = vec![label(false), label(true)];
    Day { truth, predicted, known: Probabilities { classes, values, epsilon: f64::EPSILON } }
}

#[test]
fn inputs_on_which_a_model_is_less_sure_are_found_without_labels() {
    let mut random = FastRandom::new(43, 0);
    let reference = day(20_000, 6.0, &mut random);
    let judged = Judged::Classes {
        truth: &reference.truth,
        predicted: &reference.predicted,
        probabilities: Some(&reference.known),
        positive: Some("1"),
    };
    let cbpe = Cbpe::fit(&judged).unwrap().unwrap();
    let right = reference.truth.iter().zip(&reference.predicted).filter(|(t, p)| t == p).count();
    let before = right as f64 / 20_000.0;
    let mut count = |width: f64, days: usize| {
        let is_found = |_: &usize| {
            let day = day(ROWS, width, &mut random);
            let estimates = cbpe.estimate(&day.predicted, &day.known).unwrap();
            let accuracy = estimates.iter().find(|found| found.metric == "accuracy").unwrap();
            accuracy.high < before - MARGIN
        };
        (0..days).filter(is_found).count()
    };
    assert_eq!(count(6.0, 20), 0, "quiet days");
    // Two and a half points less.
    let found = count(4.9, 10);
    assert!(found >= 9, "{found} of 10 losses");
}

#[test]
fn every_metric_of_a_day_has_an_interval_around_it() {
    let mut random = FastRandom::new(47, 0);
    let day = day(ROWS, 6.0, &mut random);
    let judged = Judged::Classes {
        truth: &day.truth,
        predicted: &day.predicted,
        probabilities: Some(&day.known),
        positive: Some("1"),
    };
    let found = quality(&judged).unwrap();
    assert_eq!(found.metrics.len(), 14, "{found:?}");
    for measured in &found.metrics {
        let (low, high) = measured.interval.unwrap();
        assert!(low < measured.value && measured.value < high, "{measured:?}");
        assert!(high - low < 0.1, "{measured:?}");
    }
}
