//! What comes with the program besides itself: pages of the manual, completions, the unit of systemd. The binary writes
//! them; one for another processor comes with those of a binary that runs here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::target::Target;
use crate::environment::run;

/// Where the package of Debian has the program, its project and its settings.
const PROGRAM: &str = "/usr/bin/trainyard";
pub(super) const STATE: &str = "/var/lib/trainyard";
const ENVIRONMENT: &str = "/etc/trainyard.env";

/// The user that the package makes.
pub(super) const USER: &str = "trainyard";

/// Where each shell looks, below `/usr/share`.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/trainyard"),
    ("zsh", "zsh/vendor-completions/_trainyard"),
    ("fish", "fish/vendor_completions.d/trainyard.fish"),
];

/// A folder in `out` with `share/` and `trainyard.service`, as they are put below `/usr`.
pub(super) fn share(target: Target, binary: &Path, out: &Path) -> Result<PathBuf> {
    let folder = out.join("work/share");
    if !target.runs_here() {
        if !folder.try_exists()? {
            bail!(
                "{} does not run here; build one that does in the same call, before it",
                target.name
            );
        }
        return Ok(folder);
    }
    if folder.try_exists()? {
        std::fs::remove_dir_all(&folder)?;
    }
    let man = folder.join("share/man/man1");
    std::fs::create_dir_all(&man)?;
    run(Command::new(binary).arg("man").arg(&man))?;
    run(Command::new("sh").args(["-c", "gzip --best --no-name *.1"]).current_dir(&man))?;
    for (shell, place) in COMPLETIONS {
        let file = folder.join("share").join(place);
        std::fs::create_dir_all(file.parent().context("a place has a folder")?)?;
        std::fs::write(&file, said(Command::new(binary).args(["completions", shell]))?)?;
    }
    let project = out.join("work/project");
    std::fs::create_dir_all(&project)?;
    std::fs::write(
        project.join("trainyard.toml"),
        "[model]\nname = \"model\"\n[train]\ncommand = \"true\"\n",
    )?;
    let printed = said(Command::new(binary).args(["up", "--install", "--print"]).arg(&project))?;
    std::fs::write(folder.join("trainyard.service"), unit(&printed)?)?;
    Ok(folder)
}

/// The unit that was printed for a project here, for the one project of the package and its user.
fn unit(printed: &str) -> Result<String> {
    let project = format!("{STATE}/project");
    let mut lines = Vec::new();
    for line in printed.lines() {
        match line.split_once('=') {
            Some(("User", _)) => {}
            Some(("ExecStart", _)) => lines.push(format!("ExecStart={PROGRAM} up {project}")),
            Some(("ReadWritePaths", _)) => lines.push(format!("ReadWritePaths={project}")),
            Some(("EnvironmentFile", _)) => {
                lines.push(format!("EnvironmentFile=-{ENVIRONMENT}"));
                lines.push(format!("User={USER}"));
            }
            // A unit of its own in /etc is `up --install`'s to write; this one is the package's.
            None if line.starts_with('#') => lines.push("# Of the package trainyard.".to_owned()),
            _ => lines.push(line.to_owned()),
        }
    }
    let text = lines.join("\n") + "\n";
    for part in ["ExecStart=/usr", "User=", "ReadWritePaths=/var", "KillMode=process"] {
        if !text.contains(part) {
            bail!("the unit that `up --install --print` printed has no {part}:\n{printed}");
        }
    }
    Ok(text)
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
