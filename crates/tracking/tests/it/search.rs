//! All searches against a recording of upstream's answers, and what goes beyond upstream.

use serde::Deserialize;
use trainyard_mlflow::entities::{Dataset, Metric, Param, Tag, ViewType};
use trainyard_mlflow::{
    CreateLoggedModel, CreateModelVersion, CreateRun, DatasetFilter, Error, LogBatch,
    OrderLoggedModels, SearchExperiments, SearchLoggedModels, SearchModelVersions,
    SearchRegisteredModels, SearchRuns, Tracking, VersionId,
};

use crate::store::Store;

/// Filters that upstream refuses and this store answers: what goes beyond it.
const BEYOND_UPSTREAM: &[&str] = &[
    "metrics.acc > 0.1 OR metrics.acc < 0.05",
    "(metrics.acc > 0.1)",
    "not metrics.acc > 1",
    "metrics.acc between 0 and 1",
    "params.lr = 0.1",
    "name = 'a' OR name = 'b'",
    "name = 'a' OR name='b'",
];

/// What upstream answers with 500, which its client repeats for minutes; here it is a 400.
const BETTER_CODE: &[&str] = &["metrics.acc desc", "foo = 1"];

#[derive(Deserialize)]
struct Recording {
    runs: Vec<RecordedRun>,
    run_searches: Vec<Search>,
    experiment_searches: Vec<Search>,
    registered_model_searches: Vec<Search>,
    model_version_searches: Vec<Search>,
    logged_model_searches: Vec<Search>,
}

#[derive(Deserialize)]
struct RecordedRun {
    create: RecordedCreate,
    batch: RecordedBatch,
}

#[derive(Deserialize)]
struct RecordedCreate {
    start_time: i64,
    run_name: String,
    user_id: String,
}

#[derive(Deserialize)]
struct RecordedBatch {
    metrics: Vec<Metric>,
    params: Vec<Param>,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    order_by: Vec<serde_json::Value>,
    max_results: Option<i64>,
    page_token: Option<String>,
    view_type: Option<ViewType>,
    #[serde(default)]
    datasets: Vec<serde_json::Value>,
    found: Option<Vec<String>>,
    next: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

impl Search {
    fn order(&self) -> Vec<String> {
        self.order_by.iter().map(|clause| clause.as_str().unwrap().to_owned()).collect()
    }

