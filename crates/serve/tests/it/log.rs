//! The prediction log, read back as others read it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array as _, RecordBatch};
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use trainyard_serve::{LogOptions, LogReading, LogStore, ModelSource, Retention};

use crate::support::{Running, folder, model};

pub(crate) fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
        .collect();
    paths.sort();
    paths
}

pub(crate) fn read(path: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

fn rows(dir: &Path) -> usize {
    segments(dir).iter().flat_map(|path| read(path)).map(|batch| batch.num_rows()).sum()
}

fn record(width: f64) -> String {
    format!(
        r#"{{"sepal length (cm)": 5.1, "sepal width (cm)": {width}, "petal length (cm)": 1.4,
            "petal width (cm)": null, "extra": 1}}"#
    )
}

#[tokio::test]
async fn what_was_asked_and_answered_is_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = folder("iris_columns");
    options.log = Some(LogOptions::new(directory.path().join("logs")));
    let server = Running::ready(options).await;
    let before = chrono::Utc::now().timestamp_millis();
    let body = format!("[{}, {}]", record(3.5), record(3.25));
    let request = server.http.post(server.url("/predict")).header("x-request-id", "first");
    let request = request.header("content-type", "application/json").body(body);
    assert_eq!(server.send(request).await.status, 200);
    assert_eq!(server.post("/predict", "[{}]").await.status, 400, "not logged");
    assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
    assert_eq!(segments(&directory.path().join("logs")).len(), 0, "only whole segments show");
    server.stop().await;

    let paths = segments(&directory.path().join("logs"));
    assert_eq!(paths.len(), 1, "{paths:?}");
    let batches = read(&paths[0]);
    let batch = &batches[0];
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(
        names,
        [
            "trainyard.request_id",
            "trainyard.time",
            "trainyard.model",
            "trainyard.model_version",
            "sepal length (cm)",
            "sepal width (cm)",
            "petal length (cm)",
            "petal width (cm)",
            "prediction",
            "probability",
        ]
    );
    assert_eq!(batch.num_rows(), 3);
    let ids = batch.column(0).as_string::<i32>();
    assert_eq!((ids.value(0), ids.value(1)), ("first", "first"));
    assert!(ids.value(2).len() > 16);
    let times = batch.column(1).as_primitive::<TimestampMillisecondType>();
    assert!(times.value(0) >= before && times.timezone() == Some("UTC"));
    assert_eq!(batch.column(3).as_string::<i32>().value(0), "4549939cf89c4a6cbe28af45e1e2ebfb");
    assert_eq!(batch.column(5).as_primitive::<Float64Type>().values().to_vec(), [3.5, 3.25, 3.0]);
    assert_eq!(batch.column(7).null_count(), 3);
    assert_eq!(batch.column(8).as_primitive::<Int64Type>().value(0), 0);
    let probability = batch.column(9).as_primitive::<Float64Type>().value(0);
    assert!((0.3..1.001).contains(&probability), "{probability}");
}

#[tokio::test]
async fn what_killed_servers_left_is_removed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let hours = |hours| std::time::SystemTime::now() - Duration::from_hours(hours);
    let left = [
        // Of earlier versions.
        (".predictions-0001-7-0.parquet.unfinished", hours(25), true),
        (".predictions-0001-7-1.parquet.x3fQ.tmp", hours(25), true),
        // Somebody may still write it.
        (".predictions-0001-7-2.parquet.unfinished", hours(1), false),
        (".predictions-0001-7-3.parquet.x3fQ.tmp", hours(1), false),
        // Nobody has it locked.
        (".predictions-0001-7-5.parquet.x3fQ.tmp", hours(1), true),
        // Not of the log, or whole.
        (".notes.unfinished", hours(25), false),
        ("predictions-0001-7-4.parquet", hours(25), false),
    ];
    for (name, modified, _) in left {
        let file = std::fs::File::create(directory.path().join(name)).unwrap();
        file.set_modified(modified).unwrap();
    }
    let writing =
        std::fs::File::open(directory.path().join(".predictions-0001-7-3.parquet.x3fQ.tmp"))
            .unwrap();
    writing.lock().unwrap();
    let mut options = folder("iris_columns");
    options.log = Some(LogOptions::new(directory.path()));
    Running::ready(options).await.stop().await;
    for (name, _, is_removed) in left {
        assert_eq!(!directory.path().join(name).exists(), is_removed, "{name}");
    }
}

