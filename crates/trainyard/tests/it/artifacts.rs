//! What `cargo xtask release` made, installed by the lines of docs/install.md where nothing of Trainyard is: a fresh virtual
//! environment, a bare Debian, an engine for containers, an empty home.
//!
//! Building a release takes many minutes, so this is of the long form, and says so where there are no artifacts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use trainyard_testkit::docker::{SKIPPED, engine};
use trainyard_testkit::{test_env, workspace_root};

use crate::project::{TestProject, stdout_of};

/// Largest wheel, in bytes: what is downloaded before the first job of a pipeline can begin.
const WHEEL_MAX: u64 = 30_000_000;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Says that a test could not run, past the harness's capture.
fn skip(test: &str, reason: &str) {
    use std::io::Write as _;
    let line = format!("{SKIPPED}{test}: {reason}\n");
    let _nobody_listens = std::io::stdout().lock().write_all(line.as_bytes());
}

/// The folder of artifacts, in the long form.
fn artifacts(test: &str) -> Option<PathBuf> {
    std::env::var_os("TRAINYARD_TEST_LONG")?;
    let folder = workspace_root().join("target/release-artifacts");
    if folder.join("SHA256SUMS").is_file() {
        return Some(folder);
    }
    skip(test, "there are no artifacts: `cargo xtask release` makes them");
    None
}

fn page() -> String {
    std::fs::read_to_string(workspace_root().join("docs/install.md")).unwrap()
}

/// The line of the page that begins so.
fn line(start: &str) -> String {
    let page = page();
    let line = page.lines().find_map(|line| {
        line.strip_prefix("    ").filter(|line| line.starts_with(start)).map(str::to_owned)
    });
    line.unwrap_or_else(|| panic!("docs/install.md has no line {start}…"))
}

/// The name of a file that a line installs.
fn file_of(line: &str) -> &str {
    let names_it = |word: &&str| word.contains(VERSION) && !word.starts_with("localhost/");
    line.split(' ').find(names_it).unwrap().trim_start_matches("./")
}

/// An empty folder with one artifact and the checksums; nothing where it was not made here.
fn taken(test: &str, line: &str) -> Option<tempfile::TempDir> {
    let artifacts = artifacts(test)?;
    let name = file_of(line);
    if !artifacts.join(name).is_file() {
        skip(test, &format!("there is no {name} among the artifacts"));
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in [name, "SHA256SUMS"] {
        std::fs::copy(artifacts.join(name), folder.path().join(name)).unwrap();
    }
    Some(folder)
}

/// Runs a line of the page as in a new home, with nothing of this environment but programs of the system.
fn shell(folder: &Path, path: &Path, line: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-euc", line]).current_dir(folder).env_clear();
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", path.display()));
    command.env("HOME", folder).output().unwrap()
}

/// The README's main job, by an installed program.
fn does_the_job(program: &Path) {
    let project = TestProject::iris();
    let run = Command::new(program).arg("run").current_dir(project.path()).output().unwrap();
    let said = stdout_of(&run, 0);
    assert!(said.contains("IrisClassifier version 1 (Production)"), "{said}");
}

#[test]
fn the_page_names_what_is_released() {
    let page = page();
    let names = page.split_whitespace().filter(|word| {
        [".gz", ".whl", ".deb"].iter().any(|end| word.ends_with(end)) && word.contains("trainyard")
    });
    let names: Vec<&str> = names.filter(|word| word.contains('-') || word.contains('_')).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        assert!(name.contains(VERSION), "{name} is not of version {VERSION}");
    }
    let project = std::fs::read_to_string(workspace_root().join("pyproject.toml")).unwrap();
    let name = project.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap();
    let name = name.trim_end_matches('"');
    assert!(page.contains(&format!("the wheel is called `{name}`")), "{name}");
    assert!(line("python3").contains(&format!("/{}-{VERSION}-", name.replace('-', "_"))));
}

