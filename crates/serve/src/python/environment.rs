//! The Python environment of a model, made from the files beside it and kept for the next time.
//!
//! `uv` makes it when it is installed, which brings the right Python along; else `venv` and `pip`
//! of a Python of the same minor version, which must be there. Environments are kept under the
//! digest of what they are made from; a lock keeps two servers from making one at the same time.
//!
//! The tools run in an empty folder of their own: Python and uv would take modules and settings from the
//! folder of the model. What they say when they fail may hold the password of a package index, so it goes to
//! the log, and only a summary to `/health`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use trainyard_base::TemporaryFolder;
use trainyard_mlflow::secrets::hide;

use super::group::Group;
use super::requirements;
use super::variables::{self, Variables};

/// Bytes of `requirements.txt` or `python_env.yaml`: a few hundred pinned packages.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Installing scikit-learn and friends over a slow line takes minutes, not longer.
const INSTALL_TIMEOUT: Duration = Duration::from_mins(20);

/// What workers need beside the model's requirements; MLflow itself is always among those.
const ALSO: &str = "pyarrow";

/// Written last; an environment without it is half-made.
const COMPLETE: &str = ".trainyard-complete";

/// Of the output of a tool, the end is where the reason is.
const OUTPUT_BYTES_MAX: usize = 8000;

/// What a model says about the Python it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirements {
    /// As in `3.11.2`.
    python: String,
    /// The packages of `requirements.txt`, one a line.
    text: String,
}

#[derive(Debug, Deserialize)]
struct PythonEnvFile {
    python: String,
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

impl Requirements {
    /// Reads `requirements.txt` and `python_env.yaml`; `python_version` is the flavor's own.
    pub(crate) fn read(folder: &Path, python_version: Option<&str>) -> Result<Self, String> {
        let Some(text) = read(folder, "requirements.txt")? else {
            return Err("the model has no requirements.txt to make a Python environment from\n\
                        hint: give an interpreter that has what it needs with --python"
                .to_owned());
        };
        let text = requirements::parse(&text)?.join("\n") + "\n";
        let python = match read(folder, "python_env.yaml")? {
            Some(yaml) => {
                let file: PythonEnvFile = serde_saphyr::from_str(&yaml).map_err(|error| {
                    // Not what the file says: it may be a link to another one.
                    let line = error.location().map_or(0, |place| place.line());
                    format!("python_env.yaml does not say which Python it needs (line {line})")
                })?;
                Some(file.python)
            }
            None => python_version.map(ToOwned::to_owned),
        };
        let Some(python) = python else {
            return Err("the model does not say which Python it needs\n\
                        hint: give an interpreter with --python"
                .to_owned());
        };
        if !python.split('.').all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err("python_env.yaml names no version of Python, as in 3.11.2".to_owned());
        }
        Ok(Self { python, text })
    }

    /// `3.11`: what a pickle can be read with.
    fn minor(&self) -> String {
        self.python.split('.').take(2).collect::<Vec<_>>().join(".")
    }

    /// What makes two environments the same.
    fn digest(&self, tool: &str) -> String {
        let mut digest = Sha256::new();
        for part in ["1", tool, self.minor().as_str(), ALSO, self.text.as_str()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        hex::encode(digest.finalize().get(..16).unwrap_or_default())
    }
}

/// What makes environments.
#[derive(Debug)]
enum Tool {
    /// Where `uv` is.
    Uv(PathBuf),
    Venv,
}

impl Tool {
    fn name(&self) -> &'static str {
        match self {
            Self::Uv(_) => "uv",
            Self::Venv => "venv",
        }
    }
}

/// The interpreter of the environment, which is made unless it is there.
pub(crate) async fn interpreter(
    requirements: &Requirements,
    cache: &Path,
) -> Result<PathBuf, String> {
    let tool = in_path("uv").map_or(Tool::Venv, Tool::Uv);
    interpreter_by(&tool, variables::for_tools(), requirements, cache).await
}

