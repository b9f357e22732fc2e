//! What workflows pin is what they run: a commit beside a program that is on the runner already, credentials that no
//! process list shows, and arguments of the action that arrive as they were written.

use std::path::Path;
use std::process::{Command, Output};

use trainyard_testkit::workspace_root;

use crate::names::{install, make_executable};
use crate::project::stdout_of;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "76543210fedcba9876543210fedcba9876543210";

/// Builds what the commit says, and what git would tell a server.
const CARGO: &str = r##"#!/bin/sh
echo cargo "$@"
mkdir -p "$CARGO_INSTALL_ROOT/bin"
echo "# built by cargo $*" > "$CARGO_INSTALL_ROOT/bin/trainyard"
case "$*" in *git.example.com*) printf 'url=https://git.example.com/t\n\n' | git credential fill ;; esac
"##;

/// Writes a program of the runner.
fn tool(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder.join("tools")).unwrap();
    let path = folder.join("tools").join(name);
    std::fs::write(&path, text).unwrap();
    make_executable(&path);
}

/// Installs the program of a commit, from another place than the credentials are of.
fn build(folder: &Path, commit: &str) -> String {
    let source = ("TRAINYARD_SOURCE", "https://code.example.com/t");
    // Whoever set the runner up has their programs elsewhere.
    let elsewhere = folder.join("elsewhere");
    let root = ("CARGO_INSTALL_ROOT", elsewhere.to_str().unwrap());
    stdout_of(&install(folder, &[source, ("TRAINYARD_REVISION", commit), root]), 0)
}

#[test]
fn another_program_on_the_runner_is_not_the_commit() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    tool(folder, "cargo", CARGO);
    // Somebody has put a release there, of which nobody knows the commit.
    tool(folder, "trainyard", "#!/bin/sh\n");
    assert!(build(folder, COMMIT).starts_with("cargo install"), "what is there is not the commit");
    let built = folder.join(".cargo/bin");
    let there = folder.join("tools");
    for name in ["trainyard", "trainyard.commit"] {
        std::fs::copy(built.join(name), there.join(name)).unwrap();
    }
    make_executable(&there.join("trainyard"));
    assert!(build(folder, COMMIT).ends_with("tools/trainyard\n"), "it was built already");
    assert!(build(folder, OTHER).starts_with("cargo install"), "it is another commit");
    // What is written beside a program is of that program alone.
    tool(folder, "trainyard", "#!/bin/sh\n# another\n");
    assert!(build(folder, COMMIT).starts_with("cargo install"), "it is another program");
    // Without a pin the runner's own will do.
    let any = [("TRAINYARD_SOURCE", "https://code.example.com/t")];
    assert!(stdout_of(&install(folder, &any), 0).ends_with("tools/trainyard\n"));
}

#[test]
fn a_checkout_is_the_commit_or_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    tool(folder, "cargo", CARGO);
    let checkout = folder.join("checkout");
    std::fs::create_dir(&checkout).unwrap();
    let of_checkout = |commit: &str, code: i32| {
        let source = ("TRAINYARD_SOURCE", checkout.to_str().unwrap());
        stdout_of(&install(folder, &[source, ("TRAINYARD_REVISION", commit)]), code)
    };
    let said = of_checkout(COMMIT, 2);
    assert!(said.contains("no checkout of git"), "{said}");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&checkout).args(["-c", "user.name=t", "-c", "user.email=t@example.com"]);
        stdout_of(&git.args(arguments).output().unwrap(), 0)
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "t"]);
    let head = git(&["rev-parse", "HEAD"]);
    let said = of_checkout(COMMIT, 2);
    assert!(said.contains("is a checkout of") && said.contains(head.trim()), "{said}");
    assert!(of_checkout(head.trim(), 0).starts_with("cargo install"));
    std::fs::write(checkout.join("changed"), "").unwrap();
    let said = of_checkout(head.trim(), 2);
    assert!(said.contains("has changes"), "{said}");
}

#[test]
fn credentials_are_no_words_of_a_command_line() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    tool(folder, "cargo", CARGO);
    for (source, user, password) in [
        ("https://me:s3%40cret@git.example.com/t", "me", "s3@cret"),
        ("https://s3cret@git.example.com/t", "s3cret", ""),
    ] {
        let given = [("TRAINYARD_SOURCE", source), ("TRAINYARD_REVISION", COMMIT)];
        let said = stdout_of(&install(folder, &given), 0);
        let (words, git) = said.split_once('\n').unwrap();
        assert!(
            words.contains("--git https://git.example.com/t ") && !words.contains('@'),
            "{words}"
        );
        for line in [format!("username={user}"), format!("password={password}")] {
            assert!(git.lines().any(|found| found == line), "{line}: {git}");
        }
    }
    // It says what it was asked, and fails as where nobody answers.
    let curl = "#!/bin/sh\necho \"$@\" > \"$HOME/words\"\ncat > \"$HOME/config\"\nexit 1\n";
    tool(folder, "curl", curl);
    let digest = format!("sha256:{}", "0".repeat(64));
    let source = ("TRAINYARD_SOURCE", "https://me:s3cret@git.example.com/t.gz");
    let said = stdout_of(&install(folder, &[source, ("TRAINYARD_REVISION", digest.as_str())]), 2);
    assert!(said.contains("cannot download https://git.example.com/t.gz"), "{said}");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(!read("words").contains("s3cret"), "{}", read("words"));
    assert_eq!(read("config"), "url = \"https://me:s3cret@git.example.com/t.gz\"\n");
}

/// The script of a step of the action.
fn step(id: &str) -> String {
    let text = std::fs::read_to_string(workspace_root().join("action.yml")).unwrap();
    let step = text.split(&format!("    - id: {id}\n")).nth(1).unwrap();
    let script = step.split("      run: |\n").nth(1).unwrap();
    script.lines().map_while(|line| line.strip_prefix("        ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn arguments_of_the_action_arrive_as_they_are_written() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    tool(folder, "trainyard", "#!/bin/sh\nprintf '[%s]' \"$@\"\n");
    let script = step("verb");
    let run = |arguments: &str| -> Output {
        let path = format!("{}:/usr/bin:/bin", folder.join("tools").display());
        Command::new("bash")
            .args(["-eo", "pipefail", "-c", &script])
            .current_dir(folder)
            .env_clear()
            .envs([("PATH", path.as_str()), ("VERB", "train"), ("PROJECT", ".")])
            .envs([("ARGUMENTS", arguments), ("TRACKING_URI", "")])
            .envs([("GITHUB_STEP_SUMMARY", "summary"), ("GITHUB_OUTPUT", "output")])
            .output()
            .unwrap()
    };
    for (written, arrived) in [
        ("", "[train][.]"),
        ("--json  --if-new", "[train][.][--json][--if-new]"),
        ("--json --if-new\n", "[train][.][--json][--if-new]"),
        ("--reason\nnew data, *\n", "[train][.][--reason][new data, *]"),
    ] {
        let said = stdout_of(&run(written), 0);
        assert!(said.contains(&format!("\n{arrived}")), "{written:?}: {said}");
    }
}
