//! Webhooks: told of each change, signed as MLflow signs, until they take it, and nowhere they must not go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trainyard_testkit::postgres::PostgresServer;
use trainyard_testkit::run_python;
use trainyard_tracking::server::ServerOptions;
use trainyard_tracking::webhooks::WebhookOptions;

use crate::http::{Answer, Request, get, post, send};
use crate::served::Served;
use crate::store::{options, uri};
use crate::webhook_receiver::{Hook, Received};

const API: &str = "/api/2.0/mlflow";
/// Of Fernet's specification.
pub(crate) const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const SECRET: &str = "shared with the receiver";

/// A server whose owner lets webhooks go to `allowed`.
pub(crate) fn server_options(allowed: &[&str], key: Option<&'static str>) -> ServerOptions {
    let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
    let variable = |name: &str| match name {
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY" => key.map(str::to_owned),
        // Nobody is taken for dead because the machine is busy.
        "MLFLOW_WEBHOOK_REQUEST_TIMEOUT" => Some("300".to_owned()),
        _ => None,
    };
    let webhooks = WebhookOptions::read(allowed, variable).unwrap();
    ServerOptions { webhooks, ..ServerOptions::default() }
}

fn telling(folder: &tempfile::TempDir) -> Served {
    Served::telling(&uri(folder), options(folder), server_options(&["127.0.0.1"], Some(KEY)))
}

fn events(names: &[(&str, &str)]) -> Vec<Value> {
    names.iter().map(|(entity, action)| json!({"entity": entity, "action": action})).collect()
}

fn subscribe(server: &Served, name: &str, url: &str, of: &[(&str, &str)]) -> String {
    let body = json!({"name": name, "url": url, "events": events(of), "secret": SECRET});
    let made = post(&server.url, &format!("{API}/webhooks"), &body);
    assert_eq!(made.status, 200, "{}", made.text());
    assert!(!made.text().contains(SECRET));
    made.json()["webhook"]["webhook_id"].as_str().unwrap().to_owned()
}

fn ask(server: &Served, method: &str, path: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let path = format!("{API}/{path}");
    let headers = vec![("Content-Type", "application/json")];
    send(&server.url, &Request { method, path: &path, headers, body: Some(body.as_bytes()) })
}

