//! Nothing that `trainyard server` acknowledged is lost, and nothing is there twice: eight clients
//! write while the process is killed again and again, and while PostgreSQL cuts its connections.
//!
//! `TRAINYARD_TEST_KILLS` asks for another number of kills and cuts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trainyard_testkit::postgres::PostgresServer;
use trainyard_testkit::{KillOnDrop, free_port, run_python};

use crate::project::trainyard;

const WRITERS: u64 = 8;
const KILLS: u64 = 50;
/// Pause of a client whose server does not answer.
const PAUSE: Duration = Duration::from_millis(5);

fn kills() -> u64 {
    std::env::var("TRAINYARD_TEST_KILLS").map_or(KILLS, |text| text.parse().unwrap())
}

/// The server under test: one port and one store, many processes after each other.
struct Server {
    process: Option<KillOnDrop>,
    port: u16,
    arguments: Vec<String>,
    folder: tempfile::TempDir,
}

impl Server {
    fn new(backend_store_uri: impl FnOnce(&tempfile::TempDir) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let uri = backend_store_uri(&folder);
        let arguments = ["server", "--port", &port.to_string(), "--backend-store-uri", &uri];
        let arguments = arguments.map(str::to_owned).to_vec();
        Self { process: None, port, arguments, folder }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn start(&mut self, client: &Client) {
        let mut command = trainyard();
        command.current_dir(self.folder.path()).args(&self.arguments);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("server.log"))
            .unwrap();
        command.stdout(Stdio::null()).stderr(log);
        self.process = Some(KillOnDrop::spawn(&mut command));
        let deadline = Instant::now() + Duration::from_mins(1);
        while client.get("/health").await.is_none() {
            assert!(Instant::now() < deadline, "the server did not come back");
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }
}

/// Sends requests and never repeats one.
#[derive(Clone)]
struct Client {
    client: reqwest::Client,
    url: String,
}

impl Client {
    fn new(url: String) -> Self {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        Self { client: reqwest::Client::builder().build().unwrap(), url }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Option<String> {
        let answer = request.timeout(Duration::from_secs(20)).send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        // Whoever writes only what is right gets no other answer than these.
        assert!(status.is_success() || status.is_server_error(), "{status}: {text}");
        status.is_success().then_some(text)
    }

    async fn get(&self, path: &str) -> Option<String> {
        self.answer(self.client.get(format!("{}{path}", self.url))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.client.post(format!("{}/api/2.0/mlflow/{path}", self.url));
        self.answer(request.json(body)).await.map(|text| serde_json::from_str(&text).unwrap())
    }
}

/// What the server acknowledged to one client.
#[derive(Debug, Default)]
struct Acknowledged {
    batches: HashSet<u64>,
    runs: HashMap<u64, String>,
    versions: HashMap<u64, String>,
}

/// Where a client writes.
#[derive(Clone)]
struct Target {
    experiment_id: String,
    run_id: String,
}

impl Target {
    async fn make(client: &Client) -> Self {
        let body = json!({ "name": "killed" });
        let experiment = client.post("experiments/create", &body).await.unwrap();
        let experiment_id = experiment["experiment_id"].as_str().unwrap().to_owned();
        let run = client.post("runs/create", &json!({ "experiment_id": "0" })).await.unwrap();
        let run_id = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        client.post("registered-models/create", &json!({ "name": "model" })).await.unwrap();
        Self { experiment_id, run_id }
    }
}

/// Writes one thing after another, each once, until told to stop.
async fn write(client: Client, target: Target, writer: u64, stop: Arc<AtomicBool>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("{writer}-{number}");
        let done = match number % 8 {
            1 => {
                let tags = [json!({ "key": "name", "value": name })];
                let body = json!({ "experiment_id": target.experiment_id, "tags": tags });
                let run = client.post("runs/create", &body).await;
                run.map(|run| {
                    let id = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
                    acknowledged.runs.insert(number, id);
                })
            }
            5 => {
                let body = json!({ "name": "model", "source": "s3://b/m", "description": name });
                let version = client.post("model-versions/create", &body).await;
                version.map(|version| {
                    let version = version["model_version"]["version"].as_str().unwrap().to_owned();
                    acknowledged.versions.insert(number, version);
                })
            }
            _ => {
                // Three values of which all or none are there, and a param with them.
                let value = |part: u64| {
                    json!({ "key": format!("m{writer}"), "value": number, "timestamp": part,
                            "step": number })
                };
                let body = json!({
                    "run_id": target.run_id, "metrics": (0..3).map(value).collect::<Vec<_>>(),
                    "params": [{ "key": format!("p{name}"), "value": number.to_string() }],
                });
                let done = client.post("runs/log-batch", &body).await;
                done.map(|_empty| {
                    acknowledged.batches.insert(number);
                })
            }
        };
        if done.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    acknowledged
}

/// Everything acknowledged is there once and in order, and nothing is there in part.
async fn check(client: &Client, target: &Target, acknowledged: &[Acknowledged]) {
    let run = client.get(&format!("/api/2.0/mlflow/runs/get?run_id={}", target.run_id)).await;
    let run: Value = serde_json::from_str(&run.unwrap()).unwrap();
    let params: HashMap<&str, &str> = run["run"]["data"]["params"]
        .as_array()
        .unwrap()
        .iter()
        .map(|param| (param["key"].as_str().unwrap(), param["value"].as_str().unwrap()))
        .collect();
    let mut batches = 0;
    for (writer, acknowledged) in acknowledged.iter().enumerate() {
        let found = history(client, &target.run_id, &format!("m{writer}")).await;
        for number in &found {
            let value = params.get(format!("p{writer}-{number}").as_str());
            assert_eq!(value, Some(&number.to_string().as_str()), "param of {writer}-{number}");
        }
        batches += found.len();
        let lost: Vec<&u64> = acknowledged.batches.difference(&found).collect();
        assert_eq!(lost, Vec::<&u64>::new(), "batches of {writer}: acknowledged and lost");
    }
    assert_eq!(batches, params.len(), "params without their metrics");
    check_runs(client, target, acknowledged).await;
    check_versions(client, acknowledged).await;
}

/// The numbers of a writer's batches; each is whole, and the history is in order.
async fn history(client: &Client, run_id: &str, key: &str) -> HashSet<u64> {
    let path = format!(
        "/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key={key}&max_results=1000000"
    );
    let history: Value = serde_json::from_str(&client.get(&path).await.unwrap()).unwrap();
    let none = Vec::new();
    let values = history["metrics"].as_array().unwrap_or(&none);
    let mut parts: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let number = |value: &Value| {
        value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).unwrap()
    };
    let mut places = Vec::new();
    for value in values {
        let (step, part) = (number(&value["step"]), number(&value["timestamp"]));
        places.push((part, step));
        assert_eq!(value["value"].as_f64(), Some(step as f64));
        parts.entry(step).or_default().push(part);
    }
    assert!(places.is_sorted(), "history of {key} is out of order");
    for (step, parts) in &parts {
        assert_eq!(parts, &[0, 1, 2], "batch {step} of {key} is there in part or twice");
    }
    parts.into_keys().collect()
}

async fn check_runs(client: &Client, target: &Target, acknowledged: &[Acknowledged]) {
    let body = json!({ "experiment_ids": [target.experiment_id], "max_results": 50_000 });
    let found = client.post("runs/search", &body).await.unwrap();
    let mut ids: HashMap<&str, &str> = HashMap::new();
    for run in found["runs"].as_array().unwrap() {
        let tags = run["data"]["tags"].as_array().unwrap();
        let name = tags.iter().find(|tag| tag["key"] == "name").unwrap();
        let name = name["value"].as_str().unwrap();
        let twice = ids.insert(name, run["info"]["run_id"].as_str().unwrap());
        assert_eq!(twice, None, "run {name} is there twice");
    }
    for (writer, acknowledged) in acknowledged.iter().enumerate() {
        for (number, id) in &acknowledged.runs {
            let name = format!("{writer}-{number}");
            assert_eq!(ids.get(name.as_str()), Some(&id.as_str()), "run {name} is lost");
        }
    }
}

async fn check_versions(client: &Client, acknowledged: &[Acknowledged]) {
    let path = "/api/2.0/mlflow/model-versions/search?max_results=200000";
    let found: Value = serde_json::from_str(&client.get(path).await.unwrap()).unwrap();
    let mut numbers: HashMap<&str, &str> = HashMap::new();
    let versions = found["model_versions"].as_array().unwrap();
    for version in versions {
        let name = version["description"].as_str().unwrap();
        let twice = numbers.insert(name, version["version"].as_str().unwrap());
        assert_eq!(twice, None, "version {name} is there twice");
    }
    let distinct: HashSet<&str> = numbers.values().copied().collect();
    assert_eq!(distinct.len(), versions.len(), "two versions have one number");
    for (writer, acknowledged) in acknowledged.iter().enumerate() {
        for (number, version) in &acknowledged.versions {
            let name = format!("{writer}-{number}");
            assert_eq!(numbers.get(name.as_str()), Some(&version.as_str()), "version {name}");
        }
    }
}

/// Lets eight clients write while `trouble` goes on.
async fn under_load(
    client: &Client,
    trouble: impl Future<Output = ()>,
) -> (Target, Vec<Acknowledged>) {
    let target = Target::make(client).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let own = Client::new(client.url.clone());
            tokio::spawn(write(own, target.clone(), writer, Arc::clone(&stop)))
        })
        .collect();
    trouble.await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.push(writer.await.unwrap());
    }
    let all: usize = acknowledged.iter().map(|one| one.batches.len()).sum();
    assert!(all > 10 * usize::try_from(kills()).unwrap(), "only {all} batches got through");
    (target, acknowledged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_what_it_acknowledged() {
    let mut server = Server::new(|_folder| "sqlite:///mlflow.db".to_owned());
    let client = Client::new(server.url());
    server.start(&client).await;
    let (target, acknowledged) = under_load(&client, async {
        for kill in 0..kills() {
            tokio::time::sleep(Duration::from_millis(20 + 17 * (kill % 7))).await;
            server.kill();
            server.start(&client).await;
        }
    })
    .await;
    check(&client, &target, &acknowledged).await;
    server.kill();
    let path = server.folder.path().join("mlflow.db").display().to_string();
    let verdict = run_python(
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])",
        &[&path],
        &[],
    );
    assert_eq!(verdict.trim(), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_to_postgresql_lose_nothing() {
    let postgres = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap();
    let mut server = Server::new(|_folder| postgres.database("mlflow"));
    let client = Client::new(server.url());
    server.start(&client).await;
    let (target, acknowledged) = under_load(&client, async {
        for cut in 0..kills() {
            tokio::time::sleep(Duration::from_millis(20 + 17 * (cut % 7))).await;
            if cut % 25 == 24 {
                postgres.down();
                postgres.up();
            } else {
                postgres.sql(
                    "postgres",
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE application_name = 'trainyard'",
                );
            }
            if cut % 10 == 9 {
                server.kill();
                server.start(&client).await;
            }
        }
    })
    .await;
    check(&client, &target, &acknowledged).await;
}
