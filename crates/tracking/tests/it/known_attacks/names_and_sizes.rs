//! Names that are two at once, and requests that ask for too much.

use serde_json::{Value, json};

use super::row::{API, Attack};
use crate::attack::encoded;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "CVE-2024-3099",
        idea: "two names of models are one when they are decoded",
        attempt: |target| {
            let create = |name: &str| {
                target.post(&format!("{API}/registered-models/create"), &json!({ "name": name }))
            };
            assert_eq!(create("churn").status, 200);
            assert_eq!(create("chur%6e").status, 200);
            let read = |name: &str| {
                let path = format!("{API}/registered-models/get?name={}", encoded(name));
                target.get(&path).json()["registered_model"]["name"].clone()
            };
            assert_eq!((read("churn"), read("chur%6e")), (json!("churn"), json!("chur%6e")));
            let refused = ["a/b", "../a", "a:b", ""].map(create);
            assert!(refused.iter().all(|answer| answer.status == 400));
            refused.into()
        },
    },
    Attack {
        id: "CVE-2024-6838",
        idea: "names and locations of any length fill the database",
        attempt: |target| {
            let long = "x".repeat(100_000);
            let create = |body: &Value| target.post(&format!("{API}/experiments/create"), body);
            let answers = vec![
                create(&json!({ "name": long })),
                create(&json!({ "name": "y", "artifact_location": format!("s3://b/{long}") })),
                create(&json!({ "name": "z", "tags": [{ "key": long, "value": "v" }] })),
            ];
            assert!(answers.iter().all(|answer| answer.status == 400));
            answers
        },
    },
    Attack {
        id: "CVE-2025-0453",
        idea: "one GraphQL request asks for everything many times",
        attempt: |target| {
            let field = |index: usize| {
                format!(
                    "a{index}: mlflowSearchRuns(input: {{experimentIds: [\"0\"]}}) {{ runs {{ info {{ runId }} }} }} "
                )
            };
            let many: String = (0..5000).map(field).collect();
            let deep = format!("{}{}", "{ a ".repeat(5000), "}".repeat(5000));
            let queries = [format!("{{ {many} }}"), deep, "{".repeat(100_000)];
            let answers = queries.map(|query| target.post("/graphql", &json!({ "query": query })));
            assert!(answers.iter().all(|answer| answer.body.len() < 10_000));
            answers.into()
        },
    },
];
