//! A Docker Engine and a registry for the tests of one program, with nothing shared with a daemon that
//! may already run: own data root, own socket, no change to the machine's firewall.
//!
//! Where no engine can run (not root, not installed, not allowed) tests that need one say so on stdout,
//! past the test harness's capture, in a line that `cargo xtask test` counts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How a line begins that says that a test could not run.
pub const SKIPPED: &str = "SKIPPED: ";

/// The certificates of this machine.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How long an engine may take to come up, with other tests on the same machine.
const UP_LIMIT: Duration = Duration::from_mins(2);

/// Runs the engine until its standard input ends, which is when the test program does, however it does.
/// One engine at a time on a machine: the lock is let go when everything is cleaned up.
///
/// `$1` is the folder, `$2` the lock, `$3` the registry's port, `$4` a further flag of the engine, if any.
const KEEPER: &str = r#"
# A shell gives what it runs in the background an empty standard input, so this one gets a name.
exec 8<&0 9>"$2"
flock 9
export DOCKER_HOST="unix://$1/docker.sock"
# Waits for the end of the test program; the engine below is started again whenever it ends before.
( cat <&8 >/dev/null 9>&-
  touch "$1/stop"
  docker swarm leave --force >/dev/null 2>&1
  docker ps -aq 2>/dev/null | xargs -r docker rm -f >/dev/null 2>&1
  docker network prune -f >/dev/null 2>&1
  docker network rm docker_gwbridge >/dev/null 2>&1
  kill "$(cat "$1/registry.pid")" 2>/dev/null
  # An engine that was only about to start has no number yet.
  until [ -e "$1/ended" ]; do kill "$(cat "$1/docker.pid")" 2>/dev/null; sleep 0.2; done ) 9>&- &
waiter=$!
( cd "$1"; exec docker-registry serve "$1/registry.yaml" ) </dev/null >"$1/registry.log" 2>&1 8<&- 9>&- &
echo $! >"$1/registry.pid"
while [ ! -e "$1/stop" ]; do
  dockerd --data-root "$1/data" --exec-root "$1/exec" -H "unix://$1/docker.sock" \
    --pidfile "$1/docker.pid" --bridge=none --iptables=false --ip6tables=false $4 \
    --insecure-registry "127.0.0.1:$3" </dev/null >>"$1/dockerd.log" 2>&1 8<&- 9>&-
  sleep 0.1
done
touch "$1/ended"
wait $waiter
sleep 0.2
grep -o "$1/[^ ]*" /proc/mounts | sort -r | xargs -r -n 1 umount -l 2>/dev/null
rm -rf "$1"
"#;

/// What an engine is for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Containers that live on while it is restarted.
    Alone,
    /// A swarm, which does not go with that.
    Swarm,
}

impl Kind {
    /// The name of its folder and its lock.
    fn name(self) -> &'static str {
        match self {
            Self::Alone => "trainyard-docker",
            Self::Swarm => "trainyard-docker-swarm",
        }
    }

    /// Its further flag.
    fn flag(self) -> &'static str {
        match self {
            Self::Alone => "--live-restore",
            Self::Swarm => "",
        }
    }
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    /// What `DOCKER_HOST` must say.
    pub host: String,
    /// `127.0.0.1:port` of a registry.
    pub registry: String,
    folder: PathBuf,
    /// Its end is the keeper's sign.
    _alive: Option<ChildStdin>,
    _keeper: Child,
}

/// The engine of this test program; `None` (said loudly) where none can run.
pub fn engine(test: &str) -> Option<&'static Engine> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    or_say(test, ENGINE.get_or_init(|| Engine::start(Kind::Alone)))
}

/// A second engine of this test program, which is the one node of a swarm; `None` (said loudly) where none can run.
pub fn swarm_engine(test: &str) -> Option<&'static Engine> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    or_say(test, ENGINE.get_or_init(|| Engine::start(Kind::Swarm)))
}

