//! What was acknowledged is there: after `kill -9` at any moment, and after the disk was full.
//!
//! The process that is killed is this test binary itself, told by an environment variable to be
//! the one that writes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use trainyard_mlflow::entities::{Metric, Param};
use trainyard_mlflow::{ErrorCode, LogBatch, MetricHistoryPage, Tracking};
use trainyard_testkit::KillOnDrop;
use trainyard_tracking::{OpenOptions, open};

/// Set for the process that writes: the folder of its database.
const FOLDER: &str = "TRAINYARD_TEST_WRITER_FOLDER";
/// Set for the process that fills its disk.
const SMALL_DISK: &str = "TRAINYARD_TEST_SMALL_DISK";
const WRITERS: i64 = 8;
const KILLS: u64 = 15;

fn store(folder: &Path) -> Tracking {
    let options = OpenOptions {
        default_artifact_root: Some(folder.join("mlruns").display().to_string()),
        artifacts_destination: None,
        ..OpenOptions::default()
    };
    open(&format!("sqlite:///{}", folder.join("mlflow.db").display()), options).unwrap()
}

/// This test binary, to run one test of it alone.
fn myself(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        &format!("store_durability::{test}"),
        "--nocapture",
        "--test-threads=1",
    ]);
    command
}

fn batch(writer: i64, number: i64) -> LogBatch {
    let key = format!("m{writer}");
    LogBatch {
        // Three values of which all or none are there, and a param with them.
        metrics: (0..3).map(|part| Metric::new(&key, number as f64, part, number)).collect(),
        params: vec![Param::new(format!("p{writer}-{number}"), number.to_string())],
        tags: vec![],
    }
}

