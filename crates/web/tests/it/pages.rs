//! What the pages say, and that nothing in them is more than text.

use std::collections::{BTreeSet, VecDeque};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use trainyard_mlflow::client::{Credentials, RestClient, Settings};
use trainyard_mlflow::entities::{Metric, Tag};
use trainyard_mlflow::{CreateRun, LogBatch};

use crate::site::{NASTY, Site, get, send};

#[tokio::test]
async fn every_page_that_is_linked_opens_and_nothing_in_it_is_active() {
    let site = Site::empty();
    let run_id = site.nasty_run().await;
    site.nasty_model(&run_id, "My model é 100%").await;
    let mut seen = BTreeSet::new();
    let mut pending = VecDeque::from(["/".to_owned()]);
    while let Some(address) = pending.pop_front() {
        if !seen.insert(address.clone()) {
            continue;
        }
        assert!(
            address.starts_with('/') && !address.starts_with("//"),
            "{address} leads elsewhere"
        );
        let page = site.get(&address).await;
        assert_eq!(page.status, StatusCode::OK, "{address}: {}", page.text);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        let kind = page.headers["content-type"].to_str().unwrap();
        if address.contains("/raw/") {
            assert!(policy.starts_with("sandbox allow-scripts; default-src 'none'"), "{policy}");
            continue;
        }
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        if !kind.starts_with("text/html") {
            continue;
        }
        assert!(page.text.len() < 200_000, "{address}: {} bytes", page.text.len());
        let lowered = page.text.to_lowercase();
        assert!(!lowered.contains("<script>") && !lowered.contains("<b>"), "{address}: {lowered}");
        assert!(!lowered.contains(" style=") && !lowered.contains(" onclick="), "{address}");
        assert_eq!(lowered.matches("<script ").count(), 1, "{address}");
        pending.extend(page.links().into_iter().filter(|link| !link.starts_with('#')));
    }
    let kinds = [
        "/experiments/",
        "/runs/",
        "/metrics/",
        "/files/",
        "/raw/",
        "/models/",
        "/versions/",
        "/logged-models/",
        "/assets/",
        "/compare",
        "order=",
    ];
    for kind in kinds.into_iter().filter(|kind| *kind != "/compare") {
        assert!(seen.iter().any(|address| address.contains(kind)), "{kind}: {seen:?}");
    }
}

#[tokio::test]
async fn an_empty_site_says_what_to_do() {
    let site = Site::empty();
    let home = site.get("/").await;
    assert!(home.text.contains("Nothing has been logged here yet."), "{}", home.text);
    assert!(home.text.contains("mlflow.set_tracking_uri(&quot;http://example.org:5000&quot;)"));
    let models = site.get("/models").await;
    assert!(models.text.contains("No registered models."), "{}", models.text);
    let experiment = site.get("/experiments/0").await;
    assert!(experiment.text.contains("No runs here."), "{}", experiment.text);
    assert!(site.get("/compare").await.text.contains("Choose two or more runs."));
    // Nor are there things to choose from where nothing is.
    for part in ["curves", "relations"] {
        let page = site.get(&format!("/experiments/0/{part}")).await.text;
        assert!(page.contains("metrics were logged to these runs."), "{page}");
        assert!(!page.contains(">Draw</button>"), "{page}");
    }
    let run_id = site.nasty_run().await;
    let one = site.get(&format!("/compare?run={run_id}")).await.text;
    assert!(one.contains("<small>1 run</small>"), "{one}");
    site.nasty_model(&run_id, "Iris").await;
    let unmatched = site.get("/models?q=nothing").await.text;
    assert!(unmatched.contains("No model matches."), "{unmatched}");
}

