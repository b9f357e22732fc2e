//! Alertmanager as Debian packs it, which wants to know who asks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{KillOnDrop, free_port, run_python, test_env, wait_for_port};

/// How long it may take to come up, with other tests on the same machine.
const UP_LIMIT: Duration = Duration::from_mins(2);

/// Nobody is told by it.
const SETTINGS: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

/// Who may ask: the password of [`Alertmanager::USER`] as bcrypt has it.
const WHO: &str = "basic_auth_users: \
    {me: \"$2b$04$KsR3XLUVhECyJbC6P333SukbA0g121yWE6EWEoD2PbIXcPlRBw/Qa\"}\n";

/// Alerts that go on there, by its own API.
const ASK: &str = "\
import base64, sys, urllib.request
url, user, password = sys.argv[1:]
known = base64.b64encode(f'{user}:{password}'.encode()).decode()
request = urllib.request.Request(f'{url}/api/v2/alerts', headers={'Authorization': f'Basic {known}'})
print(urllib.request.urlopen(request, timeout=60).read().decode())
";

/// A running Alertmanager; it is gone when this is dropped.
#[derive(Debug)]
pub struct Alertmanager {
    /// Where it is.
    pub url: String,
    folder: PathBuf,
    port: u16,
    server: KillOnDrop,
}

impl Alertmanager {
    /// Who may ask it.
    pub const USER: &str = "me";
    /// By which password.
    pub const PASSWORD: &str = "hunter2";

    /// Starts one with its files in `folder`.
    pub fn start(folder: &Path) -> Self {
        for (name, text) in [("alertmanager.yml", SETTINGS), ("web.yml", WHO)] {
            std::fs::write(folder.join(name), text)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let (port, folder) = (free_port(), folder.to_path_buf());
        let server = spawn(&folder, port);
        Self { url: format!("http://127.0.0.1:{port}"), folder, port, server }
    }

    /// Starts it again at the same address: it has forgotten all alerts.
    pub fn start_again(&mut self) {
        self.server.kill();
        self.server = spawn(&self.folder, self.port);
    }

    /// The alerts that go on there, as JSON.
    pub fn alerts(&self) -> String {
        run_python(ASK, &[&self.url, Self::USER, Self::PASSWORD], &[])
    }
}

fn spawn(folder: &Path, port: u16) -> KillOnDrop {
    let unpacked = test_env().join("prometheus-alertmanager/usr/bin/prometheus-alertmanager");
    let program =
        if unpacked.is_file() { unpacked } else { PathBuf::from("prometheus-alertmanager") };
    let mut command = Command::new(program);
    command.arg(format!("--config.file={}", folder.join("alertmanager.yml").display()));
    command.arg(format!("--web.config.file={}", folder.join("web.yml").display()));
    command.arg(format!("--storage.path={}", folder.join("alertmanager").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let server = KillOnDrop::spawn(&mut command);
    wait_for_port(port, UP_LIMIT);
    server
}
