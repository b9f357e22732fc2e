//! What proposes newer versions of what the workflows pin: actions, and the packages that a program trains with.

use super::project_file::quoted;
use super::python::{Packages, Python};

const ACTIONS: &str = include_str!("../../templates/dependabot.yml");

/// Names that the file may have.
pub(super) const NAMES: [&str; 2] = ["dependabot.yml", "dependabot.yaml"];

/// The file of a repository with a project `inside` (with `/` at its end; nothing at the root).
pub(super) fn text(inside: &str, python: Option<&Python>) -> String {
    let ecosystem = match python.map(|python| &python.packages) {
        Some(Packages::Uv) => "uv",
        Some(Packages::Poetry | Packages::Requirements(_) | Packages::Pyproject) => "pip",
        Some(Packages::Unknown) | None => return ACTIONS.to_owned(),
    };
    let folder = quoted(&format!("/{}", inside.trim_end_matches('/')));
    // Actions are the first entry, and the packages' is like it.
    let Some((head, rest)) = ACTIONS.split_once("  - package-ecosystem: github-actions\n") else {
        return ACTIONS.to_owned();
    };
    let packages = rest.replace("directory: /\n", &format!("directory: {folder}\n"));
    format!(
        "{head}  - package-ecosystem: github-actions\n{rest}  - package-ecosystem: {ecosystem}\n{packages}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_looked_after_where_they_are() {
        assert_eq!(text("models/churn/", None), ACTIONS);
        let python = |packages| Python { packages, version_file: None, script: None };
        for (packages, ecosystem) in
            [(Packages::Uv, "uv"), (Packages::Requirements("requirements.txt"), "pip")]
        {
            let text = text("models/churn/", Some(&python(packages)));
            let entry =
                format!("  - package-ecosystem: {ecosystem}\n    directory: \"/models/churn\"\n");
            assert!(text.starts_with(ACTIONS) && text.contains(&entry), "{text}");
        }
        assert!(text("", Some(&python(Packages::Pyproject))).contains("directory: \"/\"\n"));
    }
}
