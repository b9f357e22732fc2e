//! A service in a folder of its own, with everything stopped when the test ends.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime};

use trainyard_deploy::gateway::Limits;
use trainyard_deploy::{
    Cause, Probe, ReleaseEvent, ReleaseSpec, Released, Result, Rollback, Service, Workload,
    metrics, release, rollback, status,
};

use crate::alias_file::AliasFile;

/// The program with the parts of these tests. `cargo test` builds it as an example, but not when it is
/// given a test's name; an old one would test old code, so it is refused.
pub(crate) fn part() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let part = test.parent().and_then(Path::parent).unwrap().join("examples/part");
    assert!(
        part.try_exists().unwrap_or(false),
        "{} is missing\nhint: cargo build -p trainyard-deploy --examples",
        part.display()
    );
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let newest = ["src", "examples"].map(|folder| newest(&home.join(folder))).into_iter().max();
    assert!(
        newest <= Some(changed(&part)),
        "{} is older than its sources\nhint: cargo build -p trainyard-deploy --examples",
        part.display()
    );
    part
}

fn changed(path: &Path) -> SystemTime {
    std::fs::metadata(path).and_then(|file| file.modified()).unwrap()
}

/// When any file below a folder was last changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let times = entries.map(|path| if path.is_dir() { newest(&path) } else { changed(&path) });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Time between two looks at something that a test waits for.
const LOOK: Duration = Duration::from_millis(10);

/// How long a test waits for something at the most.
const WAIT_MAX: Duration = Duration::from_mins(10);

/// How long a whole test may take at the most, on the slowest machine.
const TEST_MAX: Duration = Duration::from_mins(30);

/// The end of every wait of a test, its reads of sockets and its processes included: one that hangs would say nothing,
/// for ever, and with it all others.
pub(crate) struct TestLimit {
    _until_dropped: Sender<()>,
}

impl TestLimit {
    /// For the test of this thread; `tidy` ends what it started.
    pub(crate) fn begin(tidy: impl FnOnce() + Send + 'static) -> Self {
        let (sender, over) = channel::<()>();
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        std::thread::spawn(move || {
            if over.recv_timeout(TEST_MAX) == Err(RecvTimeoutError::Timeout) {
                // Past the harness's capture.
                let line = format!("{test} hangs: not over within {TEST_MAX:?}\n");
                let _said_or_not = std::io::stderr().lock().write_all(line.as_bytes());
                tidy();
                std::process::abort();
            }
        });
        Self { _until_dropped: sender }
    }
}

