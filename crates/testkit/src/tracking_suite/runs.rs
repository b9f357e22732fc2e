//! Runs: life, params, tags, batches, datasets, search.

use trainyard_mlflow::entities::{
    Dataset, DatasetInput, LifecycleStage, Metric, Param, RunStatus, Tag, ViewType,
};
use trainyard_mlflow::{CreateRun, ErrorCode, LogBatch, SearchRuns, Tracking, UpdateRun};

use super::assertions::{assert_refused, own};
use super::fixtures::{new_experiment, new_run, pair, unique};

/// Create, log, update, delete, restore; and what is refused.
pub async fn runs(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let created = tracking
        .runs
        .create(CreateRun {
            experiment_id: experiment_id.clone(),
            user_id: "tester".to_owned(),
            run_name: Some("first".to_owned()),
            start_time: 1_700_000_000_123,
            tags: vec![pair("k", "v")],
        })
        .await
        .unwrap();
    let run_id = created.info.run_id.clone();
    assert_eq!(run_id.len(), 32, "{run_id}");
    assert_eq!(created.info.run_name, "first");
    assert_eq!(created.info.user_id, "tester");
    assert_eq!(created.info.start_time, Some(1_700_000_000_123));
    assert_eq!(created.info.end_time, None);
    assert_eq!(created.info.status, RunStatus::Running);
    assert!(created.info.artifact_uri.ends_with(&format!("/{experiment_id}/{run_id}/artifacts")));
    assert_eq!(Tag::find(&created.data.tags, "mlflow.runName"), Some("first"));
    assert_eq!(own(&created.data.tags), own(&[pair("k", "v")]));

    tracking.runs.log_param(&run_id, pair("depth", "3")).await.unwrap();
    tracking.runs.log_param(&run_id, pair("depth", "3")).await.unwrap();
    let changed = tracking.runs.log_param(&run_id, pair("depth", "4")).await;
    assert_refused(changed, ErrorCode::InvalidParameterValue, "depth");
    tracking.runs.log_param(&run_id, pair("long", &"x".repeat(7000))).await.unwrap();
    tracking.runs.set_tag(&run_id, pair("k", "w")).await.unwrap();
    tracking.runs.set_tag(&run_id, pair("mlflow.runName", "second")).await.unwrap();
    tracking.runs.set_tag(&run_id, pair("gone", "x")).await.unwrap();
    tracking.runs.delete_tag(&run_id, "gone").await.unwrap();
    let absent = tracking.runs.delete_tag(&run_id, "gone").await;
    assert_refused(absent, ErrorCode::ResourceDoesNotExist, "gone");

    let run = tracking.runs.get(&run_id).await.unwrap();
    assert_eq!(run.info.run_name, "second");
    assert_eq!(own(&run.data.tags), own(&[pair("k", "w")]));
    assert_eq!(Param::find(&run.data.params, "depth"), Some("3"));
    // Longer values are cut off, not refused.
    assert_eq!(Param::find(&run.data.params, "long").map(str::len), Some(6000));

    let info = tracking
        .runs
        .update(UpdateRun {
            run_id: run_id.clone(),
            status: Some(RunStatus::Finished),
            end_time: Some(1_700_000_001_000),
            run_name: Some("third".to_owned()),
        })
        .await
        .unwrap();
    assert_eq!(info.status, RunStatus::Finished);
    assert_eq!(info.end_time, Some(1_700_000_001_000));
    assert_eq!(info.run_name, "third");
    let run = tracking.runs.get(&run_id).await.unwrap();
    assert_eq!(Tag::find(&run.data.tags, "mlflow.runName"), Some("third"));

    tracking.runs.delete(&run_id).await.unwrap();
    tracking.runs.delete(&run_id).await.unwrap();
    let deleted = tracking.runs.get(&run_id).await.unwrap();
    assert_eq!(deleted.info.lifecycle_stage, LifecycleStage::Deleted);
    let logged = tracking.runs.log_param(&run_id, pair("a", "b")).await;
    assert_refused(logged, ErrorCode::InvalidParameterValue, "active");
    tracking.runs.restore(&run_id).await.unwrap();
    tracking.runs.log_param(&run_id, pair("a", "b")).await.unwrap();

    let missing = tracking.runs.get(&"0".repeat(32)).await;
    assert_refused(missing, ErrorCode::ResourceDoesNotExist, &"0".repeat(32));
    let odd = tracking.runs.log_param(&run_id, pair("a$b", "1")).await;
    assert_refused(odd, ErrorCode::InvalidParameterValue, "a$b");
    batches(tracking, &run_id).await;
    deletion_with_the_experiment(tracking).await;
}

