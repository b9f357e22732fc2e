//! The pages of the team: they do what whoever asks may do by the API, and show nobody what is not theirs.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::http::StatusCode;
use trainyard_mlflow::entities::Tag;
use trainyard_mlflow::{AliasMove, Result, WebhookLog, WebhookStanding};
use trainyard_tracking::access::AccessControl;
use trainyard_tracking::server::{ServerOptions, app};
use trainyard_tracking::{Governance, OpenOptions};
use trainyard_web::Beside;

use crate::changes::{ADA, BOB, Browser, PASSWORD, READER, access, led_to, token};
use crate::site::{NASTY, Site};

/// Somebody with the password of the others.
const CAROL: &str = "Basic Y2Fyb2w6ZGlmZmVyZW5jZSBlbmdpbmUgMQ==";

/// One webhook that was told nothing, and what it was changed to.
#[derive(Default)]
struct OneWebhook(Mutex<Vec<String>>);

impl OneWebhook {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

#[async_trait]
impl WebhookLog for OneWebhook {
    async fn webhooks(&self) -> Result<Vec<WebhookStanding>> {
        Ok(vec![WebhookStanding {
            id: "w-1".to_owned(),
            name: "deploy".to_owned(),
            host: "hooks.example".to_owned(),
            events: vec!["model_version_alias.created".to_owned()],
            is_active: true,
            deliveries: Vec::new(),
        }])
    }

    async fn set_active(&self, id: &str, is_active: bool) -> Result<()> {
        self.note(format!("{id} {is_active}"));
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.note(format!("{id} deleted"));
        Ok(())
    }
}

/// A server with people: `ada` and `bob`, who are administrators, and `reader`.
struct Server {
    site: Site,
    router: axum::Router,
    control: AccessControl,
    webhook: Arc<OneWebhook>,
    _users: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let protected = vec!["Live".parse().unwrap()];
        let governance = Governance { protected, ..Governance::default() };
        let site = Site::with(OpenOptions { governance, ..OpenOptions::default() });
        let (control, users) = Box::pin(access("READ")).await;
        control.create_user("bob", Some(PASSWORD.to_owned()), true).await.unwrap();
        let tracking = control.guard(site.tracking.clone());
        let webhook = Arc::new(OneWebhook::default());
        let beside = Beside {
            webhooks: Some(control.guard_webhooks(Arc::clone(&webhook) as _)),
            team: Some(control.team()),
        };
        let options =
            ServerOptions { authorize: Some(control.authorize()), ..ServerOptions::default() };
        let pages = trainyard_web::router_with(tracking.clone(), "", beside);
        let router = app(tracking, &options, pages).unwrap();
        Self { site, router, control, webhook, _users: users }
    }

    fn browser(&self, authorization: &'static str) -> Browser {
        Browser::of(self.router.clone(), authorization)
    }
}

/// Sends a form of a page whose form the page itself may not show, as somebody with a form of ours could.
async fn send(
    browser: &mut Browser,
    own: &str,
    address: &str,
    form: &[(&str, &str)],
) -> StatusCode {
    let known = token(&browser.get(own).await.text);
    let mut fields = vec![("csrf", known.as_str())];
    fields.extend(form);
    let headers = [("origin", "http://localhost:5000"), ("sec-fetch-site", "same-origin")];
    browser.post(address, &fields, &headers).await.status
}

