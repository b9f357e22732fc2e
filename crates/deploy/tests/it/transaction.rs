//! What serves and what is known as released are one: whatever ends a deployer, and whenever the registry is
//! down, they agree again after the next change.

use std::time::Duration;

use http::StatusCode;
use trainyard_deploy::{Error, Outcome, history, settle, status};

use crate::alias_file::AliasFile;
use crate::client::{Load, get};
use crate::stage::Stage;

async fn serves(stage: &Stage, name: &str) {
    assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, name.to_owned()));
}

/// Takes the registry away, or gives it back.
fn set_down(alias: &AliasFile, is_down: bool) {
    let down = alias.0.with_extension("down");
    if is_down { std::fs::write(down, "").unwrap() } else { std::fs::remove_file(down).unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_down_leaves_traffic_where_the_alias_is() {
    let stage = Stage::new();
    let alias = stage.alias();
    set_down(&alias, true);
    // The first release has nothing to go back to: it serves, and says that it is not known yet.
    let error = stage.release(&Stage::spec("one")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("the registry is down"), "{error}");
    serves(&stage, "one").await;
    assert_eq!(alias.read(), "");
    assert_eq!(status(&stage.service).await.unwrap().unfinished.as_deref(), Some("r1"));
    set_down(&alias, false);
    assert!(settle(&stage.service, &alias, &|_| {}).await.unwrap());
    assert_eq!(alias.read(), "one");
    assert_eq!(status(&stage.service).await.unwrap().unfinished, None);
    assert!(!settle(&stage.service, &alias, &|_| {}).await.unwrap(), "there is nothing left to do");

    // A later one goes back.
    let load = Load::start(stage.address(), 2);
    set_down(&alias, true);
    let error = stage.release(&Stage::spec("two")).await.unwrap_err();
    assert!(error.to_string().contains("r1 goes on serving"), "{error}");
    serves(&stage, "one").await;
    set_down(&alias, false);
    stage.release(&Stage::spec("two")).await.unwrap();
    serves(&stage, "two").await;
    assert_eq!(alias.read(), "two");

    // A rollback does not wait for the registry: users come first, and the alias follows.
    set_down(&alias, true);
    stage.rollback(None).await.unwrap();
    serves(&stage, "one").await;
    assert_eq!(alias.read(), "two");
    set_down(&alias, false);
    assert!(settle(&stage.service, &alias, &|_| {}).await.unwrap());
    serves(&stage, "one").await;
    assert_eq!(alias.read(), "one");
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert_eq!(stage.backends().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_is_broken_off_while_it_bakes_is_taken_back() {
    let stage = Stage::new();
    stage.release(&Stage::spec("blue")).await.unwrap();
    let mut green = Stage::spec("green");
    green.bake = Duration::from_mins(10);
    stage.take_events();
    tokio::select! {
        ended = stage.release(&green) => panic!("{ended:?}"),
        () = stage.wait_step("switched") => {}
    }
    serves(&stage, "green").await;
    assert_eq!(stage.alias().read(), "blue");
    assert!(settle(&stage.service, &stage.alias(), &|_| {}).await.unwrap());
    serves(&stage, "blue").await;
    assert_eq!((stage.alias().read().as_str(), stage.backends().len()), ("blue", 1));
    let last = history(&stage.service).unwrap().pop().unwrap();
    assert_eq!((last.id.as_str(), last.from.as_deref()), ("r2", Some("r1")));
    assert!(matches!(last.outcome, Outcome::Failed(reason) if reason.contains("broken off")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_can_never_serve_is_not_waited_for() {
    let stage = Stage::new();
    let mut spec = Stage::spec("green");
    spec.env.push(("HOPELESS".to_owned(), "1".to_owned()));
    // The test would end with its deadline.
    spec.deadline = Duration::from_hours(1);
    let error = stage.release(&spec).await.unwrap_err().to_string();
    assert!(error.contains("no such operator"), "{error}");
}