async fn batches(tracking: &Tracking, run_id: &str) {
    let batch = LogBatch {
        metrics: (0..100)
            .map(|step| Metric::new("loss", 1.0 / f64::from(step + 1), 5, i64::from(step)))
            .collect(),
        params: (0..50).map(|n| pair(&format!("p{n}"), "1")).collect(),
        tags: vec![pair("batch", "yes")],
    };
    tracking.runs.log_batch(run_id, batch.clone()).await.unwrap();
    // The second time changes nothing: that is what makes it safe to repeat.
    tracking.runs.log_batch(run_id, batch).await.unwrap();
    let run = tracking.runs.get(run_id).await.unwrap();
    assert_eq!(run.data.metric("loss"), Some(0.01));
    assert_eq!(Param::find(&run.data.params, "p49"), Some("1"));
    assert_eq!(Tag::find(&run.data.tags, "batch"), Some("yes"));
    tracking.runs.log_batch(run_id, LogBatch::default()).await.unwrap();

    let metrics: Vec<Metric> = (0..1001).map(|step| Metric::new("m", 0.0, 1, step)).collect();
    let large = LogBatch { metrics, ..LogBatch::default() };
    assert_refused(
        tracking.runs.log_batch(run_id, large).await,
        ErrorCode::InvalidParameterValue,
        "1000",
    );
    let params = (0..101).map(|n| pair(&format!("q{n}"), "1")).collect();
    let large = LogBatch { params, ..LogBatch::default() };
    assert_refused(
        tracking.runs.log_batch(run_id, large).await,
        ErrorCode::InvalidParameterValue,
        "100",
    );
    let twice = LogBatch { params: vec![pair("q", "1"), pair("q", "2")], ..LogBatch::default() };
    assert_refused(
        tracking.runs.log_batch(run_id, twice).await,
        ErrorCode::InvalidParameterValue,
        "q",
    );
}

async fn deletion_with_the_experiment(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let run_id = new_run(tracking, &experiment_id).await.info.run_id;
    tracking.experiments.delete(&experiment_id).await.unwrap();
    let run = tracking.runs.get(&run_id).await.unwrap();
    assert_eq!(run.info.lifecycle_stage, LifecycleStage::Deleted);
    let refused = tracking
        .runs
        .create(CreateRun { experiment_id: experiment_id.clone(), ..CreateRun::default() })
        .await;
    assert_refused(refused, ErrorCode::InvalidParameterValue, "active");
    tracking.experiments.restore(&experiment_id).await.unwrap();
    let run = tracking.runs.get(&run_id).await.unwrap();
    assert_eq!(run.info.lifecycle_stage, LifecycleStage::Active);
}

