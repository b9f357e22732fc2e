//! What was found in upstream's tracking server from 2023 to 2026, tried on this one: a row for each
//! idea. Whatever an attack sends, nothing outside of the artifacts is read, written or removed, nobody is
//! asked in the server's name, and no page of ours runs what a stranger logged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use trainyard_mlflow::ErrorCode;
use trainyard_tracking::server::ServerOptions;
use trainyard_tracking::{Lending, share};

use crate::attack::{Target, encoded};
use crate::http::{Answer, Request, get, post, send};
use crate::served::Served;
use crate::store::{options, uri};

const API: &str = "/api/2.0/mlflow";
const FILES: &str = "/api/2.0/mlflow-artifacts";

/// One idea: its name, and how it is tried. The answers are then looked at, and all around the server.
struct Attack {
    id: &'static str,
    idea: &'static str,
    attempt: fn(&Target) -> Vec<Answer>,
}

const ATTACKS: &[Attack] = &[
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
    Attack {
        id: "CVE-2026-2033",
        idea: "the path of an artifact climbs (uploads, downloads, listings, removals, parts)",
        attempt: |target| {
            target.through_paths(&[
                "../outside/secret.txt",
                "..%2foutside%2fsecret.txt",
                "%2e%2e/outside/secret.txt",
                "%2e%2e%2foutside%2fsecret.txt",
                "x/../../outside/secret.txt",
                "./../outside/secret.txt",
                ".%00./outside/secret.txt",
                "..;/outside/secret.txt",
                "..%c0%afoutside%c0%afsecret.txt",
                "..%ef%bc%8foutside/secret.txt",
            ])
        },
    },
    Attack {
        id: "CVE-2024-1560",
        idea: "the path of an artifact is encoded twice and more often",
        attempt: |target| {
            let mut path = "../outside/secret.txt".to_owned();
            let mut paths = Vec::new();
            for _layer in 0..12 {
                path = encoded(&path);
                paths.push(path.clone());
            }
            paths.push("%252e%252e%252foutside%252fsecret.txt".to_owned());
            target.through_paths(&paths.iter().map(String::as_str).collect::<Vec<_>>())
        },
    },
    Attack {
        id: "CVE-2023-6975",
        idea: "the path of an artifact is absolute, or one of Windows",
        attempt: |target| {
            let outside = target.outside();
            target.through_paths(&[
                &format!("{outside}/secret.txt"),
                &encoded(&format!("{outside}/secret.txt")),
                &encoded(&format!("file://{outside}/secret.txt")),
                &encoded(&format!("FILE:{outside}/secret.txt")),
                "C:/outside/secret.txt",
                "C:%5Coutside%5Csecret.txt",
                "..%5C..%5Coutside%5Csecret.txt",
                "%5C%5C127.0.0.1%5Coutside",
            ])
        },
    },
    Attack {
        id: "CVE-2024-1593",
        idea: "the path of an artifact with params, query or fragment",
        attempt: |target| {
            target.through_paths(&[
                ";/../outside/secret.txt",
                "x;..%2foutside%2fsecret.txt",
                "x%3b/../../outside/secret.txt",
                "x%23/../../outside/secret.txt",
                "x%3f/../../outside/secret.txt",
            ])
        },
    },
    Attack {
        id: "CVE-2023-6831",
        idea: "removing takes the root of the artifacts, or what is above it",
        attempt: |target| {
            let keep = format!("{FILES}/artifacts/keep.txt");
            assert_eq!(target.put(&keep, b"kept").status, 200);
            let mut answers = Vec::new();
            for path in
                ["", "/", ".", "%2e", "//", "..", "%2e%2e", "%252e%252e", "..%2foutside", "./."]
            {
                let path = format!("{FILES}/artifacts/{path}");
                answers.push(target.send("DELETE", &path, &[], None));
            }
            assert_eq!(target.get(&keep).text(), "kept");
            answers
        },
    },
    Attack {
        id: "symlinks",
        idea: "symlinks among the artifacts lead out of them",
        attempt: symlinks,
    },
    Attack {
        id: "own files",
        idea: "the database and the passwords lie among the artifacts",
        attempt: own_files,
    },
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
    Attack {
        id: "CVE-2025-14279",
        idea: "a page whose name was bound to this address (DNS rebinding)",
        attempt: |target| {
            let path = format!("{API}/experiments/get?experiment_id=0");
            let mut answers = Vec::new();
            for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
                let answer = target.send("GET", &path, &[("Host", host)], None);
                assert_eq!(answer.status, 403, "{host:?}");
                answers.push(answer);
            }
            answers
        },
    },
    Attack {
        id: "CVE-2023-43472",
        idea: "a foreign page changes things by a form that needs no preflight",
        attempt: |target| {
            let mut answers = Vec::new();
            for origin in
                ["http://evil.example", "null", "http://localhost.evil.example", "file://"]
            {
                for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json"]
                {
                    let headers = [("Origin", origin), ("Content-Type", kind)];
                    let body = br#"{"name": "forged"}"#;
                    let path = format!("{API}/experiments/create");
                    let answer = target.send("POST", &path, &headers, Some(body));
                    assert_eq!(answer.status, 403, "{origin} {kind}");
                    assert_eq!(answer.header("access-control-allow-origin"), None);
                    answers.push(answer);
                }
            }
            let path = format!("{API}/experiments/get-by-name?experiment_name=forged");
            assert_eq!(target.get(&path).status, 404);
            answers
        },
    },
    Attack {
        id: "CVE-2023-6568",
        idea: "an error shows the request as a page",
        attempt: |target| {
            let script = "<script>alert(1)</script>";
            let kinds = [("Content-Type", script), ("X-Request-Id", script)];
            let mut answers = vec![
                target.send("POST", &format!("{API}/experiments/create"), &kinds, Some(b"{}")),
                target.send("POST", &format!("{API}/users/create"), &kinds, Some(b"a=b")),
            ];
            for path in [
                format!("/{}", encoded(script)),
                format!("/get-artifact?run_id={0}&path={0}", encoded(script)),
                format!("{API}/experiments/get?experiment_id={}", encoded(script)),
                format!("{FILES}/artifacts/{}", encoded(script)),
            ] {
                answers.push(target.get(&path));
            }
            answers
        },
    },
    Attack {
        id: "CVE-2026-33865",
        idea: "a logged page or picture runs in the server's name",
        attempt: |target| {
            let run = target.run("0");
            let page = b"<script>alert(1)</script>";
            let mut answers = Vec::new();
            for name in
                ["x.html", "x.htm", "x.svg", "x.xml", "x.xhtml", "x", "x.png", "x.pdf", "MLmodel"]
            {
                let path =
                    format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={name}");
                assert_eq!(target.send("POST", &path, &[], Some(page)).status, 200);
                let uri = target.artifact_uri(&run);
                let place = uri.trim_start_matches("mlflow-artifacts:/");
                for path in [
                    format!("/get-artifact?run_id={run}&path={name}"),
                    format!("{FILES}/artifacts/{place}/{name}"),
                ] {
                    let answer = target.get(&path);
                    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                    let disposition = answer.header("content-disposition").unwrap_or_default();
                    assert!(disposition.starts_with("attachment"), "{path}: {disposition}");
                    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
                    let policy = answer.header("content-security-policy").unwrap_or_default();
                    assert!(policy.starts_with("sandbox;"), "{path}: {policy}");
                    answers.push(answer);
                }
            }
            answers
        },
    },
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
    Attack {
        id: "CVE-2026-0545",
        idea: "jobs, traces and users that need no password",
        attempt: |target| {
            let paths = [
                "/ajax-api/3.0/jobs/",
                "/ajax-api/3.0/jobs/search",
                "/api/3.0/jobs/",
                "/v1/traces",
                "/api/2.0/mlflow/users/create",
                "/ajax-api/2.0/mlflow/users/create",
                "/signup",
            ];
            let body =
                json!({ "function": "os.system", "params": { "username": "a", "password": "" } });
            let answers: Vec<Answer> = paths.iter().map(|path| target.post(path, &body)).collect();
            assert!(answers.iter().all(|answer| matches!(answer.status, 404 | 405)));
            answers
        },
    },
];

