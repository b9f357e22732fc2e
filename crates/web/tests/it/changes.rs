//! What people change on pages: it is changed by the rules of the API, once, and only from a page of this server.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use tempfile::TempDir;
use trainyard_mlflow::entities::{LifecycleStage, ModelOutput, Tag};
use trainyard_mlflow::{AliasId, CreateRun, SearchAudit, VERSIONS_TAG, VersionId};
use trainyard_tracking::access::{AccessConfig, AccessControl};
use trainyard_tracking::server::{ServerOptions, app};
use trainyard_tracking::{Governance, OpenOptions};

use crate::site::{NASTY, Page, Site, send};

/// Who may do what over a server: `ada` is an administrator, `reader` has what nobody else was given. The folder is theirs.
pub(crate) async fn access(default_permission: &str) -> (AccessControl, TempDir) {
    let users = tempfile::tempdir().unwrap();
    let config = AccessConfig {
        database_uri: format!("sqlite:///{}", users.path().join("users.db").display()),
        default_permission: default_permission.to_owned(),
        admin_username: Some("ada".to_owned()),
        admin_password: Some(PASSWORD.to_owned()),
        ..AccessConfig::default()
    };
    let control = Box::pin(AccessControl::open(&config)).await.unwrap();
    control.create_user("reader", Some(PASSWORD.to_owned()), false).await.unwrap();
    (control, users)
}

/// A browser with the cookie that it was given, and a name and password that it sends along.
pub(crate) struct Browser {
    router: Router,
    cookie: String,
    authorization: Option<&'static str>,
}

impl Browser {
    pub(crate) fn new(router: Router) -> Self {
        Self { router, cookie: String::new(), authorization: None }
    }

    /// One that says who its user is.
    pub(crate) fn of(router: Router, authorization: &'static str) -> Self {
        Self { authorization: Some(authorization), ..Self::new(router) }
    }

