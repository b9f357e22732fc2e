//! Groups: their roles and grants are those of whoever is in them, and nobody comes to more by one than they may give.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::access::{Team, basic};
use crate::http::Answer;

const GROUPS: &str = "/api/3.0/trainyard/groups";
const ROLES: &str = "/api/3.0/mlflow/roles";

fn own(team: &Team, method: &str, path: &str, body: &Value) -> Value {
    team.admin(method, &format!("{GROUPS}/{path}"), body)
}

fn new_run(team: &Team, who: &str) -> u16 {
    let body = json!({ "experiment_id": "0" });
    team.ask(who, "POST", "/api/2.0/mlflow/runs/create", &body).status
}

fn role(team: &Team, name: &str, grant: &Value) -> Value {
    let made = team.admin(
        "POST",
        &format!("{ROLES}/create"),
        &json!({ "name": name, "workspace": "default" }),
    );
    let id = made["role"]["id"].clone();
    let mut body = json!({ "role_id": id });
    body.as_object_mut().unwrap().extend(grant.as_object().unwrap().clone());
    team.admin("POST", &format!("{ROLES}/permissions/add"), &body);
    id
}

#[test]
fn a_list_has_pages_and_no_grants() {
    let team = Team::start("READ");
    let ada = team.create_user("ada");
    let role_id = role(
        &team,
        "readers",
        &json!({ "resource_type": "experiment", "resource_pattern": "*", "permission": "READ" }),
    );
    for name in ["b", "a", "c", "hidden", "A"] {
        own(&team, "POST", "create", &json!({ "name": name }));
        if name != "hidden" {
            own(&team, "POST", "members/add", &json!({ "name": name, "username": "ada" }));
        }
        own(&team, "POST", "roles/assign", &json!({ "name": name, "role_id": role_id }));
        let thing = json!({ "name": name, "resource_type": "experiment", "resource_id": "0", "permission": "EDIT" });
        own(&team, "POST", "permissions/grant", &thing);
    }
    let page = |max: &str, token: &str| {
        let path = format!("{GROUPS}/list?max_results={max}&page_token={token}");
        team.ask(&ada, "GET", &path, &Value::Null)
    };
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let found = page("2", &token).json();
        let groups = found["groups"].as_array().unwrap().clone();
        assert!(groups.len() == 2 && !found.to_string().contains("permission"), "{found}");
        assert_eq!(groups[0]["roles"][0]["name"], "readers");
        assert_eq!(groups[0]["members"], json!(["ada"]));
        names.extend(groups.iter().map(|group| group["name"].as_str().unwrap().to_owned()));
        let Some(next) = found["next_page_token"].as_str() else { break };
        token = next.to_owned();
    }
    assert_eq!(names, ["A", "a", "b", "c"], "and nothing tells of the one that is not hers");
    for max in ["0", "1001", "-1", "x"] {
        assert_eq!(page(max, "").status, 400, "{max}");
    }
    let one = own(&team, "GET", "get?name=a", &Value::Null);
    assert_eq!(one["group"]["permissions"][0]["permission"], "EDIT");
}

