//! A training program of the user's own: anything that speaks MLflow, run as one run.
//!
//! The run is made first and handed over in the environment, so MLflow's fluent API continues it
//! (`mlflow.start_run()` needs no argument). What the program registered or logged is found in the
//! store afterwards; nothing it prints is interpreted.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use trainyard_mlflow::entities::{
    DatasetInput, LoggedModel, LoggedModelStatus, ModelVersion, Run, RunStatus, Tag,
};
use trainyard_mlflow::{CreateModelVersion, CreateRun, SearchModelVersions, Tracking, UpdateRun};

use crate::last_words::LastWords;
use crate::progress::{OnProgress, Progress};
use crate::python_environment::way_on;
use crate::run::{Context, Outcome, end_failed_run, end_run, experiment, now, register};
use crate::{Error, Result};

/// Longest line that is passed on in one piece.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Time between a polite and a rude end.
const GRACE: Duration = Duration::from_secs(5);
/// After the program has ended: how long the next line of its output may take to come, and all of them.
const NEXT_LINE: Duration = Duration::from_secs(2);
const REST_OF_OUTPUT: Duration = Duration::from_mins(1);
/// File that makes a folder a model.
const MLMODEL_FILE: &str = "MLmodel";

/// What to run, and where.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CommandRun {
    /// A line for the shell, such as `python src/train.py`.
    pub command: String,
    /// Working folder.
    pub folder: PathBuf,
    /// Tracking store, as the program must write it: `http://…` or `sqlite:////absolute/path`.
    pub tracking_uri: String,
    /// Experiment of the run; created if there is none.
    pub experiment: String,
    /// Registered model whose new version counts; a model that the program only logged is
    /// registered under this name. If none, any version counts and nothing is registered.
    pub registered_model_name: Option<String>,
    /// Variables that the program gets beside MLflow's.
    pub variables: Vec<(String, String)>,
    /// Tags of the run beside those of who ran it.
    pub tags: Vec<Tag>,
    /// Data that the program is given, for the run to say.
    pub inputs: Vec<DatasetInput>,
}

/// Runs a training program and finds what it made.
///
/// If the future is dropped, the program and all it started are killed at once.
pub async fn run_command(
    tracking: &Tracking,
    config: &CommandRun,
    progress: OnProgress<'_>,
) -> Result<Outcome> {
    run_command_until(tracking, config, progress, std::future::pending()).await
}

/// The same, but when `cancel` completes first, the program and all it started are asked to end,
/// then killed, and the run is marked killed.
pub async fn run_command_until(
    tracking: &Tracking,
    config: &CommandRun,
    progress: OnProgress<'_>,
    cancel: impl Future<Output = ()> + Send,
) -> Result<Outcome> {
    let context = Context::of_folders(Some(config.folder.clone()));
    let experiment_id = experiment(tracking, &config.experiment).await?;
    let mut tags = context.tags(&config.command, "PROJECT");
    tags.extend(config.tags.iter().cloned());
    let create = CreateRun {
        experiment_id,
        user_id: context.user().to_owned(),
        run_name: None,
        start_time: now(),
        tags,
    };
    let run = tracking.runs.create(create).await?;
    let run_id = run.info.run_id.clone();
    if !config.inputs.is_empty() {
        tracking.runs.log_inputs(&run_id, config.inputs.clone(), Vec::new()).await?;
    }
    progress(Progress::Step(format!("running {}", config.command)));
    match execute(config, &run, progress, cancel).await {
        Ok(()) => collect(tracking, config, &run_id).await,
        Err(error) => {
            end_failed_run(tracking, &run_id, &error).await;
            Err(error)
        }
    }
}

