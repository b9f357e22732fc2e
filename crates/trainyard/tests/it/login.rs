//! `trainyard login` at a real provider: a person enters a code, a CI job shows its token, and MLflow's own client works
//! with what comes of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, free_port, run_python, test_env, wait_for_port};

use crate::project::{stdout_of, trainyard};

pub(crate) const PASSWORD: &str = "difference engine 1";

/// nanoidp, with Ada in a group, and this program as a client without a secret.
pub(crate) fn provider(folder: &Path, port: u16) -> KillOnDrop {
    let settings = format!(
        "config_version: 1\nserver:\n  host: 127.0.0.1\n  port: {port}\noauth:\n  \
         issuer: http://127.0.0.1:{port}\n  audience: trainyard\n  clients:\n    \
         - client_id: trainyard\n      token_endpoint_auth_method: none\ndevice_flow:\n  \
         polling_interval: 1\n"
    );
    let users = format!(
        "config_version: 1\nusers:\n  ada:\n    password: \"{PASSWORD}\"\n    \
         email: ada@example.com\n    groups: [team]\n"
    );
    let config = folder.join("provider");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("settings.yaml"), settings).unwrap();
    std::fs::write(config.join("users.yaml"), users).unwrap();
    let mut command = Command::new(test_env().join("python/bin/nanoidp"));
    command.current_dir(folder).args(["--port", &port.to_string(), "--config"]).arg(&config);
    let provider = KillOnDrop::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    wait_for_port(port, Duration::from_mins(1));
    provider
}

