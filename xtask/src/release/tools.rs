//! What builds wheels, pinned by digest, below `target/test-env`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::environment::{root, run};

/// Versions and digests: a release holds nothing that somebody put in their place.
const PACKAGES: &str = include_str!("requirements.txt");

/// The folder with their programs.
pub(super) fn programs() -> Result<PathBuf> {
    let home = root().join("target/test-env/release-tools");
    let stamp = home.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == PACKAGES) {
        return Ok(home.join("bin"));
    }
    eprintln!("installing maturin and Zig (once)");
    run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    run(Command::new(home.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        // What comes as sources would run before anybody looked at it.
        .args(["--require-hashes", "--only-binary", ":all:", "--no-deps", "--requirement"])
        .arg(root().join("xtask/src/release/requirements.txt")))?;
    std::fs::write(&stamp, PACKAGES)?;
    Ok(home.join("bin"))
}
