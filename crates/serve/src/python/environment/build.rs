//! The steps by which an environment is made: a Python, what packages are built with, the packages.
//!
//! uv makes it where it is found, which is fast and brings a Python along if none is there; else `venv` and pip of a
//! Python, with the same result. What the model was built with comes first, as MLflow does it: packages of before 2024
//! import setuptools without saying so, and source packages are built with what was current then.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::find_python::find_python;
use super::tool::{Failure, Workshop};
use super::wanted::{ALSO, Requirements};
use crate::python::variables::Variables;

/// What makes environments.
#[derive(Debug, Clone)]
pub(super) enum Tool {
    /// uv where it is found, else pip.
    Any,
    /// Where uv is.
    #[cfg(test)]
    Uv(PathBuf),
    #[cfg(test)]
    Pip,
}

/// Lists of packages, in the folder that the tools run in.
const BUILD_LIST: &str = "build.txt";
const LIST: &str = "requirements.txt";

const INSTALL_BUILD: &str = "install what the model's packages are built with";
const INSTALL: &str = "install the model's requirements";

/// Packages that a summary names.
const NAMED_MAX: usize = 3;

/// Source packages are built with the same tools that are installed: uv's setting, pip's since 25.3, pip's before.
const BUILT_ALIKE: [(&str, &str); 3] = [
    ("UV_BUILD_CONSTRAINT", BUILD_LIST),
    ("PIP_BUILD_CONSTRAINT", BUILD_LIST),
    ("PIP_CONSTRAINT", BUILD_LIST),
];

/// Files of the cache are linked, not copied.
const LINKED: (&str, &str) = ("UV_LINK_MODE", "hardlink");

/// Nothing is asked of the network: what uv has kept is enough, or it is not.
const OFFLINE: (&str, &str) = ("UV_OFFLINE", "1");

/// Makes an environment at `place`, where nothing is.
pub(super) async fn build(
    workshop: &Workshop<'_>,
    tool: &Tool,
    requirements: &Requirements,
    place: &Path,
) -> Result<(), String> {
    let uv = match tool {
        Tool::Any => find_uv(workshop).await,
        #[cfg(test)]
        Tool::Uv(uv) => Some(uv.clone()),
        #[cfg(test)]
        Tool::Pip => None,
    };
    for (name, lines) in [(BUILD_LIST, &requirements.build), (LIST, &requirements.packages)] {
        let path = workshop.folder.join(name);
        std::fs::write(&path, lines.join("\n") + "\n")
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let maker = Maker { workshop, uv, requirements, place };
    maker.make_python().await?;
    if !requirements.build.is_empty() {
        let installed = maker.install_anyhow(BUILD_LIST, None, &[], INSTALL_BUILD).await;
        installed.map_err(|failure| maker.told(&failure))?;
    }
    maker.install_packages().await
}

struct Maker<'m> {
    workshop: &'m Workshop<'m>,
    uv: Option<PathBuf>,
    requirements: &'m Requirements,
    place: &'m Path,
}

impl Maker<'_> {
    fn python(&self) -> PathBuf {
        self.place.join("bin/python")
    }

    /// An environment without packages.
    async fn make_python(&self) -> Result<(), String> {
        let (wanted, minor) = (&self.requirements.python, self.requirements.minor());
        let found = find_python(self.workshop, wanted, &minor, self.uv.is_none()).await;
        let tool = if self.uv.is_some() { "uv" } else { "pip" };
        let place = self.place.as_os_str();
        let made = match (&self.uv, &found) {
            (None, Err(looked)) => return Err(looked.to_string()),
            (None, Ok(python)) => {
                tracing::info!(path = %self.place.display(), tool, python = %python.display(), "making a Python environment");
                let arguments: [&OsStr; 3] = ["-m".as_ref(), "venv".as_ref(), place];
                self.workshop.run(python.as_os_str(), &arguments, &[], "make an environment").await
            }
            (Some(uv), _) => {
                // It may know of others, and may download one.
                let python: OsString = match &found {
                    Ok(python) => python.into(),
                    Err(_) => minor.into(),
                };
                tracing::info!(path = %self.place.display(), tool, python = %python.display(), "making a Python environment");
                let arguments: [&OsStr; 4] =
                    ["venv".as_ref(), "--python".as_ref(), python.as_ref(), place];
                self.workshop.run(uv.as_os_str(), &arguments, &[], "make an environment").await
            }
        };
        made.map_err(|failure| match found {
            Ok(_) => self.told(&failure),
            Err(looked) => format!("{looked}\n{}", failure.reason),
        })
    }

    /// Installs the packages: with what the model was built with, and where that is what fails, with what the packages
    /// themselves ask for. The first failure is the one that is told.
    async fn install_packages(&self) -> Result<(), String> {
        let alike: &[(&str, &str)] =
            if self.requirements.build.is_empty() { &[] } else { &BUILT_ALIKE };
        let first = match self.install_anyhow(LIST, Some(ALSO), alike, INSTALL).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if !alike.is_empty() && first.names(&["build", "conflict", "constraint", "metadata"]) {
            tracing::warn!("packages cannot be built with what the model names; theirs is tried");
            if self.install_anyhow(LIST, Some(ALSO), &[], INSTALL).await.is_ok() {
                return Ok(());
            }
        }
        Err(self.told(&first))
    }

    /// Installs a list. While no package index answers, uv may have kept all that is needed.
    async fn install_anyhow(
        &self,
        list: &str,
        package: Option<&str>,
        more: &[(&str, &str)],
        what: &str,
    ) -> Result<(), Failure> {
        let first = match self.install(list, package, more, what).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if self.uv.is_some() && first.names(&["failed to fetch", "error sending request"]) {
            tracing::warn!("no package index answers; what uv has kept is tried");
            let more = [more, &[OFFLINE]].concat();
            if self.install(list, package, &more, what).await.is_ok() {
                return Ok(());
            }
        }
        Err(first)
    }

    /// Installs a list, and a package beside it.
    async fn install(
        &self,
        list: &str,
        package: Option<&str>,
        more: &[(&str, &str)],
        what: &str,
    ) -> Result<(), Failure> {
        let python = self.python();
        let mut arguments: Vec<&OsStr> = match &self.uv {
            Some(_) => ["pip", "install", "--python"].map(OsStr::new).to_vec(),
            // What is compiled is compiled when it is imported, as with uv: most of it never is.
            None => ["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
                .into_iter()
                .chain(["--no-compile", "--progress-bar", "off"])
                .map(OsStr::new)
                .collect(),
        };
        if self.uv.is_some() {
            arguments.push(python.as_os_str());
        }
        arguments.extend(["--requirement", list].map(OsStr::new));
        arguments.extend(package.map(OsStr::new));
        let program = self.uv.as_deref().unwrap_or(&python);
        let more = [more, &[LINKED]].concat();
        tracing::info!(tool = %program.display(), list, "{what}");
        self.workshop.run(program.as_os_str(), &arguments, &more, what).await
    }

    /// A failure with the packages that it is about, as far as one can see.
    fn told(&self, failure: &Failure) -> String {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let lists = [&self.requirements.build, &self.requirements.packages];
        let names = lists
            .into_iter()
            .flatten()
            .map(|line| line.split_once(|c| !is_name(c)).map_or(line.as_str(), |(name, _)| name));
        let has = |name: &&str| failure.said.split(|c| !is_name(c)).any(|word| word == *name);
        let named: Vec<&str> = names.filter(has).take(NAMED_MAX).collect();
        let about =
            if named.is_empty() { String::new() } else { format!("about {}; ", named.join(", ")) };
        format!("{} ({about}the server's log has all that it said)", failure.reason)
    }
}

