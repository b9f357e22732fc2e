//! What `init` is going to do, as a plan that can be shown before it is done.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use trainyard_train::PythonEnvironment;

use super::data::{LOOK_BYTES_MAX, Learnable};
use super::folder::{Folder, read_text};
use super::project_file::{ProjectFile, USUAL_DATA, quoted, script, slug};
use super::python::Python;
use super::workflow::{Workflows, working_folder};
use super::{dependabot, gitlab, ignore, remote};
use crate::install_from::InstallFrom;
use crate::{Config, Error, FILE_NAME, Result};

/// A list of files to leave out is short: a larger one is not added to.
const LIST_BYTES_MAX: u64 = 1 << 20;

const INSTALL: &str = include_str!("../../templates/install-trainyard.sh");
const HOST: &str = include_str!("../../templates/trainyard-host.sh");
const DOCKERFILE: &str = include_str!("../../templates/Dockerfile");
const DOCKERIGNORE: &str = include_str!("../../templates/dockerignore");

/// Where a repository's jobs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ci {
    /// Workflows of GitHub Actions.
    Github,
    /// Jobs of GitLab.
    Gitlab,
    /// Nowhere.
    None,
}

/// How jobs reach the host that serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DeployBy {
    /// A runner of the CI is on it.
    #[default]
    Runner,
    /// By SSH, from the CI's own runners.
    Ssh,
}

/// What the user says of a new project; the rest is looked up in its folder.
#[derive(Debug, Clone, Default)]
pub struct InitOptions {
    /// Registered model.
    pub name: Option<String>,
    /// Column to predict.
    pub target: Option<String>,
    /// Table to train on: a file, folder or pattern of the project, or a URI.
    pub data: Option<String>,
    /// Command line that trains, in the place of a built-in algorithm.
    pub train_command: Option<String>,
    /// Where the workflows take `trainyard` from; a variable of the repository if none.
    pub install_from: Option<InstallFrom>,
    /// Where jobs run; told by what the repository has if none.
    pub ci: Option<Ci>,
    /// How jobs reach the host that serves.
    pub deploy_by: DeployBy,
}

/// A file that is made or added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// Whether lines are added to a file that is there.
    pub is_addition: bool,
    text: String,
}

/// What nobody said and was guessed, for whoever can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guesses {
    /// Registered model.
    pub name: String,
    /// Tables that could be trained on, by their path in the project.
    pub tables: Vec<String>,
    /// The one that is.
    pub data: Option<String>,
    /// Its columns; none if it was not looked at.
    pub columns: Vec<String>,
    /// The one that is predicted.
    pub target: Option<String>,
    /// Whether a program trains, which reads what it reads.
    pub has_command: bool,
}

/// The plan.
#[derive(Debug, Clone, Default)]
pub struct Scaffold {
    /// Files that are made or added to.
    pub changes: Vec<Change>,
    /// Files that are there and stay as they are.
    pub kept: Vec<PathBuf>,
    /// What was found, in words.
    pub found: Vec<String>,
    /// What is to be done before `trainyard run`, in words.
    pub missing: Vec<String>,
    /// What was guessed; nothing where there is a project file already.
    pub guesses: Option<Guesses>,
    /// A folder for data that are not there yet.
    data_folder: Option<PathBuf>,
}