/// What upstream's clients, its ways to serve and its pages were open to, and this server has none of.
const NOT_HERE: &[(&str, &str)] = &[
    ("CVE-2023-4033", "a command line made of a request: none is made"),
    ("CVE-2023-6014", "accounts are made by requests: only the file has them (auth.rs)"),
    ("CVE-2023-6709", "templates of recipes"),
    ("CVE-2023-6940", "a command line made of an MLmodel file"),
    ("CVE-2024-0520", "a client's download of a data set over HTTP"),
    ("CVE-2024-27132", "recipes in notebooks"),
    ("CVE-2024-27133", "data sets in recipes"),
    ("CVE-2024-27134", "folders of spark_udf that others may write to"),
    ("CVE-2024-37052", "pickles of models: none is executed"),
    ("CVE-2025-10279", "folders of environments that others may write to"),
    ("CVE-2025-11200", "short passwords: hash-password refuses them (auth.rs)"),
    ("CVE-2025-1473", "sign-up by a foreign page: there is no sign-up"),
    ("CVE-2025-1474", "accounts without a password: hash-password refuses them"),
    ("CVE-2025-15031", "archives that are unpacked: none is"),
    ("CVE-2026-0596", "a command line made of a model's URI"),
    ("CVE-2026-2635", "a password that everybody knows: there is none"),
    ("CVE-2026-2651", "rights on parts of uploads: who is let in may do everything (SECURITY.md)"),
    ("CVE-2026-33866", "rights on a model's files: the same"),
    ("CVE-2026-4137", "folders of downloads that others may write to"),
];