fn done(server: &Served, method: &str, path: &str, body: &Value) {
    let answer = ask(server, method, path, body);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

fn move_alias(server: &Served, alias: &str) {
    let body = json!({"name": "m", "alias": alias, "version": "1"});
    done(server, "POST", "registered-models/alias", &body);
}

fn make_version(server: &Served) {
    done(server, "POST", "registered-models/create", &json!({"name": "m"}));
    let body = json!({"name": "m", "source": "s3://b/x"});
    done(server, "POST", "model-versions/create", &body);
}

/// The deliveries of a webhook, once the newest is over.
fn finished(server: &Served, id: &str) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let path = format!("{API}/webhooks/{id}/deliveries");
        let shown = get(&server.url, &path).json()["deliveries"].as_array().unwrap().clone();
        if shown.iter().all(|one| one.get("finished_at").is_some()) {
            return shown;
        }
        assert!(Instant::now() < deadline, "{shown:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks MLflow's own code for the signature.
fn is_signed(received: &Received) -> bool {
    let sign = "import sys\n\
        from mlflow.webhooks.delivery import _generate_hmac_signature as sign\n\
        print(sign(*sys.argv[1:]))";
    let (id, time) =
        (received.header("x-mlflow-delivery-id"), received.header("x-mlflow-timestamp"));
    let signature = run_python(sign, &[SECRET, id, time, &received.body], &[]);
    received.header("x-mlflow-signature") == signature.trim()
}

const ALL: &[(&str, &str)] = &[
    ("REGISTERED_MODEL", "CREATED"),
    ("MODEL_VERSION", "CREATED"),
    ("MODEL_VERSION_TAG", "SET"),
    ("MODEL_VERSION_TAG", "DELETED"),
    ("MODEL_VERSION_ALIAS", "CREATED"),
    ("MODEL_VERSION_ALIAS", "DELETED"),
    ("PROMPT", "CREATED"),
    ("PROMPT_VERSION", "CREATED"),
    ("PROMPT_TAG", "SET"),
    ("PROMPT_TAG", "DELETED"),
    ("PROMPT_VERSION_TAG", "SET"),
    ("PROMPT_VERSION_TAG", "DELETED"),
    ("PROMPT_ALIAS", "CREATED"),
    ("PROMPT_ALIAS", "DELETED"),
];

#[test]
fn each_change_is_told_signed_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = telling(&folder);
    let hook = Hook::start();
    let id = subscribe(&server, "all", &hook.url, ALL);
    let prompt = json!({"key": "mlflow.prompt.is_prompt", "value": "true"});
    let text = json!({"key": "mlflow.prompt.text", "value": "Hello {{name}}!"});
    let team = json!({"key": "team", "value": "Größe"});
    let tagged = |name: &str| json!({"name": name, "key": "k", "value": "v"});
    let version_tag = |name: &str| json!({"name": name, "version": "1", "key": "k", "value": "v"});
    let alias = |name: &str| json!({"name": name, "alias": "Production", "version": "1"});
    let (models, versions) = ("registered-models", "model-versions");
    for (method, path, body) in [
        (
            "POST",
            format!("{models}/create"),
            json!({"name": "m", "tags": [team], "description": "d"}),
        ),
        (
            "POST",
            format!("{versions}/create"),
            json!({"name": "m", "source": "s3://b/x", "tags": [team]}),
        ),
        ("POST", format!("{versions}/set-tag"), version_tag("m")),
        ("DELETE", format!("{versions}/delete-tag"), version_tag("m")),
        ("POST", format!("{models}/alias"), alias("m")),
        ("DELETE", format!("{models}/alias"), alias("m")),
        // Told of prompts only.
        ("POST", format!("{models}/set-tag"), tagged("m")),
        ("POST", format!("{models}/create"), json!({"name": "p", "tags": [prompt, team]})),
        (
            "POST",
            format!("{versions}/create"),
            json!({"name": "p", "source": "dummy-source", "tags": [prompt, text, team]}),
        ),
        ("POST", format!("{models}/set-tag"), tagged("p")),
        ("DELETE", format!("{models}/delete-tag"), tagged("p")),
        ("POST", format!("{versions}/set-tag"), version_tag("p")),
        ("DELETE", format!("{versions}/delete-tag"), version_tag("p")),
        ("POST", format!("{models}/alias"), alias("p")),
        ("DELETE", format!("{models}/alias"), alias("p")),
    ] {
        done(&server, method, &path, &body);
    }
    let expected = [
        (
            "registered_model.created",
            json!({"name": "m", "tags": {"team": "Größe"}, "description": "d"}),
        ),
        (
            "model_version.created",
            json!({"name": "m", "version": "1", "source": "s3://b/x", "run_id": null,
                   "tags": {"team": "Größe"}, "description": null}),
        ),
        ("model_version_tag.set", version_tag("m")),
        ("model_version_tag.deleted", json!({"name": "m", "version": "1", "key": "k"})),
        ("model_version_alias.created", alias("m")),
        ("model_version_alias.deleted", json!({"name": "m", "alias": "Production"})),
        ("prompt.created", json!({"name": "p", "tags": {"team": "Größe"}, "description": ""})),
        (
            "prompt_version.created",
            json!({"name": "p", "version": "1", "template": "Hello {{name}}!",
                   "tags": {"team": "Größe"}, "description": null}),
        ),
        ("prompt_tag.set", tagged("p")),
        ("prompt_tag.deleted", json!({"name": "p", "key": "k"})),
        ("prompt_version_tag.set", version_tag("p")),
        ("prompt_version_tag.deleted", json!({"name": "p", "version": "1", "key": "k"})),
        ("prompt_alias.created", alias("p")),
        ("prompt_alias.deleted", json!({"name": "p", "alias": "Production"})),
    ];
    let mut last = None;
    for (event, data) in expected {
        let received = hook.next();
        assert_eq!((received.event().as_str(), &received.json()["data"]), (event, &data));
        assert!(received.body.is_ascii(), "{}", received.body);
        assert_eq!(received.header("content-type"), "application/json");
        last = Some(received);
    }
    assert!(is_signed(&last.unwrap()));
    let shown = finished(&server, &id);
    assert_eq!(shown.len(), ALL.len());
    assert_eq!(
        (&shown[0]["event"], &shown[0]["state"]),
        (&"prompt_alias.deleted".into(), &"delivered".into())
    );
    assert!(hook.rest().is_empty());
}

#[test]
fn what_is_not_taken_is_sent_again_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = telling(&folder);
    let hook =
        Hook::answering(
            |number| {
                if number == 0 { "503 Busy".to_owned() } else { "200 OK".to_owned() }
            },
        );
    let id = subscribe(&server, "again", &hook.url, &[("MODEL_VERSION_ALIAS", "CREATED")]);
    make_version(&server);
    move_alias(&server, "Production");
    let (first, second) = (hook.next(), hook.next());
    let delivery = first.header("x-mlflow-delivery-id").to_owned();
    assert_eq!(second.header("x-mlflow-delivery-id"), delivery);
    assert_eq!(second.body, first.body);
    let shown = finished(&server, &id);
    assert_eq!(shown.len(), 1);
    let one = &shown[0];
    assert_eq!(
        (&one["delivery_id"], &one["attempts"], &one["state"], &one["last_status"]),
        (&delivery.as_str().into(), &2.into(), &"delivered".into(), &200.into())
    );
}

