//! Who may use the server: answers to strangers, and the real client with a password or a token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use trainyard_testkit::run_python;
use trainyard_tracking::server::ServerOptions;
use trainyard_tracking::server::auth::{AuthFile, Kind, entry};

use crate::http::{Answer, Request, get, send};
use crate::served::Served;

struct Guarded {
    server: Served,
    file: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Guarded {
    /// A server for `ada` (password "difference") and whoever has the token "engine-no-2" or the
    /// long one.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let ada = entry(Kind::User, "ada", "difference").unwrap();
        // Short tokens have a hash, as all had in files of older versions.
        let ci = entry(Kind::Token, "ci", "engine-no-2").unwrap();
        let long = entry(Kind::Token, "long", LONG_TOKEN).unwrap();
        std::fs::write(&file, format!("{ada}\n{ci}\n{long}\n")).unwrap();
        let authorize = Arc::new(AuthFile::open(&file).unwrap());
        let options = ServerOptions { authorize: Some(authorize), ..ServerOptions::default() };
        Self { server: Served::with(options), file, _folder: folder }
    }

    fn ask(&self, path: &str, authorization: &str) -> Answer {
        let headers = vec![("Authorization", authorization)];
        send(&self.server.url, &Request { method: "GET", path, headers, body: None })
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// As `openssl rand -hex 32` writes one.
const LONG_TOKEN: &str = "5be7cb1a0f2e4d13968a7b5c2d1e0f9a8b7c6d5e4f30211203f4e5d6c7b8a990";

#[test]
fn guesses_from_one_address_are_few_and_keep_nobody_out_who_is_known() {
    let guarded = Guarded::start();
    let (ada, long) = (basic("ada", "difference"), format!("Bearer {LONG_TOKEN}"));
    assert_eq!(guarded.ask(PATHS[2], &ada).status, 200);
    let url = guarded.server.url.as_str();
    let guess = |number: usize| {
        let wrong = match number % 3 {
            0 => basic("ada", &format!("guess {number}")),
            1 => basic(&format!("nobody{number}"), "difference"),
            _ => format!("Bearer {LONG_TOKEN}{number}"),
        };
        let headers = vec![("Authorization", wrong.as_str())];
        send(url, &Request { method: "GET", path: PATHS[2], headers, body: None })
    };
    std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..4)
            .map(|thread| {
                scope.spawn(move || (0..50).map(|n| guess(50 * thread + n)).collect::<Vec<_>>())
            })
            .collect();
        for _ in 0..20 {
            assert_eq!(guarded.ask(PATHS[2], &ada).status, 200);
            assert_eq!(guarded.ask(PATHS[2], &long).status, 200);
        }
        let answers: Vec<Answer> =
            guesses.into_iter().flat_map(|guesses| guesses.join().unwrap()).collect();
        for answer in &answers {
            assert!([401, 429, 503].contains(&answer.status), "{}", answer.status);
            assert_eq!(answer.header("retry-after").is_some(), answer.status != 401);
        }
        let told = answers.iter().filter(|answer| answer.status == 401).count();
        // A few more than an address has at first: some come back while the test runs.
        assert!(told < 100, "{told} of 200 guesses were looked at");
    });
    // What is wrong in the same way is not looked at again.
    for _ in 0..3 {
        let answer = guarded.ask(PATHS[2], &basic("ada", "Difference"));
        assert!([401, 429].contains(&answer.status), "{}", answer.text());
    }
}

#[test]
fn a_tool_with_an_old_password_is_told_so_each_time() {
    let guarded = Guarded::start();
    for _ in 0..60 {
        assert_eq!(guarded.ask(PATHS[2], &basic("ada", "last year's")).status, 401);
    }
    assert_eq!(guarded.ask(PATHS[2], &basic("ada", "difference")).status, 200);
}

const PATHS: [&str; 6] = [
    "/",
    "/metrics",
    "/api/2.0/mlflow/experiments/get?experiment_id=0",
    "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0",
    "/api/2.0/mlflow-artifacts/artifacts",
    "/get-artifact?run_id=x&path=y",
];

