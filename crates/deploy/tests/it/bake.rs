//! What a new version answers once it has users, beside what the one before would have.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use http::{Method, StatusCode};
use trainyard_deploy::{Error, ReleaseSpec, Released, status};

use crate::client::{ask, predict_on};
use crate::stage::Stage;

/// A version that is watched until something is found.
fn watched(mut spec: ReleaseSpec) -> ReleaseSpec {
    spec.bake = Duration::from_mins(10);
    spec
}

/// Releases blue, then green under load, until that fails.
async fn released(stage: &Stage, green: &ReleaseSpec) -> Result<Released, Error> {
    stage.release(&Stage::classifier("blue", "yes,no")).await.unwrap();
    let seen = Mutex::new(BTreeMap::new());
    tokio::select! {
        released = stage.release(green) => released,
        () = predict_on(stage.address(), &seen) => unreachable!(),
    }
}

async fn serves_blue(stage: &Stage) {
    let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
    assert_eq!(route.current.unwrap().id, "r1");
    assert_eq!(stage.backends().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answers_no_to_all_goes_back() {
    let stage = Stage::new();
    let green = watched(Stage::classifier("green", "no"));
    let Err(Error::WentBack { reason, .. }) = released(&stage, &green).await else { panic!() };
    assert!(reason.starts_with("it answers \"no\" to all of "), "{reason}");
    serves_blue(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_refuses_what_was_answered_before_goes_back() {
    let stage = Stage::new();
    let mut green = watched(Stage::classifier("green", "yes,no"));
    green.env.push(("REFUSE_AFTER_MS".to_owned(), "0".to_owned()));
    let Err(Error::WentBack { reason, .. }) = released(&stage, &green).await else { panic!() };
    assert!(reason.contains("requests that the one before answers"), "{reason}");
    serves_blue(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_versions_refuse_is_the_clients_fault() {
    let stage = Stage::new();
    stage.release(&Stage::classifier("blue", "yes,no")).await.unwrap();
    stage.take_events();
    let green = watched(Stage::classifier("green", "yes,no"));
    let nonsense = async {
        stage.wait_step("switched").await;
        while stage.metric("trainyard_gateway_copies{what=\"asked\"}").await < 30 {
            let (status, _) =
                ask(stage.address(), Method::POST, "/predict", "nonsense").await.unwrap();
            assert_eq!(status, StatusCode::BAD_REQUEST);
        }
        // The judge looks several times a second, and does so once more.
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        released = stage.release(&green) => panic!("the bake ended: {released:?}"),
        () = nonsense => {}
    }
    let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
    assert_eq!((route.went_back, route.current.unwrap().id.as_str()), (None, "r2"));
    assert_eq!(stage.metric("trainyard_gateway_copies{what=\"green_failed\"}").await, 0);
}
