//! Models that only Python can run, logged with the real MLflow and run in real workers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_serve::{LogOptions, ModelSource, PythonOptions, ServeOptions};
use trainyard_testkit::{python, run_python};

use crate::support::Running;

/// One model that does whatever a test asks for, by the value of a column; see `python_models.py`.
const MODELS: &str = include_str!("python_models.py");

/// Logs the models of the script once, and returns the folder of one of them.
pub(crate) fn model(name: &str) -> PathBuf {
    static DIRECTORY: std::sync::LazyLock<tempfile::TempDir> = std::sync::LazyLock::new(|| {
        let directory = tempfile::tempdir().unwrap();
        run_python(MODELS, &["save", &directory.path().display().to_string()], &[]);
        directory
    });
    DIRECTORY.path().join(name)
}

/// Workers that run in the Python of the tests.
pub(crate) fn workers(count: usize) -> PythonOptions {
    let mut options = PythonOptions::new(count);
    options.interpreter = Some(python());
    options
}

fn options(folder: &Path, count: usize) -> ServeOptions {
    let source = ModelSource::Uri(folder.display().to_string().parse().unwrap());
    let mut options = ServeOptions::new(source);
    options.python = Some(workers(count));
    options
}

fn with(options: &mut ServeOptions) -> &mut PythonOptions {
    options.python.as_mut().unwrap()
}

async fn ready(options: ServeOptions) -> Running {
    let server = Running::start(options, None).await;
    let is_over = |health: &Value| health["status"] != "loading";
    // Importing MLflow takes its time, more so while other tests run.
    let health = server.wait_long("model", Duration::from_secs(150), is_over).await;
    assert_eq!(health["status"], "ok", "{health}");
    server
}

/// Workers that are ready; none while the model is being loaded.
pub(crate) fn pids(health: &Value) -> Vec<u64> {
    let ready = health["python_workers"]["ready"].as_array();
    ready.into_iter().flatten().filter_map(Value::as_u64).collect()
}

/// A request that the model answers with `x * factor`.
pub(crate) fn good(x: f64) -> String {
    json!({ "dataframe_records": [{ "x": x, "what": "scale" }], "params": { "factor": 3.0 } })
        .to_string()
}

pub(crate) fn asks(what: &str) -> String {
    json!({ "dataframe_records": [{ "x": 1.0, "what": what }] }).to_string()
}

#[tokio::test]
async fn without_workers_the_refusal_names_the_flag() {
    let mut options = options(&model("obedient"), 1);
    options.python = None;
    let server = Running::start(options, None).await;
    let health = server.wait_for("failed", |health| health["status"] == "failed").await;
    assert!(health["reason"].as_str().unwrap().contains("--python-workers"), "{health}");
    assert_eq!(server.get("/health").await.status, 503);
    server.stop().await;
}

#[tokio::test]
async fn answers_and_errors_are_those_of_mlflow() {
    let folder = model("obedient");
    let requests = [
        good(2.5),
        asks("scale"),
        asks("frame"),
        asks("series"),
        asks("texts"),
        asks("dicts"),
        asks("matrix"),
        asks("nothing"),
        asks("nan"),
        asks("raise"),
        asks("mlflow error"),
        asks("unknown"),
        r#"{"dataframe_split": {"columns": ["what", "x"], "data": [["types", 1]]}}"#.to_owned(),
        r#"{"dataframe_split": {"columns": ["what", "x", "n", "when"],
            "data": [["types", 1, 7, "2024-01-02"]]}}"#
            .to_owned(),
        r#"{"dataframe_records": [{"x": 1.0, "what": "nested", "tags": ["a", "b"]}]}"#.to_owned(),
    ];
    let list = serde_json::to_string(&requests).unwrap();
    let folder_text = folder.display().to_string();
    let upstream = run_python(MODELS, &["ask", &folder_text, &list], &[]);
    let server = ready(options(&folder, 1)).await;
    for (request, expected) in requests.iter().zip(upstream.lines()) {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let answer = server.post("/invocations", request.clone()).await;
        assert_eq!(answer.status, expected["status"], "{request}\n{answer:?}\n{expected}");
        if answer.status == 200 {
            assert_eq!(answer.text, expected["body"].as_str().unwrap(), "{request}");
            continue;
        }
        let body: Value = serde_json::from_str(expected["body"].as_str().unwrap()).unwrap();
        // MLflow's message repeats the data before this.
        let message = |body: &Value| {
            let text = body["message"].as_str().unwrap().to_owned();
            text.rsplit("Error: ").next().unwrap().to_owned()
        };
        assert_eq!(message(&answer.json()), message(&body), "{request}");
        for field in ["error_code", "sqlstate", "error_class"] {
            assert_eq!(answer.json()[field], body[field], "{request} {field}");
        }
        let last_line = |body: &Value| {
            body["stack_trace"].as_str().map(|text| text.trim().lines().last().unwrap().to_owned())
        };
        assert_eq!(last_line(&answer.json()), last_line(&body), "{request}");
    }
    server.stop().await;
}

