//! What should serve serves again, whatever became of it, where it did and as it was released; and nobody who changes
//! the service is disturbed.

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use http::StatusCode;
use rustix::process::Signal;
use serde_json::Value;
use trainyard_deploy::{Condition, Ills, Keeper, Standing, status, stop, tidy};
use trainyard_testkit::KillOnDrop;

use crate::client::{Load, get};
use crate::stage::{Stage, part, signal};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Whatever is waited for has happened by then, on a slow machine too.
const LIMIT: Duration = Duration::from_mins(2);

fn ills(standing: &Standing) -> Ills {
    let posts = standing.instances.iter().filter(|post| post.condition.cause().is_some());
    Ills {
        gateway: standing.gateway.cause().map(|_| standing.gateway.clone()),
        instances: posts.cloned().collect(),
    }
}

/// Starts again what is down, until all is well.
pub(crate) async fn heal(keeper: &mut Keeper) {
    let start = Instant::now();
    loop {
        let standing = keeper.look().await.unwrap();
        assert!(start.elapsed() < LIMIT, "it is not well: {standing:?}");
        assert!(standing.current.is_some(), "something should serve: {standing:?}");
        let down = ills(&standing);
        let is_well = |condition: &Condition| *condition == Condition::Well;
        if !down.is_empty() {
            let revived = keeper.revive(&down, &|_event| {}).await.unwrap();
            let failures = revived.map(|revived| revived.failures).unwrap_or_default();
            assert!(failures.is_empty(), "{failures:?}");
        } else if is_well(&standing.gateway)
            && standing.instances.iter().all(|post| is_well(&post.condition))
        {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The only instance.
fn backend(stage: &Stage) -> i32 {
    let [backend] = stage.backends()[..] else { panic!("{:?}", stage.processes()) };
    backend
}

fn gateway(stage: &Stage) -> i32 {
    let [gateway] = stage.gateways()[..] else { panic!("{:?}", stage.processes()) };
    gateway
}

async fn address(stage: &Stage) -> SocketAddr {
    status(&stage.service).await.unwrap().instances[0].address.unwrap()
}

async fn serves(stage: &Stage, name: &str) {
    assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, name.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_serves_again_where_it_did() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let home = address(&stage).await;
    let load = Load::start(stage.address(), 2);
    let mut keeper = Keeper::new(stage.service.clone());
    heal(&mut keeper).await;
    let adopted = backend(&stage);
    for _ in 0..2 {
        stage.kill(backend(&stage)).await;
        heal(&mut keeper).await;
        serves(&stage, "blue").await;
    }
    assert_ne!(backend(&stage), adopted);
    let restarts = std::fs::read(stage.root().join("instances/r1/restarts.json")).unwrap();
    let restarts: Value = serde_json::from_slice(&restarts).unwrap();
    assert_eq!(restarts["count"], 2, "{restarts}");
    assert!(restarts["last_cause"].as_str().unwrap().starts_with("signal 9"), "{restarts}");

    let alive = backend(&stage);
    stage.kill(gateway(&stage)).await;
    heal(&mut keeper).await;
    serves(&stage, "blue").await;
    assert_eq!(backend(&stage), alive, "what lives is left alone");

    // A reboot: nothing lives, and whoever keeps it up knows only what is on the disk.
    drop(keeper);
    stage.kill(gateway(&stage)).await;
    stage.kill(backend(&stage)).await;
    heal(&mut Keeper::new(stage.service.clone())).await;
    serves(&stage, "blue").await;
    assert_eq!(address(&stage).await, home, "it is where it was");
    let seen = load.finish().await;
    assert_eq!(seen.answers.keys().collect::<Vec<_>>(), ["blue"], "no other answer");
    assert_eq!((stage.backends().len(), stage.gateways().len()), (1, 1));

    // What is stopped on purpose stays so.
    stop(&stage.service, &|_event| {}).await.unwrap();
    let standing = Keeper::new(stage.service.clone()).look().await.unwrap();
    assert_eq!((standing.current.as_deref(), standing.outage()), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_is_replaced() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut keeper = Keeper::new(stage.service.clone());
    heal(&mut keeper).await;
    let stopped = backend(&stage);
    signal(stopped, Signal::STOP);
    let start = Instant::now();
    while backend(&stage) == stopped {
        assert!(start.elapsed() < LIMIT, "{:?}", stage.processes());
        heal_or_wait(&mut keeper).await;
    }
    heal(&mut keeper).await;
    serves(&stage, "blue").await;
    // Nobody has looked at it before it was stopped.
    let mut keeper = Keeper::new(stage.service.clone());
    let stopped = gateway(&stage);
    signal(stopped, Signal::STOP);
    let start = Instant::now();
    while stage.gateways().contains(&stopped) {
        assert!(start.elapsed() < LIMIT, "{:?}", stage.processes());
        heal_or_wait(&mut keeper).await;
    }
    heal(&mut keeper).await;
    serves(&stage, "blue").await;
    assert_eq!((stage.backends().len(), stage.gateways().len()), (1, 1));
}

/// One look, and what follows from it.
async fn heal_or_wait(keeper: &mut Keeper) {
    let down = ills(&keeper.look().await.unwrap());
    if !down.is_empty() {
        let revived = keeper.revive(&down, &|_event| {}).await.unwrap().unwrap();
        assert!(revived.failures.is_empty(), "{revived:?}");
    }
    tokio::time::sleep(LOOK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_its_address_was_taken_it_is_found_at_another() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let home = address(&stage).await;
    stage.kill(backend(&stage)).await;
    let _taken = TcpListener::bind(home).unwrap();
    let mut keeper = Keeper::new(stage.service.clone());
    heal(&mut keeper).await;
    assert_ne!(address(&stage).await, home);
    serves(&stage, "blue").await;
    // The next gateway knows as well.
    stage.kill(gateway(&stage)).await;
    heal(&mut keeper).await;
    serves(&stage, "blue").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_the_service_is_left_alone() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let blue = backend(&stage);
    let mut keeper = Keeper::new(stage.service.clone());
    heal(&mut keeper).await;
    let mut deployer = KillOnDrop::spawn(
        Command::new(part())
            .args(["release", "--name", "green", "--pause-at", "started", "--state-dir"])
            .arg(&stage.service.state_dir)
            .args(["--listen", &stage.address().to_string(), "--alias"])
            .arg(stage.alias().0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null()),
    );
    let start = Instant::now();
    while stage.backends().len() < 2 {
        assert!(start.elapsed() < LIMIT, "{:?}", stage.processes());
        tokio::time::sleep(LOOK).await;
    }
    stage.kill(blue).await;
    let down = ills(&keeper.look().await.unwrap());
    assert_eq!(down.instances.len(), 1, "{down:?}");
    let revived = keeper.revive(&down, &|_event| {}).await.unwrap();
    assert!(revived.is_none(), "a release goes on: {revived:?}");
    assert_eq!(stage.backends().len(), 1, "that of the release");
    // It is over, in the worst way.
    deployer.kill();
    heal(&mut keeper).await;
    serves(&stage, "blue").await;
    assert_eq!(stage.backends().len(), 2, "{:?}", stage.processes());
    assert!(tidy(&stage.service, &|_event| {}).await.unwrap());
    assert_eq!(stage.backends().len(), 1, "{:?}", stage.processes());
    serves(&stage, "blue").await;
    assert!(!tidy(&stage.service, &|_event| {}).await.unwrap(), "nothing is left");
}
