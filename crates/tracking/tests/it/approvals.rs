//! Protected aliases: they move when other people approve, whichever client moves them.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use trainyard_testkit::run_python;
use trainyard_tracking::server::ServerOptions;
use trainyard_tracking::server::auth::{AuthFile, Kind, entry};
use trainyard_tracking::{Governance, Lending, OpenOptions, open, share};

use crate::access::{PASSWORD, basic};
use crate::access_audit::{self, Place};
use crate::http::{Answer, Request, get, send};
use crate::served::Served;
use crate::store::{options, uri};

const MLFLOW: &str = "/api/2.0/mlflow";
const APPROVALS: &str = "/api/trainyard/approvals";

/// A server on which `Production` takes one other person, and `Live` two.
struct Guarded {
    server: Served,
    folder: tempfile::TempDir,
}

impl Guarded {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let users =
            ["ada", "bob", "cyd"].map(|name| entry(Kind::User, name, "difference").unwrap());
        std::fs::write(&file, users.join("\n")).unwrap();
        let authorize = Arc::new(AuthFile::open(&file).unwrap());
        let protected = vec!["Production".parse().unwrap(), "Live=2".parse().unwrap()];
        let governance = Governance { protected, ..Governance::default() };
        let tracking = open(&uri(&folder), OpenOptions { governance, ..options(&folder) }).unwrap();
        let options = ServerOptions { authorize: Some(authorize), ..ServerOptions::default() };
        Self { server: Served::over(tracking, options), folder }
    }

    fn ask(&self, who: &str, method: &str, path: &str, body: &Value) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(format!("{who}:difference")));
        let body = body.to_string();
        let headers = vec![
            ("Authorization", basic.as_str()),
            ("Content-Type", "application/json"),
            ("X-Request-ID", "of-this-test"),
        ];
        let body = Some(body.as_bytes());
        send(&self.server.url, &Request { method, path, headers, body })
    }

    fn mlflow(&self, who: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.ask(who, method, &format!("{MLFLOW}/{path}"), body)
    }

    fn point(&self, who: &str, alias: &str, version: &str) -> Answer {
        let body = json!({ "name": "Iris", "alias": alias, "version": version });
        self.mlflow(who, "POST", "registered-models/alias", &body)
    }

    fn decide(&self, who: &str, what: &str, alias: &str, version: &str) -> Answer {
        let body = json!({ "model": "Iris", "alias": alias, "version": version, "reason": "seen" });
        self.ask(who, "POST", &format!("{APPROVALS}{what}"), &body)
    }

    /// What waits, as `alias version`.
    fn waiting(&self) -> Vec<String> {
        let found = self.ask("cyd", "GET", APPROVALS, &Value::Null).json();
        let requests = found["approval_requests"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        requests.iter().map(|r| format!("{} {}", text(&r["alias"]), text(&r["version"]))).collect()
    }

    fn version_of(&self, alias: &str) -> String {
        let path = format!("registered-models/alias?name=Iris&alias={alias}");
        let found = self.mlflow("cyd", "GET", &path, &Value::Null);
        found.json()["model_version"]["version"].as_str().unwrap_or_default().to_owned()
    }
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error_code"].as_str().unwrap_or_default().to_owned())
}

fn denied() -> (u16, String) {
    (403, "PERMISSION_DENIED".to_owned())
}

