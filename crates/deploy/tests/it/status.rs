//! What `status` says when parts of a service are killed, stopped or gone, and what `logs` tells meanwhile.

use std::time::Duration;

use http::{Method, StatusCode};
use rustix::process::Signal;
use tokio::sync::mpsc;
use trainyard_deploy::{
    Error, LogLine, LogOf, LogOptions, Outcome, Role, ServiceStatus, State, Wanted, history, logs,
    status, stop,
};

use crate::client::{ask, get};
use crate::stage::{Stage, signal};

async fn now(stage: &Stage) -> ServiceStatus {
    status(&stage.service).await.unwrap()
}

fn outage(status: &ServiceStatus) -> (State, String) {
    (status.state(), status.outage().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_should_serve_and_does_not_is_told() {
    let stage = Stage::new();
    let mut spec = Stage::spec("blue");
    spec.replicas = 2;
    spec.prediction = None;
    spec.env.push(("WRONG".to_owned(), "1".to_owned()));
    stage.release(&spec).await.unwrap();

    // While all is well.
    for _ in 0..10 {
        assert_eq!(get(stage.address(), "/").await.unwrap().0, StatusCode::OK);
    }
    assert_eq!(get(stage.address(), "/teapot").await.unwrap().0, StatusCode::IM_A_TEAPOT);
    for _ in 0..2 {
        let (code, _) = ask(stage.address(), Method::POST, "/predict", "[1]").await.unwrap();
        assert_eq!(code, StatusCode::INTERNAL_SERVER_ERROR);
    }
    let seen = now(&stage).await;
    assert_eq!(outage(&seen), (State::Serving, String::new()));
    let gateway = seen.gateway.as_ref().unwrap();
    let all = gateway.lately;
    assert_eq!(
        (all.requests, all.client_faults, all.gateway_faults, all.instance_faults),
        (13, 1, 0, 2),
        "{all:?}"
    );
    assert_eq!(all.by_class, [0, 10, 0, 1, 2]);
    assert!(all.p50_us.is_some() && all.p99_us >= all.p50_us, "{all:?}");
    let ids: Vec<&str> = seen.instances.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["r1", "r1.2"]);
    let sum: u64 = seen.instances.iter().map(|one| one.lately.unwrap().requests).sum();
    assert_eq!(sum, 13, "{:?}", gateway.instances);
    for one in &seen.instances {
        assert_eq!((one.role, one.running, one.restarts.count), (Role::Current, true, 0));
        assert!(one.memory_bytes.unwrap() > 1 << 20, "{one:?}");
        assert!(one.up_ms.unwrap() < 60 * 60 * 1000, "{one:?}");
        assert_eq!((one.label["version"].as_str(), &one.said), ("blue", &None));
    }
    assert_eq!((seen.wanted, seen.supervisor), (Wanted::Serving, None));

    // One of two.
    let pid = |seen: &ServiceStatus, place: usize| -> i32 {
        seen.instances[place].handle.as_ref().unwrap().parse().unwrap()
    };
    let seen = now(&stage).await;
    stage.kill(pid(&seen, 1)).await;
    let (state, told) = outage(&now(&stage).await);
    assert_eq!(state, State::Degraded);
    assert!(told.starts_with("1 of 2 instances do not serve: r1.2 has stopped"), "{told}");
    stage.kill(pid(&seen, 0)).await;
    let (state, told) = outage(&now(&stage).await);
    assert_eq!(state, State::Down);
    assert!(told.starts_with("none of the 2 instances of r1 does: r1 has stopped"), "{told}");

    // The gateway hangs, and is gone.
    let [gateway] = stage.gateways()[..] else { panic!("{:?}", stage.processes()) };
    signal(gateway, Signal::STOP);
    let seen = now(&stage).await;
    signal(gateway, Signal::CONT);
    let (state, told) = outage(&seen);
    assert!(state == State::Down && told.starts_with("the gateway does not answer"), "{told}");
    assert_eq!(seen.instances.len(), 2, "what is on the disk is told all the same");
    stage.kill(gateway).await;
    assert_eq!(outage(&now(&stage).await), (State::Down, "the gateway does not run".to_owned()));

    // Even where nothing says any more where requests went.
    std::fs::remove_file(stage.root().join("gateway.json")).unwrap();
    assert_eq!(
        outage(&now(&stage).await),
        (State::Down, "what was released is gone, and so is the gateway".to_owned())
    );

    // On purpose it is no outage.
    stop(&stage.service, &|_| {}).await.unwrap();
    let seen = now(&stage).await;
    assert_eq!((outage(&seen), seen.wanted), ((State::Stopped, String::new()), Wanted::Stopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_followed_to_what_serves_next_and_killed_releases_are_in_the_history() {
    let stage = Stage::new();
    let said = |of: &LogLine| format!("{}: {}", of.of, of.text.split(' ').next().unwrap());
    let untold = LogOptions { of: vec![LogOf::Gateway], ..LogOptions::default() };
    let error = logs(&stage.service, &untold, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::NotDeployed { .. }), "{error}");
    stage.release(&Stage::spec("one")).await.unwrap();

    let (tell, mut told) = mpsc::unbounded_channel();
    let following = tokio::spawn({
        let service = stage.service.clone();
        async move {
            let options = LogOptions { follow: true, lines: Some(9), ..LogOptions::default() };
            let mut tell = |line: LogLine| tell.send(line).unwrap();
            logs(&service, &options, &mut tell).await
        }
    });
    assert_eq!(said(&told.recv().await.unwrap()), "r1: one");

    // Its deployer dies before requests go to it.
    let mut slow = Stage::spec("two");
    slow.env.push(("HEALTHY_AFTER_MS".to_owned(), "3600000".to_owned()));
    stage.take_events();
    tokio::select! {
        ended = stage.release(&slow) => panic!("{ended:?}"),
        () = stage.wait_step("started") => {}
    }
    assert_eq!(history(&stage.service).unwrap().len(), 1, "nobody could write it down");
    stage.release(&Stage::spec("three")).await.unwrap();
    let entries = history(&stage.service).unwrap();
    let ended: Vec<(&str, &Outcome)> =
        entries.iter().map(|entry| (entry.id.as_str(), &entry.outcome)).collect();
    assert_eq!(
        ended,
        [("r1", &Outcome::Released), ("r2", &Outcome::Interrupted), ("r3", &Outcome::Released)]
    );
    assert_eq!(entries[1].label["version"], "two");
    stage.release(&Stage::spec("four")).await.unwrap();
    assert_eq!(history(&stage.service).unwrap().len(), 4, "it is written once");

    // What serves now is told as well, from its first line on.
    let mut all = String::new();
    while !all.contains("r4: four") {
        let line = tokio::time::timeout(Duration::from_mins(1), told.recv()).await;
        all.push_str(&said(&line.unwrap().unwrap()));
    }
    assert!(!all.contains("r2"), "it never served: {all}");
    following.abort();

    // By name, also of what is long gone; and never by a path.
    let mut lines = Vec::new();
    let of = vec!["r1".parse().unwrap(), "r4".parse().unwrap()];
    let options = LogOptions { of, lines: Some(1), ..LogOptions::default() };
    logs(&stage.service, &options, &mut |line| lines.push(line)).await.unwrap();
    let lines: Vec<String> = lines.iter().map(|line| line.of.clone()).collect();
    assert_eq!(lines, ["r1", "r4"]);
    for id in ["r9", "../r1", "supervisor"] {
        let options = LogOptions { of: vec![id.parse().unwrap()], ..LogOptions::default() };
        let error = logs(&stage.service, &options, &mut |_| {}).await.unwrap_err();
        assert!(matches!(error, Error::NoLog { .. }), "{id}: {error}");
    }
}
