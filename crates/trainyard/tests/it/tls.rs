//! TLS of `server` and `serve`: with the real client, certificates that are renewed, and upstream's flags.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use trainyard_testkit::certificate::certificate;
use trainyard_testkit::{KillOnDrop, free_port, run_python, wait_for_port, workspace_root};

use crate::project::trainyard;

/// A server that listens on a port of its own.
fn started(folder: &Path, arguments: &[&str]) -> (KillOnDrop, String) {
    let port = free_port();
    let number = port.to_string();
    let mut command = trainyard();
    command.current_dir(folder).args(arguments).args(["--port", &number]);
    let child = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    wait_for_port(port, Duration::from_mins(1));
    (child, number)
}

/// What the real client does, trusting this certificate alone; and which protocol is agreed on.
const CLIENT: &str = r#"
import os, pathlib, socket, ssl, sys, tempfile
import mlflow
port, certificate = sys.argv[1:]
mlflow.set_tracking_uri(f"https://localhost:{port}")
mlflow.set_experiment("encrypted")
note = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
note.write_text("secret" * 100_000)
with mlflow.start_run() as run:
    mlflow.log_metric("m", 1.5)
    mlflow.log_artifact(str(note))
client = mlflow.MlflowClient()
assert client.get_run(run.info.run_id).data.metrics == {"m": 1.5}
copy = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="note.txt")
assert pathlib.Path(copy).read_text() == note.read_text()

def agreed(names):
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(names)
    with socket.create_connection(("127.0.0.1", int(port))) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            assert stream.version() in ("TLSv1.2", "TLSv1.3"), stream.version()
            return stream.selected_alpn_protocol()

print(agreed(["h2", "http/1.1"]), agreed(["http/1.1"]))
"#;

#[test]
fn the_real_client_logs_to_a_server_with_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = certificate(folder.path(), "first");
    let (file, key) = (file.display().to_string(), key.display().to_string());
    let (_server, port) =
        started(folder.path(), &["server", "--tls-cert", &file, "--tls-key", &key]);
    let trust = [("MLFLOW_TRACKING_SERVER_CERT_PATH", file.as_str())];
    // The client says where its run can be looked at, too.
    let said = run_python(CLIENT, &[&port, &file], &trust);
    assert_eq!(said.lines().last(), Some("h2 http/1.1"), "{said}");
    // Our own client, too: it gets as far as to hear that there is no such model.
    let uri = format!("https://localhost:{port}");
    let ask = |trust: &[(&str, &str)]| {
        let mut command = trainyard();
        command.env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0").envs(trust.iter().copied());
        command.args(["serve", "--model-uri", "models:/none/1", "--tracking-uri", &uri]);
        let output = command.args(["--port", "0"]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = ask(&trust);
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = ask(&[]);
    assert!(code == Some(1) && said.contains("cannot"), "{said}");
}

/// Keeps a connection while certificates are renewed, and waits for the new ones.
const RENEWED: &str = r#"
import http.client, os, shutil, signal, socket, ssl, sys, time
port, folder, process = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
at = lambda name: os.path.join(folder, name)

def connection(name):
    context = ssl.create_default_context(cafile=at(name))
    return http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)

def asks(connection):
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status

def shown(name):
    fresh = connection(name)
    try:
        asks(fresh)
        return True
    except ssl.SSLCertVerificationError:
        return False
    finally:
        fresh.close()

def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

def put(source, target):
    shutil.copy(at(source), at("new"))
    os.replace(at("new"), at(target))

kept = connection("first.crt")
asks(kept)
# One file after the other: in between the two do not go together.
put("second.crt", "used.crt")
asks(kept)
assert shown("first.crt")
put("second.key", "used.key")
until(lambda: shown("second.crt"))
asks(kept)
# What is no certificate changes nothing, also when it is asked to be read.
with open(at("used.crt"), "w") as file:
    file.write("half a certif")
os.kill(process, signal.SIGHUP)
for _ in range(5):
    assert shown("second.crt")
put("first.crt", "used.crt")
put("first.key", "used.key")
os.kill(process, signal.SIGHUP)
until(lambda: shown("first.crt"))
asks(kept)
"#;

#[test]
fn a_renewed_certificate_is_shown_and_no_connection_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path(), "first");
    certificate(folder.path(), "second");
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(&first.0, at("used.crt")).unwrap();
    std::fs::copy(&first.1, at("used.key")).unwrap();
    let model = workspace_root().join("crates/serve/tests/models/iris_columns");
    let model = model.display().to_string();
    let flags = ["serve", "--model-uri", &model, "--tls-cert", "used.crt", "--tls-key", "used.key"];
    let (server, port) = started(folder.path(), &flags);
    let process = server.0.id().to_string();
    // Healthy before the script begins: the probe says so.
    let start = std::time::Instant::now();
    let is_healthy = || {
        let mut probe = trainyard();
        probe.env("TRAINYARD_TLS_CERT", "used.crt").args(["health", "--port", &port]);
        probe.output().unwrap().status.success()
    };
    while !is_healthy() {
        assert!(start.elapsed() < Duration::from_mins(1), "not healthy");
    }
    run_python(RENEWED, &[&port, &folder.path().display().to_string(), &process], &[]);
}

const SHOWS: &str = r#"
import ssl, sys
shown = ssl.get_server_certificate(("127.0.0.1", int(sys.argv[1])))
print(shown.split() == open(sys.argv[2]).read().split())
"#;

#[test]
fn certificates_in_upstreams_flags_are_honoured_and_the_rest_of_tls_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = certificate(folder.path(), "first");
    let file = file.display().to_string();
    for (flag, options) in [
        ("--gunicorn-opts", "--timeout 60 --certfile first.crt --keyfile first.key"),
        ("--uvicorn-opts", "--ssl-certfile=first.crt --ssl-keyfile=first.key"),
    ] {
        let (_server, port) = started(folder.path(), &["server", flag, options]);
        assert_eq!(run_python(SHOWS, &[&port, &file], &[]).trim(), "True", "{flag}");
    }
    for (arguments, expected) in [
        (["--gunicorn-opts", "--certfile first.crt"], "nothing names the key"),
        (["--gunicorn-opts", "--ca-certs ca.pem"], "--ca-certs"),
        (["--uvicorn-opts", "--ssl-keyfile-password x"], "--ssl-keyfile-password"),
        (["--gunicorn-opts", "--certfile gone.crt --keyfile first.key"], "gone.crt"),
        (["--tls-cert", "first.crt"], "--tls-key"),
    ] {
        let mut command = trainyard();
        command.current_dir(folder.path()).args(["server", "--port", "0"]).args(arguments);
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}
