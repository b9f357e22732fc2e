//! Uploads, listings and downloads below a root, and paths that try to leave it.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use trainyard_base::Budget;
use trainyard_mlflow::artifacts::{Artifacts as _, ByteRange, once};
use trainyard_mlflow::entities::FileInfo;
use trainyard_mlflow::{Error, ErrorCode};

use super::ArtifactStorage;

const ROOT: &str = "mlflow-artifacts:/1/run/artifacts";

struct Fixture {
    directory: tempfile::TempDir,
    storage: ArtifactStorage,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let destination = directory.path().join("mlartifacts");
    let storage = ArtifactStorage::open(destination.to_str().unwrap()).unwrap();
    Fixture { directory, storage }
}

async fn read(
    storage: &ArtifactStorage,
    root: &str,
    path: &str,
    range: Option<ByteRange>,
) -> Vec<u8> {
    let mut body = storage.open(root, path, range).await.unwrap().body;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    bytes
}

#[tokio::test]
async fn what_is_written_is_listed_and_read_back() {
    let Fixture { directory, storage } = fixture();
    assert_eq!(storage.list(ROOT, "").await.unwrap(), []);
    storage.upload(ROOT, "model/~odd [1].txt", once("hello")).await.unwrap();
    storage.upload(ROOT, "b.txt", once("")).await.unwrap();

    let on_disk = directory.path().join("mlartifacts/1/run/artifacts/model/~odd [1].txt");
    assert_eq!(std::fs::read(on_disk).unwrap(), b"hello", "the layout is upstream's");
    let names = |entries: Vec<FileInfo>| -> Vec<(String, Option<i64>)> {
        entries.into_iter().map(|entry| (entry.path, entry.file_size)).collect()
    };
    assert_eq!(
        names(storage.list(ROOT, "").await.unwrap()),
        [("b.txt".to_owned(), Some(0)), ("model".to_owned(), None)]
    );
    assert_eq!(
        names(storage.list(ROOT, "model/").await.unwrap()),
        [("model/~odd [1].txt".to_owned(), Some(5))]
    );
    assert_eq!(storage.list(ROOT, "b.txt").await.unwrap(), [], "a file lists nothing");
    assert_eq!(read(&storage, ROOT, "model/~odd [1].txt", None).await, b"hello");
    assert_eq!(
        read(&storage, ROOT, "model/~odd [1].txt", Some(ByteRange::Between(1, 2))).await,
        b"el"
    );
    let outside = storage.open(ROOT, "b.txt", Some(ByteRange::From(9))).await.unwrap();
    assert_eq!((outside.range, outside.size), (None, 0));
}

#[tokio::test]
async fn large_files_pass_through_in_parts() {
    let Fixture { storage, .. } = fixture();
    let chunk = Bytes::from(vec![7_u8; 300_000]);
    let body = stream::iter((0..11).map(move |_| Ok(chunk.clone()))).boxed();
    storage.upload(ROOT, "large", body).await.unwrap();
    let file = storage.open(ROOT, "large", Some(ByteRange::Last(10))).await.unwrap();
    assert_eq!((file.size, file.range), (3_300_000, Some(3_299_990..3_300_000)));
    assert_eq!(read(&storage, ROOT, "large", None).await.len(), 3_300_000);
}

#[tokio::test]
async fn a_broken_upload_leaves_the_old_file_and_no_litter() {
    let Fixture { directory, storage } = fixture();
    storage.upload(ROOT, "f", once("old")).await.unwrap();
    let broken = |chunks: usize| {
        let good = Bytes::from(vec![0_u8; 600_000]);
        let parts = (0..chunks).map(move |_| Ok(good.clone()));
        stream::iter(parts.chain([Err(Error::internal("the client went away"))])).boxed()
    };
    for chunks in [1, 4] {
        let error = storage.upload(ROOT, "f", broken(chunks)).await.unwrap_err();
        assert!(error.to_string().contains("went away"), "{error}");
        assert_eq!(read(&storage, ROOT, "f", None).await, b"old");
    }
    let root = directory.path().join("mlartifacts/1/run/artifacts");
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 1);
}

