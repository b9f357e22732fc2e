//! Servers of a test's own that stand for engines elsewhere: Flight SQL by ROAPI, which is DataFusion over files, and Snowflake's
//! protocol and SQL by fakesnow, which is DuckDB behind them.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{KillOnDrop, free_port, test_env};

/// How long a server may take until it listens.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Its own command keeps the databases of a server in memory, whatever folder is named; and times that are missing it sends as
/// those of 1970, which Snowflake does not.
const SNOWFLAKE: &str = "
import sys
import fakesnow.arrow
import fakesnow.server
import pyarrow
import uvicorn
from fakesnow.instance import FakeSnow

of_times = fakesnow.arrow.timestamp_to_sf_struct

def with_missing(times):
    times = times.combine_chunks() if isinstance(times, pyarrow.ChunkedArray) else times
    parts = of_times(times)
    return pyarrow.StructArray.from_arrays(parts.flatten(), fields=list(parts.type), mask=times.is_null())

fakesnow.arrow.timestamp_to_sf_struct = with_missing
fakesnow.server.shared_fs = FakeSnow(db_path=sys.argv[2])
uvicorn.run(fakesnow.server.app, port=int(sys.argv[1]))
";

/// A running server.
#[derive(Debug)]
pub struct WarehouseServer {
    port: u16,
    _server: KillOnDrop,
}

impl WarehouseServer {
    /// Serves Parquet files by Flight SQL, each as a table of this name.
    pub fn flight_sql(tables: &[(&str, &Path)]) -> Self {
        let ports = [free_port(), free_port(), free_port()];
        let [port, http, postgres] = ports.map(|port| format!("127.0.0.1:{port}"));
        let mut command = Command::new(environment().join("bin/roapi"));
        command.args(["--addr-flight-sql", &port, "--addr-http", &http]);
        command.args(["--addr-postgres", &postgres]);
        for (name, path) in tables {
            command.arg("--table").arg(format!("{name}={}", path.display()));
        }
        Self::start(command, ports[0])
    }

    /// Serves the databases of a folder (`DB1.db`, as DuckDB writes them) as Snowflake does.
    pub fn snowflake(databases: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(environment().join("bin/python"));
        command.args(["-c", SNOWFLAKE, &port.to_string()]).arg(databases);
        Self::start(command, port)
    }

    fn start(mut command: Command, port: u16) -> Self {
        let server = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let mut server = KillOnDrop(server);
        let begin = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Ok(Some(status)) = server.0.try_wait() {
                panic!("{command:?} ended with {status}");
            }
            assert!(begin.elapsed() < START_LIMIT, "{command:?} does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, _server: server }
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// The driver of a Python package such as `adbc_driver_snowflake`.
pub fn warehouse_driver(package: &str) -> PathBuf {
    let pythons = std::fs::read_dir(environment().join("lib")).into_iter().flatten().flatten();
    let library = format!("site-packages/{package}/lib{package}.so");
    let mut found = pythons.map(|entry| entry.path().join(&library));
    found
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{library} is missing\nhint: `cargo xtask test` sets it up"))
}

fn environment() -> PathBuf {
    test_env().join("warehouses")
}
