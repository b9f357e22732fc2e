//! How fast the embedded store is: `cargo run --release -p trainyard-tracking --example store_speed -- 10000`.
//!
//! Fills a database in a temporary folder with that many finished runs (three metrics, three
//! params, three tags each), then prints the time of the calls that users wait for. The folder can
//! be named as a second argument; it is then kept, and filled only if it is not there.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use trainyard_mlflow::entities::{Metric, Tag};
use trainyard_mlflow::{
    AliasId, CreateModelVersion, CreateRun, LogBatch, MetricHistoryPage, SearchRuns, Tracking,
    VersionId,
};
use trainyard_tracking::{OpenOptions, open};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(measure())
}

async fn measure() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let runs: u64 = arguments.next().unwrap_or_else(|| "10000".to_owned()).parse()?;
    let kept = arguments.next().map(PathBuf::from);
    let temporary = tempfile::tempdir()?;
    let folder = kept.unwrap_or_else(|| temporary.path().to_owned());
    let path = folder.join("mlflow.db");
    let fresh = !path.exists();
    let options = OpenOptions {
        default_artifact_root: Some(folder.join("mlruns").display().to_string()),
        artifacts_destination: Some(folder.join("mlartifacts").display().to_string()),
        ..OpenOptions::default()
    };
    let uri = format!("sqlite:///{}", path.display());
    let start = Instant::now();
    let store = open(&uri, options.clone())?;
    println!("open: {:?}", start.elapsed());
    let experiment = if fresh {
        let experiment = store.experiments.create("filled", None, &[]).await?;
        drop(store);
        fill(&path, &experiment, runs)?;
        experiment
    } else {
        let experiment = store.experiments.get_by_name("filled").await?.experiment_id;
        drop(store);
        experiment
    };
    let start = Instant::now();
    let store = open(&uri, options)?;
    println!("open with {runs} runs: {:?}", start.elapsed());
    searches(&store, &experiment).await?;
    reads(&store).await?;
    writes(&store).await
}

/// Writes runs straight into the tables: the calls would take hours for a million.
fn fill(path: &Path, experiment: &str, runs: u64) -> Outcome {
    let start = Instant::now();
    let mut connection = rusqlite::Connection::open(path)?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000")?;
    let transaction = connection.transaction()?;
    {
        let mut run = transaction.prepare(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, \
             user_id, status, start_time, end_time, source_version, lifecycle_stage, \
             artifact_uri, experiment_id) VALUES (?1, ?2, 'UNKNOWN', '', '', 'ada', 'FINISHED', \
             ?3, ?3 + 60000, '', 'active', ?4, ?5)",
        )?;
        let mut metric = transaction.prepare(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) \
             VALUES (?1, ?2, 1, 0, 0, ?3)",
        )?;
        let mut history = transaction.prepare(
            "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) \
             VALUES (?1, ?2, 1, 0, 0, ?3)",
        )?;
        let mut param =
            transaction.prepare("INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)")?;
        let mut tag =
            transaction.prepare("INSERT INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)")?;
        // A fixed sequence of numbers that look random.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for number in 0..runs {
            let id = format!("{:016x}{:016x}", random(), number);
            let name = format!("run-{number}");
            let start_time = 1_600_000_000_000_i64 + i64::try_from(number)? * 1000;
            let uri = format!("mlflow-artifacts:/{experiment}/{id}/artifacts");
            run.execute((&id, &name, start_time, uri, experiment))?;
            for key in ["accuracy", "loss", "f1"] {
                let value = (random() >> 11) as f64 / (1_u64 << 53) as f64;
                metric.execute((key, value, &id))?;
                history.execute((key, value, &id))?;
            }
            for key in ["learning_rate", "depth", "optimizer"] {
                param.execute((key, format!("{}", random() % 10), &id))?;
            }
            for (key, value) in
                [("mlflow.runName", name.as_str()), ("mlflow.user", "ada"), ("team", "vision")]
            {
                tag.execute((key, value, &id))?;
            }
        }
    }
    transaction.commit()?;
    println!("filled with {runs} runs in {:?}", start.elapsed());
    Ok(())
}

