//! The jobs of a new project for GitLab: in whichever folder of its repository it lies. They are a file of their own,
//! which the repository's `.gitlab-ci.yml` includes.

use super::over_ssh::jobs_over_ssh;
use super::project_file::{quoted, slug};
use super::python::Python;
use crate::install_from::InstallFrom;

const JOBS: &str = include_str!("../../templates/gitlab.yml");

/// Where lines that set Python up stand in the template.
const PYTHON_MARK: &str = "    # <python>\n";

/// The first of the variables that all jobs have.
const VARIABLES: &str = "    TRAINYARD_AUDIENCE: ";

/// Paths of artifacts, which are no matter of the working folder.
const ARTIFACTS: [&str; 5] =
    ["train.json", "version.env", "gate.md", "deploy.md", "reports/drift.html"];

/// When jobs are there.
const ON_MAIN: &str = "    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n";

/// What jobs are called, behind what they are of.
const JOB_NAMES: [&str; 4] = ["train", "gate", "release", "monitor"];

/// `.gitlab-ci.yml` where there is none.
pub(super) fn entry(jobs: &str) -> String {
    format!("include:\n  - local: {}\n", quoted(jobs))
}

/// The jobs of a project that lies `inside` its repository (with `/` at its end; nothing at the root).
pub(super) fn jobs(
    inside: &str,
    python: Option<&Python>,
    install_from: Option<&InstallFrom>,
    by_ssh: bool,
) -> String {
    let install = python.map(|python| format!("    - {}\n", python.install())).unwrap_or_default();
    let mut text = JOBS.replace(PYTHON_MARK, &install);
    if by_ssh {
        text = jobs_over_ssh(&text);
    }
    if !inside.is_empty() {
        let folder = inside.trim_end_matches('/');
        // All files that are included are one: of jobs of one name only the last project's would be left.
        let own = slug(folder);
        text = text.replace("\n.trainyard:", &format!("\n.{own}-trainyard:"));
        text = text.replace("extends: .trainyard\n", &format!("extends: .{own}-trainyard\n"));
        for job in JOB_NAMES {
            text = text.replace(&format!("trainyard-{job}"), &format!("{own}-{job}"));
        }
        text = text.replace("$CI_PROJECT_DIR/\"", &format!("$CI_PROJECT_DIR/{folder}\""));
        // Pipelines that no push began (by hand, by a schedule) count all files as changed.
        let changes = format!("{ON_MAIN}      changes: [{}]\n", quoted(&format!("{inside}**/*")));
        text = text.replace(ON_MAIN, &changes);
        text = text.replace(
            "resource_group: production\n",
            &format!("resource_group: production-{own}\n"),
        );
        for artifact in ARTIFACTS {
            text = text.replace(&quoted(artifact), &quoted(&format!("{inside}{artifact}")));
        }
    }
    if let Some(source) = install_from {
        let variables = source.write_into(
            "    TRAINYARD_SOURCE: ${{ vars.TRAINYARD_SOURCE }}\n    TRAINYARD_REVISION: ${{ vars.TRAINYARD_REVISION }}\n",
        );
        // A second key of the name would hide the first.
        text = text.replace(VARIABLES, &format!("{variables}{VARIABLES}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::python::Packages;
    use super::*;

    #[test]
    fn jobs_are_where_the_project_is() {
        assert_eq!(jobs("", None, None, false), JOBS.replace(PYTHON_MARK, ""));
        let python = Python {
            packages: Packages::Requirements("requirements.txt"),
            version_file: None,
            script: None,
        };
        let source: InstallFrom = "/opt/trainyard".parse().unwrap();
        let text = jobs("models/churn/", Some(&python), Some(&source), false);
        for part in [
            "    - cd \"$CI_PROJECT_DIR/models/churn\"\n",
            "    - python -m pip install -r requirements.txt\n",
            "    paths: [\"models/churn/gate.md\"]\n",
            "      dotenv: \"models/churn/version.env\"\n",
            "  variables:\n    TRAINYARD_SOURCE: \"/opt/trainyard\"\n    TRAINYARD_REVISION: \"\"\n    TRAINYARD_AUDIENCE: $",
            "  environment:\n    name: production/monitor\n    action: verify",
            "\n.models-churn-trainyard:\n",
            "\nmodels-churn-gate:\n  extends: .models-churn-trainyard\n",
            "  needs: [models-churn-train, models-churn-gate]\n",
            "  resource_group: production-models-churn\n",
            "DEFAULT_BRANCH\n      changes: [\"models/churn/**/*\"]\n      when: manual\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        // Jobs that need each other are there at the same times.
        assert_eq!(text.matches("changes: [\"models/churn/**/*\"]\n").count(), 2, "{text}");
        // Another project of the repository has no job of the same name.
        let other = jobs("models/other/", None, None, true);
        let names = |text: &str| -> Vec<String> {
            let is_name = |line: &&str| line.ends_with(':') && !line.starts_with([' ', '#']);
            text.lines().filter(is_name).map(str::to_owned).collect()
        };
        assert!(other.contains("$CI_PROJECT_DIR/.gitlab/trainyard-host.sh\""), "{other}");
        assert!(other.contains("cd \"$CI_PROJECT_DIR/models/other\""), "{other}");
        let (ours, others) = (names(&text), names(&other));
        assert_eq!((ours.len(), others.len()), (5, 5), "{text}");
        assert!(!ours.iter().any(|name| others.contains(name)), "{ours:?} {others:?}");
        assert_eq!(
            entry(".gitlab/trainyard.yml"),
            "include:\n  - local: \".gitlab/trainyard.yml\"\n"
        );
    }
}
