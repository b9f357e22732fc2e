//! What is wrong with data or settings: said before anything is logged, with what would help.

use serde_json::{Value, json};
use trainyard_base::Advise as _;
use trainyard_data::{ReadOptions, read_csv_text};
use trainyard_mlflow::entities::{RunStatus, ViewType};
use trainyard_mlflow::{SearchExperiments, SearchRuns};
use trainyard_train::{DataSource, train};

use crate::support::{Store, config, quiet};

/// Trains on a CSV text and returns error and hint; nothing may be left in the store.
async fn refused(csv: &str, settings: Value) -> (String, String) {
    let store = Store::new();
    let options = ReadOptions { allow_no_rows: true, ..ReadOptions::default() };
    let table = read_csv_text("test.csv", csv.as_bytes(), &options).unwrap();
    let source = DataSource::new("test.csv");
    let mut settings = settings;
    settings["experiment"] = json!("/refused");
    settings["registered_model_name"] = json!("Refused");
    let config = config(settings);
    let tracking = &store.tracking;
    let error = train(tracking, &config, &table, &source, &quiet).await.unwrap_err();
    let experiments = tracking.experiments.search(SearchExperiments::default()).await.unwrap();
    assert!(experiments.items.iter().all(|found| found.name != "/refused"), "{error}");
    assert!(tracking.registered_models.get("Refused").await.is_err(), "{error}");
    (error.to_string(), error.hint().unwrap_or_default())
}

const SMALL: &str = "a,b,y\n1,2,x\n2,1,z\n3,2,x\n4,1,z\n5,2,x\n6,1,z\n7,2,x\n8,1,z\n9,2,x\n0,1,z\n";

/// Tables and settings, and what is said of them: the error, the hint.
fn refusals() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    vec![
        ("a,y\n", json!({"target": "y"}), "the table has no rows", "lines below its header"),
        (
            SMALL,
            json!({"target": "spices"}),
            "there is no column \"spices\" (target)",
            "the table has a, b, y",
        ),
        (SMALL, json!({"target": "Y"}), "there is no column \"Y\" (target)", "did you mean \"y\"?"),
        (
            SMALL,
            json!({"target": "y", "exclude": ["c"]}),
            "there is no column \"c\" (exclude)",
            "the table has a, b, y",
        ),
        (
            SMALL,
            json!({"target": "y", "exclude": ["a", "b"]}),
            "no feature column is left",
            "`exclude`",
        ),
        (
            "a,y\n1,p\n2,q\nx,p\n4,q\n5,p\n6,q\n7,p\n8,q\n9,p\n1,q\n",
            json!({"target": "y"}),
            "column \"a\", row ",
            "is not a number",
        ),
        (
            "a,b,y\n,1,p\n,2,q\n,3,p\n,4,q\n,5,p\n,6,q\n,7,p\n,8,q\n,9,p\n,0,q\n",
            json!({"target": "y"}),
            "column \"a\" has no value in any of the ",
            "`exclude`",
        ),
        (
            "a,y\n1,\n2,\n",
            json!({"target": "y"}),
            "column \"y\" has no value in any of the 2 rows",
            "",
        ),
        (
            "a,y\n1,p\n2,p\n3,p\n",
            json!({"target": "y"}),
            "target \"y\" has only one class, \"p\"",
            "every class",
        ),
        (
            "a,y\n1,p\n2,p\n3,p\n4,q\n5,p\n6,p\n7,p\n8,p\n9,p\n0,p\n",
            json!({"target": "y"}),
            "class \"q\" of target \"y\" has 1 row, too few to stratify",
            "stratify = false",
        ),
        (
            "a,y\n1,p\n2,q\n3,p\n4,q\n",
            json!({"target": "y"}),
            "give the holdout 1 rows, 2 are needed",
            "add rows",
        ),
    ]
}

