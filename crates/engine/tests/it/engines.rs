//! Tables put into engines, by their own drivers.

use std::path::PathBuf;

use adbc_core::options::{AdbcVersion, IngestMode, OptionDatabase, OptionStatement, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Optionable as _, Statement as _};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow_array::RecordBatch;
use trainyard_engine::{Limits, Source, Summary, summarize};
use trainyard_testkit::engines::{duckdb_library, packaged_driver};
use trainyard_testkit::postgres::PostgresServer;

/// An engine with tables of a test.
pub(crate) struct Held {
    /// Before `?`.
    pub(crate) address: String,
    pub(crate) library: PathBuf,
    entry: &'static [u8],
    option: OptionDatabase,
    value: String,
    pub(crate) folder: tempfile::TempDir,
    server: Option<PostgresServer>,
}

impl Held {
    pub(crate) fn duckdb() -> Self {
        Self::duckdb_named("a b.db")
    }

    pub(crate) fn duckdb_named(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let value = folder.path().join(name).to_string_lossy().into_owned();
        Self {
            address: format!("duckdb://{value}"),
            library: duckdb_library(),
            entry: b"duckdb_adbc_init",
            option: OptionDatabase::Other("path".to_owned()),
            value,
            folder,
            server: None,
        }
    }

    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a#b.db").to_string_lossy().into_owned();
        Self {
            address: format!("sqlite://{path}"),
            library: packaged_driver("adbc_driver_sqlite"),
            entry: b"AdbcDriverInit",
            option: OptionDatabase::Uri,
            value: format!("file:{}", path.replace('#', "%23")),
            folder,
            server: None,
        }
    }

    pub(crate) fn postgres() -> Self {
        let server = PostgresServer::start();
        let value = server.database("held");
        Self {
            address: value.clone(),
            library: packaged_driver("adbc_driver_postgresql"),
            entry: b"AdbcDriverInit",
            option: OptionDatabase::Uri,
            value,
            folder: tempfile::tempdir().unwrap(),
            server: Some(server),
        }
    }

    fn connection(&self) -> ManagedConnection {
        let mut driver = ManagedDriver::load_dynamic_from_filename(
            &self.library,
            Some(self.entry),
            AdbcVersion::V110,
        )
        .unwrap();
        let value = OptionValue::String(self.value.clone());
        let options = [(self.option.clone(), value)];
        driver.new_database_with_opts(options).unwrap().new_connection().unwrap()
    }

    /// Makes a table of a batch.
    pub(crate) fn load(&self, name: &str, batch: &RecordBatch) {
        let mut connection = self.connection();
        let mut statement = connection.new_statement().unwrap();
        let table = OptionValue::String(name.to_owned());
        statement.set_option(OptionStatement::TargetTable, table).unwrap();
        statement.set_option(OptionStatement::IngestMode, IngestMode::Create.into()).unwrap();
        statement.bind(batch.clone()).unwrap();
        statement.execute_update().unwrap_or_else(|error| panic!("{}: {error}", self.address));
    }

    /// Runs a statement that changes something.
    pub(crate) fn run(&self, sql: &str) {
        let mut connection = self.connection();
        let mut statement = connection.new_statement().unwrap();
        statement.set_sql_query(sql).unwrap();
        statement.execute_update().unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { driver: Some(self.library.clone()), ..Limits::default() }
    }

    /// What follows `?`, summed up.
    pub(crate) fn summary(&self, asked: &str) -> trainyard_engine::Result<Summary> {
        summarize(&Source::parse(&format!("{}?{asked}", self.address)).unwrap(), &self.limits())
    }

    pub(crate) fn server(&self) -> &PostgresServer {
        self.server.as_ref().unwrap_or_else(|| panic!("{} is no server", self.address))
    }
}
