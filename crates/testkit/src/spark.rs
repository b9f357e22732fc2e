//! A Spark Connect server of the test's own, on this machine.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{KillOnDrop, free_port, test_env, wait_for_port};

/// How long a JVM may take until it listens.
const START_LIMIT: Duration = Duration::from_mins(5);

/// A running server.
#[derive(Debug)]
pub struct SparkServer {
    folder: tempfile::TempDir,
    port: u16,
    server: KillOnDrop,
}

impl SparkServer {
    /// Starts a server with two threads.
    pub fn start() -> Self {
        Self::start_on("local[2]", &[])
    }

    /// Starts a server with this master, such as `local-cluster[2,1,1024]`, and further arguments of `spark-submit`.
    pub fn start_on(master: &str, arguments: &[&str]) -> Self {
        let home = home();
        let folder =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let port = free_port();
        let scratch = folder.path().to_string_lossy().into_owned();
        // Its scripts replace themselves by the JVM, so that this is the process that is to end.
        let server = Command::new("bash")
            .arg(home.join("bin/spark-submit"))
            .args(["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"])
            .args(["--master", master])
            .args(arguments)
            .args(["--conf", &format!("spark.connect.grpc.binding.port={port}")])
            .args(["--conf", "spark.ui.enabled=false"])
            .args(["--conf", "spark.sql.session.timeZone=UTC"])
            .args(["--conf", &format!("spark.local.dir={scratch}")])
            .args(["--conf", &format!("spark.sql.warehouse.dir={scratch}/warehouse")])
            .arg("spark-internal")
            .env("SPARK_HOME", &home)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_CONNECT_MODE", "0")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("bash did not start: {error}"));
        let server = KillOnDrop(server);
        wait_for_port(port, START_LIMIT);
        Self { folder, port, server }
    }

    /// The most memory that its process held, in bytes; without its executors, where it has some.
    pub fn memory_max(&self) -> u64 {
        memory_max(&self.server.0.id().to_string())
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A folder for files that it is to read.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// The most memory that a process (`self` or a number) held, in bytes.
pub fn memory_max(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    1024 * kibibytes
        .unwrap_or_else(|| panic!("process {process} does not say how much memory it held"))
}

/// Where the programs and jars are, out of the source archive of a Python package.
fn home() -> PathBuf {
    let archives = std::fs::read_dir(test_env().join("spark-server")).into_iter().flatten();
    let mut found = archives.flatten().map(|entry| entry.path().join("deps"));
    found
        .find(|folder| folder.join("jars").is_dir())
        .unwrap_or_else(|| panic!("Spark is missing\nhint: `cargo xtask test --long` sets it up"))
}

/// The ADBC driver.
pub fn driver() -> PathBuf {
    let pythons = std::fs::read_dir(test_env().join("spark/lib")).into_iter().flatten().flatten();
    let library = "site-packages/adbc_driver_spark/libadbc_driver_spark.so";
    let mut found = pythons.map(|entry| entry.path().join(library));
    found.find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("Spark's driver is missing\nhint: `cargo xtask test --long` sets it up")
    })
}
