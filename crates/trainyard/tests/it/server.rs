//! `trainyard server` as a user runs it: its flags, its users, and its memory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use trainyard_testkit::{KillOnDrop, free_port, wait_until_ready};

use crate::project::trainyard;

/// A server in a folder of its own; stderr goes to `server.log` there.
struct Server {
    process: KillOnDrop,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, |_command| ())
    }

    fn start_with(
        folder: tempfile::TempDir,
        arguments: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("server.log")).unwrap();
        let mut command = trainyard();
        command
            .current_dir(folder.path())
            .args(["server", "--port", &port.to_string()])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(log);
        prepare(&mut command);
        let process = KillOnDrop::spawn(&mut command);
        wait_until_ready(port, Duration::from_mins(1));
        Self { process, port, folder }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap()
    }

    /// Status and body of a GET.
    fn get(&self, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }
}

/// A line for the file of users.
fn entry(arguments: &[&str], secret: &str) -> std::process::Output {
    let mut command = trainyard();
    command.args(["server", "hash-password"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{secret}").unwrap();
    child.wait_with_output().unwrap()
}

const EXPERIMENT: &str = "/api/2.0/mlflow/experiments/get?experiment_id=0";

#[test]
fn users_are_made_and_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let ada = entry(&["--user", "ada"], "difference engine");
    assert!(ada.status.success(), "{}", String::from_utf8_lossy(&ada.stderr));
    let line = String::from_utf8(ada.stdout).unwrap();
    assert!(line.starts_with("user ada $argon2id$") && !line.contains("difference"), "{line}");
    std::fs::write(folder.path().join("users"), &line).unwrap();
    let server = Server::start(folder, &["--auth-file", "users", "--host", "0.0.0.0"]);
    assert_eq!(server.get("/health", "").0, 200);
    let (status, answer) = server.get(EXPERIMENT, "");
    assert_eq!(status, 401);
    assert!(answer.to_ascii_lowercase().contains("www-authenticate: basic"), "{answer}");
    // "ada:difference engine"
    let header = "Authorization: Basic YWRhOmRpZmZlcmVuY2UgZW5naW5l\r\n";
    assert_eq!(server.get(EXPERIMENT, header).0, 200);
    assert!(!server.log().contains("warning"), "{}", server.log());
}

#[test]
fn users_and_permissions_are_asked_for_as_upstreams_are() {
    let folder = tempfile::tempdir().unwrap();
    let without_password = trainyard()
        .current_dir(folder.path())
        .args(["server", "--port", "0", "--app-name", "basic-auth"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&without_password.stderr);
    assert_eq!(without_password.status.code(), Some(2), "{error}");
    assert!(error.contains("MLFLOW_AUTH_ADMIN_PASSWORD"), "{error}");
    std::fs::write(
        folder.path().join("auth.ini"),
        "[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///users.db\n\
         admin_username = root\nadmin_password = difference engine\n",
    )
    .unwrap();
    let settings = "auth.ini";
    let server = Server::start_with(folder, &["--app-name", "basic-auth"], |command| {
        command.env("MLFLOW_AUTH_CONFIG_PATH", settings);
    });
    assert_eq!(server.get("/health", "").0, 200);
    assert_eq!(server.get(EXPERIMENT, "").0, 401);
    // "root:difference engine"
    let root = "Authorization: Basic cm9vdDpkaWZmZXJlbmNlIGVuZ2luZQ==\r\n";
    assert_eq!(server.get(EXPERIMENT, root).0, 200);
    let user = |arguments: &[&str], secret: &str| {
        let mut command = trainyard();
        command.current_dir(server.folder.path()).arg("user").args(arguments);
        command.env("MLFLOW_AUTH_CONFIG_PATH", settings);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that reads nothing may have ended before.
        let _unread = writeln!(child.stdin.take().unwrap(), "{secret}");
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    user(&["create", "ada"], "difference engine");
    assert_eq!(user(&["list"], ""), "root (administrator)\nada\n");
    let token = user(&["token", "t", "--of", "ada", "--scope", "READ", "--days", "1"], "");
    let bearer = format!("Authorization: Bearer {}\r\n", token.trim());
    let until = |expected: &[u16]| {
        let deadline = std::time::Instant::now() + Duration::from_mins(1);
        while !expected.contains(&server.get(EXPERIMENT, &bearer).0) {
            assert!(std::time::Instant::now() < deadline, "never {expected:?}: {}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    // Known by now, and nothing was granted to her.
    until(&[403]);
    user(&["group", "create", "team", "--description", "all of us"], "");
    user(&["group", "add", "team", "ada"], "");
    assert_eq!(user(&["group", "list"], ""), "team: ada\n");
    user(&["group", "grant", "team", "experiment", "*", "READ"], "");
    until(&[200]);
    user(&["group", "revoke", "team", "experiment", "*"], "");
    until(&[403]);
    user(&["group", "delete", "team"], "");
    user(&["promote", "ada"], "");
    until(&[200]);
    user(&["revoke-token", "t"], "");
    until(&[401, 429]);
    let log = server.log();
    assert!(!log.contains("difference") && !log.contains(token.trim()), "{log}");
}

#[test]
fn weak_passwords_and_broken_files_of_users_are_refused() {
    let weak = entry(&["--user", "ada"], "short");
    assert_eq!(weak.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&weak.stderr).contains("8 characters"), "{weak:?}");
    assert!(weak.stdout.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for (content, expected) in [("", "no entry"), ("user ada secret-in-the-open", "line 1")] {
        std::fs::write(folder.path().join("users"), content).unwrap();
        let output = trainyard()
            .current_dir(folder.path())
            .args(["server", "--port", "0", "--auth-file", "users"])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected) && !error.contains("secret-in-the-open"), "{error}");
    }
}

#[test]
fn an_open_server_on_a_public_address_says_so_and_upstreams_flags_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        folder,
        &[
            "--host",
            "0.0.0.0",
            "--workers",
            "4",
            "--gunicorn-opts",
            "--timeout 60",
            "--registry-store-uri",
            "sqlite:///registry.db",
            "--serve-artifacts",
        ],
    );
    assert_eq!(server.get(EXPERIMENT, "").0, 200);
    let log = server.log();
    assert!(log.contains("asks nobody for a password") && log.contains("--auth-file"), "{log}");
    assert!(log.contains("--workers is about Python processes"), "{log}");
    assert!(server.folder.path().join("registry.db").exists());
}

#[test]
fn a_server_for_artifacts_alone_answers_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("mlartifacts/1")).unwrap();
    std::fs::write(folder.path().join("mlartifacts/1/a.txt"), "hello").unwrap();
    // As compose files for upstream write it: `-h` is the host there.
    let flags = ["-h", "127.0.0.1", "--artifacts-only", "--disable-workspaces"];
    let server = Server::start(folder, &flags);
    let (status, answer) = server.get("/api/2.0/mlflow-artifacts/artifacts/1/a.txt", "");
    assert!(status == 200 && answer.contains("hello"), "{answer}");
    assert_eq!(server.get("/health", "").0, 200);
    for path in [EXPERIMENT, "/", "/get-artifact?run_id=x&path=y"] {
        let (status, answer) = server.get(path, "");
        assert!(status == 503 && answer.contains("--artifacts-only"), "{path}: {answer}");
    }
    assert!(!server.folder.path().join("mlflow.db").exists());

    for (flags, expected) in [
        (["--app-name", "my-auth"], "--app-name basic-auth"),
        (["--artifacts-only", "--no-serve-artifacts"], "nothing to do"),
        (["--enable-workspaces", "--dev"], "no workspaces here"),
        (["--direct-transfers", "maybe"], "on, off and auto"),
        (["--s3-public-endpoint", "s3://bucket"], "https://host"),
    ] {
        let output = trainyard().arg("server").args(flags).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected), "{flags:?}: {error}");
    }
}

