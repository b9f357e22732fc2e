//! Databases of other versions of MLflow: older ones are refused with the command that upgrades them, and become
//! what upstream's own upgrade makes of them; newer ones open if the tables that are used are as they were.
//! `tests/old_databases` holds what real old versions wrote.

use rusqlite::Connection;
use trainyard_base::Advise as _;
use trainyard_mlflow::entities::Metric;
use trainyard_mlflow::{AliasId, SearchRuns};
use trainyard_testkit::postgres::PostgresServer;
use trainyard_testkit::run_python;
use trainyard_tracking::{UpgradeEvent, open, upgrade};

use crate::store::{Store, create_run, options, uri};

const DATABASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/old_databases");
const LOAD: &str = include_str!("../old_databases/load.py");
const COMPARE: &str = include_str!("../old_databases/compare.py");
const OF_3_18: &str = include_str!("../old_databases/3.18.sqlite.sql");

const ON_SQLITE: [&str; 4] = ["2.0.1", "2.22.1", "3.8.1", "3.16.1"];
const ON_POSTGRES: [&str; 2] = ["2.0.1", "3.16.1"];

/// The same database twice: for us, and for upstream.
struct Old {
    version: &'static str,
    ours: String,
    theirs: String,
}

fn refusal(uri: &str, folder: &tempfile::TempDir) -> String {
    let Err(error) = open(uri, options(folder)) else { panic!("{uri} opens") };
    error.sentence()
}

/// Upgrades, and checks what is said of it. Returns where the copy is.
fn upgraded(uri: &str, with_backup: bool) -> Option<std::path::PathBuf> {
    let (mut copy, mut titles) = (None, Vec::new());
    let mut tell = |event: UpgradeEvent<'_>| match event {
        UpgradeEvent::Copied { to } => copy = Some(to.to_owned()),
        UpgradeEvent::Migrates { number, title, .. } => titles.push((number, title.to_owned())),
    };
    let done = upgrade(uri, with_backup, &mut tell).unwrap();
    assert_eq!(done.migrations, titles.len());
    assert!(titles.iter().enumerate().all(|(index, (number, _))| *number == index + 1));
    assert!(done.migrations > 0, "{uri}");
    // There is nothing left to do, and nothing to copy.
    let again = upgrade(uri, true, &mut |_event| panic!("{uri} is upgraded twice")).unwrap();
    assert_eq!(again.migrations, 0);
    copy
}

#[test]
fn a_database_of_an_older_mlflow_becomes_what_upstream_makes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = PostgresServer::start();
    let file = |name: String| format!("sqlite:///{}", folder.path().join(name).display());
    let mut all: Vec<Old> = ON_SQLITE
        .map(|version| Old {
            version,
            ours: file(format!("{version}.db")),
            theirs: file(format!("{version}-upstream.db")),
        })
        .into();
    all.extend(ON_POSTGRES.map(|version| {
        let name = format!("v{}", version.replace('.', "_"));
        let (ours, theirs) = (server.database(&name), server.database(&format!("{name}_upstream")));
        Old { version, ours, theirs }
    }));
    let mut arguments = vec![DATABASES];
    for old in &all {
        arguments.extend([old.version, old.ours.as_str(), old.version, old.theirs.as_str()]);
    }
    run_python(LOAD, &arguments, &[]);
    // As upstream's tool for the analytics of traces does before the upgrade.
    let added = "ALTER TABLE trace_info ADD COLUMN trace_name VARCHAR(4096)";
    for end in ["", "-upstream"] {
        let path = folder.path().join(format!("3.16.1{end}.db"));
        Connection::open(path).unwrap().execute_batch(added).unwrap();
    }
    server.sql("v3_16_1", added);
    server.sql("v3_16_1_upstream", added);

    for old in &all {
        let refused = refusal(&old.ours, &folder);
        assert!(refused.contains("`trainyard server upgrade "), "{refused}");
        if old.ours.starts_with("sqlite:") {
            let copy = upgraded(&old.ours, true).expect("a copy was made");
            let copy = format!("sqlite:///{}", copy.display());
            assert_eq!(refusal(&copy, &folder).replace(&copy, &old.ours), refused, "as it was");
        } else {
            let error = upgrade(&old.ours, true, &mut |_event| {}).unwrap_err();
            assert!(error.to_string().contains("pg_dump"), "{error}");
            assert_eq!(upgraded(&old.ours, false), None);
        }
    }
    let pairs: Vec<&str> =
        all.iter().flat_map(|old| [old.ours.as_str(), old.theirs.as_str()]).collect();
    let said = run_python(COMPARE, &pairs, &[("MLFLOW_DISABLE_TELEMETRY", "true")]);
    assert_eq!(said.lines().last(), Some("ok"), "{said}");

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for old in &all {
            is_read_and_written(old, &folder).await;
        }
    });
}

