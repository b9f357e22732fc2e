//! docs/team.md: its ten commands from an `mlflow server` with basic-auth to a team's server, each as it is written.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use trainyard_testkit::{
    KillOnDrop, free_port, run_python, test_env, wait_until_ready, workspace_root,
};

use crate::run::reqwest_get;

const HEADING: &str = "## From `mlflow server` to this, in ten commands";

/// What an upstream server leaves behind: a database of MLflow 3.8, and users with passwords as werkzeug keeps them.
const LEFT_BEHIND: &str = r#"
import gzip, sqlite3, sys

dump, folder = sys.argv[1:]
with sqlite3.connect(f"{folder}/mlflow.db") as database:
    database.executescript(gzip.open(dump, "rt").read())
with sqlite3.connect(f"{folder}/basic_auth.db") as database:
    database.executescript("""
    CREATE TABLE users (id INTEGER NOT NULL, username VARCHAR(255), password_hash VARCHAR(255),
        is_admin BOOLEAN, PRIMARY KEY (id), UNIQUE (username));
    CREATE TABLE experiment_permissions (id INTEGER NOT NULL, experiment_id VARCHAR(255) NOT NULL,
        user_id INTEGER NOT NULL, permission VARCHAR(255), PRIMARY KEY (id),
        CONSTRAINT fk_user_id FOREIGN KEY(user_id) REFERENCES users (id),
        CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id));
    CREATE TABLE registered_model_permissions (id INTEGER NOT NULL, name VARCHAR(255) NOT NULL,
        user_id INTEGER NOT NULL, permission VARCHAR(255), PRIMARY KEY (id),
        CONSTRAINT fk_user_id FOREIGN KEY(user_id) REFERENCES users (id),
        CONSTRAINT unique_name_user UNIQUE (name, user_id));
    INSERT INTO users VALUES (1, 'admin', 'scrypt:1024:8:1$ZWhcvLjbCVzYXJUt$df46', 1);
    INSERT INTO users VALUES (2, 'ada', 'scrypt:1024:8:1$ZWhcvLjbCVzYXJUt$df46', 0);
    """)
"#;

/// The commands of the page.
fn commands() -> Vec<String> {
    let page = std::fs::read_to_string(workspace_root().join("docs/team.md")).unwrap();
    let (_, section) = page.split_once(HEADING).unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with("    "));
    let commands = lines.take_while(|line| line.starts_with("    "));
    commands.map(|line| line.trim().to_owned()).collect()
}

/// A command of a shell in a folder, where `trainyard` is the binary under test and `mlflow` upstream's.
fn shell(folder: &Path, port: u16, command: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_trainyard")).parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{path}", binary.display(), test_env().join("python/bin").display());
    let mut shell = Command::new("sh");
    shell
        .current_dir(folder)
        .args(["-c", &command.replace("5000", &port.to_string())])
        .env("PATH", path)
        .env("MLFLOW_TRACKING_URI", format!("http://127.0.0.1:{port}"))
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env_remove("MLFLOW_AUTH_CONFIG_PATH")
        .stdin(Stdio::null());
    shell
}

fn said(output: &Output) -> String {
    let texts =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    texts.concat()
}

#[test]
fn ten_commands_lead_from_an_mlflow_server_to_this() {
    let folder = tempfile::tempdir().unwrap();
    let dump = workspace_root().join("crates/tracking/tests/old_databases/3.8.1.sqlite.sql.gz");
    let place = folder.path().to_string_lossy().into_owned();
    run_python(LEFT_BEHIND, &[&dump.to_string_lossy(), &place], &[]);
    std::fs::write(folder.path().join("admin-password"), "analytical engine\n").unwrap();
    let commands = commands();
    assert_eq!(commands.len(), 10, "{commands:?}");
    let port = free_port();
    let mut server = None;
    let mut outputs = Vec::new();
    for command in &commands {
        if let Some(command) = command.strip_suffix(" &") {
            let mut shell = shell(folder.path(), port, &format!("exec {command}"));
            server = Some(KillOnDrop::spawn(shell.stdout(Stdio::null()).stderr(Stdio::null())));
            wait_until_ready(port, Duration::from_mins(1));
            continue;
        }
        let deadline = Instant::now() + Duration::from_mins(1);
        let output = loop {
            let output = shell(folder.path(), port, command).output().unwrap();
            // A server is asked again until it is ready, as whoever types it would.
            let is_early = command.starts_with("trainyard health") && Instant::now() < deadline;
            if output.status.success() || !is_early {
                break output;
            }
        };
        assert!(output.status.success(), "{command}: {}", said(&output));
        outputs.push(said(&output));
    }
    assert!(server.is_some(), "the server runs beside the rest");
    assert!(outputs[0].contains("is at schema version"), "{}", outputs[0]);
    assert!(outputs[1].contains("admin (administrator)\nada"), "{}", outputs[1]);
    let found = &outputs[7];
    assert!(found.contains("ci") && found.contains("experiment"), "{found}");
    let site = format!("http://admin:analytical%20engine@127.0.0.1:{port}");
    let people = reqwest_get(&format!("{site}/team")).unwrap();
    assert!(people.contains("/team/users/ci\"") && people.contains("/webhooks\""), "{people}");
    let tokens = reqwest_get(&format!("{site}/team/tokens")).unwrap();
    assert!(tokens.contains("ci-train"), "{tokens}");
    let changes = reqwest_get(&format!("{site}/team/audit?action=token.create")).unwrap();
    assert!(changes.contains("user:ci"), "{changes}");
}
