//! `trainyard init` in folders as people have them: nothing that is there is written over, and then `run` works or says
//! what is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use trainyard_testkit::workspace_root;

use crate::project::{stdout_of, trainyard};

/// A folder that gets a project.
struct Place {
    folder: TempDir,
    /// Where the project is in it.
    project: String,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), project: ".".to_owned() };
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn verb(&self, verb: &str, more: &[&str]) -> Output {
        let mut command = trainyard();
        command.current_dir(self.folder.path()).args([verb, &self.project]).args(more);
        command.output().unwrap()
    }

    /// Runs `init` with a look at what it would do, and once more behind it: what is there stays, and all that was
    /// announced is done. Answers what it said.
    fn init(&self, more: &[&str]) -> String {
        let before = all_files(self.folder.path());
        let dry = [more, &["--dry-run"]].concat();
        let announced = stdout_of(&self.verb("init", &dry), 0);
        assert_eq!(all_files(self.folder.path()), before, "a look writes nothing");
        let output = self.verb("init", more);
        assert_eq!(stdout_of(&output, 0), announced);
        let after = all_files(self.folder.path());
        for (path, content) in &before {
            let now = &after[path];
            let is_list = path.ends_with(".gitignore");
            assert!(now == content || is_list && now.starts_with(content), "{}", path.display());
        }
        assert_eq!(stdout_of(&self.verb("init", &[]), 0), "", "nothing is left to do");
        assert_eq!(all_files(self.folder.path()), after);
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Runs the project, with a gateway on any port.
    fn run(&self) -> Output {
        let file = Path::new(&self.project).join("trainyard.toml");
        let file = file.to_str().unwrap();
        let text = self.read(file);
        self.write(file, &text.replace("127.0.0.1:8080", "127.0.0.1:0"));
        self.verb("run", &[])
    }

    /// The run must work.
    fn runs(&self) -> String {
        stdout_of(&self.run(), 0)
    }

    /// The run must say what is missing.
    fn says(&self, parts: &[&str]) {
        let output = self.run();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("hint:"), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in:\n{error}");
        }
    }
}

/// All files below a folder, with their content.
fn all_files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else {
            let content = std::fs::read(&path).unwrap();
            found.insert(path, content);
        }
    }
    found
}

/// Customers with an id, a date, gaps and a reason to leave.
fn customers() -> String {
    let row = |row: u32| {
        let tenure = row * 37 % 60;
        let gap = if row.is_multiple_of(10) { String::new() } else { (row % 90).to_string() };
        let left = if tenure < 20 { "yes" } else { "no" };
        format!(
            "C{row:05},2026-0{}-11,{},{tenure},{gap},{left}\n",
            row % 9 + 1,
            ["basic", "pro"][row as usize % 2]
        )
    };
    let rows: String = (0..400).map(row).collect();
    format!("customerID,signed_up,plan,tenure,charge,churned\n{rows}")
}

#[test]
fn an_empty_folder_and_one_that_is_not_there() {
    let place = Place::new(&[]);
    let said = place.init(&[]);
    assert!(said.contains("put training data into ./data/train.csv"), "{said}");
    place.says(&["train.csv"]);
    let place = Place { project: "models/churn".to_owned(), ..Place::new(&[]) };
    place.init(&["--target", "churned"]);
    place.write("models/churn/data/train.csv", &customers());
    assert!(place.read("models/churn/trainyard.toml").contains("name = \"churn\""));
    place.runs();
}