async fn interpreter_by(
    tool: &Tool,
    variables: Variables,
    requirements: &Requirements,
    cache: &Path,
) -> Result<PathBuf, String> {
    let name = tool.name();
    // The tools run elsewhere.
    let cache =
        std::path::absolute(cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let directory = cache.join(requirements.digest(name));
    let python = directory.join("bin/python");
    std::fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let lock = cache.join(format!("{}.lock", requirements.digest(name)));
    let locked = {
        let path = lock.clone();
        let locked = tokio::task::spawn_blocking(move || {
            let file = File::options().create(true).append(true).open(path)?;
            file.lock()?;
            Ok::<_, std::io::Error>(file)
        });
        let broken = |error: String| format!("{}: {error}", lock.display());
        locked
            .await
            .map_err(|error| broken(error.to_string()))?
            .map_err(|e| broken(e.to_string()))?
    };
    if directory.join(COMPLETE).is_file() {
        return Ok(python);
    }
    tracing::info!(path = %directory.display(), tool = name, python = requirements.python, "making a Python environment");
    if directory.is_dir() {
        std::fs::remove_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    let folder = TemporaryFolder::create("environment").map_err(|error| error.to_string())?;
    let list = folder.path().join(LIST);
    std::fs::write(&list, &requirements.text)
        .map_err(|error| format!("{}: {error}", list.display()))?;
    let workshop = Workshop { folder, variables, requirements };
    match tool {
        Tool::Uv(uv) => workshop.with_uv(uv, &directory).await?,
        Tool::Venv => workshop.with_venv(&directory).await?,
    }
    std::fs::write(directory.join(COMPLETE), &requirements.text)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    drop(locked);
    Ok(python)
}

/// The requirements, in the folder that the tools run in.
const LIST: &str = "requirements.txt";

/// Where an environment is made, and with what.
struct Workshop<'r> {
    folder: TemporaryFolder,
    variables: Variables,
    requirements: &'r Requirements,
}

impl Workshop<'_> {
    async fn with_uv(&self, uv: &Path, directory: &Path) -> Result<(), String> {
        let python = directory.join("bin/python");
        let minor = self.requirements.minor();
        let make: [&OsStr; 5] = [
            "venv".as_ref(),
            "--quiet".as_ref(),
            "--python".as_ref(),
            minor.as_ref(),
            directory.as_ref(),
        ];
        self.run(uv.as_ref(), &make, "make an environment").await?;
        let install: [&OsStr; 8] = [
            "pip".as_ref(),
            "install".as_ref(),
            "--quiet".as_ref(),
            "--python".as_ref(),
            python.as_ref(),
            "--requirement".as_ref(),
            LIST.as_ref(),
            ALSO.as_ref(),
        ];
        self.run(uv.as_ref(), &install, INSTALL).await
    }

    async fn with_venv(&self, directory: &Path) -> Result<(), String> {
        let base = self.base_python(&self.requirements.minor()).await?;
        let make: [&OsStr; 3] = ["-m".as_ref(), "venv".as_ref(), directory.as_ref()];
        self.run(base.as_ref(), &make, "make an environment").await?;
        let install: [&OsStr; 8] = [
            "-m".as_ref(),
            "pip".as_ref(),
            "install".as_ref(),
            "--quiet".as_ref(),
            "--disable-pip-version-check".as_ref(),
            "--requirement".as_ref(),
            LIST.as_ref(),
            ALSO.as_ref(),
        ];
        self.run(directory.join("bin/python").as_ref(), &install, INSTALL).await
    }

    /// A Python of this minor version on the `PATH`: a pickle of another one may not load.
    async fn base_python(&self, minor: &str) -> Result<PathBuf, String> {
        let named = format!("python{minor}");
        for name in [named.as_str(), "python3", "python"] {
            let Some(path) = in_path(name) else { continue };
            let script = "import sys; print('%d.%d' % sys.version_info[:2])";
            let output = self.command(path.as_ref()).args(["-c", script]).output().await;
            if output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == minor) {
                return Ok(path);
            }
        }
        Err(format!(
            "the model needs Python {minor}, which is not on the PATH\n\
             hint: install uv or python{minor}, or give an interpreter with --python"
        ))
    }

    fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    /// Runs a tool to its end. What it and its children are still at when nobody waits any more is killed.
    async fn run(&self, program: &OsStr, arguments: &[&OsStr], what: &str) -> Result<(), String> {
        let path = program.to_string_lossy();
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
        let failed = |reason: &str| format!("{name} could not {what} ({reason})");
        let child = self.command(program).args(arguments).spawn();
        let child = child.map_err(|error| failed(&error.to_string()))?;
        let group = Group::of(child.id(), Signal::KILL);
        let output = tokio::time::timeout(INSTALL_TIMEOUT, child.wait_with_output())
            .await
            .map_err(|_| failed(&format!("took longer than {} s", INSTALL_TIMEOUT.as_secs())))?
            .map_err(|error| failed(&error.to_string()))?;
        group.has_ended();
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        tracing::error!(tool = %path, status = %output.status, "a tool failed:\n{}", hide(end_of(said)));
        let named = self.named_in(said);
        Err(format!(
            "{}{named}; the server's log has what it said",
            failed(&output.status.to_string())
        ))
    }

    /// Which of the model's packages a text is about, as far as one can see.
    fn named_in(&self, said: &str) -> String {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let names = self
            .requirements
            .text
            .lines()
            .map(|line| line.split_once(|c| !is_name(c)).map_or(line, |(name, _)| name));
        let has = |name: &&str| said.split(|c| !is_name(c)).any(|word| word == *name);
        let named: Vec<&str> = names.filter(has).take(NAMED_MAX).collect();
        if named.is_empty() { String::new() } else { format!(" because of {}", named.join(", ")) }
    }
}

const INSTALL: &str = "install the model's requirements";

/// Packages that a summary names.
const NAMED_MAX: usize = 3;

/// The end of what a tool said.
fn end_of(said: &str) -> &str {
    said.get(said.floor_char_boundary(said.len().saturating_sub(OUTPUT_BYTES_MAX))..)
        .unwrap_or_default()
}