#[tokio::test]
async fn only_who_knows_the_releases_own_id_stays_out_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = folder("iris_columns");
    options.log = Some(LogOptions::new(directory.path()));
    options.probe_id = Some("probe-of-this-release".to_owned());
    let server = Running::ready(options).await;
    for id in
        ["probe-of-this-release", "trainyard-release-probe", "probe-", "PROBE-OF-THIS-RELEASE"]
    {
        let request = server.http.post(server.url("/predict")).header("x-request-id", id);
        let request = request.header("content-type", "application/json").body(record(3.0));
        assert_eq!(server.send(request).await.status, 200);
    }
    server.stop().await;
    let batches: Vec<_> = segments(directory.path()).iter().flat_map(|path| read(path)).collect();
    let ids: Vec<_> = batches
        .iter()
        .flat_map(|batch| {
            batch.column(0).as_string::<i32>().iter().map(|id| id.unwrap().to_owned())
        })
        .collect();
    assert_eq!(ids, ["trainyard-release-probe", "probe-", "PROBE-OF-THIS-RELEASE"]);
}

#[tokio::test]
async fn nobody_else_may_read_the_log() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("a/logs");
    let mut options = folder("iris_columns");
    options.log = Some(LogOptions::new(&dir));
    let server = Running::ready(options).await;
    assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
    let fact = r#"{"request_id": "a", "actual": 2}"#;
    assert_eq!(server.post("/feedback", fact).await.status, 200);
    server.stop().await;
    let mut seen = 0;
    let mut pending = vec![directory.path().join("a")];
    while let Some(path) = pending.pop() {
        let about = std::fs::metadata(&path).unwrap();
        let wanted = if about.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(about.permissions().mode() & 0o777, wanted, "{}", path.display());
        seen += 1;
        if about.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert_eq!(seen, 6, "three folders, a lock, a segment, a file of feedback");
}

#[tokio::test]
async fn where_rows_are_committed_an_answer_says_whether_its_own_are() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = folder("iris_columns");
    let log = LogOptions { commits: true, ..LogOptions::new(directory.path()) };
    for (bytes_max, expected) in [(None, "yes"), (Some(4000), "no")] {
        options.log = Some(LogOptions { bytes_max, ..log.clone() });
        let server = Running::ready(options.clone()).await;
        let answer = server.post("/predict", record(3.0)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["x-prediction-logged"], expected);
        server.stop().await;
        assert_eq!(rows(directory.path()), 1);
        // What is there leaves no room for the next.
        std::fs::write(directory.path().join(".large"), vec![0; 4000]).unwrap();
    }
}

#[tokio::test]
async fn a_full_log_refuses_feedback_drops_predictions_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("old.parquet"), vec![0; 4000]).unwrap();
    let mut options = folder("iris_columns");
    let mut log = LogOptions::new(directory.path());
    log.bytes_max = Some(4000 + 150);
    log.segment_age_max = Duration::from_millis(1);
    options.log = Some(log);
    let server = Running::ready(options).await;
    let fact = r#"{"request_id": "a", "actual": 2}"#;
    for status in [200, 200, 507, 507] {
        let answer = server.post("/feedback", fact).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 507 {
            assert_eq!(answer.json()["error_code"], "RESOURCE_EXHAUSTED");
        }
    }
    // A segment makes it too large; what comes after is dropped.
    assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
    let started = Instant::now();
    while server.metric("trainyard_prediction_log_dropped_total").await < 1.0 {
        assert!(started.elapsed() < Duration::from_mins(1), "nothing is dropped");
        assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.metric("trainyard_prediction_log_failed_total").await, 0.0);
    server.stop().await;
    let file = std::fs::read_dir(directory.path().join("_feedback")).unwrap().next().unwrap();
    let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[tokio::test]
async fn models_in_turns_have_segments_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = folder("iris_columns");
    let second = ModelSource::Uri(model("onnx_rf").display().to_string().parse().unwrap());
    options.more.push(("other".to_owned(), second));
    options.log = Some(LogOptions::new(directory.path()));
    let server = Running::ready(options).await;
    while server.get("/models/other/health").await.status != 200 {}
    for _ in 0..40 {
        assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
        let body = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;
        assert_eq!(server.post("/models/other/invocations", body).await.status, 200);
    }
    server.stop().await;
    let paths = segments(directory.path());
    let mut found: Vec<(String, usize)> = paths
        .iter()
        .map(|path| {
            let batches = read(path);
            let count = batches.iter().map(RecordBatch::num_rows).sum();
            (batches[0].column(2).as_string::<i32>().value(0).to_owned(), count)
        })
        .collect();
    found.sort();
    assert_eq!(found, [("model".to_owned(), 40), ("other".to_owned(), 40)]);
}

