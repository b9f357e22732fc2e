//! Builds a binary for a target, and the wheel around it, so that the same sources give the same bytes on every machine:
//! no path of this one, no time of today, no dependency that is not in `Cargo.lock`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::target::{Linkage, OF_RUNNERS, Target};
use super::tools;
use crate::environment::{root, run};

/// What was built.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) binary: PathBuf,
    pub(super) wheel: PathBuf,
    /// What the binary is built from (CycloneDX).
    pub(super) sbom: PathBuf,
}

/// Tells binaries where they came from; `trainyard-pipeline` reads it. The release workflow sets the first two, nobody
/// else does.
const REPOSITORY: &str = "TRAINYARD_RELEASE_REPOSITORY";
const DOWNLOADS: &str = "TRAINYARD_RELEASE_DOWNLOADS";
const COMMIT: &str = "TRAINYARD_RELEASE_COMMIT";
const BINARY: &str = "TRAINYARD_RELEASE_BINARY";
const SHA256: &str = "TRAINYARD_RELEASE_SHA256";

/// Builds in `work`, an empty folder. `sha256` is that of the binary that workflows install, if it is known.
pub(super) fn build(target: Target, work: &Path, sha256: Option<&str>) -> Result<Built> {
    let programs = tools::programs()?;
    if !target.runs_here() {
        // Without rustup the library is there, or the compiler says that it is not.
        let _without_rustup =
            Command::new("rustup").args(["target", "add", target.triple]).status();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(programs.clone()).chain(std::env::split_paths(&path));
    let mut maturin = Command::new(programs.join("maturin"));
    maturin
        .current_dir(root())
        .args(["build", "--locked", "--profile", "dist", "--target", target.triple, "--out"])
        .arg(work)
        .env("PATH", std::env::join_paths(path)?);
    let platform: &[&str] = match target.linkage {
        // It needs nothing of the machine, whichever C library that one has.
        Linkage::Static => &["--compatibility", "manylinux_2_17"],
        Linkage::Zig => &["--zig", "--compatibility", "manylinux_2_17", "musllinux_1_2"],
        Linkage::Dynamic if target.has_wheel => &[],
        Linkage::Dynamic => &["--compatibility", "linux"],
    };
    maturin.args(platform);
    reproducible(&mut maturin, target)?;
    say_where_from(&mut maturin, target, sha256)?;
    run(&mut maturin)?;
    let wheel = only(work, "", ".whl")?;
    run(Command::new(programs.join("python")).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(work))?;
    let scripts = only(work, "", ".data")?.join("scripts");
    let sboms = only(work, "", ".dist-info")?.join("sboms");
    Ok(Built {
        binary: only(&scripts, "trainyard", "")?,
        wheel,
        sbom: only(&sboms, "trainyard", ".cyclonedx.json")?,
    })
}

/// The time that files are said to be of: that of the commit, unless the environment says another.
pub(super) fn epoch() -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    said_by(Command::new("git").current_dir(root()).args(["log", "-1", "--format=%ct"]))
}

/// Paths of this machine are called by the same names on all.
fn reproducible(maturin: &mut Command, target: Target) -> Result<()> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let sysroot = said_by(Command::new("rustc").args(["--print", "sysroot"]))?;
    // As the compiler sees it: a path with `..` in it begins no other.
    let sources = root().canonicalize()?;
    let names = [(sources, "/trainyard"), (cargo, "/cargo"), (PathBuf::from(sysroot), "/rust")]
        .map(|(path, name)| (path.display().to_string(), name));
    let mut rust: Vec<String> =
        names.iter().map(|(path, name)| format!("--remap-path-prefix={path}={name}")).collect();
    if target.linkage == Linkage::Static {
        // Relocations that are packed are 2 MB less.
        rust.push("-Ctarget-feature=+crt-static".to_owned());
        rust.push("-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned());
    }
    let c: Vec<String> =
        names.iter().map(|(path, name)| format!("-ffile-prefix-map={path}={name}")).collect();
    maturin
        // Words are parted by this character, so that a path may have blanks in it.
        .env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"))
        .env_remove("RUSTFLAGS")
        .env("CFLAGS", c.join(" "))
        .env("CXXFLAGS", c.join(" "))
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", epoch()?);
    Ok(())
}

/// What `trainyard --version --verbose` and `trainyard init` know.
fn say_where_from(maturin: &mut Command, target: Target, sha256: Option<&str>) -> Result<()> {
    for name in [COMMIT, BINARY, SHA256] {
        maturin.env_remove(name);
    }
    let changed = said_by(Command::new("git").current_dir(root()).args(["status", "--porcelain"]))?;
    let is_release = std::env::var_os(REPOSITORY).is_some_and(|repository| !repository.is_empty());
    if changed.is_empty() {
        let head = ["rev-parse", "HEAD"];
        maturin.env(COMMIT, said_by(Command::new("git").current_dir(root()).args(head))?);
    } else if is_release {
        bail!("a release is a commit, and these files are changed:\n{changed}");
    } else {
        eprintln!("warning: there are changes, so the binary names no commit:\n{changed}");
    }
    if !is_release {
        return Ok(());
    }
    let downloads = std::env::var(DOWNLOADS)
        .with_context(|| format!("{REPOSITORY} is set, and {DOWNLOADS} is not"))?;
    let version = env!("CARGO_PKG_VERSION");
    maturin.env(BINARY, format!("{downloads}/trainyard-{version}-{OF_RUNNERS}.gz"));
    // That binary itself is not told its own digest, which it has only when it is built.
    if target.name != OF_RUNNERS {
        let sha256 = sha256.with_context(|| {
            format!("{} wants {SHA256}, that of {OF_RUNNERS}: build that first", target.name)
        })?;
        maturin.env(SHA256, sha256);
    }
    Ok(())
}

/// The digest that the environment has, of a binary that was built on another machine.
pub(super) fn told_digest() -> Option<String> {
    std::env::var(SHA256).ok().filter(|digest| !digest.is_empty())
}

/// What a command prints, without the end of the line.
fn said_by(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The one entry of a folder whose name begins and ends so.
fn only(folder: &Path, start: &str, end: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(start) && name.ends_with(end) {
            found.push(entry.path());
        }
    }
    match found.pop() {
        Some(path) if found.is_empty() => Ok(path),
        _ => bail!("not one entry of {} is called {start}…{end}", folder.display()),
    }
}
