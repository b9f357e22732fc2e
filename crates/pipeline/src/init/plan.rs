//! Looks at a folder and plans what it lacks to be a project, so that it can be shown before it is done.

use std::path::{Path, PathBuf};

use trainyard_train::PythonEnvironment;

use super::folder::{Folder, LIST_BYTES_MAX};
use super::ignore;
use super::jobs::usual_ci;
use super::options::{Ci, DeployBy, InitOptions};
use super::project_file::{ProjectFile, quoted, script, slug};
use super::python::Python;
use super::scaffold::{Change, Scaffold};
use super::settings::{Settings, is_python};
use crate::{Error, FILE_NAME, Result};

const DOCKERFILE: &str = include_str!("../../templates/Dockerfile");
const DOCKERIGNORE: &str = include_str!("../../templates/dockerignore");

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
}

#[cfg(test)]
mod tests {
    use super::*;

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
