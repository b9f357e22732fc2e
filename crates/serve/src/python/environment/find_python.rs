//! A Python of the minor version that a model wants: a pickle of another one may not load.
//!
//! Each that is found is asked which it is. What only stands for others (a shim of pyenv, of which only some work) says
//! nothing of use and is passed over; the versions behind it are looked at by themselves.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::tool::Workshop;

/// Interpreters that are asked; a machine with more of one minor version has the wanted one among these.
const ASKED_MAX: usize = 40;

/// Interpreters that an error names.
const NAMED_MAX: usize = 8;

/// Its version, itself, and whether it can make environments without uv, which Debian's cannot by itself.
const SCRIPT: &str = "import sys
try:
    import venv, ensurepip
    able = 'venv'
except ImportError:
    able = 'no venv'
print('%d.%d.%d' % sys.version_info[:3])
print(able)
print(sys.executable)";

/// What reads a variable of the environment.
type Lookup<'l> = &'l dyn Fn(&str) -> Option<OsString>;

/// What was looked at without finding the wanted Python.
#[derive(Debug, Default)]
pub(super) struct Looked {
    minor: String,
    asked: Vec<String>,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minor = &self.minor;
        write!(
            f,
            "the model needs Python {minor}, which is neither on the PATH nor among those of pyenv, uv, conda, mise, \
             asdf and MLflow (MLFLOW_ENV_ROOT)"
        )?;
        for (number, asked) in self.asked.iter().take(NAMED_MAX).enumerate() {
            write!(f, "{}{asked}", if number == 0 { "; looked at " } else { ", " })?;
        }
        if self.asked.len() > NAMED_MAX {
            write!(f, " and {} more", self.asked.len() - NAMED_MAX)?;
        }
        write!(
            f,
            "\nhint: install uv or python{minor}, or give an interpreter that has what the model needs with --python \
             (`--python python3` is what --env-manager local is in MLflow)"
        )
    }
}

/// A Python of the minor version of `wanted` (`3.10.13`), the same one if it is there. `needs_venv`: it must be able
/// to make environments by itself.
pub(super) async fn find_python(
    workshop: &Workshop<'_>,
    wanted: &str,
    minor: &str,
    needs_venv: bool,
) -> Result<PathBuf, Looked> {
    let candidates = candidates(minor, &|name| std::env::var_os(name));
    find_among(workshop, wanted, minor, needs_venv, candidates).await
}

async fn find_among(
    workshop: &Workshop<'_>,
    wanted: &str,
    minor: &str,
    needs_venv: bool,
    candidates: Vec<PathBuf>,
) -> Result<PathBuf, Looked> {
    let mut looked = Looked { minor: minor.to_owned(), asked: Vec::new() };
    let mut usable = None;
    for path in candidates.into_iter().take(ASKED_MAX) {
        let answer = workshop.ask(&path, &["-c", SCRIPT]).await;
        let said = match &answer {
            Ok(answer) => {
                let mut lines = answer.lines();
                let version = lines.next().unwrap_or_default();
                let is_able = lines.next() == Some("venv");
                let executable = lines.next().filter(|path| !path.is_empty());
                let executable = executable.map_or_else(|| path.clone(), PathBuf::from);
                let is_minor = version.rsplit_once('.').is_some_and(|(its, _)| its == minor);
                if is_minor && (is_able || !needs_venv) {
                    if version == wanted {
                        return Ok(executable);
                    }
                    usable.get_or_insert(executable);
                    continue;
                }
                if is_minor {
                    format!("{version} without venv (Debian: python{minor}-venv)")
                } else {
                    version.to_owned()
                }
            }
            Err(reason) => reason.clone(),
        };
        looked.asked.push(format!("{} ({said})", path.display()));
    }
    usable.ok_or(looked)
}

