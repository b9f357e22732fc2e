//! What builds wheels, pinned, below `target/test-env`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::environment::{root, run};

/// The versions on PyPI. Another one of Zig would give other bytes.
const PACKAGES: [&str; 2] = ["maturin==1.16.0", "ziglang==0.17.1"];

/// The folder with their programs.
pub(super) fn programs() -> Result<PathBuf> {
    let home = root().join("target/test-env/release-tools");
    let stamp = home.join("installed");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(home.join("bin"));
    }
    eprintln!("installing {} (once)", PACKAGES.join(" and "));
    run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    run(Command::new(home.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(PACKAGES))?;
    std::fs::write(&stamp, wanted)?;
    Ok(home.join("bin"))
}
