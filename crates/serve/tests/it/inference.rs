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
