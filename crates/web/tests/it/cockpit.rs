//! What a model's page tells of what is recorded, the comparison of versions, the first page and the search.

use axum::http::StatusCode;
use trainyard_mlflow::entities::{Metric, RunStatus, Tag};
use trainyard_mlflow::{
    CreateModelVersion, CreateRun, LogBatch, SearchAudit, Tracking, UpdateRun, VersionId,
};

use crate::site::{NASTY, Site};

fn tags(pairs: &[(&str, &str)]) -> Vec<Tag> {
    pairs.iter().map(|(key, value)| Tag::new(*key, *value)).collect()
}

/// A run as a pipeline makes one.
pub(crate) async fn run(
    tracking: &Tracking,
    experiment: &str,
    of: &[(&str, &str)],
    params: &[(&str, &str)],
    metrics: &[(&str, f64)],
    status: Option<RunStatus>,
) -> String {
    let experiment_id = match tracking.experiments.get_by_name(experiment).await {
        Ok(found) => found.experiment_id,
        Err(_) => tracking.experiments.create(experiment, None, &[]).await.unwrap(),
    };
    let now = chrono::Utc::now().timestamp_millis();
    let run = CreateRun {
        experiment_id,
        user_id: "ada".to_owned(),
        run_name: Some(format!("{experiment} run")),
        start_time: now - 7_200_000,
        tags: tags(of),
    };
    let run_id = tracking.runs.create(run).await.unwrap().info.run_id;
    let metrics = metrics.iter().map(|(key, value)| Metric::new(*key, *value, 1, 1)).collect();
    let batch = LogBatch { metrics, params: tags(params), tags: Vec::new() };
    tracking.runs.log_batch(&run_id, batch).await.unwrap();
    let status = status.map(|status| UpdateRun {
        run_id: run_id.clone(),
        status: Some(status),
        end_time: Some(now),
        run_name: None,
    });
    if let Some(update) = status {
        tracking.runs.update(update).await.unwrap();
    }
    run_id
}

/// Two versions of a model with all that a pipeline writes down: the first serves, the second was refused.
pub(crate) async fn recorded(site: &Site) -> String {
    let tracking = &site.tracking;
    let done = Some(RunStatus::Finished);
    let first = [("accuracy", 0.93), ("loss", 0.2)];
    let first = run(tracking, "/iris_staging", &[], &[("depth", "3")], &first, done).await;
    let second = [("accuracy", 0.5), ("loss", 0.9)];
    let second = run(tracking, "/iris_staging", &[], &[("depth", "4")], &second, done).await;
    tracking.registered_models.create("Iris", &[], Some("flowers")).await.unwrap();
    let versions = [
        (&first, vec![("trainyard.gate", "passed"), ("trainyard.state", "released")]),
        (&second, vec![("trainyard.gate", "failed"), ("trainyard.state", "refused")]),
    ];
    for (run_id, state) in versions {
        let rule = [
            ("trainyard.gate.accuracy", "accuracy is 0.5000, must be at least 0.9"),
            ("trainyard.state.at", "2026-03-01T12:00:00Z"),
            ("trainyard.state.by", "ada"),
            ("trainyard.state.reason", NASTY),
            ("team", "risk"),
        ];
        let all: Vec<(&str, &str)> = state.into_iter().chain(rule).collect();
        let version = CreateModelVersion {
            name: "Iris".to_owned(),
            source: format!("runs:/{run_id}/model"),
            run_id: Some(run_id.clone()),
            tags: tags(&all),
            ..CreateModelVersion::default()
        };
        tracking.model_versions.create(version).await.unwrap();
    }
    let id = VersionId { name: "Iris", version: "1" };
    tracking.registered_models.set_alias(id, "Production").await.unwrap();
    let params = [("kind", "release"), ("from", "none"), ("to", "1"), ("actor", "bob")];
    let outcome = [("trainyard.outcome", "released"), ("trainyard.verdict", "healthy")];
    run(tracking, "/Iris_releases", &outcome, &params, &[], done).await;
    let look = [("trainyard.verdict", "warning"), ("trainyard.model", "Iris")];
    run(tracking, "/iris_monitoring", &look, &[], &[("drift_share", 0.25)], done).await;
    let other = [("trainyard.verdict", "broken"), ("trainyard.model", "Other")];
    run(tracking, "/iris_monitoring", &other, &[], &[], done).await;
    first
}

