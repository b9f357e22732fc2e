//! The pages in a real browser: the policy holds, MLflow's addresses lead on.

use trainyard_mlflow::artifacts::once;
use trainyard_mlflow::entities::Tag;
use trainyard_testkit::browser;

use crate::services::{record, service};
use crate::site::Site;

/// Serves the site's pages until the test ends.
pub(crate) async fn serve(site: &Site) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, site.router()).into_future());
    url
}

async fn dom(url: String) -> String {
    tokio::task::spawn_blocking(move || browser::dom(&url)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_run_in_a_sandbox_and_mlflows_addresses_lead_on() {
    let site = Site::empty();
    let run_id = site.nasty_run().await;
    let url = serve(&site).await;
    // What MLflow's Python client prints after a run.
    let page = dom(format!("{url}/#/experiments/1/runs/{run_id}")).await;
    assert!(page.contains("1 min 5 s"), "{page}");
    // The report's script may run, but not on our page.
    assert!(!page.contains("<title>ran</title>"), "{page}");
    let report = dom(format!("{url}/runs/{run_id}/raw/drift.html")).await;
    assert!(report.contains("<title>ran</title>"), "{report}");
    // Markdown has no scripts, and a picture of SVG runs none.
    let root = site.tracking.runs.get(&run_id).await.unwrap().info.artifact_uri;
    let card = "# Card\n\n<img src=x onerror=\"document.title='ran'\">\n\n[a](javascript:document.title='ran')";
    site.tracking.artifacts.upload(&root, "card.md", once(card)).await.unwrap();
    for address in [format!("{url}/runs/{run_id}"), format!("{url}/runs/{run_id}/files/card.md")] {
        let page = dom(address).await;
        assert!(page.contains(">Card</h") && !page.contains("<title>ran</title>"), "{page}");
        assert!(!page.contains("href=\"javascript"), "{page}");
    }
    // What users wrote is text in a model's page, whose forms do not loosen its policy.
    let name = "It's \"<i>\" 100%";
    site.nasty_model(&run_id, name).await;
    let tag = Tag::new("x", "<img src=x onerror=\"document.title='ran'\">");
    site.tracking.registered_models.set_tag(name, tag).await.unwrap();
    let model = dom(format!("{url}/models/It's%20%22%3Ci%3E%22%20100%25")).await;
    assert!(model.contains("name=\"csrf\"") && !model.contains("<title>ran</title>"), "{model}");
    assert!(!model.contains("<img"), "{model}");
    // What is wider than the window is scrolled by the keyboard, too.
    assert!(model.contains("<pre class=\"code\" tabindex=\"0\">"), "{model}");
    // The list works as upstream's addresses do, too.
    let table = dom(format!("{url}/#/experiments/1")).await;
    assert!(table.contains("data-compare") && table.contains("finished"), "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mlflows_addresses_of_several_runs_lead_to_their_curves() {
    let site = Site::empty();
    let ids = [site.nasty_run().await, site.plain_run("other").await];
    let url = serve(&site).await;
    let runs = format!("runs=[%22{}%22,%22{}%22]", ids[0], ids[1]);
    let page = dom(format!("{url}/#/compare-runs?{runs}&experiments=[%221%22]")).await;
    assert!(page.contains("<small>2 runs</small>") && page.contains("loss/<wbr>a b"), "{page}");
    let metric = "metric=%22loss%2Fa%20b%22&experiments=[%221%22]";
    let page = dom(format!("{url}/#/metric?{runs}&{metric}")).await;
    // The script of charts is at work, too.
    assert!(page.contains("Point at a line for its values"), "{page}");
    assert_eq!(page.matches("<path class=\"line c0 d0\" d=\"M76").count(), 1, "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_drawn_without_scripts_of_its_own() {
    let site = Site::empty();
    let now = chrono::Utc::now().timestamp_millis();
    let run_id = service(&site, "/Iris_service", &record(now)).await;
    let url = serve(&site).await;
    for address in [format!("{url}/services"), format!("{url}/services/{run_id}?span=24h")] {
        let page = dom(address).await;
        assert_eq!(page.matches("class=\"chart lines\"").count(), 2, "{page}");
        // What was said has no tags.
        assert!(page.contains("r7.2 ended &lt;script&gt;"), "{page}");
    }
}
