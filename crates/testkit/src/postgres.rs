//! A PostgreSQL server of the test's own: nothing outside its folder, gone with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::free_port;

/// How long a standby may take to follow its primary.
const STANDBY_LIMIT: Duration = Duration::from_mins(2);

/// A running PostgreSQL server.
#[derive(Debug)]
pub struct PostgresServer {
    folder: tempfile::TempDir,
    port: u16,
    /// More `-c name=value` of the server.
    settings: String,
}

/// Where Debian keeps what it does not put on the path.
pub(crate) fn program(name: &str) -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = folders
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Ports that are tried one after the other.
const PORTS_MAX: usize = 5;

/// PostgreSQL refuses to run as root; `nobody` will do.
pub(crate) fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]).arg(program);
    command
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}\nhint: tests need PostgreSQL 15 or later on the path")
    });
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sends a signal to all processes of the server that has its data there.
pub(crate) fn send(signal: &str, data: &Path) {
    let pid = std::fs::read_to_string(data.join("postmaster.pid"))
        .unwrap_or_else(|error| panic!("the server does not run: {error}"));
    let pid = pid.lines().next().unwrap_or_default().trim().to_owned();
    // The first one starts and reaps the others: it is stopped while they are counted.
    run(Command::new("kill").args(["-STOP", &pid]));
    let children = Command::new("pgrep").args(["-P", &pid]).output();
    let children = children.unwrap_or_else(|error| panic!("pgrep: {error}"));
    for child in String::from_utf8_lossy(&children.stdout).lines() {
        // One that has just ended is no matter.
        let _ended = Command::new("kill").args([&format!("-{signal}"), child]).output();
    }
    run(Command::new("kill").args([&format!("-{signal}"), &pid]));
}

impl PostgresServer {
    /// Starts a server.
    pub fn start() -> Self {
        Self::create("")
    }

    /// Starts a server that speaks TLS, with a certificate for `localhost` that
    /// [`PostgresServer::certificate`] has signed itself.
    pub fn start_with_tls() -> Self {
        Self::create("-c ssl=on -c ssl_cert_file=server.crt -c ssl_key_file=server.key")
    }

    fn create(settings: &str) -> Self {
        let mut server = Self::in_new_folder(settings);
        run(as_user(&program("initdb"))
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C", "-D"])
            .arg(server.data()));
        if !settings.is_empty() {
            server.make_certificate();
        }
        // A free port may be somebody's by the time that it is taken.
        for _port in 0..PORTS_MAX {
            let started = server.start_command().output();
            if started.is_ok_and(|started| started.status.success()) {
                return server;
            }
            if !server.log().contains("could not bind") {
                break;
            }
            let _old = std::fs::remove_file(server.folder.path().join("log"));
            server.port = free_port();
        }
        server.up();
        server
    }

    fn in_new_folder(settings: &str) -> Self {
        let folder =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        if is_root() {
            run(Command::new("chown").arg("nobody").arg(folder.path()));
        }
        Self { folder, port: free_port(), settings: settings.to_owned() }
    }

    /// A standby of this server, which from now on acknowledges nothing that the standby has not got.
    #[must_use]
    pub fn standby(&self) -> Self {
        let standby = Self::in_new_folder(&self.settings);
        run(as_user(&program("pg_basebackup"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"])
            .args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-D"])
            .arg(standby.data()));
        standby.up();
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        let start = Instant::now();
        while !self.sql("postgres", "SELECT sync_state FROM pg_stat_replication").contains("sync") {
            assert!(start.elapsed() < STANDBY_LIMIT, "the standby does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
        standby
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        run(as_user(&program("pg_ctl"))
            .arg("-D")
            .arg(self.data())
            .args(["-w", "-t", "120", "promote"]));
    }

    /// Sends a signal (`STOP`, `CONT`, `KILL`) to all processes of the server at once, as if its machine did.
    pub fn signal(&self, signal: &str) {
        send(signal, &self.data());
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The certificate that its own key has signed.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.crt")
    }

    fn make_certificate(&self) {
        let key = self.data().join("server.key");
        run(as_user(Path::new("openssl"))
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(self.data().join("server.crt")));
        run(Command::new("cp").arg(self.data().join("server.crt")).arg(self.certificate()));
        run(as_user(Path::new("chmod")).arg("600").arg(&key));
    }

    /// Starts the server again after [`PostgresServer::down`].
    pub fn up(&self) {
        run(&mut self.start_command());
    }

    /// What the server said.
    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn start_command(&self) -> Command {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off {}",
            self.port,
            self.folder.path().display(),
            self.settings
        );
        let mut command = as_user(&program("pg_ctl"));
        command
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(self.folder.path().join("log"))
            .args(["-w", "-t", "120", "-o", &options, "start"]);
        command
    }

    /// Stops the server at once, as a power cut does.
    pub fn down(&self) {
        run(as_user(&program("pg_ctl")).arg("-D").arg(self.data()).args([
            "-m",
            "immediate",
            "-w",
            "stop",
        ]));
    }

    /// Makes an empty database and returns its URI.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgresql://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a statement; rows are lines, columns are parted by `|`.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        run(Command::new(program("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"])
            .args(["-d", database, "-X", "-A", "-t", "-q", "-c", statement]))
    }
}

impl Drop for PostgresServer {
    #[expect(clippy::print_stderr, reason = "a server that is left behind should be known of")]
    fn drop(&mut self) {
        let stopped = as_user(&program("pg_ctl"))
            .arg("-D")
            .arg(self.data())
            .args(["-m", "immediate", "stop"])
            .output();
        if let Err(error) = stopped {
            eprintln!("PostgreSQL was not stopped: {error}");
        }
    }
}