async fn searches(store: &Tracking, experiment: &str) -> Outcome {
    for (filter, order) in [
        ("metrics.accuracy > 0.5", "metrics.accuracy DESC"),
        ("metrics.accuracy > 0.5 AND params.depth = '3'", "metrics.accuracy DESC"),
        ("metrics.f1 > 0.5 AND params.depth = '3'", "metrics.accuracy DESC"),
        ("metrics.accuracy > 0.999", "start_time DESC"),
        ("metrics.accuracy > 0.5 AND metrics.loss < 0.001", "metrics.accuracy DESC"),
        ("params.depth = '3' AND tags.team = 'vision'", "start_time DESC"),
        ("metrics.accuracy > 0.9 OR metrics.loss < 0.01", "metrics.f1"),
        ("params.depth > 7", "start_time DESC"),
        ("", "metrics.loss"),
        ("", "start_time DESC"),
        ("", "start_time ASC"),
        ("", "params.depth"),
        ("params.depth = 'none'", "start_time DESC"),
        ("attributes.run_name = 'run-77'", "start_time DESC"),
    ] {
        let search = || SearchRuns {
            experiment_ids: vec![experiment.to_owned()],
            filter: filter.to_owned(),
            order_by: vec![order.to_owned()],
            max_results: Some(100),
            ..SearchRuns::default()
        };
        let mut times = Vec::new();
        let mut found = 0;
        for _time in 0..7 {
            let start = Instant::now();
            found = store.runs.search(search()).await?.items.len();
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let median = times.get(3).copied().unwrap_or_default();
        println!("search {filter:?} by {order}: {median:?}, {found} found");
    }
    Ok(())
}

async fn reads(store: &Tracking) -> Outcome {
    if store.registered_models.get("m").await.is_err() {
        store.registered_models.create("m", &[], None).await?;
        let version = CreateModelVersion {
            name: "m".to_owned(),
            source: "s3://bucket/m".to_owned(),
            tags: vec![Tag::new("a", "b")],
            ..CreateModelVersion::default()
        };
        store.model_versions.create(version).await?;
        store
            .registered_models
            .set_alias(VersionId { name: "m", version: "1" }, "Production")
            .await?;
    }
    for clients in [1, 8] {
        rate(
            "alias look-ups",
            clients,
            Duration::from_secs(2),
            store,
            |store, _client, _time| async move {
                store
                    .registered_models
                    .get_by_alias(AliasId { name: "m", alias: "Production" })
                    .await
                    .map(|_version| ())
            },
        )
        .await?;
    }
    let run_id = new_run(store).await?;
    for part in 0..10 {
        let metrics = (0..1000).map(|step| Metric::new("m", 0.5, 1, part * 1000 + step)).collect();
        store.runs.log_batch(&run_id, LogBatch { metrics, ..LogBatch::default() }).await?;
    }
    for _time in 0..3 {
        let start = Instant::now();
        let page = MetricHistoryPage { max_results: Some(25_000), page_token: None };
        let history = store.runs.metric_history(&run_id, "m", page).await?;
        println!("history of {}: {:?}", history.items.len(), start.elapsed());
    }
    let start = Instant::now();
    for _time in 0..1000 {
        store.runs.get(&run_id).await?;
    }
    println!("get_run: {:?} each", start.elapsed() / 1000);
    Ok(())
}

async fn new_run(store: &Tracking) -> Result<String, trainyard_mlflow::Error> {
    let run = CreateRun { experiment_id: "0".to_owned(), start_time: 1, ..CreateRun::default() };
    Ok(store.runs.create(run).await?.info.run_id)
}

async fn writes(store: &Tracking) -> Outcome {
    let run_id = new_run(store).await?;
    for clients in [1, 8] {
        let time = Duration::from_secs(3);
        rate("create_run", clients, time, store, |store, _client, _time| async move {
            new_run(&store).await.map(|_id| ())
        })
        .await?;
        let id = run_id.clone();
        rate("log_metric", clients, time, store, move |store, client, time| {
            let id = id.clone();
            async move {
                let metric = Metric::new(format!("m{client}"), time as f64, 1, time);
                store.runs.log_metric(&id, metric).await
            }
        })
        .await?;
        for size in [100, 1000] {
            let id = run_id.clone();
            let name = format!("log_batch of {size}");
            rate(&name, clients, time, store, move |store, client, time| {
                let id = id.clone();
                async move {
                    let key = format!("b{size}-{clients}-{client}");
                    let metrics = (0..size)
                        .map(|step| Metric::new(key.clone(), 0.5, 1, time * size + step))
                        .collect();
                    store.runs.log_batch(&id, LogBatch { metrics, ..LogBatch::default() }).await
                }
            })
            .await?;
        }
    }
    Ok(())
}

/// Calls per second of that many clients, and the slowest of a hundred.
async fn rate<F, C>(
    name: &str,
    clients: i64,
    duration: Duration,
    store: &Tracking,
    call: F,
) -> Outcome
where
    F: Fn(Tracking, i64, i64) -> C + Clone + Send + 'static,
    C: Future<Output = trainyard_mlflow::Result<()>> + Send,
{
    let start = Instant::now();
    let mut tasks = Vec::new();
    for client in 0..clients {
        let (store, call) = (store.clone(), call.clone());
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            let mut number = 0;
            while start.elapsed() < duration {
                let begun = Instant::now();
                call(store.clone(), client, number).await?;
                times.push(begun.elapsed());
                number += 1;
            }
            Ok::<_, trainyard_mlflow::Error>(times)
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_unstable();
    let slow = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    println!("{name}, {clients} clients: {rate:.0}/s, p99 {slow:?}");
    Ok(())
}
