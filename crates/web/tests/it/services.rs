//! Services as hosts record them: shown to whoever may see them, with what is not known said as such.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use trainyard_base::service::{
    CandidateRecord, CopiesRecord, GatewayMode, History, InstanceRecord, InstanceRole,
    ReleaseAnswer, ReleaseKind, ReleaseState, ReleaseWish, ServiceRecord, ServiceState,
    ServiceWish, Teller, Traffic, WishAnswer, release_wish_tag, voucher_tag, wish_tag,
};
use trainyard_base::words::model_of_service_experiment;
use trainyard_mlflow::LogBatch;
use trainyard_mlflow::entities::{RunStatus, Tag};
use trainyard_tracking::server::{ServerOptions, app};
use trainyard_tracking::{Governance, OpenOptions};
use trainyard_web::Beside;

use crate::changes::{ADA, BOB, Browser, PASSWORD, READER, access, led_to};
use crate::cockpit::{recorded, run};
use crate::site::{NASTY, Page, Site, send};

const MINUTE: i64 = 60_000;

pub(crate) fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// A service of two instances, one of which ended and is not back yet, in the middle of a canary.
pub(crate) fn record(at_ms: i64) -> ServiceRecord {
    let minute = Traffic {
        requests: 312,
        by_class: [300, 0, 9, 3],
        errors: 3,
        p50_us: Some(1_200),
        p99_us: Some(4_000),
        ..Traffic::default()
    };
    let well = InstanceRecord {
        id: "r7".to_owned(),
        role: InstanceRole::Current,
        version: "1".to_owned(),
        is_well: true,
        up_ms: Some(7_380_000),
        memory_bytes: Some(214_000_000),
        minute: Some(minute),
        ..InstanceRecord::default()
    };
    let ended = InstanceRecord {
        id: "r7.2".to_owned(),
        is_well: false,
        trouble: Some(format!("signal 9 {NASTY}")),
        restarts: 2,
        restarted_ms: Some(at_ms - 2 * MINUTE),
        restart_cause: "it is stopped".to_owned(),
        minute: None,
        ..well.clone()
    };
    ServiceRecord {
        at_ms,
        by: Teller::Up,
        host: "yard-1".to_owned(),
        url: Some("http://127.0.0.1:8080".to_owned()),
        state: ServiceState::Degraded,
        outage: Some("1 of 2 instances do not serve: r7.2 has stopped (signal 9)".to_owned()),
        mode: GatewayMode::Open,
        kept_up_since_ms: Some(at_ms - 90 * MINUTE),
        gateway_since_ms: Some(at_ms - 91 * MINUTE),
        connections: 12,
        minute: Some(minute),
        instances: vec![well, ended],
        candidate: Some(CandidateRecord {
            version: "2".to_owned(),
            share: Some(0.05),
            green: Some([40, 2]),
            blue: Some([760, 3]),
        }),
        copies: Some(CopiesRecord {
            pairs: 40,
            green_failed: 2,
            compared: 38,
            differing: 5,
            green_us: 3_000,
            blue_us: 2_000,
            ..CopiesRecord::default()
        }),
        ..ServiceRecord::default()
    }
}

/// The run of a service in an experiment, told once, for which its model vouches.
pub(crate) async fn service(site: &Site, experiment: &str, record: &ServiceRecord) -> String {
    let run_id = forged(site, experiment, record).await;
    vouch(site, experiment, &run_id).await;
    run_id
}

/// The same without the model's word.
async fn forged(site: &Site, experiment: &str, record: &ServiceRecord) -> String {
    let done = Some(RunStatus::Finished);
    let run_id = run(&site.tracking, experiment, &[], &[], &[], done).await;
    tell(site, &run_id, record).await;
    run_id
}

async fn vouch(site: &Site, experiment: &str, run_id: &str) {
    let Some(model) = model_of_service_experiment(experiment) else { return };
    let models = &site.tracking.registered_models;
    if models.get(model).await.is_err() {
        models.create(model, &[], None).await.unwrap();
    }
    models.set_tag(model, Tag::new(voucher_tag(run_id), "yard-1")).await.unwrap();
}

