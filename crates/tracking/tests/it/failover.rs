//! A PostgreSQL that dies and is replaced: what was acknowledged is there once, and the store goes on with whoever is
//! the primary.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use trainyard_mlflow::entities::{Metric, Tag, ViewType};
use trainyard_mlflow::{AliasId, CreateModelVersion, CreateRun, SearchRuns, Tracking, VersionId};
use trainyard_testkit::postgres::PostgresServer;
use trainyard_tracking::open;

use crate::store_postgres::options;

/// How long anything may take before it counts as never.
pub(crate) const NEVER: Duration = Duration::from_mins(5);
const WRITERS: usize = 4;
/// Runs that each writer has to get through after a failover.
const AFTERWARDS: usize = 5;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The database `mlflow` of all of these servers, of which one is the primary.
pub(crate) fn several(ports: &[u16]) -> String {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!(
        "postgresql+psycopg2://postgres@{}/mlflow?target_session_attrs=read-write",
        hosts.join(",")
    )
}

/// Opens a store as programs do that are in a runtime.
pub(crate) fn opened(uri: &str, server: &PostgresServer) -> Tracking {
    open(uri, options(server)).unwrap()
}

/// Writes runs until it is told to stop, each once; those that were acknowledged, by their names.
async fn write(
    store: Tracking,
    writer: usize,
    progress: Arc<Progress>,
) -> BTreeMap<String, String> {
    let mut acknowledged = BTreeMap::new();
    for number in 0.. {
        if progress.stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("{writer}-{number}");
        let run = CreateRun {
            experiment_id: "0".to_owned(),
            tags: vec![Tag::new("name", &name)],
            ..CreateRun::default()
        };
        match store.runs.create(run).await {
            Ok(run) => {
                acknowledged.insert(name, run.info.run_id);
                progress.counts[writer].fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                // Nobody is told that it was a mistake of theirs.
                let status = error.code().http_status();
                assert!(status == 503 || status == 409, "{status}: {error}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    acknowledged
}

/// How far writers are.
#[derive(Default)]
pub(crate) struct Progress {
    stop: AtomicBool,
    counts: [std::sync::atomic::AtomicUsize; WRITERS],
}

impl Progress {
    /// Waits until each writer has got `more` runs through from now on.
    pub(crate) async fn wait(&self, more: usize) {
        let start = Instant::now();
        let count = |writer: usize| self.counts[writer].load(Ordering::Relaxed);
        let before: Vec<usize> = (0..WRITERS).map(count).collect();
        while (0..WRITERS).any(|writer| count(writer) < before[writer] + more) {
            assert!(start.elapsed() < NEVER, "writers do not get through any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Lets writers write while `trouble` goes on, and checks that what they were told is so.
pub(crate) async fn under_writers(store: &Tracking, trouble: impl AsyncFnOnce(&Progress)) {
    let progress = Arc::new(Progress::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(store.clone(), writer, Arc::clone(&progress))))
        .collect();
    progress.wait(AFTERWARDS).await;
    trouble(&progress).await;
    progress.wait(AFTERWARDS).await;
    progress.stop.store(true, Ordering::Relaxed);
    let mut acknowledged = BTreeMap::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let found = by_name(store).await;
    for (name, run_id) in &acknowledged {
        assert_eq!(found.get(name), Some(run_id), "run {name} was acknowledged and is lost");
    }
}

/// The ids of all runs by their names, none of which is there twice.
async fn by_name(store: &Tracking) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut page_token = None;
    loop {
        let search = SearchRuns {
            experiment_ids: vec!["0".to_owned()],
            view_type: ViewType::All,
            max_results: Some(50_000),
            page_token,
            ..SearchRuns::default()
        };
        let page = store.runs.search(search).await.unwrap();
        for run in page.items {
            let name = Tag::find(&run.data.tags, "name").unwrap().to_owned();
            let twice = found.insert(name.clone(), run.info.run_id);
            assert_eq!(twice, None, "run {name} is there twice");
        }
        page_token = page.next_page_token;
        if page_token.is_none() {
            return found;
        }
    }
}

#[test]
fn what_was_acknowledged_survives_the_primary() {
    let first = PostgresServer::start();
    first.database("mlflow");
    let second = first.standby();
    let uri = several(&[first.port(), second.port()]);
    runtime().block_on(async {
        let store = opened(&uri, &first);
        under_writers(&store, async |_progress: &Progress| {
            first.signal("KILL");
            second.promote();
        })
        .await;
        // The third takes over from the second: nothing is remembered of the first but its address.
        let third = second.standby();
        let store = opened(&several(&[first.port(), second.port(), third.port()]), &first);
        let before = by_name(&store).await.len();
        second.signal("KILL");
        third.promote();
        let start = Instant::now();
        while store.experiments.health().await.is_err() {
            assert!(start.elapsed() < NEVER, "the third primary is not found");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(by_name(&store).await.len(), before);
    });
}

#[test]
fn a_primary_that_only_reads_any_more_is_left() {
    let first = PostgresServer::start();
    first.database("mlflow");
    let second = first.standby();
    runtime().block_on(async {
        let store = opened(&several(&[second.port(), first.port()]), &first);
        let run_id = crate::store::create_run(&store, "0", 1).await;
        // Its connections stay open, and it waits for no standby that is none any more.
        first.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = ''");
        first.sql("postgres", "ALTER SYSTEM SET default_transaction_read_only = on");
        second.promote();
        first.sql("postgres", "SELECT pg_reload_conf()");
        let start = Instant::now();
        for step in 0.. {
            // Before the old one has read its configuration, it takes this.
            store.runs.log_metric(&run_id, Metric::new("m", 1.0, 1, step)).await.unwrap();
            if second.sql("mlflow", "SELECT count(*) FROM metrics").trim() != "0" {
                break;
            }
            assert!(start.elapsed() < NEVER, "the new primary is not found");
        }
    });
}

/// What the proxy does with the next COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The server gets it, and the answer is lost.
    Answer,
    /// The server does not even get it.
    Request,
}

/// Passes connections on to a server, and cuts the one on which the next COMMIT is sent once it is told to.
async fn proxy(listener: TcpListener, server: u16, cut: Arc<std::sync::Mutex<Option<Cut>>>) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let cut = Arc::clone(&cut);
        tokio::spawn(async move {
            let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
            loop {
                tokio::select! {
                    read = client.read(&mut asked) => {
                        let Ok(length @ 1..) = read else { return };
                        let asked = &asked[..length];
                        let is_commit = asked.windows(7).any(|bytes| bytes == b"COMMIT\0");
                        let due = if is_commit { cut.lock().unwrap().take() } else { None };
                        if due == Some(Cut::Request) {
                            return;
                        }
                        server.write_all(asked).await.unwrap();
                        if due == Some(Cut::Answer) {
                            // The server has answered, and nobody hears of it.
                            let _answer = server.read(&mut answered).await;
                            return;
                        }
                    }
                    read = server.read(&mut answered) => {
                        let Ok(length @ 1..) = read else { return };
                        if client.write_all(&answered[..length]).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
    }
}

#[test]
fn a_change_whose_answer_is_lost_is_there_once() {
    let server = PostgresServer::start();
    server.database("mlflow");
    runtime().block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(std::sync::Mutex::new(None));
        tokio::spawn(proxy(listener, server.port(), Arc::clone(&cut)));
        let store = opened(&several(&[port]), &server);
        store.registered_models.create("model", &[], None).await.unwrap();
        for (number, how) in
            [Cut::Answer, Cut::Request, Cut::Answer, Cut::Request].into_iter().enumerate()
        {
            *cut.lock().unwrap() = Some(how);
            let name = format!("cut-{number}");
            let run = CreateRun {
                experiment_id: "0".to_owned(),
                tags: vec![Tag::new("name", &name)],
                ..CreateRun::default()
            };
            let run_id = store.runs.create(run).await.unwrap().info.run_id;
            assert_eq!(*cut.lock().unwrap(), None, "nothing was cut");
            assert_eq!(by_name(&store).await.get(&name), Some(&run_id), "{how:?}");

            *cut.lock().unwrap() = Some(how);
            let version = CreateModelVersion {
                name: "model".to_owned(),
                source: "s3://b/m".to_owned(),
                ..CreateModelVersion::default()
            };
            let version = store.model_versions.create(version).await.unwrap();
            assert_eq!(*cut.lock().unwrap(), None, "nothing was cut");
            assert_eq!(version.version, (number + 1).to_string(), "{how:?}");
        }
    });
}

#[test]
fn a_server_that_hangs_is_not_waited_for_for_ever() {
    let server = PostgresServer::start();
    server.database("mlflow");
    runtime().block_on(async {
        // It is asked within the time that the URI gives it.
        let uri = format!("{}&connect_timeout=2", several(&[server.port()]));
        let store = opened(&uri, &server);
        store.experiments.health().await.unwrap();
        server.signal("STOP");
        let start = Instant::now();
        while store.experiments.health().await.is_ok() {
            assert!(start.elapsed() < NEVER, "a server that hangs is called well");
        }
        let written = store.experiments.create("while-it-hangs", None, &[]).await;
        assert_eq!(written.unwrap_err().code().http_status(), 503);
        server.signal("CONT");
        while store.experiments.health().await.is_err() {
            assert!(start.elapsed() < NEVER, "it is not found again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        store.experiments.create("afterwards", None, &[]).await.unwrap();
    });
}

#[test]
fn several_servers_share_a_database() {
    let server = PostgresServer::start();
    server.database("mlflow");
    let uri = several(&[server.port()]);
    // All of them find an empty database.
    let runtime = runtime();
    let open_one = || {
        let _entered = runtime.enter();
        opened(&uri, &server)
    };
    let stores: Vec<Tracking> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..4).map(|_| scope.spawn(open_one)).collect();
        opening.into_iter().map(|opening| opening.join().unwrap()).collect()
    });
    runtime.block_on(async {
        let [one, two, ..] = stores.as_slice() else { panic!("four were opened") };
        one.registered_models.create("model", &[], None).await.unwrap();
        for expected in ["1", "2", "3"] {
            let (writer, reader) = if expected == "2" { (two, one) } else { (one, two) };
            let version = CreateModelVersion {
                name: "model".to_owned(),
                source: "s3://b/m".to_owned(),
                ..CreateModelVersion::default()
            };
            let version = writer.model_versions.create(version).await.unwrap().version;
            assert_eq!(version, expected);
            let id = VersionId { name: "model", version: &version };
            writer.registered_models.set_alias(id, "Production").await.unwrap();
            // What one has acknowledged, the other one sees.
            let alias = AliasId { name: "model", alias: "Production" };
            let seen = reader.registered_models.get_by_alias(alias).await.unwrap();
            assert_eq!(seen.version, expected);
            let run_id = crate::store::create_run(writer, "0", 1).await;
            assert_eq!(reader.runs.get(&run_id).await.unwrap().info.run_id, run_id);
        }
    });
}
