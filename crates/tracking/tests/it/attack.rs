//! A server to attack: what it must keep lies around it, and a listener stands for every host of its network.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_mlflow::Tracking;
use trainyard_storage::{Environment, Stores};
use trainyard_tracking::Governance;
use trainyard_tracking::artifacts::ArtifactStorage;
use trainyard_tracking::server::auth::{self, AuthFile};
use trainyard_tracking::server::{Authorize, ServerOptions};
use trainyard_tracking::store::{ReadLimits, SqlStore, StoreOptions};

use crate::http::{Answer, Request, send};
use crate::served::Served;

const API: &str = "/api/2.0/mlflow";
const FILES: &str = "/api/2.0/mlflow-artifacts";

/// Every character that could mean something, percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A host that nobody may ask.
pub(crate) struct Internal {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Internal {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        // Ends with the tests' process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = stream else { continue };
                let _timeout = stream.set_read_timeout(Some(Duration::from_millis(100)));
                let _request = stream.read(&mut [0; 1024]);
                let _answer = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nINTERNAL SECRET-7261",
                );
            }
        });
        Self { address, asked }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A version that was tried to make.
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) answer: Answer,
}

/// ```text
/// outside/…, secret.txt, MLmodel, mlflow.db    nobody's artifacts
/// mlartifacts/                                 the artifacts
/// mlartifacts/users                            the server's own file, which is none
/// ```
pub(crate) struct Target {
    pub(crate) server: Served,
    pub(crate) folder: TempDir,
    pub(crate) internal: Internal,
    names: AtomicUsize,
    _users: Option<TempDir>,
}

impl Target {
    pub(crate) fn start() -> Self {
        Self::with(ServerOptions::default(), "127.0.0.1:0")
    }

    /// A server that other machines reach.
    pub(crate) fn public() -> Self {
        Self::with(ServerOptions::default(), "0.0.0.0:0")
    }

