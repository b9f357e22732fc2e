//! Artifacts in a bucket: through the server and straight from the client, on a stand-in for S3
//! (moto).

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use trainyard_mlflow::artifacts::{Artifacts as _, ByteRange, ByteStream, once};
use trainyard_storage::{DirectAccess, DirectTransfers, Environment, Stores};
use trainyard_testkit::s3::S3;
use trainyard_testkit::{free_port, run_python};
use trainyard_tracking::artifacts::ArtifactStorage;
use trainyard_tracking::server::ServerOptions;

use crate::http::{Request, get, send};
use crate::served::Served;

/// Artifacts in a folder of the bucket `models`, all of which the server may use.
fn storage_of(s3: &S3) -> ArtifactStorage {
    // The endpoint is of this machine, where the clients of these tests are, too.
    let on = DirectAccess { transfers: DirectTransfers::On, public_endpoint: None };
    storage_with(s3, on)
}

/// The same, with another way for clients into the bucket.
fn storage_with(s3: &S3, access: DirectAccess) -> ArtifactStorage {
    let stores = Stores::new(Environment::of(s3.keys())).with_access(access);
    let storage = ArtifactStorage::with_stores("s3://models/some/folder", stores).unwrap();
    storage.below(&["s3://models".to_owned()], Vec::new()).unwrap()
}

/// `bytes` bytes in chunks as a network brings them, each byte told by its place.
fn counted(bytes: usize) -> (Vec<u8>, ByteStream) {
    let data: Vec<u8> = (0..bytes).map(|place| (place % 251) as u8).collect();
    let chunks: Vec<_> = data.chunks(60_000).map(|chunk| Ok(chunk.to_vec().into())).collect();
    (data, futures::stream::iter(chunks).boxed())
}

async fn collect(mut body: ByteStream) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(chunk) = body.next().await {
        data.extend_from_slice(&chunk.unwrap());
    }
    data
}

/// Size of the large file: more than two parts of an upload.
const BYTES: usize = 20 << 20;

/// What every kind of storage does.
async fn check_storage(storage: &ArtifactStorage, direct: &str) {
    const ROOT: &str = "mlflow-artifacts:/1/run/artifacts";
    let size = BYTES as u64;
    let (data, body) = counted(BYTES);
    storage.upload(ROOT, "model/big.bin", body).await.unwrap();
    for name in ["model/MLmodel", "a b%20c/é.txt", "top.txt"] {
        storage.upload(ROOT, name, once(name.as_bytes().to_vec())).await.unwrap();
    }
    let listed = storage.list(ROOT, "").await.unwrap();
    let names: Vec<(&str, bool)> =
        listed.iter().map(|file| (file.path.as_str(), file.is_dir)).collect();
    assert_eq!(names, [("a b%20c", true), ("model", true), ("top.txt", false)]);
    let below = storage.list(ROOT, "model").await.unwrap();
    let sizes: Vec<(&str, Option<i64>)> =
        below.iter().map(|file| (file.path.as_str(), file.file_size)).collect();
    assert_eq!(sizes, [("model/MLmodel", Some(13)), ("model/big.bin", Some(size as i64))]);

    assert_eq!(collect(storage.download(ROOT, "model/big.bin").await.unwrap()).await, data);
    let name = "a b%20c/é.txt";
    assert_eq!(collect(storage.download(ROOT, name).await.unwrap()).await, name.as_bytes());
    for (range, expected) in [
        (ByteRange::Between(10, 19), Some(10..20)),
        (ByteRange::From(size - 5), Some(size - 5..size)),
        (ByteRange::Last(3), Some(size - 3..size)),
        (ByteRange::From(size), None),
    ] {
        let file = storage.open(ROOT, "model/big.bin", Some(range)).await.unwrap();
        assert_eq!((file.size, &file.range), (size, &expected));
        let bytes = expected
            .map_or(0..0, |range: std::ops::Range<u64>| range.start as usize..range.end as usize);
        assert_eq!(collect(file.body).await, data[bytes]);
    }
    // The same file by the URI of the bucket.
    let direct = format!("{direct}/1/run/artifacts");
    let file = storage.open(&direct, "model/MLmodel", None).await.unwrap();
    assert_eq!(collect(file.body).await, b"model/MLmodel");

    let missing = storage.open(ROOT, "none", None).await.unwrap_err();
    assert_eq!(missing.code().http_status(), 404, "{missing}");
    assert_eq!(storage.list(ROOT, "none").await.unwrap(), []);
    storage.delete(ROOT, "model").await.unwrap();
    storage.delete(ROOT, "model").await.unwrap();
    let left = storage.list(ROOT, "").await.unwrap();
    assert_eq!(
        left.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["a b%20c", "top.txt"]
    );
    assert!(storage.delete("mlflow-artifacts:/", "").await.is_err());
}