    fn request(&self, method: &str, address: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(address);
        let request = request.header("host", "localhost:5000").header("cookie", &self.cookie);
        match self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    pub(crate) async fn get(&mut self, address: &str) -> Page {
        let request = self.request("GET", address).body(Body::empty()).unwrap();
        let page = send(self.router.clone(), request).await;
        if let Some(cookie) = page.headers.get("set-cookie") {
            let line = cookie.to_str().unwrap();
            line.split(';').next().unwrap().clone_into(&mut self.cookie);
        }
        page
    }

    /// Sends a form of the page at an address, as a browser does.
    pub(crate) async fn submit(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.get(address).await;
        let token = token(&page.text);
        let mut all = vec![("csrf", token.as_str())];
        all.extend(fields);
        let more = [("origin", "http://localhost:5000"), ("sec-fetch-site", "same-origin")];
        self.post(address, &all, &more).await
    }

    pub(crate) async fn post(
        &self,
        address: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self.request("POST", address);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(self.router.clone(), request.body(Body::from(body)).unwrap()).await
    }
}

/// What the forms of a page know.
pub(crate) fn token(page: &str) -> String {
    let start = "name=\"csrf\" value=\"";
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("no form in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

pub(crate) fn led_to(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    page.headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_run_is_renamed_described_tagged_deleted_restored_and_registered() {
    let site = Site::empty();
    let run_id = site.nasty_run().await;
    let address = format!("/runs/{run_id}");
    let mut browser = Browser::new(site.router());
    let description = format!("# {NASTY}\r\n<img src=x onerror=alert(1)>");
    for fields in [
        [("action", "rename"), ("name", "better"), ("", "")],
        [("action", "describe"), ("description", description.as_str()), ("", "")],
        [("action", "tag"), ("key", "team"), ("value", NASTY)],
        [("action", "untag"), ("key", "own"), ("", "")],
    ] {
        let page = browser.submit(&address, &fields).await;
        assert_eq!(led_to(&page), address, "{fields:?}");
    }
    let run = site.tracking.runs.get(&run_id).await.unwrap();
    let tag =
        |key: &str| run.data.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone());
    assert_eq!(run.info.run_name, "better");
    assert_eq!(tag("mlflow.note.content"), Some(description.replace("\r\n", "\n")));
    assert_eq!((tag("team").as_deref(), tag("own")), (Some(NASTY), None));
    let page = browser.get(&address).await.text;
    assert!(!page.contains("<img src=x") && page.contains("&lt;img src=x"), "{page}");

    led_to(&browser.submit(&address, &[("action", "delete")]).await);
    let stage = site.tracking.runs.get(&run_id).await.unwrap().info.lifecycle_stage;
    assert_eq!(stage, LifecycleStage::Deleted);
    led_to(&browser.submit(&address, &[("action", "restore")]).await);
    let stage = site.tracking.runs.get(&run_id).await.unwrap().info.lifecycle_stage;
    assert_eq!(stage, LifecycleStage::Active);

    // Both kinds of quotes, which no filter can hold at once.
    let name = "It's \"<i>\" 100% é";
    let fields = [("action", "register"), ("name", name), ("path", "plots")];
    let version = led_to(&browser.submit(&address, &fields).await);
    let page = browser.get(&version).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let again = led_to(&browser.submit(&address, &fields).await);
    assert!(again.ends_with("/versions/2"), "{again}");
    let model = again.split_once("/versions/").unwrap().0.to_owned();
    let page = browser.get(&model).await;
    assert!(
        page.text.contains("/versions/1\"") && page.text.contains("/versions/2\""),
        "{}",
        page.text
    );
    // Of a logged model, which knows its versions then, as by the API.
    let model_id = site.nasty_model(&run_id, "other").await;
    let output = ModelOutput { model_id: model_id.clone(), step: 1 };
    site.tracking.runs.log_outputs(&run_id, vec![output]).await.unwrap();
    let fields = [("action", "register"), ("name", "logged"), ("model", model_id.as_str())];
    led_to(&browser.submit(&address, &fields).await);
    let logged = site.tracking.logged_models.get(&model_id).await.unwrap();
    let known = logged.info.tags.iter().find(|tag| tag.key == VERSIONS_TAG);
    let known = known.map(|tag| tag.value.as_str());
    assert_eq!(known, Some("[{\"name\":\"logged\",\"version\":1}]"));
    for path in ["../../other", "%2e%2e/x", "/etc"] {
        let fields = [("action", "register"), ("name", "m"), ("path", path)];
        let page = browser.submit(&address, &fields).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
    }
    let fields = [("action", "register"), ("name", "m"), ("model", "m-of-others")];
    assert_eq!(browser.submit(&address, &fields).await.status, StatusCode::BAD_REQUEST);
    assert!(site.tracking.registered_models.get("m").await.is_err(), "nothing was made");
}

#[tokio::test]
async fn a_model_and_its_versions_are_changed_and_deleted() {
    let site = Site::empty();
    let run_id = site.nasty_run().await;
    site.nasty_model(&run_id, "Iris").await;
    let models = &site.tracking.registered_models;
    let mut browser = Browser::new(site.router());
    let of_version = "/models/Iris/versions/1";
    for fields in [
        [("action", "describe"), ("description", "one\r\ntwo"), ("", "")],
        [("action", "tag"), ("key", "k2"), ("value", NASTY)],
        [("action", "alias"), ("alias", "Staging"), ("", "")],
    ] {
        assert_eq!(led_to(&browser.submit(of_version, &fields).await), of_version);
    }
    let id = VersionId { name: "Iris", version: "1" };
    let version = site.tracking.model_versions.get(id).await.unwrap();
    assert_eq!(version.description.as_deref(), Some("one\ntwo"));
    let staging = AliasId { name: "Iris", alias: "Staging" };
    assert_eq!(models.get_by_alias(staging).await.unwrap().version, "1");

    led_to(&browser.submit("/models/Iris", &[("action", "unalias"), ("alias", "Staging")]).await);
    // What the gate refused is pointed at by who says that they know it.
    let refused = Tag::new("trainyard.gate", "failed");
    site.tracking.model_versions.set_tag(id, refused).await.unwrap();
    let unknowing = [("action", "alias"), ("alias", "Live")];
    let page = browser.submit(of_version, &unknowing).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.text.contains("the gate refused version 1"), "{}", page.text);
    let live = AliasId { name: "Iris", alias: "Live" };
    assert!(models.get_by_alias(live).await.is_err());
    let knowing = [("action", "alias"), ("alias", "Live"), ("refused", "known")];
    led_to(&browser.submit(of_version, &knowing).await);
    assert_eq!(models.get_by_alias(live).await.unwrap().version, "1");
    led_to(&browser.submit("/models/Iris", &[("action", "unalias"), ("alias", "Live")]).await);
    assert!(models.get_by_alias(staging).await.is_err());
    let wrong = [("action", "delete"), ("confirm", "iris")];
    assert_eq!(browser.submit("/models/Iris", &wrong).await.status, StatusCode::BAD_REQUEST);
    let unknown = browser.submit("/models/Iris", &[("action", "explode")]).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let rename = [("action", "rename"), ("name", "Iris é 100%")];
    let renamed = led_to(&browser.submit("/models/Iris", &rename).await);
    assert_eq!(renamed, "/models/Iris%20%C3%A9%20100%25");
    let deletion = [("action", "delete"), ("confirm", "1")];
    assert_eq!(led_to(&browser.submit(&format!("{renamed}/versions/1"), &deletion).await), renamed);
    let deletion = [("action", "delete"), ("confirm", " Iris é 100% ")];
    assert_eq!(led_to(&browser.submit(&renamed, &deletion).await), "/models");
    assert_eq!(browser.get(&renamed).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_elses_page_changes_anything() {
    let site = Site::empty();
    let run = CreateRun { experiment_id: "0".to_owned(), ..CreateRun::default() };
    let run_id = site.tracking.runs.create(run).await.unwrap().info.run_id;
    let address = format!("/runs/{run_id}");
    let mut browser = Browser::new(site.router());
    let known = token(&browser.get(&address).await.text);
    let mut other = Browser::new(site.router());
    let of_other = token(&other.get(&address).await.text);
    assert_ne!(known, of_other);

    let own = ("sec-fetch-site", "same-origin");
    let ours = known.as_str();
    let cases = [
        ("", vec![own], StatusCode::FORBIDDEN),
        (of_other.as_str(), vec![own], StatusCode::FORBIDDEN),
        (ours, vec![("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
        (ours, vec![("sec-fetch-site", "same-site")], StatusCode::FORBIDDEN),
        (ours, vec![("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (ours, vec![("origin", "null")], StatusCode::FORBIDDEN),
        (ours, vec![own, ("content-type", "text/plain")], StatusCode::BAD_REQUEST),
        (ours, vec![own, ("content-type", "application/json")], StatusCode::BAD_REQUEST),
    ];
    for (csrf, headers, status) in cases {
        let fields = [("csrf", csrf), ("action", "delete")];
        let page = browser.post(&address, &fields, &headers).await;
        assert_eq!(page.status, status, "{csrf} {headers:?}: {}", page.text);
    }
    // A browser that was given no cookie.
    let stranger = Browser::new(site.router());
    let fields = [("csrf", known.as_str()), ("action", "delete")];
    assert_eq!(stranger.post(&address, &fields, &[own]).await.status, StatusCode::FORBIDDEN);
    let long = "x".repeat(70_000);
    let fields = [("csrf", known.as_str()), ("action", "describe"), ("description", long.as_str())];
    assert_eq!(browser.post(&address, &fields, &[own]).await.status, StatusCode::BAD_REQUEST);
    // Asking for what a form does changes nothing.
    browser.get(&format!("{address}?action=delete&csrf={known}")).await;
    let run = site.tracking.runs.get(&run_id).await.unwrap();
    assert_eq!(run.info.lifecycle_stage, LifecycleStage::Active);

    // An old browser, which does not say where it comes from.
    let fields = [("csrf", known.as_str()), ("action", "delete")];
    led_to(&browser.post(&address, &fields, &[]).await);
}

/// Three people with the password below.
pub(crate) const READER: &str = "Basic cmVhZGVyOmRpZmZlcmVuY2UgZW5naW5lIDE=";
pub(crate) const ADA: &str = "Basic YWRhOmRpZmZlcmVuY2UgZW5naW5lIDE=";
pub(crate) const BOB: &str = "Basic Ym9iOmRpZmZlcmVuY2UgZW5naW5lIDE=";
pub(crate) const PASSWORD: &str = "difference engine 1";

#[tokio::test]
async fn pages_do_what_whoever_asks_may_do_and_a_protected_alias_waits() {
    let protected = vec!["Live".parse().unwrap()];
    let governance = Governance { protected, ..Governance::default() };
    let site = Site::with(OpenOptions { governance, ..OpenOptions::default() });
    let run_id = site.nasty_run().await;
    site.nasty_model(&run_id, "Iris").await;
    let (control, _users) = access("READ").await;
    control.create_user("bob", Some(PASSWORD.to_owned()), true).await.unwrap();
    let tracking = control.guard(site.tracking.clone());
    let options =
        ServerOptions { authorize: Some(control.authorize()), ..ServerOptions::default() };
    let app = app(tracking.clone(), &options, trainyard_web::router(tracking)).unwrap();
    let browser = |authorization| Browser::of(app.clone(), authorization);
    let (mut reader, mut ada, mut bob) = (browser(READER), browser(ADA), browser(BOB));
    let page = reader.get("/models/Iris").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    // What is sent a part at a time is for whoever asked, too.
    let experiment_id = site.tracking.runs.get(&run_id).await.unwrap().info.experiment_id;
    let file = reader.get(&format!("/experiments/{experiment_id}/runs.csv")).await;
    assert!(file.text.contains(&run_id), "{}", file.text);
    for fields in [
        [("action", "alias"), ("alias", "Staging")],
        [("action", "describe"), ("description", "mine")],
        [("action", "delete"), ("confirm", "1")],
    ] {
        let page = reader.submit("/models/Iris/versions/1", &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{fields:?}: {}", page.text);
    }
    let rename = [("action", "rename"), ("name", "mine")];
    let page = reader.submit(&format!("/runs/{run_id}"), &rename).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);

    // Nobody approves what they asked for themselves.
    let alias = [("action", "alias"), ("alias", "Live")];
    let page = ada.submit("/models/Iris/versions/1", &alias).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    assert!(page.text.contains("is protected"), "{}", page.text);
    let approval =
        [("action", "approve"), ("alias", "Live"), ("version", "1"), ("reason", "looked at")];
    let page = ada.get("/models/Iris").await.text;
    assert!(page.contains("Waiting for approval") && page.contains("asked by ada"), "{page}");
    // By this a page that changes by itself tells one request from another.
    assert!(page.contains("id=\"approval-Live-1\""), "{page}");
    assert_eq!(ada.submit("/models/Iris", &approval).await.status, StatusCode::FORBIDDEN);
    led_to(&bob.submit("/models/Iris", &approval).await);
    led_to(&ada.submit("/models/Iris/versions/1", &alias).await);
    let search = SearchAudit { action: Some("alias.set".to_owned()), ..SearchAudit::default() };
    let moves = site.tracking.audit.events(search).await.unwrap();
    let last = moves.last().unwrap();
    assert_eq!((last.part.as_str(), last.who.as_str()), ("alias:Live", "ada"));
    let page = bob.get("/models/Iris").await.text;
    assert!(page.contains("Live: looked at") && page.contains("Live moved here"), "{page}");
}

#[tokio::test]
async fn several_runs_are_tagged_deleted_and_restored_at_once() {
    let site = Site::empty();
    let (one, two) = (site.plain_run("one").await, site.plain_run("two").await);
    let elsewhere = site.nasty_run().await;
    let (control, _users) = Box::pin(access("READ")).await;
    let tracking = control.guard(site.tracking.clone());
    let options =
        ServerOptions { authorize: Some(control.authorize()), ..ServerOptions::default() };
    let app = app(tracking.clone(), &options, trainyard_web::router(tracking)).unwrap();
    let (mut reader, mut ada) = (Browser::of(app.clone(), READER), Browser::of(app, ADA));
    let list = site.get("/experiments/0").await.text;
    assert!(list.contains("formaction=\"/experiments/0/chosen\""), "{list}");
    assert!(!list.contains("csrf"), "a list without a secret is packed: {list}");
    let none = ada.get("/experiments/0/chosen").await;
    assert!(none.text.contains("No run was chosen."), "{}", none.text);

    let address = format!("/experiments/0/chosen?run={one}&run={two}&run={elsewhere}");
    let page = ada.get(&address).await;
    assert!(page.text.contains("3 runs") && page.text.contains("Delete 3 runs"), "{}", page.text);
    assert!(page.text.contains("&lt;script&gt;") && !page.text.contains("<b>"), "{}", page.text);
    let chosen = |action: &'static str| {
        [("action", action), ("run", one.as_str()), ("run", two.as_str()), ("key", "team")]
    };
    let stage = async |run_id: &str| {
        let run = site.tracking.runs.get(run_id).await.unwrap();
        let tag = Tag::find(&run.data.tags, "team").map(str::to_owned);
        (run.info.lifecycle_stage, tag)
    };
    let refused = reader.submit(&address, &chosen("delete")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert!(refused.text.contains("0 of 2 runs were changed"), "{}", refused.text);
    assert_eq!(stage(&one).await, (LifecycleStage::Active, None));

    let mut tagging = chosen("tag").to_vec();
    tagging.push(("value", "risk"));
    assert_eq!(led_to(&ada.submit(&address, &tagging).await), "/experiments/0");
    led_to(&ada.submit(&address, &chosen("delete")).await);
    for run_id in [&one, &two] {
        assert_eq!(stage(run_id).await, (LifecycleStage::Deleted, Some("risk".to_owned())));
    }
    assert_eq!(stage(&elsewhere).await.0, LifecycleStage::Active);
    let page = ada.get(&address).await;
    assert!(
        page.text.contains("Restore 2 runs") && page.text.contains("Delete 1 run"),
        "{}",
        page.text
    );
    led_to(&ada.submit(&address, &chosen("restore")).await);
    // A tag that some of them do not have is gone from all.
    site.tracking.runs.delete_tag(&two, "team").await.unwrap();
    led_to(&ada.submit(&address, &chosen("untag")).await);
    for run_id in [&one, &two] {
        assert_eq!(stage(run_id).await, (LifecycleStage::Active, None));
    }
    let many: Vec<(&str, &str)> = std::iter::once(("action", "delete"))
        .chain(std::iter::repeat_n(("run", one.as_str()), 201))
        .collect();
    let refused = ada.submit(&address, &many).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert_eq!(stage(&one).await.0, LifecycleStage::Active);
}
