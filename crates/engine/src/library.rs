//! Where an engine's driver is: a shared library that is not a part of this program.
//!
//! It is looked for where Python's packages and people put it: in the environment that is switched on, beside the programs
//! of `PATH`, in the folders of shared libraries.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::dialect::Engine;
use crate::error::{Error, Result};
use crate::limits::DRIVER_VARIABLE;

/// Where people put shared libraries.
const FOLDERS: [&str; 4] =
    ["/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu"];

/// Folders with Python's packages below a prefix, as parts of `lib/python3.11/…`.
const PACKAGES: [&str; 2] = ["site-packages", "dist-packages"];

/// What an engine's driver is called, and how it comes.
struct Driver {
    library: &'static str,
    /// The folder of the Python package that it lies in; none if it is in no package that another program could load.
    package: Option<&'static str>,
    install: &'static str,
}

fn driver(engine: Engine) -> Driver {
    match engine {
        Engine::BigQuery => Driver {
            library: "libadbc_driver_bigquery.so",
            package: Some("adbc_driver_bigquery"),
            install: "pip install adbc-driver-bigquery",
        },
        // The wheel `duckdb` holds it within a module that only Python can load.
        Engine::DuckDb => Driver {
            library: "libduckdb.so",
            package: None,
            install: "take libduckdb.so from the archive libduckdb-linux-amd64.zip (or -arm64) of DuckDB's releases",
        },
        Engine::FlightSql => Driver {
            library: "libadbc_driver_flightsql.so",
            package: Some("adbc_driver_flightsql"),
            install: "pip install adbc-driver-flightsql",
        },
        Engine::PostgreSql => Driver {
            library: "libadbc_driver_postgresql.so",
            package: Some("adbc_driver_postgresql"),
            install: "pip install adbc-driver-postgresql",
        },
        Engine::Snowflake => Driver {
            library: "libadbc_driver_snowflake.so",
            package: Some("adbc_driver_snowflake"),
            install: "pip install adbc-driver-snowflake",
        },
        Engine::Spark => Driver {
            library: "libadbc_driver_spark.so",
            package: Some("adbc_driver_spark"),
            install: "pip install adbc-driver-spark",
        },
        Engine::Sqlite => Driver {
            library: "libadbc_driver_sqlite.so",
            package: Some("adbc_driver_sqlite"),
            install: "pip install adbc-driver-sqlite",
        },
    }
}

/// The library that the user named, or that lies in the folder that they named, or one from the usual places.
pub(crate) fn find(engine: Engine, named: Option<&Path>) -> Result<PathBuf> {
    let Driver { library, package, install } = driver(engine);
    // It has a C library, and drivers bring another one: DuckDB's ends the process.
    if cfg!(target_feature = "crt-static") {
        return Err(Error::Static { engine: engine.name(), install });
    }
    let missing =
        |looked: String| Error::NoDriver { engine: engine.name(), library, looked, install };
    let variable = std::env::var_os(DRIVER_VARIABLE).filter(|path| !path.is_empty());
    let named = named.map(Path::to_owned).or(variable.map(PathBuf::from));
    match named.as_deref() {
        // A name without a folder would be looked for elsewhere than here.
        Some(path) if path.is_file() => Ok(Path::new(".").join(path)),
        Some(path) => {
            in_folder(path, library, package).ok_or_else(|| missing(path.display().to_string()))
        }
        None => usual_folders(&|name| std::env::var_os(name))
            .iter()
            .find_map(|folder| in_folder(folder, library, package))
            .ok_or_else(|| {
                let packages = if package.is_some() { "Python's packages nor in " } else { "" };
                missing(format!("{packages}{}", FOLDERS.join(", ")))
            }),
    }
}

/// The library in a folder, or in its package in a folder of Python's packages.
fn in_folder(folder: &Path, library: &str, package: Option<&str>) -> Option<PathBuf> {
    let in_package = package.map(|package| folder.join(package).join(library));
    let places = [Some(folder.join(library)), in_package];
    places.into_iter().flatten().find(|path| path.is_file())
}

/// Folders in the order in which they count.
fn usual_folders(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let environment = variable("VIRTUAL_ENV").map(PathBuf::from);
    let programs = variable("PATH").unwrap_or_default();
    let beside: Vec<PathBuf> = std::env::split_paths(&programs)
        // An empty or relative part would make the folder that one stands in a place of libraries.
        .filter(|folder| folder.is_absolute())
        .filter_map(|folder| Some(folder.parent()?.to_owned()))
        .collect();
    let home = variable("HOME").map(|home| PathBuf::from(home).join(".local"));
    let mut folders: Vec<PathBuf> = Vec::new();
    for prefix in environment.into_iter().chain(beside).chain(home) {
        for packages in packages_below(&prefix) {
            if !folders.contains(&packages) {
                folders.push(packages);
            }
        }
    }
    folders.extend(FOLDERS.map(PathBuf::from));
    folders
}

/// `lib/python3.11/site-packages` and its like below a prefix, the newest Python first.
fn packages_below(prefix: &Path) -> Vec<PathBuf> {
    let pythons = std::fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    let is_python = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"))
    };
    let mut pythons: Vec<PathBuf> = pythons.map(|entry| entry.path()).filter(is_python).collect();
    pythons.sort();
    let folders = pythons.iter().rev().flat_map(|python| PACKAGES.map(|name| python.join(name)));
    folders.filter(|folder| folder.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_found_where_its_package_puts_it() {
        let folder = tempfile::tempdir().unwrap();
        let packages = folder.path().join("lib/python3.11/site-packages");
        let of_driver = packages.join("adbc_driver_sqlite");
        std::fs::create_dir_all(&of_driver).unwrap();
        let library = of_driver.join("libadbc_driver_sqlite.so");
        std::fs::write(&library, "").unwrap();
        let virtual_environment =
            |name: &str| (name == "VIRTUAL_ENV").then(|| folder.path().into());
        let path = |name: &str| (name == "PATH").then(|| folder.path().join("bin").into());
        for variables in [&virtual_environment as &dyn Fn(&str) -> Option<OsString>, &path] {
            assert_eq!(usual_folders(variables)[0], packages);
        }
        for named in [&library, &of_driver, &packages] {
            assert_eq!(find(Engine::Sqlite, Some(named)).unwrap(), library);
        }
        let here = Path::new("Cargo.toml");
        assert_eq!(find(Engine::Sqlite, Some(here)).unwrap(), Path::new("./Cargo.toml"));
        assert_eq!(
            usual_folders(&|name| (name == "PATH").then(|| ":bin".into()))[0],
            Path::new(FOLDERS[0])
        );
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(Engine::PostgreSql, Some(folder.path())).unwrap_err();
        assert!(error.to_string().contains("libadbc_driver_postgresql.so"), "{error}");
        let hint = trainyard_base::Advise::hint(&error).unwrap();
        assert!(hint.starts_with("pip install adbc-driver-postgresql; or"), "{hint}");
    }
}