/// uv: on the `PATH`, in the environment that this runs in, or where its installer and pip put it.
async fn find_uv(workshop: &Workshop<'_>) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable);
    folders.extend(active.map(|folder| folder.join("bin")));
    if let Some(home) = variable("HOME") {
        folders.extend([home.join(".local/bin"), home.join(".cargo/bin")]);
    }
    for uv in folders.into_iter().map(|folder| folder.join("uv")) {
        // A shim of pyenv may stand for a uv that is not there.
        if uv.is_absolute() && uv.is_file() && workshop.ask(&uv, &["--version"]).await.is_ok() {
            return Some(uv);
        }
    }
    None
}

/// Where uv and pip keep what they download, unless they are told: where they do for everybody, so that nothing is
/// downloaded that this user has. If that is on another disk, from which nothing can be linked, or cannot be written to
/// (as in a container, whose `/tmp` is memory), it is beside the environments, and so is what they unpack.
pub(super) fn wheel_folders(variables: &Variables, folder: &Path) -> Variables {
    let value = |wanted: &str| {
        let found = variables.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let usual = value("XDG_CACHE_HOME").or_else(|| value("HOME").map(|home| home.join(".cache")));
    let device = |path: &Path| std::fs::metadata(path).map(|file| file.dev()).ok();
    let is_usable = usual.is_some_and(|usual| {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(&usual, access).is_ok() && device(&usual) == device(folder)
    });
    if is_usable {
        return Variables::new();
    }
    let wheels = folder.join(WHEELS);
    [("UV_CACHE_DIR", "uv"), ("PIP_CACHE_DIR", "pip"), ("TMPDIR", "tmp")]
        .into_iter()
        .filter(|(name, _)| value(name).is_none())
        .map(|(name, below)| (name.into(), wheels.join(below).into()))
        .collect()
}

/// The folder of what uv and pip keep, below that of environments.
pub(super) const WHEELS: &str = "wheels";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_keep_downloads_where_files_can_be_linked() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("trainyard");
        std::fs::create_dir_all(&cache).unwrap();
        let variables = |more: &[(&str, &Path)]| -> Variables {
            more.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let ours = wheel_folders(&variables(&[("HOME", home.path())]), &cache);
        let names: Vec<_> = ours.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["UV_CACHE_DIR", "PIP_CACHE_DIR", "TMPDIR"]);
        assert_eq!(ours[0].1, cache.join("wheels/uv").as_os_str());
        // Where the server says it, and where this user has a cache, nothing is said.
        let told = ["UV_CACHE_DIR", "PIP_CACHE_DIR", "TMPDIR"].map(|name| (name, home.path()));
        assert!(wheel_folders(&variables(&told), &cache).is_empty());
        std::fs::create_dir_all(home.path().join(".cache")).unwrap();
        assert!(wheel_folders(&variables(&[("HOME", home.path())]), &cache).is_empty());
        // Another disk.
        let elsewhere =
            wheel_folders(&variables(&[("XDG_CACHE_HOME", Path::new("/proc"))]), &cache);
        assert_eq!(elsewhere.len(), 3);
    }
}