#[test]
fn strangers_get_nothing_but_health_and_version() {
    let guarded = Guarded::start();
    for path in PATHS {
        let answer = get(&guarded.server.url, path);
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.json()["error_code"], "UNAUTHENTICATED", "{path}");
        let asked: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"))
            .map(|(_, value)| value.as_str())
            .collect();
        assert!(
            asked[0].starts_with("Basic realm=") && asked[1].starts_with("Bearer"),
            "{asked:?}"
        );
    }
    for path in ["/health", "/version"] {
        assert_eq!(get(&guarded.server.url, path).status, 200, "{path}");
    }
    for wrong in [
        basic("ada", "Difference"),
        basic("ada", ""),
        basic("bob", "difference"),
        basic("ci", "engine-no-2"),
        "Bearer difference".to_owned(),
        "Bearer ".to_owned(),
        "Negotiate x".to_owned(),
    ] {
        assert_eq!(guarded.ask(PATHS[2], &wrong).status, 401, "{wrong}");
    }
}

#[test]
fn a_password_or_a_token_opens_everything() {
    let guarded = Guarded::start();
    let long = format!("Bearer {LONG_TOKEN}");
    for authorization in [basic("ada", "difference"), "Bearer engine-no-2".to_owned(), long] {
        for _ in 0..50 {
            assert_eq!(guarded.ask(PATHS[2], &authorization).status, 200);
        }
        for path in &PATHS[..5] {
            assert_eq!(guarded.ask(path, &authorization).status, 200, "{path}");
        }
    }
}

#[test]
fn a_changed_file_counts_without_a_restart_and_a_broken_one_does_not() {
    let guarded = Guarded::start();
    let ada = basic("ada", "difference");
    assert_eq!(guarded.ask(PATHS[2], &ada).status, 200);
    let until = |expected: u16| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while guarded.ask(PATHS[2], &ada).status != expected {
            assert!(Instant::now() < deadline, "never {expected}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    std::fs::write(&guarded.file, "this is no entry\n").unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    until(200);
    std::fs::write(&guarded.file, entry(Kind::User, "bob", "difference").unwrap()).unwrap();
    until(401);
    assert_eq!(guarded.ask(PATHS[2], &basic("bob", "difference")).status, 200);
}

const CLIENT: &str = r#"
import sys, mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
client = MlflowClient()
if sys.argv[1] == "refused":
    try:
        client.search_experiments()
    except MlflowException as error:
        assert "401" in str(error) or error.error_code == "UNAUTHENTICATED", error
        print("refused")
else:
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 0.5)
        mlflow.log_text("hello", "note.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/note.txt") == "hello"
    print(client.get_run(run.info.run_id).data.metrics["m"])
"#;

#[test]
fn the_real_client_signs_in_by_its_variables() {
    let guarded = Guarded::start();
    let run = |expected: &str, credentials: &[(&str, &str)]| {
        let mut environment = vec![
            ("MLFLOW_TRACKING_URI", guarded.server.url.as_str()),
            ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
            ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ];
        environment.extend_from_slice(credentials);
        assert_eq!(run_python(CLIENT, &[expected], &environment).lines().last(), Some(expected));
    };
    let user = ("MLFLOW_TRACKING_USERNAME", "ada");
    run("0.5", &[user, ("MLFLOW_TRACKING_PASSWORD", "difference")]);
    run("0.5", &[("MLFLOW_TRACKING_TOKEN", "engine-no-2")]);
    run("refused", &[user, ("MLFLOW_TRACKING_PASSWORD", "engine")]);
    run("refused", &[]);
}

#[test]
fn the_own_client_signs_in_too() {
    use trainyard_mlflow::Tracking;
    use trainyard_mlflow::client::RestClient;

    let guarded = Guarded::start();
    let with_user = guarded.server.url.replace("http://", "http://ada:difference@");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = Tracking::from(RestClient::from_env(&with_user.parse().unwrap()).unwrap());
    let experiment = runtime.block_on(client.experiments.get("0"));
    assert_eq!(json!(experiment.unwrap().name), "Default");
}
