//! Releases as containers on a real engine: nothing is lost, whatever goes wrong nothing is left, and the
//! message says why.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::client::{Load, get};
use crate::yard::{ENGINE_STAYS, End, Yard};

/// The steps of a release that replaces another.
const STEPS: &[&str] = &[
    "locked",
    "gateway-ready",
    "prepared",
    "starting",
    "started",
    "probed",
    "healthy",
    "predicted",
    "switched",
    "drained",
    "stopped",
    "finished",
];

async fn serves(yard: &Yard, name: &str) {
    assert_eq!(get(yard.address(), "/").await.unwrap(), (StatusCode::OK, name.to_owned()));
}

/// What `wrk` counted.
#[derive(Debug)]
struct Counted {
    requests: u64,
    failures: Vec<String>,
}

/// `wrk` at full speed over connections that are kept, for some seconds.
fn wrk(yard: &Yard, connections: u32, seconds: u32) -> std::process::Child {
    Command::new("wrk")
        .args(["-t", "1", "-c", &connections.to_string(), "-d", &format!("{seconds}s")])
        .args(["--timeout", "20s", &format!("http://{}/", yard.address())])
        .stdout(Stdio::piped())
        .spawn()
        .expect("wrk is set up by `cargo xtask setup`")
}

fn counted(wrk: std::process::Child) -> Counted {
    let output = wrk.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())
        .unwrap_or_else(|| panic!("{text}"));
    // wrk prints these lines only when there is something to say.
    let failed = |line: &&str| line.contains("Socket errors") || line.contains("Non-2xx");
    Counted { requests, failures: text.lines().filter(failed).map(str::to_owned).collect() }
}

