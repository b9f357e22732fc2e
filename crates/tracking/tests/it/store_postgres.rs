//! The same store over a PostgreSQL server, which the tests start for themselves.

use trainyard_mlflow::entities::{Metric, Param};
use trainyard_mlflow::{AliasId, LogBatch, MetricHistoryPage, SearchRuns, Tracking};
use trainyard_testkit::postgres::PostgresServer;
use trainyard_testkit::{run_python, tracking_suite};
use trainyard_tracking::{OpenOptions, open};

pub(crate) fn options(server: &PostgresServer) -> OpenOptions {
    let path = |name: &str| {
        Some(
            std::env::temp_dir()
                .join(format!("trainyard-{name}-{}", server.port()))
                .display()
                .to_string(),
        )
    };
    OpenOptions {
        default_artifact_root: path("mlruns"),
        artifacts_destination: path("artifacts"),
        ..OpenOptions::default()
    }
}

fn with_server(test: impl AsyncFnOnce(&PostgresServer)) {
    // Outside the runtime: starting and the plain client wait in their own way.
    let server = PostgresServer::start();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test(&server));
}

#[test]
fn a_postgresql_store_passes_the_suite_and_serves_upstream() {
    let server = PostgresServer::start();
    let ours = server.database("ours");
    let upstream = server.database("upstream");
    let artifacts = options(&server);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&ours, artifacts.clone()).unwrap();
        tracking_suite::all(&store).await;
        writes_at_the_same_time(&store).await;
        crate::curves::curves(&store).await;
        crate::curves::values_alone(&store).await;
        params_compare_as_numbers(&store).await;
        let beside = open(&ours, artifacts.clone()).unwrap();
        crate::audit::changes_at_once(&[&store, &beside]).await;
        drop(beside);
        crate::removal::registering_and_removing(&ours, &artifacts).await;
        crate::removal::numbers_are_given_once(&ours, &artifacts).await;
        crate::dataset_records::added_at_once(&store).await;
        // Upstream opens the database that this store made, and writes to it.
        let run_id = crate::store::create_run(&store, "0", 1).await;
        store.runs.log_metric(&run_id, Metric::new("m", 0.5, 1, 0)).await.unwrap();
        let printed = run_python(UPSTREAM, &[&ours, &run_id], &[]);
        assert_eq!(printed.trim(), "0.5");
        assert_eq!(store.runs.get(&run_id).await.unwrap().data.metric("m"), Some(0.75));

        // And this store opens one that upstream made.
        let printed = run_python(UPSTREAM_NEW, &[&upstream], &[]);
        let store = open(&upstream, artifacts.clone()).unwrap();
        let run = store.runs.get(printed.trim()).await.unwrap();
        assert_eq!(run.data.metric("acc"), Some(0.25));
        tracking_suite::all(&store).await;

        crate::import::into_postgres(&server.database("imported"), artifacts.clone()).await;
        crate::import::too_long_for_postgres(&server.database("refused"), artifacts).await;
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
async fn writes_at_the_same_time(store: &Tracking) {
    let run_id = crate::store::create_run(store, "0", 1).await;
    store.registered_models.create("busy", &[], None).await.unwrap();
    let mut tasks = Vec::new();
    for writer in 0..8_i64 {
        let (store, run_id) = (store.clone(), run_id.clone());
        tasks.push(tokio::spawn(async move {
            for number in 0..5_i64 {
                let key = |part: i64| format!("k{}", (part + writer) % 4);
                let metrics =
                    (0..4).map(|part| Metric::new(key(part), 1.0, writer, number)).collect();
                let params = vec![Param::new(format!("p{writer}-{number}"), "x")];
                let batch = LogBatch { metrics, params, tags: vec![] };
                store.runs.log_batch(&run_id, batch).await.unwrap();
                let version = trainyard_mlflow::CreateModelVersion {
                    name: "busy".to_owned(),
                    source: "s3://b/m".to_owned(),
                    ..trainyard_mlflow::CreateModelVersion::default()
                };
                store.model_versions.create(version).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let history =
        store.runs.metric_history(&run_id, "k0", MetricHistoryPage::default()).await.unwrap();
    assert_eq!(history.items.len(), 40);
    assert_eq!(store.runs.get(&run_id).await.unwrap().data.params.len(), 40);
    let latest = store
        .registered_models
        .get_by_alias(AliasId { name: "busy", alias: "latest" })
        .await
        .unwrap();
    assert_eq!(latest.version, "40");
}

async fn params_compare_as_numbers(store: &Tracking) {
    let experiment = store.experiments.create("numbers", None, &[]).await.unwrap();
    for value in ["9", "10", "1e3", " 2.5 ", "ten", "1e999", ""] {
        let run_id = crate::store::create_run(store, &experiment, 1).await;
        store.runs.log_param(&run_id, Param::new("n", value)).await.unwrap();
    }
    for (filter, expected) in
        [("params.n > 9.5", 2), ("params.n BETWEEN 2 AND 9", 2), ("NOT params.n > 0", 3)]
    {
        let search = SearchRuns {
            experiment_ids: vec![experiment.clone()],
            filter: filter.to_owned(),
            ..SearchRuns::default()
        };
        assert_eq!(store.runs.search(search).await.unwrap().items.len(), expected, "{filter}");
    }
}

#[test]
fn a_server_that_breaks_off_is_an_error_and_comes_back() {
    with_server(async |server: &PostgresServer| {
        let url = format!("postgresql://postgres@127.0.0.1:{}/postgres", server.port());
        let store = open(&url, options(server)).unwrap();
        let run_id = crate::store::create_run(&store, "0", 1).await;
        store.runs.log_metric(&run_id, Metric::new("m", 1.0, 1, 1)).await.unwrap();
        server.down();
        let error = store.runs.get(&run_id).await.unwrap_err();
        assert_eq!(error.code().http_status(), 503, "{error}");
        server.up();
        // A connection that died while nobody used it is not the next caller's trouble.
        store.runs.get(&run_id).await.unwrap();
        server.down();
        server.up();
        assert_eq!(store.runs.get(&run_id).await.unwrap().data.metric("m"), Some(1.0));
    });
}

#[test]
fn connections_are_encrypted_as_sslmode_says() {
    let server = PostgresServer::start_with_tls();
    let plain = PostgresServer::start();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let certificate = server.certificate().display().to_string();
    let base = server.database("tls");
    let by_name = base.replace("127.0.0.1", "localhost");
    // How the server sees the connection of the store.
    let encrypted = |uri: &str| {
        runtime.block_on(async {
            let store = open(uri, options(&server)).map_err(|error| error.to_string())?;
            store.experiments.get("0").await.map_err(|error| error.to_string())?;
            Ok::<String, String>(server.sql(
                "tls",
                "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                 WHERE a.application_name = 'trainyard'",
            ))
        })
    };
    let certified = format!("&sslrootcert={certificate}");
    for (uri, expected) in [
        (format!("{base}?sslmode=disable"), "f"),
        (base.clone(), "t"),
        (format!("{base}?sslmode=require"), "t"),
        (format!("{base}?sslmode=verify-ca{certified}"), "t"),
        (format!("{by_name}?sslmode=verify-full{certified}"), "t"),
    ] {
        assert_eq!(encrypted(&uri).unwrap().trim(), expected, "{uri}");
    }
    for (uri, expected) in [
        // Signed by itself, which the system does not trust.
        (format!("{base}?sslmode=verify-ca"), "certificate"),
        (format!("{base}?sslmode=verify-full{certified}"), "certificate"),
        (format!("{}?sslmode=require", plain.database("plain")), "TLS"),
    ] {
        let error = encrypted(&uri).unwrap_err();
        assert!(error.contains(expected), "{uri}: {error}");
    }
}