pub(crate) struct Stage {
    pub(crate) folder: tempfile::TempDir,
    /// Not on the disk of the service.
    registry: tempfile::TempDir,
    pub(crate) service: Service,
    pub(crate) events: Mutex<Vec<ReleaseEvent>>,
    _limit: TestLimit,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    /// A service whose state is in this folder.
    pub(crate) fn on(folder: tempfile::TempDir) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], trainyard_testkit::free_port()));
        let mut service = Service::new("test", folder.path(), listen);
        service.gateway_command = Some(vec![part().into(), "gateway".into()]);
        service.lock_wait = Duration::from_mins(1);
        // The backends have paths of their own.
        service.gateway.exposed = vec!["/**".to_owned()];
        service.gateway.limits = Limits {
            max_connections: 2000,
            max_per_address: Some(2000),
            max_body_bytes: 8 << 20,
            ..Limits::default()
        };
        let registry = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap().join("test");
        let limit = TestLimit::begin(move || kill_all(&root));
        Self { folder, registry, service, events: Mutex::new(Vec::new()), _limit: limit }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.service.listen
    }

    pub(crate) fn root(&self) -> PathBuf {
        std::fs::canonicalize(self.folder.path()).unwrap().join("test")
    }

    /// A backend that answers its name.
    pub(crate) fn spec(name: &str) -> ReleaseSpec {
        let mut spec = ReleaseSpec::new(Workload::process(part()));
        spec.args = vec!["backend".to_owned(), "--port".to_owned(), "{port}".to_owned()];
        spec.env = vec![("NAME".to_owned(), name.to_owned())];
        spec.prediction =
            Some(Probe { expect: name.to_owned(), ..Probe::post_json("/predict", "[1]") });
        spec.bake = Duration::from_millis(100);
        spec.deadline = Duration::from_secs(20);
        spec.label.insert("version".to_owned(), name.to_owned());
        spec
    }

    /// A backend that answers one of some classes, by the number that it is asked. It knows copies.
    pub(crate) fn classifier(name: &str, classes: &str) -> ReleaseSpec {
        let mut spec = Self::spec(name);
        spec.env.push(("CLASSES".to_owned(), classes.to_owned()));
        spec.prediction =
            Some(Probe { request_id: "copy-1".to_owned(), ..Probe::post_json("/predict", "[1]") });
        spec
    }

    pub(crate) async fn release(&self, spec: &ReleaseSpec) -> Result<Released> {
        let tell = |event| self.events.lock().unwrap().push(event);
        release(&self.service, spec, &self.alias(), &tell).await
    }

    /// The registry of the service's owner.
    pub(crate) fn alias(&self) -> AliasFile {
        AliasFile(self.registry.path().join("alias"))
    }

    /// Goes back to what served before, or to a version.
    pub(crate) async fn rollback(&self, to: Option<&str>) -> Result<Released> {
        let order = Rollback {
            to: to.map(|to| ("version".to_owned(), to.to_owned())).into_iter().collect(),
            cause: Cause { actor: "ana".to_owned(), ..Cause::default() },
            amend: &|_| {},
        };
        let tell = |event| self.events.lock().unwrap().push(event);
        rollback(&self.service, &order, &self.alias(), &tell).await
    }

    /// Waits until the current instance works on so many requests.
    pub(crate) async fn wait_in_flight(&self, count: usize) {
        let so_many = async {
            loop {
                let now = status(&self.service).await.unwrap();
                if now.gateway.is_some_and(|gateway| gateway.in_flight == count) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        in_time(&format!("{count} requests in flight"), so_many).await;
    }

    /// A number of the gateway's page of metrics.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = metrics(&self.service).await.unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in:\n{page}")).parse().unwrap()
    }

    /// Waits until a number of the metrics is at least so large.
    pub(crate) async fn wait_metric(&self, name: &str, least: u64) {
        let so_large = async {
            while self.metric(name).await < least {
                tokio::time::sleep(LOOK).await;
            }
        };
        in_time(&format!("{name} of {least}"), so_large).await;
    }

    /// Waits until a release has told a step since [`Self::take_events`].
    pub(crate) async fn wait_step(&self, step: &str) {
        let told = async {
            while !self.events.lock().unwrap().iter().any(|event| event.step() == step) {
                tokio::time::sleep(LOOK).await;
            }
        };
        in_time(step, told).await;
    }

    /// Kills a process of this service, and waits until it is gone with all that it held.
    pub(crate) async fn kill(&self, pid: i32) {
        kill(pid);
        let gone = async {
            while self.processes().iter().any(|(found, _)| *found == pid) {
                tokio::time::sleep(LOOK).await;
            }
        };
        in_time(&format!("the end of {pid}"), gone).await;
    }

    pub(crate) fn take_events(&self) -> Vec<&'static str> {
        self.events.lock().unwrap().drain(..).map(|event| event.step()).collect()
    }

    /// Processes of this service that run: `(pid, command line)`.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        processes(&self.root())
    }

    pub(crate) fn backends(&self) -> Vec<i32> {
        let all = self.processes().into_iter();
        all.filter(|(_, command)| command.contains(" backend ")).map(|(pid, _)| pid).collect()
    }

    pub(crate) fn gateways(&self) -> Vec<i32> {
        let all = self.processes().into_iter();
        all.filter(|(_, command)| command.contains(" gateway ")).map(|(pid, _)| pid).collect()
    }
}

/// Processes of the service in this folder that run: `(pid, command line)`.
fn processes(root: &Path) -> Vec<(i32, String)> {
    let root = root.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let read = |name: &str| {
            let bytes = std::fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let command = read("cmdline");
        let alive = !command.is_empty();
        let ours = read("environ").contains(&format!("TRAINYARD_DEPLOYMENT={root} "))
            || (command.contains(" gateway ") && command.contains(&root));
        if alive && ours {
            found.push((pid, command));
        }
    }
    found
}

/// Only processes of a test's own folder.
fn kill_all(root: &Path) {
    for (pid, _) in processes(root) {
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            let _already_gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Waits for something that comes on the slowest machine too, and fails where it does not: a test that waits for ever
/// says nothing.
pub(crate) async fn in_time<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(WAIT_MAX, coming).await;
    came.unwrap_or_else(|_elapsed| panic!("{what}: not within {WAIT_MAX:?}"))
}

fn kill(pid: i32) {
    signal(pid, rustix::process::Signal::KILL);
}

pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.root().try_exists().unwrap_or(false) {
            kill_all(&self.root());
        }
    }
}