#[test]
fn none_of_the_known_attacks_works() {
    let target = Target::start();
    let before = target.around();
    for attack in ATTACKS {
        let name = format!("{}: {}", attack.id, attack.idea);
        for answer in (attack.attempt)(&target) {
            let text = answer.text();
            assert!(!text.contains("SECRET-7261"), "{name}: read\n{text}");
            assert!(!matches!(answer.status, 500 | 502), "{name}: {} {text}", answer.status);
            let kind = answer.header("content-type").unwrap_or_default();
            let runs = kind.starts_with("text/html") || kind.contains("xml");
            let is_kept = answer.header("content-disposition").is_some();
            assert!(is_kept || !runs || !text.contains("<script>alert"), "{name}: shown\n{text}");
        }
        assert_eq!(target.around(), before, "{name}: written or removed");
        assert_eq!(target.internal.asked(), 0, "{name}: asked a host for it");
        assert_eq!(target.get("/health").status, 200, "{name}");
    }
    let mut ids = BTreeMap::new();
    let known = ATTACKS.iter().map(|attack| attack.id).chain(NOT_HERE.iter().map(|(id, _)| *id));
    for id in known {
        *ids.entry(id).or_insert(0) += 1;
    }
    assert!(ids.values().all(|count| *count == 1), "{ids:?}");
}

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

/// Links that somebody with rights on the folder made: to files, to folders, to nothing.
fn symlinks(target: &Target) -> Vec<Answer> {
    use std::os::unix::fs::symlink;

    let run = target.run("0");
    let uri = target.artifact_uri(&run);
    let folder = Path::new(&target.artifacts()).join(uri.trim_start_matches("mlflow-artifacts:/"));
    std::fs::create_dir_all(&folder).unwrap();
    let outside = target.outside();
    for (to, name) in [
        (format!("{outside}/secret.txt"), "file.txt"),
        (outside.clone(), "folder"),
        ("../../../../outside/secret.txt".to_owned(), "relative.txt"),
        (format!("{outside}/new.txt"), "dangling.txt"),
        ("../../../../outside/new2.txt".to_owned(), "dangling2.txt"),
        ("/".to_owned(), "disk"),
    ] {
        symlink(to, folder.join(name)).unwrap();
    }
    symlink("file.txt", folder.join("MLmodel")).unwrap();
    let mut answers = Vec::new();
    for path in [
        "file.txt",
        "folder",
        "folder/secret.txt",
        "folder/new.txt",
        "relative.txt",
        "dangling.txt",
        "dangling2.txt",
        "MLmodel",
        &format!("disk{outside}/secret.txt"),
    ] {
        answers.extend(target.one_file_of_run(&run, path));
    }
    let listed = target.get(&format!("{API}/artifacts/list?run_id={run}"));
    assert_eq!(listed.json().get("files"), None, "{}", listed.text());
    answers.push(listed);
    answers
}

