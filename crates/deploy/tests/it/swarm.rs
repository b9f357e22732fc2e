//! Releases as services of a real swarm of one node: the steps are those of containers, what dies is Swarm's to bring
//! back, and nothing is left at the end.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::client::{Load, get};
use crate::yard::{End, Yard};

/// Failures in a row after which the gateway sends nothing more to an instance, where another one is well.
const FAILED_IN_ROW: usize = 3;

/// How long the node may take to remove the containers of tasks that ended.
const REMOVED_LIMIT: Duration = Duration::from_mins(2);

async fn serves(yard: &Yard, name: &str) {
    // Each of two gets some.
    for _ in 0..4 {
        assert_eq!(get(yard.address(), "/").await.unwrap(), (StatusCode::OK, name.to_owned()));
    }
}

fn services(yard: &Yard) -> Vec<String> {
    let mut names = yard.labelled(&["service", "ls", "--format", "{{.Name}}"]);
    names.sort();
    names
}

fn secrets(yard: &Yard) -> Vec<String> {
    yard.labelled(&["secret", "ls", "--format", "{{.Name}}"])
}

/// The containers that run, which are others once Swarm started them again.
fn running(yard: &Yard) -> Vec<String> {
    let all = yard.containers().into_iter();
    all.filter_map(|line| line.strip_suffix(" running").map(str::to_owned)).collect()
}

fn ends(names: &[String], ends: &[&str]) -> bool {
    names.len() == ends.len() && names.iter().zip(ends).all(|(name, end)| name.ends_with(end))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_a_swarm_from_its_first_release_to_its_end() {
    let test = "a_service_of_a_swarm_from_its_first_release_to_its_end";
    let Some(yard) = Yard::swarm(test) else { return };
    let two = ["--replicas", "2"];
    let token = ["--env", "TRAINYARD_TOKEN=pl4nted"];
    let said = yard.deployed("v1", &[&two[..], &token].concat()).await;
    assert!(said.contains("prepared: all nodes run ") && said.contains("@sha256:"), "{said}");
    serves(&yard, "v1").await;
    let names = services(&yard);
    assert!(ends(&names, &["-r1", "-r1-2"]), "{names:?}");
    assert_eq!((yard.networks().len(), secrets(&yard).len()), (1, 2));
    let told = yard.engine.docker(&["service", "inspect", &names[0]]);
    assert!(told.contains("TRAINYARD_TOKEN_FILE") && !told.contains("pl4nted"), "{told}");

    // That it is kept leaves its tasks as they are: those of the release still run.
    let before = running(&yard);
    assert_eq!(yard.keep().await, "", "nothing is down");
    assert_eq!(running(&yard), before);

    let load = Load::start(yard.address(), 2);
    yard.deployed("v2", &two).await;
    serves(&yard, "v2").await;
    let names = services(&yard);
    assert!(ends(&names, &["-r2", "-r2-2"]), "{names:?}");
    assert_eq!(secrets(&yard), Vec::<String>::new(), "those of r1 went with it");
    assert!(yard.output("r1").contains("v1 listens on 8080"), "{}", yard.output("r1"));
    yard.rollback().await;
    serves(&yard, "v1").await;
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert_eq!(seen.answers.len(), 2, "{:?}", seen.answers);

    a_version_that_fails_leaves_nothing(&yard).await;
    what_dies_comes_back(&yard).await;

    yard.end().await;
    assert_eq!(services(&yard), Vec::<String>::new());
    assert_eq!(yard.networks(), Vec::<String>::new());
    assert_eq!(secrets(&yard), Vec::<String>::new());
    assert_eq!(yard.labelled(&["volume", "ls", "--format", "{{.Name}}"]), Vec::<String>::new());
    let start = Instant::now();
    while !yard.containers().is_empty() {
        assert!(start.elapsed() < REMOVED_LIMIT, "{:?}", yard.containers());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn a_version_that_fails_leaves_nothing(yard: &Yard) {
    let load = Load::start(yard.address(), 2);
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "crashed",
            &["--env", "CRASH=1"],
            &["ended (exit code 1)", "model file not found", "r3 goes on serving"],
        ),
        (
            "never healthy",
            &["--env", "UNHEALTHY=1"],
            &["the container's own health check says unhealthy", "goes on serving"],
        ),
        (
            "no such node",
            &["--placement", "node.labels.gpu==true"],
            &["the swarm has no place for ", "no suitable node", "check `placement`"],
        ),
    ];
    for (case, arguments, expected) in cases {
        let (end, said) = yard.deploy("green", arguments).await;
        assert_eq!(end, End::Failed, "{case}:\n{said}");
        for part in *expected {
            assert!(said.contains(part), "{case}: {part:?} is missing in:\n{said}");
        }
        let names = services(yard);
        assert!(ends(&names, &["-r3", "-r3-2"]), "after {case}: {names:?}");
    }
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert_eq!(seen.answers.len(), 1, "{:?}", seen.answers);
}

async fn what_dies_comes_back(yard: &Yard) {
    let clients = 2;
    let load = Load::start(yard.address(), clients);
    let before = running(yard);
    assert_eq!(before.len(), 2, "{before:?}");
    yard.engine.docker(&["kill", &before[0]]);
    // Whoever keeps the service up waits for Swarm, and starts nothing itself.
    assert_eq!(yard.keep().await, "");
    let after = running(yard);
    assert!(after.len() == 2 && !after.contains(&before[0]), "{before:?}, {after:?}");
    assert!(after.contains(&before[1]), "the other one was left as it was");
    let seen = load.finish().await;
    let failed = seen.failures.len();
    assert!(failed <= clients + FAILED_IN_ROW, "{:?}", &seen.failures[..failed.min(9)]);

    // What Swarm was told to forget is not its to bring back.
    let names = services(yard);
    yard.engine.docker(&["service", "rm", &names[1]]);
    let said = yard.keep().await;
    assert!(said.contains("revived: started r3.2 again on "), "{said}");
    assert_eq!(services(yard), names);
    serves(yard, "v1").await;
}
