//! A version that answers otherwise than the one that serves is stopped before it gets a request, and asking
//! both leaves no trace.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use trainyard_testkit::run_python;

use crate::project::{TestProject, stdout_of};
use crate::run::{post_json, reqwest_get};

/// Requests that are sent.
const SENT: usize = 40;

/// The first rows of the example's requests, as records.
fn records(project: &TestProject) -> Vec<Value> {
    let text = std::fs::read_to_string(project.file("data/production_requests.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let record = |line: &str| -> Value {
        let cells = line.split(',').map(|cell| json!(cell.parse::<f64>().unwrap()));
        names.iter().map(|name| (*name).to_owned()).zip(cells).collect::<Map<_, _>>().into()
    };
    lines.take(SENT).map(record).collect()
}

/// Rows of the prediction log by version.
fn logged(project: &TestProject) -> Value {
    let script = r"
import collections, glob, json, sys
import pyarrow.parquet
count = collections.Counter()
for path in glob.glob(sys.argv[1] + '/predictions-*.parquet'):
    count.update(pyarrow.parquet.read_table(path)['trainyard.model_version'].to_pylist())
print(json.dumps(count))
";
    let folder = project.file(".trainyard/predictions");
    serde_json::from_str(&run_python(script, &[folder.to_str().unwrap()], &[])).unwrap()
}

/// Waits until all requests are in the log, for which the instance is asked.
fn wait_for_log(project: &TestProject) {
    let status = project.run(&["deploy", "status", "--json"]);
    let status: Value = serde_json::from_str(&stdout_of(&status, 0)).unwrap();
    let address = status["instances"][0]["address"].as_str().unwrap();
    let start = Instant::now();
    loop {
        let _told = post_json(&format!("http://{address}/flush"), &json!({})).unwrap();
        let logged = logged(project);
        if logged["1"] == json!(SENT) {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{logged}");
    }
}

/// Trains a version that calls one kind of flower the other.
fn swap_labels(project: &TestProject) {
    let path = project.file("data/train.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("setosa", "?").replace("virginica", "setosa").replace('?', "virginica");
    std::fs::write(&path, text).unwrap();
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
}

#[test]
fn a_version_that_changes_answers_is_stopped_before_the_switch() {
    let project = TestProject::iris();
    // How good they are is not what this is about.
    project.edit("accuracy = { min = 0.9 }", "accuracy = { min = 0.3 }");
    project.edit("log_loss = { max = 0.5 }", "log_loss = { max = 50.0 }");
    project.edit("accuracy = 0.02", "");
    project.edit("[deploy]\n", "[gate.behaviour]\nmax_changed = 0.2\n\n[deploy]\n");
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let deployed: Value =
        serde_json::from_str(&stdout_of(&project.run(&["deploy", "--json"]), 0)).unwrap();
    let url = deployed["url"].as_str().unwrap().to_owned();
    let ask = |record: &Value| post_json(&format!("{url}/predict"), &json!([record])).unwrap();
    let answers: Vec<String> = records(&project).iter().map(ask).collect();
    let of = |label: &str| answers.iter().filter(|answer| answer.contains(label)).count();
    assert!(of("setosa") + of("virginica") > SENT / 4, "{answers:?}");
    wait_for_log(&project);
    swap_labels(&project);

    let refused = project.run(&["deploy"]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{error}");
    assert!(error.contains("answers change") && error.contains("max_changed"), "{error}");
    let health: Value =
        serde_json::from_str(&reqwest_get(&format!("{url}/health")).unwrap()).unwrap();
    assert_eq!(health["version"], "1", "{health}");

    project.edit("max_changed = 0.2", "max_changed = 1.0");
    let deployed: Value =
        serde_json::from_str(&stdout_of(&project.run(&["deploy", "--json"]), 0)).unwrap();
    assert_eq!(deployed["version"], "2");
    let behaviour = &deployed["behaviour"];
    assert_eq!((&behaviour["before"], &behaviour["after"]), (&json!("1"), &json!("2")));
    assert_eq!((&behaviour["source"], &behaviour["requests"]), (&json!("log"), &json!(SENT)));
    assert_eq!(behaviour["compared"], json!(SENT), "{behaviour}");
    let changed = behaviour["changed"].as_u64().unwrap() as usize;
    assert!(changed > SENT / 5 && changed <= SENT, "{behaviour}");
    assert!(behaviour["difference"]["max"].as_f64().unwrap() > 0.5, "{behaviour}");
    let classes = behaviour["classes"].as_array().unwrap();
    let setosa = classes.iter().find(|class| class["label"] == "setosa").unwrap();
    let share = of("setosa") as f64 / SENT as f64;
    assert!((setosa["before"].as_f64().unwrap() - share).abs() < 1e-9, "{behaviour}");
    let row = &behaviour["rows"][0];
    assert!(
        row["input"]["petal length (cm)"].is_string() && row["before"] != row["after"],
        "{row}"
    );

    // Neither side logged what it was asked for the release; stopping closes the log.
    stdout_of(&project.run(&["deploy", "stop"]), 0);
    assert_eq!(logged(&project), json!({ "1": SENT }));
}
