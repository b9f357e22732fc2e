//! Clients that ask too much, too slowly, or go away; and stopping in the middle of it all.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use parquet::arrow::ArrowWriter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use trainyard_models::{LoadedModel, Prediction, Predictor};
use trainyard_serve::{Loader, ServeOptions};
use trainyard_signature::model::MlModel;

use crate::support::{Running, folder};

/// For what must happen: long, because a test must not fail for want of time.
const PATIENCE: Duration = Duration::from_mins(2);

const PARQUET: &str = "application/vnd.apache.parquet";

const BODY: &str = r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#;

async fn raw(server: &Running, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is an end as well.
    let _reset = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

fn head(length: usize) -> String {
    format!(
        "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn bodies_over_the_limit_are_413() {
    let mut options = folder("onnx_rf");
    options.limits.body_bytes_max = 1000;
    let server = Running::ready(options).await;
    let claimed = server.post("/invocations", "x".repeat(1001)).await;
    assert_eq!(claimed.status, 413);
    // Without a length the limit is found on the way.
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>("x".repeat(100)));
    let streamed = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    assert_eq!(server.post_as("/invocations", "application/json", streamed).await.status, 413);
    assert_eq!(server.post("/invocations", BODY).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn deep_and_broken_bodies_are_400() {
    let server = Running::ready(folder("onnx_rf")).await;
    let deep = format!("{{\"inputs\": {}", "[".repeat(1_000_000));
    for body in [deep.as_str(), "", "{", "\u{0}", "{\"inputs\": [[1, 2, 3, 4]]", "[]", "nul"] {
        let answer = server.post("/invocations", body.to_owned()).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json()["error_code"], "BAD_REQUEST");
    }
    let answer = server.post_as("/invocations", "application/json", vec![0xff, 0xfe]).await;
    assert_eq!(answer.status, 400);
    assert_eq!(server.post("/invocations", BODY).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn large_bodies_are_predicted_off_the_runtime() {
    let server = Running::ready(folder("onnx_rf")).await;
    let rows = vec!["[5.1, 3.5, 1.4, 0.2]"; 20_000].join(", ");
    let answer = server.post("/invocations", format!("{{\"inputs\": [{rows}]}}")).await;
    assert_eq!(answer.json()["predictions"]["output_label"].as_array().unwrap().len(), 20_000);
    server.stop().await;
}

/// A model that predicts large requests only when it is let.
#[derive(Debug)]
struct Waits(Arc<Gate>);

/// What the test holds, and whether the model has come to it.
#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<()>,
    is_reached: AtomicBool,
}

/// Rows that wait.
const WAITING_ROWS: usize = 20_000;

impl Predictor for Waits {
    fn predict(&self, input: &RecordBatch) -> trainyard_models::Result<Prediction> {
        if input.num_rows() == WAITING_ROWS {
            self.0.is_reached.store(true, Ordering::SeqCst);
            drop(self.0.closed.lock().unwrap());
        }
        Ok(Prediction::Column(Arc::new(Int64Array::from(vec![0; input.num_rows()]))))
    }

    fn size_bytes(&self) -> usize {
        0
    }
}

fn waiting(options: &mut ServeOptions) -> Arc<Gate> {
    let gate = Arc::new(Gate::default());
    let of_model = Arc::clone(&gate);
    options.loader = Loader(Arc::new(move |folder: &Path| {
        let mlmodel = MlModel::read(folder)?;
        Ok(LoadedModel { mlmodel, predictor: Box::new(Waits(Arc::clone(&of_model))) })
    }));
    gate
}

/// Sends a request that waits in the model, and comes back when it is there.
async fn keep_busy(
    server: &Running,
    gate: &Gate,
    body: String,
) -> JoinHandle<reqwest::Result<reqwest::Response>> {
    let request = server.http.post(server.url("/invocations")).body(body);
    let busy = tokio::spawn(request.header("content-type", "application/json").send());
    let started = Instant::now();
    while !gate.is_reached.load(Ordering::SeqCst) {
        assert!(started.elapsed() < PATIENCE, "the model is not asked");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    busy
}

fn many_rows() -> String {
    format!("{{\"inputs\": [{}]}}", vec!["[5.1, 3.5, 1.4, 0.2]"; WAITING_ROWS].join(", "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::await_holding_lock, reason = "the lock is what keeps the model busy")]
async fn too_many_requests_at_once_are_429() {
    let mut options = folder("onnx_rf");
    options.limits.concurrency_max = 1;
    let gate = waiting(&mut options);
    let server = Running::ready(options).await;
    let closed = gate.closed.lock().unwrap();
    let busy = keep_busy(&server, &gate, many_rows()).await;
    let answer = server.post("/invocations", BODY).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.json()["error_code"], "REQUEST_LIMIT_EXCEEDED");
    assert_eq!(server.get("/health").await.status, 200);
    drop(closed);
    assert_eq!(busy.await.unwrap().unwrap().status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_do_not_come_keep_nobody_out() {
    let mut options = folder("onnx_rf");
    options.limits.concurrency_max = 4;
    let server = Running::ready(options).await;
    let mut slow = Vec::new();
    for _each in 0..100 {
        slow.push(raw(&server, &format!("{}{{", head(1000))).await);
    }
    while server.metric("trainyard_http_requests_in_flight").await < 101.0 {}
    assert_eq!(server.post("/invocations", BODY).await.status, 200);
    drop(slow);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::await_holding_lock, reason = "the lock is what keeps the model busy")]
async fn memory_is_limited_in_sum() {
    let mut options = folder("onnx_rf");
    let large = many_rows();
    // Room for the work on one large body.
    options.limits.requests_bytes_max = Some(large.len() as u64 * 16);
    let gate = waiting(&mut options);
    let server = Running::ready(options).await;
    let closed = gate.closed.lock().unwrap();
    let busy = keep_busy(&server, &gate, large.clone()).await;
    let fewer = large.replacen("[5.1, 3.5, 1.4, 0.2], ", "", 1);
    let refused = server.post("/invocations", fewer).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    // Small requests and probes go on.
    assert_eq!(server.post("/invocations", BODY).await.status, 200);
    assert_eq!(server.get("/health").await.status, 200);
    drop(closed);
    assert_eq!(busy.await.unwrap().unwrap().status(), 200);
    assert_eq!(server.post("/invocations", large).await.status, 200, "the memory is given back");
    server.stop().await;
}

#[tokio::test]
async fn probes_are_answered_beside_too_many_connections() {
    let mut options = folder("onnx_rf");
    options.limits.connections_max = 20;
    options.limits.connections_per_address_max = Some(20);
    let server = Running::ready(options).await;
    let mut silent = Vec::new();
    for _each in 0..150 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let ask = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        rest(raw(&server, &request).await).await
    };
    for path in ["/health", "/livez", "/ping", "/version", "/v2/health/live", "/v2/health/ready"] {
        let answer = ask(path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    drop(silent);
    server.stop().await;
}

#[tokio::test]
async fn a_small_file_that_unpacks_to_gigabytes_is_refused() {
    let server = Running::ready(folder("iris_columns")).await;
    let texts = |length: usize, rows: usize| -> ArrayRef {
        let values = Arc::new(StringArray::from(vec!["a".repeat(length)]));
        Arc::new(DictionaryArray::new(Int32Array::from(vec![0; rows]), values))
    };
    let sizes = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"];
    let numbers = |rows: usize| -> ArrayRef { Arc::new(Float64Array::from(vec![1.0; rows])) };
    let file = |columns: Vec<(&str, ArrayRef)>| {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        assert!(bytes.len() < 1_000_000, "{} bytes", bytes.len());
        bytes
    };
    // Four gigabytes of text where numbers belong.
    let bomb = file(sizes.iter().map(|name| (*name, texts(65_536, 65_536))).collect());
    let answer = server.post_as("/invocations", PARQUET, bomb).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("unpacked"), "{}", answer.text);
    // The same in a column that the model does not have is not even looked at.
    let mut columns: Vec<(&str, ArrayRef)> =
        sizes.iter().map(|name| (*name, numbers(65_536))).collect();
    columns.push(("other", texts(65_536, 65_536)));
    let answer = server.post_as("/predict", PARQUET, file(columns)).await;
    assert_eq!(answer.status, 200, "{}", answer.text.get(..200).unwrap_or_default());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::await_holding_lock, reason = "the lock is what keeps the model busy")]
async fn work_that_takes_too_long_is_answered_and_keeps_its_place() {
    let mut options = folder("onnx_rf");
    options.limits.concurrency_max = 1;
    options.limits.request_timeout = Duration::from_millis(500);
    let gate = waiting(&mut options);
    let server = Running::ready(options).await;
    let closed = gate.closed.lock().unwrap();
    let answer = server.post("/invocations", many_rows()).await;
    assert_eq!(answer.status, 504, "{answer:?}");
    assert!(answer.text.contains("Request processing time exceeded limit"), "{answer:?}");
    // Nobody waits for it any more, but it goes on.
    assert_eq!(server.post("/invocations", BODY).await.status, 429);
    drop(closed);
    let started = Instant::now();
    while server.post("/invocations", BODY).await.status != 200 {
        assert!(started.elapsed() < PATIENCE, "the place does not come back");
    }
    server.stop().await;
}

#[tokio::test]
async fn slow_clients_are_cut() {
    let mut options = folder("onnx_rf");
    options.limits.header_timeout = Duration::from_secs(1);
    options.limits.body_grace = Duration::from_secs(1);
    let server = Running::ready(options).await;
    let headers = raw(&server, "POST /invocations HTTP/1.1\r\nHost: x\r\n").await;
    let body = raw(&server, &format!("{}{{", head(100))).await;
    let headers = rest(headers).await;
    assert!(headers.is_empty() || headers.starts_with("HTTP/1.1 408"), "{headers}");
    let body = rest(body).await;
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!(body.contains("too slowly"), "{body}");
    server.stop().await;
}

#[tokio::test]
async fn clients_that_go_away_leave_nothing_behind() {
    let server = Running::ready(folder("onnx_rf")).await;
    for _ in 0..50 {
        drop(raw(&server, &format!("{}{{", head(100))).await);
    }
    let started = Instant::now();
    while server.metric("trainyard_http_connections").await > 2.0 {
        assert!(started.elapsed() < PATIENCE);
    }
    assert_eq!(server.metric("trainyard_http_requests_in_flight").await, 1.0, "only its own");
    server.stop().await;
}

#[tokio::test]
async fn stopping_lets_requests_in_flight_finish() {
    let mut server = Running::ready(folder("onnx_rf")).await;
    let mut slow = raw(&server, &head(BODY.len())).await;
    slow.write_all(&BODY.as_bytes()[..5]).await.unwrap();
    while server.metric("trainyard_http_requests_in_flight").await < 2.0 {}
    server.tell_to_stop();
    let started = Instant::now();
    while TcpStream::connect(server.address).await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "still accepts");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slow.write_all(&BODY.as_bytes()[5..]).await.unwrap();
    let answer = rest(slow).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let mut options = folder("onnx_rf");
    options.limits.drain_timeout = Duration::from_millis(100);
    let server = Running::ready(options).await;
    let _stuck = raw(&server, &format!("{}{{", head(100))).await;
    let started = Instant::now();
    server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(20));
}
