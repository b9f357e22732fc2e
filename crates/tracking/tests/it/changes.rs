//! That something was written is noticed, whoever wrote it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::Metric;
use trainyard_testkit::postgres::PostgresServer;
use trainyard_tracking::{Changes, Lending, OpenOptions, Shared, share};

/// The end of every wait: what takes as long does not come.
const TOO_LONG: Duration = Duration::from_mins(2);

fn opened(uri: &str, options: &OpenOptions, lending: &Lending) -> (Tracking, Changes) {
    let Shared { own, changes, .. } = share(uri, options.clone(), lending).unwrap();
    (own, changes.unwrap())
}

/// Waits until more was written than `before`.
async fn grown(changes: &Changes, before: u64) -> u64 {
    let wait = async {
        loop {
            let count = changes.count().await;
            if count > before {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TOO_LONG, wait).await.unwrap()
}

async fn write(tracking: &Tracking) {
    let run_id = crate::store::create_run(tracking, "0", 1).await;
    tracking.runs.log_metric(&run_id, Metric::new("m", 0.5, 1, 0)).await.unwrap();
}

/// Two servers over the same databases see what each of them writes.
async fn are_seen_by_each_other(uri: &str, options: &OpenOptions, lending: &Lending) {
    let (one, changes_of_one) = opened(uri, options, lending);
    let (other, changes_of_other) = opened(uri, options, lending);
    let mut counts = (changes_of_one.count().await, changes_of_other.count().await);
    for writer in [&one, &other, &one] {
        write(writer).await;
        counts.0 = grown(&changes_of_one, counts.0).await;
        counts.1 = grown(&changes_of_other, counts.1).await;
    }
    // Models may be in a database of their own.
    other.registered_models.create("Iris", &[], None).await.unwrap();
    grown(&changes_of_one, counts.0).await;
    grown(&changes_of_other, counts.1).await;
}

#[tokio::test]
async fn what_others_write_into_files_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let options = OpenOptions {
        default_artifact_root: Some(path("runs")),
        artifacts_destination: Some(path("artifacts")),
        ..OpenOptions::default()
    };
    let uri = |name: &str| format!("sqlite:///{}", path(name));
    let apart = Lending { registry_uri: Some(uri("models.db")), ..Lending::default() };
    for lending in [Lending::default(), apart] {
        are_seen_by_each_other(&uri("runs.db"), &options, &lending).await;
        std::fs::remove_file(path("runs.db")).unwrap();
    }
    // Who looks at a file keeps no log of it open.
    let left: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-wal"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_others_write_into_postgresql_is_seen() {
    let server = PostgresServer::start();
    let uri = server.database("watched");
    let options = crate::store_postgres::options(&server);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(are_seen_by_each_other(&uri, &options, &Lending::default()));
    // A program that knows nothing of us.
    let (tracking, changes) = opened(&uri, &options, &Lending::default());
    let before = runtime.block_on(changes.count());
    server.sql("watched", "UPDATE experiments SET name = 'theirs' WHERE experiment_id = 0");
    runtime.block_on(grown(&changes, before));
    drop(tracking);
}

/// Has `writer` write until the other server is told of it.
async fn told_of(changes: &Changes, writer: &Tracking) {
    let wait = async {
        loop {
            changes.count().await;
            let writing = async {
                write(writer).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            };
            tokio::select! {
                () = changes.told() => return,
                () = writing => {}
            }
        }
    };
    tokio::time::timeout(TOO_LONG, wait).await.unwrap();
}

#[test]
fn servers_over_postgresql_tell_each_other() {
    let server = PostgresServer::start();
    let uri = server.database("told");
    let options = crate::store_postgres::options(&server);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (one, _) = opened(&uri, &options, &Lending::default());
        let (_other, changes) = opened(&uri, &options, &Lending::default());
        told_of(&changes, &one).await;
        // A connection that is lost: what is written is found meanwhile, and then told again.
        let lost = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
        assert_eq!(server.sql("told", lost).trim(), "1");
        let before = changes.count().await;
        write(&one).await;
        grown(&changes, before).await;
        told_of(&changes, &one).await;

        // Whoever never hears a word sees it all the same.
        let deaf = format!("{}?sslmode=disable", uri.replace(&server.port().to_string(), &mute(server.port()).to_string()));
        let (_deaf, changes) = opened(&deaf, &options, &Lending::default());
        let mut count = changes.count().await;
        let seen = async {
            for _write in 0..3 {
                write(&one).await;
                count = grown(&changes, count).await;
            }
        };
        tokio::select! {
            () = changes.told() => panic!("nothing can be heard"),
            () = seen => {}
        }
    });
}

/// The port of a way to PostgreSQL on which nothing that is told arrives, as behind a pooler that lends sessions for a
/// transaction.
fn mute(port: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from_client, mut to_server) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ended = std::io::copy(&mut from_client, &mut to_server);
                let _closed = to_server.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || {
                let _ended = pass(server, &client);
                let _closed = client.shutdown(Shutdown::Both);
            });
        }
    });
    own
}

/// Passes all messages of a server on but notifications: each has a kind, and its length with itself.
fn pass(mut server: TcpStream, mut client: &TcpStream) -> std::io::Result<()> {
    loop {
        let mut head = [0; 5];
        server.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut rest = vec![0; length - 4];
        server.read_exact(&mut rest)?;
        if head[0] != b'A' {
            client.write_all(&head)?;
            client.write_all(&rest)?;
        }
    }
}