async fn tell(site: &Site, run_id: &str, record: &ServiceRecord) {
    let mut history = History::default();
    for minute in (0..60).rev() {
        let traffic = record.minute.unwrap_or_default();
        history.note(record.at_ms - minute * MINUTE, traffic);
    }
    let mut tags = vec![
        Tag::new("trainyard.service", record.tag()),
        Tag::new("trainyard.service.log", format!("10:00:00Z  WARN r7.2 ended {NASTY}")),
    ];
    tags.extend(history.untold().into_iter().map(|(key, value)| Tag::new(key, value)));
    let batch = LogBatch { tags, ..LogBatch::default() };
    site.tracking.runs.log_batch(run_id, batch).await.unwrap();
}

fn holds(page: &Page, told: &[&str]) {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for told in told {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    assert!(!page.text.contains("<b>") && !page.text.contains("<script>alert"), "{}", page.text);
}

#[tokio::test]
async fn a_service_says_how_it_is_and_what_is_wrong_comes_first() {
    let site = Site::empty();
    holds(&site.get("/services").await, &["No service is recorded.", "trainyard up"]);
    recorded(&site).await;
    let run_id = service(&site, "/Iris_service", &record(now())).await;
    let address = format!("/services/{run_id}");
    let page = site.get(&address).await;
    holds(
        &page,
        &[
            "service on yard-1",
            "Serving in part: 1 of 2 instances do not serve: r7.2 has stopped (signal 9)",
            "aria-label=\"to be looked at\"",
            "2 h 3 min",
            "214.0 MB",
            "not well: signal 9 &lt;script&gt;",
            "it is stopped",
            // What goes through, with the release of the last hours marked.
            "Requests/min by status",
            "<title>5xx</title>",
            "<title>p99</title>",
            // The canary and what both versions answered.
            "5 % of the requests (canary)",
            "5 of 38 predictions that could be compared differ (13.2 %)",
            // The model's releases, and what was said.
            ">release</span>",
            "r7.2 ended &lt;script&gt;",
            "href=\"/models/Iris\"",
        ],
    );
    holds(&site.get(&format!("{address}?span=30d")).await, &["A point is an hour"]);
    // The only one is shown whole in the list, too.
    holds(&site.get("/services").await, &["1 of 2 well", "Requests/min by status", &address]);
    let sentence = "1 of 2 instances, 312 requests/min, 1.0 % errors, 2.9 % 4xx, p99 4.0 ms";
    holds(&site.get("/models/Iris").await, &[sentence, "aria-label=\"to be looked at\""]);

    let mut fine = record(now());
    fine.instances.truncate(1);
    (fine.state, fine.outage) = (ServiceState::Serving, None);
    service(&site, "/Abalone_service", &fine).await;
    let list = site.get("/services").await;
    holds(&list, &["Abalone", "1 of 1 well", "1 of 2 well", "aria-current=\"page\">Services"]);
    assert!(!list.text.contains("Requests/min by status"), "{}", list.text);
    let place = |model: &str| list.text.find(&format!(">{model}</a>")).unwrap();
    assert!(place("Iris") < place("Abalone"), "what is wrong comes first: {}", list.text);
}

#[tokio::test]
async fn what_was_not_heard_of_lately_is_not_known() {
    let site = Site::empty();
    recorded(&site).await;
    let mut silent = record(now() - 10 * MINUTE);
    (silent.state, silent.outage) = (ServiceState::Serving, None);
    let run_id = service(&site, "/Iris_service", &silent).await;
    for address in [format!("/services/{run_id}"), "/services".to_owned()] {
        let page = site.get(&address).await;
        holds(
            &page,
            &[
                "Not known: last heard of 10 min ago, when it was serving.",
                "As they were 10 min ago",
            ],
        );
        assert!(!page.text.contains("dot good"), "unknown is never green: {}", page.text);
    }
    holds(&site.get("/models/Iris").await, &["service last heard of 10 min ago"]);
    let dot = "dot unknown\" role=\"img\" aria-label=\"not known\"";
    // Its data were to be looked at, and that stays so.
    holds(&site.get("/").await, &["aria-label=\"to be looked at\""]);
    holds(&site.get("/services").await, &[dot]);

    // It is back, as its host is, and the host's clock is wrong.
    silent.at_ms = now();
    tell(&site, &run_id, &silent).await;
    holds(&site.get("/services").await, &["Serving; 312 requests/min", "dot good"]);
    silent.at_ms = now() + 60 * MINUTE;
    tell(&site, &run_id, &silent).await;
    let ahead = site.get("/services").await;
    holds(&ahead, &["which is yet to come"]);
    assert!(!ahead.text.contains("dot good"), "{}", ahead.text);

    // Only a command told, and nobody promised to tell more.
    (silent.at_ms, silent.by) = (now() - 10 * MINUTE, Teller::Command);
    tell(&site, &run_id, &silent).await;
    let page = site.get("/services").await;
    holds(&page, &["when a command left it serving", "trainyard up"]);
    assert!(!page.text.contains("dot good"), "{}", page.text);
}

#[tokio::test]
async fn runs_that_are_no_services_are_none() {
    let site = Site::empty();
    // A service of another experiment could speak for any model; one of nonsense says nothing.
    let elsewhere = service(&site, "somewhere", &record(now())).await;
    let nonsense = run(&site.tracking, "/Iris_service", &[], &[], &[], None).await;
    let tag = Tag::new("trainyard.service", "{\"at_ms\":\"now\"}");
    site.tracking.runs.set_tag(&nonsense, tag).await.unwrap();
    for run_id in [elsewhere.as_str(), nonsense.as_str(), "0123456789abcdef0123456789abcdef"] {
        let page = site.get(&format!("/services/{run_id}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{run_id}: {}", page.text);
    }
    holds(&site.get("/services").await, &["No service is recorded."]);
    // One whose run is deleted is forgotten.
    let deleted = service(&site, "/Iris_service", &record(now())).await;
    site.tracking.runs.delete(&deleted).await.unwrap();
    holds(&site.get("/services").await, &["No service is recorded."]);
    assert_eq!(site.get(&format!("/services/{deleted}")).await.status, StatusCode::NOT_FOUND);
    // Tags of traffic that make no sense are left out.
    let odd = service(&site, "/Iris_service", &record(now())).await;
    for (key, value) in [
        ("trainyard.service.minutes.00", "[]"),
        ("trainyard.service.hours.01", "{\"slot\":9223372036854775807,\"rows\":[]}"),
    ] {
        site.tracking.runs.set_tag(&odd, Tag::new(key, value)).await.unwrap();
    }
    holds(&site.get("/services").await, &["Requests/min by status"]);
}

#[tokio::test]
async fn a_page_has_so_many_services() {
    let site = Site::empty();
    recorded(&site).await;
    let mut down = record(now());
    down.state = ServiceState::Down;
    service(&site, "/Iris_service", &down).await;
    let mut fine = record(now());
    fine.instances.truncate(1);
    let newer = async |experiment: &str, count: usize| {
        for _ in 0..count {
            let done = Some(RunStatus::Finished);
            let run_id = run(&site.tracking, experiment, &[], &[], &[], done).await;
            let tag = Tag::new("trainyard.service", fine.tag());
            site.tracking.runs.set_tag(&run_id, tag).await.unwrap();
            vouch(&site, experiment, &run_id).await;
        }
    };
    newer("/Other_service", 101).await;
    let page = site.get("/services").await;
    holds(&page, &["The newest 100 are shown."]);
    assert_eq!(page.text.matches(">Other</a>").count(), 100, "{}", page.text);
    // However many others there are, a model's own are known.
    holds(&site.get("/").await, &["dot bad"]);
    newer("/Iris_service", 4).await;
    holds(&site.get("/models/Iris").await, &["2 more services"]);
    newer("/Iris_service", 10).await;
    holds(&site.get("/models/Iris").await, &[">more services</a>"]);
}

#[tokio::test]
async fn who_forges_records_takes_no_place_of_true_ones() {
    let site = Site::empty();
    recorded(&site).await;
    let mut fine = record(now());
    (fine.state, fine.outage, fine.host) = (ServiceState::Serving, None, "yard-true".to_owned());
    fine.instances.truncate(1);
    service(&site, "/Iris_service", &fine).await;
    let mut forgery = record(now());
    forgery.host = "yard-forged".to_owned();
    for _ in 0..120 {
        let run_id = run(&site.tracking, "/Iris_service", &[], &[], &[], None).await;
        let tag = Tag::new("trainyard.service", forgery.tag());
        site.tracking.runs.set_tag(&run_id, tag).await.unwrap();
    }
    let list = site.get("/services").await;
    holds(&list, &["yard-true", "1 of 1 well"]);
    assert!(!list.text.contains("yard-forged"), "{}", list.text);
    assert_eq!(list.text.matches(">Iris</a>").count(), 21, "some are told of: {}", list.text);
    holds(&site.get("/models/Iris").await, &["312 requests/min"]);
}

#[tokio::test]
async fn only_who_may_change_a_model_makes_the_experiments_that_tell_of_it() {
    let site = Site::empty();
    recorded(&site).await;
    let (control, _users) = Box::pin(access("READ")).await;
    let tracking = control.guard(site.tracking.clone());
    let options = ServerOptions {
        authorize: Some(control.authorize()),
        more_routes: control.routes(),
        ..ServerOptions::default()
    };
    let router = app(tracking, &options, site.router()).unwrap();
    let post = async |who: &str, path: &str, body: serde_json::Value| {
        let request = Request::post(format!("/api/2.0/mlflow/experiments/{path}"))
            .header("host", "localhost:5000")
            .header("authorization", who)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        send(router.clone(), request.unwrap()).await
    };
    let named = |name: &str| serde_json::json!({ "name": name });
    let own = post(READER, "create", named("own")).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
    let own: serde_json::Value = serde_json::from_str(&own.text).unwrap();
    for name in ["/Iris_service", "/Nothing_service", "/Nothing_releases"] {
        let refused = post(READER, "create", named(name)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{name}: {}", refused.text);
        assert!(refused.text.contains("may change that"), "{}", refused.text);
        let renamed =
            serde_json::json!({ "experiment_id": own["experiment_id"], "new_name": name });
        let refused = post(READER, "update", renamed).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{name}: {}", refused.text);
    }
    let made = post(ADA, "create", named("/Iris_service")).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
}

#[tokio::test]
async fn nobody_sees_services_that_are_not_theirs() {
    let site = Site::empty();
    let own = service(&site, "/Own_service", &record(now())).await;
    let secret = service(&site, "/Secret_service", &record(now())).await;
    let (control, _users) = Box::pin(access("NO_PERMISSIONS")).await;
    let tracking = control.guard(site.tracking.clone());
    let options = ServerOptions {
        authorize: Some(control.authorize()),
        more_routes: control.routes(),
        ..ServerOptions::default()
    };
    let beside = Beside { team: Some(control.team()), ..Beside::default() };
    let pages = trainyard_web::router_with(tracking.clone(), "", beside);
    let router = app(tracking, &options, pages).unwrap();
    let mut reader = Browser::of(router.clone(), READER);
    holds(&reader.get("/services").await, &["No service is recorded."]);

    let experiment = site.tracking.experiments.get_by_name("/Own_service").await.unwrap();
    let grant = async |kind: &str, id: &str| {
        let grant = serde_json::json!({
            "username": "reader", "resource_type": kind, "resource_id": id, "permission": "READ",
        });
        let request = Request::post("/api/3.0/mlflow/users/permissions/grant")
            .header("host", "localhost:5000")
            .header("authorization", ADA)
            .header("content-type", "application/json")
            .body(Body::from(grant.to_string()))
            .unwrap();
        let answer = send(router.clone(), request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    };
    grant("experiment", &experiment.experiment_id).await;
    // Whose words a record has only the model can tell.
    let list = reader.get("/services").await;
    holds(&list, &[">Own</a>", "the model does not vouch for this record"]);
    assert!(!list.text.contains("yard-1"), "{}", list.text);
    grant("registered_model", "Own").await;
    let list = reader.get("/services").await;
    holds(&list, &[">Own</a>", "Requests/min by status"]);
    assert!(!list.text.contains("Secret"), "{}", list.text);
    holds(&reader.get(&format!("/services/{own}")).await, &["Own"]);
    let refused = reader.get(&format!("/services/{secret}")).await;
    assert_ne!(refused.status, StatusCode::OK, "{}", refused.text);
    assert!(
        !refused.text.contains("Secret") && !refused.text.contains("yard-1"),
        "{}",
        refused.text
    );
    let mut ada = Browser::of(router, ADA);
    holds(&ada.get("/services").await, &[">Own</a>", ">Secret</a>"]);
}

#[tokio::test]
async fn whoever_may_only_make_experiments_speaks_for_no_service() {
    let site = Site::empty();
    recorded(&site).await;
    let run_id = forged(&site, "/Iris_service", &record(now())).await;
    for address in ["/services", &format!("/services/{run_id}"), "/models/Iris", "/"] {
        let page = site.get(address).await;
        holds(&page, &[]);
        for word in ["yard-1", "signal 9", "r7.2", "312 requests", "dot bad", "dot good"] {
            assert!(!page.text.contains(word), "{word} on {address}: {}", page.text);
        }
    }
    holds(&site.get("/services").await, &["the model does not vouch for this record"]);
    holds(&site.get("/models/Iris").await, &["a service that the model does not vouch for"]);
    // Nor can anything be asked of it.
    let mut browser = Browser::of(site.router(), ADA);
    let token = crate::changes::token(&browser.get("/models/Iris").await.text);
    let own = [("origin", "http://localhost:5000"), ("sec-fetch-site", "same-origin")];
    let fields = [("csrf", token.as_str()), ("action", "pause")];
    let page = browser.post(&format!("/services/{run_id}"), &fields, &own).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    vouch(&site, "/Iris_service", &run_id).await;
    holds(&site.get("/services").await, &["yard-1", "not well: signal 9"]);
}

#[tokio::test]
async fn a_service_is_closed_from_its_page_by_whoever_may_change_the_model() {
    let site = Site::empty();
    recorded(&site).await;
    let mut listening = record(now());
    listening.takes_wishes = true;
    let run_id = service(&site, "/Iris_service", &listening).await;
    let address = format!("/services/{run_id}");
    let (control, _users) = Box::pin(access("READ")).await;
    let tracking = control.guard(site.tracking.clone());
    let options =
        ServerOptions { authorize: Some(control.authorize()), ..ServerOptions::default() };
    let app = app(tracking.clone(), &options, trainyard_web::router(tracking)).unwrap();
    let (mut reader, mut ada) = (Browser::of(app.clone(), READER), Browser::of(app, ADA));
    let wish = async || {
        let model = site.tracking.registered_models.get("Iris").await.unwrap();
        Tag::find(&model.tags, &wish_tag(&run_id)).and_then(ServiceWish::read)
    };

    let closing = [("action", "maintenance"), ("message", "<b>back</b> at 10")];
    let refused = reader.submit(&address, &closing).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    let message = "x".repeat(201);
    let long = [("action", "maintenance"), ("message", message.as_str())];
    let refused = ada.submit(&address, &long).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert!(refused.text.contains("201 characters"), "{}", refused.text);
    let odd = ada.submit(&address, &[("action", "explode")]).await;
    assert_eq!((odd.status, wish().await), (StatusCode::BAD_REQUEST, None), "{}", odd.text);

    assert_eq!(led_to(&ada.submit(&address, &closing).await), format!("{address}#control"));
    let asked = wish().await.unwrap();
    assert_eq!(
        (asked.mode, asked.message.as_str()),
        (GatewayMode::Maintenance, "<b>back</b> at 10")
    );
    holds(&reader.get(&address).await, &["Maintenance was asked", "its host has not done it yet"]);
    // It is nothing that people put on the model.
    assert!(!ada.get("/models/Iris").await.text.contains("plain\">trainyard.service"));
    // The host did it, or could not.
    listening.mode = GatewayMode::Maintenance;
    for (error, told) in
        [(None, "and its host did it."), (Some("no gateway"), "did not do it: no gateway")]
    {
        listening.wish = Some(WishAnswer { id: asked.id.clone(), error: error.map(str::to_owned) });
        tell(&site, &run_id, &listening).await;
        holds(&ada.get(&address).await, &[told, "closed for maintenance", "Open again"]);
    }
    led_to(&ada.submit(&address, &[("action", "open")]).await);
    let opening = wish().await.unwrap();
    assert_eq!(opening.mode, GatewayMode::Open);
    assert_ne!(opening.id, asked.id);
    // Nobody listens.
    listening.at_ms = now() - 10 * MINUTE;
    tell(&site, &run_id, &listening).await;
    let silent = ada.get(&address).await;
    holds(&silent, &["does not listen to this page", "trainyard deploy maintenance"]);
    assert!(!silent.text.contains("Close for maintenance"), "{}", silent.text);
}

/// A host of version 1 that does what is asked of it.
fn obeying(at_ms: i64) -> ServiceRecord {
    ServiceRecord {
        takes_wishes: true,
        takes_releases: true,
        serves: Some("1".to_owned()),
        candidate: None,
        copies: None,
        ..record(at_ms)
    }
}

#[tokio::test]
async fn a_release_is_asked_by_whoever_may_move_production_and_with_the_approvals_of_others() {
    let site = Site::empty();
    recorded(&site).await;
    let protected = vec!["Production".parse().unwrap()];
    let governance = Governance { protected, ..Governance::default() };
    let site = site.reopened(OpenOptions { governance, ..OpenOptions::default() });
    let run_id = service(&site, "/Iris_service", &obeying(now())).await;
    let (control, _users) = Box::pin(access("READ")).await;
    control.create_user("bob", Some(PASSWORD.to_owned()), true).await.unwrap();
    let tracking = control.guard(site.tracking.clone());
    let options =
        ServerOptions { authorize: Some(control.authorize()), ..ServerOptions::default() };
    let app = app(tracking.clone(), &options, trainyard_web::router(tracking)).unwrap();
    let browser = |authorization| Browser::of(app.clone(), authorization);
    let (mut reader, mut ada, mut bob) = (browser(READER), browser(ADA), browser(BOB));
    let wish = async || {
        let model = site.tracking.registered_models.get("Iris").await.unwrap();
        Tag::find(&model.tags, &release_wish_tag(&run_id)).and_then(ReleaseWish::read)
    };
    let (model, version) = ("/models/Iris", "/models/Iris/versions/2");
    let form = [
        ("action", "release"),
        ("service", run_id.as_str()),
        ("version", "2"),
        ("beside", "1"),
        ("reason", "see https://ada:SECRET@host/x"),
    ];
    // Refused as it was, it is released from its own page alone.
    let page = reader.get(version).await;
    holds(&page, &["Release version 2", "puts it through the gate first", "The gate refused it"]);
    assert!(!reader.get(model).await.text.contains("Release version 2"));
    for address in [model, version, &format!("/services/{run_id}")] {
        let refused = reader.submit(address, &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
        // It takes what the alias takes, and is asked for with the first try.
        let refused = ada.submit(address, &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
        assert!(refused.text.contains("Production of Iris is protected"), "{}", refused.text);
    }
    // By the API, too, whatever somebody writes into the tag.
    let forged = ReleaseWish {
        id: "forged".to_owned(),
        what: ReleaseKind::Release,
        version: "2".to_owned(),
        beside: vec!["1".to_owned()],
        reason: String::new(),
        by: "bob".to_owned(),
        at_ms: now(),
    };
    let set_tag = async |authorization: &str| {
        let body = serde_json::json!({
            "name": "Iris", "key": release_wish_tag(&run_id), "value": forged.tag(),
        });
        let request = Request::post("/api/2.0/mlflow/registered-models/set-tag")
            .header("host", "localhost:5000")
            .header("authorization", authorization)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        send(app.clone(), request).await
    };
    for authorization in [READER, ADA] {
        let refused = set_tag(authorization).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    }
    assert_eq!(wish().await, None);
    let approval =
        [("action", "approve"), ("alias", "Production"), ("version", "2"), ("reason", "")];
    assert_eq!(ada.submit(model, &approval).await.status, StatusCode::FORBIDDEN);
    led_to(&bob.submit(model, &approval).await);
    holds(&ada.get(version).await, &["1 of 1 approvals, bob"]);
    // Who approved may not have it released as well.
    assert_eq!(bob.submit(version, &form).await.status, StatusCode::FORBIDDEN);
    assert_eq!(set_tag(BOB).await.status, StatusCode::FORBIDDEN);
    assert_eq!(led_to(&ada.submit(version, &form).await), format!("{version}#release"));
    let asked = wish().await.unwrap();
    assert_eq!((asked.by.as_str(), asked.version.as_str()), ("ada", "2"));
    assert_eq!(
        (asked.beside, asked.reason.as_str()),
        (vec!["1".to_owned()], "see https://***@host/x")
    );
    let page = ada.get(version).await;
    holds(&page, &["The release of version 2 was asked by ada", "waiting for its host"]);
    assert!(!page.text.contains("Release version 2"), "{}", page.text);
    // Another one waits until that is through.
    let second = ada.submit(model, &form).await;
    assert_eq!(second.status, StatusCode::BAD_REQUEST, "{}", second.text);
    assert!(second.text.contains("another one was asked for"), "{}", second.text);
    // What somebody says they are is not what is kept.
    assert_eq!(set_tag(ADA).await.status, StatusCode::OK);
    assert_eq!(wish().await.unwrap().by, "ada");
}

#[tokio::test]
async fn a_release_is_shown_from_the_question_to_its_end() {
    let site = Site::empty();
    recorded(&site).await;
    let mut host = obeying(now());
    let run_id = service(&site, "/Iris_service", &host).await;
    let mut browser = Browser::of(site.router(), ADA);
    let (model, other) = ("/models/Iris", "/models/Other");
    site.tracking.registered_models.create("Other", &[], None).await.unwrap();
    holds(&browser.get(model).await, &["nothing to roll back to", "version 1, 1 of 2 instances"]);
    let ask = async |browser: &mut Browser, address: &str, action: &str, version: &str| {
        let fields =
            [("action", action), ("service", &*run_id), ("version", version), ("beside", "1")];
        browser.submit(address, &fields).await
    };
    for (address, action, version, told) in [
        (model, "release", "9", "not found"),
        (model, "release", "2; rm", "is no version"),
        (model, "release", "", "version"),
        (other, "release", "2", "this is no service of Other"),
    ] {
        let page = ask(&mut browser, address, action, version).await;
        assert!(page.status.is_client_error(), "{}", page.text);
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    host.returns_to = Some("1".to_owned());
    host.serves = Some("2".to_owned());
    tell(&site, &run_id, &host).await;
    holds(&browser.get(model).await, &["Roll back to version 1", "is not judged again"]);
    let serving = browser.get("/models/Iris/versions/2").await.text;
    assert!(!serving.contains("puts it through the gate first"), "{serving}");
    led_to(&ask(&mut browser, model, "rollback", "1").await);
    let tags = site.tracking.registered_models.get("Iris").await.unwrap().tags;
    let wish = Tag::find(&tags, &release_wish_tag(&run_id)).and_then(ReleaseWish::read).unwrap();
    assert_eq!(wish.what, ReleaseKind::Rollback);
    let taken = wish.taken(now());
    for (state, told) in [
        (ReleaseState::Doing, "goes on: health: loading &lt;b&gt;"),
        (ReleaseState::Done, ">done</span>"),
        (ReleaseState::Refused, "was refused: health"),
        (ReleaseState::Failed, "failed, and users have what they had"),
        (ReleaseState::Unknown, "it is not known whether it was done"),
    ] {
        let said = "health: loading <b>".to_owned();
        host.release = Some(ReleaseAnswer { state, said, ..taken.clone() });
        tell(&site, &run_id, &host).await;
        for address in [model, "/models/Iris/versions/1", &format!("/services/{run_id}")] {
            let page = browser.get(address).await;
            holds(&page, &[told, "The way back to version 1"]);
            let has_buttons = page.text.contains("Roll back to version 1");
            assert_eq!(has_buttons, state != ReleaseState::Doing, "{state:?}: {}", page.text);
        }
    }
    // A release that gives users a version already is ended by the way back, to what they had.
    let release = ReleaseAnswer {
        what: ReleaseKind::Release,
        state: ReleaseState::Doing,
        version: "3".to_owned(),
        ..taken
    };
    host.release = Some(release);
    for (returns_to, is_ended) in [("1", false), ("2", true)] {
        host.returns_to = Some(returns_to.to_owned());
        tell(&site, &run_id, &host).await;
        let page = browser.get("/models/Iris/versions/1").await.text;
        assert_eq!(page.contains("Roll back to version"), is_ended, "{page}");
        assert_eq!(page.contains("That ends the release that goes on"), is_ended, "{page}");
        assert!(!page.contains("Release version 1"), "{page}");
        let refused = ask(&mut browser, model, "release", "1").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    }
    led_to(&ask(&mut browser, model, "rollback", "2").await);
    host.returns_to = Some("1".to_owned());
    // Whom nobody hears, who does not want to, and whom the model does not know, gets nothing to do.
    host.release = None;
    let mut silent = host.clone();
    silent.at_ms = now() - 10 * MINUTE;
    let mut unwilling = host.clone();
    unwilling.takes_releases = false;
    for (record, told) in
        [(silent, "it was last heard of"), (unwilling, "`releases_from_pages` is false")]
    {
        tell(&site, &run_id, &record).await;
        let page = browser.get("/models/Iris/versions/1").await;
        holds(&page, &["There is no button", told, "trainyard deploy --version 1"]);
        assert!(!page.text.contains("Roll back to version"), "{}", page.text);
        let refused = ask(&mut browser, model, "rollback", "1").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        assert!(refused.text.contains(told), "{}", refused.text);
    }
    let forged = forged(&site, "/Iris_service", &host).await;
    let fields = [("action", "rollback"), ("service", &*forged), ("version", "1"), ("beside", "2")];
    let refused = browser.submit(model, &fields).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert!(refused.text.contains("does not vouch"), "{}", refused.text);
}

#[tokio::test]
async fn the_first_page_says_whether_production_is_served() {
    let site = Site::empty();
    recorded(&site).await;
    holds(&site.get("/").await, &["no service is recorded", "data: warning"]);
    let mut told = record(now());
    (told.state, told.outage, told.candidate) = (ServiceState::Serving, None, None);
    let run_id = service(&site, "/Iris_service", &told).await;
    holds(&site.get("/").await, &[">serving, 312 requests/min", "data: warning"]);
    let by_class = [0, 0, 589, 0];
    told.minute = Some(Traffic { requests: 589, by_class, refused: 589, ..Traffic::default() });
    tell(&site, &run_id, &told).await;
    holds(&site.get("/").await, &["serving, refuses much, 589", "data: warning"]);
    told.mode = GatewayMode::Maintenance;
    tell(&site, &run_id, &told).await;
    holds(&site.get("/").await, &["closed for maintenance", "data: warning"]);
    told.state = ServiceState::Stopped;
    tell(&site, &run_id, &told).await;
    holds(&site.get("/").await, &["stopped on purpose", "data: warning"]);
    (told.state, told.at_ms) = (ServiceState::Serving, now() - 10 * MINUTE);
    tell(&site, &run_id, &told).await;
    holds(&site.get("/").await, &["not known, last heard of 10 min ago", "data: warning"]);
}
