//! The unit by which systemd starts a supervisor at boot, and again when it dies or hangs.
//!
//! `KillMode=process`: gateway and instances are children of the unit and outlive it, so a restart or an upgrade of the
//! supervisor is none of the service. `OOMPolicy=continue`: an instance that took too much memory is the supervisor's
//! to start again, not a reason to stop all. No capability is given to what runs: the same user's `trainyard deploy`
//! could not look at processes that have more than it has. The root is read-only but for the projects and a folder for temporary
//! files (`/tmp` of its own would go away with the supervisor, under instances that live on).

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// What is to be started at boot.
#[derive(Debug, Clone)]
pub struct Installation {
    /// This program.
    pub program: PathBuf,
    /// Folders of the projects, absolute.
    pub projects: Vec<PathBuf>,
    /// Who runs it; the owner of the unit's manager if none.
    pub user: Option<String>,
    /// File with variables, which may be missing.
    pub environment: PathBuf,
    /// Whether it is for the manager of a user rather than of the host, which cannot shut folders off.
    pub is_of_user: bool,
}

/// The first line of a unit that may be written anew.
pub const UNIT_MARK: &str = "# Written by `trainyard up --install`, which writes it anew.";

/// What every unit has.
const SERVICE: &str = "\
ExecReload=/bin/kill -HUP $MAINPID
KillMode=process
Restart=on-failure
RestartSec=1
WatchdogSec=30
TimeoutStopSec=90
OOMPolicy=continue
LimitNOFILE=65536
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
";

/// What only the manager of the host can do.
const SANDBOX: &str = "\
StateDirectory=trainyard
Environment=TMPDIR=%S/trainyard
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_KILL
";

/// The text of the unit.
///
/// # Errors
///
/// A path that no unit can name: one that is no text, or has control characters.
pub fn unit(installation: &Installation) -> Result<String> {
    let Installation { program, projects, user, environment, is_of_user } = installation;
    let projects = projects.iter().map(|project| quoted(project)).collect::<Result<Vec<_>>>()?;
    let projects = projects.join(" ");
    let mut lines = vec![
        UNIT_MARK.to_owned(),
        "[Unit]".to_owned(),
        "Description=Trainyard: keeps deployed models up".to_owned(),
        "Wants=network-online.target".to_owned(),
        "After=network-online.target docker.service".to_owned(),
        "StartLimitIntervalSec=0".to_owned(),
        String::new(),
        "[Service]".to_owned(),
        "Type=notify".to_owned(),
        // In arguments, and only there, a dollar sign begins a variable.
        format!("ExecStart={} up {}", quoted(program)?, projects.replace('$', "$$")),
        format!("EnvironmentFile=-{}", specified(environment)?),
    ];
    lines.extend(user.iter().map(|user| format!("User={user}")));
    lines.extend(SERVICE.lines().map(str::to_owned));
    if !is_of_user {
        lines.extend(SANDBOX.lines().map(str::to_owned));
        lines.push(format!("ReadWritePaths={projects}"));
    }
    let target = if *is_of_user { "default.target" } else { "multi-user.target" };
    lines.extend([String::new(), "[Install]".to_owned(), format!("WantedBy={target}")]);
    Ok(lines.join("\n") + "\n")
}

/// A path as one word of a line.
fn quoted(path: &Path) -> Result<String> {
    let text = specified(path)?;
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A path as all of a value: a percent sign alone would stand for something else.
fn specified(path: &Path) -> Result<String> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    let text = text.ok_or_else(|| {
        Error::Settings(format!("{} cannot stand in a unit of systemd", path.display()))
    })?;
    Ok(text.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn installation(project: &str, is_of_user: bool) -> Installation {
        Installation {
            program: std::env::current_exe().unwrap(),
            projects: vec![PathBuf::from(project), PathBuf::from("/srv/other")],
            user: (!is_of_user).then(|| "daemon".to_owned()),
            environment: PathBuf::from("/etc/trainyard.env"),
            is_of_user,
        }
    }

    #[test]
    fn paths_are_what_they_were() {
        let text = unit(&installation("/srv/100% \"of\" $HOME", false)).unwrap();
        assert!(text.contains(r#" up "/srv/100%% \"of\" $$HOME" "/srv/other""#), "{text}");
        let writable = r#"ReadWritePaths="/srv/100%% \"of\" $HOME" "/srv/other""#;
        assert!(text.lines().any(|line| line == writable), "{text}");
        let refused = unit(&installation("/srv/a\nUser=root", false)).unwrap_err();
        assert!(refused.to_string().contains("cannot stand in a unit"), "{refused}");
    }

    #[test]
    fn the_service_outlives_its_supervisor() {
        for is_of_user in [false, true] {
            let text = unit(&installation("/srv/a", is_of_user)).unwrap();
            for line in ["KillMode=process", "OOMPolicy=continue", "Type=notify", "WatchdogSec=30"]
            {
                assert!(text.lines().any(|found| found == line), "{line} in {text}");
            }
            assert!(text.contains("NoNewPrivileges=yes"), "{text}");
            assert_eq!(text.contains("ProtectSystem=strict"), !is_of_user);
            // A folder that goes away with the supervisor, under what lives on; and what hides instances from others
            // of the same user.
            assert!(!text.contains("PrivateTmp") && !text.contains("Ambient"), "{text}");
        }
    }

    #[test]
    fn systemd_has_nothing_against_it() {
        let folder = tempfile::tempdir().unwrap();
        for is_of_user in [false, true] {
            let path = folder.path().join("trainyard.service");
            std::fs::write(&path, unit(&installation("/srv/a b", is_of_user)).unwrap()).unwrap();
            let manager = if is_of_user { "--user" } else { "--system" };
            let mut command = Command::new("systemd-analyze");
            // That of a user wants to know where sockets would be.
            command.env("XDG_RUNTIME_DIR", folder.path());
            let verified = command.args(["verify", "--man=no", manager]).arg(&path).output();
            // A host without systemd has nothing to say.
            let Ok(verified) = verified else { return };
            let said = String::from_utf8_lossy(&verified.stderr);
            let of_it = said.lines().filter(|line| line.contains("trainyard.service"));
            assert_eq!(of_it.collect::<Vec<_>>(), Vec::<&str>::new(), "{said}");
        }
    }
}
