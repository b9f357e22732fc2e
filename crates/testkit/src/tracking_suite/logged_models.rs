//! Logged models: life, params, tags, metrics, search.

use trainyard_mlflow::entities::{LoggedModelStatus, Metric, ModelInput, ModelOutput};
use trainyard_mlflow::{
    CreateLoggedModel, ErrorCode, LogBatch, OrderLoggedModels, SearchLoggedModels, Tracking,
};

use super::assertions::{assert_refused, own};
use super::fixtures::{new_experiment, new_run, pair};

/// Everything about logged models.
pub async fn logged_models(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let run_id = new_run(tracking, &experiment_id).await.info.run_id;
    let model = tracking
        .logged_models
        .create(CreateLoggedModel {
            experiment_id: experiment_id.clone(),
            name: Some("model".to_owned()),
            model_type: Some("forest".to_owned()),
            source_run_id: Some(run_id.clone()),
            params: vec![pair("depth", "3")],
            tags: vec![pair("k", "v")],
        })
        .await
        .unwrap();
    let model_id = model.info.model_id.clone();
    assert!(model_id.starts_with("m-") && model_id.len() == 34, "{model_id}");
    assert_eq!(model.info.status, LoggedModelStatus::Pending);
    let root = format!("/{experiment_id}/models/{model_id}/artifacts");
    assert!(model.info.artifact_uri.ends_with(&root), "{}", model.info.artifact_uri);
    let ready = tracking.logged_models.finalize(&model_id, LoggedModelStatus::Ready).await.unwrap();
    assert_eq!(ready.info.status, LoggedModelStatus::Ready);

    tracking
        .logged_models
        .set_tags(&model_id, vec![pair("k", "w"), pair("a/b c", "1")])
        .await
        .unwrap();
    tracking.logged_models.delete_tag(&model_id, "a/b c").await.ok();
    tracking.logged_models.set_tags(&model_id, vec![pair("x", "1")]).await.unwrap();
    tracking.logged_models.delete_tag(&model_id, "x").await.unwrap();
    let absent = tracking.logged_models.delete_tag(&model_id, "x").await;
    assert_refused(absent, ErrorCode::ResourceDoesNotExist, "x");
    tracking.logged_models.log_params(&model_id, vec![pair("trees", "100")]).await.unwrap();

    let output = ModelOutput { model_id: model_id.clone(), step: 2 };
    tracking.runs.log_outputs(&run_id, vec![output.clone()]).await.unwrap();
    let run = tracking.runs.get(&run_id).await.unwrap();
    assert_eq!(run.outputs.model_outputs, [output]);
    let other = new_run(tracking, &experiment_id).await.info.run_id;
    let input = ModelInput { model_id: model_id.clone() };
    tracking.runs.log_inputs(&other, Vec::new(), vec![input.clone()]).await.unwrap();
    assert_eq!(tracking.runs.get(&other).await.unwrap().inputs.model_inputs, [input]);

    let metric = Metric {
        model_id: Some(model_id.clone()),
        dataset_name: Some("holdout".to_owned()),
        dataset_digest: Some("d1".to_owned()),
        ..Metric::new("acc", 0.9, 10, 2)
    };
    let batch = LogBatch { metrics: vec![metric], ..LogBatch::default() };
    tracking.runs.log_batch(&run_id, batch).await.unwrap();

    let model = tracking.logged_models.get(&model_id).await.unwrap();
    assert_eq!(model.info.name, "model");
    assert_eq!(model.info.model_type.as_deref(), Some("forest"));
    assert_eq!(model.info.source_run_id.as_deref(), Some(run_id.as_str()));
    let tags = own(&model.info.tags);
    assert!(tags.contains(&("k".to_owned(), "w".to_owned())), "{tags:?}");
    assert_eq!(own(&model.data.params), own(&[pair("depth", "3"), pair("trees", "100")]));
    let metric = model.data.metrics.iter().find(|metric| metric.key == "acc").unwrap();
    assert_eq!((metric.value, metric.step), (0.9, 2));
    assert_eq!(metric.dataset_name.as_deref(), Some("holdout"));

    let missing = tracking.logged_models.get("m-none").await;
    assert_refused(missing, ErrorCode::ResourceDoesNotExist, "m-none");
    let bad = CreateLoggedModel {
        experiment_id: experiment_id.clone(),
        name: Some("a/b".to_owned()),
        ..CreateLoggedModel::default()
    };
    assert_refused(tracking.logged_models.create(bad).await, ErrorCode::InvalidParameterValue, "");
    search(tracking, &experiment_id, &model_id).await;

    tracking.logged_models.delete(&model_id).await.unwrap();
    let deleted = tracking.logged_models.get(&model_id).await;
    assert_refused(deleted, ErrorCode::ResourceDoesNotExist, &model_id);
}

async fn search(tracking: &Tracking, experiment_id: &str, model_id: &str) {
    let nameless = tracking
        .logged_models
        .create(CreateLoggedModel {
            experiment_id: experiment_id.to_owned(),
            params: vec![pair("depth", "9")],
            ..CreateLoggedModel::default()
        })
        .await
        .unwrap();
    assert!(!nameless.info.name.is_empty(), "a name is made up");
    let second = nameless.info.model_id;
    let search = |filter: &str| SearchLoggedModels {
        experiment_ids: vec![experiment_id.to_owned()],
        filter: filter.to_owned(),
        ..SearchLoggedModels::default()
    };
    for (filter, expected) in [
        ("", vec![second.as_str(), model_id]),
        ("name = 'model'", vec![model_id]),
        ("attributes.name LIKE 'mod%' AND params.depth = '3'", vec![model_id]),
        ("params.depth = '9'", vec![second.as_str()]),
        ("metrics.acc > 0.5", vec![model_id]),
        ("metrics.acc > 0.95", vec![]),
        ("tags.k = 'w'", vec![model_id]),
    ] {
        let found = tracking.logged_models.search(search(filter)).await.unwrap();
        let found: Vec<&str> =
            found.items.iter().map(|model| model.info.model_id.as_str()).collect();
        let (mut found, mut expected) = (found, expected);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{filter}");
    }
    let mut paged = search("");
    paged.max_results = Some(1);
    paged.order_by = vec![OrderLoggedModels {
        field_name: "metrics.acc".to_owned(),
        ascending: false,
        dataset_name: None,
        dataset_digest: None,
    }];
    let first = tracking.logged_models.search(paged.clone()).await.unwrap();
    assert_eq!(first.items[0].info.model_id, model_id);
    paged.page_token = first.next_page_token;
    assert!(paged.page_token.is_some());
    let next = tracking.logged_models.search(paged).await.unwrap();
    assert_eq!(next.items[0].info.model_id, second);
    assert_eq!(next.next_page_token, None);
}