#[test]
fn a_binary_is_checked_before_it_is_run() {
    let line_of_it = line("gunzip");
    let Some(folder) = taken("a_binary_is_checked_before_it_is_run", &line_of_it) else { return };
    let check = line("sha256sum");
    let bin = folder.path().join(".local/bin");
    stdout_of(&shell(folder.path(), &bin, &check), 0);
    stdout_of(&shell(folder.path(), &bin, &line_of_it), 0);
    let said = stdout_of(&shell(folder.path(), &bin, "trainyard --version --verbose"), 0);
    assert!(said.contains(VERSION) && said.contains("static"), "{said}");
    let engine = "trainyard monitor --reference 'duckdb://?query=select 1' --current -";
    let error = shell(folder.path(), &bin, engine).stderr;
    let error = String::from_utf8_lossy(&error);
    assert!(error.contains("this program is static"), "{error}");
    does_the_job(&bin.join("trainyard"));
    // The way back is the way: the program is replaced, also while it runs.
    stdout_of(&shell(folder.path(), &bin, &line_of_it), 0);
    for line in [line("trainyard man"), line("mkdir")] {
        stdout_of(&shell(folder.path(), &bin, &line), 0);
    }
    for file in ["man/man1/trainyard-deploy.1", "bash-completion/completions/trainyard"] {
        assert!(folder.path().join(".local/share").join(file).is_file(), "{file}");
    }
    // A file that was changed on the way is found.
    let file = folder.path().join(file_of(&line_of_it));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let refused = shell(folder.path(), &bin, &check);
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn a_wheel_goes_into_a_fresh_environment() {
    let line_of_it = line("python3 -m pip");
    let Some(folder) = taken("a_wheel_goes_into_a_fresh_environment", &line_of_it) else { return };
    let size = std::fs::metadata(folder.path().join(file_of(&line_of_it))).unwrap().len();
    assert!(size <= WHEEL_MAX, "the wheel has {size} bytes");
    let bin = folder.path().join("fresh/bin");
    let fresh = ["-m", "venv", "fresh"];
    let made = Command::new("python3").current_dir(folder.path()).args(fresh).output().unwrap();
    stdout_of(&made, 0);
    let offline = line_of_it.replace("pip install", "pip install --no-index");
    stdout_of(&shell(folder.path(), &bin, &offline), 0);
    let said = stdout_of(&shell(folder.path(), &bin, "trainyard --version"), 0);
    assert_eq!(said.trim(), format!("trainyard {VERSION}"));
    does_the_job(&bin.join("trainyard"));
    let uv = test_env().join("python/bin");
    if uv.join("uvx").is_file() {
        let said = stdout_of(&shell(folder.path(), &uv, &line("uvx")), 0);
        assert_eq!(said.trim(), format!("trainyard {VERSION}"));
    } else {
        skip("a_wheel_goes_into_a_fresh_environment", "uvx is not here");
    }
    let remove = "python3 -m pip uninstall --yes trainyard-mlops";
    stdout_of(&shell(folder.path(), &bin, remove), 0);
    assert!(!bin.join("trainyard").exists());
}

/// A Debian with nothing but its packages of the highest priority, made once.
fn bare_debian(test: &str) -> Option<PathBuf> {
    let root = test_env().join("debian");
    if root.join("made").is_file() {
        return Some(root);
    }
    let _half_made = std::fs::remove_dir_all(&root);
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.unwrap_or("stable");
    let made = Command::new("debootstrap").args(["--variant=minbase", name]).arg(&root).output();
    match made {
        Ok(made) if made.status.success() => {
            std::fs::write(root.join("made"), name).unwrap();
            Some(root)
        }
        Ok(made) => {
            skip(test, &format!("no bare Debian: {}", String::from_utf8_lossy(&made.stdout)));
            None
        }
        Err(error) => {
            skip(test, &format!("debootstrap: {error}"));
            None
        }
    }
}

/// The same package as of another version.
fn of_version(package: &Path, version: &str) -> PathBuf {
    let folder = package.with_extension(version);
    let made = package.with_file_name(format!("trainyard_{version}.deb"));
    let edit = format!(
        "dpkg-deb --raw-extract {0} {1} && sed -i 's/^Version: .*/Version: {version}/' \
         {1}/DEBIAN/control && dpkg-deb -Znone --root-owner-group --build {1} {2}",
        package.display(),
        folder.display(),
        made.display()
    );
    stdout_of(&Command::new("sh").args(["-euc", &edit]).output().unwrap(), 0);
    std::fs::remove_dir_all(&folder).unwrap();
    made
}

#[test]
fn a_package_goes_into_a_bare_debian_and_back() {
    let test = "a_package_goes_into_a_bare_debian_and_back";
    let line_of_it = line("dpkg");
    let Some(folder) = taken(test, &line_of_it) else { return };
    let Some(debian) = bare_debian(test) else { return };
    let root = folder.path().join("root");
    let copied = Command::new("cp").args(["-a", "--reflink=auto"]).args([&debian, &root]).status();
    assert!(copied.unwrap().success());
    let package = folder.path().join(file_of(&line_of_it));
    let newer = of_version(&package, "99.0.0");
    for package in [&package, &newer] {
        std::fs::copy(package, root.join(package.file_name().unwrap())).unwrap();
    }
    let run = |line: &str| {
        let mut command = Command::new("chroot");
        command.arg(&root).args(["/bin/sh", "-euc", line]).env_clear();
        let output = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap();
        stdout_of(&output, 0)
    };
    run(&line_of_it);
    assert_eq!(run("trainyard --version").trim(), format!("trainyard {VERSION}"));
    assert_eq!(run("stat --format %U:%a /var/lib/trainyard/project").trim(), "trainyard:750");
    run("test -f /usr/lib/systemd/system/trainyard.service");
    assert!(run("zcat /usr/share/man/man1/trainyard-deploy.1.gz").contains(".SH NAME"));
    // Upgrade and way back are the same line; what was there stays.
    run("touch /var/lib/trainyard/project/trainyard.toml");
    let installed = "dpkg-query --showformat '${Version}' --show trainyard";
    run("dpkg --install /trainyard_99.0.0.deb");
    assert_eq!(run(installed), "99.0.0");
    run(&line_of_it);
    assert_eq!(run(installed), VERSION);
    run("dpkg --remove trainyard");
    run("test ! -e /usr/bin/trainyard && test -f /var/lib/trainyard/project/trainyard.toml");
}

#[test]
fn an_image_is_loaded_and_run() {
    let test = "an_image_is_loaded_and_run";
    let line_of_it = line("docker load");
    let Some(folder) = taken(test, &line_of_it) else { return };
    let Some(engine) = engine(test) else { return };
    // The tests' engine has no network of its own.
    let line_of_it = line_of_it.replace("docker run --rm", "docker run --rm --network host");
    let mut command = Command::new("sh");
    command.args(["-euc", &line_of_it]).current_dir(folder.path());
    let output = command.env("DOCKER_HOST", &engine.host).output().unwrap();
    let said = stdout_of(&output, 0);
    assert_eq!(said.lines().last(), Some(format!("trainyard {VERSION}").as_str()), "{said}");
}
