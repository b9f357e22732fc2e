//! An experiment's page: words and filters, columns, nested and grouped runs, CSV.

use std::io::Read as _;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;
use trainyard_mlflow::entities::{Metric, Tag};
use trainyard_mlflow::{LogBatch, SearchRuns, Wanted};

use crate::site::{Site, get};

/// Logs params and metrics to a run.
async fn log(site: &Site, run_id: &str, params: &[(&str, &str)], metrics: &[(&str, f64)]) {
    let batch = LogBatch {
        params: params.iter().map(|(key, value)| Tag::new(*key, *value)).collect(),
        metrics: metrics.iter().map(|(key, value)| Metric::new(*key, *value, 1, 1)).collect(),
        tags: Vec::new(),
    };
    site.tracking.runs.log_batch(run_id, batch).await.unwrap();
}

#[tokio::test]
async fn words_find_runs_and_a_filter_that_is_refused_keeps_the_table() {
    let site = Site::empty();
    site.plain_run("O'Brien's baseline").await;
    let other = site.plain_run("wide net").await;
    let page = site.get("/experiments/0?q=BASE+o%27brien").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("Brien") && !page.text.contains("wide net"), "{}", page.text);
    assert!(page.text.contains("1 run match"), "{}", page.text);
    let by_id = site.get(&format!("/experiments/0?q={}", &other[..8])).await;
    assert!(by_id.text.contains("wide net") && !by_id.text.contains("Brien"), "{}", by_id.text);

    let refused = site.get("/experiments/0?q=metrics.a+%3E+%27x%27").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text.contains("notice bad") && refused.text.contains("wide net"));
    assert!(refused.text.contains("value=\"metrics.a &gt; 'x'\""), "{}", refused.text);
    let experiments = site.get("/experiments?q=O%27Brien").await;
    assert_eq!(experiments.status, StatusCode::OK, "{}", experiments.text);
}

#[tokio::test]
async fn columns_show_what_differs_and_are_remembered() {
    let site = Site::empty();
    for (name, loss) in [("one", 0.5), ("two", 0.25)] {
        let run_id = site.plain_run(name).await;
        let machine: Vec<String> = (0..9).map(|gpu| format!("system/gpu_{gpu}")).collect();
        let mut metrics: Vec<(&str, f64)> =
            machine.iter().map(|key| (key.as_str(), loss)).collect();
        metrics.push(("val/loss", loss));
        log(&site, &run_id, &[("seed", "7")], &metrics).await;
    }
    let page = site.get("/experiments/0").await.text;
    let (loss, machine) = (page.find("title=\"val/loss: "), page.find("title=\"system/gpu_0\""));
    assert!(loss.is_some() && loss < machine, "{page}");
    assert!(page.contains("Metrics (8 of 10)") && page.contains("2 runs"), "{page}");

    let only = site.get("/experiments/0?col=params.seed").await.text;
    assert!(only.contains("title=\"seed\"") && !only.contains("title=\"val/loss: "), "{only}");
    let kept = site.get("/experiments/0?col=params.seed&q=one&keep=1").await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER);
    assert_eq!(kept.headers["location"], "/experiments/0?col=params.seed&q=one");
    let cookie = kept.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; Path=/experiments/0;"), "{cookie}");
    let sent = cookie.split(';').next().unwrap();
    let request = Request::get("/experiments/0").header("cookie", sent).body(Body::empty());
    let answer = site.router().oneshot(request.unwrap()).await.unwrap();
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let page = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(page.contains("title=\"seed\"") && !page.contains("title=\"val/loss: "), "{page}");
    let forgot = site.get("/experiments/0?col=params.seed&keep=0").await;
    assert_eq!(forgot.headers["location"], "/experiments/0");
    assert!(forgot.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
}

/// Logs a value for each step.
async fn steps(site: &Site, run_id: &str, key: &str, values: &[f64]) {
    let metrics = (0..).zip(values).map(|(step, value)| Metric::new(key, *value, step, step));
    let batch = LogBatch { metrics: metrics.collect(), ..LogBatch::default() };
    site.tracking.runs.log_batch(run_id, batch).await.unwrap();
}

