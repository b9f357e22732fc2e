//! Who gets what from which endpoint: each of several users with each call of MLflow's API, as upstream answers
//! (recorded from `mlflow server --app-name basic-auth` 3.17.2 by the same script).

use std::collections::BTreeMap;

use serde::Deserialize;
use trainyard_testkit::run_python;

use crate::access::Team;

const SCRIPT: &str = include_str!("../conformance/access_matrix.py");
const RECORDED: &str = include_str!("../conformance/access_matrix.jsonl");

/// What is meant to differ: whose call, which, upstream's status and ours, and why.
const DELIBERATE: &[(&str, &str, u16, u16)] = &[
    // Whoever may see every run is told that there is none.
    ("of_the_workspace", "GET /api/2.0/mlflow/runs/get (again)", 403, 404),
    // Whoever may delete every model is told that there is none of the name.
    ("of_the_workspace", "DELETE /api/2.0/mlflow/registered-models/delete (again)", 403, 404),
];
/// Upstream lists things to members of a workspace that it then refuses to show them.
const LISTS_DIFFER: &str = "member";

#[derive(Deserialize)]
struct Row {
    user: String,
    statuses: BTreeMap<String, u16>,
    experiments: Vec<String>,
    full_pages: bool,
    models: Vec<String>,
}

fn rows(text: &str) -> Vec<Row> {
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

#[test]
fn every_user_gets_from_every_endpoint_what_upstream_gives_them() {
    let team = Team::start("NO_PERMISSIONS");
    let ours = rows(&run_python(SCRIPT, &[&team.server.url], &[]));
    let upstreams = rows(RECORDED);
    assert_eq!(ours.len(), upstreams.len());
    let mut differing = Vec::new();
    for (ours, upstreams) in ours.iter().zip(&upstreams) {
        assert_eq!(ours.user, upstreams.user);
        let user = ours.user.as_str();
        assert!(ours.statuses.keys().eq(upstreams.statuses.keys()), "{user}");
        for (call, expected) in &upstreams.statuses {
            let status = ours.statuses[call];
            let is_meant = DELIBERATE.contains(&(user, call.as_str(), *expected, status));
            if status != *expected && !is_meant {
                differing.push(format!("{user}: {call}: {status}, upstream {expected}"));
            }
        }
        assert!(
            ours.full_pages,
            "{user}: a page with less than was asked for tells of hidden things"
        );
        if user != LISTS_DIFFER {
            assert_eq!(ours.experiments, upstreams.experiments, "{user}");
            assert_eq!(ours.models, upstreams.models, "{user}");
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