#[test]
fn whoever_is_in_a_group_may_what_it_may_and_no_longer_than_that() {
    let team = Team::start("READ");
    let (ada, bob) = (team.create_user("ada"), team.create_user("bob"));
    let edit =
        json!({ "resource_type": "experiment", "resource_pattern": "*", "permission": "EDIT" });
    let role_id = role(&team, "editors", &edit);
    let made = own(&team, "POST", "create", &json!({ "name": "team", "description": "all of us" }));
    assert_eq!(made["group"]["members"], json!([]));
    let with_ada = json!({ "name": "team", "username": "ada" });
    let with_role = json!({ "name": "team", "role_id": role_id });
    assert_eq!(new_run(&team, &ada), 403);
    own(&team, "POST", "members/add", &with_ada);
    assert_eq!(new_run(&team, &ada), 403, "a group without roles gives nothing");
    own(&team, "POST", "roles/assign", &with_role);
    assert_eq!((new_run(&team, &ada), new_run(&team, &bob)), (200, 403));
    // The role itself is the group's and not hers, but what she may is listed.
    let roles = team.admin("GET", "/api/3.0/mlflow/users/roles/list?username=ada", &Value::Null);
    assert!(!roles.to_string().contains("editors"), "{roles}");
    let may = team.ask(&ada, "GET", "/api/3.0/mlflow/users/current/permissions", &Value::Null);
    assert!(may.text().contains("editors"), "{}", may.text());
    own(&team, "DELETE", "roles/unassign", &with_role);
    assert_eq!(new_run(&team, &ada), 403);

    // To the group alone; a veto on it counts for her as one of her own.
    let thing = |permission: &str| json!({ "name": "team", "resource_type": "experiment", "resource_id": "0", "permission": permission });
    own(&team, "POST", "permissions/grant", &thing("EDIT"));
    assert_eq!(new_run(&team, &ada), 200);
    own(&team, "DELETE", "members/remove", &with_ada);
    assert_eq!(new_run(&team, &ada), 403);
    own(&team, "POST", "members/add", &with_ada);
    own(&team, "POST", "permissions/revoke", &thing("EDIT"));
    own(&team, "POST", "permissions/grant", &thing("DENY"));
    team.grant("ada", "experiment", "0", "MANAGE");
    assert_eq!(new_run(&team, &ada), 403);
    // A new name changes nothing; a group that is gone gives and forbids nothing, and neither does another of the name.
    own(&team, "PATCH", "update", &json!({ "name": "team", "new_name": "others" }));
    assert_eq!(new_run(&team, &ada), 403);
    own(&team, "DELETE", "delete", &json!({ "name": "others" }));
    assert_eq!(new_run(&team, &ada), 200);
    own(&team, "POST", "create", &json!({ "name": "others" }));
    let shown = own(&team, "GET", "get?name=others", &Value::Null);
    let parts = ["members", "roles", "permissions"].map(|part| shown["group"][part].clone());
    assert_eq!(parts, [json!([]), json!([]), json!([])]);
    // Who is removed is in no group, and the next of the name neither.
    own(&team, "POST", "members/add", &json!({ "name": "others", "username": "bob" }));
    team.admin("DELETE", "/api/2.0/mlflow/users/delete", &json!({ "username": "bob" }));
    team.create_user("bob");
    let shown = own(&team, "GET", "get?name=others", &Value::Null);
    assert_eq!(shown["group"]["members"], json!([]));
}

#[test]
fn what_was_granted_to_a_group_goes_with_the_thing() {
    let team = Team::start("NO_PERMISSIONS");
    let ada = team.create_user("ada");
    own(&team, "POST", "create", &json!({ "name": "team" }));
    own(&team, "POST", "members/add", &json!({ "name": "team", "username": "ada" }));
    let models = "/api/2.0/mlflow/registered-models";
    let create =
        |name: &str| team.admin("POST", &format!("{models}/create"), &json!({ "name": name }));
    let reads = |name: &str| {
        team.ask(&ada, "GET", &format!("{models}/get?name={name}"), &Value::Null).status == 200
    };
    create("Iris");
    let grant = json!({
        "name": "team", "resource_type": "registered_model", "resource_id": "Iris", "permission": "READ",
    });
    own(&team, "POST", "permissions/grant", &grant);
    assert!(reads("Iris"));
    let rename = json!({ "name": "Iris", "new_name": "Wine" });
    team.admin("POST", &format!("{models}/rename"), &rename);
    create("Iris");
    assert_eq!((reads("Wine"), reads("Iris")), (true, false));
    team.admin("DELETE", &format!("{models}/delete"), &json!({ "name": "Wine" }));
    create("Wine");
    assert!(!reads("Wine"), "another one of the name is nobody's yet");
}

