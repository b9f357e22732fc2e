//! Traces, assessments and datasets of examples: whose experiment it is decides, as upstream has it.

use serde_json::{Value, json};

use crate::access::Team;
use crate::http::Answer;

const TRACES: &str = "/api/3.0/mlflow/traces";
const DATASETS: &str = "/api/3.0/mlflow/datasets";

/// A team with an experiment, and users who may do more and more with it.
fn team() -> (Team, String, Vec<(&'static str, String)>) {
    let team = Team::start("NO_PERMISSIONS");
    let create = json!({ "name": "chat" });
    let made = team.admin("POST", "/api/2.0/mlflow/experiments/create", &create);
    let id = made["experiment_id"].as_str().unwrap().to_owned();
    let mut users = Vec::new();
    for (name, permission) in [
        ("nobody", None),
        ("reader", Some("READ")),
        ("editor", Some("EDIT")),
        ("manager", Some("MANAGE")),
    ] {
        users.push((name, team.create_user(name)));
        if let Some(permission) = permission {
            team.grant(name, "experiment", &id, permission);
        }
    }
    (team, id, users)
}

fn trace(id: &str, experiment_id: &str) -> Value {
    json!({ "trace": { "trace_info": {
        "trace_id": id, "state": "OK", "request_time": "2026-01-01T00:00:00Z",
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": experiment_id },
        },
    } } })
}

#[test]
fn traces_are_for_whom_their_experiment_is() {
    let (team, id, users) = team();
    let is = |answer: &Answer, allowed: bool, what: &str| {
        let expected = if allowed { 200 } else { 403 };
        assert_eq!(answer.status, expected, "{what}: {}", answer.text());
    };
    let locations = json!([{ "mlflow_experiment": { "experiment_id": id } }]);
    for (rank, (name, authorization)) in users.iter().enumerate() {
        let ask =
            |method: &str, path: &str, body: &Value| team.ask(authorization, method, path, body);
        let (reads, writes, deletes) = (rank >= 1, rank >= 2, rank >= 3);
        let own = format!("tr-{rank}");
        is(&ask("POST", TRACES, &trace(&own, &id)), writes, name);
        team.admin("POST", TRACES, &trace(&own, &id));
        let one = format!("{TRACES}/{own}");
        is(&ask("GET", &one, &Value::Null), reads, name);
        let search = json!({ "locations": locations });
        is(&ask("POST", &format!("{TRACES}/search"), &search), reads, name);
        let batch = json!({ "trace_ids": [own] });
        is(&ask("POST", &format!("{TRACES}/batchGetInfos"), &batch), reads, name);
        let tag = json!({ "key": "k", "value": "v" });
        is(&ask("PATCH", &format!("{one}/tags"), &tag), writes, name);
        let assessment = json!({ "assessment": {
            "assessment_name": "good", "source": { "source_type": "HUMAN", "source_id": name },
            "feedback": { "value": true },
        } });
        is(&ask("POST", &format!("{one}/assessments"), &assessment), writes, name);
        let delete = json!({ "experiment_id": id, "request_ids": [own] });
        is(&ask("POST", &format!("{TRACES}/delete-traces"), &delete), deletes, name);
        // What is not there is refused like what is not theirs.
        is(&ask("GET", &format!("{TRACES}/tr-none"), &Value::Null), false, name);
    }
}

#[test]
fn a_trace_is_not_changed_through_another_experiment() {
    let (team, id, users) = team();
    team.admin("POST", TRACES, &trace("tr-1", &id));
    let (_, nobody) = &users[0];
    let made =
        team.ask(nobody, "POST", "/api/2.0/mlflow/experiments/create", &json!({ "name": "own" }));
    let own = made.json()["experiment_id"].as_str().unwrap().to_owned();
    assert_eq!(team.ask(nobody, "POST", TRACES, &trace("tr-2", &own)).status, 200);
    let taken = team.ask(nobody, "POST", TRACES, &trace("tr-1", &own));
    assert_eq!(taken.status, 403, "{}", taken.text());
    // Nor is it found by naming one's own beside it.
    let both = json!([
        { "mlflow_experiment": { "experiment_id": own } },
        { "mlflow_experiment": { "experiment_id": id } },
    ]);
    let search =
        team.ask(nobody, "POST", &format!("{TRACES}/search"), &json!({ "locations": both }));
    assert_eq!(search.status, 403);
    let batch = json!({ "trace_ids": ["tr-1", "tr-2"] });
    assert_eq!(team.ask(nobody, "POST", &format!("{TRACES}/batchGetInfos"), &batch).status, 403);
}

