//! No code-hosting account, registry or package name that is somebody else's is where users would install
//! this program from: whoever owns the name runs code with their secrets.

use std::path::Path;
use std::process::{Command, Output};

use trainyard_testkit::workspace_root;

use crate::project::{stdout_of, trainyard};

/// Hosts where anybody may have an account.
const HOSTS: [&str; 19] = [
    "github.com",
    "githubusercontent.com",
    "github.io",
    "gitlab.com",
    "gitlab.io",
    "bitbucket.org",
    "codeberg.org",
    "sr.ht",
    "ghcr.io",
    "docker.io",
    "docker.com",
    "quay.io",
    "gcr.io",
    "pypi.org",
    "pythonhosted.org",
    "crates.io",
    "npmjs.com",
    "npmjs.org",
    "huggingface.co",
];

/// Ways to install this program by its name alone, which belongs to others there.
const BY_NAME: [&str; 10] = [
    "pip install trainyard",
    "uv add trainyard",
    "uvx trainyard",
    "uv tool install trainyard",
    "pipx install trainyard",
    "cargo install trainyard",
    "npm install trainyard",
    "docker pull trainyard",
    "docker run trainyard",
    "trainyard/trainyard@",
];

/// The issuer of tokens of GitHub Actions.
const ACTIONS_TOKENS: &str = "token.actions.githubusercontent.com";

/// What may name such a host: file, text, reason.
const ALLOWED: [(&str, &str, &str); 10] = [
    ("Cargo.lock", "github.com/rust-lang/crates.io-index", "Cargo's name for its own registry"),
    (
        "crates/deploy/src/runtime/docker/auth.rs",
        "index.docker.io/v1/",
        "the key under which Docker's own settings keep the password of its hub",
    ),
    ("xtask/src/environment.rs", "[\"docker.io\"]", "the name of Debian's package of the engine"),
    ("crates/trainyard/tests/it/names.rs", "", "this list"),
    (
        "docs/team.md",
        ACTIONS_TOKENS,
        "who signs the tokens of a CI's jobs, which are let in and installed from nowhere",
    ),
    ("crates/tracking/src/access/oidc/settings.rs", ACTIONS_TOKENS, "the same"),
    ("crates/tracking/src/access/oidc/identity.rs", ACTIONS_TOKENS, "the same"),
    (
        "crates/tracking/src/access/oidc/settings.rs",
        "GitLab.com",
        "a provider at which anybody has an account",
    ),
    ("crates/tracking/src/access/oidc/settings.rs", "\"https://gitlab.com\"", "the same"),
    ("docs/team.md", "GitLab.com", "the same"),
];

/// Owners of actions: they are the CI host's own, and pinned to a commit by another test.
const ACTIONS: [&str; 1] = ["actions/"];

/// The lines of a text that name what they must not.
fn foreign<'t>(file: &str, text: &'t str) -> Vec<&'t str> {
    let is_allowed = |line: &str| {
        ALLOWED.iter().any(|(allowed, part, _)| *allowed == file && line.contains(part))
    };
    let names_host = |line: &str| {
        let line = line.to_ascii_lowercase();
        HOSTS.iter().any(|host| line.contains(host)) || BY_NAME.iter().any(|by| line.contains(by))
    };
    let uses_other = |line: &str| {
        let action = line.trim_start().trim_start_matches("- ").strip_prefix("uses: ");
        let extension = Path::new(file).extension();
        let is_yaml = extension.is_some_and(|extension| extension == "yaml" || extension == "yml");
        is_yaml
            && action.is_some_and(|action| {
                !action.starts_with("./") && !ACTIONS.iter().any(|owner| action.starts_with(owner))
            })
    };
    let is_foreign = |line: &&str| (names_host(line) || uses_other(line)) && !is_allowed(line);
    text.lines().filter(is_foreign).collect()
}

#[test]
fn the_tree_names_no_account_of_others() {
    let root = workspace_root();
    let listed = Command::new("git").current_dir(&root).args(["ls-files", "-z"]).output().unwrap();
    let listed = stdout_of(&listed, 0);
    let mut found = Vec::new();
    let mut files = 0;
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        // What is no text names nobody to a reader; a file may be gone while it is worked on.
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        files += 1;
        found.extend(foreign(file, &text).into_iter().map(|line| {
            let line: String = line.chars().take(200).collect();
            format!("{file}: {line}")
        }));
    }
    assert!(files > 500, "{files} files are not the tree");
    assert!(found.is_empty(), "{}", found.join("\n"));
    // It does find something where there is something.
    for (file, line) in [
        ("a.yaml", "      - uses: somebody/action@v1"),
        ("a.md", "see https://github.com/somebody/trainyard"),
        ("Dockerfile", "FROM ghcr.io/somebody/trainyard"),
        ("a.sh", "pip install trainyard"),
    ] {
        assert_eq!(foreign(file, line), [line]);
    }
}

