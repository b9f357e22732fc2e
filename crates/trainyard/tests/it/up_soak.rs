//! One fault after the other, at random, under a client that asks all the time: the service comes back each time, no
//! answer is ever wrong, what serves nobody takes nothing from anybody, and nothing is left when it is ended. A few
//! faults; three hundred in the long form of the tests, which has the registry on a database of its own, the service on a
//! small disk, and a clock that jumps.

use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use trainyard_testkit::docker::engine;

use crate::container::{self, ENGINE};
use crate::project::{TestProject, stdout_of};
use crate::surroundings::Surroundings;
use crate::up::{Client, Up, gateway, instance, project, signal, status};

/// How long nobody may be served after a fault; only the long form, on a quiet machine, is held to it.
const BACK_LIMIT: Duration = Duration::from_secs(5);

/// How long it is left in peace between two faults of the long form: what is killed after less than two seconds, five
/// times in a row, is a crash loop, and started again later and later.
const PEACE: Duration = Duration::from_millis(2500);

/// Numbers that look random and are the same each time (the constants are Knuth's).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Something that happens to a service, or around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    InstanceKilled,
    InstanceStopped,
    GatewayKilled,
    GatewayStopped,
    SupervisorKilled,
    SupervisorStopped,
    /// All is gone, and only what the unit starts is started.
    Reboot,
    RegistryKilled,
    RegistryStopped,
    PrimaryKilled,
    DiskFull,
    /// And the instance ends on it.
    DiskFullAndKilled,
    /// Registry, supervisor and what it starts again are in another year.
    ClockJumps,
}

impl Fault {
    const OF_SERVICE: [Self; 7] = [
        Self::InstanceKilled,
        Self::InstanceStopped,
        Self::GatewayKilled,
        Self::GatewayStopped,
        Self::SupervisorKilled,
        Self::SupervisorStopped,
        Self::Reboot,
    ];

    /// Whether something ends that requests go through, so that some of them may fail.
    fn hits_who_serves(self) -> bool {
        match self {
            Self::InstanceKilled
            | Self::InstanceStopped
            | Self::GatewayKilled
            | Self::GatewayStopped
            | Self::Reboot
            | Self::DiskFullAndKilled => true,
            Self::SupervisorKilled
            | Self::SupervisorStopped
            | Self::RegistryKilled
            | Self::RegistryStopped
            | Self::PrimaryKilled
            | Self::DiskFull
            | Self::ClockJumps => false,
        }
    }
}

/// Processes that belong to a project: its folder is among their arguments or in their environment.
fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let found = entries.filter_map(|entry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let text = |name: &str| String::from_utf8_lossy(&read(name)).replace('\0', " ");
        let (line, variables) = (text("cmdline"), text("environ"));
        let is_it = !line.is_empty() && (line.contains(&folder) || variables.contains(&folder));
        is_it.then_some(line)
    });
    found.collect()
}

/// Files below a folder that were never whole. Segments of the log that a killed server left are the next one's to
/// remove, when it starts.
fn unfinished(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(unfinished(&path));
        } else if path.extension().is_some_and(|end| end == "tmp")
            && !path.file_name().unwrap().to_string_lossy().starts_with(".predictions-")
        {
            found.push(path.display().to_string());
        }
    }
    found
}

/// A service under faults.
struct Soak {
    project: TestProject,
    port: u16,
    up: Up,
    client: Client,
    around: Option<Surroundings>,
}

impl Soak {
    /// What runs, once all is well.
    fn settled(&mut self) -> (u64, u64) {
        let Self { project, up, .. } = self;
        let mut found = None;
        up.wait_until("all is well", || {
            let now = status(project);
            found = instance(&now).zip(gateway(&now));
            found.is_some()
        });
        found.unwrap()
    }

    /// The unit starts another supervisor.
    fn start_again(&mut self, number: usize) {
        self.up.process.kill();
        self.up = Up::start(&self.project, &format!("up-{number}.log"));
    }

    /// How long nobody was served, and how many requests failed.
    fn suffer(&mut self, fault: Fault, number: usize, peace: Duration) -> (Duration, u64) {
        self.settled();
        std::thread::sleep(peace);
        let (serving, door) = self.settled();
        self.client.is_served(&mut self.up);
        let failed = self.client.failed();
        let start = Instant::now();
        match fault {
            Fault::InstanceKilled => signal("-KILL", serving),
            Fault::InstanceStopped => signal("-STOP", serving),
            Fault::GatewayKilled => signal("-KILL", door),
            Fault::GatewayStopped => signal("-STOP", door),
            Fault::SupervisorKilled => self.start_again(number),
            Fault::SupervisorStopped => {
                signal("-STOP", self.up.process.0.id().into());
                // Its watchdog finds it so.
                self.start_again(number);
            }
            Fault::Reboot => {
                self.up.process.kill();
                signal("-KILL", door);
                signal("-KILL", serving);
                self.up = Up::start(&self.project, &format!("up-{number}.log"));
            }
            around => self.suffer_around(around, serving),
        }
        self.client.is_served(&mut self.up);
        let back = start.elapsed();
        if let Some(around) = &mut self.around {
            around.mend();
        }
        (back, self.client.failed() - failed)
    }

    /// The same of what is around it; it lasts until [`Surroundings::mend`].
    fn suffer_around(&mut self, fault: Fault, serving: u64) {
        let around = self.around.as_mut().unwrap();
        match fault {
            Fault::RegistryKilled => around.kill_registry(),
            Fault::RegistryStopped => around.stop_registry(),
            Fault::PrimaryKilled => around.kill_primary(),
            Fault::DiskFull => around.fill_disk(),
            Fault::DiskFullAndKilled => {
                around.fill_disk();
                signal("-KILL", serving);
            }
            Fault::ClockJumps => around.jump(),
            other => unreachable!("{other:?}"),
        }
    }

