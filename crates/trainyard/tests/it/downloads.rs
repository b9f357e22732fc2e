//! A run fetches each file of a version once and passes the folder on; the instance that serves it is another
//! process and fetches for itself.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use trainyard_testkit::{KillOnDrop, free_port, wait_until_ready};

use crate::project::{TestProject, stdout_of, trainyard};

/// What clients sent over each connection.
type Sent = Arc<Mutex<Vec<Vec<u8>>>>;

/// Passes connections on to a server of this machine and keeps what clients send.
fn listener_before(server: u16) -> (u16, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = Sent::default();
    let kept = Arc::clone(&sent);
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (asks, answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            kept.lock().unwrap().push(Vec::new());
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || {
                pass_on(asks, server, |bytes| kept.lock().unwrap()[number].extend(bytes));
            });
            std::thread::spawn(move || pass_on(answers, client, |_bytes| {}));
        }
    });
    (port, sent)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, seen: impl Fn(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        seen(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _already_closed = to.shutdown(Shutdown::Write);
}

/// How often each file of a model was asked for.
fn downloads(sent: &Sent) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for bytes in sent.lock().unwrap().iter() {
        for line in String::from_utf8_lossy(bytes).lines() {
            let path = line.split_once("GET ").and_then(|(_, rest)| rest.split(' ').next());
            let file =
                path.filter(|path| path.contains("/artifacts/") && path.contains("/models/"));
            if let Some(file) = file {
                *counts.entry(file.to_owned()).or_default() += 1;
            }
        }
    }
    counts
}

#[test]
fn a_run_fetches_a_version_once() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = trainyard();
    command
        .current_dir(folder.path())
        .args(["server", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _server = KillOnDrop::spawn(&mut command);
    wait_until_ready(port, Duration::from_mins(1));
    let (port, sent) = listener_before(port);
    let mut project = TestProject::iris();
    let uri = format!("http://127.0.0.1:{port}");
    project.env.push(("MLFLOW_TRACKING_URI".to_owned(), uri));

    stdout_of(&project.run(&["run"]), 0);
    let first = downloads(&sent);
    assert!(first.keys().any(|file| file.ends_with("/model.onnx")), "{first:?}");
    for (file, count) in &first {
        assert_eq!(*count, 2, "{file}: the run and the instance fetch it");
    }
    // The version in production is fetched to be compared, once.
    stdout_of(&project.run(&["run", "--force"]), 0);
    for (file, count) in downloads(&sent) {
        // What both signatures say is looked at before any model is fetched.
        let read_alone = usize::from(file.ends_with("/MLmodel"));
        let expected = if first.contains_key(&file) { 3 } else { 2 };
        assert!((expected..=expected + read_alone).contains(&count), "{file}: {count} times");
    }
}
