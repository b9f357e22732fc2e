//! Pebble, the test authority of the ACME protocol, as Debian packs it, and a name server that leads every name to
//! this machine. It looks at challenges for real, on ports that a test chooses.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::certificate::certificate;
use crate::{KillOnDrop, free_port, run_python, wait_for_port};

/// How long the programs may take to come up, with other tests on the same machine.
const UP_LIMIT: Duration = Duration::from_mins(2);

/// Fetches a file of an authority whose own certificate nobody knows.
const FETCH: &str = "\
import ssl, sys, urllib.request
context = ssl._create_unverified_context()
print(urllib.request.urlopen(sys.argv[1], context=context).read().decode())
";

/// A running authority; it is gone when this is dropped.
#[derive(Debug)]
pub struct Pebble {
    /// Address of its directory.
    pub directory: String,
    /// The certificate by which that address is trusted.
    pub ca_file: PathBuf,
    log: PathBuf,
    management: u16,
    server: KillOnDrop,
    _names: KillOnDrop,
}

impl Pebble {
    /// Starts one with its files in `folder`. It looks for HTTP-01 answers at `http_port` and for TLS-ALPN-01 at
    /// `tls_port`; its certificates are good for so many seconds, or for years.
    pub fn start(folder: &Path, http_port: u16, tls_port: u16, seconds: Option<u32>) -> Self {
        let (ca_file, key) = certificate(folder, "pebble");
        let [listen, management, names, unused] =
            [free_port(), free_port(), free_port(), free_port()];
        let validity =
            seconds.map_or_else(String::new, |s| format!(", \"certificateValidityPeriod\": {s}"));
        let settings = format!(
            r#"{{"pebble": {{
                "listenAddress": "127.0.0.1:{listen}",
                "managementListenAddress": "127.0.0.1:{management}",
                "certificate": "{}", "privateKey": "{}",
                "httpPort": {http_port}, "tlsPort": {tls_port}{validity}}}}}"#,
            ca_file.display(),
            key.display()
        );
        let file = folder.join("pebble.json");
        std::fs::write(&file, settings)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let log = folder.join("pebble.log");
        let resolver = format!("127.0.0.1:{names}");
        let mut answers = Command::new("pebble-challtestsrv");
        answers
            .args(["-dns01", &resolver, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-management", &format!("127.0.0.1:{unused}")]);
        let answers = spawn(&mut answers, &folder.join("names.log"));
        let mut server = Command::new("pebble");
        server
            .arg("-config")
            .arg(&file)
            .args(["-dnsserver", &resolver])
            // At once, each time anew, and without the errors that it makes up.
            .envs([
                ("PEBBLE_VA_NOSLEEP", "1"),
                ("PEBBLE_AUTHZREUSE", "0"),
                ("PEBBLE_WFE_NONCEREJECT", "0"),
            ]);
        let server = spawn(&mut server, &log);
        for port in [names, listen, management] {
            wait_for_port(port, UP_LIMIT);
        }
        let directory = format!("https://127.0.0.1:{listen}/dir");
        Self { directory, ca_file, log, management, server, _names: answers }
    }

    /// The root of the certificates that it issues, as a file in `folder`.
    pub fn root(&self, folder: &Path) -> PathBuf {
        let url = format!("https://127.0.0.1:{}/roots/0", self.management);
        let path = folder.join("root.pem");
        std::fs::write(&path, run_python(FETCH, &[&url], &[]))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// How many orders it was given.
    pub fn orders(&self) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.matches(" orders in the db").count()
    }

    /// Takes the authority down.
    pub fn kill(&mut self) {
        self.server.kill();
    }
}

fn spawn(command: &mut Command, log: &Path) -> KillOnDrop {
    let open = || File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = open().unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    match command.spawn() {
        Ok(child) => KillOnDrop(child),
        Err(error) => {
            panic!("{command:?}: {error}\nhint: apt-get install pebble, or `cargo xtask test`")
        }
    }
}