fn server(folder: &Path, port: u16) -> KillOnDrop {
    let mut command = trainyard();
    command
        .current_dir(folder)
        .args(["server", "--app-name", "basic-auth", "--oidc", "oidc.toml"])
        .args(["--port", &port.to_string()])
        .env("MLFLOW_AUTH_ADMIN_PASSWORD", PASSWORD)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let server = KillOnDrop::spawn(&mut command);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_ready(port) {
        assert!(Instant::now() < deadline, "the server is never ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

fn is_ready(port: u16) -> bool {
    let request = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    TcpStream::connect(("127.0.0.1", port)).is_ok_and(|mut stream| {
        let _sent = stream.write_all(request.as_bytes());
        let _cut_off = stream.read_to_string(&mut answer);
        answer.starts_with("HTTP/1.1 200")
    })
}

/// Who enters the code at the provider.
const ENTER: &str = r#"
import sys
import requests

place, code, password = sys.argv[1:]
form = {"user_code": code, "username": "ada", "password": password, "action": "authorize"}
answer = requests.post(place.split("?")[0], data=form, timeout=60)
assert answer.status_code == 200 and "authorized" in answer.text.lower(), answer.text
"#;

/// The token of Ada, who signs in by a code; none where the server goes away in the middle of it.
pub(crate) fn sign_in(url: &str) -> Option<String> {
    let mut command = trainyard();
    command.args(["login", url]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut login = KillOnDrop::spawn(&mut command);
    let mut said = BufReader::new(login.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = said.by_ref().find(|line| line.contains("enter the code"))?;
    let place = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let code = line.split_whitespace().last().unwrap();
    run_python(ENTER, &[place, code, PASSWORD], &[]);
    let mut token = String::new();
    login.0.stdout.take().unwrap().read_to_string(&mut token).unwrap();
    let rest: Vec<String> = said.collect();
    if !login.0.wait().unwrap().success() {
        return None;
    }
    assert!(rest.iter().any(|line| line.contains("signed in as ada")), "{rest:?}");
    assert!(token.starts_with("trainyard_"), "{rest:?}");
    Some(token.trim().to_owned())
}

/// What somebody does with MLflow's own client.
const CLIENT: &str = r"
from mlflow import MlflowClient
from mlflow.exceptions import RestException

client = MlflowClient()
experiment = client.create_experiment('of whoever signed in')
run = client.create_run(experiment)
client.log_metric(run.info.run_id, 'm', 0.5)
print(client.get_run(run.info.run_id).data.metrics['m'])
";

fn log_a_run(url: &str, token: &str) {
    let environment = [
        ("MLFLOW_TRACKING_URI", url),
        ("MLFLOW_TRACKING_TOKEN", token),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ];
    let said = run_python(CLIENT, &[], &environment);
    assert_eq!(said.lines().last(), Some("0.5"), "{said}");
}

#[test]
fn a_person_signs_in_by_a_code_and_mlflows_client_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (of_provider, of_server) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{of_server}");
    let settings = format!(
        "public_url = '{url}'\n[[issuer]]\nname = 'company'\nurl = 'http://127.0.0.1:{of_provider}'\n\
         client_id = 'trainyard'\nroles = {{ team = ['scientists'] }}\n"
    );
    std::fs::write(folder.path().join("oidc.toml"), settings).unwrap();
    let _provider = provider(folder.path(), of_provider);
    let _server = server(folder.path(), of_server);
    // In a job there is nobody to wait for.
    let job = trainyard().args(["login", &url]).env("CI", "true").output().unwrap();
    let error = String::from_utf8_lossy(&job.stderr);
    assert!(!job.status.success() && error.contains("id-token: write"), "{error}");
    let token = sign_in(&url).expect("ada signs in");
    log_a_run(&url, &token);
}

/// What a runner of GitHub Actions answers a job that asks for its token, once.
fn runner(token: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token?api-version=2.0", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _peer) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let asked: Vec<String> =
            lines.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        assert!(asked[0].contains("audience=https%3A%2F%2Fmlflow.example.com"), "{asked:?}");
        let bearer = "authorization: bearer of the runner";
        assert!(asked.iter().any(|line| line.eq_ignore_ascii_case(bearer)), "{asked:?}");
        let body = json!({ "value": token }).to_string();
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all((head + &body).as_bytes()).unwrap();
    });
    url
}

/// Signs what GitHub would: a document and keys at a port, and a token.
const ISSUER: &str = r#"
import json, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from joserfc import jwk, jwt

port = int(sys.argv[1])
url = f"http://127.0.0.1:{port}"
key = jwk.RSAKey.generate_key(2048, {"kid": "k", "use": "sig"})
now = int(time.time())
claims = {
    "iss": url, "aud": "https://mlflow.example.com", "iat": now, "exp": now + 300,
    "sub": "repo:example/iris:environment:production",
    "repository": "example/iris", "environment": "production", "ref": "refs/heads/main",
}
documents = {
    "/.well-known/openid-configuration": {"issuer": url, "jwks_uri": url + "/keys"},
    "/keys": {"keys": [key.as_dict(private=False)]},
}

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(documents[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
print(jwt.encode({"alg": "RS256", "kid": "k"}, claims, key), flush=True)
server.serve_forever()
"#;

#[test]
fn a_ci_job_needs_no_secret_that_somebody_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (of_issuer, of_server) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{of_server}");
    let settings = format!(
        "[[issuer]]\nname = 'github'\nurl = 'http://127.0.0.1:{of_issuer}'\n\
         audiences = ['https://mlflow.example.com']\n[[issuer.account]]\nuser = 'ci'\n\
         scope = 'EDIT'\nclaims = {{ repository = 'example/iris', environment = 'production' }}\n"
    );
    std::fs::write(folder.path().join("oidc.toml"), settings).unwrap();
    let mut command = Command::new(trainyard_testkit::python());
    command.args(["-c", ISSUER, &of_issuer.to_string()]).stdout(Stdio::piped());
    let mut issuer = KillOnDrop::spawn(&mut command);
    let mut lines = BufReader::new(issuer.0.stdout.take().unwrap()).lines();
    let token = lines.next().expect("a token").unwrap();
    wait_for_port(of_issuer, Duration::from_mins(1));
    let _server = server(folder.path(), of_server);
    let job = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = trainyard();
        command.env_remove("ACTIONS_ID_TOKEN_REQUEST_URL");
        command.args(["login", &url]).args(arguments).envs(variables.iter().copied());
        command.stdin(Stdio::null()).output().unwrap()
    };
    let place = runner(token.clone());
    let variables = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", place.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of the runner"),
    ];
    // What the server says is not its URL, so whoever started the job has to have said it.
    let output = job(&variables, &[]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--audience 'https://mlflow.example.com'"), "{said}");
    let made = stdout_of(&job(&variables, &["--audience", "https://mlflow.example.com"]), 0);
    log_a_run(&url, made.trim());
    // The token of the job works as it is, too.
    let path = format!("{url}/api/2.0/mlflow/users/current");
    let ask = "import sys, requests; print(requests.get(sys.argv[1], timeout=60, \
               headers={'Authorization': 'Bearer ' + sys.argv[2]}).text)";
    let said: Value = serde_json::from_str(&run_python(ask, &[&path, &token], &[])).unwrap();
    assert_eq!(said["user"]["username"], "ci");
    // Without a token of a job there is nobody to ask here.
    let output = job(&[], &[]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("trainyard user token"), "{said}");
}