#[tokio::test]
async fn other_protocols_and_the_log_have_typed_predictions() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(&model("obedient"), 1);
    options.log = Some(LogOptions::new(directory.path()));
    let server = ready(options).await;
    let record = |what: &str| json!([{ "x": 2.0, "what": what }]).to_string();
    for (what, expected) in [
        ("scale", json!([4.0])),
        ("texts", json!(["two"])),
        ("dicts", json!([{ "score": 0.5, "tags": ["a"] }])),
        ("matrix", json!([[2.0, 4.0]])),
    ] {
        let answer = server.post("/predict", record(what)).await;
        assert_eq!(answer.json()["predictions"], expected, "{answer:?}");
    }
    let infer = json!({ "inputs": [
        { "name": "x", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0] },
        { "name": "what", "shape": [2], "datatype": "BYTES", "data": ["scale", "scale"] } ] });
    let answer = server.post("/v2/models/model/infer", infer.to_string()).await.json();
    assert_eq!(answer["outputs"][0]["data"], json!([2.0, 4.0]), "{answer}");
    assert_eq!(answer["outputs"][0]["datatype"], "FP64");
    let csv = server.post_as("/invocations", "text/csv", "x,what\n2.5,scale\n").await;
    assert_eq!(csv.json()["predictions"], json!([5.0]), "{csv:?}");
    server.stop().await;
    // Predictions of different types lie in segments of their own.
    let mut types: Vec<String> = crate::log::segments(directory.path())
        .iter()
        .flat_map(|path| crate::log::read(path))
        .map(|batch| batch.column_by_name("prediction").unwrap().data_type().to_string())
        .collect();
    types.sort();
    types.dedup();
    assert_eq!(types, ["FixedSizeList(2 x Float64)", "Float64", "Utf8"]);
}