/// Inputs of runs, and the search over them.
pub async fn datasets(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let run_id = new_run(tracking, &experiment_id).await.info.run_id;
    let input = |name: &str, context: &str| DatasetInput {
        tags: vec![pair("mlflow.data.context", context)],
        dataset: Dataset {
            name: name.to_owned(),
            digest: "abc123".to_owned(),
            source_type: "local".to_owned(),
            source: r#"{"uri": "data/train.csv"}"#.to_owned(),
            schema: Some(r#"{"columns": []}"#.to_owned()),
            profile: None,
        },
    };
    let inputs = vec![input("train", "training"), input("test", "eval")];
    tracking.runs.log_inputs(&run_id, inputs.clone(), Vec::new()).await.unwrap();
    tracking.runs.log_inputs(&run_id, inputs, Vec::new()).await.unwrap();
    let run = tracking.runs.get(&run_id).await.unwrap();
    let mut found = run.inputs.dataset_inputs.clone();
    found.sort_by(|left, right| left.dataset.name.cmp(&right.dataset.name));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1].dataset.name, "train");
    assert_eq!(found[1].dataset.source, r#"{"uri": "data/train.csv"}"#);
    assert_eq!(Tag::find(&found[0].tags, "mlflow.data.context"), Some("eval"));

    let mut summaries =
        tracking.experiments.search_datasets(std::slice::from_ref(&experiment_id)).await.unwrap();
    summaries.sort_by(|left, right| left.name.cmp(&right.name));
    assert_eq!(summaries.len(), 2);
    assert_eq!(summaries[0].name, "test");
    assert_eq!(summaries[0].digest, "abc123");
    assert_eq!(summaries[0].context.as_deref(), Some("eval"));

    let search = |filter: &str| SearchRuns {
        experiment_ids: vec![experiment_id.clone()],
        filter: filter.to_owned(),
        ..SearchRuns::default()
    };
    for (filter, count) in [
        ("dataset.name = 'train'", 1),
        ("dataset.digest LIKE 'abc%'", 1),
        ("dataset.context = 'eval'", 1),
        ("dataset.name = 'other'", 0),
    ] {
        let found = tracking.runs.search(search(filter)).await.unwrap();
        assert_eq!(found.items.len(), count, "{filter}");
    }
}

