//! What a model says about the Python that it needs: the files beside it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::cache::DIGITS;
use super::conda::{self, Conda};
use super::requirements;

const LIST: &str = "requirements.txt";
const PYTHON_ENV: &str = "python_env.yaml";

/// Bytes of one of the files: a few hundred pinned packages.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What workers need beside the model's requirements; MLflow itself is always among those.
pub(super) const ALSO: &str = "pyarrow";

/// What a folder of before `python_env.yaml` is taken to be built with. Packages of that time, MLflow among them,
/// import `pkg_resources`, which setuptools had until then.
const BUILD_BEFORE: [&str; 3] = ["pip", "setuptools<81", "wheel"];

/// What a model says about the Python it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirements {
    /// As in `3.11.2`.
    pub(super) python: String,
    /// What is installed first, and what source packages are built with.
    pub(super) build: Vec<String>,
    /// The packages of `requirements.txt`.
    pub(super) packages: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct PythonEnvFile {
    python: String,
    #[serde(default)]
    build_dependencies: Vec<String>,
}

impl Requirements {
    /// Reads `python_env.yaml` and `requirements.txt`, or `conda.yaml` where one is not there; `python_version` is the
    /// flavor's own.
    pub(crate) fn read(folder: &Path, python_version: Option<&str>) -> Result<Self, String> {
        let list = read(folder, LIST)?;
        let list = list.map(|text| requirements::parse(&text, LIST)).transpose()?;
        let named = read(folder, PYTHON_ENV)?.map(|yaml| python_env(&yaml)).transpose()?;
        let is_told = list.is_some() && named.is_some();
        let of_conda = if is_told { None } else { read(folder, conda::FILE)? };
        // What is in the other files is not asked of this one.
        let conda = match of_conda.map(|text| Conda::parse(&text)) {
            Some(Err(reason)) if list.is_none() => return Err(reason),
            Some(conda) => conda.unwrap_or_default(),
            None => Conda::default(),
        };
        let packages = match list {
            Some(packages) => packages,
            None if !conda.packages.is_empty() => conda.packages,
            None => {
                return Err(
                    "the model has no requirements.txt to make a Python environment from\n\
                            hint: give an interpreter that has what it needs with --python"
                        .to_owned(),
                );
            }
        };
        let (python, build) = if let Some(file) = named {
            let lines = file.build_dependencies.join("\n");
            (Some(file.python), requirements::parse(&lines, PYTHON_ENV)?)
        } else {
            let before = BUILD_BEFORE.map(str::to_owned).to_vec();
            let build = if conda.build.is_empty() { before } else { conda.build };
            (conda.python.or_else(|| python_version.map(ToOwned::to_owned)), build)
        };
        let Some(python) = python else {
            return Err("the model does not say which Python it needs\n\
                        hint: give an interpreter with --python"
                .to_owned());
        };
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !python.split('.').all(is_number) {
            return Err("python_env.yaml names no version of Python, as in 3.11.2".to_owned());
        }
        Ok(Self { python, build, packages })
    }

    /// `3.11`: what a pickle can be read with.
    pub(super) fn minor(&self) -> String {
        self.python.split('.').take(2).collect::<Vec<_>>().join(".")
    }

