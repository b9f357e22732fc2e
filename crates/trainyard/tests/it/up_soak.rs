//! One fault after the other, at random, under a client that asks all the time: the service comes back each time, no
//! answer is ever wrong, and nothing is left when it is ended. A few faults; three hundred in the long form of the tests.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::project::{TestProject, stdout_of};
use crate::up::{Client, Up, gateway, instance, project, signal, status};

/// Numbers that look random and are the same each time (the constants are Knuth's).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
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

/// What runs, once all is well.
fn settled(project: &TestProject, up: &mut Up) -> (u64, u64) {
    let mut found = None;
    up.wait_until("all is well", || {
        let now = status(project);
        found = instance(&now).zip(gateway(&now));
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn whatever_happens_it_comes_back_and_nothing_is_left() {
    let is_long = std::env::var_os("TRAINYARD_TEST_LONG").is_some();
    let (project, port) = project();
    for verb in ["train", "promote"] {
        stdout_of(&project.run(&[verb]), 0);
    }
    let mut up = Up::start(&project, "up.log");
    up.wait_for("version 1 was brought up");
    let client = Client::start(port);
    let mut random = Random(7);
    let mut times = Vec::new();
    let faults = if is_long { 300 } else { 5 };
    for number in 0..faults {
        let (serving, door) = settled(&project, &mut up);
        let start = Instant::now();
        let fault = random.below(6);
        match fault {
            0 => signal("-KILL", serving),
            1 => signal("-STOP", serving),
            2 => signal("-KILL", door),
            3 => signal("-STOP", door),
            _ => {
                // Its unit starts it again; after a reboot, that alone.
                up.process.kill();
                if fault == 5 {
                    signal("-KILL", door);
                    signal("-KILL", serving);
                }
                up = Up::start(&project, &format!("up-{number}.log"));
            }
        }
        client.is_served(&mut up);
        times.push((start.elapsed(), fault));
    }
    times.sort();
    println!("served again after {:?} at most", times.last());
    settled(&project, &mut up);
    client.finish();
    stdout_of(&project.run(&["up", "--down"]), 0);
    assert_eq!(up.process.0.wait().unwrap().code(), Some(0));
    let folder = project.path().canonicalize().unwrap();
    let start = Instant::now();
    while !processes(&folder).is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "{:?}", processes(&folder));
        std::thread::sleep(Duration::from_millis(20));
    }
}