#[tokio::test]
async fn a_column_may_be_of_a_history() {
    let site = Site::empty();
    let run_id = site.plain_run("=one").await;
    steps(&site, &run_id, "loss", &[3.0, 1.5, 2.5]).await;
    steps(&site, &run_id, "acc", &[0.25, 0.5, 0.75]).await;
    let only = site.plain_run("two").await;
    steps(&site, &only, "acc", &[0.125]).await;

    let address = "/experiments/0?col=metrics.loss&col=metrics.loss@min&col=metrics.loss@max&col=metrics.acc@min:loss";
    let page = site.get(address).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let cell = |step: i64, value: &str| {
        format!("<td class=\"number\" title=\"at step {step}\">{value}</td>")
    };
    let row = format!("2.5</td>{}{}{}", cell(1, "1.5"), cell(0, "3"), cell(1, "0.5"));
    assert!(page.text.contains(&row), "{row}: {}", page.text);
    let none = "<td class=\"number\"></td>".repeat(4);
    assert!(page.text.contains(&none), "a run without the metric: {}", page.text);
    // Nothing pretends to sort by it.
    assert!(page.text.contains("acc at min loss: read for the runs of this page"), "{}", page.text);
    assert!(!page.text.contains("order=metrics.%60loss%40min"), "{}", page.text);
    let refused = site.get(&format!("{address}&order=metrics.loss@min+ASC")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert!(refused.text.contains("cannot be sorted by it"), "{}", refused.text);
    assert!(refused.text.contains(">=one</a>"), "the table stays: {}", refused.text);

    let csv =
        site.get("/experiments/0/runs.csv?col=metrics.loss@min&col=metrics.acc@min:loss").await;
    let rows: Vec<&str> = csv.text.lines().collect();
    assert!(rows[0].ends_with(",metrics.loss@min,metrics.acc@min:loss"), "{}", csv.text);
    assert!(rows.iter().any(|row| row.contains("'=one") && row.ends_with(",1.5,0.5")), "{rows:?}");
    assert!(rows.iter().any(|row| row.contains("two") && row.ends_with(",,")), "{rows:?}");

    for page in ["runs.csv", "curves", "relations"] {
        let page = site.get(&format!("/experiments/0/{page}?order=metrics.loss@min+ASC")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    }

    // As the form asks for one, beside what is ticked; and remembered.
    let asked = site.get("/experiments/0?col=params.lr&of=loss&as=min%3A&by=acc&q=one").await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    let location = asked.headers["location"].to_str().unwrap();
    assert_eq!(location, "/experiments/0?q=one&col=params.lr&col=metrics.loss%40min%3Aacc");
    let kept = site.get("/experiments/0?of=loss&as=min&keep=1").await;
    assert!(kept.headers["set-cookie"].to_str().unwrap().contains("col=metrics.loss%40min;"));
}

#[tokio::test]
async fn a_history_that_is_too_long_says_what_is_known() {
    let site = Site::empty();
    let values: Vec<f64> = (0..1_000).map(f64::from).collect();
    let mut ids = Vec::new();
    // Each has its share of what a page reads, which is less than the longest has.
    for _ in 0..100 {
        let run_id = site.plain_run("short").await;
        steps(&site, &run_id, "loss", &[7.0]).await;
        ids.push(run_id);
    }
    for part in 0..5 {
        let metrics = (0..).zip(&values).map(|(step, value)| {
            let step = step + 1_000 * part;
            Metric::new("loss", *value + 1_000.0 * part as f64, step, step)
        });
        let batch = LogBatch { metrics: metrics.collect(), ..LogBatch::default() };
        site.tracking.runs.log_batch(&ids[99], batch).await.unwrap();
    }
    // The newest comes first and has a hundredth of it; the last one has all that is left.
    let page = site.get("/experiments/0?col=metrics.loss@min&order=metrics.loss+DESC").await.text;
    assert!(page.contains("≤ ") && page.contains("too long to be read for a list"), "{page}");
    let at = site.get("/experiments/0?col=metrics.loss@min:loss&order=metrics.loss+ASC").await.text;
    assert!(!at.contains("too long to be read"), "what others leave is for it: {at}");
}

#[tokio::test]
async fn scorers_are_listed_by_version() {
    let site = Site::empty();
    let scorers = &site.tracking.tracing.as_ref().unwrap().scorers;
    for text in ["{\"a\": \"<b>\"}", "{\"a\": 2}"] {
        scorers.register("0", "is it <i>polite</i>?", text).await.unwrap();
    }
    let page = site.get("/experiments/0/scorers").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("&lt;i&gt;polite") && !page.text.contains("<i>"), "{}", page.text);
    let link = page.links().into_iter().find(|link| link.contains("?name=")).unwrap();
    let versions = site.get(&link).await.text;
    let (new, old) = (versions.find("2}"), versions.find("&lt;b&gt;"));
    assert!(new.is_some() && new < old, "the newest first: {versions}");
    let about = site.get("/experiments/0").await;
    assert!(about.links().contains(&"/experiments/0/scorers".to_owned()), "{}", about.text);
    let none = Site::empty().get("/experiments/0/scorers").await.text;
    assert!(none.contains("No scorers here."), "{none}");
}

#[tokio::test]
async fn nested_runs_lie_below_the_run_that_they_are_part_of() {
    let site = Site::empty();
    let parent = site.plain_run("the sweep").await;
    for trial in 0..3 {
        let run_id = site.plain_run(&format!("trial {trial}")).await;
        let tag = Tag::new("mlflow.parentRunId", &parent);
        site.tracking.runs.set_tag(&run_id, tag).await.unwrap();
    }
    site.plain_run("alone").await;
    let page = site.get("/experiments/0").await.text;
    assert!(page.contains("5 runs, 3 of them part of another"), "{page}");
    assert!(page.contains("3 nested"), "{page}");
    let (sweep, trial) = (page.find("the sweep"), page.find("trial 1"));
    assert!(sweep.is_some() && sweep < trial, "{page}");
    assert_eq!(page.matches("<tr class=\"nested\">").count(), 3, "{page}");
    let flat = site.get("/experiments/0?flat=1").await.text;
    assert!(!flat.contains("<tr class=\"nested\">") && flat.matches("↳").count() == 3, "{flat}");
}

#[tokio::test]
async fn no_nested_run_is_lost() {
    let site = Site::empty();
    let sweep = site.plain_run("the sweep").await;
    let trial = site.plain_run("trial").await;
    let fold = site.plain_run("fold").await;
    for (run_id, whole) in [(&trial, &sweep), (&fold, &trial)] {
        let tag = Tag::new("mlflow.parentRunId", whole);
        site.tracking.runs.set_tag(run_id, tag).await.unwrap();
    }
    let page = site.get("/experiments/0").await.text;
    assert_eq!(page.matches("<tr class=\"nested\">").count(), 2, "a part of a part: {page}");
    assert!(page.contains("2 nested") && !page.contains("Not all nested runs"), "{page}");
    assert!(page.contains("Compare chosen runs"), "parts of one run can be compared: {page}");

    site.tracking.runs.delete(&trial).await.unwrap();
    let page = site.get("/experiments/0").await.text;
    assert!(page.contains("Not all nested runs are here"), "its run is deleted: {page}");
    assert!(site.get("/experiments/0?flat=1").await.text.contains(">fold</a>"));
    let deleted = site.get("/experiments/0?view=deleted").await.text;
    assert!(deleted.contains(">trial</a>"), "{deleted}");
}

#[tokio::test]
async fn runs_group_by_a_value() {
    let site = Site::empty();
    for (name, depth) in [("a", "3"), ("b", "5"), ("c", "3")] {
        let run_id = site.plain_run(name).await;
        log(&site, &run_id, &[("depth", depth)], &[]).await;
    }
    let address = "/experiments/0?group=params.depth&order=attributes.run_name+ASC";
    let page = site.get(address).await.text;
    assert_eq!(page.matches("scope=\"rowgroup\"").count(), 2, "{page}");
    let three = page.find("params.depth = 3<span class=\"soft\"> · 2 here");
    let five = page.find("params.depth = 5<span class=\"soft\"> · 1 here");
    assert!(three.is_some() && three < five, "{page}");
}

#[tokio::test]
async fn runs_are_exported_whole_and_formulas_are_texts() {
    let site = Site::empty();
    for n in 0..3_i32 {
        let run_id = site.plain_run(&format!("=run{n}")).await;
        let metrics = [("loss", f64::from(n)), ("far", f64::INFINITY)];
        log(&site, &run_id, &[("cmd", "@SUM(A1)"), ("lr", "-0.5")], &metrics).await;
    }
    let address = "/experiments/0/runs.csv?q=metrics.loss+%3E+0&col=params.cmd&col=params.lr\
                   &col=metrics.loss&col=metrics.far&order=metrics.loss+DESC";
    let file = site.get(address).await;
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"runs-0.csv\"");
    let lines: Vec<&str> = file.text.split("\r\n").collect();
    assert!(
        lines[0].ends_with(",end_time,metrics.loss,metrics.far,params.cmd,params.lr"),
        "{lines:?}"
    );
    assert!(lines[1].contains(",'=run2,RUNNING,"), "{lines:?}");
    assert!(lines[1].ends_with(",2,inf,'@SUM(A1),-0.5"), "{lines:?}");
    assert_eq!(lines.len(), 4, "a head, two runs and the end: {lines:?}");
    let refused = site.get("/experiments/0/runs.csv?q=a.b+%3E+1").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_deleted_experiment_says_how_it_comes_back() {
    let site = Site::empty();
    let id = site.tracking.experiments.create("gone", None, &[]).await.unwrap();
    let page = site.get(&format!("/experiments/{id}")).await.text;
    assert!(page.contains("mlflow.set_experiment(&quot;gone&quot;)"), "{page}");
    site.tracking.experiments.delete(&id).await.unwrap();
    let page = site.get(&format!("/experiments/{id}")).await.text;
    assert!(page.contains(&format!("restore_experiment(&quot;{id}&quot;)")), "{page}");
    assert!(page.contains("view=deleted") && !page.contains("set_experiment"), "{page}");
}

#[tokio::test]
async fn a_table_is_packed_for_those_who_take_it() {
    let site = Site::empty();
    let mut run_id = String::new();
    for number in 0..30 {
        run_id = site.plain_run(&format!("run {number}")).await;
    }
    let asked = |address: &str| {
        let request = Request::get(address).header("accept-encoding", "br, gzip");
        site.router().oneshot(request.body(Body::empty()).unwrap())
    };
    let response = asked("/experiments/0").await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.headers()["vary"], "accept-encoding");
    let packed = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_ref()).read_to_string(&mut text).unwrap();
    assert!(text.contains("run 29") && text.ends_with("</html>"), "{text}");
    assert!(packed.len() * 2 < text.len(), "{} of {}", packed.len(), text.len());
    // The length of a page with a form's secret tells nothing of it.
    let response = asked(&format!("/runs/{run_id}")).await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
    let page = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert!(String::from_utf8_lossy(&page).contains("name=\"csrf\""));
}