fn or_say(test: &str, engine: &'static Result<Engine, String>) -> Option<&'static Engine> {
    match engine {
        Ok(engine) => Some(engine),
        Err(reason) => {
            // The handle itself is not captured by the test harness, as `println!` is.
            let line = format!("{SKIPPED}{test}: no Docker Engine can run here: {reason}\n");
            let _nobody_listens = std::io::stdout().lock().write_all(line.as_bytes());
            None
        }
    }
}

impl Engine {
    fn start(kind: Kind) -> Result<Self, String> {
        for program in ["dockerd", "docker", "docker-registry", "flock"] {
            if !in_path(program) {
                return Err(format!("{program} is not installed"));
            }
        }
        let me = std::fs::metadata("/proc/self").map_err(|error| error.to_string())?;
        if std::os::unix::fs::MetadataExt::uid(&me) != 0 {
            return Err("only root may run one".to_owned());
        }
        let folder = std::env::temp_dir().join(format!("{}-{}", kind.name(), std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let port = super::free_port();
        let registry = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            folder.join("registry").display()
        );
        std::fs::write(folder.join("registry.yaml"), registry)
            .map_err(|error| error.to_string())?;
        let lock = std::env::temp_dir().join(format!("{}.lock", kind.name()));
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([&folder, &lock])
            .arg(port.to_string())
            .arg(kind.flag())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let host = format!("unix://{}", folder.join("docker.sock").display());
        let engine = Self {
            host,
            registry: format!("127.0.0.1:{port}"),
            _alive: keeper.stdin.take(),
            _keeper: keeper,
            folder,
        };
        engine.wait_until_up()?;
        super::wait_for_port(port, UP_LIMIT);
        if matches!(kind, Kind::Swarm) {
            let manager = format!("127.0.0.1:{}", super::free_port());
            let arguments =
                ["swarm", "init", "--listen-addr", &manager, "--advertise-addr", &manager];
            let output = engine.command().args(arguments).output();
            let output = output.map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
        }
        Ok(engine)
    }

    fn wait_until_up(&self) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let asked = self.command().args(["version"]).output();
            if asked.is_ok_and(|output| output.status.success()) {
                return Ok(());
            }
            if start.elapsed() > UP_LIMIT {
                let log = std::fs::read_to_string(self.folder.join("dockerd.log"));
                let log = log.unwrap_or_else(|error| error.to_string());
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                return Err(format!("dockerd did not come up: {}", last.join(" / ")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// `docker` for this engine.
    pub fn command(&self) -> Command {
        let mut command = Command::new("docker");
        // The builder inside of the engine: the other one is a plug-in that Debian does not have.
        command.env("DOCKER_HOST", &self.host).env("DOCKER_BUILDKIT", "0");
        command
    }

    /// Runs `docker` with arguments and returns its stdout; panics with its stderr on failure.
    pub fn docker(&self, arguments: &[&str]) -> String {
        let output = self
            .command()
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("docker did not start: {error}"));
        assert!(
            output.status.success(),
            "docker {arguments:?} failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What a container wrote, on both streams, and how its last check of its health went.
    pub fn said(&self, container: &str) -> String {
        let output = self
            .command()
            .args(["logs", container])
            .output()
            .unwrap_or_else(|error| panic!("docker did not start: {error}"));
        let health = self.docker(&["inspect", "-f", "{{json .State}}", container]);
        format!(
            "{}{}{health}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    }

    /// Ends the daemon; it is started again at once, and containers live on meanwhile.
    pub fn restart(&self) {
        let pid_file = self.folder.join("docker.pid");
        let before = std::fs::read_to_string(&pid_file).unwrap_or_default();
        let killed = Command::new("kill").arg(before.trim()).status();
        assert!(killed.is_ok_and(|status| status.success()), "dockerd cannot be ended");
        let start = Instant::now();
        while std::fs::read_to_string(&pid_file).map_or(true, |now| now == before) {
            assert!(start.elapsed() < UP_LIMIT, "dockerd was not started again");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.wait_until_up().unwrap_or_else(|reason| panic!("{reason}"));
    }

    /// A folder that goes with the engine.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds an image of a program of this machine: stripped, with the libraries it is linked with.
    /// `more` are lines of the Dockerfile after the program is copied to `/<name>`; `data` is an empty folder for them.
    pub fn build(&self, tag: &str, program: &Path, name: &str, more: &str) {
        let context = self.folder.join(format!("build-{}", tag.replace(['/', ':'], "-")));
        copy_with_libraries(program, &context, name);
        // Where the image says that they are; without any, no client of an object store can be made.
        std::fs::copy(CERTIFICATES, context.join("root/ca-certificates.crt"))
            .unwrap_or_else(|error| panic!("{CERTIFICATES}: {error}"));
        std::fs::create_dir_all(context.join("data")).unwrap_or_else(|error| panic!("{error}"));
        let dockerfile = format!("FROM scratch\nCOPY root/ /\n{more}");
        std::fs::write(context.join("Dockerfile"), dockerfile)
            .unwrap_or_else(|error| panic!("{error}"));
        self.docker(&["build", "-q", "-t", tag, &context.display().to_string()]);
        // The next build makes it anew.
        let _left_for_the_keeper = std::fs::remove_dir_all(&context);
    }
}

/// Copies a program, stripped, and what `ldd` says it needs below `context/root`.
pub fn copy_with_libraries(program: &Path, context: &Path, name: &str) {
    let root = context.join("root");
    let run = |command: &mut Command| -> String {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    std::fs::create_dir_all(&root).unwrap_or_else(|error| panic!("{error}"));
    run(Command::new("strip").arg("-o").arg(root.join(name)).arg(program));
    let libraries = run(Command::new("ldd").arg(program));
    for word in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let inside = root.join(word.trim_start_matches('/'));
        let parent = inside.parent().unwrap_or(&root);
        std::fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{error}"));
        std::fs::copy(word, &inside).unwrap_or_else(|error| panic!("{word}: {error}"));
    }
}

fn in_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}
