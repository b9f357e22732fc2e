//! What long-running servers do with SIGHUP: read again and go on, or end with the terminal they were started
//! from.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trainyard_testkit::{KillOnDrop, free_port, run_python, wait_for_port, workspace_root};

use crate::project::trainyard;

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

/// Starts a server that listens on `port`, tells it to read again, and to end.
fn survives(folder: &Path, port: u16, arguments: &[&str]) {
    let log = folder.join("stderr.log");
    let mut command = trainyard();
    command.current_dir(folder).args(arguments).stdout(Stdio::null());
    let mut server = KillOnDrop::spawn(command.stderr(std::fs::File::create(&log).unwrap()));
    wait_for_port(port, Duration::from_mins(1));
    for asked in 1..=2 {
        signal("-HUP", server.0.id());
        let start = Instant::now();
        let answers = || std::fs::read_to_string(&log).unwrap().matches("SIGHUP: ").count();
        while answers() < asked {
            assert!(server.0.try_wait().unwrap().is_none(), "{arguments:?} ended");
            assert!(start.elapsed() < Duration::from_mins(1), "{arguments:?} says nothing");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "{arguments:?} listens no more");
    signal("-TERM", server.0.id());
    assert_eq!(server.0.wait().unwrap().code(), Some(0), "{arguments:?}");
}

#[test]
fn no_server_ends_when_it_is_told_to_read_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("instances")).unwrap();
    let model = workspace_root().join("crates/serve/tests/models/iris_columns");
    let model = model.display().to_string();
    let port = free_port();
    let number = port.to_string();
    survives(folder.path(), port, &["serve", "--model-uri", &model, "--port", &number]);
    survives(folder.path(), port, &["server", "--port", &number]);
    let listen = format!("127.0.0.1:{port}");
    let state = folder.path().display().to_string();
    survives(folder.path(), port, &["gateway", "--listen", &listen, "--state-dir", &state]);
}

/// Starts a server in a terminal of its own, closes the terminal when it listens, and says how it ended.
const TERMINAL: &str = r#"
import os, pty, socket, sys, time
port = int(sys.argv[1])
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
deadline = time.monotonic() + 60
while True:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.01)
os.close(terminal)
print(os.waitpid(child, 0)[1])
"#;

#[test]
fn a_server_in_a_terminal_ends_in_order_when_that_is_closed() {
    let model = workspace_root().join("crates/serve/tests/models/iris_columns");
    let port = free_port().to_string();
    let program = env!("CARGO_BIN_EXE_trainyard");
    let model = model.display().to_string();
    let arguments = [port.as_str(), program, "serve", "--model-uri", &model, "--port", &port];
    assert_eq!(run_python(TERMINAL, &arguments, &[]).trim(), "0");
}
