//! A team on one server that is killed again and again: members train, register, move aliases, read pages, sign in at a
//! provider and take copies of the audit log, CI trains with a token, and a webhook is told of every alias. What was
//! acknowledged is there, a line for each change is in the audit log, and the webhook was told.
//!
//! `cargo xtask test --long` takes an hour and twenty kills.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trainyard_testkit::{KillOnDrop, free_port, wait_until_ready};

use crate::login::{PASSWORD, provider, sign_in};
use crate::project::{stdout_of, trainyard};
use crate::webhooks::receiver;

const MEMBERS: usize = 20;
const MODEL: &str = "team";
/// Pause of a member between two things, as people and jobs have them.
const PAUSE: Duration = Duration::from_millis(50);

fn is_long() -> bool {
    std::env::var_os("TRAINYARD_TEST_LONG").is_some()
}

/// The server, over one folder and at one port, in many processes after each other.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    process: Option<KillOnDrop>,
}

impl Server {
    fn new(of_provider: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let oidc = format!(
            "public_url = 'http://127.0.0.1:{port}'\n[[issuer]]\nname = 'company'\n\
             url = 'http://127.0.0.1:{of_provider}'\nclient_id = 'trainyard'\n"
        );
        std::fs::write(folder.path().join("oidc.toml"), oidc).unwrap();
        let settings = "[mlflow]\ndatabase_uri = sqlite:///basic_auth.db\n\
                        default_permission = MANAGE\nadmin_username = admin\n";
        std::fs::write(folder.path().join("basic_auth.ini"), settings).unwrap();
        let mut server = Self { folder, port, process: None };
        server.start();
        server
    }

    fn start(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("server.log"))
            .unwrap();
        let mut command = trainyard();
        command
            .current_dir(self.folder.path())
            .args(["server", "--app-name", "basic-auth", "--oidc", "oidc.toml", "--audit", "all"])
            .args(["--webhook-allow", "127.0.0.1", "--port", &self.port.to_string()])
            .env("MLFLOW_AUTH_CONFIG_PATH", "basic_auth.ini")
            .env("MLFLOW_AUTH_ADMIN_PASSWORD", PASSWORD)
            .env("MLFLOW_WEBHOOK_REQUEST_TIMEOUT", "1")
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(KillOnDrop::spawn(&mut command));
        wait_until_ready(self.port, Duration::from_mins(2));
    }

    fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `trainyard audit …` beside the running server, as a job of every night calls it.
    fn audit(&self, arguments: &[&str]) -> String {
        let mut command = trainyard();
        command.current_dir(self.folder.path()).arg("audit").args(arguments);
        stdout_of(&command.env("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db").output().unwrap(), 0)
    }
}

/// Somebody who asks, and never asks for the same thing twice.
#[derive(Clone)]
struct Member {
    name: String,
    secret: String,
    url: String,
    client: reqwest::Client,
}

impl Member {
    fn new(url: &str, name: &str, secret: &str) -> Self {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().build().unwrap();
        let (name, secret, url) = (name.to_owned(), secret.to_owned(), url.to_owned());
        Self { name, secret, url, client }
    }

    /// What was answered; none where the server is away or says that it cannot now.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Option<String> {
        let request = request.basic_auth(&self.name, Some(&self.secret));
        let answer = request.timeout(Duration::from_mins(1)).send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        // Whoever asks only for what they may gets no other answer than these.
        let is_fair = status.is_success() || status.is_server_error();
        assert!(is_fair, "{}: {status}: {}", self.name, text.chars().take(500).collect::<String>());
        status.is_success().then_some(text)
    }

    async fn get(&self, path: &str) -> Option<String> {
        self.answer(self.client.get(format!("{}{path}", self.url))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.client.post(format!("{}/api/{path}", self.url)).json(body);
        self.answer(request).await.map(|text| serde_json::from_str(&text).unwrap())
    }
}

/// What the server acknowledged to one of them.
#[derive(Debug, Default)]
struct Acknowledged {
    /// Runs that were made, with the last value that was logged.
    runs: BTreeMap<String, Option<u64>>,
    versions: BTreeSet<String>,
    /// Aliases, and the versions they were set to.
    aliases: BTreeMap<String, String>,
    pages: usize,
}

/// A training: a run, some values, its end; `number` is the value.
async fn train(
    member: &Member,
    experiment: &str,
    number: u64,
    done: &mut Acknowledged,
) -> Option<()> {
    let body =
        json!({ "experiment_id": experiment, "run_name": format!("{}-{number}", member.name) });
    let run = member.post("2.0/mlflow/runs/create", &body).await?;
    let id = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    done.runs.insert(id.clone(), None);
    let value = json!({ "key": "loss", "value": number, "timestamp": 1, "step": number });
    let body = json!({
        "run_id": id, "metrics": [value], "params": [{ "key": "n", "value": number.to_string() }],
    });
    member.post("2.0/mlflow/runs/log-batch", &body).await?;
    done.runs.insert(id.clone(), Some(number));
    let body = json!({ "run_id": id, "status": "FINISHED", "end_time": 2 });
    member.post("2.0/mlflow/runs/update", &body).await.map(drop)
}