#[tokio::test]
async fn a_model_says_how_it_is_what_happened_and_how_versions_differ() {
    let site = Site::empty();
    recorded(&site).await;
    let page = site.get("/models/Iris").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let text = &page.text;
    for told in [
        "Production</strong> is ",
        "its data of 2 h ago are ",
        ">warning</a>",
        // The timeline, and no word of the other model's data.
        ">release</span>",
        "nothing was deployed before: healthy",
        "warning, 25 % of columns drifted",
        ">gate refused</span>",
        "Production moved here",
        // The gate's metric comes first among the columns.
        "<th class=\"number\">accuracy</th><th class=\"number\">loss</th>",
        "0.93",
        ">refused</span>",
        "trainyard serve --model-uri models:/Iris@Production",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("broken") && !text.contains("<b>"), "{text}");
    let chosen = site.get("/models/Iris?metrics=loss,none").await.text;
    assert!(
        chosen.contains("<th class=\"number\">loss</th><th class=\"number\">none</th>"),
        "{chosen}"
    );

    let diff = site.get("/models/Iris/diff?a=1&b=2").await.text;
    assert!(diff.contains("depth") && diff.contains("accuracy"), "{diff}");
    assert!(!diff.contains(">team<") && !diff.contains("<b>"), "{diff}");
    assert!(site.get("/models/Iris/diff?a=1&b=2&all=1").await.text.contains(">team<"));
    let missing = site.get("/models/Iris/diff?a=1&b=9").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND, "{}", missing.text);
    let unchosen = site.get("/models/Iris/diff").await;
    assert!(unchosen.text.contains("Choose two versions."), "{}", unchosen.text);
    assert!(unchosen.text.contains("<h1>Iris: two versions</h1>"), "{}", unchosen.text);

    let version = site.get("/models/Iris/versions/2").await.text;
    for told in [
        "The gate refused this version.",
        "accuracy is 0.5000, must be at least 0.9",
        "trainyard promote --version 2",
    ] {
        assert!(version.contains(told), "{told}: {version}");
    }
}

#[tokio::test]
async fn the_first_page_and_the_search_lead_to_everything() {
    let site = Site::empty();
    let first = recorded(&site).await;
    let tracking = &site.tracking;
    let running = run(tracking, "it's <b>mine</b>", &[("team", "risk")], &[], &[], None).await;
    let failed = run(tracking, "/iris_staging", &[], &[], &[], Some(RunStatus::Failed)).await;
    let home = site.get("/").await;
    assert_eq!(home.status, StatusCode::OK, "{}", home.text);
    let (_, rest) = home.text.split_once("In production").unwrap();
    let (production, rest) = rest.split_once("Running now").unwrap();
    let (now, rest) = rest.split_once("Failed in the last week").unwrap();
    assert!(
        production.contains("dot warning") && production.contains("/models/Iris\""),
        "{production}"
    );
    assert!(now.contains(&running) && !now.contains(&failed), "{now}");
    assert!(rest.contains(&failed) && !home.text.contains("<b>"), "{rest}");
    assert!(home.text.contains("/recent\""), "{}", home.text);
    let recent = site.get("/recent").await;
    assert_eq!(recent.status, StatusCode::OK, "{}", recent.text);
    // Midnight may have passed since.
    let is_dated = ["Today", "Yesterday"].iter().any(|day| recent.text.contains(day));
    assert!(is_dated, "{}", recent.text);
    for told in ["/models/Iris\"", "registered", "/models/Iris/versions/2\""] {
        assert!(recent.text.contains(told), "{told}: {}", recent.text);
    }

    for (asked, found) in [
        ("iri", "/models/Iris\""),
        ("it%27s", "it&#39;s"),
        ("it%27s", running.as_str()),
        (first.as_str(), first.as_str()),
        ("team=risk", "/models/Iris/versions/2\""),
        ("team%20%3D%20RIS", running.as_str()),
        ("1", "/experiments/1\""),
        (first.get(..7).unwrap(), first.as_str()),
        ("Iris%202", "/models/Iris/versions/2\""),
        ("iris%20v2", "/models/Iris/versions/2\""),
        ("Iris/2", "/models/Iris/versions/2\""),
        ("v2", "/models/Iris/versions/2\""),
        ("version%202", "/models/Iris/versions/2\""),
        ("Iris%209", "Nothing has this name"),
        ("%00", "Nothing has this name"),
        ("Iris%00", "Nothing has this name"),
        ("%07", "Nothing has this name"),
        ("no%22such%27thing", "Nothing has this name"),
        ("a%60b=c", "Nothing has this name"),
        ("%25%27%20OR%20%271%27%3D%271", "Nothing has this name"),
        ("", "Experiments, runs, models and versions by"),
    ] {
        let page = site.get(&format!("/search?q={asked}")).await;
        assert_eq!(page.status, StatusCode::OK, "{asked}: {}", page.text);
        let found = found.replace("&#39;", "'");
        assert!(page.text.contains(&found), "{asked}: {}", page.text);
    }
    let short = site.get("/models/Iris/2").await;
    assert_eq!(short.status, StatusCode::SEE_OTHER, "{}", short.text);
    assert_eq!(site.get("/models/Iris/x").await.status, StatusCode::NOT_FOUND);
    // Looking writes nothing down.
    let events = tracking.audit.events(SearchAudit::default()).await.unwrap().len();
    site.get("/").await;
    assert_eq!(tracking.audit.events(SearchAudit::default()).await.unwrap().len(), events);
}

