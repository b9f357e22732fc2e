//! What a repository says of its own training in Python: the script, where it registers, and how its packages are
//! installed. Files are looked at as text; nothing of them runs.

use super::folder::Folder;

/// Where training scripts are.
const SCRIPTS: [&str; 6] = [
    "src/train.py",
    "train.py",
    "scripts/train.py",
    "training/train.py",
    "src/training/train.py",
    "src/model/train.py",
];

/// A script or list of packages is written by hand: larger than this, it is something else.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// What installs the packages of `uv.lock`. Another release is no matter of chance: it runs beside the workflow's secrets.
const UV: &str = "uv==0.13.9";

/// The same for `poetry.lock`.
const POETRY: &str = "poetry==2.5.1";

/// What a program that trains is given where nothing says what it needs: those that the tests have, not tomorrow's.
const USUAL: &str = "mlflow==3.17.2 scikit-learn==1.9.1 pandas==3.0.6";

/// Most metrics of a script that are shown as examples.
const METRICS_MAX: usize = 5;

/// How the packages of a repository are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packages {
    /// `uv.lock`: uv installs exactly these.
    Uv,
    /// `poetry.lock`, likewise.
    Poetry,
    /// A list for pip.
    Requirements(&'static str),
    /// `pyproject.toml` alone.
    Pyproject,
    /// Nothing says.
    Unknown,
}

/// The Python of a repository.
#[derive(Debug, Clone)]
pub(super) struct Python {
    /// How packages are installed.
    pub(super) packages: Packages,
    /// Where the version of Python is written.
    pub(super) version_file: Option<&'static str>,
    /// The script that trains with MLflow, if there is one.
    pub(super) script: Option<Script>,
}

/// A script that trains with MLflow.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) path: &'static str,
    /// The registered model that it names.
    pub(super) registers: Option<String>,
    /// Metrics that it logs by name.
    pub(super) metrics: Vec<String>,
    /// Whether it reads the training part that it is given.
    pub(super) reads_its_part: bool,
}

impl Python {
    pub(super) fn look(folder: &Folder) -> Self {
        let packages = if folder.has("uv.lock") {
            Packages::Uv
        } else if folder.has("poetry.lock") {
            Packages::Poetry
        } else if let Some(list) =
            ["requirements.txt", "requirements-train.txt"].into_iter().find(|name| folder.has(name))
        {
            Packages::Requirements(list)
        } else if folder.has("pyproject.toml") {
            Packages::Pyproject
        } else {
            Packages::Unknown
        };
        let says_version = || {
            let project = folder.text("pyproject.toml", TEXT_BYTES_MAX);
            project.is_some_and(|text| text.contains("requires-python"))
        };
        let version_file = if folder.has(".python-version") {
            Some(".python-version")
        } else {
            says_version().then_some("pyproject.toml")
        };
        let script = SCRIPTS.into_iter().find_map(|path| Script::read(folder, path));
        Self { packages, version_file, script }
    }

    /// The command line that installs the packages.
    pub(super) fn install(&self) -> String {
        match self.packages {
            Packages::Uv => format!("python -m pip install {UV} && uv sync --frozen"),
            Packages::Poetry => {
                format!("python -m pip install {POETRY} && poetry install --no-interaction")
            }
            Packages::Requirements(list) => format!("python -m pip install -r {list}"),
            Packages::Pyproject => "python -m pip install .".to_owned(),
            Packages::Unknown => format!("python -m pip install {USUAL}"),
        }
    }

    /// The command line that runs a script. By its name with the number: Debian and macOS have no other, environments have both.
    pub(super) fn command(&self, script: &str) -> String {
        match self.packages {
            Packages::Uv => format!("uv run --frozen python {script}"),
            Packages::Poetry => format!("poetry run python {script}"),
            _ => format!("python3 {script}"),
        }
    }
}

impl Script {
    fn read(folder: &Folder, path: &'static str) -> Option<Self> {
        let text = folder.text(path, TEXT_BYTES_MAX)?;
        let code = without_comments(&text);
        if !code.contains("mlflow") {
            return None;
        }
        let mut metrics = quoted_after(&code, "log_metric(");
        metrics.sort();
        metrics.dedup();
        metrics.truncate(METRICS_MAX);
        let registers = ["registered_model_name=", "register_model("]
            .into_iter()
            .flat_map(|before| quoted_after(&code, before))
            // `mlflow.register_model("runs:/…", name)` begins with a URI.
            .find(|name| !name.contains(['/', ':', '{']));
        let reads_its_part = code.contains("TRAINYARD_TRAIN_DATA");
        Some(Self { path, registers, metrics, reads_its_part })
    }
}

fn without_comments(text: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with('#');
    text.lines().filter(is_code).collect::<Vec<&str>>().join("\n")
}

/// The texts in quotes that stand right behind these words.
fn quoted_after(text: &str, before: &str) -> Vec<String> {
    let quoted = |(at, _): (usize, &str)| {
        let rest = text.get(at + before.len()..)?.trim_start();
        let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let (name, _) = rest.get(1..)?.split_once(quote)?;
        (!name.is_empty() && !name.contains('\n')).then(|| name.to_owned())
    };
    text.match_indices(before).filter_map(quoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_as_text() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("src")).unwrap();
        let text = "import mlflow\n# registered_model_name=\"Old\"\nmlflow.log_metric(\n    'auc', 1)\n\
                    mlflow.log_metric(name, 2)\nmlflow.register_model(\"runs:/x/model\", \"Other\")\n\
                    log_model(model, registered_model_name=\"Churn\")\n";
        std::fs::write(place.path().join("src/train.py"), text).unwrap();
        std::fs::write(place.path().join("requirements.txt"), "mlflow\n").unwrap();
        let python = Python::look(&Folder::look(place.path()).unwrap());
        let script = python.script.clone().unwrap();
        assert_eq!(script.registers.as_deref(), Some("Churn"));
        assert_eq!((script.metrics, script.reads_its_part), (vec!["auc".to_owned()], false));
        assert_eq!(python.packages, Packages::Requirements("requirements.txt"));
        assert_eq!(python.command(script.path), "python3 src/train.py");

        std::fs::write(place.path().join("poetry.lock"), "").unwrap();
        let python = Python::look(&Folder::look(place.path()).unwrap());
        assert_eq!(python.command("a.py"), "poetry run python a.py");
        assert!(python.install().ends_with(" && poetry install --no-interaction"));

        std::fs::write(place.path().join("uv.lock"), "").unwrap();
        std::fs::write(place.path().join("src/train.py"), "print('no tracking')\n").unwrap();
        let python = Python::look(&Folder::look(place.path()).unwrap());
        assert!(python.script.is_none());
        assert_eq!(python.command("a.py"), "uv run --frozen python a.py");
        // The one that the tests have.
        assert!(python.install().contains(&format!(" {UV} ")));
        let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/requirements.txt");
        let tests = std::fs::read_to_string(tests).unwrap();
        for package in USUAL.split(' ').chain([UV]) {
            assert!(tests.lines().any(|line| line == package), "{package} is not in {tests}");
        }
    }
}