fn in_path(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file())
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
        let yaml =
            "python: 3.11.2\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n";
        let both = folder(&[("requirements.txt", "mlflow==3.17.2\n"), ("python_env.yaml", yaml)]);
        let found = Requirements::read(both.path(), Some("3.9.1")).unwrap();
        assert_eq!((found.python.as_str(), found.minor().as_str()), ("3.11.2", "3.11"));
        let only = folder(&[("requirements.txt", "mlflow==3.17.2\n")]);
        assert_eq!(Requirements::read(only.path(), Some("3.9.1")).unwrap().minor(), "3.9");
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
            (folder(&[("requirements.txt", &"#".repeat(2 << 20))]), None, "larger than"),
        ] {
            let error = Requirements::read(folder.path(), version).unwrap_err();
            assert!(error.contains(message) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn other_requirements_are_another_environment() {
        let of =
            |python: &str, text: &str| Requirements { python: python.into(), text: text.into() };
        let one = of("3.11.2", "mlflow");
        assert_eq!(one.digest("uv"), of("3.11.9", "mlflow").digest("uv"));
        assert_ne!(one.digest("uv"), one.digest("venv"));
        assert_ne!(one.digest("uv"), of("3.12.2", "mlflow").digest("uv"));
        assert_ne!(one.digest("uv"), of("3.11.2", "mlflow\npandas").digest("uv"));
    }

    /// Wheels that need nothing from anywhere: what is installed is a file that says so.
    const WHEELS: &str = r#"
import sys, zipfile
folder, python_packages = sys.argv[1], sys.argv[2:]
for package in python_packages:
    with zipfile.ZipFile(f"{folder}/{package}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{package}.py", "VALUE = 7")
        info = f"{package}-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
"#;

    #[tokio::test]
    async fn environments_are_made_once_by_either_tool() {
        let wheels = tempfile::tempdir().unwrap();
        let place = wheels.path().display().to_string();
        trainyard_testkit::run_python(WHEELS, &[&place, "pyarrow", "ours"], &[]);
        let minor = "import sys; print('%d.%d.0' % sys.version_info[:2])";
        let version = trainyard_testkit::run_python(minor, &[], &[]).trim().to_owned();
        let yaml = format!("python: {version}\n");
        let model = folder(&[("requirements.txt", "ours==1.0\n"), ("python_env.yaml", &yaml)]);
        let requirements = Requirements::read(model.path(), None).unwrap();
        let uv = trainyard_testkit::test_env().join("python/bin/uv");
        // Where packages come from is the server's to say. A folder that has another index is not asked.
        let offline = || {
            let mut variables = variables::for_tools();
            for (name, value) in [
                ("PIP_NO_INDEX", "1"),
                ("PIP_FIND_LINKS", place.as_str()),
                ("UV_OFFLINE", "1"),
                ("UV_NO_CACHE", "1"),
                ("UV_FIND_LINKS", place.as_str()),
            ] {
                variables.push((name.into(), value.into()));
            }
            variables
        };
        for tool in [Tool::Venv, Tool::Uv(uv)] {
            let cache = tempfile::tempdir().unwrap();
            let make = || interpreter_by(&tool, offline(), &requirements, cache.path());
            // Two servers that start at the same time make it once.
            let (one, other) = tokio::join!(make(), make());
            let python = one.unwrap();
            assert_eq!(python, other.unwrap());
            let script = "import ours, pyarrow; print(ours.VALUE + pyarrow.VALUE)";
            let output = Command::new(&python).args(["-c", script]).output().await.unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "14", "{output:?}");
            let made = |path: &Path| path.join(COMPLETE).metadata().unwrap().modified().unwrap();
            let directory = cache.path().join(requirements.digest(tool.name()));
            let before = made(&directory);
            make().await.unwrap();
            assert_eq!(made(&directory), before, "made again");
            // A half-made one is made anew.
            std::fs::remove_file(directory.join(COMPLETE)).unwrap();
            std::fs::remove_file(&python).unwrap();
            assert!(make().await.unwrap().is_file());
        }
        // What fails is summed up: no path, no URL, nothing of what the tool said.
        let model =
            folder(&[("requirements.txt", "nobody-has-this==9.9\n"), ("python_env.yaml", &yaml)]);
        let requirements = Requirements::read(model.path(), None).unwrap();
        let uv = trainyard_testkit::test_env().join("python/bin/uv");
        for tool in [Tool::Venv, Tool::Uv(uv)] {
            let cache = tempfile::tempdir().unwrap();
            let mut variables = offline();
            variables
                .push(("PIP_EXTRA_INDEX_URL".into(), "http://me:s3cret@127.0.0.1:9/simple".into()));
            let made = interpreter_by(&tool, variables, &requirements, cache.path()).await;
            let error = made.unwrap_err();
            assert!(error.contains("because of nobody-has-this"), "{error}");
            for leak in ["s3cret", place.as_str(), "://", "find-links"] {
                assert!(!error.contains(leak), "{error}");
            }
        }
        let cache = tempfile::tempdir().unwrap();
        let requirements = Requirements { python: "2.4.1".to_owned(), ..requirements };
        let made = interpreter_by(&Tool::Venv, offline(), &requirements, cache.path()).await;
        assert!(made.unwrap_err().contains("needs Python 2.4"));
    }
}
