//! The workflows of a new project: in whichever folder of its repository it lies, with whatever it needs to train.

use super::over_ssh::over_ssh;
use super::project_file::{quoted, slug};
use super::python::{Packages, Python};
use crate::install_from::InstallFrom;

const PIPELINE: &str = include_str!("../../templates/pipeline.yaml");
const DRIFT: &str = include_str!("../../templates/drift.yaml");

/// Where steps that set Python up stand in the template.
const PYTHON_MARK: &str = "      # <python>\n";

/// The version of Python where nothing says which: one that all packages of the field have wheels for.
const PYTHON_VERSION: &str = "3.12";

/// Paths of artifacts, which are no matter of the working folder.
const ARTIFACTS: [&str; 3] = ["train.json", "gate.md", "reports/drift.html"];

/// The line that says which folder of the repository (with `/` at its end) a workflow is of.
pub(super) fn working_folder(inside: &str) -> String {
    format!("    working-directory: {}\n", quoted(inside.trim_end_matches('/')))
}

/// What the workflows depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workflows<'a> {
    /// The project's path in its repository, with `/` at its end; nothing at the root.
    pub(super) inside: &'a str,
    /// What trains, if that is a program.
    pub(super) python: Option<&'a Python>,
    /// What stands before the names of the files.
    pub(super) prefix: &'a str,
    pub(super) install_from: Option<&'a InstallFrom>,
    /// Whether the host that serves is spoken to by SSH, rather than by a runner on it.
    pub(super) by_ssh: bool,
}