impl Scaffold {
    /// Looks at a folder, which need not be there yet, and plans what it lacks to be a project.
    ///
    /// # Errors
    ///
    /// Where what the user says does not fit what is there, or `trainyard.toml` is there and wrong.
    pub fn plan(folder: &Path, options: &InitOptions) -> Result<Self> {
        let folder = Folder::look(folder)?;
        let mut plan = Self::default();
        let python = Python::look(&folder);
        let settings = Settings::of(&folder, &python, options, &mut plan)?;
        plan.guesses = (!settings.is_there).then(|| settings.guesses(&folder));
        plan.project(&folder, &python, &settings)?;
        plan.image(&folder, &settings.name)?;
        plan.ignore(&folder)?;
        // Only where a program trains is Python set up.
        let is_python = settings.command.as_deref().is_some_and(is_python);
        if let Some(command) = settings.command.as_deref().filter(|_| is_python) {
            plan.environment(&folder, command);
        }
        let python = is_python.then_some(&python);
        let install_from = options.install_from.as_ref();
        let ci = options.ci.unwrap_or_else(|| usual_ci(&folder));
        if ci != Ci::None {
            folder.can_be_named()?;
        }
        let by_ssh = options.deploy_by == DeployBy::Ssh;
        if by_ssh && ci == Ci::None {
            return Err(Error::Missing {
                what: "there are no jobs that could deploy by SSH".to_owned(),
                hint: "leave --deploy-by or --ci none out".to_owned(),
            });
        }
        match ci {
            Ci::Github => plan.github(&folder, python, install_from, by_ssh)?,
            Ci::Gitlab => plan.gitlab(&folder, python, install_from, by_ssh)?,
            Ci::None => return Ok(plan),
        }
        plan.warn_of_data_outside_of_git(&folder, &settings);
        Ok(plan)
    }