/// The files of the server itself, where its owner keeps them below the artifacts.
fn own_files(target: &Target) -> Vec<Answer> {
    let mut answers = Vec::new();
    for name in ["users", "users/", "./users", "users%00", "alias-of-users"] {
        let path = format!("{FILES}/artifacts/{name}");
        answers.push(target.get(&path));
        answers.push(target.put(&path, b"user mallory"));
        answers.push(target.send("DELETE", &path, &[], None));
    }
    let users = Path::new(&target.artifacts()).join("users");
    assert_eq!(std::fs::read_to_string(users).unwrap(), "SECRET-7261 user");
    let listed = target.get(&format!("{FILES}/artifacts"));
    assert!(!listed.text().contains("users"), "{}", listed.text());
    answers
}

/// What SQLite keeps beside databases that are symlinks lies among the artifacts.
#[test]
fn files_of_symlinked_databases_are_no_artifacts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("mlartifacts")).unwrap();
    for name in ["mlflow.db", "models.db"] {
        std::os::unix::fs::symlink(format!("mlartifacts/real-{name}"), at(name)).unwrap();
    }
    let registry_uri = Some(format!("sqlite:///{}", at("models.db").display()));
    let lending = Lending { registry_uri, ..Lending::default() };
    let shared = share(&uri(&folder), options(&folder), &lending).unwrap();
    let server = Served::over(shared.lent, ServerOptions::default());
    for kind in ["experiments", "registered-models"] {
        let made = post(&server.url, &format!("{API}/{kind}/create"), &json!({ "name": "n" }));
        assert_eq!(made.status, 200, "{}", made.text());
    }
    for name in ["real-mlflow.db", "real-models.db"] {
        assert!(at(&format!("mlartifacts/{name}-wal")).exists(), "{name}");
        for end in ["", "-wal", "-shm", "-journal"] {
            let path = format!("{FILES}/artifacts/{name}{end}");
            for method in ["GET", "PUT", "DELETE"] {
                let body = (method == "PUT").then_some(b"planted".as_slice());
                let request = Request { method, path: &path, headers: Vec::new(), body };
                let answer = send(&server.url, &request);
                assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text());
            }
        }
        assert!(at(&format!("mlartifacts/{name}-wal")).exists(), "{name}");
    }
    let listed = get(&server.url, &format!("{FILES}/artifacts"));
    assert!(!listed.text().contains("real-"), "{}", listed.text());
    assert_eq!(get(&server.url, "/health").text(), "OK");
}