/// What could be it, likely ones first, each once.
fn candidates(minor: &str, lookup: Lookup<'_>) -> Vec<PathBuf> {
    let named = format!("python{minor}");
    let folders = folders(lookup);
    let mut found: Vec<PathBuf> = Vec::new();
    // A name that says the version is likely it wherever it is.
    found.extend(folders.iter().map(|folder| folder.join(&named)));
    for (root, below) in version_folders(lookup) {
        let Ok(versions) = std::fs::read_dir(root) else { continue };
        let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
        versions.sort();
        found.extend(versions.iter().rev().map(|version| version.join(below).join(&named)));
    }
    for name in ["python3", "python"] {
        found.extend(folders.iter().map(|folder| folder.join(name)));
    }
    let mut known = HashSet::new();
    found.retain(|path| {
        path.is_file() && known.insert(std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
    });
    found
}

/// Folders that have programs.
fn folders(lookup: Lookup<'_>) -> Vec<PathBuf> {
    let path = lookup("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let bin = |variable| lookup(variable).map(|folder| Path::new(&folder).join("bin"));
    folders.extend(["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(bin));
    folders.extend(["/usr/local/bin", "/usr/bin", "/opt/conda/bin"].map(PathBuf::from));
    if let Some(home) = lookup("HOME").map(PathBuf::from) {
        folders.push(home.join(".local/bin"));
        folders.extend(CONDA.iter().map(|conda| home.join(conda).join("bin")));
    }
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// Where people have conda.
const CONDA: [&str; 4] = ["miniforge3", "mambaforge", "miniconda3", "anaconda3"];

/// Folders that have a folder for each version or environment, and where programs are in those.
fn version_folders(lookup: Lookup<'_>) -> Vec<(PathBuf, &'static str)> {
    let bin = "bin";
    let given = |variable: &str, below: &str| {
        lookup(variable).map(|folder| (PathBuf::from(folder).join(below), bin))
    };
    let mut roots = Vec::new();
    let path = lookup("PATH").unwrap_or_default();
    // pyenv's root is beside the shims that are on the PATH.
    let shims = std::env::split_paths(&path).filter(|folder| folder.ends_with("shims"));
    roots.extend(shims.filter_map(|folder| Some((folder.parent()?.join("versions"), bin))));
    roots.extend(given("PYENV_ROOT", "versions"));
    roots.extend(given("UV_PYTHON_INSTALL_DIR", ""));
    roots.extend(given("XDG_DATA_HOME", "uv/python"));
    roots.extend(given("MLFLOW_ENV_ROOT", ""));
    if let Some(prefix) = lookup("CONDA_PREFIX").map(PathBuf::from) {
        // One environment of several, or the one that the others are in.
        let siblings = prefix.parent().filter(|parent| parent.ends_with("envs"));
        roots.extend(siblings.map(|parent| (parent.to_owned(), bin)));
        roots.push((prefix.join("envs"), bin));
    }
    if let Some(home) = lookup("HOME").map(PathBuf::from) {
        for below in [
            ".pyenv/versions",
            ".local/share/uv/python",
            ".local/share/mise/installs/python",
            ".asdf/installs/python",
            ".conda/envs",
            ".mlflow/envs",
        ] {
            roots.push((home.join(below), bin));
        }
        roots.extend(CONDA.iter().map(|conda| (home.join(conda).join("envs"), bin)));
    }
    roots.push((PathBuf::from("/opt/conda/envs"), bin));
    // Runners of GitHub Actions.
    let tools = lookup("RUNNER_TOOL_CACHE").unwrap_or_else(|| "/opt/hostedtoolcache".into());
    roots.push((Path::new(&tools).join("Python"), "x64/bin"));
    roots
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use tokio::time::{Duration, Instant};

    use super::super::lock::{Hold, Lock};
    use super::*;

    /// Written by another process: one that other tests start at that moment would have it open for writing, and
    /// then it does not run.
    fn program(path: &Path, script: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut install = Command::new("install");
        install.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped());
        let mut child = install.spawn().unwrap();
        let text = format!("#!/bin/sh\n{script}\n");
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn says(version: &str, able: &str) -> String {
        format!("echo {version}; echo {able}; echo \"$0\"")
    }

    #[tokio::test]
    async fn versions_behind_shims_are_found_and_what_was_looked_at_is_told() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let shim = "echo \"pyenv: python3.4: command not found\" >&2; exit 127";
        program(&at(".pyenv/shims/python3.4"), shim);
        program(&at(".pyenv/shims/python3"), &says("3.11.7", "venv"));
        program(&at("bin/python3.4"), &says("3.4.1", "'no venv'"));
        let path = std::env::join_paths([at(".pyenv/shims"), at("bin")]).unwrap();
        let lookup = |name: &str| match name {
            "PATH" => Some(path.clone()),
            "HOME" => Some(home.path().into()),
            _ => None,
        };
        let lock = Lock::try_take(&at("lock"), Hold::Alone).unwrap().unwrap();
        let workshop = Workshop {
            folder: home.path(),
            variables: &vec![("PATH".into(), "/usr/bin:/bin".into())],
            lock: &lock,
            deadline: Instant::now() + Duration::from_mins(1),
        };
        let find = |needs_venv| {
            find_among(&workshop, "3.4.7", "3.4", needs_venv, candidates("3.4", &lookup))
        };
        let error = find(true).await.unwrap_err().to_string();
        for said in [
            "needs Python 3.4",
            "shims/python3.4 (pyenv: python3.4: command not found)",
            "bin/python3.4 (3.4.1 without venv (Debian: python3.4-venv))",
            "shims/python3 (3.11.7)",
            "hint: install uv or python3.4",
        ] {
            assert!(error.contains(said), "{said}: {error}");
        }
        // uv needs no venv.
        assert_eq!(find(false).await.unwrap(), at("bin/python3.4"));
        // Any of the minor version, but rather the same one.
        program(&at(".pyenv/versions/3.4.9/bin/python3.4"), &says("3.4.9", "venv"));
        assert_eq!(find(true).await.unwrap(), at(".pyenv/versions/3.4.9/bin/python3.4"));
        program(&at(".local/share/uv/python/cpython-3.4.7/bin/python3.4"), &says("3.4.7", "venv"));
        let same = at(".local/share/uv/python/cpython-3.4.7/bin/python3.4");
        assert_eq!(find(true).await.unwrap(), same);
    }
}
