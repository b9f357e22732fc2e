//! What somebody sees who has just begun: servers say where they are and whom they ask, slips are understood, and the
//! output of a training program is shown whoever looks.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use trainyard_testkit::{KillOnDrop, free_port, workspace_root};

use crate::project::{TestProject, stdout_of, trainyard};
use crate::up::signal;

/// The first line that a server writes to stderr.
fn first_line(project: &TestProject, arguments: &[&str]) -> String {
    let mut command = trainyard();
    command.current_dir(project.path()).args(arguments);
    let mut server = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    let stderr = server.0.stderr.take().unwrap();
    let (say, said) = std::sync::mpsc::channel();
    // It ends with the server.
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stderr).read_line(&mut line).map(|_bytes| line);
        let _nobody_waits = say.send(read);
    });
    let line = said.recv_timeout(Duration::from_mins(2));
    drop(server);
    reader.join().unwrap();
    line.unwrap_or_else(|_| panic!("{arguments:?} says nothing")).unwrap()
}

#[test]
fn each_server_says_where_it_is_what_it_keeps_and_whom_it_asks() {
    let project = TestProject::iris();
    let server = first_line(&project, &["server", "--port", "0"]);
    assert!(server.starts_with("tracking at http://127.0.0.1:"), "{server}");
    for part in [
        "store sqlite:///",
        "artifacts ./mlartifacts",
        "asks nobody who they are",
        "no TLS",
        "Ctrl-C",
    ] {
        assert!(server.contains(part), "{part} is not in {server}");
    }
    let up = first_line(&project, &["up"]);
    assert!(
        up.starts_with("keeping up IrisClassifier at http://127.0.0.1:0 (store sqlite:///"),
        "{up}"
    );
    stdout_of(&project.run(&["train"]), 0);
    std::fs::write(project.file("token"), "s3cret").unwrap();
    let model = "models:/IrisClassifier/1";
    let serve =
        first_line(&project, &["serve", "-m", model, "--port", "0", "--token-file", "token"]);
    assert!(serve.contains(&format!("{model} at http://127.0.0.1:")), "{serve}");
    assert!(serve.contains("registry sqlite:///mlflow.db, asks for a token, no TLS"), "{serve}");
    assert!(!serve.contains("s3cret"), "{serve}");
}

#[test]
fn slips_are_understood() {
    let project = TestProject::iris();
    let train = "data/train.csv";
    let compare = ["monitor", "--reference", train, "--current", train];
    let method = [&compare[..], &["--num-method", "wasserstien"]].concat();
    for (arguments, meant) in
        [(vec!["trian"], "'train'"), (method, "(did you mean \"wasserstein\"?)")]
    {
        let output = project.run(&arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(meant), "{meant} is not in\n{error}");
    }
    for (right, wrong, meant) in [
        ("accuracy = { min", "acuracy = { min", "(did you mean \"accuracy\"?)"),
        ("drift_share", "drift_shre", "(did you mean \"drift_share\"?)"),
        ("target = \"species\"", "target = \"specise\"", "did you mean \"species\"?"),
        ("n_estimators = 100", "n_estimator = 100", "(did you mean \"n_estimators\"?)"),
    ] {
        project.edit(right, wrong);
        let output = project.run(&["train"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(meant), "{meant} is not in\n{error}");
        project.edit(wrong, right);
    }
}

#[test]
fn whoever_is_stopped_is_told_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("scored.csv", "order,decision\n1,yes\n2,no\n");
    write("paid.csv", "order_id,paid\n1,yes\n2,no\n");
    write("model.joblib", "not looked at");
    for (line, way_on) in [
        ("monitor scored.csv paid.csv", "--reference TABLE --current TABLE"),
        ("monitor", "--reference TABLE --current TABLE"),
        (
            "monitor --reference scored.csv --current scored.csv --columns decison",
            "--columns names those to compare",
        ),
        ("quality", "--predictions TABLE --labels TABLE"),
        ("quality --predictions scored.csv --labels paid.csv --target paid", "--prediction names"),
        (
            "quality --predictions scored.csv --prediction decision --labels paid.csv --target paid",
            "PREDICTIONS=LABELS",
        ),
        ("server --backend-store-uri ./mlruns --port 0", "`trainyard server import FOLDER`"),
        ("serve -m gone.joblib --port 0", "no such file or folder: gone.joblib"),
        ("predict -m model.joblib scored.csv out.csv", "trainyard model wrap"),
        ("predict -m gone scored.csv out.csv", "models:/Name@alias"),
        ("model wrap gone.joblib wrapped", "no such file: gone.joblib"),
    ] {
        let mut command = trainyard();
        let output = command.current_dir(folder.path()).args(line.split(' ')).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {error}");
        assert!(error.contains(way_on), "{line}: {way_on} is not in\n{error}");
    }
}

#[test]
fn the_output_of_a_training_program_is_shown_in_order_without_a_terminal() {
    let project = TestProject::iris();
    let script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 1";
    project.edit("algorithm = \"random_forest\"", &format!("command = \"{script}\" #"));
    project.edit("log_loss = { max = 0.5 }\n", "");
    let output = project.run(&["train"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let shown: Vec<&str> = error
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with("out ") || line.starts_with("err "))
        .collect();
    assert_eq!(shown, ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"], "{error}");
}

/// The commands of a section of a page, without what is said of them.
pub(crate) fn commands_of(page: &str, section: &str) -> Vec<String> {
    let text = std::fs::read_to_string(workspace_root().join(page)).unwrap();
    let section = text.split(section).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let commands = section.lines().filter_map(|line| line.strip_prefix("    "));
    commands.map(|line| line.split("  # ").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn the_readme_leads_to_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let row = |row: u32| {
        let tenure = row * 37 % 60;
        format!("{tenure},{},{}\n", ["basic", "pro"][row as usize % 2], tenure < 20)
    };
    let rows: String = (0..300).map(row).collect();
    std::fs::write(folder.path().join("customers.csv"), format!("tenure,plan,churned\n{rows}"))
        .unwrap();
    let port = free_port().to_string();
    let shell = |line: &str| {
        let mut shell = Command::new("sh");
        let binary = Path::new(env!("CARGO_BIN_EXE_trainyard")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        shell.args(["-c", &line.replace("8080", &port)]).current_dir(folder.path());
        shell.env("PATH", format!("{}:{path}", binary.display())).env_remove("MLFLOW_TRACKING_URI");
        shell
    };
    let commands = commands_of("README.md", "## A project of your own\n");
    assert_eq!(commands.len(), 4, "{commands:?}");
    for line in &commands[..2] {
        stdout_of(&shell(line).output().unwrap(), 0);
    }
    let file = folder.path().join("churn/trainyard.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("8080", &port)).unwrap();
    let run = &commands[2];
    assert!(run.contains("--keep"), "{run}");
    let mut kept = KillOnDrop::spawn(
        shell(&format!("exec {run}")).stdout(Stdio::piped()).stderr(Stdio::null()),
    );
    // The summary is there once it serves.
    let said = BufReader::new(kept.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = said.take_while(|line| !line.starts_with("took")).collect();
    assert!(said.iter().any(|line| line.contains("churn version 1 (Production)")), "{said:?}");
    let answer = stdout_of(&shell(&commands[3]).output().unwrap(), 0);
    assert!(answer.contains("predictions"), "{answer}");
    signal("-INT", u64::from(kept.0.id()));
    assert!(kept.0.wait().unwrap().success());
}
