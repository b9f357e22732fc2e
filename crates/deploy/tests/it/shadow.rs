//! Copies of requests go to a new version before anybody has it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use trainyard_deploy::gateway::Gets;
use trainyard_deploy::{Error, Role, status};

use crate::client::predict_on;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_compared_and_users_get_none_of_it() {
    let stage = Stage::new();
    let ids = stage.folder.path().join("ids");
    stage.release(&Stage::classifier("blue", "yes,no")).await.unwrap();
    let mut green = Stage::classifier("green", "yes,maybe");
    green.shadow = Duration::from_mins(10);
    green.env.push(("IDS_FILE".to_owned(), ids.display().to_string()));
    let seen = Mutex::new(BTreeMap::new());
    tokio::select! {
        released = stage.release(&green) => panic!("the shadow ended: {released:?}"),
        () = predict_on(stage.address(), &seen) => unreachable!(),
        () = async {
            stage.wait_step("shadowing").await;
            // None before the candidate is there.
            while status(&stage.service).await.unwrap().gateway.unwrap().copies.is_none() {
                tokio::task::yield_now().await;
            }
            stage.wait_metric("trainyard_gateway_copies{what=\"compared\"}", 40).await;
        } => {}
    }
    let now = status(&stage.service).await.unwrap();
    let roles: Vec<_> =
        now.instances.iter().map(|instance| (instance.id.as_str(), instance.role)).collect();
    assert_eq!(roles, [("r1", Role::Current), ("r2", Role::Candidate)]);
    let gateway = now.gateway.unwrap();
    let (candidate, copies) = (gateway.route.candidate.unwrap(), gateway.copies.unwrap());
    assert_eq!((candidate.gets, candidate.target.copy_id.as_str()), (Gets::Copies, ""));
    // Every other row is another class to green, of those that were not dropped; neither fails.
    let share = copies.differing as f64 / copies.compared as f64;
    assert!((0.05..=0.95).contains(&share), "{copies:?}");
    assert_eq!((copies.green_failed, copies.blue_failed), (0, 0));
    let answers: Vec<String> = seen.into_inner().unwrap().into_keys().collect();
    let of_blue = [r#"200 {"predictions": ["no"]}"#, r#"200 {"predictions": ["yes"]}"#];
    assert_eq!(answers, of_blue);
    // Green knows that they are copies.
    let ids = std::fs::read_to_string(ids).unwrap();
    assert!(ids.lines().count() >= 40 && ids.lines().all(|id| id == "copy-1"), "{ids}");
    // That deployer was lost; the next finds green and goes its own way to the end.
    let mut next = Stage::classifier("next", "yes,no");
    next.shadow = Duration::from_millis(200);
    stage.take_events();
    stage.release(&next).await.unwrap();
    let steps = stage.take_events();
    let place = |step| steps.iter().position(|found| *found == step).unwrap();
    assert!(place("recovered") < place("shadowing"), "{steps:?}");
    assert!(place("shadowed") < place("switched"), "{steps:?}");
    assert_eq!(stage.backends().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_in_shadow_has_no_user_ever() {
    let stage = Stage::new();
    stage.release(&Stage::classifier("blue", "yes,no")).await.unwrap();
    let mut green = Stage::classifier("green", "yes,no");
    green.shadow = Duration::from_mins(10);
    green.env.push(("REFUSE_AFTER_MS".to_owned(), "0".to_owned()));
    let seen = Mutex::new(BTreeMap::new());
    let released = tokio::select! {
        released = stage.release(&green) => released,
        () = predict_on(stage.address(), &seen) => unreachable!(),
    };
    let Err(Error::Dropped(dropped)) = released else { panic!("{released:?}") };
    assert_eq!((dropped.green.as_str(), dropped.blue.as_str()), ("r2", "r1"));
    assert!(dropped.reason.starts_with("in shadow: it failed at "), "{dropped}");
    let seen = seen.into_inner().unwrap();
    assert!(seen.keys().all(|answer| answer.starts_with("200 ")), "{seen:?}");
    let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
    assert_eq!((route.current.unwrap().id.as_str(), route.candidate), ("r1", None));
    assert_eq!(stage.backends().len(), 1);
}
