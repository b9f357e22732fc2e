//! The same store over a PostgreSQL server, which the tests start for themselves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use trainyard_mlflow::entities::{Metric, Param};
use trainyard_mlflow::{LogBatch, MetricHistoryPage, SearchRuns, Tracking};
use trainyard_testkit::{free_port, run_python, tracking_suite};
use trainyard_tracking::{OpenOptions, open};

/// A PostgreSQL server in a folder of its own; both go away with it.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
}

/// Where Debian keeps what it does not put on the path.
fn program(name: &str) -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = folders
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim() == "0"
}

/// PostgreSQL refuses to run as root; `nobody` will do.
fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]).arg(program);
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}\nhint: tests need PostgreSQL 15 or later on the path")
    });
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            run(Command::new("chown").arg("nobody").arg(folder.path()));
        }
        let server = Self { folder, port: free_port() };
        let data = server.data();
        run(as_user(&program("initdb"))
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data));
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off",
            server.port,
            server.folder.path().display()
        );
        run(as_user(&program("pg_ctl"))
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(server.folder.path().join("log"))
            .args(["-w", "-t", "120", "-o", &options, "start"]));
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// An empty database's URI.
    fn database(&self, name: &str) -> String {
        let base = format!("postgresql://postgres@127.0.0.1:{}", self.port);
        let mut client =
            postgres::Client::connect(&format!("{base}/postgres"), postgres::NoTls).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        format!("{base}/{name}")
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "a server that is left behind should be known of")]
    fn drop(&mut self) {
        let stopped = as_user(&program("pg_ctl"))
            .arg("-D")
            .arg(self.data())
            .args(["-m", "immediate", "stop"])
            .output();
        if let Err(error) = stopped {
            eprintln!("PostgreSQL was not stopped: {error}");
        }
    }
}

fn options(server: &Server) -> OpenOptions {
    let path = |name: &str| {
        Some(
            std::env::temp_dir()
                .join(format!("trainyard-{name}-{}", server.port))
                .display()
                .to_string(),
        )
    };
    OpenOptions { default_artifact_root: path("mlruns"), artifacts_destination: path("artifacts") }
}

fn with_server(test: impl AsyncFnOnce(&Server)) {
    // Outside the runtime: starting and the plain client wait in their own way.
    let server = Server::start();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test(&server));
}

#[test]
fn a_postgresql_store_passes_the_suite_and_serves_upstream() {
    let server = Server::start();
    let ours = server.database("ours");
    let upstream = server.database("upstream");
    let artifacts = options(&server);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&ours, artifacts.clone()).unwrap();
        tracking_suite::all(&*store).await;
        writes_at_the_same_time(&store).await;
        params_compare_as_numbers(&*store).await;
        // Upstream opens the database that this store made, and writes to it.
        let run_id = crate::store::create_run(&*store, "0", 1).await;
        store.log_metric(&run_id, Metric::new("m", 0.5, 1, 0)).await.unwrap();
        let printed = run_python(UPSTREAM, &[&ours, &run_id], &[]);
        assert_eq!(printed.trim(), "0.5");
        assert_eq!(store.get_run(&run_id).await.unwrap().data.metric("m"), Some(0.75));

        // And this store opens one that upstream made.
        let printed = run_python(UPSTREAM_NEW, &[&upstream], &[]);
        let store = open(&upstream, artifacts.clone()).unwrap();
        let run = store.get_run(printed.trim()).await.unwrap();
        assert_eq!(run.data.metric("acc"), Some(0.25));
        tracking_suite::all(&*store).await;
    });
}

const UPSTREAM: &str = r#"
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
print(client.get_run(sys.argv[2]).data.metrics["m"])
client.log_metric(sys.argv[2], "m", 0.75, timestamp=2, step=1)
"#;

const UPSTREAM_NEW: &str = r#"
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
run = client.create_run("0")
client.log_metric(run.info.run_id, "acc", 0.25)
print(run.info.run_id)
"#;

/// Eight writers on one run, each value once; versions are numbered without gaps.
async fn writes_at_the_same_time(store: &Arc<dyn Tracking>) {
    let run_id = crate::store::create_run(&**store, "0", 1).await;
    store.create_registered_model("busy", &[], None).await.unwrap();
    let mut tasks = Vec::new();
    for writer in 0..8_i64 {
        let (store, run_id) = (Arc::clone(store), run_id.clone());
        tasks.push(tokio::spawn(async move {
            for number in 0..5_i64 {
                let key = |part: i64| format!("k{}", (part + writer) % 4);
                let metrics =
                    (0..4).map(|part| Metric::new(key(part), 1.0, writer, number)).collect();
                let params = vec![Param::new(format!("p{writer}-{number}"), "x")];
                let batch = LogBatch { metrics, params, tags: vec![] };
                store.log_batch(&run_id, batch).await.unwrap();
                let version = trainyard_mlflow::CreateModelVersion {
                    name: "busy".to_owned(),
                    source: "s3://b/m".to_owned(),
                    ..trainyard_mlflow::CreateModelVersion::default()
                };
                store.create_model_version(version).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let history =
        store.get_metric_history(&run_id, "k0", MetricHistoryPage::default()).await.unwrap();
    assert_eq!(history.items.len(), 40);
    assert_eq!(store.get_run(&run_id).await.unwrap().data.params.len(), 40);
    let latest = store.get_model_version_by_alias("busy", "latest").await.unwrap();
    assert_eq!(latest.version, "40");
}

async fn params_compare_as_numbers(store: &dyn Tracking) {
    let experiment = store.create_experiment("numbers", None, &[]).await.unwrap();
    for value in ["9", "10", "1e3", " 2.5 ", "ten", "1e999", ""] {
        let run_id = crate::store::create_run(store, &experiment, 1).await;
        store.log_param(&run_id, Param::new("n", value)).await.unwrap();
    }
    for (filter, expected) in
        [("params.n > 9.5", 2), ("params.n BETWEEN 2 AND 9", 2), ("NOT params.n > 0", 3)]
    {
        let search = SearchRuns {
            experiment_ids: vec![experiment.clone()],
            filter: filter.to_owned(),
            ..SearchRuns::default()
        };
        assert_eq!(store.search_runs(search).await.unwrap().items.len(), expected, "{filter}");
    }
}

#[test]
fn a_server_that_breaks_off_is_an_error_and_comes_back() {
    with_server(async |server: &Server| {
        let url = format!("postgresql://postgres@127.0.0.1:{}/postgres", server.port);
        let store = open(&url, options(server)).unwrap();
        let run_id = crate::store::create_run(&*store, "0", 1).await;
        store.log_metric(&run_id, Metric::new("m", 1.0, 1, 1)).await.unwrap();
        run(as_user(&program("pg_ctl")).arg("-D").arg(server.data()).args([
            "-m",
            "immediate",
            "-w",
            "stop",
        ]));
        let error = store.get_run(&run_id).await.unwrap_err();
        assert_eq!(error.code().http_status(), 503, "{error}");
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off",
            server.port,
            server.folder.path().display()
        );
        run(as_user(&program("pg_ctl"))
            .arg("-D")
            .arg(server.data())
            .arg("-l")
            .arg(server.folder.path().join("log"))
            .args(["-w", "-t", "120", "-o", &options, "start"]));
        assert_eq!(store.get_run(&run_id).await.unwrap().data.metric("m"), Some(1.0));
    });
}