#[test]
fn who_may_not_see_assessments_sees_traces_without_them() {
    let (team, id, users) = team();
    team.admin("POST", TRACES, &trace("tr-1", &id));
    let assessment = json!({ "assessment": {
        "assessment_name": "good", "source": { "source_type": "HUMAN", "source_id": "admin" },
        "feedback": { "value": true },
    } });
    team.admin("POST", &format!("{TRACES}/tr-1/assessments"), &assessment);
    let (_, reader) = &users[1];
    let shown = || team.ask(reader, "GET", &format!("{TRACES}/tr-1"), &Value::Null).text();
    let search = |filter: &str| {
        let locations = json!([{ "mlflow_experiment": { "experiment_id": id } }]);
        let body = json!({ "locations": locations, "filter": filter });
        team.ask(reader, "POST", &format!("{TRACES}/search"), &body).status
    };
    assert!(shown().contains("good"), "{}", shown());
    let role = team.admin(
        "POST",
        "/api/3.0/mlflow/roles/create",
        &json!({ "name": "blind", "workspace": "default" }),
    );
    let role = &role["role"]["id"];
    let grant = json!({
        "role_id": role, "resource_type": "assessment", "resource_pattern": "*", "permission": "DENY",
    });
    team.admin("POST", "/api/3.0/mlflow/roles/permissions/add", &grant);
    let assign = json!({ "username": "reader", "role_id": role });
    team.admin("POST", "/api/3.0/mlflow/roles/assign", &assign);
    assert!(!shown().contains("good"), "{}", shown());
    assert_eq!(search("tags.x = 'y'"), 200);
    assert_eq!(search("feedback.good = 'true'"), 403, "what is found tells of it, too");
}

#[test]
fn datasets_are_for_whom_all_their_experiments_are() {
    let (team, id, users) = team();
    let admin_only = json!({ "name": "private" });
    let other = team.admin("POST", "/api/2.0/mlflow/experiments/create", &admin_only);
    let make = |name: &str, ids: Value| {
        let body = json!({ "name": name, "experiment_ids": ids });
        let made = team.admin("POST", &format!("{DATASETS}/create"), &body);
        made["dataset"]["dataset_id"].as_str().unwrap().to_owned()
    };
    let open = make("open", json!([id]));
    let shared = make("shared", json!([id, other["experiment_id"]]));
    for (rank, (name, authorization)) in users.iter().enumerate() {
        let ask =
            |method: &str, path: &str, body: &Value| team.ask(authorization, method, path, body);
        let status = |allowed: bool| if allowed { 200 } else { 403 };
        let get = |dataset: &str| ask("GET", &format!("{DATASETS}/{dataset}"), &Value::Null).status;
        assert_eq!(get(&open), status(rank >= 1), "{name}");
        assert_eq!(get(&shared), 403, "{name}");
        let search = ask("POST", &format!("{DATASETS}/search"), &json!({ "experiment_ids": [id] }));
        assert_eq!(search.status, status(rank >= 1), "{name}: {}", search.text());
        assert!(!search.text().contains(&shared), "{name}");
        let every = ask("POST", &format!("{DATASETS}/search"), &json!({}));
        assert_eq!(every.status, 403, "{name}");
        let create = json!({ "name": format!("of {name}"), "experiment_ids": [id] });
        let create = ask("POST", &format!("{DATASETS}/create"), &create);
        assert_eq!(create.status, status(rank >= 2), "{name}: {}", create.text());
    }
}