#[tokio::test]
async fn administrators_add_people_and_roles_and_others_are_refused() {
    let server = Server::start().await;
    let run = server.site.plain_run("first").await;
    let (mut ada, mut reader) = (server.browser(ADA), server.browser(READER));
    let carol = [("action", "add"), ("username", "carol"), ("password", PASSWORD)];
    assert_eq!(led_to(&ada.submit("/team", &carol).await), "/team/users/carol");
    for (name, password) in [("carol", PASSWORD), ("dave", "short"), ("", PASSWORD), ("eve", "")] {
        let form = [("action", "add"), ("username", name), ("password", password)];
        let page = ada.submit("/team", &form).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{name}: {}", page.text);
        assert!(!page.text.contains(PASSWORD), "{}", page.text);
    }
    let form = [("action", "add_account"), ("username", "ci")];
    assert_eq!(led_to(&ada.submit("/team", &form).await), "/team/users/ci");
    let form = [("action", "add_role"), ("name", "scientists"), ("description", NASTY)];
    let role = led_to(&ada.submit("/team", &form).await);
    let id = role.strip_prefix("/team/roles/").unwrap();

    // A role without grants gives nothing; with one it does at once, and without it no more.
    let address = format!("/runs/{run}");
    let rename = [("action", "rename"), ("name", "second")];
    let mut of_carol = server.browser(CAROL);
    assert_eq!(of_carol.submit(&address, &rename).await.status, StatusCode::FORBIDDEN);
    let assign = [("action", "assign"), ("role", id)];
    led_to(&ada.submit("/team/users/carol", &assign).await);
    assert_eq!(of_carol.submit(&address, &rename).await.status, StatusCode::FORBIDDEN);
    let grant = [("action", "grant"), ("kind", "experiment"), ("id", "*"), ("permission", "EDIT")];
    assert_eq!(led_to(&ada.submit(&role, &grant).await), role);
    led_to(&of_carol.submit(&address, &rename).await);
    let page = ada.get("/team/users/carol?kind=experiment&id=0").await.text;
    assert!(page.contains("<span class=\"badge\">EDIT</span>"), "{page}");
    let page = ada.get("/team/users/carol?kind=nonsense&id=0").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Invalid resource type"), "{}", page.text);
    let page = ada.get(&role).await.text;
    assert!(page.contains("/team/users/carol\"") && !page.contains("<b>"), "{page}");
    led_to(&ada.submit(&role, &[("action", "unassign"), ("username", "carol")]).await);
    assert_eq!(of_carol.submit(&address, &rename).await.status, StatusCode::FORBIDDEN);

    // To her alone, and back.
    led_to(&ada.submit("/team/users/carol", &grant).await);
    led_to(&of_carol.submit(&address, &rename).await);
    let page = of_carol.get("/team/users/carol").await.text;
    assert!(page.contains("Granted to carol alone"), "{page}");
    assert!(page.contains("<span class=\"badge\">EDIT</span>"), "{page}");
    let revoke = [("action", "revoke"), ("kind", "experiment"), ("id", "*")];
    led_to(&ada.submit("/team/users/carol", &revoke).await);
    assert_eq!(of_carol.submit(&address, &rename).await.status, StatusCode::FORBIDDEN);

    // Whoever may not has neither the forms nor their way.
    let page = reader.get("/team").await.text;
    assert!(
        page.contains("/team/users/carol\"") && !page.contains("<form class=\"edit\""),
        "{page}"
    );
    assert!(!page.contains("scientists") && !page.contains("/team/audit"), "{page}");
    assert_eq!(reader.get(&role).await.status, StatusCode::FORBIDDEN);
    let own = "/team/users/reader";
    for (address, form) in [
        ("/team", carol.to_vec()),
        ("/team", vec![("action", "add_role"), ("name", "mine")]),
        (own, vec![("action", "promote")]),
        (own, assign.to_vec()),
        (own, grant.to_vec()),
        (role.as_str(), grant.to_vec()),
        (role.as_str(), vec![("action", "assign"), ("username", "reader")]),
        ("/team/users/carol", vec![("action", "password"), ("password", "another engine 2")]),
        ("/team/users/carol", vec![("action", "sign_out")]),
        ("/team/users/carol", vec![("action", "delete"), ("confirm", "carol")]),
    ] {
        let status = send(&mut reader, own, address, &form).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{address} {form:?}");
    }
    assert_eq!(server.control.users().len(), 5, "{:?}", server.control.users());
    let delete = [("action", "delete"), ("confirm", "carol")];
    assert_eq!(led_to(&ada.submit("/team/users/carol", &delete).await), "/team");
    assert_eq!(ada.get("/team/users/carol").await.status, StatusCode::NOT_FOUND);
    assert_eq!(of_carol.get("/").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_group_gives_what_it_may_to_whoever_is_in_it() {
    let server = Server::start().await;
    let run = server.site.plain_run("first").await;
    let (mut ada, mut reader) = (server.browser(ADA), server.browser(READER));
    let rename = [("action", "rename"), ("name", "second")];
    let address = format!("/runs/{run}");
    let role = [("action", "add_role"), ("name", "scientists"), ("description", "")];
    let role = led_to(&ada.submit("/team", &role).await);
    let role_id = role.strip_prefix("/team/roles/").unwrap();
    let form = [("action", "add_group"), ("name", NASTY), ("description", NASTY)];
    let group = led_to(&ada.submit("/team", &form).await);
    let grant = [("action", "grant"), ("kind", "experiment"), ("id", "*"), ("permission", "EDIT")];
    assert_eq!(led_to(&ada.submit(&group, &grant).await), group);
    led_to(&ada.submit(&group, &[("action", "assign"), ("role", role_id)]).await);
    assert_eq!(reader.submit(&address, &rename).await.status, StatusCode::FORBIDDEN);
    assert_eq!(reader.get(&group).await.status, StatusCode::NOT_FOUND);
    led_to(&ada.submit(&group, &[("action", "add"), ("username", "reader")]).await);
    led_to(&reader.submit(&address, &rename).await);
    // Whoever is in it sees it, and changes nothing.
    for place in ["/team", "/team/users/reader", &group] {
        let page = reader.get(place).await.text;
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "{place}: {page}");
        assert!(page.contains("scientists"), "{place}: {page}");
    }
    for form in [
        vec![("action", "add"), ("username", "bob")],
        vec![("action", "assign"), ("role", role_id)],
        grant.to_vec(),
        vec![("action", "delete"), ("confirm", NASTY)],
    ] {
        let status = send(&mut reader, "/team/users/reader", &group, &form).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{form:?}");
    }
    let page = ada.get(&role).await.text;
    assert!(page.contains(&format!("href=\"{group}\"")), "{page}");
    let revoke = [("action", "revoke"), ("kind", "experiment"), ("id", "*")];
    led_to(&ada.submit(&group, &revoke).await);
    assert_eq!(reader.submit(&address, &rename).await.status, StatusCode::FORBIDDEN);
    led_to(&ada.submit(&group, &[("action", "unassign"), ("role", role_id)]).await);
    led_to(&ada.submit(&group, &[("action", "remove"), ("username", "reader")]).await);
    assert_eq!(reader.get(&group).await.status, StatusCode::NOT_FOUND);
    let delete = [("action", "delete"), ("confirm", NASTY)];
    assert_eq!(led_to(&ada.submit(&group, &delete).await), "/team");
    assert_eq!(ada.get(&group).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_token_is_shown_once_and_does_no_more_than_its_scope() {
    let server = Server::start().await;
    let (mut reader, mut ada) = (server.browser(READER), server.browser(ADA));
    let make = [("action", "make"), ("name", "job"), ("scope", "READ"), ("days", "3")];
    let page = reader.submit("/team/tokens", &make).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert_eq!(page.headers["cache-control"], "no-store");
    let (_, rest) = page.text.split_once("trainyard_").unwrap();
    let secret = format!("trainyard_{}", rest.split_once('<').unwrap().0);
    let authorization: &'static str = format!("Bearer {secret}").leak();
    let mut program = server.browser(authorization);
    assert_eq!(program.get("/experiments").await.status, StatusCode::OK);
    for list in [reader.get("/team/tokens").await.text, ada.get("/team/tokens").await.text] {
        assert!(list.contains("job") && !list.contains(&secret), "{list}");
    }
    // A form that is sent again makes nothing, a token makes none, and nobody gives themselves more.
    assert_eq!(reader.submit("/team/tokens", &make).await.status, StatusCode::BAD_REQUEST);
    for form in [
        [("action", "make"), ("name", "more"), ("scope", "ADMIN"), ("days", "")],
        [("action", "make"), ("name", "hers"), ("scope", "READ"), ("username", "ada")],
    ] {
        let page = reader.submit("/team/tokens", &form).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{form:?}: {}", page.text);
    }
    for days in ["0", "-1", "soon", "99999999999999999999"] {
        let form = [("action", "make"), ("name", "n"), ("scope", "READ"), ("days", days)];
        assert_eq!(reader.submit("/team/tokens", &form).await.status, StatusCode::BAD_REQUEST);
    }
    let again = [("action", "make"), ("name", "again"), ("scope", "READ"), ("days", "")];
    let own = "/team/users/reader";
    let status = send(&mut program, own, "/team/tokens", &again).await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    // Somebody else's is not theirs to revoke; administrators and its owner may.
    let form = [("action", "make"), ("name", "of-ada"), ("scope", "ADMIN"), ("days", "")];
    assert_eq!(ada.submit("/team/tokens", &form).await.status, StatusCode::OK);
    assert!(!reader.get("/team/tokens").await.text.contains("of-ada"));
    let form = [("action", "revoke_token"), ("token", "of-ada")];
    assert_eq!(reader.submit("/team/tokens", &form).await.status, StatusCode::FORBIDDEN);
    let form = [("action", "revoke_token"), ("token", "job")];
    assert_eq!(led_to(&reader.submit(own, &form).await), own);
    assert_eq!(program.get("/experiments").await.status, StatusCode::UNAUTHORIZED);

    // One's own password is replaced by who knows it.
    for (current, status) in [
        ("", StatusCode::BAD_REQUEST),
        ("difference engine 0", StatusCode::BAD_REQUEST),
        (PASSWORD, StatusCode::SEE_OTHER),
    ] {
        let form =
            [("action", "password"), ("current", current), ("password", "analytical engine 2")];
        let page = reader.submit(own, &form).await;
        assert_eq!(page.status, status, "{}", page.text);
        assert!(!page.text.contains("engine 0") && !page.text.contains("engine 2"));
    }
    assert_eq!(reader.get("/").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_waits_of_a_prompt_is_for_those_who_may_move_aliases_of_prompts() {
    let server = Server::start().await;
    let run = server.site.nasty_run().await;
    let tracking = &server.site.tracking;
    for model in ["Greeting", "Iris"] {
        server.site.nasty_model(&run, model).await;
        if model == "Greeting" {
            let is_prompt = Tag::new("mlflow.prompt.is_prompt", "true");
            tracking.registered_models.set_tag(model, is_prompt).await.unwrap();
        }
        let [model, alias, version] = [model, "Live", "1"].map(str::to_owned);
        let wanted = AliasMove { model, alias, version };
        tracking.approvals.request(wanted, "").await.unwrap();
    }
    let (mut ada, mut reader) = (server.browser(ADA), server.browser(READER));
    // To grant on models of the name says nothing of the prompt.
    for (kind, waits) in [("registered_model", false), ("prompt", true)] {
        let grant =
            [("action", "grant"), ("kind", kind), ("id", "Greeting"), ("permission", "EDIT")];
        led_to(&ada.submit("/team/users/reader", &grant).await);
        let page = reader.get("/team/approvals").await.text;
        assert_eq!(page.contains("Approve Live of Greeting to version 1"), waits, "{kind}: {page}");
        assert!(!page.contains("Live of Iris"), "{page}");
        assert_eq!(
            reader.get("/").await.text.contains("1 approval waits for you"),
            waits,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn approvals_wait_for_those_who_may_give_them_and_the_log_is_for_who_sees_all() {
    let server = Server::start().await;
    let run = server.site.nasty_run().await;
    server.site.nasty_model(&run, "Iris").await;
    let (mut ada, mut bob) = (server.browser(ADA), server.browser(BOB));
    let mut reader = server.browser(READER);
    let alias = [("action", "alias"), ("alias", "Live")];
    let page = ada.submit("/models/Iris/versions/1", &alias).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    let waits = "Approve Live of Iris to version 1";
    assert!(bob.get("/team/approvals").await.text.contains(waits));
    assert!(bob.get("/").await.text.contains("1 approval waits for you"));
    for browser in [&mut ada, &mut reader] {
        let page = browser.get("/team/approvals").await.text;
        assert!(page.contains("Nothing waits for you.") && !page.contains("Live"), "{page}");
        assert!(!browser.get("/").await.text.contains("for you"));
    }
    let approve = [
        ("action", "approve"),
        ("model", "Iris"),
        ("alias", "Live"),
        ("version", "1"),
        ("reason", "looked at"),
    ];
    let status = send(&mut reader, "/team/users/reader", "/team/approvals", &approve).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(led_to(&bob.submit("/team/approvals", &approve).await), "/team/approvals");
    assert!(!bob.get("/team/approvals").await.text.contains(waits));
    led_to(&ada.submit("/models/Iris/versions/1", &alias).await);

    let found = "/team/audit?subject=model:Iris&action=alias.&since=2026-01-01&who=ada";
    let page = ada.get(found).await.text;
    assert!(page.contains("alias.set") && page.contains("alias:Live"), "{page}");
    assert!(!page.contains("approval.approve") && !page.contains("<b>"), "{page}");
    let page = ada.get("/team/audit?who=bob").await.text;
    assert!(page.contains("approval.approve") && !page.contains("alias.set"), "{page}");
    let page = ada.get("/team/audit?since=March").await.text;
    assert!(page.contains("a time is written 2026-03-01"), "{page}");
    for address in ["/team/audit", "/webhooks"] {
        let page = reader.get(address).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{address}");
        assert!(!page.text.contains("Iris") && !page.text.contains("hooks.example"));
    }
    assert!(ada.get("/webhooks").await.text.contains("hooks.example"));
    let own = "/team/users/reader";
    for action in ["pause", "resume", "delete"] {
        let form = [("action", action), ("webhook", "w-1"), ("confirm", "deploy")];
        assert_eq!(send(&mut reader, own, "/webhooks", &form).await, StatusCode::FORBIDDEN);
        assert_eq!(led_to(&ada.submit("/webhooks", &form).await), "/webhooks");
    }
    let form = [("action", "delete"), ("webhook", "w-1"), ("confirm", "other")];
    assert_eq!(ada.submit("/webhooks", &form).await.status, StatusCode::BAD_REQUEST);
    let noted = server.webhook.0.lock().unwrap().clone();
    assert_eq!(noted, ["w-1 false", "w-1 true", "w-1 deleted"]);
    assert!(!reader.get("/models").await.text.contains("/webhooks\""));
}

#[tokio::test]
async fn where_there_are_no_users_the_pages_say_so() {
    let site = Site::empty();
    let page = site.get("/team").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("--app-name basic-auth") && page.text.contains("/team/audit\""));
    for address in ["/team/tokens", "/team/users/ada", "/team/roles/1"] {
        assert_eq!(site.get(address).await.status, StatusCode::NOT_FOUND, "{address}");
    }
}

#[tokio::test]
async fn a_form_that_does_not_work_gives_back_what_was_written_and_no_secret() {
    let server = Server::start().await;
    let run = server.site.plain_run("first").await;
    let mut ada = server.browser(ADA);
    let form = [("action", "tag"), ("key", "<b>"), ("value", "long & <i>mine</i>")];
    let page = ada.submit(&format!("/runs/{run}"), &form).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains("long &amp; &lt;i&gt;mine&lt;/i&gt;"), "{}", page.text);
    let form = [("action", "add"), ("username", "eve"), ("password", "s3cret")];
    let page = ada.submit("/team", &form).await;
    assert!(page.status.is_client_error() && !page.text.contains("s3cret"), "{}", page.text);
}

#[tokio::test]
async fn every_page_says_who_is_signed_in_and_where_they_sign_out() {
    let server = Server::start().await;
    let (mut ada, mut reader) = (server.browser(ADA), server.browser(READER));
    for address in ["/", "/models", "/experiments", "/services", "/team", "/models/none"] {
        for (browser, name) in [(&mut ada, "ada"), (&mut reader, "reader")] {
            let page = browser.get(address).await.text;
            let (head, _) = page.split_once("</header>").unwrap();
            let (_, link) = head.split_once("class=\"me\" href=\"/account\"").unwrap_or_default();
            assert!(link.contains(&format!(">{name}<")), "{address} of {name}: {head}");
        }
    }
    assert!(!server.site.get("/").await.text.contains("class=\"me\""), "nobody is asked there");
}
