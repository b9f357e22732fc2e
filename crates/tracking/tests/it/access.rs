//! Users, roles and permissions: the client that comes with MLflow, databases of users that MLflow wrote, tokens,
//! and aliases that are not everybody's.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use trainyard_testkit::postgres::PostgresServer;
use trainyard_testkit::run_python;
use trainyard_tracking::access::{AccessConfig, AccessControl, OidcConfig};
use trainyard_tracking::removal::{self, Selection};

use crate::http::{Answer, Request, send};
use crate::served::Served;

pub(crate) const PASSWORD: &str = "difference engine 1";

/// A server with users of its own.
pub(crate) struct Team {
    pub(crate) server: Served,
    pub(crate) runtime: Runtime,
    pub(crate) control: AccessControl,
    folder: TempDir,
}

fn config(folder: &Path, default_permission: &str) -> AccessConfig {
    AccessConfig {
        database_uri: format!("sqlite:///{}", folder.join("users.db").display()),
        default_permission: default_permission.to_owned(),
        admin_username: Some("admin".to_owned()),
        admin_password: Some(PASSWORD.to_owned()),
        ..AccessConfig::default()
    }
}

impl Team {
    pub(crate) fn start(default_permission: &str) -> Self {
        Self::over(tempfile::tempdir().unwrap(), default_permission)
    }

    /// A server over a folder in which there may be a database of users.
    fn over(folder: TempDir, default_permission: &str) -> Self {
        let config = config(folder.path(), default_permission);
        Self::at("127.0.0.1:0", folder, &config)
    }

    /// A server at an address that takes the word of sign-in providers. There is a file `client-secret` beside the
    /// settings.
    pub(crate) fn with_providers(address: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("oidc.toml");
        std::fs::write(&file, settings).unwrap();
        std::fs::write(folder.path().join("client-secret"), "between us\n").unwrap();
        let oidc = Some(OidcConfig::read(&file).unwrap());
        let config = AccessConfig { oidc, ..config(folder.path(), "READ") };
        Self::at(address, folder, &config)
    }

    fn at(address: &str, folder: TempDir, config: &AccessConfig) -> Self {
        let runtime = Runtime::new().unwrap();
        let control = runtime.block_on(AccessControl::open(config)).unwrap();
        Self { server: Served::guarded_at(address, &control), runtime, control, folder }
    }