impl Workflows<'_> {
    /// Name and text of each file.
    pub(super) fn files(&self) -> [(String, String); 2] {
        [("pipeline", PIPELINE), ("drift", DRIFT)].map(|(name, template)| {
            (format!("{}{name}.yaml", self.prefix), self.text(name, template))
        })
    }

    fn text(&self, name: &str, template: &str) -> String {
        let steps = self.python.map(|python| self.python_steps(python)).unwrap_or_default();
        let mut text = template.replace(PYTHON_MARK, &steps);
        if self.by_ssh {
            text = over_ssh(&text);
        }
        if !self.prefix.is_empty() {
            let pipeline = "/workflows/pipeline.yaml";
            let ours = format!("/workflows/{}pipeline.yaml", self.prefix);
            text = text
                .replace(&format!("\nname: {name}\n"), &format!("\nname: {}{name}\n", self.prefix))
                .replace(pipeline, &ours);
        }
        if !self.inside.is_empty() {
            text = self.below_the_root(&text);
        }
        match self.install_from {
            Some(source) => source.write_into(&text),
            None => text,
        }
    }

    /// The text for a project that is not at the root of its repository.
    fn below_the_root(&self, text: &str) -> String {
        let folder = working_folder(self.inside);
        let up = "../".repeat(self.inside.matches('/').count());
        let rights = "  id-token: write # who a job is, for TRAINYARD_LOGIN\n";
        let paths = quoted(&format!("{}**", self.inside));
        let mut text = text
            .replace(rights, &format!("{rights}\ndefaults:\n  run:\n{folder}"))
            .replace(
                "    branches: [main]\n",
                &format!("    branches: [main]\n    paths: [{paths}]\n"),
            )
            .replace("sh .github/", &format!("sh {up}.github/"));
        for group in ["trainyard-pipeline", "trainyard-drift"] {
            let own = format!("  group: {group}-{}\n", slug(self.inside));
            text = text.replace(&format!("  group: {group}\n"), &own);
        }
        for artifact in ARTIFACTS {
            let path = format!("          path: {artifact}\n");
            let own = quoted(&format!("{}{artifact}", self.inside));
            text = text.replace(&path, &format!("          path: {own}\n"));
        }
        text
    }

    /// Steps that set Python up.
    fn python_steps(&self, python: &Python) -> String {
        let version = match python.version_file {
            Some(file) => {
                format!("python-version-file: {}", quoted(&format!("{}{file}", self.inside)))
            }
            None => format!("python-version: \"{PYTHON_VERSION}\""),
        };
        // A cache is kept by the content of the list, so that it is of no other list.
        let list = match python.packages {
            Packages::Requirements(list) => Some(list),
            Packages::Pyproject => Some("pyproject.toml"),
            Packages::Uv | Packages::Poetry | Packages::Unknown => None,
        };
        let cache = list
            .map(|list| {
                let path = quoted(&format!("{}{list}", self.inside));
                format!("          cache: pip\n          cache-dependency-path: {path}\n")
            })
            .unwrap_or_default();
        let install = python.install();
        format!(
            "      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0\n        with:\n          \
             {version}\n{cache}      - run: {install}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(packages: Packages) -> Python {
        Python { packages, version_file: None, script: None }
    }

    #[test]
    fn at_the_root_they_are_the_templates() {
        let root =
            Workflows { inside: "", python: None, prefix: "", install_from: None, by_ssh: false };
        let [(name, pipeline), (_, drift)] = root.files();
        assert_eq!((name.as_str(), pipeline.contains("<python>")), ("pipeline.yaml", false));
        assert_eq!(pipeline, PIPELINE.replace(PYTHON_MARK, ""));
        assert_eq!(drift, DRIFT);
    }

    /// A step of somebody else's, and one that installs what somebody else wrote, has no secret that it could take along.
    #[test]
    fn only_steps_that_speak_to_the_server_have_its_secrets() {
        let python = python(Packages::Unknown);
        let ours = ["trainyard train ", "trainyard promote ", "deploy ", "monitor ", "retrain "];
        for by_ssh in [false, true] {
            let workflows = Workflows {
                inside: "",
                python: Some(&python),
                prefix: "",
                install_from: None,
                by_ssh,
            };
            for (name, text) in workflows.files() {
                let (head, jobs) = text.split_once("\njobs:\n").unwrap();
                let settings = head.lines().filter(|line| !line.starts_with('#'));
                assert!(!settings.collect::<String>().contains("secrets."), "{name}: {head}");
                let steps: Vec<&str> = jobs.split("\n      - ").collect();
                let signed_in = steps.iter().filter(|step| step.contains("outputs.token"));
                assert_eq!(signed_in.count(), if name == "drift.yaml" { 1 } else { 4 }, "{text}");
                for step in steps {
                    let speaks = ours.iter().any(|verb| step.contains(verb));
                    let is_login = step.starts_with("id: login\n");
                    let has_account = step.contains("secrets.MLFLOW_TRACKING_PASSWORD");
                    assert_eq!(has_account, speaks && !is_login, "{name}: {step}");
                    assert_eq!(step.contains("secrets."), speaks || is_login, "{name}: {step}");
                    if is_login {
                        assert!(step.contains("--audience=$TRAINYARD_AUDIENCE"), "{name}: {step}");
                    }
                }
            }
        }
    }

    #[test]
    fn below_the_root_every_path_is_below_it() {
        let python = python(Packages::Requirements("requirements.txt"));
        let part = Workflows {
            inside: "models/churn/",
            python: Some(&python),
            prefix: "churn-",
            install_from: None,
            by_ssh: false,
        };
        let by_ssh = Workflows { by_ssh: true, ..part };
        for (_, text) in by_ssh.files() {
            assert!(text.contains("          sh ../../.github/trainyard-host.sh run "), "{text}");
        }
        let [(name, pipeline), (_, drift)] = part.files();
        assert_eq!(name, "churn-pipeline.yaml");
        for text in [
            "\nname: churn-pipeline\n",
            "TRAINYARD_LOGIN\n\ndefaults:\n  run:\n    working-directory: \"models/churn\"\n",
            "    paths: [\"models/churn/**\"]\n",
            "  group: trainyard-pipeline-models-churn\n",
            "sh ../../.github/install-trainyard.sh\n",
            "          path: \"models/churn/train.json\"\n",
            "          path: \"models/churn/gate.md\"\n",
            "          path: \"models/churn/reports/drift.html\"\n",
            "          cache-dependency-path: \"models/churn/requirements.txt\"\n",
            "      - run: python -m pip install -r requirements.txt\n",
        ] {
            assert!(pipeline.contains(text), "{text:?} is not in\n{pipeline}");
        }
        assert!(drift.contains("    uses: ./.github/workflows/churn-pipeline.yaml\n"), "{drift}");
        assert!(drift.contains("  group: trainyard-drift-models-churn\n"), "{drift}");
        assert!(!pipeline.contains("sh .github/") && !drift.contains("sh .github/"));
    }
}