#[tokio::test]
async fn python_reads_a_segment() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = folder("onnx_rf");
    options.log = Some(LogOptions::new(directory.path()));
    let server = Running::ready(options).await;
    let answer = server.post("/invocations", r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#).await;
    assert_eq!(answer.status, 200);
    server.stop().await;
    // pyarrow's threads sometimes abort the interpreter while it ends: leave before that.
    let script = "import os, sys, pandas; frame = pandas.read_parquet(sys.argv[1]); \
                  print([round(float(value), 3) for value in frame['0'][0]], \
                  frame['prediction'][0], frame['probability'][0] > 0.9, \
                  frame['trainyard.time'].dt.tz, flush=True); os._exit(0)";
    let path = segments(directory.path()).remove(0).display().to_string();
    let printed = trainyard_testkit::run_python(script, &[&path], &[]);
    assert_eq!(printed.trim(), "[5.1, 3.5, 1.4, 0.2] 0 True UTC");
}

#[tokio::test]
async fn segments_are_rotated_by_rows_and_by_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = folder("iris_columns");
    let mut log = LogOptions::new(directory.path());
    log.segment_rows_max = 10;
    log.segment_age_max = Duration::from_millis(50);
    options.log = Some(log);
    let server = Running::ready(options).await;
    for _ in 0..3 {
        assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
        let seen = segments(directory.path()).len();
        let started = Instant::now();
        while segments(directory.path()).len() == seen {
            assert!(started.elapsed() < Duration::from_mins(1), "no new segment");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    // A segment is there a moment before its rows are counted.
    let started = Instant::now();
    while server.metric("trainyard_prediction_log_rows_total").await < 3.0 {
        assert!(started.elapsed() < Duration::from_mins(1), "not all rows are counted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.metric("trainyard_prediction_log_rows_total").await, 3.0);
    server.stop().await;
    assert_eq!(rows(directory.path()), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_servers_share_a_folder_and_nothing_is_lost_below_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let mut servers = Vec::new();
    for _ in 0..2 {
        let mut options = folder("iris_columns");
        options.log = Some(LogOptions::new(directory.path()));
        servers.push(Arc::new(Running::ready(options).await));
    }
    let mut clients = Vec::new();
    for server in &servers {
        for _ in 0..2 {
            let server = Arc::clone(server);
            clients.push(tokio::spawn(async move {
                for _ in 0..100 {
                    assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
                }
            }));
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    let mut dropped = 0.0;
    for server in servers {
        dropped += server.metric("trainyard_prediction_log_dropped_total").await;
        Arc::into_inner(server).unwrap().stop().await;
    }
    assert_eq!(dropped, 0.0);
    assert_eq!(rows(directory.path()), 400);
    assert_eq!(segments(directory.path()).len(), 2);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_slows_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("logs");
    let mut options = folder("iris_columns");
    let mut log = LogOptions::new(&dir);
    log.segment_age_max = Duration::from_millis(1);
    options.log = Some(log);
    let server = Running::ready(options).await;
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
    let started = Instant::now();
    while server.metric("trainyard_prediction_log_failed_total").await < 1.0 {
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(server.post("/predict", record(3.0)).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn feedback_is_kept_beside_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = folder("iris_columns");
    options.log = Some(LogOptions::new(directory.path()));
    let server = Running::ready(options).await;
    for (body, status) in [
        (r#"{"request_id": "a", "actual": 2}"#, 200),
        (
            r#"[{"request_id": "b", "row": 1, "actual": "x"}, {"request_id": "c", "actual": null}]"#,
            200,
        ),
        (r#"{"request_id": "a"}"#, 400),
        (r#"{"request_id": " ", "actual": 2}"#, 400),
        (r#"{"request_id": "a", "actual": [1]}"#, 400),
        (r#"{"request_id": "a", "actual": 1, "odd": 1}"#, 400),
        ("[]", 400),
        ("x", 400),
        (&format!(r#"{{"request_id": "{}", "actual": 2}}"#, "a".repeat(200)), 400),
        (&format!(r#"{{"request_id": "a", "actual": "{}"}}"#, "a".repeat(5000)), 400),
        (&format!("[{}]", vec![r#"{"request_id":"a","actual":1}"#; 20_001].join(",")), 400),
        (&format!("[{}]", vec![r#"{"request_id":"a","actual":1}"#; 60_000].join(",")), 413),
    ] {
        let answer = server.post("/feedback", body).await;
        let body: String = body.chars().take(100).collect();
        assert_eq!(answer.status, status, "{body} {answer:?}");
        assert!(answer.text.len() < 1000, "{answer:?}");
    }
    // Acknowledged is written, without waiting for the end.
    let file =
        std::fs::read_dir(directory.path().join("_feedback")).unwrap().next().unwrap().unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[1]["request_id"], &lines[1]["row"], &lines[1]["actual"]),
        (&"b".into(), &1.into(), &"x".into())
    );
    server.stop().await;
    let without = Running::ready(folder("iris_columns")).await;
    assert_eq!(without.post("/feedback", "[]").await.status, 404);
    without.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_and_feedback_go_to_an_object_store() {
    let store = Arc::new(InMemory::new());
    let place = || LogStore { store: Arc::clone(&store) as _, path: "logs/iris".into() };
    let mut options = folder("iris_columns");
    let log = LogOptions::to_store(place());
    let spool = log.dir.clone();
    options.log = Some(log);
    let server = Running::ready(options).await;
    for _ in 0..3 {
        assert_eq!(server.post("/predict", record(3.5)).await.status, 200);
    }
    let fact = r#"{"request_id": "first", "actual": "setosa"}"#;
    assert_eq!(server.post("/feedback", fact).await.json()["accepted"], 1);
    assert_eq!(server.post("/flush", "").await.status, 202);
    let started = Instant::now();
    while server.metric("trainyard_prediction_log_rows_total").await < 3.0 {
        assert!(started.elapsed() < Duration::from_secs(10), "nothing is uploaded");
    }
    assert_eq!(server.post("/predict", record(3.5)).await.status, 200);
    server.stop().await;
    let mut rows = 0;
    let mut facts = String::new();
    let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
    for object in &objects {
        let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        let name = object.location.as_ref();
        if name.starts_with("logs/iris/_feedback/") {
            facts.push_str(std::str::from_utf8(&bytes).unwrap());
        } else {
            assert!(name.starts_with("logs/iris/predictions-"), "{name}");
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
            rows += reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>();
        }
    }
    assert_eq!(rows, 4);
    assert!(facts.contains("\"actual\":\"setosa\""), "{facts}");
    assert!(!spool.is_dir(), "the spool stays behind");
}

/// Files that retention removed.
const REMOVED: &str = "trainyard_prediction_log_removed_total";

#[tokio::test]
async fn what_is_older_than_it_is_kept_goes_but_not_from_under_a_reader() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    let mut options = folder("iris_columns");
    let age_max = Some(Duration::from_hours(24) * 30);
    let retention = Retention { age_max, bytes_max: None };
    options.log = Some(LogOptions { retention, ..LogOptions::new(dir) });
    let (one, two) = (Running::ready(options.clone()).await, Running::ready(options).await);
    let started = Instant::now();
    let flushed = async |is_done: &dyn Fn() -> bool| {
        while !is_done() {
            assert!(started.elapsed() < Duration::from_mins(1), "{:?}", segments(dir));
            for server in [&one, &two] {
                assert_eq!(server.post("/flush", "{}").await.status, 202);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert_eq!(one.post("/predict", record(3.5)).await.status, 200);
    flushed(&|| segments(dir).len() == 1).await;

    let reading = LogReading::begin(dir).unwrap();
    let days = |days: u32| std::time::SystemTime::now() - Duration::from_hours(24) * days;
    let old = [40, 35].map(|age| {
        let path = dir.join(format!("predictions-{:013}-7-00000000-000000.parquet", 100 - age));
        let file = std::fs::File::create(&path).unwrap();
        file.set_modified(days(age)).unwrap();
        path
    });
    assert_eq!(one.post("/predict", record(4.5)).await.status, 200);
    flushed(&|| segments(dir).len() == 4).await;
    assert!(old.iter().all(|path| path.exists()), "somebody reads it");
    drop(reading);
    flushed(&|| !old.iter().any(|path| path.exists())).await;
    assert_eq!(rows(dir), 2);
    // It is counted right after.
    loop {
        let counts = [&one, &two].map(|server| server.metric(REMOVED));
        let removed: f64 = futures::future::join_all(counts).await.into_iter().sum();
        if removed > 1.5 {
            break;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{removed} are counted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    one.stop().await;
    two.stop().await;
}