#[test]
fn a_protected_alias_moves_when_others_approve() {
    let guarded = Guarded::start();
    let name = json!({ "name": "Iris" });
    assert_eq!(guarded.mlflow("ada", "POST", "registered-models/create", &name).status, 200);
    for _ in 0..3 {
        let version = json!({ "name": "Iris", "source": "s3://bucket/model" });
        assert_eq!(guarded.mlflow("ada", "POST", "model-versions/create", &version).status, 200);
    }
    // What is not protected moves as ever.
    assert_eq!(guarded.point("ada", "Staging", "1").status, 200);

    let refused = guarded.point("ada", "Production", "1");
    assert_eq!(code(&refused), denied());
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("trainyard approvals approve Iris Production 1"), "{message}");
    assert_eq!(guarded.version_of("Production"), "");
    assert_eq!(guarded.waiting(), ["Production 1"], "it was asked for by trying");

    assert_eq!(code(&guarded.decide("ada", "/approve", "Production", "1")), denied());
    assert_eq!(code(&guarded.point("ada", "Production", "1")), denied());
    assert_eq!(guarded.decide("bob", "/approve", "Production", "1").status, 200);
    let twice = guarded.decide("bob", "/approve", "Production", "1");
    assert_eq!(code(&twice), (400, "RESOURCE_ALREADY_EXISTS".to_owned()));
    // Who moves it is no other person.
    assert_eq!(code(&guarded.point("bob", "Production", "1")), denied());
    // Another spelling is another alias, as protected.
    assert_eq!(code(&guarded.point("ada", "production", "1")), denied());
    assert_eq!(guarded.point("ada", "Production", "1").status, 200);
    assert_eq!(guarded.version_of("Production"), "1");
    assert_eq!(guarded.waiting(), ["production 1"]);

    // An approval is for one version, and for one move.
    assert_eq!(code(&guarded.point("ada", "Production", "2")), denied());
    assert_eq!(guarded.decide("bob", "/approve", "Production", "2").status, 200);
    assert_eq!(guarded.point("ada", "Production", "2").status, 200);
    assert_eq!(guarded.point("ada", "Production", "2").status, 200, "it is there already");
    // Back to where it was needs nobody, forward again does.
    assert_eq!(guarded.point("cyd", "Production", "1").status, 200);
    assert_eq!(code(&guarded.point("cyd", "Production", "2")), denied());
    assert_eq!(guarded.version_of("Production"), "1");

    // Nothing else takes it away.
    let alias = json!({ "name": "Iris", "alias": "Production" });
    let version = json!({ "name": "Iris", "version": "1" });
    let stage = json!({ "name": "Iris", "version": "3", "stage": "production" });
    let rename = json!({ "name": "Iris", "new_name": "Rose" });
    for (method, path, body) in [
        ("DELETE", "registered-models/alias", &alias),
        ("DELETE", "model-versions/delete", &version),
        ("DELETE", "registered-models/delete", &name),
        ("POST", "registered-models/rename", &rename),
        ("POST", "model-versions/transition-stage", &stage),
    ] {
        assert_eq!(code(&guarded.mlflow("ada", method, path, body)), denied(), "{path}");
    }
    assert_eq!(guarded.version_of("Production"), "1");

    // Two others, of whom the one who moves it is none.
    assert_eq!(guarded.decide("ada", "", "Live", "3").status, 200);
    for (who, status) in [("bob", 403), ("cyd", 403)] {
        assert_eq!(guarded.decide(who, "/approve", "Live", "3").status, 200);
        assert_eq!(guarded.point("bob", "Live", "3").status, status);
    }
    assert_eq!(guarded.point("ada", "Live", "3").status, 200);

    // A request that is rejected is gone, with who had approved.
    assert_eq!(guarded.decide("ada", "", "Live", "2").status, 200);
    assert_eq!(guarded.decide("bob", "/approve", "Live", "2").status, 200);
    assert_eq!(guarded.decide("cyd", "/reject", "Live", "2").status, 200);
    assert_eq!(guarded.decide("bob", "/approve", "Live", "2").status, 404);

    what_was_done_is_written_down(&guarded);
    a_client_of_mlflow_is_told(&guarded);
}

fn what_was_done_is_written_down(guarded: &Guarded) {
    let path = "/api/trainyard/audit/events?subject=model%3AIris&newest_first=true";
    let found = guarded.ask("ada", "GET", path, &Value::Null).json();
    let events = found["events"].as_array().unwrap();
    let event = |action: &str| {
        events.iter().find(|event| event["action"] == action).unwrap_or_else(|| panic!("{action}"))
    };
    let reject = event("approval.reject");
    assert_eq!((&reject["who"], &reject["kind"]), (&json!("cyd"), &json!("user")));
    assert_eq!(reject["part"], "approval:Live version:2");
    assert_eq!(reject["after"], "seen");
    assert_eq!(reject["address"], "127.0.0.1");
    assert_eq!(reject["request_id"], "of-this-test");
    assert_eq!(event("alias.back")["who"], "cyd");
    assert!(!found.to_string().contains("difference"), "{found}");
    // A stranger reads nothing of it.
    assert_eq!(get(&guarded.server.url, path).status, 401);
    let at = format!("/api/trainyard/registry/at?at={}&model=Iris", i64::MAX);
    let registry = guarded.ask("bob", "GET", &at, &Value::Null).json();
    let live = registry["aliases"].as_array().unwrap().iter().find(|a| a["alias"] == "Live");
    assert_eq!((&live.unwrap()["version"], &live.unwrap()["who"]), (&json!("3"), &json!("ada")));
}