/// Runs the program to its end.
async fn execute(
    config: &CommandRun,
    run: &Run,
    progress: OnProgress<'_>,
    cancel: impl Future<Output = ()> + Send,
) -> Result<()> {
    let mut group = Group::spawn(config, run)?;
    let (sender, mut lines) = mpsc::channel::<String>(256);
    let reader = tokio::spawn(read_lines(group.output.take(), sender));
    let mut last_words = LastWords::default();
    let mut show = |line: String| {
        last_words.hear(&line);
        progress(Progress::Output { line });
    };
    let mut cancel = std::pin::pin!(cancel);
    let status = loop {
        tokio::select! {
            Some(line) = lines.recv() => show(line),
            status = group.child.wait() => break status,
            () = &mut cancel => {
                group.end().await;
                return Err(Error::Cancelled);
            }
        }
    };
    let status = status.map_err(|source| not_started(config, source))?;
    // A process that outlives the program may hold its output open: it is not waited for.
    let rest = async {
        while let Ok(Some(line)) = tokio::time::timeout(NEXT_LINE, lines.recv()).await {
            show(line);
        }
    };
    let _cut_off = tokio::time::timeout(REST_OF_OUTPUT, rest).await;
    reader.abort();
    if status.success() {
        return Ok(());
    }
    let last_lines = last_words.quoted();
    Err(Error::CommandFailed {
        command: config.command.clone(),
        status: describe(status),
        way_on: way_on(&config.command, &config.folder, &last_lines),
        last_lines,
    })
}

/// The program and everything it starts, as one process group.
struct Group {
    child: Child,
    /// What it writes, to whichever stream.
    output: Option<pipe::Receiver>,
    id: Option<Pid>,
}

