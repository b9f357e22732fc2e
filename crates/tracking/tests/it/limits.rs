//! What a client's text may cost: time of a query, size of a filter, memory of a body. Whatever is sent,
//! there is an answer, and others get theirs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_base::Budget;
use trainyard_mlflow::entities::{Metric, Param, Tag};
use trainyard_mlflow::{
    CreateRun, ErrorCode, LogBatch, MetricHistoryPage, SearchExperiments, SearchLoggedModels,
    SearchModelVersions, SearchRegisteredModels, SearchRuns, Tracking,
};
use trainyard_tracking::artifacts::ArtifactStorage;
use trainyard_tracking::server::ServerOptions;
use trainyard_tracking::store::ReadLimits;
use trainyard_tracking::{OpenOptions, open};

use crate::http::{Request, get, post, send};
use crate::served::Served;
use crate::store::{Store, create_run, options, uri};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_mins(2);

/// A store whose reads have so much time.
fn store(time: Option<Duration>) -> Store {
    let folder = tempfile::tempdir().unwrap();
    let limits = ReadLimits { time, memory: Budget::new(256 << 20) };
    let options = OpenOptions { limits, ..options(&folder) };
    Store { store: open(&uri(&folder), options).unwrap(), folder }
}

/// Runs with tags that are as long as tags may be, of one letter.
async fn with_long_tags(store: &Tracking, runs: i64) -> String {
    let mut last = String::new();
    for start in 0..runs {
        last = create_run(store, "0", start).await;
        let tags = (0..20).map(|place| Tag::new(format!("k{place}"), "a".repeat(8000))).collect();
        store.runs.log_batch(&last, LogBatch { tags, ..LogBatch::default() }).await.unwrap();
    }
    last
}

/// A search that no machine finishes within a test: each of 250 comparisons tries a pattern of many
/// single wildcards at every place of a long text.
fn endless() -> SearchRuns {
    let pattern = format!("%{}b%", "_a".repeat(3000));
    let terms: Vec<String> =
        (0..250).map(|n| format!("tags.k{} LIKE '{pattern}'", n % 20)).collect();
    SearchRuns {
        experiment_ids: vec!["0".to_owned()],
        filter: terms.join(" OR "),
        ..SearchRuns::default()
    }
}