/// The filter grammar, orders, views and pages.
pub async fn run_search(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let group = unique("g");
    let mut ids = Vec::new();
    for n in 0..6_i32 {
        let run = tracking
            .runs
            .create(CreateRun {
                experiment_id: experiment_id.clone(),
                user_id: "tester".to_owned(),
                run_name: Some(format!("run {n}")),
                start_time: 1_000 + i64::from(n),
                tags: vec![pair("group", &group), pair("my tag", &format!("T{n}"))],
            })
            .await
            .unwrap();
        let run_id = run.info.run_id;
        let value = if n == 5 { f64::NAN } else { f64::from(n) / 10.0 };
        // Run 4 has no metric; run 5 has NaN.
        if n != 4 {
            tracking.runs.log_metric(&run_id, Metric::new("acc", value, 1, 0)).await.unwrap();
        }
        tracking.runs.log_param(&run_id, pair("depth", &n.to_string())).await.unwrap();
        ids.push(run_id);
    }
    tracking.runs.delete(&ids[0]).await.unwrap();
    let status = UpdateRun {
        run_id: ids[1].clone(),
        status: Some(RunStatus::Finished),
        end_time: Some(2_000),
        run_name: None,
    };
    tracking.runs.update(status).await.unwrap();

    let search = |filter: &str, order_by: &[&str], view_type| SearchRuns {
        experiment_ids: vec![experiment_id.clone()],
        filter: filter.to_owned(),
        order_by: order_by.iter().map(|&clause| clause.to_owned()).collect(),
        view_type,
        ..SearchRuns::default()
    };
    let by_id = format!("run_id IN ('{}', '{}')", ids[1], ids[2]);
    let active = ViewType::ActiveOnly;
    for (filter, order_by, view, expected) in [
        ("", vec![], active, vec![5, 4, 3, 2, 1]),
        ("", vec![], ViewType::All, vec![5, 4, 3, 2, 1, 0]),
        ("", vec![], ViewType::DeletedOnly, vec![0]),
        ("metrics.acc > 0.15", vec![], active, vec![3, 2]),
        ("metrics.acc >= 0.1 and metrics.acc < 0.3", vec!["metrics.acc ASC"], active, vec![1, 2]),
        ("metric.acc != 0.1", vec![], active, vec![5, 3, 2]),
        ("params.depth = '3'", vec![], active, vec![3]),
        ("params.depth != '3'", vec!["params.depth DESC"], active, vec![5, 4, 2, 1]),
        ("tags.group = \"no\"", vec![], active, vec![]),
        ("tags.`my tag` LIKE 'T%' AND tags.\"my tag\" ILIKE 't2'", vec![], active, vec![2]),
        (
            "params.nothing IS NULL AND params.depth IS NOT NULL",
            vec![],
            active,
            vec![5, 4, 3, 2, 1],
        ),
        ("attributes.status = 'FINISHED'", vec![], active, vec![1]),
        ("status != 'FINISHED' AND start_time <= 1003", vec![], active, vec![3, 2]),
        ("run_name = 'run 3'", vec![], active, vec![3]),
        ("attribute.run_name LIKE 'run%'", vec!["run_name ASC"], active, vec![1, 2, 3, 4, 5]),
        (by_id.as_str(), vec!["start_time"], active, vec![1, 2]),
        // Values first, then NaN, then missing: in both directions.
        ("", vec!["metrics.acc DESC"], active, vec![3, 2, 1, 5, 4]),
        ("", vec!["metrics.`acc` ASC"], active, vec![1, 2, 3, 5, 4]),
        ("", vec!["attributes.end_time ASC", "start_time DESC"], active, vec![1, 5, 4, 3, 2]),
    ] {
        let found = tracking.runs.search(search(filter, &order_by, view)).await.unwrap();
        let found: Vec<usize> = found
            .items
            .iter()
            .map(|run| ids.iter().position(|id| *id == run.info.run_id).unwrap())
            .collect();
        assert_eq!(found, expected, "{filter} {order_by:?} {view:?}");
    }

    run_pages(tracking, search("", &[], ViewType::All), &ids).await;
    for (filter, part) in [
        ("metrics.acc > '0.2'", "0.2"),
        ("foo.bar = 'x'", "foo"),
        ("attributes.foo = 'x'", "foo"),
        ("metrics.acc LIKE 'x'", ""),
        ("params.depth", ""),
        ("'a' = params.depth", ""),
    ] {
        let answer = tracking.runs.search(search(filter, &[], active)).await;
        assert_refused(answer, ErrorCode::InvalidParameterValue, part);
    }
    for order_by in ["metrics.acc foo", "nonsense", "foo.bar ASC"] {
        let answer = tracking.runs.search(search("", &[order_by], active)).await;
        assert_refused(answer, ErrorCode::InvalidParameterValue, "");
    }
    let nowhere =
        SearchRuns { experiment_ids: vec!["999999999".to_owned()], ..SearchRuns::default() };
    assert_eq!(tracking.runs.search(nowhere).await.unwrap().items, []);
    assert_eq!(tracking.runs.search(SearchRuns::default()).await.unwrap().items, []);
}

async fn run_pages(tracking: &Tracking, mut paged: SearchRuns, ids: &[String]) {
    paged.max_results = Some(4);
    let first = tracking.runs.search(paged.clone()).await.unwrap();
    assert_eq!(first.items.len(), 4);
    paged.page_token = first.next_page_token;
    assert!(paged.page_token.is_some());
    let second = tracking.runs.search(paged.clone()).await.unwrap();
    assert_eq!((second.items.len(), second.next_page_token), (2, None));
    assert_eq!(second.items[1].info.run_id, ids[0]);
    // A page that is exactly full is the last one.
    paged.max_results = Some(6);
    paged.page_token = None;
    assert_eq!(tracking.runs.search(paged).await.unwrap().next_page_token, None);
}