    /// The answer to what somebody asks, with a header of theirs.
    pub(crate) fn ask(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Answer {
        let body = body.to_string();
        let headers = vec![("Authorization", authorization), ("Content-Type", "application/json")];
        let body = (method != "GET").then_some(body.as_bytes());
        send(&self.server.url, &Request { method, path, headers, body })
    }

    /// What the administrator does, which succeeds.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(&basic("admin", PASSWORD), method, path, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The same users, opened beside the server.
    pub(crate) fn open_again(&self) -> AccessControl {
        let config = config(self.folder.path(), "READ");
        self.runtime.block_on(AccessControl::open_without_admin(&config)).unwrap()
    }

    /// The database of users, beside the server.
    pub(crate) fn users_database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("users.db")).unwrap()
    }

    pub(crate) fn create_user(&self, name: &str) -> String {
        self.admin(
            "POST",
            "/api/2.0/mlflow/users/create",
            &json!({ "username": name, "password": PASSWORD }),
        );
        basic(name, PASSWORD)
    }

    pub(crate) fn grant(&self, name: &str, kind: &str, id: &str, permission: &str) {
        let body = json!({
            "username": name, "resource_type": kind, "resource_id": id, "permission": permission,
        });
        self.admin("POST", "/api/3.0/mlflow/users/permissions/grant", &body);
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// MLflow's own client of users and roles, as it is.
const CLIENT: &str = r#"
import os
import re
import requests
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from mlflow.server.auth.client import AuthServiceClient

uri = os.environ["MLFLOW_TRACKING_URI"]
auth = AuthServiceClient(uri)
PASSWORD = os.environ["MLFLOW_TRACKING_PASSWORD"]

def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except RestException as error:
        assert error.error_code == code, (error.error_code, str(error))
    else:
        raise AssertionError(f"{call} was not refused")

def as_user(name, password=PASSWORD):
    os.environ["MLFLOW_TRACKING_USERNAME"] = name
    os.environ["MLFLOW_TRACKING_PASSWORD"] = password

ada = auth.create_user("ada", PASSWORD)
assert (ada.username, ada.is_admin, ada.password_hash) == ("ada", False, "REDACTED")
refused("RESOURCE_ALREADY_EXISTS", auth.create_user, "ada", PASSWORD)
refused("INVALID_PARAMETER_VALUE", auth.create_user, "bob", "short")
refused("RESOURCE_DOES_NOT_EXIST", auth.get_user, "nobody")
assert auth.get_user("ada").id == ada.id

experiment = MlflowClient().create_experiment("of the administrator")
as_user("ada")
client = MlflowClient()
refused("PERMISSION_DENIED", client.get_experiment, experiment)
refused("PERMISSION_DENIED", auth.get_user, "admin")
refused("PERMISSION_DENIED", auth.update_user_admin, "ada", True)
refused("PERMISSION_DENIED", auth.delete_user, "admin")
mine = client.create_experiment("of ada")
run = client.create_run(mine)
client.log_metric(run.info.run_id, "m", 0.5)
assert [e.name for e in client.search_experiments()] == ["of ada"]
assert len(client.search_runs([mine, experiment])) == 1
assert client.search_runs([experiment]) == []
allowed = auth.get_user_permission("ada", "experiment", mine)
assert (allowed.allowed, allowed.permission) == (True, "MANAGE")

as_user("admin")
auth.grant_user_permission("ada", "experiment", experiment, "READ")
refused("RESOURCE_ALREADY_EXISTS", auth.grant_user_permission, "ada", "experiment", experiment, "EDIT")
as_user("ada")
assert client.get_experiment(experiment).name == "of the administrator"
refused("PERMISSION_DENIED", client.create_run, experiment)
refused("PERMISSION_DENIED", auth.grant_user_permission, "ada", "experiment", experiment, "EDIT")
as_user("admin")
auth.revoke_user_permission("ada", "experiment", experiment)
refused("RESOURCE_DOES_NOT_EXIST", auth.revoke_user_permission, "ada", "experiment", experiment)

role = auth.create_role("default", "editors", "who edit")
refused("RESOURCE_ALREADY_EXISTS", auth.create_role, "default", "editors")
refused("INVALID_PARAMETER_VALUE", auth.create_role, "default", "__user_1__")
grant = auth.add_role_permission(role.id, "experiment", "*", "EDIT")
refused("INVALID_PARAMETER_VALUE", auth.add_role_permission, role.id, "run", "a1", "EDIT")
refused("INVALID_PARAMETER_VALUE", auth.add_role_permission, role.id, "experiment", "*", "WRITE")
assigned = auth.assign_role("ada", role.id)
assert (assigned.user_id, assigned.role_id) == (ada.id, role.id)
assert [user.user_id for user in auth.list_role_users(role.id)] == [ada.id]
assert "editors" in [known.name for known in auth.list_user_roles("ada")]
as_user("ada")
client.create_run(experiment)
as_user("admin")
assert auth.update_role_permission(grant.id, "DENY").permission == "DENY"
as_user("ada")
refused("PERMISSION_DENIED", client.get_experiment, mine)
assert client.search_experiments() == []
as_user("admin")
auth.remove_role_permission(grant.id)
assert auth.list_role_permissions(role.id) == []
assert auth.update_role(role.id, name="others", description="d").name == "others"
auth.unassign_role("ada", role.id)
assert "others" in [known.name for known in auth.list_all_roles()]
assert "others" in [known.name for known in auth.list_roles("default")]
auth.delete_role(role.id)
refused("RESOURCE_DOES_NOT_EXIST", auth.get_role, role.id)

as_user("ada")
refused("INVALID_PARAMETER_VALUE", auth.update_user_password, "ada", "another password")
auth.update_user_password("ada", "another password", current_password=PASSWORD)
refused("UNAUTHENTICATED", client.get_experiment, mine)
as_user("ada", "another password")
assert client.get_experiment(mine).name == "of ada"
as_user("admin", PASSWORD)
auth.update_user_admin("ada", True)
as_user("ada", "another password")
assert client.get_experiment(experiment).name == "of the administrator"
refused("BAD_REQUEST", auth.delete_user, "ada")
as_user("admin", PASSWORD)
auth.delete_user("ada")
as_user("ada", "another password")
refused("UNAUTHENTICATED", client.get_experiment, mine)

# What scripts look for in answers.
admin, api = ("admin", PASSWORD), uri + "/api/2.0/mlflow/"
for credentials in None, ("admin", "no such password"):
    answer = requests.get(api + "users/current", auth=credentials, timeout=60)
    assert answer.status_code == 401 and "You are not authenticated. " in answer.text, answer.text
answer = requests.post(api + "users/create", json={"username": "", "password": PASSWORD}, auth=admin, timeout=60)
assert (answer.status_code, answer.reason) == (400, "BAD REQUEST"), answer.reason
assert requests.get(uri + "/api/3.0/mlflow/server-info", timeout=60).json()["store_type"] == "SqlStore"

# The page that makes users.
browser = requests.Session()
page = browser.get(uri + "/signup", auth=admin, timeout=60).text
form = {"username": "eve", "password": PASSWORD}
known = form | {"csrf_token": re.search(r'name="csrf_token" value="(\w+)"', page)[1]}

def sign_up(sender, data, auth=admin):
    answer = sender.post(api + "users/create-ui", data=data, auth=auth, timeout=60)
    return answer.status_code, answer.text

status, text = sign_up(browser, form)
assert status == 400 and "The CSRF token is missing" in text, text
status, text = sign_up(requests, known)
assert status == 400 and "of another browser" in text, text
status, text = sign_up(browser, known | {"username": "<b>"})
assert "<b>" not in text, text
status, text = sign_up(browser, known)
assert status == 200 and "Successfully signed up user: eve" in text, text
status, text = sign_up(browser, known)
assert status == 400 and "already been taken: eve" in text, text
eve = ("eve", PASSWORD)
assert sign_up(browser, known | {"username": "mallory"}, eve)[0] == 403
assert requests.get(uri + "/signup", auth=eve, timeout=60).status_code == 403
as_user("admin", PASSWORD)
assert auth.get_user("eve").is_admin is False
refused("RESOURCE_DOES_NOT_EXIST", auth.get_user, "mallory")
print("done")
"#;

#[test]
fn upstreams_client_makes_users_and_roles_and_each_gets_what_is_theirs() {
    let team = Team::start("NO_PERMISSIONS");
    let environment = [
        ("MLFLOW_TRACKING_URI", team.server.url.as_str()),
        ("MLFLOW_TRACKING_USERNAME", "admin"),
        ("MLFLOW_TRACKING_PASSWORD", PASSWORD),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ];
    let said = run_python(CLIENT, &[], &environment);
    assert_eq!(said.lines().last(), Some("done"), "{said}");
}

/// The tables of MLflow 2.9's basic auth, which has no version of them, with a user of each kind of hash.
const OLD_USERS: &str = "
CREATE TABLE users (id INTEGER NOT NULL, username VARCHAR(255), password_hash VARCHAR(255), \
    is_admin BOOLEAN, PRIMARY KEY (id), UNIQUE (username));
CREATE TABLE experiment_permissions (id INTEGER NOT NULL, experiment_id VARCHAR(255) NOT NULL, \
    user_id INTEGER NOT NULL, permission VARCHAR(255), PRIMARY KEY (id), \
    CONSTRAINT fk_user_id FOREIGN KEY(user_id) REFERENCES users (id), \
    CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id));
