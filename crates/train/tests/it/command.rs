//! Training programs: the real MLflow client in Python, and shell scripts that fail in every way.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use trainyard_base::Advise as _;
use trainyard_mlflow::entities::{Run, RunStatus};
use trainyard_mlflow::{SearchRuns, VersionId};
use trainyard_train::{CommandRun, Error, Progress, run_command, run_command_until};

use crate::support::{Store, quiet};

fn command(store: &Store, line: &str) -> CommandRun {
    CommandRun {
        command: line.to_owned(),
        folder: store.folder.path().to_owned(),
        tracking_uri: store.uri.clone(),
        experiment: "/command".to_owned(),
        registered_model_name: Some("Mine".to_owned()),
        ..CommandRun::default()
    }
}

async fn only_run(store: &Store) -> Run {
    let experiment = store.tracking.experiments.get_by_name("/command").await.unwrap();
    let search =
        SearchRuns { experiment_ids: vec![experiment.experiment_id], ..SearchRuns::default() };
    let runs = store.tracking.runs.search(search).await.unwrap().items;
    assert_eq!(runs.len(), 1);
    runs.into_iter().next().unwrap()
}

const TRAIN: &str = r#"
import sys
import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

x, y = load_iris(return_X_y=True, as_frame=True)
with mlflow.start_run() as run:
    model = LogisticRegression(max_iter=500).fit(x, y)
    mlflow.log_metric("accuracy", model.score(x, y))
    name = sys.argv[1] if len(sys.argv) > 1 else None
    mlflow.sklearn.log_model(model, name="model", registered_model_name=name)
    print("trained", run.info.run_id)
print("to stderr", file=sys.stderr)
"#;

#[tokio::test]
async fn a_python_program_continues_the_run_and_its_version_is_found() {
    let store = Store::new();
    std::fs::write(store.folder.path().join("train.py"), TRAIN).unwrap();
    let python = trainyard_testkit::python();
    let config = command(&store, &format!("{} train.py Mine", python.display()));
    let news = Mutex::new(Vec::new());
    let listen = |progress| news.lock().unwrap().push(progress);
    let outcome = run_command(&store.tracking, &config, &listen).await.unwrap();

    let run = only_run(&store).await;
    assert_eq!(run.info.run_id, outcome.run_id);
    assert_eq!(run.info.status, RunStatus::Finished);
    assert!(outcome.metrics["accuracy"] > 0.9);
    let version = outcome.registered.unwrap();
    assert_eq!((version.name.as_str(), version.version.as_str()), ("Mine", "1"));
    assert_eq!(outcome.model_uri, format!("models:/{}", outcome.model_id.unwrap()));
    let news = news.into_inner().unwrap();
    let line = Progress::Output { line: format!("trained {}", outcome.run_id) };
    assert!(news.contains(&line), "{news:?}");
    assert!(news.contains(&Progress::Output { line: "to stderr".to_owned() }));
}

#[tokio::test]
async fn a_model_that_is_only_logged_is_registered() {
    let store = Store::new();
    std::fs::write(store.folder.path().join("train.py"), TRAIN).unwrap();
    let config = command(&store, &format!("{} train.py", trainyard_testkit::python().display()));
    let outcome = run_command(&store.tracking, &config, &quiet).await.unwrap();
    let version =
        store.tracking.model_versions.get(VersionId { name: "Mine", version: "1" }).await.unwrap();
    assert_eq!(version.source, outcome.model_uri);
    assert_eq!(version.run_id.as_deref(), Some(outcome.run_id.as_str()));
}

#[tokio::test]
async fn a_failing_program_fails_its_run_and_is_quoted() {
    let store = Store::new();
    let config = command(&store, "echo fine; echo 'no such column' >&2; exit 3");
    let error = run_command(&store.tracking, &config, &quiet).await.unwrap_err();
    assert!(error.to_string().ends_with("ended with exit code 3"), "{error}");
    assert!(error.hint().unwrap().contains("no such column"));
    assert_eq!(only_run(&store).await.info.status, RunStatus::Failed);
    assert!(store.tracking.registered_models.get("Mine").await.is_err());
}