#[test]
fn whoever_is_disabled_or_gone_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = telling(&folder);
    let alias = [("MODEL_VERSION_ALIAS", "CREATED")];
    let (disabled, gone, away, active) =
        (Hook::start(), Hook::start(), Hook::start(), Hook::start());
    let disabled_id = subscribe(&server, "disabled", &disabled.url, &alias);
    let gone_id = subscribe(&server, "gone", &gone.url, &alias);
    subscribe(&server, "other-event", &away.url, &[("PROMPT", "CREATED")]);
    subscribe(&server, "active", &active.url, &alias);
    let off = json!({"status": "DISABLED"});
    done(&server, "PATCH", &format!("webhooks/{disabled_id}"), &off);
    done(&server, "DELETE", &format!("webhooks/{gone_id}"), &json!({}));
    make_version(&server);
    for alias in ["a", "b", "c"] {
        move_alias(&server, alias);
    }
    let told: Vec<Value> = (0..3).map(|_| active.next().json()["data"]["alias"].clone()).collect();
    assert_eq!(told, ["a", "b", "c"]);
    assert!(disabled.rest().is_empty() && gone.rest().is_empty() && away.rest().is_empty());
    let shown = get(&server.url, &format!("{API}/webhooks/{disabled_id}/deliveries"));
    assert_eq!(shown.json(), json!({"deliveries": []}));
    assert_eq!(get(&server.url, &format!("{API}/webhooks/{gone_id}")).status, 404);
}

#[test]
fn redirects_are_not_followed_and_private_hosts_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let server = telling(&folder);
    let inside = Hook::start();
    let target = inside.url.clone();
    let outside = Hook::answering(move |_number| format!("302 Found\r\nlocation: {target}"));
    let id = subscribe(&server, "redirects", &outside.url, &[("PROMPT", "CREATED")]);
    let result = ask(&server, "POST", &format!("webhooks/{id}/test"), &json!({})).json();
    assert_eq!(
        (&result["result"]["success"], &result["result"]["response_status"]),
        (&false.into(), &302.into())
    );
    assert_eq!(outside.next().json()["data"]["name"], "example_prompt");

    // Without the owner's word nobody on this machine is asked, by no way to say its name. One that is in the
    // database already is refused when it is told.
    let strict = tempfile::tempdir().unwrap();
    let port = inside.url.rsplit(':').next().unwrap().trim_end_matches("/hook").to_owned();
    {
        let own = telling(&strict);
        subscribe(&own, "inside", &inside.url, &[("PROMPT", "CREATED")]);
    }
    let variable = |name: &str| match name {
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES" => Some("http,https".to_owned()),
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY" => Some(KEY.to_owned()),
        _ => None,
    };
    let webhooks = WebhookOptions::read(Vec::new(), variable).unwrap();
    let guarded = ServerOptions { webhooks, ..ServerOptions::default() };
    let server = Served::telling(&uri(&strict), options(&strict), guarded);
    let listed = get(&server.url, &format!("{API}/webhooks")).json();
    let id = listed["webhooks"][0]["webhook_id"].as_str().unwrap().to_owned();
    let tried = ask(&server, "POST", &format!("webhooks/{id}/test"), &json!({})).json();
    let message = tried["result"]["error_message"].as_str().unwrap();
    assert!(message.contains("--webhook-allow"), "{tried}");
    let answer = |host: &str| {
        let body = json!({"name": "w", "url": format!("http://{host}:{port}/hook"),
                          "events": events(&[("PROMPT", "CREATED")])});
        post(&server.url, &format!("{API}/webhooks"), &body)
    };
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"] {
        assert_eq!(answer(host).status, 400, "{host}");
    }
    // A name is taken, whatever it leads to, and refused when it is connected to: that is where addresses are.
    let known = answer("no-such-host.invalid");
    let id = known.json()["webhook"]["webhook_id"].as_str().unwrap().to_owned();
    let tried = ask(&server, "POST", &format!("webhooks/{id}/test"), &json!({})).json();
    let message = tried["result"]["error_message"].as_str().unwrap();
    assert!(message.contains("has no public address that is known here"), "{tried}");
    assert!(inside.rest().is_empty());
}