fn a_client_of_mlflow_is_told(guarded: &Guarded) {
    let user = [("MLFLOW_TRACKING_USERNAME", "ada"), ("MLFLOW_TRACKING_PASSWORD", "difference")];
    let printed = run_python(CLIENT, &[&guarded.server.url], &user);
    assert_eq!(printed.trim(), "PERMISSION_DENIED True");
}

const CLIENT: &str = r#"
import sys, mlflow
client = mlflow.MlflowClient(sys.argv[1])
try:
    client.set_registered_model_alias("Iris", "Production", "3")
except mlflow.MlflowException as error:
    print(error.error_code, "trainyard approvals approve Iris Production 3" in str(error))
"#;

#[test]
fn approvals_are_given_by_people() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users");
    let ci = entry(Kind::Token, "ci", "engine-no-2").unwrap();
    std::fs::write(&file, ci).unwrap();
    let authorize = Arc::new(AuthFile::open(&file).unwrap());
    let options = ServerOptions { authorize: Some(authorize), ..ServerOptions::default() };
    let server = Served::with(options);
    let ask = |path: &str, body: &Value| {
        let headers =
            vec![("Authorization", "Bearer engine-no-2"), ("Content-Type", "application/json")];
        let body = body.to_string();
        let request = Request { method: "POST", path, headers, body: Some(body.as_bytes()) };
        send(&server.url, &request)
    };
    let name = json!({ "name": "Iris", "source": "s3://bucket/model" });
    assert_eq!(ask(&format!("{MLFLOW}/registered-models/create"), &name).status, 200);
    assert_eq!(ask(&format!("{MLFLOW}/model-versions/create"), &name).status, 200);
    let wanted = json!({ "model": "Iris", "alias": "Live", "version": "1" });
    // Not protected here: a pipeline asks all the same, for a gate of its own.
    let asked = ask(APPROVALS, &wanted);
    assert_eq!(asked.status, 200, "{}", asked.text());
    assert_eq!(asked.json()["approval_request"]["needed"], 0);
    assert_eq!(code(&ask(&format!("{APPROVALS}/approve"), &wanted)), denied());
    let missing = json!({ "model": "Iris", "alias": "Live" });
    assert_eq!(ask(APPROVALS, &missing).status, 400);
}

#[test]
fn what_waits_for_a_protected_alias_is_not_hidden_by_what_needs_nobody() {
    let guarded = Guarded::start();
    let name = json!({ "name": "Iris", "source": "s3://bucket/model" });
    for path in ["registered-models/create", "model-versions/create", "model-versions/create"] {
        assert_eq!(guarded.mlflow("ada", "POST", path, &name).status, 200, "{path}");
    }
    // More requests than a list has, by somebody with time to waste; all of them older and newer than the one that counts.
    let database = rusqlite::Connection::open(guarded.folder.path().join("mlflow.db")).unwrap();
    database
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) \
             INSERT INTO trainyard_approval_requests (model, alias, version, made_at, requester, \
             requested_at, reason) SELECT 'Iris', 'x' || i, 1, v.creation_time, 'eve', \
             CASE WHEN i % 2 THEN 1 ELSE 9000000000000000 END, '' \
             FROM n, model_versions v WHERE v.name = 'Iris' AND v.version = 1",
        )
        .unwrap();
    for version in ["1", "2"] {
        assert_eq!(code(&guarded.point("ada", "Production", version)), denied());
        let approved = guarded.decide("bob", "/approve", "Production", version);
        assert_eq!(approved.status, 200, "{}", approved.text());
    }
    assert_eq!(guarded.decide("cyd", "/approve", "Production", "1").status, 200);
    let waiting = guarded.waiting();
    assert_eq!(waiting.len(), 1000);
    let first: BTreeSet<&str> = waiting[..2].iter().map(String::as_str).collect();
    assert_eq!(first, BTreeSet::from(["Production 1", "Production 2"]));
    let found = guarded.ask("cyd", "GET", APPROVALS, &Value::Null).json();
    let requests = found["approval_requests"].as_array().unwrap();
    let of_first = requests.iter().find(|r| r["alias"] == "Production" && r["version"] == "1");
    let approvals = of_first.unwrap()["approvals"].as_array().unwrap();
    let who: Vec<&str> = approvals.iter().filter_map(|one| one["who"].as_str()).collect();
    assert_eq!(who, ["bob", "cyd"]);
}

