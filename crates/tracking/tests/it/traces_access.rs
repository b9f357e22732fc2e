//! Traces, assessments and datasets of examples: whose experiment it is decides, as upstream has it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use trainyard_testkit::run_python;

use crate::access::Team;

const TRACES: &str = "/api/3.0/mlflow/traces";
const DATASETS: &str = "/api/3.0/mlflow/datasets";

/// A team with an experiment, somebody who may do nothing with it and somebody who may read.
fn team() -> (Team, String, Vec<(&'static str, String)>) {
    let team = Team::start("NO_PERMISSIONS");
    let create = json!({ "name": "chat" });
    let made = team.admin("POST", "/api/2.0/mlflow/experiments/create", &create);
    let id = made["experiment_id"].as_str().unwrap().to_owned();
    let mut users = Vec::new();
    for name in ["nobody", "reader"] {
        users.push((name, team.create_user(name)));
    }
    team.grant("reader", "experiment", &id, "READ");
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

const SCRIPT: &str = include_str!("../conformance/access_traces.py");
const RECORDED: &str = include_str!("../conformance/access_traces.jsonl");

#[derive(Deserialize)]
struct Row {
    user: String,
    statuses: BTreeMap<String, u16>,
}

fn rows(text: &str) -> Vec<Row> {
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

/// Recorded from `mlflow server --app-name basic-auth` 3.17.2 by the same script.
#[test]
fn every_user_gets_of_traces_and_datasets_what_upstream_gives_them() {
    let team = Team::start("NO_PERMISSIONS");
    let ours = rows(&run_python(SCRIPT, &[&team.server.url], &[]));
    let upstreams = rows(RECORDED);
    assert_eq!(ours.len(), upstreams.len());
    let mut differing = Vec::new();
    for (ours, upstreams) in ours.iter().zip(&upstreams) {
        assert_eq!(ours.user, upstreams.user);
        assert!(ours.statuses.keys().eq(upstreams.statuses.keys()), "{}", ours.user);
        for (call, expected) in &upstreams.statuses {
            let status = ours.statuses[call];
            if status != *expected {
                differing.push(format!("{}: {call}: {status}, upstream {expected}", ours.user));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
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

/// The tag leads to files, which nobody is asked about once more.
#[test]
fn a_trace_does_not_lead_to_the_files_of_others() {
    let (team, _, users) = team();
    let (_, nobody) = &users[0];
    let made =
        team.ask(nobody, "POST", "/api/2.0/mlflow/experiments/create", &json!({ "name": "own" }));
    let own = made.json()["experiment_id"].as_str().unwrap().to_owned();
    let start = json!({
        "experiment_id": own, "timestamp_ms": 1, "request_metadata": [], "tags": [],
    });
    let started = team.ask(nobody, "POST", "/api/2.0/mlflow/traces", &start).json();
    let id = started["trace_info"]["request_id"].as_str().unwrap().to_owned();
    let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
    let end = json!({
        "request_id": id, "timestamp_ms": 2, "status": "OK", "request_metadata": [],
        "tags": [
            tag("mlflow.artifactLocation", "mlflow-artifacts:/elsewhere/traces/t/artifacts"),
            tag("mlflow.trace.spansLocation", "TRACKING_STORE"),
            tag("team", "blue"),
        ],
    });
    let ended = team.ask(nobody, "PATCH", &format!("/api/2.0/mlflow/traces/{id}"), &end);
    assert_eq!(ended.status, 200, "{}", ended.text());
    let told = ended.text();
    assert!(told.contains("blue"), "{told}");
    assert!(!told.contains("elsewhere") && !told.contains("TRACKING_STORE"), "{told}");
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
    assert_eq!(search("issue.id = 'i-1'"), 403);
}

#[test]
fn a_dataset_that_is_half_hidden_is_not_listed() {
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
    let (_, reader) = &users[1];
    let search = json!({ "experiment_ids": [id] });
    let found = team.ask(reader, "POST", &format!("{DATASETS}/search"), &search);
    assert!(found.text().contains(&open) && !found.text().contains(&shared), "{}", found.text());
    let path = format!("{DATASETS}/{shared}");
    assert_eq!(team.ask(reader, "GET", &path, &Value::Null).status, 403);
}