/// An upload that breaks off leaves nothing.
async fn check_broken_upload(storage: &ArtifactStorage) {
    const ROOT: &str = "mlflow-artifacts:/1/broken";
    let (_, whole) = counted(BYTES);
    let cut = futures::stream::once(async { Err(trainyard_mlflow::Error::internal("cut")) });
    let body = whole.chain(cut).boxed();
    assert!(storage.upload(ROOT, "big.bin", body).await.is_err());
    assert_eq!(storage.list(ROOT, "").await.unwrap(), []);
}

/// The server passes files on; and the bucket is the client's own, with the server listing it.
const CLIENT: &str = r#"
import sys, os, mlflow
from mlflow import MlflowClient
client = MlflowClient()
for name, location in [("proxied", None), ("direct", "s3://models/direct")]:
    experiment = client.create_experiment(name, artifact_location=location)
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_text("hello", "notes/hello.txt")
        with open("big.bin", "wb") as file:
            file.write(os.urandom(12 << 20))
        mlflow.log_artifact("big.bin", "data")
    run_id = run.info.run_id
    scheme = run.info.artifact_uri.split(":")[0]
    assert scheme == {"proxied": "mlflow-artifacts", "direct": "s3"}[name], run.info.artifact_uri
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "hello"
    assert [f.path for f in client.list_artifacts(run_id)] == ["data", "notes"]
    path = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/data/big.bin")
    assert open(path, "rb").read() == open("big.bin", "rb").read()
    print(run_id)
"#;

/// Runs a script of the real client in a folder of its own; what it printed.
fn run_client(server: &Served, s3: &S3, script: &str, settings: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut environment = vec![
        ("MLFLOW_TRACKING_URI", server.url.as_str()),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("TMPDIR", folder.path().to_str().unwrap()),
    ];
    environment.extend(s3.keys());
    environment.extend(settings);
    let folder = folder.path().display().to_string();
    run_python(&format!("import os; os.chdir({folder:?}){script}"), &[], &environment)
}

#[test]
fn s3_holds_artifacts_through_the_server_and_beside_it() {
    let s3 = S3::start("models");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let storage = storage_of(&s3);
        check_storage(&storage, "s3://models/some/folder").await;
        check_broken_upload(&storage).await;
    });
    let server = Served::with_artifacts(ServerOptions::default(), Arc::new(storage_of(&s3)));
    let printed = run_client(&server, &s3, CLIENT, &[]);
    let run_ids: Vec<&str> = printed.lines().filter(|line| line.len() == 32).collect();
    assert_eq!(run_ids.len(), 2, "{printed}");
    for run_id in run_ids {
        let listed = get(&server.url, &format!("/api/2.0/mlflow/artifacts/list?run_id={run_id}"));
        assert_eq!(listed.json()["files"][1]["path"], "notes", "{}", listed.text());
        let path = format!("/get-artifact?run_id={run_id}&path=notes%2Fhello.txt");
        let headers = vec![("Range", "bytes=1-3")];
        let part = send(&server.url, &Request { method: "GET", path: &path, headers, body: None });
        assert_eq!((part.status, part.text().as_str()), (206, "ell"));
        assert_eq!(part.header("content-range"), Some("bytes 1-3/5"));
    }
}

const DIRECT_CLIENT: &str = r#"
import mlflow, requests, os
from mlflow.tracking import MlflowClient
uri = os.environ["MLFLOW_TRACKING_URI"]
open("big.bin", "wb").write(bytes(range(256)) * 4096 * 12)  # 12 MiB: three parts
mlflow.create_experiment("proxied")
mlflow.create_experiment("direct", artifact_location="s3://models/direct")
asked = []
real = requests.Session.request
def request(self, method, url, **more):
    asked.append((method, url.split("?")[0]))
    return real(self, method, url, **more)
requests.Session.request = request
mlflow.set_experiment("proxied")
with mlflow.start_run() as run:
    mlflow.log_artifact("big.bin", "data")
    path = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/data/big.bin")
assert open(path, "rb").read() == open("big.bin", "rb").read()
puts = [url for method, url in asked if method.upper() == "PUT"]
assert len(puts) == 3 and all(url.startswith(os.environ["MLFLOW_S3_ENDPOINT_URL"]) for url in puts), asked

mlflow.set_experiment("direct")
run_id = mlflow.start_run().info.run_id
ask = lambda which, **body: requests.post(f"{uri}/api/2.0/mlflow/artifacts/presigned-{which}-url", json=body)
signed = ask("upload", run_id=run_id, path="notes/hello.txt").json()
assert requests.put(signed["presigned_url"], data=b"hello", headers=signed["headers"]).ok
signed = ask("download", run_id=run_id, path="notes/hello.txt").json()
answer = requests.get(signed["presigned_url"], headers=signed.get("headers", {}))
assert (answer.text, int(signed["file_size"])) == ("hello", 5), (answer.text, signed)
assert "X-Amz-Expires=77&" in signed["presigned_url"], signed
assert answer.headers["content-disposition"] == "attachment", answer.headers
assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "hello"
missing = ask("download", run_id=run_id, path="notes/none.txt")
assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST"), missing.text
assert ask("download", run_id=run_id, path="notes/hello.txt", expiration=604801).status_code == 400