#[tokio::test]
async fn uploads_share_the_memory() {
    let Fixture { directory: _directory, storage } = fixture();
    let budget = Budget::new(4 << 20);
    let storage = storage.with_memory(Arc::clone(&budget));
    let chunk = Bytes::from(vec![7_u8; 200_000]);
    let body = || {
        let chunk = chunk.clone();
        stream::iter((0..30).map(move |_| Ok(chunk.clone()))).boxed()
    };
    let others = budget.take(3 << 20).unwrap();
    let error = storage.upload(ROOT, "large", body()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable, "{error}");
    assert!(storage.list(ROOT, "").await.unwrap().is_empty(), "nothing is left of it");
    storage.upload(ROOT, "small", once("x")).await.unwrap();
    assert_eq!(budget.used(), 3 << 20);
    drop(others);
    storage.upload(ROOT, "large", body()).await.unwrap();
    assert_eq!(read(&storage, ROOT, "large", None).await.len(), 6_000_000);
    // What is whole in memory already is not counted twice.
    storage.upload(ROOT, "whole", once(vec![7_u8; 9 << 20])).await.unwrap();
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn listings_share_the_memory() {
    let Fixture { directory, storage } = fixture();
    let budget = Budget::new(1 << 20);
    let storage = storage.with_memory(Arc::clone(&budget));
    let root = directory.path().join("mlartifacts/1/run/artifacts");
    std::fs::create_dir_all(root.join("small")).unwrap();
    std::fs::create_dir_all(root.join("large")).unwrap();
    std::fs::write(root.join("small/f"), "").unwrap();
    for number in 0..300 {
        std::fs::write(root.join(format!("large/{number}")), "").unwrap();
    }
    let others = budget.take(1 << 20).unwrap();
    let error = storage.list(ROOT, "large").await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable, "{error}");
    assert_eq!(storage.list(ROOT, "small").await.unwrap().len(), 1);
    drop(others);
    assert_eq!(storage.list(ROOT, "large").await.unwrap().len(), 300);
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn deleting_takes_files_and_trees_and_nothing_twice() {
    let Fixture { directory, storage } = fixture();
    storage.upload(ROOT, "tree/a/b", once("x")).await.unwrap();
    storage.upload(ROOT, "file", once("x")).await.unwrap();
    for path in ["tree", "tree", "file", "file"] {
        storage.delete(ROOT, path).await.unwrap();
    }
    assert_eq!(storage.list(ROOT, "").await.unwrap(), []);
    assert!(!directory.path().join("mlartifacts/1/run/artifacts/tree").exists());
}

#[tokio::test]
async fn local_roots_are_used_as_they_are_by_their_own_user() {
    let Fixture { directory, storage } = fixture();
    let storage = storage.anywhere().unwrap();
    let root = directory.path().join("mlruns/0/abc/artifacts");
    let root = root.to_str().unwrap();
    storage.upload(root, "x/y.txt", once("1")).await.unwrap();
    assert_eq!(read(&storage, &format!("file://{root}"), "x/y.txt", None).await, b"1");
    assert!(std::path::Path::new(root).join("x/y.txt").exists());
}

#[tokio::test]
async fn missing_files_and_folders_say_which() {
    let Fixture { storage, .. } = fixture();
    storage.upload(ROOT, "d/f", once("x")).await.unwrap();
    let error = storage.open(ROOT, "nope", None).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ResourceDoesNotExist);
    assert_eq!(error.to_string(), "No such artifact: '1/run/artifacts/nope'");
    let error = storage.open(ROOT, "d", None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Artifact path refers to a directory, not a file: '1/run/artifacts/d'"
    );
    let storage = storage.anywhere().unwrap();
    let error = storage.list("hdfs://host/x", "").await.unwrap_err();
    assert!(error.to_string().contains("'hdfs'"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn symlinks_out_of_the_root_are_refused() {
    let Fixture { directory, storage } = fixture();
    storage.upload(ROOT, "f", once("x")).await.unwrap();
    let root = directory.path().join("mlartifacts/1/run/artifacts");
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "s").unwrap();
    std::os::unix::fs::symlink(&secret, root.join("link")).unwrap();
    std::os::unix::fs::symlink(directory.path(), root.join("up")).unwrap();
    std::os::unix::fs::symlink(directory.path().join("new"), root.join("dangling")).unwrap();
    for path in ["link", "up/secret", "up/other"] {
        let error = storage.open(ROOT, path, None).await.unwrap_err();
        assert!(error.to_string().contains("outside of the artifact roots"), "{path}: {error}");
    }
    for path in ["link", "up/planted", "dangling"] {
        let error = storage.upload(ROOT, path, once("y")).await.unwrap_err();
        assert!(error.to_string().contains("outside of the artifact roots"), "{path}: {error}");
    }
    assert!(storage.delete(ROOT, "up").await.is_err());
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "s");
    assert!(!directory.path().join("new").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn symlinks_from_one_root_into_another_are_followed() {
    let Fixture { directory, storage } = fixture();
    let other = directory.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("f"), "x").unwrap();
    std::fs::write(other.join("users"), "private").unwrap();
    let roots = [other.display().to_string()];
    let below = storage.below(&roots, vec![other.join("users")]).unwrap();
    below.upload(ROOT, "g", once("y")).await.unwrap();
    let root = directory.path().join("mlartifacts/1/run/artifacts");
    std::os::unix::fs::symlink(&other, root.join("link")).unwrap();
    for root in [ROOT, root.to_str().unwrap()] {
        let listed = below.list(root, "").await.unwrap();
        let names: Vec<&str> = listed.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(names, ["g", "link"], "{root}");
        assert_eq!(read(&below, root, "link/f", None).await, b"x", "{root}");
        below.upload(root, "link/new", once("z")).await.unwrap();
        assert_eq!(std::fs::read(other.join("new")).unwrap(), b"z", "{root}");
        below.delete(root, "link/new").await.unwrap();
        assert!(below.open(root, "link/users", None).await.is_err(), "{root}");
        // Where the other folder is no root, the link leads out.
        assert!(storage.open(root, "link/f", None).await.is_err(), "{root}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_root_has_the_name_of_its_symlink_and_its_real_one() {
    let Fixture { directory, storage } = fixture();
    let folder = directory.path().canonicalize().unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    std::fs::create_dir(at("real")).unwrap();
    std::os::unix::fs::symlink("real", at("link")).unwrap();
    let storage = storage.below(&[at("link")], Vec::new()).unwrap();
    storage.upload(&at("real/a"), "f", once("x")).await.unwrap();
    assert_eq!(read(&storage, &at("link/a"), "f", None).await, b"x");
    let error = storage.open(&at("real2"), "f", None).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn no_root_goes_with_the_folder_that_it_really_is_in() {
    use std::os::unix::fs::symlink;

    let Fixture { directory, storage } = fixture();
    let at = |name: &str| directory.path().join("mlartifacts").join(name);
    std::fs::create_dir_all(at("above/real")).unwrap();
    std::fs::create_dir(at("links")).unwrap();
    symlink("../above/real", at("links/root")).unwrap();
    std::fs::write(at("above/real/users"), "private").unwrap();
    symlink("../above/real/users", at("links/users")).unwrap();
    let private = vec![at("links/users")];
    let storage = storage.below(&[at("links/root").display().to_string()], private).unwrap();
    let whole = "mlflow-artifacts:/";
    for path in ["above/real", "above", "links/root", "links/users", "links", "links/root/users"] {
        let error = storage.delete(whole, path).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidParameterValue, "{path}: {error}");
    }
    // Another symlink to it goes alone, and what is in the root goes.
    symlink("above/real", at("other")).unwrap();
    storage.upload(whole, "links/root/f", once("x")).await.unwrap();
    storage.delete(whole, "other").await.unwrap();
    assert!(!at("other").exists() && at("above/real/f").exists());
    storage.delete(whole, "above/real/f").await.unwrap();
    assert!(!at("above/real/f").exists() && at("links/users").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn listings_leave_out_what_is_not_in_the_root() {
    use std::os::unix::fs::symlink;

    let Fixture { directory, storage } = fixture();
    storage.upload(ROOT, "folder/f", once("x")).await.unwrap();
    let root = directory.path().join("mlartifacts/1/run/artifacts");
    std::fs::write(directory.path().join("secret"), "s").unwrap();
    symlink("../../../../secret", root.join("file-out")).unwrap();
    symlink(directory.path(), root.join("folder-out")).unwrap();
    symlink("nothing", root.join("dangling")).unwrap();
    symlink("folder", root.join("folder-in")).unwrap();
    std::fs::write(root.join("half.bin#1"), "an upload in the making").unwrap();
    std::fs::write(root.join("plot #1.png"), "").unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
    assert!(pipe.success());
    let listed = storage.list(ROOT, "").await.unwrap();
    let names: Vec<&str> = listed.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, ["folder", "folder-in", "plot #1.png"]);
    assert_eq!(read(&storage, ROOT, "folder-in/f", None).await, b"x");
    let error = storage.open(ROOT, "pipe", None).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ResourceDoesNotExist);
    assert!(storage.list(ROOT, "folder-out").await.is_err());
}

#[tokio::test]
async fn a_server_goes_only_below_its_roots() {
    let Fixture { directory, storage } = fixture();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let private = directory.path().join("mlartifacts/mlflow.db");
    let storage =
        storage.below(&[at("mlruns"), "s3://own/runs".to_owned()], vec![private]).unwrap();
    for root in
        [ROOT, &at("mlruns/0/a"), &format!("file://{}", at("mlruns/0/b")), &at("mlartifacts/1")]
    {
        storage.upload(root, "f", once("x")).await.unwrap();
        assert_eq!(read(&storage, root, "f", None).await, b"x");
        storage.delete(root, "f").await.unwrap();
    }
    for root in [
        "/",
        &at("other"),
        &at("mlruns2"),
        &at(""),
        &at("mlruns/../other"),
        "s3://own/runs2",
        "s3://other",
        "gs://own/runs",
        "hdfs://host/x",
        "runs:/abc/x",
        "",
    ] {
        let error = storage.upload(root, "f", once("x")).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{root}: {error}");
        assert!(storage.list(root, "").await.is_err(), "{root}");
        assert!(storage.open(root, "f", None).await.is_err(), "{root}");
        assert!(storage.delete(root, "f").await.is_err(), "{root}");
        assert!(storage.direct_file(root, "f").await.is_err(), "{root}");
    }
    assert!(!directory.path().join("other").exists());

    // The database lies among the artifacts, and is none.
    let whole = "mlflow-artifacts:/";
    std::fs::write(directory.path().join("mlartifacts/mlflow.db"), "tables").unwrap();
    assert!(storage.open(whole, "mlflow.db", None).await.is_err());
    assert!(storage.upload(whole, "mlflow.db", once("x")).await.is_err());
    assert!(storage.delete(whole, "mlflow.db").await.is_err());
    let listed = storage.list(whole, "").await.unwrap();
    assert!(listed.iter().all(|entry| entry.path != "mlflow.db"), "{listed:?}");
    for root in [whole, &at("mlruns"), &at("mlartifacts")] {
        assert!(storage.delete(root, "").await.is_err(), "{root}");
    }
}

/// Upstream makes locations of a root as it was written.
#[tokio::test]
async fn a_root_may_climb_and_what_is_below_it_not() {
    let Fixture { directory, storage } = fixture();
    let at = |name: &str| directory.path().join(name).display().to_string();
    std::fs::create_dir(at("project")).unwrap();
    std::fs::create_dir(at("shared")).unwrap();
    std::fs::write(at("secret"), "s").unwrap();
    let written = at("project/../shared");
    let storage = storage.below(std::slice::from_ref(&written), Vec::new()).unwrap();
    for root in [format!("{written}/1/abc"), at("shared/1/abc")] {
        storage.upload(&root, "f", once("x")).await.unwrap();
        assert_eq!(read(&storage, &at("shared/1/abc"), "f", None).await, b"x", "{root}");
        storage.delete(&root, "f").await.unwrap();
    }
    assert!(storage.delete(&written, "").await.is_err());
    for root in [
        format!("{written}/.."),
        format!("{written}/../shared"),
        format!("{written}/1/../.."),
        format!("{written}.."),
        format!("{written}2"),
        at("project/.."),
        at("project/../project"),
        at("shared/.."),
        format!("file://{}/%2e%2e", at("shared")),
    ] {
        for path in ["secret", "shared/f"] {
            let error = storage.upload(&root, path, once("x")).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::PermissionDenied, "{root}: {error}");
            assert!(storage.open(&root, path, None).await.is_err(), "{root}");
        }
    }
    assert_eq!(std::fs::read_to_string(at("secret")).unwrap(), "s");
}

#[tokio::test]
async fn paths_that_climb_are_refused_everywhere() {
    let Fixture { storage, .. } = fixture();
    for path in ["../x", "/etc/passwd", "a/../../b", "a\\..\\b", "a\0b"] {
        assert!(storage.list(ROOT, path).await.is_err(), "{path}");
        assert!(storage.open(ROOT, path, None).await.is_err(), "{path}");
        assert!(storage.upload(ROOT, path, once("x")).await.is_err(), "{path}");
        assert!(storage.delete(ROOT, path).await.is_err(), "{path}");
    }
    assert!(storage.list("mlflow-artifacts:/../x", "").await.is_err());
}