async fn is_read_and_written(old: &Old, folder: &tempfile::TempDir) {
    let store = open(&old.ours, options(folder)).unwrap();
    let experiment = store.experiments.get_by_name("iris; it's").await.unwrap();
    let search =
        SearchRuns { experiment_ids: vec![experiment.experiment_id], ..SearchRuns::default() };
    let runs = store.runs.search(search).await.unwrap().items;
    assert_eq!(runs.len(), 2, "{}", old.version);
    for run in runs {
        assert_eq!(run.data.metric("loss"), Some(0.25), "{}", old.version);
        let id = &run.info.run_id;
        store.runs.log_metric(id, Metric::new("loss", 0.125, 1_700_000_000_000, 9)).await.unwrap();
        assert_eq!(store.runs.get(id).await.unwrap().data.metric("loss"), Some(0.125));
    }
    if old.version != "2.0.1" {
        let alias = AliasId { name: "iris", alias: "champion" };
        let version = store.registered_models.get_by_alias(alias).await.unwrap();
        assert_eq!(version.version, "2", "{}", old.version);
    }
}

/// Tables are made anew in SQLite, and what their owner added to them must not go with the old ones.
#[test]
fn what_an_owner_added_is_kept_or_stops_the_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let uri = uri(&folder);
    run_python(LOAD, &[DATABASES, "2.22.1", &uri], &[]);
    let path = folder.path().join("mlflow.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE INDEX mine ON experiment_tags (value);
             CREATE TABLE heard (value TEXT);
             CREATE TRIGGER hears AFTER INSERT ON experiment_tags
             BEGIN INSERT INTO heard VALUES (new.value); END;
             ALTER TABLE experiment_tags ADD COLUMN priority INTEGER;
             UPDATE experiment_tags SET priority = 7",
        )
        .unwrap();
    let error = upgrade(&uri, false, &mut |_event| {}).unwrap_err();
    assert!(error.to_string().contains("priority"), "{error}");
    let kept: i64 = connection
        .query_row("SELECT max(priority) FROM experiment_tags", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 7);
    // The owner takes the column away, and the upgrade goes on.
    connection.execute_batch("ALTER TABLE experiment_tags DROP COLUMN priority").unwrap();
    upgrade(&uri, false, &mut |_event| {}).unwrap();
    for name in ["mine", "hears"] {
        let sql = "SELECT tbl_name FROM sqlite_master WHERE name = ?1";
        let table: String = connection.query_row(sql, [name], |row| row.get(0)).unwrap();
        assert_eq!(table, "experiment_tags", "{name}");
    }
}

#[test]
fn a_database_that_is_divided_into_workspaces_shows_nobody_what_is_anothers() {
    let Store { store, folder } = Store::new();
    drop(store);
    let change = |script: &str| {
        let connection = Connection::open(folder.path().join("mlflow.db")).unwrap();
        connection.execute_batch(script).unwrap();
    };
    for (put, expected, take) in [
        (
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage, workspace) \
             VALUES (7, 'secret', 'active', 'team-a')",
            "the experiment 'secret' is in the workspace 'team-a'",
            "DELETE FROM experiments WHERE experiment_id = 7",
        ),
        (
            "INSERT INTO registered_models (name, workspace) VALUES ('Iris', 'team-a')",
            "the registered model 'Iris' is in the workspace 'team-a'",
            "DELETE FROM registered_models",
        ),
    ] {
        change(put);
        let refused = refusal(&uri(&folder), &folder);
        assert!(refused.contains(expected), "{refused}");
        change(take);
        drop(open(&uri(&folder), options(&folder)).unwrap());
    }
}

#[tokio::test]
async fn a_database_of_a_newer_mlflow_opens_if_the_tables_in_use_are_as_they_were() {
    let Store { store, folder } = Store::new();
    let run_id = create_run(&store, "0", 1).await;
    drop(store);
    let change = |script: &str| {
        let connection = Connection::open(folder.path().join("mlflow.db")).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection.execute_batch(script).unwrap();
    };
    change(OF_3_18);
    let store = open(&uri(&folder), options(&folder)).unwrap();
    store.runs.log_metric(&run_id, Metric::new("m", 0.5, 1, 0)).await.unwrap();
    drop(store);
    for (script, expected) in [
        (
            "ALTER TABLE runs RENAME COLUMN source_version TO version",
            "runs has no column source_version",
        ),
        ("UPDATE alembic_version SET version_num = 'cc1f77228345'", "before 2.0"),
        ("DELETE FROM alembic_version", "which one version"),
        ("DROP TABLE alembic_version", "not an MLflow database"),
    ] {
        change(script);
        let refused = refusal(&uri(&folder), &folder);
        assert!(refused.contains(expected), "{script}: {refused}");
    }
}