    /// Ends it; nothing may be left.
    fn end(mut self) {
        self.settled();
        let Self { project, port, mut up, client, around } = self;
        client.finish();
        up.wait_until_seen(&project);
        stdout_of(&project.run(&["up", "--down"]), 0);
        assert_eq!(up.process.0.wait().unwrap().code(), Some(0));
        let state = around.as_ref().and_then(Surroundings::state);
        let state = state.unwrap_or_else(|| project.file(".trainyard"));
        let places = [project.path(), &state].map(|place| place.canonicalize().unwrap());
        let left = || places.iter().flat_map(|place| processes(place)).collect::<Vec<_>>();
        let start = Instant::now();
        while !left().is_empty() {
            assert!(start.elapsed() < Duration::from_mins(1), "{:?}", left());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok(), "the port is free");
        assert_eq!(unfinished(&state), Vec::<String>::new());
    }
}

#[test]
fn whatever_happens_it_comes_back_and_nothing_is_left() {
    let is_long = std::env::var_os("TRAINYARD_TEST_LONG").is_some();
    let (mut project, port) = project();
    let around = is_long.then(|| Surroundings::start(&mut project));
    let mut faults = Fault::OF_SERVICE.to_vec();
    if let Some(around) = &around {
        // A failover takes as long as all the others together.
        faults.extend(faults.clone());
        faults.extend([Fault::RegistryKilled, Fault::RegistryStopped].repeat(2));
        faults.push(Fault::PrimaryKilled);
        if around.state().is_some() {
            faults.extend([Fault::DiskFull, Fault::DiskFullAndKilled].repeat(2));
        }
        if around.has_clock() {
            faults.extend([Fault::ClockJumps; 2]);
        }
    }
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let mut up = Up::start(&project, "up.log");
    up.wait_for("version 1 was brought up");
    let client = Client::start(port);
    let mut soak = Soak { project, port, up, client, around };
    let mut random = Random(7);
    let mut times = Vec::new();
    let (count, peace) = if is_long { (300, PEACE) } else { (5, Duration::ZERO) };
    for number in 0..count {
        let fault = faults[random.below(faults.len())];
        let (back, failed) = soak.suffer(fault, number, peace);
        println!("{number}: {fault:?}: served again after {back:?}, {failed} requests failed");
        if is_long {
            assert!(back <= BACK_LIMIT, "{number}: {fault:?} took {back:?}");
            let is_fair = failed == 0 || fault.hits_who_serves();
            assert!(is_fair, "{number}: {failed} requests failed of {fault:?}");
        }
        times.push((back, fault));
    }
    times.sort();
    println!("served again after {:?} at most", times.last());
    soak.end();
}

/// What stays up so long did not die of its start, whoever killed a container.
const PEACE_OF_CONTAINERS: Duration = Duration::from_secs(11);

#[test]
fn whatever_happens_to_containers_and_their_engine_they_come_back() {
    if std::env::var_os("TRAINYARD_TEST_LONG").is_none() {
        return;
    }
    let test = "whatever_happens_to_containers_and_their_engine_they_come_back";
    let Some(engine) = engine(test) else { return };
    let _alone = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    let image = container::build(engine);
    let (mut project, port) = project();
    project.env.push(("DOCKER_HOST".to_owned(), engine.host.clone()));
    project.edit("[deploy]\n", &format!("[deploy]\nruntime = \"docker\"\nimage = {image:?}\n"));
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let mut up = Up::start(&project, "up.log");
    up.wait_for("version 1 was brought up");
    let client = Client::start(port);
    let mut random = Random(7);
    for number in 0..24 {
        let mut found = None;
        up.wait_until("all is well", || {
            let now = status(&project);
            let serving = &now["instances"][0];
            let is_well = serving["health"]["state"] == "well";
            found = serving["handle"].as_str().filter(|_| is_well).map(str::to_owned);
            found = found.take().filter(|_| gateway(&now).is_some());
            found.is_some()
        });
        std::thread::sleep(PEACE_OF_CONTAINERS);
        client.is_served(&mut up);
        let failed = client.failed();
        let start = Instant::now();
        let (fault, hits_who_serves) = match random.below(4) {
            0 => {
                engine.docker(&["kill", &found.unwrap()]);
                ("container killed", true)
            }
            1 => {
                signal("-KILL", gateway(&status(&project)).unwrap());
                ("gateway killed", true)
            }
            2 => {
                up.process.kill();
                up = Up::start(&project, &format!("up-{number}.log"));
                ("supervisor killed", false)
            }
            _ => {
                engine.restart();
                ("engine ended", false)
            }
        };
        client.is_served(&mut up);
        let (back, failed) = (start.elapsed(), client.failed() - failed);
        println!("{number}: {fault}: served again after {back:?}, {failed} requests failed");
        // The engine is away for as long as it wants; what serves does not need it.
        assert!(back <= BACK_LIMIT || fault == "engine ended", "{number}: {fault} took {back:?}");
        assert!(hits_who_serves || failed == 0, "{number}: {failed} requests failed of {fault}");
    }
    client.finish();
    up.wait_until_seen(&project);
    stdout_of(&project.run(&["up", "--down"]), 0);
    assert_eq!(up.process.0.wait().unwrap().code(), Some(0));
    assert_eq!(engine.docker(&["ps", "-aq"]), "");
}