mpu = lambda which, **body: requests.post(f"{uri}/api/2.0/mlflow-artifacts/mpu/{which}/0/x", json=body)
upload = mpu("create", path="f.bin", num_parts=2).json()
assert [part["part_number"] for part in upload["credentials"]] == [1, 2], upload
gap = mpu("complete", path="f.bin", upload_id=upload["upload_id"], parts=[{"part_number": 2, "etag": "x"}])
assert gap.status_code == 400 and "part 1 is missing" in gap.text, gap.text
assert mpu("abort", path="f.bin", upload_id=upload["upload_id"]).json() == {}
again = mpu("abort", path="f.bin", upload_id=upload["upload_id"])
assert (again.status_code, "NoSuchUpload" in again.text) == (400, True), (again.status_code, again.text)
for parts in (0, 10001):
    assert mpu("create", path="f.bin", num_parts=parts).status_code == 400
"#;

#[test]
fn clients_move_large_files_to_and_from_s3_themselves() {
    let s3 = S3::start("models");
    let options = ServerOptions { presigned_download_seconds: 77, ..ServerOptions::default() };
    let server = Served::with_artifacts(options, Arc::new(storage_of(&s3)));
    let settings = [
        ("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true"),
        ("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true"),
        ("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "5242880"),
        ("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "5242880"),
        ("MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", "5242880"),
    ];
    run_client(&server, &s3, DIRECT_CLIENT, &settings);
}

/// A client that cannot connect to the port of the object store.
const UNSEEN_CLIENT: &str = r#"
import os, socket
import urllib3.util.connection
port = int(os.environ["MLFLOW_S3_ENDPOINT_URL"].rsplit(":", 1)[1])
def guarded(real):
    def connect(address, *more, **named):
        assert address[1] != port, "the client cannot reach the object store"
        return real(address, *more, **named)
    return connect
socket.create_connection = guarded(socket.create_connection)
urllib3.util.connection.create_connection = guarded(urllib3.util.connection.create_connection)
import mlflow
open("big.bin", "wb").write(bytes(range(256)) * 4096 * 12)
mlflow.set_experiment("unseen")
with mlflow.start_run() as run:
    mlflow.log_text("hello", "a.txt")
    mlflow.log_artifact("big.bin", "data")
path = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/data/big.bin")
assert open(path, "rb").read() == open("big.bin", "rb").read()
print(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a.txt"))
"#;

/// Files of 5 MiB and more go past the server where it offers that.
const LARGE_FILES_DIRECT: [(&str, &str); 3] = [
    ("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "5242880"),
    ("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "5242880"),
    ("MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", "5242880"),
];

#[test]
fn clients_need_not_reach_a_store_that_only_the_server_sees() {
    let s3 = S3::start("models");
    let artifacts = Arc::new(storage_with(&s3, DirectAccess::default()));
    let server = Served::with_artifacts(ServerOptions::default(), artifacts);
    let printed = run_client(&server, &s3, UNSEEN_CLIENT, &LARGE_FILES_DIRECT);
    assert_eq!(printed.lines().last(), Some("hello"), "{printed}");
    let forced = [
        ("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true"),
        ("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true"),
    ];
    let printed =
        run_client(&server, &s3, UNSEEN_CLIENT, &[&LARGE_FILES_DIRECT[..], &forced].concat());
    assert_eq!(printed.lines().last(), Some("hello"), "{printed}");
    let info = get(&server.url, "/api/3.0/mlflow/server-info").json();
    assert_eq!(info["multipart_downloads_enabled"], false, "{info}");

    // Where clients see it under another name, that is the one that is signed.
    let public = s3.url.replace("127.0.0.1", "localhost");
    let access = DirectAccess { public_endpoint: Some(public.clone()), ..DirectAccess::default() };
    let server =
        Served::with_artifacts(ServerOptions::default(), Arc::new(storage_with(&s3, access)));
    let info = get(&server.url, "/api/3.0/mlflow/server-info").json();
    assert_eq!(info["multipart_downloads_enabled"], true, "{info}");
    s3.upload("some/folder/1/a.txt", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let signed = get(&server.url, "/api/2.0/mlflow-artifacts/presigned/1/a.txt");
    let url = signed.json()["url"].as_str().unwrap_or_default().to_owned();
    assert!(url.starts_with(&format!("{public}/models/some/folder/1/a.txt?")), "{url}");
}

#[test]
fn a_storage_that_is_not_there_is_an_error_in_seconds() {
    let endpoint = format!("http://127.0.0.1:{}", free_port());
    let keys = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
    ];
    let stores = Stores::new(Environment::of(keys));
    let storage = ArtifactStorage::with_stores("s3://models", stores).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let start = std::time::Instant::now();
    let error = runtime.block_on(storage.list("mlflow-artifacts:/1", "")).unwrap_err();
    assert!(error.code().http_status() >= 500 && !error.to_string().contains("secret"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}
