//! A release and the way back, pressed on pages of a tracking server, done by `trainyard up` where the model serves: with and
//! without scripts, beside clients that ask all the time and notice nothing, and a supervisor that is killed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_testkit::{KillOnDrop, free_port, wait_until_ready, workspace_root};

use super::{drive, own};
use crate::project::{TestProject, stdout_of, trainyard};
use crate::run::reqwest_get;
use crate::up::{Client, Up, project, signal, status};

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

/// A project that serves version 1 of two, kept up, and the tracking server of its registry.
struct Yard {
    up: Up,
    project: TestProject,
    base: String,
    _server: KillOnDrop,
    _folder: TempDir,
}

impl Yard {
    fn new() -> (Self, Client) {
        let (mut project, port) = project();
        let folder = tempfile::tempdir().unwrap();
        let registry_port = free_port();
        let server = registry(folder.path(), registry_port);
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
        (Self { up, project, base, _server: server, _folder: folder }, client)
    }

    /// Walks steps in a browser; the clicks of each.
    fn walk(&self, steps: &[Value]) -> Value {
        drive(&own("released.js"), &json!({ "url": self.base, "steps": steps }))
    }

    /// Has the supervisor read an edited project file.
    fn edit(&mut self, from: &str, to: &str) {
        self.project.edit(from, to);
        let said = || std::fs::read_to_string(self.project.file("up.log")).unwrap();
        let read = || said().matches("its project file was read again").count();
        let before = read();
        signal("-HUP", self.up.process.0.id().into());
        self.up.wait_until("it is read", || read() > before);
    }

    /// Ends the supervisor without a word.
    fn kill(&mut self) {
        self.up.process.kill();
    }

    fn start_again(&mut self) {
        self.up = Up::start(&self.project, "up.log");
    }

    /// What the host wrote down of the release that was asked for last.
    fn answer(&self) -> Value {
        let text = std::fs::read_to_string(self.project.file(".trainyard/service-release.json"));
        serde_json::from_str(&text.unwrap()).unwrap()
    }
}

/// What somebody does in a browser: where they begin, what they press, what they see in the end.
fn step(scripts: bool, width: u32, from: &str, button: Option<&str>, sees: &[&str]) -> Value {
    let reason = button.map(|_| "better on lilies");
    json!({
        "engine": "chrome", "scripts": scripts, "width": width, "from": from,
        "button": button, "reason": reason, "sees": sees,
    })
}

#[test]
fn a_release_and_the_way_back_are_pressed_on_pages_and_nobody_notices() {
    let (mut yard, client) = Yard::new();
    let done = "done The release of version 2";
    let release = [done, "version 2 serves at"];
    let back = ["done The way back to version 1"];
    let walked = yard.walk(&[
        step(true, 1440, MODEL, Some("Release version 2"), &release),
        step(false, 390, MODEL, Some("Roll back to version 1"), &back),
    ]);
    assert_eq!(walked, json!([2, 2]), "clicks: one into the reason, one on the button");
    assert_eq!(served(&yard.project), "1");
    let kinds = history(&yard.project);
    let [before, last] = &kinds[kinds.len() - 2..] else { panic!("{kinds:?}") };
    assert_eq!(before, &["release", "2", "released"].map(str::to_owned));
    assert_eq!(last, &["rollback", "1", "released"].map(str::to_owned));

    // Asked while nobody listens, it is done once by whoever comes next.
    yard.kill();
    let version = format!("{MODEL}/versions/2");
    let waiting = ["waiting for its host to take it"];
    yard.walk(&[step(false, 1440, &version, Some("Release version 2"), &waiting)]);
    assert_eq!(history(&yard.project).len(), kinds.len(), "nobody does it");
    yard.start_again();
    yard.walk(&[step(true, 390, &version, None, &[done])]);
    assert_eq!(served(&yard.project), "2");

    killed_on_the_way(&mut yard);
    ended_by_the_way_back(&mut yard);
    assert_eq!(client.failed(), 0, "{}", yard.answer());
    client.finish();
    refused_and_open_to_all(&mut yard);
}

/// Killed on the way, it is brought to an end and never begun again.
fn killed_on_the_way(yard: &mut Yard) {
    let asked = ["The way back to version 1"];
    yard.walk(&[step(false, 1440, MODEL, Some("Roll back to version 1"), &asked)]);
    let taken = yard.project.file(".trainyard/service-release.json");
    let says = |text: &str| std::fs::read_to_string(&taken).unwrap().contains(text);
    yard.up.wait_until("it is taken", || says("rollback"));
    yard.kill();
    yard.start_again();
    yard.up.wait_until("it is known what became of it", || !says("\"doing\""));
    let kinds = history(&yard.project);
    assert!(kinds.iter().filter(|[kind, ..]| kind == "rollback").count() <= 2, "{kinds:?}");
    let answer = yard.answer();
    let expected = if answer["state"] == "done" { "1" } else { "2" };
    assert_eq!(served(&yard.project), expected, "{answer}");
}

/// A release that goes on is ended: users keep what they had.
fn ended_by_the_way_back(yard: &mut Yard) {
    yard.edit("bake = \"1s\"", "bake = \"1h\"");
    let had = served(&yard.project);
    let other = if had == "1" { "2" } else { "1" };
    let release = format!("Release version {other}");
    let back = format!("Roll back to version {had}");
    let goes_on = ["goes on: ", "That ends the release that goes on"];
    yard.walk(&[
        step(true, 1440, &format!("{MODEL}/versions/{other}"), Some(&release), &goes_on),
        step(true, 390, MODEL, Some(&back), &[&format!("done The way back to version {had}")]),
    ]);
    assert_eq!(served(&yard.project), had);
}

/// What the gate refuses is refused as the command refuses it, and nobody is kept out by what stands there then.
fn refused_and_open_to_all(yard: &mut Yard) {
    yard.edit("accuracy = { min = 0.0 }", "accuracy = { min = 1.1 }");
    stdout_of(&yard.project.run(&["train"]), 0);
    let third = format!("{MODEL}/versions/3");
    let refused = ["was refused:", "at least 1.1"];
    yard.walk(&[step(true, 390, &third, Some("Release version 3"), &refused)]);
    assert_ne!(served(&yard.project), "3");
    let run_id = std::fs::read_to_string(yard.project.file(".trainyard/service-run")).unwrap();
    let pages = [MODEL, &third, &format!("/services/{run_id}")];
    let pages = pages.map(|page| format!("{}{page}", yard.base));
    let barriers = workspace_root().join("crates/testkit/browser/barriers.js");
    assert_eq!(drive(&barriers, &json!({ "pages": pages }))["findings"], json!([]));
}
