//! A release of several instances: what each of them gets, and what becomes of requests when one fails.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use http::{Method, StatusCode};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trainyard_base::Advise as _;
use trainyard_deploy::{
    Error, Health, InstanceReport, ReleaseSpec, Role, State, history, status, stop,
};
use trainyard_testkit::KillOnDrop;

use crate::client::{Load, ask, connect, get, request, text};
use crate::stage::{Stage, in_time, part, signal};

fn several(name: &str, replicas: u32) -> ReleaseSpec {
    ReleaseSpec { replicas, ..Stage::spec(name) }
}

async fn instances(stage: &Stage) -> Vec<InstanceReport> {
    status(&stage.service).await.unwrap().instances
}

async fn pid(stage: &Stage, id: &str) -> i32 {
    let all = instances(stage).await;
    let one = all.iter().find(|one| one.id == id).unwrap_or_else(|| panic!("no {id} in {all:?}"));
    one.handle.as_ref().unwrap().parse().unwrap()
}

/// Requests that an instance of the current release was sent.
async fn sent(stage: &Stage, id: &str) -> u64 {
    stage.metric(&sent_to(id)).await
}

fn sent_to(id: &str) -> String {
    format!("trainyard_gateway_target_requests_total{{id=\"{id}\",role=\"current\"}}")
}

