//! A version on its way to users and back: approved, released, rolled back; what the registry and the history
//! say of it, and what happens when somebody moves the alias by hand.

use std::process::Stdio;

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, run_python};

use crate::dashboards;
use crate::project::{TestProject, stdout_of, trainyard};
use crate::run::{post_json, reqwest_get};

fn told(project: &TestProject, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout_of(&project.run(arguments), 0)).unwrap()
}

fn health(url: &str) -> Value {
    serde_json::from_str(&reqwest_get(&format!("{url}/health")).unwrap()).unwrap()
}

fn store(project: &TestProject) -> String {
    format!("sqlite:///{}", project.file("mlflow.db").display())
}

/// Moves `Production` as a user of MLflow would.
fn label_by_hand(project: &TestProject, version: &str) {
    let script = "import mlflow, sys\n\
        mlflow.set_tracking_uri(sys.argv[1])\n\
        client = mlflow.MlflowClient()\n\
        client.set_registered_model_alias('IrisClassifier', 'Production', sys.argv[2])";
    run_python(script, &[&store(project), version], &[]);
}

/// What MLflow's client sees: aliases, states of versions, and the runs of releases, oldest first.
fn registry(project: &TestProject) -> Value {
    let script = "import json, mlflow, sys\n\
        mlflow.set_tracking_uri(sys.argv[1])\n\
        client = mlflow.MlflowClient()\n\
        model = client.get_registered_model('IrisClassifier')\n\
        versions = client.search_model_versions(\"name = 'IrisClassifier'\")\n\
        experiment = client.get_experiment_by_name('/IrisClassifier_releases')\n\
        ids = [experiment.experiment_id] if experiment else []\n\
        runs = client.search_runs(ids, order_by=['attributes.start_time ASC']) if ids else []\n\
        print(json.dumps({\n\
            'aliases': {alias: str(version) for alias, version in model.aliases.items()},\n\
            'tags': {str(v.version): v.tags for v in versions},\n\
            'runs': [[r.data.params['kind'], r.data.params['from'], r.data.params['to'],\n\
                      r.data.params['actor'], r.data.tags['trainyard.outcome'],\n\
                      r.data.tags['trainyard.reason'], r.info.status,\n\
                      r.data.metrics['took_seconds'] >= 0] for r in runs]}))";
    serde_json::from_str(&run_python(script, &[&store(project)], &[])).unwrap()
}

