//! Changes of who may do what, in the audit log of another database: each once, wherever a server was killed, and
//! what is missing is told.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use trainyard_mlflow::entities::AuditEvent;
use trainyard_mlflow::{SearchAudit, Tracking};
use trainyard_testkit::postgres::PostgresServer;
use trainyard_tracking::access::{AccessConfig, AccessControl};
use trainyard_tracking::audit;
use trainyard_tracking::server::ServerOptions;
use trainyard_tracking::{Lending, OpenOptions, share};

use crate::access::{PASSWORD, basic};
use crate::http::{Answer, Request, send};
use crate::served::Served;
use crate::webhooks::{KEY, server_options};

/// A team's databases.
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    pub(crate) store: String,
    users: String,
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let uri = |name: &str| format!("sqlite:///{}", folder.path().join(name).display());
        let (store, users) = (uri("mlflow.db"), uri("users.db"));
        Self { runtime: Runtime::new().unwrap(), store, users, folder }
    }

    /// Users without a log, as `trainyard user` opens them.
    pub(crate) fn users(&self) -> AccessControl {
        let config = AccessConfig {
            database_uri: self.users.clone(),
            admin_username: Some("admin".to_owned()),
            admin_password: Some(PASSWORD.to_owned()),
            ..AccessConfig::default()
        };
        self.runtime.block_on(AccessControl::open(&config)).unwrap()
    }

    pub(crate) fn options(&self) -> OpenOptions {
        OpenOptions {
            default_artifact_root: Some(self.folder.path().join("runs").display().to_string()),
            ..OpenOptions::default()
        }
    }

    /// What a server does at its start.
    fn start(&self) -> (AccessControl, Tracking) {
        let control = self.users();
        let shared = share(&self.store, self.options(), &Lending::default()).unwrap();
        self.runtime.block_on(control.write_down_in(shared.log.unwrap())).unwrap();
        (control, shared.lent)
    }

    fn events(&self, tracking: &Tracking) -> Vec<AuditEvent> {
        let found = self.runtime.block_on(audit::verify(&*tracking.audit, Vec::new())).unwrap();
        assert_eq!(found.faults, [], "the chain is whole");
        self.runtime.block_on(tracking.audit.events(SearchAudit::default())).unwrap()
    }

    /// How often a line is in the log.
    fn count(&self, tracking: &Tracking, action: &str, subject: &str) -> usize {
        let events = self.events(tracking).into_iter();
        events.filter(|event| event.action == action && event.subject == subject).count()
    }

    fn users_database(&self) -> Connection {
        Connection::open(self.folder.path().join("users.db")).unwrap()
    }
}

pub(crate) fn ask(server: &Served, who: &str, method: &str, path: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let headers = vec![
        ("Authorization", who),
        ("Content-Type", "application/json"),
        ("X-Request-ID", "the-request"),
    ];
    let body = (method != "GET").then_some(body.as_bytes());
    send(&server.url, &Request { method, path, headers, body })
}

