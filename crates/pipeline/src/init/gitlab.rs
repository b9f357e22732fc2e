//! The jobs of a new project for GitLab: in whichever folder of its repository it lies. They are a file of their own,
//! which the repository's `.gitlab-ci.yml` includes.

use super::project_file::quoted;
use super::python::Python;
use crate::install_from::InstallFrom;

const JOBS: &str = include_str!("../../templates/gitlab.yml");

/// Where lines that set Python up stand in the template.
const PYTHON_MARK: &str = "    # <python>\n";

/// Paths of artifacts, which are no matter of the working folder.
const ARTIFACTS: [&str; 5] =
    ["train.json", "version.env", "gate.md", "deploy.md", "reports/drift.html"];

/// `.gitlab-ci.yml` where there is none.
pub(super) fn entry(jobs: &str) -> String {
    format!("include:\n  - local: {}\n", quoted(jobs))
}

/// The jobs of a project that lies `inside` its repository (with `/` at its end; nothing at the root).
pub(super) fn jobs(
    inside: &str,
    python: Option<&Python>,
    install_from: Option<&InstallFrom>,
) -> String {
    let install = python.map(|python| format!("    - {}\n", python.install())).unwrap_or_default();
    let mut text = JOBS.replace(PYTHON_MARK, &install);
    if !inside.is_empty() {
        let folder = inside.trim_end_matches('/');
        text = text.replace("$CI_PROJECT_DIR/\"", &format!("$CI_PROJECT_DIR/{folder}\""));
        for artifact in ARTIFACTS {
            text = text.replace(&quoted(artifact), &quoted(&format!("{inside}{artifact}")));
        }
    }
    if let Some(source) = install_from {
        let variables = source.write_into(
            "  variables:\n    TRAINYARD_SOURCE: ${{ vars.TRAINYARD_SOURCE }}\n    TRAINYARD_REVISION: ${{ vars.TRAINYARD_REVISION }}\n",
        );
        text = text.replace(
            "  image: \"python:3.12\"\n",
            &format!("  image: \"python:3.12\"\n{variables}"),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::python::Packages;
    use super::*;

    #[test]
    fn jobs_are_where_the_project_is() {
        assert_eq!(jobs("", None, None), JOBS.replace(PYTHON_MARK, ""));
        let python = Python {
            packages: Packages::Requirements("requirements.txt"),
            version_file: None,
            script: None,
        };
        let source: InstallFrom = "/opt/trainyard".parse().unwrap();
        let text = jobs("models/churn/", Some(&python), Some(&source));
        for part in [
            "    - cd \"$CI_PROJECT_DIR/models/churn\"\n",
            "    - python -m pip install -r requirements.txt\n",
            "    paths: [\"models/churn/gate.md\"]\n",
            "      dotenv: \"models/churn/version.env\"\n",
            "    TRAINYARD_SOURCE: \"/opt/trainyard\"\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert_eq!(
            entry(".gitlab/trainyard.yml"),
            "include:\n  - local: \".gitlab/trainyard.yml\"\n"
        );
    }
}