#[tokio::test]
async fn tensors_and_models_without_signature_get_what_mlflow_gives_them() {
    for (name, requests) in [
        (
            "tensor",
            vec![
                json!({ "inputs": [[1.0, 2.0], [3.0, 4.0]] }),
                json!({ "instances": [[1, 2]] }),
                json!({ "inputs": [[1.0]] }),
            ],
        ),
        (
            "unsigned",
            vec![
                json!({ "inputs": [[1, 2], [3, 4]] }),
                json!({ "inputs": { "a": [1.5, 2.5], "b": [1, 2] } }),
                json!({ "dataframe_records": [{ "a": 1, "b": "x" }] }),
                json!({ "dataframe_split": { "columns": ["a"], "data": [[1.5], [2.5]] } }),
            ],
        ),
    ] {
        let folder = model(name);
        let list: Vec<String> = requests.iter().map(ToString::to_string).collect();
        let text = serde_json::to_string(&list).unwrap();
        let upstream = run_python(MODELS, &["ask", &folder.display().to_string(), &text], &[]);
        let server = ready(options(&folder, 1)).await;
        for (request, expected) in list.iter().zip(upstream.lines()) {
            let expected: Value = serde_json::from_str(expected).unwrap();
            let answer = server.post("/invocations", request.clone()).await;
            assert_eq!(answer.status, expected["status"], "{request}\n{answer:?}\n{expected}");
            if answer.status == 200 {
                assert_eq!(answer.text, expected["body"].as_str().unwrap(), "{name} {request}");
            }
        }
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workers_cost_no_request() {
    let server = Arc::new(ready(options(&model("obedient"), 2)).await);
    let both = |health: &Value| pids(health).len() == 2;
    server.wait_long("workers", Duration::from_mins(2), both).await;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (server, stop, asked) =
                (Arc::clone(&server), Arc::clone(&stop), Arc::clone(&asked));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let x = f64::from(client) + 0.5;
                    let answer = server.post("/invocations", good(x)).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    assert_eq!(answer.json()["predictions"], json!([x * 3.0]));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..3 {
        let health = server.wait_long("workers", Duration::from_mins(2), both).await;
        let before = asked.load(Ordering::Relaxed);
        let victim = pids(&health)[round % 2];
        let status = std::process::Command::new("kill").args(["-9", &victim.to_string()]).status();
        assert!(status.unwrap().success());
        server
            .wait_long("restart", Duration::from_mins(2), |health| {
                health["python_workers"]["restarts"].as_u64() > Some(round as u64)
            })
            .await;
        while asked.load(Ordering::Relaxed) < before + 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let workers = pids(&server.get("/health").await.json());
    Arc::into_inner(server).unwrap().stop().await;
    for pid in workers {
        assert!(!Path::new(&format!("/proc/{pid}")).is_dir(), "worker {pid} stays behind");
    }
}

#[tokio::test]
async fn crashes_hangs_and_hogs_harm_nobody_else() {
    let mut options = options(&model("obedient"), 1);
    with(&mut options).request_timeout = Duration::from_secs(2);
    with(&mut options).memory_bytes_max = Some(3 << 30);
    let server = ready(options).await;
    // A request that kills two workers is not tried on a third.
    let crash = server.post("/invocations", asks("crash")).await;
    assert_eq!(crash.status, 500, "{crash:?}");
    assert!(crash.json()["message"].as_str().unwrap().contains("two Python workers"), "{crash:?}");
    let hang = server.post("/invocations", asks("hang")).await;
    assert_eq!(hang.status, 504, "{hang:?}");
    let hog = server.post("/invocations", asks("hog")).await;
    assert_eq!(hog.status, 500, "{hog:?}");
    assert!(hog.json()["message"].as_str().unwrap().contains("more memory"), "{hog:?}");
    assert_eq!(server.post("/invocations", good(1.0)).await.status, 200);
    let health = server.get("/health").await.json();
    assert_eq!(health["python_workers"]["restarts"], 4, "{health}");
    server.stop().await;
}

/// The process that the model has started and lost.
async fn daemon(server: &Running) -> String {
    let answer = server.post("/invocations", asks("daemon")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let pid = answer.json()["predictions"][0].as_str().unwrap().to_owned();
    assert!(is_alive(&pid), "{pid}");
    pid
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Who is dead and not buried does no harm.
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

async fn gone(pid: &str) {
    let started = std::time::Instant::now();
    while is_alive(pid) {
        assert!(started.elapsed() < Duration::from_mins(1), "{pid} stays behind");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_a_model_starts_ends_with_it_wherever_it_hides() {
    let mut options = options(&model("obedient"), 1);
    with(&mut options).request_timeout = Duration::from_secs(5);
    let server = ready(options).await;
    // The worker crashes, is killed from outside, is killed because it hangs, ends with the server.
    let first = daemon(&server).await;
    assert_eq!(server.post("/invocations", asks("crash")).await.status, 500);
    gone(&first).await;
    let second = daemon(&server).await;
    let worker = pids(&server.get("/health").await.json())[0].to_string();
    assert!(std::process::Command::new("kill").args(["-9", &worker]).status().unwrap().success());
    gone(&second).await;
    let third = daemon(&server).await;
    assert_eq!(server.post("/invocations", asks("hang")).await.status, 504);
    gone(&third).await;
    let last = daemon(&server).await;
    server.stop().await;
    assert!(!is_alive(&last), "{last} outlives the server");
}

#[tokio::test]
async fn workers_see_the_variables_on_the_list() {
    let server = ready(options(&model("obedient"), 1)).await;
    let answer = server.post("/invocations", asks("environment")).await;
    let text = answer.json()["predictions"][0].as_str().unwrap().to_owned();
    let seen: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert!(seen.contains_key("PATH"), "{text}");
    // What runs tests sets many; which of them a worker may see is in `python/variables.rs`.
    let others = |name: &&String| {
        ["CARGO", "RUST", "AWS", "MLFLOW_TRACKING"].iter().any(|prefix| name.starts_with(prefix))
    };
    assert_eq!(seen.keys().find(others), None, "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_folder_with_a_named_pipe_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(model("obedient").join("MLmodel"), folder.path().join("MLmodel")).unwrap();
    let pipe = folder.path().join("requirements.txt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = Running::start(options(folder.path(), 1), None).await;
    let health = server.wait_for("reason", |health| health["status"] != "loading").await;
    assert_eq!(health["status"], "failed");
    let reason = health["reason"].as_str().unwrap();
    assert!(reason.contains("requirements.txt is a named pipe"), "{health}");
    server.stop().await;
}

#[tokio::test]
async fn requests_beyond_the_queue_are_refused() {
    let mut options = options(&model("obedient"), 1);
    with(&mut options).queue_max = 1;
    let server = Arc::new(ready(options).await);
    let requests = (0..6).map(|_| {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.post("/invocations", asks("slow")).await })
    });
    let mut statuses = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        let answer = request.await.unwrap();
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), "1");
        }
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    Arc::into_inner(server).unwrap().stop().await;
}

#[tokio::test]
async fn a_model_that_does_not_load_is_explained() {
    let server = Running::start(options(&model("unloadable"), 1), None).await;
    let is_over = |health: &Value| health["status"] != "loading";
    let health = server.wait_long("end", Duration::from_mins(2), is_over).await;
    assert_eq!(health["status"], "failed");
    assert!(health["reason"].as_str().unwrap().contains("the weights are gone"), "{health}");
    server.stop().await;
}

#[tokio::test]
async fn an_interpreter_that_is_not_one_is_explained() {
    let mut options = options(&model("obedient"), 1);
    with(&mut options).interpreter = Some("/bin/false".into());
    let server = Running::start(options, None).await;
    let health = server.wait_for("reason", |health| health.get("last_error").is_some()).await;
    assert!(health["reason"].as_str().unwrap().contains("while loading the model"), "{health}");
    // Another attempt may work: the interpreter may be installed by then.
    assert_eq!(health["status"], "loading");
    server.stop().await;
}
