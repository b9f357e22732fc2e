//! A model's data over time, from what looks at windows recorded.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trainyard_mlflow::artifacts::once;
use trainyard_mlflow::entities::RunStatus;

use crate::cockpit::{recorded, run};
use crate::site::{NASTY, Site};

const DAY: i64 = 86_400_000;

/// A window in which a column drifted, or did not, with a label for every second row.
fn window(begins: i64, is_bad: bool, accuracy: f64) -> Value {
    let verdict = if is_bad { 2.0 } else { 0.0 };
    json!({
        "window": { "begins": begins, "ends": begins + DAY },
        "rows": 1000,
        "labelled": 500,
        "remarks": [NASTY],
        "measures": [
            { "about": "drift", "metric": "verdict", "value": verdict },
            { "about": "drift", "metric": "drift_score", "column": NASTY, "value": 0.25, "is_alarming": is_bad },
            { "about": "data", "metric": "mean", "column": "width", "value": 7.5, "reference": 5.25 },
            { "about": "quality", "metric": "accuracy", "value": accuracy, "interval": [accuracy - 0.1, accuracy + 0.1],
              "reference": 0.93, "samples": 500, "is_alarming": is_bad },
            { "about": "estimate", "metric": "f1", "value": 0.8 },
        ],
    })
}

/// A history of a model, as a look records it: its run.
async fn history(site: &Site, experiment: &str, model: &str, file: (&str, String)) -> String {
    let tags = [("trainyard.window", "1d"), ("trainyard.model", model)];
    let done = Some(RunStatus::Finished);
    let run_id = run(&site.tracking, experiment, &tags, &[], &[("rows", 1000.0)], done).await;
    let info = site.tracking.runs.get(&run_id).await.unwrap().info;
    let (name, text) = file;
    site.tracking.artifacts.upload(&info.artifact_uri, name, once(text)).await.unwrap();
    run_id
}

#[tokio::test]
async fn a_models_data_over_time_lead_to_each_window() {
    let site = Site::empty();
    recorded(&site).await;
    let nobody = site.get("/models/Iris/monitoring").await;
    assert_eq!(nobody.status, StatusCode::OK, "{}", nobody.text);
    for told in ["trainyard monitor --window 1d", "Single looks", "warning"] {
        assert!(nobody.text.contains(told), "{told}: {}", nobody.text);
    }
    assert!(site.get("/").await.text.contains("/models/Iris/monitoring\""));
    assert!(!site.get("/models/Iris").await.text.contains("/models/Iris/monitoring"));

    // The last of the windows has the release and the look of `recorded` in it.
    let last = chrono::Utc::now().timestamp_millis() - DAY / 2;
    let first = last - DAY;
    let alert = |ended: Option<i64>| {
        let place = |begins: i64| json!({ "begins": begins, "ends": begins + DAY });
        json!({
            "rule": "own rule", "series": { "about": "drift", "metric": "drift_score", "column": "width" },
            "began": place(first), "fired": place(first), "ended": ended.map(place),
            "value": 0.25, "range": { "low": null, "high": 0.2 },
        })
    };
    let file = json!({
        "window": "1d", "title": "Iris", "reference": NASTY, "current": "logs/",
        "windows": [window(first, false, 0.93), window(last, true, 0.5)],
        "alerts": [alert(None), alert(Some(last))],
    });
    let own = ("recent.json", file.to_string());
    let run_id = history(&site, "/iris_monitoring", "Iris", own).await;
    let page = site.get("/models/Iris/monitoring").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let text = &page.text;
    for told in [
        "2 windows of 1d of <code>logs/</code>",
        "▲ Alerts",
        "drift_score of width is <b>0.25</b>, at most 0.2 is wanted",
        "1 alert is over",
        &format!("<a href=\"?at={last}\">▲</a>"),
        &format!("<a href=\"?at={first}\">●</a>"),
        "<title>v1</title>",
        "0.5 (0.4 to 0.6), 500 rows",
        "50.0 %",
        run_id.as_str(),
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let count = |part: &str| text.matches(part).count();
    // Accuracy, the estimate of f1, labels, rows; the release in each; and the bad accuracy.
    let drawn = ["<svg class=\"chart intervals", "class=\"event\"", "class=\"alarm\""].map(count);
    assert_eq!(drawn, [4, 4, 1], "{text}");
    assert!(!text.contains("<script>"), "{text}");
    assert!(site.get("/models/Iris").await.text.contains("/models/Iris/monitoring\""));

    let bad = site.get(&format!("/models/Iris/monitoring?at={last}")).await;
    assert_eq!(bad.status, StatusCode::OK, "{}", bad.text);
    for told in [
        "▲ drift</b>, 1\u{202f}000 rows, 500 of them with a label",
        "7.5<span class=\"why\">, reference 5.25</span>",
        "0.4 to 0.6",
        "Looks that were made then",
        "warning",
        &format!("href=\"?at={first}\" rel=\"prev\""),
    ] {
        assert!(bad.text.contains(told), "{told}: {}", bad.text);
    }
    assert!(!bad.text.contains("<script>") && !bad.text.contains("rel=\"next\""), "{}", bad.text);
    let good = site.get(&format!("/models/Iris/monitoring?at={first}")).await.text;
    assert!(good.contains("rel=\"next\"") && !good.contains("Looks that were made"), "{good}");
    for missing in ["?at=5", "?at=x", "?history=none"] {
        let page = site.get(&format!("/models/Iris/monitoring{missing}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{missing}: {}", page.text);
    }
}

#[tokio::test]
async fn histories_of_a_model_are_its_own_wherever_they_are() {
    let site = Site::empty();
    recorded(&site).await;
    let file = |rows: i64| {
        let begins = rows * DAY;
        json!({ "window": "1d", "windows": [window(begins, false, 0.9)] }).to_string()
    };
    // Outside of a project, by an earlier version of the program; and of another model.
    let own = history(&site, "/monitoring", "Iris", ("windows.json", file(1))).await;
    let other = history(&site, "/monitoring", "Other", ("recent.json", file(2))).await;
    let text = site.get("/models/Iris/monitoring").await.text;
    assert!(text.contains("1970-01-02") && !text.contains("nother history"), "{text}");
    let foreign = site.get(&format!("/models/Iris/monitoring?history={other}")).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{}", foreign.text);

    let damaged = ("recent.json", "{\"window\": \"1d\"".to_owned());
    let damaged = history(&site, "/iris_monitoring", "Iris", damaged).await;
    let page = site.get(&format!("/models/Iris/monitoring?history={damaged}")).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains("the recorded windows are no such"), "{}", page.text);
    let page = site.get(&format!("/models/Iris/monitoring?history={own}")).await;
    assert!(page.text.contains("Another history") && page.text.contains(&damaged), "{}", page.text);
    let linked = format!("<a href=\"?history={own}&amp;at={DAY}\">");
    assert!(page.text.contains(&linked), "{linked}: {}", page.text);
}