CREATE TABLE registered_model_permissions (id INTEGER NOT NULL, name VARCHAR(255) NOT NULL, \
    user_id INTEGER NOT NULL, permission VARCHAR(255), PRIMARY KEY (id), \
    CONSTRAINT fk_user_id FOREIGN KEY(user_id) REFERENCES users (id), \
    CONSTRAINT unique_name_user UNIQUE (name, user_id));
INSERT INTO users VALUES (1, 'ada', 'scrypt:1024:8:1$ZWhcvLjbCVzYXJUt$df46a389ed9b0de5bccc831e8b0aa6dc28e555b5a2d3faef8a5eab253d28782b5d0b714d6fd8e5f8cfc15032d0d639a7f5b3215c60600171f002189ce862e1cd', 0);
INSERT INTO users VALUES (2, 'bob', 'pbkdf2:sha256:1000$syASIwbpspG8Cf7o$c8c19b937b58e7c2bf020462803689daeb04d1cceb580c844ace9f63a05bd733', 1);
INSERT INTO experiment_permissions VALUES (1, '0', 1, 'EDIT');
INSERT INTO registered_model_permissions VALUES (1, 'Iris', 1, 'NO_PERMISSIONS');
";

#[test]
fn users_of_an_older_mlflow_sign_in_with_what_they_had() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.db");
    let database = rusqlite::Connection::open(&file).unwrap();
    database.execute_batch(OLD_USERS).unwrap();
    let kept = |name: &str| {
        let sql = "SELECT password_hash FROM users WHERE username = ?1";
        database.query_row(sql, [name], |row| row.get::<_, String>(0)).unwrap()
    };
    let team = Team::over(folder, "NO_PERMISSIONS");
    let set_tag = json!({ "experiment_id": "0", "key": "k", "value": "v" });
    let path = "/api/2.0/mlflow/experiments/set-experiment-tag";
    for name in ["ada", "bob"] {
        assert_eq!(team.ask(&basic(name, "wrong password"), "POST", path, &set_tag).status, 401);
        assert!(!kept(name).starts_with("$argon2id$"), "{name}");
        for _ in 0..2 {
            let answer = team.ask(&basic(name, PASSWORD), "POST", path, &set_tag);
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        }
        assert!(kept(name).starts_with("$argon2id$"), "{name}");
    }
    let delete = json!({ "experiment_id": "0" });
    let delete =
        team.ask(&basic("ada", PASSWORD), "POST", "/api/2.0/mlflow/experiments/delete", &delete);
    assert_eq!(delete.status, 403, "{}", delete.text());
    let version = "SELECT version_num FROM alembic_version_auth";
    let version: String = database.query_row(version, [], |row| row.get(0)).unwrap();
    assert_eq!(version, "f1a2b3c4d5e6");
}

#[test]
fn a_newer_mlflows_users_sign_in_if_the_tables_in_use_are_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let open = |folder: &Path| runtime.block_on(AccessControl::open(&config(folder, "READ")));
    let control = open(folder.path()).unwrap();
    runtime.block_on(control.create_user("ada", None, false)).unwrap();
    drop(control);
    let change = |script: &str| {
        let raw = rusqlite::Connection::open(folder.path().join("users.db")).unwrap();
        raw.execute_batch(script).unwrap();
    };
    change(
        "UPDATE alembic_version_auth SET version_num = '0123456789ab'; DROP TABLE scorer_permissions; \
         ALTER TABLE roles ADD COLUMN color VARCHAR(10); CREATE TABLE teams (id INTEGER)",
    );
    let control = open(folder.path()).unwrap();
    runtime.block_on(control.delete_user("ada")).unwrap();
    assert_eq!(control.users(), [("admin".to_owned(), true)]);
    drop(control);
    // It stays what it is for the MLflow that it is of.
    let raw = rusqlite::Connection::open(folder.path().join("users.db")).unwrap();
    let sql = "SELECT version_num, (SELECT count(*) FROM sqlite_master WHERE name = 'scorer_permissions') \
               FROM alembic_version_auth";
    let found = raw.query_row(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
    assert_eq!(found.unwrap(), ("0123456789ab".to_owned(), 0));
    change("ALTER TABLE users RENAME COLUMN is_admin TO kind");
    let refused = open(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("users has no column is_admin"), "{refused}");
}