    /// What makes two environments the same before either is there: whoever asks for the same gets the same. The
    /// system is part of it, since a folder may be shared by containers: programs of one are none in another.
    pub(super) fn digest(&self) -> String {
        let mut digest = Sha256::new();
        let (build, packages) = (self.build.join("\n"), self.packages.join("\n"));
        let (system, minor) = (system(), self.minor());
        let parts = [system.as_str(), minor.as_str(), ALSO, build.as_str(), packages.as_str()];
        for part in ["2"].into_iter().chain(parts) {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        let digest = hex::encode(digest.finalize());
        digest.get(..DIGITS).unwrap_or_default().to_owned()
    }
}

fn python_env(yaml: &str) -> Result<PythonEnvFile, String> {
    serde_saphyr::from_str(yaml).map_err(|error| {
        // Not what the file says: it may be a link to another one.
        let line = error.location().map_or(0, |place| place.line());
        format!("{PYTHON_ENV} does not say which Python it needs (line {line})")
    })
}

fn read(folder: &Path, name: &str) -> Result<Option<String>, String> {
    let broken = |error: std::io::Error| format!("{name}: {error}");
    let file = match File::open(folder.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(broken(error)),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(broken)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{name} is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(Some(text))
}

/// The processor, and the distribution with its version: `x86_64 debian 12`.
fn system() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |wanted: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        let found = lines.find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.trim_matches('"').to_owned()).unwrap_or_default()
    };
    format!("{} {} {}", std::env::consts::ARCH, value("ID"), value("VERSION_ID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_files_beside_the_model_are_read() {
        let yaml = "python: 3.11.2\nbuild_dependencies:\n- pip==23.3.1\n- setuptools==65.5.1\ndependencies:\n\
                    - -r requirements.txt\n";
        let conda = "dependencies:\n- python=3.8.10\n- pip<=22\n- pip:\n  - mlflow==1.24.0\n";
        let both = folder(&[
            ("requirements.txt", "mlflow==3.17.2\n"),
            ("python_env.yaml", yaml),
            ("conda.yaml", "of no matter"),
        ]);
        let found = Requirements::read(both.path(), Some("3.9.1")).unwrap();
        assert_eq!((found.python.as_str(), found.minor().as_str()), ("3.11.2", "3.11"));
        assert_eq!(found.build, ["pip==23.3.1", "setuptools==65.5.1"]);
        let only = folder(&[("requirements.txt", "mlflow==3.17.2\n")]);
        let found = Requirements::read(only.path(), Some("3.9.1")).unwrap();
        assert_eq!((found.minor(), found.build.len()), ("3.9".to_owned(), 3));
        let old = folder(&[("conda.yaml", conda)]);
        let found = Requirements::read(old.path(), Some("3.9.1")).unwrap();
        assert_eq!(
            (found.python.as_str(), found.build.as_slice()),
            ("3.8.10", &["pip<=22".to_owned()][..])
        );
        assert_eq!(found.packages, ["mlflow==1.24.0"]);
        let build = "python: 3.11.2\nbuild_dependencies:\n- --index-url=https://evil.example\n";
        for (folder, version, message) in [
            (folder(&[]), Some("3.11.2"), "no requirements.txt"),
            (folder(&[("requirements.txt", "")]), None, "which Python"),
            (folder(&[("requirements.txt", "")]), Some("3.11; rm"), "no version of Python"),
            (folder(&[("requirements.txt", "x\n-r /etc/passwd\n")]), None, "line 2"),
            (
                folder(&[("requirements.txt", ""), ("python_env.yaml", "s3cret: [")]),
                None,
                "(line 1)",
            ),
            (
                folder(&[("requirements.txt", ""), ("python_env.yaml", build)]),
                None,
                "line 1 of python_env.yaml",
            ),
            (folder(&[("requirements.txt", &"#".repeat(2 << 20))]), None, "larger than"),
            (folder(&[("conda.yaml", "dependencies:\n- numpy\n")]), Some("3.8"), "(numpy)"),
        ] {
            let error = Requirements::read(folder.path(), version).unwrap_err();
            assert!(error.contains(message), "{error}");
            assert!(!error.contains("s3cret") && !error.contains("evil"), "{error}");
        }
    }

    #[test]
    fn other_requirements_are_another_environment() {
        let of = |python: &str, build: &str, text: &str| {
            let lines = |text| requirements::parse(text, LIST).unwrap();
            Requirements { python: python.into(), build: lines(build), packages: lines(text) }
                .digest()
        };
        let one = of("3.11.2", "wheel", "mlflow\npandas");
        assert_eq!(one, of("3.11.9", "wheel", "# a word\npandas\nMLflow\n"));
        assert_ne!(one, of("3.12.2", "wheel", "mlflow\npandas"));
        assert_ne!(one, of("3.11.2", "", "mlflow\npandas"));
        assert_ne!(one, of("3.11.2", "wheel", "mlflow"));
        assert_eq!(one.len(), DIGITS);
    }
}
