//! Signatures inferred from data, beside what `mlflow.infer_signature` infers of the same data.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array,
    Int8Array, Int32Array, Int64Array, ListArray, NullArray, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt16Array, UInt32Array, UInt64Array,
    types::{Float64Type, Int32Type, Int64Type},
};
use trainyard_signature::model::{infer_schema, infer_signature};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn columns_get_the_types_that_pandas_and_mlflow_give_them() {
    let ints = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), Some(2)]),
        Some(vec![Some(3)]),
    ]);
    let optional_lists =
        ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(1.0)]), None]);
    let words: DictionaryArray<Int32Type> = ["a", "b"].into_iter().collect();
    let ours = infer_schema(&batch(vec![
        ("bool", Arc::new(BooleanArray::from(vec![true, false]))),
        ("bool_null", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("i8", Arc::new(Int8Array::from(vec![1, 2]))),
        ("i32", Arc::new(Int32Array::from(vec![1, 2]))),
        ("i64", ints(vec![Some(1), Some(2)])),
        ("i64_null", ints(vec![Some(1), None])),
        ("u16", Arc::new(UInt16Array::from(vec![1, 2]))),
        ("u32", Arc::new(UInt32Array::from(vec![1, 2]))),
        ("f32", Arc::new(Float32Array::from(vec![1.0, 2.0]))),
        ("f64", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
        ("f64_nan", Arc::new(Float64Array::from(vec![1.0, f64::NAN]))),
        ("f64_null", Arc::new(Float64Array::from(vec![Some(1.0), None]))),
        ("text", Arc::new(StringArray::from(vec!["a", "é"]))),
        ("text_null", Arc::new(StringArray::from(vec![Some("a"), None]))),
        ("bytes", Arc::new(BinaryArray::from(vec![&b"a"[..], &b"b"[..]]))),
        ("day", Arc::new(Date32Array::from(vec![1, 2]))),
        ("time", Arc::new(TimestampNanosecondArray::from(vec![Some(1), None]))),
        ("words", Arc::new(words)),
        ("nothing", Arc::new(NullArray::new(2))),
        ("list", Arc::new(lists)),
        ("list_null", Arc::new(optional_lists)),
    ]))
    .unwrap();
    let theirs = trainyard_testkit::run_python(
        "
import datetime as dt, numpy as np, pandas as pd, warnings
warnings.filterwarnings('ignore')
import mlflow
day = dt.date(1970, 1, 2)
frame = pd.DataFrame({
    'bool': [True, False],
    'bool_null': pd.Series([True, None], dtype=object),
    'i8': np.array([1, 2], 'int8'),
    'i32': np.array([1, 2], 'int32'),
    'i64': [1, 2],
    'i64_null': [1, None],
    'u16': np.array([1, 2], 'uint16'),
    'u32': np.array([1, 2], 'uint32'),
    'f32': np.array([1, 2], 'float32'),
    'f64': [1.0, 2.0],
    'f64_nan': [1.0, float('nan')],
    'f64_null': [1.0, None],
    'text': ['a', 'é'],
    'text_null': ['a', None],
    'bytes': [b'a', b'b'],
    'day': [day, day],
    'time': pd.to_datetime([day, None]),
    'words': pd.Series(['a', 'b'], dtype='category'),
    'nothing': pd.Series([None, None], dtype=object),
    'list': [np.array([1, 2]), np.array([3])],
    'list_null': [[1.0], None],
})
print(mlflow.models.infer_signature(frame).inputs.to_json())
",
        &[],
        &[],
    );
    let pretty = |json: &str| json.replace("}, {\"type", "},\n{\"type");
    assert_eq!(pretty(&ours.to_json().unwrap()), pretty(theirs.trim()));
}

#[test]
fn outputs_are_inferred_too() {
    let inputs = batch(vec![("x", Arc::new(Float64Array::from(vec![1.0])))]);
    let outputs = batch(vec![("label", Arc::new(StringArray::from(vec!["a"])))]);
    let signature = infer_signature(&inputs, Some(&outputs)).unwrap();
    assert_eq!(
        signature.outputs.unwrap().to_json().unwrap(),
        r#"[{"type": "string", "name": "label", "required": true}]"#
    );
    assert_eq!(infer_signature(&inputs, None).unwrap().outputs, None);
}

#[test]
fn what_mlflow_has_no_type_for_is_refused_by_column() {
    let error = infer_schema(&batch(vec![("big", Arc::new(UInt64Array::from(vec![1])))]));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("\"big\"") && error.contains("UInt64"), "{error}");
}
