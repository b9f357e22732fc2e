//! docs/alerts.md does what it says, from the training to the days on which the rule rings.

use std::process::Command;

use trainyard_testkit::workspace_root;

use crate::first_minutes::commands_of;
use crate::project::{stdout_of, trainyard};

const PAGE: &str = "docs/alerts.md";

#[test]
fn a_deployed_model_comes_to_an_alert_that_is_right() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(workspace_root().join("examples/flights")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let run = |line: &str| -> String {
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("trainyard"), "{line}");
        let mut command: Command = trainyard();
        stdout_of(&command.args(words).current_dir(folder.path()).output().unwrap(), 0)
    };
    let run_all = |section: &str| -> Vec<String> {
        let commands = commands_of(PAGE, section);
        assert!(!commands.is_empty(), "{section}");
        commands.iter().map(|line| run(line)).collect()
    };
    assert_eq!(run_all("## The model, and what it says\n").len(), 3);
    let before = run_all("## Before labels come\n").remove(0);
    let days = |text: &str| text.lines().filter(|line| line.contains(" 2013-")).count();
    assert!(days(&before) >= 38, "{before}");
    assert!(!before.contains("drift ") && !before.contains("broken"), "{before}");
    let after = run_all("## When labels come\n").remove(0);
    assert!(after.contains("mae") && after.contains("2013-02-28"), "{after}");
    let tried = run_all("## A rule, tried before it rings\n").remove(0);
    let page = std::fs::read_to_string(workspace_root().join(PAGE)).unwrap();
    let said = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(tried.trim(), said.trim());
    // The rule on the page is that of the project.
    let rule = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let project = std::fs::read_to_string(folder.path().join("trainyard.toml")).unwrap();
    assert!(project.contains(rule), "{rule}");
}
