//! Hosts and buckets that only the server reaches.

use std::collections::BTreeSet;

use serde_json::json;

use super::row::{API, Attack};
use crate::http::Answer;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "CVE-2023-6974",
        idea: "locations that make the server ask hosts in its network",
        attempt: |target| {
            let internal = target.internal.address();
            let hosts = [internal.as_str(), "169.254.169.254", "metadata.google.internal", "[::1]"];
            let mut locations = Vec::new();
            for host in hosts {
                for scheme in ["http", "https", "HTTP", "ftp", "sftp", "hdfs", "viewfs", "r2", "b2"]
                {
                    locations.push(format!("{scheme}://{host}/x"));
                }
                locations.push(format!("http://{host}/api/2.0/mlflow-artifacts/artifacts/x"));
                locations.push(format!("mlflow-artifacts://{host}/x"));
                locations.push(format!("abfss://c@{host}/x"));
                locations.push(format!("http:\\\\{host}\\x"));
            }
            let locations: Vec<&str> = locations.iter().map(String::as_str).collect();
            let mut answers = target.through_versions(&locations);
            answers.extend(target.through_experiments(&locations));
            assert!(answers.iter().all(|answer| !answer.text().contains("INTERNAL")));
            answers
        },
    },
    Attack {
        id: "other buckets",
        idea: "locations in buckets that only the server's keys open",
        attempt: |target| {
            // The endpoint of all clouds is a listener that nobody may reach.
            let locations = [
                "s3://other/x",
                "s3a://other/x",
                "s3://own/runs2",
                "s3://own",
                "s3://own/runs/../x",
                "s3://KEY:SECRET-KEY@other/x",
                "gs://other/x",
                "wasbs://c@account.blob.core.windows.net/x",
                "abfss://c@account.dfs.core.windows.net/x",
            ];
            let mut answers = target.through_experiments(&locations);
            answers.extend(target.through_versions(&locations));
            for answer in &answers {
                let text = answer.text();
                assert!(!text.contains("X-Amz-Signature"), "{text}");
                let is_own_location = answer.status == 200;
                assert!(is_own_location || !text.contains("SECRET-KEY"), "{text}");
            }
            answers
        },
    },
    Attack {
        id: "CVE-2026-2393",
        idea: "webhooks reach hosts in the server's network, or tell which there are",
        attempt: |target| {
            let internal = target.internal.address();
            let urls = [
                format!("https://{internal}/hook"),
                "https://localhost/hook".to_owned(),
                "https://169.254.169.254/latest/meta-data".to_owned(),
                "https://no-such-host.invalid/hook".to_owned(),
                "https://example.com/hook".to_owned(),
            ];
            let hook = |url: &str| {
                let body = json!({"name": "w", "url": url,
                                  "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}]});
                target.post(&format!("{API}/webhooks"), &body)
            };
            let answers: Vec<Answer> = urls.iter().map(|url| hook(url)).collect();
            let told: BTreeSet<(u16, String)> =
                answers.iter().map(|answer| (answer.status, answer.text())).collect();
            assert_eq!(told.len(), 1, "names are told apart: {told:?}");
            assert_eq!(hook(&format!("http://{internal}/")).status, 400);
            answers
        },
    },
    Attack {
        id: "CVE-2025-52967",
        idea: "the gateway proxy asks hosts for the client",
        attempt: |target| {
            let internal = target.internal.address();
            let body = json!({ "gateway_path": format!("http://{internal}/"), "json_data": {} });
            let mut answers = Vec::new();
            for path in ["/ajax-api/2.0/mlflow/gateway-proxy", "/api/2.0/mlflow/gateway-proxy"] {
                answers.push(target.post(path, &body));
                answers.push(target.get(&format!("{path}?gateway_path=http://{internal}/")));
            }
            answers
        },
    },
];
