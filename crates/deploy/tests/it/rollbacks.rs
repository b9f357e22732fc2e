//! Going back: to what served before, as it served then, and never to what was gone back from.

use std::time::Duration;

use trainyard_deploy::{Error, Kind, Outcome, history, status};

use crate::client::{Load, get};
use crate::stage::Stage;

async fn serves(stage: &Stage, name: &str) {
    assert_eq!(get(stage.address(), "/").await.unwrap().1, name);
    assert_eq!(stage.alias().read(), name);
}

#[tokio::test(flavor = "multi_thread")]
async fn rollbacks_go_further_back_each_time() {
    let stage = Stage::new();
    for name in ["one", "two", "three"] {
        stage.release(&Stage::spec(name)).await.unwrap();
    }
    for name in ["two", "one"] {
        stage.rollback(None).await.unwrap();
        serves(&stage, name).await;
    }
    assert!(matches!(stage.rollback(None).await, Err(Error::NoPrevious { .. })));
    let error = stage.rollback(Some("nine")).await.unwrap_err();
    assert!(matches!(&error, Error::NotServed { version, .. } if version == "nine"), "{error}");
    stage.rollback(Some("three")).await.unwrap();
    serves(&stage, "three").await;
    let told: Vec<_> = history(&stage.service).unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|entry| {
            (entry.label["version"].as_str(), entry.cause.kind, entry.cause.actor.as_str())
        })
        .collect();
    let back = |version| (version, Kind::Rollback, "ana");
    assert_eq!(told[3..], [back("two"), back("one"), back("three")]);
    assert!(told[..3].iter().all(|(_, kind, _)| *kind == Kind::Release));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_ends_a_bake_at_once() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let load = Load::start(stage.address(), 2);
    let mut green = Stage::spec("green");
    // Longer than any test.
    green.bake = Duration::from_mins(10);
    stage.take_events();
    let back = async {
        stage.wait_step("switched").await;
        assert_eq!(get(stage.address(), "/").await.unwrap().1, "green");
        stage.rollback(None).await
    };
    let (released, back) = tokio::join!(stage.release(&green), back);
    let Err(Error::WentBack { reason, .. }) = released else { panic!("{released:?}") };
    assert_eq!(reason, "rolled back by ana");
    assert_eq!(back.unwrap().instance, "r1");
    serves(&stage, "blue").await;
    assert_eq!(stage.backends().len(), 1);
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    let entries = history(&stage.service).unwrap();
    let [_, green, back] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(green.outcome, Outcome::RolledBack("rolled back by ana".to_owned()));
    assert_eq!((back.id.as_str(), back.from.as_deref()), ("r1", Some("r2")));
    assert_eq!((back.cause.kind, &back.outcome), (Kind::Rollback, &Outcome::Released));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_ends_a_shadow_and_a_canary_at_once() {
    let stage = Stage::new();
    stage.release(&Stage::spec("first")).await.unwrap();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let load = Load::start(stage.address(), 2);
    // Longer than any test.
    let long = Duration::from_mins(10);
    let mut shadowed = Stage::spec("shadowed");
    shadowed.shadow = long;
    let mut canary = Stage::spec("canary");
    canary.canary = vec!["50% 10m".parse().unwrap()];
    for (green, id, during) in
        [(shadowed, "r3", "in shadow"), (canary, "r4", "as a canary of 50 %")]
    {
        let back = async {
            while status(&stage.service).await.unwrap().gateway.unwrap().route.candidate.is_none() {
                tokio::task::yield_now().await;
            }
            stage.rollback(None).await
        };
        let (released, back) = tokio::join!(stage.release(&green), back);
        let Err(Error::Dropped(dropped)) = released else { panic!("{released:?}") };
        assert_eq!(dropped.reason, format!("{during}: rolled back by ana"));
        // What all others have goes on serving; nothing older comes.
        assert_eq!(back.unwrap().instance, "r2");
        serves(&stage, "blue").await;
        assert_eq!(stage.backends().len(), 1);
        let route = status(&stage.service).await.unwrap().gateway.unwrap().route;
        assert_eq!((route.candidate, route.went_back.unwrap().from.as_str()), (None, id));
        let entries = history(&stage.service).unwrap();
        let [.., green, back] = entries.as_slice() else { panic!("{entries:?}") };
        // No user ever had it for good.
        assert!(matches!(&green.outcome, Outcome::Failed(why) if why.contains(&dropped.reason)));
        assert_eq!((back.id.as_str(), back.from.as_deref()), ("r2", Some(id)));
        assert_eq!((back.cause.kind, &back.outcome), (Kind::Rollback, &Outcome::Released));
    }
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    // The next goes further back than what was only tried.
    stage.rollback(None).await.unwrap();
    serves(&stage, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_kept_however_often_others_are_tried() {
    let stage = Stage::new();
    stage.release(&Stage::spec("one")).await.unwrap();
    stage.release(&Stage::spec("two")).await.unwrap();
    let mut bad = Stage::spec("bad");
    bad.env.push(("CRASH".to_owned(), "1".to_owned()));
    for _ in 0..12 {
        stage.release(&bad).await.unwrap_err();
    }
    stage.rollback(None).await.unwrap();
    serves(&stage, "one").await;
}