#[test]
fn an_administrator_is_made_with_a_password_of_somebodys_choice_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let open = |password: Option<&str>| {
        let password = password.map(str::to_owned);
        let config = AccessConfig { admin_password: password, ..config(folder.path(), "READ") };
        runtime
            .block_on(AccessControl::open(&config))
            .map(|_control| ())
            .map_err(|error| error.to_string())
    };
    for password in [None, Some("password1234"), Some("short")] {
        let error = open(password).unwrap_err();
        assert!(!error.contains("short"), "{error}");
    }
    open(Some(PASSWORD)).unwrap();
    // Later it is somebody else's to choose.
    open(None).unwrap();
}

#[test]
fn tokens_do_what_they_are_for_until_they_are_taken_away() {
    let team = Team::start("EDIT");
    let ada = team.create_user("ada");
    let tag = json!({ "experiment_id": "0", "key": "k", "value": "v" });
    let set_tag = |authorization: &str| {
        team.ask(authorization, "POST", "/api/2.0/mlflow/experiments/set-experiment-tag", &tag)
            .status
    };
    let read = |authorization: &str| {
        let path = "/api/2.0/mlflow/experiments/get?experiment_id=0";
        team.ask(authorization, "GET", path, &Value::Null).status
    };
    let tokens = "/api/3.0/trainyard/tokens/";
    let new = |authorization: &str, body: Value| {
        team.ask(authorization, "POST", &format!("{tokens}create"), &body)
    };
    let secret = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["secret"].as_str().unwrap().to_owned()
    };
    let reader =
        secret(&new(&ada, json!({ "name": "serve", "scope": "READ", "expires_in_days": 1 })));
    let editor = secret(&new(&ada, json!({ "name": "train" })));
    for (secret, writes) in [(&reader, 403), (&editor, 200)] {
        // As a token, and as the password of its owner for clients that know no tokens.
        for authorization in [format!("Bearer {secret}"), basic("ada", secret)] {
            assert_eq!(read(&authorization), 200);
            assert_eq!(set_tag(&authorization), writes);
        }
        let body = json!({ "name": "new" });
        let create = team.ask(
            &format!("Bearer {secret}"),
            "POST",
            "/api/2.0/mlflow/experiments/create",
            &body,
        );
        assert_eq!(create.status, writes, "{}", create.text());
        // A token makes no tokens, or it would outlive its end.
        assert_eq!(new(&format!("Bearer {secret}"), json!({ "name": "another" })).status, 403);
        assert_eq!(read(&basic("admin", secret)), 401);
    }
    assert_eq!(read("Bearer trainyard_0000"), 401);
    for body in [
        json!({ "name": "train" }),
        json!({ "name": "other", "scope": "write" }),
        json!({ "name": "other", "expires_in_days": 0 }),
    ] {
        assert_eq!(new(&ada, body).status, 400);
    }
    assert_eq!(new(&ada, json!({ "name": "other", "scope": "ADMIN" })).status, 403);
    assert_eq!(new(&ada, json!({ "name": "other", "username": "admin" })).status, 403);
    let listed = team.ask(&ada, "GET", &format!("{tokens}list"), &Value::Null);
    assert!(!listed.text().contains(&reader[10..]), "{}", listed.text());
    let names: Vec<Value> = listed.json()["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["name"].clone())
        .collect();
    assert_eq!(names, ["serve", "train"]);

    let bob = team.create_user("bob");
    let body = json!({ "name": "serve" });
    assert_eq!(team.ask(&bob, "DELETE", &format!("{tokens}delete"), &body).status, 403);
    assert_eq!(team.ask(&ada, "DELETE", &format!("{tokens}delete"), &body).status, 200);
    assert_eq!(read(&format!("Bearer {reader}")), 401);
    // Whoever goes takes their tokens with them.
    team.admin("DELETE", "/api/2.0/mlflow/users/delete", &json!({ "username": "ada" }));
    assert_eq!(read(&format!("Bearer {editor}")), 401);
}

#[test]
fn a_veto_holds_however_the_experiments_number_is_written() {
    let team = Team::start("READ");
    let ada = team.create_user("ada");
    let made = team.admin("POST", "/api/2.0/mlflow/experiments/create", &json!({ "name": "x" }));
    let id = made["experiment_id"].as_str().unwrap().to_owned();
    let run = json!({ "experiment_id": id });
    team.admin("POST", "/api/2.0/mlflow/runs/create", &run);
    let ask = |method, path: &str, body: &Value| team.ask(&ada, method, path, body);
    let forms =
        [format!("0{id}"), format!("+{id}"), format!(" {id}"), format!("{id} "), id.clone()];
    let reads = |form: &str| {
        let quoted: String = url::form_urlencoded::byte_serialize(form.as_bytes()).collect();
        let get = ask(
            "GET",
            &format!("/api/2.0/mlflow/experiments/get?experiment_id={quoted}"),
            &json!({}),
        );
        let search =
            ask("POST", "/api/2.0/mlflow/runs/search", &json!({ "experiment_ids": [form] }));
        let list =
            ask("GET", &format!("/api/3.0/mlflow/scorers/list?experiment_id={quoted}"), &json!({}));
        (get.status, search.text().contains("run_id"), list.status)
    };
    for form in &forms {
        assert_eq!(reads(form), (200, true, 200), "{form:?}");
    }
    team.grant("ada", "experiment", &id, "DENY");
    for form in &forms {
        assert_eq!(reads(form), (403, false, 403), "{form:?}");
    }
}