fn search(filter: &str) -> SearchRuns {
    SearchRuns {
        experiment_ids: vec!["0".to_owned()],
        filter: filter.to_owned(),
        ..SearchRuns::default()
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_with_many_wildcards_is_answered() {
    let Store { store, folder: _folder } = store(None);
    with_long_tags(&store, 20).await;
    for (pattern, found) in [
        (format!("{}b", "%a".repeat(900)), 0),
        (format!("%{}b%", "a".repeat(7000)), 0),
        (format!("%{}%", "a%".repeat(900)), 20),
        ("%".repeat(40_000), 20),
    ] {
        for operator in ["LIKE", "ILIKE"] {
            let filter = format!("tags.k1 {operator} '{pattern}'");
            let runs = soon(store.runs.search(search(&filter))).await.unwrap();
            assert_eq!(runs.items.len(), found, "{operator} {pattern:.30}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_takes_too_long_is_stopped() {
    let Store { store, folder: _folder } = store(Some(Duration::from_millis(300)));
    with_long_tags(&store, 20).await;
    let error = soon(store.runs.search(endless())).await.unwrap_err();
    // Clients repeat a 5xx for minutes.
    assert_eq!(error.code(), ErrorCode::BadRequest, "{error}");
    assert!(error.to_string().contains("--query-timeout"), "{error}");
    assert_eq!(soon(store.runs.search(search("tags.k1 LIKE 'a%'"))).await.unwrap().items.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_searches_leave_readers_for_others_and_end_when_nobody_waits() {
    let Store { store, folder: _folder } = store(None);
    let run_id = with_long_tags(&store, 20).await;
    store.runs.log_metric(&run_id, Metric::new("m", 1.0, 1, 1)).await.unwrap();
    let slow: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.runs.search(endless()).await })
        })
        .collect();
    // All of them run or wait: the first ones hold what searches may have.
    tokio::time::sleep(Duration::from_millis(200)).await;
    soon(store.runs.get(&run_id)).await.unwrap();
    let page = MetricHistoryPage::default();
    assert_eq!(soon(store.runs.metric_history(&run_id, "m", page)).await.unwrap().items.len(), 1);
    let all = SearchExperiments { max_results: Some(10), ..SearchExperiments::default() };
    assert_eq!(soon(store.experiments.search(all)).await.unwrap().items.len(), 1);
    soon(store.runs.log_metric(&run_id, Metric::new("m", 2.0, 2, 2))).await.unwrap();
    assert!(slow.iter().all(|search| !search.is_finished()), "the searches are endless");
    for search in &slow {
        search.abort();
    }
    // They would run for hours; their places come back because they are stopped.
    assert_eq!(soon(store.runs.search(search("tags.k1 LIKE 'a%'"))).await.unwrap().items.len(), 20);
}

#[test]
fn a_search_ends_when_its_client_hangs_up() {
    let Store { store, folder: _folder } = store(None);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(with_long_tags(&store, 20));
    let server = Served::over(store.clone(), ServerOptions::default());
    let body = json!({"experiment_ids": ["0"], "filter": endless().filter}).to_string();
    let address = server.url.strip_prefix("http://").unwrap();
    for _client in 0..16 {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nHost: {address}\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    let quick = json!({"experiment_ids": ["0"], "filter": "tags.k1 LIKE 'a%'"});
    let answer = post(&server.url, "/api/2.0/mlflow/runs/search", &quick);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["runs"].as_array().map(Vec::len), Some(20));
}

/// The filter in each of the five searches, with what a name and a number are called there.
async fn everywhere(
    store: &Tracking,
    filter: impl Fn(&str, &str) -> String,
) -> Vec<(&'static str, trainyard_mlflow::Result<()>)> {
    let experiment_ids = vec!["0".to_owned()];
    let runs = SearchRuns {
        experiment_ids: experiment_ids.clone(),
        filter: filter("run_id", "metrics.m"),
        ..SearchRuns::default()
    };
    let experiments = SearchExperiments {
        max_results: Some(10),
        filter: filter("experiment_id", "creation_time"),
        ..SearchExperiments::default()
    };
    let logged = SearchLoggedModels {
        experiment_ids,
        filter: filter("model_id", "metrics.m"),
        ..SearchLoggedModels::default()
    };
    let registered =
        SearchRegisteredModels { filter: filter("name", ""), ..SearchRegisteredModels::default() };
    let versions = SearchModelVersions {
        filter: filter("run_id", "version_number"),
        ..SearchModelVersions::default()
    };
    vec![
        ("runs", soon(store.runs.search(runs)).await.map(drop)),
        ("experiments", soon(store.experiments.search(experiments)).await.map(drop)),
        ("logged models", soon(store.logged_models.search(logged)).await.map(drop)),
        ("registered models", soon(store.registered_models.search(registered)).await.map(drop)),
        ("model versions", soon(store.model_versions.search(versions)).await.map(drop)),
    ]
}

fn list(values: usize, quote: &str) -> String {
    let mut list = String::with_capacity(values * 12);
    for value in 0..values {
        // Writing to a string cannot fail.
        let _infallible =
            write!(list, "{}{quote}{value}{quote}", if value == 0 { "" } else { "," });
    }
    list
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_of_any_size_are_answered_or_refused() {
    let Store { store, folder: _folder } = store(Some(PATIENCE));
    let refused = |results: Vec<(&str, trainyard_mlflow::Result<()>)>, case: &str| {
        for (kind, result) in results {
            let Err(error) = result else { panic!("{case}: {kind} are answered") };
            assert_eq!(error.code(), ErrorCode::InvalidParameterValue, "{case}, {kind}: {error}");
            assert!(error.to_string().len() < 20_000_000, "{case}, {kind}");
        }
    };
    for values in [3_000, 32_766, 32_767, 100_000] {
        let ids = list(values, "'");
        for (kind, result) in everywhere(&store, |id, _| format!("{id} IN ({ids})")).await {
            result.unwrap_or_else(|error| panic!("{values}, {kind}: {error:.200}"));
        }
        let ids = list(values, "'");
        everywhere(&store, |id, _| format!("{id} NOT IN ({ids})")).await;
    }
    let numbers = list(40_000, "");
    for filter in ["metrics.m", "params.p"] {
        soon(store.runs.search(search(&format!("{filter} IN ({numbers})")))).await.unwrap();
    }
    let ids = list(100_001, "'");
    refused(everywhere(&store, |id, _| format!("{id} IN ({ids})")).await, "too many values");
    let pattern = "a".repeat(50_000);
    for (kind, result) in everywhere(&store, |_, _| format!("tags.k LIKE '{pattern}'")).await {
        result.unwrap_or_else(|error| panic!("{kind}: {error:.200}"));
    }
    let pattern = "a".repeat(50_001);
    for operator in ["LIKE", "ILIKE"] {
        let filter = format!("tags.k {operator} '{pattern}'");
        refused(everywhere(&store, |_, _| filter.clone()).await, "a long pattern");
    }
    let pattern = "a%".repeat(1_001);
    refused(
        everywhere(&store, |_, _| format!("tags.k LIKE '{pattern}'")).await,
        "a pattern of gaps",
    );
    let term = "tags.k = 'x'";
    for (case, filter) in [
        ("terms", vec![term; 301].join(" AND ")),
        ("alternatives", vec![term; 20_000].join(" OR ")),
        ("parentheses", format!("{}{term}{}", "(".repeat(100_000), ")".repeat(100_000))),
        ("open parentheses", "(".repeat(3_000_000)),
        ("negations", format!("{}{term}", "NOT ".repeat(50_000))),
        ("quotes", "'\\".repeat(1_000_000)),
        ("length", format!("tags.k = '{}'", "x".repeat(5 << 20))),
        ("semicolons", ";".repeat(1_000_000)),
    ] {
        refused(everywhere(&store, |_, _| filter.clone()).await, case);
    }
    for (kind, result) in everywhere(&store, |_, _| vec![term; 300].join(" OR ")).await {
        result.unwrap_or_else(|error| panic!("300 terms, {kind}: {error}"));
    }
    let digits = "7".repeat(310);
    for operator in ["=", "<", "!="] {
        let results = everywhere(&store, |_, number| format!("{number} {operator} {digits}")).await;
        for (kind, result) in results {
            let error = result.expect_err(kind);
            let text = error.to_string();
            assert_eq!(error.code(), ErrorCode::InvalidParameterValue, "{kind}: {error}");
            assert!(text.contains("77777777777777777777…") && text.len() < 1000, "{kind}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_are_fetched_by_their_ids() {
    let Store { store, folder: _folder } = store(None);
    let mut ids = Vec::new();
    for start in 0..60 {
        ids.push(create_run(&store, "0", start).await);
    }
    let mut names: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    names.extend((0..3000).map(|number| format!("'{number:032x}'")));
    let found = store.runs.search(search(&format!("run_id IN ({})", names.join(",")))).await;
    assert_eq!(found.unwrap().items.len(), 60);
    let others = store.runs.search(search(&format!("run_id NOT IN ({})", names[1..].join(","))));
    assert_eq!(others.await.unwrap().items.len(), 1);
    let numbers = list(200, "");
    store.runs.log_param(&ids[0], Param::new("p", "199")).await.unwrap();
    store.runs.log_metric(&ids[1], Metric::new("m", 17.0, 1, 1)).await.unwrap();
    for (filter, expect) in [("params.p", 0), ("metrics.m", 1)] {
        let found = store.runs.search(search(&format!("{filter} IN ({numbers})"))).await.unwrap();
        assert_eq!(found.items.len(), 1, "{filter}");
        assert_eq!(found.items[0].info.run_id, ids[expect]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_any_size_is_read_without_holding_up_others() {
    let Store { store, folder: _folder } = store(None);
    let run_id = create_run(&store, "0", 1).await;
    for part in 0..100 {
        let params = (0..100)
            .map(|place| Param::new(format!("p{part}-{place}"), "x".repeat(1000)))
            .collect();
        store.runs.log_batch(&run_id, LogBatch { params, ..LogBatch::default() }).await.unwrap();
    }
    assert_eq!(store.runs.get(&run_id).await.unwrap().data.params.len(), 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reads_hold_is_bounded_together() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Budget::new(8 << 20);
    let limits = ReadLimits { time: None, memory: Arc::clone(&memory) };
    let store = open(&uri(&folder), OpenOptions { limits, ..options(&folder) }).unwrap();
    let run_id = create_run(&store, "0", 1).await;
    for part in 0..20 {
        let params = (0..100)
            .map(|place| Param::new(format!("p{part}-{place}"), "x".repeat(6000)))
            .collect();
        store.runs.log_batch(&run_id, LogBatch { params, ..LogBatch::default() }).await.unwrap();
    }
    let error = store.runs.get(&run_id).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRequest, "it would never fit: {error}");
    assert_eq!(memory.used(), 0);
    let other = create_run(&store, "0", 2).await;
    let _held = memory.take(8 << 20).unwrap();
    store.runs.get(&other).await.unwrap();
}

#[test]
fn bodies_are_bounded_one_by_one_and_together() {
    let memory = Budget::new(64 << 20);
    let server =
        Served::with(ServerOptions { memory: Arc::clone(&memory), ..ServerOptions::default() });
    let send_to = |path: &str, body: &[u8]| {
        let headers = vec![("Content-Type", "application/json")];
        let path = format!("/api/2.0/mlflow/{path}");
        send(&server.url, &Request { method: "POST", path: &path, headers, body: Some(body) })
    };
    let lists =
        |bytes: usize| format!("{{\"metrics\":[{}[]]}}", "[],".repeat(bytes / 3)).into_bytes();
    // More values than any batch has.
    let answer = send_to("runs/log-batch", &lists(2 << 20));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("values"), "{}", answer.text());
    // More than all requests together may hold.
    assert_eq!(send_to("runs/log-batch", &lists(60 << 20)).status, 413);
    // Eight at once: each has an answer, and those that had no room may come again.
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..8).map(|_| scope.spawn(|| send_to("runs/log-batch", &lists(15 << 20)))).collect();
        for client in clients {
            let answer = client.join().unwrap();
            assert!([400, 503].contains(&answer.status), "{}: {}", answer.status, answer.text());
            assert_eq!(answer.header("retry-after").is_some(), answer.status == 503);
        }
    });
    // A route that takes ids takes no megabytes.
    let padded =
        |bytes: usize| format!("{{\"run_id\": \"x\", \"pad\": \"{}\"}}", "x".repeat(bytes));
    for (path, bytes, too_large) in [
        ("runs/delete", 2 << 20, true),
        ("runs/delete", 900 << 10, false),
        ("runs/log-metric", 2 << 20, true),
        ("runs/search", 7 << 20, false),
        ("runs/search", 9 << 20, true),
        ("runs/set-tag", 7 << 20, false),
        ("runs/log-batch", 9 << 20, false),
    ] {
        let answer = send_to(path, padded(bytes).as_bytes());
        assert_eq!(answer.status == 413, too_large, "{path} {bytes}: {}", answer.status);
        assert!(answer.status < 500, "{path} {bytes}: {}", answer.text());
    }
    assert_eq!(memory.used(), 0);
    assert_eq!(get(&server.url, "/health").status, 200);
}

#[test]
fn uploads_are_bounded_together() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Budget::new(32 << 20);
    let artifacts = ArtifactStorage::open(&folder.path().to_string_lossy()).unwrap();
    let artifacts = Arc::new(artifacts.with_memory(Arc::clone(&memory)));
    let server = Served::with_artifacts(ServerOptions::default(), artifacts);
    let put = |name: &str, body: &[u8]| {
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/{name}");
        let request =
            Request { method: "PUT", path: &path, body: Some(body), ..Request::default() };
        send(&server.url, &request)
    };
    let others = memory.take(32 << 20).unwrap();
    // Just more than is not counted: all of it is read before the server answers.
    let large = vec![b'x'; 9 << 10];
    let answer = put("large", &large);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    assert_eq!(put("small", b"x").status, 200);
    drop(others);
    assert_eq!(put("large", &large).status, 200);
    assert_eq!(memory.used(), 0);
}

#[test]
fn large_pages_come_in_parts() {
    let server = Served::start();
    let search = |token: &Value| {
        let body = json!({"experiment_ids": ["0"], "max_results": 50_000, "page_token": token});
        post(&server.url, "/api/2.0/mlflow/runs/search", &body).json()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = trainyard_mlflow::client::RestClient::from_env(&server.url.parse().unwrap());
    let client = Tracking::from(client.unwrap());
    runtime.block_on(async {
        for start in 0..250 {
            let run = CreateRun {
                experiment_id: "0".to_owned(),
                start_time: start,
                tags: (0..40).map(|n| Tag::new(format!("k{n}"), "x".repeat(8000))).collect(),
                ..CreateRun::default()
            };
            client.runs.create(run).await.unwrap();
        }
    });
    let (mut found, mut pages, mut token) = (0, 0, Value::Null);
    loop {
        let page = search(&token);
        found += page["runs"].as_array().unwrap().len();
        pages += 1;
        token = page["next_page_token"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found, 250, "in {pages} pages");
    assert!(pages > 1);
}

#[test]
fn a_long_list_of_what_was_cut_fits_into_a_head() {
    let server = Served::start();
    let run =
        post(&server.url, "/api/2.0/mlflow/runs/create", &json!({"experiment_id": "0"})).json();
    let run_id = &run["run"]["info"]["run_id"];
    let params: Vec<Value> = (0..100)
        .map(|n| json!({"key": format!("{}{n}", "é".repeat(240)), "value": "x".repeat(6001)}))
        .collect();
    let body = json!({"run_id": run_id, "params": params});
    let answer = post(&server.url, "/api/2.0/mlflow/runs/log-batch", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.header("x-trainyard-truncated").unwrap();
    assert!(list.len() <= 2048 && list.ends_with("%E2%80%A6"), "{} bytes", list.len());
}

#[test]
fn numbers_that_no_type_holds_are_refused() {
    let server = Served::start();
    let run =
        post(&server.url, "/api/2.0/mlflow/runs/create", &json!({"experiment_id": "0"})).json();
    let run_id = run["run"]["info"]["run_id"].as_str().unwrap();
    let digits = "1".repeat(310);
    for (value, timestamp, shown) in [
        (digits.clone(), "1".to_owned(), "11111111111111111111…"),
        (format!("\"{digits}\""), "1".to_owned(), "\\\"1111"),
        ("\"1e999\"".to_owned(), "1".to_owned(), "1e999"),
        ("1e999".to_owned(), "1".to_owned(), "1e999"),
        ("1".to_owned(), digits.clone(), "11111111111111111111…"),
        ("1".to_owned(), format!("\"{digits}\""), "1111"),
        ("1".to_owned(), "1e30".to_owned(), "timestamp"),
        ("1".to_owned(), "99999999999999999999".to_owned(), "timestamp"),
    ] {
        let metric = format!("\"key\":\"m\",\"value\":{value},\"timestamp\":{timestamp}");
        for (path, body) in [
            ("log-metric", format!("{{\"run_id\":\"{run_id}\",{metric}}}")),
            ("log-batch", format!("{{\"run_id\":\"{run_id}\",\"metrics\":[{{{metric}}}]}}")),
        ] {
            let headers = vec![("Content-Type", "application/json")];
            let path = format!("/api/2.0/mlflow/runs/{path}");
            let request =
                Request { method: "POST", path: &path, headers, body: Some(body.as_bytes()) };
            let answer = send(&server.url, &request);
            assert_eq!(answer.status, 400, "{body:.200}: {}", answer.text());
            assert!(answer.text().contains(shown), "{shown}: {:.300}", answer.text());
        }
    }
    // What is said in a word is meant.
    let body = json!({"run_id": run_id, "key": "inf", "value": "-Infinity", "timestamp": 1});
    assert_eq!(post(&server.url, "/api/2.0/mlflow/runs/log-metric", &body).status, 200);
}

#[test]
fn messages_do_not_repeat_megabytes() {
    let server = Served::start();
    let filter = format!("tags.{} = 5", "x".repeat(3 << 20));
    let body = json!({"experiment_ids": ["0"], "filter": filter});
    let answer = post(&server.url, "/api/2.0/mlflow/runs/search", &body);
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 40_000, "{} bytes", answer.body.len());
    let body = json!({"name": "n".repeat(600_000)});
    let answer = post(&server.url, "/api/2.0/mlflow/experiments/create", &body);
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 40_000, "{} bytes", answer.body.len());
}

/// Rows that many requests brought into one trace.
const FULL_TRACE: &str = "
    CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
        WHERE i < 100000) SELECT i FROM n;
    INSERT INTO trace_tags (\"key\", value, request_id)
        SELECT 'k' || i, 'v', 'tr-1' FROM n LIMIT 9999;
    INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value,
        created_timestamp, last_updated_timestamp, source_type, valid)
        SELECT 'a-' || i, 'tr-1', 'a', 'feedback', '1', 0, 0, 'HUMAN', 1 FROM n LIMIT 10000;
    INSERT INTO spans (trace_id, experiment_id, span_id, status, start_time_unix_nano, content)
        SELECT 'tr-00000000000000000000000000000002', 0, i, 'OK', 0, '{}' FROM n;";

#[test]
fn many_requests_do_not_make_one_trace_without_end() {
    let Store { store, folder } = Store::new();
    let server = Served::over(store, ServerOptions::default());
    let traces = "/api/3.0/mlflow/traces";
    for id in ["tr-1", "tr-00000000000000000000000000000002"] {
        let body = json!({"trace": {"trace_info": {
            "trace_id": id, "state": "OK", "request_time": "2023-11-14T22:13:20Z",
            "trace_location": {"mlflow_experiment": {"experiment_id": "0"}},
        }}});
        let answer = post(&server.url, traces, &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let database = rusqlite::Connection::open(folder.path().join("mlflow.db")).unwrap();
    database.execute_batch(FULL_TRACE).unwrap();
    let send = |method: &str, path: &str, body: &Value| {
        let body = body.to_string();
        let headers = vec![("Content-Type", "application/json"), ("X-Mlflow-Experiment-Id", "0")];
        send(&server.url, &Request { method, path, headers, body: Some(body.as_bytes()) })
    };
    let tags = format!("{traces}/tr-1/tags");
    // With where its files are, which is a tag, too, there are as many as there may be.
    assert_eq!(send("PATCH", &tags, &json!({"key": "k1", "value": "new"})).status, 200);
    let tag = send("PATCH", &tags, &json!({"key": "one more", "value": "v"}));
    let assessment = json!({"assessment": {
        "assessment_name": "a", "trace_id": "tr-1", "feedback": {"value": 1},
        "source": {"source_type": "HUMAN", "source_id": "ada"},
    }});
    let assessment = send("POST", &format!("{traces}/tr-1/assessments"), &assessment);
    let span = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "00000000000000000000000000000002", "spanId": "b7ad6b7169203331", "name": "s",
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
    }]}]}]});
    let span = send("POST", "/v1/traces", &span);
    for (answer, sentence) in [
        (tag, "cannot have more than 10000 tags"),
        (assessment, "cannot have more than 10000 assessments"),
        (span, "cannot have more than 100000 spans"),
    ] {
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(sentence), "{}", answer.text());
    }
    let count = |table: &str| -> i64 {
        database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count("trace_tags WHERE request_id = 'tr-1'"), 10_000);
    assert_eq!((count("assessments"), count("spans")), (10_000, 100_000));
}
