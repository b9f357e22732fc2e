//! `/openapi.json` and `/docs`.

use serde_json::json;

use crate::support::{Running, folder};

#[tokio::test]
async fn openapi_follows_the_signature() {
    let server = Running::ready(folder("iris_columns")).await;
    for prefix in ["", "/models/model"] {
        let document = server.get(&format!("{prefix}/openapi.json")).await.json();
        assert_eq!(document["openapi"], "3.1.0");
        let media = &document["paths"][format!("{prefix}/predict")]["post"]["requestBody"]["content"]
            ["application/json"];
        assert_eq!(media["schema"]["items"]["required"].as_array().unwrap().len(), 4);
        assert_eq!(
            media["schema"]["items"]["properties"]["petal width (cm)"]["anyOf"][0],
            json!({"type": "number", "format": "double"})
        );
        // What it shows as an example is a request that works.
        let answer = server.post(&format!("{prefix}/predict"), media["example"].to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let scoring = &document["paths"][format!("{prefix}/invocations")]["post"]["requestBody"]["content"]
            ["application/json"]["example"];
        let answer = server.post(&format!("{prefix}/invocations"), scoring.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    server.stop().await;
    let server = Running::ready(folder("onnx_rf")).await;
    let document = server.get("/openapi.json").await.json();
    assert_eq!(document["paths"].get("/predict"), None);
    let inputs = &document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]
        ["schema"]["properties"]["inputs"];
    assert_eq!(inputs["items"]["minItems"], 4);
    server.stop().await;
}

#[tokio::test]
async fn the_page_asks_nobody_else() {
    let server = Running::ready(folder("iris_columns")).await;
    let page = server.get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(page.text.contains("sepal width (cm)") && !page.text.contains("TRAINYARD_DATA"));
    for outside in ["http://", "https://", "//cdn", "@import"] {
        assert!(!page.text.contains(outside), "{outside}");
    }
    assert_eq!(server.get("/models/model/docs").await.status, 200);
    assert_eq!(server.post("/docs", "").await.status, 405);
    server.stop().await;
}

#[tokio::test]
async fn the_root_says_what_serves_and_leads_on() {
    let server = Running::ready(folder("iris_columns")).await;
    assert_eq!(server.post("/predict", "{}").await.status, 400);
    let page = server.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
    let version = server.get("/health").await.json()["version"].as_str().unwrap().to_owned();
    for told in [
        "It serves.",
        "<td>model</td>",
        version.as_str(),
        "href=\"docs\"",
        "href=\"health\"",
        "href=\"metrics\"",
        "<td>/predict</td><td class=\"n\">0</td><td class=\"n\">1</td>",
    ] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    assert!(!page.text.contains("<script") && !page.text.contains("://"), "{}", page.text);
    assert_eq!(server.post("/", "").await.status, 405);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_filled_in_a_browser() {
    let server = Running::ready(folder("iris_columns")).await;
    let url = server.url("/docs");
    let dom =
        tokio::task::spawn_blocking(move || trainyard_testkit::browser::dom(&url)).await.unwrap();
    for part in [
        "<h1 id=\"model\">model</h1>",
        "sepal width (cm) ",
        "<option value=\"/predict\">POST /predict</option>",
        "-H 'Content-Type: application/json'",
        "\"sepal length (cm)\": 5.1",
    ] {
        assert!(dom.contains(part), "{part}\n{dom}");
    }
    server.stop().await;
}
