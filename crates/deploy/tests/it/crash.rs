//! A deployer that is killed at each of its steps: clients notice nothing, and the next one tidies up.

use std::process::{Command, Stdio};

use http::StatusCode;

use crate::client::{Load, get};
use crate::stage::{Stage, part};

/// Runs a deployer; whether it finished, and the steps it told.
fn deployer(stage: &Stage, name: &str, die_at: Option<usize>) -> (bool, Vec<String>) {
    let mut command = Command::new(part());
    command
        .args(["release", "--name", name, "--state-dir"])
        .arg(&stage.service.state_dir)
        .args(["--listen", &stage.address().to_string()])
        .stderr(Stdio::inherit());
    if let Some(number) = die_at {
        command.args(["--die-at", &number.to_string()]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text.lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step() {
    let stage = Stage::new();
    let (finished, _) = tokio::task::block_in_place(|| deployer(&stage, "first", None));
    assert!(finished);
    let load = Load::start(stage.address(), 4);
    let mut steps = Vec::new();
    for die_at in 0..40 {
        let name = format!("v{die_at}");
        let (finished, told) = tokio::task::block_in_place(|| deployer(&stage, &name, Some(die_at)));
        if finished {
            break;
        }
        let step = told.last().unwrap().split(' ').nth(1).unwrap().to_owned();
        let (status, _) = get(stage.address(), "/").await.unwrap();
        assert_eq!(status, StatusCode::OK, "after a kill at {step}");
        // Every other time the next deployer is killed as well, so that leftovers pile up.
        if die_at % 2 == 0 {
            let name = format!("w{die_at}");
            let (finished, told) = tokio::task::block_in_place(|| deployer(&stage, &name, None));
            assert!(finished, "after a kill at {step}: {told:?}");
            assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, name));
            assert_eq!(stage.backends().len(), 1, "after a kill at {step}: {:?}", stage.processes());
            assert_eq!(stage.gateways().len(), 1);
        }
        steps.push(step);
    }
    let seen = load.finish().await;
    assert!(seen.failures.is_empty(), "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    for step in ["locked", "gateway-ready", "starting", "started", "healthy", "predicted", "switched", "drained", "stopped", "finished"] {
        assert!(steps.iter().any(|seen| seen == step), "no kill at {step}: {steps:?}");
    }
    println!("killed at {steps:?}; {} answers, 0 failures", seen.answers.values().sum::<usize>());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_the_first_release() {
    for die_at in 0..8 {
        let stage = Stage::new();
        tokio::task::block_in_place(|| deployer(&stage, "lost", Some(die_at)));
        let (finished, told) = tokio::task::block_in_place(|| deployer(&stage, "kept", None));
        assert!(finished, "after a kill at event {die_at}: {told:?}");
        assert_eq!(get(stage.address(), "/").await.unwrap(), (StatusCode::OK, "kept".to_owned()));
        assert_eq!((stage.backends().len(), stage.gateways().len()), (1, 1));
    }
}
