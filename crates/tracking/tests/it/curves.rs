//! What is drawn of a metric's history, beside the history itself.

use trainyard_mlflow::entities::{Metric, Param};
use trainyard_mlflow::{
    Curve, CurvePoint, DrawCurve, Extent, LogBatch, MetricHistoryPage, SearchRuns, Tracking,
    Wanted, WantedValues,
};

use crate::store::{Store, create_run};

const KEY: &str = "loss";

/// Values as (step, timestamp, value).
type Values = Vec<(i64, i64, f64)>;

async fn logged(store: &Tracking, values: &Values) -> String {
    let run_id = create_run(store, "0", 1).await;
    let metric =
        |(step, timestamp, value): &(i64, i64, f64)| Metric::new(KEY, *value, *timestamp, *step);
    for values in values.chunks(1000) {
        let metrics = values.iter().map(metric).collect();
        store.runs.log_batch(&run_id, LogBatch { metrics, ..LogBatch::default() }).await.unwrap();
    }
    run_id
}

const fn asked(whole_max: usize, steps_max: usize) -> DrawCurve {
    DrawCurve { steps: None, whole_max, steps_max, is_log: false }
}

async fn curve(store: &Tracking, run_id: &str, asked: DrawCurve) -> Curve {
    store.runs.curve(run_id, KEY, asked).await.unwrap()
}

fn steps(curve: &Curve) -> Vec<i64> {
    curve.points.iter().map(|point| point.step).collect()
}

/// The same for NaN, which is not itself.
fn bits(points: &[CurvePoint]) -> Vec<(i64, i64, u64)> {
    points.iter().map(|point| (point.step, point.timestamp, point.value.to_bits())).collect()
}

/// What every database must answer.
pub(crate) async fn curves(store: &Tracking) {
    short_ones_are_whole(store).await;
    long_ones_are_thinned(store).await;
    values_may_share_a_step(store).await;
    steps_may_be_far_apart(store).await;
}

/// With NaN, infinities and peaks, in the order of steps whatever that of times is.
/// Values of some keys are read alone, whether few runs have the key or many more than are asked for.
pub(crate) async fn values_alone(store: &Tracking) {
    let experiment = store.experiments.create("values alone", None, &[]).await.unwrap();
    let text = "é".repeat(300);
    for number in 0..9_i32 {
        let run_id = create_run(store, &experiment, i64::from(number)).await;
        let value = if number == 8 { f64::NAN } else { f64::from(number) };
        let metrics = ["drawn", "other"].map(|key| Metric::new(key, value, 1, 7)).into();
        let params = vec![Param::new("drawn", &text), Param::new("other", "1")];
        let tags = vec![Param::new("drawn", number.to_string())];
        store.runs.log_batch(&run_id, LogBatch { metrics, params, tags }).await.unwrap();
    }
    let keys = vec!["drawn".to_owned(), "none".to_owned()];
    let wanted = WantedValues { metrics: keys.clone(), params: keys.clone(), tags: keys };
    for most in [1, 9] {
        let search = SearchRuns {
            experiment_ids: vec![experiment.clone()],
            order_by: vec!["attributes.start_time DESC".to_owned()],
            max_results: Some(most),
            ..SearchRuns::default()
        };
        let found = store.runs.search_for(search, Wanted::Values(wanted.clone())).await.unwrap();
        assert_eq!((found.items.len() as i64, found.next_page_token.is_some()), (most, most == 1));
        for (run, number) in found.items.iter().zip((0..9).rev()) {
            let data = &run.data;
            assert_eq!(
                (data.metrics.len(), data.params.len(), data.tags.len()),
                (1, 1, 1),
                "{data:?}"
            );
            let value = data.metrics[0].value;
            assert!(
                if number == 8 { value.is_nan() } else { value == f64::from(number) },
                "{data:?}"
            );
            assert_eq!(data.params[0].value, "é".repeat(250));
            assert_eq!(data.tags[0].value, number.to_string());
        }
    }
}