/// What an administrator does with users over HTTP: every kind of change.
fn administer(server: &Served) {
    let admin = basic("admin", PASSWORD);
    let done = |method: &str, path: &str, body: &Value| {
        let answer = ask(server, &admin, method, path, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let of_ada = |more: Value| {
        let mut body = json!({ "username": "ada" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let password = json!({ "password": "SECRET password 1" });
    done("POST", "/api/2.0/mlflow/users/create", &of_ada(password));
    let password = json!({ "password": "SECRET password 2" });
    done("PATCH", "/api/2.0/mlflow/users/update-password", &of_ada(password));
    done("PATCH", "/api/2.0/mlflow/users/update-admin", &of_ada(json!({ "is_admin": true })));
    let thing = json!({ "resource_type": "experiment", "resource_id": "0" });
    let mut granted = thing.clone();
    granted["permission"] = json!("EDIT");
    done("POST", "/api/3.0/mlflow/users/permissions/grant", &of_ada(granted));
    done("POST", "/api/3.0/mlflow/users/permissions/revoke", &of_ada(thing));
    let role = json!({ "name": "scientists", "workspace": "default" });
    let role = done("POST", "/api/3.0/mlflow/roles/create", &role)["role"]["id"].clone();
    let grant = json!({
        "role_id": role, "resource_type": "experiment", "resource_pattern": "*", "permission": "READ",
    });
    done("POST", "/api/3.0/mlflow/roles/permissions/add", &grant);
    done("POST", "/api/3.0/mlflow/roles/assign", &of_ada(json!({ "role_id": role })));
    done("POST", "/api/3.0/trainyard/groups/create", &json!({ "name": "team" }));
    let member = json!({ "name": "team", "username": "ada" });
    done("POST", "/api/3.0/trainyard/groups/members/add", &member);
    let role_of_group = json!({ "name": "team", "role_id": role });
    done("POST", "/api/3.0/trainyard/groups/roles/assign", &role_of_group);
    let grant = json!({
        "name": "team", "resource_type": "experiment", "resource_id": "0", "permission": "EDIT",
    });
    done("POST", "/api/3.0/trainyard/groups/permissions/grant", &grant);
    done("DELETE", "/api/3.0/trainyard/groups/delete", &json!({ "name": "team" }));
    done("DELETE", "/api/3.0/mlflow/roles/delete", &json!({ "role_id": role }));
    let token = json!({ "name": "nightly", "scope": "READ", "expires_in_days": 1 });
    done("POST", "/api/3.0/trainyard/tokens/create", &of_ada(token));
    done("DELETE", "/api/3.0/trainyard/tokens/delete", &json!({ "name": "nightly" }));
    done("DELETE", "/api/2.0/mlflow/users/delete", &of_ada(json!({})));
}

/// Action, subject, part, and what was before and after.
type Told = (&'static str, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

const EXPECTED: &[Told] = &[
    ("user.create", "user:ada", "", None, Some("user")),
    ("user.set_password", "user:ada", "", None, None),
    ("user.set_admin", "user:ada", "", Some("false"), Some("true")),
    ("grant.set", "user:ada", "experiment:0", None, Some("EDIT")),
    ("grant.delete", "user:ada", "experiment:0", Some("EDIT"), None),
    ("role.create", "role:scientists", "", None, None),
    ("grant.set", "role:scientists", "experiment:*", None, Some("READ")),
    ("role.assign", "user:ada", "role:scientists", None, None),
    ("group.create", "group:team", "", None, None),
    ("group.join", "user:ada", "group:team", None, None),
    ("role.assign", "group:team", "role:scientists", None, None),
    ("grant.set", "group:team", "experiment:0", None, Some("EDIT")),
    ("group.delete", "group:team", "", Some("1 members"), None),
    ("role.delete", "role:scientists", "", Some("1 grants, given to 1 users"), None),
    ("user.delete", "user:ada", "", Some("administrator"), None),
];

#[test]
fn every_change_of_who_may_do_what_is_in_the_log_with_who_and_where_from() {
    let place = Place::new();
    let (control, tracking) = place.start();
    let options = ServerOptions {
        authorize: Some(control.authorize()),
        more_routes: control.routes(),
        ..ServerOptions::default()
    };
    let server = Served::over(control.guard(tracking.clone()), options);
    administer(&server);
    let events = place.events(&tracking);
    for (action, subject, part, before, after) in EXPECTED {
        let is_it = |event: &&AuditEvent| {
            let what = (event.action.as_str(), event.subject.as_str(), event.part.as_str());
            what == (*action, *subject, *part)
        };
        let found = events.iter().find(is_it).unwrap_or_else(|| panic!("{action} in {events:#?}"));
        assert_eq!(
            (found.before.as_deref(), found.after.as_deref()),
            (*before, *after),
            "{action}"
        );
        assert_eq!((found.who.as_str(), found.kind.as_str()), ("admin", "user"), "{found:?}");
        assert_eq!(found.address.as_deref(), Some("127.0.0.1"), "{found:?}");
        assert_eq!(found.request_id.as_deref(), Some("the-request"), "{found:?}");
    }
    let of_token = events.iter().filter(|event| event.part == "token:nightly");
    let of_token: Vec<&str> = of_token.map(|event| event.action.as_str()).collect();
    assert_eq!(of_token, ["token.create", "token.delete"]);
    let lines = audit::lines(&events).unwrap();
    for secret in ["SECRET", "trainyard_", "argon2", PASSWORD] {
        assert!(!lines.contains(secret), "{secret} in {lines}");
    }

    // Refused ones are told together, and soon; what is changed beside the server comes by itself.
    for wrong in ["wrong 1", "wrong 2"] {
        let answer = ask(
            &server,
            &basic("SECRET typed as a name", wrong),
            "GET",
            "/api/2.0/mlflow/users/list",
            &Value::Null,
        );
        assert_eq!(answer.status, 401);
    }
    let beside = place.users();
    place.runtime.block_on(beside.create_user("bob", None, false)).unwrap();
    let end = Instant::now() + Duration::from_mins(2);
    while place.count(&tracking, "user.create", "user:bob") == 0
        || place.count(&tracking, "sign_in.refused", "users") == 0
    {
        assert!(Instant::now() < end, "{:#?}", place.events(&tracking));
        std::thread::sleep(Duration::from_millis(50));
    }
    let lines = audit::lines(&place.events(&tracking)).unwrap();
    assert!(!lines.contains("SECRET") && lines.contains("from 127.0.0.1 ("), "{lines}");
}

#[test]
fn what_a_kill_leaves_comes_once_and_what_is_missing_is_told() {
    let place = Place::new();
    // A server that was killed when the users were changed and the log was not.
    place.runtime.block_on(place.users().create_user("ada", None, false)).unwrap();
    let waiting = "SELECT count(*) FROM trainyard_changes";
    let count =
        |sql: &str| -> i64 { place.users_database().query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count(waiting), 2, "ada, and the administrator");
    let keep = "CREATE TABLE kept AS SELECT * FROM trainyard_changes";
    place.users_database().execute_batch(keep).unwrap();
    let (control, tracking) = place.start();
    assert_eq!(count(waiting), 0);
    assert_eq!(place.count(&tracking, "user.create", "user:ada"), 1);
    assert_eq!(place.count(&tracking, "users.late", "users"), 1);
    drop((control, tracking));

    // One that was killed when they were in the log and yet to go from where they waited.
    let back = "INSERT INTO trainyard_changes SELECT * FROM kept";
    place.users_database().execute_batch(back).unwrap();
    let (control, tracking) = place.start();
    assert_eq!((count(waiting), place.count(&tracking, "user.create", "user:ada")), (0, 1));
    assert_eq!(place.count(&tracking, "users.gap", "users"), 0);
    drop((control, tracking));

    // Somebody takes out what waits.
    place.runtime.block_on(place.users().create_user("eve", None, true)).unwrap();
    place.users_database().execute_batch("DELETE FROM trainyard_changes").unwrap();
    let (control, tracking) = place.start();
    assert_eq!(place.count(&tracking, "users.gap", "users"), 1, "{:#?}", place.events(&tracking));
    place.runtime.block_on(control.create_user("bob", None, false)).unwrap();
    assert_eq!(place.count(&tracking, "user.create", "user:bob"), 1, "it goes on");
    drop((control, tracking));

    // The database of users is put back from a copy.
    let older = "UPDATE trainyard_changes_made SET made = 2";
    place.users_database().execute_batch(older).unwrap();
    let (control, tracking) = place.start();
    assert_eq!(place.count(&tracking, "users.gap", "users"), 2, "{:#?}", place.events(&tracking));
    place.runtime.block_on(control.set_admin("bob", true)).unwrap();
    assert_eq!(place.count(&tracking, "user.set_admin", "user:bob"), 1, "it goes on");
}

#[test]
fn what_no_log_takes_does_not_grow_without_end() {
    let place = Place::new();
    let users = place.users();
    // The administrator waits, and then, as far as numbers say, as many as may.
    let many = "UPDATE trainyard_changes_made SET made = 100000";
    place.users_database().execute_batch(many).unwrap();
    place.runtime.block_on(users.create_user("ada", None, false)).unwrap();
    let numbers: Vec<i64> = {
        let database = place.users_database();
        let sql = "SELECT number FROM trainyard_changes ORDER BY number";
        let mut statement = database.prepare(sql).unwrap();
        let found = statement.query_map([], |row| row.get(0)).unwrap();
        found.map(Result::unwrap).collect()
    };
    assert_eq!(numbers, [1001, 100_001], "the oldest went, and what is left says so");
    drop(users);
    let (_control, tracking) = place.start();
    assert_eq!(place.count(&tracking, "user.create", "user:ada"), 1);
    let events = place.events(&tracking);
    let told = |event: &&AuditEvent| event.action == "users.gap";
    let said: Vec<String> = events.iter().filter(told).filter_map(|e| e.after.clone()).collect();
    assert!(said.iter().any(|said| said.contains("waited for an audit log")), "{said:?}");
}

#[test]
fn two_servers_over_one_postgres_write_each_change_down_once() {
    let postgres = PostgresServer::start();
    let database = postgres.database("team");
    let place = Place { store: database.clone(), users: database, ..Place::new() };
    let servers = [place.start(), place.start()];
    let many = |server: usize| {
        let (control, _tracking) = &servers[server];
        async move {
            for number in 0..10 {
                let name = format!("user-{server}-{number}");
                control.create_user(&name, None, false).await.unwrap();
                control.create_token(&name, &name, "READ", None).await.unwrap();
            }
        }
    };
    place.runtime.block_on(async { tokio::join!(many(0), many(1)) });
    // What one of them has not taken yet, the other one has in its hands.
    let tracking = &servers[0].1;
    let end = Instant::now() + Duration::from_mins(2);
    let events = loop {
        let events = place.events(tracking);
        let made = events.iter().filter(|event| event.subject.starts_with("user:user-")).count();
        if made >= 40 {
            break events;
        }
        assert!(Instant::now() < end, "{events:#?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    for server in 0..2 {
        for number in 0..10 {
            let subject = format!("user:user-{server}-{number}");
            let of_it: Vec<&str> = events
                .iter()
                .filter(|event| event.subject == subject)
                .map(|event| event.action.as_str())
                .collect();
            assert_eq!(of_it, ["user.create", "token.create"], "{subject}");
        }
    }
    assert!(events.iter().all(|event| event.action != "users.gap"), "{events:#?}");
}

/// Servers remove what is in the log, and a change makes room, each in an order of the database's choice.
#[test]
fn no_two_that_remove_what_waits_wait_for_each_other() {
    let postgres = PostgresServer::start();
    let database = postgres.database("team");
    let place = Place { store: database.clone(), users: database, ..Place::new() };
    // The administrator is the first change, and ada the second.
    place.runtime.block_on(place.users().create_user("ada", None, false)).unwrap();
    let address = format!("host=127.0.0.1 port={} user=postgres dbname=team", postgres.port());
    let connecting = tokio_postgres::connect(&address, tokio_postgres::NoTls);
    let (other, connection) = place.runtime.block_on(connecting).unwrap();
    place.runtime.spawn(connection);
    let run = |sql| place.runtime.block_on(other.batch_execute(sql)).unwrap();
    // As a change does that makes room. If two wait for each other it is the first to find out.
    run("SET deadlock_timeout = '50ms'; BEGIN; \
         UPDATE trainyard_changes_made SET made = made WHERE id = 1; \
         DELETE FROM trainyard_changes WHERE number = 2");
    std::thread::scope(|scope| {
        let server = scope.spawn(|| place.start());
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = 'team' AND wait_event_type = 'Lock'";
        let end = Instant::now() + Duration::from_mins(2);
        while postgres.sql("postgres", waiting).trim() == "0" {
            assert!(Instant::now() < end, "the server waits for nobody");
            std::thread::sleep(Duration::from_millis(20));
        }
        run("DELETE FROM trainyard_changes WHERE number = 1; COMMIT");
        let _server = server.join().unwrap();
    });
    assert_eq!(postgres.sql("team", "SELECT count(*) FROM trainyard_changes").trim(), "0");
}

#[test]
fn webhooks_are_in_the_log_without_their_secrets() {
    let place = Place::new();
    let options = server_options(&[], Some(KEY));
    let server = Served::telling(&place.store, place.options(), options);
    let body = json!({
        "name": "chat", "url": "https://hooks.example.com/services/SECRET-PATH", "secret": "SECRET-KEY",
        "events": [{ "entity": "REGISTERED_MODEL", "action": "CREATED" }],
    });
    let path = "/api/2.0/mlflow/webhooks";
    let made = ask(&server, "", "POST", path, &body);
    assert_eq!(made.status, 200, "{}", made.text());
    let id = made.json()["webhook"]["webhook_id"].as_str().unwrap().to_owned();
    let one = format!("{path}/{id}");
    let change = json!({
        "webhook_id": id, "url": "https://hooks.example.com/services/SECRET-2", "secret": "SECRET-3",
    });
    let changed = ask(&server, "", "PATCH", &one, &change);
    assert_eq!(changed.status, 200, "{}", changed.text());
    let gone = ask(&server, "", "DELETE", &one, &json!({ "webhook_id": id }));
    assert_eq!(gone.status, 200, "{}", gone.text());
    let shared = share(&place.store, place.options(), &Lending::default()).unwrap();
    let events = place.events(&shared.own);
    let subject = format!("webhook:{id}");
    let of_it: Vec<&AuditEvent> = events.iter().filter(|event| event.subject == subject).collect();
    let actions: Vec<&str> = of_it.iter().map(|event| event.action.as_str()).collect();
    let expected = ["webhook.create", "webhook.update", "webhook.set_secret", "webhook.delete"];
    assert_eq!(actions, expected);
    let said = of_it[0].after.as_deref().unwrap();
    assert!(said.starts_with("chat ACTIVE https://hooks.example.com ("), "{said}");
    assert_ne!(of_it[1].before, of_it[1].after, "another address of the same host");
    assert!(!audit::lines(&events).unwrap().contains("SECRET"), "{events:#?}");
}