#[tokio::test]
async fn unknown_programs_and_folders_are_named() {
    let store = Store::new();
    let tracking = &store.tracking;
    let config = command(&store, "no-such-program-anywhere");
    let error = run_command(tracking, &config, &quiet).await.unwrap_err();
    assert!(error.to_string().contains("no such program"), "{error}");
    let config = CommandRun { folder: "/no/such/folder".into(), ..config };
    let error = run_command(tracking, &config, &quiet).await.unwrap_err();
    assert!(matches!(error, Error::CommandNotStarted { .. }), "{error}");
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
}

#[tokio::test]
async fn a_program_that_logs_nothing_is_told_what_to_do() {
    let store = Store::new();
    let config = command(&store, "true");
    let error = run_command(&store.tracking, &config, &quiet).await.unwrap_err();
    assert!(matches!(error, Error::CommandLoggedNoModel { .. }), "{error}");
    assert!(error.hint().unwrap().contains("log_model"));
}

#[tokio::test]
async fn cancelling_ends_the_whole_group() {
    let store = Store::new();
    // The grandchild ignores the polite signal and tells where it is.
    let script = "sh -c 'trap \"\" TERM; echo $$ > pid; while true; do sleep 0.1; done' & wait";
    let config = command(&store, script);
    let file = store.folder.path().join("pid");
    let started = async {
        while !std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let begin = Instant::now();
    let error = run_command_until(&store.tracking, &config, &quiet, started).await.unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(20));
    let pid = std::fs::read_to_string(&file).unwrap();
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "still running: {state}");
    assert_eq!(only_run(&store).await.info.status, RunStatus::Killed);
}

#[tokio::test]
async fn output_is_passed_on_in_lines_of_bearable_length() {
    let store = Store::new();
    let config =
        command(&store, "printf 'a\\rb\\n\\nlast\\n'; head -c 40000 /dev/zero | tr '\\0' x >&2");
    let lines = output_of(&store, &config).await;
    assert_eq!(lines[..3], ["a", "b", "last"]);
    let long: Vec<usize> = lines[3..].iter().map(String::len).collect();
    assert_eq!(long, [16_384, 16_384, 7_232]);
}

/// What a program wrote, line by line.
async fn output_of(store: &Store, config: &CommandRun) -> Vec<String> {
    let news = Mutex::new(Vec::new());
    let listen = |progress| news.lock().unwrap().push(progress);
    let _no_model = run_command(&store.tracking, config, &listen).await;
    let news = news.into_inner().unwrap();
    let line = |news| match news {
        Progress::Output { line } => Some(line),
        _ => None,
    };
    news.into_iter().filter_map(line).collect()
}

#[tokio::test]
async fn both_streams_come_in_the_order_in_which_they_were_written() {
    let store = Store::new();
    let script = "for i in 0 1 2 3 4 5 6 7 8 9; do echo $i; echo e$i >&2; done";
    let config = command(&store, &format!("{script}; {script}; {script}; exit 1"));
    let once = (0..10).flat_map(|number| [number.to_string(), format!("e{number}")]);
    let expected: Vec<String> = std::iter::repeat_n(once, 3).flatten().collect();
    assert_eq!(output_of(&store, &config).await, expected);
}

#[tokio::test]
async fn the_traceback_of_a_failed_program_is_quoted_whole() {
    let store = Store::new();
    let script = "import sys\n\ndef inner():\n    raise KeyError('plan')\n\n\
                  try:\n    inner()\nexcept KeyError:\n    import traceback\n    traceback.print_exc()\n\
                  for n in range(40):\n    print('bye', n)\nsys.exit(1)\n";
    std::fs::write(store.folder.path().join("train.py"), script).unwrap();
    let config = command(&store, &format!("{} train.py", trainyard_testkit::python().display()));
    let error = run_command(&store.tracking, &config, &quiet).await.unwrap_err();
    let hint = error.hint().unwrap();
    for part in ["Traceback (most recent call last)", "in inner", "KeyError: 'plan'", "bye 39"] {
        assert!(hint.contains(part), "{part} is not in:\n{hint}");
    }
}
