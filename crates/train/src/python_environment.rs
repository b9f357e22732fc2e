//! Where a project keeps the packages of its training program, and what is to be done where the program ran without
//! them. Files are looked for by name; nothing of them runs.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Of a list that a person wrote, its name stands at the top.
const LIST_BYTES_MAX: u64 = 64 << 10;

/// What says where the packages are, the surest first: what runs a program by itself goes before a folder that may be old,
/// and that before a list of what is yet to be installed.
const MARKS: [(&str, Kind); 11] = [
    ("uv.lock", Kind::Tool { name: "uv", runs: "uv run --frozen", first: "uv sync" }),
    ("poetry.lock", Kind::Tool { name: "poetry", runs: "poetry run", first: "poetry install" }),
    ("Pipfile.lock", Kind::Tool { name: "pipenv", runs: "pipenv run", first: "pipenv sync" }),
    (".venv/bin/python", Kind::Folder(".venv")),
    ("venv/bin/python", Kind::Folder("venv")),
    ("env/bin/python", Kind::Folder("env")),
    ("environment.yml", Kind::Conda),
    ("environment.yaml", Kind::Conda),
    ("requirements.txt", Kind::List),
    ("requirements-train.txt", Kind::List),
    ("pyproject.toml", Kind::Project),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A tool that keeps an environment of its own.
    Tool { name: &'static str, runs: &'static str, first: &'static str },
    /// The folder of a virtual environment.
    Folder(&'static str),
    /// A list for conda.
    Conda,
    /// A list for pip.
    List,
    /// What pip installs itself, with what it needs.
    Project,
}

/// The environment of a project's training program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonEnvironment {
    kind: Kind,
    /// What says so, as seen from the program's folder.
    what: String,
    /// The same as it is for everybody.
    path: PathBuf,
}

impl PythonEnvironment {
    /// Looks in the program's folder, and in those above it up to the root of its repository.
    pub fn look(folder: &Path) -> Option<Self> {
        let is_root = |place: &Path| place.join(".git").symlink_metadata().is_ok();
        let folder = std::path::absolute(folder).ok()?;
        let depth = folder.ancestors().position(is_root).unwrap_or(0);
        folder.ancestors().take(depth + 1).enumerate().find_map(|(steps, place)| {
            let is_there = |mark: &str| place.join(mark).is_file();
            let (mark, kind) = MARKS.into_iter().find(|(mark, _)| is_there(mark))?;
            let name = if let Kind::Folder(name) = kind { name } else { mark };
            let what = format!("{}{name}", "../".repeat(steps));
            Some(Self { kind, what, path: place.join(name) })
        })
    }

    /// Whether its packages are there: of a list nobody knows where they were installed.
    pub fn is_installed(&self) -> bool {
        !matches!(self.kind, Kind::List | Kind::Project)
    }

    /// What is to be done before a command line runs with the packages; none where it does already. `active` is the
    /// environment of the shell (`VIRTUAL_ENV`).
    pub fn before(&self, command: &str, active: Option<&Path>) -> Option<String> {
        let what = &self.what;
        let write = |line: &str| format!("write command = {line:?} under [train]");
        match self.kind {
            Kind::Tool { name, .. } if first_word(command) == name => None,
            Kind::Tool { runs, first, .. } => Some(format!(
                "{what} has the packages: `{first}` once, and {}",
                write(&format!("{runs} {command}"))
            )),
            Kind::Folder(_) if self.is_in(command) || self.is(active) => None,
            Kind::Folder(_) => Some(format!(
                "the packages are in {what}, which is not active here: `. {what}/bin/activate` first, or {}",
                write(&in_folder(what, command))
            )),
            Kind::Conda if matches!(first_word(command), "conda" | "mamba" | "micromamba") => None,
            Kind::Conda => {
                let name = self.name_of_conda().unwrap_or_else(|| "NAME".to_owned());
                Some(format!(
                    "{what} lists the packages: `conda env create -f {what}` once, then `conda activate {name}` first, or {}",
                    write(&format!("conda run --no-capture-output -n {name} {command}"))
                ))
            }
            Kind::List | Kind::Project => {
                let install = match self.kind {
                    Kind::Project => format!("./{}", what.trim_end_matches("pyproject.toml")),
                    _ => format!("-r {what}"),
                };
                Some(format!(
                    "{what} lists the packages: `python3 -m venv .venv && .venv/bin/python -m pip install {install}` \
                     once, and {}",
                    write(&in_folder(".venv", command))
                ))
            }
        }
    }

    /// What is to be done where a command line runs in it and a package is not there.
    fn add(&self) -> String {
        let what = &self.what;
        match self.kind {
            Kind::Tool { name, first, .. } => {
                format!(
                    "{name} runs it and has no such package: `{first}`, or `{name} add` the one that has it"
                )
            }
            Kind::Folder(_) => {
                let list = self.path.with_file_name("requirements.txt");
                let list = if list.is_file() { " -r requirements.txt" } else { "" };
                format!(
                    "{what} has no such package: `{what}/bin/python -m pip install{list}`, or the one that has it"
                )
            }
            Kind::Conda | Kind::List | Kind::Project => {
                format!("add the package that has it to {what}, and to the environment")
            }
        }
    }

    /// Whether a command line names the folder.
    fn is_in(&self, command: &str) -> bool {
        let whole = format!("{}/bin/", self.path.display());
        let begins = format!("{}/bin/", self.what);
        command.split_whitespace().any(|word| {
            word.trim_start_matches("./").starts_with(&begins) || word.starts_with(&whole)
        })
    }

    /// Whether it is this environment.
    fn is(&self, active: Option<&Path>) -> bool {
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        active.is_some_and(|active| whole(active) == whole(&self.path))
    }

    /// The name that a list for conda gives its environment, if it is one that no shell reads anything else in.
    fn name_of_conda(&self) -> Option<String> {
        let file = std::fs::File::open(&self.path).ok()?;
        let mut text = String::new();
        file.take(LIST_BYTES_MAX).read_to_string(&mut text).ok()?;
        let name = text.lines().find_map(|line| line.strip_prefix("name:"))?;
        let name = name.trim().trim_matches(['"', '\'']);
        is_plain(name).then(|| name.to_owned())
    }
}

/// What a failed program's last lines say of its environment, with what is to be done.
pub(crate) fn way_on(command: &str, folder: &Path, last_lines: &[String]) -> Option<String> {
    let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    said(command, folder, last_lines, active.as_deref())
}

fn said(
    command: &str,
    folder: &Path,
    last_lines: &[String],
    active: Option<&Path>,
) -> Option<String> {
    let program = first_word(command);
    // As the shells say it.
    let ends = ["not found", "command not found", "No such file or directory"];
    let is_unknown =
        |line: &String| ends.iter().any(|end| line.ends_with(&format!(": {program}: {end}")));
    if last_lines.last().is_some_and(is_unknown) {
        return Some(if program == "python" {
            "there is no `python` here: write python3, or activate the environment that has it first"
                .to_owned()
        } else {
            format!(
                "{program} is not there, or not on PATH where this runs: install it, or have \
                 train.command name it by its path"
            )
        });
    }
    let lacks = "ModuleNotFoundError: No module named ";
    let module = last_lines.iter().rev().find_map(|line| line.strip_prefix(lacks))?;
    let module = module.trim_matches(['\'', '"']);
    if !module.split('.').all(is_plain) {
        return None;
    }
    // What lies in the project is installed by nobody.
    for (place, path) in [("", "."), ("src/", "src")] {
        let own = |end: &str| folder.join(format!("{place}{module}{end}"));
        if own("").is_dir() || own(".py").is_file() {
            let line = format!("PYTHONPATH={path} {command}");
            return Some(format!(
                "{place}{module} is the project's own: write command = {line:?} under [train]"
            ));
        }
    }
    let way = match PythonEnvironment::look(folder) {
        Some(found) => found.before(command, active).unwrap_or_else(|| found.add()),
        None => format!(
            "of uv.lock, poetry.lock, Pipfile.lock, .venv, venv, env, environment.yml, requirements.txt and pyproject.toml \
             none is in {} or above it in its repository. Activate the environment that has the package first, or have \
             train.command name its Python",
            folder.display()
        ),
    };
    Some(format!("the Python that ran has no {module:?}; {way}"))
}

/// The program of a command line, behind variables that are set for it.
fn first_word(command: &str) -> &str {
    command.split_whitespace().find(|word| !word.contains('=')).unwrap_or_default()
}

/// A command line that runs in a virtual environment.
fn in_folder(folder: &str, command: &str) -> String {
    match command.split_once(' ') {
        Some(("python" | "python3", rest)) => format!("{folder}/bin/python {rest}"),
        _ => format!(". {folder}/bin/activate && {command}"),
    }
}

/// Whether a name is one that can be shown as it is.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with these files.
    fn repository(files: &[&str]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for name in files.iter().chain(&[".git/HEAD"]) {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "channels: [x]\nname: churn\n").unwrap();
        }
        place
    }

    fn lacks(folder: &Path, command: &str, active: Option<&Path>) -> String {
        let lines = ["Traceback", "ModuleNotFoundError: No module named 'xgboost'"];
        said(command, folder, &lines.map(str::to_owned), active).unwrap()
    }

    #[test]
    fn what_is_to_be_done_is_said_for_each_kind_of_environment() {
        let no = "of uv.lock, poetry.lock, ";
        for (files, command, does, writes) in [
            (
                "uv.lock .venv/bin/python",
                "python3 a.py",
                "`uv sync` once",
                "uv run --frozen python3 a.py",
            ),
            ("uv.lock", "uv run --frozen python a.py", "`uv add`", ""),
            (
                "poetry.lock pyproject.toml",
                "python3 a.py --x",
                "`poetry install` once",
                "poetry run python3 a.py --x",
            ),
            ("Pipfile.lock", "python a.py", "`pipenv sync` once", "pipenv run python a.py"),
            (
                ".venv/bin/python requirements.txt",
                "python3 a.py",
                "`. .venv/bin/activate` first",
                ".venv/bin/python a.py",
            ),
            (
                ".venv/bin/python requirements.txt",
                "./.venv/bin/python a.py",
                ".venv has no such package",
                "",
            ),
            (
                "venv/bin/python",
                "make train",
                "`. venv/bin/activate` first",
                ". venv/bin/activate && make train",
            ),
            (
                "environment.yml",
                "python a.py",
                "`conda activate churn` first",
                "conda run --no-capture-output -n churn python a.py",
            ),
            ("environment.yml", "conda run -n churn python a.py", "to environment.yml", ""),
            (
                "requirements.txt",
                "python3 a.py",
                "-m pip install -r requirements.txt` once",
                ".venv/bin/python a.py",
            ),
            ("pyproject.toml", "python3 a.py", "-m pip install ./` once", ".venv/bin/python a.py"),
            ("notes.txt", "python3 a.py", no, ""),
        ] {
            let place = repository(&files.split(' ').collect::<Vec<&str>>());
            let said = lacks(place.path(), command, None);
            assert!(said.starts_with("the Python that ran has no \"xgboost\"; "), "{said}");
            assert!(said.contains(does), "{files}, {command}: {does} is not in {said}");
            let line = format!("write command = {writes:?} under [train]");
            assert_eq!(said.contains(&line), !writes.is_empty(), "{files}, {command}: {said}");
            assert_eq!(said.contains("write command"), !writes.is_empty(), "{said}");
        }
    }

    #[test]
    fn an_environment_above_counts_as_far_as_the_repository_goes() {
        let place = repository(&["a/b/train.py", ".venv/bin/python"]);
        let said = lacks(&place.path().join("a/b"), "python3 train.py", None);
        assert!(said.contains("\"../../.venv/bin/python train.py\""), "{said}");
        // One that is active is not to be made so.
        let active = place.path().join(".venv");
        let said = lacks(&place.path().join("a/b"), "python3 train.py", Some(&active));
        assert!(said.contains("../../.venv has no such package"), "{said}");
        std::fs::create_dir(place.path().join("a/.git")).unwrap();
        assert_eq!(PythonEnvironment::look(&place.path().join("a/b")), None);
    }

    #[test]
    fn a_name_in_a_list_and_one_in_the_output_are_names() {
        let place = repository(&["environment.yml"]);
        std::fs::write(place.path().join("environment.yml"), "name: a; id\n").unwrap();
        let said = lacks(place.path(), "python a.py", None);
        assert!(said.contains("-n NAME ") && !said.contains("; id"), "{said}");
        let lines = ["ModuleNotFoundError: No module named 'a$(id)'".to_owned()];
        assert_eq!(super::said("python a.py", place.path(), &lines, None), None);
        // Of a package that is there a part is not.
        std::fs::create_dir(place.path().join("xgboost")).unwrap();
        let lines = ["ModuleNotFoundError: No module named 'xgboost.sklearn'".to_owned()];
        let said = super::said("python a.py", place.path(), &lines, None).unwrap();
        assert!(said.starts_with("the Python that ran has no \"xgboost.sklearn\"; "), "{said}");
    }

    #[test]
    fn what_is_of_the_project_is_not_installed() {
        let place = repository(&["src/xgboost.py", "requirements.txt"]);
        let said = lacks(place.path(), "python3 jobs/train.py", None);
        assert!(said.contains("\"PYTHONPATH=src python3 jobs/train.py\""), "{said}");
    }

    #[test]
    fn a_program_that_is_not_there_is_told_from_one_that_found_no_file() {
        let place = repository(&[]);
        let said =
            |command: &str, line: &str| said(command, place.path(), &[line.to_owned()], None);
        let python = said("python a.py", "sh: 1: python: not found").unwrap();
        assert!(python.contains("write python3"), "{python}");
        let uv = said("A=1 uv run a.py", "sh: line 1: uv: command not found").unwrap();
        assert!(uv.starts_with("uv is not there"), "{uv}");
        let file = "python3: can't open file '/a.py': [Errno 2] No such file or directory";
        assert_eq!(said("python3 a.py", file), None);
        assert_eq!(said("python3 a.py", "ValueError: not found"), None);
    }
}
