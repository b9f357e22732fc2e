//! The image and `runtime = "docker"`, on a real engine: a project is trained, put into containers and
//! replaced under load.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use trainyard_testkit::docker::{Engine, engine};
use trainyard_testkit::{free_port, workspace_root};

use crate::project::{TestProject, stdout_of};
use crate::{compose, image};

/// Held by whoever counts all containers of the engine, or takes it away from others.
pub(crate) static ENGINE: Mutex<()> = Mutex::new(());

/// What the project's own Dockerfile says, so that the file is what is tested; the binary is the one under test with
/// the libraries it is linked with.
pub(crate) fn build(engine: &Engine) -> String {
    let text = std::fs::read_to_string(workspace_root().join("Dockerfile")).unwrap();
    let stage = |first: &str| text.split(first).nth(1).unwrap().split("\nFROM ").next().unwrap();
    let binary = "COPY trainyard ca-certificates.crt /\n";
    let prebuilt = stage("FROM base AS prebuilt\n").replace(binary, "");
    let lines = format!("{}\n{prebuilt}", stage("FROM scratch AS base\n"));
    let tag = format!("{}/trainyard:1", engine.registry);
    engine.build(&tag, Path::new(env!("CARGO_BIN_EXE_trainyard")), "trainyard", &lines);
    engine.docker(&["push", "-q", &tag]);
    engine.docker(&["rmi", &tag]);
    tag
}

/// One row for the Iris model, as a script for wrk.
const SCRIPT: &str = r#"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer t0ken"
wrk.body = '[{"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}]'
"#;

#[test]
fn a_project_in_containers_is_replaced_under_load() {
    let Some(engine) = engine("a_project_in_containers_is_replaced_under_load") else { return };
    let _alone = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    let image = build(engine);
    let port = free_port();
    let mut project = TestProject::iris();
    project.env.push(("DOCKER_HOST".to_owned(), engine.host.clone()));
    project.env.push(("API_TOKEN".to_owned(), "t0ken".to_owned()));
    project.edit("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let keys = "[serve]\ntoken_env = \"API_TOKEN\"\nlenient = true\nenv = { MODE = \"fast\" }\n\n";
    project.edit("[monitor]\n", &format!("{keys}[monitor]\n"));
    let words = [
        "deploy",
        "--runtime",
        "docker",
        "--image",
        &image,
        "--memory",
        "512m",
        "--cpus",
        "1.5",
        "--json",
    ];
    let release = || {
        stdout_of(&project.run(&["train"]), 0);
        stdout_of(&project.run(&["promote"]), 0);
        let deployed = stdout_of(&project.run(&words), 0);
        serde_json::from_str::<Value>(&deployed).unwrap()
    };
    let first = release();
    assert_eq!((first["version"].as_str(), first["instance"].as_str()), (Some("1"), Some("r1")));
    let format = "{{.State.Health.Status}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}} \
                  {{.HostConfig.NanoCpus}} {{.HostConfig.CapDrop}} {{.HostConfig.RestartPolicy.Name}}";
    let container = engine.docker(&["ps", "-q", "--filter", "label=trainyard.instance=r1"]);
    assert_eq!(
        engine.docker(&["inspect", "--format", format, &container]),
        "healthy true 536870912 1500000000 [ALL] unless-stopped"
    );
    let script = project.file("wrk.lua");
    std::fs::write(&script, SCRIPT).unwrap();
    let wrk = Command::new("wrk")
        .args(["-t", "1", "-c", "8", "-d", "25s", "--timeout", "10s", "-s"])
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}/predict"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let second = release();
    assert_eq!(second["replaced"], "r1");
    let report = wrk.wait_with_output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
    println!("{report}");
    let status = stdout_of(&project.run(&["deploy", "status"]), 0);
    assert!(status.contains("serving    r2 running at http://172."), "{status}");
    assert!(status.contains("IrisClassifier version 2"), "{status}");
    let log = stdout_of(&project.run(&["deploy", "logs"]), 0);
    assert!(log.contains("IrisClassifier"), "{log}");
    // What was deployed as a container comes back as one, though the project says nothing of containers.
    let back = stdout_of(&project.run(&["deploy", "rollback", "--json"]), 0);
    let back: Value = serde_json::from_str(&back).unwrap();
    assert_eq!((back["version"].as_str(), back["instance"].as_str()), (Some("1"), Some("r3")));
    let container = engine.docker(&["ps", "-q", "--filter", "label=trainyard.instance=r3"]);
    let format = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}";
    let limits = engine.docker(&["inspect", "--format", format, &container]);
    assert_eq!(limits, "536870912 1500000000");
    let told =
        engine.docker(&["inspect", "--format", "{{.Config.Env}} {{.Config.Cmd}}", &container]);
    for one in ["MODE=fast", "TRAINYARD_TOKEN=t0ken", "--lenient"] {
        assert!(told.contains(one), "{one}: {told}");
    }
    assert!(!told.contains("API_TOKEN"), "{told}");
    stdout_of(&project.run(&["deploy", "stop"]), 0);
    assert_eq!(engine.docker(&["ps", "-aq"]), "");

    // An image that is not there leaves things as they are and says so.
    let refused =
        project.run(&["deploy", "--runtime", "docker", "--image", "nowhere:1", "--pull", "never"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("cannot use image nowhere:1: it is not on this machine"), "{said}");
    assert!(said.contains("hint: build or pull it first"), "{said}");
    image::works_as_documented(engine, &image, &project);
    compose::works_with_postgres_and_s3(engine, &image);
}
