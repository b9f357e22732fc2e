//! Releases from a runner elsewhere: the script that workflows speak to the host by, with a stand-in for `ssh` that runs
//! here what the host would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use trainyard_testkit::workspace_root;

use crate::names::make_executable;
use crate::project::{stdout_of, trainyard};

/// Writes down what everybody on the machine may read, and the key; then it is the host, which has no variable of the job,
/// unless the job is ended.
const SSH: &str = r#"#!/bin/sh
echo "$@" >> "$HOME/words"
cp "$3" "$HOME/key"
if [ -n "${ENDED:-}" ]; then
  kill -TERM "$PPID"
  exit 0
fi
for last in "$@"; do :; done
exec env -i PATH="$PATH" HOME="$HOME" sh -c "$last"
"#;

/// Says what it was asked, where and by whom; fails as the gate does.
const TRAINYARD: &str = r#"#!/bin/sh
echo "$* in $(pwd) by $MLFLOW_TRACKING_TOKEN for $GITHUB_ACTOR"
if [ -n "${SERVE_TOKEN:-}" ]; then echo "with $SERVE_TOKEN and ${AWS_REGION:-nothing more}"; fi
if [ -e deploy.md ]; then echo "an old summary"; fi
if [ "$1" = deploy ]; then echo "released" > deploy.md; fi
exit 3
"#;

/// Nobody else's shell reads this folder as one word.
const FOLDER: &str = "it's here";

/// A repository with a project in a folder of it, and a host.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in [("ssh", SSH), ("trainyard", TRAINYARD)] {
            let path = place.path(&format!("tools/{name}"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            make_executable(&path);
        }
        std::fs::create_dir(place.path("tmp")).unwrap();
        std::fs::create_dir_all(place.path("repository/.github")).unwrap();
        for name in ["trainyard-host.sh", "install-trainyard.sh"] {
            let copy = place.path("repository/.github").join(name);
            std::fs::copy(template(name), copy).unwrap();
        }
        std::fs::create_dir_all(place.project()).unwrap();
        std::fs::write(place.project().join("trainyard.toml"), "# this commit\n").unwrap();
        for arguments in [
            &["init", "--quiet"][..],
            &["add", "."],
            &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-mt"],
        ] {
            let mut git = Command::new("git");
            git.current_dir(place.path("repository")).args(arguments);
            stdout_of(&git.output().unwrap(), 0);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn project(&self) -> PathBuf {
        self.path("repository/models/churn")
    }

    /// What is of the project on the host: another one of the repository has a folder of its own.
    fn host(&self, name: &str) -> PathBuf {
        self.path(FOLDER).join("models/churn").join(name)
    }

    fn ask(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.path("tools").display());
        Command::new("sh")
            .arg("../../.github/trainyard-host.sh")
            .args(arguments)
            .current_dir(self.project())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.path("tmp"))
            .env("TRAINYARD_SSH_HOST", "me@host.example.com")
            .env("TRAINYARD_HOST_FOLDER", self.path(FOLDER))
            .env("TRAINYARD_HOST_KEYS", "host.example.com ssh-ed25519 AAAA")
            .env("TRAINYARD_SSH_KEY", "pr1vate")
            .env("MLFLOW_TRACKING_TOKEN", "pl4nted s3c'ret")
            .env("GITHUB_ACTOR", "ana")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }
}