#[test]
fn nobody_comes_to_more_by_a_group_than_they_may_give() {
    let team = Team::start("READ");
    let (ada, lead) = (team.create_user("ada"), team.create_user("lead"));
    let manage =
        json!({ "resource_type": "workspace", "resource_pattern": "*", "permission": "MANAGE" });
    let leads = role(&team, "leads", &manage);
    team.admin(
        "POST",
        &format!("{ROLES}/assign"),
        &json!({ "username": "lead", "role_id": leads }),
    );
    let elsewhere = team.admin(
        "POST",
        &format!("{ROLES}/create"),
        &json!({ "name": "elsewhere", "workspace": "other" }),
    );
    let elsewhere = elsewhere["role"]["id"].clone();
    own(&team, "POST", "create", &json!({ "name": "theirs" }));
    own(&team, "POST", "roles/assign", &json!({ "name": "theirs", "role_id": elsewhere }));
    let ask = |who: &str, method: &str, path: &str, body: Value| -> Answer {
        team.ask(who, method, &format!("{GROUPS}/{path}"), &body)
    };
    // Who manages the team makes groups, but touches none that gives what they could not.
    assert_eq!(ask(&lead, "POST", "create", json!({ "name": "mine" })).status, 200);
    for (method, path, body) in [
        ("POST", "members/add", json!({ "name": "theirs", "username": "lead" })),
        ("DELETE", "delete", json!({ "name": "theirs" })),
        ("PATCH", "update", json!({ "name": "theirs", "new_name": "mine 2" })),
        ("POST", "roles/assign", json!({ "name": "mine", "role_id": elsewhere })),
        ("POST", "roles/assign", json!({ "name": "mine", "role_id": 4711 })),
    ] {
        let answer = ask(&lead, method, path, body.clone());
        assert_eq!(answer.status, 403, "{path} {body}: {}", answer.text());
    }
    // Everybody else makes and sees none, and is told the same of one that is not there.
    for (method, path, body) in [
        ("POST", "create", json!({ "name": "x" })),
        ("POST", "members/add", json!({ "name": "mine", "username": "ada" })),
        ("POST", "members/add", json!({ "name": "none", "username": "ada" })),
        ("POST", "roles/assign", json!({ "name": "mine", "role_id": leads })),
        ("DELETE", "delete", json!({ "name": "mine" })),
        ("GET", "get?name=mine", Value::Null),
        ("GET", "get?name=none", Value::Null),
        (
            "POST",
            "permissions/grant",
            json!({ "name": "mine", "resource_type": "experiment", "resource_id": "0", "permission": "EDIT" }),
        ),
    ] {
        let answer = ask(&ada, method, path, body.clone());
        assert_eq!(answer.status, 403, "{path} {body}: {}", answer.text());
    }
    assert_eq!(ask(&ada, "GET", "list", Value::Null).json(), json!({ "groups": [] }));
    // Whoever may do everything with a thing grants it to a group as to a user.
    let made =
        team.ask(&ada, "POST", "/api/2.0/mlflow/experiments/create", &json!({ "name": "hers" }));
    let id = made.json()["experiment_id"].clone();
    let grant = json!({
        "name": "mine", "resource_type": "experiment", "resource_id": id, "permission": "EDIT",
    });
    assert_eq!(ask(&ada, "POST", "permissions/grant", grant.clone()).status, 200);
    assert_eq!(ask(&ada, "POST", "permissions/grant", grant).status, 400, "twice");
    // A token that is for less manages nothing.
    let made = team.runtime.block_on(team.control.create_token("t", "admin", "EDIT", None));
    let bearer = format!("Bearer {}", made.unwrap().secret);
    assert_eq!(ask(&bearer, "POST", "create", json!({ "name": "y" })).status, 403);
}

#[test]
fn what_is_no_group_is_refused_in_words() {
    let team = Team::start("READ");
    let admin = basic("admin", crate::access::PASSWORD);
    let ask = |method: &str, path: &str, body: &Value| {
        team.ask(&admin, method, &format!("{GROUPS}/{path}"), body)
    };
    own(&team, "POST", "create", &json!({ "name": "a" }));
    own(&team, "POST", "create", &json!({ "name": "b" }));
    for (method, path, body, status, part) in [
        ("POST", "create", json!({ "name": "a" }), 400, "already exists"),
        ("POST", "create", json!({ "name": " " }), 400, "cannot be empty"),
        ("POST", "create", json!({ "name": "x".repeat(256) }), 400, "1 to 255"),
        ("POST", "create", json!({ "name": "a\nb" }), 400, "control character"),
        ("POST", "create", json!({ "name": "c", "description": "x".repeat(1025) }), 400, "1024"),
        ("PATCH", "update", json!({ "name": "a", "new_name": "b" }), 400, "already exists"),
        ("PATCH", "update", json!({ "name": "a" }), 400, "At least one of"),
        ("POST", "members/add", json!({ "name": "a", "username": "nobody" }), 404, "nobody"),
        ("DELETE", "members/remove", json!({ "name": "a", "username": "admin" }), 404, "not in"),
        ("POST", "members/add", json!({ "name": "none", "username": "admin" }), 404, "none"),
        ("DELETE", "roles/unassign", json!({ "name": "a", "role_id": 4711 }), 404, "4711"),
        ("DELETE", "delete", json!({ "name": "none" }), 404, "none"),
    ] {
        let answer = ask(method, path, &body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        assert!(answer.text().contains(part), "{path} {body}: {}", answer.text());
    }
    // Roles of one user or group alone are nobody else's.
    let name = json!({ "name": "__group_1__", "workspace": "default" });
    let made = team.ask(&admin, "POST", &format!("{ROLES}/create"), &name);
    assert_eq!(made.status, 400, "{}", made.text());
    team.grant("admin", "experiment", "0", "READ");
    let all = team.admin("GET", &format!("{ROLES}/list"), &Value::Null);
    let of_user = all["roles"]
        .as_array()
        .unwrap()
        .iter()
        .find(|role| role["name"].as_str().is_some_and(|name| name.starts_with("__user_")));
    let body = json!({ "name": "a", "role_id": of_user.unwrap()["id"] });
    assert_eq!(ask("POST", "roles/assign", &body).status, 400);
    // Before there were groups anybody might have a role of such a name.
    let raw = team.users_database();
    raw.busy_timeout(Duration::from_mins(1)).unwrap();
    raw.execute_batch(
        "INSERT INTO roles (name, workspace) SELECT '__group_' || id || '__', 'default' \
         FROM trainyard_groups WHERE name = 'a'; \
         INSERT INTO user_role_assignments (user_id, role_id) SELECT u.id, r.id FROM users u, roles r \
         WHERE substr(r.name, 1, 8) = '__group_'",
    )
    .unwrap();
    let grant = json!({
        "name": "a", "resource_type": "experiment", "resource_id": "0", "permission": "EDIT",
    });
    let refused = ask("POST", "permissions/grant", &grant);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("others have it"), "{}", refused.text());
}