    /// Does it. A file that has come into the way since is an error, and stays as it is.
    pub fn write(&self) -> Result<()> {
        for change in &self.changes {
            let path = &change.path;
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
            }
            let mut options = OpenOptions::new();
            if change.is_addition {
                options.append(true);
            } else {
                options.write(true).create_new(true);
            }
            let mut file = options.open(path).map_err(|source| Error::io(path, source))?;
            file.write_all(change.text.as_bytes()).map_err(|source| Error::io(path, source))?;
        }
        match &self.data_folder {
            Some(data) => std::fs::create_dir_all(data).map_err(|source| Error::io(data, source)),
            None => Ok(()),
        }
    }

    /// Plans a file, unless there is something of its name.
    fn make(&mut self, path: PathBuf, text: String) -> Result<()> {
        match path.symlink_metadata() {
            Ok(_) => self.kept.push(path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.changes.push(Change { path, is_addition: false, text });
            }
            Err(source) => return Err(Error::io(path, source)),
        }
        Ok(())
    }

    fn project(&mut self, folder: &Folder, python: &Python, settings: &Settings) -> Result<()> {
        if settings.is_there {
            self.kept.push(folder.path.join(FILE_NAME));
            return Ok(());
        }
        let file = ProjectFile {
            name: &settings.name,
            data: settings.data.as_deref(),
            target: settings.target.as_deref(),
            learnable: settings.learnable.as_ref(),
            command: settings.command.as_deref(),
            script: python.script.as_ref().filter(|script| settings.runs(script.path)),
        };
        if let Some(path) = settings.script_to_begin_with(folder) {
            self.make(folder.path.join(path), script(&file))?;
        }
        self.make(folder.path.join(FILE_NAME), file.text())
    }

    /// Says what a program of Python lacks where nobody has activated the environment of its packages.
    fn environment(&mut self, folder: &Folder, command: &str) {
        let Some(found) = PythonEnvironment::look(&folder.path) else { return };
        let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
        let Some(before) = found.before(command, active.as_deref()) else { return };
        // Packages of a list may be where they are found.
        let place = if found.is_installed() { &mut self.missing } else { &mut self.found };
        place.push(before);
    }

    /// The image that serves. Where there is a Dockerfile, ours stands beside it with a list of its own, which engines
    /// find by its name.
    fn image(&mut self, folder: &Folder, name: &str) -> Result<()> {
        let is_ours = |name: &str| {
            let text = folder.text(name, LIST_BYTES_MAX);
            text.is_some_and(|text| text.contains("ENTRYPOINT [\"/trainyard\"]"))
        };
        let is_taken = folder.has("Dockerfile") && !is_ours("Dockerfile");
        if is_taken {
            self.kept.push(folder.path.join("Dockerfile"));
        }
        let (dockerfile, list, flag) = if is_taken {
            (
                "trainyard.Dockerfile",
                "trainyard.Dockerfile.dockerignore",
                " -f trainyard.Dockerfile",
            )
        } else {
            ("Dockerfile", ".dockerignore", "")
        };
        let text = DOCKERFILE
            .replace("{{name}}", &quoted(name).replace('$', "\\$"))
            .replace("{{slug}}", &slug(name))
            .replace("{{file}}", flag);
        self.make(folder.path.join(dockerfile), text)?;
        self.make(folder.path.join(list), DOCKERIGNORE.to_owned())
    }

    fn ignore(&mut self, folder: &Folder) -> Result<()> {
        let path = folder.path.join(".gitignore");
        if !folder.has(".gitignore") {
            return self.make(path, ignore::GIT.to_owned());
        }
        // Git reads no link there, and nobody knows where one leads.
        let there = folder.text(".gitignore", LIST_BYTES_MAX).filter(|_| !path.is_symlink());
        match there.and_then(|there| ignore::lines_to_add(&there, ignore::GIT)) {
            Some(text) => self.changes.push(Change { path, is_addition: true, text }),
            None => self.kept.push(path),
        }
        Ok(())
    }

    fn github(
        &mut self,
        folder: &Folder,
        python: Option<&Python>,
        install_from: Option<&InstallFrom>,
        by_ssh: bool,
    ) -> Result<()> {
        let github = folder.root.join(".github");
        let own = format!("{}-", slug(&folder.name));
        // A workflow of somebody else's that has the name stays, and ours has another.
        let is_others = |name: &str| {
            let path = github.join("workflows").join(name);
            let text = read_text(&path, LIST_BYTES_MAX);
            path.symlink_metadata().is_ok() && !text.is_some_and(|text| text.contains("trainyard "))
        };
        // Of two folders of one name each has workflows.
        let is_taken = || {
            let text =
                read_text(&github.join(format!("workflows/{own}pipeline.yaml")), LIST_BYTES_MAX);
            text.is_some_and(|text| !text.contains(&working_folder(&folder.inside)))
        };
        let whole = format!("{}-", slug(&folder.inside));
        let prefix = if !folder.inside.is_empty() {
            if is_taken() { whole.as_str() } else { own.as_str() }
        } else if is_others("pipeline.yaml") || is_others("drift.yaml") {
            "trainyard-"
        } else {
            ""
        };
        let inside = &folder.inside;
        let workflows = Workflows { inside, python, prefix, install_from, by_ssh };
        let is_there = |name: &&str| github.join(name).symlink_metadata().is_ok();
        let [usual, _] = dependabot::NAMES;
        let name = dependabot::NAMES.into_iter().find(is_there).unwrap_or(usual);
        self.make(github.join(name), dependabot::text(&folder.inside, python))?;
        self.make(github.join("install-trainyard.sh"), INSTALL.to_owned())?;
        if by_ssh {
            self.make(github.join("trainyard-host.sh"), HOST.to_owned())?;
        }
        for (name, text) in workflows.files() {
            let path = github.join("workflows").join(name);
            self.warn_of_a_runner(&path, by_ssh);
            self.make(path, text)?;
        }
        Ok(())
    }

    fn gitlab(
        &mut self,
        folder: &Folder,
        python: Option<&Python>,
        install_from: Option<&InstallFrom>,
        by_ssh: bool,
    ) -> Result<()> {
        let name = match folder.inside.as_str() {
            "" => "trainyard".to_owned(),
            inside => format!("{}-trainyard", slug(inside)),
        };
        let jobs = format!(".gitlab/{name}.yml");
        let text = gitlab::jobs(&folder.inside, python, install_from, by_ssh);
        self.make(folder.root.join(".gitlab/install-trainyard.sh"), INSTALL.to_owned())?;
        if by_ssh {
            self.make(folder.root.join(".gitlab/trainyard-host.sh"), HOST.to_owned())?;
        }
        let path = folder.root.join(&jobs);
        self.warn_of_a_runner(&path, by_ssh);
        self.make(path, text)?;
        let entry = folder.root.join(".gitlab-ci.yml");
        let there = read_text(&entry, LIST_BYTES_MAX);
        if there.is_some_and(|text| !text.contains(&jobs)) {
            self.missing
                .push(format!("add to .gitlab-ci.yml: {}", gitlab::entry(&jobs).trim_end()));
        }
        self.make(entry, gitlab::entry(&jobs))
    }

    /// Jobs that are there stay, and with them the way that they reach the host.
    fn warn_of_a_runner(&mut self, jobs: &Path, by_ssh: bool) {
        let there = read_text(jobs, LIST_BYTES_MAX);
        if by_ssh && there.is_some_and(|text| !text.contains("trainyard-host.sh")) {
            self.missing.push(format!(
                "{} stays as it is, and deploys by a runner on the host: for --deploy-by ssh move it away first",
                jobs.display()
            ));
        }
    }

    /// What git leaves out, runners do not have.
    fn warn_of_data_outside_of_git(&mut self, folder: &Folder, settings: &Settings) {
        let data = settings.data.as_deref().unwrap_or_default();
        let lists = [folder.path.join(".gitignore"), folder.root.join(".gitignore")];
        let is_out = |list: &PathBuf| {
            read_text(list, LIST_BYTES_MAX).is_some_and(|list| ignore::leaves_out(&list, data))
        };
        let is_file = !data.is_empty() && !data.contains("://");
        if folder.is_in_git && is_file && lists.iter().any(is_out) {
            self.missing.push(format!(
                "git leaves {data} out, so the workflows have no data: let `data` name where they are for all (s3://…)"
            ));
        }
    }
}