#[test]
fn nobody_is_let_in_by_a_forgotten_route() {
    let target = Target::with_users();
    let mut paths: Vec<String> = [
        "/",
        "/graphql",
        "/ajax-api/2.0/mlflow/upload-artifact",
        "/ajax-api/3.0/jobs/",
        "/v1/traces",
        "/get-artifact",
        "/model-versions/get-artifact",
        "/metrics",
        "/signup",
        "/static-files/x",
        "/ajax-api/2.0/mlflow/gateway-proxy",
        "/ajax-api/2.0/mlflow/runs/create-promptlab-run",
        "/api/2.0/mlflow/users/create",
        "//health",
        "/health/",
        "/health/../graphql",
        "/HEALTH",
        "/health%2f..%2fgraphql",
        "/version/x",
    ]
    .map(str::to_owned)
    .into();
    for prefix in ["/api", "/ajax-api"] {
        for path in [
            "experiments/search",
            "logged-models/m-1/artifacts/files",
            "artifacts/list",
            "webhooks",
        ] {
            paths.push(format!("{prefix}/2.0/mlflow/{path}"));
        }
        for path in [
            "artifacts",
            "artifacts/x",
            "mpu/create/x",
            "mpu/complete/x",
            "mpu/abort/x",
            "presigned/x",
        ] {
            paths.push(format!("{prefix}/2.0/mlflow-artifacts/{path}"));
        }
    }
    // admin:password1234 and admin:, which upstream shipped.
    let known =
        ["Basic YWRtaW46cGFzc3dvcmQxMjM0", "Basic YWRtaW46", "Basic Og==", "Bearer ", "Basic"];
    for path in &paths {
        for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
            let answer = target.send(method, path, &[], Some(b"{}"));
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
    for value in known {
        let answer = target.send("GET", "/graphql", &[("Authorization", value)], None);
        // Too many attempts are told to wait.
        assert!(matches!(answer.status, 401 | 429), "{value}: {}", answer.status);
    }
    let answer = target.send(
        "GET",
        "/",
        &[("X-Original-URL", "/health"), ("X-Forwarded-For", "127.0.0.1")],
        None,
    );
    assert_eq!(answer.status, 401);
}

#[test]
fn errors_do_not_show_the_servers_disk() {
    use std::os::unix::fs::PermissionsExt;

    let target = Target::start();
    let run = target.run("0");
    let uri = target.artifact_uri(&run);
    let folder = Path::new(&target.artifacts()).join(uri.trim_start_matches("mlflow-artifacts:/"));
    std::fs::create_dir_all(folder.join("closed")).unwrap();
    std::fs::write(folder.join("file"), "x").unwrap();
    for name in ["closed", "file"] {
        std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o000)).unwrap();
    }
    // Root may do everything, whatever the mode: these are answers then.
    let mut answers = target.one_file_of_run(&run, "closed/x");
    answers.extend(target.one_file_of_run(&run, "file"));
    answers.extend(target.one_file_of_run(&run, "file/below"));
    answers.extend(target.one_file_of_run(&run, &"long".repeat(100)));
    let home = target.folder.path().display().to_string();
    for answer in answers {
        assert!(!answer.text().contains(&home), "{}", answer.text());
    }
    let error = trainyard_mlflow::Error::api(
        ErrorCode::InternalError,
        "artifact storage: GET http://169.254.169.254/latest/api/token: 401 INTERNAL",
    );
    assert!(!error.for_clients().contains("169.254"), "{}", error.for_clients());
}

/// Origins of the machine that asks, at a server that others reach.
#[test]
fn localhost_is_trusted_only_where_the_server_is() {
    let target = Target::start();
    let path = format!("{API}/experiments/search?max_results=1");
    let asked = |server: &Target, host: &str, origin: &str| {
        let url = server.server.url.clone();
        let headers = vec![("Host", host), ("Origin", origin)];
        send(&url, &Request { method: "GET", path: &path, headers, body: None })
    };
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").is_some();
    assert!(allowed(&asked(&target, "localhost:5000", "http://localhost:3000")));
    assert!(allowed(&asked(&target, "10.1.2.3:5000", "http://10.1.2.3:5000")));
    for (host, origin) in [
        ("10.1.2.3:5000", "http://localhost:3000"),
        ("10.1.2.3:5000", "http://127.0.0.1"),
        ("10.1.2.3:5000", "http://10.1.2.3:5001"),
        ("localhost:5000", "http://localhost.evil.example:3000"),
    ] {
        let answer = asked(&target, host, origin);
        assert!(!allowed(&answer), "{host} {origin}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let public = Target::public();
    assert!(!allowed(&asked(&public, "localhost:5000", "http://localhost:3000")));
    assert!(allowed(&asked(&public, "localhost:5000", "http://localhost:5000")));
    let refused = send(
        &public.server.url,
        &Request {
            method: "POST",
            path: &format!("{API}/experiments/create"),
            headers: vec![("Host", "localhost:5000"), ("Origin", "http://localhost:3000")],
            body: Some(br#"{"name": "forged"}"#),
        },
    );
    assert_eq!(refused.status, 403);
    // Without a browser nothing changes.
    assert_eq!(
        post(&public.server.url, &format!("{API}/experiments/create"), &json!({"name": "e"}))
            .status,
        200
    );
    assert_eq!(get(&public.server.url, "/health").status, 200);
}