#[test]
fn requests_that_are_wrong_get_upstreams_answers() {
    let folder = tempfile::tempdir().unwrap();
    let keyless = server_options(&["127.0.0.1"], None);
    let server = Served::telling(&uri(&folder), options(&folder), keyless);
    let good = json!({"name": "w", "url": "https://example.com/h",
                      "events": events(&[("MODEL_VERSION", "CREATED")])});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        post(&server.url, &format!("{API}/webhooks"), &body)
    };
    for (name, value, part) in [
        ("name", json!("-w"), "Webhook name '-w' is invalid."),
        ("name", json!(""), "Missing value for required parameter 'name'."),
        ("url", json!("ftp://x"), "Invalid webhook URL scheme: 'ftp'. Allowed schemes are: https."),
        ("url", json!("http://example.com"), "Invalid webhook URL scheme: 'http'."),
        ("url", json!("https://u:p@example.com/"), "must not have a user or password"),
        ("events", json!([]), "Webhook events must be a non-empty list"),
        (
            "events",
            json!(events(&[("REGISTERED_MODEL", "DELETED")])),
            "Invalid action 'deleted' for entity 'registered_model'. Valid actions are: ['created']",
        ),
        ("events", json!([{"entity": "MODEL_VERSION"}]), "An event has an entity and an action"),
        ("status", json!(3), "Invalid value 3 for parameter 'status' supplied"),
        ("secret", json!("s"), "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"),
        ("description", json!("x".repeat(1001)), "Webhook description has more than 1000"),
    ] {
        let answer = with(name, value);
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{message}");
    }
    let made = with("status", json!("DISABLED")).json();
    let id = made["webhook"]["webhook_id"].as_str().unwrap();
    assert_eq!(made["webhook"]["status"], "DISABLED");
    for path in [format!("{API}/webhooks?max_results=1001"), format!("{API}/webhooks?page_token=x")]
    {
        assert_eq!(get(&server.url, &path).status, 400, "{path}");
    }
    let unknown = get(&server.url, &format!("{API}/webhooks/nope"));
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["message"], "Webhook with ID nope not found.");
    let changed =
        ask(&server, "PATCH", &format!("webhooks/{id}"), &json!({"url": "https://10.0.0.1/"}));
    assert_eq!(changed.status, 400);
}

/// The unmodified client manages webhooks, and upstream's SQL store has left one in the database.
const CLIENT: &str = r#"
import sys
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent, WebhookStatus

url, hook = sys.argv[1:]
client = MlflowClient(tracking_uri=url, registry_uri=url)
left = client.list_webhooks()
assert [(w.name, w.status, w.description) for w in left] == [("by-upstream", WebhookStatus.ACTIVE, "left")], left
assert [str(e) for e in left[0].events] == ["model_version.created", "model_version_alias.created"], left
assert client.get_webhook(left[0].webhook_id).url == hook
made = client.create_webhook(name="by-client", url=hook, events=["prompt.created", "model_version_tag.set"],
                             description="new", secret="s", status="ACTIVE")
assert made.creation_timestamp == made.last_updated_timestamp
page = client.list_webhooks(max_results=1)
assert [w.name for w in page] == ["by-client"] and page.token
assert [w.name for w in client.list_webhooks(max_results=1, page_token=page.token)] == ["by-upstream"]
changed = client.update_webhook(made.webhook_id, name="renamed", description="", secret="t",
                                events=["registered_model.created"], status="DISABLED")