/// Waits until the gateway keeps requests from these instances and no others.
async fn wait_ejected(stage: &Stage, ids: &[&str]) {
    let so = async {
        loop {
            let gateway = status(&stage.service).await.unwrap().gateway.unwrap();
            if gateway.ejected == ids {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time(&format!("{ids:?} ejected"), so).await;
}

async fn ids(stage: &Stage) -> Vec<String> {
    let all = instances(stage).await;
    for one in &all {
        assert_eq!(
            (one.role, one.health.as_ref()),
            (Role::Current, Some(&Health::Well)),
            "{one:?}"
        );
    }
    all.into_iter().map(|one| one.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn they_share_requests_and_are_replaced_as_one() {
    let stage = Stage::new();
    let error = stage.release(&several("blue", 33)).await.unwrap_err();
    assert!(matches!(error, Error::Replicas { wanted: 33 }), "{error}");
    assert!(error.with_hint().contains("from 1 to 32"), "{}", error.with_hint());
    assert_eq!(stage.processes(), []);
    stage.release(&several("blue", 3)).await.unwrap();
    assert_eq!(ids(&stage).await, ["r1", "r1.2", "r1.3"]);
    assert_eq!(stage.backends().len(), 3);

    // One that takes its time gets nothing as long as the others have nothing to do.
    let slow = tokio::spawn(get(stage.address(), "/slow?600000"));
    stage.wait_in_flight(1).await;
    let mut sender = connect(stage.address()).await.unwrap();
    for _ in 0..30 {
        sender.ready().await.unwrap();
        let asked = sender.send_request(request(Method::POST, "/predict", "[1]")).await.unwrap();
        assert_eq!(text(asked).await.unwrap(), (StatusCode::OK, "blue".to_owned()));
    }
    let mut counts =
        [sent(&stage, "r1").await, sent(&stage, "r1.2").await, sent(&stage, "r1.3").await];
    counts.sort_unstable();
    assert_eq!((counts[0], counts.iter().sum::<u64>()), (1, 31), "{counts:?}");
    assert!(counts[1] >= 5, "by turns: {counts:?}");
    slow.abort();

    let load = Load::start(stage.address(), 6);
    stage.release(&several("green", 2)).await.unwrap();
    assert_eq!(ids(&stage).await, ["r2", "r2.2"]);
    assert_eq!(stage.backends().len(), 2);
    stage.release(&Stage::spec("one")).await.unwrap();
    assert_eq!(ids(&stage).await, ["r3"]);
    // As it was then, with as many instances.
    stage.rollback(None).await.unwrap();
    assert_eq!(ids(&stage).await, ["r4", "r4.2"]);
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    for id in ["r4", "r4.2"] {
        let log = stage.root().join("instances").join(id).join("output.log");
        let said = std::fs::read_to_string(log).unwrap();
        assert!(said.starts_with("green listens on "), "{id}: {said}");
    }
    stop(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(stage.processes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_dies_loses_what_it_had_and_no_more() {
    let stage = Stage::new();
    stage.release(&several("blue", 3)).await.unwrap();
    // It stays with the instance that it came to.
    let held = "trainyard_gateway_target_in_flight{id=\"r1\",role=\"current\"}";
    let mut heard = Vec::new();
    let mut tunnel = loop {
        let mut tunnel = TcpStream::connect(stage.address()).await.unwrap();
        let head = b"GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        tunnel.write_all(head).await.unwrap();
        heard.clear();
        while !heard.ends_with(b"\r\n\r\n") {
            assert!(tunnel.read_buf(&mut heard).await.unwrap() > 0, "{heard:?}");
        }
        assert!(heard.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&heard));
        // Looks at their health take turns, too: which one is next is not known.
        if stage.metric(held).await == 1 {
            break tunnel;
        }
    };

    let clients = 6;
    let load = Load::start(stage.address(), clients);
    stage.wait_metric(&sent_to("r1.2"), 20).await;
    let port = instances(&stage).await[1].address.unwrap().port();
    stage.kill(pid(&stage, "r1.2").await).await;
    wait_ejected(&stage, &["r1.2"]).await;
    let ejected = "trainyard_gateway_upstream_ejected{id=\"r1.2\",role=\"current\"}";
    assert_eq!(stage.metric(ejected).await, 1);
    // The others serve, so the release does, though not all of it.
    assert_eq!(status(&stage.service).await.unwrap().state(), State::Degraded);
    let before = sent(&stage, "r1").await;
    stage.wait_metric(&sent_to("r1"), before + 50).await;

    // Whoever brings it back: when it answers again it gets its share.
    let again = KillOnDrop::spawn(
        Command::new(part())
            .args(["backend", "--port", &port.to_string()])
            .env("NAME", "blue")
            .stdout(Stdio::null()),
    );
    wait_ejected(&stage, &[]).await;
    let before = sent(&stage, "r1.2").await;
    stage.wait_metric(&sent_to("r1.2"), before + 20).await;
    let seen = load.finish().await;
    assert!(seen.failures.len() <= clients, "{:?}", seen.failures);
    assert!(seen.failures.iter().all(|failure| failure.starts_with("502")), "{:?}", seen.failures);
    heard.clear();
    tunnel.write_all(b"still here").await.unwrap();
    while heard != b"still here" {
        assert!(tunnel.read_buf(&mut heard).await.unwrap() > 0, "{heard:?}");
    }

    drop(again);
    for id in ["r1", "r1.3"] {
        stage.kill(pid(&stage, id).await).await;
    }
    let mut sender = connect(stage.address()).await.unwrap();
    let answer = sender.send_request(request(Method::POST, "/predict", "[1]")).await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "2");
    let (code, body) = text(answer).await.unwrap();
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert_eq!(status(&stage.service).await.unwrap().state(), State::Down);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_silent_holds_no_request_for_long() {
    let stage = Stage::new();
    stage.release(&several("blue", 2)).await.unwrap();
    // Each has one.
    let held = || tokio::spawn(ask(stage.address(), Method::POST, "/slow?600000", "[1]"));
    let (mut one, mut other) = (held(), held());
    stage.wait_in_flight(2).await;
    assert_eq!((sent(&stage, "r1").await, sent(&stage, "r1.2").await), (1, 1));
    let stopped = pid(&stage, "r1.2").await;
    signal(stopped, Signal::STOP);
    let given_up = tokio::select! {
        answer = &mut one => answer,
        answer = &mut other => answer,
    };
    let (code, body) = given_up.unwrap().unwrap();
    assert_eq!(code, StatusCode::GATEWAY_TIMEOUT, "{body}");
    assert!(body.contains("does not respond"), "{body}");
    wait_ejected(&stage, &["r1.2"]).await;
    for _ in 0..10 {
        let answer = ask(stage.address(), Method::POST, "/predict", "[1]").await;
        assert_eq!(answer.unwrap(), (StatusCode::OK, "blue".to_owned()));
    }
    signal(stopped, Signal::CONT);
    wait_ejected(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_kills_takes_two_of_them_at_most() {
    let stage = Stage::new();
    let mut spec = several("frail", 3);
    spec.env.push(("DIE_AFTER_MS".to_owned(), "0".to_owned()));
    stage.release(&spec).await.unwrap();
    let (code, body) = get(stage.address(), "/").await.unwrap();
    assert_eq!(code, StatusCode::BAD_GATEWAY, "{body}");
    assert_eq!(stage.backends().len(), 1, "{:?}", stage.processes());
    // One that may have been done is not asked of another at all.
    let answer = ask(stage.address(), Method::POST, "/predict", "[1]").await;
    assert_eq!(answer.unwrap().0, StatusCode::BAD_GATEWAY);
    assert!(stage.backends().is_empty(), "{:?}", stage.processes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_which_one_dies_while_it_is_judged_goes_back() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut green = several("green", 2);
    green.bake = Duration::from_mins(10);
    let killer = async {
        stage.wait_step("switched").await;
        stage.kill(pid(&stage, "r2.2").await).await;
    };
    stage.take_events();
    let (released, ()) = tokio::join!(stage.release(&green), killer);
    let Err(Error::WentBack { green, blue, reason, .. }) = released else { panic!("{released:?}") };
    assert_eq!((green.as_str(), blue.as_str()), ("r2", "r1"));
    assert_eq!(reason, "r2.2 ended (signal 9)");
    assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, "blue".to_owned()));
    assert_eq!(ids(&stage).await, ["r1"]);
    assert_eq!(stage.backends().len(), 1);

    // All of them must be well before any gets a request.
    let mut green = several("green", 2);
    green.env.push(("CRASH_AT".to_owned(), "r3.2".to_owned()));
    let error = stage.release(&green).await.unwrap_err().to_string();
    assert!(error.starts_with("r3.2 ended (exit code 1)"), "{error}");
    assert_eq!(history(&stage.service).unwrap().len(), 3);
    assert_eq!(stage.backends().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployer_that_is_killed_between_them_leaves_nothing() {
    let stage = Stage::new();
    let deployer = |name: &str, die_at: &str| {
        let mut command = Command::new(part());
        command
            .args(["release", "--name", name, "--replicas", "3", "--die-at", die_at, "--state-dir"])
            .arg(&stage.service.state_dir)
            .args(["--listen", &stage.address().to_string(), "--alias"])
            .arg(stage.alias().0)
            .stdout(Stdio::null());
        tokio::task::block_in_place(|| command.status()).unwrap()
    };
    assert!(deployer("first", "nothing").success());
    for (die_at, running) in [("started:2", 5), ("switched", 6), ("drained", 6)] {
        assert_eq!(deployer("lost", die_at).signal(), Some(9), "{die_at}");
        assert_eq!(stage.backends().len(), running, "{die_at}");
        assert!(deployer("next", "nothing").success(), "after {die_at}");
        assert_eq!(get(stage.address(), "/").await.unwrap().1, "next");
        assert_eq!(stage.backends().len(), 3, "after {die_at}: {:?}", stage.processes());
    }
}