#[test]
fn nothing_but_data() {
    let place = Place::new(&[("customers.csv", &customers())]);
    let said = place.init(&["--name", "Churn"]);
    for part in [
        "to predict: \"churned\" (a guess",
        "2 classes",
        "\"customerID\" is left out: names the row",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let run = place.runs();
    assert!(run.contains("Churn version 1 (Production)"), "{run}");
}

#[test]
fn several_tables_and_a_quantity() {
    let row =
        |row: u32| format!("{row},{},{}\n", row * 7 % 100, f64::from(row * 7 % 100) * 2.5 + 0.25);
    let prices: String = (0..300).map(row).collect();
    let place = Place::new(&[
        ("data/prices.csv", &format!("id,size,price\n{prices}")),
        ("data/other.csv", "a,b\n1,2\n"),
    ]);
    let dry = place.verb("init", &["--dry-run"]);
    assert_eq!(stdout_of(&dry, 0).lines().count(), 8);
    let said = place.init(&["--data", "data/prices.csv"]);
    assert!(said.contains("a quantity"), "{said}");
    let toml = place.read("trainyard.toml");
    assert!(toml.contains("r2 = { min = 0.0 }") && toml.contains("rmse = { max = "), "{toml}");
    place.runs();
}

#[test]
fn data_that_nothing_can_be_learnt_from() {
    let place = Place::new(&[("data/train.csv", "x,y\n1,a\n2,a\n3,a\n")]);
    let looked = place.verb("init", &["--target", "y", "--dry-run"]);
    let looked = String::from_utf8_lossy(&looked.stderr);
    assert!(looked.contains("only one class"), "{looked}");
    let said = place.init(&["--target", "y"]);
    assert!(said.contains("only one class"), "{said}");
    place.says(&["only one class"]);
    let place = Place::new(&[("data/train.csv", &customers())]);
    for (mistake, answer) in
        [(["--target", "churn"], "did you mean \"churned\"?"), (["--name", "a/b"], "--name churn")]
    {
        let output = place.verb("init", &mistake);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(answer), "{error}");
        assert_eq!(all_files(place.folder.path()).len(), 1, "nothing is written");
    }
}

/// A repository that trains with MLflow in Python, serves with an image of its own, and has workflows.
fn python_repository() -> Place {
    Place::new(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        (
            "src/train.py",
            "import mlflow\nmlflow.sklearn.log_model(m, registered_model_name='Churn')\n",
        ),
        ("data/train.csv", &customers()),
        ("Dockerfile", "FROM python:3.12\n"),
        (".dockerignore", "data/\n"),
        ("requirements.txt", "mlflow\n"),
        (".gitignore", "__pycache__/\n/data/\n"),
        (".github/workflows/pipeline.yaml", "name: tests\n"),
    ])
}

#[test]
fn a_python_repository_with_docker_and_workflows() {
    let place = python_repository();
    let said = place.init(&[]);
    assert!(said.contains("src/train.py trains with MLflow"), "{said}");
    assert!(said.contains("git leaves data/train.csv out"), "{said}");
    let toml = place.read("trainyard.toml");
    assert!(
        toml.contains("command = \"python3 src/train.py\"") && toml.contains("name = \"Churn\""),
        "{toml}"
    );
    assert!(place.read("trainyard.Dockerfile").contains("MODEL_NAME=\"Churn\""));
    let pipeline = place.read(".github/workflows/trainyard-pipeline.yaml");
    assert!(pipeline.contains("python -m pip install -r requirements.txt"), "{pipeline}");
    assert!(place.read(".gitignore").contains("/mlflow.db*"));
}

/// A script of somebody whose packages are not in the Python that is found first.
#[test]
fn a_repository_whose_environment_nobody_has_activated() {
    let place = Place::new(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("train.py", "import package_that_nobody_has, mlflow\n"),
        ("requirements.txt", "mlflow\n"),
    ]);
    let said = place.init(&[]);
    assert!(said.contains("found: requirements.txt lists the packages: "), "{said}");
    let failed = || {
        let output = place.run();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let error = failed();
    for part in [
        "has no \"package_that_nobody_has\"",
        "-m pip install -r requirements.txt` once",
        "write command = \".venv/bin/python train.py\" under [train]",
    ] {
        assert!(error.contains(part), "{part} is not in\n{error}");
    }
    // It is there, and not the one that ran.
    place.write(".venv/bin/python", "");
    let error = failed();
    assert!(error.contains("`. .venv/bin/activate` first, or write"), "{error}");
    let again = place.verb("init", &[]);
    let again = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.contains("the packages are in .venv, which is not active"), "{again}");
    let toml = place.read("trainyard.toml");
    place.write("trainyard.toml", &toml.replace("python3 train.py", "uv-of-nobody run train.py"));
    assert!(failed().contains("uv-of-nobody is not there, or not on PATH"), "{}", failed());
}