async fn short_ones_are_whole(store: &Tracking) {
    let mut values: Values = (0..300).map(|step| (step, 10_000 - step, 0.5)).collect();
    values[17].2 = 1e9;
    values[18].2 = -1e9;
    values[100].2 = f64::NAN;
    values[101].2 = f64::INFINITY;
    values[102].2 = f64::NEG_INFINITY;
    let run_id = logged(store, &values).await;
    let whole = curve(store, &run_id, asked(300, 10)).await;
    assert_eq!((steps(&whole), whole.extent), ((0..300).collect(), Extent::Whole));
    let page = MetricHistoryPage::default();
    let history = store.runs.metric_history(&run_id, KEY, page).await.unwrap().items;
    let mut history: Vec<CurvePoint> = history.iter().map(CurvePoint::from).collect();
    history.reverse();
    assert_eq!(bits(&whole.points), bits(&history));
    let value = |step: usize| whole.points[step].value;
    assert_eq!([value(17), value(18), value(101), value(102)], [1e9, -1e9, f64::MAX, -f64::MAX]);
    assert!(value(100).is_nan());

    let part = DrawCurve { steps: Some((90, 110)), ..asked(30, 10) };
    let part = curve(store, &run_id, part).await;
    assert_eq!((steps(&part), part.extent), ((90..=110).collect(), Extent::Whole));
    let nowhere = DrawCurve { steps: Some((5_000, 6_000)), ..asked(30, 10) };
    assert!(curve(store, &run_id, nowhere).await.points.is_empty());
    let one = logged(store, &vec![(7, 1, 2.5)]).await;
    let point = CurvePoint { step: 7, timestamp: 1, value: 2.5 };
    for asked in [asked(1, 2), asked(0, 0), asked(100, 50)] {
        let curve = curve(store, &one, asked).await;
        assert_eq!((curve.points, curve.extent), (vec![point], Extent::Whole));
    }
    let unknown = store.runs.curve(&one, "no such", asked(9, 9)).await.unwrap();
    assert!(unknown.points.is_empty() && unknown.extent == Extent::Whole);
}

/// Of the steps some, evenly, and both ends, with what they hold.
async fn long_ones_are_thinned(store: &Tracking) {
    let mut values: Values = (-1000..=1000).map(|step| (step, 5_000 + step, step as f64)).collect();
    values[0].2 = f64::NAN;
    values[2000].2 = f64::INFINITY;
    let run_id = logged(store, &values).await;
    let thinned = curve(store, &run_id, asked(500, 101)).await;
    assert_eq!(thinned.extent, Extent::Thinned);
    assert_eq!(steps(&thinned), (-1000..=1000).step_by(20).collect::<Vec<i64>>());
    assert!(thinned.points[0].value.is_nan());
    assert_eq!(thinned.points[100].value, f64::MAX);
    let between = &thinned.points[1..100];
    let are_logged = between
        .iter()
        .all(|point| point.value == point.step as f64 && point.timestamp == 5_000 + point.step);
    assert!(are_logged, "{between:?}");

    let part = DrawCurve { steps: Some((0, 600)), ..asked(100, 4) };
    assert_eq!(steps(&curve(store, &run_id, part).await), [0, 200, 400, 600]);
    let log = DrawCurve { is_log: true, steps: Some((1, 1000)), ..asked(100, 4) };
    assert_eq!(steps(&curve(store, &run_id, log).await), [1, 10, 100, 1000]);
}

async fn values_may_share_a_step(store: &Tracking) {
    // All of them one: a metric that was logged without steps.
    let values: Values = (0..300).map(|n| (0, 1_000 - n, n as f64)).collect();
    let run_id = logged(store, &values).await;
    let whole = curve(store, &run_id, asked(300, 10)).await;
    assert_eq!((whole.points.len(), whole.extent), (300, Extent::Whole));
    assert!(whole.points.is_sorted_by_key(|point| point.timestamp));
    let cut = curve(store, &run_id, asked(100, 10)).await;
    assert_eq!((cut.points.len(), cut.extent), (100, Extent::Cut));

    // Ten of fifty steps each.
    let values: Values = (0..500).map(|n| (n / 10, n, n as f64)).collect();
    let run_id = logged(store, &values).await;
    let thinned = curve(store, &run_id, asked(400, 8)).await;
    assert_eq!((thinned.points.len(), thinned.extent), (80, Extent::Thinned));
    let values: Vec<f64> = thinned.points.iter().map(|point| point.value).collect();
    let of_steps = [0, 7, 14, 21, 28, 35, 42, 49].into_iter();
    let all: Vec<f64> =
        of_steps.flat_map(|step| (0..10).map(move |n| f64::from(10 * step + n))).collect();
    assert_eq!(values, all);
}

/// Steps are looked up where there are some, each once.
async fn steps_may_be_far_apart(store: &Tracking) {
    let mut values: Values = (0..100).map(|step| (step, step, 1.0)).collect();
    values.push((1_000_000, 1_000_000, 2.0));
    let run_id = logged(store, &values).await;
    let thinned = curve(store, &run_id, asked(50, 10)).await;
    assert_eq!((steps(&thinned), thinned.extent), (vec![0, 1_000_000], Extent::Thinned));
    // Few values are whole, however far apart.
    let whole = curve(store, &run_id, asked(101, 10)).await;
    assert_eq!((whole.points.len(), whole.extent), (101, Extent::Whole));
    let ends = vec![(i64::MIN, 1, 1.0), (0, 2, 2.0), (i64::MAX, 3, 3.0)];
    let run_id = logged(store, &ends).await;
    let thinned = curve(store, &run_id, asked(2, 3)).await;
    assert_eq!(steps(&thinned), [i64::MIN, 0, i64::MAX]);
}

#[tokio::test]
async fn a_curve_is_a_history_with_fewer_values() {
    let Store { store, folder: _folder } = Store::new();
    curves(&store).await;
    values_alone(&store).await;
}