fn template(name: &str) -> PathBuf {
    workspace_root().join("crates/pipeline/templates").join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_release_happens_on_the_host_and_is_told_here() {
    let place = Place::new();
    std::fs::create_dir_all(place.host("")).unwrap();
    std::fs::write(place.host("deploy.md"), "of an older release\n").unwrap();
    std::fs::write(place.host("state"), "of the deployment\n").unwrap();
    stdout_of(&place.ask(&["send"], &[]), 0);
    assert_eq!(read(&place.host("trainyard.toml")), "# this commit\n");
    assert_eq!(read(&place.host("state")), "of the deployment\n", "what is the host's stays");

    let release =
        ["run", "deploy", "--version", "3", "--summary", "deploy.md", "--reason", "it's $new"];
    let said = stdout_of(&place.ask(&release, &[]), 3);
    let asked = "deploy --version 3 --summary deploy.md --reason it's $new";
    let folder = place.path(FOLDER).join("models/churn");
    assert_eq!(said, format!("{asked} in {} by pl4nted s3c'ret for ana\n", folder.display()));
    stdout_of(&place.ask(&["get", "deploy.md"], &[]), 0);
    assert_eq!(read(&place.project().join("deploy.md")), "released\n");
    assert_ne!(place.ask(&["get", "reports/drift.html"], &[]).status.code(), Some(0));
    assert!(!place.project().join("reports").exists(), "what is not there is not made up");

    // The host is held to its pin as a runner is: what it has will do where there is none.
    let said = stdout_of(&place.ask(&["install"], &[]), 0);
    assert!(said.ends_with("tools/trainyard\n"), "{said}");
    let pinned = [("TRAINYARD_SOURCE", "/nowhere"), ("TRAINYARD_REVISION", "sha256:0")];
    let said = stdout_of(&place.ask(&["install"], &pinned), 2);
    assert!(said.contains("::error::"), "{said}");

    let words = read(&place.path("words"));
    for option in ["StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null"] {
        assert!(words.contains(option), "{words}");
    }
    assert!(!words.contains("pl4nted") && !words.contains("pr1vate"), "{words}");
}

#[test]
fn what_a_verb_reads_there_is_named_and_is_no_word_of_a_command_line() {
    let place = Place::new();
    stdout_of(&place.ask(&["send"], &[]), 0);
    let secrets = [("SERVE_TOKEN", "s3rve 'it' $HOME\n"), ("AWS_REGION", "eu-1")];
    let run = |passes: &str| {
        let mut variables = vec![("TRAINYARD_HOST_PASSES", passes)];
        variables.extend(secrets);
        place.ask(&["run", "monitor"], &variables)
    };
    assert!(!stdout_of(&run(""), 3).contains("s3rve"), "nobody named it");
    let said = stdout_of(&run("SERVE_TOKEN"), 3);
    assert!(said.ends_with("\nwith s3rve 'it' $HOME and nothing more\n"), "{said}");
    let said = stdout_of(&run(" SERVE_TOKEN  AWS_REGION\nAWS_PROFILE"), 3);
    assert!(said.ends_with("and eu-1\n"), "{said}");
    let asked = run("SERVE_TOKEN AWS_PROFILE");
    let error = String::from_utf8_lossy(&asked.stderr);
    assert!(error.contains("AWS_PROFILE of TRAINYARD_HOST_PASSES is not set here"), "{error}");
    let words = read(&place.path("words"));
    assert!(!words.contains("s3rve"), "{words}");
    // The key of the host is for the way there, and no name is more than a name.
    std::fs::remove_file(place.path("words")).unwrap();
    for name in ["TRAINYARD_SSH_KEY", "A=$(id)", "a;id", "1A", "*"] {
        let output = run(name);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("TRAINYARD_HOST_PASSES: "), "{name}: {error}");
        assert!(!place.path("words").exists(), "{name}: the host was asked");
    }
}

#[test]
fn without_a_host_nothing_is_asked() {
    let place = Place::new();
    for (name, value) in [
        ("TRAINYARD_SSH_HOST", ""),
        ("TRAINYARD_SSH_HOST", "-oProxyCommand=id"),
        ("TRAINYARD_HOST_KEYS", ""),
        ("TRAINYARD_HOST_FOLDER", "churn"),
        ("TRAINYARD_SSH_KEY", ""),
    ] {
        let output = place.ask(&["send"], &[(name, value)]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.starts_with("::error::") && error.contains(name), "{error}");
    }
    assert!(!place.path("words").exists());
}

#[test]
fn keys_are_texts_or_files_and_do_not_stay() {
    let place = Place::new();
    let key = "pr1vate\r\nof two lines";
    let file = place.path("key of the CI");
    std::fs::write(&file, key).unwrap();
    for given in [key, file.to_str().unwrap()] {
        stdout_of(&place.ask(&["send"], &[("TRAINYARD_SSH_KEY", given)]), 0);
        assert_eq!(read(&place.path("key")), "pr1vate\nof two lines\n");
        std::fs::remove_file(place.path("key")).unwrap();
    }
    let output = place.ask(&["send"], &[("TRAINYARD_SSH_KEY", "/nowhere/key")]);
    assert_ne!(output.status.code(), Some(0));
    assert!(!place.path("key").exists(), "the host is not asked without a key");
    // Somebody ends the job while the host works.
    let output = place.ask(&["send"], &[("ENDED", "yes")]);
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    let left: Vec<_> = place.path("tmp").read_dir().unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A variable of all jobs of a repository is seen by every verb in them.
#[test]
fn no_verb_reads_what_is_said_of_the_host() {
    let script = read(&template("trainyard-host.sh"));
    let names = script.lines().filter_map(|line| line.strip_prefix("#   TRAINYARD_"));
    let names: Vec<&str> = names.filter_map(|rest| rest.split(' ').next()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    let reference = stdout_of(&trainyard().args(["help", "reference"]).output().unwrap(), 0);
    assert!(reference.contains("[env: TRAINYARD_PORT]"), "{reference}");
    for name in names {
        assert!(!reference.contains(&format!("[env: TRAINYARD_{name}]")), "{name}");
    }
}
