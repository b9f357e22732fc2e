//! ADBC drivers of engines: DuckDB's own library, and the pinned Python packages of the others.

use std::path::PathBuf;

use crate::test_env;

/// DuckDB's library, which is its driver too.
pub fn duckdb_library() -> PathBuf {
    let platform = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let package = format!("duckdb/node_modules/@duckdb/node-bindings-linux-{platform}");
    present(test_env().join(package).join("libduckdb.so"))
}

/// The driver of a Python package such as `adbc_driver_sqlite`.
pub fn packaged_driver(package: &str) -> PathBuf {
    present(packages().join(package).join(format!("lib{package}.so")))
}

/// The folder of the pinned Python's packages.
pub fn packages() -> PathBuf {
    let pythons = std::fs::read_dir(test_env().join("python/lib")).into_iter().flatten().flatten();
    let folders = pythons.map(|entry| entry.path().join("site-packages"));
    let found = folders.into_iter().find(|folder| folder.is_dir());
    found.unwrap_or_else(|| test_env().join("python/lib"))
}

fn present(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is missing\nhint: `cargo xtask test` sets it up", path.display());
    path
}