#[test]
fn what_somebody_had_on_a_removed_experiment_holds_on_no_other() {
    let team = Team::start("NO_PERMISSIONS");
    let whos = ["own", "grouped", "cast", "judge"].map(|name| team.create_user(name));
    let veto = team.create_user("veto");
    let make = |name: &str| {
        let body = json!({ "name": name });
        let made = team.admin("POST", "/api/2.0/mlflow/experiments/create", &body);
        made["experiment_id"].as_str().unwrap().to_owned()
    };
    let status = |who: &str, id: &str| {
        let path = format!("/api/2.0/mlflow/experiments/get?experiment_id={id}");
        team.ask(who, "GET", &path, &Value::Null).status
    };
    let post = |path: &str, body: Value| team.admin("POST", &format!("/api/3.0/{path}"), &body);
    post("trainyard/groups/create", json!({ "name": "g" }));
    post("trainyard/groups/members/add", json!({ "name": "g", "username": "grouped" }));
    let role = json!({ "name": "r", "workspace": "default" });
    let role = post("mlflow/roles/create", role)["role"]["id"].clone();
    post("mlflow/roles/assign", json!({ "username": "cast", "role_id": role }));
    let grant_all = |id: &str| {
        team.grant("own", "experiment", id, "READ");
        team.grant("veto", "experiment", id, "DENY");
        team.grant("judge", "scorer", &format!("{id}/exact"), "READ");
        let of_group = json!({
            "name": "g", "resource_type": "experiment", "resource_id": id, "permission": "READ",
        });
        post("trainyard/groups/permissions/grant", of_group);
        let of_role = json!({
            "role_id": role, "resource_type": "experiment", "resource_pattern": id, "permission": "READ",
        });
        post("mlflow/roles/permissions/add", of_role);
    };
    let holders = |id: &str| {
        let database = team.users_database();
        let sql = "SELECT count(*) FROM role_permissions WHERE permission <> 'MANAGE' AND \
                   (resource_pattern = ?1 OR resource_pattern = ?1 || '/exact')";
        database.query_row(sql, [id], |row| row.get::<_, i64>(0)).unwrap()
    };
    let first = make("first");
    grant_all(&first);
    assert_eq!(whos.each_ref().map(|who| status(who, &first)), [200, 200, 200, 403]);
    let deleted = json!({ "experiment_id": first });
    team.admin("POST", "/api/2.0/mlflow/experiments/delete", &deleted);
    let opening = team.server.opening();
    let selection = Selection { experiment_ids: vec![first.clone()], ..Selection::default() };
    team.runtime.block_on(removal::remove(&opening, &selection, |_step| ())).unwrap();
    let second = make("second");
    assert_ne!(second, first);
    assert_eq!(whos.each_ref().map(|who| status(who, &second)), [403; 4]);

    // Another program removes one and writes nothing down, so that its number comes again.
    grant_all(&second);
    let path = opening.uri.strip_prefix("sqlite:///").unwrap();
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.busy_timeout(Duration::from_mins(1)).unwrap();
    assert_eq!(
        raw.execute("DELETE FROM experiments WHERE experiment_id = ?1", [&second]).unwrap(),
        1
    );
    drop(raw);
    assert_eq!(holders(&second), 5);
    assert_eq!(make("third"), second);
    assert_eq!(holders(&second), 0);
    assert_eq!(whos.each_ref().map(|who| status(who, &second)), [403; 4]);
    // Nor is anybody kept from it.
    let everybody = json!({
        "role_id": role, "resource_type": "experiment", "resource_pattern": "*", "permission": "READ",
    });
    post("mlflow/roles/permissions/add", everybody);
    post("mlflow/roles/assign", json!({ "username": "veto", "role_id": role }));
    assert_eq!(status(&veto, &second), 200);
}

#[test]
fn a_user_has_so_many_tokens_and_no_more() {
    let team = Team::start("READ");
    let ada = team.create_user("ada");
    let raw = rusqlite::Connection::open(team.folder.path().join("users.db")).unwrap();
    raw.busy_timeout(Duration::from_mins(1)).unwrap();
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) \
               INSERT INTO trainyard_tokens (name, user_id, digest, scope, created_at, expires_at) \
               SELECT 't' || n.i, u.id, 'd' || n.i, 'READ', 0, NULL FROM n, users u \
               WHERE u.username = 'ada'";
    assert_eq!(raw.execute(sql, []).unwrap(), 9999);
    for (name, status) in [("last", 200), ("more", 400)] {
        let body = json!({ "name": name });
        let made = team.ask(&ada, "POST", "/api/3.0/trainyard/tokens/create", &body);
        assert_eq!(made.status, status, "{}", made.text());
    }
}

