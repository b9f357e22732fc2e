//! An instance that answers nobody: a process that was stopped, as a debugger, a full disk or a
//! hypervisor may do it.

use std::time::Duration;

use http::{Method, StatusCode};
use rustix::process::Signal;
use trainyard_deploy::{Health, status};

use crate::client::{ask, connect, get, request, text};
use crate::stage::{Stage, signal};

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_instance_holds_no_request_and_is_used_again() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    assert_eq!(status(&stage.service).await.unwrap().outage(), None);
    let [backend] = stage.backends()[..] else { panic!("{:?}", stage.processes()) };
    signal(backend, Signal::STOP);
    // Its limit is two minutes; it is known to be silent long before. What it has is given up too.
    let held = ask(stage.address(), Method::POST, "/predict", "[1]");
    let (code, body) = tokio::time::timeout(Duration::from_secs(100), held).await.unwrap().unwrap();
    assert_eq!(code, StatusCode::GATEWAY_TIMEOUT, "{body}");
    assert!(body.contains("does not respond"), "{body}");
    let mut sender = connect(stage.address()).await.unwrap();
    let answer = sender.send_request(request(Method::POST, "/predict", "[1]")).await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "2");
    let (code, body) = text(answer).await.unwrap();
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE, "{body}");

    let now = status(&stage.service).await.unwrap();
    let [one] = now.instances.as_slice() else { panic!("{now:?}") };
    assert!(one.running && matches!(one.health, Some(Health::Silent(_))), "{one:?}");
    let outage = now.outage().unwrap();
    assert!(outage.starts_with("r1 does not answer: no answer within 2.0 s"), "{outage}");

    signal(backend, Signal::CONT);
    loop {
        match get(stage.address(), "/").await.unwrap() {
            (StatusCode::OK, name) if name == "blue" => break,
            (StatusCode::SERVICE_UNAVAILABLE, _) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(status(&stage.service).await.unwrap().outage(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_has_its_time_and_no_more() {
    let mut stage = Stage::new();
    stage.service.gateway.limits.response_timeout = Duration::from_millis(1500);
    stage.release(&Stage::spec("blue")).await.unwrap();
    let (code, body) = get(stage.address(), "/stuck?blue").await.unwrap();
    assert_eq!(code, StatusCode::GATEWAY_TIMEOUT, "{body}");
    assert!(body.contains("did not answer within 1 s"), "{body}");
    // One request that takes for ever does not make it silent.
    assert_eq!(get(stage.address(), "/").await.unwrap().0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_what_does_not_serve() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    stage.kill(stage.backends()[0]).await;
    let outage = status(&stage.service).await.unwrap().outage();
    assert!(outage.is_some_and(|outage| outage.starts_with("r1 has stopped")));
    stage.kill(stage.gateways()[0]).await;
    let outage = status(&stage.service).await.unwrap().outage();
    assert_eq!(outage.as_deref(), Some("the gateway does not run"));
    trainyard_deploy::stop(&stage.service, &|_| {}).await.unwrap();
    assert_eq!(status(&stage.service).await.unwrap().outage(), None);

    let mut sick = Stage::spec("sick");
    sick.env.push(("SICK_AFTER_MS".to_owned(), "0".to_owned()));
    stage.release(&sick).await.unwrap();
    get(stage.address(), "/").await.unwrap();
    loop {
        let outage = status(&stage.service).await.unwrap().outage();
        if outage.as_deref() == Some("r2 is not well: 503: model is loading") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
