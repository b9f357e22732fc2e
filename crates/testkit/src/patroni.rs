//! A PostgreSQL of three machines under Patroni, as it is run where it must not fail: a primary, a standby that
//! confirms each commit, another one, and etcd, which says who is who.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::postgres::{as_user, is_root, program, run, send};
use crate::{KillOnDrop, free_port};

/// How long the cluster may take to be whole, again and again.
const WHOLE_LIMIT: Duration = Duration::from_mins(5);
const MEMBERS: usize = 3;

/// The cluster.
#[derive(Debug)]
pub struct PatroniCluster {
    folder: tempfile::TempDir,
    etcd: KillOnDrop,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    patroni: KillOnDrop,
    data: PathBuf,
    port: u16,
}

impl PatroniCluster {
    /// Starts a cluster and waits until it is whole.
    pub fn start() -> Self {
        let folder =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let etcd_port = free_port();
        let peers = format!("http://127.0.0.1:{}", free_port());
        let clients = format!("http://127.0.0.1:{etcd_port}");
        own(folder.path());
        let mut etcd = as_user(Path::new("etcd"));
        etcd.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}"), "--unsafe-no-fsync"])
            .arg("--data-dir")
            .arg(folder.path().join("etcd"));
        let etcd = spawn(&mut etcd, folder.path(), "etcd.log");
        let members = (0..MEMBERS).map(|number| member(folder.path(), number, etcd_port)).collect();
        let cluster = Self { folder, etcd, members };
        cluster.wait_until_whole();
        cluster
    }

    /// The ports of all members, whichever is the primary.
    pub fn ports(&self) -> Vec<u16> {
        self.members.iter().map(|member| member.port).collect()
    }

    /// Makes a database on the primary.
    pub fn database(&self, name: &str) {
        let port = self.primary().unwrap_or_else(|| panic!("no primary")).port;
        run(psql(port).args(["-c", &format!("CREATE DATABASE {name}")]));
    }

    /// Kills all processes of the primary's PostgreSQL.
    pub fn kill_primary(&self) {
        send("KILL", &self.primary().unwrap_or_else(|| panic!("no primary")).data);
    }

    /// Waits until there is a primary that a standby confirms the commits of, and the others follow it.
    pub fn wait_until_whole(&self) {
        let start = Instant::now();
        let query = "SELECT count(*) || '/' || count(*) FILTER (WHERE sync_state = 'sync') \
                     FROM pg_stat_replication WHERE state = 'streaming'";
        let expected = format!("{}/1", MEMBERS - 1);
        let is_whole = || {
            let primary = self.primary()?;
            let output = psql(primary.port).args(["-c", query]).output().ok()?;
            (String::from_utf8_lossy(&output.stdout).trim() == expected).then_some(())
        };
        while is_whole().is_none() {
            assert!(
                start.elapsed() < WHOLE_LIMIT,
                "the cluster in {} is not whole",
                self.folder.path().display()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Who takes writes.
    fn primary(&self) -> Option<&Member> {
        self.members.iter().find(|member| {
            let asked = psql(member.port).args(["-c", "SHOW transaction_read_only"]).output();
            asked.is_ok_and(|output| output.stdout.starts_with(b"off"))
        })
    }
}

impl Drop for PatroniCluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            // Or it would start again what is stopped.
            member.patroni.kill();
            let _stopped = as_user(&program("pg_ctl"))
                .arg("-D")
                .arg(&member.data)
                .args(["-m", "immediate", "stop"])
                .output();
        }
        self.etcd.kill();
    }
}

/// Makes a folder that of the user whom PostgreSQL runs as.
fn own(folder: &Path) {
    if is_root() {
        run(Command::new("chown").arg("nobody").arg(folder));
    }
}

fn spawn(command: &mut Command, folder: &Path, log: &str) -> KillOnDrop {
    let path = folder.join(log);
    let log =
        std::fs::File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let errors = log.try_clone().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    command.current_dir(folder).env("HOME", folder);
    KillOnDrop::spawn(command.stdin(Stdio::null()).stdout(log).stderr(errors))
}

/// Starts one machine. Whichever comes first is the first primary.
fn member(folder: &Path, number: usize, etcd_port: u16) -> Member {
    let name = format!("member{number}");
    let home = folder.join(&name);
    std::fs::create_dir(&home).unwrap_or_else(|error| panic!("{}: {error}", home.display()));
    own(&home);
    let (port, api_port) = (free_port(), free_port());
    let postgres = program("postgres");
    let programs = postgres.parent().unwrap_or(Path::new("")).display();
    let shown = home.display();
    let settings = format!(
        "scope: trainyard\nname: {name}\n\
         restapi: {{listen: '127.0.0.1:{api_port}', connect_address: '127.0.0.1:{api_port}'}}\n\
         etcd3: {{host: '127.0.0.1:{etcd_port}'}}\n\
         bootstrap:\n  \
           dcs:\n    \
             ttl: 20\n    loop_wait: 1\n    retry_timeout: 3\n    \
             master_start_timeout: 0\n    primary_start_timeout: 0\n    \
             synchronous_mode: true\n    synchronous_mode_strict: true\n    \
             postgresql: {{use_pg_rewind: true, parameters: {{fsync: 'off', wal_log_hints: 'on'}}}}\n  \
           initdb: [{{encoding: UTF8}}, {{locale: C}}]\n  \
           pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust', \
                    'local all all trust']\n\
         postgresql:\n  \
           listen: '127.0.0.1:{port}'\n  connect_address: '127.0.0.1:{port}'\n  \
           data_dir: {shown}/data\n  bin_dir: {programs}\n  pgpass: {shown}/pgpass\n  \
           authentication: {{superuser: {{username: postgres}}, replication: {{username: postgres}}}}\n  \
           parameters: {{unix_socket_directories: {shown}}}\n"
    );
    let file = folder.join(format!("{name}.yml"));
    std::fs::write(&file, settings).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut patroni = as_user(Path::new("patroni"));
    let patroni = spawn(patroni.arg(&file), folder, &format!("{name}.log"));
    Member { patroni, data: home.join("data"), port }
}

fn psql(port: u16) -> Command {
    let mut command = Command::new(program("psql"));
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"]);
    command.args(["-d", "postgres", "-X", "-A", "-t", "-q"]).env("PGCONNECT_TIMEOUT", "2");
    command
}