#[test]
fn a_service_account_has_tokens_and_no_password() {
    let team = Team::start("READ");
    let account = json!({ "username": "ci" });
    team.admin("POST", "/api/3.0/trainyard/service-accounts/create", &account);
    let made = team.runtime.block_on(team.control.create_token("ci-train", "ci", "EDIT", Some(30)));
    let bearer = format!("Bearer {}", made.unwrap().secret);
    let current = team.ask(&bearer, "GET", "/api/2.0/mlflow/users/current", &Value::Null);
    assert_eq!(current.json()["user"]["username"], "ci");
    for password in ["!", "", PASSWORD] {
        let answer =
            team.ask(&basic("ci", password), "GET", "/api/2.0/mlflow/users/current", &Value::Null);
        assert_eq!(answer.status, 401, "{password}");
    }
}

#[test]
fn an_alias_is_moved_by_those_to_whom_it_was_given() {
    let team = Team::start("READ");
    let (ada, release) = (team.create_user("ada"), team.create_user("release"));
    let made = team.ask(
        &ada,
        "POST",
        "/api/2.0/mlflow/registered-models/create",
        &json!({ "name": "Iris" }),
    );
    assert_eq!(made.status, 200, "{}", made.text());
    let experiment = json!({ "experiment_id": "0", "name": "m" });
    let model = team.admin("POST", "/api/2.0/mlflow/logged-models", &experiment);
    let model_id = model["model"]["info"]["model_id"].as_str().unwrap();
    let version =
        json!({ "name": "Iris", "source": format!("models:/{model_id}"), "model_id": model_id });
    let made = team.ask(&ada, "POST", "/api/2.0/mlflow/model-versions/create", &version);
    assert_eq!(made.status, 200, "{}", made.text());

    let path = "/api/2.0/mlflow/registered-models/alias";
    let point = |who: &str, alias: &str| {
        let body = json!({ "name": "Iris", "alias": alias, "version": "1" });
        team.ask(who, "POST", path, &body)
    };
    // At first it is for whoever may change the model.
    assert_eq!(point(&ada, "Production").status, 200);
    assert_eq!(point(&release, "Production").status, 403);
    team.grant("release", "registered_model_alias", "*/Production", "EDIT");
    assert_eq!(point(&release, "Production").status, 200);
    let refused = point(&ada, "Production");
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(
        refused.text().contains("registered_model_alias 'Iris/Production'"),
        "{}",
        refused.text()
    );
    assert_eq!(point(&ada, "Staging").status, 200);
    assert_eq!(point(&release, "Staging").status, 403);
    let body = json!({ "name": "Iris", "alias": "Production" });
    assert_eq!(team.ask(&ada, "DELETE", path, &body).status, 403);
    // The stage of that name is found by the same URI.
    let transition = "/api/2.0/mlflow/model-versions/transition-stage";
    for (stage, status) in [("production", 403), ("Staging", 200)] {
        let body = json!({ "name": "Iris", "version": "1", "stage": stage });
        let moved = team.ask(&ada, "POST", transition, &body);
        assert_eq!(moved.status, status, "{stage}: {}", moved.text());
    }
    let body = json!({ "name": "Iris", "version": "1", "stage": "Production" });
    team.admin("POST", transition, &body);
    let body = json!({ "name": "Iris", "version": "1", "stage": "Archived" });
    assert_eq!(team.ask(&ada, "POST", transition, &body).status, 403, "nor is it taken out");
    // Nobody gives it to themselves, nor gets it by another name of the model.
    let grant = json!({
        "username": "ada", "resource_type": "registered_model_alias", "resource_id": "Iris/Production",
        "permission": "EDIT",
    });
    assert_eq!(
        team.ask(&ada, "POST", "/api/3.0/mlflow/users/permissions/grant", &grant).status,
        403
    );
    team.grant("release", "registered_model_alias", "Iris/Canary", "EDIT");
    let rename = json!({ "name": "Iris", "new_name": "Wine" });
    let renamed = team.ask(&ada, "POST", "/api/2.0/mlflow/registered-models/rename", &rename);
    assert_eq!(renamed.status, 200, "{}", renamed.text());
    let body = json!({ "name": "Wine", "alias": "Canary", "version": "1" });
    assert_eq!(team.ask(&ada, "POST", path, &body).status, 403);
    assert_eq!(team.ask(&release, "POST", path, &body).status, 200);
    // Nor by another model of the name, which clients go on asking for.
    for (path, body) in [
        ("/api/2.0/mlflow/registered-models/create", json!({ "name": "Iris" })),
        ("/api/2.0/mlflow/model-versions/create", version),
    ] {
        let made = team.ask(&ada, "POST", path, &body);
        assert_eq!(made.status, 200, "{}", made.text());
    }
    assert_eq!(point(&ada, "Canary").status, 403);
    // Nor by a name that comes with it: once nobody has that name, another model takes it.
    let models = "/api/2.0/mlflow/registered-models";
    team.admin("DELETE", &format!("{models}/delete"), &json!({ "name": "Iris" }));
    let take = || {
        let body = json!({ "name": "Decoy", "new_name": "Iris" });
        team.ask(&ada, "POST", &format!("{models}/rename"), &body)
    };
    for (path, body) in [
        ("registered-models/create", json!({ "name": "Decoy" })),
        (
            "model-versions/create",
            json!({ "name": "Decoy", "source": format!("models:/{model_id}"), "model_id": model_id }),
        ),
        ("registered-models/alias", json!({ "name": "Decoy", "alias": "canary", "version": "1" })),
    ] {
        let made = team.ask(&ada, "POST", &format!("/api/2.0/mlflow/{path}"), &body);
        assert_eq!(made.status, 200, "{}", made.text());
    }
    let refused = take();
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("registered_model_alias 'Iris/canary'"), "{}", refused.text());
    let body = json!({ "name": "Decoy", "alias": "canary" });
    assert_eq!(team.ask(&ada, "DELETE", path, &body).status, 200);
    // Whoever is kept from a name makes no model of it, and takes it for none.
    team.grant("ada", "registered_model", "Iris", "DENY");
    assert_eq!(take().status, 403);
    let veto = json!({
        "username": "ada", "resource_type": "registered_model", "resource_id": "Iris",
    });
    team.admin("POST", "/api/3.0/mlflow/users/permissions/revoke", &veto);
    assert_eq!(take().status, 200);
}

