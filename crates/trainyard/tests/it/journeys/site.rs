//! A project with a past: versions that were released, replaced and refused, production data that drifted, a service
//! that answers, and the tracking server of all of it; and a server with people of its own.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_testkit::{KillOnDrop, free_port, wait_until_ready};

use super::{drive, own};
use crate::project::{TestProject, stdout_of, trainyard};

/// Of the administrator of the server with people.
pub(super) const PASSWORD: &str = "difference engine 1";

pub(super) struct Site {
    pub(super) project: TestProject,
    /// Of the tracking server.
    pub(super) url: String,
    /// Of a tracking server that knows people.
    pub(super) team: String,
    /// Of the gateway, and of the instance behind it.
    pub(super) gateway: String,
    pub(super) instance: String,
    /// What was logged, as `seed.js` says.
    pub(super) seeded: Value,
    _servers: [KillOnDrop; 2],
    _team: TempDir,
}

impl Site {
    pub(super) fn new() -> Self {
        let mut project = TestProject::iris();
        // Who does all of it.
        for name in ["USER", "GITHUB_ACTOR"] {
            project.env.push((name.to_owned(), "ada".to_owned()));
        }
        project.accept_every_version();
        let ok = |arguments: &[&str]| stdout_of(&project.run(arguments), 0);
        for reason in ["the first", "better on lilies"] {
            ok(&["train"]);
            ok(&["promote"]);
            ok(&["deploy", "--reason", reason]);
        }
        project.edit("accuracy = { min = 0.0 }", "accuracy = { min = 1.1 }");
        ok(&["train"]);
        stdout_of(&project.run(&["promote"]), 3);
        write_windows(&project);
        let sides = ["--reference", "data/train.csv", "--current"];
        ok(&[["monitor"].as_slice(), sides.as_slice(), &["data/production_logs.csv"]].concat());
        let window = ["--window", "1d", "--time-column", "time"];
        let sides = ["--reference", "reference.csv", "--current", "current.csv"];
        ok(&[["monitor"].as_slice(), sides.as_slice(), window.as_slice()].concat());
        let told: Value = serde_json::from_str(&ok(&["deploy", "status", "--json"])).unwrap();
        let address = |value: &Value| format!("http://{}", value.as_str().unwrap());
        let (gateway, instance) = (told["url"].clone(), address(&told["instances"][0]["address"]));

        let port = free_port();
        let server = started(project.path(), port, &["--webhook-allow", "127.0.0.1"]);
        let team_folder = tempfile::tempdir().unwrap();
        let team_port = free_port();
        let people = ["--app-name", "basic-auth", "--protect-alias", "Production"];
        let team = started(team_folder.path(), team_port, &people);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let wanted = json!({ "url": url(port), "team": url(team_port), "password": PASSWORD });
        Self {
            seeded: drive(&own("seed.js"), &wanted),
            url: url(port),
            team: url(team_port),
            gateway: gateway.as_str().unwrap().to_owned(),
            instance,
            project,
            _servers: [server, team],
            _team: team_folder,
        }
    }
}

/// Flowers of six days, on the fifth of which petals were measured in other units; and those of training.
fn write_windows(project: &TestProject) {
    let flowers = std::fs::read_to_string(project.file("data/train.csv")).unwrap();
    let (head, flowers) = flowers.split_once('\n').unwrap();
    let days = |last: u32| {
        let mut text = format!("time,{head}\n");
        for day in 1..=last {
            for flower in flowers.lines().filter(|line| !line.is_empty()) {
                let cells: Vec<&str> = flower.split(',').collect();
                let [sepal_length, sepal_width, petal_length, petal_width, species] = cells[..]
                else {
                    panic!("{flower}")
                };
                let width: f64 = petal_width.parse().unwrap();
                let width = if day == 5 { width * 10.0 } else { width };
                writeln!(
                    text,
                    "2026-02-{day:02}T12:00:00,{sepal_length},{sepal_width},{petal_length},{width},{species}"
                )
                .unwrap();
            }
        }
        text
    };
    std::fs::write(project.file("reference.csv"), days(1)).unwrap();
    std::fs::write(project.file("current.csv"), days(6)).unwrap();
}

/// A tracking server of a folder.
fn started(folder: &Path, port: u16, further: &[&str]) -> KillOnDrop {
    let mut command = trainyard();
    command
        .current_dir(folder)
        .args(["server", "--port", &port.to_string()])
        .args(further)
        .env("MLFLOW_AUTH_ADMIN_PASSWORD", PASSWORD)
        .env_remove("MLFLOW_AUTH_CONFIG_PATH")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let server = KillOnDrop::spawn(&mut command);
    wait_until_ready(port, Duration::from_mins(1));
    server
}