/// A version, and an alias of its own on it.
async fn register(member: &Member, number: u64, done: &mut Acknowledged) -> Option<()> {
    let body = json!({ "name": MODEL, "source": "s3://models/m" });
    let version = member.post("2.0/mlflow/model-versions/create", &body).await?;
    let version = version["model_version"]["version"].as_str().unwrap().to_owned();
    done.versions.insert(version.clone());
    let alias = format!("of-{}-{number}", member.name);
    let body = json!({ "name": MODEL, "alias": alias, "version": version });
    member.post("2.0/mlflow/registered-models/alias", &body).await?;
    done.aliases.insert(alias.clone(), version);
    // A model has only so many of them.
    let path = format!("{}/api/2.0/mlflow/registered-models/alias", member.url);
    let gone = member.client.delete(path).json(&json!({ "name": MODEL, "alias": alias }));
    member.answer(gone).await.map(drop)
}

/// A look at a page, or at a list as a program asks for it.
async fn read(
    member: &Member,
    experiment: &str,
    number: u64,
    done: &mut Acknowledged,
) -> Option<()> {
    let page = match number % 6 {
        0 => "/".to_owned(),
        1 => format!("/experiments/{experiment}"),
        2 => format!("/models/{MODEL}"),
        3 => format!("/experiments/{experiment}/runs.csv"),
        4 => "/search?q=team".to_owned(),
        _ => {
            let body = json!({ "experiment_ids": [experiment], "filter": "metrics.loss > 3",
                               "order_by": ["metrics.loss DESC"], "max_results": 100 });
            member.post("2.0/mlflow/runs/search", &body).await?;
            done.pages += 1;
            return Some(());
        }
    };
    let text = member.get(&page).await?;
    assert!(!text.is_empty(), "{page}");
    done.pages += 1;
    Some(())
}

/// Does the same kind of thing until told to stop.
async fn work(
    member: Member,
    kind: usize,
    experiment: String,
    stop: Arc<AtomicBool>,
) -> Acknowledged {
    let mut done = Acknowledged::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let _away = match kind % 4 {
            0 | 1 => train(&member, &experiment, number, &mut done).await,
            2 => register(&member, number, &mut done).await,
            _ => read(&member, &experiment, number, &mut done).await,
        };
        tokio::time::sleep(PAUSE).await;
    }
    done
}

/// Signs in at the provider by a code again and again, and once when the server is left alone if it never came to an end
/// before; how often it did.
fn sign_in_again_and_again(url: &str, stop: &AtomicBool) -> usize {
    let mut times = 0;
    while !stop.load(Ordering::Relaxed) {
        times += usize::from(sign_in(url).is_some());
        std::thread::sleep(if is_long() { Duration::from_secs(10) } else { PAUSE });
    }
    if times == 0 { usize::from(sign_in(url).is_some()) } else { times }
}

#[test]
fn a_team_loses_nothing_and_every_change_of_it_is_written_down() {
    let of_provider = free_port();
    let config = tempfile::tempdir().unwrap();
    let _provider = provider(config.path(), of_provider);
    let mut server = Server::new(of_provider);
    let url = server.url();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let admin = Member::new(&url, "admin", PASSWORD);
    let (hook, told) = receiver();
    let (experiment, people) = runtime.block_on(make_team(&admin, &hook));
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(number, member)| {
            let (member, experiment) = (member.clone(), experiment.clone());
            runtime.spawn(work(member, number, experiment, Arc::clone(&stop)))
        })
        .collect();
    let signed_in = {
        let (url, stop) = (url.clone(), Arc::clone(&stop));
        std::thread::spawn(move || sign_in_again_and_again(&url, &stop))
    };
    let (kills, between) =
        if is_long() { (20, Duration::from_mins(3)) } else { (2, Duration::from_secs(2)) };
    let copies = AtomicUsize::new(0);
    for kill in 0..kills {
        std::thread::sleep(between);
        // A copy is taken while they work, and the chain holds at every moment.
        let verified = server.audit(&["verify"]);
        assert!(verified.contains("as they were written"), "{kill}: {verified}");
        copies.fetch_add(server.audit(&["export"]).lines().count(), Ordering::Relaxed);
        server.kill();
        server.start();
    }
    std::thread::sleep(between);
    stop.store(true, Ordering::Relaxed);
    let done: Vec<Acknowledged> =
        tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).collect();
    let signed_in = signed_in.join().unwrap();
    let sum = |count: fn(&Acknowledged) -> usize| done.iter().map(count).sum::<usize>();
    println!(
        "{} runs, {} versions, {} aliases, {} pages and searches, {signed_in} sign-ins",
        sum(|one| one.runs.len()),
        sum(|one| one.versions.len()),
        sum(|one| one.aliases.len()),
        sum(|one| one.pages),
    );
    assert!(signed_in > 0 && sum(|one| one.pages) > 0 && copies.into_inner() > 0);
    runtime.block_on(check_store(&admin, &experiment, &done));
    check_audit(&server, &people, &done);
    check_told(&told, &done);
}

