//! `trainyard gateway` itself, under limits of the operating system, and what `deploy status` says of an
//! instance that does not answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use trainyard_testkit::{KillOnDrop, free_port, wait_for_port};

use crate::project::{TestProject, stdout_of, trainyard};
use crate::run::post_json;

/// A request that is answered, and what came back.
fn ask(port: u16, request: &str) -> String {
    let mut answer = String::new();
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)
    });
    match asked {
        Ok(_) => answer,
        Err(error) => format!("{answer}{error}"),
    }
}

/// An instance that answers everything with its name.
fn instance() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                // Every request of this test is one packet.
                while let Ok(1..) = stream.read(&mut head) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nblue";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn many_connections_leave_descriptors_for_requests() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("instances")).unwrap();
    let target = json!({"id": "r1", "address": instance(), "health_path": "/health"});
    let route = json!({"current": target, "standby": null, "went_back": null});
    std::fs::write(folder.path().join("gateway.json"), route.to_string()).unwrap();
    let port = free_port();
    let script =
        format!("ulimit -n 256; exec \"$0\" gateway --listen 127.0.0.1:{port} --state-dir \"$1\"");
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let _gateway = KillOnDrop::spawn(
        Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_trainyard")])
            .arg(folder.path())
            .stderr(log),
    );
    wait_for_port(port, Duration::from_mins(1));
    let silent: Vec<TcpStream> =
        (0..600).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
    assert!(silent.len() > 500, "{}", silent.len());
    let start = Instant::now();
    let mut served = 0;
    while served < 100 {
        let answer = ask(
            port,
            "POST /predict HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        );
        assert!(
            answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 503"),
            "{answer}"
        );
        served += usize::from(answer.ends_with("blue"));
        assert!(start.elapsed() < Duration::from_mins(2), "{served} were answered");
    }
    let private = ask(port, "POST /reload HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(private.starts_with("HTTP/1.1 404"), "{private}");
    let said = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let lines = said.lines().filter(|line| line.contains("limit of open files")).count();
    assert_eq!(lines, 1, "{said}");
}

/// Where nobody sits at a terminal, what goes on is told line by line, until Ctrl-C.
fn watched_and_followed(project: &TestProject) {
    let first = |arguments: &[&str]| {
        let mut command = trainyard();
        command.current_dir(project.path()).args(arguments).stdout(Stdio::piped());
        let mut going = KillOnDrop::spawn(&mut command);
        let mut lines = BufReader::new(going.0.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let pid = going.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert!(going.0.wait().unwrap().success(), "{arguments:?}: {line}");
        line
    };
    let line = first(&["deploy", "status", "--watch"]);
    assert!(line.contains("Z  serving, r1 version 1, "), "{line}");
    let line = first(&["deploy", "logs", "--follow"]);
    let since = stdout_of(&project.run(&["deploy", "logs", "--since", "1h"]), 0);
    let all = stdout_of(&project.run(&["deploy", "logs", "-n", "1000"]), 0);
    assert!(all.contains(&line), "{line}\n{all}");
    assert!(!since.is_empty() && since.lines().all(|line| all.contains(line)), "{since}");
    let none = project.run(&["deploy", "logs", "--instance", "r7"]);
    assert_eq!(none.status.code(), Some(2));
    let error = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(
        error.contains("r7 has no log here") && error.contains("there are logs of r1"),
        "{error}"
    );
}

#[test]
fn what_is_refused_left_out_or_not_taken_up_is_said() {
    let project = TestProject::iris();
    let said = |arguments: &[&str], code: i32| {
        let output = project.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (stdout_of(&output, code), told)
    };
    for verb in ["train", "promote"] {
        said(&[verb], 0);
    }
    let (deployed, told) = said(&["deploy"], 0);
    assert!(told.contains("try it: curl -d '[{") && !told.contains("serves already"), "{told}");
    let url = deployed.lines().find_map(|line| line.strip_prefix("serving    ")).unwrap();
    // A minute is what counts, and a busy machine may need longer for a look.
    let mut looks = (0..5).map(|_look| {
        for _ in 0..20 {
            post_json(url, &json!([{"sepal length (cm)": "long"}])).unwrap_err();
        }
        said(&["deploy", "status"], 0).0
    });
    let is_said = |status: &String| status.contains(" % of the requests are refused");
    let status = looks.find(is_said).expect("refused requests are a warning");

    let not_told = "is not what the gateway was told: `trainyard deploy reload`";
    assert!(!status.contains(not_told), "{status}");
    project.edit("[deploy]\n", "[deploy]\nexpose = [\"/feedback\"]\n");
    assert!(said(&["deploy", "status"], 0).0.contains(not_told));
    said(&["deploy", "reload"], 0);
    assert!(!said(&["deploy", "status"], 0).0.contains(not_told));

    said(&["train"], 0);
    let (_, told) = said(&["deploy"], 0);
    assert!(told.contains("version 1 serves already"), "{told}");
    assert!(told.contains("version 2 is newer and not approved: `trainyard promote`"), "{told}");
    project.edit("accuracy = { min = 0.9 }", "accuracy = { min = 1.1 }");
    let (gate, _) = said(&["promote"], 3);
    assert!(gate.starts_with("gate       ✕ accuracy is 0."), "{gate}");
    assert!(said(&["deploy"], 0).1.contains("version 2 is newer and the gate refused it"));

    let (_, told) = said(&["rollback"], 2);
    assert!(told.contains("`trainyard deploy rollback`"), "{told}");
    let (page, told) = said(&["help", "feedback"], 0);
    assert!(page.contains("`POST /feedback`") && told.contains("\"serving\""), "{told}");
}

#[test]
fn status_asks_and_fails_when_nothing_answers() {
    let project = TestProject::iris();
    for verb in ["train", "promote", "deploy"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let status = stdout_of(&project.run(&["deploy", "status"]), 0);
    assert!(status.contains("serving    r1 running at http://"), "{status}");
    let json = stdout_of(&project.run(&["deploy", "status", "--json"]), 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let instance = &json["instances"][0];
    assert_eq!(instance["health"], json!({"state": "well"}));
    assert_eq!((&json["state"], &json["outage"]), (&json!("serving"), &json!(null)));
    assert_eq!(
        (&instance["said"]["version"], &instance["said"]["pinned"]),
        (&json!("1"), &json!(true))
    );
    assert_eq!(instance["restarts"]["count"], 0);
    assert!(instance["memory_bytes"].as_u64().unwrap() > 1 << 20, "{instance}");
    assert!(instance["up_ms"].is_u64() && instance["lately"]["requests"].is_u64(), "{instance}");
    assert!(json["gateway"]["lately"]["span_ms"].is_u64(), "{json}");
    assert!(
        status.contains("state      serving") && status.contains("supervisor none"),
        "{status}"
    );
    watched_and_followed(&project);
    let process = json["instances"][0]["handle"].as_str().unwrap();
    let signal = |name: &str| Command::new("kill").args([name, process]).status().unwrap();
    signal("-STOP");
    let output = project.run(&["deploy", "status"]);
    let status = stdout_of(&output, 1);
    assert!(status.contains("serving    r1 not answering (no answer within 2.0 s)"), "{status}");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("nothing serves: r1 does not answer"), "{error}");
    signal("-CONT");
    stdout_of(&project.run(&["deploy", "status"]), 0);
    signal("-KILL");
    let status = stdout_of(&project.run(&["deploy", "status"]), 1);
    assert!(status.contains("serving    r1 stopped"), "{status}");
    assert!(status.contains("state      DOWN: r1 has stopped"), "{status}");
    stdout_of(&project.run(&["deploy", "stop"]), 0);
    let status = stdout_of(&project.run(&["deploy", "status"]), 0);
    assert!(status.starts_with("state      stopped, as somebody wished"), "{status}");
}
