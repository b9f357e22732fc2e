//! What `cargo xtask release` packs, around a stand-in for the binary: everything is where it belongs, and packing it again
//! gives the same bytes. The long form of `crates/trainyard/tests/it/artifacts.rs` tries what was built.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Answers what the packer asks the binary for.
const STAND_IN: &str = r#"#!/bin/sh
case "$1" in
  man) printf '.TH trainyard 1\n' > "$2/trainyard.1" ;;
  completions) echo "completes in $2" ;;
  up) printf '# Written here.\n[Service]\nExecStart="%s" up "%s"\nEnvironmentFile=-/etc/other.env\nUser=me\nKillMode=process\nReadWritePaths="%s"\n' "$0" "$4" "$4" ;;
  *) echo "ran $*" ;;
esac
"#;

fn target() -> String {
    format!("{}-linux", std::env::consts::ARCH)
}

fn stand_in(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("stand-in");
    std::fs::write(&path, STAND_IN).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn release(folder: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("release")
        .args([target().as_str(), "--out", folder.to_str().unwrap()])
        .args(more)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        // Images have a test of their own.
        .env("DOCKER_HOST", "unix:///nowhere")
        .output()
        .unwrap()
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn everything_is_where_it_belongs_and_comes_out_the_same_again() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        // Past the harness's capture, in a line that is counted.
        let line = b"SKIPPED: what is released is packed: dpkg-deb is not here\n";
        std::io::stdout().lock().write_all(line).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stand_in = stand_in(folder.path());
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    for out in [&first, &second] {
        let output = release(out, &["--pack", stand_in.to_str().unwrap()]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        assert!(error.contains("no Docker Engine runs here"), "{error}");
    }
    let sums = std::fs::read_to_string(first.join("SHA256SUMS")).unwrap();
    assert_eq!(sums, std::fs::read_to_string(second.join("SHA256SUMS")).unwrap());
    said(Command::new("sha256sum").current_dir(&first).args(["--check", "SHA256SUMS"]));
    let stem = format!("trainyard-{}-{}", env!("CARGO_PKG_VERSION"), target());
    let names: Vec<&str> = sums.lines().filter_map(|line| line.split("  ").nth(1)).collect();
    assert_eq!(names.len(), 3, "{sums}");
    assert_eq!(names[..2], [format!("{stem}.gz"), format!("{stem}.sha256")]);

    // The binary, by the digest that workflows are pinned to.
    let unpack =
        format!("gunzip --stdout {stem}.gz > trainyard && sha256sum --check {stem}.sha256");
    said(Command::new("sh").current_dir(&first).args(["-c", &unpack]));

    let package = first.join(names[2]);
    let root = folder.path().join("root");
    said(Command::new("dpkg-deb").arg("--extract").args([&package, &root]));
    assert_eq!(said(Command::new(root.join("usr/bin/trainyard")).arg("serve")), "ran serve\n");
    for file in [
        "usr/share/man/man1/trainyard.1.gz",
        "usr/share/bash-completion/completions/trainyard",
        "usr/share/zsh/vendor-completions/_trainyard",
        "usr/share/fish/vendor_completions.d/trainyard.fish",
        "usr/share/doc/trainyard/copyright",
    ] {
        assert!(root.join(file).is_file(), "{file} is missing");
    }
    let unit = std::fs::read_to_string(root.join("usr/lib/systemd/system/trainyard.service"));
    let unit = unit.unwrap();
    for line in [
        "ExecStart=/usr/bin/trainyard up /var/lib/trainyard/project",
        "EnvironmentFile=-/etc/trainyard.env",
        "User=trainyard",
        "ReadWritePaths=/var/lib/trainyard/project",
    ] {
        assert_eq!(unit.lines().filter(|found| *found == line).count(), 1, "{line}: {unit}");
    }
    assert!(!unit.contains("User=me") && !unit.contains("Written here"), "{unit}");
    // Nothing in it belongs to whoever built it, or can be changed by others.
    let contents = said(Command::new("dpkg-deb").arg("--contents").arg(&package));
    for line in contents.lines() {
        assert!(line.contains(" root/root "), "{line}");
        let mode = line.split(' ').next().unwrap();
        assert!(["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&mode), "{line}");
    }
    let scripts = folder.path().join("scripts");
    said(Command::new("dpkg-deb").arg("--control").args([&package, &scripts]));
    for script in ["postinst", "prerm"] {
        said(Command::new("sh").arg("-n").arg(scripts.join(script)));
    }
    // Root makes the service's folders once. Later their owner may have put links there, which root would follow.
    let state = folder.path().join("state");
    let postinst = std::fs::read_to_string(scripts.join("postinst")).unwrap();
    let postinst = postinst.replace("/var/lib/trainyard", state.to_str().unwrap());
    let first = configured(folder.path(), &postinst);
    assert!(first.ends_with(&format!("{0} {0}/project\n", state.display())), "{first}");
    std::fs::create_dir(&state).unwrap();
    assert_eq!(configured(folder.path(), &postinst), "");
    let prerm = std::fs::read_to_string(scripts.join("prerm")).unwrap();
    the_service_of_another_program_stays(folder.path(), &postinst, &prerm);
}

/// `up --install` writes a unit of the package's name. On an upgrade it is started anew, and before the package goes it is stopped,
/// only if it runs the package's program.
fn the_service_of_another_program_stays(folder: &Path, postinst: &str, prerm: &str) {
    let unit = folder.join("own.service");
    let running = folder.join("run");
    std::fs::create_dir(&running).unwrap();
    let here = |script: &str| {
        script
            .replace("/etc/systemd/system/trainyard.service", unit.to_str().unwrap())
            .replace("/run/systemd/system", running.to_str().unwrap())
    };
    let asked = |arguments: &[&str]| {
        let log = folder.join("asked");
        std::fs::write(&log, "").unwrap();
        tool(folder, "systemctl", &format!("echo \"$*\" >> '{}'", log.display()));
        let [postinst, prerm] = [postinst, prerm].map(here);
        let script = if arguments.contains(&"postinst") { postinst } else { prerm };
        said(scripted(folder, &script).args(arguments));
        std::fs::read_to_string(log).unwrap()
    };
    let upgrade = || asked(&["postinst", "configure"]);
    let removal = || asked(&["prerm", "remove"]);
    for (exec_start, is_ours) in [
        (None, true),
        (Some("\"/usr/bin/trainyard\" up \"/srv/a\""), true),
        (Some("\"/opt/usr/bin/trainyard\" up \"/srv/a\""), false),
        (Some("\"/usr/bin/trainyard-old\" up \"/srv/a\""), false),
    ] {
        if let Some(line) = exec_start {
            std::fs::write(&unit, format!("[Service]\nExecStart={line}\n")).unwrap();
        }
        assert_eq!(upgrade().contains("try-restart"), is_ours, "{exec_start:?}");
        assert_eq!(removal().contains("disable --now"), is_ours, "{exec_start:?}");
        assert_eq!(unit.exists(), exec_start.is_some());
    }
}

/// Runs a package's script as dpkg does behind an upgrade; answers which folders it would make.
fn configured(folder: &Path, script: &str) -> String {
    for (name, text) in [("getent", "exit 0"), ("systemctl", "exit 0"), ("install", "echo \"$@\"")]
    {
        tool(folder, name, text);
    }
    said(scripted(folder, script).args(["postinst", "configure"]))
}

/// A stand-in for a program of the host.
fn tool(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let tools = folder.join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    let tool = tools.join(name);
    std::fs::write(&tool, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// A shell that runs a script with those stand-ins; its name and arguments follow.
fn scripted(folder: &Path, script: &str) -> Command {
    let path = format!("{}:/usr/bin:/bin", folder.join("tools").display());
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("PATH", path);
    command
}

/// All that a release is built with is named by version and digest.
#[test]
fn what_builds_a_release_is_pinned_by_digest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let tools = read("xtask/src/release/requirements.txt").replace("\\\n", "");
    let tools: Vec<&str> = tools.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(tools.len(), 2, "{tools:?}");
    for package in tools {
        assert!(package.contains("==") && package.contains("--hash=sha256:"), "{package}");
    }
    for line in read(".github/workflows/release.yml").lines() {
        let installs = line.contains("pip install");
        assert!(!installs || line.contains("--require-hashes"), "{line}");
    }
}

#[test]
fn a_tag_says_the_version_of_the_sources() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = stand_in(folder.path());
    let out = folder.path().join("out");
    let output = release(&out, &["--pack", stand_in.to_str().unwrap(), "--tag", "v99.0.0"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("the tag is v99.0.0") && !out.exists(), "{error}");
}
