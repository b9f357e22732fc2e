//! `trainyard retrain`, a look at a time: what it costs, what it learns from, and what is told when it fails.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::{TestProject, stdout_of};
use crate::run::runtime;
use crate::watch::{Delivery, SECRET, receiver};

/// A project that drifts whatever comes, with a receiver of what it tells.
fn drifting() -> (TestProject, Receiver<Delivery>) {
    let (url, received) = receiver();
    let mut project = TestProject::iris();
    project.accept_every_version();
    project.edit("drift_share = 0.5", "drift_share = 0.0");
    project.edit("cool_down = \"6h\"", "cool_down = \"1s\"");
    project.edit("max_per_day = 3", "max_per_day = 1");
    project.edit(
        "# [notify]  ",
        "[notify]\nwebhook_url_env = \"HOOK\"\nwebhook_secret_env = \"HOOK_SECRET\"\n#  ",
    );
    project.env.push(("HOOK".to_owned(), url));
    project.env.push(("HOOK_SECRET".to_owned(), SECRET.to_owned()));
    (project, received)
}

/// What a look led to, once nothing is to be waited for.
fn retrain(project: &TestProject) -> Value {
    let start = Instant::now();
    loop {
        let output = project.run(&["retrain", "--json"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let said: Value = serde_json::from_str(&said).unwrap_or_else(|error| {
            panic!("{error}: {said}\n{}", String::from_utf8_lossy(&output.stderr))
        });
        if !said["text"].as_str().unwrap().contains(" s ago") {
            return said;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{said}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until it is told of this; what else is told is passed over.
fn heard(received: &Receiver<Delivery>, kind: &str) -> Value {
    loop {
        let delivery = received.recv_timeout(Duration::from_mins(1)).unwrap();
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        if body["type"] == kind {
            return body;
        }
    }
}

#[test]
fn failures_are_told_cost_nothing_and_keep_their_requests() {
    let (project, received) = drifting();
    stdout_of(&project.run(&["run"]), 0);

    // 60 requests were sent: too few to conclude anything from, whatever they say.
    let few = retrain(&project);
    assert_eq!(few["outcome"], "too_few", "{few}");
    project.edit("# min_requests = 100", "min_requests = 5 #");
    let same = retrain(&project);
    assert_eq!(same["outcome"], "nothing_new", "{same}");

    // Data that cannot be trained on.
    let good = std::fs::read_to_string(project.file("data/train.csv")).unwrap();
    std::fs::write(project.file("data/train.csv"), good.replace("species", "kind")).unwrap();
    for _ in 0..2 {
        let failed = retrain(&project);
        assert_eq!(failed["outcome"], "refused", "{failed}");
        assert_eq!(failed["drift"]["rows"], same["drift"]["rows"], "the same requests again");
        let told = heard(&received, "training_failed");
        assert!(told["text"].as_str().unwrap().contains("species"), "{told}");
    }

    // Trained, but it cannot be deployed: that is a version, and it is not in production.
    std::fs::write(project.file("data/train.csv"), &good).unwrap();
    project.add_training_row("5.0,3.4,1.5,0.2,setosa");
    project.edit("deadline = \"30s\"", "deadline = \"1ms\"");
    let failed = retrain(&project);
    assert_eq!(failed["outcome"], "refused", "{failed}");
    heard(&received, "deploy_failed");
    project.edit("deadline = \"1ms\"", "deadline = \"30s\"");
    let released = retrain(&project);
    assert_eq!(released["outcome"], "retrained", "{released}");
    assert_eq!(released["drift"]["rows"], same["drift"]["rows"], "the same requests again");
    let text = released["text"].as_str().unwrap();
    assert!(text.contains("version 2 serves now"), "it was not trained once more: {text}");

    // That was the training of the day, though nothing of this lies on the disk.
    project.add_training_row("5.1,3.3,1.6,0.2,setosa");
    let spent = retrain(&project);
    assert_eq!(spent["outcome"], "held", "{spent}");
    assert!(spent["text"].as_str().unwrap().contains("1 trainings in 24 hours"), "{spent}");
    assert!(!project.file(".trainyard/watch.json").exists());

    // A look that fails itself.
    project.edit("[monitor]\n", "[monitor]\nreference = \"nowhere.csv\"\n");
    assert_ne!(project.run(&["retrain"]).status.code(), Some(0));
    let told = heard(&received, "monitor_failed");
    assert!(told["text"].as_str().unwrap().contains("nowhere.csv"), "{told}");

    // Nobody is served any more.
    let status = stdout_of(&project.run(&["deploy", "status", "--json"]), 0);
    let status: Value = serde_json::from_str(&status).unwrap();
    let process = status["instances"][0]["handle"].as_str().unwrap();
    std::process::Command::new("kill").args(["-KILL", process]).status().unwrap();
    assert_ne!(project.run(&["retrain"]).status.code(), Some(0));
    let told = heard(&received, "outage");
    assert!(told["text"].as_str().unwrap().contains("does not serve"), "{told}");
    stdout_of(&project.run(&["deploy", "stop"]), 0);
}

#[test]
fn what_feedback_says_is_learned_from() {
    let project = TestProject::iris();
    project.edit("seed = 42\n", "seed = 42\nfeedback = true\n");
    project.edit("[deploy]\n", "[deploy]\nexpose = [\"/feedback\"]\n");
    let trained = |arguments: &[&str]| -> Value {
        serde_json::from_str(&stdout_of(&project.run(arguments), 0)).unwrap()
    };
    let first = trained(&["train", "--json"]);
    stdout_of(&project.run(&["promote"]), 0);
    let deployed = trained(&["deploy", "--json"]);
    let url = deployed["url"].as_str().unwrap().to_owned();
    runtime().block_on(async {
        let client = reqwest::Client::new();
        let flower = |length: f64| {
            json!({
                "sepal length (cm)": length, "sepal width (cm)": 3.5,
                "petal length (cm)": 1.4, "petal width (cm)": 0.2
            })
        };
        let rows: Vec<Value> = (0..20).map(|row| flower(5.0 + f64::from(row) / 10.0)).collect();
        let asked = client.post(format!("{url}/predict")).json(&rows).send().await.unwrap();
        let id = asked.headers()["x-request-id"].to_str().unwrap().to_owned();
        // One of them is no class of flowers, and is left out.
        let facts: Vec<Value> = (0..19)
            .map(|row| json!({"request_id": id, "row": row, "actual": "setosa"}))
            .chain([json!({"request_id": id, "row": 19, "actual": true})])
            .collect();
        let told = client.post(format!("{url}/feedback")).json(&facts).send().await.unwrap();
        assert!(told.status().is_success(), "{}", told.status());
    });
    // An instance that ends writes what it holds.
    stdout_of(&project.run(&["deploy", "stop"]), 0);
    let second = trained(&["train", "--if-new", "--json"]);
    assert_eq!((&second["version"], &second["is_new"]), (&json!("2"), &json!(true)));
    let third = trained(&["train", "--if-new", "--json"]);
    assert_eq!(third["is_new"], false, "the same feedback is nothing new");

    let script = "import json, mlflow, sys\n\
        mlflow.set_tracking_uri(sys.argv[1])\n\
        client = mlflow.MlflowClient()\n\
        first, second = (client.get_run(run).data for run in sys.argv[2:])\n\
        rows = lambda data: int(data.params['train_rows']) + int(data.params['holdout_rows'])\n\
        print(rows(second) - rows(first), second.tags['trainyard.feedback.rows'],\n\
              second.tags['trainyard.feedback.left_out'], second.tags['trainyard.feedback.versions'])\n\
        tags = client.get_model_version('IrisClassifier', '2').tags\n\
        print(len(tags['trainyard.feedback.digest']))\n";
    let store = format!("sqlite:///{}", project.file("mlflow.db").display());
    let runs = [&first, &second].map(|one| one["run_id"].as_str().unwrap());
    let seen = trainyard_testkit::run_python(script, &[&store, runs[0], runs[1]], &[]);
    assert_eq!(seen.trim(), "19 19 1 1\n64");
}
