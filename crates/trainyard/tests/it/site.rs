//! The documentation as a site: it is built by a kept tool, no link is dead, and nothing is fetched from elsewhere.

use std::process::Command;

use trainyard_testkit::{python, workspace_root};

use crate::first_minutes::commands_of;
use crate::project::stdout_of;

#[test]
fn the_site_is_built_without_a_warning() {
    let place = tempfile::tempdir().unwrap();
    let build = Command::new(python())
        .args(["-m", "mkdocs", "build", "--strict", "--site-dir"])
        .arg(place.path())
        .current_dir(workspace_root())
        .output()
        .unwrap();
    stdout_of(&build, 0);
    for entry in std::fs::read_dir(workspace_root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "md") {
            let page = place.path().join(path.file_stem().unwrap()).with_extension("html");
            let html = std::fs::read_to_string(&page).unwrap();
            for foreign in ["src=\"http", "<link href=\"http", "rel=\"stylesheet\" href=\"http"] {
                assert!(!html.contains(foreign), "{}: {foreign}", page.display());
            }
        }
    }
    let menu = std::fs::read_to_string(workspace_root().join("mkdocs.yml")).unwrap();
    for entry in std::fs::read_dir(workspace_root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_page = path.extension().is_some_and(|end| end == "md");
        assert!(!is_page || menu.contains(&format!(" {name}\n")), "{name} is in no menu");
    }
}

#[test]
fn it_starts_as_the_readme_does() {
    // Whose commands another test runs.
    assert_eq!(
        commands_of("docs/index.md", "## Five minutes\n"),
        commands_of("README.md", "## A project of your own\n")
    );
}
