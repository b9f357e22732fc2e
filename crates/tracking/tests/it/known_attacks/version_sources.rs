//! What a version is made of.

use serde_json::json;

use super::row::Attack;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "CVE-2023-1177",
        idea: "a version's source is a folder of the server",
        attempt: |target| {
            let outside = target.outside();
            target.through_versions(&[
                "/",
                "file:///",
                "/etc",
                "file:///etc",
                &outside,
                &format!("file://{outside}"),
                &format!("file:{outside}"),
                &format!("file://localhost{outside}"),
                &format!("FILE://{outside}"),
                &format!("File:{outside}"),
                &format!("/{outside}"),
                &format!("{outside}/"),
                &format!("./{outside}"),
            ])
        },
    },
    Attack {
        id: "CVE-2026-2614",
        idea: "a prompt's source is not looked at",
        attempt: |target| {
            let outside = target.outside();
            let mut answers = Vec::new();
            for value in ["true", "True", "TRUE"] {
                for source in ["/", "file:///", "/etc", "", ".", "..", outside.as_str()] {
                    let tags = json!([{"key": "mlflow.prompt.is_prompt", "value": value}]);
                    let made = target.version(source, &json!({ "tags": tags }));
                    assert_eq!(made.answer.status, 400, "{source}: {}", made.answer.text());
                    answers.extend(target.files_of_version(&made.name));
                    answers.push(made.answer);
                }
            }
            // Of two tags the last counts, for the check as for whoever reads it.
            let twice = json!([{"key": "mlflow.prompt.is_prompt", "value": "true"},
                               {"key": "mlflow.prompt.is_prompt", "value": "false"}]);
            let made = target.version(&outside, &json!({ "tags": twice }));
            assert_eq!(made.answer.status, 400, "{}", made.answer.text());
            for source in ["dummy-source", "prompt-template"] {
                let tags = json!([{"key": "mlflow.prompt.is_prompt", "value": "true"}]);
                let made = target.version(source, &json!({ "tags": tags }));
                assert_eq!(made.answer.status, 200, "{}", made.answer.text());
                answers.extend(target.files_of_version(&made.name));
            }
            answers
        },
    },
    Attack {
        id: "CVE-2023-2356",
        idea: "a source climbs out of where it begins",
        attempt: |target| {
            let outside = target.outside();
            target.through_versions(&[
                "mlflow-artifacts:/../outside",
                "mlflow-artifacts:/1/../../outside",
                "mlflow-artifacts://127.0.0.1:5000/../../../../",
                "http://127.0.0.1:5000/api/2.0/mlflow-artifacts/artifacts/../../../../",
                "/models/artifacts/../../../",
                "s3:/my_bucket/models/path/../../other/path",
                "file://path/to/../../../../some/where",
                "mlflow-artifacts:/..%2f..%2foutside",
                "mlflow-artifacts:/%252e%252e/outside",
                "mlflow-artifacts:/x%00",
                &format!("{}/../outside", target.artifacts()),
                &format!("file://{}/%2e%2e/outside", target.artifacts()),
                &format!("{outside}/../outside"),
            ])
        },
    },
    Attack {
        id: "CVE-2023-2780",
        idea: "a source climbs by backslashes, drives and hosts",
        attempt: |target| {
            target.through_versions(&[
                "\\..\\outside",
                "file:///\\..\\outside",
                "C:/outside",
                "file:///C:/outside",
                "file://./outside",
                "//127.0.0.1/outside",
                "\\\\127.0.0.1\\outside",
                "mlflow-artifacts:/..\\..\\outside",
            ])
        },
    },
    Attack {
        id: "CVE-2024-3573",
        idea: "a local path that does not look local",
        attempt: |target| {
            let outside = target.outside();
            target.through_versions(&[
                &format!("file:{outside}"),
                &format!(" {outside}"),
                &format!("\t{outside}"),
                &format!("://{outside}"),
                &format!("/:{outside}"),
                &format!("local:{outside}"),
                &format!("dbfs:{outside}"),
                &format!("runs:/../..{outside}"),
                &format!("models:/../..{outside}"),
            ])
        },
    },
    Attack {
        id: "CVE-2024-1558",
        idea: "a source with params behind a semicolon",
        attempt: |target| {
            let outside = target.outside();
            target.through_versions(&[
                "http:///;..%2f..%2f..%2f..%2fetc",
                "file:///;/../../etc",
                &format!("{outside};x"),
                &format!("mlflow-artifacts:/;/..{outside}"),
                "mlflow-artifacts:/;..%2foutside",
            ])
        },
    },
    Attack {
        id: "CVE-2024-1483",
        idea: "a source with a fragment that climbs",
        attempt: |target| {
            let outside = target.outside();
            target.through_versions(&[
                "http:///#/../../../../etc/",
                "file:///x#/../../etc",
                "mlflow-artifacts:/x#/../../outside",
                &format!("{outside}#x"),
                "mlflow-artifacts:/x%23/../../outside",
            ])
        },
    },
    Attack {
        id: "CVE-2024-8859",
        idea: "a source whose query climbs",
        attempt: |target| {
            let outside = target.outside();
            target.through_versions(&[
                "dbfs:/x?y=/../../etc",
                "file:///x?/../../etc",
                &format!("{outside}?x"),
                &format!("file://{outside}?x=../.."),
                "mlflow-artifacts:/x?a=/../../outside",
            ])
        },
    },
    Attack {
        id: "CVE-2025-11201",
        idea: "a version is made of another's run, model or copy",
        attempt: |target| {
            let outside = target.outside();
            let run = target.run("0");
            let mut answers = Vec::new();
            for more in [
                json!({ "run_id": run }),
                json!({ "run_id": "none" }),
                json!({ "run_id": "../.." }),
                json!({ "model_id": "m-none" }),
                json!({ "run_id": run, "model_id": "" }),
            ] {
                for source in [outside.as_str(), "/", "runs:/../x", "models:/none/1", "models:/m-x"]
                {
                    let made = target.version(source, &more);
                    assert_ne!(made.answer.status, 200, "{source} {more}");
                    answers.extend(target.files_of_version(&made.name));
                    answers.push(made.answer);
                }
            }
            answers
        },
    },
];