#[test]
fn what_a_role_is_kept_from_it_is_kept_from_by_another_name() {
    let team = Team::start("READ");
    let (ada, eve) = (team.create_user("ada"), team.create_user("eve"));
    let post =
        |path: &str, body: Value| team.admin("POST", &format!("/api/3.0/mlflow/{path}"), &body);
    let role = json!({ "name": "guests", "workspace": "default" });
    let role = post("roles/create", role)["role"]["id"].clone();
    let veto = json!({
        "role_id": role, "resource_type": "registered_model", "resource_pattern": "secret", "permission": "DENY",
    });
    post("roles/permissions/add", veto);
    post("roles/assign", json!({ "username": "eve", "role_id": role }));
    let models = "/api/2.0/mlflow/registered-models";
    let made = team.ask(&ada, "POST", &format!("{models}/create"), &json!({ "name": "secret" }));
    assert_eq!(made.status, 200, "{}", made.text());
    let sees = |name: &str| {
        team.ask(&eve, "GET", &format!("{models}/get?name={name}"), &Value::Null).status
    };
    assert_eq!(sees("secret"), 403);
    let renamed = json!({ "name": "secret", "new_name": "plain" });
    assert_eq!(team.ask(&ada, "POST", &format!("{models}/rename"), &renamed).status, 200);
    assert_eq!((sees("plain"), sees("secret")), (403, 403));
    // Nor as a prompt, on which that veto is not.
    let tag =
        |value: &str| json!({ "name": "plain", "key": "mlflow.prompt.is_prompt", "value": value });
    let set = format!("{models}/set-tag");
    for (value, status) in [("false", 200), ("true", 403), ("True", 403)] {
        let answer = team.ask(&ada, "POST", &set, &tag(value));
        assert_eq!(answer.status, status, "{value}: {}", answer.text());
    }
    team.admin("POST", &set, &tag("true"));
    team.grant("ada", "prompt", "plain", "MANAGE");
    let body = json!({ "name": "plain", "key": "mlflow.prompt.is_prompt" });
    let back = team.ask(&ada, "DELETE", &format!("{models}/delete-tag"), &body);
    assert_eq!(back.status, 403, "{}", back.text());
}

#[test]
fn a_version_of_a_bucket_shows_nobody_elses_files() {
    let team = Team::start("READ");
    let ada = team.create_user("ada");
    let experiment =
        team.admin("POST", "/api/2.0/mlflow/experiments/create", &json!({ "name": "secret" }));
    let experiment = experiment["experiment_id"].as_str().unwrap().to_owned();
    let body = json!({ "experiment_id": experiment });
    let run = team.admin("POST", "/api/2.0/mlflow/runs/create", &body);
    let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    team.grant("ada", "experiment", &experiment, "DENY");
    let made = team.ask(
        &ada,
        "POST",
        "/api/2.0/mlflow/registered-models/create",
        &json!({ "name": "Iris" }),
    );
    assert_eq!(made.status, 200, "{}", made.text());
    let encoded = format!("%3{}{}", &run[..1], &run[1..]);
    let encoded = if run.starts_with(|c: char| c.is_ascii_digit()) { encoded } else { run.clone() };
    for (source, status) in [
        (format!("s3://bucket/{experiment}/{run}/artifacts/model"), 403),
        (format!("s3://bucket/{experiment}/{encoded}/artifacts/model"), 403),
        (format!("s3://bucket/{experiment}"), 200),
        ("s3://bucket/0123456789abcdef0123456789abcdef".to_owned(), 200),
    ] {
        let body = json!({ "name": "Iris", "source": source });
        let made = team.ask(&ada, "POST", "/api/2.0/mlflow/model-versions/create", &body);
        assert_eq!(made.status, status, "{source}: {}", made.text());
    }
    // One of all files there shows those that are not somebody's, and is not asked for any other.
    let file = |path: &str| {
        let path = format!("/model-versions/get-artifact?name=Iris&version=1&path={path}");
        team.ask(&ada, "GET", &path, &Value::Null).text()
    };
    let of_run = file(&format!("{run}/artifacts/model.pkl"));
    assert!(of_run.contains("Permission denied"), "{of_run}");
    let of_nobody = file("model.pkl");
    assert!(!of_nobody.contains("Permission denied"), "{of_nobody}");
}

