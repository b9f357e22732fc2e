//! A deployer that is killed at each of its steps: clients notice nothing, and the next one tidies up.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use http::StatusCode;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use trainyard_testkit::KillOnDrop;

use crate::client::{Load, get};
use crate::stage::{Stage, part};

/// The steps of a release that replaces another.
const STEPS: &[&str] = &[
    "locked",
    "gateway-ready",
    "starting",
    "started",
    "probed",
    "healthy",
    "predicted",
    "reviewed",
    "switched",
    "committing",
    "committed",
    "drained",
    "stopped",
    "finished",
];

fn command(stage: &Stage, name: &str) -> Command {
    let mut command = Command::new(part());
    command
        .args(["release", "--name", name, "--state-dir"])
        .arg(&stage.service.state_dir)
        .args(["--listen", &stage.address().to_string()])
        .arg("--alias")
        .arg(stage.alias().0)
        .stderr(Stdio::inherit());
    command
}

/// How a deployer ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Finished,
    Killed,
    Failed,
}

/// Runs a deployer to its end; how it ended, and the steps it told.
fn deployer(stage: &Stage, name: &str, die_at: Option<&str>) -> (End, String) {
    let mut command = command(stage, name);
    if let Some(step) = die_at {
        command.args(["--die-at", step]);
    }
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    let end = match output.status {
        status if status.success() => End::Finished,
        status if status.signal() == Some(9) => End::Killed,
        _ => End::Failed,
    };
    (end, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A deployer that is not killed: it must finish, serve, be known as what serves, and leave nothing behind.
async fn tidies_up(stage: &Stage, name: &str, after: &str) {
    let (end, told) = deployer(stage, name, None);
    assert_eq!(end, End::Finished, "after {after}:\n{told}");
    assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, name.to_owned()));
    assert_eq!(stage.alias().read(), name, "after {after}");
    assert_eq!(stage.backends().len(), 1, "after {after}: {:?}", stage.processes());
    assert_eq!(stage.gateways().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step() {
    let stage = Stage::new();
    tidies_up(&stage, "first", "nothing").await;
    let load = Load::start(stage.address(), 4);
    for (number, step) in STEPS.iter().enumerate() {
        let (end, told) = deployer(&stage, &format!("lost{number}"), Some(step));
        assert_eq!(end, End::Killed, "at {step}:\n{told}");
        let (status, _) = get(stage.address(), "/").await.unwrap();
        assert_eq!(status, StatusCode::OK, "after a kill at {step}");
        // Every other time the next deployer is killed as well, so that leftovers pile up.
        if number % 2 == 0 {
            tidies_up(&stage, &format!("kept{number}"), &format!("a kill at {step}")).await;
        }
    }
    tidies_up(&stage, "last", "all kills").await;
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    println!("{} answers, 0 failures", seen.answers.values().sum::<usize>());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment() {
    let stage = Stage::new();
    tidies_up(&stage, "first", "nothing").await;
    let load = Load::start(stage.address(), 2);
    let mut rng = StdRng::seed_from_u64(7);
    for number in 0..12 {
        let wait = Duration::from_millis(rng.random_range(0..700));
        let mut child = KillOnDrop::spawn(command(&stage, "lost").stdout(Stdio::null()));
        tokio::time::sleep(wait).await;
        tokio::task::block_in_place(|| child.kill());
        if number % 3 == 2 {
            tidies_up(&stage, &format!("kept{number}"), &format!("a kill at {wait:?}")).await;
        }
    }
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_the_first_release() {
    for step in STEPS {
        let stage = Stage::new();
        let (end, told) = deployer(&stage, "lost", Some(step));
        let expected =
            if *step == "drained" || *step == "stopped" { End::Finished } else { End::Killed };
        assert_eq!(end, expected, "at {step}:\n{told}");
        tidies_up(&stage, "kept", &format!("a kill at {step}")).await;
    }
}
