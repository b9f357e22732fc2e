//! Where experiments, and what is in the database already, keep their files.

use std::path::Path;

use serde_json::json;

use super::row::Attack;
use crate::attack::{Target, encoded};
use crate::http::Answer;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "CVE-2023-6909",
        idea: "an experiment's location has a fragment that climbs",
        attempt: |target| {
            target.through_experiments(&[
                "http:///#/../../../../../etc/",
                "file:///x#/../../etc",
                "s3://bucket#/../../etc",
                "/x#/../../etc",
                "mlflow-artifacts:/x#/../..",
            ])
        },
    },
    Attack {
        id: "CVE-2023-6977",
        idea: "an experiment's location is a folder of the server",
        attempt: |target| {
            let outside = target.outside();
            target.through_experiments(&[
                "/",
                "file:///",
                &outside,
                &format!("file://{outside}"),
                &format!("file:{outside}"),
                &format!("{}/../outside", target.artifacts()),
                &format!("file://{}/%2e%2e/outside", target.artifacts()),
                ".",
                "..",
                "relative",
            ])
        },
    },
    Attack {
        id: "CVE-2024-1594",
        idea: "an experiment's location with params or fragments",
        attempt: |target| {
            let outside = target.outside();
            target.through_experiments(&[
                &format!("{outside};x"),
                &format!("{outside}#x"),
                "file:///x;/../../etc",
                "ftp://host/x;/../../etc",
            ])
        },
    },
    Attack {
        id: "CVE-2024-3848",
        idea: "an experiment's location whose query climbs",
        attempt: |target| {
            let outside = target.outside();
            target.through_experiments(&[
                "s3://bucket?x=../../etc",
                "s3://bucket?x=%2e%2e/%2e%2e/etc",
                "file:///x?/../../etc",
                &format!("{outside}?x"),
            ])
        },
    },
    Attack {
        id: "CVE-2024-2928",
        idea: "a location in the database from before it was looked at",
        attempt: stored_locations,
    },
];

/// Locations that are in the database already, of every kind of thing that has one.
fn stored_locations(target: &Target) -> Vec<Answer> {
    let outside = target.outside();
    let run = target.run("0");
    let model = target.logged_model();
    let made = target.version(
        "prompt-template",
        &json!({ "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}] }),
    );
    assert_eq!(made.answer.status, 200, "{}", made.answer.text());
    let internal = target.internal.address();
    let locations = [
        outside.clone(),
        format!("{outside}/"),
        format!("/{outside}"),
        format!("file://{outside}"),
        format!("file:{outside}"),
        format!("file://localhost{outside}"),
        format!("FILE://{outside}"),
        format!("file://{}", encoded(&outside).replace("%2F", "/")),
        format!("{}/../outside", target.artifacts()),
        format!("file://{}/%2e%2e/outside", target.artifacts()),
        format!("{}/link", target.artifacts()),
        format!("file://{}/link", target.artifacts()),
        "mlflow-artifacts:/link".to_owned(),
        "mlflow-artifacts:/../outside".to_owned(),
        "mlflow-artifacts:/%2e%2e/outside".to_owned(),
        "mlflow-artifacts://host/../outside".to_owned(),
        "mlflow-artifacts:../outside".to_owned(),
        format!("mlflow-artifacts:{outside}"),
        "/".to_owned(),
        "file:///".to_owned(),
        "/etc".to_owned(),
        "/proc/self".to_owned(),
        "..".to_owned(),
        ".".to_owned(),
        String::new(),
        format!("{outside}?x"),
        format!("{outside}#x"),
        format!("{outside};x"),
        format!("runs:/{run}/../.."),
        "models:/x/1".to_owned(),
        "s3://other/x".to_owned(),
        "gs://other/x".to_owned(),
        format!("http://{internal}/x"),
        format!("http://{internal}/api/2.0/mlflow-artifacts/artifacts/x"),
        format!("mlflow-artifacts://{internal}/x"),
        format!("ftp://{internal}/x"),
    ];
    let link = Path::new(&target.artifacts()).join("link");
    let _there_already = std::os::unix::fs::symlink(&outside, link);
    let mut answers = Vec::new();
    for location in &locations {
        target.sql("UPDATE runs SET artifact_uri = ?1 WHERE run_uuid = ?2", [location, &run]);
        answers.extend(target.files_of_run(&run));
        target.sql(
            "UPDATE logged_models SET artifact_location = ?1 WHERE model_id = ?2",
            [location, &model],
        );
        answers.extend(target.files_of_model(&model));
        for column in ["source", "storage_location"] {
            target.sql(
                &format!("UPDATE model_versions SET {column} = ?1 WHERE name = ?2"),
                [location, &made.name],
            );
            answers.extend(target.files_of_version(&made.name));
        }
        target.sql(
            "UPDATE model_versions SET storage_location = NULL WHERE source = ?1 AND name = ?2",
            [location, &made.name],
        );
        answers.extend(target.files_of_version(&made.name));
        target.sql(
            "UPDATE experiments SET artifact_location = ?1 WHERE experiment_id = 0 AND ?2 = ?2",
            [location, &run],
        );
        answers.extend(target.files_of_run(&target.run("0")));
    }
    target.sql(
        "UPDATE experiments SET artifact_location = ?1 WHERE experiment_id = 0 AND ?2 = ?2",
        ["mlflow-artifacts:/0", ""],
    );
    answers
}
