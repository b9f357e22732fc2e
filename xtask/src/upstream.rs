//! What a new version of MLflow changes that concerns this server, and what is to do: `cargo xtask upstream VERSION`.
//!
//! The wheel is fetched from PyPI and read, not installed: a full installation takes gigabytes, and the answer is in
//! its text (`upstream.py`).

use std::process::Command;

use anyhow::{Result, bail};

use crate::environment::{root, run, set_up_python};

const COMPARE: &str = include_str!("upstream.py");

/// `cargo xtask upstream VERSION`.
pub(crate) fn compare(arguments: &[String]) -> Result<()> {
    let [version] = arguments else { bail!("name one version: cargo xtask upstream 3.18.0") };
    let python = set_up_python()?;
    let folder = root().join("target/upstream");
    let wheel = folder.join(format!("mlflow-{version}-py3-none-any.whl"));
    if !wheel.try_exists()? {
        std::fs::create_dir_all(&folder)?;
        run(Command::new(&python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .arg("--dest")
            .arg(&folder)
            .arg(format!("mlflow=={version}")))?;
    }
    let installed = Command::new(&python)
        .args(["-c", "import importlib.util as u; print(u.find_spec('mlflow').submodule_search_locations[0])"])
        .output()?;
    if !installed.status.success() {
        bail!("{}", String::from_utf8_lossy(&installed.stderr).trim());
    }
    let installed = String::from_utf8_lossy(&installed.stdout).trim().to_owned();
    run(Command::new(&python).args(["-c", COMPARE]).arg(&wheel).arg(installed).arg(root()))
}