#[tokio::test]
async fn files_of_pages_are_kept_for_good_by_names_that_change_with_them() {
    let site = Site::empty();
    let page = site.get("/").await;
    let assets: Vec<String> =
        page.links().into_iter().filter(|link| link.starts_with("/assets/")).collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for address in assets {
        let file = site.get(&address).await;
        assert_eq!(file.status, StatusCode::OK, "{address}");
        let kept = file.headers["cache-control"].to_str().unwrap();
        assert!(kept.contains("immutable") && kept.contains("max-age=31536000"), "{kept}");
        // One of a page of another version, and as it was before names had digests.
        let (stem, ending) = address.rsplit_once('.').unwrap();
        let (stem, _digest) = stem.rsplit_once('-').unwrap();
        for old in [format!("{stem}-0123456789abcdef.{ending}"), format!("{stem}.{ending}")] {
            let moved = site.get(&old).await;
            assert_eq!(moved.status, StatusCode::TEMPORARY_REDIRECT, "{old}");
            assert_eq!(moved.headers["location"], address.as_str());
            assert_eq!(moved.headers["cache-control"], "no-cache");
        }
    }
    for none in ["/assets/other.css", "/assets/trainyard-x.css", "/assets/trainyard"] {
        assert_eq!(site.get(none).await.status, StatusCode::NOT_FOUND, "{none}");
    }
    let below = trainyard_web::router_below(site.tracking.clone(), "/team/");
    let moved = get(below, "/assets/trainyard.css").await;
    let to = moved.headers["location"].to_str().unwrap();
    assert!(to.starts_with("/team/assets/trainyard-"), "{to}");
    // The script is packed once, not at each request.
    let script = page
        .links()
        .into_iter()
        .find(|link| link.rsplit_once('.').is_some_and(|(_, ending)| ending == "js"))
        .unwrap();
    let request = Request::get(script).header("accept-encoding", "gzip");
    let packed = site.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["vary"], "accept-encoding");
}

