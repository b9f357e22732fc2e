//! The package for Debian and what is built on it: the program, its unit, manual and completions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::share::{STATE, USER};
use crate::environment::{root, run};

/// Whether the service is the package's. `trainyard up --install` writes a unit of the same name, which goes before ours; that of
/// another program is no matter of the package's.
const IS_OURS: &str = r#"is_ours() {
  own=/etc/systemd/system/trainyard.service
  [ ! -e "$own" ] || grep -q -E '^ExecStart="?/usr/bin/trainyard"? ' "$own"
}
"#;

/// After the files are there: who runs it, and where the project is. The service is not started by itself, as there is no
/// project yet; on an upgrade the supervisor is replaced and what serves goes on.
///
/// Folders are made once: later they are the user's, who may have put links in their place, which root would follow.
fn after() -> String {
    format!(
        "#!/bin/sh
set -e
{IS_OURS}if [ \"$1\" = configure ]; then
  getent passwd {USER} > /dev/null || useradd --system --user-group --no-create-home \\
    --home-dir {STATE} --shell /usr/sbin/nologin {USER}
  if [ ! -e {STATE} ]; then
    install -d -m 750 -o {USER} -g {USER} {STATE} {STATE}/project
  fi
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if is_ours; then
      systemctl try-restart trainyard.service || true
    fi
  fi
fi
"
    )
}

/// Before the files go away for good. What serves goes on without its supervisor, until somebody stops it. A unit that somebody
/// wrote stays: it is their file.
fn before() -> String {
    format!(
        "#!/bin/sh
set -e
{IS_OURS}if [ \"$1\" = remove ] && [ -d /run/systemd/system ] && is_ours; then
  systemctl disable --now trainyard.service || true
fi
"
    )
}

/// Packs a binary and what comes with it. `work` is an empty folder.
pub(super) fn pack(
    binary: &Path,
    share: &Path,
    architecture: &str,
    epoch: &str,
    work: &Path,
    package: &Path,
) -> Result<()> {
    let usr = work.join("usr");
    let units = usr.join("lib/systemd/system");
    let doc = usr.join("share/doc/trainyard");
    let control = work.join("DEBIAN");
    for folder in [&usr.join("bin"), &units, &doc, &control] {
        fs::create_dir_all(folder)?;
    }
    let program = usr.join("bin/trainyard");
    fs::copy(binary, &program).with_context(|| binary.display().to_string())?;
    fs::copy(share.join("trainyard.service"), units.join("trainyard.service"))?;
    fs::copy(root().join("LICENSE"), doc.join("copyright"))?;
    run(Command::new("cp").arg("-R").arg(share.join("share")).arg(&usr))?;
    let size = fs::metadata(&program)?.len().div_ceil(1024);
    fs::write(control.join("control"), description(architecture, size))?;
    for (name, text) in [("postinst", after()), ("prerm", before())] {
        let path = control.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    // Whatever this machine gives to new files.
    run(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(work))?;
    run(Command::new("dpkg-deb")
        .env("SOURCE_DATE_EPOCH", epoch)
        // More threads would cut what is packed in other places.
        .args(["--root-owner-group", "-Zxz", "--threads-max=1", "--build"])
        .args([work, package]))
    .context("packages of Debian are built by dpkg-deb")
}

fn description(architecture: &str, size_kib: u64) -> String {
    format!(
        "Package: trainyard
Version: {}
Architecture: {architecture}
Maintainer: Trainyard <trainyard@localhost>
Installed-Size: {size_kib}
Depends: passwd
Recommends: ca-certificates
Section: science
Priority: optional
Description: From a training script to a governed, monitored production API
 MLflow-compatible tracking and registry, training, a gate, a model server,
 blue/green deployment and drift monitoring in one program.
",
        env!("CARGO_PKG_VERSION")
    )
}
