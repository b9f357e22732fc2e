//! Releases that go wrong: what serves goes on serving, and the message says why.

use std::time::Duration;

use http::StatusCode;
use trainyard_base::Advise as _;
use trainyard_deploy::{Error, Outcome, Unreviewed, Workload, history, status, stop};

use crate::client::{Load, get};
use crate::stage::{Stage, signal};

async fn serves(stage: &Stage, name: &str) {
    assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, name.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn green_that_is_never_healthy() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let load = Load::start(stage.address(), 4);
    let mut spec = Stage::spec("green");
    spec.env.push(("SICK".to_owned(), "1".to_owned()));
    spec.deadline = Duration::from_secs(5);
    let error = stage.release(&spec).await.unwrap_err();
    let text = error.with_hint();
    for part in [
        "r2 was not healthy within ",
        "(0 of 2 probes in a row)",
        "last probe: GET http://127.0.0.1:",
        "/health\nlast answer: 503: model is loading",
        "  | green listens on ",
        "r1 goes on serving; r2 was removed",
        "hint: the whole log is ",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    serves(&stage, "blue").await;
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(seen.answers.len(), 1);
    assert_eq!(stage.backends().len(), 1);
    let last = history(&stage.service).unwrap().pop().unwrap();
    assert!(matches!(last.outcome, Outcome::Failed(reason) if reason.contains("not healthy")));
}

#[tokio::test(flavor = "multi_thread")]
async fn green_that_crashes_at_its_start() {
    let stage = Stage::new();
    let mut spec = Stage::spec("green");
    spec.env.push(("CRASH".to_owned(), "1".to_owned()));
    let text = stage.release(&spec).await.unwrap_err().to_string();
    for part in
        ["r1 ended (exit code 1) after ", "model file not found: model.onnx", "nothing is serving"]
    {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    // The gateway holds the port and says what is missing.
    let (status, body) = get(stage.address(), "/").await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("no instance is deployed"), "{body}");
    stage.release(&Stage::spec("good")).await.unwrap();
    serves(&stage, "good").await;
    let text = stage.release(&spec).await.unwrap_err().to_string();
    assert!(text.contains("r2 goes on serving; r3 was removed"), "{text}");
    serves(&stage, "good").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_that_cannot_predict() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut spec = Stage::spec("green");
    spec.env.push(("WRONG".to_owned(), "1".to_owned()));
    let text = stage.release(&spec).await.unwrap_err().to_string();
    assert!(text.contains("last probe: POST http://127.0.0.1:"), "{text}");
    assert!(text.contains("last answer: 500: ValueError: no such column"), "{text}");
    serves(&stage, "blue").await;
    assert_eq!(stage.backends().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn green_that_does_not_exist() {
    let stage = Stage::new();
    let mut spec = Stage::spec("green");
    spec.workload = Workload::process("/no/such/program");
    let text = stage.release(&spec).await.unwrap_err().to_string();
    assert!(text.starts_with("cannot start /no/such/program: No such file"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn green_that_dies_after_the_switch_while_blue_is_warm() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let load = Load::start(stage.address(), 4);
    let mut spec = Stage::spec("green");
    spec.bake = Duration::from_secs(20);
    let killer = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if matches!(get(stage.address(), "/").await, Ok((_, name)) if name == "green") {
                break;
            }
        }
        let current = status(&stage.service).await.unwrap();
        stage.kill(current.instances[0].handle.as_ref().unwrap().parse().unwrap()).await;
    };
    let (released, ()) = tokio::join!(stage.release(&spec), killer);
    let Err(Error::WentBack { green, blue, reason, .. }) = released else { panic!("{released:?}") };
    assert_eq!((green.as_str(), blue.as_str()), ("r2", "r1"));
    // Whoever sees it first says it: the probe, the process, or the requests that were in flight.
    let words = ["refused", "it ended (signal 9)", "requests got an error"];
    assert!(words.iter().any(|word| reason.contains(word)), "{reason}");
    serves(&stage, "blue").await;
    let seen = load.finish().await;
    // Requests that green was working on are lost with it, and no others: one per connection that it had,
    // of which each client and the killer had one.
    assert!(seen.failures.len() <= 5, "{:?}", seen.failures);
    assert!(seen.failures.iter().all(|failure| failure.starts_with("502")), "{:?}", seen.failures);
    assert_eq!(seen.answers.len(), 2);
    assert_eq!(stage.backends().len(), 1);
    stage.release(&Stage::spec("next")).await.unwrap();
    serves(&stage, "next").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_that_turns_sick_after_the_switch() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut spec = Stage::spec("green");
    spec.bake = Duration::from_mins(1);
    spec.env.push(("SICK_AFTER_MS".to_owned(), "200".to_owned()));
    let load = Load::start(stage.address(), 2);
    let released = stage.release(&spec).await;
    let Err(Error::WentBack { reason, .. }) = released else { panic!("{released:?}") };
    assert_eq!(reason, "503: model is loading");
    serves(&stage, "blue").await;
    // It answered all the same, so nothing is lost.
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", seen.failures);
    assert_eq!(seen.answers.len(), 2, "{:?}", seen.answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_before_anything_starts() {
    let stage = Stage::new();
    let _taken = std::net::TcpListener::bind(stage.address()).unwrap();
    let error = stage.release(&Stage::spec("blue")).await.unwrap_err();
    let text = error.with_hint();
    assert!(
        text.starts_with(&format!(
            "the gateway cannot listen on {}: Address already in use",
            stage.address()
        )),
        "{text}"
    );
    assert!(text.contains("\nhint: "));
    assert_eq!(stage.processes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_port_than_the_running_gateways() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut other = stage.service.clone();
    other.listen.set_port(trainyard_testkit::free_port());
    let green = Stage::spec("green");
    let released = trainyard_deploy::release(&other, &green, &Unreviewed, &|_| {}).await;
    let error = released.unwrap_err();
    assert!(matches!(error, Error::GatewayAddress { .. }), "{error}");
    serves(&stage, "blue").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_was_killed_comes_back_with_its_route() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let [gateway] = stage.gateways()[..] else { panic!("{:?}", stage.processes()) };
    stage.kill(gateway).await;
    assert!(get(stage.address(), "/").await.is_err());
    let released = stage.release(&Stage::spec("green")).await.unwrap();
    assert_eq!(released.switched_from.as_deref(), Some("r1"), "blue was still known");
    serves(&stage, "green").await;
    assert_eq!((stage.backends().len(), stage.gateways().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn blue_that_died_in_the_meantime_is_no_obstacle() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    stage.kill(stage.backends()[0]).await;
    let released = stage.release(&Stage::spec("green")).await.unwrap();
    assert_eq!(released.switched_from, None);
    serves(&stage, "green").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_hangs_is_stopped_all_the_same() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let [gateway] = stage.gateways()[..] else { panic!("{:?}", stage.processes()) };
    signal(gateway, rustix::process::Signal::STOP);
    stop(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(stage.processes(), []);
}