#[test]
fn a_part_of_a_repository_and_ones_of_uv_and_poetry() {
    let place = Place {
        project: "models/churn".to_owned(),
        ..Place::new(&[
            (".git/HEAD", "ref: refs/heads/main\n"),
            (".github/workflows/tests.yaml", "name: tests\n"),
            ("models/churn/data/train.csv", &customers()),
        ])
    };
    place.init(&[]);
    assert!(place.path(".github/workflows/churn-pipeline.yaml").is_file());
    assert!(!place.path("models/churn/.github").exists());
    place.runs();

    let place = Place::new(&[
        ("train.py", "import mlflow\n"),
        ("uv.lock", "version = 1\n"),
        ("pyproject.toml", "[project]\nrequires-python = '>=3.11'\n"),
    ]);
    place.init(&[]);
    assert!(place.read("trainyard.toml").contains("command = \"uv run --frozen python train.py\""));
    let pipeline = place.read(".github/workflows/pipeline.yaml");
    assert!(
        pipeline.contains("uv sync --frozen")
            && pipeline.contains("python-version-file: \"pyproject.toml\"")
    );

    let place = Place::new(&[
        ("train.py", "import mlflow\n"),
        ("poetry.lock", ""),
        ("pyproject.toml", "[tool.poetry]\npackage-mode = false\n"),
    ]);
    place.init(&[]);
    assert!(place.read("trainyard.toml").contains("command = \"poetry run python train.py\""));
    let pipeline = place.read(".github/workflows/pipeline.yaml");
    assert!(pipeline.contains(" && poetry install --no-interaction\n"), "{pipeline}");
}

