//! The Open Inference Protocol, version 2.

use serde_json::json;

use crate::support::{Running, folder};

#[tokio::test]
async fn servers_and_models_describe_themselves() {
    let server = Running::ready(folder("iris_columns")).await;
    assert_eq!(server.get("/v2").await.json()["name"], "trainyard");
    assert_eq!(server.get("/v2/health/live").await.json(), json!({"live": true}));
    assert_eq!(server.get("/v2/health/ready").await.json(), json!({"ready": true}));
    assert_eq!(server.get("/v2/models/model/ready").await.json(), json!({"ready": true}));
    for path in ["/v2/models/model", "/v2/models/model/versions/4549939cf89c4a6cbe28af45e1e2ebfb"] {
        let metadata = server.get(path).await.json();
        assert_eq!(metadata["name"], "model", "{path}");
        assert_eq!(
            metadata["inputs"][1],
            json!({"name": "sepal width (cm)", "datatype": "FP64", "shape": [-1]})
        );
    }
    for path in [
        "/v2/models/other",
        "/v2/models/model/versions/1",
        "/v2/nope",
        "/v2/models/model/nope",
        "/v2x",
    ] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    assert_eq!(server.get("/v2/models/model/infer").await.status, 405);
    server.stop().await;
}

#[tokio::test]
async fn columns_and_tables_are_predicted() {
    let server = Running::ready(folder("iris_columns")).await;
    let names = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"];
    let column = |(name, values): (&&str, [f64; 2])| json!({"name": name, "datatype": "FP64", "shape": [2, 1], "data": [[values[0]], [values[1]]]});
    let values = [[5.1, 6.3], [3.5, 3.3], [1.4, 6.0], [0.2, 2.5]];
    let columns: Vec<_> = names.iter().zip(values).map(column).collect();
    let table = json!({"name": "rows", "datatype": "FP64", "shape": [2, 4],
        "data": [5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6.0, 2.5]});
    for inputs in [json!(columns), json!([table])] {
        let body = json!({"id": "7", "inputs": inputs}).to_string();
        let answer = server.post("/v2/models/model/infer", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        assert_eq!((&answer["id"], &answer["model_name"]), (&json!("7"), &json!("model")));
        assert_eq!(
            answer["outputs"][0],
            json!({"name": "label", "datatype": "INT64", "shape": [2], "data": [0, 2]})
        );
        assert_eq!(answer["outputs"][1]["shape"], json!([2, 3]));
        assert_eq!(answer["outputs"][1]["data"].as_array().unwrap().len(), 6);
    }
    for (inputs, message) in [
        (json!([{"name": "rows", "shape": [2, 4], "data": [1]}]), "do not fill the shape [2, 4]"),
        (json!([{"name": "rows", "shape": [1, 3], "data": [1, 2, 3]}]), "has 4 columns"),
        (json!([{"name": "rows", "shape": [3], "data": [1, 2, 3]}]), "not a table"),
        (json!([{"name": names[0], "shape": [1], "data": [1]}]), "Model is missing inputs"),
        (json!([{"name": "rows", "shape": [1, 4], "data": [1, 2, "a", 4]}]), "got string \"a\""),
        (json!(5), "not an inference request"),
    ] {
        let answer =
            server.post("/v2/models/model/infer", json!({"inputs": inputs}).to_string()).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let said = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(said.contains(message), "{said}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_tensor_is_predicted() {
    let server = Running::ready(folder("onnx_rf")).await;
    let body = json!({"inputs": [
        {"name": "any", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]});
    let answer = server.post("/v2/models/model/infer", body.to_string()).await.json();
    assert_eq!(answer["outputs"][0]["data"], json!([0]), "{answer}");
    assert_eq!(answer["outputs"][1]["parameters"], json!({"labels": "0,1,2"}));
    server.stop().await;
}

#[tokio::test]
async fn the_answer_is_that_of_predict_in_other_words() {
    let server = Running::ready(folder("iris_columns")).await;
    let names = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"];
    let columns: Vec<String> = names.iter().map(|name| format!("\"{name}\": [5.1, NaN]")).collect();
    let plain = server.post("/predict", format!("{{{}}}", columns.join(", "))).await;
    let tensors: Vec<String> = names
        .iter()
        .map(|name| {
            format!(r#"{{"name": "{name}", "shape": [2], "datatype": "FP64", "data": [5.1, NaN]}}"#)
        })
        .collect();
    let body = format!(r#"{{"inputs": [{}]}}"#, tensors.join(", "));
    let tensor = server.post("/v2/models/model/infer", body).await;
    assert_eq!(tensor.status, plain.status, "{plain:?}\n{tensor:?}");
    if plain.status == 200 {
        assert_eq!(tensor.json()["outputs"][0]["data"], plain.json()["predictions"]);
    }
    // Which version answered is told in the same place.
    let row: Vec<String> = names.iter().map(|name| format!("\"{name}\": 5")).collect();
    let plain = server.post("/predict", format!("{{{}}}", row.join(", "))).await;
    let table = r#"{"inputs": [{"name": "t", "shape": [1, 4], "datatype": "INT64", "data": [5, 5, 5, 5]}]}"#;
    let tensor = server.post("/v2/models/model/infer", table).await;
    assert_eq!((plain.status, tensor.status), (200, 200));
    assert_eq!(tensor.json()["outputs"][0]["data"], plain.json()["predictions"]);
    let version = plain.header("x-model-version");
    assert!(!version.is_empty());
    assert_eq!(tensor.header("x-model-version"), version);
    assert_eq!(tensor.json()["model_version"], version);
    // Without an id of its own the request has the server's.
    assert_eq!(tensor.json()["id"], tensor.header("x-request-id"));
    server.stop().await;
}

#[tokio::test]
async fn values_that_are_not_of_their_datatype_are_400() {
    let server = Running::ready(folder("iris_columns")).await;
    for (datatype, value) in [
        ("BOOL", "1"),
        ("UINT8", "256"),
        ("UINT16", "-1"),
        ("UINT32", "0.5"),
        ("UINT64", "-1"),
        ("INT8", "-129"),
        ("INT16", "40000"),
        ("INT32", "true"),
        ("INT64", "\"5.1\""),
        ("FP16", "70000"),
        ("FP32", "1e39"),
        ("FP64", "\"5.1\""),
        ("BYTES", "5.1"),
    ] {
        let body = format!(
            r#"{{"inputs": [{{"name": "rows", "shape": [1, 4], "datatype": "{datatype}", "data": [{value}, 1, 1, 1]}}]}}"#
        );
        let answer = server.post("/v2/models/model/infer", body).await;
        assert_eq!(answer.status, 400, "{datatype}: {answer:?}");
        let said = answer.json();
        let message = said["message"].as_str().unwrap();
        assert!(message.contains(&format!("input 'rows' is of the datatype {datatype}")), "{said}");
        assert!(message.contains(value), "{said}");
        let violation = &said["violations"][0];
        assert_eq!((&violation["column"], &violation["row"]), (&json!("rows"), &json!(0)));
        assert_eq!(
            (&violation["expected"], &violation["value"]),
            (&json!(datatype), &json!(value))
        );
    }
    server.stop().await;
}
