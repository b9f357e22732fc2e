//! A folder written here is loaded and run by Python's `mlflow.pyfunc`.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use chrono::{TimeZone as _, Utc};
use trainyard_signature::model::{
    InputExample, MlModel, ModelFolder, Schema, Signature, TensorSpec, infer_schema,
};

fn graph() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/onnx_rf/model.onnx");
    std::fs::read(path).unwrap()
}

#[test]
fn python_loads_the_folder_validates_and_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let signature = Signature {
        inputs: Some(Schema::Tensors(vec![TensorSpec::unnamed("float32", [-1, 4])])),
        outputs: None,
        params: None,
    };
    let created = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap();
    let mut model = ModelFolder::onnx(graph(), signature, created);
    model.input_example =
        Some(InputExample { payload: r#"{"inputs": [[5.1, 3.5, 1.4, 0.2]]}"#.to_owned() });
    model.run_id = Some("0123456789".to_owned());
    model.metadata.insert("note: \"x\"".to_owned(), serde_json::json!({"n": 1, "t": "no"}));
    let written = model.write(folder.path()).unwrap();
    assert_eq!(MlModel::read(folder.path()).unwrap(), written);
    assert!(written.model_size_bytes.unwrap() > 40_000);
    let out = trainyard_testkit::run_python(
        "
import sys, yaml, numpy as np, mlflow
from mlflow.models import Model
folder = sys.argv[1]
info = Model.load(folder)
assert info.run_id == '0123456789', info.run_id
assert info.metadata == {'note: \"x\"': {'n': 1, 't': 'no'}}, info.metadata
assert info.utc_time_created == '2026-01-02 03:04:05.000000', info.utc_time_created
conda = yaml.safe_load(open(folder + '/conda.yaml'))
assert conda['dependencies'][0] == 'python=3.11.7' and 'onnx==1.23.2' in conda['dependencies'][2]['pip']
assert yaml.safe_load(open(folder + '/python_env.yaml'))['dependencies'] == ['-r requirements.txt']
model = mlflow.pyfunc.load_model(folder)
example = model.input_example
assert example.shape == (1, 4), example
answer = model.predict(np.array([[5.1, 3.5, 1.4, 0.2]], 'float32'))
print(sorted(answer), answer['output_label'].tolist())
",
        &[folder.path().to_str().unwrap()],
        &[],
    );
    assert_eq!(out.trim(), "['output_label', 'output_probability'] [0]");
}

#[test]
fn python_reads_the_example_of_a_batch() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(Float64Array::from(vec![Some(1e-5), None, Some(f64::NAN)]))),
        ("single", Arc::new(Float32Array::from(vec![0.1, 2.5, 3.0]))),
        ("whole", Arc::new(Int64Array::from(vec![1, i64::MAX, -3]))),
        ("word", Arc::new(StringArray::from(vec![Some("é😀\"\\"), None, Some("")]))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false, true]))),
        (
            "time",
            Arc::new(TimestampMicrosecondArray::from(vec![
                0,
                1_700_000_000_123_456,
                86_400_000_000,
            ])),
        ),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![1, 1_700_000_000_123_456_789, 0]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let signature =
        Signature { inputs: Some(infer_schema(&batch).unwrap()), ..Signature::default() };
    let mut model = ModelFolder::onnx(graph(), signature, Utc::now());
    model.input_example = Some(InputExample::from_batch(&batch).unwrap());
    let written = model.write(folder.path()).unwrap();
    let read = InputExample::read(folder.path(), &written).unwrap().unwrap();
    assert!(read.payload.contains("dataframe_split"), "{}", read.payload);
    let out = trainyard_testkit::run_python(
        "
import sys, json, mlflow
from mlflow.models import Model
from mlflow.models.utils import _read_example, load_serving_example
folder = sys.argv[1]
model = Model.load(folder)
frame = _read_example(model, folder)
serving = json.loads(load_serving_example(folder))['dataframe_split']
assert serving['columns'] == list(frame.columns)
print({str(k): str(v) for k, v in frame.dtypes.items()})
print(frame.to_json(orient='split', date_format='iso', double_precision=15, index=False))
",
        &[folder.path().to_str().unwrap()],
        &[],
    );
    let (dtypes, data) = out.trim().split_once('\n').unwrap();
    assert_eq!(
        dtypes,
        "{'number': 'float64', 'single': 'float32', 'whole': 'int64', 'word': 'str', \
         'flag': 'bool', 'time': 'datetime64[ns]', 'nanos': 'datetime64[ns]'}"
    );
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["data"][0][0], 1e-5);
    assert_eq!(data["data"][1][2], i64::MAX);
    assert_eq!(data["data"][0][3], "é😀\"\\");
    assert!(data["data"][2][0].is_null());
    assert!(data["data"][1][5].as_str().unwrap().starts_with("2023-11-14T22:13:20.123"), "{data}");
}

#[test]
fn files_stay_in_the_folder_and_examples_have_a_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = ModelFolder::onnx(graph(), Signature::default(), Utc::now());
    model.files.push(("../outside".to_owned(), bytes::Bytes::new()));
    let error = model.write(folder.path()).unwrap_err();
    assert!(error.to_string().contains("leaves the model folder"), "{error}");
    let empty = RecordBatch::try_from_iter(vec![(
        "x",
        Arc::new(Float64Array::from(Vec::<f64>::new())) as ArrayRef,
    )])
    .unwrap();
    assert!(InputExample::from_batch(&empty).unwrap_err().to_string().contains("not 0"));
}