#[test]
fn a_project_that_lacks_the_rest() {
    let example = workspace_root().join("examples/iris");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let place = Place::new(&[
        ("trainyard.toml", &read("trainyard.toml")),
        ("data/train.csv", &read("data/train.csv")),
    ]);
    place.init(&[]);
    assert!(place.read("Dockerfile").contains("MODEL_NAME=\"IrisClassifier\""));
    // What is said and not written is told.
    let again = place.verb("init", &["--target", "petal width (cm)"]);
    let again = String::from_utf8_lossy(&again.stderr);
    assert!(again.contains("trainyard.toml stays as it is: write there"), "{again}");
    place.runs();
    let broken = Place::new(&[("trainyard.toml", "[modle]\nname = \"x\"\n")]);
    let output = broken.verb("init", &[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("(did you mean \"model\"?)"), "{error}");
    assert_eq!(all_files(broken.folder.path()).len(), 1);
}

#[test]
fn places_where_nothing_can_be_written() {
    // Not even by root.
    let folder = Place { project: "/proc/trainyard".to_owned(), ..Place::new(&[]) };
    let file = Place { project: "notes".to_owned(), ..Place::new(&[("notes", "mine")]) };
    let in_the_way = Place::new(&[(".github", "a file")]);
    for place in [folder, file, in_the_way] {
        let before = all_files(place.folder.path());
        let output = place.verb("init", &[]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("hint:") && output.stdout.is_empty(), "{error}");
        assert_eq!(all_files(place.folder.path()), before);
    }
}

#[test]
fn the_script_that_is_written_trains_a_model_that_is_approved() {
    let place = Place::new(&[("data/train.csv", &customers())]);
    let python = trainyard_testkit::python();
    place.init(&["--train-command", &format!("{} src/train.py", python.display())]);
    let script = place.read("src/train.py");
    assert!(
        script.contains("TARGET = \"churned\"") && script.contains("\"customerID\""),
        "{script}"
    );
    assert!(place.read("trainyard.toml").contains("f1_macro"));
    let run = place.runs();
    assert!(run.contains("version 1 (Production)"), "{run}");
}

/// Runs `init` on a terminal on which somebody has typed; prints its exit code and what the terminal shows.
const ON_A_TERMINAL: &str = r#"
import os, pty, signal, sys
program, folder, ci, typed = sys.argv[1:]
os.environ["CI"] = ci
child, terminal = pty.fork()
if child == 0:
    os.execv(program, [program, "init", folder])
signal.alarm(120)
os.write(terminal, typed.encode())
shown = b""
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    shown += part
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(shown.decode())
"#;

#[test]
fn on_a_terminal_what_was_guessed_is_asked() {
    let on_a_terminal = |place: &Place, ci: &str, typed: &str| {
        let folder = place.folder.path().to_str().unwrap();
        let program = env!("CARGO_BIN_EXE_trainyard");
        let said = trainyard_testkit::run_python(ON_A_TERMINAL, &[program, folder, ci, typed], &[]);
        let (code, shown) = said.split_once('\n').unwrap();
        (code.to_owned(), shown.to_owned())
    };
    let two_tables = || {
        let other = "a,b,c\n1,2,x\n2,1,y\n".to_owned() + &"3,4,x\n4,3,y\n".repeat(60);
        Place::new(&[("data/customers.csv", &customers()), ("data/other.csv", &other)])
    };
    // A slip is asked again, Enter agrees; the end of answers is behind the last question.
    let place = two_tables();
    let (code, shown) = on_a_terminal(&place, "", "custmers\ndata/other.csv\nb\n\n\u{4}");
    assert_eq!(code, "0", "{shown}");
    assert!(
        shown.contains("table to train on") && shown.contains("there is no \"custmers\""),
        "{shown}"
    );
    assert!(shown.contains("column to predict [\"c\"]"), "{shown}");
    let toml = place.read("trainyard.toml");
    assert!(
        toml.contains("data = \"data/other.csv\"") && toml.contains("target = \"b\""),
        "{toml}"
    );
    assert!(!toml.contains("a guess"), "{toml}");
    // Who does not answer gets nothing, and who has a project is not asked; nor is a job that has a terminal.
    let place = two_tables();
    let (code, shown) = on_a_terminal(&place, "", "\u{4}");
    assert_eq!(code, "2", "{shown}");
    assert!(
        shown.contains("nothing was written") && !place.path("trainyard.toml").exists(),
        "{shown}"
    );
    let place =
        Place::new(&[("trainyard.toml", "[model]\nname = \"x\"\n[train]\ncommand = \"id\"\n")]);
    let (code, shown) = on_a_terminal(&place, "", "\u{4}");
    assert_eq!(code, "0", "{shown}");
    assert!(!shown.contains("name of the model"), "{shown}");
    let (code, shown) = on_a_terminal(&two_tables(), "true", "");
    assert_eq!(code, "0", "{shown}");
    assert!(shown.contains("say which of these to train on"), "{shown}");
}

/// Runs the jobs of GitLab as its runners do: one after the other, each in a shell of its own, with the variables that
/// another has left.
const GITLAB: &str = r#"
import os, subprocess, sys, yaml
root, binaries = sys.argv[1:]
jobs = {}
for include in yaml.safe_load(open(f"{root}/.gitlab-ci.yml"))["include"]:
    jobs |= yaml.safe_load(open(f"{root}/{include['local']}"))
variables = {**os.environ, "CI_PROJECT_DIR": root, "PATH": f"{binaries}:{os.environ['PATH']}"}
done = []
for name, job in jobs.items():
    if name.startswith("."):
        continue
    job = {**jobs[job["extends"]], **job}
    assert all(needed in done for needed in job.get("needs", [])), name
    lines = ["set -e", *job["before_script"], *job["script"]]
    subprocess.run(["sh", "-c", "\n".join(lines)], cwd=root, env=variables, check=True, stdout=sys.stderr)
    for path in job["artifacts"]["paths"]:
        if name != "trainyard-monitor":
            assert os.path.isfile(f"{root}/{path}"), path
    dotenv = job["artifacts"].get("reports", {}).get("dotenv")
    if dotenv:
        variables |= dict(line.strip().split("=", 1) for line in open(f"{root}/{dotenv}"))
    done.append(name)
assert jobs["trainyard-release"]["rules"][0]["when"] == "manual"
print(" ".join(done))
"#;

#[test]
fn jobs_of_gitlab_train_judge_and_release() {
    let place = Place::new(&[
        (".git/config", "[remote \"origin\"]\n\turl = git@gitlab.example.com:us/churn.git\n"),
        ("data/train.csv", &customers()),
    ]);
    place.init(&["--name", "Churn"]);
    assert!(!place.path(".github").exists());
    let toml = place.read("trainyard.toml");
    place.write("trainyard.toml", &toml.replace("127.0.0.1:8080", "127.0.0.1:0"));
    let binaries = Path::new(env!("CARGO_BIN_EXE_trainyard")).parent().unwrap();
    let folder = place.folder.path().to_str().unwrap();
    let done = trainyard_testkit::run_python(GITLAB, &[folder, binaries.to_str().unwrap()], &[]);
    let deploy = |action: &str| {
        let mut command = trainyard();
        command.current_dir(place.folder.path()).args(["deploy", action]).output().unwrap()
    };
    let status = stdout_of(&deploy("status"), 0);
    stdout_of(&deploy("stop"), 0);
    assert!(status.contains("Churn version 1 (Production)"), "{status}");
    assert_eq!(done.trim(), "trainyard-train trainyard-gate trainyard-release trainyard-monitor");
}