#[test]
fn what_another_server_changes_counts_here_without_a_restart() {
    let team = Team::start("READ");
    let ada = team.create_user("ada");
    let config = config(team.folder.path(), "READ");
    let other = team.runtime.block_on(AccessControl::open_without_admin(&config)).unwrap();
    let current = || team.ask(&ada, "GET", "/api/2.0/mlflow/users/current", &Value::Null);
    assert_eq!(current().json()["user"]["is_admin"], false);
    team.runtime.block_on(other.set_admin("ada", true)).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while current().json()["user"]["is_admin"] != true {
        assert!(Instant::now() < deadline, "the change is never seen");
        std::thread::sleep(Duration::from_millis(50));
    }
    team.runtime.block_on(other.delete_user("ada")).unwrap();
    while current().status != 401 {
        assert!(Instant::now() < deadline, "the removal is never seen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn users_may_be_in_postgresql() {
    let postgres = PostgresServer::start();
    let database_uri = postgres.database("users");
    let folder = tempfile::tempdir().unwrap();
    let config = AccessConfig { database_uri, ..config(folder.path(), "NO_PERMISSIONS") };
    let runtime = Runtime::new().unwrap();
    let control = runtime.block_on(AccessControl::open(&config)).unwrap();
    let team = Team { server: Served::guarded(&control), runtime, control, folder };
    let ada = team.create_user("ada");
    let path = "/api/2.0/mlflow/experiments/get?experiment_id=0";
    let read = |who: &str| team.ask(who, "GET", path, &Value::Null).status;
    assert_eq!(read(&ada), 403);
    team.grant("ada", "experiment", "0", "READ");
    assert_eq!(read(&ada), 200);
    let role = json!({ "name": "blocked", "workspace": "default" });
    let role = team.admin("POST", "/api/3.0/mlflow/roles/create", &role)["role"]["id"].clone();
    let grant = json!({
        "role_id": role, "resource_type": "experiment", "resource_pattern": "*", "permission": "DENY",
    });
    team.admin("POST", "/api/3.0/mlflow/roles/permissions/add", &grant);
    let assign = json!({ "username": "ada", "role_id": role });
    team.admin("POST", "/api/3.0/mlflow/roles/assign", &assign);
    assert_eq!(read(&ada), 403);
    team.admin("DELETE", "/api/3.0/mlflow/roles/delete", &json!({ "role_id": role }));
    let token = team.runtime.block_on(team.control.create_token("t", "ada", "READ", None)).unwrap();
    assert_eq!(read(&format!("Bearer {}", token.secret)), 200);
    let made = team.ask(
        &basic("admin", PASSWORD),
        "POST",
        "/api/2.0/mlflow/registered-models/create",
        &json!({ "name": "Iris" }),
    );
    assert_eq!(made.status, 200, "{}", made.text());
    let again = team.runtime.block_on(AccessControl::open(&config)).unwrap();
    assert_eq!(again.users(), [("admin".to_owned(), true), ("ada".to_owned(), false)]);
    team.admin("DELETE", "/api/2.0/mlflow/users/delete", &json!({ "username": "ada" }));
    assert_eq!(read(&ada), 401);
    // Runs and models may be in the same database.
    let options = crate::store_postgres::options(&postgres);
    trainyard_tracking::open(&config.database_uri, options).unwrap();
}

#[test]
fn no_experiment_is_made_in_the_folder_of_what_is_others() {
    let team = Team::start("READ");
    let (ada, bob) = (team.create_user("ada"), team.create_user("bob"));
    let make = |who: &str, name: &str, location: &str| {
        let body = json!({ "name": name, "artifact_location": location });
        team.ask(who, "POST", "/api/2.0/mlflow/experiments/create", &body)
    };
    let made = make(&ada, "hers", "s3://bucket/ada");
    assert_eq!(made.status, 200, "{}", made.text());
    let body = json!({ "experiment_id": made.json()["experiment_id"] });
    let run = team.ask(&ada, "POST", "/api/2.0/mlflow/runs/create", &body).json();
    let run_id = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    for (number, location) in [
        "s3://bucket/ada".to_owned(),
        "s3://bucket//ada/x".to_owned(),
        format!("s3://bucket/ada/{run_id}/artifacts"),
        // Wherever it seems to be: a folder of this name is that run's.
        format!("s3://other/{run_id}/artifacts/model"),
    ]
    .iter()
    .enumerate()
    {
        let refused = make(&bob, &format!("bob {number}"), location);
        assert_eq!(refused.status, 403, "{location}: {}", refused.text());
        let own = make(&ada, &format!("ada {number}"), location);
        assert_eq!(own.status, 200, "{location}: {}", own.text());
    }
    for (number, location) in
        ["s3://bucket/adam", "s3://bucket/bob", "s3://elsewhere/x"].iter().enumerate()
    {
        let free = make(&bob, &format!("free {number}"), location);
        assert_eq!(free.status, 200, "{location}: {}", free.text());
    }
}
