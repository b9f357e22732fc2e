//! MLflow's scoring protocol: what its own server (3.17.2) answered to 146 requests, replayed.
//!
//! The ONNX models predict for real. The others cannot be read here (yet, or because they are
//! Python code): they stand behind the same signature enforcement with a predictor that answers
//! one zero a row, which is what those models that classify answered.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use serde_json::Value;
use trainyard_models::{LoadedModel, Prediction, Predictor};
use trainyard_serve::{Loader, ServeOptions};
use trainyard_signature::model::MlModel;

use crate::support::{Answer, Running, folder};

#[derive(Debug)]
struct Zeros;

impl Predictor for Zeros {
    fn predict(&self, input: &RecordBatch) -> trainyard_models::Result<Prediction> {
        Ok(Prediction::Column(Arc::new(Int64Array::from(vec![0; input.num_rows()]))))
    }

    fn size_bytes(&self) -> usize {
        0
    }
}

/// Reads what is supported; anything else answers zeros.
pub(crate) fn load(folder: &Path) -> trainyard_models::Result<LoadedModel> {
    let mlmodel = MlModel::read(folder)?;
    if mlmodel.flavors.onnx.is_some() {
        return trainyard_models::load(folder);
    }
    Ok(LoadedModel { mlmodel, predictor: Box::new(Zeros) })
}

/// How an answer differs on purpose, whatever the casting. See `docs/serving.md`.
const DIFFERENT: [(&str, &str, u16); 7] = [
    // Upstream breaks down without a content type.
    ("sk_logreg", "no ct", 415),
    // /health says more than /ping.
    ("sk_logreg", "GET /health", 200),
    // Upstream's logistic regression refuses a NaN; the stand-in does not look.
    ("sk_logreg", "null", 200),
    // An LLM's payload is not data; upstream finds that out later, with another code.
    ("sk_logreg", "messages (llm)", 400),
    // Upstream's numpy cannot hold rows of different lengths here; Arrow can.
    ("pyfunc_complex", "ok", 200),
    // pandas does not know which column it could not read.
    ("sk_logreg", "csv nonnumeric", 400),
    // Found where the value is read, not by the schema after it: another error code.
    ("pyfunc_types", "dt tz", 400),
];

/// What the default casting refuses because it would lose information, and upstream does not.
const LOSSY: [(&str, &str); 10] = [
    ("sk_pipeline", "int col given float"),
    ("sk_pipeline", "number city"),
    ("pyfunc_types", "int overflow"),
    ("pyfunc_types", "int as 1.5"),
    ("pyfunc_types", "long overflow"),
    ("pyfunc_types", "float big"),
    ("pyfunc_types", "string as num"),
    ("pyfunc_types", "binary bad"),
    ("pyfunc_types", "inputs float for int"),
    ("pyfunc_tensors", "float for int"),
];

struct Exchange {
    model: String,
    name: String,
    content_type: Option<String>,
    body: Option<String>,
    status: u16,
    answer_type: String,
    answer: Value,
}

fn exchanges() -> Vec<Exchange> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scoring_exchanges.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let parse = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| value[key].as_str().map(ToOwned::to_owned);
        Exchange {
            model: text("model").unwrap(),
            name: text("name").unwrap(),
            content_type: text("ct"),
            body: text("body"),
            status: value["status"].as_u64().unwrap().try_into().unwrap(),
            answer_type: text("ctype").unwrap(),
            answer: value["resp"].clone(),
        }
    };
    text.lines().map(parse).collect()
}

async fn ask(server: &Running, exchange: &Exchange) -> Answer {
    let Some(body) = &exchange.body else {
        let (method, path) = exchange.name.split_once(' ').unwrap();
        let method = method.parse().unwrap();
        return server.send(server.http.request(method, server.url(path))).await;
    };
    let mut request = server.http.post(server.url("/invocations")).body(body.clone());
    if let Some(content_type) = &exchange.content_type {
        request = request.header("content-type", content_type);
    }
    server.send(request).await
}

