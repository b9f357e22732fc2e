//! What the public may ask, and what is for operators.

use std::net::SocketAddr;

use http::{Method, StatusCode};

use crate::client::{ask, get, raw_head};
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn the_public_predicts_and_operators_do_the_rest() {
    let mut stage = Stage::new();
    let operators = SocketAddr::from(([127, 0, 0, 1], trainyard_testkit::free_port()));
    stage.service.gateway.exposed = vec!["/feedback".to_owned()];
    stage.service.gateway.operator_listen = Some(operators);
    let log = stage.folder.path().join("heard.log");
    let mut spec = Stage::spec("blue");
    spec.env.push(("LOG_FILE".to_owned(), log.display().to_string()));
    stage.release(&spec).await.unwrap();
    let public = stage.address();
    for path in ["/predict", "/invocations", "/v2/models/Iris/infer", "/feedback"] {
        let answer = ask(public, Method::POST, path, "[1]").await.unwrap();
        assert_eq!(answer.0, StatusCode::OK, "{path}: {answer:?}");
    }
    for path in ["/health", "/docs", "/openapi.json", "/ping", "/version", "/models/Iris/docs"] {
        assert_eq!(get(public, path).await.unwrap().0, StatusCode::OK, "{path}");
    }
    // The gateway's own, where nothing behind is let through; it asks no instance.
    let (status, page) = get(public, "/").await.unwrap();
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("It serves.") && page.contains("href=\"docs\""), "{page}");
    assert!(!page.contains("blue") && !page.contains("<script"), "{page}");
    assert_eq!(get(operators, "/").await.unwrap().1, "blue");
    let private = [
        "/reload",
        "/flush",
        "/metrics",
        "/webhook",
        "/admin",
        "/",
        "/models/Iris/reload",
        "/models/Iris/feedback",
        "/Reload",
        "/reload/",
        "/v2/repository/models/Iris/load",
    ];
    for path in private {
        let (status, body) = ask(public, Method::POST, path, "{}").await.unwrap();
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {body}");
        assert!(body.contains("`expose` under [deploy]"), "{path}: {body}");
    }
    // Other ways to write one of them, to both.
    for path in
        ["//reload", "/%72eload", "/models/Iris/../reload", "/predict/../reload", "/reload;x"]
    {
        let request = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{{}}");
        for address in [public, operators] {
            let head = raw_head(address, request.as_bytes()).await;
            assert!(head.starts_with("HTTP/1.1 400 "), "{path}: {head}");
        }
    }
    let heard = std::fs::read_to_string(&log).unwrap();
    assert!(!heard.contains("load") && !heard.contains("metrics"), "{heard}");
    // An upgrade is a request like any other.
    let upgrade = "GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    assert!(raw_head(public, upgrade.as_bytes()).await.starts_with("HTTP/1.1 404 "));

    for path in ["/reload", "/metrics", "/models/Iris/feedback", "/predict"] {
        let answer = ask(operators, Method::POST, path, "{}").await.unwrap();
        assert_eq!(answer, (StatusCode::OK, "blue".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_none_is_said_at_the_start() {
    let mut stage = Stage::new();
    stage.service.gateway.exposed = vec!["/a/../reload".to_owned()];
    let error = stage.release(&Stage::spec("blue")).await.unwrap_err().to_string();
    assert!(error.contains("\"/a/../reload\" is no path that can be exposed"), "{error}");
}