#[tokio::test]
async fn what_is_not_there_is_a_404_page() {
    let site = Site::empty();
    for address in [
        "/experiments/77",
        "/runs/0123456789abcdef0123456789abcdef",
        "/runs/0123456789abcdef0123456789abcdef/metrics/a",
        "/models/none",
        "/models/none/versions/1",
        "/logged-models/m-none",
        "/compare?run=a&run=b",
        "/nowhere",
        "/experiments/77/curves",
        "/experiments/77/runs.csv",
    ] {
        let page = site.get(address).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{address}: {}", page.text);
        assert!(page.text.contains("the <a href=\"/\">first page</a>"), "{address}: {}", page.text);
    }
    let run_id = site.nasty_run().await;
    for (address, status) in [
        (format!("/runs/{run_id}/files/none.txt"), StatusCode::NOT_FOUND),
        (format!("/runs/{run_id}/raw/notes"), StatusCode::NOT_FOUND),
        (format!("/runs/{run_id}/raw/..%2F..%2Fmlflow.db"), StatusCode::BAD_REQUEST),
        (format!("/runs/{run_id}/metrics/none"), StatusCode::NOT_FOUND),
        ("/experiments/abc".to_owned(), StatusCode::BAD_REQUEST),
        ("/no/such/page".to_owned(), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(site.get(&address).await.status, status, "{address}");
    }
}

#[tokio::test]
async fn runs_sort_filter_and_page() {
    let site = Site::empty();
    let tracking = &site.tracking;
    let id = tracking.experiments.create("many", None, &[]).await.unwrap();
    for n in 0..120_i32 {
        let run = CreateRun {
            experiment_id: id.clone(),
            run_name: Some(format!("run-{n:03}")),
            start_time: i64::from(n),
            ..CreateRun::default()
        };
        let run_id = tracking.runs.create(run).await.unwrap().info.run_id;
        let batch = LogBatch {
            metrics: (0..12)
                .map(|m| Metric::new(format!("m{m:02}"), f64::from(n * m), 1, 1))
                .collect(),
            params: (0..12)
                .map(|p| Tag::new(format!("p{p:02}"), format!("value {n} {p}")))
                .collect(),
            tags: Vec::new(),
        };
        tracking.runs.log_batch(&run_id, batch).await.unwrap();
    }
    let page = site.get(&format!("/experiments/{id}")).await;
    assert!(page.text.len() < 200_000, "{} bytes", page.text.len());
    assert!(page.text.contains("Metrics (8 of 12)"));
    assert!(page.text.contains("run-119") && !page.text.contains("run-019"));
    let next = page.links().into_iter().find(|link| link.contains("page=")).unwrap();
    let second = site.get(&next).await;
    assert!(second.text.contains("run-019") && !second.text.contains("run-020"), "{}", second.text);

    let sorted =
        page.links().into_iter().find(|link| link.contains("order=metrics.%60m03")).unwrap();
    assert!(sorted.ends_with("order=metrics.%60m03%60%20DESC"), "{sorted}");
    let ascending =
        site.get(&sorted).await.links().into_iter().find(|link| link.contains("m03%60%20ASC"));
    let ascending = site.get(&ascending.unwrap()).await;
    assert!(ascending.text.contains("aria-sort=\"ascending\""));
    assert!(ascending.text.contains("run-000") && !ascending.text.contains("run-119"));

    let filtered = site.get(&format!("/experiments/{id}?q=metrics.m01%20%3E%20117")).await;
    assert!(filtered.text.contains("run-118") && !filtered.text.contains("run-117"));
    assert!(filtered.text.contains("value=\"metrics.m01 &gt; 117\""));
    let refused = site.get(&format!("/experiments/{id}?q=metrics.m01%20%3E%20%27x%27")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.text.contains("notice bad") && refused.text.contains("Filter"),
        "{}",
        refused.text
    );
    let none = site.get(&format!("/experiments/{id}?q=params.p00%3D%27x%27")).await;
    assert!(none.text.contains("Loosen the filter"), "{}", none.text);
}

#[tokio::test]
async fn a_run_page_shows_everything_that_was_logged() {
    let site = Site::empty();
    let run_id = site.nasty_run().await;
    let model_id = site.nasty_model(&run_id, "Iris").await;
    let page = site.get(&format!("/runs/{run_id}")).await.text;
    let escaped = "&lt;script&gt;alert('x')&lt;/script&gt;&quot;'&amp;&lt;b&gt;";
    assert!(page.matches(escaped).count() >= 7, "{page}");
    assert!(page.contains("1 min 5 s") && page.contains("2023-11-14 22:13:20 UTC"), "{page}");
    assert!(page.contains("<svg class=\"spark\"") && page.contains("NaN"), "{page}");
    assert!(page.contains("Iris version 1") && page.contains("Production"), "{page}");
    assert!(page.contains("sandbox=\"allow-scripts\"") && page.contains("drift.html"), "{page}");

    let metric = site.get(&format!("/runs/{run_id}/metrics/loss/a%20b")).await.text;
    assert!(
        metric.contains("30 values, from 0.0333333 to 1")
            && metric.contains("<svg class=\"chart\"")
    );
    let json = site.get(&format!("/runs/{run_id}/files/notes/a.json")).await.text;
    assert!(json.contains("[\n    1,\n    2\n  ]"), "{json}");
    let raw = site.get(&format!("/runs/{run_id}/raw/notes/a.txt")).await;
    assert_eq!(
        (raw.text.as_str(), raw.headers["content-type"].to_str().unwrap()),
        (NASTY, "text/plain; charset=utf-8")
    );
    let other = site.get(&format!("/runs/{run_id}/raw/model.bin")).await;
    assert_eq!(other.headers["content-disposition"], "attachment; filename*=UTF-8''model.bin");
    let version = site.get("/models/Iris/versions/1").await.text;
    assert!(version.contains("&lt;i&gt;a&lt;/i&gt;") && version.contains("optional"), "{version}");
    assert!(version.contains("gate.accuracy") && version.contains(&model_id), "{version}");
    let moves = site.get("/models/Iris").await.text;
    assert!(
        moves.contains("Aliases over time") && moves.contains("<td>Production</td>"),
        "{moves}"
    );
    let before = site.get("/models/Iris?at=1970-01-01T00:00").await.text;
    assert!(before.contains("nothing is known of a time before"), "{before}");
    let then = site.get("/models/Iris?at=2999-01-01T00:00").await.text;
    assert!(then.contains("Production → 1"), "{then}");
    let wrong = site.get("/models/Iris?at=%22%3Cb%3E").await.text;
    assert!(wrong.contains("A time is written") && !wrong.contains("<b>"), "{wrong}");
    let old = site.get(&format!("/experiments/1/runs/{run_id}")).await;
    assert_eq!(old.headers["location"], format!("/runs/{run_id}"));
}

#[tokio::test]
async fn comparison_marks_what_differs() {
    let site = Site::empty();
    let tracking = &site.tracking;
    let mut ids = Vec::new();
    for (name, depth) in [("one", "3"), ("two", "4")] {
        let run = CreateRun {
            experiment_id: "0".to_owned(),
            run_name: Some(name.to_owned()),
            ..CreateRun::default()
        };
        let run_id = tracking.runs.create(run).await.unwrap().info.run_id;
        tracking.runs.log_param(&run_id, Tag::new("depth", depth)).await.unwrap();
        tracking.runs.log_param(&run_id, Tag::new("seed", "7")).await.unwrap();
        tracking
            .runs
            .log_metric(&run_id, Metric::new("acc", depth.parse().unwrap(), 1, 1))
            .await
            .unwrap();
        ids.push(run_id);
    }
    let address = format!("/compare?run={}&run={}&run={}", ids[0], ids[1], ids[0]);
    let all = site.get(&address).await.text;
    assert!(all.contains("2 runs") && all.contains("seed"), "{all}");
    assert_eq!(all.matches("class=\"differs\"").count(), 2, "{all}");
    assert_eq!(all.matches("<rect width=\"75.0\"").count(), 1, "{all}");
    let differences = site.get(&format!("{address}&differences=1")).await.text;
    assert!(differences.contains("depth") && !differences.contains("seed"), "{differences}");
}

#[tokio::test]
async fn a_comparison_of_many_metrics_comes_in_parts_and_is_searched() {
    let site = Site::empty();
    let mut address = "/compare?".to_owned();
    for number in 0..2_i32 {
        let run_id = site.plain_run("wide").await;
        let metric = |key: i32| Metric::new(format!("m{key:03}"), f64::from(key + number), 1, 1);
        let batch = LogBatch { metrics: (0..600).map(metric).collect(), ..LogBatch::default() };
        site.tracking.runs.log_batch(&run_id, batch).await.unwrap();
        address = format!("{address}run={run_id}&");
    }
    let first = site.get(&address).await.text;
    assert!(first.contains(">m499<") && !first.contains(">m500<"), "{first}");
    assert!(first.contains("1–500 of 600 metrics") && first.contains("metrics=2#metrics"));
    let second = site.get(&format!("{address}metrics=2")).await.text;
    assert!(!second.contains(">m499<") && second.contains(">m599<"), "{second}");
    let found = site.get(&format!("{address}find=M59")).await.text;
    assert_eq!(found.matches(">m59").count(), 10, "{found}");
    assert!(!found.contains(">m499<") && !found.contains("of 600"), "{found}");
    let nothing = site.get(&format!("{address}find=no+such")).await.text;
    assert!(nothing.contains("Nothing to show."), "{nothing}");
}

#[tokio::test]
async fn links_respect_the_mount_point_and_failures_are_told() {
    let site = Site::empty();
    let below = trainyard_web::router_below(site.tracking.clone(), "/team/");
    let page = get(below.clone(), "/").await;
    assert!(
        page.links().iter().all(|link| link.starts_with("/team/") || link == "#main"),
        "{:?}",
        page.links()
    );
    let missing = get(below, "/models/x").await;
    assert!(missing.text.contains("href=\"/team/assets/trainyard-"), "{}", missing.text);

    let port = trainyard_testkit::free_port();
    let settings = Settings { retries: 0, ..Settings::default() };
    let url = format!("http://me:s3cret@127.0.0.1:{port}");
    let client = RestClient::with_settings(&url, Credentials::None, &settings).unwrap();
    let page = get(trainyard_web::router(client.into()), "/").await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert!(page.text.contains("The tracking server does not answer"), "{}", page.text);
    assert!(!page.text.contains("s3cret"), "{}", page.text);
}

#[tokio::test]
async fn a_run_of_any_size_is_shown_in_parts() {
    let site = Site::empty();
    let run = CreateRun { experiment_id: "0".to_owned(), ..CreateRun::default() };
    let run_id = site.tracking.runs.create(run).await.unwrap().info.run_id;
    for part in 0..21 {
        let batch = LogBatch {
            params: (0..100)
                .map(|n| Tag::new(format!("p{:05}", part * 100 + n), "x".repeat(5000)))
                .collect(),
            metrics: (0..100).map(|n| Metric::new(format!("m{part}-{n}"), 1.0, 1, 1)).collect(),
            tags: (0..100).map(|n| Tag::new(format!("t{part}-{n}"), "y".repeat(5000))).collect(),
        };
        site.tracking.runs.log_batch(&run_id, batch).await.unwrap();
    }
    let mut shown = BTreeSet::new();
    let mut address = format!("/runs/{run_id}");
    loop {
        let page = site.get(&address).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.len() < 8_000_000, "{address}: {} bytes", page.text.len());
        let cells = page.text.split("<th scope=\"row\">").skip(1);
        let keys =
            cells.filter_map(|cell| cell.split('<').next()).filter(|key| key.starts_with('p'));
        shown.extend(keys.map(str::to_owned));
        // Each part leads to the next one, until there is none.
        let parts = page.links();
        let number = address
            .split_once("params=")
            .map_or(1, |(_, rest)| rest.trim_end_matches("#params").parse::<usize>().unwrap());
        let next = format!("/runs/{run_id}?params={}#params", number + 1);
        if !parts.contains(&next) {
            break;
        }
        address = next.trim_end_matches("#params").to_owned();
    }
    assert_eq!(shown.len(), 2100, "every param is on one of the parts");
    let page = site.get(&format!("/compare?run={run_id}&run={run_id}x")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    let other = CreateRun { experiment_id: "0".to_owned(), ..CreateRun::default() };
    let other = site.tracking.runs.create(other).await.unwrap().info.run_id;
    let page = site.get(&format!("/compare?run={run_id}&run={other}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("1–500 of 2100 params"),
        "a long table says which part of it is shown"
    );
    let page = site.get(&format!("/compare?run={run_id}&run={other}&params=5")).await;
    assert!(page.text.contains("p02099"), "the last part has the last param");
}

#[tokio::test]
async fn colours_and_pins_are_remembered_by_the_browser() {
    let site = Site::empty();
    site.plain_run("one").await;
    let other = site.tracking.experiments.create("other", None, &[]).await.unwrap();
    let choose = async |origin: &str, name: &str| {
        let request = Request::post("/colours")
            .header("host", "localhost:5000")
            .header("origin", origin)
            .header("referer", format!("{origin}/experiments?q=a"))
            .body(Body::from(format!("colours={name}")))
            .unwrap();
        send(site.router(), request).await
    };
    let own = "http://localhost:5000";
    let chosen = choose(own, "dark").await;
    assert_eq!(chosen.status, StatusCode::SEE_OTHER, "{}", chosen.text);
    assert_eq!(chosen.headers["location"], "/experiments?q=a");
    let dark = chosen.headers["set-cookie"].to_str().unwrap().to_owned();
    for (origin, name) in [(own, "pink"), ("http://evil.example", "dark")] {
        assert_eq!(choose(origin, name).await.status, StatusCode::BAD_REQUEST, "{origin} {name}");
    }
    let system = choose(own, "system").await.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(system.contains("Max-Age=0"), "{system}");

    let pin = async |wish: &str, known: &str| {
        let address = format!("/experiments/{other}?pin={wish}&q=a");
        let request = Request::get(address).header("cookie", known).body(Body::empty()).unwrap();
        let answer = send(site.router(), request).await;
        assert_eq!(answer.headers["location"], format!("/experiments/{other}?q=a"));
        answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    let pinned = pin("1", "trainyard-pinned=0").await;
    assert_eq!(pinned, format!("trainyard-pinned={other}.0"));
    assert_eq!(pin("0", &pinned).await, "trainyard-pinned=0");
    let cookies = format!("{pinned}; {}", dark.split(';').next().unwrap());
    let request = Request::get("/").header("cookie", cookies).body(Body::empty()).unwrap();
    let home = send(site.router(), request).await.text;
    assert!(home.contains("<html lang=\"en\" data-colours=\"dark\">"), "{home}");
    assert!(home.contains(
        "<button class=\"quiet\" name=\"colours\" value=\"dark\" aria-pressed=\"true\">"
    ));
    assert_eq!(home.matches(">pinned</span>").count(), 2, "{home}");
    // What is pinned comes first, although nothing was run there.
    assert!(site.get("/").await.text.contains("<html lang=\"en\">"));
    assert_eq!(site.get("/style").await.status, StatusCode::OK);
}
