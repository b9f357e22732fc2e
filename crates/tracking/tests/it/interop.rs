//! The unmodified Python client against this server.

use trainyard_testkit::postgres::PostgresServer;
use trainyard_testkit::run_python;
use trainyard_tracking::open;
use trainyard_tracking::server::ServerOptions;

use crate::served::Served;
use crate::store::options;

const FLUENT: &str = include_str!("../interop/fluent.py");
const REGISTRY: &str = include_str!("../interop/registry.py");
const AUTOLOG: &str = include_str!("../interop/autolog.py");
const TRACES: &str = include_str!("../interop/traces.py");
const SCORERS: &str = include_str!("../interop/scorers.py");

fn check(server: &Served, script: &str) {
    let environment = [
        ("MLFLOW_TRACKING_URI", server.url.as_str()),
        // A wrong answer must fail the test, not be repeated for two minutes.
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("GIT_PYTHON_REFRESH", "quiet"),
    ];
    let output = run_python(script, &[&server.url], &environment);
    assert_eq!(output.lines().last(), Some("ok"), "{output}");
}

#[test]
fn a_training_script_logs_registers_and_loads_its_model() {
    check(&Served::start(), FLUENT);
}

#[test]
fn the_registry_and_life_cycles_behave_as_the_client_expects() {
    check(&Served::start(), REGISTRY);
}

#[test]
fn autologging_of_scikit_learn_and_xgboost_fills_runs_datasets_and_trees() {
    check(&Served::start(), AUTOLOG);
}

#[test]
fn traces_feedback_evaluation_and_its_datasets_behave_as_the_client_expects() {
    check(&Served::start(), TRACES);
}

#[test]
fn scorers_are_registered_and_loaded_as_the_client_expects() {
    check(&Served::start(), SCORERS);
}

#[test]
fn the_same_scripts_run_on_postgresql() {
    let postgres = PostgresServer::start();
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.default_artifact_root = Some("mlflow-artifacts:/".to_owned());
    let store = open(&postgres.database("mlflow"), options).unwrap();
    let server = Served::over(store, ServerOptions::default());
    check(&server, REGISTRY);
    check(&server, AUTOLOG);
    check(&server, TRACES);
    check(&server, SCORERS);
}
