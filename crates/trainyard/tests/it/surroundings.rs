//! What a service stands on, and what can be done to it: the registry on PostgreSQL under Patroni, a small disk, a clock.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::{NamedTempFile, TempDir};
use trainyard_testkit::patroni::PatroniCluster;
use trainyard_testkit::{KillOnDrop, free_port};

use crate::project::{TestProject, trainyard};
use crate::run::reqwest_get;
use crate::up::signal;

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_mins(3);

/// Bytes of the disk: models, logs and the state of a service, many times.
const DISK: &str = "size=256m";

/// How far the clock jumps.
const YEARS: &str = "+800d";

/// A file system in memory; it goes with this.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None where none can be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "none"])
            .arg(folder.path())
            .output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _left_for_the_reader = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// A clock that is set by a file (Debian's `libfaketime`).
struct Clock {
    library: PathBuf,
    file: NamedTempFile,
}

impl Clock {
    /// None where the library is not installed.
    fn find() -> Option<Self> {
        let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
        let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
        let library = libraries.find(|path| path.is_file())?;
        let clock = Self { library, file: NamedTempFile::new().unwrap() };
        clock.set("+0");
        Some(clock)
    }

    fn set(&self, offset: &str) {
        std::fs::write(self.file.path(), offset).unwrap();
    }

    /// What a program needs to go by it. Waiting goes by the true time, as it does where a clock is set.
    fn environment(&self) -> [(String, String); 4] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.path().display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }
}

/// What a service stands on. What was done to it lasts until [`Surroundings::mend`].
pub(crate) struct Surroundings {
    registry: KillOnDrop,
    folder: TempDir,
    registry_port: u16,
    cluster: PatroniCluster,
    disk: Option<SmallDisk>,
    filler: Option<NamedTempFile<File>>,
    clock: Option<Clock>,
    is_primary_gone: bool,
}

impl Surroundings {
    /// Starts them, and has the project stand on them.
    pub(crate) fn start(project: &mut TestProject) -> Self {
        let cluster = PatroniCluster::start();
        cluster.database("soak");
        let (folder, registry_port) = (tempfile::tempdir().unwrap(), free_port());
        let (disk, clock) = (SmallDisk::mount(), Clock::find());
        if let Some(disk) = &disk {
            let state =
                format!("[deploy]\nstate = \"{}\"\n", disk.0.path().join("state").display());
            project.edit("[deploy]\n", &state);
        }
        if let Some(clock) = &clock {
            project.env.extend(clock.environment());
            // What an instance sees is a list.
            let variables = clock.environment().map(|(name, value)| format!("{name} = {value:?}"));
            let keys = format!("[serve]\nenv = {{ {} }}\n\n[monitor]\n", variables.join(", "));
            project.edit("[monitor]\n", &keys);
        }
        let uri = format!("http://127.0.0.1:{registry_port}");
        project.env.push(("MLFLOW_TRACKING_URI".to_owned(), uri));
        let mut command = registry(&folder, registry_port, &cluster, clock.as_ref());
        let registry = KillOnDrop::spawn(&mut command);
        let around = Self {
            registry,
            folder,
            registry_port,
            cluster,
            disk,
            filler: None,
            clock,
            is_primary_gone: false,
        };
        around.wait_for_registry();
        around
    }

    /// The service's folder, where it is on a small disk.
    pub(crate) fn state(&self) -> Option<PathBuf> {
        Some(self.disk.as_ref()?.0.path().join("state"))
    }

    pub(crate) fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    pub(crate) fn kill_registry(&mut self) {
        self.registry.kill();
    }

    pub(crate) fn stop_registry(&self) {
        signal("-STOP", self.registry.0.id().into());
    }

    pub(crate) fn kill_primary(&mut self) {
        self.cluster.kill_primary();
        self.is_primary_gone = true;
    }

    /// Until not a byte more can be written.
    pub(crate) fn fill_disk(&mut self) {
        let folder = self.disk.as_ref().unwrap().0.path();
        let mut filler = NamedTempFile::new_in(folder).unwrap();
        let piece = vec![7; 1 << 20];
        while filler.write_all(&piece).is_ok() {}
        while filler.write_all(&[7]).is_ok() {}
        self.filler = Some(filler);
    }

    pub(crate) fn jump(&self) {
        self.clock.as_ref().unwrap().set(YEARS);
    }

    /// All is as it was.
    pub(crate) fn mend(&mut self) {
        self.filler = None;
        if let Some(clock) = &self.clock {
            clock.set("+0");
        }
        // One that is stopped goes on; what was killed is started again.
        let ended = self.registry.0.try_wait().unwrap().is_some();
        if ended {
            let clock = self.clock.as_ref();
            let mut command = registry(&self.folder, self.registry_port, &self.cluster, clock);
            self.registry = KillOnDrop::spawn(&mut command);
        } else {
            signal("-CONT", self.registry.0.id().into());
        }
        if std::mem::take(&mut self.is_primary_gone) {
            self.cluster.wait_until_whole();
        }
        self.wait_for_registry();
    }

    /// Waits until the registry keeps what it is told.
    fn wait_for_registry(&self) {
        let url = format!("http://127.0.0.1:{}/health", self.registry_port);
        let start = Instant::now();
        while reqwest_get(&url).ok().as_deref() != Some("OK") {
            assert!(start.elapsed() < LONG, "the registry is not well");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The tracking server on whichever member is the primary.
fn registry(
    folder: &TempDir,
    port: u16,
    cluster: &PatroniCluster,
    clock: Option<&Clock>,
) -> Command {
    let hosts = cluster.ports().into_iter().map(|port| format!("127.0.0.1:{port}"));
    let hosts = hosts.collect::<Vec<_>>().join(",");
    let mut command = trainyard();
    command
        .current_dir(folder.path())
        .args(["server", "--port", &port.to_string()])
        .args(["--backend-store-uri", &format!("postgresql://postgres@{hosts}/soak")])
        .envs(clock.into_iter().flat_map(Clock::environment))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