impl Group {
    fn spawn(config: &CommandRun, run: &Run) -> Result<Self> {
        let failed = |source| not_started(config, source);
        // One pipe for both streams, as a terminal is one: what was written in turns is read in turns.
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let errors = writer.try_clone().map_err(failed)?;
        let child = Command::new("sh")
            .arg("-c")
            .arg(&config.command)
            .current_dir(&config.folder)
            .envs(config.variables.iter().map(|(name, value)| (name, value)))
            .env("MLFLOW_TRACKING_URI", &config.tracking_uri)
            .env("MLFLOW_EXPERIMENT_NAME", &config.experiment)
            .env("MLFLOW_EXPERIMENT_ID", &run.info.experiment_id)
            .env("MLFLOW_RUN_ID", &run.info.run_id)
            // Python holds lines back when nobody seems to watch.
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { child, output: Some(output), id })
    }

    /// Asks the group to end, and kills it if it does not.
    async fn end(&mut self) {
        self.signal(Signal::TERM);
        let _ended = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.signal(Signal::KILL);
        let _reaped = self.child.wait().await;
    }

    fn signal(&self, signal: Signal) {
        // The only way to fail is that nobody is left.
        let _gone = self.id.map(|id| kill_process_group(id, signal));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn not_started(config: &CommandRun, source: std::io::Error) -> Error {
    Error::CommandNotStarted {
        command: config.command.clone(),
        folder: config.folder.display().to_string(),
        source,
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(127), _) => "exit code 127 (no such program)".to_owned(),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Sends lines as they come. A carriage return ends a line too: progress bars use it.
async fn read_lines(source: Option<impl AsyncRead + Unpin>, lines: mpsc::Sender<String>) {
    let Some(mut source) = source else { return };
    let mut chunk = vec![0_u8; 8 << 10];
    let mut line = Vec::new();
    loop {
        // A broken pipe is the end of the output.
        let read = source.read(&mut chunk).await.unwrap_or(0);
        for &byte in &chunk[..read] {
            if !matches!(byte, b'\n' | b'\r') {
                line.push(byte);
            }
            let ended = matches!(byte, b'\n' | b'\r') && !line.is_empty();
            if ended || line.len() >= LINE_BYTES_MAX {
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                if lines.send(text).await.is_err() {
                    return;
                }
            }
        }
        if read == 0 {
            break;
        }
    }
    if !line.is_empty() {
        // If nobody listens any more, the end of the output is not missed.
        let _ignored = lines.send(String::from_utf8_lossy(&line).into_owned()).await;
    }
}

/// Finds the version, the model and the metrics of a run that has ended well.
async fn collect(tracking: &Tracking, config: &CommandRun, run_id: &str) -> Result<Outcome> {
    let run = tracking.runs.get(run_id).await?;
    match run.info.status {
        // `mlflow.start_run()` as a context manager ends the run itself.
        RunStatus::Running | RunStatus::Scheduled => {
            end_run(tracking, run_id, RunStatus::Finished).await?;
        }
        _ if run.info.end_time.is_none() => {
            let update = UpdateRun {
                run_id: run_id.to_owned(),
                end_time: Some(now()),
                ..UpdateRun::default()
            };
            tracking.runs.update(update).await?;
        }
        _ => {}
    }
    let registered = registered(tracking, config, run_id).await?;
    let model = logged_model(tracking, &run).await?;
    let (source, model_id) = match (&registered, &model) {
        (Some(version), _) => (version.source.clone(), version.model_id.clone()),
        (None, Some(model)) => {
            let id = model.info.model_id.clone();
            (format!("models:/{id}"), Some(id))
        }
        (None, None) => match model_folder(tracking, &run).await? {
            Some(folder) => (format!("runs:/{run_id}/{folder}"), None),
            None => {
                return Err(Error::CommandLoggedNoModel {
                    command: config.command.clone(),
                    run_id: run_id.to_owned(),
                });
            }
        },
    };
    let model_id = model_id.or_else(|| model.map(|model| model.info.model_id));
    let registered = match (registered, &config.registered_model_name) {
        (None, Some(name)) => {
            let version = CreateModelVersion {
                name: name.clone(),
                source: source.clone(),
                run_id: Some(run_id.to_owned()),
                model_id: model_id.clone(),
                ..CreateModelVersion::default()
            };
            Some(register(tracking, version).await?)
        }
        (registered, _) => registered,
    };
    let metrics = run.data.metrics.iter().map(|metric| (metric.key.clone(), metric.value));
    Ok(Outcome {
        run_id: run_id.to_owned(),
        metrics: metrics.collect(),
        run_name: run.info.run_name,
        experiment_id: run.info.experiment_id,
        artifact_uri: run.info.artifact_uri,
        model_uri: model_id.as_ref().map_or(source, |id| format!("models:/{id}")),
        model_id,
        registered,
        train_digest: None,
        holdout_digest: None,
        warnings: Vec::new(),
    })
}

/// The newest version that the run registered, of the wanted name if there is one.
async fn registered(
    tracking: &Tracking,
    config: &CommandRun,
    run_id: &str,
) -> Result<Option<ModelVersion>> {
    let search = SearchModelVersions {
        filter: format!("run_id = '{run_id}'"),
        ..SearchModelVersions::default()
    };
    let page = tracking.model_versions.search(search).await?;
    let wanted = |version: &ModelVersion| {
        config.registered_model_name.as_ref().is_none_or(|name| *name == version.name)
    };
    let order = |version: &ModelVersion| {
        (version.creation_timestamp, version.version.parse::<u64>().unwrap_or_default())
    };
    Ok(page.items.into_iter().filter(wanted).max_by_key(order))
}

/// The newest finished model among the run's outputs.
async fn logged_model(tracking: &Tracking, run: &Run) -> Result<Option<LoggedModel>> {
    let mut newest: Option<LoggedModel> = None;
    for output in &run.outputs.model_outputs {
        let model = tracking.logged_models.get(&output.model_id).await?;
        let created = model.info.creation_timestamp_ms;
        let newer = newest.as_ref().is_none_or(|best| created >= best.info.creation_timestamp_ms);
        if model.info.status == LoggedModelStatus::Ready && newer {
            newest = Some(model);
        }
    }
    Ok(newest)
}

/// A model folder among the run's own artifacts: where clients before MLflow 3 put it.
async fn model_folder(tracking: &Tracking, run: &Run) -> Result<Option<String>> {
    for entry in tracking.artifacts.list(&run.info.artifact_uri, "").await? {
        if !entry.is_dir {
            continue;
        }
        let files = tracking.artifacts.list(&run.info.artifact_uri, &entry.path).await?;
        if files.iter().any(|file| file.path.rsplit('/').next() == Some(MLMODEL_FILE)) {
            return Ok(Some(entry.path));
        }
    }
    Ok(None)
}