#[tokio::test]
async fn a_look_at_another_version_is_not_told_of_this_one() {
    let site = Site::empty();
    recorded(&site).await;
    let home = site.get("/").await.text;
    assert!(home.contains("data: warning</a> (looked at just now)"), "{home}");
    let monitoring = site.get("/models/Iris/monitoring").await.text;
    assert!(monitoring.contains("warning"), "{monitoring}");
    // Moves and looks have times of milliseconds.
    let looked = chrono::Utc::now().timestamp_millis();
    while chrono::Utc::now().timestamp_millis() <= looked {
        tokio::task::yield_now().await;
    }
    let other = VersionId { name: "Iris", version: "2" };
    site.tracking.registered_models.set_alias(other, "Production").await.unwrap();
    let home = site.get("/").await.text;
    assert!(
        home.contains("data: not looked at</a> since version 2 came into production just now"),
        "{home}"
    );
    assert!(!home.contains("data: warning"), "{home}");
}

#[tokio::test]
async fn names_of_any_length_and_of_nothing_can_be_clicked() {
    let site = Site::empty();
    let tracking = &site.tracking;
    let long = "x".repeat(256);
    let blank = tracking.experiments.create(" ", None, &[]).await.unwrap();
    let odd = tracking.experiments.create(&long, None, &[]).await.unwrap();
    let run_id = run(tracking, " ", &[], &[], &[], None).await;
    tracking.registered_models.create(&long, &[], None).await.unwrap();
    let id = |id: &str| format!("/experiments/{id}\"><span class=\"soft\">(no name)</span></a>");
    for address in ["/", "/experiments"] {
        let page = site.get(address).await.text;
        assert!(page.contains(&id(&blank)), "{address}: {page}");
        assert!(
            page.contains(&format!("/experiments/{odd}\"><span title=\"{long}\">")),
            "{address}: {page}"
        );
        assert!(!page.contains(&format!(">{long}<")), "{address}: {page}");
    }
    let models = site.get("/models").await.text;
    assert!(
        models.contains("class=\"named\"") && !models.contains(&format!(">{long}<")),
        "{models}"
    );
    let update = UpdateRun {
        run_id: run_id.clone(),
        run_name: Some(" ".to_owned()),
        ..UpdateRun::default()
    };
    tracking.runs.update(update).await.unwrap();
    let start = run_id.get(..8).unwrap();
    for address in [format!("/runs/{run_id}"), format!("/experiments/{blank}")] {
        let page = site.get(&address).await.text;
        assert!(page.contains(start), "{address}: {page}");
    }
}

#[tokio::test]
async fn what_the_program_keeps_comes_after_what_people_made() {
    let site = Site::empty();
    recorded(&site).await;
    let home = site.get("/").await.text;
    let (_, home) = home.split_once("by their last run").unwrap();
    assert!(home.contains("/iris_staging") && !home.contains("_releases"), "{home}");
    let list = site.get("/experiments").await.text;
    let (own, kept) = list.split_once("2 kept by Trainyard").unwrap();
    assert!(own.contains("/iris_staging") && !own.contains("/iris_monitoring"), "{own}");
    assert!(kept.contains("/Iris_releases") && kept.contains("/iris_monitoring"), "{kept}");
    let asked = site.get("/experiments?q=_releases").await.text;
    assert!(asked.contains("/Iris_releases") && !asked.contains("kept by"), "{asked}");
}