    /// Compares names in order, or code and message.
    fn check(&self, answer: Result<Vec<String>, Error>) {
        let asked = format!("{:?} ordered by {:?}", self.filter, self.order_by);
        match (answer, &self.found) {
            (Ok(found), Some(expected)) => assert_eq!(&found, expected, "{asked}"),
            (Ok(_found), None) => {
                assert!(BEYOND_UPSTREAM.contains(&self.filter.as_str()), "{asked} is no error");
            }
            (Err(error), Some(_expected)) => panic!("{asked}: {error}"),
            (Err(error), None) => {
                let better = BETTER_CODE.iter().any(|end| {
                    self.filter == *end || self.order().iter().any(|by| by.ends_with(end))
                });
                if better {
                    assert_eq!(error.code().http_status(), 400, "{asked}");
                    return;
                }
                assert_eq!(&error.code().to_string(), self.code.as_ref().unwrap(), "{asked}");
                let message = self.message.as_ref().unwrap();
                assert_eq!(sets_sorted(&error.to_string()), sets_sorted(message), "{asked}");
            }
        }
    }
}

/// The message with Python's sets in one order.
fn sets_sorted(message: &str) -> String {
    let Some((before, rest)) = message.split_once('{') else { return message.to_owned() };
    let Some((set, after)) = rest.split_once('}') else { return message.to_owned() };
    let mut items: Vec<&str> = set.split(", ").collect();
    items.sort_unstable();
    format!("{before}{{{}}}{after}", items.join(", "))
}

fn recording() -> Recording {
    serde_json::from_str(include_str!("../data/searches_upstream.json")).unwrap()
}

/// The recorded runs in an experiment of their own, and their ids.
async fn log_runs(store: &Tracking, recording: &Recording) -> (String, Vec<String>) {
    let experiment = store.experiments.create("searched", None, &[]).await.unwrap();
    let mut ids = Vec::new();
    for run in &recording.runs {
        let created = CreateRun {
            experiment_id: experiment.clone(),
            user_id: run.create.user_id.clone(),
            run_name: Some(run.create.run_name.clone()),
            start_time: run.create.start_time,
            tags: Vec::new(),
        };
        let id = store.runs.create(created).await.unwrap().info.run_id;
        let batch = LogBatch {
            metrics: run.batch.metrics.clone(),
            params: run.batch.params.clone(),
            tags: run.batch.tags.clone(),
        };
        store.runs.log_batch(&id, batch).await.unwrap();
        ids.push(id);
    }
    (experiment, ids)
}

fn with_ids(filter: &str, ids: &[String]) -> String {
    ids.iter().enumerate().fold(filter.to_owned(), |filter, (place, id)| {
        filter.replace(&format!("{{run{place}}}"), id)
    })
}

#[tokio::test]
async fn runs_as_upstream() {
    let Store { store, folder: _folder } = Store::new();
    let recording = recording();
    let (experiment, ids) = log_runs(&store, &recording).await;
    for search in &recording.run_searches {
        let request = SearchRuns {
            experiment_ids: vec![experiment.clone()],
            filter: with_ids(&search.filter, &ids),
            order_by: search.order(),
            max_results: search.max_results,
            ..SearchRuns::default()
        };
        let answer = store.runs.search(request).await;
        search.check(
            answer.map(|page| page.items.into_iter().map(|run| run.info.run_name).collect()),
        );
    }
}

#[tokio::test]
async fn experiments_as_upstream() {
    let Store { store, folder: _folder } = Store::new();
    // Creation times decide the order, so they must differ.
    let long = "y".repeat(500);
    for (name, tags) in [
        ("e1r", vec![]),
        (long.as_str(), vec![]),
        ("e2", vec![Tag::new("a", "1")]),
        ("search-0", vec![Tag::new("t", "0")]),
        ("search-1", vec![Tag::new("t", "1")]),
        ("search-2", vec![Tag::new("t", "2")]),
    ] {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        store.experiments.create(name, None, &tags).await.unwrap();
    }
    for search in recording().experiment_searches {
        let request = SearchExperiments {
            view_type: search.view_type.unwrap_or_default(),
            // The wire reads a missing number as 0.
            max_results: Some(search.max_results.unwrap_or_default()),
            filter: search.filter.clone(),
            order_by: search.order(),
            page_token: search.page_token.clone(),
        };
        let answer = store.experiments.search(request).await;
        if let Ok(page) = &answer
            && search.found.is_some()
        {
            assert_eq!(page.next_page_token, search.next, "{}", search.filter);
        }
        search.check(answer.map(|page| {
            page.items.into_iter().map(|e| e.name.chars().take(20).collect()).collect()
        }));
    }
}

async fn registry(store: &Tracking, run_id: &str) {
    store.registered_models.create("m1", &[Tag::new("a", "1")], Some("d")).await.unwrap();
    store.registered_models.create("modèle 1", &[], None).await.unwrap();
    for (source, run_id, tags) in [
        ("s3://b/x", "", vec![Tag::new("q", "1")]),
        ("runs:/r/model", run_id, vec![]),
        ("mlflow-artifacts:/7/m", run_id, vec![]),
        ("mlflow-artifacts:/7/r/model", run_id, vec![]),
        ("models:/m1/1", "", vec![]),
    ] {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let version = CreateModelVersion {
            name: "m1".to_owned(),
            source: source.to_owned(),
            run_id: Some(run_id.to_owned()),
            tags,
            ..CreateModelVersion::default()
        };
        store.model_versions.create(version).await.unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    store
        .model_versions
        .transition_stage(VersionId { name: "m1", version: "2" }, "Production", false)
        .await
        .unwrap();
    // Both are updated at once, so the later version comes first.
    store
        .model_versions
        .transition_stage(VersionId { name: "m1", version: "1" }, "Production", true)
        .await
        .unwrap();
    for number in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let tags = [Tag::new("t", number.to_string())];
        store.registered_models.create(&format!("Srch{number}"), &tags, None).await.unwrap();
    }
}

#[tokio::test]
async fn registered_models_as_upstream() {
    let Store { store, folder: _folder } = Store::new();
    registry(&store, "r").await;
    for search in recording().registered_model_searches {
        let request = SearchRegisteredModels {
            filter: search.filter.clone(),
            max_results: search.max_results,
            order_by: search.order(),
            page_token: search.page_token.clone(),
        };
        let answer = store.registered_models.search(request).await;
        if let Ok(page) = &answer
            && search.found.is_some()
            && search.max_results != Some(0)
        {
            assert_eq!(page.next_page_token, search.next, "{}", search.filter);
        }
        // The one that was touched last before the searches differs from the recording's.
        let unstable = search.order().iter().any(|by| by.contains("timestamp"));
        if !(unstable && search.found.is_some()) {
            search.check(answer.map(|page| page.items.into_iter().map(|m| m.name).collect()));
        }
    }
}

#[tokio::test]
async fn model_versions_as_upstream() {
    let Store { store, folder: _folder } = Store::new();
    let run_id = "0123456789abcdef0123456789abcdef".to_owned();
    registry(&store, &run_id).await;
    for search in recording().model_version_searches {
        let request = SearchModelVersions {
            filter: with_ids(&search.filter, std::slice::from_ref(&run_id)),
            max_results: search.max_results,
            order_by: search.order(),
            page_token: search.page_token.clone(),
        };
        let answer = store.model_versions.search(request).await;
        if let Ok(page) = &answer
            && search.found.is_some()
        {
            assert_eq!(page.next_page_token, search.next, "{}", search.filter);
        }
        search.check(answer.map(|page| page.items.into_iter().map(|v| v.version).collect()));
    }
}

async fn logged_models(store: &Tracking) -> String {
    let experiment = store.experiments.create("models", None, &[]).await.unwrap();
    let run_id = crate::store::create_run(store, &experiment, 1).await;
    let model = CreateLoggedModel {
        experiment_id: experiment.clone(),
        name: Some("mod".to_owned()),
        model_type: Some("clf".to_owned()),
        source_run_id: Some(run_id.clone()),
        params: vec![Param::new("a", "1")],
        tags: vec![Tag::new("t", "1")],
    };
    let model = store.logged_models.create(model).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let other = CreateLoggedModel {
        experiment_id: experiment.clone(),
        name: Some("other".to_owned()),
        ..CreateLoggedModel::default()
    };
    store.logged_models.create(other).await.unwrap();
    let metric = Metric {
        model_id: Some(model.info.model_id),
        dataset_name: Some("ds".to_owned()),
        dataset_digest: Some("d1".to_owned()),
        ..Metric::new("acc", 0.7, 20, 1)
    };
    store.runs.log_metric(&run_id, metric).await.unwrap();
    experiment
}

#[tokio::test]
async fn logged_models_as_upstream() {
    let Store { store, folder: _folder } = Store::new();
    let experiment = logged_models(&store).await;
    let text = |value: &serde_json::Value, key: &str| {
        value.get(key).and_then(|value| value.as_str()).map(str::to_owned)
    };
    for search in recording().logged_model_searches {
        let datasets = search.datasets.iter().map(|dataset| {
            let dataset_name = text(dataset, "dataset_name").unwrap_or_default();
            DatasetFilter { dataset_name, dataset_digest: text(dataset, "dataset_digest") }
        });
        let order_by = search.order_by.iter().map(|by| {
            let ascending =
                by.get("ascending").and_then(serde_json::Value::as_bool).unwrap_or(true);
            let field_name = text(by, "field_name").unwrap();
            OrderLoggedModels { field_name, ascending, dataset_name: None, dataset_digest: None }
        });
        let request = SearchLoggedModels {
            experiment_ids: vec![experiment.clone()],
            filter: search.filter.clone(),
            datasets: datasets.collect(),
            max_results: search.max_results,
            order_by: order_by.collect(),
            page_token: None,
        };
        let answer = store.logged_models.search(request).await;
        let answer =
            answer.map(|page| page.items.into_iter().map(|model| model.info.name).collect());
        if search.order_by.is_empty() || search.found.is_some() {
            search.check(answer);
        } else {
            assert_eq!(&answer.unwrap_err().to_string(), search.message.as_ref().unwrap());
        }
    }
}

#[tokio::test]
async fn a_page_token_of_logged_models_belongs_to_its_request() {
    let Store { store, folder: _folder } = Store::new();
    let experiment = logged_models(&store).await;
    let request = |filter: &str, page_token| SearchLoggedModels {
        experiment_ids: vec![experiment.clone()],
        filter: filter.to_owned(),
        max_results: Some(1),
        page_token,
        ..SearchLoggedModels::default()
    };
    let first = store.logged_models.search(request("", None)).await.unwrap();
    let token = first.next_page_token.clone();
    let second = store.logged_models.search(request("", token.clone())).await.unwrap();
    assert_eq!(second.items.first().unwrap().info.name, "mod");
    assert_eq!(second.next_page_token, None);
    let error = store.logged_models.search(request("name = 'mod'", token)).await.unwrap_err();
    assert_eq!(error.code().http_status(), 400);
    let broken = Some("xx".to_owned());
    let error = store.logged_models.search(request("", broken)).await.unwrap_err();
    assert_eq!(error.code().http_status(), 400);
}

/// Names of the recorded runs that a filter finds, by name.
async fn found(store: &Tracking, experiment: &str, filter: &str) -> Vec<String> {
    let request = SearchRuns {
        experiment_ids: vec![experiment.to_owned()],
        filter: filter.to_owned(),
        order_by: vec!["run_name".to_owned()],
        ..SearchRuns::default()
    };
    let page = store.runs.search(request).await.unwrap_or_else(|error| panic!("{filter}: {error}"));
    page.items.into_iter().map(|run| run.info.run_name.replace("run", "")).collect()
}

#[tokio::test]
async fn beyond_upstream() {
    let Store { store, folder: _folder } = Store::new();
    let (experiment, _ids) = log_runs(&store, &recording()).await;
    for (filter, expected) in [
        ("metrics.acc < 0.15 OR metrics.acc >= 0.5", "0 1 5"),
        ("metrics.acc < 0.05 OR metrics.acc > 0.1 AND metrics.acc < 0.3", "0 2"),
        ("(metrics.acc < 0.05 OR metrics.acc > 0.1) AND metrics.acc < 0.3", "0 2"),
        ("(metrics.acc < 0.05 OR metrics.acc > 0.3) AND params.lr != '0.0'", "4 5"),
        ("NOT metrics.acc > 0.2", "0 1 2"),
        ("NOT (tags.env = 'prod' OR params.lr = '0.0')", "2 4"),
        ("NOT NOT metrics.acc = 0.3", "3"),
        ("not metrics.maybe >= 0", "1 2 3 5"),
        ("metrics.acc BETWEEN 0.1 AND 0.3", "1 2 3"),
        ("metrics.acc NOT BETWEEN 0.1 AND 0.3", "0 4 5"),
        ("metrics.acc IN (0, 0.4, 7)", "0 4"),
        ("metrics.acc NOT IN (0, 0.4)", "1 2 3 5"),
        ("metrics.maybe NOT IN (0)", "2 4"),
        ("start_time IN (1700000000001, 1700000000004)", "1 4"),
        ("start_time BETWEEN 1700000000001 AND 1700000000003", "1 2 3"),
        ("params.lr > 0.25", "3 4 5"),
        ("params.lr = 0.10", "1"),
        ("params.lr BETWEEN 1e-1 AND 0.2", "1 2"),
        ("params.lr IN (0.5, 0.1)", "1 5"),
        ("params.`my param` > 0", ""),
        ("tags.missing IS NULL AND (run_name = 'run1' OR run_name = 'run2')", "1 2"),
        ("tags.missing IS NOT NULL OR end_time > 0", ""),
        ("NOT end_time > 0", "0 1 2 3 4 5"),
        ("((((metrics.acc = 0.3))))", "3"),
    ] {
        let found = found(&store, &experiment, filter).await.join(" ");
        assert_eq!(found, expected, "{filter}");
    }
}

#[tokio::test]
async fn errors_of_our_own_point_at_the_character() {
    let Store { store, folder: _folder } = Store::new();
    let error = |filter: String| {
        let store = store.clone();
        async move {
            let request = SearchRuns {
                experiment_ids: vec!["0".to_owned()],
                filter,
                ..SearchRuns::default()
            };
            store.runs.search(request).await.map(|page| page.items.len()).unwrap_err().to_string()
        }
    };
    for (filter, expected) in [
        (
            "(metrics.acc > 1",
            "Invalid filter string: a parenthesis is not closed at character 17\n  \
             (metrics.acc > 1\n                  ^",
        ),
        (
            "metrics.acc > 1)",
            "Invalid filter string: a parenthesis is closed that was not opened at character 16\n  \
             metrics.acc > 1)\n                 ^",
        ),
        (
            "params.é = 'x' OR",
            "Invalid filter string: expected a comparison at character 18\n  \
             params.é = 'x' OR\n                   ^",
        ),
        (
            "metrics.a BETWEEN 1",
            "Invalid filter string: expected AND and the upper bound of BETWEEN at character 20\n  \
             metrics.a BETWEEN 1\n                     ^",
        ),
        (
            "tags.a = 'x",
            "Invalid filter string: a quote is not closed at character 10\n  \
             tags.a = 'x\n           ^",
        ),
    ] {
        assert_eq!(error(filter.to_owned()).await, expected, "{filter}");
    }
    let deep = format!("{}metrics.a > 1{}", "(".repeat(60), ")".repeat(60));
    assert!(error(deep).await.starts_with("Invalid filter string: more than 50 levels of nesting"));
    let many = vec!["metrics.a > 1"; 400_000].join(" AND ");
    assert!(error(many).await.starts_with("Invalid filter string: it has"));
    let many = vec!["tags.a='1'"; 1_000].join(" OR ");
    assert!(error(many).await.starts_with("Invalid filter string: more than 300 comparisons"));
}

#[tokio::test]
async fn as_many_comparisons_as_allowed_still_run() {
    let Store { store, folder: _folder } = Store::new();
    let (experiment, _ids) = log_runs(&store, &recording()).await;
    let all = vec!["metrics.acc >= 0"; 300].join(" AND ");
    assert_eq!(found(&store, &experiment, &all).await.len(), 6);
    let any = vec!["params.lr = '0.1'"; 300].join(" OR ");
    assert_eq!(found(&store, &experiment, &any).await, ["1"]);
}

/// A page must not depend on which table a search starts from.
#[tokio::test]
async fn pages_by_metric_are_whole_however_they_are_cut() {
    let Store { store, folder: _folder } = Store::new();
    let experiment = store.experiments.create("pages", None, &[]).await.unwrap();
    for number in 0..40_i64 {
        let id = crate::store::create_run(&store, &experiment, number % 7).await;
        let value = match number % 4 {
            0 => Some(f64::NAN),
            1 => None,
            _ => Some((number % 5) as f64),
        };
        if let Some(value) = value {
            store.runs.log_metric(&id, Metric::new("m", value, 1, 0)).await.unwrap();
        }
    }
    for (filter, order) in [
        ("", "metrics.m DESC"),
        ("", "metrics.m"),
        ("metrics.m != 2", "metrics.m DESC"),
        ("metrics.m > 0", "metrics.m"),
        ("metrics.m > 0", "start_time"),
        ("", "start_time DESC"),
    ] {
        let page = |max_results, page_token| SearchRuns {
            experiment_ids: vec![experiment.clone()],
            filter: filter.to_owned(),
            order_by: vec![order.to_owned()],
            max_results: Some(max_results),
            page_token,
            ..SearchRuns::default()
        };
        let whole = store.runs.search(page(1000, None)).await.unwrap().items;
        for size in [1, 3, 7, 39] {
            let mut cut = Vec::new();
            let mut token = None;
            loop {
                let answer = store.runs.search(page(size, token)).await.unwrap();
                assert!(answer.items.len() <= usize::try_from(size).unwrap());
                cut.extend(answer.items);
                token = answer.next_page_token;
                if token.is_none() {
                    break;
                }
            }
            let ids = |runs: &[trainyard_mlflow::entities::Run]| {
                runs.iter().map(|run| run.info.run_id.clone()).collect::<Vec<_>>()
            };
            assert_eq!(ids(&cut), ids(&whole), "{filter:?} by {order} in pages of {size}");
        }
    }
}

#[tokio::test]
async fn datasets_are_searched_and_summed_up() {
    let Store { store, folder: _folder } = Store::new();
    let (experiment, ids) = log_runs(&store, &recording()).await;
    let input = trainyard_mlflow::entities::DatasetInput {
        tags: vec![Tag::new("mlflow.data.context", "train")],
        dataset: Dataset {
            name: "iris".to_owned(),
            digest: "d1".to_owned(),
            source_type: "local".to_owned(),
            source: "{}".to_owned(),
            ..Dataset::default()
        },
    };
    for id in ids.iter().take(2) {
        // Twice, which is once.
        for _time in 0..2 {
            store.runs.log_inputs(id, vec![input.clone()], vec![]).await.unwrap();
        }
    }
    let run = store.runs.get(ids.first().unwrap()).await.unwrap();
    assert_eq!(run.inputs.dataset_inputs, [input]);
    for (filter, expected) in [
        ("datasets.name = 'iris'", "0 1"),
        ("dataset.digest LIKE 'd%' AND datasets.context = 'train'", "0 1"),
        ("datasets.name IN ('iris', 'x')", "0 1"),
        ("NOT datasets.name = 'iris'", "2 3 4 5"),
        ("datasets.context = 'eval'", ""),
    ] {
        assert_eq!(found(&store, &experiment, filter).await.join(" "), expected, "{filter}");
    }
    let summaries = store.experiments.search_datasets(&[experiment]).await.unwrap();
    assert_eq!(summaries.len(), 1);
    assert_eq!(summaries.first().unwrap().context.as_deref(), Some("train"));
}