/// All files of a project that `init` wrote.
fn scaffold(folder: &Path, more: &[&str]) -> Vec<(String, String)> {
    let output = trainyard().current_dir(folder).arg("init").args(more).output().unwrap();
    let written = stdout_of(&output, 0);
    let files: Vec<_> = written
        .lines()
        .map(|path| (path.to_owned(), std::fs::read_to_string(folder.join(path)).unwrap()))
        .collect();
    assert!(files.len() >= 6, "{written}");
    files
}

#[test]
fn a_scaffold_names_what_it_was_told_and_nobody_else() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in scaffold(folder.path(), &[]) {
        assert_eq!(foreign(&file, &text), Vec::<&str>::new(), "{file}");
        if text.contains("install-trainyard.sh\n") {
            assert!(text.contains("TRAINYARD_SOURCE: ${{ vars.TRAINYARD_SOURCE }}\n"), "{file}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let from = format!("https://git.example.com/t#{commit}");
    let mut named = 0;
    for (file, text) in scaffold(folder.path(), &["--install-from", &from]) {
        assert!(!text.contains("vars.TRAINYARD_SOURCE"), "{file}");
        named += usize::from(text.contains("TRAINYARD_SOURCE: \"https://git.example.com/t\"\n"));
        assert_eq!(foreign(&file, &text), Vec::<&str>::new(), "{file}");
    }
    assert_eq!(named, 2);
    let folder = tempfile::tempdir().unwrap();
    let secret = "https://me:s3cret@git.example.com/t";
    let output = trainyard()
        .current_dir(folder.path())
        .args(["init", "--install-from", secret])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("credentials") && !error.contains("s3cret"), "{error}");
    assert!(folder.path().read_dir().unwrap().next().is_none(), "nothing is written");
}

/// Runs a shell where `trainyard` is not on the path and `cargo`, unless the folder has one, only says what it was asked.
pub(crate) fn shell(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let tools = folder.join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    if !tools.join("cargo").is_file() {
        std::fs::write(tools.join("cargo"), "#!/bin/sh\necho cargo \"$@\"\n").unwrap();
        make_executable(&tools.join("cargo"));
    }
    Command::new("/bin/sh")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
        .env("HOME", folder)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Runs the script that workflows install with.
pub(crate) fn install(folder: &Path, variables: &[(&str, &str)]) -> Output {
    let script = workspace_root().join("crates/pipeline/templates/install-trainyard.sh");
    shell(folder, &[script.to_str().unwrap()], variables)
}

pub(crate) fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_a_source_the_installation_fails_with_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for variables in [&[][..], &[("TRAINYARD_SOURCE", "")]] {
        let said = stdout_of(&install(folder.path(), variables), 2);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("::error::") && said.contains("TRAINYARD_SOURCE"), "{said}");
    }
    let said = stdout_of(&install(folder.path(), &[("TRAINYARD_SOURCE", "nowhere")]), 2);
    assert!(said.contains("neither a URL nor an image nor a path"), "{said}");

    let url = [("TRAINYARD_SOURCE", "https://git.example.com/t"), ("TRAINYARD_REVISION", "abc")];
    let said = stdout_of(&install(folder.path(), &url), 0);
    let expected =
        "cargo install --locked --force --git https://git.example.com/t --rev abc trainyard\n";
    assert_eq!(said, expected);
    std::fs::create_dir(folder.path().join("checkout")).unwrap();
    let said = stdout_of(&install(folder.path(), &[("TRAINYARD_SOURCE", "checkout")]), 0);
    assert_eq!(said, "cargo install --locked --force --path checkout/crates/trainyard\n");
    // A binary is put where cargo puts those it builds.
    std::fs::write(folder.path().join("binary"), "#!/bin/sh\n").unwrap();
    let path = folder.path().join("github_path");
    let path = path.to_str().unwrap();
    let given = [("TRAINYARD_SOURCE", "binary"), ("GITHUB_PATH", path)];
    stdout_of(&install(folder.path(), &given), 0);
    let bin = folder.path().join(".cargo/bin");
    assert!(bin.join("trainyard").is_file());
    assert_eq!(std::fs::read_to_string(path).unwrap().trim(), bin.to_str().unwrap());
    // One that is there already is used.
    make_executable(&folder.path().join("binary"));
    std::fs::rename(folder.path().join("binary"), folder.path().join("tools/trainyard")).unwrap();
    assert!(stdout_of(&install(folder.path(), &[]), 0).ends_with("tools/trainyard\n"));
}

/// SHA-256 of a file, as the tool prints it.
fn digest(path: &Path) -> String {
    let said = stdout_of(&Command::new("sha256sum").arg(path).output().unwrap(), 0);
    said.split(' ').next().unwrap().to_owned()
}

