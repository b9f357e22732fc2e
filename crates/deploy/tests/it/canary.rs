//! Some users get a new version before all do.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use trainyard_deploy::{Error, status, upgrade};

use crate::client::{Load, connect, get, predict_on, text};
use crate::stage::{Stage, part, signal};

/// Who answers some users, each asked once.
async fn sides(stage: &Stage) -> Vec<String> {
    let mut answers = Vec::new();
    for user in 0..40 {
        let mut sender = connect(stage.address()).await.unwrap();
        let request = Request::get("/")
            .header("host", "model.example")
            .header("x-user-id", user)
            .body(Full::new(Bytes::new()))
            .unwrap();
        let (status, name) = text(sender.send_request(request).await.unwrap()).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        answers.push(name);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_stays_on_its_side_through_a_change_of_the_gateway() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut green = Stage::spec("green");
    green.canary = vec!["50% 10m".parse().unwrap()];
    green.canary_header = Some("X-User-Id".to_owned());
    let first = tokio::select! {
        released = stage.release(&green) => panic!("the canary ended: {released:?}"),
        sides = async {
            while status(&stage.service).await.unwrap().gateway.unwrap().route.candidate.is_none() {
                tokio::task::yield_now().await;
            }
            sides(&stage).await
        } => sides,
    };
    let of_green = first.iter().filter(|name| *name == "green").count();
    assert!((5..=35).contains(&of_green), "{first:?}");
    assert_eq!(sides(&stage).await, first);
    // Nobody knows who asks without the header.
    for _ in 0..10 {
        assert_eq!(get(stage.address(), "/").await.unwrap().1, "blue");
    }
    // The deployer is gone, and another program may become the gateway meanwhile.
    upgrade(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(sides(&stage).await, first);
    let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
    assert_eq!(route.candidate.unwrap().target.id, "r2");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_canary_that_fails_are_answered_and_it_ends() {
    let stage = Stage::new();
    stage.release(&Stage::classifier("blue", "yes,no")).await.unwrap();
    let mut green = Stage::classifier("green", "yes,no");
    green.canary = vec!["50% 10m".parse().unwrap()];
    green.env.push(("FAIL_AFTER_MS".to_owned(), "0".to_owned()));
    let seen = Mutex::new(BTreeMap::new());
    let released = tokio::select! {
        released = stage.release(&green) => released,
        () = predict_on(stage.address(), &seen) => unreachable!(),
    };
    let Err(Error::Dropped(dropped)) = released else { panic!("{released:?}") };
    assert!(dropped.reason.starts_with("as a canary of 50 %: "), "{dropped}");
    assert!(dropped.reason.contains("requests of the canary got an error"), "{dropped}");
    let seen = seen.into_inner().unwrap();
    assert!(seen.keys().all(|answer| answer.starts_with("200 ")), "{seen:?}");
    let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
    assert_eq!((route.current.unwrap().id.as_str(), route.candidate), ("r1", None));
    assert_eq!(stage.backends().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_killed_ends_at_once() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut green = Stage::spec("green");
    green.canary = vec!["50% 10m".parse().unwrap()];
    green.env.push(("DIE_AFTER_MS".to_owned(), "100".to_owned()));
    let load = Load::start(stage.address(), 2);
    let Err(Error::Dropped(_)) = stage.release(&green).await else { panic!() };
    // A verdict like that of a bake.
    let bad = std::fs::read_to_string(stage.alias().0.with_extension("bad"));
    assert_eq!(bad.unwrap(), "green");
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert!(seen.answers["blue"] > 0 && seen.answers["green"] > 0, "{:?}", seen.answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_canary_that_hangs_are_answered() {
    let stage = Stage::new();
    stage.release(&Stage::classifier("blue", "yes,no")).await.unwrap();
    let blue = stage.backends();
    let mut green = Stage::classifier("green", "yes,no");
    green.canary = vec!["50% 10m".parse().unwrap()];
    // It does not hear that it is to end.
    green.stop_grace = Duration::from_millis(100);
    let seen = Mutex::new(BTreeMap::new());
    let users = async {
        while status(&stage.service).await.unwrap().gateway.unwrap().route.candidate.is_none() {
            tokio::task::yield_now().await;
        }
        for pid in stage.backends() {
            if !blue.contains(&pid) {
                signal(pid, rustix::process::Signal::STOP);
            }
        }
        predict_on(stage.address(), &seen).await;
    };
    let released = tokio::select! {
        released = stage.release(&green) => released,
        () = users => unreachable!(),
    };
    let Err(Error::Dropped(_)) = released else { panic!("{released:?}") };
    let seen = seen.into_inner().unwrap();
    assert!(seen.keys().all(|answer| answer.starts_with("200 ")), "{seen:?}");
}

/// Runs a deployer with all the steps that come before the switch; whether it was killed at one.
fn deployer(stage: &Stage, name: &str, die_at: Option<&str>) -> bool {
    let mut command = Command::new(part());
    command
        .args(["release", "--name", name, "--shadow-ms", "50", "--canary", "50% 200ms"])
        .arg("--state-dir")
        .arg(&stage.service.state_dir)
        .args(["--listen", &stage.address().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    if let Some(step) = die_at {
        command.args(["--die-at", step]);
    }
    let ended = tokio::task::block_in_place(|| command.status()).unwrap();
    assert!(ended.success() || ended.signal() == Some(9), "{ended:?}");
    !ended.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployer_that_is_killed_leaves_nothing() {
    let stage = Stage::new();
    assert!(!deployer(&stage, "first", None));
    let load = Load::start(stage.address(), 4);
    for step in ["shadowing", "shadowed", "canary", "canary-stepped"] {
        assert!(deployer(&stage, &format!("lost at {step}"), Some(step)), "{step}");
    }
    // With its candidate still in the gateway.
    let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
    assert!(route.candidate.is_some());
    assert!(!deployer(&stage, "last", None));
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
    assert_eq!(route.candidate, None);
    assert_eq!(stage.backends().len(), 1);
    assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, "last".to_owned()));
}