/// An approval counts for as long as whoever gave it may still move the alias; whoever has their name later is another one.
#[test]
fn approvals_of_who_has_left_or_was_taken_off_the_model_do_not_count() {
    let place = Place::new();
    let control = place.users();
    let protected = vec!["Production".parse().unwrap()];
    let approvers = Some(control.approvers());
    let governance = Governance { protected, approvers, ..Governance::default() };
    let opening = OpenOptions { governance, ..place.options() };
    let shared = share(&place.store, opening, &Lending::default()).unwrap();
    place.runtime.block_on(control.write_down_in(shared.log.unwrap())).unwrap();
    let options = ServerOptions {
        authorize: Some(control.authorize()),
        more_routes: control.routes(),
        ..ServerOptions::default()
    };
    let server = Served::over(control.guard(shared.lent), options);
    let ask = |who: &str, method: &str, path: &str, body: Value| {
        access_audit::ask(&server, &basic(who, PASSWORD), method, path, &body)
    };
    let done = |who: &str, method: &str, path: &str, body: Value| {
        let answer = ask(who, method, path, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let make_user = |name: &str| {
        let user = json!({ "username": name, "password": PASSWORD });
        done("admin", "POST", "/api/2.0/mlflow/users/create", user);
    };
    let permissions = "/api/3.0/mlflow/users/permissions";
    let grant = |permission: &str| {
        let mut what = json!({
            "username": "bob", "resource_type": "registered_model", "resource_id": "Iris",
        });
        // What they have not cannot be taken from them.
        ask("admin", "POST", &format!("{permissions}/revoke"), what.clone());
        what["permission"] = json!(permission);
        done("admin", "POST", &format!("{permissions}/grant"), what);
    };
    make_user("ada");
    make_user("bob");
    done("ada", "POST", &format!("{MLFLOW}/registered-models/create"), json!({ "name": "Iris" }));
    let model = json!({ "experiment_id": "0", "name": "m" });
    let model = done("admin", "POST", &format!("{MLFLOW}/logged-models"), model);
    let id = model["model"]["info"]["model_id"].as_str().unwrap();
    let version = json!({ "name": "Iris", "source": format!("models:/{id}"), "model_id": id });
    done("ada", "POST", &format!("{MLFLOW}/model-versions/create"), version);
    grant("EDIT");

    let wanted = json!({ "model": "Iris", "alias": "Production", "version": "1" });
    let approve = |who: &str| ask(who, "POST", &format!("{APPROVALS}/approve"), wanted.clone());
    let given = || {
        let found = done("ada", "GET", &format!("{APPROVALS}?model=Iris"), Value::Null);
        found["approval_requests"][0]["approvals"].as_array().map_or(0, Vec::len)
    };
    let point = || {
        let body = json!({ "name": "Iris", "alias": "Production", "version": "1" });
        ask("ada", "POST", &format!("{MLFLOW}/registered-models/alias"), body)
    };
    assert_eq!(point().status, 403);
    assert_eq!(approve("bob").status, 200);
    assert_eq!(given(), 1);
    // They only look at it now.
    grant("READ");
    assert_eq!(given(), 0);
    let refused = point();
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("nobody has yet"), "{}", refused.text());
    grant("EDIT");
    assert_eq!(given(), 1, "it is their word, and counts again");
    // They leave, and somebody else of that name comes.
    done("admin", "DELETE", "/api/2.0/mlflow/users/delete", json!({ "username": "bob" }));
    assert_eq!((given(), point().status), (0, 403));
    make_user("bob");
    grant("EDIT");
    assert_eq!((given(), point().status), (0, 403), "nobody agreed but who has left");
    assert_eq!(approve("bob").status, 200);
    assert_eq!(point().status, 200);
}