/// An experiment, a model, a webhook, members with passwords and a service account with a token.
async fn make_team(admin: &Member, hook: &str) -> (String, Vec<Member>) {
    let experiment = admin.post("2.0/mlflow/experiments/create", &json!({ "name": "team" })).await;
    let experiment = experiment.unwrap()["experiment_id"].as_str().unwrap().to_owned();
    admin.post("2.0/mlflow/registered-models/create", &json!({ "name": MODEL })).await.unwrap();
    let events = json!([{ "entity": "MODEL_VERSION_ALIAS", "action": "CREATED" }]);
    let body = json!({ "name": "aliases", "url": hook, "events": events });
    admin.post("2.0/mlflow/webhooks", &body).await.unwrap();
    let mut people = Vec::new();
    for number in 0..MEMBERS {
        let name = format!("member{number}");
        let body = json!({ "username": name, "password": PASSWORD });
        admin.post("2.0/mlflow/users/create", &body).await.unwrap();
        people.push(Member::new(&admin.url, &name, PASSWORD));
    }
    // Three jobs of CI show the token of a service account.
    let body = json!({ "username": "ci" });
    admin.post("3.0/trainyard/service-accounts/create", &body).await.unwrap();
    let body =
        json!({ "username": "ci", "name": "train", "scope": "MANAGE", "expires_in_days": 1 });
    let token = admin.post("3.0/trainyard/tokens/create", &body).await.unwrap();
    let token = token["secret"].as_str().unwrap();
    people.extend((0..3).map(|_job| Member::new(&admin.url, "ci", token)));
    (experiment, people)
}

/// Every run, value and version that was acknowledged is there.
async fn check_store(admin: &Member, experiment: &str, done: &[Acknowledged]) {
    let mut found = BTreeMap::new();
    let mut token = String::new();
    loop {
        let body = json!({
            "experiment_ids": [experiment], "max_results": 10_000, "page_token": token,
        });
        let page = admin.post("2.0/mlflow/runs/search", &body).await.unwrap();
        for run in page["runs"].as_array().into_iter().flatten() {
            let value = run["data"]["metrics"][0]["value"].as_f64();
            found.insert(run["info"]["run_id"].as_str().unwrap().to_owned(), value);
        }
        match page["next_page_token"].as_str() {
            Some(next) if !next.is_empty() => next.clone_into(&mut token),
            _ => break,
        }
    }
    for (run, value) in done.iter().flat_map(|one| &one.runs) {
        let there = found.get(run).unwrap_or_else(|| panic!("run {run} is lost"));
        if let Some(value) = value {
            assert_eq!(*there, Some(*value as f64), "value of run {run}");
        }
    }
    let path =
        format!("/api/2.0/mlflow/model-versions/search?filter=name='{MODEL}'&max_results=200000");
    let versions: Value = serde_json::from_str(&admin.get(&path).await.unwrap()).unwrap();
    let versions: BTreeSet<&str> = versions["model_versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version"].as_str().unwrap())
        .collect();
    for version in done.iter().flat_map(|one| &one.versions) {
        assert!(versions.contains(version.as_str()), "version {version} is lost");
    }
}

/// Every change that was acknowledged is told by one line, with who did it.
fn check_audit(server: &Server, people: &[Member], done: &[Acknowledged]) {
    let verified = server.audit(&["verify"]);
    assert!(verified.contains("as they were written"), "{verified}");
    let mut lines: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in server.audit(&["export"]).lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let what = format!("{} {} {}", text("action"), text("subject"), text("part"));
        *lines.entry((text("who"), what)).or_default() += 1;
    }
    let once = |member: &Member, what: String| {
        let count = lines.get(&(member.name.clone(), what.clone())).copied().unwrap_or_default();
        assert_eq!(count, 1, "lines of {}: {what}", member.name);
    };
    for (member, done) in people.iter().zip(done) {
        for run in done.runs.keys() {
            once(member, format!("run.create run:{run} "));
        }
        for version in &done.versions {
            once(member, format!("version.create model:{MODEL} version:{version}"));
        }
        for alias in done.aliases.keys() {
            once(member, format!("alias.set model:{MODEL} alias:{alias}"));
        }
    }
}

/// The webhook hears of every alias at least once.
fn check_told(told: &std::sync::mpsc::Receiver<String>, done: &[Acknowledged]) {
    let mut wanted: BTreeSet<&str> =
        done.iter().flat_map(|one| one.aliases.keys()).map(String::as_str).collect();
    let deadline = Instant::now() + Duration::from_mins(5);
    while !wanted.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let alias = told.recv_timeout(left);
        let alias = alias.unwrap_or_else(|_over| panic!("never told of {wanted:?}"));
        wanted.remove(alias.as_str());
    }
}