#[tokio::test]
async fn of_hundreds_of_metrics_a_list_reads_a_few() {
    let site = Site::empty();
    let keys: Vec<String> = (0..250).map(|key| format!("layer/{key}")).collect();
    let mut ids = Vec::new();
    for number in 0..7 {
        let run_id = site.plain_run(&format!("deep {number}")).await;
        let value = |at: usize| f64::from(number) + at as f64 / 1000.0;
        let metrics: Vec<(&str, f64)> =
            keys.iter().enumerate().map(|(at, key)| (key.as_str(), value(at))).collect();
        let depth = number.to_string();
        log(&site, &run_id, &[("depth", depth.as_str())], &metrics).await;
        ids.push(run_id);
    }
    let search = SearchRuns { experiment_ids: vec!["0".to_owned()], ..SearchRuns::default() };
    let some = Wanted::Metrics(vec!["layer/7".to_owned(), "none".to_owned()]);
    let found = site.tracking.runs.search_for(search.clone(), some).await.unwrap().items;
    assert_eq!(found.len(), 7);
    for run in &found {
        assert_eq!((run.data.metrics.len(), run.data.params.len()), (1, 1), "{:?}", run.data);
        assert_eq!(run.data.metrics[0].key, "layer/7");
    }
    let bare = site.tracking.runs.search_for(search, Wanted::Nothing).await.unwrap().items;
    assert!(bare.iter().all(|run| run.data.metrics.is_empty() && run.data.tags.is_empty()));

    let page = site.get("/experiments/0").await.text;
    assert!(page.contains("Metrics (8 of 250)") && page.contains("title=\"depth\""), "{page}");
    // All rows have their values, also of what was chosen, and of what they are grouped by.
    let chosen = "/experiments/0?col=metrics.layer%2F249&order=metrics.%60layer%2F249%60+ASC";
    let page = site.get(chosen).await.text;
    for number in 0..7 {
        assert!(page.contains(&format!(">{number}.249<")), "{number}: {page}");
    }
    let grouped = site.get("/experiments/0?group=metrics.layer%2F3").await.text;
    assert!(grouped.contains("= 6.003") && grouped.contains("= 0.003"), "{grouped}");
    let csv = site.get("/experiments/0/runs.csv?col=metrics.layer%2F249&col=params.depth").await;
    assert!(csv.text.contains("6.249,6") && csv.text.contains("0.249,0"), "{}", csv.text);
    let drawn = ids.iter().map(|id| format!("run={id}")).collect::<Vec<_>>().join("&");
    let curves = site.get(&format!("/experiments/0/curves?{drawn}")).await.text;
    assert!(curves.contains("7 runs") && curves.contains("layer/0"), "{curves}");
    assert!(curves.matches("class=\"line c").count() >= 14, "two charts of seven lines: {curves}");
    let one = site.get("/experiments/0/curves?metric=layer%2F249").await.text;
    assert!(one.matches("class=\"line c").count() >= 7 && one.contains("7 runs"), "{one}");
    let compared = site.get(&format!("/compare?{drawn}")).await.text;
    assert!(compared.contains("layer/<wbr>249") || compared.contains("layer/249"), "{compared}");
    let plane =
        site.get("/experiments/0/relations?x=params.depth&y=metrics.layer%2F200").await.text;
    assert!(plane.contains("deep 0: 0, 0.2") && plane.contains("deep 6: 6, 6.2"), "{plane}");
}