/// Writes until it is killed, and tells what was acknowledged.
async fn write_until_killed(folder: &Path) {
    let store = store(folder);
    let run_id = std::fs::read_to_string(folder.join("run")).unwrap();
    let first: i64 = std::fs::read_to_string(folder.join("first")).unwrap().parse().unwrap();
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let (store, run_id) = (store.clone(), run_id.clone());
        tasks.push(tokio::spawn(async move {
            for number in first.. {
                store.runs.log_batch(&run_id, batch(writer, number)).await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {writer} {number}").unwrap();
                out.flush().unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_until_killed(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let run_id = crate::store::create_run(&store(folder.path()), "0", 1).await;
    std::fs::write(folder.path().join("run"), &run_id).unwrap();
    let mut acknowledged: HashSet<(i64, i64)> = HashSet::new();
    for kill in 0..KILLS {
        let first = i64::try_from(kill).unwrap() * 1_000_000;
        std::fs::write(folder.path().join("first"), first.to_string()).unwrap();
        acknowledged.extend(kill_a_writer(folder.path(), 30 + 17 * (kill % 7)));
        let store = store(folder.path());
        check(&store, &run_id, &acknowledged).await;
    }
    assert!(acknowledged.len() > 50, "only {} writes in all", acknowledged.len());
}

/// Lets a process write for some time after its first acknowledged write, kills it, and returns
/// what it had acknowledged.
fn kill_a_writer(folder: &Path, milliseconds: u64) -> Vec<(i64, i64)> {
    let test = "nothing_acknowledged_is_lost_when_the_process_is_killed";
    let mut command = myself(test);
    command.env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = KillOnDrop::spawn(&mut command);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    let mut read = |line: Option<std::io::Result<String>>| -> bool {
        let Some(Ok(line)) = line else { return false };
        // A line that was cut off by the kill is not an acknowledgement; a whole one is.
        let words: Vec<&str> = line.split(' ').collect();
        // The test harness writes on the same line before the first one.
        if let [.., "acknowledged", writer, number] = words.as_slice() {
            seen.push((writer.parse().unwrap(), number.parse().unwrap()));
        }
        true
    };
    while !{
        let line = lines.next();
        let acknowledged = matches!(&line, Some(Ok(text)) if text.contains("acknowledged"));
        assert!(read(line), "the writer ended before it wrote");
        acknowledged
    } {}
    std::thread::sleep(Duration::from_millis(milliseconds));
    child.kill();
    while read(lines.next()) {}
    // The last line may have been cut within its number.
    seen.pop();
    seen
}

/// Everything acknowledged is there once, in order, and nothing is there in part.
async fn check(store: &Tracking, run_id: &str, acknowledged: &HashSet<(i64, i64)>) {
    let params: HashMap<String, String> = store
        .runs
        .get(run_id)
        .await
        .unwrap()
        .data
        .params
        .into_iter()
        .map(|param| (param.key, param.value))
        .collect();
    let mut found = HashSet::new();
    for writer in 0..WRITERS {
        let key = format!("m{writer}");
        let page = MetricHistoryPage::default();
        let history = store.runs.metric_history(run_id, &key, page).await.unwrap().items;
        let mut parts: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        let places: Vec<(i64, i64)> =
            history.iter().map(|metric| (metric.timestamp, metric.step)).collect();
        assert!(places.is_sorted(), "history of {key} is out of order");
        for metric in &history {
            assert_eq!(metric.value, metric.step as f64);
            parts.entry(metric.step).or_default().push(metric.timestamp);
        }
        for (number, parts) in parts {
            assert_eq!(parts, [0, 1, 2], "batch {number} of {writer} is there in part or twice");
            let param = params.get(&format!("p{writer}-{number}"));
            assert_eq!(param, Some(&number.to_string()), "param of batch {number} of {writer}");
            found.insert((writer, number));
        }
    }
    assert_eq!(found.len(), params.len(), "params without their metrics");
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert_eq!(lost, Vec::<&(i64, i64)>::new(), "acknowledged and lost");
}

/// Fills its disk, makes room and goes on, within a file system of a few megabytes.
async fn fill_the_disk(folder: &Path) {
    let filler = folder.join("filler");
    std::fs::write(&filler, vec![1; 512 * 1024]).unwrap();
    let store = store(folder);
    let run_id = crate::store::create_run(&store, "0", 1).await;
    let mut acknowledged = HashSet::new();
    let mut refused = None;
    'full: for number in 0..5_000 {
        for writer in 0..WRITERS {
            match store.runs.log_batch(&run_id, batch(writer, number)).await {
                Ok(()) => {
                    acknowledged.insert((writer, number));
                }
                Err(error) => {
                    refused = Some(error);
                    break 'full;
                }
            }
        }
    }
    let error = refused.expect("the disk never got full");
    assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable, "{error}");
    assert!(error.to_string().contains("no space left"), "{error}");
    // What is there can be read although the disk is full.
    check(&store, &run_id, &acknowledged).await;
    std::fs::remove_file(&filler).unwrap();
    store.runs.log_metric(&run_id, Metric::new("after", 1.0, 1, 1)).await.unwrap();
    drop(store);
    let store = self::store(folder);
    check(&store, &run_id, &acknowledged).await;
    assert_eq!(store.runs.get(&run_id).await.unwrap().data.metric("after"), Some(1.0));
    let connection = rusqlite::Connection::open(folder.join("mlflow.db")).unwrap();
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_leaves_a_whole_store() {
    if let Some(folder) = std::env::var_os(SMALL_DISK) {
        return fill_the_disk(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let me = myself("a_full_disk_is_an_error_and_leaves_a_whole_store");
    // A mount of its own in a namespace of its own: it goes away with the process, and needs no
    // rights outside.
    let script = "mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(me.get_program())
        .args(me.get_args())
        .env(SMALL_DISK, folder.path())
        .output()
        .expect("unshare is part of util-linux");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The log is folded in beside the writer, and begins anew: it does not grow as long as somebody writes.
#[tokio::test]
async fn the_log_begins_anew_while_it_is_written_to() {
    const MIB: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let run_id = crate::store::create_run(&store, "0", 1).await;
    let length = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    let (mut written, mut number) = (0, 0);
    while written < length("mlflow.db-wal") + 16 * MIB {
        assert!(written < 1024 * MIB, "the log has {} bytes", length("mlflow.db-wal"));
        let value = format!("{number} {}", "x".repeat(7900));
        let tags = (0..50).map(|tag| Param::new(format!("t{tag}"), value.clone())).collect();
        let batch = LogBatch { metrics: vec![], params: vec![], tags };
        store.runs.log_batch(&run_id, batch).await.unwrap();
        written += 50 * 7900;
        number += 1;
    }
    drop(store);
    let run = self::store(folder.path()).runs.get(&run_id).await.unwrap();
    let last = format!("{} ", number - 1);
    let kept = run.data.tags.iter().filter(|tag| tag.value.starts_with(&last)).count();
    assert_eq!(kept, 50);
}

#[tokio::test]
async fn soon_after_the_last_write_the_one_file_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let id = store.experiments.create("copied", None, &[]).await.unwrap();
    let copy = folder.path().join("copy.db");
    let start = std::time::Instant::now();
    loop {
        std::fs::copy(folder.path().join("mlflow.db"), &copy).unwrap();
        let copied = rusqlite::Connection::open(&copy).unwrap();
        let sql = "SELECT CAST(experiment_id AS TEXT) FROM experiments WHERE name = 'copied'";
        let ask = |sql| copied.query_row(sql, [], |row| row.get::<_, String>(0));
        // Before, there is not even a table; and a copy may meet the moment in which it is folded in.
        let found = ask(sql).is_ok_and(|found| found == id);
        if found && ask("PRAGMA integrity_check").is_ok_and(|verdict| verdict == "ok") {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "the file has not got what was written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The store goes on, also beside what it has folded in.
    store.experiments.create("after", None, &[]).await.unwrap();
    assert!(folder.path().join("mlflow.db-wal").exists());
}