/// What the project is to say.
struct Settings {
    /// Whether there is a project file already, which says it.
    is_there: bool,
    name: String,
    data: Option<String>,
    target: Option<String>,
    learnable: Option<Learnable>,
    command: Option<String>,
}

impl Settings {
    fn of(
        folder: &Folder,
        python: &Python,
        options: &InitOptions,
        plan: &mut Scaffold,
    ) -> Result<Self> {
        if folder.has(FILE_NAME) {
            let config = Config::read(&folder.path)?;
            plan.found.push(format!("{FILE_NAME} of the model {:?}", config.model.name));
            let said = [&options.name, &options.target, &options.data, &options.train_command];
            if said.into_iter().any(Option::is_some) {
                plan.missing.push(format!(
                    "{FILE_NAME} stays as it is: write there what --name, --target, --data and --train-command say"
                ));
            }
            return Ok(Self {
                is_there: true,
                name: config.model.name,
                data: config.train.data,
                target: config.train.target,
                learnable: None,
                command: config.train.command,
            });
        }
        let command = options.train_command.clone().or_else(|| {
            let script = python.script.as_ref()?;
            plan.found.push(format!("{} trains with MLflow", script.path));
            Some(python.command(script.path))
        });
        let registers = python.script.as_ref().and_then(|script| script.registers.clone());
        let name = options.name.clone().or(registers).unwrap_or_else(|| folder.name.clone());
        if name.trim().is_empty() || name.contains(['/', ':']) {
            let what = format!("the model cannot be called {name:?}: its name has no / and no :");
            return Err(Error::Missing { what, hint: "give it a name: --name churn".to_owned() });
        }
        let mut settings = Self {
            is_there: false,
            name,
            data: None,
            target: options.target.clone(),
            learnable: None,
            command,
        };
        settings.look_at_data(folder, options, plan)?;
        Ok(settings)
    }

    /// Finds the table, and what can be learnt of it.
    fn look_at_data(
        &mut self,
        folder: &Folder,
        options: &InitOptions,
        plan: &mut Scaffold,
    ) -> Result<()> {
        let tables = folder.tables();
        self.data = options.data.clone().or_else(|| usual(&tables));
        let Some(data) = self.data.clone() else {
            if self.command.is_none() {
                plan.data_folder = Some(folder.path.join("data"));
                plan.missing.push(match tables.as_slice() {
                    [] => {
                        format!("put training data into {}", folder.path.join(USUAL_DATA).display())
                    }
                    tables => {
                        format!("say which of these to train on (--data): {}", tables.join(", "))
                    }
                });
            }
            return Ok(());
        };
        if data.contains("://") {
            plan.found.push(format!("{data}, which is looked at when it is trained on"));
            return Ok(());
        }
        let source = folder.path.join(&data);
        let Some(found) = Learnable::look(&source.to_string_lossy(), options.target.as_deref())?
        else {
            let megabytes = LOOK_BYTES_MAX >> 20;
            plan.found.push(format!("{data}, larger than {megabytes} MiB and not looked at"));
            return Ok(());
        };
        plan.found.push(format!("{data}: {}", found.told()));
        for (column, reason) in &found.exclude {
            plan.found.push(format!("{column:?} is left out: {reason}"));
        }
        if found.target.is_none() {
            plan.missing.push(
                "say which column to predict: --target, or `target` in trainyard.toml".to_owned(),
            );
        }
        if self.command.is_none() {
            plan.missing.extend(found.trouble.clone());
        }
        self.learnable = Some(found);
        Ok(())
    }