/// More of them.
fn more_refusals() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    vec![
        (
            "a,y\n1,p\n,q\n3,p\n4,q\n",
            json!({"target": "y", "missing": "refuse"}),
            "column \"a\" has 1 missing values, the first in row 2",
            "impute",
        ),
        (
            SMALL,
            json!({"target": "y", "algorithm": "linear_regression"}),
            "is not a number",
            "correct the value",
        ),
        (
            SMALL,
            json!({"target": "y", "task": "regression", "algorithm": "logistic_regression"}),
            "logistic_regression does not do regression",
            "linear_regression",
        ),
        (
            SMALL,
            json!({"target": "y", "params": {"n_trees": 5}}),
            "no parameter \"n_trees\"",
            "n_estimators",
        ),
        (SMALL, json!({"target": "y", "test_size": 1.0}), "test_size = 1 is not possible", ""),
        (
            "a,y\n1,p\n2,p\n3,p\n4,p\n5,p\n6,p\n7,p\n8,p\n9,p\n10,p\n11,q\n",
            json!({"target": "y", "holdout": "hash", "test_size": 0.5}),
            "class \"q\" of target \"y\" has no row in ",
            "holdout = \"random\"",
        ),
        (
            SMALL,
            json!({"target": "y", "holdout": "hash", "id": "customer"}),
            "there is no column \"customer\" (id)",
            "the table has a, b, y",
        ),
        (
            SMALL,
            json!({"target": "y", "holdout": {"column": "a", "after": "2026-09-01"}}),
            "the holdout by column \"a\": \"2026-09-01\" is no moment",
            "numbers in all rows",
        ),
        (
            SMALL,
            json!({"target": "y", "positive": "w"}),
            "positive = \"w\" is no class of target \"y\"",
            "name one of x, z",
        ),
        (
            "a,d,y\n1,true,p\n2,,q\n3,false,p\n4,true,q\n5,true,p\n6,true,q\n7,,p\n8,true,q\n9,true,p\n10,true,q\n",
            json!({"target": "y"}),
            "of booleans has ",
            "missing = \"drop\"",
        ),
    ]
}

#[tokio::test]
async fn tables_that_cannot_be_learnt_from() {
    for (csv, settings, error, hint) in refusals().into_iter().chain(more_refusals()) {
        let (found, help) = refused(csv, settings.clone()).await;
        // What is said of a stray text is in the message itself.
        let all = format!("{found} {help}");
        assert!(found.contains(error), "{settings}: {found}");
        assert!(all.contains(hint), "{settings}: {found} / {help}");
    }
}

#[tokio::test]
async fn a_training_that_breaks_off_fails_its_run_and_registers_nothing() {
    let store = Store::new();
    let tracking = &store.tracking;
    let table = read_csv_text("t.csv", SMALL.as_bytes(), &ReadOptions::default()).unwrap();
    // Regression parameters for classes: found when the forest is fitted, in the run.
    let config = config(json!({
        "target": "y", "experiment": "/breaks", "registered_model_name": "Broken",
        "params": {"criterion": "squared_error"},
    }));
    let source = DataSource::new("t.csv");
    let error = train(tracking, &config, &table, &source, &quiet).await.unwrap_err();
    assert!(error.to_string().contains("gini or entropy"), "{error}");
    let experiment = tracking.experiments.get_by_name("/breaks").await.unwrap();
    let search = SearchRuns {
        experiment_ids: vec![experiment.experiment_id],
        view_type: ViewType::ActiveOnly,
        ..SearchRuns::default()
    };
    let runs = tracking.runs.search(search).await.unwrap().items;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].info.status, RunStatus::Failed);
    assert!(runs[0].outputs.model_outputs.is_empty());
    assert!(tracking.registered_models.get("Broken").await.is_err());
}

#[tokio::test]
async fn rows_without_a_target_are_left_out_and_counted() {
    let store = Store::new();
    let csv = format!("{SMALL}3,3,\n4,4,\n");
    let table = read_csv_text("t.csv", csv.as_bytes(), &ReadOptions::default()).unwrap();
    let config = config(json!({"target": "y", "params": {"n_estimators": 5}}));
    let source = DataSource::new("t.csv");
    let outcome = train(&store.tracking, &config, &table, &source, &quiet).await.unwrap();
    assert_eq!(outcome.warnings, ["2 rows without a value of \"y\" were left out"]);
}

#[tokio::test]
async fn a_deleted_experiment_is_named_with_the_way_out() {
    let store = Store::new();
    let tracking = &store.tracking;
    let id = tracking.experiments.create("/gone", None, &[]).await.unwrap();
    tracking.experiments.delete(&id).await.unwrap();
    let table = read_csv_text("t.csv", SMALL.as_bytes(), &ReadOptions::default()).unwrap();
    let config = config(json!({"target": "y", "experiment": "/gone"}));
    let source = DataSource::new("t.csv");
    let error = train(tracking, &config, &table, &source, &quiet).await.unwrap_err();
    assert!(error.to_string().contains("\"/gone\""), "{error}");
    assert!(error.hint().unwrap().contains("restore"), "{error}");
}
