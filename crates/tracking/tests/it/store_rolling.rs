//! Tables that a newer version changes while this one writes to them and reads them: nothing fails, nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use trainyard_mlflow::entities::{Metric, Param, Tag};
use trainyard_mlflow::{LogBatch, MetricHistoryPage, SearchRuns, Tracking};
use trainyard_testkit::postgres::PostgresServer;
use trainyard_tracking::open;

use crate::store::{create_run, options};

const WRITERS: usize = 4;
const DEADLINE: Duration = Duration::from_mins(2);

/// What migrations do to tables in use: those of MLflow 3.18, and each kind that there has been.
const CHANGES: [&str; 8] = [
    include_str!("../old_databases/3.18.postgres.sql"),
    "ALTER TABLE tags ALTER COLUMN value TYPE text",
    "ALTER TABLE runs ADD COLUMN owner varchar(10)",
    "ALTER TABLE runs ALTER COLUMN artifact_uri TYPE varchar(2000)",
    "ALTER TABLE params ALTER COLUMN value TYPE text",
    "ALTER TABLE latest_metrics ADD COLUMN seen bigint NOT NULL DEFAULT 0",
    "ALTER TABLE experiments ALTER COLUMN name TYPE text",
    "CREATE INDEX metrics_by_time ON metrics (timestamp)",
];

/// A client that writes one step after the other and reads what it wrote.
struct Writer {
    store: Tracking,
    run_id: String,
    written: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
}

impl Writer {
    async fn work(self) -> (String, i64) {
        let mut step = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let batch = LogBatch {
                metrics: vec![Metric::new("m", step as f64, step, step)],
                params: vec![Param::new(format!("p{step}"), "x")],
                tags: vec![Tag::new("at", step.to_string())],
            };
            self.store.runs.log_batch(&self.run_id, batch).await.unwrap();
            step += 1;
            let run = self.store.runs.get(&self.run_id).await.unwrap();
            assert_eq!(run.data.metric("m"), Some((step - 1) as f64));
            let search = SearchRuns {
                experiment_ids: vec!["0".to_owned()],
                filter: format!("tags.at = '{}' AND metrics.m >= 0", step - 1),
                ..SearchRuns::default()
            };
            let found = self.store.runs.search(search).await.unwrap();
            assert!(found.items.iter().any(|run| run.info.run_id == self.run_id));
            self.written.store(step, Ordering::Relaxed);
        }
        (self.run_id, step)
    }
}

/// Waits until each writer has gone on by two steps: one may have begun before.
async fn all_go_on(written: &[Arc<AtomicI64>], tasks: &[JoinHandle<(String, i64)>]) {
    let now = || written.iter().map(|count| count.load(Ordering::Relaxed));
    let before: Vec<i64> = now().collect();
    let start = Instant::now();
    while !now().zip(&before).all(|(now, before)| now >= before + 2) {
        assert!(!tasks.iter().any(JoinHandle::is_finished), "a writer has failed");
        assert!(start.elapsed() < DEADLINE, "a writer does not go on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn tables_change_under_writes_and_nothing_fails_or_is_lost() {
    let server = PostgresServer::start();
    let folder = tempfile::tempdir().unwrap();
    let uri = server.database("rolling");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&uri, options(&folder)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (mut written, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..WRITERS {
            let count = Arc::new(AtomicI64::new(0));
            let writer = Writer {
                store: store.clone(),
                run_id: create_run(&store, "0", 1).await,
                written: Arc::clone(&count),
                stop: Arc::clone(&stop),
            };
            written.push(count);
            tasks.push(tokio::spawn(writer.work()));
        }
        for change in CHANGES {
            // The writers have their statements prepared, and meet the change at different ones.
            all_go_on(&written, &tasks).await;
            server.sql("rolling", change);
        }
        all_go_on(&written, &tasks).await;
        // Another server comes to the tables as they are now, beside the one that has them open.
        let newer = open(&uri, options(&folder)).unwrap();
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            let (run_id, steps) = task.await.unwrap();
            let page = MetricHistoryPage { max_results: Some(25_000), page_token: None };
            let history = newer.runs.metric_history(&run_id, "m", page).await.unwrap();
            assert_eq!(history.items.len() as i64, steps);
            assert_eq!(newer.runs.get(&run_id).await.unwrap().data.params.len() as i64, steps);
        }
    });
}
