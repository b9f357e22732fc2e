//! `trainyard up --install`: the unit that starts a supervisor at boot.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use trainyard_pipeline::{Installation, Project, UNIT_MARK, owner, unit};

use super::project::program;
use crate::failure::Failure;
use crate::printer;

/// The name of the unit: one supervisor a host, or a user.
const UNIT: &str = "trainyard.service";

/// Writes the unit, or prints it.
pub(super) fn install(
    projects: &[Project],
    is_of_user: bool,
    print: bool,
) -> Result<ExitCode, Failure> {
    let (units, environment) = if is_of_user {
        let config = config_folder()?;
        (config.join("systemd/user"), config.join("trainyard.env"))
    } else {
        (PathBuf::from("/etc/systemd/system"), PathBuf::from("/etc/trainyard.env"))
    };
    let owner = projects.first().and_then(|project| owner(&project.folder));
    let installation = Installation {
        program: program()?,
        projects: projects.iter().map(|project| project.folder.clone()).collect(),
        user: owner.filter(|_| !is_of_user),
        environment,
        is_of_user,
    };
    let text = unit(&installation)?;
    if print {
        printer::line(text.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let path = units.join(UNIT);
    write(&path, &text)?;
    verify(&path, is_of_user);
    let scope = if is_of_user { " --user" } else { "" };
    printer::line(&format!("written    {}", path.display()));
    printer::line(&format!("variables  {} (may be missing)", installation.environment.display()));
    printer::hint(&format!(
        "systemctl{scope} daemon-reload && systemctl{scope} enable --now trainyard{}",
        if is_of_user { "; `loginctl enable-linger` has it start at boot" } else { "" }
    ));
    Ok(ExitCode::SUCCESS)
}

/// Where programs of this user keep their settings.
fn config_folder() -> Result<PathBuf, Failure> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config"))).ok_or_else(|| {
        Failure::runtime("nobody can tell where units of this user are: HOME is not set")
            .hint("--print prints the unit")
    })
}

/// Writes a unit over one that was written here before, never over that of somebody else.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::runtime(format!("cannot write {}: {error}", path.display()))
            .hint("install it as root, with --user for yourself alone, or --print it")
    };
    match std::fs::read_to_string(path) {
        Ok(before) if !before.starts_with(UNIT_MARK) => {
            return Err(Failure::input(format!("{} was written by somebody else", path.display()))
                .hint("remove it first, or --print the unit"));
        }
        Ok(_ours) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

/// Shows what systemd has against the unit, where there is one to ask.
fn verify(path: &Path, is_of_user: bool) {
    let manager = if is_of_user { "--user" } else { "--system" };
    let mut command = Command::new("systemd-analyze");
    let Ok(verified) = command.args(["verify", "--man=no", manager]).arg(path).output() else {
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    for line in said.lines().filter(|line| line.contains(UNIT)) {
        printer::warning(line);
    }
}