    fn guesses(&self, folder: &Folder) -> Guesses {
        let found = self.learnable.as_ref();
        let target = || found.and_then(|found| found.target.clone());
        Guesses {
            name: self.name.clone(),
            tables: folder.tables(),
            data: self.data.clone(),
            columns: found.map(|found| found.columns.clone()).unwrap_or_default(),
            target: self.target.clone().or_else(target),
            has_command: self.command.is_some(),
        }
    }

    /// Whether the command runs this script.
    fn runs(&self, script: &str) -> bool {
        self.command
            .as_ref()
            .is_some_and(|command| command.split_whitespace().any(|word| word == script))
    }

    /// The script that the command runs, where it is not there yet.
    fn script_to_begin_with(&self, folder: &Folder) -> Option<&str> {
        let command = self.command.as_deref().filter(|command| is_python(command))?;
        let path = command
            .split_whitespace()
            .find(|word| Path::new(word).extension().is_some_and(|end| end == "py"))?;
        let is_inside = Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        (is_inside && !folder.has(path)).then_some(path)
    }
}

/// Where the jobs of a repository run: where it is pushed to, else by what it has.
fn usual_ci(folder: &Folder) -> Ci {
    let host = remote::host(&folder.root).unwrap_or_default();
    let has_jobs = folder.root.join(".gitlab-ci.yml").is_file();
    if host.contains("gitlab") || (has_jobs && !host.contains("github")) {
        Ci::Gitlab
    } else {
        Ci::Github
    }
}

/// Whether a command line is one of Python.
fn is_python(command: &str) -> bool {
    let is_one = |word: &str| {
        let program = word.rsplit('/').next().unwrap_or(word);
        program.starts_with("python") || matches!(program, "uv" | "poetry")
    };
    command.split_whitespace().next().is_some_and(is_one)
}