/// Size of the file that goes through the server, in MiB.
const FILE_MIB: usize = 300;
/// Most memory that the server may ever have had, in KiB.
const MEMORY_KIB_MAX: u64 = 100 << 10;

#[test]
fn a_large_file_passes_through_little_memory() {
    let server = Server::start(tempfile::tempdir().unwrap(), &[]);
    let path = "/api/2.0/mlflow-artifacts/artifacts/1/big.bin";
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    write!(
        stream,
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        FILE_MIB << 20
    )
    .unwrap();
    let block = vec![7; 1 << 20];
    for _ in 0..FILE_MIB {
        stream.write_all(&block).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let received = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    assert!(received > (FILE_MIB as u64) << 20, "{received} bytes came back");

    let status = format!("/proc/{}/status", server.process.0.id());
    let status = std::fs::read_to_string(status).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < MEMORY_KIB_MAX, "the server had {peak} KiB");
}

#[test]
fn the_uri_of_the_database_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("uri");
    let flags = ["--backend-store-uri-file", file.to_str().unwrap()];
    for (text, said) in [
        ("", "holds no URI"),
        ("postgresql://me:pl4nted@db/x\nsqlite://", "holds no URI"),
        ("ftp://me:pl4nted@db/x", "ftp"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = trainyard().args(["server", "--port", "0"]).args(flags).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said) && !error.contains("pl4nted"), "{error}");
    }
    let both = ["--backend-store-uri", "sqlite://"];
    let output = trainyard().arg("server").args(flags).args(both).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "two databases");
    std::fs::write(&file, "sqlite:///from-file.db\n").unwrap();
    let server = Server::start(folder, &["--backend-store-uri-file", "uri"]);
    assert_eq!(server.get(EXPERIMENT, "").0, 200);
    assert!(server.folder.path().join("from-file.db").is_file());
}

#[test]
fn help_names_what_the_flags_are_for() {
    let output: std::process::Output =
        Command::new(env!("CARGO_BIN_EXE_trainyard")).args(["server", "--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout);
    for flag in [
        "--host",
        "--port",
        "--backend-store-uri",
        "--registry-store-uri",
        "--default-artifact-root",
        "--artifacts-destination",
        "--allowed-artifact-root",
        "--no-serve-artifacts",
        "--static-prefix",
        "--allowed-hosts",
        "--cors-allowed-origins",
        "--auth-file",
        "--ui-dir",
        "--aliases-in-search",
        "hash-password",
    ] {
        assert!(help.contains(flag), "{flag} is not in\n{help}");
    }
}