/// The part of an error message that says what is wrong, without the repr of the data that
/// upstream puts before it.
fn core(message: &str) -> &str {
    let from = [
        "Error: Model is missing",
        "Error: Shape of input",
        "Error: Incompatible",
        "Error: Model inference",
    ];
    for start in from {
        if let Some(at) = message.find(start) {
            return &message[at..];
        }
    }
    for start in ["Failed to convert column", "Invalid parameters found", "Parameters must be"] {
        if let Some(at) = message.find(start) {
            let rest = &message[at..];
            return rest.split(" Error: '").next().unwrap();
        }
    }
    ""
}

/// What differs between an answer and upstream's; none if nothing that matters.
fn difference(exchange: &Exchange, answer: &Answer) -> Option<String> {
    if answer.status != exchange.status {
        return Some(format!("status {} instead of {}", answer.status, exchange.status));
    }
    let content_type = answer.header("content-type");
    if content_type != exchange.answer_type {
        return Some(format!("content type {content_type} instead of {}", exchange.answer_type));
    }
    let stand_in = !exchange.model.starts_with("onnx");
    if exchange.status == 200 {
        let Some(predictions) = exchange.answer.get("predictions") else {
            let text = exchange.answer.as_str().unwrap();
            return (text != answer.text).then(|| format!("{:?} instead of {text:?}", answer.text));
        };
        let ours = &answer.json()["predictions"];
        let same = predictions == ours || (stand_in && *predictions != serde_json::json!([0]));
        return (!same).then(|| format!("{ours} instead of {predictions}"));
    }
    if exchange.status == 415 {
        return None;
    }
    if exchange.answer.get("detail").is_some() {
        return (answer.json() != exchange.answer).then(|| answer.text.clone());
    }
    let ours = answer.json();
    for key in ["error_code", "sqlstate", "error_class"] {
        if ours[key] != exchange.answer[key] {
            return Some(format!("{key} {} instead of {}", ours[key], exchange.answer[key]));
        }
    }
    let (message, theirs) =
        (ours["message"].as_str().unwrap(), exchange.answer["message"].as_str().unwrap());
    (core(message) != core(theirs)).then(|| format!("\n  {message}\ninstead of\n  {theirs}"))
}

async fn replay(lenient: bool) {
    let mut servers: BTreeMap<String, Running> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut same = 0;
    for exchange in exchanges() {
        if !servers.contains_key(&exchange.model) {
            let mut options: ServeOptions = folder(&exchange.model);
            options.lenient = lenient;
            options.loader = Loader(Arc::new(load));
            servers.insert(exchange.model.clone(), Running::ready(options).await);
        }
        let key = (exchange.model.as_str(), exchange.name.as_str());
        let answer = ask(&servers[&exchange.model], &exchange).await;
        let found = difference(&exchange, &answer);
        let meant = DIFFERENT.iter().find(|(model, name, _)| (*model, *name) == key);
        let lossy = !lenient && LOSSY.contains(&key);
        let right = match (&found, meant) {
            (_, Some((_, _, status))) => answer.status == *status,
            (Some(_), None) => lossy && answer.status == 400,
            // A difference that is listed must be one.
            (None, None) => !lossy,
        };
        if !right {
            wrong.push(format!("{} {:?}: {found:?}\n  {:?}", key.0, key.1, answer.text));
        }
        same += usize::from(found.is_none());
    }
    for (_, server) in servers {
        server.stop().await;
    }
    assert!(
        wrong.is_empty(),
        "{} of 146 differ ({same} equal):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(same >= if lenient { 138 } else { 127 }, "only {same} are equal");
}

#[tokio::test]
async fn as_upstream_where_nothing_is_lost() {
    replay(false).await;
}

#[tokio::test]
async fn as_upstream_when_lenient() {
    replay(true).await;
}