#[test]
fn a_version_earns_production_and_is_taken_back() {
    let mut project = TestProject::iris();
    project.env.push(("GITHUB_ACTOR".to_owned(), "ana".to_owned()));
    project.env.push(("MLFLOW_TRACKING_USERNAME".to_owned(), String::new()));
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let seen = registry(&project);
    assert_eq!(seen["aliases"], json!({"Staging": "1"}), "{seen}");
    assert_eq!(seen["tags"]["1"]["trainyard.state"], "approved");
    assert_eq!(seen["tags"]["1"]["trainyard.state.by"], "ana");
    let first = told(&project, &["deploy", "--json"]);
    let url = first["url"].as_str().unwrap();
    let seen = registry(&project);
    assert_eq!(seen["aliases"], json!({"Staging": "1", "Production": "1"}), "{seen}");
    let metrics = stdout_of(&project.run(&["deploy", "metrics"]), 0);
    dashboards::assert_on_page(&metrics, &dashboards::GATEWAY);

    // A promotion is no release: what is deployed stays what it is, whatever it is asked.
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let status = told(&project, &["deploy", "status", "--json"]);
    let instance = status["instances"][0]["address"].as_str().unwrap();
    let reloaded = post_json(&format!("http://{instance}/reload"), &json!({})).unwrap();
    let reloaded: Value = serde_json::from_str(&reloaded).unwrap();
    assert_eq!(reloaded["reload"], "unchanged", "{reloaded}");
    assert_eq!((&reloaded["version"], &reloaded["pinned"]), (&json!("1"), &json!(true)));
    assert_eq!(registry(&project)["aliases"], json!({"Staging": "2", "Production": "1"}));

    stdout_of(&project.run(&["deploy", "--reason", "better on lilies"]), 0);
    assert_eq!(health(url)["version"], "2");
    let seen = registry(&project);
    assert_eq!(seen["aliases"]["Production"], "2");
    assert_eq!(seen["tags"]["1"]["trainyard.state"], "replaced");
    assert_eq!(seen["tags"]["2"]["trainyard.state"], "released");
    assert_eq!(seen["tags"]["2"]["trainyard.state.reason"], "better on lilies");

    let rollback = ["deploy", "rollback", "--reason", "wrong threshold", "--json"];
    assert_eq!(told(&project, &rollback)["version"], "1");
    assert_eq!(health(url)["version"], "1");
    let status = stdout_of(&project.run(&["deploy", "status"]), 0);
    assert!(status.contains("IrisClassifier version 1 (Production)"), "{status}");
    // Not to the bad one again.
    assert_eq!(project.run(&["deploy", "rollback"]).status.code(), Some(2));
    let seen = registry(&project);
    assert_eq!(seen["aliases"]["Production"], "1");
    assert_eq!(seen["tags"]["2"]["trainyard.state"], "rolled_back");
    assert_eq!(seen["tags"]["1"]["trainyard.state"], "released");
    assert_eq!(
        seen["runs"],
        json!([
            ["release", "none", "1", "ana", "released", "", "FINISHED", true],
            ["release", "1", "2", "ana", "released", "better on lilies", "FINISHED", true],
            ["rollback", "2", "1", "ana", "released", "wrong threshold", "FINISHED", true],
        ])
    );
    let history = told(&project, &["deploy", "history", "--json"]);
    let last = &history[2];
    assert_eq!((&last["kind"], &last["actor"]), (&json!("rollback"), &json!("ana")), "{last}");
    assert_eq!(last["reason"], "wrong threshold");
    assert_eq!(last["label"]["version"], "1");
    let text = stdout_of(&project.run(&["deploy", "history"]), 0);
    let line = text.lines().last().unwrap();
    assert!(line.contains("rollback") && line.ends_with("by ana: wrong threshold"), "{line}");

    // By hand: traffic stays until the version has gone through the checks.
    label_by_hand(&project, "2");
    let status = told(&project, &["deploy", "status", "--json"]);
    let difference = json!({"production": "2", "serving": "1", "refused": null});
    assert_eq!(status["difference"], difference);
    assert_eq!(health(url)["version"], "1");
    assert_eq!(told(&project, &["deploy", "rollback", "--to", "2", "--json"])["version"], "2");
    let status = told(&project, &["deploy", "status", "--json"]);
    assert_eq!(status["difference"], Value::Null);
    // To go on to a newer one says nothing of the older.
    assert_eq!(registry(&project)["tags"]["1"]["trainyard.state"], "replaced");

    // What was approved and is refused later is not approved any more.
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    project.edit("accuracy = { min = 0.9 }", "accuracy = { min = 1.1 }");
    assert_eq!(project.run(&["promote"]).status.code(), Some(3));
    let seen = registry(&project);
    assert_eq!(seen["aliases"], json!({"Production": "2"}), "{seen}");
    assert_eq!(seen["tags"]["3"]["trainyard.state"], "refused");
    assert_eq!(project.run(&["deploy", "--version", "3"]).status.code(), Some(3));
    // No alias leads around the gate, not even to what was released once.
    label_by_hand(&project, "1");
    assert_eq!(project.run(&["deploy"]).status.code(), Some(3));
    assert_eq!(health(url)["version"], "2");
    let status = told(&project, &["deploy", "status", "--json"]);
    let refused = status["difference"]["refused"].as_str().unwrap();
    assert!(refused.contains("must be at least 1.1"), "{refused}");
}

#[test]
fn an_alias_moved_by_hand_is_a_release_like_any_other() {
    let project = TestProject::iris();
    project.edit("127.0.0.1:0", &format!("127.0.0.1:{}", trainyard_testkit::free_port()));
    // Every second, and with no thought of training anew.
    project.edit("every = \"1h\"", "every = \"1s\"");
    project.edit("max_per_day = 3", "max_per_day = 1\nmin_requests = 1000000");
    for verb in ["train", "promote", "deploy", "train"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let mut watching = KillOnDrop::spawn(
        trainyard()
            .current_dir(project.path())
            .args(["run", "--watch", "--force"])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    let mut wait_until_serves = |version: &str| loop {
        assert!(watching.0.try_wait().unwrap().is_none(), "it watches");
        let status = told(&project, &["deploy", "status", "--json"]);
        let instances = status["instances"].as_array().unwrap();
        let serves = instances.len() == 1 && instances[0]["label"]["version"] == version;
        if serves && status["difference"].is_null() && status["holder"].is_null() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    // Its own run first.
    wait_until_serves("3");
    label_by_hand(&project, "2");
    wait_until_serves("2");
    assert_eq!(registry(&project)["tags"]["2"]["trainyard.state"], "released");
    watching.kill();
    stdout_of(&project.run(&["deploy", "stop"]), 0);
}
