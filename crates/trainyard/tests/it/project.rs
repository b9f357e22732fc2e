//! Projects for tests: the Iris example in a temporary folder, on free ports.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use trainyard_testkit::workspace_root;

/// The binary under test.
pub(crate) fn trainyard() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainyard"));
    // Whoever runs the tests may have these set.
    for name in [
        "CI",
        "MLFLOW_TRACKING_URI",
        "MODEL_NAME",
        "MODEL_STAGE",
        "TRAINYARD_ENGINE",
        "TRAINYARD_ENGINE_DRIVER",
        "TRAINYARD_HOST",
        "TRAINYARD_PORT",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// A project in a temporary folder. Its deployment is stopped when the test ends.
#[derive(Debug)]
pub(crate) struct TestProject {
    folder: TempDir,
    /// Added to the environment of every verb.
    pub(crate) env: Vec<(String, String)>,
}

impl TestProject {
    /// A copy of `examples/iris` whose gateway listens on a free port.
    pub(crate) fn iris() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(&workspace_root().join("examples/iris"), folder.path());
        let project = Self { folder, env: Vec::new() };
        project.edit("127.0.0.1:8080", "127.0.0.1:0");
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Replaces text in `trainyard.toml`; the text must be there.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let path = self.file("trainyard.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// Adds a row to the training data: something new to learn from.
    pub(crate) fn add_training_row(&self, row: &str) {
        let path = self.file("data/train.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        // In one step: somebody may be reading it.
        let whole = self.file("data/train.csv.new");
        std::fs::write(&whole, format!("{}\n{row}\n", text.trim_end())).unwrap();
        std::fs::rename(&whole, &path).unwrap();
    }

    /// A gate that every version passes: where another split of few rows must not decide.
    pub(crate) fn accept_every_version(&self) {
        self.edit("accuracy = { min = 0.9 }", "accuracy = { min = 0.0 }");
        self.edit("log_loss = { max = 0.5 }", "log_loss = { max = 100.0 }");
        self.edit("accuracy = 0.02\n", "\n");
    }

    /// Runs a verb in the project's folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = trainyard();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.path()).args(arguments).output().unwrap()
    }
}

impl Drop for TestProject {
    fn drop(&mut self) {
        let _nothing_to_stop = self.run(&["deploy", "stop"]);
    }
}

fn copy_tree(source: &Path, target: &Path) {
    std::fs::create_dir_all(target).unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        // What an earlier run left in the example is not part of it.
        if [".trainyard", "mlartifacts", "reports"].iter().any(|made| name == *made)
            || name.to_string_lossy().starts_with("mlflow.db")
        {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target.join(name));
        } else {
            std::fs::copy(entry.path(), target.join(name)).unwrap();
        }
    }
}

/// Standard output as text, and standard error where the exit code is not the expected one.
pub(crate) fn stdout_of(output: &Output, code: i32) -> String {
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout:\n{}\nstderr:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
