//! A release and the way back, pressed on pages of a tracking server, done by `trainyard up` where the model serves: with and
//! without scripts, beside clients that ask all the time and notice nothing, and a supervisor that is killed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, free_port, wait_until_ready, workspace_root};

use super::{drive, own};
use crate::project::{TestProject, stdout_of, trainyard};
use crate::run::reqwest_get;
use crate::up::{Client, Up, project, status};

const MODEL: &str = "/models/IrisClassifier";

/// The tracking server of a project's own registry.
fn registry(folder: &Path, port: u16) -> KillOnDrop {
    let mut command = trainyard();
    command.current_dir(folder).args(["server", "--port", &port.to_string()]);
    let server = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until_ready(port, Duration::from_mins(1));
    server
}

/// The version that users have.
fn served(project: &TestProject) -> String {
    let status = status(project);
    let current = status["instances"].as_array().into_iter().flatten();
    let current: Vec<&Value> = current.filter(|one| one["role"] == "current").collect();
    current[0]["label"]["version"].as_str().unwrap().to_owned()
}

/// How the last releases ended, the newest last: the kind, the version, the outcome, who.
fn history(project: &TestProject) -> Vec<[String; 3]> {
    let told = stdout_of(&project.run(&["deploy", "history", "--json"]), 0);
    let told: Value = serde_json::from_str(&told).unwrap();
    let entries = told.as_array().unwrap_or_else(|| panic!("{told}"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let entry = |one: &Value| [&one["kind"], &one["label"]["version"], &one["outcome"]].map(text);
    entries.iter().map(entry).collect()
}

/// What the supervisor said since it was started last.
fn up_said(project: &TestProject) -> String {
    std::fs::read_to_string(project.file("up.log")).unwrap()
}

#[test]
fn a_release_and_the_way_back_are_pressed_on_pages_and_nobody_notices() {
    let (mut project, port) = project();
    let folder = tempfile::tempdir().unwrap();
    let registry_port = free_port();
    let _server = registry(folder.path(), registry_port);
    let base = format!("http://127.0.0.1:{registry_port}");
    project.env.push(("MLFLOW_TRACKING_URI".to_owned(), base.clone()));
    for verb in ["train", "promote", "train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    stdout_of(&project.run(&["deploy", "--version", "1"]), 0);
    let mut up = Up::start(&project, "up.log");
    up.wait_until("it listens", || {
        let page = reqwest_get(&format!("{base}{MODEL}")).unwrap();
        page.contains("Release version 2") && page.contains("nothing to roll back to")
    });
    let client = Client::start(port);
    client.is_served(&mut up);
    let step = |scripts: bool, width: u32, from: &str, button: Option<&str>, sees: &[&str]| {
        let reason = button.map(|_| "better on lilies");
        json!({
            "engine": "chrome", "scripts": scripts, "width": width, "from": from,
            "button": button, "reason": reason, "sees": sees,
        })
    };
    let walk =
        |steps: &[Value]| drive(&own("released.js"), &json!({ "url": base, "steps": steps }));

    let walked = walk(&[
        step(
            true,
            1440,
            MODEL,
            Some("Release version 2"),
            &["done The release of version 2", "version 2 serves at"],
        ),
        step(
            false,
            390,
            MODEL,
            Some("Roll back to version 1"),
            &["done The way back to version 1"],
        ),
    ]);
    assert_eq!(walked, json!([2, 2]), "clicks: one into the reason, one on the button");
    assert_eq!(served(&project), "1");
    let kinds = history(&project);
    let [before, last] = &kinds[kinds.len() - 2..] else { panic!("{kinds:?}") };
    assert_eq!(before, &["release", "2", "released"].map(str::to_owned));
    assert_eq!(last, &["rollback", "1", "released"].map(str::to_owned));

    // Asked while nobody listens, it is done once by whoever comes next.
    up.process.kill();
    let version = format!("{MODEL}/versions/2");
    let waiting = ["waiting for its host to take it"];
    walk(&[step(false, 1440, &version, Some("Release version 2"), &waiting)]);
    assert_eq!(history(&project).len(), kinds.len(), "nobody does it");
    let mut up = Up::start(&project, "up.log");
    walk(&[step(true, 390, &version, None, &["done The release of version 2"])]);
    assert_eq!(served(&project), "2");

    // Killed on the way, it is brought to an end and never begun again.
    walk(&[step(
        false,
        1440,
        MODEL,
        Some("Roll back to version 1"),
        &["The way back to version 1"],
    )]);
    let taken = project.file(".trainyard/service-release.json");
    up.wait_until("it is taken", || std::fs::read_to_string(&taken).unwrap().contains("rollback"));
    up.process.kill();
    let mut up = Up::start(&project, "up.log");
    up.wait_until("it is known what became of it", || {
        !std::fs::read_to_string(&taken).unwrap().contains("\"doing\"")
    });
    let rollbacks = history(&project).iter().filter(|[kind, ..]| kind == "rollback").count();
    assert!(rollbacks <= 2, "{:?}", history(&project));
    let answer: Value = serde_json::from_str(&std::fs::read_to_string(&taken).unwrap()).unwrap();
    let is_done = answer["state"] == "done";
    assert_eq!(served(&project), if is_done { "1" } else { "2" }, "{answer}");

    // A release that goes on is ended: users keep what they had.
    project.edit("bake = \"1s\"", "bake = \"1h\"");
    crate::up::signal("-HUP", up.process.0.id().into());
    up.wait_for("its project file was read again");
    let had = served(&project);
    let other = if had == "1" { "2" } else { "1" };
    let (release, back) =
        (format!("Release version {other}"), format!("Roll back to version {had}"));
    let page = format!("{MODEL}/versions/{other}");
    walk(&[
        step(
            true,
            1440,
            &page,
            Some(&release),
            &["goes on: ", "That ends the release that goes on"],
        ),
        step(true, 390, MODEL, Some(&back), &[&format!("done The way back to version {had}")]),
    ]);
    assert_eq!(served(&project), had);
    assert_eq!(client.failed(), 0, "{answer}");
    client.finish();

    // What the gate refuses is refused as the command refuses it.
    project.edit("accuracy = { min = 0.0 }", "accuracy = { min = 1.1 }");
    stdout_of(&project.run(&["train"]), 0);
    crate::up::signal("-HUP", up.process.0.id().into());
    up.wait_until("it is read", || up_said(&project).matches("was read again").count() == 2);
    let third = format!("{MODEL}/versions/3");
    walk(&[step(true, 390, &third, Some("Release version 3"), &["was refused:", "at least 1.1"])]);
    assert_ne!(served(&project), "3");

    // Nor is anybody kept out by what stands there then.
    let run_id = std::fs::read_to_string(project.file(".trainyard/service-run")).unwrap();
    let pages = [MODEL, &third, &format!("/services/{run_id}")].map(|page| format!("{base}{page}"));
    let looked = drive(
        &workspace_root().join("crates/testkit/browser/barriers.js"),
        &json!({ "pages": pages }),
    );
    assert_eq!(looked["findings"], json!([]));
}
