//! Releases that go well, under load and with requests in flight.

use std::time::Duration;

use http::{Method, StatusCode};
use trainyard_deploy::{Error, Outcome, Role, history, logs, rollback, status, stop};

use crate::client::{Load, ask, get};
use crate::stage::Stage;

/// A release can run on a task of its own.
#[expect(dead_code, reason = "compiling it is the test")]
fn futures_can_move_between_threads(
    service: &trainyard_deploy::Service,
    spec: &trainyard_deploy::ReleaseSpec,
) {
    fn needs_send(_: impl Send) {}
    needs_send(trainyard_deploy::release(service, spec, &|_| {}));
    needs_send(stop(service, &|_| {}));
    needs_send(rollback(service, &|_| {}));
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
    let slow = tokio::spawn(get(stage.address(), "/slow?3000"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    stage.take_events();
    let released = stage.release(&Stage::spec("green")).await.unwrap();
    assert!(released.took > Duration::from_secs(2), "{released:?}");
    assert_eq!(slow.await.unwrap().unwrap(), (StatusCode::OK, "blue".to_owned()));
    let steps = stage.take_events();
    let order = ["healthy", "predicted", "switched", "draining", "drained", "stopped", "finished"];
    let places: Vec<_> =
        order.iter().map(|step| steps.iter().position(|seen| seen == step).unwrap()).collect();
    assert!(places.is_sorted(), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_the_drain_limit_is_cut_or_sent_again_when_harmless() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let post = tokio::spawn(ask(stage.address(), Method::POST, "/slow?4000", "[1]"));
    let get = tokio::spawn(get(stage.address(), "/slow?4000"));
    tokio::time::sleep(Duration::from_millis(200)).await;
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
    let load = Load::start(stage.address(), 2);
    stage.release(&green).await.unwrap();
    let seen = load.finish().await;
    assert!(seen.failures.is_empty());
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.ends_with("/health")).collect();
    // Green's own probe comes before the switch; from its first request of a client on, blue is out.
    let last_blue = lines.iter().rposition(|line| line.starts_with("blue")).unwrap();
    let green_after = lines[last_blue..].iter().filter(|line| line.starts_with("green")).count();
    let green_before = lines[..last_blue].iter().filter(|line| line.starts_with("green")).count();
    assert!(green_before <= 3, "requests in flight at the switch may mix, no more: {green_before}");
    assert!(green_after > 100, "{green_after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_rollback_logs_and_stop() {
    let stage = Stage::new();
    assert!(matches!(status(&stage.service).await, Err(Error::NotDeployed { .. })));
    stage.release(&Stage::spec("one")).await.unwrap();
    assert!(matches!(rollback(&stage.service, &|_| {}).await, Err(Error::NoPrevious { .. })));
    stage.release(&Stage::spec("two")).await.unwrap();

    let now = status(&stage.service).await.unwrap();
    assert_eq!(now.url.unwrap(), format!("http://{}", stage.address()));
    let [only] = now.instances.as_slice() else { panic!("{:?}", now.instances) };
    assert_eq!(
        (only.role, only.running, only.label["version"].as_str()),
        (Role::Current, true, "two")
    );
    assert_eq!(
        logs(&stage.service, 5).await.unwrap()[0],
        format!("two listens on {}", only.address.unwrap().port())
    );

    let back = rollback(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap().1, "one");
    assert_eq!(back.switched_from.as_deref(), Some("r2"));
    // Going back from going back is going forward.
    rollback(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(get(stage.address(), "/").await.unwrap().1, "two");

    stop(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(stage.processes(), []);
    assert!(get(stage.address(), "/").await.is_err());
    stop(&stage.service, &|_| {}).await.unwrap();
    let now = status(&stage.service).await.unwrap();
    assert!(now.gateway.is_none() && now.instances.is_empty());
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
    slow.env.push(("HEALTHY_AFTER_MS".to_owned(), "1000".to_owned()));
    let refused = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop(&impatient, &|_| {}).await.unwrap_err()
    };
    let (released, refused) = tokio::join!(stage.release(&slow), refused);
    released.unwrap();
    let text = refused.to_string();
    assert!(text.contains(&format!("process {} (release, for 0 s)", std::process::id())), "{text}");
}