/// Packs a file beside it, by gzip.
fn packed(path: &Path) -> String {
    let done = Command::new("gzip").args(["--keep", "--force"]).arg(path).status().unwrap();
    assert!(done.success());
    format!("file://{}.gz", path.display())
}

#[test]
fn what_comes_from_elsewhere_is_what_its_digest_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let installed = path(".cargo/bin/trainyard");
    std::fs::write(path("first"), "#!/bin/sh\necho first\n").unwrap();
    std::fs::write(path("second"), "#!/bin/sh\necho second\n").unwrap();
    let url = packed(&path("first"));
    let of_first = format!("sha256:{}", digest(&path("first")));
    let of_second = format!("sha256:{}", digest(&path("second")));
    let install = |source: &str, revision: &str, code: i32| {
        let given = [("TRAINYARD_SOURCE", source), ("TRAINYARD_REVISION", revision)];
        stdout_of(&install(folder.path(), &given), code)
    };

    // Somebody put another program there.
    let said = install(&url, &of_second, 2);
    assert!(said.starts_with("::error::") && said.contains("not what was asked for"), "{said}");
    assert!(!installed.exists(), "what is refused is not installed");
    install(&url, &of_first, 0);
    assert_eq!(std::fs::read(&installed).unwrap(), std::fs::read(path("first")).unwrap());

    // Another release that is on the runner is not the one that the workflows name; the same one stays.
    std::fs::copy(path("first"), path("tools/trainyard")).unwrap();
    make_executable(&path("tools/trainyard"));
    assert!(install("nowhere", &of_first, 0).ends_with("tools/trainyard\n"));
    install(&packed(&path("second")), &of_second, 0);
    assert_eq!(std::fs::read(&installed).unwrap(), std::fs::read(path("second")).unwrap());
    std::fs::remove_file(path("tools/trainyard")).unwrap();
    // A binary that is on the runner is held to its digest, too.
    install("first", &of_second, 2);
    assert_eq!(std::fs::read(&installed).unwrap(), std::fs::read(path("second")).unwrap());
    // Nobody reads a password in the log.
    let said = install("https://me:s3cret@127.0.0.1:1/t.gz", &of_first, 2);
    assert!(said.contains("https://127.0.0.1:1/t.gz") && !said.contains("s3cret"), "{said}");

    let wheel = path("trainyard-1-py3-none-any.whl");
    std::fs::create_dir_all(path("t-1.data/scripts")).unwrap();
    std::fs::copy(path("first"), path("t-1.data/scripts/trainyard")).unwrap();
    let zip = ["-m", "zipfile", "-c", wheel.to_str().unwrap(), "t-1.data"];
    let zipped = Command::new("python3").current_dir(folder.path()).args(zip).status();
    assert!(zipped.unwrap().success());
    install(wheel.to_str().unwrap(), &of_second, 2);
    install(wheel.to_str().unwrap(), &format!("sha256:{}", digest(&wheel)), 0);
    assert_eq!(std::fs::read(&installed).unwrap(), std::fs::read(path("first")).unwrap());

    // The engine itself holds an image to its digest.
    let docker = "#!/bin/sh\ncase \"$1\" in create) echo c1 ;; cp) cp second \"$3\" ;; esac\n";
    std::fs::write(path("tools/docker"), docker).unwrap();
    make_executable(&path("tools/docker"));
    install(&format!("images.example.com/trainyard@{of_second}"), "", 0);
    assert_eq!(std::fs::read(&installed).unwrap(), std::fs::read(path("second")).unwrap());
}

#[test]
fn the_action_builds_the_checkout_it_is_part_of() {
    let text = std::fs::read_to_string(workspace_root().join("action.yml")).unwrap();
    let start = text.find("        install=").unwrap();
    let script = &text[start..start + text[start..].find("    - id:").unwrap()];
    let folder = tempfile::tempdir().unwrap();
    let run = |action: &Path, reference: &str| {
        let path = ("GITHUB_ACTION_PATH", action.to_str().unwrap());
        shell(folder.path(), &["-c", script], &[path, ("ACTION_REF", reference)])
    };
    let root = workspace_root();
    let built =
        format!("cargo install --locked --force --path {}/crates/trainyard\n", root.display());
    assert_eq!(stdout_of(&run(&root, "main"), 0), built);
    // By its commit, it is that commit, whatever is on the runner.
    std::fs::write(folder.path().join("tools/trainyard"), "#!/bin/sh\n").unwrap();
    make_executable(&folder.path().join("tools/trainyard"));
    assert!(stdout_of(&run(&root, "main"), 0).ends_with("tools/trainyard\n"));
    assert_eq!(stdout_of(&run(&root, "0123456789abcdef0123456789abcdef01234567"), 0), built);
    let said = stdout_of(&run(Path::new("/nowhere"), ""), 2);
    assert!(said.starts_with("::error::") && said.lines().count() == 1, "{said}");
}
