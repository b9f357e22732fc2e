//! Which runs are best: who says so, and where it is told.

use axum::http::StatusCode;
use trainyard_mlflow::entities::{Metric, Tag};
use trainyard_mlflow::{LogBatch, Tracking};
use trainyard_tracking::server::{ServerOptions, app};

use crate::changes::{Browser, READER, access};
use crate::site::Site;

async fn log(tracking: &Tracking, run_id: &str, values: &[(&str, f64)]) {
    let metrics = values.iter().map(|(key, value)| Metric::new(*key, *value, 1, 1)).collect();
    let batch = LogBatch { metrics, ..LogBatch::default() };
    tracking.runs.log_batch(run_id, batch).await.unwrap();
}

/// Two runs: one with the better loss, the other with the larger gain.
async fn site() -> (Site, [String; 2]) {
    let site = Site::empty();
    let ids = [site.plain_run("small").await, site.plain_run("large").await];
    log(&site.tracking, &ids[0], &[("loss", 0.25), ("gain", 3.0), ("same", 1.0)]).await;
    log(&site.tracking, &ids[1], &[("loss", 0.75), ("gain", 8.0), ("same", 1.0)]).await;
    (site, ids)
}

const LIST: &str = "/experiments/0";

#[tokio::test]
async fn the_best_is_marked_and_said_to_be_so_by_whom() {
    let (site, ids) = site().await;
    let page = site.get(LIST).await.text;
    assert!(page.contains("<strong class=\"best\">0.25</strong>"), "{page}");
    assert!(
        page.contains("In bold the best of this page: loss: smaller is better, by its name."),
        "{page}"
    );
    // Of what nobody knows none is the best, and the heading begins with the largest.
    assert_eq!(page.matches("<strong class=\"best\"").count(), 1, "{page}");
    assert!(
        page.contains("order=metrics.%60loss%60%20ASC")
            && page.contains("order=metrics.%60gain%60%20DESC"),
        "{page}"
    );
    assert!(page.contains("Best by loss"), "{page}");
    let compared = site.get(&format!("/compare?run={}&run={}", ids[0], ids[1])).await.text;
    assert!(compared.contains("title=\"smaller is better, by its name\""), "{compared}");
    assert!(compared.contains("<strong class=\"best\">0.25</strong>"), "{compared}");
    assert!(!site.get("/").await.text.contains("Best run"), "nobody chose");

    // The gate of a project knows better, and so do people.
    let experiments = &site.tracking.experiments;
    experiments.set_tag("0", Tag::new("trainyard.better.gain", "smaller")).await.unwrap();
    let page = site.get(LIST).await.text;
    assert!(page.contains("<strong class=\"best\">3</strong>"), "{page}");
    assert!(page.contains("gain: smaller is better, as the gate takes it"), "{page}");
    let home = site.get("/").await.text;
    assert!(home.contains("Best run") && home.contains("gain 3 "), "{home}");

    let mut browser = Browser::new(site.router());
    let best = format!("{LIST}/best");
    let page = browser.get(&best).await.text;
    assert!(page.contains("not known") && page.contains("smallest first"), "{page}");
    let fields = [("action", "choose"), ("metric", "gain"), ("better", "larger")];
    let chosen = browser.submit(&best, &fields).await;
    assert_eq!(chosen.status, StatusCode::SEE_OTHER, "{}", chosen.text);
    let tags = experiments.get("0").await.unwrap().tags;
    assert_eq!(Tag::find(&tags, "mlflow.experiment.primaryMetric.name"), Some("gain"));
    assert_eq!(Tag::find(&tags, "mlflow.experiment.primaryMetric.greaterIsBetter"), Some("True"));
    let page = site.get(LIST).await.text;
    assert!(page.contains("<strong class=\"best\">8</strong>"), "{page}");
    assert!(page.contains("gain: larger is better, as chosen for the experiment"), "{page}");
    // It comes before the others.
    assert!(page.find("title=\"gain: ").unwrap() < page.find("title=\"loss: ").unwrap(), "{page}");
    let home = site.get("/").await.text;
    assert!(home.contains(">large</a> gain 8 "), "{home}");
    let drawn = site.get(&format!("{LIST}/relations?x=metrics.loss&y=metrics.gain")).await.text;
    assert!(drawn.contains("gain: larger is better, as chosen for the experiment."), "{drawn}");
    assert!(
        drawn.contains("The best median is that of <strong class=\"best\">0.75</strong>"),
        "{drawn}"
    );

    let forgotten = browser.submit(&best, &[("action", "forget")]).await;
    assert_eq!(forgotten.status, StatusCode::SEE_OTHER, "{}", forgotten.text);
    assert!(site.get(LIST).await.text.contains("as the gate takes it"));
    for wrong in [
        [("action", "choose"), ("metric", ""), ("better", "larger")],
        [("action", "choose"), ("metric", "gain"), ("better", "most")],
        [("action", "odd"), ("metric", "gain"), ("better", "larger")],
    ] {
        let refused = browser.submit(&best, &wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong:?}");
    }
}

#[tokio::test]
async fn whoever_may_only_read_chooses_nothing() {
    let (site, _ids) = site().await;
    let (control, _users) = Box::pin(access("READ")).await;
    let tracking = control.guard(site.tracking.clone());
    let options =
        ServerOptions { authorize: Some(control.authorize()), ..ServerOptions::default() };
    let app = app(tracking.clone(), &options, trainyard_web::router(tracking)).unwrap();
    let mut browser = Browser::of(app, READER);
    let fields = [("action", "choose"), ("metric", "gain"), ("better", "larger")];
    let refused = browser.submit(&format!("{LIST}/best"), &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
}

/// A tag that names no metric hides no page.
#[tokio::test]
async fn odd_tags_are_passed_over() {
    let (site, _ids) = site().await;
    for odd in ["", "a`b\"c", "none", "<b>"] {
        let experiments = &site.tracking.experiments;
        experiments
            .set_tag("0", Tag::new("mlflow.experiment.primaryMetric.name", odd))
            .await
            .unwrap();
        let greater = Tag::new("mlflow.experiment.primaryMetric.greaterIsBetter", "True");
        experiments.set_tag("0", greater).await.unwrap();
        for page in ["/", LIST, "/experiments/0/best", "/experiments/0/relations"] {
            let page = site.get(page).await;
            assert_eq!(page.status, StatusCode::OK, "{odd}: {}", page.text);
            assert!(!page.text.contains("<b>"), "{odd}");
        }
    }
}
