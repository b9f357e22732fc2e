//! The unmodified Python client against this server.

use trainyard_testkit::run_python;

use crate::served::Served;

fn check(script: &str) {
    let server = Served::start();
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
    check(include_str!("../interop/fluent.py"));
}

#[test]
fn the_registry_and_life_cycles_behave_as_the_client_expects() {
    check(include_str!("../interop/registry.py"));
}