assert (changed.name, changed.description, changed.status) == ("renamed", None, WebhookStatus.DISABLED), changed
assert [str(e) for e in changed.events] == ["registered_model.created"]
result = client.test_webhook(made.webhook_id, event=WebhookEvent("model_version", "created"))
assert (result.success, result.response_status) == (True, 204), result
client.delete_webhook(made.webhook_id)
assert len(client.list_webhooks()) == 1
client.create_registered_model("m")
client.create_model_version("m", "s3://b/x")
client.set_registered_model_alias("m", "Production", "1")
print("ok")
"#;

const LEAVE: &str = r#"
import sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1], registry_uri=sys.argv[1])
client.create_webhook(name="by-upstream", url=sys.argv[2], description="left", secret=sys.argv[3],
                      events=["model_version.created", "model_version_alias.created"])
"#;

const READ: &str = r"
import sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1], registry_uri=sys.argv[1])
print([(w.name, w.secret) for w in client.list_webhooks()])
";

#[test]
fn webhooks_that_upstream_left_go_on_and_upstream_reads_ours() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start();
    let environment = [
        ("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", KEY),
        ("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http"),
        ("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true"),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ];
    run_python(LEAVE, &[&uri(&folder), &hook.url, SECRET], &environment);
    let server = telling(&folder);
    let printed = run_python(CLIENT, &[&server.url, &hook.url], &environment);
    assert_eq!(printed.lines().last(), Some("ok"), "{printed}");
    // The client's test first.
    let told: Vec<Received> = (0..3).map(|_| hook.next()).collect();
    let names: Vec<String> = told.iter().map(Received::event).collect();
    assert_eq!(
        names,
        ["model_version.created", "model_version.created", "model_version_alias.created"]
    );
    assert_eq!(told[0].json()["data"]["name"], "example_model");
    assert_eq!(told[1].json()["data"]["name"], "m");
    assert!(is_signed(&told[2]));
    subscribe(&server, "ours", &hook.url, &[("PROMPT", "CREATED")]);
    let printed = run_python(READ, &[&uri(&folder)], &environment);
    assert_eq!(printed.trim(), format!("[('ours', '{SECRET}'), ('by-upstream', '{SECRET}')]"));

    // With another key nothing is sent unsigned, and everything else goes on.
    drop(server);
    let other =
        server_options(&["127.0.0.1"], Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    let server = Served::telling(&uri(&folder), options(&folder), other);
    let listed = get(&server.url, &format!("{API}/webhooks")).json();
    let id = listed["webhooks"][1]["webhook_id"].as_str().unwrap();
    let tried = ask(&server, "POST", &format!("webhooks/{id}/test"), &json!({})).json();
    let message = tried["result"]["error_message"].as_str().unwrap();
    assert!(message.contains("kept with another key"), "{tried}");
    assert!(hook.rest().is_empty());
}

#[test]
fn servers_on_one_postgresql_tell_once() {
    const CHANGES: usize = 30;
    let postgres = PostgresServer::start();
    let database = postgres.database("shared");
    let start = || {
        let opening = crate::store_postgres::options(&postgres);
        Served::telling(&database, opening, server_options(&["127.0.0.1"], Some(KEY)))
    };
    let servers = [start(), start(), start()];
    let hooks = [Hook::start(), Hook::start()];
    for (number, hook) in hooks.iter().enumerate() {
        let alias = [("MODEL_VERSION_ALIAS", "CREATED")];
        subscribe(&servers[number], &format!("hook-{number}"), &hook.url, &alias);
    }
    make_version(&servers[0]);
    for number in 0..CHANGES {
        move_alias(&servers[number % servers.len()], &format!("a{number}"));
    }
    for hook in &hooks {
        let mut told = BTreeMap::new();
        for _ in 0..CHANGES {
            let received = hook.next();
            let alias = received.json()["data"]["alias"].as_str().unwrap().to_owned();
            let before = told.insert(alias, received.header("x-mlflow-delivery-id").to_owned());
            assert_eq!(before, None, "told twice");
        }
        assert_eq!(told.len(), CHANGES);
    }
    // Nothing waits any more on any of them.
    let listed = get(&servers[0].url, &format!("{API}/webhooks")).json();
    for webhook in listed["webhooks"].as_array().unwrap() {
        let shown = finished(&servers[1], webhook["webhook_id"].as_str().unwrap());
        assert!(shown.iter().all(|one| one["attempts"] == 1), "{shown:?}");
        assert_eq!(shown.len(), CHANGES);
    }
    assert!(hooks.iter().all(|hook| hook.rest().is_empty()));
}
