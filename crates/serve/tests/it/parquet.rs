//! Parquet bodies, answered as MLflow's own server answers them.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use trainyard_serve::{Loader, ModelSource, ServeOptions};
use trainyard_testkit::run_python;

use crate::support::{Running, folder};

/// Writes tables for the type-probe model, and asks MLflow's server what it makes of each.
const SCRIPT: &str = r#"
import datetime, decimal, io, json, os, sys
import pyarrow as pa, pyarrow.parquet as pq
import mlflow.pyfunc
from fastapi.testclient import TestClient
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types import ColSpec, DataType, Schema

directory = sys.argv[1]
folder = os.path.join(directory, "model")
class Zeros(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [0] * len(model_input)
by_type = {"boolean": "b", "integer": "i", "long": "l", "float": "f", "double": "d", "string": "s", "binary": "y", "datetime": "t"}
signature = ModelSignature(Schema([ColSpec(DataType[kind], name) for kind, name in by_type.items()]))
mlflow.pyfunc.save_model(folder, python_model=Zeros(), signature=signature, pip_requirements=["mlflow"])
client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(folder)))
good = {
    "b": pa.array([True, False]), "i": pa.array([1, -2], pa.int32()), "l": pa.array([1, 2], pa.int64()),
    "f": pa.array([0.5, 1.5], pa.float32()), "d": pa.array([0.25, None], pa.float64()),
    "s": pa.array(["a", "b"]), "y": pa.array([b"a", b"bc"]),
    "t": pa.array([datetime.datetime(2024, 1, 2)] * 2, pa.timestamp("ns")),
}
base = good
changes = [
    (None, None),
    ("i", pa.array([1, 2], pa.int8())), ("i", pa.array([1, 2], pa.uint16())), ("i", pa.array([1, 2], pa.uint32())),
    ("i", pa.array([1, 2], pa.int64())), ("i", pa.array([1.0, 2.0])), ("i", pa.array([1, None], pa.int32())),
    ("l", pa.array([1, 2], pa.int32())), ("l", pa.array([1, 2], pa.uint32())), ("l", pa.array([1, 2], pa.uint64())),
    ("l", pa.array(["1", "2"])), ("l", pa.array([True, False])),
    ("f", pa.array([1.5, 2.5], pa.float64())), ("f", pa.array([0, 1], pa.int64())), ("f", pa.array([0, 2], pa.int64())),
    ("f", pa.array([1, 2], pa.int32())), ("f", pa.array([1.5, None], pa.float32())),
    ("d", pa.array([1.5, 2.5], pa.float32())), ("d", pa.array([1, 2], pa.int32())), ("d", pa.array([1, 2], pa.uint32())),
    ("d", pa.array([1, 2], pa.int64())), ("d", pa.array([0, 1], pa.int64())), ("d", pa.array([3, None], pa.int64())),
    ("d", pa.array([1, 2], pa.uint64())), ("d", pa.array(["1.5", "2"])), ("d", pa.array([True, False])),
    ("s", pa.array(["a", None])), ("s", pa.array(["a", "b"]).dictionary_encode()), ("s", pa.array([1, 2])),
    ("s", pa.array(["a", "b"], pa.large_string())), ("b", pa.array([0, 1])), ("b", pa.array(["true", "false"])),
    ("t", pa.array([datetime.date(2024, 1, 2)] * 2)), ("t", pa.array([datetime.datetime(2024, 1, 2)] * 2, pa.timestamp("ms"))),
    ("t", pa.array([datetime.datetime(2024, 1, 2)] * 2, pa.timestamp("us", "UTC"))), ("t", pa.array([1, 2])),
    ("y", pa.array(["a", "b"])), ("missing", None), ("extra", pa.array([1, 2])),
]
for number, (kind, array) in enumerate(changes):
    columns = dict(base)
    if kind == "missing":
        columns.pop("d")
    elif kind == "extra":
        columns["zz"] = array
    elif kind is not None:
        columns[kind] = array
    table = pa.table(columns)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    path = os.path.join(directory, f"{number}.parquet")
    with open(path, "wb") as file:
        file.write(buffer.getvalue())
    answer = client.post("/invocations", content=buffer.getvalue(), headers={"Content-Type": "application/vnd.apache.parquet"})
    print(json.dumps({"path": path, "what": f"{kind} {array.type if array is not None else None}", "status": answer.status_code, "body": answer.text}))
"#;

#[tokio::test]
async fn tables_are_taken_and_refused_as_mlflow_does() {
    let directory = tempfile::tempdir().unwrap();
    let lines = run_python(SCRIPT, &[&directory.path().display().to_string()], &[]);
    let source = directory.path().join("model").display().to_string();
    let mut options = ServeOptions::new(ModelSource::Uri(source.parse().unwrap()));
    options.loader = Loader(Arc::new(crate::conformance::load));
    let server = Running::ready(options).await;
    let mut wrong = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    for line in lines.lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let body = std::fs::read(PathBuf::from(expected["path"].as_str().unwrap())).unwrap();
        let answer = server.post_as("/invocations", "application/vnd.apache.parquet", body).await;
        if expected["what"].as_str().unwrap().starts_with("s dictionary") {
            // A text is a text, however it is encoded; pandas calls it a category.
            assert_eq!((answer.status, &expected["status"]), (200, &400.into()));
            continue;
        }
        if expected["status"] == 200 {
            taken += 1;
        } else {
            refused += 1;
        }
        if answer.status != expected["status"] {
            wrong.push(format!("{}: {} {} here", expected["what"], answer.status, answer.text));
        } else if answer.status == 400 {
            // What upstream says after the data, which it repeats.
            let theirs: Value = serde_json::from_str(expected["body"].as_str().unwrap()).unwrap();
            let ours = answer.json()["message"].as_str().unwrap().to_owned();
            let ours = ours.rsplit("Error: ").next().unwrap().trim();
            // Some of our sentences name the column first.
            let ours = ours.split_once("': ").map_or(ours, |(_, sentence)| sentence);
            if !theirs["message"].as_str().unwrap().contains(ours) {
                wrong.push(format!("{}:\n  {ours}\n  {}", expected["what"], theirs["message"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(taken > 10 && refused > 10, "{taken} taken, {refused} refused");
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_table_is_400() {
    let server = Running::ready(folder("iris_columns")).await;
    for body in [&b""[..], b"PAR1", b"PAR1\x00\x00\x00\x00PAR1", &[0xff; 100]] {
        for content_type in ["application/vnd.apache.parquet", "application/x-parquet"] {
            let answer = server.post_as("/predict", content_type, body.to_vec()).await;
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    server.stop().await;
}