    pub(crate) fn with_users() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let line = auth::entry(auth::Kind::User, "ada", "a long enough password").unwrap();
        std::fs::write(&file, line).unwrap();
        let authorize = Some(Arc::new(AuthFile::open(&file).unwrap()) as Arc<dyn Authorize>);
        let options = ServerOptions { authorize, ..ServerOptions::default() };
        Self { _users: Some(folder), ..Self::with(options, "127.0.0.1:0") }
    }

    fn with(options: ServerOptions, listen: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("outside")).unwrap();
        std::fs::create_dir(at("mlartifacts")).unwrap();
        for name in
            ["outside/secret.txt", "outside/MLmodel", "outside/only-here", "secret.txt", "MLmodel"]
        {
            std::fs::write(at(name), "SECRET-7261").unwrap();
        }
        std::fs::write(at("mlartifacts/users"), "SECRET-7261 user").unwrap();
        std::os::unix::fs::symlink("users", at("mlartifacts/alias-of-users")).unwrap();

        let internal = Internal::start();
        let endpoint = format!("http://{}", internal.address());
        let stores = Stores::new(Environment::of([
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "SECRET-7261"),
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("STORAGE_EMULATOR_HOST", endpoint.as_str()),
        ]));
        let destination = at("mlartifacts").display().to_string();
        let storage = ArtifactStorage::with_stores(&destination, stores).unwrap();
        let roots = ["s3://own/runs".to_owned()];
        let storage = storage.below(&roots, vec![at("mlartifacts/users")]).unwrap();
        let store_options = StoreOptions {
            artifact_root: "mlflow-artifacts:/".to_owned(),
            truncate_long_values: true,
            limits: ReadLimits::default(),
            governance: Governance::default(),
        };
        let store = SqlStore::open_sqlite(&at("mlflow.db"), store_options).unwrap();
        let tracking = Tracking::new(Arc::new(store), Arc::new(storage));
        let server = Served::at(listen, tracking, options);
        Self { server, folder, internal, names: AtomicUsize::new(0), _users: None }
    }

    /// A folder that no request may touch.
    pub(crate) fn outside(&self) -> String {
        self.folder.path().join("outside").display().to_string()
    }

    pub(crate) fn artifacts(&self) -> String {
        self.folder.path().join("mlartifacts").display().to_string()
    }

    /// All files around the artifacts.
    pub(crate) fn around(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(self.folder.path(), &mut found);
        // Where the process runs: relative locations would end there.
        for entry in std::fs::read_dir(".").unwrap() {
            found.insert(format!("./{}", entry.unwrap().file_name().display()), Vec::new());
        }
        found
    }

    pub(crate) fn sql(&self, statement: &str, values: [&str; 2]) {
        let database = rusqlite::Connection::open(self.folder.path().join("mlflow.db")).unwrap();
        database.busy_timeout(Duration::from_mins(1)).unwrap();
        database.execute(statement, values).unwrap();
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Answer {
        send(&self.server.url, &Request { method, path, headers: headers.to_vec(), body })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub(crate) fn put(&self, path: &str, body: &[u8]) -> Answer {
        self.send("PUT", path, &[], Some(body))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let json = [("Content-Type", "application/json")];
        self.send("POST", path, &json, Some(body.to_string().as_bytes()))
    }

    fn name(&self) -> String {
        format!("n{}", self.names.fetch_add(1, Ordering::SeqCst))
    }

    /// A new run of an experiment.
    pub(crate) fn run(&self, experiment: &str) -> String {
        let made =
            self.post(&format!("{API}/runs/create"), &json!({ "experiment_id": experiment }));
        let made = made.json();
        made["run"]["info"]["run_id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    pub(crate) fn artifact_uri(&self, run: &str) -> String {
        let run = self.get(&format!("{API}/runs/get?run_id={run}")).json();
        run["run"]["info"]["artifact_uri"].as_str().unwrap().to_owned()
    }

    /// A new logged model of the first experiment.
    pub(crate) fn logged_model(&self) -> String {
        self.logged_model_of("0")
    }

    fn logged_model_of(&self, experiment: &str) -> String {
        let made =
            self.post(&format!("{API}/logged-models"), &json!({ "experiment_id": experiment }));
        let made = made.json();
        made["model"]["info"]["model_id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// Tries to make a version of a model of its own.
    pub(crate) fn version(&self, source: &str, more: &Value) -> Made {
        let name = self.name();
        self.post(&format!("{API}/registered-models/create"), &json!({ "name": name }));
        let mut body = json!({ "name": name, "source": source });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        let answer = self.post(&format!("{API}/model-versions/create"), &body);
        Made { name, answer }
    }

    /// Makes versions of sources, plain and as prompts, and asks for their files.
    pub(crate) fn through_versions(&self, sources: &[&str]) -> Vec<Answer> {
        let prompt = json!({ "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}] });
        let run = self.run("0");
        let mut answers = Vec::new();
        for source in sources {
            for more in [json!({}), prompt.clone(), json!({ "run_id": run })] {
                let made = self.version(source, &more);
                answers.extend(self.files_of_version(&made.name));
                answers.push(made.answer);
            }
        }
        answers
    }

    /// Makes experiments at locations, which may be accepted, with a run and a model, and asks for their files.
    pub(crate) fn through_experiments(&self, locations: &[&str]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for location in locations {
            let body = json!({ "name": self.name(), "artifact_location": location });
            let made = self.post(&format!("{API}/experiments/create"), &body);
            if made.status == 200 {
                let experiment = made.json()["experiment_id"].as_str().unwrap().to_owned();
                answers.extend(self.files_of_run(&self.run(&experiment)));
                answers.extend(self.files_of_model(&self.logged_model_of(&experiment)));
            }
            answers.push(made);
        }
        answers
    }

    /// Asks for files of a version, which must not be there.
    pub(crate) fn files_of_version(&self, name: &str) -> Vec<Answer> {
        let paths = ["secret.txt", "outside/secret.txt", "MLmodel", "etc/passwd", "environ", ""];
        let get = |path: &str| {
            self.get(&format!(
                "/model-versions/get-artifact?name={name}&version=1&path={}",
                encoded(path)
            ))
        };
        let answers: Vec<Answer> = paths.into_iter().map(get).collect();
        // What an attack itself put among the artifacts may be read.
        let own = |answer: &Answer| answer.status >= 400 || answer.text() == "planted";
        assert!(answers.iter().all(own), "{answers:?}");
        answers
    }

    /// All that can be asked of a run's artifacts, where its location is none of the server's.
    pub(crate) fn files_of_run(&self, run: &str) -> Vec<Answer> {
        let paths = ["secret.txt", "outside/secret.txt", "MLmodel", "etc/passwd", ""];
        let mut answers: Vec<Answer> =
            paths.iter().flat_map(|path| self.one_file_of_run(run, path)).collect();
        answers.push(self.get(&format!("{API}/artifacts/list?run_id={run}")));
        let query = format!(
            "{{ mlflowListArtifacts(input: {{runId: \"{run}\"}}) {{ files {{ path fileSize }} }} }}"
        );
        answers.push(self.post("/graphql", &json!({ "query": query })));
        for answer in &answers {
            assert!(!answer.text().contains("only-here"), "listed: {}", answer.text());
        }
        answers
    }

    /// Reads, writes and signs one file of a run.
    pub(crate) fn one_file_of_run(&self, run: &str, path: &str) -> Vec<Answer> {
        let place = encoded(path);
        let signed = json!({ "run_id": run, "path": path });
        let upload = format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={place}");
        let answers = vec![
            self.get(&format!("/get-artifact?run_id={run}&path={place}")),
            self.get(&format!("{API}/artifacts/list?run_id={run}&path={place}")),
            self.send("POST", &upload, &[], Some(b"planted")),
            self.post(&format!("{API}/artifacts/presigned-upload-url"), &signed),
            self.post(&format!("{API}/artifacts/presigned-download-url"), &signed),
        ];
        assert!(answers.iter().all(|answer| !answer.text().contains("Signature=")), "{answers:?}");
        answers
    }

    /// All that can be asked of a logged model's artifacts.
    pub(crate) fn files_of_model(&self, model: &str) -> Vec<Answer> {
        let mut answers = Vec::new();
        for prefix in ["/api", "/ajax-api"] {
            let base = format!("{prefix}/2.0/mlflow/logged-models/{model}/artifacts");
            answers.push(self.get(&format!("{base}/directories")));
            for path in ["secret.txt", "outside/secret.txt", "MLmodel", "etc/passwd"] {
                let place = encoded(path);
                answers.push(self.get(&format!("{base}/files?artifact_file_path={place}")));
                answers
                    .push(self.get(&format!("{base}/directories?artifact_directory_path={place}")));
            }
        }
        let signed = json!({ "model_id": model, "path": "x" });
        answers.push(self.post(&format!("{API}/artifacts/presigned-upload-url"), &signed));
        for answer in &answers {
            assert!(!answer.text().contains("only-here"), "listed: {}", answer.text());
        }
        answers
    }

    /// Asks for paths, written as they stand in a URL, on every route that takes one.
    pub(crate) fn through_paths(&self, paths: &[&str]) -> Vec<Answer> {
        let (run, model) = (self.run("0"), self.logged_model());
        let mut answers = Vec::new();
        for path in paths {
            let file = format!("{FILES}/artifacts/{path}");
            answers.push(self.get(&file));
            answers.push(self.put(&file, b"planted"));
            answers.push(self.send("DELETE", &file, &[], None));
            answers.push(self.get(&format!("{FILES}/artifacts?path={path}")));
            answers.push(self.get(&format!("{FILES}/presigned/{path}")));
            for step in ["create", "complete", "abort"] {
                let body = json!({ "path": path, "num_parts": 1, "upload_id": "x",
                                   "parts": [{"part_number": 1, "etag": "x"}] });
                answers.push(self.post(&format!("{FILES}/mpu/{step}/{path}"), &body));
            }
            answers.push(self.get(&format!("/get-artifact?run_id={run}&path={path}")));
            answers.push(self.get(&format!("{API}/artifacts/list?run_id={run}&path={path}")));
            let upload = format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={path}");
            answers.push(self.send("POST", &upload, &[], Some(b"planted")));
            let base = format!("{API}/logged-models/{model}/artifacts");
            answers.push(self.get(&format!("{base}/files?artifact_file_path={path}")));
            answers.push(self.get(&format!("{base}/directories?artifact_directory_path={path}")));
            answers.push(self.get(&format!("/static-files/{path}")));
            answers.push(self.get(&format!("/{path}")));
        }
        answers
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "mlartifacts" || name.starts_with("mlflow.db") {
            continue;
        }
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.insert(entry.path().display().to_string(), Vec::new());
            collect(&entry.path(), found);
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            found.insert(entry.path().display().to_string(), bytes);
        }
    }
}
