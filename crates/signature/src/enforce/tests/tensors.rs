//! Tensors: shapes, names and narrow types.

use arrow_array::types::Float16Type;

use super::*;

#[test]
fn tensors_keep_their_shape() {
    for body in [
        r#"{"inputs": [[[1, 2], [3, 4]]]}"#,
        r#"{"instances": [[[1, 2], [3, 4]]]}"#,
        r#"{"dataframe_split": {"columns": [0, 1], "data": [[[1, 2], [3, 4]]]}}"#,
        r#"{"dataframe_records": [{"p": [1, 2], "q": [3, 4]}]}"#,
    ] {
        let request = invoke(TENSOR, Casting::Lossless, body).unwrap();
        let outer = request.batch.column(0).as_fixed_size_list();
        assert_eq!((outer.len(), outer.value_length()), (1, 2), "{body}");
        assert_eq!(outer.values().as_fixed_size_list().values().len(), 4, "{body}");
        assert!(!request.frame, "arrays for the model: {body}");
    }
    for (body, message) in [
        (r#"{"inputs": [[[1, 2]]]}"#, "input (1, 1, 2) does not match expected shape (-1, 2, 2)."),
        (r#"{"inputs": [1, 2]}"#, "input (2,) does not match expected shape (-1, 2, 2)."),
        (r#"{"inputs": [[[1, 2], [3]]]}"#, "inhomogeneous shape"),
        (r#"{"inputs": [[[1, 2], 3]]}"#, "inhomogeneous shape"),
        (r#"{"inputs": {"x": [1]}}"#, "an input of type <class 'dict'> was found."),
        (r#"{"inputs": [[["a", 1], [2, 3]]]}"#, "expected float, got string \"a\""),
    ] {
        let rejection = invoke(TENSOR, Casting::Lossless, body).unwrap_err();
        assert!(rejection.message.contains(message), "{body}\n{rejection}");
    }
    for body in [
        r#"{"inputs": {"a": [[1, 2], [3, 4]], "b": [1, 2], "c": [1]}}"#,
        r#"{"instances": [{"a": [1, 2], "b": 1}, {"a": [3, 4], "b": 2}]}"#,
    ] {
        let request = invoke(TENSORS, Casting::Lossless, body).unwrap();
        assert_eq!(request.batch.num_rows(), 2, "{body}");
        assert_eq!(request.batch.column(1).as_primitive::<Int64Type>().values(), &[1, 2]);
    }
    let missing = invoke(TENSORS, Casting::Lossless, r#"{"inputs": {"a": [[1, 2]]}}"#);
    assert!(missing.unwrap_err().message.ends_with("Model is missing inputs ['b']."));
    let lossy = r#"{"inputs": {"a": [[1, 2]], "b": [1.5]}}"#;
    assert!(invoke(TENSORS, Casting::Lossless, lossy).is_err());
    assert!(invoke(TENSORS, Casting::Upstream, lossy).is_ok());
}

#[test]
fn narrow_tensors_are_checked() {
    let schema = r#"[{"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1]}}]"#;
    let request = invoke(schema, Casting::Lossless, r#"{"inputs": [0, 255]}"#).unwrap();
    assert_eq!(request.batch.column(0).data_type(), &arrow_schema::DataType::UInt8);
    let rejection = invoke(schema, Casting::Lossless, r#"{"inputs": [256]}"#).unwrap_err();
    assert!(rejection.message.contains("256 is beyond uint8"), "{rejection}");
    let halves = r#"[{"type": "tensor", "tensor-spec": {"dtype": "float16", "shape": [-1, 2]}}]"#;
    let request = invoke(halves, Casting::Lossless, r#"{"inputs": [[0.5, 5.1]]}"#).unwrap();
    let list = request.batch.column(0).as_fixed_size_list();
    let values = list.values().as_primitive::<Float16Type>();
    // What numpy.float16(5.1) is.
    assert_eq!(values.value(1).to_f64(), 5.1015625);
}