/// `(requests, time of the last)` that an instance said it served.
fn served(output: &str) -> (u64, u64) {
    let line = output.lines().find(|line| line.contains(" terminated, served "));
    let line = line.unwrap_or_else(|| panic!("no count in:\n{output}"));
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_version_at_full_speed_loses_nothing() {
    let Some(yard) = Yard::new("a_second_version_at_full_speed_loses_nothing").await else {
        return;
    };
    let said = yard.deployed("v1", &["--pull", "always"]).await;
    assert!(said.contains("prepared: pulled "), "{said}");
    let slow = tokio::spawn(get(yard.address(), "/slow?15000"));
    let load = wrk(&yard, 16, 18);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let said = yard.deployed("v2", &[]).await;
    assert!(said.contains("draining: "), "{said}");
    assert_eq!(slow.await.unwrap().unwrap(), (StatusCode::OK, "v1".to_owned()), "it finished");
    let load = tokio::task::spawn_blocking(|| counted(load)).await.unwrap();
    assert!(load.failures.is_empty(), "{load:?}");
    let drained = yard.at("drained");
    let old = yard.output("r1");
    let (old_count, old_last) = served(&old);
    assert!(old_last <= drained, "v1 got a request {} ms after it was drained", old_last - drained);
    serves(&yard, "v2").await;
    yard.stop().await;
    let (new_count, _) = served(&yard.output("r2"));
    let sum = old_count + new_count;
    // Beyond what wrk got an answer to: requests it had sent when it ended, and those of this test.
    assert!(
        (load.requests..load.requests + 64).contains(&sum),
        "{load:?}, {old_count}, {new_count}"
    );
    println!("{} requests: v1 {old_count}, v2 {new_count}, 0 failed", load.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn green_fails_in_every_way_and_blue_serves_on() {
    let Some(yard) = Yard::new("green_fails_in_every_way_and_blue_serves_on").await else { return };
    yard.deployed("blue", &[]).await;
    let load = Load::start(yard.address(), 2);
    let nowhere = format!("{}/nothing:1", yard.engine.registry);
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "never healthy",
            &["--env", "SICK=1", "--deadline-ms", "60000"],
            &[
                "/health\nlast answer: ",
                "503: model is loading; the container's own health check says unhealthy",
                "the container's health checks:\n  | ",
                "exit code 1: ",
                "the container's events: ",
                "last log lines:\n  | green listens on 8080",
                "r1 goes on serving; ",
            ],
        ),
        (
            "healthy for us but not for itself",
            &["--env", "UNHEALTHY=1", "--deadline-ms", "60000"],
            &["200: ok; the container's own health check says unhealthy"],
        ),
        (
            "too late",
            &["--env", "HEALTHY_AFTER_MS=60000", "--deadline-ms", "500"],
            &["was not healthy within ", "(0 of 2 probes in a row)", "goes on serving"],
        ),
        (
            "wrong",
            &["--env", "WRONG=1"],
            &["last probe: POST http://", "500: ValueError: no such column"],
        ),
        ("crashed", &["--env", "CRASH=1"], &["ended (exit code 1)", "model file not found"]),
        (
            "out of memory",
            &["--env", "EAT=200000000", "--memory", "20000000"],
            &["for want of memory: raise `memory`"],
        ),
        (
            "its disk is full",
            &["--env", "FILL=/tmp/all", "--memory", "60000000"],
            &["ended (exit code 1)", "cannot write /tmp/all: No space left on device"],
        ),
        (
            "its image may not be written to",
            &["--env", "FILL=/all"],
            &["ended (exit code 1)", "cannot write /all: Read-only file system"],
        ),
        ("no image here", &["--image", "nowhere:1", "--pull", "never"], &["not on this machine"]),
        (
            "no image there",
            &["--image", &nowhere, "--pull", "missing"],
            &["cannot pull image", "nothing:1", "hint: check the name"],
        ),
        (
            "no such network",
            &["--network", "nowhere"],
            &["cannot start image", "nowhere", "check image, network and limits"],
        ),
    ];
    for (case, arguments, expected) in cases {
        let (end, said) = yard.deploy("green", arguments).await;
        assert_eq!(end, End::Failed, "{case}:\n{said}");
        for part in *expected {
            assert!(said.contains(part), "{case}: {part:?} is missing in:\n{said}");
        }
        serves(&yard, "blue").await;
        assert_eq!(yard.containers().len(), 1, "after {case}: {:?}", yard.containers());
    }
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(seen.answers.len(), 1, "{:?}", seen.answers);
    yard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_release_that_fails_leaves_nothing() {
    let Some(yard) = Yard::new("a_first_release_that_fails_leaves_nothing").await else { return };
    let (end, said) = yard.deploy("green", &["--env", "CRASH=1"]).await;
    assert_eq!(end, End::Failed, "{said}");
    assert!(said.contains("nothing is serving; r1 was removed"), "{said}");
    assert_eq!((yard.containers().len(), yard.networks().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn green_turns_bad_after_the_switch() {
    let Some(yard) = Yard::new("green_turns_bad_after_the_switch").await else { return };
    yard.deployed("blue", &[]).await;
    let cases: &[(&str, &str, &str)] = &[
        ("its predictions fail", "FAIL_AFTER_MS=500", "requests got an error (0.0 % before)"),
        ("it dies", "DIE_AFTER_MS=500", "r1 serves again"),
        (
            "it finds itself unhealthy",
            "UNHEALTHY_AFTER_MS=500",
            "the container's own health check says unhealthy",
        ),
    ];
    for (case, env, reason) in cases {
        let load = Load::start(yard.address(), 2);
        let (end, said) = yard.deploy("green", &["--env", env, "--bake-ms", "60000"]).await;
        assert_eq!(end, End::Failed, "{case}:\n{said}");
        assert!(said.contains("turned bad after the switch"), "{case}:\n{said}");
        assert!(said.contains(reason), "{case}: {reason:?} is missing in:\n{said}");
        serves(&yard, "blue").await;
        let seen = load.finish().await;
        assert!(seen.answers.contains_key("green"), "{case}: it had taken over: {seen:?}");
        assert_eq!(yard.containers().len(), 1, "after {case}");
    }
    yard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployer_killed_at_every_step() {
    let Some(yard) = Yard::new("a_deployer_killed_at_every_step").await else { return };
    yard.deployed("first", &[]).await;
    let load = Load::start(yard.address(), 2);
    for (number, step) in STEPS.iter().enumerate() {
        let more =
            ["--die-at", *step, "--pull", if *step == "prepared" { "always" } else { "missing" }];
        let (end, said) = yard.deploy(&format!("lost{number}"), &more).await;
        assert_eq!(end, End::Killed, "at {step}:\n{said}");
        let (status, _) = get(yard.address(), "/").await.unwrap();
        assert_eq!(status, StatusCode::OK, "after a kill at {step}");
        // Every other time the next deployer is killed as well, so that leftovers pile up.
        if number % 2 == 0 {
            let name = format!("kept{number}");
            yard.deployed(&name, &[]).await;
            serves(&yard, &name).await;
            assert_eq!(yard.containers().len(), 1, "after {step}: {:?}", yard.containers());
        }
    }
    yard.deployed("last", &[]).await;
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert_eq!((yard.containers().len(), yard.networks().len()), (1, 1));
    yard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_restarted_in_the_middle() {
    let _alone = ENGINE_STAYS.write().await;
    let Some(yard) = Yard::alone("a_daemon_restarted_in_the_middle") else { return };
    yard.deployed("blue", &[]).await;
    let load = Load::start(yard.address(), 2);
    for (number, step) in ["starting", "started", "switched"].iter().enumerate() {
        let name = format!("green{number}");
        let mut deployer = yard.start(&name, &["--pause-at", step, "--deadline-ms", "10000"]);
        let stdout = deployer.stdout.take().unwrap();
        let (said, read) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            use std::io::BufRead as _;
            for line in std::io::BufReader::new(stdout).lines().map_while(Result::ok) {
                let _nobody_waits = said.send(line);
            }
        });
        let paused = format!("{step}: ");
        let start = Instant::now();
        loop {
            let line = tokio::task::block_in_place(|| read.recv_timeout(Duration::from_secs(30)));
            if line.unwrap().starts_with(&paused) {
                break;
            }
            assert!(start.elapsed() < Duration::from_mins(1));
        }
        // It goes on while the daemon is away, and waits for it.
        drop(deployer.stdin.take());
        tokio::task::block_in_place(|| yard.engine.restart());
        let (end, said) = Yard::wait(deployer).await;
        reader.join().unwrap();
        // Engines before 23 forget the health check of a container that was starting when they ended: it
        // then never counts as healthy. That is said, and the next deployment finishes the job.
        if end != End::Finished {
            let words = ["health check has not passed yet", "no answer within"];
            assert!(words.iter().any(|word| said.contains(word)), "{step}:\n{said}");
            assert!(said.contains("goes on serving"), "{step}:\n{said}");
            yard.deployed(&name, &[]).await;
        }
        serves(&yard, &name).await;
        assert_eq!(yard.containers().len(), 1, "after {step}: {:?}", yard.containers());
    }
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    yard.deployed("last", &[]).await;
    yard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_somebody_took_is_passed_over() {
    let test = "an_address_that_somebody_took_is_passed_over";
    let Some(yard) = Yard::new(test).await else { return };
    yard.deployed("blue", &[]).await;
    let networks = yard.networks();
    let network = networks[0].as_str();
    let format = "{{range .Containers}}{{.IPv4Address}}{{end}}";
    let given = yard.engine.docker(&["network", "inspect", network, "--format", format]);
    let blue: Ipv4Addr = given.trim().split('/').next().unwrap().parse().unwrap();
    let after = |number: u32| Ipv4Addr::from_bits(blue.to_bits() + number).to_string();
    // Green's turn would be the next.
    let next = after(1);
    let run = ["run", "-d", "--network", network, "--ip", next.as_str(), yard.image.as_str()];
    let stranger = yard.engine.docker(&[&run[..], &["backend", "--port", "8080"]].concat());
    let said = yard.deployed("green", &[]).await;
    assert!(said.contains(&format!("started r2 on {}:8080", after(2))), "{said}");
    serves(&yard, "green").await;
    yard.engine.docker(&["rm", "-f", stranger.trim()]);
    yard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deployers_at_once_take_turns() {
    let Some(yard) = Yard::new("two_deployers_at_once_take_turns").await else { return };
    yard.deployed("first", &[]).await;
    let (one, two) = (yard.start("one", &[]), yard.start("two", &[]));
    let ((end_one, said_one), (end_two, said_two)) = tokio::join!(Yard::wait(one), Yard::wait(two));
    assert_eq!((end_one, end_two), (End::Finished, End::Finished), "{said_one}\n{said_two}");
    let waited = |said: &str| said.contains("waiting: waiting for process ");
    assert!(waited(&said_one) || waited(&said_two), "{said_one}\n{said_two}");
    assert_eq!(yard.containers().len(), 1);
    yard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_processes_to_containers_on_the_hosts_network_and_back() {
    let test = "from_processes_to_containers_on_the_hosts_network_and_back";
    let Some(yard) = Yard::new(test).await else { return };
    yard.deployed("process", &["--process"]).await;
    let load = Load::start(yard.address(), 2);
    yard.deployed("host", &["--network", "host"]).await;
    serves(&yard, "host").await;
    assert_eq!((yard.containers().len(), yard.networks().len()), (1, 0));
    yard.deployed("own", &[]).await;
    serves(&yard, "own").await;
    yard.deployed("back", &["--process"]).await;
    serves(&yard, "back").await;
    assert_eq!(yard.containers().len(), 0);
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(seen.answers.len(), 4, "{:?}", seen.answers);
    yard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_or_removed_by_hand_is_started_again() {
    let test = "what_was_killed_or_removed_by_hand_is_started_again";
    let Some(yard) = Yard::new(test).await else { return };
    yard.deployed("v1", &[]).await;
    assert_eq!(yard.keep().await, "", "nothing is down");
    for by_hand in [&["kill"][..], &["rm", "-f"]] {
        let running = yard.containers().pop().unwrap();
        let name = running.split(' ').next().unwrap();
        yard.engine.docker(&[by_hand, &[name]].concat());
        let said = yard.keep().await;
        assert!(said.contains("revived: started r1 again on "), "{said}");
        serves(&yard, "v1").await;
        let [container] = &yard.containers()[..] else { panic!("{:?}", yard.containers()) };
        assert!(container.ends_with(" running"), "{container}");
    }
    yard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_containers_serve_one_release() {
    let Some(yard) = Yard::new("two_containers_serve_one_release").await else { return };
    // Each has an address of its own in the network, or a port of the host's.
    for (network, release) in [("own", 1), ("host", 2)] {
        let name = format!("v{release}");
        yard.deployed(&name, &["--replicas", "2", "--network", network]).await;
        let mut containers = yard.containers();
        containers.sort();
        let [first, second] = containers.as_slice() else { panic!("{containers:?}") };
        assert!(first.ends_with(&format!("-r{release} running")), "{containers:?}");
        assert!(second.ends_with(&format!("-r{release}.2 running")), "{containers:?}");
        for _ in 0..4 {
            serves(&yard, &name).await;
        }
    }
    yard.stop().await;
    for id in ["r2", "r2.2"] {
        let (count, _) = served(&yard.output(id));
        // Beside the two predictions of the deployer.
        assert!(count > 2, "{id} got nothing from the gateway");
    }
}