/// The table that is meant to be trained on, if one stands out.
fn usual(tables: &[String]) -> Option<String> {
    let name = |table: &String| table.rsplit('/').next().unwrap_or_default().to_lowercase();
    // What production saw and what is held out are no training data.
    let is_other = |table: &&String| {
        ["production", "test", "valid", "holdout", "predict", "requests", "submission"]
            .iter()
            .any(|other| name(table).contains(other))
    };
    let others_out: Vec<&String> = tables.iter().filter(|table| !is_other(table)).collect();
    let named: Vec<&String> =
        others_out.iter().copied().filter(|table| name(table).contains("train")).collect();
    match (named.as_slice(), others_out.as_slice()) {
        ([first, ..], _) | ([], [first]) => Some((*first).clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_to_train_on_stands_out_or_is_asked_for() {
        let usual = |names: &[&str]| {
            usual(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let found = usual(&["data/production_logs.csv", "data/train.csv", "data/x.csv"]);
        assert_eq!(found.as_deref(), Some("data/train.csv"));
        assert_eq!(
            usual(&["data/test.csv", "customers.parquet"]).as_deref(),
            Some("customers.parquet")
        );
        assert_eq!(usual(&["a.csv", "b.csv"]), None);
        assert_eq!(usual(&["data/test.csv"]), None);
    }

    #[test]
    fn a_hostile_repository_leads_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("repository");
        std::fs::create_dir_all(root.join(".git")).unwrap();
        let elsewhere = place.path().join("mine");
        std::fs::write(&elsewhere, "mine\n").unwrap();
        std::os::unix::fs::symlink(&elsewhere, root.join(".gitignore")).unwrap();
        let plan = Scaffold::plan(&root, &InitOptions::default()).unwrap();
        assert!(plan.kept.contains(&root.join(".gitignore")), "{:?}", plan.kept);
        plan.write().unwrap();
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "mine\n");

        let options = |ci| InitOptions {
            name: Some("churn".to_owned()),
            ci: Some(ci),
            ..InitOptions::default()
        };
        for name in ["a$(id)", "a: b", "${{ secrets.X }}", "a\"b", "a*"] {
            let part = root.join(name);
            for ci in [Ci::Github, Ci::Gitlab] {
                let error = Scaffold::plan(&part, &options(ci)).unwrap_err().to_string();
                assert!(error.contains("jobs cannot name the folder"), "{name}: {error}");
            }
            Scaffold::plan(&part, &options(Ci::None)).unwrap();
        }
    }

    #[test]
    fn jobs_run_where_the_repository_is_pushed_to() {
        for (url, has_jobs, ci) in [
            ("git@gitlab.example.com:us/churn.git", false, Ci::Gitlab),
            ("https://code.example.com/us/gitlab-tools.git", false, Ci::Github),
            ("https://code.example.com/us/churn.git", true, Ci::Gitlab),
            ("https://github.example.com/us/churn.git", true, Ci::Github),
        ] {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir(root.path().join(".git")).unwrap();
            let config = format!("[remote \"origin\"]\n\turl = {url}\n");
            std::fs::write(root.path().join(".git/config"), config).unwrap();
            if has_jobs {
                std::fs::write(root.path().join(".gitlab-ci.yml"), "test: {script: id}\n").unwrap();
            }
            assert_eq!(usual_ci(&Folder::look(root.path()).unwrap()), ci, "{url}");
        }
    }

    #[test]
    fn jobs_that_stay_do_not_deploy_in_another_way_unnoticed() {
        for ci in [Ci::Github, Ci::Gitlab] {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir(root.path().join(".git")).unwrap();
            let plan = |deploy_by| {
                let options = InitOptions { ci: Some(ci), deploy_by, ..InitOptions::default() };
                Scaffold::plan(root.path(), &options).unwrap()
            };
            plan(DeployBy::Runner).write().unwrap();
            for (deploy_by, is_told) in [(DeployBy::Runner, false), (DeployBy::Ssh, true)] {
                let missing = plan(deploy_by).missing.join("\n");
                assert_eq!(missing.contains("move it away"), is_told, "{ci:?}: {missing}");
            }
        }
    }

    #[test]
    fn folders_of_one_name_have_workflows_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".git")).unwrap();
        let options = InitOptions { ci: Some(Ci::Github), ..InitOptions::default() };
        for (part, name) in
            [("a/churn", "churn-pipeline.yaml"), ("b/churn", "b-churn-pipeline.yaml")]
        {
            let part = root.path().join(part);
            Scaffold::plan(&part, &options).unwrap().write().unwrap();
            let workflow = root.path().join(".github/workflows").join(name);
            assert!(workflow.is_file(), "{name} is missing");
            let again = Scaffold::plan(&part, &options).unwrap();
            assert!(again.changes.is_empty(), "{name}: {:?}", again.changes);
        }
    }

    #[test]
    fn the_example_is_what_init_writes_around_a_project() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/iris");
        let folder = tempfile::tempdir().unwrap();
        let options =
            InitOptions { name: Some("IrisClassifier".to_owned()), ..InitOptions::default() };
        let plan = Scaffold::plan(folder.path(), &options).unwrap();
        plan.write().unwrap();
        for change in plan.changes.iter().filter(|change| !change.path.ends_with(FILE_NAME)) {
            let name = change.path.strip_prefix(folder.path()).unwrap();
            let there = std::fs::read_to_string(example.join(name)).unwrap();
            assert_eq!(there, change.text, "examples/iris/{}", name.display());
        }
        // Once more there is nothing to do.
        let again = Scaffold::plan(folder.path(), &InitOptions::default()).unwrap();
        assert_eq!((again.changes.len(), again.kept.len()), (0, plan.changes.len()));
    }
}
