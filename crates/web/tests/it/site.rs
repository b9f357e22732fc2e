//! A store with something in it, and its pages.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use tempfile::TempDir;
use tower::ServiceExt as _;
use trainyard_mlflow::artifacts::once;
use trainyard_mlflow::entities::{Dataset, DatasetInput, Metric, RunStatus, Tag};
use trainyard_mlflow::{
    CreateLoggedModel, CreateModelVersion, CreateRun, LogBatch, Tracking, UpdateRun, VersionId,
};
use trainyard_tracking::server::Opened;
use trainyard_tracking::{Changes, Lending, OpenOptions, share};

/// What a user could log to break a page.
pub(crate) const NASTY: &str = "<script>alert('x')</script>\"'&<b>";

pub(crate) struct Site {
    pub(crate) tracking: Tracking,
    changes: Option<Changes>,
    _folder: TempDir,
}

pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Site {
    /// An empty store.
    pub(crate) fn empty() -> Self {
        Self::with(OpenOptions::default())
    }

    /// The same with settings, but for the folders.
    pub(crate) fn with(options: OpenOptions) -> Self {
        Self::within(tempfile::tempdir().unwrap(), options)
    }

    /// The same store with other settings.
    pub(crate) fn reopened(self, options: OpenOptions) -> Self {
        let Self { tracking, changes, _folder: folder } = self;
        drop((tracking, changes));
        Self::within(folder, options)
    }

    fn within(folder: TempDir, options: OpenOptions) -> Self {
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let options = OpenOptions {
            default_artifact_root: Some(path("runs")),
            artifacts_destination: Some(path("artifacts")),
            ..options
        };
        let uri = format!("sqlite:///{}", path("mlflow.db"));
        let shared = share(&uri, options, &Lending::default()).unwrap();
        Self { tracking: shared.own, changes: shared.changes, _folder: folder }
    }

    /// The store as a server has it, for whoever `tracking` acts for.
    pub(crate) fn opened(&self, tracking: &Tracking) -> Opened {
        Opened {
            tracking: tracking.clone(),
            pages: trainyard_web::router(tracking.clone()),
            webhooks: None,
            changes: self.changes.clone(),
        }
    }

    pub(crate) fn router(&self) -> Router {
        trainyard_web::router(self.tracking.clone())
    }

    pub(crate) async fn get(&self, address: &str) -> Page {
        get(self.router(), address).await
    }

    /// A run of the default experiment with a name and nothing else.
    pub(crate) async fn plain_run(&self, name: &str) -> String {
        let run = CreateRun {
            experiment_id: "0".to_owned(),
            run_name: Some(name.to_owned()),
            ..CreateRun::default()
        };
        self.tracking.runs.create(run).await.unwrap().info.run_id
    }

    /// A run with a little of everything, all of it as nasty as it may be.
    pub(crate) async fn nasty_run(&self) -> String {
        let tracking = &self.tracking;
        let tag = |key: &str| Tag::new(key, NASTY);
        let tags = [tag("mlflow.note.content")];
        let experiment = tracking.experiments.create(NASTY, None, &tags);
        let experiment_id = experiment.await.unwrap();
        let run = CreateRun {
            experiment_id: experiment_id.clone(),
            user_id: NASTY.to_owned(),
            run_name: Some(NASTY.to_owned()),
            start_time: 1_700_000_000_000,
            tags: vec![tag("own"), tag("mlflow.source.name"), tag("mlflow.note.content")],
        };
        let info = tracking.runs.create(run).await.unwrap().info;
        let batch = LogBatch {
            metrics: (0..30)
                .map(|n| {
                    Metric::new("loss/a b", 1.0 / f64::from(n + 1), i64::from(n), i64::from(n))
                })
                .collect(),
            params: vec![Tag::new("depth", NASTY)],
            tags: vec![],
        };
        tracking.runs.log_batch(&info.run_id, batch).await.unwrap();
        tracking.runs.log_metric(&info.run_id, Metric::new("nan", f64::NAN, 1, 1)).await.unwrap();
        let dataset = Dataset {
            name: NASTY.to_owned(),
            digest: "d1".to_owned(),
            source_type: "local".to_owned(),
            source: serde_json::json!({ "uri": NASTY }).to_string(),
            schema: None,
            profile: None,
        };
        let input = DatasetInput { tags: vec![tag("mlflow.data.context")], dataset };
        tracking.runs.log_inputs(&info.run_id, vec![input], Vec::new()).await.unwrap();
        let page = "<script>document.title='ran'</script><h1>Report</h1>";
        for (path, content) in [
            ("drift.html", page),
            (
                "plots/<b> & 'x'.svg",
                "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            ),
            ("notes/a.txt", NASTY),
            ("notes/a.json", "{\"a\":[1,2]}"),
            ("model.bin", "\u{1}\u{2}"),
        ] {
            tracking.artifacts.upload(&info.artifact_uri, path, once(content)).await.unwrap();
        }
        let done = UpdateRun {
            run_id: info.run_id.clone(),
            status: Some(RunStatus::Finished),
            end_time: Some(1_700_000_065_000),
            run_name: None,
        };
        tracking.runs.update(done).await.unwrap();
        info.run_id
    }

    /// A registered model with one version, as nasty as it may be; its logged model's id.
    pub(crate) async fn nasty_model(&self, run_id: &str, name: &str) -> String {
        let tracking = &self.tracking;
        let run = tracking.runs.get(run_id).await.unwrap();
        let model = CreateLoggedModel {
            experiment_id: run.info.experiment_id,
            name: Some("model".to_owned()),
            source_run_id: Some(run_id.to_owned()),
            params: vec![Tag::new("p", NASTY)],
            ..CreateLoggedModel::default()
        };
        let info = tracking.logged_models.create(model).await.unwrap().info;
        let file = "flavors:\n  python_function: {loader_module: mlflow.onnx}\nsignature:\n  \
                    inputs: '[{\"type\": \"double\", \"name\": \"<i>a</i>\", \"required\": false}]'\n";
        tracking.artifacts.upload(&info.artifact_uri, "MLmodel", once(file)).await.unwrap();
        tracking
            .registered_models
            .create(name, &[Tag::new("k", NASTY)], Some(NASTY))
            .await
            .unwrap();
        let version = CreateModelVersion {
            name: name.to_owned(),
            source: format!("models:/{}", info.model_id),
            run_id: Some(run_id.to_owned()),
            model_id: Some(info.model_id.clone()),
            run_link: None,
            description: Some(NASTY.to_owned()),
            tags: vec![Tag::new("gate.accuracy", NASTY)],
        };
        tracking.model_versions.create(version).await.unwrap();
        tracking
            .registered_models
            .set_alias(VersionId { name, version: "1" }, "Production")
            .await
            .unwrap();
        info.model_id
    }
}

pub(crate) async fn get(router: Router, address: &str) -> Page {
    let request = Request::get(address).header("host", "example.org:5000").body(Body::empty());
    send(router, request.unwrap()).await
}

pub(crate) async fn send(router: Router, request: Request<Body>) -> Page {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 10 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Page { status: parts.status, headers: parts.headers, text }
}

impl Page {
    /// Every address in the page.
    pub(crate) fn links(&self) -> Vec<String> {
        let found = self.text.split(['"']).collect::<Vec<_>>();
        let after = |attribute: &str| {
            found
                .windows(2)
                .filter(|pair| pair[0].ends_with(attribute))
                .map(|pair| pair[1].replace("&amp;", "&"))
                .collect::<Vec<_>>()
        };
        let mut links = after(" href=");
        links.extend(after(" src="));
        links
    }
}
