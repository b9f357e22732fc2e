//! Artifacts of runs and logged models.

use bytes::Bytes;
use futures::StreamExt as _;
use trainyard_mlflow::artifacts::{download_tree, once, upload_tree};
use trainyard_mlflow::entities::FileInfo;
use trainyard_mlflow::{CreateLoggedModel, ErrorCode, Tracking};

use super::assertions::assert_refused;
use super::fixtures::{new_experiment, new_run};

async fn read(tracking: &Tracking, root: &str, path: &str) -> Vec<u8> {
    let mut body = tracking.artifacts.download(root, path).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    bytes
}

/// Single files: write, replace, list, read, delete; and what is refused.
pub async fn artifacts(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let run = new_run(tracking, &experiment_id).await;
    let root = run.info.artifact_uri.as_str();
    assert_eq!(tracking.artifacts.list(root, "").await.unwrap(), []);

    let odd = "plots/größe 100% + a&b=c;d.txt";
    tracking.artifacts.upload(root, "model.json", once("{}")).await.unwrap();
    tracking.artifacts.upload(root, "model.json", once("{\"a\": 1}")).await.unwrap();
    tracking.artifacts.upload(root, "empty", once("")).await.unwrap();
    tracking.artifacts.upload(root, odd, once("é")).await.unwrap();
    let file = |path: &str, size: i64| FileInfo {
        path: path.to_owned(),
        is_dir: false,
        file_size: Some(size),
    };
    let directory = |path: &str| FileInfo { path: path.to_owned(), is_dir: true, file_size: None };
    assert_eq!(
        tracking.artifacts.list(root, "").await.unwrap(),
        [file("empty", 0), file("model.json", 8), directory("plots")]
    );
    assert_eq!(tracking.artifacts.list(root, "plots").await.unwrap(), [file(odd, 2)]);
    assert_eq!(tracking.artifacts.list(root, "plots/").await.unwrap(), [file(odd, 2)]);
    assert_eq!(tracking.artifacts.list(root, "model.json").await.unwrap(), []);
    assert_eq!(tracking.artifacts.list(root, "nothing").await.unwrap(), []);
    assert_eq!(read(tracking, root, "model.json").await, b"{\"a\": 1}");
    assert_eq!(read(tracking, root, odd).await, "é".as_bytes());
    assert_eq!(read(tracking, root, "empty").await, b"");

    let windows = "odd/there\\and back.txt";
    tracking.artifacts.upload(root, windows, once("odd")).await.unwrap();
    assert_eq!(tracking.artifacts.list(root, "odd").await.unwrap(), [file(windows, 3)]);
    assert_eq!(read(tracking, root, windows).await, b"odd");
    tracking.artifacts.delete(root, "odd").await.unwrap();

    for missing in ["no such file", "plots", "plots/none"] {
        let result = tracking.artifacts.download(root, missing).await.map(drop);
        assert_refused(result, ErrorCode::ResourceDoesNotExist, missing);
    }
    for bad in ["../outside", "a/../../outside", "/etc/passwd/../x"] {
        let result = tracking.artifacts.upload(root, bad, once("x")).await;
        assert_refused(result, ErrorCode::InvalidParameterValue, "");
        let result = tracking.artifacts.download(root, bad).await.map(drop);
        assert_refused(result, ErrorCode::InvalidParameterValue, "");
        assert_refused(
            tracking.artifacts.list(root, bad).await,
            ErrorCode::InvalidParameterValue,
            "",
        );
    }

    tracking.artifacts.delete(root, "model.json").await.unwrap();
    tracking.artifacts.delete(root, "model.json").await.unwrap();
    tracking.artifacts.delete(root, "plots").await.unwrap();
    assert_eq!(tracking.artifacts.list(root, "").await.unwrap(), [file("empty", 0)]);
}

/// Trees and a file larger than one piece, in a logged model.
pub async fn artifacts_in_bulk(tracking: &Tracking) {
    let experiment_id = new_experiment(tracking).await;
    let model = CreateLoggedModel { experiment_id, ..CreateLoggedModel::default() };
    let root = tracking.logged_models.create(model).await.unwrap().info.artifact_uri;
    let source = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(source.path().join("a/b")).unwrap();
    std::fs::write(source.path().join("MLmodel"), "flavors: {}").unwrap();
    std::fs::write(source.path().join("a/b/c.txt"), "deep").unwrap();
    // Larger than what is held in memory for a repeat, and no multiple of any buffer.
    let large: Vec<u8> =
        (0..9_000_001_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(source.path().join("a/large.bin"), &large).unwrap();
    assert_eq!(upload_tree(&*tracking.artifacts, source.path(), &root, "").await.unwrap(), 3);
    assert_eq!(upload_tree(&*tracking.artifacts, source.path(), &root, "copy").await.unwrap(), 3);

    let target = tempfile::tempdir().unwrap();
    assert_eq!(download_tree(&*tracking.artifacts, &root, target.path()).await.unwrap(), 6);
    for prefix in ["", "copy/"] {
        let read =
            |path: &str| std::fs::read(target.path().join(format!("{prefix}{path}"))).unwrap();
        assert_eq!(read("MLmodel"), b"flavors: {}");
        assert_eq!(read("a/b/c.txt"), b"deep");
        assert!(read("a/large.bin") == large, "the large file came back changed");
    }

    // An upload that fails half way leaves nothing behind.
    let broken = futures::stream::iter([
        Ok(Bytes::from_static(b"half")),
        Err(trainyard_mlflow::Error::invalid("the source broke off")),
    ]);
    let failed = tracking.artifacts.upload(&root, "broken", Box::pin(broken)).await;
    assert!(failed.is_err());
    let names = tracking.artifacts.list(&root, "").await.unwrap();
    assert!(names.iter().all(|file| !file.path.contains("broken")), "{names:?}");
}
