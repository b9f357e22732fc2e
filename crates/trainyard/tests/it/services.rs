//! The page of services over a real server: what `trainyard up` keeps up elsewhere is known there, and what is silent is
//! not.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, free_port, wait_until_ready};

use crate::project::{TestProject, stdout_of, trainyard};
use crate::run::{post_json, reqwest_get, runtime};
use crate::up::{Up, instance, project, signal, status};

/// A tracking server over a folder.
fn registry(folder: &Path, port: u16) -> KillOnDrop {
    let mut command = trainyard();
    command.current_dir(folder).args(["server", "--port", &port.to_string()]);
    let server = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until_ready(port, Duration::from_mins(1));
    server
}

/// The page, or nothing while nobody answers.
fn page(base: &str) -> String {
    reqwest_get(&format!("{base}/services")).unwrap_or_default()
}

/// Sends a form of a page, as a browser does.
fn asked(address: &str, fields: &str) {
    let sending = async {
        let none = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().redirect(none).build().unwrap();
        let page = client.get(address).send().await.unwrap();
        let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
        let cookie = cookie.to_owned();
        let page = page.text().await.unwrap();
        let (_before, csrf) = page.split_once("name=\"csrf\" value=\"").unwrap();
        let (csrf, _after) = csrf.split_once('"').unwrap();
        let form = client
            .post(address)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("csrf={csrf}&{fields}"));
        let answer = form.send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    };
    runtime().block_on(sending);
}

/// Kills the instance and waits until another serves in its place; why it was started again.
fn killed(project: &TestProject, up: &mut Up) -> String {
    let before = instance(&status(project));
    signal("-KILL", before.unwrap());
    let is_another = || instance(&status(project)).is_some_and(|now| Some(now) != before);
    up.wait_until("another instance", is_another);
    let restarts = status(project)["instances"][0]["restarts"].clone();
    restarts["last_cause"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_kept_up_elsewhere_is_seen_and_what_is_silent_is_not_known() {
    let (mut project, port) = project();
    let folder = tempfile::tempdir().unwrap();
    let registry_port = free_port();
    let server = registry(folder.path(), registry_port);
    let base = format!("http://127.0.0.1:{registry_port}");
    project.env.push(("MLFLOW_TRACKING_URI".to_owned(), base.clone()));
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    assert!(page(&base).contains("No service is recorded."));
    let mut up = Up::start(&project, "up.log");
    up.wait_until("it is recorded", || page(&base).contains("Serving; "));
    let row = json!([{
        "sepal length (cm)": 5.1, "sepal width (cm)": 3.5,
        "petal length (cm)": 1.4, "petal width (cm)": 0.2
    }]);
    let url = format!("http://127.0.0.1:{port}/predict");
    post_json(&url, &row).unwrap();
    // What is killed is started again, and both are told at once.
    let cause = killed(&project, &mut up);
    up.wait_until("the restart is recorded", || {
        let page = page(&base);
        page.contains("1, the last ") && page.contains(&cause) && page.contains("Serving; ")
    });
    let seen = page(&base);
    for told in ["/models/IrisClassifier\"", "1 of 1 well", "<title>2xx</title>", "dot good"] {
        assert!(seen.contains(told), "{told}: {seen}");
    }
    up.wait_until("the model says so", || {
        // On a slow machine the first one is longer ago than a minute.
        post_json(&url, &row).unwrap();
        let cockpit = reqwest_get(&format!("{base}/models/IrisClassifier")).unwrap();
        cockpit.contains("1 instance, ") && cockpit.contains(" requests/min, ")
    });

    // What is asked on its page is done where it serves, and said there, here and by `status`.
    let run_id = std::fs::read_to_string(project.file(".trainyard/service-run")).unwrap();
    let ask = |fields: &str| asked(&format!("{base}/services/{run_id}"), fields);
    ask("action=maintenance&message=back+at+10");
    up.wait_until("it is closed", || status(&project)["gateway"]["mode"]["mode"] == "maintenance");
    // It is written down right after it was done.
    up.wait_until("the status says who asked", || {
        let told = stdout_of(&project.run(&["deploy", "status"]), 0);
        told.contains("back at 10 (asked on the service's page")
    });
    up.wait_until("the page says so", || {
        let page = page(&base);
        page.contains("closed for maintenance") && page.contains("and its host did it.")
    });
    // What is done on its host afterwards stays so: it was taken once.
    stdout_of(&project.run(&["deploy", "resume"]), 0);
    ask("action=pause");
    up.wait_until("it is paused", || status(&project)["gateway"]["mode"]["mode"] == "paused");
    ask("action=open");
    up.wait_until("it is open", || status(&project)["gateway"]["mode"]["mode"] == "open");

    // The server goes and comes back, and hears the rest.
    drop(server);
    let _server = registry(folder.path(), registry_port);
    killed(&project, &mut up);
    up.wait_until("it is recorded again", || page(&base).contains("2, the last "));

    // Nobody tells any more: time goes by, which is not waited for here.
    up.process.kill();
    let run = reqwest_get(&format!("{base}/api/2.0/mlflow/runs/get?run_id={run_id}")).unwrap();
    let run: Value = serde_json::from_str(&run).unwrap();
    let tags = run["run"]["data"]["tags"].as_array().unwrap();
    let tag = tags.iter().find(|tag| tag["key"] == "trainyard.service").unwrap();
    let mut record: Value = serde_json::from_str(tag["value"].as_str().unwrap()).unwrap();
    record["at_ms"] = json!(record["at_ms"].as_i64().unwrap() - 600_000);
    let aged = json!({
        "run_id": run_id, "key": "trainyard.service", "value": record.to_string(),
    });
    post_json(&format!("{base}/api/2.0/mlflow/runs/set-tag"), &aged).unwrap();
    let silent = page(&base);
    assert!(silent.contains("Not known: last heard of 1"), "{silent}");
    assert!(!silent.contains("dot good"), "{silent}");

    // Whoever stops it says so, also where nobody keeps it up.
    stdout_of(&project.run(&["deploy", "stop"]), 0);
    let stopped = page(&base);
    assert!(stopped.contains("Stopped on purpose."), "{stopped}");
}