#[test]
fn a_user_is_in_so_many_groups_and_a_group_has_so_many_roles() {
    let team = Team::start("READ");
    team.create_user("ada");
    for (name, members) in [("first", "ada"), ("second", "ada")] {
        own(&team, "POST", "create", &json!({ "name": name }));
        if name == "first" {
            own(&team, "POST", "members/add", &json!({ "name": name, "username": members }));
        }
    }
    let raw = team.users_database();
    raw.busy_timeout(Duration::from_mins(1)).unwrap();
    raw.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9998) \
         INSERT INTO trainyard_groups (name) SELECT 'g' || i FROM n; \
         INSERT INTO trainyard_group_members (group_id, user_id) SELECT g.id, u.id \
         FROM trainyard_groups g, users u WHERE u.username = 'ada' AND g.name LIKE 'g%' LIMIT 99; \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 21) \
         INSERT INTO roles (name, workspace) SELECT 'role ' || i, 'default' FROM n; \
         INSERT INTO trainyard_group_roles (group_id, role_id) SELECT g.id, r.id \
         FROM trainyard_groups g, roles r WHERE g.name = 'first' AND r.name LIKE 'role %' ORDER BY r.id LIMIT 20; \
         UPDATE trainyard_access SET version = version + 1",
    )
    .unwrap();
    let sql = "SELECT max(id) FROM roles";
    let last: i64 = raw.query_row(sql, [], |row| row.get(0)).unwrap();
    let admin = basic("admin", crate::access::PASSWORD);
    let end = Instant::now() + Duration::from_mins(2);
    let refused = |path: &str, body: &Value, part: &str| loop {
        let answer = team.ask(&admin, "POST", &format!("{GROUPS}/{path}"), body);
        // What was put in beside the server is known within a moment.
        if answer.status != 403 && answer.status != 404 {
            assert_eq!(answer.status, 400, "{path}: {}", answer.text());
            assert!(answer.text().contains(part), "{path}: {}", answer.text());
            return;
        }
        assert!(Instant::now() < end, "{path}: {}", answer.text());
        std::thread::sleep(Duration::from_millis(50));
    };
    refused("create", &json!({ "name": "one more" }), "10000 groups");
    refused("members/add", &json!({ "name": "second", "username": "ada" }), "100 groups");
    refused("roles/assign", &json!({ "name": "first", "role_id": last }), "20 roles");
}

#[test]
fn what_is_changed_beside_the_server_counts_within_a_moment() {
    let team = Team::start("READ");
    let ada = team.create_user("ada");
    let beside = team.open_again();
    let change = async {
        beside.create_group("team", None).await?;
        // All who are named, or none.
        let wrong = ["ada", "nobody"].map(str::to_owned);
        beside.set_members("team", &wrong, true).await.unwrap_err();
        beside.set_members("team", &["ada".to_owned()], true).await?;
        beside.grant_to_group("team", ("experiment", "*"), "EDIT").await
    };
    team.runtime.block_on(change).unwrap();
    let end = Instant::now() + Duration::from_mins(2);
    while new_run(&team, &ada) != 200 {
        assert!(Instant::now() < end, "the server does not notice");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(beside.groups(), [("team".to_owned(), vec!["ada".to_owned()])]);
    let change = async {
        beside.revoke_from_group("team", ("experiment", "*")).await?;
        beside.delete_group("team").await
    };
    team.runtime.block_on(change).unwrap();
    while new_run(&team, &ada) == 200 {
        assert!(Instant::now() < end, "the server does not notice");
        std::thread::sleep(Duration::from_millis(50));
    }
}
