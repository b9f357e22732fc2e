//! Metrics: latest values, histories, the numbers that are none.

use trainyard_mlflow::entities::Metric;
use trainyard_mlflow::{ErrorCode, FindExtremes, LogBatch, MetricHistoryPage, StepValue, Tracking};

use super::assertions::assert_refused;
use super::fixtures::{new_experiment, new_run};

/// Which value is the latest, NaN and the infinities, what is refused.
pub async fn metrics(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let run_id = new_run(tracking, &experiment_id).await.info.run_id;
    let log = |key: &str, value: f64, timestamp: i64, step: i64| {
        let metric = Metric::new(key, value, timestamp, step);
        let run_id = run_id.clone();
        async move { tracking.runs.log_metric(&run_id, metric).await }
    };
    // The higher step wins over the later time, then the later time, then the greater value.
    for (key, values, latest) in [
        ("step", vec![(1.0, 10, 5), (2.0, 20, 4)], 1.0),
        ("time", vec![(1.0, 10, 5), (2.0, 20, 5), (3.0, 15, 5)], 2.0),
        ("value", vec![(2.0, 10, 5), (1.0, 10, 5)], 2.0),
        ("negative step", vec![(1.0, 10, -2), (2.0, 10, -1)], 2.0),
        ("dir/name.x-y", vec![(1.5, 0, 0)], 1.5),
        ("Ünicode 1", vec![(1.5, 0, 0)], 1.5),
        ("tiny", vec![(5e-324, 0, 0)], 5e-324),
        ("digits", vec![(0.1 + 0.2, 0, 0)], 0.1 + 0.2),
        ("infinite", vec![(f64::INFINITY, 0, 0)], f64::MAX),
        ("minus infinite", vec![(f64::NEG_INFINITY, 0, 0)], -f64::MAX),
    ] {
        for (value, timestamp, step) in values {
            log(key, value, timestamp, step).await.unwrap();
        }
        let run = tracking.runs.get(&run_id).await.unwrap();
        assert_eq!(run.data.metric(key), Some(latest), "{key}");
    }
    log("nan", f64::NAN, 7, 3).await.unwrap();
    let run = tracking.runs.get(&run_id).await.unwrap();
    let nan = run.data.metrics.iter().find(|metric| metric.key == "nan").unwrap();
    assert!(nan.value.is_nan(), "{nan:?}");
    assert_eq!((nan.timestamp, nan.step), (7, 3));

    let invalid = ErrorCode::InvalidParameterValue;
    assert_refused(log("bad$name", 1.0, 1, 1).await, invalid, "bad$name");
    assert_refused(log("../up", 1.0, 1, 1).await, invalid, "../up");
    assert_refused(log("", 1.0, 1, 1).await, invalid, "");
    assert_refused(log("t", 1.0, -1, 1).await, invalid, "");
    let nowhere = tracking.runs.log_metric(&"f".repeat(32), Metric::new("a", 1.0, 1, 1)).await;
    assert_refused(nowhere, ErrorCode::ResourceDoesNotExist, &"f".repeat(32));
}

/// Order, duplicates and pages of a metric's history.
pub async fn metric_history(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let run_id = new_run(tracking, &experiment_id).await.info.run_id;
    let metrics: Vec<Metric> = (0..25)
        .map(|n| Metric::new("loss", f64::from(n), 100 - i64::from(n % 5), i64::from(n / 5)))
        .collect();
    tracking.runs.log_batch(&run_id, LogBatch { metrics, ..LogBatch::default() }).await.unwrap();
    // The same row again is no second row.
    tracking.runs.log_metric(&run_id, Metric::new("loss", 24.0, 96, 4)).await.unwrap();
    let nan = Metric::new("loss", f64::NAN, 200, 0);
    tracking.runs.log_metric(&run_id, nan).await.unwrap();

    let everything = MetricHistoryPage::default();
    let history = tracking.runs.metric_history(&run_id, "loss", everything).await.unwrap();
    assert_eq!(history.items.len(), 26);
    assert_eq!(history.next_page_token, None);
    let order: Vec<(i64, i64)> =
        history.items.iter().map(|metric| (metric.timestamp, metric.step)).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(history.items[25].value.is_nan());

    let mut page = MetricHistoryPage { max_results: Some(10), page_token: None };
    let mut sizes = Vec::new();
    loop {
        let answer = tracking.runs.metric_history(&run_id, "loss", page.clone()).await.unwrap();
        sizes.push(answer.items.len());
        let Some(token) = answer.next_page_token else { break };
        page.page_token = Some(token);
    }
    assert_eq!(sizes, [10, 10, 6]);

    let everything = MetricHistoryPage::default();
    let none = tracking.runs.metric_history(&run_id, "no such", everything).await.unwrap();
    assert_eq!(none.items, []);
}

/// The smallest and the largest value of histories, and values as they stood at a step.
pub async fn metric_extremes(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let run_id = new_run(tracking, &experiment_id).await.info.run_id;
    let other = new_run(tracking, &experiment_id).await.info.run_id;
    // A loss that is smallest at step 3, and an accuracy that is logged every second step, twice.
    let loss = [5.0, f64::NAN, 3.0, 1.0, 1.0, 2.0, 4.0];
    let steps = || (0..).zip(loss);
    let mut metrics: Vec<Metric> =
        steps().map(|(step, value)| Metric::new("loss", value, 10 + step, step)).collect();
    for step in [0, 2, 4] {
        let value = f64::from(i32::try_from(step).unwrap()) / 10.0;
        metrics.push(Metric::new("acc", value, 20 + step, step));
        metrics.push(Metric::new("acc", value + 0.05, 30 + step, step));
    }
    tracking.runs.log_batch(&run_id, LogBatch { metrics, ..LogBatch::default() }).await.unwrap();
    tracking.runs.log_metric(&other, Metric::new("loss", f64::NAN, 1, 1)).await.unwrap();
    let find = |key: &str, values_max: usize| {
        let run_ids = vec![other.clone(), run_id.clone()];
        tracking.runs.extremes(FindExtremes { run_ids, key: key.to_owned(), values_max })
    };
    let found = find("loss", 100).await.unwrap();
    assert_eq!((found.len(), found[0]), (2, None), "no number is no extreme");
    let all = found[1].unwrap();
    assert_eq!(all.min, StepValue { step: 3, value: 1.0 });
    assert_eq!((all.max, all.is_whole), (StepValue { step: 0, value: 5.0 }, true));
    let part = find("loss", 5).await.unwrap()[1].unwrap();
    assert!(!part.is_whole && part.min.value >= 1.0 && part.max.value <= 5.0, "{part:?}");
    assert_eq!(find("no such", 5).await.unwrap(), [None, None]);

    let at = [(&run_id, 3), (&other, 3), (&run_id, 4), (&run_id, -1), (&run_id, i64::MAX)];
    let at = at.map(|(run_id, step)| (run_id.clone(), step)).to_vec();
    let found = tracking.runs.values_at("acc", at).await.unwrap();
    let stood = |step, value| Some(StepValue { step, value });
    assert_eq!(found, [stood(2, 0.25), None, stood(4, 0.45), None, stood(4, 0.45)]);
}
