//! `trainyard up`: what serves comes back whatever is killed, answers are right, and what keeps it up may go.

use std::fs::File;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, free_port};

use crate::project::{TestProject, stdout_of, trainyard};
use crate::run::post_json;

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_mins(2);

pub(crate) fn signal(name: &str, process: u64) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(sent.success(), "{name} {process}");
}

/// A `trainyard up`, and what it says.
pub(crate) struct Up {
    pub(crate) process: KillOnDrop,
    log: PathBuf,
}

impl Up {
    pub(crate) fn start(project: &TestProject, log: &str) -> Self {
        Self::start_by(project, log, trainyard())
    }

    /// As a service manager starts it.
    fn start_managed(project: &TestProject, log: &str) -> Self {
        let mut command = trainyard();
        command.env("NOTIFY_SOCKET", project.file("nobody-listens.sock"));
        Self::start_by(project, log, command)
    }

    fn start_by(project: &TestProject, log: &str, mut command: Command) -> Self {
        let log = project.file(log);
        let said = File::create(&log).unwrap();
        command.envs(project.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(project.path()).arg("up");
        command.stdout(said.try_clone().unwrap()).stderr(said);
        Self { process: KillOnDrop::spawn(&mut command), log }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn wait_until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            let ended = self.process.0.try_wait().unwrap();
            assert!(ended.is_none(), "{what}: it ended with {ended:?}:\n{}", self.said());
            assert!(start.elapsed() < LONG, "{what}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait_for(&mut self, text: &str) {
        let log = self.log.clone();
        self.wait_until(text, || std::fs::read_to_string(&log).unwrap().contains(text));
    }

    /// Waits until others see that it keeps the project up: `up --down` ends only whom it sees.
    pub(crate) fn wait_until_seen(&mut self, project: &TestProject) {
        let pid = u64::from(self.process.0.id());
        self.wait_until("it is seen", || {
            status(project)["supervisor"]["pid"].as_u64() == Some(pid)
        });
    }
}

/// What `deploy status` says, whatever it ends with.
pub(crate) fn status(project: &TestProject) -> Value {
    let output = project.run(&["deploy", "status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// The process of the serving instance, if it is well.
pub(crate) fn instance(status: &Value) -> Option<u64> {
    let current = &status["instances"][0];
    let is_well = current["role"] == "current" && current["health"]["state"] == "well";
    current["handle"].as_str().filter(|_| is_well)?.parse().ok()
}

pub(crate) fn gateway(status: &Value) -> Option<u64> {
    status["gateway"]["pid"].as_u64()
}

/// Asks the same thing all the time, whatever becomes of it.
pub(crate) struct Client {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<Vec<String>>,
}

impl Client {
    pub(crate) fn start(port: u16) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let failed = Arc::new(AtomicU64::new(0));
        let (stopped, counter, missed) =
            (Arc::clone(&stop), Arc::clone(&good), Arc::clone(&failed));
        let thread = std::thread::spawn(move || {
            let url = format!("http://127.0.0.1:{port}/predict");
            let row = json!([{
                "sepal length (cm)": 5.1, "sepal width (cm)": 3.5,
                "petal length (cm)": 1.4, "petal width (cm)": 0.2
            }]);
            let mut wrong = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                match post_json(&url, &row) {
                    Ok(answer) if answer.contains("setosa") => {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(answer) => wrong.push(answer),
                    // Nobody was there, or said that nobody is.
                    Err(_failed) => {
                        missed.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
            }
            wrong
        });
        Self { stop, good, failed, thread }
    }

    /// Requests that got no good answer so far.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Waits until somebody answers from now on.
    pub(crate) fn is_served(&self, up: &mut Up) {
        // One may be on its way already.
        let before = self.good.load(Ordering::Relaxed) + 1;
        up.wait_until("answers", || self.good.load(Ordering::Relaxed) > before);
    }

    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.thread.join().unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(self.good.load(Ordering::Relaxed) > 0);
    }
}

pub(crate) fn project() -> (TestProject, u16) {
    let project = TestProject::iris();
    let port = free_port();
    project.edit("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    project.accept_every_version();
    (project, port)
}

#[test]
fn what_serves_comes_back_whatever_is_killed() {
    let (project, port) = project();
    let mut up = Up::start(&project, "up.log");
    up.wait_for("nothing to serve yet, waiting");
    signal("-TERM", up.process.0.id().into());
    assert_eq!(up.process.0.wait().unwrap().code(), Some(0), "{}", up.said());

    // Nothing was ever deployed, and a version is approved.
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let mut up = Up::start(&project, "up.log");
    up.wait_for("version 1 goes into production now, as Staging approves it");
    up.wait_for("version 1 was brought up at http://127.0.0.1:");
    let client = Client::start(port);
    let second = project.run(&["up"]);
    let refused = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{refused}");
    let holder = format!("is kept up by process {} already", up.process.0.id());
    assert!(refused.contains(&holder) && refused.contains("--take-over"), "{refused}");

    for name in ["-KILL", "-STOP"] {
        let before = instance(&status(&project));
        signal(name, before.unwrap());
        let is_another = || instance(&status(&project)).is_some_and(|now| Some(now) != before);
        up.wait_until(name, is_another);
        client.is_served(&mut up);
    }
    let before = status(&project);
    signal("-KILL", gateway(&before).unwrap());
    let is_another = || gateway(&status(&project)).is_some_and(|now| Some(now) != gateway(&before));
    up.wait_until("a gateway", is_another);
    client.is_served(&mut up);
    assert_eq!(instance(&status(&project)), instance(&before), "what lives is left alone");

    // What is wrong changes nothing; what is right is read.
    project.edit("max_per_day = 3", "max_per_day = \"many\"");
    signal("-HUP", up.process.0.id().into());
    up.wait_for("its project file is as before");
    project.edit("max_per_day = \"many\"", "max_per_day = 4");
    signal("-HUP", up.process.0.id().into());
    up.wait_for("its project file was read again");

    // Another one takes over, and what serves notices nothing.
    let before = status(&project);
    let mut command = trainyard();
    command.current_dir(project.path()).args(["up", "--take-over"]);
    let mut next = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    assert_eq!(up.process.0.wait().unwrap().code(), Some(0), "{}", up.said());
    let now = status(&project);
    assert_eq!((instance(&now), gateway(&now)), (instance(&before), gateway(&before)));

    // A reboot: all is gone, and only this is started.
    next.kill();
    signal("-KILL", gateway(&now).unwrap());
    signal("-KILL", instance(&now).unwrap());
    let mut up = Up::start(&project, "up.log");
    up.wait_for("(version 1) serves");
    client.is_served(&mut up);
    client.finish();

    // What is stopped on purpose stays so, until somebody types otherwise.
    up.process.kill();
    stdout_of(&project.run(&["deploy", "stop"]), 0);
    let mut up = Up::start_managed(&project, "up.log");
    up.wait_for("it was stopped; `trainyard deploy` brings it up");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens");
    up.process.kill();
    let mut up = Up::start(&project, "up.log");
    up.wait_for("version 1 was brought up at http://127.0.0.1:");
    stdout_of(&project.run(&["up", "--down"]), 0);
    assert_eq!(up.process.0.wait().unwrap().code(), Some(0), "{}", up.said());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens");
    stdout_of(&project.run(&["deploy", "status"]), 0);
}

#[test]
fn a_version_that_dies_each_time_is_rolled_back() {
    let (project, port) = project();
    for verb in ["train", "promote", "deploy", "train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let mut up = Up::start(&project, "up.log");
    up.wait_for("(version 1) serves");
    let client = Client::start(port);
    // A release works beside it as without it.
    stdout_of(&project.run(&["deploy"]), 0);
    up.wait_for("(version 2) serves");
    up.wait_until("going back", || {
        let now = status(&project);
        if let Some(process) =
            instance(&now).filter(|_| now["instances"][0]["label"]["version"] == "2")
        {
            // It may have ended since.
            let _either_way = Command::new("kill").args(["-ABRT", &process.to_string()]).status();
        }
        now["instances"][0]["label"]["version"] == "1" && instance(&now).is_some()
    });
    up.wait_for("went back to version 1: crash loop: ");
    client.is_served(&mut up);
    client.finish();
    let history = stdout_of(&project.run(&["deploy", "history", "--json"]), 0);
    let history: Value = serde_json::from_str(&history).unwrap();
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!((&last["kind"], &last["label"]["version"]), (&json!("rollback"), &json!("1")));
    assert!(last["reason"].as_str().unwrap().starts_with("crash loop: "), "{last}");
    stdout_of(&project.run(&["up", "--down"]), 0);
    assert_eq!(up.process.0.wait().unwrap().code(), Some(0), "{}", up.said());
}

#[test]
fn the_unit_names_the_project_and_its_owner_alone() {
    let project = TestProject::iris();
    let unit = stdout_of(&project.run(&["up", "--install", "--print"]), 0);
    let folder = project.path().canonicalize().unwrap();
    let named = format!("trainyard\" up \"{}\"", folder.display());
    let is_it = |line: &str| line.starts_with("ExecStart=\"/") && line.ends_with(&named);
    assert!(unit.lines().any(is_it), "{named} in {unit}");
    let home = project.file("home");
    let mut command = trainyard();
    command.current_dir(project.path()).args(["up", "--install", "--user"]);
    command.env("XDG_CONFIG_HOME", &home).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let written = home.join("systemd/user/trainyard.service");
    let text = std::fs::read_to_string(&written).unwrap();
    assert!(text.contains("KillMode=process") && !text.contains("User="), "{text}");
    assert!(command.status().unwrap().success(), "its own is written anew");
    std::fs::write(&written, "[Unit]\n").unwrap();
    assert_eq!(command.status().unwrap().code(), Some(2), "that of others is not");
}
