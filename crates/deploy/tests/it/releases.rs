//! Releases that go well, under load and with requests in flight.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trainyard_deploy::{
    Error, LogOptions, Outcome, Role, history, logs, served_last, status, stop,
};

use crate::client::{Load, ask, get};
use crate::stage::Stage;

/// A release can run on a task of its own.
#[expect(dead_code, reason = "compiling it is the test")]
fn futures_can_move_between_threads(
    service: &trainyard_deploy::Service,
    spec: &trainyard_deploy::ReleaseSpec,
    order: &trainyard_deploy::Rollback<'_>,
) {
    fn needs_send(_: impl Send) {}
    let review = &trainyard_deploy::Unreviewed;
    needs_send(trainyard_deploy::release(service, spec, review, &|_| {}));
    needs_send(stop(service, &|_| {}));
    needs_send(trainyard_deploy::rollback(service, order, review, &|_| {}));
    needs_send(trainyard_deploy::settle(service, review, &|_| {}));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_releases_under_load_lose_nothing() {
    let stage = Stage::new();
    let first = stage.release(&Stage::spec("v1")).await.unwrap();
    assert_eq!(first.url, format!("http://{}", stage.address()));
    assert_eq!(first.switched_from, None);
    let load = Load::start(stage.address(), 8);
    for name in ["v2", "v3", "v4", "v5", "v6"] {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let released = stage.release(&Stage::spec(name)).await.unwrap();
        assert!(released.switched_from.is_some());
        assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, name.to_owned()));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert_eq!(seen.answers.len(), 6, "every version answered: {:?}", seen.answers);
    println!("answers by version: {:?}", seen.answers);
    assert_eq!(stage.backends().len(), 1, "old instances are gone");

    let entries = history(&stage.service).unwrap();
    assert_eq!(entries.len(), 6);
    assert!(entries.iter().all(|entry| entry.outcome == Outcome::Released));
    assert_eq!(entries[5].label["version"], "v6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_finishes_on_the_old_instance() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut slow = TcpStream::connect(stage.address()).await.unwrap();
    let head =
        b"POST /count HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 4\r\n\r\nha";
    slow.write_all(head).await.unwrap();
    stage.wait_in_flight(1).await;
    stage.take_events();
    // Its second half comes when green has taken over and blue is waited for.
    let finish = async {
        stage.wait_step("draining").await;
        assert_eq!(get(stage.address(), "/").await.unwrap().1, "green");
        slow.write_all(b"lf").await.unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let green = Stage::spec("green");
    let (released, answer) = tokio::join!(stage.release(&green), finish);
    released.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("blue 4"), "{answer}");
    let steps = stage.take_events();
    let order = [
        "healthy",
        "predicted",
        "reviewed",
        "switched",
        "draining",
        "committing",
        "committed",
        "drained",
        "stopped",
        "finished",
    ];
    let places: Vec<_> =
        order.iter().map(|step| steps.iter().position(|seen| seen == step).unwrap()).collect();
    assert!(places.is_sorted(), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_the_drain_limit_is_cut_or_sent_again_when_harmless() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let post = tokio::spawn(ask(stage.address(), Method::POST, "/stuck?blue", "[1]"));
    let get = tokio::spawn(get(stage.address(), "/stuck?blue"));
    stage.wait_in_flight(2).await;
    let mut spec = Stage::spec("green");
    spec.drain_limit = Duration::from_millis(300);
    stage.release(&spec).await.unwrap();
    assert_eq!(get.await.unwrap().unwrap(), (StatusCode::OK, "green".to_owned()));
    let (status, body) = post.await.unwrap().unwrap();
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{body}");
    assert!(body.contains("broke off"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_instance_gets_nothing_after_the_switch() {
    let stage = Stage::new();
    let log = stage.folder.path().join("requests.log");
    let logged = |name: &str| {
        let mut spec = Stage::spec(name);
        spec.env.push(("LOG_FILE".to_owned(), log.display().to_string()));
        spec
    };
    stage.release(&logged("blue")).await.unwrap();
    get(stage.address(), "/before").await.unwrap();
    let mut green = logged("green");
    green.bake = Duration::from_secs(1);
    // All that green is asked comes from clients, then.
    green.prediction = None;
    let load = Load::start(stage.address(), 2);
    stage.release(&green).await.unwrap();
    let (before, after) = loop {
        let text = std::fs::read_to_string(&log).unwrap();
        let lines = text.lines().filter(|line| !line.ends_with("/health"));
        let names: Vec<&str> = lines.map(|line| line.split(' ').next().unwrap()).collect();
        let switched = names.iter().position(|name| *name == "green").unwrap_or(names.len());
        let (before, after) = names.split_at(switched);
        if after.len() > 100 {
            break (before.len(), after.iter().filter(|name| **name == "blue").count());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert!(before > 0);
    assert!(after <= 2, "one request of each client may be on its way at the switch, not {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_rollback_logs_and_stop() {
    let stage = Stage::new();
    assert!(matches!(status(&stage.service).await, Err(Error::NotDeployed { .. })));
    assert_eq!(served_last(&stage.service).await.unwrap(), None);
    stage.release(&Stage::spec("one")).await.unwrap();
    assert!(matches!(stage.rollback(None).await, Err(Error::NoPrevious { .. })));
    stage.release(&Stage::spec("two")).await.unwrap();

    let now = status(&stage.service).await.unwrap();
    assert_eq!(now.url.unwrap(), format!("http://{}", stage.address()));
    let [only] = now.instances.as_slice() else { panic!("{:?}", now.instances) };
    assert_eq!(
        (only.role, only.running, only.label["version"].as_str()),
        (Role::Current, true, "two")
    );
    let mut lines = Vec::new();
    let options = LogOptions { lines: Some(5), ..LogOptions::default() };
    logs(&stage.service, &options, &mut |line| lines.push(line)).await.unwrap();
    assert_eq!(lines[0].of, "r2");
    assert_eq!(lines[0].text, format!("two listens on {}", only.address.unwrap().port()));

    let back = stage.rollback(None).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap().1, "one");
    assert_eq!(back.switched_from.as_deref(), Some("r2"));
    // What was gone back from is not gone back to.
    assert!(matches!(stage.rollback(None).await, Err(Error::NoPrevious { .. })));
    assert_eq!(get(stage.address(), "/").await.unwrap().1, "one");

    stop(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(stage.processes(), []);
    assert!(get(stage.address(), "/").await.is_err());
    stop(&stage.service, &|_| {}).await.unwrap();
    let now = status(&stage.service).await.unwrap();
    assert!(now.gateway.is_none() && now.instances.is_empty());
    assert_eq!(served_last(&stage.service).await.unwrap().unwrap()["version"], "one");
    // And up again, on the same port.
    stage.release(&Stage::spec("three")).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap().1, "three");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_at_once_take_turns() {
    let stage = Stage::new();
    let (one, two) = (Stage::spec("one"), Stage::spec("two"));
    let (first, second) = tokio::join!(stage.release(&one), stage.release(&two));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.switched_from.is_some() != second.switched_from.is_some());
    assert_eq!(stage.backends().len(), 1);

    let mut impatient = stage.service.clone();
    impatient.lock_wait = Duration::ZERO;
    let mut slow = Stage::spec("slow");
    slow.env.push(("HEALTHY_AFTER_MS".to_owned(), "3000".to_owned()));
    stage.take_events();
    let refused = async {
        stage.wait_step("started").await;
        stop(&impatient, &|_| {}).await.unwrap_err()
    };
    let (released, refused) = tokio::join!(stage.release(&slow), refused);
    released.unwrap();
    let text = refused.to_string();
    assert!(text.contains(&format!("process {} (release, for ", std::process::id())), "{text}");
}
